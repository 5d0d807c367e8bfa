"""Why something is rejected, in one line. Returns the reason, which may be empty; None when it is not rejected after all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from treadle_tui.screens.one_line import LineInput, OneLine


class ReasonInput(LineInput):
    """Where the reason is typed, or chosen by a digit."""

    BINDING_GROUP_TITLE = "Reject"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Reject", id="reject.send", key_display="enter", tooltip="Reject for the reason that stands there"),
    ]


class RejectReason(OneLine):
    """Digits choose a preset reason, letters write one, enter rejects."""

    BINDING_GROUP_TITLE = "Reject"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="reject.leave", key_display="esc", tooltip="Do not reject"),
    ]

    FIELD = ReasonInput

    def __init__(self, title: str, reasons: Sequence[str] = (), text: str = "", keep: Callable[[str], None] | None = None) -> None:
        """`text` stands there already; `keep` gets what was typed and left."""
        offers = [(reason, reason) for reason in reasons if reason]
        super().__init__(f"Reject {title}", text=text, placeholder="a reason, or nothing", offers=offers, keep=keep)
