"""What stands in place of the grid while there is nothing in it: what to do next."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content
from textual.widget import Widget

from treadle_tui.board.safe_text import fit, safe_line, width_of
from treadle_tui.board.standing import Attachment, Phase, Standing
from treadle_tui.board.workflow_choice import WorkflowChoices
from treadle_tui.widgets.key_bar import keys_of

_MOST_PROBLEMS = 4


class EmptyState(Widget):
    """A few plain lines in the middle of the screen."""

    DEFAULT_CSS = """
    EmptyState {
        width: 1fr;
        height: 1fr;
        padding: 2 4;
        color: $foreground;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._facts = (Standing(), WorkflowChoices(), "")
        self._filter = ""
        self._content = Content("")

    def on_mount(self) -> None:
        """Name the keys as they are, also after they are remapped."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self._say())

    def show(self, standing: Standing, found: WorkflowChoices, database: str) -> None:
        """Say what can be done now."""
        self._facts = (standing, found, safe_line(database))
        self._filter = ""
        self._say()

    def show_no_match(self, text: str) -> None:
        """Say that nothing fits the filter, and how to see everything again."""
        self._filter = safe_line(text)
        self._say()

    def _say(self) -> None:
        offered = keys_of(self.screen)
        keys = {name: offered.get(name, "") for name in ("board.add_items", "app.quit", "board.filter", "board.clear")}
        words = no_match_words(self._filter, keys) if self._filter else empty_words(*self._facts, keys)
        content = Content.assemble(*words)
        if content.markup != self._content.markup:
            self._content = content
            self.refresh(layout=True)

    def render(self) -> Content:
        """The lines."""
        return self._content


Words = list[str | tuple[str, str]]


def no_match_words(text: str, keys: Mapping[str, str]) -> Words:
    """The lines for a filter that nothing fits."""
    words: Words = ["Nothing fits the filter.\n\n", (f"  {text}\n\n", "$quiet")]
    for action, about in (("board.filter", "change it"), ("board.clear", "show everything again")):
        if keys[action]:
            words += [(f"  {keys[action]:<6}", "$accent"), f"{about}\n"]
    return words


def empty_words(standing: Standing, found: WorkflowChoices, database: str, keys: Mapping[str, str]) -> Words:
    """The lines for a phase, as pieces of text and (text, style). `keys`: by the action's id."""
    if standing.phase is Phase.UNOPENED:
        return [
            ("This database could not be opened.\n\n", "$state-failed"),
            safe_line(standing.words),
            (f"\n\n  {keys['app.quit']}", "$accent"),
            "   quit",
        ]
    if not standing.can_read:
        return [("opening ", "$quiet"), (f"{database} …", "$quiet")]
    if standing.attachment is Attachment.READ:
        return [
            "Nothing to see yet.\n\n",
            ("This terminal is attached read-only: items that others add appear here.\n", "$quiet"),
            ("To add some yourself, start it without --read-only.", "$quiet"),
        ]
    if not found.is_loaded:
        return [("loading workflows …", "$quiet")]
    words = _found_words(found, database, keys) if found.choices else _nothing_found_words()
    return words + _problem_words(found)


def _found_words(found: WorkflowChoices, database: str, keys: Mapping[str, str]) -> Words:
    words: Words = ["Nothing to do yet.\n\n", (f"  {keys['board.add_items']}", "$accent")]
    words.append("   add items: choose a workflow, give its argument\n\n")
    words.append(("Workflows\n", "$quiet"))
    width = max(width_of(safe_line(choice.signature)) for choice in found.choices) + 3
    for choice in found.choices:
        words.append(f"  {fit(safe_line(choice.signature), width)}")
        words.append((safe_line(choice.about) + "\n", "$quiet"))
    example = next((choice for choice in found.choices if choice.has_source), found.choices[0])
    words.append(("\nThe same from a shell\n", "$quiet"))
    words.append(f"  treadle-tui --db {database} add {safe_line(example.signature)}\n")
    return words


def _nothing_found_words() -> Words:
    return [
        "No workflow was found.\n\n",
        ("Put a workflow file into the folder ", "$quiet"),
        "workflows",
        (" beside the database, or name one:\n\n", "$quiet"),
        "  treadle-tui --workflows FILE\n",
    ]


def _problem_words(found: WorkflowChoices) -> Words:
    if not found.problems:
        return []
    words: Words = [("\nNot loaded\n", "$state-failed")]
    words += [f"  {safe_line(problem)}\n" for problem in found.problems[:_MOST_PROBLEMS]]
    if len(found.problems) > _MOST_PROBLEMS:
        words.append((f"  and {len(found.problems) - _MOST_PROBLEMS} more\n", "$quiet"))
    return words
