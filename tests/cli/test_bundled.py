"""The workflows that come with the program are found from the source tree; `test_packaging` looks at the built wheel."""

from __future__ import annotations

from pathlib import Path

from treadle_tui.cli.loader import find_workflows
from treadle_tui.cli.workflow_places import bundled_folder


def test_the_bundled_workflows_are_found_and_all_of_them_load(tmp_path: Path) -> None:
    found = find_workflows(tmp_path / "work.db")

    assert "licences" in [workflow.name for workflow in found.workflows]
    assert found.problems == []
    assert bundled_folder().is_dir()


def test_running_in_the_source_tree_finds_each_bundled_workflow_once() -> None:
    """Beside a database there, and bundled, are the same files."""
    found = find_workflows(Path(__file__).resolve().parents[2] / "work.db")

    names = [workflow.name for workflow in found.workflows]
    assert len(names) == len(set(names))
    assert found.problems == []
