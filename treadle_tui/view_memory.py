"""How the board of each database was shown last: kept in the user's own folder, never in the database."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from treadle_tui.engine.selection import Order

if TYPE_CHECKING:
    from treadle_tui.board.board import Board
    from treadle_tui.board.view import Question
    from treadle_tui.engine.selection import Condition

T = TypeVar("T")
#: Of a longer file nothing is read: it is not ours.
_MOST_BYTES = 100_000


class RememberedView(msgspec.Struct, frozen=True):
    """What is kept of a board."""

    workflow: str = ""
    filter: str = ""
    order: str = Order.ADDED.value
    is_descending: bool = False
    order_stage: str = ""
    hidden: list[str] = []
    shows: str = "state"
    cursor_item: str = ""
    cursor_stage: str = ""

    @classmethod
    def of(cls, board: Board) -> RememberedView:
        """Of a board as it is now."""
        question, cursor = board.question, board.cursor
        return cls(
            workflow=question.workflow or "",
            filter=_printed(question),
            order=question.order.value,
            is_descending=question.is_descending,
            order_stage=question.stage,
            hidden=sorted(board.hidden),
            shows=board.shows.value,
            cursor_item=cursor.item_id if cursor else "",
            cursor_stage=board.cursor_stage,
        )

    def question(self) -> Question:
        """The question it was; what cannot be read any more is left out."""
        from treadle_tui.board.view import Question

        conditions = _parsed(self.filter) if self.filter else ()
        order = Order(self.order) if self.order in {each.value for each in Order} else Order.ADDED
        return Question(self.workflow or None, conditions, order, self.is_descending, self.order_stage)


def _printed(question: Question) -> str:
    if not question.conditions:
        return ""
    from treadle_tui.board.filter_language import print_filter

    return print_filter(question.conditions)


def _parsed(text: str) -> tuple[Condition, ...]:
    from treadle_tui.board.filter_language import FilterError, parse_filter

    try:
        return parse_filter(text)
    except FilterError:
        return ()


class ViewMemory:
    """The file of one database."""

    def __init__(self, folder: Path | None, db: Path) -> None:
        """Without a folder nothing is kept."""
        self._path = None if folder is None else place_of(folder, db)
        self._written: RememberedView | None = None

    def read(self) -> RememberedView:
        """What was kept; a file that is missing or spoilt is as good as none."""
        return (read_file(self._path, RememberedView) if self._path is not None else None) or RememberedView()

    def write(self, view: RememberedView) -> None:
        """Keep it; a disk that cannot be written is no trouble worth telling."""
        if self._path is None or view == self._written:
            return
        self._written = view
        with suppress(OSError):
            write_file(self._path, view)


def place_of(folder: Path, db: Path, what: str = "") -> Path:
    """The file in which something is kept about the views of a database."""
    name = hashlib.sha256(os.fsencode(db.absolute())).hexdigest()[:24]
    return folder / "views" / f"{name}{what and '.'}{what}.json"


def read_file(path: Path, kind: type[T]) -> T | None:
    """What is in such a file; None when it is missing, spoilt or not ours."""
    try:
        return msgspec.json.decode(path.read_bytes()[:_MOST_BYTES], type=kind)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return None


def write_file(path: Path, content: object) -> None:
    """Put it in place as a whole, for nobody else to read.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_bytes(msgspec.json.encode(content))
        draft.chmod(0o600)
        draft.replace(path)
    except (OSError, UnicodeEncodeError) as error:
        with suppress(OSError):
            draft.unlink()
        raise OSError(str(error)) from error
