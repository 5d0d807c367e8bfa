"""Starts the full screen. Imports nothing heavy by itself: the screen is `full_screen`."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from treadle_tui.last_resort import LastResort

if TYPE_CHECKING:
    from treadle_tui.cli.loader import LoadedWorkflows
    from treadle_tui.cli.settings_files import LoadedSettings
    from treadle_tui.engine_host import OpensStore

#: How long the engine's thread may go on while the screen's wants the interpreter. A key passes three threads on its way to the
#: terminal, so with Python's own 5 ms a frame would be gone with waiting.
_SWITCH_SECONDS = 0.001


def run_app(
    db: Path,
    loaded: LoadedWorkflows,
    reviewer: str,
    settings: LoadedSettings,
    attachment: str = "run",
    open_store: OpensStore | None = None,
    shown_as: str = "",
) -> int:
    """Open the full screen on a database; the exit code once it is closed. `attachment`: a value of `board.standing.Attachment`.

    Garbage is not collected until the first rows are on the screen: nothing made so far is garbage, and looking for it takes 10 ms
    of the 180 to the first paint.
    """
    gc.disable()
    sys.setswitchinterval(_SWITCH_SECONDS)
    from treadle_tui.board.standing import Attachment
    from treadle_tui.cli.paths import state_folder
    from treadle_tui.full_screen import TreadleApp

    last_resort = LastResort()
    app = TreadleApp(
        db,
        loaded,
        reviewer,
        settings=settings,
        open_store=open_store,
        last_resort=last_resort,
        attachment=Attachment(attachment),
        state_folder=None if shown_as else state_folder(),
        shown_as=shown_as,
    )
    app.run(mouse=settings.settings.mouse)
    last_resort.disarm()
    if app.unopened:
        from treadle_tui.cli.failures import complain

        complain(app.unopened)
    return app.return_code or 0
