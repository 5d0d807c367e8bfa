"""Keys that were pressed before the dialog they are meant for could take them: kept, in their order, and handed over once it can.

A hand is quicker than an import. Without this, what is typed behind `n` is lost, and what is typed behind `x` falls on the board, where
letters decide reviews.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from textual import events
from textual.app import App

#: A dialog that has not come by then does not come: what was typed for it must not act on anything else.
PATIENCE_SECONDS = 3.0
_LOOK_SECONDS = 0.01


class TypingAhead:
    """Of one application. `begin` when a dialog has been asked for."""

    def __init__(self, app: App[int], now: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._now = now
        self._began: float | None = None
        self._behind: object = None
        self._kept: list[events.Key] = []

    @property
    def is_keeping(self) -> bool:
        """Whether keys are kept."""
        return self._began is not None

    def begin(self) -> None:
        """Keep keys from now on, until another screen than the one in front, or a field on it, takes them.

        A field that is opened on the same screen says so with an attribute `takes_typing`.
        """
        if self._began is None:
            self._look_again()
        self._began, self._behind = self._now(), self._app.screen

    def keep(self, key: events.Key) -> None:
        """One that was pressed meanwhile."""
        self._kept.append(key)

    def end(self) -> None:
        """No dialog comes: what was typed for it is nobody's."""
        self._began = None
        self._kept.clear()

    def _look_again(self) -> None:
        self._app.set_timer(_LOOK_SECONDS, self._look)

    async def _look(self) -> None:
        if self._began is None:
            return
        screen = self._app.screen
        is_other = screen is not self._behind or getattr(screen.focused, "takes_typing", False)
        if is_other and (screen.focused is not None or (screen.is_mounted and not screen.focus_chain)):  # a question for a key has no field
            # By the time they were pressed: some were on their way through the widgets when keeping began.
            pressed = sorted(self._kept, key=lambda key: key.time)
            self.end()
            for key in pressed:
                await self._app.on_event(events.Key(key.key, key.character))
        elif self._now() - self._began > PATIENCE_SECONDS:
            self.end()
        else:
            self._look_again()
