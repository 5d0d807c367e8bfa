"""Who may read what is on the disk: new files are their owner's alone, and what is made beside a database is as open as it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.engine.workflows import chain, ran
from treadle_tui.engine import Engine, SqliteStateStore
from treadle_tui.engine.store.sqlite import writer
from treadle_tui.engine.store.sqlite.file_modes import companions, unlike_the_database

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions of files are Unix's")


def rights(file: Path) -> tuple[int, int]:
    return stat.S_IMODE(file.stat().st_mode), file.stat().st_gid


@pytest.fixture(autouse=True)
def _open_handed_umask(monkeypatch: pytest.MonkeyPatch) -> object:
    """Of an account that lets everybody read what it makes; and a SQLite that needs the lock file."""
    monkeypatch.setattr(writer, "is_affected", lambda: True)
    before = os.umask(0o022)
    yield
    os.umask(before)


async def test_a_new_database_and_what_lies_beside_it_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "work.db"

    async with SqliteStateStore.open(path) as store, Engine(store, chain("read")) as engine:
        await ran(engine)

        files = companions(path)
        assert [file.name for file in files] == ["work.db-wal", "work.db-shm", "work.db-lock"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in (path, *files)} == {0o600}


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660, 0o664])
async def test_the_mode_of_a_database_is_kept_and_given_to_what_is_made_beside_it(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "work.db"
    async with SqliteStateStore.open(path):
        pass
    path.chmod(mode)

    async with SqliteStateStore.open(path) as store, Engine(store, chain("read")) as engine:
        await ran(engine)

        assert {file.name: oct(stat.S_IMODE(file.stat().st_mode)) for file in (path, *companions(path))} == dict.fromkeys(
            ["work.db", "work.db-wal", "work.db-shm", "work.db-lock"], oct(mode)
        )


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files to any group")
async def test_the_group_of_a_database_is_given_to_what_is_made_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    async with SqliteStateStore.open(path):
        pass
    os.chown(path, -1, 4242)

    async with SqliteStateStore.open(path):
        assert {file.stat().st_gid for file in companions(path)} == {4242}
        assert unlike_the_database(path) == []
