"""The verb `share`: the accounts of one group on this host work on the database together."""

from __future__ import annotations

import importlib
import stat
import sys
from pathlib import Path
from typing import Any

import click

from treadle_tui.cli.invocation import Invocation, json_option, pass_invocation, shared_options

FOLDER_BITS = 0o2770
"""Read, write and enter for owner and group; what is made in it belongs to the group."""

_has_groups: bool = sys.platform != "win32"


@click.command()
@click.argument("group")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@shared_options()
@json_option
@pass_invocation
def share(invocation: Invocation, group: str, yes: bool, as_json: bool) -> None:
    """Let every account of GROUP read and write the database, on this host.

    The database and the files beside it are given to the group. So is their folder, because SQLite makes files in it: let it be a folder
    for this and nothing else. Whoever may write there may also put a workflow file there, and a workflow file is code.
    """
    from treadle_tui.cli.database import require_existing
    from treadle_tui.cli.failures import BadInput, OperationFailed
    from treadle_tui.cli.output import say, say_json

    if not _has_groups:
        raise BadInput("share knows the groups of Unix; on this system set the permissions of the folder instead")
    db = invocation.database
    require_existing(db)
    number = _group_number(group)
    folder = db.absolute().parent
    _check_folder(folder, db)
    if not yes and not _is_agreed(db, folder, group):
        raise OperationFailed(f"{db} was left as it was")
    try:
        shared = _share(db.absolute(), folder, number)
    except OSError as error:
        raise OperationFailed(
            f"{error.filename} cannot be given to the group {group!r} ({error.strerror}); "
            "its owner can do that, if the owner is in the group, and so can root"
        ) from error
    if as_json:
        say_json({"database": str(db.absolute()), "group": group, "folder": str(folder), "files": [str(file) for file in shared]})
        return
    say(f"{db} is shared with the group {group}: {', '.join(file.name for file in shared)} and the folder {folder}")


def _group_number(group: str) -> int:
    grp: Any = importlib.import_module("grp")  # Windows has none, and is not asked
    from treadle_tui.cli.failures import BadInput
    from treadle_tui.engine.errors import nearest

    try:
        return int(grp.getgrnam(group).gr_gid)
    except (KeyError, ValueError):
        raise BadInput(f"there is no group {group!r} on this host; {nearest(group, (each.gr_name for each in grp.getgrall()))}") from None


def _check_folder(folder: Path, db: Path) -> None:
    """A folder that holds other things too must not be given away."""
    from treadle_tui.cli.failures import BadInput

    is_sticky = folder.stat().st_mode & stat.S_ISVTX
    if is_sticky or folder in (Path.home(), Path(folder.anchor)):
        why = "everybody may write there already" if is_sticky else "it holds much else"
        raise BadInput(f"the folder {folder} cannot be shared, because {why}; put {db.name} into a folder of its own first")


def _is_agreed(db: Path, folder: Path, group: str) -> bool:
    from treadle_tui.cli.failures import BadInput

    if not (sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()):
        raise BadInput("share changes who may write to a folder, so it asks; in a script say --yes")
    return click.confirm(
        f"Give {db.name}, the files beside it and the folder {folder} to the group {group}, to read and write?", err=True, default=False
    )


def _share(db: Path, folder: Path, group: int) -> list[Path]:
    """Give everything to the group; the files. The folder last: whoever can enter it finds everything in order."""
    from treadle_tui.engine.store.sqlite.file_modes import companions, set_rights

    files = [db, *companions(db)]
    for file in files:
        set_rights(file, stat.S_IMODE(file.stat().st_mode) | 0o660, group)
    set_rights(folder, stat.S_IMODE(folder.stat().st_mode) | FOLDER_BITS, group)
    return files
