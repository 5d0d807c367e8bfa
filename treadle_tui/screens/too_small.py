"""What stands there while the terminal is too small to show anything true."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Size
from textual.screen import Screen

#: Columns and lines below which nothing else is drawn.
LEAST_SIZE = Size(60, 16)


def is_too_small(size: Size) -> bool:
    """Whether a terminal of that size cannot show the program."""
    return size.width < LEAST_SIZE.width or size.height < LEAST_SIZE.height


class TooSmall(Screen[None]):
    """Asks for a larger terminal; keys that would act on what cannot be seen do nothing meanwhile."""

    DEFAULT_CSS = """
    TooSmall { align: center middle; content-align: center middle; background: $background; color: $foreground; text-align: center; }
    """

    def render(self) -> Content:
        """The notice."""
        return Content(f"Enlarge to at least {LEAST_SIZE.width}×{LEAST_SIZE.height}")
