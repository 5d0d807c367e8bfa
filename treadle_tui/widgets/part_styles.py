"""Styles of a widget's parts, worked out once for a theme: Textual works them out anew with every refresh."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.style import Style
from textual.widget import Widget


class PartStyles(Widget):
    """A widget that draws with component classes, all of them named after it. Behind another base: Textual takes its CSS from the first."""

    PARTS: ClassVar[str] = ""
    """In front of the names of the component classes, with two hyphens between."""

    def __init__(self, *children: Widget, **named: Any) -> None:
        super().__init__(*children, **named)
        self._part_styles: dict[tuple[str, bool], Style] = {}
        self._base: Style | None = None

    def part(self, name: str) -> Style:
        """What a component class adds to the style beneath."""
        return self._style_of(name, is_partial=True)

    def whole_part(self, name: str) -> Style:
        """The style of a component class that has its own background."""
        return self._style_of(name, is_partial=False)

    def _style_of(self, name: str, *, is_partial: bool) -> Style:
        key = name, is_partial
        if key not in self._part_styles:
            self._part_styles[key] = self.get_component_rich_style(f"{self.PARTS}--{name}", partial=is_partial)
        return self._part_styles[key]

    @property
    def base(self) -> Style:
        """The style of plain text."""
        if self._base is None:
            self._base = self.rich_style
        return self._base

    def notify_style_update(self) -> None:
        """The theme has changed, or the focus, or a class."""
        super().notify_style_update()
        self._part_styles.clear()
        self._base = None
