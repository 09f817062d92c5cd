from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, in seconds, a tool may take: to start, to answer, to log in, to generate an RSA pair."""

    start: float = 60.0
    answer: float = 60.0
    login: float = 60.0
    generate: float = 600.0
