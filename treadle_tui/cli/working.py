"""An engine for the length of one verb, and its orderly end when somebody stops it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from treadle_tui.engine import SqliteStateStore
    from treadle_tui.engine.engine import Engine
    from treadle_tui.engine.workflow import Workflow

T = TypeVar("T")

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@asynccontextmanager
async def opened(db: Path, workflows: Sequence[Workflow], *, concurrency: int = 64) -> AsyncIterator[tuple[Engine, SqliteStateStore]]:
    """An engine over the database and the store it works on; both closed behind it."""
    from treadle_tui.engine import SqliteStateStore
    from treadle_tui.engine.engine import Engine

    async with SqliteStateStore.open(db) as store, Engine(store, list(workflows), concurrency=concurrency) as engine:
        yield engine, store


def with_engine(db: Path, workflows: Sequence[Workflow], act: Callable[[Engine, SqliteStateStore], Awaitable[T]]) -> T:
    """What `act` returns, called with an engine that exists only meanwhile.

    Decisions and retries need no workflow: the database knows enough, and none of the workflows' code is run for them.
    """

    async def run() -> T:
        async with opened(db, workflows) as (engine, store):
            return await act(engine, store)

    return asyncio.run(run())


@contextlib.contextmanager
def stop_request() -> Iterator[asyncio.Future[int]]:
    """A future that gets the number of the first signal asking the program to stop.

    From then on signals do again what they did before: a second ctrl+c ends a program that does not come to its end.
    """
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[int] = loop.create_future()
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(number: int) -> None:
        restore()
        if not asked.done():
            asked.set_result(number)

    for number in STOP_SIGNALS:
        if before[number] is not signal.SIG_IGN:  # nohup stays in force
            signal.signal(number, lambda received, _frame: loop.call_soon_threadsafe(ask, received))
    try:
        yield asked
    finally:
        restore()
