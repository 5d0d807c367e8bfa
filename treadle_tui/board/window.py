"""The rows a board holds: pages around what is looked at, never the whole list.

Pages are numbered by row index, so a list of a million rows costs what its visible part costs. A row is never replaced by an older
one: every read carries a ticket drawn before it began, and a cell besides its own version.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from treadle_tui.engine.status import Cell, ItemRow

#: Rows per page: one read fills a tall terminal.
PAGE_ROWS = 64
#: Pages kept: some six hundred rows, a few screens in each direction.
MOST_PAGES = 10


class RowWindow:
    """Rows by index, as far as they have been read."""

    def __init__(self, page_rows: int = PAGE_ROWS, most_pages: int = MOST_PAGES) -> None:
        self.page_rows = page_rows
        self.most_pages = most_pages
        self._pages: dict[int, list[ItemRow]] = {}
        self._index: dict[str, int] = {}
        self._tickets: dict[str, int] = {}
        self._stale: set[int] = set()

    def __len__(self) -> int:
        """How many rows are held."""
        return len(self._index)

    def row(self, index: int) -> ItemRow | None:
        """The row at that place of the list; None when it has not been read."""
        page = self._pages.get(index // self.page_rows)
        offset = index % self.page_rows
        return page[offset] if page is not None and offset < len(page) else None

    def is_fresh(self, index: int) -> bool:
        """Whether the row at that place has been read, and need not be read again."""
        return self.row(index) is not None and index // self.page_rows not in self._stale

    def index_of(self, item_id: str) -> int | None:
        """Where the item's row stands in the list; None when it is not held."""
        return self._index.get(item_id)

    def held(self, item_id: str) -> ItemRow | None:
        """The item's row, when it is held."""
        index = self._index.get(item_id)
        return None if index is None else self.row(index)

    def rows(self) -> Iterator[tuple[int, ItemRow]]:
        """Every held row with its index, from the top."""
        for number in sorted(self._pages):
            start = number * self.page_rows
            for offset, row in enumerate(self._pages[number]):
                yield start + offset, row

    def wanted(self, first: int, last: int, total: int, *, stale_too: bool = True) -> list[int]:
        """Numbers of the pages to read so that rows first to last, of `total`, are held, and fresh; nearest to the middle first."""
        if total <= 0:
            return []
        first, last = max(0, min(first, total - 1)), min(last, total - 1)
        numbers = range(first // self.page_rows, last // self.page_rows + 1)
        middle = (first + last) / 2 / self.page_rows - 0.5
        return sorted((n for n in numbers if self._is_wanted(n, total, stale_too)), key=lambda n: abs(n - middle))

    def _is_wanted(self, number: int, total: int, stale_too: bool) -> bool:
        held = self._pages.get(number)
        expected = min(self.page_rows, total - number * self.page_rows)
        return held is None or (stale_too and number in self._stale) or len(held) < expected

    def last_before(self, number: int) -> tuple[int, ItemRow] | None:
        """The nearest fresh row above a page, and its index: what stands behind it can be read without counting from the top."""
        above = [n for n, page in self._pages.items() if n < number and n not in self._stale and page]
        if not above:
            return None
        page = self._pages[max(above)]
        return max(above) * self.page_rows + len(page) - 1, page[-1]

    def put_page(self, number: int, rows: Sequence[ItemRow], ticket: int) -> dict[str, set[str]]:
        """Take a page in; the stages that changed, by item id; every stage of a row that was not there before."""
        known = self._take_out(number)
        changed: dict[str, set[str]] = {}
        page: list[ItemRow] = []
        for offset, row in enumerate(rows):
            before = known.get(row.item_id) or self._take_from_elsewhere(row.item_id)
            merged, stages = self._merge(before, row, ticket) if before else (row, set(row.cells))
            page.append(merged)
            self._index[row.item_id] = number * self.page_rows + offset
            self._tickets[row.item_id] = max(ticket, self._tickets.get(row.item_id, 0))
            if stages:
                changed[row.item_id] = stages
        self._pages[number] = page
        self._stale.discard(number)
        self._evict(number)
        return changed

    def put_rows(self, rows: Iterable[ItemRow], ticket: int) -> dict[str, set[str]]:
        """Take newer rows in where they are held; the stages that changed, by item id."""
        changed: dict[str, set[str]] = {}
        for row in rows:
            index = self._index.get(row.item_id)
            if index is None:
                continue
            page = self._pages[index // self.page_rows]
            merged, stages = self._merge(page[index % self.page_rows], row, ticket)
            page[index % self.page_rows] = merged
            self._tickets[row.item_id] = max(ticket, self._tickets.get(row.item_id, 0))
            if stages:
                changed[row.item_id] = stages
        return changed

    def mark_stale(self) -> None:
        """Have every page read again when it is looked at; it is shown as it is meanwhile."""
        self._stale.update(self._pages)

    def clear(self) -> None:
        """Hold nothing any more."""
        self._pages.clear()
        self._index.clear()
        self._tickets.clear()
        self._stale.clear()

    def _take_out(self, number: int) -> dict[str, ItemRow]:
        """The rows of a page, by item id, which is held no longer."""
        rows = {row.item_id: row for row in self._pages.pop(number, ())}
        for item_id in rows:
            if self._index.get(item_id, -1) // self.page_rows == number:
                del self._index[item_id]
        return rows

    def _take_from_elsewhere(self, item_id: str) -> ItemRow | None:
        """The row as another page held it: rows have moved, so that page is to be read again."""
        index = self._index.pop(item_id, None)
        if index is None:
            return None
        self._stale.add(index // self.page_rows)
        page = self._pages[index // self.page_rows]
        return page[index % self.page_rows]

    def _merge(self, known: ItemRow, new: ItemRow, ticket: int) -> tuple[ItemRow, set[str]]:
        if known.key != new.key:  # deleted and added again: another item of the same name
            return new, set(new.cells) | set(known.cells)
        is_later = ticket >= self._tickets.get(new.item_id, 0)
        cells = {stage: newer_cell(known.cells.get(stage), cell, is_later) for stage, cell in new.cells.items()}
        changed = _changed_stages(known.cells, cells)
        if not changed and known.state is new.state:
            return known, changed
        return dataclasses.replace(new if is_later else known, cells=cells), changed or set(cells)

    def _evict(self, around: int) -> None:
        while len(self._pages) > self.most_pages:
            farthest = max(self._pages, key=lambda number: abs(number - around))
            for item_id in self._take_out(farthest):
                if item_id not in self._index:
                    self._tickets.pop(item_id, None)
            self._stale.discard(farthest)


def newer_cell(known: Cell | None, read: Cell, is_later: bool) -> Cell:
    """Of two readings of one cell the newer: by version, and between equals the one whose reading began later."""
    if known is None or read.version > known.version:
        return read
    if read.version < known.version:
        return known
    return read if is_later else known


def _changed_stages(before: Mapping[str, Cell], after: Mapping[str, Cell]) -> set[str]:
    return {stage for stage in before.keys() | after.keys() if before.get(stage) != after.get(stage)}
