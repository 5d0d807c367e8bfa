"""What a shell offers after `tab`: ids, stages and workflows out of the database, asked as lightly as can be.

Nothing here may complain, wait or change anything: a shell that completes shows whatever comes out. The file is opened to be read
only, and whatever is wrong with it means that nothing is offered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from treadle_tui.cli.invocation import Invocation, json_option, shared_options

if TYPE_CHECKING:
    import sqlite3

OFFERED = 100
"""Ids at most: more than anybody reads, and few enough to be there at once."""
VARIABLE = "_TREADLE_TUI_COMPLETE"
"""Through this the scripts of click ask the program."""


def complete_items(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Ids of items that begin so, newest first."""
    return _texts(
        context, "SELECT id FROM treadle_items WHERE substr(id, 1, length(?)) = ? ORDER BY key DESC LIMIT ?", (begun, begun, OFFERED)
    )


def complete_stages(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Stages of the item or workflow that was named before, else of all workflows."""
    item, workflow = context.params.get("item"), context.params.get("workflow")
    of = "SELECT DISTINCT s.name FROM treadle_stages s JOIN treadle_workflows w ON w.id = s.workflow WHERE substr(s.name, 1, length(?)) = ?"
    if isinstance(item, str):
        return _texts(context, f"{of} AND w.id = (SELECT workflow FROM treadle_items WHERE id = ?) ORDER BY s.id", (begun, begun, item))
    if isinstance(workflow, str):
        return _texts(context, f"{of} AND w.name = ? ORDER BY s.id", (begun, begun, workflow))
    return _texts(context, f"{of} ORDER BY s.name", (begun, begun))


def complete_workflows(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Workflows of the database."""
    return _texts(context, "SELECT name FROM treadle_workflows WHERE substr(name, 1, length(?)) = ? ORDER BY name", (begun, begun))


def complete_sources(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Workflows of the database, and names of the files workflows come from; none of them is run for it."""
    from treadle_tui.cli.loader import DEFINITION_SUFFIXES

    names = set(complete_workflows(context, parameter, begun))
    for place in context.ensure_object(Invocation).workflows().places:
        if place.kind == "folder":
            names |= {path.stem for path in _files(place.target) if path.suffix in (".py", *DEFINITION_SUFFIXES)}
    return sorted(name for name in names if name.startswith(begun) and not name.startswith(("_", ".")))


def _files(folder: str) -> list[Any]:
    from pathlib import Path

    try:
        return list(Path(folder).iterdir())
    except OSError:
        return []


def _texts(context: click.Context, query: str, parameters: tuple[Any, ...]) -> list[str]:
    with _database(context) as connection:
        if connection is None:
            return []
        import sqlite3

        try:
            return [str(text) for (text,) in connection.execute(query, parameters) if str(text).isprintable()]
        except sqlite3.Error:
            return []


@contextmanager
def _database(context: click.Context) -> Iterator[sqlite3.Connection | None]:
    import sqlite3

    path = context.ensure_object(Invocation).named_database
    if path is None or not path.is_file():
        yield None
        return
    try:
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()), safe='/:')}?mode=ro", uri=True, timeout=0.2)
    except sqlite3.Error:
        yield None
        return
    with closing(connection):
        yield connection


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@shared_options()
@json_option
@click.pass_context
def completion(context: click.Context, shell: str, as_json: bool) -> None:
    """Print a script that completes verbs, options, ids and stages; ids and stages come from the database of --db or $TREADLE_DB.

    \b
    bash: eval "$(treadle-tui completion bash)"           in ~/.bashrc
    zsh:  eval "$(treadle-tui completion zsh)"            in ~/.zshrc, after compinit
    fish: treadle-tui completion fish | source            in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    from treadle_tui.cli.output import say_json

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(context.find_root().command, {}, "treadle-tui", VARIABLE).source()
    if as_json:
        say_json({"shell": shell, "script": script})
    else:
        click.echo(script)
