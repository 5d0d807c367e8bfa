"""Calls a workflow's source with what was typed, and takes all it yields before anything is stored.

A source reads folders, files or networks, and may fail after its thousandth item. So the whole of it is read first: bad input
leaves the database as it was. The screen's "add items" uses the same.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import traceback
from collections.abc import AsyncIterable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from treadle_tui.engine.errors import TreadleError

if TYPE_CHECKING:
    from treadle_tui.engine.workflow import Workflow


class SourceFailed(TreadleError):
    """A workflow's source cannot be used as asked; nothing was stored."""


def source_usage(workflow: Workflow) -> str:
    """What the source takes, as a usage line shows it: "PATH", "[PATH]", "FOLDER [PATTERN...]"; empty for nothing."""
    source = workflow.source_function
    if source is None:
        return ""
    return " ".join(_parameter_usage(parameter) for parameter in inspect.signature(source).parameters.values()).strip()


def source_items(workflow: Workflow, arguments: Sequence[str]) -> list[Any]:
    """Every work item the source yields for these arguments, each checked. Not to be called where an event loop runs; a thread is fine.

    Raises:
        SourceFailed: the workflow has no source, the arguments do not fit, the source raised, or yielded what is no item.
    """
    if workflow.source_function is None and arguments:
        return _checked(workflow, [{"id": argument} for argument in arguments])
    try:
        produced = workflow.items_from(*arguments)
        items = asyncio.run(_collected(produced)) if isinstance(produced, AsyncIterable) else list(produced)
        for item in items:
            workflow.item_type.encode(item)
    except (Exception, SystemExit) as error:
        raise SourceFailed(_sentence(workflow, error)) from error
    return items


def read_items(workflow: Workflow, lines: Iterable[bytes]) -> list[Any]:
    """A work item from each line: a JSON object, or a plain id; empty lines are left out.

    Raises:
        SourceFailed: a line is neither, or no item of this workflow; its number is named.
    """
    items: list[Any] = []
    for number, line in enumerate(lines, 1):
        try:
            text = line.decode("utf-8").strip().removeprefix("\ufeff")
            if not text:
                continue
            item = json.loads(text) if text.startswith(("{", "[")) else {"id": text}
            if not isinstance(item, dict):
                raise ValueError("a work item is a JSON object with an `id`")
            workflow.item_type.encode(item)
        except (ValueError, RecursionError, TreadleError) as error:
            if isinstance(error, UnicodeDecodeError):  # with a sign in its place two ids could be one
                error = ValueError(f"no UTF-8 text (byte {error.start + 1} of the line); save it as UTF-8")
            said = f"no JSON: {error}" if isinstance(error, json.JSONDecodeError) else " ".join(str(error).split())
            raise SourceFailed(f"workflow {workflow.name!r}: standard input, line {number}: {said}") from error
        items.append(item)
    return items


def _checked(workflow: Workflow, items: list[Any]) -> list[Any]:
    try:
        for item in items:
            workflow.item_type.encode(item)
    except TreadleError as error:
        raise SourceFailed(_sentence(workflow, error)) from error
    return items


async def _collected(produced: AsyncIterable[Any]) -> list[Any]:
    return [item async for item in produced]


def _sentence(workflow: Workflow, error: BaseException) -> str:
    """A refusal in the source's own words; the place in its file besides when it looks like a mistake in the source."""
    said = " ".join(str(error).split())
    if isinstance(error, TreadleError):
        return f"workflow {workflow.name!r}: {said}"
    if isinstance(error, OSError) and error.filename:
        return f"workflow {workflow.name!r}: {error.filename}: {error.strerror or said}"
    if isinstance(error, (ValueError, OSError)) and said:
        return f"workflow {workflow.name!r}: {said}"
    kind = type(error).__name__
    return f"the source of workflow {workflow.name!r} failed{_place(workflow, error)}: {kind}{f': {said}' if said else ''}"


def _place(workflow: Workflow, error: BaseException) -> str:
    """Where in the workflow's file, or behind it, the source failed."""
    file = workflow.origin.file
    inside = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [place for place in inside if place[0] == file]
    return " at {}:{}".format(*own[-1]) if own else ""


def _parameter_usage(parameter: inspect.Parameter) -> str:
    name = parameter.name.upper()
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return f"[{name}...]"
    if parameter.kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD):
        return ""
    return name if parameter.default is inspect.Parameter.empty else f"[{name}]"
