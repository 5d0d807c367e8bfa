"""Workflows from TOML and JSON files: what they do, and what a mistake in one is answered with."""

import asyncio
import json
import os
import random
import re
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.local_service import serving
from treadle_tui.engine.definitions import commands
from treadle_tui.engine.definitions.commands import run_command
from treadle_tui.engine.definitions.loading import load_definition
from treadle_tui.engine.definitions.placeholders import Template
from treadle_tui.engine.definitions.section import json_lines, toml_lines
from treadle_tui.engine.errors import DagCycle, DuplicateStage, InvalidDefinition, InvalidItem, StageExecutionError, StageNotFound
from treadle_tui.engine.expressions import MissingField
from treadle_tui.engine.feedback import Criterion, Feedback
from treadle_tui.engine.limits import Limit
from treadle_tui.engine.outcomes import FanOut, NeedsReview, Retry
from treadle_tui.engine.quality import Accepted, Rejected, Uncertain, Verdict, ask_all
from treadle_tui.engine.review import ReviewField
from treadle_tui.engine.stage import StageContext
from treadle_tui.engine.store.memory import MemoryStateStore
from treadle_tui.engine.workflow import Workflow

PYTHON = json.dumps(sys.executable)


class Files:
    """A folder to write definitions into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, content: str) -> Path:
        (self.folder / name).write_text(content, encoding="utf-8")
        return self.folder / name

    def toml(self, content: str, **options: Any) -> Workflow:
        return load_definition(self.write("flow.toml", content), **options)

    def json(self, content: Any, **options: Any) -> Workflow:
        return load_definition(self.write("flow.json", content if isinstance(content, str) else json.dumps(content, indent=1)), **options)

    def stage(self, table: str, before: str = "") -> Workflow:
        """A workflow of two stages: `probe`, and `work` with this table."""
        return self.toml(f"{before}\n[stages.probe]\nshell = ['true']\n[stages.work]\n{table}\n")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def context(stage: str = "work", **options: Any) -> StageContext:
    return StageContext(item_id="a", stage_name=stage, idempotency_key="key-1", **options)


async def run(workflow: Workflow, stage: str = "work", item: Any = None, **options: Any) -> Any:
    return await workflow.definition(stage).stage.execute({"id": "a"} if item is None else item, context(stage, **options))


async def judge(workflow: Workflow, output: Any, stage: str = "work", item: Any = None, **options: Any) -> Verdict | None:
    return await ask_all(workflow.definition(stage).gates, output, context(stage, **options), {"id": "a"} if item is None else item)


def python(program: str, *arguments: str) -> str:
    """A `shell` value that runs a Python program."""
    return json.dumps([sys.executable, "-c", program, *arguments])


# -- step lists --------------------------------------------------------------------------------------------------------------------

ORDERS = {
    "name": "orders",
    "steps": [
        {"id": "ship", "type": "task", "config": {"action": "ship_order", "max_retries": 2}, "depends_on": ["charge"]},
        {"id": "charge", "type": "task", "config": {"action": "charge_payment", "duration_seconds": 2.5}, "depends_on": ["validate"]},
        {"id": "validate", "type": "task", "config": {"action": "validate_order", "duration_seconds": 1, "fail_probability": 0.5}},
    ],
}


async def no_sleep(seconds: float) -> None:
    """As if the time had passed."""


def test_a_step_list_runs_as_it_stands_whatever_its_order(files):
    workflow = files.json(ORDERS)

    assert workflow.name == "orders"
    assert workflow.stages() == ["validate", "charge", "ship"]
    assert workflow.definition("ship").retry.max_attempts == 3
    assert workflow.definition("charge").retry.max_attempts == 1
    assert workflow.dependencies("ship") == ["charge"]


async def test_the_duration_passes_by_the_clock_of_the_engine(files):
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    assert await run(files.json(ORDERS), "charge", sleep=sleep) == {"step": "charge", "type": "task"}
    assert slept == [2.5]


async def test_a_step_without_engine_sleeps_for_real(files):
    workflow = files.json({"steps": [{"id": "a", "config": {"duration_seconds": 0.002}}]})
    started = time.monotonic()

    await run(workflow, "a")

    assert time.monotonic() - started >= 0.001


async def test_actions_are_called_with_item_and_context(files):
    async def charge(item, ctx):
        return {"charged": item["id"], "in": ctx.stage_name}

    workflow = files.json(ORDERS, actions={"charge_payment": charge, "ship_order": lambda item, ctx: f"shipped {item['id']}"})

    assert await run(workflow, "charge", sleep=no_sleep) == {"charged": "a", "in": "charge"}
    assert await run(workflow, "ship") == "shipped a"


async def test_a_step_fails_as_often_as_its_probability_says(files, monkeypatch):
    workflow = files.json(ORDERS)

    monkeypatch.setattr(random, "random", lambda: 0.49)
    with pytest.raises(StageExecutionError, match=r"step 'validate' failed, as its fail_probability of 0.5 asks for"):
        await run(workflow, "validate", sleep=no_sleep)
    monkeypatch.setattr(random, "random", lambda: 0.5)
    assert await run(workflow, "validate", sleep=no_sleep) == {"step": "validate", "type": "task"}


def test_steps_may_carry_keys_of_other_programs(files):
    workflow = files.json({"version": 3, "steps": [{"id": "a", "title": "A", "config": {"amount": 3}}]})

    assert workflow.name == "flow"
    assert workflow.stages() == ["a"]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"id": "a"}, {"id": "b", "depends_on": ["aa"]}], "line 8, step 'b', depends_on: no stage is called 'aa'; did you mean 'a'?"),
        ([{"type": "task"}], "line 3, step 1: has no `id`; every step needs one, a text"),
        ([{"id": 3}], "line 4, step 1, id: 3 must be a text that is not empty"),
        ([{"id": "item"}], "line 4, step 'item', id: step name='item' is reserved for a parameter"),
        ([{"id": "a", "depend_on": ["b"]}], "line 5, step 'a', depend_on: unknown key; did you mean 'depends_on'?"),
        ([{"id": "a", "config": {"max_retrys": 1}}], "line 6, step 'a', config, max_retrys: unknown key; did you mean 'max_retries'?"),
        ([{"id": "a", "config": {"max_retries": -1}}], "line 6, step 'a', config, max_retries: -1 must be a whole number, 0 or more"),
        ([{"id": "a", "config": {"max_retries": True}}], "True must be a whole number"),
        ([{"id": "a", "config": {"duration_seconds": -1}}], "step 'a', config, duration_seconds: -1 must be a number, 0 or more"),
        ([{"id": "a", "config": {"duration_seconds": "2"}}], "'2' must be a number"),
        ([{"id": "a", "config": {"fail_probability": 2}}], "config, fail_probability: 2 must be a number, between 0 and 1"),
        ([{"id": "a", "config": {"action": 3}}], "config, action: 3 must be a text that is not empty"),
        ([{"id": "a", "config": 3}], "step 'a', config: 3 must be a table"),
        ([{"id": "a", "depends_on": [3]}], r"step 'a', depends_on: \[3\] must be a list of texts"),
        ([3], "line 3, step 1: 3 is no step; a step has an `id`"),
        ({"a": 1}, "steps: must be a list of steps"),
    ],
)
def test_a_mistake_in_a_step_names_file_line_step_and_field(files, steps, message):
    error = StageNotFound if "no stage" in message else InvalidDefinition

    with pytest.raises(error, match=rf"flow\.json, .*{message}"):
        files.json({"steps": steps})


def test_two_steps_of_one_id_and_circles_name_the_file(files):
    with pytest.raises(DuplicateStage, match=r"flow.json, line 7, step 'a', id: workflow 'flow' already has a stage 'a'"):
        files.json({"steps": [{"id": "a"}, {"id": "a"}]})
    with pytest.raises(DagCycle, match=r"flow.json, line 5, step 'a', depends_on: the stages .* in a circle: a → b → a") as caught:
        files.json({"steps": [{"id": "a", "depends_on": "b"}, {"id": "b", "depends_on": ["a"]}]})
    assert caught.value.cycle == ["a", "b"]


def test_impossible_actions_are_refused(files):
    with pytest.raises(InvalidDefinition, match=r"actions=\{'a': 3\} must map names to callables of \(item, ctx\)"):
        files.json(ORDERS, actions={"a": 3})


# -- the documented example --------------------------------------------------------------------------------------------------------

THUMBNAILS = r"""
name = "thumbnails"
item = { path = "str" }
source = { glob = "*.jpg" }
[stages.probe]
shell = ["identify", "-format", "{\"width\":%w,\"height\":%h}", "{item.path}"]
output = "json"
gate = { width = ">= 600", height = "> 0" }
[stages.resize]
after = ["probe"]
for_each = ["small", "large"]
shell = ["convert", "{item.path}", "-resize", "{subtask}", "out/{item.id}-{subtask}.jpg"]
retry = { max_attempts = 3, delay = 1.0, attempt_timeout = 30.0, on_exhausted = "escalate" }
[stages.publish]
after = ["resize"]
http = { method = "POST", url = "https://example.org/{item.id}", json = { width = "{probe.width}" } }
review = { when = "always", group = "editors", reasons = ["too dark", "cut off"], expires_after = 172800, on_expiry = "escalate" }
"""


def test_the_documented_example_loads(files):
    workflow = files.toml(THUMBNAILS)

    probe, resize, publish = workflow.definitions().values()
    assert workflow.name == "thumbnails"
    assert workflow.stages() == ["probe", "resize", "publish"]
    assert [gate.name for gate in probe.gates] == ["comparisons"]
    assert resize.each is not None
    assert resize.each.retry.max_attempts == resize.retry.max_attempts == 3
    assert resize.retry.on_exhausted == "escalate"
    assert publish.depends_on == ("resize", "probe")
    assert (publish.review.when, publish.review.group, list(publish.review.reasons)) == ("always", "editors", ["too dark", "cut off"])
    assert (publish.review.expires_after, publish.review.on_expiry) == (172800, "escalate")
    assert workflow.origin.file == str(files.folder / "flow.toml")
    assert workflow.origin.module is None


def test_json_may_have_the_structure_of_toml(files):
    import tomllib

    from_json = files.json(tomllib.loads(THUMBNAILS))

    assert from_json.fingerprint == files.toml(THUMBNAILS).fingerprint


# -- items and sources -------------------------------------------------------------------------------------------------------------

STAGES = "\n[stages.probe]\nshell = ['true']\n"


async def items(workflow: Workflow, *arguments: str) -> list[tuple[str, Any]]:
    found = workflow.items_from(*arguments)
    listed = [item async for item in found] if hasattr(found, "__aiter__") else list(found)
    encoded = [workflow.item_type.encode(item) for item in listed]
    return [(item_id, workflow.item_type.decode(data)) for item_id, data in encoded]


async def test_declared_fields_are_checked_and_found_by_name(files):
    workflow = files.toml('item = { path = "str", pages = "int", id = "str", more = "list" }' + STAGES)

    item_id, stored = workflow.item_type.encode({"id": "a", "path": "x", "pages": 3, "more": [1]})
    item = workflow.item_type.decode(stored)

    assert (item_id, item.path, item.pages, item.more) == ("a", "x", 3, [1])
    with pytest.raises(InvalidItem, match=r"item 'a' is no Item: Expected `int`, got `str`"):
        workflow.item_type.encode({"id": "a", "path": "x", "pages": "many", "more": []})


async def test_glob_finds_files_below_a_folder_in_order(files, monkeypatch):
    for name in ("b.jpg", "a.jpg", "c.png"):
        files.write(name, "")
    (files.folder / "sub").mkdir()
    (files.folder / "sub" / "d.jpg").write_text("")
    workflow = files.toml('item = { path = "str" }\nsource = { glob = "*.jpg" }' + STAGES)

    found = await items(workflow, str(files.folder))
    assert [item_id for item_id, _ in found] == ["a", "b"]
    assert found[0][1].path == str(files.folder / "a.jpg")
    monkeypatch.chdir(files.folder)
    assert [item_id for item_id, _ in await items(workflow)] == ["a", "b"]
    deep = files.toml('source = { glob = "{argument}/**/*.jpg" }' + STAGES)
    assert await items(deep, str(files.folder)) == [
        (item_id, {"id": item_id, "path": str(files.folder / f"{item_id}.jpg")}) for item_id in ("a", "b", "sub/d")
    ]


async def test_glob_says_what_is_wrong(files):
    for name in ("a.jpg", "a.png"):
        files.write(name, "")
    workflow = files.toml('source = { glob = "a.*" }' + STAGES)

    message = "two files would both be item 'a': a.jpg and a.png; narrow the pattern 'a.*'"
    with pytest.raises(InvalidItem, match=re.escape(message)):
        await items(workflow, str(files.folder))
    with pytest.raises(InvalidItem, match=r"folder '/no/such' does not exist; give one that does"):
        await items(workflow, "/no/such")
    with pytest.raises(InvalidItem, match=r"the source is glob\(argument: str = .\), and was given 2 arguments"):
        await items(workflow, "a", "b")
    with pytest.raises(InvalidItem, match=r"pattern '/x' cannot be searched for"):
        await items(files.toml('source = { glob = "/x" }' + STAGES), ".")


async def test_lines_become_ids_and_fill_the_one_field(files):
    file = files.write("urls.txt", "http://a\n\n  http://b  \n")
    by_argument = files.toml('item = { url = "str" }\nsource = { lines = "{argument}" }' + STAGES)
    fixed = files.toml(f"source = {{ lines = {json.dumps(str(file))} }}" + STAGES)

    assert [(item_id, item.url) for item_id, item in await items(by_argument, str(file))] == [
        ("http://a", "http://a"),
        ("http://b", "http://b"),
    ]
    assert await items(fixed) == [("http://a", {"id": "http://a"}), ("http://b", {"id": "http://b"})]
    with pytest.raises(InvalidItem, match=r"file '/no/such' cannot be read: No such file or directory"):
        await items(by_argument, "/no/such")


async def test_json_lines_become_items(files):
    file = files.write("items.jsonl", '{"id": "a", "n": 1}\n\n{"id": "b"}\n')
    workflow = files.toml('source = { jsonl = "{argument}" }' + STAGES)

    assert await items(workflow, str(file)) == [("a", {"id": "a", "n": 1}), ("b", {"id": "b"})]
    files.write("items.jsonl", '{"id": "a"}\nnonsense\n')
    with pytest.raises(InvalidItem, match=r"items.jsonl, line 2: no JSON: JSON is malformed"):
        await items(workflow, str(file))
    files.write("items.jsonl", "[1]\n")
    with pytest.raises(InvalidItem, match=r"line 1: a work item is a JSON object with an `id`, not '\[1\]'"):
        await items(workflow, str(file))


async def test_a_command_prints_items(files):
    program = 'import sys; print(sys.argv[1]); print(\'{"id": "j", "n": 1}\')'
    workflow = files.toml(f"source = {{ command = {python(program, '{argument}')} }}" + STAGES)

    assert await items(workflow, "x y") == [("x y", {"id": "x y"}), ("j", {"id": "j", "n": 1})]
    fixed = files.toml(f"source = {{ command = {python('print(3)')} }}" + STAGES)
    assert await items(fixed) == [("3", {"id": "3"})]
    no_luck = python("import sys; sys.exit('no luck')")
    failing = files.toml(f"source = {{ command = {no_luck} }}" + STAGES)
    with pytest.raises(InvalidItem, match=r"the source failed: command .* exited with 1: no luck"):
        await items(failing)


async def test_a_command_that_prints_too_many_items_is_refused(files, monkeypatch):
    monkeypatch.setattr(commands, "MAX_OUTPUT_BYTES", 10)
    fifty = python("print('x' * 50)")
    workflow = files.toml(f"source = {{ command = {fifty} }}" + STAGES)

    with pytest.raises(InvalidItem, match=r"printed 41 bytes more than is read"):
        await items(workflow)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('item = { path = "string" }', "line 1, item, path: 'string' is no type of a field; did you mean 'str'?"),
        ('item = { "a b" = "str" }', "item, a b: a field's name consists of letters, digits and underscores"),
        ('item = { class = "str" }', "item, class: a field's name consists of"),
        ('item = { id = "int" }', "item, id: the id of a work item is always a str"),
        ("item = 3", "line 1, item: 3 must be a table"),
        ("source = { globb = '*' }", "line 1, source, globb: unknown key; did you mean 'glob'?"),
        ("source = { }", "source: give one of glob, lines, jsonl, command; there is none"),
        ("source = { glob = '*', lines = 'x' }", "source: give one of glob, lines, jsonl, command; there are glob, lines"),
        ("source = { glob = 3 }", "source, glob: 3 must be a text that is not empty"),
        ("source = { glob = '{folder}/*' }", r"source, glob: \{folder\}: nothing is called 'folder'; known: argument"),
        ("source = { command = 'find' }", "source, command: 'find' must be a list of a program and its arguments; no shell is started"),
        ("item = { a = 'str', b = 'str' }\nsource = { lines = 'x' }", "line 2, source, lines: a line fills `id` and one field more, but"),
        ("item = { a = 'str' }\nsource = { glob = '*' }", "source, glob: gives items `id` and path, but they have `id` and a"),
        ("item = { }\nsource = { glob = '*' }", "gives items `id` and path, but they have `id` and nothing"),
    ],
)
def test_mistakes_in_item_and_source_name_line_and_field(files, content, message):
    with pytest.raises(InvalidDefinition, match=rf"flow\.toml, .*{message}"):
        files.toml(content + STAGES)


# -- programs ----------------------------------------------------------------------------------------------------------------------


async def test_placeholders_are_filled_in_within_one_argument(files):
    arguments = [
        "{item.id}",
        "{item.deep.n}",
        "{subtask}",
        "{probe}",
        "{probe.w.0}",
        "{feedback}",
        "{attempt}",
        "$HOME; rm *",
        '{"a":%w}',
        "{{item}}",
    ]
    workflow = files.stage(
        "for_each = ['s m']\nshell = "
        + python("import sys, json; print(json.dumps(sys.argv[1:]))", *arguments)
        + "\noutput = 'json'\nafter = ['probe']"
    )
    each = workflow.definition("work").each
    assert each is not None

    printed = await each.stage.execute(
        {"id": "a b", "deep": {"n": 1.5}},
        context(subtask="s m", upstream={"probe": {"w": [True]}}, feedback=Feedback("too dark"), attempt=2),
    )

    assert printed == ["a b", "1.5", "s m", '{"w":[true]}', "true", "too dark", "2", "$HOME; rm *", '{"a":%w}', "{item}"]


async def test_without_feedback_its_placeholders_are_empty(files):
    workflow = files.stage("shell = " + python("import sys; print(sys.argv[1:])", "{feedback}", "{feedback.guidance}", "{probe}"))

    assert await run(workflow, upstream={"probe": None}) == "['', '', '']"


async def test_a_placeholder_that_finds_nothing_fails_the_attempt(files):
    workflow = files.stage("shell = ['echo', '{probe.width}']")

    with pytest.raises(MissingField, match=r"there is no 'probe.width'; there is: height"):
        await run(workflow, upstream={"probe": {"height": 1}})
    with pytest.raises(MissingField, match=r"there is no 'probe.width'; probe is null"):
        await run(workflow, upstream={"probe": None})


@pytest.mark.parametrize(
    ("output", "printed", "expected"),
    [
        ("text", "a\n\nb\n\n", "a\n\nb"),
        ("lines", "a\nb\n", ["a", "b"]),
        ("json", '{"a": [1]}', {"a": [1]}),
        ("json", "", None),
        ("lines", "", []),
    ],
)
async def test_what_a_program_prints_is_its_output(files, output, printed, expected):
    workflow = files.stage(f'output = "{output}"\nshell = {python(f"import sys; sys.stdout.write({printed!r})")}')

    assert await run(workflow) == expected


async def test_a_program_that_fails_fails_the_attempt_with_its_last_words(files):
    workflow = files.stage("shell = " + python("import sys; print('x' * 100000, file=sys.stderr); sys.exit('no picture')"))

    with pytest.raises(StageExecutionError, match=r"(?s)command '.*' exited with 1: .*no picture$") as caught:
        await run(workflow)
    assert len(str(caught.value)) < 5000
    assert caught.value.stage == "work"


async def test_a_program_ended_by_a_signal_says_which(files):
    workflow = files.stage("shell = " + python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))

    with pytest.raises(StageExecutionError, match=r"was ended by SIGKILL"):
        await run(workflow)
    assert commands._signal_name(250) == "signal 250"


async def test_a_missing_program_is_named(files):
    with pytest.raises(StageExecutionError, match=r"command 'no-such-program' was not found; install it, or give its full path"):
        await run(files.stage("shell = ['no-such-program']"))
    file = files.write("plain.txt", "")
    with pytest.raises(StageExecutionError, match=r"plain.txt' could not be started: Permission denied"):
        await run(files.stage(f"shell = [{json.dumps(str(file))}]"))
    with pytest.raises(StageExecutionError, match=r"command 'echo' could not be started: embedded null byte"):
        await run(files.stage("shell = ['echo', '{item.id}']"), item={"id": "a\0b"})


async def test_what_is_no_json_is_refused_with_its_beginning(files):
    workflow = files.stage("output = 'json'\nshell = ['echo', 'hello there']")
    with pytest.raises(StageExecutionError, match=r"command 'echo' gave no JSON: .*; it begins with 'hello there'"):
        await run(workflow)
    with pytest.raises(StageExecutionError, match=r"gave no JSON: NaN is no JSON number"):
        await run(files.stage("output = 'json'\nshell = ['echo', 'NaN']"))
    with pytest.raises(StageExecutionError, match=r"gave JSON that is nested too deeply"):
        await run(files.stage("output = 'json'\nshell = " + python("print('[' * 200000)")))


async def test_binary_output_is_tolerated(files):
    workflow = files.stage("shell = " + python("import sys; sys.stdout.buffer.write(bytes(range(256)))"))

    output = await run(workflow)

    assert output.startswith("\0\x01")
    assert "\ufffd" in output
    output.encode()


async def test_giant_output_is_capped(files, monkeypatch):
    monkeypatch.setattr(commands, "MAX_OUTPUT_BYTES", 1000)
    program = python("print('x' * 5000, end='')")

    assert await run(files.stage(f"shell = {program}")) == "x" * 1000 + "\n… 4000 bytes more were left out"
    with pytest.raises(StageExecutionError, match=r"printed 4000 bytes more than is read as JSON"):
        await run(files.stage(f"shell = {program}\noutput = 'json'"))


async def test_a_program_that_never_stops_printing_is_ended(files, monkeypatch):
    monkeypatch.setattr(commands, "MAX_DISK_BYTES", 100_000)
    monkeypatch.setattr(commands, "_WATCH_SECONDS", 0.001)
    workflow = files.stage("shell = " + python("while True: print('x' * 10000)"))

    with pytest.raises(StageExecutionError, match=r"printed more than 100000 bytes and was ended"):
        await run(workflow)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z" if Path("/proc").exists() else True
    except (ProcessLookupError, FileNotFoundError):  # it may go between the two questions
        return False


async def eventually(question: Any) -> bool:
    for _ in range(400):
        if question():
            return True
        await asyncio.sleep(0.005)
    return False


@pytest.mark.parametrize("is_stubborn", [False, True])
async def test_cancelling_ends_the_whole_process_group(files, is_stubborn, monkeypatch):
    monkeypatch.setattr(commands, "GRACE_SECONDS", 0.05)
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " if is_stubborn else ""
    told = files.folder / "pids"
    child = f"{ignore}import time; time.sleep(60)"
    parent = (
        f"{ignore}import subprocess, sys, os, pathlib;"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}]);"
        f"pathlib.Path({str(told) + '.part'!r}).write_text(f'{{os.getpid()}} {{child.pid}}');"
        f"os.rename({str(told) + '.part'!r}, {str(told)!r}); child.wait()"
    )
    task = asyncio.create_task(run_command([sys.executable, "-c", parent]))
    assert await eventually(told.exists)
    processes = [int(number) for number in told.read_text().split()]

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await eventually(lambda: not any(is_alive(process) for process in processes))


async def test_a_program_that_leaves_children_behind_is_not_waited_for():
    program = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print('done')"
    started = time.monotonic()

    result = await run_command([sys.executable, "-c", program])

    assert result.text == "done\n"
    assert time.monotonic() - started < 30


async def test_a_command_called_off_before_it_began_never_begins(monkeypatch):
    run = commands._Run(["no-such-program"], "work", b"")
    run.end(15)

    with pytest.raises(StageExecutionError, match=r"command 'no-such-program' was called off before it began"):
        run.to_the_end()


# -- subtasks ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("for_each", "names"),
    [("['small', 'large']", ["small", "large"]), ("['{item.id}-x', 3]", ["a-x", "3"]), ("'{probe.sizes}'", ["s", "7"]), ("[]", [])],
)
async def test_subtasks_are_listed_or_found_in_an_output(files, for_each, names):
    workflow = files.stage(f"for_each = {for_each}\nshell = ['echo', '{{subtask}}']")

    outcome = await run(workflow, upstream={"probe": {"sizes": ["s", 7]}})

    assert isinstance(outcome, FanOut)
    assert list(outcome.subtasks) == names


async def test_an_output_that_is_no_list_of_subtasks_fails_the_attempt(files):
    workflow = files.stage("for_each = '{probe.sizes}'\nshell = ['echo', '{subtask}']")

    with pytest.raises(StageExecutionError, match=r"for_each = '\{probe.sizes\}' must name a list of texts; it is '3'"):
        await run(workflow, upstream={"probe": {"sizes": 3}})


# -- python ------------------------------------------------------------------------------------------------------------------------

MODULE = """
from treadle_tui.engine.quality import Accepted, Rejected
def double(item, probe):
    return [probe, probe]
async def each(subtask, ctx):
    return subtask + ctx.stage_name
def judge(output):
    return Accepted() if output else Rejected("nothing")
number = 3
"""


@pytest.fixture
def module(files: Files) -> Iterator[None]:
    files.write("beside_the_file.py", MODULE)
    files.write("broken_beside_the_file.py", "1 / 0")
    files.write("importing_beside_the_file.py", "import no_such_module_at_all")
    yield
    for name in ("beside_the_file", "broken_beside_the_file", "importing_beside_the_file"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("module")
async def test_python_functions_are_stages_subtasks_and_gates(files):
    plain = files.stage("python = 'beside_the_file:double'\ngate = { python = 'beside_the_file:judge' }")
    each = files.stage("python = 'beside_the_file:each'\nfor_each = ['x']").definition("work").each
    assert each is not None

    assert plain.dependencies("work") == ["probe"]
    assert await run(plain, upstream={"probe": 2}) == [2, 2]
    assert await judge(plain, []) == Rejected(Feedback("nothing"))
    assert await each.stage.execute({}, context(subtask="x")) == "xwork"
    assert str(files.folder) not in sys.path


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("beside_the_file:dubble", "line 5, stage 'work', python: 'beside_the_file' has no 'dubble'; did you mean 'double'?"),
        ("beside_the_file:number", "python: 'beside_the_file:number' is of type int, not a function"),
        ("beside_the_file:number.x", "python: 'beside_the_file' has no 'x'"),
        ("no_such_module_at_all:x", "python: module 'no_such_module_at_all' was not found; install it, or put it beside this file"),
        ("importing_beside_the_file:x", "module 'importing_beside_the_file' cannot be imported: No module named 'no_such_module_at_all'"),
        ("broken_beside_the_file:x", "module 'broken_beside_the_file' cannot be imported: ZeroDivisionError: division by zero"),
        ("no colon", "python: 'no colon' must be written 'module:function'"),
        ("a:b:c", "must be written 'module:function'"),
    ],
)
def test_a_python_function_that_is_not_there_is_named(files, reference, message):
    with pytest.raises(InvalidDefinition, match=rf"flow\.toml, .*{message}"):
        files.stage(f"python = {reference!r}")


@pytest.mark.usefixtures("module")
def test_parameters_of_a_python_stage_must_be_stages(files):
    with pytest.raises(StageNotFound, match=r"flow.toml: stage 'work', parameter 'probe': no stage is called 'probe'; there are none"):
        files.toml("[stages.work]\npython = 'beside_the_file:double'")


# -- http --------------------------------------------------------------------------------------------------------------------------


class Answering(BaseHTTPRequestHandler):
    """Answers by the path, and remembers what it was sent."""

    seen: list[dict[str, Any]]

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.seen.append({"method": self.command, "path": self.path, "body": body, "headers": dict(self.headers)})
        status, kind, content, more = {
            "/json": (200, "application/json", '{"ok": [1]}', {}),
            "/problem": (200, "application/vnd.x+json", "{}", {}),
            "/nothing": (200, "application/json", "", {}),
            "/latin": (200, "text/plain; charset=latin-1", "gr\xfcn", {}),
            "/odd": (200, "text/plain; charset=no-such", "text", {}),
            "/later": (503, "text/plain", "busy", {"Retry-After": "7"}),
            "/busy": (503, "text/plain", "busy", {}),
            "/big": (200, "text/plain", "x" * 50, {}),
        }.get(self.path.partition("?")[0], (404, "text/plain", "not here", {}))
        content_bytes = content.encode("latin-1")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content_bytes)))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content_bytes)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Answering.seen = []
    with serving(Answering) as address:
        yield address


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


async def test_a_request_carries_json_with_its_types_and_the_idempotency_key(files, server):
    workflow = files.stage(
        f'http = {{ url = "{server}/json?id={{item.id}}", json = {{ w = "{{probe.w}}", t = "w{{probe.w}}", l = ["{{attempt}}", 3] }},'
        ' headers = { X-Item = "{item.id}" } }'
    )

    assert await run(workflow, item={"id": "a/b c&d"}, upstream={"probe": {"w": 640}}) == {"ok": [1]}

    seen = Answering.seen[0]
    assert (seen["method"], seen["path"]) == ("POST", "/json?id=a%2Fb%20c%26d")
    assert json.loads(seen["body"]) == {"w": 640, "t": "w640", "l": [1, 3]}
    assert seen["headers"]["Idempotency-Key"] == "key-1"
    assert seen["headers"]["X-Item"] == "a/b c&d"
    assert seen["headers"]["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "output", "expected"),
    [
        ("json", "", {"ok": [1]}),
        ("json", "text", '{"ok": [1]}'),
        ("problem", "", {}),
        ("nothing", "", None),
        ("latin", "", "grün"),
        ("odd", "", "text"),
        ("latin", "lines", ["grün"]),
    ],
)
async def test_an_answer_is_read_as_the_server_or_the_file_says(files, server, path, output, expected):
    workflow = files.stage(f'http = {{ url = "{server}/{path}" }}' + (f'\noutput = "{output}"' if output else ""))

    assert await run(workflow) == expected
    assert Answering.seen[0]["method"] == "GET"
    assert "Idempotency-Key" not in Answering.seen[0]["headers"]


async def test_a_bad_status_fails_the_attempt_with_what_was_answered(files, server):
    with pytest.raises(StageExecutionError, match=f"GET {server}/gone answered 404 Not Found: not here"):
        await run(files.stage(f'http = {{ url = "{server}/gone" }}'))
    with pytest.raises(StageExecutionError, match=r"answered 503 Service Unavailable: busy"):
        await run(files.stage(f'http = {{ url = "{server}/busy" }}'))


async def test_a_server_that_says_when_to_come_again_is_obeyed(files, server):
    outcome = await run(files.stage(f'http = {{ url = "{server}/later" }}'))

    assert outcome == Retry(f"GET {server}/later answered 503 Service Unavailable: busy", after=7.0)


async def test_no_answer_at_all_is_one_sentence(files, monkeypatch, server):
    with pytest.raises(StageExecutionError, match=r"GET http://127.0.0.1:1/ had no answer: .*refused"):
        await run(files.stage('http = { url = "http://127.0.0.1:1/" }'))
    with pytest.raises(StageExecutionError, match=r"url 'file:///etc/passwd' must begin with http:// or https://"):
        await run(files.stage('http = { url = "{item.url}" }'), item={"id": "a", "url": "file:///etc/passwd"})
    monkeypatch.setattr("treadle_tui.engine.definitions.http_calls.MAX_RESPONSE_BYTES", 10)
    with pytest.raises(StageExecutionError, match=r"answered with more than 10 bytes"):
        await run(files.stage(f'http = {{ url = "{server}/big" }}'))


def test_the_timeout_of_the_budget_is_that_of_the_request(files):
    workflow = files.stage('http = { url = "http://x" }\nretry = { attempt_timeout = 3.5 }')

    assert workflow.definition("work").retry.attempt_timeout == 3.5


# -- gates -------------------------------------------------------------------------------------------------------------------------


async def test_comparisons_accept_reject_with_criteria_or_doubt(files):
    workflow = files.stage("shell = ['true']\ngate = { width = '>= 600', size.height = '> 0', kind = 'in [\"jpg\"]' }")

    assert await judge(workflow, {"width": 600, "size": {"height": 1}, "kind": "jpg"}) == Accepted()
    assert await judge(workflow, {"width": 320, "size": {"height": 1}, "kind": "gif"}) == Rejected(
        Feedback(
            'width is 320, expected >= 600; kind is gif, expected in ["jpg"]',
            [
                Criterion("width", ">= 600", "320", False),
                Criterion("size.height", "> 0", "1", True),
                Criterion("kind", 'in ["jpg"]', "gif", False),
            ],
        )
    )
    assert await judge(workflow, {"width": 600, "kind": "jpg"}) == Uncertain("size.height: there is no 'size'; there is: width, kind")
    assert isinstance(await judge(workflow, {"width": 1}), Rejected)
    assert isinstance(await judge(workflow, "text"), Uncertain)
    assert isinstance(await judge(workflow, {"width": "wide", "size": {"height": 1}, "kind": "jpg"}), Uncertain)


@pytest.mark.parametrize(
    ("expected", "good", "bad"),
    [("600", 600, 601), ("true", True, 1), ("false", False, None), ("[1]", [1], []), ("1.5", 1.5, 1), ("'== null'", None, 3)],
)
async def test_a_value_that_is_no_text_must_be_equal(files, expected, good, bad):
    workflow = files.stage(f"shell = ['true']\ngate = {{ x = {expected} }}")

    assert await judge(workflow, {"x": good}) == Accepted()
    assert isinstance(await judge(workflow, {"x": bad}), Rejected)


async def test_a_list_in_the_output_is_reached_by_position(files):
    workflow = files.stage("shell = ['true']\ngate = { 'sizes.1' = '> 1' }")

    assert await judge(workflow, {"sizes": [0, 2]}) == Accepted()


async def test_a_command_gate_sees_the_output_and_accepts_with_zero(files):
    program = "import sys, json; data = json.load(sys.stdin); print('looked'); sys.exit(0 if data['n'] == int(sys.argv[1]) else 'wrong')"
    workflow = files.stage(f"shell = ['true']\ngate = {{ command = {python(program, '{output.n}')} }}")
    strict = files.stage(f"shell = ['true']\ngate = {{ command = {python(program, '{item.n}')}, n = '< 9' }}")

    assert await judge(workflow, {"n": 3}) == Accepted()
    verdict = await judge(strict, {"n": 3}, item={"id": "a", "n": 4})
    assert isinstance(verdict, Rejected)
    assert re.search("command .* exited with 1: wrong", verdict.feedback.summary)
    assert verdict.feedback.guidance == {"output": "looked"}
    assert (verdict.feedback.criteria[0].expected, verdict.feedback.criteria[0].actual) == ("exit 0", "exit 1")
    assert isinstance(await judge(strict, {"n": 9}, item={"id": "a", "n": 9}), Rejected)


async def test_a_gate_program_that_cannot_start_is_uncertain(files):
    verdict = await judge(files.stage("shell = ['true']\ngate = { command = ['no-such-program'] }"), 1)

    assert isinstance(verdict, Uncertain)
    assert "was not found" in verdict.reason


async def test_fields_called_command_and_python_can_be_compared(files):
    workflow = files.stage("shell = ['true']\ngate = { command = '== \"x\"', python = '> 2' }")

    assert await judge(workflow, {"command": "x", "python": 3}) == Accepted()


# -- reviews -----------------------------------------------------------------------------------------------------------------------

FIELDS = "review = { when = 'always', fields = [{ name = 'title', required = true }, { name = 'size', kind = 'choice', choices = ['s'] }] }"


async def test_a_review_may_ask_questions(files):
    outcome = await run(files.stage(f"shell = ['echo', 'x']\n{FIELDS}"))

    assert isinstance(outcome, NeedsReview)
    assert outcome.output == "x"
    assert outcome.data is not None
    assert outcome.data.summary == "work of a"
    assert outcome.data.fields == [ReviewField("title", required=True), ReviewField("size", "choice", choices=["s"])]


async def test_a_review_of_a_fan_out_asks_at_the_end(files):
    reduce = files.stage(f"for_each = ['x']\nshell = ['echo', 'x']\n{FIELDS}").definition("work").reduce
    assert reduce is not None

    outcome = await reduce.bind({"results": {"x": 1}, "ctx": context()})()

    assert isinstance(outcome, NeedsReview)
    assert outcome.output == {"x": 1}


# -- everything else that can be said, and said wrongly ----------------------------------------------------------------------------


def test_the_other_options_of_a_stage(files):
    workflow = files.stage(
        "shell = ['true']\nconcurrency = 2\ntags = ['web']\nwas = 'old'\nsecrets = ['token']\nisolation = 'process'",
        before="[limits]\nweb = { concurrency = 3, rate = 0.5 }",
    )

    definition = workflow.definition("work")
    assert (definition.concurrency, definition.tags, definition.was, definition.secrets) == (2, ("web",), ("old",), ("token",))
    assert definition.isolation == "process"
    assert dict(workflow.limits) == {"web": Limit(3, 0.5)}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("conurrency = 3\nshell = ['x']", "line 5, stage 'work', conurrency: unknown key; did you mean 'concurrency'?"),
        ("", "line 4, stage 'work': give one of shell, http, python; there is none"),
        ("shell = ['x']\npython = 'a:b'", "stage 'work': give one of shell, http, python; there are shell and python"),
        ("shell = 'ls -l'", "line 5, stage 'work', shell: 'ls -l' must be a list of a program and its arguments; no shell is started"),
        ("shell = []", r"shell: \[\] must be a list"),
        ("shell = ['x', 3]", "shell: .* must be a list"),
        ("shell = ['x']\nafter = ['prob']", "line 6, stage 'work', after: no stage is called 'prob'; did you mean 'probe'?"),
        ("shell = ['x']\nafter = [3]", r"stage 'work', after: \[3\] must be a list of texts"),
        ("shell = ['{porbe.x}']", r"line 5, stage 'work', shell: \{porbe.x\}: nothing is called 'porbe'; did you mean 'probe'\?"),
        ("shell = ['{print}']", r"\{print\}: nothing is called 'print'; .* \(for the text itself write \{\{print\}\}\)"),
        ("shell = ['{subtask}']", r"stage 'work', shell: \{subtask\} needs `for_each`, a list of subtasks"),
        ("shell = ['{work.x}']", "nothing is called 'work'"),
        ("shell = ['x']\noutput = 'xml'", "line 6, stage 'work', output: 'xml' is unknown; known: text, json, lines"),
        ("python = 'os:getcwd'\noutput = 'text'", "output: only what shell prints and http answers is read as text, json or lines"),
        ("shell = ['x']\nfor_each = 3", "line 6, stage 'work', for_each: 3 must be a list of texts, or name one"),
        ("shell = ['x']\nfor_each = 'small'", "for_each: 'small' must be a list of texts, or name one"),
        ("shell = ['x']\nfor_each = [true]", r"for_each: \[True\] must be a list of texts"),
        ("shell = ['x']\nconcurrency = 0", "concurrency: 0 must be a whole number, 1 or more"),
        (
            "shell = ['x']\nretry = { max_attempts = 0 }",
            "line 6, stage 'work', retry, max_attempts: retry budget: max_attempts=0 must be a whole number",
        ),
        ("shell = ['x']\nretry = { attempts = 0 }", "stage 'work', retry, attempts: unknown key; did you mean 'max_attempts'?"),
        (
            "shell = ['x']\nretry = { max_delay = 'x' }",
            "line 6, stage 'work', retry, max_delay: retry budget: max_delay='x' must be a number of",
        ),
        ("shell = ['x']\nretry = 3", "line 6, stage 'work', retry: 3 must be a table"),
        (
            "shell = ['x']\nreview = { when = 'allways' }",
            "line 6, stage 'work', review, when: review policy: when='allways' is unknown; did you",
        ),
        ("shell = ['x']\nreview = { }", "stage 'work', review, when: is missing; say when a person is asked, such as 'always'"),
        ("shell = ['x']\nreview = { when = 'always', gruop = 'x' }", "review, gruop: unknown key; did you mean 'group'?"),
        ("shell = ['x']\nreview = { when = 'always', fields = 3 }", "review, fields: must be a list of tables, each with a `name`"),
        ("shell = ['x']\nreview = { when = 'always', fields = [{}] }", "review, fields: a field without `name`"),
        (
            "shell = ['x']\nreview = { when = 'always', fields = [{ name = 'a', kind = 'x' }] }",
            "fields: review field 'a': kind 'x' is unknown",
        ),
        ("shell = ['x']\nreview = { when = 'always', fields = [{ nam = 'a' }] }", "fields, nam: unknown key; did you mean 'name'?"),
        ("shell = ['x']\nreview = { when = 'never', fields = [{ name = 'a' }] }", "fields: a form needs when = 'always', not 'never'"),
        (
            f"python = 'os:getcwd'\n{FIELDS}",
            "line 6, stage 'work', review: `fields` are for shell and http; a Python stage returns NeedsRev",
        ),
        ("shell = ['x']\ngate = { }", "stage 'work', gate: is empty; give comparisons on fields of the output, `command` or `python`"),
        ("shell = ['x']\ngate = { width = 'wide' }", "line 6, stage 'work', gate, width: 'wide' is no comparison; it begins with an"),
        ("shell = ['x']\ngate = { width = '>= foo()' }", "gate, width: condition '>= foo\\(\\)', character 4: calling something is not"),
        ("shell = ['x']\ngate = { command = [] }", r"gate, command: \[\] must be a list of a program and its arguments"),
        (
            "shell = ['x']\ngate = { command = ['{outptu}'] }",
            r"stage 'work', gate: \{outptu\}: nothing is called 'outptu'; did you mean 'output'",
        ),
        ("http = { }", "stage 'work', http, url: is missing; give an address that begins with http:// or https://"),
        ("http = { url = 'ftp://x' }", "stage 'work', http, url: 'ftp://x' must begin with http:// or https://"),
        ("http = { url = 'http://x', method = 'PSOT' }", "http, method: 'PSOT' is unknown; did you mean 'POST'?"),
        ("http = { url = 'http://x', boddy = 3 }", "stage 'work', http, boddy: unknown key"),
        ("isolation = 'thread'\nshell = ['x']", "line 5, stage 'work', isolation: 'thread' is unknown; the only one is 'process'"),
    ],
)
def test_a_mistake_in_a_stage_names_file_line_stage_and_field(files, table, message):
    error = StageNotFound if "no stage is called" in message else InvalidDefinition

    with pytest.raises(error, match=rf"flow\.toml.*{message}"):
        files.stage(table)


def test_item_fields_in_placeholders_are_checked(files):
    with pytest.raises(InvalidDefinition, match=r"stage 'work', shell: \{item.pth\}: items have no field 'pth'; did you mean 'path'\?"):
        files.stage("shell = ['{item.pth}', '{item.id}']", before="item = { path = 'str' }")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nmae = 'x'", "line 1, nmae: unknown key; did you mean 'name'?"),
        ("name = 3", "line 1, name: 3 must be a text that is not empty"),
        ("name = 'x'", r"flow.toml: has no stages; give at least one table \[stages.name\], or a list `steps`"),
        ("stages = 3", "line 1, stages: 3 must be a table"),
        ("[stages]\nwork = 3", "line 2, stages, work: 3 must be a table"),
        ("[stages.'a/b']\nshell = ['x']", "line 1, stage 'a/b': stage name='a/b' must not contain '/'"),
        ("[limits]\nweb = { rate = 0 }\n[stages.a]\nshell = ['x']", "line 2, limit 'web': limit: rate=0 must be a number"),
        ("[limits]\nweb = { rats = 0 }\n[stages.a]\nshell = ['x']", "line 2, limit 'web', rats: unknown key; did you mean 'rate'?"),
        ("a = = 3", "flow.toml, line 1: no TOML: Invalid value"),
    ],
)
def test_a_mistake_in_the_file_is_named(files, content, message):
    with pytest.raises(InvalidDefinition, match=message):
        files.toml(content)


def test_circles_and_defaults(files):
    with pytest.raises(DagCycle, match=r"flow\.toml, line 2, stage 'probe', after: the stages .* in a circle: probe → work"):
        files.toml("[stages.probe]\nafter = 'work'\nshell = ['x']\n[stages.work]\nafter = 'probe'\nshell = ['x']")
    assert files.toml(STAGES).name == "flow"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("flow.yaml", b"", "flow.yaml: a definition is a .toml or .json file, not '.yaml'"),
        ("flow", b"", "flow: a definition is a .toml or .json file, not 'one without a suffix'"),
        ("flow.json", b"{", "flow.json, line 1: no JSON: Expecting property name"),
        ("flow.json", b"[1]", "flow.json: a definition is a table with `name` and `stages` or `steps`, not a list"),
        ("flow.json", b'{"a": 1, "a": 2}', "flow.json, line 1: the key 'a' appears twice in one table; leave one out"),
        ("flow.json", b'{"steps": NaN}', "flow.json, line 1: NaN is no JSON number"),
        ("flow.json", b"[" * 100_000, "flow.json: no JSON: nested too deeply"),
        ("flow.toml", b"\xff", r"flow.toml: is no UTF-8 text \(byte 0\); save it as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InvalidDefinition, match=message):
        load_definition(tmp_path / name)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(InvalidDefinition, match=r"none.toml: cannot be read: No such file or directory"):
        load_definition(str(tmp_path / "none.toml"))


def test_lines_of_keys_are_found():
    text = 'a = 1\n[b."c d"]\ne.f = 2\ng = """\nh = 3\n[not a = header]\n"""\n[[i]]\n[[i]]\nj = 1\n[k] # why\nl = 1\n'

    lines = toml_lines(text)

    assert lines[("a",)] == 1
    assert lines[("b", "c d")] == 2
    assert lines[("b", "c d", "e", "f")] == 3
    assert lines[("i", 0)] == 8
    assert lines[("i", 1, "j")] == 10
    assert lines[("k", "l")] == 12
    assert json_lines('{"a": [\n1, {"b\\"": "}"},\n[], {"c": [\n{}, {"d": null}]}]}') == {
        (): 1,
        ("a",): 1,
        ("a", 0): 2,
        ("a", 1): 2,
        ("a", 1, 'b"'): 2,
        ("a", 2): 3,
        ("a", 3): 3,
        ("a", 3, "c"): 3,
        ("a", 3, "c", 0): 4,
        ("a", 3, "c", 1): 4,
        ("a", 3, "c", 1, "d"): 4,
    }


def test_templates_tell_what_they_use():
    template = Template("{a.b.x} {a} {item.id} {item} {{item}} {9} { a }", ("item", "a", "a.b"))

    assert template.names == ("a.b", "a", "item")
    assert template.item_fields == ("id",)
    assert template.text_for({"a.b": {"x": 1}, "a": None, "item": {"id": "i"}}) == '1  i {"id":"i"} {item} {9} { a }'
    assert Template("{a}", ("a",)).value_for({"a": [1]}) == [1]
    assert Template("-{a}", ("a",)).value_for({"a": [1]}) == "-[1]"


async def test_a_gate_may_be_one_condition_on_the_output_and_the_item(files):
    workflow = files.stage("shell = ['true']\ngate = 'output.width >= item.least and output.height > 0'")
    (gate,) = workflow.definition("work").gates
    ctx = StageContext(item_id="a", stage_name="work")

    assert await gate.evaluate({"width": 5, "height": 1}, ctx, {"least": 5}) == Accepted()
    refused = await gate.evaluate({"width": 4, "height": 1}, ctx, {"least": 5})
    assert isinstance(refused, Rejected)
    assert refused.feedback.summary == "not so: output.width >= item.least and output.height > 0"
    assert isinstance(await gate.evaluate({"height": 1}, ctx, {"least": 5}), Uncertain), "a missing field is never accepted"


async def test_a_condition_leaves_a_stage_out_and_makes_it_wait_for_what_it_names(files):
    workflow = files.toml(
        f"[stages.probe]\nshell = [{PYTHON}, '-c', 'print(3)']\noutput = 'json'\n"
        "[stages.work]\nshell = ['true']\nskip_if = 'probe > 2 and item.small'\n"
    )

    async with MemoryStateStore() as store:
        await workflow.advance({"id": "a", "small": True}, store)
        await workflow.advance({"id": "b", "small": False}, store)
        await workflow.advance({"id": "c"}, store)
        states = [(await store.get_status(item, "work")) for item in "abc"]

    assert workflow.dependencies("work") == ["probe"]
    assert [state.state for state in states] == ["skipped", "completed", "failed"]
    assert "there is no 'item.small'" in str(states[2].error)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("skip_if = 'item.x >'", "line 6, stage 'work', skip_if: condition 'item.x >', character 8"),
        ("skip_if = 'work.x > 3'", "stage 'work', skip_if: condition .* nothing is called 'work' here"),
        ("skip_if = ''", "skip_if: '' must be a text that is not empty"),
        ("gate = 'output.x >= open()'", "stage 'work', gate: condition .* calling something is not"),
        ("gate = 'probe.x > 3'", "gate: condition .* nothing is called 'probe' here"),
        ("retry = { attempt_timeout = true }", "attempt_timeout=True must be a number of seconds"),
        ("review = { when = 'sample', rate = 'x' }", "review, rate: 'x' must be a number, between 0 and 1"),
        ("review = { when = 'always', group = 3 }", "review, group: 3 must be a text"),
        ("review = { when = 'always', fields = [{ name = 'a', choices = 'x' }] }", "choices: 'x' must be a list of texts"),
    ],
)
def test_a_mistake_in_a_condition_or_a_number_names_its_place(files, table, message):
    with pytest.raises(InvalidDefinition, match=message):
        files.stage(f"shell = ['x']\n{table}")


def test_the_top_of_a_file_is_checked_as_well(files):
    assert files.toml("backfill = true\n[stages.a]\nshell = ['x']").backfill is True
    with pytest.raises(InvalidDefinition, match="line 1, backfill: 'yes' must be true or false"):
        files.toml("backfill = 'yes'\n[stages.a]\nshell = ['x']")
    with pytest.raises(InvalidDefinition, match="has no stages"):
        files.json({"stages": {}})
    with pytest.raises(InvalidDefinition, match="steps: must be a list of steps, one or more"):
        files.json({"steps": []})
