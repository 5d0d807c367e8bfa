"""What all modals have in common: help and palette, which the keys of the program do not reach behind a modal."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

T = TypeVar("T")

HELP = Binding("question_mark", "app.help", "Help", id="app.help", tooltip="Every key of this screen")
PALETTE = Binding(
    "colon,ctrl+p", "app.palette", "Palette", show=False, id="app.palette", tooltip="Everything there is to do or to go to, by its name"
)


class Modal(ModalScreen[T]):
    """A question over a screen: returns a value, and its opener acts."""

    BINDINGS: ClassVar[list[BindingType]] = [HELP, PALETTE]
