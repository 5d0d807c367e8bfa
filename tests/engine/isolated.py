"""Workflows whose stages run in processes of their own; what a stage does is said by the item."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle_tui.engine import (
    Accepted,
    Completed,
    Failed,
    FanOut,
    NeedsReview,
    Rejected,
    Retry,
    RetryBudget,
    ReviewData,
    ReviewField,
    ReviewPolicy,
    Skipped,
    Stage,
    StageOutcome,
    SubTask,
    Workflow,
)
from treadle_tui.engine.feedback import Feedback

TIME_LIMIT = 2.0
"""Seconds by the engine's clock."""


class OutOfPaper(Exception):
    """Keeps other things than it is called with."""

    def __init__(self, *, tray: int) -> None:
        self.tray = tray
        super().__init__(f"tray {tray} is empty")


def _surroundings() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "leads its session": hasattr(os, "getsid") and os.getsid(0) == os.getpid(),
        "stdin": sys.stdin.read(),
        "is a terminal": [os.isatty(fd) for fd in (0, 1, 2)],
    }


def _raise(kind: str) -> None:
    if kind == "local":

        class Jammed(ConnectionError):
            pass

        raise Jammed("roller 3")
    errors: dict[str, BaseException] = {
        "known": ConnectionResetError("gone"),
        "own": OutOfPaper(tray=2),
        "file": FileNotFoundError(2, "No such file or directory", "/nowhere"),
        "exit": SystemExit(3),
        "interrupt": KeyboardInterrupt(),
        "stop": StopIteration("early"),
        "base": BaseException("odd"),
    }
    raise errors[kind]


def _wait_for(condition: Any) -> None:
    give_up = time.monotonic() + 30
    while not condition() and time.monotonic() < give_up:
        time.sleep(0.01)


ANSWERS: dict[str, Any] = {
    "nothing": lambda ctx: None,
    "value": lambda ctx: {"text": "a", "parts": [1, 2.5, None, True]},
    "completed": lambda ctx: Completed({"n": 1}, summary="one"),
    "skipped": lambda ctx: Skipped("not today"),
    "failed": lambda ctx: Failed("no use"),
    "failed with": lambda ctx: Failed(ValueError("no use")),  # type: ignore[arg-type]
    "retry": lambda ctx: Retry("later", after=7.0) if ctx.attempt == 1 else "now",
    "review": lambda ctx: NeedsReview(
        {"draft": 1},
        ReviewData("fit to print?", details={"page": 3}, fields=[ReviewField("pages", "number", required=True)]),
        summary="a draft",
    ),
    "class": lambda ctx: Skipped,
    "unknown": lambda ctx: StageOutcome(),
    "unwritable": lambda ctx: {"path": object()},
    "big": lambda ctx: "x" * 3_000_000,
}

work = Workflow("work")


def _pages(error: BaseException) -> bool:
    return getattr(error, "tray", None) == 2 or isinstance(error, ConnectionError)


@work.stage(isolation="process", retry=RetryBudget(max_attempts=2, retry_on=_pages))
def do(item: Any, ctx: Any) -> Any:
    match item["do"]:
        case "look around":
            print("printed")
            os.system("echo from a program; echo and its errors >&2")
            sys.stderr.write("without a line break")
            return _surroundings()
        case "answer":
            return ANSWERS[item["with"]](ctx)
        case "raise":
            _raise(item["with"])
        case "die":
            sys.stdout.write("last words")
            sys.stdout.flush()
            os._exit(3) if item["with"] == "exit" else os.kill(os.getpid(), getattr(signal, item["with"]))
        case "chatter":
            for number in range(item["with"]):
                print(f"line {number}")
            return "said"
        case "tell":
            for number in range(1000):
                ctx.progress(number / 1000, f"step {number}")
                ctx.log(f"note {number}")
            return "told"
    return None


limited = Workflow("limited")
limited.add_stage("do", lambda item, ctx: _hang(item, ctx), isolation="process", retry=RetryBudget(attempt_timeout=TIME_LIMIT))


def _hang(item: Any, ctx: Any) -> None:
    file = Path(item["file"])
    match item["with"]:
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        case "tidy":
            try:
                file.write_text(str(os.getpid()))
                time.sleep(60)
            finally:
                file.write_text("tidied up")
        case "polite":
            file.write_text(str(os.getpid()))
            _wait_for(lambda: ctx.cancelled)
            file.write_text("heard of it")
            return
        case "with a child":
            program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            file.write_text(f"{os.getpid()} {program.pid}")
    if item["with"] != "with a child":
        file.write_text(str(os.getpid()))
    time.sleep(60)


told = Workflow("told")


@told.stage(review=ReviewPolicy.ALWAYS)
def first(item: Any) -> Any:
    return NeedsReview({"title": item["id"]}, ReviewData("a title?", fields=[ReviewField("pages", "number")]))


@told.stage(isolation="process", retry=RetryBudget(max_attempts=3))
async def second(item: Any, first: Any, ctx: Any) -> Any:
    if ctx.attempt == 1:
        raise ValueError("not yet")
    return {
        "item": item,
        "first": first,
        "ids": [ctx.item_id, ctx.stage_name, ctx.workflow, ctx.idempotency_key],
        "attempts": [ctx.attempt, ctx.max_attempts],
        "previous": [[each.number, each.outcome, each.error, each.started_at.isoformat()] for each in ctx.previous_attempts],
        "feedback": None if ctx.feedback is None else [ctx.feedback.summary, ctx.feedback.source, ctx.feedback.guidance],
        "verdicts": [type(each.verdict).__name__ for each in ctx.previous_attempts],
        "values": ctx.values,
        "decisions": {stage: [decision.verb, decision.by, decision.at.isoformat()] for stage, decision in ctx.decisions.items()},
        "upstream": ctx.upstream,
        "subtask": ctx.subtask,
        "cancelled": ctx.cancelled,
    }


@second.gate
def readable(output: Any, ctx: Any) -> Any:
    return Accepted() if output["attempts"][0] > 2 else Rejected(Feedback("too soon", guidance={"wait": True}))


memos = Workflow("memos")


@memos.stage(isolation="process", retry=RetryBudget(max_attempts=2))
async def remember(item: Any, ctx: Any) -> Any:
    async def slow() -> Any:
        await asyncio.sleep(0)
        return {"pid": os.getpid()}

    refused = []
    for key, function in (("bad", lambda: 1 / 0), ("odd", lambda: object()), ("", lambda: 1)):
        try:
            await ctx.memo(key, function)
        except Exception as error:
            refused.append(f"{type(error).__name__}: {error}")
    one, other, again = await asyncio.gather(ctx.memo("a", slow), ctx.memo("b", lambda: 7), ctx.memo("a", slow))
    if ctx.attempt == 1:
        raise ValueError("once more")
    return {"pid": os.getpid(), "one": one, "again": again, "other": other, "refused": refused}


sleeping = Workflow("sleeping")


@sleeping.stage(isolation="process")
async def sleep(ctx: Any) -> Any:
    ctx.progress(0.5, "asleep")
    await ctx.sleep(3600)
    return "woken"


statements = Workflow("statements")


@statements.stage(isolation="process", retry=RetryBudget(max_attempts=2))
def insert(item: Any, ctx: Any) -> Any:
    ctx.transaction("INSERT INTO pages VALUES (?, ?)", (ctx.attempt, b"\x00\xff"), expect_rows=1)
    ctx.transaction("UPDATE pages SET content = :content WHERE number = 1", {"content": "first"})
    if ctx.attempt == 1:
        raise ValueError("once more")
    return "inserted"


@dataclass
class Page:
    id: str
    number: int


@dataclass
class Scan:
    page: int
    words: list[str]


class Scanner(Stage):
    """Plain and async methods side by side."""

    isolation = "process"

    def __init__(self) -> None:
        self.seen: list[str] = []

    def before_execute(self, item: Page, ctx: Any) -> None:  # type: ignore[override]
        self.seen.append(f"before {item.number}")

    async def execute(self, item: Page, ctx: Any) -> Scan:
        self.seen.append("execute")
        self.loop = asyncio.get_running_loop()
        return Scan(item.number, self.seen)

    async def after_execute(self, item: Page, ctx: Any, outcome: StageOutcome) -> None:
        assert asyncio.get_running_loop() is self.loop
        assert isinstance(outcome, Completed)
        self.seen.append("after")


def _is_scan(output: Any, ctx: Any) -> Any:
    return Accepted() if isinstance(output, Scan) else Rejected(Feedback(f"a {type(output).__name__}"))


pages = Workflow("pages", item=Page)
pages.add_stage("scan", Scanner(), gates=[_is_scan])


@pages.stage(isolation="process")
def parts(item: Page, scan: Scan) -> Any:
    return FanOut(SubTask(word, {"length": len(word)}) for word in scan.words)


@parts.each(retry=RetryBudget(max_attempts=2))
async def part(subtask: Any, item: Page, ctx: Any) -> Any:
    if subtask == "execute" and ctx.attempt == 1:
        raise ValueError("once more")
    return [os.getpid(), ctx.subtask, ctx.subtask_metadata["length"], item.number]


@parts.reduce
def join(results: dict[str, Any], item: Page) -> Any:
    return {"pids": sorted({result[0] for result in results.values()} | {os.getpid()}), "results": {k: v[1:] for k, v in results.items()}}
