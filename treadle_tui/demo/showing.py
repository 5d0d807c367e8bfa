"""The demonstration as something to open: a database in a temporary folder, filled once the first picture stands."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from treadle_tui.cli.loader import LoadedWorkflows
from treadle_tui.cli.workflow_file import Problem

if TYPE_CHECKING:
    from treadle_tui.demo.past import Demonstration
    from treadle_tui.engine import StateStore, Workflow


class DemoWorkflows(LoadedWorkflows):
    """The pipelines of the demonstration, and no others."""

    def __init__(self, *, is_held: bool = False) -> None:
        super().__init__([])
        self._is_held = is_held

    @cached_property
    def demonstration(self) -> Demonstration:
        """Made when it is first asked for: it stands on the engine, and the first picture does not wait for that."""
        from treadle_tui.demo.past import Demonstration

        return Demonstration(is_held=self._is_held)

    @property
    def workflows(self) -> list[Workflow]:
        """The workflows."""
        return self.demonstration.workflows

    @property
    def problems(self) -> list[Problem]:
        """None."""
        return []


class Showing:
    """What the full screen is started with."""

    def __init__(self, folder: Path) -> None:
        self.db = folder / "demo.db"
        self.workflows = DemoWorkflows()

    async def open_store(self) -> StateStore:
        """The database, filled. A power cut may have it: it goes with the program anyway."""
        from treadle_tui.engine.store.sqlite.store import SqliteStateStore

        store = await SqliteStateStore.open(self.db, synchronous="OFF")
        await self.workflows.demonstration.fill(store)
        return store


@contextlib.contextmanager
def temporary_showing() -> Iterator[Showing]:
    """A demonstration whose folder is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="treadle-demo-", ignore_cleanup_errors=True) as folder:
        yield Showing(Path(folder))
