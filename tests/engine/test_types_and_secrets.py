"""Items and outputs as the types somebody declared, in every life of the process; and fields nobody may see."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypedDict

import msgspec
import pytest

from treadle_tui.engine import (
    ApproveWithEdits,
    Engine,
    FanOut,
    InvalidItem,
    NeedsReview,
    Rejected,
    ReviewData,
    ReviewPolicy,
    Skipped,
    SqliteStateStore,
    StageState,
    SubTask,
    Workflow,
)
from treadle_tui.engine.testing import ScriptedStage

from .workflows import ran, state, submitted, told


@dataclass
class Author:
    """Part of a paper."""

    name: str


@dataclass
class Paper:
    """A work item with parts."""

    id: str
    path: Path
    printed: date
    authors: list[Author] = field(default_factory=list)


class Struct(msgspec.Struct):
    """A msgspec work item."""

    id: str
    pages: int = 0


class Typed(TypedDict):
    """A dict with known keys."""

    id: str
    pages: int


ITEMS = [
    (Paper, Paper("a", Path("x/y.pdf"), date(2024, 2, 29), [Author("Ana")])),
    (Struct, Struct("a", 3)),
    (Typed, {"id": "a", "pages": 3}),
    (None, {"id": "a", "pages": [1, None]}),
]


@pytest.mark.parametrize(("kind", "item"), ITEMS, ids=["dataclass", "struct", "typeddict", "dict"])
async def test_an_item_is_the_declared_type_in_every_life_of_the_process(tmp_path, kind, item):
    seen: list[Any] = []
    for life in range(2):
        workflow = Workflow("docs", item=kind)
        workflow.add_stage("work", ScriptedStage([lambda item, ctx: seen.append(item)]))
        async with SqliteStateStore.open(tmp_path / "work.db") as store, Engine(store, [workflow]) as engine:
            if life == 0:
                await engine.submit(workflow, [item])
            else:
                await engine.rerun_stage("a", "work")
            await engine.run_until_idle()

    assert seen == [item, item]
    assert [type(each) for each in seen] == [type(item), type(item)]


async def test_a_declared_item_may_be_given_as_a_dict(store, start):
    stage = ScriptedStage([1])
    workflow = Workflow("docs", item=Struct)
    workflow.add_stage("work", stage)
    engine = await start(workflow)

    await engine.submit(workflow, [{"id": "a", "pages": 7}])
    await engine.run_until_idle()

    assert stage.items == [Struct("a", 7)]


@pytest.mark.parametrize(
    ("item", "named"),
    [
        ({"id": "a", "pages": "many"}, "pages"),
        ({"pages": 1}, "id"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"id": "a\nb"}, "id"),
        ("a", "'a'"),
        (None, "None"),
    ],
)
async def test_an_item_that_does_not_fit_names_the_field_and_nothing_of_its_batch_is_added(store, start, item, named):
    workflow = Workflow("docs", item=Struct)
    workflow.add_stage("work", ScriptedStage([]))
    engine = await start(workflow)

    with pytest.raises(InvalidItem, match=named):
        await engine.submit(workflow, [{"id": "fine"}, item])

    assert await store.list_items() == []


async def test_batches_before_a_bad_item_are_kept(store, start):
    workflow = Workflow("docs")
    workflow.add_stage("work", ScriptedStage([]))
    engine = await start(workflow)

    async def items() -> Any:
        for number in range(700):
            yield {"id": str(number)} if number != 650 else {"id": None}

    with pytest.raises(InvalidItem):
        await engine.submit(workflow, items())

    assert len(await store.list_items()) == 500


@pytest.mark.parametrize("items", ["abc", {"id": "a"}, 7, None])
async def test_what_is_no_list_of_items_is_refused(store, start, items):
    workflow = Workflow("docs")
    workflow.add_stage("work", ScriptedStage([]))
    engine = await start(workflow)

    with pytest.raises(InvalidItem):
        await engine.submit(workflow, items)


async def test_ids_of_another_workflow_are_not_added_and_named(store, start):
    docs, other = Workflow("docs"), Workflow("other")
    for workflow in (docs, other):
        workflow.add_stage("work", ScriptedStage([1], repeat=True))
    engine = await start(docs, other)
    await engine.submit(docs, [{"id": "a", "of": "docs"}])

    assert await engine.submit(other, [{"id": "a", "of": "other"}, {"id": "b"}]) == 1

    assert engine.swallowed == ["a"]
    assert (await store.get_item("a")).data["of"] == "docs"


# --- outputs ------------------------------------------------------------------------------------------------------------------


async def test_dependents_receive_plain_json_or_the_type_they_annotate(store, start):
    workflow = Workflow("docs")
    seen: list[Any] = []

    @workflow.stage
    async def make(item: Any) -> Paper:
        return Paper("x", Path("y.pdf"), date(2024, 1, 1), [Author("Ana")])

    @workflow.stage
    async def plain(make: Any) -> None:
        seen.append(make)

    @workflow.stage
    async def typed(make: Paper) -> None:
        seen.append(make)

    engine = await start(workflow, concurrency=1)
    await ran(engine)

    assert seen == [
        {"id": "x", "path": "y.pdf", "printed": "2024-01-01", "authors": [{"name": "Ana"}]},
        Paper("x", Path("y.pdf"), date(2024, 1, 1), [Author("Ana")]),
    ]


async def test_a_return_annotation_validates_the_output(store, start):
    workflow = Workflow("docs")

    @workflow.stage
    async def work() -> dict[str, int]:
        return {"n": "three"}  # type: ignore[dict-item]

    engine = await start(workflow)
    await ran(engine)

    status = await store.get_status("a", "work")
    assert status.state is StageState.FAILED
    assert "the output is no dict[str, int]" in status.error
    assert "$[...]" in status.error or "$.n" in status.error


async def test_a_parameter_that_cannot_be_converted_is_a_failed_attempt(store, start):
    workflow = Workflow("docs")
    workflow.add_stage("make", ScriptedStage([{"n": "three"}]))

    @workflow.stage
    async def work(make: dict[str, int]) -> None:
        raise AssertionError("not called")

    engine = await start(workflow)
    await ran(engine)

    assert "parameter 'make' of 'work' is no dict[str, int]" in (await store.get_status("a", "work")).error


async def test_a_skipped_dependency_is_none_whatever_the_annotation(store, start):
    workflow = Workflow("docs")
    seen: list[Any] = []
    workflow.add_stage("make", ScriptedStage([Skipped()]))

    @workflow.stage
    async def work(make: dict[str, int]) -> None:
        seen.append(make)

    engine = await start(workflow)
    await ran(engine)

    assert seen == [None]


async def test_edits_may_be_given_as_the_annotated_type(store, start):
    workflow = Workflow("docs")

    @workflow.stage(review=ReviewPolicy.ALWAYS)
    async def work() -> Author:
        return Author("Ana")

    engine = await start(workflow)
    await ran(engine)

    await engine.resolve_review("a", "work", ApproveWithEdits(Author("Ben")))

    assert (await store.get_status("a", "work")).output == {"name": "Ben"}


# --- secrets ------------------------------------------------------------------------------------------------------------------

TOKEN = "hunter2-very-secret"


def leaky(*answers: Any, **options: Any) -> Workflow:
    """A stage with a secret field, which tells it wherever it can."""
    workflow = Workflow("docs")
    workflow.add_stage("work", ScriptedStage(answers, repeat=True), secrets=["token"], **options)
    return workflow


async def everything_told(store: Any) -> str:
    """All events, as text."""
    return "\n".join(repr(event) for event in await told(store))


@pytest.mark.parametrize(
    "answer",
    [
        ValueError(f"the server refused {TOKEN}"),
        lambda item, ctx: ctx.log(f"trying {item['token']}") or ctx.progress(0.5, TOKEN),
        lambda item, ctx: NeedsReview({"token": TOKEN}, ReviewData(f"is {TOKEN} right?", details={"token": TOKEN, "also": [TOKEN]})),
        lambda item, ctx: NeedsReview({"token": "other-" + TOKEN, "n": 1}, summary=f"made other-{TOKEN}"),
        lambda item, ctx: Skipped(f"no use for {TOKEN}"),
        lambda item, ctx: FanOut([SubTask("x", {"token": TOKEN})]) if ctx.subtask is None else 1 / len(ctx.log(TOKEN) or ""),
    ],
    ids=["error", "log", "review", "output", "skipped", "subtask"],
)
async def test_a_secret_is_in_no_event_error_or_log(store, start, caplog, answer):
    caplog.set_level(logging.DEBUG)
    engine = await start(leaky(answer))

    await engine.submit("docs", [{"id": "a", "token": TOKEN, "deep": {"token": TOKEN}}])
    await engine.run_until_idle()

    status = await store.get_status("a", "work")
    assert TOKEN not in await everything_told(store)
    assert TOKEN not in (status.error or "")
    assert TOKEN not in (status.summary or "")
    assert (await store.get_item("a")).data["token"] == TOKEN


async def test_a_secret_is_not_in_what_a_gate_says_or_a_person_edits(store, start):
    engine = await start(
        leaky({"token": TOKEN}, gates=[lambda output: Rejected(f"{output['token']} is weak")], review=ReviewPolicy.ON_ESCALATION)
    )
    await submitted(engine, "a")
    await engine.run_until_idle()
    await engine.resolve_review("a", "work", ApproveWithEdits({"token": "edited-secret", "n": 1}))

    text = await everything_told(store)
    assert TOKEN not in text
    assert "edited-secret" not in text
    assert (await store.get_status("a", "work")).output == {"token": "edited-secret", "n": 1}
    assert await state(store) is StageState.COMPLETED


async def test_outputs_hand_secrets_on_as_they_are(store, start):
    workflow = leaky({"token": TOKEN})
    last = ScriptedStage([lambda item, ctx: ctx.upstream["work"]["token"] == TOKEN])
    workflow.add_stage("last", last, after=["work"])
    engine = await start(workflow)

    await submitted(engine, "a")
    await engine.run_until_idle()

    assert (await store.get_status("a", "last")).output is True
