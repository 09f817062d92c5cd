from __future__ import annotations

from importlib import resources

NAME = "verify.py"


def script() -> str:
    """The verifier that needs no Keyferry, as it lies in every run's folder."""
    return resources.files("keyferry.verification").joinpath(NAME).read_text("utf-8")
