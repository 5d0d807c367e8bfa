"""What `new` writes: a workflow in Python, one in TOML, or a copy of one that comes with the program."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from treadle_tui.cli.failures import BadInput

_PYTHON = '''"""What this workflow is for: one sentence.

    treadle-tui --db work.db add {name} FOLDER      adds every .txt file of a folder
    treadle-tui --db work.db                        runs them, and lets you decide
"""

from dataclasses import dataclass
from pathlib import Path

from treadle_tui.engine import Accepted, Criterion, Feedback, Rejected, RetryBudget, ReviewPolicy, Workflow


@dataclass
class Item:
    """A work item: what passes through the stages. Its id is a text that no other item of the database has."""

    id: str
    path: str


{name} = Workflow("{name}", item=Item)


# The source says how items enter: it is called with what follows `add {name}`, and yields items.
@{name}.source
def find(folder: str):
    for file in sorted(Path(folder).glob("*.txt")):
        yield Item(id=file.stem, path=str(file.absolute()))


# A stage: called once for each item. What it returns is kept; raising is a failed attempt, and is tried again as the budget says.
@{name}.stage(retry=RetryBudget(max_attempts=3, delay=1.0))
def read(item: Item):
    text = Path(item.path).read_text(encoding="utf-8")
    return {{"text": text, "words": len(text.split())}}


# A gate looks at what a stage returned. It accepts, rejects (the stage is tried again, and finds why in ctx.feedback), or is uncertain
# (a person is asked). Leave it out when there is nothing to judge.
@read.gate
def has_words(output, ctx):
    if output["words"] > 0:
        return Accepted()
    return Rejected(Feedback("the file is empty", criteria=[Criterion("words", "> 0", str(output["words"]), False)]))


# A parameter named like a stage: runs after it, and receives what it returned. With this policy a person decides on every result;
# the reasons are offered under the digits when somebody rejects.
@{name}.stage(review=ReviewPolicy("always", reasons=("not needed", "wrong file")))
def summary(item: Item, read):
    first = read["text"].strip().splitlines()[0]
    return {{"title": first[:80], "words": read["words"]}}


# What is done with the approved result stands in a stage of its own, behind the review: so nothing happens that nobody approved.
@{name}.stage
def publish(item: Item, summary):
    Path(item.path).with_suffix(".summary.txt").write_text(f"{{summary['title']}} ({{summary['words']}} words)\\n", encoding="utf-8")
'''

_TOML = """# What this workflow is for: one sentence.
#
#     treadle-tui --db work.db add {name} FOLDER      adds every .txt file of a folder
#     treadle-tui --db work.db                        runs them, and lets you decide
#
# Check it with `treadle-tui check workflows/{name}.toml`; `treadle-tui schema` prints a schema for editors.

name = "{name}"

# Fields of a work item besides its id: str, int, float, bool, list, dict.
item = {{ path = "str" }}

# Where items come from: glob, lines, jsonl, or command = ["find", "{{argument}}"].
source = {{ glob = "*.txt" }}

# A stage is a program with its arguments, never a shell. What stands in braces is filled in as part of one argument, whatever is in it:
# {{item.field}}, {{stage}}, {{stage.key}}, {{subtask}}, {{feedback}}, {{attempt}}. Braces that name a stage make this one run after it.
[stages.words]
shell = ["wc", "-w", "{{item.path}}"]
retry = {{ max_attempts = 3, delay = 1.0, attempt_timeout = 30.0 }}

# `output` says how what is printed is read: text, lines or json. A gate rejects, and the stage is tried again; or it names a program:
# gate = {{ command = ["test", "-n", "{{output}}"] }}
[stages.title]
shell = ["head", "-n", "1", "{{item.path}}"]
output = "lines"
gate = "output != []"

# A person decides on every result; the reasons are offered under the digits when somebody rejects.
[stages.summary]
shell = ["echo", "{{title.0}}:", "{{words}}"]
review = {{ when = "always", reasons = ["not needed", "wrong file"] }}

# What is done with the approved result stands in a stage of its own, behind the review.
[stages.publish]
after = ["summary"]
shell = ["cp", "{{item.path}}", "{{item.path}}.published"]
"""


def python_file(name: str) -> str:
    """The text of a workflow in Python."""
    return _PYTHON.format(name=name)


def toml_file(name: str) -> str:
    """The text of a definition in TOML."""
    return _TOML.format(name=name)


def copied_workflow(origin: str, name: str) -> dict[str, str]:
    """File name → text: a workflow that comes with the program under a new name, and the files beside it that it needs.

    Raises: `BadInput` when there is none of that name.
    """
    from treadle_tui.cli.workflow_places import bundled_folder

    folder = bundled_folder()
    files = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in (".py", ".json", ".toml") and path.name[0] not in "_."}
    if origin not in files:
        from treadle_tui.engine.errors import nearest

        raise BadInput(f"no workflow {origin!r} comes with the program; {nearest(origin, files)}")
    main = files[origin]
    text = main.read_text(encoding="utf-8")
    if main.suffix == ".py":
        text = re.sub(rf'Workflow\("{re.escape(origin)}"', f'Workflow("{name}"', text)
    else:
        text = re.sub(rf'"name": "{re.escape(origin)}"', f'"name": "{name}"', text, count=1)
    return {f"{name}{main.suffix}": text, **_siblings(main)}


def _siblings(path: Path) -> dict[str, str]:
    """The files of the same folder that a file imports, and those that they import."""
    found: dict[str, str] = {}
    waiting = [path]
    while waiting:
        current = waiting.pop()
        if current.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(current.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module and f"{node.module}.py" not in found:
                sibling = path.parent / f"{node.module}.py"
                found[sibling.name] = sibling.read_text(encoding="utf-8")
                waiting.append(sibling)
    return found
