"""Keys one after the other: a key is looked at only when what the one before it does has begun.

Textual hands a key to the widget with the focus, and its binding acts when the key has come back up to the application. Keys that come
close together, over ssh or from a quick hand, overtake that: in "x", "too short", enter, "a" the last letter would stand in the reason.
So behind each key a mark climbs the same way, and the next key waits until it has arrived.
"""

from __future__ import annotations

from collections import deque

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.timer import Timer

#: A mark that has not arrived by then was lost with a widget that went.
_LOST_SECONDS = 0.25


class KeyOrder:
    """Of one application."""

    def __init__(self, app: App[int]) -> None:
        self._app = app
        self._waiting: deque[events.Key] = deque()
        self._climbing = 0
        """The number of the mark that is under way; 0 when none is."""
        self._marks = 0
        self._patience: Timer | None = None

    def may_go(self, key: events.Key) -> bool:
        """Whether a key may go its way now; else it is kept for its turn."""
        if self._climbing:
            self._waiting.append(key)
        return not self._climbing

    def follow(self) -> None:
        """A key has gone its way: send the mark behind it."""
        self._marks += 1
        self._climbing = self._marks
        self._patience = self._app.set_timer(_LOST_SECONDS, lambda mark=self._marks: self._arrived(mark))
        self._climb(self._app.focused or self._app.screen, self._climbing)

    def _climb(self, node: MessagePump | None, mark: int) -> None:
        """Behind everything the node has to do now, on to the one above."""
        if node is None or node is self._app or not node.call_later(self._climb, node._parent, mark):
            self._app.call_later(self._arrived, mark)

    async def _arrived(self, mark: int) -> None:
        if mark != self._climbing:
            return
        self._climbing = 0
        if self._patience is not None:
            self._patience.stop()
        while self._waiting and not self._climbing:
            await self._app.on_event(self._waiting.popleft())
