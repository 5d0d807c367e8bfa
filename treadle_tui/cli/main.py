"""The program's command line: what comes before a verb, and the one place where whatever happens becomes an exit code.

Verbs are imported when they are asked for (`verbs.py`), so that `--help` costs little more than click itself.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from treadle_tui import __version__
from treadle_tui.cli.failures import EXIT_BAD_INPUT, EXIT_BROKEN_PIPE, BadInput, complain, report, unwritable_output
from treadle_tui.cli.invocation import Invocation, shared_options
from treadle_tui.cli.verbs import NobodyReads, Verbs

if TYPE_CHECKING:
    from treadle_tui.cli.invocation import StartScreen

EPILOG = """\b
Without a verb the full screen opens. --db, --workflows and --as may stand before or behind the verb.
Exit codes: 0 it worked; 1 it did not, for example because somebody else decided first;
2 the input was wrong and the database is as it was; 130 and 143 stopped by ctrl+c and by SIGTERM."""


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="treadle-tui", message="%(prog)s %(version)s")
@shared_options(hidden=False)
@click.option("--demo", is_flag=True, help="Show what it is like: an invented pipeline in a temporary database.")
@click.option("--no-engine", is_flag=True, help="The full screen runs no stages here: others do, and a person decides.")
@click.option("--read-only", is_flag=True, help="The full screen changes nothing and runs nothing: it only looks.")
@click.pass_context
def command_line(context: click.Context, demo: bool, no_engine: bool, read_only: bool) -> None:
    """Run work items through stages, some of which wait for a person, and decide those from the terminal."""
    invocation = context.ensure_object(Invocation)
    invocation.attachment = "read" if read_only else "decide" if no_engine else "run"
    if context.invoked_subcommand is not None and (no_engine or read_only or demo):
        option = "--read-only" if read_only else "--no-engine" if no_engine else "--demo"
        raise BadInput(f"{option} is about the full screen; leave it out before a verb: only `run` runs stages")
    if context.invoked_subcommand is None:
        context.exit(_open_demo(invocation) if demo else open_screen(invocation))


def open_screen(invocation: Invocation) -> int:
    """Open the full screen; the exit code once it is closed."""
    from treadle_tui.cli.database import allow_writing, require_existing

    db = invocation.database
    _require_terminal(f"without one there are verbs, for example: treadle-tui --db {db} run, or: treadle-tui --db {db} list")
    if invocation.attachment == "read":
        require_existing(db)
    else:
        allow_writing(db)
    assert invocation.start_screen is not None
    settings = invocation.settings(complains=False)
    workflows = invocation.workflows(asks=invocation.attachment != "read")
    return invocation.start_screen(db, workflows, invocation.reviewer, settings, invocation.attachment)


def _open_demo(invocation: Invocation) -> int:
    if invocation.db or invocation.attachment != "run":
        raise BadInput("--demo makes a database of its own and works in it; leave --db, --no-engine and --read-only out")
    _require_terminal("the demonstration is nothing without one")
    assert invocation.start_screen is not None
    settings = invocation.settings(complains=False)
    from treadle_tui.demo.showing import temporary_showing

    start = functools.partial(invocation.start_screen, reviewer=invocation.reviewer, settings=settings, shown_as="demonstration")
    with temporary_showing() as showing:
        return start(showing.db, showing.workflows, open_store=showing.open_store)


def _require_terminal(otherwise: str) -> None:
    if not _is_terminal():
        raise BadInput(f"the full screen needs a terminal; {otherwise}")


def _is_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)) and os.environ.get("TERM") != "dumb"


def run_command_line(arguments: Sequence[str], start_screen: StartScreen) -> int:
    """Do what the arguments say; the exit code. Nothing that happens in a verb leaves here as an exception."""
    from treadle_tui.cli.output import prepare_streams

    prepare_streams()
    invocation = Invocation(start_screen=start_screen)
    try:
        code = _outcome(arguments, invocation)
        sys.stdout.flush()
    except (BrokenPipeError, NobodyReads):
        _silence_standard_output()
        return EXIT_BROKEN_PIPE
    except Exception as error:
        told = _unwritable_output()
        return report(error, invocation.named_database) if told is None else unwritable_output(told)
    return code


def _outcome(arguments: Sequence[str], invocation: Invocation) -> int:
    try:
        result: Any = command_line.main(list(arguments), prog_name="treadle-tui", standalone_mode=False, obj=invocation)
    except click.exceptions.Exit as asked:
        return asked.exit_code
    except (click.Abort, KeyboardInterrupt):
        complain("stopped")
        return 130
    except click.ClickException as wrong:
        complain(_usage_sentence(wrong))
        return EXIT_BAD_INPUT
    return result if isinstance(result, int) else 0


def _usage_sentence(wrong: click.ClickException) -> str:
    context = getattr(wrong, "ctx", None)
    command = context.command_path if context else "treadle-tui"
    sentence = " ".join(wrong.format_message().split()).rstrip(".")
    return f"{sentence} (see: {command} --help)"


def _unwritable_output() -> OSError | None:
    """What standard output says when it is a full disk; None when it can be written. What it did not take is let go."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _silence_standard_output()
        return error
    return None


def _silence_standard_output() -> None:
    """Send what is still in the buffer nowhere: the interpreter would complain, as it ends, about what nobody can read."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
