"""Workflows within workflows: names, dependencies, and what a stage's code sees."""

from dataclasses import dataclass
from typing import Any

import pytest

from treadle_tui.engine.errors import DagCycle, DuplicateStage, InvalidDefinition, StageNotFound
from treadle_tui.engine.limits import Limit
from treadle_tui.engine.quality import Accepted
from treadle_tui.engine.stage import StageContext
from treadle_tui.engine.workflow import Workflow


@dataclass
class Paper:
    id: str


@dataclass
class LongPaper(Paper):
    pages: int = 0


def cleaning() -> Workflow:
    workflow = Workflow("cleaning")
    workflow.add_stage("parse", lambda item: "parsed", was=["read"], tags=["cpu"])
    workflow.add_stage("strip", lambda parse: f"stripped {parse}")
    return workflow


def two_leaves() -> Workflow:
    workflow = Workflow("two")
    workflow.add_stage("left", lambda item: "l")
    workflow.add_stage("right", lambda item: "r")
    return workflow


async def run(workflow: Workflow, outputs: dict[str, Any], stage: str) -> Any:
    """What the stage returns when its dependencies had these outputs."""
    definition = workflow.definition(stage)
    ctx = StageContext(item_id="a", stage_name=stage, upstream=definition.upstream_view(outputs))
    return await definition.stage.execute({"id": "a"}, ctx)


def test_included_stages_have_a_prefix_and_keep_their_order():
    workflow = Workflow("outer")
    workflow.add_stage("fetch", lambda item: 1)
    workflow.include("clean", cleaning(), after=["fetch"])
    workflow.add_stage("publish", lambda clean: clean)

    assert workflow.stages() == ["fetch", "clean/parse", "clean/strip", "publish"]
    assert workflow.dependencies("clean/parse") == ["fetch"]
    assert workflow.dependencies("clean/strip") == ["clean/parse"]
    assert workflow.dependencies("publish") == ["clean/strip"]
    assert workflow.leaf_stages() == ["publish"]
    assert not workflow.has_stage("clean")
    assert workflow.definition("clean/parse").was == ("clean/read",)
    assert workflow.definition("clean/parse").tags == ("cpu",)


async def test_an_included_stage_sees_the_names_it_was_written_with():
    workflow = Workflow()
    workflow.include("clean", cleaning())

    assert await run(workflow, {"clean/parse": "p"}, "clean/strip") == "stripped p"


async def test_depending_on_an_include_receives_its_leaf():
    workflow = Workflow()
    workflow.include("clean", cleaning())
    workflow.add_stage("publish", lambda clean: clean)

    assert await run(workflow, {"clean/strip": "s"}, "publish") == "s"


async def test_several_leaves_come_by_name():
    workflow = Workflow()
    workflow.include("both", two_leaves())
    workflow.add_stage("publish", lambda both: both)

    assert workflow.dependencies("publish") == ["both/left", "both/right"]
    assert await run(workflow, {"both/left": 1, "both/right": None}, "publish") == {"left": 1, "right": None}


async def test_one_stage_of_an_include_can_be_depended_on():
    workflow = Workflow()
    workflow.include("clean", cleaning())
    workflow.add_stage("publish", lambda ctx: ctx.upstream, after=["clean/parse", "clean"])

    assert await run(workflow, {"clean/parse": 1, "clean/strip": 2}, "publish") == {"clean/parse": 1, "clean": 2}


def test_the_name_that_include_returns_can_be_used():
    workflow = Workflow()
    clean = workflow.include("clean", cleaning())
    workflow.add_stage("publish", lambda item: 1, after=clean)

    assert workflow.dependencies("publish") == ["clean/strip"]


def test_roots_of_an_include_see_what_it_comes_after():
    workflow = Workflow()
    fetch = workflow.add_stage("fetch", lambda item: 1)
    workflow.include("clean", cleaning(), after=fetch)

    assert workflow.definition("clean/parse").upstream_view({"fetch": 7}) == {"fetch": 7}


def test_one_include_may_come_after_another():
    workflow = Workflow()
    workflow.include("first", two_leaves())
    workflow.include("second", two_leaves(), after=["first"])

    assert workflow.dependencies("second/left") == ["first/left", "first/right"]
    assert workflow.definition("second/left").upstream_view({"first/left": 1, "first/right": 2}) == {"first": {"left": 1, "right": 2}}


def test_the_same_workflow_may_be_included_twice():
    workflow, other = Workflow(), cleaning()
    workflow.include("one", other)
    workflow.include("two", other, after="one")

    assert workflow.stages() == ["one/parse", "one/strip", "two/parse", "two/strip"]


async def test_includes_nest():
    middle = Workflow("middle")
    middle.add_stage("load", lambda item: "loaded")
    middle.include("inner", two_leaves(), after="load")
    middle.add_stage("join", lambda inner: inner)
    outer = Workflow("outer")
    outer.add_stage("first", lambda item: 1)
    outer.include("middle", middle, after="first")
    outer.add_stage("last", lambda middle: middle)

    assert outer.stages() == ["first", "middle/load", "middle/inner/left", "middle/inner/right", "middle/join", "last"]
    assert outer.dependencies("middle/inner/left") == ["middle/load"]
    assert outer.dependencies("middle/load") == ["first"]
    seen = await run(outer, {"middle/inner/left": 1, "middle/inner/right": 2}, "middle/join")
    assert seen == {"left": 1, "right": 2}
    assert outer.definition("middle/inner/left").upstream_view({"middle/load": 3}) == {"load": 3}


def test_limits_come_along_and_the_outer_ones_win():
    other = cleaning()
    other.limit("cpu", concurrency=1)
    other.limit("web", concurrency=1)
    workflow = Workflow()
    workflow.include("clean", other)
    workflow.limit("cpu", concurrency=8)

    assert dict(workflow.limits) == {"cpu": Limit(concurrency=8), "web": Limit(concurrency=1)}


def test_an_included_workflow_is_in_use():
    other, workflow = cleaning(), Workflow()
    workflow.include("clean", other)
    other.add_stage("late", lambda item: 1)
    assert workflow.has_stage("clean/late")

    with pytest.raises(InvalidDefinition, match=r"workflow 'cleaning' is in use already"):
        other.add_stage("too late", lambda item: 1)


def test_gates_of_included_stages_keep_their_names():
    other = Workflow()
    other.add_stage("parse", lambda item: 1)
    other.add_stage("check", lambda item: 1).gate(lambda output, parse: Accepted())
    workflow = Workflow()
    workflow.include("clean", other)

    assert workflow.dependencies("clean/check") == ["clean/parse"]
    assert workflow.definition("clean/check").upstream_view({"clean/parse": 1}) == {"parse": 1}


def test_what_cannot_be_included_is_refused():
    with pytest.raises(InvalidDefinition, match=r"include 'x': 3 is no Workflow"):
        Workflow().include("x", 3)  # type: ignore[arg-type]
    empty = Workflow()
    empty.include("x", Workflow("nothing"))
    with pytest.raises(InvalidDefinition, match=r"include 'x': workflow 'nothing' has no stages"):
        empty.build()
    circular = Workflow("snake")
    circular.include("tail", circular)
    with pytest.raises(InvalidDefinition, match=r"workflow 'snake' includes itself; a workflow can only include others"):
        circular.build()


def test_names_of_includes_follow_the_rules_of_stages():
    for name, message in [("a/b", "include name='a/b' must not contain '/'"), ("item", "include name='item' is reserved")]:
        workflow = Workflow()
        workflow.include(name, cleaning())
        with pytest.raises(InvalidDefinition, match=message):
            workflow.build()
    workflow = Workflow("outer")
    workflow.add_stage("clean", lambda item: 1)
    workflow.include("clean", cleaning())
    with pytest.raises(DuplicateStage, match=r"workflow 'outer' already has a stage 'clean'"):
        workflow.build()


def test_an_unknown_name_after_an_include_says_where():
    workflow = Workflow()
    workflow.include("clean", cleaning(), after=["fetsh"])
    workflow.add_stage("fetch", lambda item: 1)

    with pytest.raises(StageNotFound, match=r"include 'clean', after: no stage is called 'fetsh'; did you mean 'fetch'?"):
        workflow.build()


def test_cycles_through_an_include_are_found():
    workflow = Workflow()
    workflow.include("clean", cleaning(), after="publish")
    workflow.add_stage("publish", lambda clean: 1)

    with pytest.raises(DagCycle) as caught:
        workflow.build()
    assert caught.value.cycle == ["clean/parse", "clean/strip", "publish"]


def test_item_types_must_agree():
    other = Workflow("inner", item=Paper)
    other.add_stage("parse", lambda item: 1)

    for item in (Paper, LongPaper):
        workflow = Workflow("outer", item=item)
        workflow.include("clean", other)
        workflow.build()
    untyped = Workflow("outer")
    untyped.include("clean", other)
    message = "include 'clean': the items of workflow 'inner' are Paper, those of 'outer' are dict; give both the same `item=`"
    with pytest.raises(InvalidDefinition, match=message):
        untyped.build()
