"""Stages in processes of their own: what crosses, what stays out, how they are stopped, and what happens when they die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.engine import isolated
from tests.engine.workflows import told
from treadle_tui.engine import (
    Approve,
    Engine,
    InvalidDefinition,
    MemoryStateStore,
    SqliteStateStore,
    StageFailed,
    StageLogged,
    StageProgress,
    StageState,
    Workflow,
)
from treadle_tui.engine.runner import printed, process
from treadle_tui.engine.testing import ManualClock

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _no_process_stays() -> Iterator[None]:
    yield
    assert not process._endings


@asynccontextmanager
async def working(workflow: Workflow, *items: dict[str, Any], clock: Any = None) -> AsyncIterator[Engine]:
    """An engine on a store in memory, with these items submitted."""
    async with MemoryStateStore() as store, Engine(store, [workflow], clock=clock) as engine:
        await engine.submit(workflow, items)
        yield engine


async def done(workflow: Workflow, *items: dict[str, Any], clock: Any = None) -> Any:
    """The store after these items have run as far as they can."""
    async with working(workflow, *items, clock=clock) as engine:
        await engine.run_until_idle()
        return await _photograph(engine.store)


async def _photograph(store: Any) -> dict[str, Any]:
    return {item_id: await store.get_all_statuses(item_id) for item_id in await store.list_items()}


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z")


async def until(condition: Callable[[], Any]) -> None:
    """Let real processes do their work until the condition holds; TimeoutError after a minute."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  (processes tell nobody)
            await asyncio.sleep(0.01)


def read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


# -- without the terminal ----------------------------------------------------------------------------------------------


async def test_the_process_has_no_terminal_and_what_it_prints_is_its_log():
    async with working(isolated.work, {"id": "a", "do": "look around"}) as engine:
        await engine.run_until_idle()
        status = await engine.store.get_status("a", "do")
        lines = [line for event in await told(engine.store, StageLogged) for line in event.message.splitlines()]

    assert status.output["pid"] != os.getpid()
    assert status.output["leads its session"]
    assert status.output["stdin"] == ""
    assert status.output["is a terminal"] == [False, False, False]
    assert lines == ["printed", "from a program", "and its errors", "without a line break"]


async def test_of_very_much_output_the_beginning_and_the_end_are_kept():
    async with working(isolated.work, {"id": "a", "do": "chatter", "with": 100_000}) as engine:
        await engine.run_until_idle()
        lines = [line for event in await told(engine.store, StageLogged) for line in event.message.splitlines()]

    assert lines[0] == "line 0"
    assert lines[-1] == "line 99999"
    assert sum(len(line) for line in lines) < printed.MAX_OUTPUT + printed.KEPT_TAIL + 100
    assert any("bytes of output are left out here" in line for line in lines)


async def test_a_flood_of_progress_arrives_as_a_few_events_the_last_one_included():
    async with working(isolated.work, {"id": "a", "do": "tell"}) as engine:
        await engine.run_until_idle()
        steps = await told(engine.store, StageProgress)
        notes = [line for event in await told(engine.store, StageLogged) for line in event.message.splitlines()]

    assert len(steps) < 20
    assert steps[-1].message == "step 999"
    assert notes == [f"note {number}" for number in range(1000)]


# -- what crosses ------------------------------------------------------------------------------------------------------


async def test_every_kind_of_answer_crosses_with_all_it_says():
    answers = [
        "nothing",
        "value",
        "completed",
        "skipped",
        "failed",
        "failed with",
        "retry",
        "review",
        "class",
        "unknown",
        "unwritable",
        "big",
    ]
    clock = ManualClock()
    items = [{"id": name, "do": "answer", "with": name} for name in answers]
    async with working(isolated.work, *items, clock=clock) as engine:
        running = asyncio.create_task(engine.run_until_idle())
        await until(lambda: clock.sleeping == 1 and not engine.running)
        clock.advance(7)
        await running
        found = {name: statuses["do"] for name, statuses in (await _photograph(engine.store)).items()}
        attempts = await engine.store.get_attempts("retry", "do")

    assert (found["nothing"].state, found["nothing"].output) == (StageState.COMPLETED, None)
    assert found["value"].output == {"text": "a", "parts": [1, 2.5, None, True]}
    assert (found["completed"].output, found["completed"].summary) == ({"n": 1}, "one")
    assert (found["skipped"].state, found["skipped"].summary) == (StageState.SKIPPED, "not today")
    assert (found["failed"].state, found["failed"].error) == (StageState.FAILED, "no use")
    assert found["failed"].attempt == 1
    assert found["failed with"].error == "ValueError: no use"
    assert [attempt.outcome for attempt in attempts] == ["retry", "completed"]
    assert attempts[1].started_at - attempts[0].completed_at == timedelta(seconds=7)
    review = found["review"]
    assert (review.state, review.output, review.summary) == (StageState.AWAITING_REVIEW, {"draft": 1}, "a draft")
    assert (review.review.summary, review.review.details, review.review.fields[0].kind) == ("fit to print?", {"page": 3}, "number")
    assert found["class"].state is StageState.SKIPPED
    assert "StageOutcome, which is no outcome" in found["unknown"].error
    assert found["unwritable"].error == (
        "the output cannot be kept as JSON: $.path is of type object; use plain values, dataclasses, or msgspec, attrs or pydantic classes"
    )
    assert found["big"].output == "x" * 3_000_000


async def test_everything_an_attempt_is_told_crosses():
    clock = ManualClock()
    async with working(isolated.told, {"id": "a", "rows": [1]}, clock=clock) as engine:
        await engine.run_until_idle()
        await engine.resolve_review("a", "first", Approve(by="ana", values={"pages": 3}))
        await engine.run_until_idle()
        output = (await engine.store.get_status("a", "second")).output
        key = output["ids"].pop()

    now = clock.now().isoformat()
    assert output == {
        "item": {"id": "a", "rows": [1]},
        "first": {"title": "a"},
        "ids": ["a", "second", "told"],
        "attempts": [3, 3],
        "previous": [[1, "error", "ValueError: not yet", now], [2, "rejected", "rejected: too soon", now]],
        "feedback": ["too soon", "gate", {"wait": True}],
        "verdicts": ["NoneType", "Rejected"],
        "values": {"first": {"pages": 3}},
        "decisions": {"first": ["approve", "ana", now]},
        "upstream": {"first": {"title": "a"}},
        "subtask": None,
        "cancelled": False,
    }
    assert key.endswith("-3")


async def test_classes_hooks_typed_items_subtasks_and_reduce_run_there():
    statuses = (await done(isolated.pages, {"id": "a", "number": 4}))["a"]

    assert statuses["scan"].output == {"page": 4, "words": ["before 4", "execute", "after"]}
    parts = statuses["parts"]
    assert parts.state is StageState.COMPLETED
    assert parts.output["results"] == {"before 4": ["before 4", 8, 4], "execute": ["execute", 7, 4], "after": ["after", 5, 4]}
    assert [subtask.attempt for subtask in parts.subtasks] == [1, 2, 1]
    assert len(parts.output["pids"]) == 4
    assert os.getpid() not in parts.output["pids"]


async def test_a_memo_is_computed_there_once_and_reused_by_the_next_attempt(store: Any):
    async with Engine(store, [isolated.memos]) as engine:
        await engine.submit(isolated.memos, [{"id": "a"}])
        await engine.run_until_idle()
        output = (await store.get_status("a", "remember")).output

    assert output["one"] == output["again"]
    assert output["one"]["pid"] not in (output["pid"], os.getpid())
    assert output["other"] == 7
    assert output["refused"][0] == "ZeroDivisionError: division by zero"
    assert "is of type object" in output["refused"][1]
    assert "must be a text that is not empty" in output["refused"][2]


async def test_its_statements_run_in_the_transaction_that_completes_the_stage(tmp_path: Path):
    with contextlib.closing(sqlite3.connect(tmp_path / "work.db")) as connection:
        connection.execute("CREATE TABLE pages (number INTEGER, content)")
    async with (
        SqliteStateStore.open(tmp_path / "work.db", synchronous="NORMAL") as store,
        Engine(store, [isolated.statements]) as engine,
    ):
        await engine.submit(isolated.statements, [{"id": "a"}])
        await engine.run_until_idle()
        status = await store.get_status("a", "insert")
    with contextlib.closing(sqlite3.connect(tmp_path / "work.db")) as connection:
        rows = connection.execute("SELECT * FROM pages").fetchall()

    assert status is not None
    assert (status.state, status.attempt) == (StageState.COMPLETED, 2)
    assert rows == [(2, b"\x00\xff")]


async def test_it_sleeps_by_the_engines_clock():
    clock = ManualClock()
    async with working(isolated.sleeping, {"id": "a"}, clock=clock) as engine:
        running = asyncio.create_task(engine.run_until_idle())
        await clock.until_sleeping(timeout=30)
        clock.advance(3600)
        await running
        assert (await engine.store.get_status("a", "sleep")).output == "woken"


# -- what is raised ----------------------------------------------------------------------------------------------------


async def test_exceptions_come_back_as_the_class_they_are_so_that_a_budget_can_choose():
    """`retry_on` lets errors of the network through, and those of one tray; everything else is not worth another attempt."""
    kinds = ["known", "own", "local", "file", "exit", "interrupt", "stop", "base"]
    found = {
        item_id: statuses["do"]
        for item_id, statuses in (await done(isolated.work, *[{"id": k, "do": "raise", "with": k} for k in kinds])).items()
    }

    assert {name: status.attempt for name, status in found.items()} == {
        **dict.fromkeys(kinds, 1),
        "known": 2,
        "own": 2,
        "local": 2,
    }
    assert found["known"].error == "ConnectionResetError: gone"
    assert found["own"].error == "OutOfPaper: tray 2 is empty"
    assert found["local"].error == "Jammed: roller 3"
    assert found["file"].error == "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere'"
    assert found["exit"].error == "'do' raised SystemExit: 3; a stage fails with an ordinary exception"
    assert found["interrupt"].error == "'do' raised KeyboardInterrupt; a stage fails with an ordinary exception"
    assert found["stop"].error == "'do' raised StopIteration: early; a stage fails with an ordinary exception"
    assert found["base"].error == "'do' raised BaseException: odd; a stage fails with an ordinary exception"


async def test_the_log_has_the_traceback_of_the_other_process(caplog: pytest.LogCaptureFixture):
    with caplog.at_level("INFO", "treadle.engine"):
        await done(isolated.work, {"id": "a", "do": "raise", "with": "file"})

    assert "in _raise" in caplog.text


@pytest.mark.parametrize(
    ("how", "said"),
    [("exit", "exit code 3"), ("SIGKILL", "SIGKILL (signal 9)"), ("SIGSEGV", "SIGSEGV (signal 11)"), ("SIGTERM", "SIGTERM (signal 15)")],
)
async def test_a_process_that_dies_is_a_failed_attempt_that_says_how(how: str, said: str):
    async with working(isolated.work, {"id": "a", "do": "die", "with": how}, {"id": "b", "do": "answer", "with": "value"}) as engine:
        await engine.run_until_idle()
        status, other = await engine.store.get_status("a", "do"), await engine.store.get_status("b", "do")
        lines = [event.message for event in await told(engine.store, StageLogged)]

    assert status.state is StageState.FAILED
    assert said in status.error
    assert other.state is StageState.COMPLETED
    assert "last words" in lines[0]


# -- stopping ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def hanging(tmp_path: Path, how: str, clock: ManualClock) -> AsyncIterator[tuple[Engine, Path, asyncio.Task[None]]]:
    """An engine whose one attempt has begun to hang."""
    file = tmp_path / "file"
    async with working(isolated.limited, {"id": "a", "with": how, "file": str(file)}, clock=clock) as engine:
        running = asyncio.create_task(engine.run_until_idle())
        await until(lambda: read(file))
        yield engine, file, running


async def test_a_process_whose_time_is_up_is_ended_with_everything_it_has_started(tmp_path: Path):
    clock = ManualClock()
    async with hanging(tmp_path, "with a child", clock) as (engine, file, running):
        pids = [int(pid) for pid in file.read_text().split()]
        clock.advance(isolated.TIME_LIMIT)
        await running
        status = await engine.store.get_status("a", "do")
        assert not any(map(is_running, pids))

    assert status.error == "the attempt took longer than 2 seconds"


async def test_a_stage_may_heed_that_it_is_cancelled(tmp_path: Path):
    async with hanging(tmp_path, "polite", ManualClock()) as (engine, file, running):
        await engine.cancel("a")
        await running

    assert file.read_text() == "heard of it"


async def test_a_stage_that_does_not_listen_is_terminated_and_tidies_up(tmp_path: Path):
    async with hanging(tmp_path, "tidy", ManualClock()) as (engine, file, running):
        await engine.cancel("a")
        await running
        status = await engine.store.get_status("a", "do")

    assert file.read_text() == "tidied up"
    assert status.state is StageState.CANCELLED


async def test_a_stage_that_heeds_nothing_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "KILL_SECONDS", 0.3)
    async with hanging(tmp_path, "stubborn", ManualClock()) as (engine, file, running):
        pid = int(file.read_text())
        began = time.monotonic()
        await engine.cancel("a")
        await running
        took = time.monotonic() - began

    assert 0.3 <= took < 5
    assert not is_running(pid)


async def test_an_async_stage_is_cancelled_like_any_other(tmp_path: Path):
    clock = ManualClock()
    async with working(isolated.sleeping, {"id": "a"}, clock=clock) as engine:
        running = asyncio.create_task(engine.run_until_idle())
        await clock.until_sleeping(timeout=30)
        await engine.cancel("a")
        await running
        status = await engine.store.get_status("a", "sleep")

    assert status.state is StageState.CANCELLED


async def test_an_engine_that_stops_takes_its_processes_with_it(tmp_path: Path):
    async with hanging(tmp_path, "tidy", ManualClock()) as (engine, file, running):
        pid = int(file.read_text())
        await engine.close()
        status = await engine.store.get_status("a", "do")
        with contextlib.suppress(asyncio.CancelledError):
            await running

    assert not is_running(pid)
    assert status.state is StageState.PENDING


async def test_a_process_does_not_outlive_an_engine_that_was_killed(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
            import asyncio, os, sys, time
            from treadle_tui.engine import Engine, MemoryStateStore, Workflow

            work = Workflow("work")

            @work.stage(isolation="process")
            def hang(item):
                open(item["file"], "w").write(str(os.getpid()))
                time.sleep(600)

            async def main():
                async with MemoryStateStore() as store, Engine(store, [work]) as engine:
                    await engine.submit(work, [{"id": "a", "file": sys.argv[1]}])
                    await engine.run_until_idle()

            if __name__ == "__main__":
                asyncio.run(main())
        """)
    )
    file = tmp_path / "pid"
    with started(str(script), str(file)) as program:
        await until(lambda: read(file))
        pid = int(file.read_text())

        program.send_signal(signal.SIGKILL)

    await until(lambda: not is_running(pid))


# -- finding the stage -------------------------------------------------------------------------------------------------


def output_of(*arguments: str, cwd: Path) -> str:
    with started(*arguments, cwd=cwd) as program:
        return program.communicate(timeout=60)[0]


def started(*arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


SCRIPT = """
    import asyncio, os, sys
    from treadle_tui.engine import Engine, MemoryStateStore, Workflow
    {imports}
    pages = Workflow("pages")

    @pages.stage(isolation="process")
    def count(item):
        return [{value}, __name__, sys.argv[1:], os.getpid() != item["pid"]]

    async def main():
        async with MemoryStateStore() as store, Engine(store, [pages]) as engine:
            await engine.submit(pages, [{{"id": "a", "pid": os.getpid()}}])
            await engine.run_until_idle()
            status = await store.get_status("a", "count")
            print(status.error or status.output)

    {guard}asyncio.run(main())
"""


def script(file: Path, *, imports: str = "", value: str = "1", guard: str = 'if __name__ == "__main__": ') -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(SCRIPT.format(imports=imports, value=value, guard=guard)))


async def test_a_workflow_of_a_plain_script_is_found_and_the_script_does_not_run_again(tmp_path: Path):
    script(tmp_path / "script.py")

    assert output_of("script.py", "word", cwd=tmp_path) == "[1, '__treadle_main__', ['word'], True]\n"


async def test_a_workflow_of_a_module_that_was_run_finds_its_siblings(tmp_path: Path):
    script(tmp_path / "press" / "print.py", imports="from . import ink", value="ink.COLOUR")
    (tmp_path / "press" / "ink.py").write_text("COLOUR = 'blue'")
    (tmp_path / "press" / "__init__.py").write_text("")

    assert output_of("-m", "press.print", cwd=tmp_path) == "['blue', 'press.__treadle_main__', [], True]\n"


async def test_a_script_that_runs_an_engine_whenever_it_is_imported_is_told_so(tmp_path: Path):
    script(tmp_path / "script.py", guard="")

    output = output_of("script.py", cwd=tmp_path)

    assert f"{tmp_path / 'script.py'} runs an engine whenever it is imported" in output
    assert 'put what drives the engine under `if __name__ == "__main__":`' in output


def loaded(file: Path, name: str) -> Any:
    """A module run from a file under a name nobody can import, as a loader does."""
    import importlib.machinery
    import importlib.util

    package = name.rpartition(".")[0]
    spec = importlib.machinery.ModuleSpec(package, None, is_package=True)
    spec.submodule_search_locations = [str(file.parent)]
    sys.modules[package] = importlib.util.module_from_spec(spec)
    module_spec = importlib.util.spec_from_file_location(name, file)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[name] = module
    module_spec.loader.exec_module(module)
    return module


PRIVATE = """
from treadle_tui.engine import RetryBudget, Workflow
from . import ink

class Smudged(Exception):
    pass

pages = Workflow("pages")
inner = Workflow("inner")

@inner.stage(isolation="process", retry=RetryBudget(max_attempts=2, retry_on=Smudged))
def dip(ctx):
    from .later import DEPTH
    if ctx.attempt == 1:
        raise Smudged("again")
    return [ink.COLOUR, DEPTH, __name__]

pages.include("pen", inner)
"""


async def test_a_file_under_a_private_name_is_found_with_the_files_beside_it(tmp_path: Path):
    """Its own exception classes are known to the budget, and its stages may stand in an included workflow."""
    (tmp_path / "pages.py").write_text(PRIVATE)
    (tmp_path / "ink.py").write_text("COLOUR = 'red'")
    (tmp_path / "later.py").write_text("DEPTH = 3")
    module = loaded(tmp_path / "pages.py", "private_pages_of_a_test.pages")

    statuses = (await done(module.pages, {"id": "a"}))["a"]

    assert statuses["pen/dip"].error is None
    assert statuses["pen/dip"].output == ["red", 3, "private_pages_of_a_test.pages"]
    assert statuses["pen/dip"].attempt == 2


async def test_a_workflow_that_is_gone_from_its_file_is_a_failed_attempt_that_says_so(tmp_path: Path):
    file = tmp_path / "pages.py"
    (tmp_path / "ink.py").write_text("COLOUR = 'red'")
    file.write_text(PRIVATE)
    module = loaded(file, "private_pages_of_another_test.pages")
    file.write_text("from . import nothing_of_that_name")
    error = (await done(module.pages, {"id": "a"}))["a"]["pen/dip"].error
    file.write_text("other = 1")
    other_error = (await done(module.pages, {"id": "a"}))["a"]["pen/dip"].error

    assert f"could not be loaded from {file} in a process of its own: ImportError: " in error
    assert f"{file} has no workflow 'pages'" in other_error


async def test_a_stage_of_a_definition_file_runs_in_a_process(tmp_path: Path):
    from treadle_tui.engine.definitions.loading import load_definition

    (tmp_path / "press.py").write_text("import os\ndef ink(item): return [item.colour, os.getpid()]\n")
    file = tmp_path / "press.toml"
    file.write_text('item = { colour = "str" }\n[stages.ink]\npython = "press:ink"\nisolation = "process"\n')

    output = (await done(load_definition(file), {"id": "a", "colour": "red"}))["a"]["ink"].output

    assert output[0] == "red"
    assert output[1] != os.getpid()


def test_a_workflow_that_cannot_be_found_again_is_refused_when_it_is_built():
    def make() -> Workflow:
        workflow = Workflow("lost")
        workflow.add_stage("a", lambda: None, isolation="process")
        return workflow

    with pytest.raises(InvalidDefinition, match="another process can find again"):
        make().build()


async def test_an_object_that_is_no_dict_crosses_by_its_fields():
    from treadle_tui.engine.runner.crossing import item_to_json

    class Thing:
        id = "a"

        def __init__(self) -> None:
            self.size = 3

    assert bytes(item_to_json(Thing())) == b'{"id":"a","size":3}'
    assert bytes(item_to_json(isolated.Page("a", 3))) == b'{"id":"a","number":3}'


async def test_no_event_says_more_than_the_failure(tmp_path: Path):
    async with working(isolated.work, {"id": "a", "do": "raise", "with": "file"}) as engine:
        await engine.run_until_idle()
        failures = await told(engine.store, StageFailed)

    assert [failure.error for failure in failures] == ["FileNotFoundError: [Errno 2] No such file or directory: '/nowhere'"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts this process's files where Linux lists them")
async def test_a_process_there_is_no_room_for_waits_until_another_has_ended():
    """With room for two at once, and five that want to begin, nothing has failed."""
    import resource

    items = [{"id": f"{number}", "do": "chatter", "with": 1} for number in range(5)]
    async with working(isolated.work, *items) as engine:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(each) for each in os.listdir("/proc/self/fd"))
        gaps = [os.open(os.devnull, os.O_RDONLY)]
        while gaps[-1] < highest:
            gaps.append(os.open(os.devnull, os.O_RDONLY))
        resource.setrlimit(resource.RLIMIT_NOFILE, (gaps[-1] + 13, before[1]))
        try:
            await engine.run_until_idle()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            for each in gaps:
                os.close(each)
        attempts = [await engine.store.get_attempts(item["id"], "do") for item in items]

    assert [[each.outcome for each in of_item] for of_item in attempts] == [["completed"]] * 5
