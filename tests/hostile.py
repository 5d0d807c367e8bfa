"""Text that wants to do something to a terminal, and a workflow that puts it everywhere."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

MARK = "zqx"
"""Stands in every attack, so that what is left of one is found."""

ATTACKS = (
    f"\x1b]52;c;{MARK}\x07",  # the clipboard
    f"\x1b]8;;http://{MARK}.example\x1b\\link\x1b]8;;\x1b\\",  # a link
    f"\x1b]0;{MARK}\x07",  # the window's title
    "\x1b[31;4242m\x1b[2J\x1b[H\x1b[?1049l",  # colours, erasing, the other screen
    f"\x1bP{MARK}\x1b\\\x1b_{MARK}\x1b\\\x1b^{MARK}\x1b\\",  # strings for the terminal
    f"\x9b4242m\x9d52;c;{MARK}\x9c\x90{MARK}\x9c",  # the same with C1
    "\r\x08\x08\x7f\x0b\x0c\x0e\x0f\x00\x07\x05",
    "\u202e\u2066\u200b\u200e\ufeff\u2028\u2029\u0085",  # order of writing, invisible ones, other line ends
    f"[red]{MARK}[/red] [@click=app.quit]{MARK}[/] [link=http://{MARK}.example]x[/link] {{{MARK}}} %s",  # markup
)
HOSTILE = f"{MARK} " + " ".join(ATTACKS)
NAME = f"{MARK} \u202e\u2066\u200b\ufeff {ATTACKS[-1]}"
"""What ids and names of subtasks may be: control characters are refused there."""
SECRET = "hunter2-" + MARK[::-1]
"""The value of the field that is called secret."""

WORKFLOW = """
from treadle_tui.engine import *

HOSTILE = {hostile!r}
NAME = {name!r}
SECRET = {secret!r}

hostile = Workflow("hostile")


@hostile.source
def items(count: str = "2"):
    for number in range(int(count)):
        yield {{"id": f"{{NAME}} {{number}}", "note": HOSTILE, HOSTILE: HOSTILE, "password": SECRET, "deep": [{{"password": SECRET}}]}}


@hostile.stage(secrets=["password"])
def read(item, ctx):
    ctx.log(f"{{HOSTILE}} {{item['password']}}")
    ctx.progress(0.5, f"{{HOSTILE}} {{item['password']}}")
    print(HOSTILE)
    return Completed({{"text": HOSTILE, HOSTILE: 1, "password": item["password"]}}, summary=f"{{HOSTILE}} {{item['password']}}")


@hostile.stage(secrets=["password"], retry=RetryBudget(max_attempts=2))
def fail(item, read):
    raise ValueError(f"{{HOSTILE}} {{item['password']}}")


@hostile.stage(secrets=["password"])
def parts(read):
    return FanOut([SubTask(NAME, {{"password": read["password"], "x": HOSTILE}}), "plain"])


@parts.each
def part(subtask, item):
    if subtask == "plain":
        raise RuntimeError(f"{{HOSTILE}} {{item['password']}}")
    return {{"password": item["password"], "text": HOSTILE}}


@hostile.stage(secrets=["password"], isolation="process")
def alone(item, read):
    print(HOSTILE, item["password"])
    raise ValueError(f"{{HOSTILE}} {{item['password']}}")


@hostile.stage(secrets=["password"], review=ReviewPolicy("always", reasons=[HOSTILE]))
def judge(item, read):
    fields = [ReviewField("answer", label=HOSTILE, choices=[HOSTILE, "b"], kind="choice"), ReviewField("why", default=HOSTILE)]
    data = ReviewData(f"{{HOSTILE}} {{item['password']}}", details={{HOSTILE: HOSTILE, "password": item["password"]}}, fields=fields)
    return NeedsReview({{"text": HOSTILE, "password": item["password"]}}, data, summary=f"{{HOSTILE}} {{item['password']}}")


@judge.gate
def doubtful(output, ctx):
    return Uncertain(f"{{HOSTILE}} {{output['password']}}")
"""


def write_workflow(folder: Path) -> None:
    """`workflows/hostile.py` in that folder."""
    (folder / "workflows").mkdir(exist_ok=True)
    (folder / "workflows" / "hostile.py").write_text(WORKFLOW.format(hostile=HOSTILE, name=NAME, secret=SECRET), encoding="utf-8")


def harmful(text: str, *, allowed: str = "\n") -> list[str]:
    """What of a printed text a terminal would obey, or show otherwise than it stands, with a little around it."""
    found = []
    for place, character in enumerate(text):
        is_control = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        if is_control and character not in allowed:
            found.append(f"U+{ord(character):04X} in {text[max(0, place - 20) : place + 20]!r}")
    return found


SEQUENCES = re.compile(r"\x1b\[[0-9;:?<=>!]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[P_^X].*?\x1b\\|\x1b[ -/]*[0-~]", re.DOTALL)


def obeyed(stream: str) -> list[str]:
    """The sequences in a stream for a terminal that came out of an attack."""
    return [each for each in SEQUENCES.findall(stream) if MARK in each or "4242" in each or each.startswith(("\x1b]52", "\x1b]8", "\x1bP"))]
