"""Workflows written with chained calls, in the crate's shape."""

import pytest

from treadle_tui.engine.errors import DagCycle, DuplicateStage, InvalidDefinition, StageNotFound
from treadle_tui.engine.outcomes import Completed
from treadle_tui.engine.quality import Accepted, gate
from treadle_tui.engine.retry import RetryBudget
from treadle_tui.engine.review import ReviewPolicy
from treadle_tui.engine.stage import Stage, StageContext
from treadle_tui.engine.workflow import Workflow


class Parse(Stage):
    name = "another name"

    async def execute(self, item, ctx):
        return Completed({"pages": 3}, summary="3 pages")


async def export(item, review):
    return item, review


def test_the_documented_example_builds():
    budget = RetryBudget(max_attempts=3)

    workflow = (
        Workflow.builder("docs", item=None)
        .stage("parse", Parse())
        .stage("review", Parse())
        .stage("export", export)
        .dependency("review", "parse")
        .dependency("export", "review")
        .quality_gate("parse", lambda output: Accepted())
        .quality_gate("parse", gate(lambda output: Accepted()))
        .retry_budget("parse", budget)
        .review_policy("review", ReviewPolicy.ALWAYS)
        .build()
    )

    assert isinstance(workflow, Workflow)
    assert workflow.name == "docs"
    assert workflow.stages() == ["parse", "review", "export"]
    assert len(workflow.definition("parse").gates) == 2
    assert workflow.definition("parse").retry is budget
    assert workflow.definition("parse").review is ReviewPolicy.ON_UNCERTAIN
    assert workflow.definition("review").review is ReviewPolicy.ALWAYS
    assert workflow.dependencies("export") == ["review"]


def test_the_name_defaults_to_workflow():
    assert Workflow.builder().build().name == "workflow"


def test_names_may_be_used_before_they_are_added():
    workflow = (
        Workflow.builder()
        .retry_budget("parse", RetryBudget(max_attempts=2))
        .dependency("review", "parse")
        .stage("review", Parse())
        .stage("parse", Parse())
        .build()
    )

    assert workflow.stages() == ["parse", "review"]
    assert workflow.definition("parse").retry.max_attempts == 2


async def test_a_function_receives_what_it_depends_on():
    workflow = Workflow.builder().stage("review", Parse()).stage("export", export).build()

    ctx = StageContext(item_id="a", stage_name="export", upstream={"review": 7})
    assert await workflow.definition("export").stage.execute("i", ctx) == ("i", 7)


def test_the_options_of_add_stage_are_taken_too():
    workflow = Workflow.builder().stage("a", Parse()).stage("b", Parse(), after="a", concurrency=2).dependency("b", "a").build()

    assert workflow.dependencies("b") == ["a"]
    assert workflow.definition("b").concurrency == 2


def test_building_twice_gives_the_same_workflow():
    builder = Workflow.builder().stage("a", Parse()).stage("b", Parse()).dependency("b", "a").quality_gate("b", lambda output: Accepted())

    first = builder.build()

    assert builder.build() is first
    assert len(first.definition("b").gates) == 1


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("dependency", "parse"),
        ("quality_gate", lambda output: Accepted()),
        ("retry_budget", RetryBudget()),
        ("review_policy", ReviewPolicy.NEVER),
    ],
)
def test_a_verb_on_an_unknown_stage_is_refused_when_built(verb, what):
    builder = Workflow.builder("docs").stage("parse", Parse())
    getattr(builder, verb)("prase", what)

    with pytest.raises(StageNotFound, match=f"workflow 'docs', {verb}: no stage is called 'prase'; did you mean 'parse'?"):
        builder.build()


def test_an_unknown_dependency_is_refused():
    with pytest.raises(StageNotFound, match=r"stage 'parse', after: no stage is called 'load'; there are none"):
        Workflow.builder().stage("parse", Parse()).dependency("parse", "load").build()


def test_duplicates_and_cycles_are_refused_when_built():
    with pytest.raises(DuplicateStage):
        Workflow.builder().stage("a", Parse()).stage("a", Parse()).build()
    with pytest.raises(DagCycle) as caught:
        Workflow.builder().stage("a", Parse()).stage("b", Parse()).dependency("a", "b").dependency("b", "a").build()
    assert caught.value.cycle == ["a", "b"]
    with pytest.raises(DagCycle) as caught:
        Workflow.builder().stage("a", Parse()).dependency("a", "a").build()
    assert caught.value.cycle == ["a"]


def test_wrong_kinds_are_refused_when_built():
    with pytest.raises(InvalidDefinition, match=r"stage 'a': retry='often' must be a RetryBudget"):
        Workflow.builder().stage("a", Parse()).retry_budget("a", "often").build()  # type: ignore[arg-type]
    with pytest.raises(InvalidDefinition, match=r"stage 'a': review=3 must be a ReviewPolicy"):
        Workflow.builder().stage("a", Parse()).review_policy("a", 3).build()  # type: ignore[arg-type]


def test_a_workflow_in_use_takes_no_more():
    builder = Workflow.builder("docs").stage("a", Parse())
    builder.build().definitions()

    with pytest.raises(
        InvalidDefinition, match=r"workflow 'docs' is in use already, so retry_budget of stage 'a' cannot be added or changed"
    ):
        builder.retry_budget("a", RetryBudget())
