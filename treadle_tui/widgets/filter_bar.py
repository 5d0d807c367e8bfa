"""The line under a list in which its filter is written: live, with what may follow, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from treadle_tui.board.filter_completion import Completion, complete
from treadle_tui.board.filter_language import FilterError
from treadle_tui.board.safe_text import safe_line


class FilterInput(Input):
    """Where it is typed."""

    takes_typing = True
    """Keys pressed while it was being opened are for it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Keep", id="filter.keep", key_display="enter", tooltip="Keep the filter and go back to the list"),
        Binding("tab", "complete", "Complete", id="filter.complete", tooltip="Write the first of what may follow"),
        Binding("escape", "leave", "As before", id="filter.leave", key_display="esc", tooltip="Back to the list as it was before"),
    ]

    def action_complete(self) -> None:
        """Write the first candidate."""
        self.post_message(FilterBar.CompletionWanted())

    def action_leave(self) -> None:
        """Give the change up."""
        self.post_message(FilterBar.Left())


class FilterBar(Widget):
    """Shows a filter, and lets it be edited. `edit` opens it, `show` says what is filtered."""

    DEFAULT_CSS = """
    FilterBar {
        display: none;
        height: 1;
        layout: vertical;
        background: $surface;
        &.-active { display: block; }
        &.-editing { height: 2; }
        & #filter-line { layout: horizontal; height: 1; }
        & #filter-sign { width: 4; color: $accent; text-style: bold; }
        & FilterInput { width: 1fr; background: $surface; padding: 0; }
        & #filter-text { width: 1fr; height: 1; text-wrap: nowrap; text-overflow: ellipsis; color: $foreground; }
        & #filter-hint { height: 1; padding: 0 2 0 4; color: $quiet; display: none; text-wrap: nowrap; text-overflow: ellipsis; }
        & FilterInput { display: none; }
        &.-editing FilterInput { display: block; }
        &.-editing #filter-text { display: none; }
        &.-editing #filter-hint { display: block; }
        &.-wrong #filter-hint { color: $state-failed; }
    }
    """

    class Changed(Message):
        """Something else stands there."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Kept(Changed):
        """What stands there is to be kept."""

    class Left(Message):
        """The change is given up."""

    class CompletionWanted(Message):
        """The first candidate is to be written."""

    def __init__(self) -> None:
        super().__init__()
        self._stages: Sequence[str] = ()
        self._tags: Sequence[str] = ()

    def compose(self) -> ComposeResult:
        """The sign, the filter or its field; below, what may follow."""
        with Widget(id="filter-line"):
            yield Static("  / ", id="filter-sign", markup=False)
            yield Static("", id="filter-text", markup=False)
            yield FilterInput(placeholder="state:failed stage:review age:>2h error:timeout id:doc-* word", compact=True)
        yield Static("", id="filter-hint", markup=False)

    @property
    def is_editing(self) -> bool:
        """Whether the field is open."""
        return self.has_class("-editing")

    @property
    def _input(self) -> FilterInput:
        return self.query_one(FilterInput)

    def edit(self, text: str, stages: Sequence[str], tags: Sequence[str]) -> None:
        """Open the field."""
        self._stages, self._tags = stages, tags
        self.add_class("-editing", "-active")
        with self.prevent(Input.Changed):
            self._input.value = text
        self._input.cursor_position = len(text)
        self._input.focus()
        self._hint(None)

    def close(self, text: str) -> None:
        """Close the field, and show the filter there is, if any."""
        self.remove_class("-editing", "-wrong")
        self.show(text)

    def show(self, text: str) -> None:
        """Say what is filtered; nothing is shown without a filter."""
        self.set_class(bool(text) or self.is_editing, "-active")
        self.query_one("#filter-text", Static).update(Content(safe_line(text) + "   ") + Content.styled("esc clears", "$quiet"))

    def say_error(self, error: FilterError | None) -> None:
        """Say what is wrong with what stands there, and where; nothing, when it is right."""
        self._hint(error)

    def _hint(self, error: FilterError | None) -> None:
        self.set_class(error is not None, "-wrong")
        hint = self.query_one("#filter-hint", Static)
        if error is not None:
            hint.update(Content(safe_line(str(error))))
            return
        candidates = self._completion().candidates
        first = Content.styled(safe_line(candidates[0]), "$accent") if candidates else Content("")
        rest = Content("".join(f"  {safe_line(each)}" for each in candidates[1:]))
        hint.update(first + rest)

    def _completion(self) -> Completion:
        return complete(self._input.value, self._input.cursor_position, self._stages, self._tags)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.is_editing:
            self.post_message(self.Changed(event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Kept(event.value))

    @on(CompletionWanted)
    def _complete(self, event: CompletionWanted) -> None:
        event.stop()
        completion = self._completion()
        if completion.candidates:
            text, at = completion.applied(self._input.value, completion.candidates[0])
            self._input.value = text
            self._input.cursor_position = at
