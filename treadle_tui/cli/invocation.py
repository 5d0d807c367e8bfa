"""What every verb is told: the database, where workflows are, and who is at the keyboard.

The options that say so may stand before or behind the verb; `Invocation` collects them and answers once they are needed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from treadle_tui.cli.failures import BadInput, complain

if TYPE_CHECKING:
    from treadle_tui.cli.loader import LoadedWorkflows
    from treadle_tui.cli.settings_files import LoadedSettings

    StartScreen = Callable[..., int]
    """Called with database, workflows, reviewer, settings and how to attach; `open_store=` when there is another way to open it."""

F = TypeVar("F", bound=Callable[..., Any])


class Invocation:
    """One call of the command line."""

    def __init__(self, start_screen: StartScreen | None = None) -> None:
        self.start_screen = start_screen
        """Starts the full screen and returns the exit code; handed in from above, so that no verb can import a screen."""
        self.db: str | None = None
        self.workflow_places: tuple[str, ...] = ()
        self.reviewer_option: str | None = None
        self.setting_options: dict[str, str] = {}
        """Values of settings that were given on the command line, by name."""
        self._settings: LoadedSettings | None = None
        self.attachment = "run"
        """What the full screen may do with the database: `run` stages, `decide`, or only `read`."""

    @property
    def named_database(self) -> Path | None:
        """The database of `--db`, else of `TREADLE_DB`; None when neither names one."""
        name = self.db or os.environ.get("TREADLE_DB", "").strip()
        return Path(name).expanduser() if name else None

    @property
    def database(self) -> Path:
        """The database to work on.

        Raises:
            BadInput: none was named.
        """
        path = self.named_database
        if path is None:
            raise BadInput(
                "no database was named; say which with --db, for example: treadle-tui --db work.db (it is made if it does not exist)"
            )
        return path

    def workflows(self, *, asks: bool = False) -> LoadedWorkflows:
        """The workflows to be found for this database, not loaded yet.

        `asks`: on a terminal, whether those in ./workflows may be run for a database that lies elsewhere.
        """
        from treadle_tui.cli.loader import find_workflows

        if asks and self.named_database is not None and (Path.cwd() / "workflows").is_dir():
            from treadle_tui.cli.trust import ask_about_current_folder

            ask_about_current_folder(self.named_database)
        return find_workflows(self.named_database, self.workflow_places)

    def loaded_workflows(self, *, asks: bool = False) -> LoadedWorkflows:
        """The workflows, loaded. What their files print goes to standard error: standard output belongs to the verb."""
        import contextlib
        import sys

        with contextlib.redirect_stdout(sys.stderr):
            return self.workflows(asks=asks).load()

    def settings(self, *, complains: bool = True) -> LoadedSettings:
        """The settings, read once; what is wrong in a file goes to standard error, unless the caller tells it elsewhere.

        Raises:
            BadInput: an option names no setting, or a value it cannot have.
        """
        if self._settings is None:
            from treadle_tui.cli.settings_files import load_settings

            self._settings = load_settings(self.named_database, self.setting_options)
            for problem in self._settings.problems if complains else ():
                complain(problem)
        return self._settings

    @property
    def reviewer(self) -> str:
        """Who decides: `--as`, else the setting, which `TREADLE_REVIEWER` overrides, else the login name; never empty.

        Raises:
            BadInput: `--as` was given without a name.
        """
        if self.reviewer_option is not None:
            if not self.reviewer_option.strip():
                raise BadInput("--as needs a name: who is deciding?")
            return self.reviewer_option.strip()
        return self.settings().settings.reviewer.strip() or _login_name()


def _login_name() -> str:
    import getpass

    try:
        return getpass.getuser().strip() or "unknown"
    except (KeyError, OSError, ImportError):  # a uid without an entry, as in containers
        return f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    invocation = context.ensure_object(Invocation)
    if value is None or value == ():
        return
    if parameter.name == "workflow_places":
        value = (*invocation.workflow_places, *value)
    if parameter.name == "setting_options":
        value = {**invocation.setting_options, **dict(_named_value(each) for each in value)}
    if parameter.name == "theme":
        invocation.setting_options["theme"] = value
        return
    setattr(invocation, str(parameter.name), value)


def _named_value(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise BadInput(f"--set needs a name and a value, such as review.undo_seconds=8, not {text!r}")
    return name.strip(), value.strip()


def shared_options(*, hidden: bool = True) -> Callable[[F], F]:
    """The options every verb has; listed in the help of the program, not in that of each verb."""

    def option(*names: str, help: str, **more: Any) -> Callable[[F], F]:
        return click.option(*names, help=help, callback=_keep, expose_value=False, hidden=hidden, **more)

    def add(command: F) -> F:
        command = option(
            "--set", "setting_options", metavar="NAME=VALUE", multiple=True, help="A setting for this run; docs/settings.md lists them."
        )(command)
        command = option("--theme", "theme", metavar="NAME", help="Colours of the full screen, for this run.")(command)
        command = option(
            "--as", "reviewer_option", metavar="NAME", help="Who decides. Default: $TREADLE_REVIEWER, a setting, else the login name."
        )(command)
        command = option(
            "--workflows",
            "workflow_places",
            metavar="PATH",
            multiple=True,
            help="A workflow file, a folder of them, or module:attr; may be repeated. Looked at before workflows/ beside the database.",
        )(command)
        return option("--db", "db", metavar="PATH", help="The database; made if it does not exist. Default: $TREADLE_DB.")(command)

    return add


def json_option(command: F) -> F:
    """`--json`: the same answer for a program."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text; its shape is in docs/command-line.md.")(
        command
    )


pass_invocation = click.make_pass_decorator(Invocation, ensure=True)
