"""Views of a board that were given a name: kept beside how the board was shown last, in the user's own folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from treadle_tui.view_memory import RememberedView, place_of, read_file, write_file

#: A name is a line of the palette.
LONGEST_NAME = 60


class SavedViews:
    """Those of one database."""

    def __init__(self, folder: Path | None, db: Path) -> None:
        """Without a folder they are forgotten with the program."""
        self._path = None if folder is None else place_of(folder, db, "saved")
        self._views: dict[str, RememberedView] | None = None

    @property
    def views(self) -> Mapping[str, RememberedView]:
        """By name, in the order of their names; a file that is missing or spoilt is as good as none."""
        if self._views is None:
            found = read_file(self._path, dict[str, RememberedView]) if self._path is not None else None
            self._views = found or {}
        return dict(sorted(self._views.items(), key=lambda each: each[0].casefold()))

    def save(self, name: str, view: RememberedView) -> None:
        """Keep a view under a name, in place of one that had it.

        Raises:
            OSError: the file could not be written; the view is there until the program ends.
        """
        self._views = {**self.views, name: msgspec.structs.replace(view, cursor_item="", cursor_stage="")}
        self._write()

    def forget(self, name: str) -> None:
        """Keep the view of that name no longer; nothing when there is none.

        Raises:
            OSError: the file could not be written.
        """
        self._views = {each: view for each, view in self.views.items() if each != name}
        self._write()

    def _write(self) -> None:
        if self._path is not None:
            write_file(self._path, self._views)


def about(view: RememberedView) -> str:
    """What a view shows, in a few words: "invoices · state:failed · by updated ▾ · 2 columns hidden"."""
    parts = [view.workflow, view.filter or "every item"]
    if view.order != "added" or view.is_descending:
        parts.append(f"by {view.order_stage or view.order} {'▾' if view.is_descending else '▴'}")
    if view.hidden:
        parts.append("1 column hidden" if len(view.hidden) == 1 else f"{len(view.hidden)} columns hidden")
    if view.shows != "state":
        parts.append(f"cells show {view.shows}")
    return " · ".join(part for part in parts if part)


def refused_name(name: str) -> str:
    """Why a view cannot be called so; empty when it can."""
    if not name:
        return "a view needs a name"
    return f"a name has at most {LONGEST_NAME} letters" if len(name) > LONGEST_NAME else ""
