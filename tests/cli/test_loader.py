"""Where workflows are found, what counts, and what is said about those that cannot be loaded."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from treadle_tui.cli.loader import LoadedWorkflows, WorkflowNotFound, find_workflows
from treadle_tui.cli.workflow_places import PlaceNotFound

PLAIN = """
from treadle_tui.engine import Workflow

{name} = Workflow("{name}")

@{name}.stage
def read(item): ...
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def workflow_file(path: Path, name: str | None = None) -> Path:
    return write(path, PLAIN.format(name=name or path.stem))


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "work.db"


@pytest.fixture(autouse=True)
def _no_bundled_workflows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test sees only the files it wrote itself."""
    monkeypatch.setattr("treadle_tui.cli.workflow_places.bundled_folder", lambda: tmp_path / "nothing-bundled")


def names(found: LoadedWorkflows) -> list[str]:
    return [workflow.name for workflow in found.workflows]


def problems(found: LoadedWorkflows) -> list[str]:
    return [str(problem) for problem in found.problems]


def test_workflows_beside_the_database_are_found_in_the_order_of_their_files(db: Path) -> None:
    workflow_file(db.parent / "workflows" / "second.py")
    workflow_file(db.parent / "workflows" / "first.py")

    found = find_workflows(db)

    assert names(found) == ["first", "second"]
    assert found.problems == []


def test_nothing_is_read_or_run_before_it_is_asked_for(db: Path) -> None:
    write(db.parent / "workflows" / "loud.py", "open('ran', 'w')")

    found = find_workflows(db)

    assert not found.is_loaded
    assert not (Path.cwd() / "ran").exists()


def test_the_current_directory_is_no_place_to_look_in(db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "elsewhere"
    workflow_file(here / "lurking.py")
    workflow_file(here / "workflows" / "lurking_too.py")
    monkeypatch.chdir(here)

    assert names(find_workflows(db)) == []


def test_a_file_named_by_the_option_is_found_wherever_it_is(db: Path, tmp_path: Path) -> None:
    path = workflow_file(tmp_path / "elsewhere" / "papers.py")

    assert names(find_workflows(db, [str(path)])) == ["papers"]


def test_a_folder_named_by_the_option_comes_before_the_one_beside_the_database(db: Path, tmp_path: Path) -> None:
    workflow_file(tmp_path / "mine" / "papers.py")
    workflow_file(db.parent / "workflows" / "licences.py")

    assert names(find_workflows(db, [str(tmp_path / "mine")])) == ["papers", "licences"]


def test_a_place_that_does_not_exist_is_refused_at_once(db: Path) -> None:
    with pytest.raises(PlaceNotFound, match=r"--workflows nowhere\.py: no such file or folder"):
        find_workflows(db, ["nowhere.py"])


def test_a_missing_workflows_folder_is_no_problem(db: Path) -> None:
    found = find_workflows(db)

    assert (names(found), problems(found)) == ([], [])


def test_files_that_start_with_an_underscore_or_a_dot_are_skipped(db: Path) -> None:
    for name in ("_shared.py", ".hidden.py", "__init__.py"):
        workflow_file(db.parent / "workflows" / name, "shared")

    assert names(find_workflows(db)) == []


def test_a_file_reached_twice_counts_once(db: Path, tmp_path: Path) -> None:
    path = workflow_file(db.parent / "workflows" / "papers.py")
    (tmp_path / "link").symlink_to(path.parent)

    found = find_workflows(db, [str(path), str(tmp_path / "link")])

    assert names(found) == ["papers"]
    assert found.problems == []


def test_a_second_workflow_of_a_name_is_a_problem_and_the_first_one_wins(db: Path, tmp_path: Path) -> None:
    first = workflow_file(tmp_path / "mine" / "papers.py")
    second = workflow_file(db.parent / "workflows" / "papers.py")

    found = find_workflows(db, [str(first)])

    assert found.origin("papers") == str(first)
    assert problems(found) == [
        f"{second}:4: the workflow 'papers' is left out, because {first} has one of that name; rename one of the two"
    ]


def test_ones_own_version_of_a_bundled_workflow_takes_its_place_without_a_word(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow_file(tmp_path / "bundled" / "licences.py")
    monkeypatch.setattr("treadle_tui.cli.workflow_places.bundled_folder", lambda: tmp_path / "bundled")
    own = workflow_file(db.parent / "workflows" / "mine.py", "licences")

    found = find_workflows(db)

    assert (names(found), problems(found)) == (["licences"], [])
    assert found.origin("licences") == str(own)


def test_every_workflow_of_a_file_counts_once_and_imported_ones_where_they_were_made(db: Path) -> None:
    folder = db.parent / "workflows"
    write(folder / "b_two.py", PLAIN.format(name="one") + PLAIN.format(name="two") + "alias = one\n")
    write(folder / "a_borrower.py", "from .b_two import one\n" + PLAIN.format(name="mine"))

    found = find_workflows(db)

    assert sorted(names(found)) == ["mine", "one", "two"]
    assert found.origin("one") == str(folder / "b_two.py")
    assert found.problems == []


def test_a_workflow_made_by_a_function_of_a_sibling_belongs_to_the_file_that_keeps_it(db: Path) -> None:
    folder = db.parent / "workflows"
    write(
        folder / "_make.py",
        """
        from treadle_tui.engine import Workflow

        def make(name):
            made = Workflow(name)

            @made.stage
            def read(item): ...

            return made
        """,
    )
    write(folder / "papers.py", "from ._make import make\npapers = make('papers')\n")

    found = find_workflows(db)

    assert (names(found), problems(found)) == (["papers"], [])


def test_a_syntax_error_is_named_with_file_and_line_and_the_others_still_load(db: Path) -> None:
    broken = write(db.parent / "workflows" / "broken.py", "x = 1\ndef oops(:\n    pass\n")
    workflow_file(db.parent / "workflows" / "papers.py")

    found = find_workflows(db)

    assert names(found) == ["papers"]
    assert problems(found) == [f"{broken}:2: SyntaxError: invalid syntax"]


def test_an_exception_while_a_file_runs_is_named_with_the_line_it_came_from(db: Path) -> None:
    broken = write(db.parent / "workflows" / "broken.py", "import json\n\n\ndef f():\n    return json.loads('nonsense')\n\n\nf()\n")

    (problem,) = find_workflows(db).problems

    assert (problem.path, problem.line) == (str(broken), 5)
    assert problem.message.startswith("JSONDecodeError: Expecting value")


def test_an_error_in_a_sibling_is_named_with_the_siblings_line(db: Path) -> None:
    folder = db.parent / "workflows"
    sibling = write(folder / "_shared.py", "\nlimit = 1 / 0\n")
    write(folder / "papers.py", "from . import _shared\n")

    (problem,) = find_workflows(db).problems

    assert str(problem) == f"{sibling}:2: ZeroDivisionError: division by zero"


@pytest.mark.parametrize("source", ["raise SystemExit(3)", "import sys; sys.exit()", "raise BaseException('odd')"])
def test_a_file_that_tries_to_end_the_program_is_a_problem_like_another(db: Path, source: str) -> None:
    write(db.parent / "workflows" / "quitter.py", source)

    (problem,) = find_workflows(db).problems

    assert problem.line == 1


@pytest.mark.parametrize("content", [b"\xff\xfe\x00junk", b"x = 1\x00", b"# -*- coding: nonsense -*-\n"])
def test_a_file_that_is_no_text_is_a_problem(db: Path, content: bytes) -> None:
    path = write(db.parent / "workflows" / "odd.py", "")
    path.write_bytes(content)

    (problem,) = find_workflows(db).problems

    assert problem.path == str(path)


def test_a_definition_error_names_the_file_and_the_line_of_the_workflow(db: Path) -> None:
    path = write(
        db.parent / "workflows" / "circle.py",
        """
        from treadle_tui.engine import Workflow

        fine = Workflow("fine")

        @fine.stage
        def only(item): ...

        circle = Workflow("circle")

        @circle.stage
        def first(second): ...

        @circle.stage
        def second(first): ...
        """,
    )

    found = find_workflows(db)

    assert names(found) == ["fine"]
    (problem,) = found.problems
    assert (problem.path, problem.line) == (str(path), 9)
    assert "in a circle" in problem.message


def test_a_file_can_import_its_siblings_relatively_also_later(db: Path) -> None:
    folder = db.parent / "workflows"
    write(folder / "_words.py", "GREETING = 'good day'\n")
    write(folder / "papers.py", PLAIN.format(name="papers") + "\ndef greet():\n    from . import _words\n    return _words.GREETING\n")

    workflow = find_workflows(db).by_name("papers")

    module = sys.modules[str(workflow.origin.module)]
    assert module.greet() == "good day"


def test_a_plain_import_of_a_sibling_fails_and_says_how_it_is_written(db: Path) -> None:
    folder = db.parent / "workflows"
    write(folder / "_words.py", "")
    write(folder / "papers.py", "import _words\n")

    (problem,) = find_workflows(db).problems

    assert "`from . import _words`" in problem.message


def test_a_sibling_shadows_no_module_of_anybody_else(db: Path) -> None:
    folder = db.parent / "workflows"
    write(folder / "json.py", "raise RuntimeError('not the real one')\n")
    write(folder / "papers.py", "import json\n" + PLAIN.format(name="papers") + "assert json.dumps(1) == '1'\n")

    found = find_workflows(db)

    assert names(found) == ["papers"]
    assert str(folder) not in sys.path


def test_files_of_one_name_in_two_folders_do_not_collide(db: Path, tmp_path: Path) -> None:
    write(tmp_path / "mine" / "flow.py", PLAIN.format(name="mine"))
    write(db.parent / "workflows" / "flow.py", PLAIN.format(name="yours"))

    assert names(find_workflows(db, [str(tmp_path / "mine")])) == ["mine", "yours"]


def test_a_file_name_need_not_be_a_python_name(db: Path) -> None:
    write(db.parent / "workflows" / "2026 my-flow.v2.py", PLAIN.format(name="flow"))

    assert names(find_workflows(db)) == ["flow"]


def test_dataclasses_of_a_workflow_file_can_resolve_their_annotations(db: Path) -> None:
    write(
        db.parent / "workflows" / "papers.py",
        """
        from __future__ import annotations
        from dataclasses import dataclass
        from treadle_tui.engine import Workflow

        @dataclass
        class Author:
            name: str

        @dataclass
        class Paper:
            id: str
            author: Author

        papers = Workflow("papers", item=Paper)

        @papers.stage
        def read(item: Paper) -> Author:
            return item.author
        """,
    )

    found = find_workflows(db)

    assert (names(found), problems(found)) == (["papers"], [])


def test_module_and_attribute_can_be_named(db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "site" / "my_flows" / "__init__.py", "")
    workflow_file(tmp_path / "site" / "my_flows" / "papers.py")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    found = find_workflows(db, ["my_flows.papers:papers"])

    assert names(found) == ["papers"]
    assert found.origin("papers") == "my_flows.papers:papers"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("no_such_module_anywhere:papers", "No module named 'no_such_module_anywhere'"),
        ("json:no_such_name", "has no attribute 'no_such_name'"),
        ("json:dumps", "is a function, not a Workflow"),
    ],
)
def test_a_module_or_attribute_that_does_not_serve_is_a_problem(db: Path, target: str, said: str) -> None:
    (problem,) = find_workflows(db, [target]).problems

    assert problem.path == target
    assert said in problem.message


def test_a_named_module_of_the_current_directory_is_found_but_shadows_nothing(tmp_path: Path) -> None:
    """In a process of its own: the current directory goes on the path only because it was named, and last."""
    workflow_file(tmp_path / "here" / "my_flow.py")
    write(tmp_path / "here" / "json.py", "raise RuntimeError('not the real one')\n")
    code = """
        import sys
        sys.path[:] = [place for place in sys.path if place]
        from pathlib import Path
        from treadle_tui.cli.loader import find_workflows
        found = find_workflows(Path("/nowhere/work.db"), ["my_flow:my_flow"])
        print([workflow.name for workflow in found.workflows if workflow.name == "my_flow"], found.problems)
    """

    done = run_python(textwrap.dedent(code), cwd=tmp_path / "here")

    assert done.stdout.strip() == "['my_flow'] []"


def run_python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done


def test_an_unknown_name_is_answered_with_the_nearest_one(db: Path) -> None:
    workflow_file(db.parent / "workflows" / "licences.py")

    with pytest.raises(WorkflowNotFound, match=r"no workflow is called 'licenses'; did you mean 'licences'\?$"):
        find_workflows(db).by_name("licenses")


def test_an_unknown_name_is_answered_with_the_file_that_may_have_had_it(db: Path) -> None:
    broken = write(db.parent / "workflows" / "papers.py", "import (\n")

    with pytest.raises(WorkflowNotFound) as refused:
        find_workflows(db).by_name("papers")

    assert f"{broken}:1" in str(refused.value)


def test_loading_twice_runs_the_files_once(db: Path) -> None:
    log = db.parent / "log"
    write(db.parent / "workflows" / "loud.py", f"with open({str(log)!r}, 'a') as log:\n    log.write('ran ')\n" + PLAIN.format(name="loud"))
    found = find_workflows(db)

    found.load()
    found.load()

    assert found.workflows
    assert log.read_text() == "ran "


def test_a_file_that_is_no_workflow_file_is_a_problem_when_it_was_named(db: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "notes.txt", "hello")

    (problem,) = find_workflows(db, [str(path)]).problems

    assert "workflow files end in .py" in problem.message


TOML = """
name = "thumbnails"
source = {{ glob = "*.jpg" }}
[stages.probe]
shell = ["identify", "{{item.path}}"]
{more}
"""


def test_definitions_without_python_are_found_as_well(db: Path) -> None:
    path = write(db.parent / "workflows" / "thumbnails.toml", TOML.format(more=""))

    found = find_workflows(db)

    assert (names(found), problems(found)) == (["thumbnails"], [])
    assert found.origin("thumbnails") == str(path)


def test_a_wrong_definition_is_a_problem_that_names_its_file_once(db: Path) -> None:
    path = write(db.parent / "workflows" / "thumbnails.toml", TOML.format(more="shel = 3"))

    (problem,) = find_workflows(db).problems

    assert str(problem) == f"{path}:6: stage 'probe', shel: unknown key; did you mean 'shell'?"


def test_a_private_database_has_no_folder_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow_file(tmp_path / "workflows" / "lurking.py")
    monkeypatch.chdir(tmp_path)

    assert names(find_workflows(Path(":memory:"))) == []


def test_no_bytecode_is_left_beside_somebodys_workflows(db: Path) -> None:
    workflow_file(db.parent / "workflows" / "papers.py")

    find_workflows(db).load()

    assert not (db.parent / "workflows" / "__pycache__").exists()
