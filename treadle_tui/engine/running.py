"""A running attempt, as the engine holds it: what its code may ask for, and whether it is still wanted."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from treadle_tui.engine.attempt import writable_text
from treadle_tui.engine.clock import Clock, to_ms
from treadle_tui.engine.codec import decode_json
from treadle_tui.engine.errors import StageExecutionError
from treadle_tui.engine.functions import call_function
from treadle_tui.engine.items import OutputType
from treadle_tui.engine.secrets import mask
from treadle_tui.engine.store.results import Claim, Result
from treadle_tui.engine.store.transactional import TransactionalStore
from treadle_tui.engine.store.verbs.noting import Note

if TYPE_CHECKING:
    from treadle_tui.engine.attempt_pool import AttemptPool

NOTE_WINDOW_MS = 200
"""Progress and log lines are written at most once in this time, two rows at once: ten rows a second and attempt."""


_making = threading.Lock()
"""Held while an attempt gets its own lock."""


class Surroundings(NamedTuple):
    """What the attempts of an engine have in common."""

    store: TransactionalStore
    clock: Clock
    loop: asyncio.AbstractEventLoop


class RunningAttempt(msgspec.Struct, eq=False):
    """Serves one attempt's `StageContext`. `progress` and `log` may be called from any thread."""

    claim: Claim
    worker: int
    """Its engine's number in the store."""
    around: Surroundings
    pool: AttemptPool | None = None
    """What runs it beside others; None for one that somebody waits for."""
    result: Result | None = None
    """How it ended; None while it has not."""
    secrets: AbstractSet[str] = frozenset()
    """Texts that must not be seen in what the attempt tells."""
    is_cancelled: bool = False
    """Whether the attempt is wanted no longer."""
    is_called_off: bool = False
    """Whether it was called off by a person: its result must not be recorded."""
    is_counted: bool = True
    """Whether it takes up room in its engine."""
    task: asyncio.Task[None] | None = None
    """What runs its code; None before, and when it has ended."""
    _progress: tuple[float, str] | None = None
    _lines: tuple[str, ...] = ()
    _written_at: int = -NOTE_WINDOW_MS
    _is_flush_planned: bool = False
    _own_lock: threading.Lock | None = None
    _memos: dict[tuple[asyncio.AbstractEventLoop, str], tuple[asyncio.Task[Any] | None, asyncio.Event]] | None = None
    """Sub-results that are being computed: by whom, and what tells that they are there."""

    @property
    def _lock(self) -> threading.Lock:
        """Made when it is first wanted: most attempts tell nothing."""
        with _making:
            if self._own_lock is None:
                self._own_lock = threading.Lock()
            return self._own_lock

    @property
    def has_notes(self) -> bool:
        """Whether something has been told that is not written yet."""
        return self._progress is not None or bool(self._lines)

    def progress(self, fraction: float, message: str) -> None:
        """Tell how far the attempt is."""
        fraction = float(fraction)
        fraction = min(1.0, max(0.0, fraction)) if fraction == fraction else 0.0
        with self._lock:
            self._progress = (fraction, mask(writable_text(message), self.secrets))
        self._flush_soon()

    def log(self, message: str) -> None:
        """Tell one line."""
        with self._lock:
            self._lines += (mask(writable_text(message), self.secrets),)
        self._flush_soon()

    def _flush_soon(self) -> None:
        now = to_ms(self.around.clock.now())
        if now - self._written_at >= NOTE_WINDOW_MS:
            self.flush(now)
            return
        with self._lock:
            if self._is_flush_planned:
                return
            self._is_flush_planned = True
        try:
            self.around.loop.call_soon_threadsafe(self.around.loop.call_later, NOTE_WINDOW_MS / 1000, self._flush_planned)
        except RuntimeError:
            pass  # the loop has closed: the attempt's end has written what was left

    def _flush_planned(self) -> None:
        self._is_flush_planned = False
        self.flush(to_ms(self.around.clock.now()))

    def flush(self, now: int) -> None:
        """Write what has been told since the last time."""
        if not self.has_notes:
            return
        with self._lock:
            notes: list[Note] = []
            if self._progress is not None:
                notes.append(("progress", *self._progress))
            if self._lines:
                notes.append(("log", 0.0, "\n".join(self._lines)))
            self._progress, self._lines = None, ()
            if not notes:
                return
            self._written_at = now
            self.around.store.post_notes(self.worker, self.claim.key, self.claim.fence, notes, now)

    async def memo(self, key: str, fn: Callable[[], Any]) -> Any:
        """The recorded result of `fn`, computing and recording it the first time."""
        if not isinstance(key, str) or not key:
            raise StageExecutionError("memo", f"memo key {key!r} must be a text that is not empty")
        if writable_text(key) != key:
            raise StageExecutionError("memo", f"memo key {key!r} holds half of a surrogate pair; use text that can be written")
        found = await self.around.store.read_memo(self.claim.key, key)
        return decode_json(await self._memo_made(key, fn) if found is None else found)

    async def _memo_made(self, key: str, fn: Callable[[], Any]) -> bytes:
        """Compute and record a sub-result; whoever asks for it meanwhile waits for that one."""
        if self._memos is None:
            self._memos = {}
        # A plain stage may await memos on a loop of its own: nobody waits for another loop.
        place, me = (asyncio.get_running_loop(), key), asyncio.current_task()
        while (other := self._memos.get(place)) is not None:
            if other[0] is me:
                raise StageExecutionError("memo", f"memo {key!r} asks for itself while it is computed; use another key inside")
            await other[1].wait()
            found = await self.around.store.read_memo(self.claim.key, key)
            if found is not None:
                return found
        done = asyncio.Event()
        self._memos[place] = me, done
        try:
            value = await call_function(fn, inspect.iscoroutinefunction(fn), f"memo {key!r}")
            encoded = OutputType().encode(value)
            return await self.around.store.write_memo(
                self.worker, self.claim.key, self.claim.fence, key, encoded, to_ms(self.around.clock.now())
            )
        finally:
            del self._memos[place]
            done.set()
