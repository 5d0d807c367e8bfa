"""The database goes away, or is held by somebody, while a person decides: one sentence, and nothing typed is lost."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pytest

from tests.screens.driving import Driver, running
from tests.screens.papers import WAITING, Paper
from tests.screens.test_review_screen import asking, work
from treadle_tui.board.review_line import Tab
from treadle_tui.engine.desk import JottingKind
from treadle_tui.screens.one_line import OneLine
from treadle_tui.screens.reject_reason import RejectReason
from treadle_tui.screens.review_screen import ReviewScreen

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be moved there")


async def at_the_inbox(ui: Driver, count: int) -> None:
    await ui.counts(WAITING, count)
    await ui.press("3")
    await ui.shows(ReviewScreen)
    await ui.until(lambda: len(work(ui).queue.lines) == count)
    await ui.pilot.pause()
    work(ui).monotonic = iter(range(10**9)).__next__


def moved(folder: Path, other: Path) -> None:
    os.rename(folder, other)


async def test_a_reason_typed_while_the_database_is_gone_is_recorded_once_it_is_back(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    async with running(asking(), items=[Paper("one"), Paper("two")], db=here / "work.db", size=(140, 30)) as ui:
        await at_the_inbox(ui, 2)
        await ui.press("x")
        await ui.shows(RejectReason)
        await ui.press(*"dull ")
        moved(here, elsewhere)
        await ui.press(*"words", "enter")
        await ui.seen("not recorded yet, it is tried again", "work.db is gone", "put it back")
        assert "Traceback" not in ui.text
        (entry,) = work(ui).deciding.outbox.entries
        assert getattr(entry.decision, "reason", "") == "dull words"

        await ui.press("g")
        await ui.shows(OneLine)
        await ui.press(*"shorter", "escape", "g")
        await ui.shows(OneLine)
        await ui.seen("shorter")
        await ui.press("escape")

        moved(elsewhere, here)
        await ui.until(lambda: not work(ui).deciding.outbox.entries, "it is sent")
        assert getattr(await ui.decision("one", "publish"), "reason", "") == "dull words"
        assert work(ui).typed(work(ui).queue.lines_of(Tab.WAITING)[0], "changes") == "shorter"


async def test_a_note_that_could_not_be_kept_still_goes_with_the_decision(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    async with running(asking(), items=[Paper("one")], db=here / "work.db", size=(140, 30)) as ui:
        await at_the_inbox(ui, 1)
        moved(here, elsewhere)
        await ui.press("n")
        await ui.shows(OneLine)
        await ui.press(*"ask Ben", "enter")
        await ui.seen("work.db is gone", "your note", "ask Ben")
        moved(elsewhere, here)
        await work(ui).read()
        assert work(ui).note_on(work(ui).queue.lines[0].key) == "ask Ben"
        await ui.until(lambda: work(ui).keeping.is_written, "it is kept on disk")
        (kept,) = [each for each in await ui.bench.host.store.jottings() if each.kind is JottingKind.NOTE]
        assert kept.text == "ask Ben"

        await ui.press("a")
        await ui.until(lambda: not work(ui).deciding.outbox.entries, "it is sent")
        assert (await ui.decision("one", "publish")).note == "ask Ben"


async def test_a_decision_waits_for_a_database_that_another_program_holds(tmp_path: Path) -> None:
    db = tmp_path / "work.db"
    async with running(asking(), items=[Paper("one")], db=db, size=(140, 30)) as ui:
        await at_the_inbox(ui, 1)
        holder = sqlite3.connect(db, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        await ui.press("a")
        await ui.pilot.pause(0.2)
        assert [entry.key.item_id for entry in work(ui).deciding.outbox.entries] == ["one"]
        assert ui.text.count("publish one?") == 0
        holder.execute("ROLLBACK")
        holder.close()
        await ui.until(lambda: not work(ui).deciding.outbox.entries, "it is sent")
        assert (await ui.decision("one", "publish")).verb == "approve"
