"""Runs the engine beside the screen: in a thread and an event loop of its own, so that stages never hold up a key.

The screen starts it, hears where it stands, reads the store directly, and asks for changes through `call`. An engine that fails is
told as a sentence and can be started again; the store stays open for reading meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from treadle_tui.board.standing import Attachment, Phase, Standing
from treadle_tui.daemon_thread import in_daemon_thread
from treadle_tui.engine.errors import TreadleError

if TYPE_CHECKING:
    from treadle_tui.engine import Engine, StateStore, Workflow
    from treadle_tui.engine.clock import Clock

T = TypeVar("T")
log = logging.getLogger("treadle_tui.engine_host")

#: How often the engine is asked whether its store is in trouble.
_LOOK_SECONDS = 1.0
#: How long something that is asked while the engine starts waits for it, and how often it looks.
_START_SECONDS = 30.0
_START_LOOK_SECONDS = 0.02


class OpensStore(Protocol):
    """Opens the store; called in the engine's thread."""

    async def __call__(self) -> StateStore:
        """The open store."""
        ...


class EngineNotRunning(TreadleError):
    """Something was asked of an engine that does not run."""


class AttachedReadOnly(TreadleError):
    """Something would be changed from a terminal that only looks."""

    def __init__(self) -> None:
        super().__init__("this terminal is attached read-only, so nothing can be changed here; start it again without --read-only")


class EngineHost:
    """One database, one engine, one thread. Everything but `start`, `stop` and `call` happens in that thread."""

    def __init__(
        self,
        open_store: OpensStore,
        load_workflows: Callable[[], Sequence[Workflow]],
        on_change: Callable[[Standing], None],
        explain: Callable[[BaseException], str] = str,
        head_start: float = 0.0,
        attachment: Attachment = Attachment.RUN,
        clock: Clock | None = None,
    ) -> None:
        """`on_change` is called from the engine's thread; `explain` makes one sentence of an exception.

        `head_start`: seconds the reader of a freshly opened store has for itself, unless it calls `begin_work` before.
        """
        self._open_store = open_store
        self._load_workflows = load_workflows
        self._on_change = on_change
        self._explain = explain
        self._head_start = head_start
        self._attachment = attachment
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked_to_stop = asyncio.Event()
        self._asked_to_restart = asyncio.Event()
        self._asked_to_work = asyncio.Event()
        self._engine: Engine | None = None
        self._stop_was_asked = False
        self.store: StateStore | None = None
        """The open store, from `Phase.OPEN` on; any event loop may read it."""
        self.standing = Standing(attachment=attachment)
        """Where it stands."""

    def start(self) -> None:
        """Begin opening the database; returns at once."""
        self._thread = threading.Thread(target=self._run, name="treadle engine", daemon=True)
        self._thread.start()

    async def call(self, ask: Callable[[Engine], Awaitable[T]]) -> T:
        """What `ask` returns, called with the engine on the engine's loop.

        Raises: `EngineNotRunning`, `AttachedReadOnly`, and whatever `ask` raises.
        """
        if self._attachment is Attachment.READ:
            raise AttachedReadOnly
        await self._until_it_runs()
        loop, engine = self._loop, self._engine
        if loop is None or engine is None:
            raise EngineNotRunning("the engine is not running, so nothing can be changed now; it says above why")

        async def run() -> T:
            return await ask(engine)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), loop))

    async def _until_it_runs(self) -> None:
        """A person may be quicker than the start: wait for it, as long as it is still under way."""
        deadline = time.monotonic() + _START_SECONDS
        while self._engine is None and self.standing.phase in (Phase.OPENING, Phase.OPEN) and time.monotonic() < deadline:
            if self._thread is None or self._stop_was_asked:
                return
            await asyncio.sleep(_START_LOOK_SECONDS)

    def restart(self) -> None:
        """Start a failed engine again."""
        self._ask(self._asked_to_restart)

    def begin_work(self) -> None:
        """The reader has what it needs first: workflows may be loaded now, and stages run."""
        if not self._asked_to_work.is_set():
            self._ask(self._asked_to_work)

    def ask_to_stop(self) -> None:
        """Begin an orderly stop: running work is handed back, the store is closed. May be called from any thread, and again."""
        self._stop_was_asked = True
        self._ask(self._asked_to_stop)

    def wait_until_stopped(self, timeout: float) -> bool:
        """Whether everything has ended within `timeout` seconds. Blocks; what has not ended by then goes with the process."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    async def stop(self, timeout: float) -> bool:
        """Stop in an orderly way without blocking the caller's loop; whether that was done within `timeout` seconds."""
        self.ask_to_stop()
        return await in_daemon_thread(self.wait_until_stopped, timeout)

    def _ask(self, flag: asyncio.Event) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(flag.set)
        except RuntimeError:
            pass  # the loop has ended meanwhile: there is nothing left to ask

    # in the engine's thread -----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:
            log.exception("the engine's thread has ended")
            self._stand(Phase.STOPPED, self._explain(error))
        else:
            if self.standing.phase is not Phase.UNOPENED:
                self._stand(Phase.CLOSED)

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._stop_was_asked:
            return
        try:
            store = await self._open_store()
        except Exception as error:
            log.exception("the database could not be opened")
            self._stand(Phase.UNOPENED, self._explain(error))
            return
        self.store = store
        try:
            self._stand(Phase.OPEN)
            await self._wait_for_any(self._asked_to_work, self._asked_to_stop, timeout=self._head_start)
            await self._run_engine_until_stopped()
        finally:
            self._stand(Phase.STOPPING)
            await store.close()

    async def _run_engine_until_stopped(self) -> None:
        if self._attachment is Attachment.READ:
            await in_daemon_thread(self._load_workflows)
            self._stand(Phase.ATTACHED)
            await self._asked_to_stop.wait()
        while not self._asked_to_stop.is_set():
            try:
                await self._run_engine()
            except Exception as error:
                log.exception("the engine has stopped")
                self._stand(Phase.STOPPED, self._explain(error))
                await self._wait_for_any(self._asked_to_restart, self._asked_to_stop)
                self._asked_to_restart.clear()

    async def _run_engine(self) -> None:
        from treadle_tui.engine.engine import Engine

        workflows = await in_daemon_thread(self._load_workflows)
        if self._attachment is Attachment.DECIDE:
            workflows = await self._unchanged(workflows)
        async with Engine(self.store, workflows, clock=self._clock) as engine:
            self._engine = engine
            self._stand(Phase.RUNNING if self._attachment is Attachment.RUN else Phase.ATTACHED)
            try:
                await (self._drive(engine) if self._attachment is Attachment.RUN else self._asked_to_stop.wait())
            finally:
                self._engine = None

    async def _unchanged(self, workflows: Sequence[Workflow]) -> list[Workflow]:
        """Those the database has as they are here, or not at all: who runs no stages must not change what others run."""
        shapes = {workflow.name: await self.store.shape_named(workflow.name) for workflow in workflows}  # type: ignore[union-attr]
        return [each for each in workflows if (shape := shapes[each.name]) is None or shape.fingerprint == each.fingerprint]

    async def _drive(self, engine: Engine) -> None:
        """Run until a stop is asked for, or the engine fails; tell meanwhile when the store is in trouble."""
        running = asyncio.create_task(engine.run_forever(), name="engine")
        stopping = asyncio.create_task(self._asked_to_stop.wait(), name="engine: stop asked")
        try:
            while not stopping.done():
                await asyncio.wait({running, stopping}, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    running.result()
                    raise TreadleError("it ended by itself")
                if (engine.trouble or "") != self.standing.words:
                    self._stand(Phase.RUNNING, engine.trouble or "")
        finally:
            await _cancelled(running, stopping)

    async def _wait_for_any(self, *flags: asyncio.Event, timeout: float | None = None) -> None:
        waiting = [asyncio.create_task(flag.wait()) for flag in flags]
        try:
            await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancelled(*waiting)

    def _stand(self, phase: Phase, words: str = "") -> None:
        self.standing = Standing(phase, words, self._attachment)
        self._on_change(self.standing)


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the tasks and wait until they have ended, however they end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
