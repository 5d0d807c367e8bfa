"""Folders of workflows that a person has allowed for a database: remembered in the person's own state folder, never in the database.

A folder `workflows/` in the current directory is run for a database that lies elsewhere only when somebody said yes to just that. The
verb `trust` says it without being asked, shows what was said, and takes it back.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any

import click

from treadle_tui.cli.invocation import Invocation, json_option, pass_invocation, shared_options

SUFFIXES = (".py", ".toml", ".json")


def trusted_file() -> Path:
    """Where the answers are kept. May not exist yet."""
    from treadle_tui.cli.paths import state_folder

    return state_folder() / "trusted-workflows.json"


def answers_for(db: Path) -> dict[str, bool]:
    """What was said of folders for this database, by absolute path. A file that cannot be read says nothing."""
    found = _read().get(_name(db), {})
    return {folder: answer for folder, answer in found.items() if isinstance(answer, bool)} if isinstance(found, dict) else {}


def trusted_folders(db: Path) -> list[str]:
    """The folders that were allowed for this database, and are still there."""
    return [folder for folder, answer in answers_for(db).items() if answer and Path(folder).is_dir()]


def remember(db: Path, folder: Path, answer: bool | None) -> None:
    """Keep an answer; None takes it back. Raises: OSError when it cannot be kept."""
    everything = _read()
    answers = dict(answers_for(db))
    answers.pop(_name(folder), None)
    if answer is not None:
        answers[_name(folder)] = answer
    everything[_name(db)] = answers
    file = trusted_file()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as written:
        json.dump({name: said for name, said in everything.items() if said}, written, indent=1)
    os.replace(partial, file)


def _read() -> dict[str, Any]:
    try:
        found = json.loads(trusted_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _name(path: Path) -> str:
    return str(path.absolute().resolve())


def unanswered_folder(db: Path) -> Path | None:
    """`./workflows`, when it holds workflow files, the database lies elsewhere, and nobody has said yet whether they may be run for it."""
    here = Path.cwd() / "workflows"
    if not here.is_dir() or here.resolve() == (db.absolute().parent / "workflows").resolve() or _name(here) in answers_for(db):
        return None
    try:
        files = [path for path in here.iterdir() if path.suffix in SUFFIXES and not path.name.startswith(("_", "."))]
    except OSError:
        return None
    return here if files else None


def _is_terminal() -> bool:
    """Whether there is somebody to ask."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty())


def ask_about_current_folder(db: Path) -> None:
    """Ask once whether `./workflows` may be run for a database that lies elsewhere. Without a terminal it is not."""
    folder = unanswered_folder(db)
    if folder is None or not _is_terminal():
        return
    from treadle_tui.board.safe_text import safe_line

    question = textwrap.fill(
        f"There are workflows in {safe_line(str(folder))}, and {safe_line(db.name)} lies elsewhere."
        " A workflow is a program that runs as you. Run them for this database, now and later?",
        min(shutil.get_terminal_size().columns, 100) - len(" [y/N]: "),
        break_long_words=False,
        break_on_hyphens=False,
    )
    try:
        remember(db, folder, click.confirm(question, err=True, default=False))
    except OSError as error:
        from treadle_tui.cli.failures import complain

        complain(f"the answer could not be kept in {trusted_file()} ({error.strerror}), so it is taken for a no; use --workflows")


@click.command(short_help="Say which folders of workflows may be run for a database.")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--forget", is_flag=True, help="Take back what was said of FOLDER.")
@shared_options()
@json_option
@pass_invocation
def trust(invocation: Invocation, /, folder: Path | None, forget: bool, as_json: bool) -> None:
    """Allow the workflows in FOLDER to be run for this database, from now on and by you. Without FOLDER, show what is allowed.

    The folder workflows/ beside the database needs no leave. A workflow file is a program that runs as you.
    """
    from treadle_tui.cli.failures import BadInput
    from treadle_tui.cli.output import say, say_json

    db = invocation.database
    if forget and folder is None:
        raise BadInput("--forget needs a FOLDER; `trust` without one shows which there are")
    if folder is not None:
        if not forget and not folder.expanduser().is_dir():
            raise BadInput(f"{folder} is no folder; name one that holds workflow files")
        remember(db, folder.expanduser(), None if forget else True)
    answers = answers_for(db)
    if as_json:
        say_json({"database": _name(db), "folders": answers, "kept_in": str(trusted_file())})
        return
    for name, answer in answers.items():
        say(f"{'allowed' if answer else 'refused'}  {name}")
    if not answers:
        say(f"nothing is allowed for {db} besides the folder workflows beside it")
