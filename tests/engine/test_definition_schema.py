"""The published schema and the loader: what one accepts, the other does."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle_tui.engine import DefinitionError, load_definition
from treadle_tui.engine.definitions.schema import definition_schema

jsonschema: Any = pytest.importorskip("jsonschema")

ROOT = Path(__file__).resolve().parents[2]
VALIDATOR = jsonschema.Draft202012Validator(definition_schema())


def test_it_is_a_schema_and_the_one_that_is_published() -> None:
    jsonschema.Draft202012Validator.check_schema(definition_schema())
    published = json.loads((ROOT / "docs" / "definition.schema.json").read_text())

    assert published == definition_schema(), "run: python -m treadle_tui schema > docs/definition.schema.json"


@pytest.mark.parametrize("name", ["orders", "etl", "diamond"])
def test_what_comes_with_the_program_is_valid(name: str) -> None:
    VALIDATOR.validate(json.loads((ROOT / "workflows" / f"{name}.json").read_text()))


OPTIONAL_STAGE_KEYS: dict[str, st.SearchStrategy[Any]] = {
    "after": st.sampled_from(["first", ["first"], []]),
    "for_each": st.sampled_from([["small", 3], "{first}", []]),
    "output": st.sampled_from(["text", "json", "lines"]),
    "skip_if": st.sampled_from(["item.pages > 100", "first.ok and not item.done"]),
    "gate": st.sampled_from(
        [{"width": ">= 600"}, {"size": {"width": 3}, "ok": True}, {"command": ["true"]}, {"python": "os:getcwd"}, "output.x > 0"]
    ),
    "retry": st.sampled_from([{}, {"max_attempts": 3, "delay": 0.5, "backoff": 2, "max_delay": 9, "jitter": 0.1, "attempt_timeout": 3}]),
    "review": st.sampled_from(
        [
            {"when": "always", "reasons": ["too dark"], "group": "editors", "expires_after": 3, "on_expiry": "remind"},
            {"when": "sample", "rate": 0.1},
            {"when": "never"},
            {"when": "always", "fields": [{"name": "a"}, {"name": "b", "kind": "choice", "choices": ["x"], "required": True}]},
        ]
    ),
    "concurrency": st.integers(1, 9),
    "tags": st.sampled_from(["web", ["web", "disk"]]),
    "isolation": st.just("process"),
    "was": st.just("old"),
    "secrets": st.just(["token"]),
}
KINDS: st.SearchStrategy[Any] = st.sampled_from(
    [
        {"shell": ["echo", "{item.id}"]},
        {"http": {"url": "https://example.org/{item.id}", "method": "post", "json": {"a": ["{attempt}"]}, "headers": {"X": 3}}},
        {"python": "os:getcwd"},
    ]
)
TOP: dict[str, st.SearchStrategy[Any]] = {
    "name": st.just("flow"),
    "backfill": st.booleans(),
    "limits": st.just({"web": {"concurrency": 2, "rate": 0.5}}),
    "$schema": st.just("x"),
}


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    """Workflows that are right, but for combinations of keys that exclude each other."""
    kind = draw(KINDS)
    stage = {**kind, **draw(st.fixed_dictionaries({}, optional=OPTIONAL_STAGE_KEYS))}
    return {"stages": {"first": {"shell": ["true"]}, "work": stage}, **draw(st.fixed_dictionaries({}, optional=TOP))}


STEPS: dict[str, st.SearchStrategy[Any]] = {
    "type": st.just("task"),
    "config": st.just({"action": "go", "duration_seconds": 0.5, "fail_probability": 0.5, "max_retries": 2}),
    "depends_on": st.just(["first"]),
    "anything": st.just(3),
}


@st.composite
def step_lists(draw: st.DrawFn) -> dict[str, Any]:
    step = {"id": "second", **draw(st.fixed_dictionaries({}, optional=STEPS))}
    return {"name": "steps", "steps": [step, {"id": "first"}]}


ODD: list[Any] = [0, -1, 1.5, "", "x y", "ON", [], ["zz"], [3], [""], {}, {"zz": 1}, True, [[1]], [{}], "{first}"]
"""Values that are right in one place and wrong in most."""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every key and list position, by the way to it."""
    inner = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    return [place for key, each in inner for place in ((*path, key), *places(each, (*path, key)))]


def changed(definition: Any, path: tuple[Any, ...], how: str, value: Any) -> Any:
    definition = copy.deepcopy(definition)
    target = definition
    for key in path[:-1]:
        target = target[key]
    if how == "remove":
        del target[path[-1]]
    elif how == "add" and isinstance(target, dict):
        target["zzz"] = value
    else:
        target[path[-1]] = value
    return definition


def loads(definition: Any, file: Path) -> str:
    """The loader's refusal; empty when there is none."""
    file.write_text(json.dumps(definition))
    return refusal_of(file)


def refusal_of(file: Path) -> str:
    """The same of a file as it stands."""
    try:
        load_definition(file)
    except DefinitionError as error:
        return str(error)
    return ""


UNSAYABLE = (
    "no stage is called",
    "nothing is called",
    "condition",
    "needs `for_each`",
    "must be written 'module",
    "module '",
    "has no ",
    "gives items",
)
"""What a refusal is about that a schema cannot know: other names, conditions, modules."""


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(definitions(), step_lists()), st.data())
def test_the_schema_and_the_loader_agree(tmp_path: Path, definition: Any, data: st.DataObject) -> None:
    if data.draw(st.booleans()):
        path = data.draw(st.sampled_from(places(definition)))
        definition = changed(definition, path, data.draw(st.sampled_from(["set", "remove", "add"])), data.draw(st.sampled_from(ODD)))

    refusal = loads(definition, tmp_path / "flow.json")
    accepted = VALIDATOR.is_valid(definition)

    assert "\n" not in refusal
    if any(words in refusal for words in UNSAYABLE):
        return
    assert accepted == (not refusal), (
        f"loader: {refusal or 'loads'}; schema: {[each.message for each in VALIDATOR.iter_errors(definition)]}"
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))),
    st.sampled_from(["flow.toml", "flow.json"]),
    st.sampled_from([b"", b"[stages.a]\n", b'{"stages": {"a": ', b"name = ", b"[[stages.a]]\nshell = "]),
)
def test_whatever_stands_in_a_file_it_loads_or_is_refused_in_one_line(tmp_path: Path, content: bytes, name: str, begins: bytes) -> None:
    file = tmp_path / name
    file.write_bytes(begins + content)

    refusal = refusal_of(file)

    assert refusal == "" or str(file) in refusal
    assert len(refusal.splitlines()) <= 1
