"""Every verb of the command line, each a line here and a click command in a module that is imported when the verb is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import click

from treadle_tui.cli.failures import BadInput


class Verb(NamedTuple):
    """Where a verb is, and what the program's own help says of it."""

    module: str
    """In `treadle_tui.cli`."""
    attribute: str
    about: str


VERBS = {
    "add": Verb("items", "add", "Add what a workflow's source yields."),
    "run": Verb("headless", "run", "Run what is ready, without the screen."),
    "list": Verb("items", "list_items", "List work items and their stages."),
    "show": Verb("items", "show", "Show all there is about one item."),
    "graph": Verb("insight", "graph", "Show the stages of a workflow and what stands where."),
    "stats": Verb("insight", "stats", "Show how often, how long and how well stages run."),
    "events": Verb("history", "events", "Print what happened."),
    "reviews": Verb("reviews", "reviews", "List what waits for a person."),
    "approve": Verb("reviews", "approve", "Approve what an item waits for."),
    "reject": Verb("reviews", "reject", "Reject what an item waits for."),
    "request-changes": Verb("reviews", "request_changes", "Have a stage run again with feedback."),
    "review": Verb("plain_review", "review", "Review one by one, in plain lines where the screen is none."),
    "export": Verb("export", "export", "Write what was decided, for other programs."),
    "retry": Verb("retrying", "retry", "Run again what has failed."),
    "rerun": Verb("control", "rerun", "Run a finished stage again, and all behind it."),
    "pause": Verb("control", "pause", "Start nothing new for items, or for one stage."),
    "resume": Verb("control", "resume", "Let paused items, or a held stage, go on."),
    "cancel": Verb("control", "cancel", "Call off what has not ended."),
    "delete": Verb("control", "delete", "Remove items and everything about them."),
    "workflows": Verb("about", "workflows", "List the workflows that were found."),
    "new": Verb("definitions", "new", "Write a commented file to start a workflow from."),
    "check": Verb("definitions", "check", "Check workflow files without running anything of them."),
    "schema": Verb("definitions", "schema", "Print the JSON Schema of definition files."),
    "info": Verb("about", "info", "Print every path and every setting."),
    "doctor": Verb("doctor", "doctor", "Examine the database, and repair what can be repaired."),
    "backup": Verb("backup", "backup", "Copy the database while it is in use."),
    "retain": Verb("retain", "retain", "Say what the database keeps, and for how long."),
    "trust": Verb("trust", "trust", "Say which folders of workflows may be run for a database."),
    "share": Verb("share", "share", "Let the accounts of a group work on the database."),
    "completion": Verb("completing", "completion", "Print the completion for bash, zsh or fish."),
}
"""In the order in which they are used."""


EXIT_CODES = "Exit codes: 0 it worked; 1 it did not; 2 the input was wrong, and the database is as it was."
"""In the help of every verb; docs/command-line.md has the rest."""


class NobodyReads(Exception):
    """Whoever read the output has gone. Of another kind than BrokenPipeError, which click answers by itself."""


class Verbs(click.Group):
    """Finds a verb's command when it is asked for, and names the nearest verb for a slip."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise NobodyReads from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        verb = VERBS[cmd_name]
        command: click.Command = getattr(import_module(f"treadle_tui.cli.{verb.module}"), verb.attribute)
        command.epilog = command.epilog or EXIT_CODES
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.about) for name, verb in VERBS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            from treadle_tui.engine.errors import nearest

            raise BadInput(f"no verb is called {name!r}; {nearest(name, VERBS)}")
        return super().resolve_command(ctx, args)
