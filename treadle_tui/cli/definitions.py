"""Verbs for whoever writes a workflow: start a file, check it, and the schema of definitions for an editor."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from treadle_tui.cli.failures import EXIT_BAD_INPUT, BadInput
from treadle_tui.cli.invocation import Invocation, json_option, pass_invocation, shared_options

if TYPE_CHECKING:
    from treadle_tui.cli.loader import LoadedWorkflows
    from treadle_tui.cli.workflow_file import Problem

_MOST_SHOWN = 100
"""Cells of a line that is shown."""


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path))
@shared_options()
@json_option
@click.pass_context
def check(context: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Check workflow FILEs (.toml, .json, .py), or else all that are found: what they define, or where they are wrong.

    No stage is run. A Python file is executed, as whenever it is loaded. Ends with 2 when something is wrong.
    """
    from treadle_tui.cli.output import say, say_json

    found = _loaded(context.ensure_object(Invocation), files)
    if as_json:
        problems = [{"path": each.path, "line": each.line, "message": each.message} for each in found.problems]
        workflows = [{"name": each.name, "origin": found.origin(each.name), "stages": list(each.stages())} for each in found.workflows]
        say_json({"workflows": workflows, "problems": problems})
    else:
        for workflow in found.workflows:
            stages = workflow.stages()
            count = f"{len(stages)} stage{'' if len(stages) == 1 else 's'}"
            say(f"{found.origin(workflow.name)}: workflow {workflow.name!r}, {count}: {', '.join(stages)}")
        for problem, following in itertools.zip_longest(found.problems, found.problems[1:]):
            say(f"! {problem}")
            is_last_there = following is None or following[:2] != problem[:2]
            for line in _pointing_at(problem) if is_last_there else ():
                say(line)
    context.exit(EXIT_BAD_INPUT if found.problems else 0)


def _pointing_at(problem: Problem) -> list[str]:
    """The line of the file that a problem is about, with a sign below its column where that is known."""
    from treadle_tui.board.safe_text import safe_line, shorten

    if problem.line is None:
        return []
    try:
        with Path(problem.path).open(encoding="utf-8-sig", errors="replace") as file:
            text = next(itertools.islice(file, problem.line - 1, None), "").rstrip("\r\n")
    except OSError:
        return []
    if not text.strip():
        return []
    column = re.search(r"\(column (\d+)\)$", problem.message)
    place = len(safe_line(text[: int(column[1]) - 1])) if column else _MOST_SHOWN
    margin = f"{problem.line:>6} | "
    shown = [margin + shorten(safe_line(text), _MOST_SHOWN)]
    return [*shown, f"{'':>{len(margin) + place}}^"] if place < _MOST_SHOWN else shown


def _loaded(invocation: Invocation, files: tuple[Path, ...]) -> LoadedWorkflows:
    import contextlib
    import sys

    from treadle_tui.cli.loader import LoadedWorkflows
    from treadle_tui.cli.workflow_places import Place

    if not files:
        return invocation.loaded_workflows()
    for file in files:
        if not file.exists():
            raise BadInput(f"there is no file {file}")
    places = [Place("folder" if file.is_dir() else "file", str(file.absolute()), "check") for file in files]
    with contextlib.redirect_stdout(sys.stderr):
        return LoadedWorkflows(places).load()


@click.command()
@click.argument("name", required=False)
@click.option("--toml", "as_toml", is_flag=True, help="A definition in TOML instead of Python.")
@click.option("--from", "origin", metavar="WORKFLOW", help="A copy of a workflow that comes with the program, for example licences.")
@click.option("--in", "place", metavar="FOLDER", type=click.Path(path_type=Path), help="Where to. Default: workflows/ beside the database.")
@shared_options()
@json_option
@pass_invocation
def new(invocation: Invocation, name: str | None, as_toml: bool, origin: str | None, place: Path | None, as_json: bool) -> None:
    """Write workflows/NAME.py, or NAME.toml: a workflow that runs, with a comment on everything that is to be changed.

    The folder is the one beside the database of --db, where it is found; without --db it is workflows/ here. Nothing is overwritten.
    A copy may do without NAME: it is then called what it is a copy of.
    """
    from treadle_tui.cli.output import say, say_json
    from treadle_tui.cli.starting_files import copied_workflow, python_file, toml_file

    name = name or origin
    if name is None:
        raise BadInput("give the workflow a NAME, or say what is to be copied: --from licences")
    if not name.isidentifier() or name.startswith("_") or not name.isascii():
        raise BadInput(f"{name!r} cannot be the name of a workflow's file; use letters, digits and _, and begin with a letter")
    if as_toml and origin:
        raise BadInput("--toml writes a new file, --from copies one; give one of them")
    db = invocation.named_database
    folder = place or (db.absolute().parent if db else Path()) / "workflows"
    if origin:
        files = copied_workflow(origin, name)
    elif as_toml:
        files = {f"{name}.toml": toml_file(name)}
    else:
        files = {f"{name}.py": python_file(name)}
    written = _write(folder, files)
    if as_json:
        say_json({"name": name, "files": [str(path) for path in written]})
        return
    for path in written:
        say(f"wrote {path}")
    database = f"--db {db}" if db else "--db work.db"
    say(f"try it: treadle-tui check {written[0]}, then: treadle-tui {database} add {name} FOLDER")


def _write(folder: Path, files: dict[str, str]) -> list[Path]:
    """All of them or none; a file that is there already with the same content stays."""
    paths = {folder / name: text for name, text in files.items()}
    for path, text in paths.items():
        if path.exists() and path.read_text(encoding="utf-8", errors="replace") != text:
            raise BadInput(f"{path} exists already; choose another name, or move it away")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in paths.items():
        path.write_text(text, encoding="utf-8")
    return list(paths)


@click.command()
def schema() -> None:
    """Print the JSON Schema of .toml and .json definitions, for editors that complete and check by one."""
    from treadle_tui.cli.output import say_json
    from treadle_tui.engine.definitions.schema import definition_schema

    say_json(definition_schema())
