"""`run --watch FOLDER`: what appears in a folder becomes work items while the engine runs.

The folder is looked at once a second, by names, sizes and times: that works on every file system, also on mounted ones. The workflow's
source is called with the folder when something has changed and nothing is being written any more; ids it knows are kept as they are.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from treadle_tui.cli.failures import BadInput, complain

if TYPE_CHECKING:
    from treadle_tui.cli.loader import LoadedWorkflows
    from treadle_tui.engine.engine import Engine
    from treadle_tui.engine.workflow import Workflow

LOOK_SECONDS = 1.0

Snapshot = dict[str, tuple[int, int]]
"""Size and time of every file below a folder, by path."""


@dataclass
class Watch:
    """A folder, and the workflow its files are for."""

    folder: Path
    workflow: Workflow


def watches(folders: tuple[Path, ...], workflow: str | None, found: LoadedWorkflows, known: list[str]) -> list[Watch]:
    """What is to be watched. `known` are the workflows of the database.

    Raises: `BadInput` when a folder is none, or nobody can tell for which workflow it is.
    """
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        raise BadInput(f"--watch {missing[0]}: there is no such folder")
    if not folders:
        if workflow is not None:
            raise BadInput("--workflow says for which workflow a folder is watched; name one with --watch")
        return []
    chosen = found.by_name(workflow) if workflow is not None else _only(found, known)
    if chosen.source_function is None:
        raise BadInput(f"workflow {chosen.name!r} has no source, so nothing can be made of the files of a folder")
    return [Watch(folder, chosen) for folder in folders]


def _only(found: LoadedWorkflows, known: list[str]) -> Workflow:
    """The workflow of the database, when there is one."""
    if len(known) != 1:
        raise BadInput("say with --workflow for which workflow the folder is watched")
    return found.by_name(known[0])


async def watch(each: Watch, engine: Engine, tell: Callable[[str], None]) -> None:
    """Add what appears, until cancelled. What the source refuses is told once, and looked at again when something has changed."""
    added: Snapshot | None = None
    before: Snapshot | None = None
    refusal = ""
    while True:
        now = await asyncio.to_thread(snapshot, each.folder)
        if now == before and now != added:
            refusal = await _add(each, engine, tell, refusal)
            added = now
        before = now
        await asyncio.sleep(LOOK_SECONDS)


async def _add(each: Watch, engine: Engine, tell: Callable[[str], None], refusal: str) -> str:
    from treadle_tui.cli.source_items import source_items
    from treadle_tui.engine.errors import TreadleError

    try:
        items = await asyncio.to_thread(source_items, each.workflow, [str(each.folder)])
        new = await engine.submit(each.workflow, items)
    except TreadleError as error:
        if str(error) != refusal:
            complain(str(error))
        return str(error)
    if new:
        tell(f"{each.workflow.name}: {new} new from {each.folder}")
    return ""


def snapshot(folder: Path) -> Snapshot:
    """What lies in the folder and below it; files that go away meanwhile are left out."""
    found: Snapshot = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            try:
                status = os.stat(path)
            except OSError:
                continue
            found[path] = (status.st_size, status.st_mtime_ns)
    return found
