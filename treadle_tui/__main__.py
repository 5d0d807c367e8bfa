"""The entry point: hands the command line a function that starts the screen, so that no verb ever imports Textual."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle_tui.cli.loader import LoadedWorkflows
    from treadle_tui.cli.settings_files import LoadedSettings
    from treadle_tui.engine_host import OpensStore


def start_screen(
    db: Path,
    workflows: LoadedWorkflows,
    reviewer: str,
    settings: LoadedSettings,
    attachment: str = "run",
    *,
    open_store: OpensStore | None = None,
    shown_as: str = "",
) -> int:
    """Open the full screen on a database; the exit code once it is closed."""
    from treadle_tui.app import run_app

    return run_app(db, workflows, reviewer, settings, attachment, open_store, shown_as)


def main() -> None:
    """Run the program with the arguments it was started with."""
    from treadle_tui.cli.main import run_command_line

    sys.exit(run_command_line(sys.argv[1:], start_screen))


def forget_current_directory() -> None:
    """Take back what `python -m` does to the path: a file that happens to lie here must not be imported as if it were installed.

    The source tree is left on it, when that is where the program itself runs from.
    """
    here, home = Path.cwd(), Path(__file__).absolute().parent.parent
    if sys.path and sys.path[0] in ("", str(here)) and here.resolve() != home.resolve():
        del sys.path[0]


if __name__ == "__main__":
    forget_current_directory()
    main()
