from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What CloudHSM CLI does beside one Classic generation it does beside the other: one is enough."""
    twice = [item for item in items if "-cloudhsm-cli" in item.name and "[5-" in item.name]
    if twice:
        config.hook.pytest_deselected(items=twice)
        items[:] = [item for item in items if item not in twice]
