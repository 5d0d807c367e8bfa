"""What all screens that fill the terminal have in common: they are still while a question is asked on top of them, and can say a thing."""

from __future__ import annotations

from textual.screen import Screen

from treadle_tui.widgets.plain_text import TitleLine


class Page(Screen[None]):
    """A screen that fills the terminal: one on the number keys, or one opened on top of it."""

    @property
    def is_current(self) -> bool:
        """Whether it is in front. One that shines through a question is not: it is painted again once it has been answered.

        Textual paints the whole terminal for every change behind a modal: 100 KB a second over a board where much happens.
        """
        return super().is_current and self.app.screen is self

    def say(self, message: str) -> None:
        """Tell a person for a while what their key has done."""
        for title in self.query(TitleLine) if self.is_attached and self.app.is_running else ():
            title.say(message)
