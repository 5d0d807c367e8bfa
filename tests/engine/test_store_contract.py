"""Every store this program ships keeps the contract."""

import pytest

from treadle_tui.engine import MemoryStateStore, SqliteStateStore
from treadle_tui.engine.testing import ContractTest, store_contract


@pytest.mark.parametrize("test", store_contract(MemoryStateStore), ids=str)
async def test_the_memory_store(test: ContractTest):
    await test()


@pytest.mark.parametrize("test", store_contract(lambda: SqliteStateStore.open(":memory:", synchronous="NORMAL")), ids=str)
async def test_the_sqlite_store(test: ContractTest):
    await test()
