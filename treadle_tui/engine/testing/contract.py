"""What every store must do, as tests that anybody can run against a store of their own.

The tests themselves are in `contract_items`, `contract_lists`, `contract_work`, `contract_people` and `contract_history`; here is
how they are collected and called.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

OpenStore = Callable[[], AbstractAsyncContextManager[Any]]
Check = Callable[[Any], Awaitable[None]]

_checks: list[Check] = []
_PARTS = [f"treadle_tui.engine.testing.contract_{part}" for part in ("items", "lists", "work", "people", "history")]


def every_store(check: Check) -> Check:
    """Decorates a check of an opened, empty store."""
    _checks.append(check)
    return check


@dataclass(frozen=True, slots=True)
class ContractTest:
    """One test: call it and await the result. Raises AssertionError when the store does not keep the contract."""

    name: str
    """What is true of a store that passes, with underscores."""
    check: Check
    open_store: OpenStore

    @property
    def __name__(self) -> str:
        return self.name

    async def __call__(self) -> None:
        async with self.open_store() as store:
            await self.check(store)

    def __str__(self) -> str:
        return self.name


def store_contract(open_store: OpenStore) -> list[ContractTest]:
    """The tests every store must pass, each on a store of its own.

    `open_store()` gives an async context manager that opens a new, empty store, such as `MemoryStateStore` itself, or
    `lambda: SqliteStateStore.open(":memory:")`. With pytest:

        @pytest.mark.parametrize("test", store_contract(MyStore), ids=str)
        async def test_my_store_keeps_the_contract(test):
            await test()
    """
    for part in _PARTS:
        importlib.import_module(part)  # registers its checks
    checks = sorted(_checks, key=lambda check: _PARTS.index(check.__module__))
    return [ContractTest(getattr(check, "__name__", str(check)), check, open_store) for check in checks]
