"""How a board was shown is kept per database, outside of it, and nothing that is wrong with the file matters."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from treadle_tui.board.view import Question
from treadle_tui.view_memory import RememberedView, ViewMemory

VIEW = RememberedView(workflow="docs", filter="state:failed", order="stage", order_stage="read", hidden=["publish"], cursor_item="é")


def the_file(folder: Path) -> Path:
    return next((folder / "views").iterdir())


def test_each_database_has_a_view_of_its_own(tmp_path: Path) -> None:
    ViewMemory(tmp_path, Path("/a/work.db")).write(VIEW)

    assert ViewMemory(tmp_path, Path("/a/work.db")).read() == VIEW
    assert ViewMemory(tmp_path, Path("/b/work.db")).read() == RememberedView()
    assert stat.S_IMODE(the_file(tmp_path).stat().st_mode) == 0o600


@pytest.mark.parametrize("spoilt", [b"", b"{", b"\xff", b'{"filter": 3}', b"[]", b'{"hidden": [1]}'])
def test_a_spoilt_file_is_as_good_as_none(tmp_path: Path, spoilt: bytes) -> None:
    memory = ViewMemory(tmp_path, Path("work.db"))
    memory.write(VIEW)
    the_file(tmp_path).write_bytes(spoilt)

    assert memory.read() == RememberedView()


def test_what_can_no_longer_be_read_is_left_out_of_the_question() -> None:
    assert RememberedView("docs", "state:gone", order="colour").question() == Question("docs")
    assert VIEW.question().stage == "read"


def test_without_a_place_or_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    ViewMemory(None, Path("work.db")).write(VIEW)
    (tmp_path / "views").write_text("a file where the folder should be")

    ViewMemory(tmp_path, Path("work.db")).write(VIEW)

    assert ViewMemory(None, Path("work.db")).read() == RememberedView()
