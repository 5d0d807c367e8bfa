"""What stages print while an engine runs without a screen: lines on standard error, safe to show.

Standard output carries only what was asked for, and what a stage prints may be anything.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from treadle_tui.cli import output

MOST_WITHOUT_BREAK = 10_000
"""Characters without a line break that are kept back; more become a line."""


class StagePrints(io.TextIOBase):
    """Stands in for standard output. May be written to from any thread."""

    def __init__(self) -> None:
        self._rest = ""
        self._lock = threading.Lock()

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Show the lines that are whole."""
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
            if len(self._rest) > MOST_WITHOUT_BREAK:
                lines, self._rest = [*lines, self._rest], ""
        for line in lines:
            self._show(line)
        return len(text)

    def finish(self) -> None:
        """Nothing more will come: what there is without a line break is a line too."""
        with self._lock:
            rest, self._rest = self._rest, ""
        if rest:
            self._show(rest)

    def _show(self, line: str) -> None:
        from treadle_tui.board.safe_text import safe_line

        try:
            print(safe_line(line), file=sys.stderr, flush=True)
        except (OSError, AttributeError, ValueError):
            pass  # standard error is closed: nobody wants to know


@contextmanager
def stages_print_aside() -> Iterator[None]:
    """While it lasts, `print` of stages goes to standard error, and verbs go on printing where they did."""
    own, aside = sys.stdout, StagePrints()
    output.use(own)
    sys.stdout = aside
    try:
        yield
    finally:
        sys.stdout = own
        output.use(None)
        aside.finish()
