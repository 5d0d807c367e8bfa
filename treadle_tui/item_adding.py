"""Adds what a workflow's source yields: reads all of it first, in a thread that may hang without harm, then submits it in batches."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from treadle_tui.board.command_words import command_words
from treadle_tui.board.workflow_choice import WorkflowChoice, WorkflowChoices
from treadle_tui.daemon_thread import in_daemon_thread

if TYPE_CHECKING:
    from treadle_tui.cli.loader import LoadedWorkflows
    from treadle_tui.engine.workflow import Workflow
    from treadle_tui.engine_host import EngineHost

#: Items submitted between two looks at how far it is.
BATCH = 500


async def add_items(host: EngineHost, workflow: Workflow, argument: str, tell: Callable[[str], None]) -> str:
    """Submit everything the source yields for what was typed; what came of it, in words.

    Raises: `SourceFailed`, `InvalidItem`, `ValueError` for quotes that do not match, and what the store raises. Before anything is
    written every item has been read and checked.
    """
    items = await in_daemon_thread(_checked_items, workflow, split_arguments(argument))
    new, elsewhere = 0, 0
    for start in range(0, len(items), BATCH):
        tell(f"adding {start + len(items[start : start + BATCH]):,} of {len(items):,} …")
        added, swallowed = await host.call(lambda engine, start=start: _submit(engine, workflow, items[start : start + BATCH]))  # type: ignore[misc]
        new += added
        elsewhere += swallowed
    return added_words(len(items), new, elsewhere)


def split_arguments(argument: str) -> list[str]:
    """What was typed as the words a shell would make of it; `~` is the home folder."""
    try:
        words = command_words(argument)
    except ValueError as error:
        raise ValueError(f"{argument}: {str(error).lower()}; put a matching quote behind it") from error
    return [os.path.expanduser(word) for word in words]


def added_words(found: int, new: int, elsewhere: int) -> str:
    """ "96 new, 3 already known"."""
    if not found:
        return "the source found no items"
    known = found - new - elsewhere
    parts = [f"{new:,} new"] + ([f"{known:,} already known"] if known else [])
    return ", ".join(parts + ([f"{elsewhere:,} belong to another workflow"] if elsewhere else []))


def _checked_items(workflow: Workflow, arguments: Sequence[str]) -> list[Any]:
    from treadle_tui.cli.source_items import source_items

    items = source_items(workflow, arguments)
    for item in items:
        workflow.item_type.encode(item)
    return items


async def _submit(engine: Any, workflow: Workflow, items: list[Any]) -> tuple[int, int]:
    new = await engine.submit(workflow, items)
    return new, len(engine.swallowed)


def choices_of(loaded: LoadedWorkflows) -> WorkflowChoices:
    """What there is to choose from. Loads the workflow files when that has not been done: not for the screen's own thread."""
    from treadle_tui.cli.source_items import source_usage

    choices = [
        WorkflowChoice(workflow.name, about(workflow), source_usage(workflow), has_source=True)
        if workflow.source_function is not None
        else WorkflowChoice(workflow.name, about(workflow) or "Items by their ids.", "ID...", has_source=False)
        for workflow in loaded.workflows
    ]
    choices.sort(key=lambda choice: not choice.has_source)
    return WorkflowChoices(choices, [str(problem) for problem in loaded.problems], is_loaded=True)


def about(workflow: Workflow) -> str:
    """The first line of its source's documentation, else of its file's."""
    import sys

    source = workflow.source_function
    module = sys.modules.get(getattr(source, "__module__", "") or "")
    for text in (getattr(source, "__doc__", None), getattr(module, "__doc__", None)):
        if text and text.strip():
            return str(text.strip().splitlines()[0])
    return ""
