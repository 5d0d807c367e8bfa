"""The order of the tests."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: at the end they would be waited for by everybody else."""
    items.sort(key=lambda item: "tests/snapshots/" not in item.nodeid)
