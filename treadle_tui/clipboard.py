"""Copies text to the clipboard of the machine a person sits at: through the terminal always, natively where that is this machine."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from typing import TYPE_CHECKING

from treadle_tui.daemon_thread import in_daemon_thread
from treadle_tui.terminal_log import write_log

if TYPE_CHECKING:
    from treadle_tui.full_screen import TreadleApp

#: Terminals drop longer sequences, some of them with everything that follows.
MOST_BYTES = 74_000


def copy(app: TreadleApp, text: str, what: str = "") -> None:
    """Copy the text, and say so; `what` it is, unless it is ids."""
    size = len(text.encode("utf-8", "replace"))
    if size <= MOST_BYTES:
        send_to_terminal(app, text)
    is_here = is_local(os.environ)
    if is_here:
        app.run_worker(_copy_natively(text), group="clipboard", exclusive=True)
    lines = text.count("\n") + 1
    what = what or (text if lines == 1 and len(text) < 40 else f"{lines:,} ids")
    if size <= MOST_BYTES or is_here:
        app.say(f"copied {what}")
    else:
        app.warn(f"{what} are more than a terminal takes ({MOST_BYTES:,} bytes); nothing was copied")


def send_to_terminal(app: TreadleApp, text: str) -> None:
    """OSC 52; within tmux a second time, wrapped, for one that lets such sequences pass."""
    app.copy_to_clipboard(text)
    if os.environ.get("TMUX") and app._driver is not None:
        encoded = b64encode(text.encode("utf-8", "replace")).decode()
        app._driver.write(f"\x1bPtmux;\x1b\x1b]52;c;{encoded}\a\x1b\\")


def is_local(environment: os._Environ[str] | dict[str, str]) -> bool:
    """Whether this machine's clipboard is the one of the person: not when they came by ssh, or there is no desktop."""
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        return False
    return sys.platform in ("win32", "darwin") or bool(environment.get("WAYLAND_DISPLAY") or environment.get("DISPLAY"))


async def _copy_natively(text: str) -> None:
    import pyperclip

    try:
        await in_daemon_thread(pyperclip.copy, text)
    except Exception as error:  # no clipboard program: the terminal has the text
        write_log(f"the native clipboard was not reached: {error}")
