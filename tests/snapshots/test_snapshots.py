"""Every screen looks as it did. When it is meant to look otherwise: python -m tests.snapshots.renew"""

from __future__ import annotations

import difflib

import pytest
import textual

from tests.snapshots.scenes import SCENES
from tests.snapshots.taking import PICTURE_SIZE, PICTURES, SIZES, TEXTS, snapshots
from treadle_tui.key_contexts import screen_classes

PINNED_TEXTUAL = "8.2.8"
"""Another version may draw a picture in other words."""
NOT_PICTURED = {
    "TooSmall": "stands only where there is no room for a picture; tests/acceptance/test_terminal_restored.py reads it",
    **dict.fromkeys(("BoardLists", "Page", "WorkflowScreen"), "is what screens are derived from"),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_screen_looks_as_it_did(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    if size == PICTURE_SIZE and textual.__version__ != PINNED_TEXTUAL:
        pytest.skip(f"the pictures are those of Textual {PINNED_TEXTUAL}; {textual.__version__}, which is installed, may draw otherwise")
    monkeypatch.delenv("NO_COLOR", raising=False)

    taken = await snapshots(size)

    differences = [
        difference
        for snapshot in taken
        if (difference := "\n".join(_difference(snapshot.path.read_text() if snapshot.path.exists() else "", snapshot.content)))
    ]
    assert not differences, "if this is meant: python -m tests.snapshots.renew\n" + "\n\n".join(differences)
    every = {screen.__name__ for screen in screen_classes()}
    assert every - {snapshot.screen for snapshot in taken} == set(NOT_PICTURED), "a screen without a scene"


def test_every_file_belongs_to_a_scene_and_none_shows_a_traceback() -> None:
    names = {path.stem for path in (*TEXTS.iterdir(), *PICTURES.iterdir())}
    sizes = {f"{width}x{height}" for width, height in SIZES}

    assert {name.rpartition("-")[2] for name in names} == sizes
    for path in TEXTS.iterdir():
        lines = path.read_text().split("\n")
        width, height = (int(number) for number in path.stem.rpartition("-")[2].split("x"))
        assert len(lines) == height + 1, path.name
        assert max(len(line) for line in lines) <= width, path.name
        assert "Traceback" not in path.read_text(), path.name


def test_no_two_scenes_are_called_the_same() -> None:
    assert len({scene.name for scene in SCENES}) == len(SCENES)


def _difference(before: str, now: str) -> list[str]:
    return list(difflib.unified_diff(before.splitlines(), now.splitlines(), "kept", "now", lineterm="", n=0))[:40]
