"""A few lines of toned spans that nobody walks through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from treadle_tui.board.outline import Span, Tone
from treadle_tui.widgets.span_line import line_of

_TONES = tuple(tone.value for tone in Tone if tone is not Tone.PLAIN)


class SpanText(Widget):
    """Lines as they are, cut where there is no room; redrawn only when they change."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"span-text--{tone}" for tone in _TONES}
    """`span-text--muted` … `span-text--cancelled`: tones of the text."""

    DEFAULT_CSS = """
    SpanText {
        width: 1fr;
        height: 1;
        color: $foreground;
        & > .span-text--muted { color: $quiet; }
        & > .span-text--label { color: $quiet; }
        & > .span-text--heading { color: $foreground; text-style: bold; }
        & > .span-text--pending { color: $state-pending; }
        & > .span-text--running { color: $state-running; }
        & > .span-text--retry-wait { color: $state-retry-wait; }
        & > .span-text--awaiting-review { color: $state-awaiting-review; }
        & > .span-text--completed { color: $state-completed; }
        & > .span-text--skipped { color: $state-skipped; }
        & > .span-text--failed { color: $state-failed; }
        & > .span-text--cancelled { color: $state-cancelled; }
    }
    """

    ALLOW_SELECT = False

    def __init__(self, lines: Sequence[Sequence[Span]] = (), *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines = [tuple(line) for line in lines]

    def show(self, lines: Sequence[Sequence[Span]]) -> None:
        """Show other lines."""
        newer = [tuple(line) for line in lines]
        if newer != self._lines:
            self._lines = newer
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One of the lines."""
        spans = self._lines[y] if y < len(self._lines) else ()
        pieces = [
            (text, Style.null() if tone is Tone.PLAIN else self.get_component_rich_style(f"span-text--{tone.value}", partial=True))
            for text, tone in spans
        ]
        return line_of(pieces, [], self.size.width, self.rich_style)
