"""A text in the person's own editor: a private file, the editor in the terminal, and whatever it did said in a sentence."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from treadle_tui.board.command_words import command_words

#: More than this is no edit of an output.
_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """What came out of the editor."""

    text: str
    """What stands in the file; the text as it was when nothing could be read."""
    problem: str = ""
    """Why it should be looked at again before it is used; empty when all went well."""


def editor_command(environment: Mapping[str, str] | None = None) -> list[str]:
    """`VISUAL`, else `EDITOR`, as arguments; else what every Windows has; empty when there is none, or it cannot be read."""
    surroundings = os.environ if environment is None else environment
    named = surroundings.get("VISUAL", "").strip() or surroundings.get("EDITOR", "").strip()
    try:
        return command_words(named or ("notepad" if sys.platform == "win32" else ""))
    except ValueError:
        return []


async def edit_in_editor(
    text: str, suffix: str, suspend: Callable[[], AbstractContextManager[None]], environment: Mapping[str, str] | None = None
) -> Written:
    """Let the person edit a text; the terminal is the editor's meanwhile, and stages go on."""
    command = editor_command(environment)
    if not command:
        return Written(text, "no editor is named: set EDITOR, for example EDITOR=nano, or edit here")
    with tempfile.TemporaryDirectory(prefix="treadle-edit-") as folder:
        path = Path(folder) / f"output{suffix}"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        path.chmod(0o600)
        try:
            with suspend():
                code = await asyncio.to_thread(subprocess.call, [shutil.which(command[0]) or command[0], *command[1:], str(path)])
        except OSError as error:
            return Written(text, f"the editor {command[0]!r} could not be started ({error.strerror or error}); set EDITOR, or edit here")
        return _read_back(path, text, command[0], code)


def _read_back(path: Path, before: str, editor: str, code: int) -> Written:
    try:
        if path.stat().st_size > _MOST_BYTES:
            return Written(before, f"{editor} left more than {_MOST_BYTES // 2**20} MiB behind; the text is as it was")
        after = path.read_bytes().decode("utf-8")
    except OSError:
        return Written(before, f"{editor} left no file behind; the text is as it was")
    except UnicodeDecodeError as error:
        return Written(before, f"what {editor} wrote is no UTF-8 text (byte {error.start}); the text is as it was")
    if not before.endswith("\n") and after.endswith("\n"):
        after = after[:-1]  # editors end the last line
    how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
    problem = f"{editor} {how}: look at what it left before you send it" if code else ""
    return Written(after, problem)
