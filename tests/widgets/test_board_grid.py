"""The grid draws what the board holds, moves its cursor, and says what it lacks."""

from collections.abc import Iterable, Sequence

import pytest
from rich.cells import cell_len
from textual import on
from textual.app import App, ComposeResult
from textual.geometry import Region

from tests.board.rows import STAGES, cell, row
from tests.widgets.screen_text import line_with, screen_lines
from treadle_tui.board.board import Board
from treadle_tui.board.expansion import LineKey
from treadle_tui.board.tally import tally
from treadle_tui.board.view import Changes, Question
from treadle_tui.engine.states import StageState, SubTaskStatus
from treadle_tui.engine.status import ItemRow
from treadle_tui.themes import DARK, VARIABLE_DEFAULTS
from treadle_tui.widgets.board_grid import BoardGrid

C, R, F, W = StageState.COMPLETED, StageState.RUNNING, StageState.FAILED, StageState.AWAITING_REVIEW
CHILDREN = [
    SubTaskStatus(name="small", state=C),
    SubTaskStatus(name="large", state=F, attempt=3),
    SubTaskStatus(name="huge", state=W, version=4),
]


class GridApp(App[None]):
    """A grid whose needs are met from a list of rows, as an event feed would."""

    CSS = "BoardGrid { height: 1fr; }"

    def __init__(self, rows: Iterable[ItemRow], stages: Sequence[str] = STAGES) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name
        self.rows = list(rows)
        self.board = Board()
        self.board.ask(Question(), stages)
        self.opened: list[str] = []
        self.sought: list[int] = []
        self.reads = 0

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return VARIABLE_DEFAULTS

    def compose(self) -> ComposeResult:
        yield BoardGrid(self.board)

    @property
    def grid(self) -> BoardGrid:
        return self.query_one(BoardGrid)

    def on_mount(self) -> None:
        self.grid.show(self.board.take_total(len(self.rows)))
        self.board.welcomes_newcomers = False

    @on(BoardGrid.Needs)
    def read(self) -> None:
        changes = Changes(is_rearranged=True)
        while wanted := self.board.wanted_pages():
            self.reads += 1
            self.board.take_page(wanted[0], self.rows[wanted[0] * 64 : wanted[0] * 64 + 64], self.board.draw_ticket())
        for item_id, stage in self.board.wanted_children():
            self.board.take_children(item_id, stage, CHILDREN, self.board.draw_ticket())
        self.grid.show(changes)

    @on(BoardGrid.Opened)
    def keep_opened(self, event: BoardGrid.Opened) -> None:
        assert event.cell is not None
        self.opened.append(event.cell.title)

    @on(BoardGrid.WaitingSought)
    def keep_sought(self, event: BoardGrid.WaitingSought) -> None:
        self.sought.append(event.direction)

    def change(self, *rows: ItemRow) -> None:
        self.grid.show(self.board.take_rows(rows, self.board.draw_ticket()))


FAN_OUT = {"fetch": cell(C, 1), "parts": cell(R, 1, completed=1, failed=1, awaiting_review=1)}


async def test_a_row_per_item_and_a_column_per_stage() -> None:
    app = GridApp([row(0, {"fetch": cell(C)}), row(1, {"fetch": cell(R, attempt=2)})])

    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()

        assert line_with(app, "fetch").split() == ["item", "fetch", "parts", "publish"]
        assert line_with(app, "item-0").split() == ["▌", "item-0", "✓", "C", "·", "P", "·", "P"]
        assert line_with(app, "item-1").split() == ["item-1", "▸", "R2", "·", "P", "·", "P"]


async def test_totals_stand_under_the_stage_names() -> None:
    app = GridApp([row(0)])

    async with app.run_test(size=(80, 12)) as pilot:
        app.grid.show_tally(tally({"papers": {"fetch": {F: 2, C: 5}, "publish": {W: 3}}}))
        await pilot.pause()

        head = screen_lines(app)
        assert head[1].split() == ["7", "items", "✗2", "◆3"]
        assert head[1].index("✗2") == head[0].index("fetch")
        assert head[1].index("◆3") == head[0].index("publish")


async def test_arrows_move_the_cursor_by_lines_and_stages() -> None:
    app = GridApp([row(n) for n in range(5)])

    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.press("down", "j", "up", "right", "l", "l", "left", "h", "tab")

        assert app.board.cursor == LineKey("item-1")
        assert app.board.cursor_stage == "parts"
        assert line_with(app, "item-1").startswith("▌")
        assert not line_with(app, "item-2").startswith("▌")


async def test_a_fan_out_opens_into_its_subtasks_and_closes_again() -> None:
    app = GridApp([row(0, FAN_OUT), row(1)])

    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.press("tab")
        assert "▸ 1/3 ✗1 ◆1" in line_with(app, "item-0")

        await pilot.press("right")
        await pilot.pause()
        assert line_with(app, "small").split() == ["├", "small", "✓", "C"]
        assert line_with(app, "huge").split() == ["└", "huge", "◆", "?"]
        column = line_with(app, "item-0").index("▸ 1/3")
        assert line_with(app, "large").index("✗ F3") == column

        await pilot.press("down", "down", "left")
        await pilot.pause()
        assert app.board.cursor == LineKey("item-0")
        assert app.board.line_count == 2


@pytest.mark.parametrize("key", ["right", "enter"])
async def test_a_fan_out_at_the_edge_comes_into_sight_with_its_subtasks(key: str) -> None:
    app = GridApp([row(number, FAN_OUT) for number in range(30)])

    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.press("tab", "pagedown")
        await pilot.pause()
        item = app.board.cursor
        assert line_with(app, "▌") == screen_lines(app)[-1]

        await pilot.press(key)
        await pilot.pause()

        shown = screen_lines(app)
        assert [line.split()[1] for line in shown[-3:]] == ["small", "large", "huge"]
        assert app.board.cursor == item
        assert shown[-4].startswith("▌")


async def test_all_fan_outs_open_at_once() -> None:
    app = GridApp([row(0, FAN_OUT), row(1, FAN_OUT)])

    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.press("L")
        await pilot.pause()
        assert app.board.line_count == 8

        await pilot.press("L")
        assert app.board.line_count == 2


async def test_enter_opens_the_cell_and_shows_the_waiting_subtasks_of_a_fan_out_first() -> None:
    app = GridApp([row(0, FAN_OUT)])

    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.press("enter")
        await pilot.press("tab", "enter")
        await pilot.pause()
        assert app.board.line_count == 4
        await pilot.press("down", "down", "down", "enter")
        await pilot.pause()

        assert app.opened == ["item-0 › fetch", "item-0 › parts › huge"]


async def test_the_next_waiting_cell_is_one_key_away() -> None:
    app = GridApp([row(n, {"publish": cell(W, 2)} if n in (3, 8) else None) for n in range(10)])

    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.press("]")
        assert (app.board.cursor, app.board.cursor_stage) == (LineKey("item-3"), "publish")
        await pilot.press("]", "]")
        await pilot.pause()
        assert app.board.cursor == LineKey("item-8")
        assert app.sought == [1]
        await pilot.press("[")
        assert app.board.cursor == LineKey("item-3")


async def test_a_long_list_reads_only_what_is_near_the_screen() -> None:
    app = GridApp([row(n) for n in range(5000)])

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        assert app.board.cursor == LineKey("item-4999")
        await pilot.press("pageup")
        await pilot.pause()
        assert app.board.cursor == LineKey("item-4977")

        await pilot.press("home")
        await pilot.pause()
        assert line_with(app, "item-0").startswith("▌")
        assert app.reads <= 6


async def test_newcomers_of_a_full_screen_wait_behind_a_pill_until_the_end_is_reached() -> None:
    app = GridApp([row(n) for n in range(30)])

    async with app.run_test(size=(80, 12)) as pilot:
        app.rows += [row(n) for n in range(30, 37)]
        app.grid.show(app.board.take_total(37))
        app.grid.refresh()
        await pilot.pause()
        assert app.board.line_count == 30
        assert "+7 new" in screen_lines(app)[1]

        await pilot.press("G")
        await pilot.pause()
        assert app.board.cursor == LineKey("item-36")
        assert "new" not in screen_lines(app)[1]


async def test_a_changed_cell_repaints_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    app = GridApp([row(n) for n in range(10)])

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        painted: list[Region] = []
        monkeypatch.setattr(type(app.grid), "refresh", lambda self, *regions, **_: painted.extend(regions))

        app.change(row(4, {"parts": cell(R, 1)}))
        app.change(row(400, {"parts": cell(R, 1)}))

        column = next(c for c in app.grid._drawn_by().visible.columns if c.stage == "parts")
        assert painted == [Region(column.x, 6, column.width, 1)]


async def test_a_changed_cell_is_seen() -> None:
    app = GridApp([row(0), row(1)])

    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        app.change(row(1, {"parts": cell(F, 1)}))
        await pilot.pause()

        assert "✗ F" in line_with(app, "item-1")


async def test_lines_opening_above_leave_the_cursors_line_where_it_is() -> None:
    app = GridApp([row(n, FAN_OUT if n == 2 else None) for n in range(40)])

    async with app.run_test(size=(80, 14)) as pilot:
        for _ in range(20):
            await pilot.press("down")
        y = screen_lines(app).index(line_with(app, "item-20"))

        app.board.open("item-2", "parts")
        app.grid.rearrange()
        await pilot.pause()

        assert screen_lines(app).index(line_with(app, "item-20")) == y
        assert app.board.cursor == LineKey("item-20")


async def test_stages_that_do_not_fit_are_reached_sideways() -> None:
    stages = [f"stage-number-{n}" for n in range(12)]
    app = GridApp([row(0, {stage: cell() for stage in stages})], stages)

    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        assert "stage-number-0" in screen_lines(app)[0]
        assert "›" in screen_lines(app)[0]

        for _ in range(11):
            await pilot.press("tab")
        await pilot.pause()
        head = screen_lines(app)[0]
        assert "stage-number-11" in head
        assert "‹" in head
        assert "›" not in head
        assert line_with(app, "item-0")


async def test_strange_ids_keep_every_column_in_its_place() -> None:
    names = ["plain", "日本語パッケージ", "👩‍💻 family", "\x1b[31mred", "\u202eevil", "line\nbreak", "e\u0301" * 5, "x" * 300]
    app = GridApp([row(n, item_id=name) for n, name in enumerate(names)])

    async with app.run_test(size=(80, 14)) as pilot:
        await pilot.pause()

        for line in screen_lines(app)[2 : 2 + len(names)]:
            before, _, _ = line.partition("· P")
            assert cell_len(before) == app.grid._drawn_by().plan.first_x
            assert "\x1b" not in line


async def test_the_mouse_puts_the_cursor_and_opens_what_is_under_it() -> None:
    app = GridApp([row(n) for n in range(5)])

    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        column = app.grid._drawn_by().visible.columns[1]
        await pilot.click(BoardGrid, offset=(column.x, 4))
        assert (app.board.cursor, app.board.cursor_stage) == (LineKey("item-2"), "parts")
        assert app.opened == []

        await pilot.double_click(BoardGrid, offset=(column.x, 4))
        await pilot.pause()
        assert app.opened == ["item-2 › parts"]


@pytest.mark.parametrize("size", [(60, 16), (160, 50), (200, 60), (20, 4)])
async def test_every_line_fills_the_screen_exactly(size: tuple[int, int]) -> None:
    app = GridApp([row(n, FAN_OUT) for n in range(100)])

    async with app.run_test(size=size) as pilot:
        await pilot.press("L")
        await pilot.pause()

        width = app.grid.scrollable_content_region.width
        for y in range(app.grid.size.height):
            assert app.grid.render_line(y).cell_length == width
            assert cell_len(app.grid.render_line(y).text) == width
