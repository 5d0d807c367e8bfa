"""Bad input: one sentence on standard error, exit code 2, and the database as it was."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Call, no_screen, program
from treadle_tui.cli.main import run_command_line


def one_sentence(err: str) -> str:
    """The complaint, once it is sure that it is one line and no traceback."""
    assert err.startswith("treadle-tui: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def test_an_unknown_workflow_names_the_nearest_one(treadle: Call, db: Path) -> None:
    answer = treadle("add", "paper")

    assert answer.code == 2
    assert "no workflow is called 'paper'; did you mean 'papers'?" in one_sentence(answer.err)
    assert not db.exists()


def test_a_path_that_does_not_exist_is_named(treadle: Call, folder: Path, db: Path) -> None:
    answer = treadle("add", "papers", str(folder / "no-texts"))

    assert answer.code == 2
    assert f"workflow 'papers': {folder / 'no-texts'}: No such folder" in one_sentence(answer.err)
    assert not db.exists()


def test_too_many_or_too_few_arguments_show_what_the_source_takes(treadle: Call, db: Path) -> None:
    for arguments in ((), ("a", "b", "c")):
        answer = treadle("add", "papers", *arguments)

        assert answer.code == 2
        assert "scan(folder: str, pattern: str = *.txt)" in one_sentence(answer.err)
    assert not db.exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1 / 0", "failed at {file}:6: ZeroDivisionError: division by zero"),
        ("return 5", "returned a value of type int"),
        ("yield {'id': 'a'}\n    raise ValueError('the disk is gone')", "the disk is gone"),
        ("yield {'id': 'a'}\n    yield {'name': 'no id'}", "id"),
        ("yield {'id': 'a'}\n    yield {'id': 'b', 'odd': object()}", "object"),
    ],
)
def test_a_source_that_fails_stores_nothing_not_even_what_came_before(treadle: Call, folder: Path, db: Path, body: str, said: str) -> None:
    file = folder / "workflows" / "poor.py"
    file.write_text(
        f"from treadle_tui.engine import Workflow\npoor = Workflow('poor')\n@poor.source\ndef s():\n    x = 1\n    {body}\n"
        "@poor.stage\ndef read(item): ...\n"
    )

    answer = treadle("add", "poor")

    assert answer.code == 2
    assert said.format(file=file) in one_sentence(answer.err)
    assert not db.exists()


def test_a_workflow_file_with_a_syntax_error_is_named_when_its_workflow_is_asked_for(treadle: Call, folder: Path) -> None:
    (folder / "workflows" / "essays.py").write_text("x = 1\ndef oops(:\n")

    answer = treadle("add", "essays")

    assert answer.code == 2
    assert f"{folder / 'workflows' / 'essays.py'}:2: SyntaxError" in one_sentence(answer.err)
    assert treadle("add", "papers", str(folder / "texts")).code == 0


def test_a_place_for_workflows_that_does_not_exist(treadle: Call) -> None:
    answer = treadle("--workflows", "nowhere.py", "workflows")

    assert answer.code == 2
    assert "--workflows nowhere.py: no such file or folder" in one_sentence(answer.err)


@pytest.mark.parametrize("content", [b"just some text, long enough to fill a header " * 20, b"\x00" * 2000, b"short"])
def test_a_file_that_is_no_database_is_left_untouched(treadle: Call, folder: Path, db: Path, content: bytes) -> None:
    db.write_bytes(content)

    for arguments in (["list"], ["add", "papers", str(folder / "texts")], ["run"], ["reviews"]):
        answer = treadle(*arguments)
        assert answer.code == 2, arguments
        assert str(db) in one_sentence(answer.err)

    assert db.read_bytes() == content
    assert sorted(path.name for path in db.parent.glob("work.db*")) == ["work.db"]


def foreign_database(path: Path, *, journal: str = "delete") -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode={journal}")
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.execute("INSERT INTO bookmarks VALUES ('https://example.org')")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_the_database_of_another_program_gets_no_tables_without_a_question(treadle: Call, folder: Path, db: Path, journal: str) -> None:
    foreign_database(db, journal=journal)
    before = db.read_bytes()

    answer = treadle("add", "papers", str(folder / "texts"))

    assert answer.code == 2
    assert "belongs to another program (tables: bookmarks)" in one_sentence(answer.err)
    assert db.read_bytes() == before
    assert sorted(path.name for path in db.parent.glob("work.db*")) == ["work.db"]


def test_reading_verbs_say_that_a_foreign_database_has_nothing_of_ours(treadle: Call, db: Path) -> None:
    foreign_database(db)
    before = db.read_bytes()

    answer = treadle("list")

    assert answer.code == 2
    assert "has no work items in it" in one_sentence(answer.err)
    assert db.read_bytes() == before


def test_a_database_that_another_program_has_signed_is_refused_without_a_question(treadle: Call, folder: Path, db: Path) -> None:
    foreign_database(db)
    signed = sqlite3.connect(db)
    signed.execute("PRAGMA application_id = 1196444487")
    signed.commit()
    signed.close()
    before = db.read_bytes()

    answer = treadle("add", "papers", str(folder / "texts"))

    assert answer.code == 2
    assert "application id 0x47504b47" in one_sentence(answer.err)
    assert db.read_bytes() == before


@pytest.mark.parametrize("said", ["yes", "no"])
def test_at_a_terminal_the_question_is_asked_and_the_answer_counts(
    treadle: Call, folder: Path, db: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    foreign_database(db)
    before = db.read_bytes()
    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda question, **_: said == "yes")

    answer = treadle("add", "papers", str(folder / "texts"))

    if said == "yes":
        assert answer.out == "papers: 2 new, 0 already known\n"
        assert sqlite3.connect(db).execute("SELECT url FROM bookmarks").fetchall() == [("https://example.org",)]
    else:
        assert answer.code == 1
        assert "was left as it was" in one_sentence(answer.err)
        assert db.read_bytes() == before


@pytest.mark.parametrize("verb", [["list"], ["show", "a"], ["reviews"], ["approve", "a"], ["retry", "a", "b"], ["events"], ["run"]])
def test_verbs_that_need_a_database_do_not_make_one(treadle: Call, db: Path, verb: list[str]) -> None:
    answer = treadle(*verb)

    assert answer.code == 2
    assert f"there is no database {db}" in one_sentence(answer.err)
    assert not db.exists()


def test_a_database_in_a_folder_that_does_not_exist(treadle: Call, folder: Path) -> None:
    answer = treadle("--db", str(folder / "nowhere" / "work.db"), "add", "papers", str(folder / "texts"))

    assert answer.code == 2
    assert f"there is no folder {folder / 'nowhere'}" in one_sentence(answer.err)


def test_a_folder_in_place_of_a_database(treadle: Call, folder: Path) -> None:
    answer = treadle("--db", str(folder), "list")

    assert answer.code == 2
    assert f"{folder} is a folder" in one_sentence(answer.err)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder in which nobody may write, not even root")
def test_a_folder_that_cannot_be_written(treadle: Call, folder: Path) -> None:
    answer = treadle("--db", "/proc/self/work.db", "--workflows", str(folder / "workflows"), "add", "papers", str(folder / "texts"))

    assert answer.code == 2
    assert "/proc/self" in one_sentence(answer.err)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(treadle: Call, folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o555)

    answer = treadle(
        "--db", str(folder / "closed" / "work.db"), "--workflows", str(folder / "workflows"), "add", "papers", str(folder / "texts")
    )

    assert answer.code == 2
    assert "cannot be written" in one_sentence(answer.err)


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
from treadle_tui.cli.main import run_command_line
sys.exit(run_command_line(sys.argv[1:], None))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a full disk is made with a limit that Windows does not have")
def test_a_full_disk_is_told_in_one_sentence(folder: Path, db: Path) -> None:
    import subprocess

    from tests.cli.conftest import ROOT

    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "--db", str(db), "add", "papers", str(folder / "texts")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 2
    assert str(db) in one_sentence(done.stderr)


def test_no_database_named(capsys: pytest.CaptureFixture[str]) -> None:
    code = run_command_line(["list"], no_screen)

    assert code == 2
    assert "treadle-tui --db work.db" in one_sentence(capsys.readouterr().err)


def test_an_unknown_verb_names_the_nearest_one(treadle: Call) -> None:
    answer = treadle("aprove", "x")

    assert answer.code == 2
    assert "no verb is called 'aprove'; did you mean 'approve'?" in one_sentence(answer.err)


@pytest.mark.parametrize("arguments", [["--no-such-option"], ["list", "--limit", "many"], ["show"], ["list", "--state", "gone"]])
def test_wrong_options_are_one_sentence_with_the_way_to_help(treadle: Call, arguments: list[str]) -> None:
    answer = treadle(*arguments)

    assert answer.code == 2
    assert "--help)" in one_sentence(answer.err)


def test_without_a_terminal_the_full_screen_names_verbs_that_need_none(folder: Path, db: Path) -> None:
    done = program("--db", str(db), cwd=folder)

    assert done.returncode == 2
    assert "the full screen needs a terminal" in one_sentence(done.stderr)
    assert f"treadle-tui --db {db} run" in done.stderr
    assert done.stdout == ""
    assert not db.exists()


def test_a_mistake_in_the_program_is_one_sentence_and_a_traceback_in_the_log(
    treadle: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall_over(*_: object, **__: object) -> None:
        raise RuntimeError("not thought of")

    monkeypatch.setattr("treadle_tui.cli.source_items.source_items", fall_over)

    answer = treadle("add", "papers", str(folder / "texts"))

    log = Path(os.environ["TREADLE_LOG"])
    assert answer.code == 1
    assert one_sentence(answer.err) == f"treadle-tui: unexpected RuntimeError: not thought of; the traceback is in {log}\n"
    assert "fall_over" in log.read_text()


def test_nobody_reading_the_output_is_no_error(folder: Path, db: Path, treadle: Call) -> None:
    treadle("add", "papers", str(folder / "texts"))
    reading, writing = os.pipe()
    os.close(reading)

    done = program("--db", str(db), "list", cwd=folder, stdout=writing)
    os.close(writing)

    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_told(folder: Path, db: Path, treadle: Call) -> None:
    treadle("add", "papers", str(folder / "texts"))

    with open("/dev/full", "w") as full:
        done = program("--db", str(db), "list", cwd=folder, stdout=full)

    assert done.returncode == 1
    assert "No space left on device" in one_sentence(done.stderr)


def test_ctrl_c_while_the_program_is_still_loading_ends_it_with_a_word(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / "click.py").write_text("raise KeyboardInterrupt\n")

    done = program("list", cwd=folder, environment={"PYTHONPATH": os.pathsep.join([str(tmp_path / "early"), str(ROOT)])})

    assert (done.returncode, done.stderr) == (130, "treadle-tui: stopped\n")


@pytest.mark.skipif(os.name != "posix", reason="needs limits of a process")
def test_too_few_open_files_are_told_as_what_they_are(folder: Path, db: Path, treadle: Call) -> None:
    treadle("add", "papers", str(folder / "texts"))

    done = program("--db", str(db), "run", "--until", "idle", cwd=folder, preexec_fn=_allow_few_files)

    assert done.returncode in (1, 2)
    assert "ulimit -n" in one_sentence(done.stderr)


def _allow_few_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))


@pytest.mark.skipif(os.name != "posix", reason="closes a descriptor as a shell does")
@pytest.mark.parametrize("verb", [("add", "papers", "-"), ("review",)])
def test_a_closed_standard_input_holds_nothing(folder: Path, db: Path, treadle: Call, verb: tuple[str, ...]) -> None:
    treadle("add", "papers", str(folder / "texts"))
    treadle("run", "--until", "idle")

    done = program("--db", str(db), *verb, cwd=folder, preexec_fn=lambda: os.close(0))

    assert (done.returncode, done.stderr) == (0, "")


def test_letters_stand_for_signs_where_the_encoding_has_none(folder: Path, db: Path, treadle: Call) -> None:
    treadle("add", "papers", str(folder / "texts"))

    done = program("--db", str(db), "list", cwd=folder, environment={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})

    assert done.returncode == 0
    assert "PPP" in done.stdout
