"""Items chosen by a filter, in the language of the board: `--filter "stage:review state:failed age:>2h"`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from treadle_tui.cli.failures import BadInput

if TYPE_CHECKING:
    from treadle_tui.engine.selection import Selection

F = TypeVar("F", bound=Callable[..., Any])

_HELP = 'Only items that this is true of, as on the board: "stage:review state:failed age:>2h id:doc-* !tag:slow word".'


def filter_option(verb: F) -> F:
    """The option --filter, given to the verb as `filter_text`."""
    return click.option("--filter", "filter_text", metavar="FILTER", help=_HELP)(verb)


def narrowed(selection: Selection, filter_text: str | None) -> Selection:
    """The selection with what the filter says besides.

    Raises: `BadInput` for a filter that cannot be read.
    """
    if filter_text is None:
        return selection
    from treadle_tui.board.filter_language import FilterError, parse_filter

    try:
        return selection._replace(conditions=(*selection.conditions, *parse_filter(filter_text)))
    except FilterError as error:
        raise BadInput(f"--filter {filter_text!r}: {error.sentence}, at character {error.start + 1}") from error


def now() -> int:
    """The moment that ages are counted from, as stores write it."""
    return time.time_ns() // 1_000_000
