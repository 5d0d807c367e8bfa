"""The entry point: hands the command line a function that starts the screen, so that no verb ever imports Textual."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from treadle_tui.cli.loader import LoadedWorkflows
    from treadle_tui.cli.settings_files import LoadedSettings
    from treadle_tui.engine_host import OpensStore


#: Objects more than before, at which Python looks for garbage. Its own 700 come together about fifty times while modules are imported,
#: none of which is garbage.
_OBJECTS_BETWEEN_COLLECTIONS = 20_000


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
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        from treadle_tui.cli.main import run_command_line

        code = run_command_line(sys.argv[1:], start_screen)
    except KeyboardInterrupt:  # before there was anybody to answer ctrl+c
        print("treadle-tui: stopped", file=sys.stderr)
        code = 130
    gc.freeze()  # the interpreter, as it ends, would go through everything there is for garbage, and give all of it back at once anyway
    sys.exit(code)


def forget_current_directory() -> None:
    """Take back what `python -m` does to the path: a file that happens to lie here must not be imported as if it were installed.

    The source tree is left on it, when that is where the program itself runs from.
    """
    here, home = os.getcwd(), os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # without pathlib: every verb would pay for it
    if sys.path and sys.path[0] in ("", here) and os.path.realpath(here) != os.path.realpath(home):
        del sys.path[0]


if __name__ == "__main__":
    forget_current_directory()
    main()
