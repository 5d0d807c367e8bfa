"""Workflows written with decorators: what a definition means, and what is refused."""

import importlib.util
import inspect
import sys
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from treadle_tui.engine.errors import DagCycle, DuplicateStage, InvalidDefinition, InvalidItem, StageExecutionError, StageNotFound
from treadle_tui.engine.feedback import Feedback
from treadle_tui.engine.functions import UserFunction
from treadle_tui.engine.limits import Limit
from treadle_tui.engine.outcomes import Completed, Failed, FanOut, NeedsReview, Retry, Skipped, StageOutcome
from treadle_tui.engine.quality import Accepted, Gate, Rejected, ask_all
from treadle_tui.engine.retry import RetryBudget
from treadle_tui.engine.review import ReviewPolicy
from treadle_tui.engine.stage import Stage, StageContext
from treadle_tui.engine.stage_definition import FunctionStage, ObjectStage, as_outcome, as_stage
from treadle_tui.engine.workflow import Workflow


@dataclass
class Paper:
    id: str
    path: str = ""


def context(stage: str = "s", **options: Any) -> StageContext:
    return StageContext(item_id="a", stage_name=stage, **options)


def papers() -> Workflow:
    """The example of the documentation."""
    papers = Workflow("papers", item=Paper)

    @papers.source
    def scan(folder: str):
        yield Paper(id=folder)

    @papers.stage(retry=RetryBudget(max_attempts=3, delay=1.0, attempt_timeout=120.0, on_exhausted="escalate"))
    async def markdown(item: Paper, ctx) -> dict[str, Any]:
        return {"text": item.path}

    @markdown.gate
    def readable(output: dict[str, Any], ctx):
        return Accepted() if output["text"] else Rejected(Feedback("empty"))

    @papers.stage(concurrency=4)
    def sources(markdown):
        return FanOut(["crossref", "arxiv"])

    @sources.each(retry=RetryBudget(max_attempts=5, delay=0.5, backoff=2.0, jitter=0.3))
    async def lookup(subtask: str, markdown, ctx) -> dict[str, Any]:
        return {"from": subtask, "of": markdown["text"]}

    @sources.reduce
    def merge(results: dict[str, Any]) -> dict[str, Any]:
        return {"found": sorted(results)}

    @papers.stage(review=ReviewPolicy.ALWAYS, after=["sources"])
    def publish(item: Paper, markdown):
        return markdown["text"]

    return papers


# -- structure ---------------------------------------------------------------------------------------------------------------------


def test_parameters_and_after_make_the_structure():
    workflow = papers()

    assert workflow.name == "papers"
    assert workflow.stages() == ["markdown", "sources", "publish"]
    assert workflow.dependencies("publish") == ["markdown", "sources"]
    assert workflow.dependents("markdown") == ["sources", "publish"]
    assert workflow.root_stages() == ["markdown"]
    assert workflow.leaf_stages() == ["publish"]
    assert workflow.has_stage("sources")
    assert not workflow.has_stage("lookup")


def test_the_name_defaults_to_workflow():
    assert Workflow().name == "workflow"
    assert Workflow().stages() == []
    assert repr(Workflow("papers")) == "<Workflow 'papers'>"


def test_definitions_hold_what_was_said():
    definitions = papers().definitions()

    markdown, sources, publish = definitions.values()
    assert list(definitions) == ["markdown", "sources", "publish"]
    assert markdown.retry.max_attempts == 3
    assert markdown.review is ReviewPolicy.ON_UNCERTAIN
    assert [gate.name for gate in markdown.gates] == ["readable"]
    assert sources.concurrency == 4
    assert sources.review is ReviewPolicy.NEVER
    assert sources.each is not None
    assert sources.each.retry.max_attempts == 5
    assert sources.each.review is ReviewPolicy.NEVER
    assert sources.reduce is not None
    assert sources.reduce.name == "merge"
    assert publish.review is ReviewPolicy.ALWAYS
    assert publish.each is None


async def test_a_function_stage_receives_item_context_and_upstream_by_name():
    definitions = papers().definitions()

    assert await definitions["markdown"].stage.execute(Paper("a", "x"), context()) == {"text": "x"}
    assert await definitions["markdown"].stage.execute({"id": "a", "path": "y"}, context()) == {"text": "y"}
    upstream = definitions["publish"].upstream_view({"markdown": {"text": "t"}, "sources": {"found": []}})
    assert upstream == {"markdown": {"text": "t"}, "sources": {"found": []}}
    assert await definitions["publish"].stage.execute(Paper("a"), context(upstream=upstream)) == "t"


async def test_a_subtask_receives_its_name():
    each = papers().definition("sources").each
    assert each is not None

    result = await each.stage.execute(Paper("a"), context(subtask="arxiv", upstream={"markdown": {"text": "t"}}))

    assert result == {"from": "arxiv", "of": "t"}


async def test_gates_of_the_decorator_and_the_option_are_all_asked():
    workflow = Workflow()
    asked = []

    def first(output):
        asked.append("option")
        return Accepted()

    @workflow.stage(gates=[first])
    def parse(item):
        return 1

    @parse.gate
    def second(output):
        asked.append("decorator")
        return Accepted()

    assert await ask_all(workflow.definition("parse").gates, 1, context()) == Accepted()
    assert asked == ["option", "decorator"]


def test_what_the_decorators_return_can_be_called_like_the_function():
    workflow = Workflow()

    @workflow.stage
    def double(number):
        """Twice."""
        return number * 2

    @workflow.stage(name="other", after=double)
    def triple(number: int = 0):
        return number * 3

    @double.each
    def each(subtask: str) -> str:
        return subtask

    @double.reduce
    def total(results: Any) -> Any:
        return results

    @double.gate
    def check(output: Any) -> Any:
        return Accepted()

    @workflow.source
    def numbers() -> Any:
        return [{"id": "1"}]

    assert (double(2), triple(2), each("s"), total(3), check(1), numbers()) == (4, 6, "s", 3, Accepted(), [{"id": "1"}])
    assert double.__name__ == "double"
    assert double.__doc__ == "Twice."
    assert str(inspect.signature(double)) == "(number)"
    assert (double.name, triple.name) == ("double", "other")
    assert repr(triple) == "<stage 'other' of workflow 'workflow'>"
    assert workflow.source_function is numbers


def test_a_handle_of_a_class_stage_calls_execute():
    class Parse(Stage):
        async def execute(self, item, ctx):
            return item

    coroutine = Workflow().add_stage("parse", Parse())(1, 2)

    coroutine.close()
    assert inspect.iscoroutine(coroutine)


def test_questions_take_handles_as_well_as_names():
    workflow = Workflow()
    first = workflow.add_stage("first", lambda item: 1)
    second = workflow.add_stage("second", lambda item: 1, after=[first])

    assert workflow.dependencies(second) == ["first"]
    assert workflow.dependents(first) == ["second"]
    assert workflow.has_stage(second)
    assert workflow.definition(second).name == "second"


@pytest.mark.parametrize("after", ["first", ["first"], ("first",), {"first"}])
def test_one_name_is_accepted_where_a_list_is_expected(after):
    workflow = Workflow()
    workflow.add_stage("second", lambda item: 1, after=after)
    workflow.add_stage("first", lambda item: 1)

    assert workflow.dependencies("second") == ["first"]
    assert workflow.stages() == ["first", "second"]


def test_a_dependency_named_twice_counts_once():
    workflow = Workflow()
    workflow.add_stage("a", lambda item: 1)
    workflow.add_stage("b", lambda a, item: 1, after=["a", "a"], skip_if=lambda a: False)

    assert workflow.dependencies("b") == ["a"]


def test_every_part_of_a_stage_may_depend_on_others():
    workflow = Workflow()
    for name in ("one", "two", "three", "four", "five"):
        workflow.add_stage(name, lambda item: 1)

    @workflow.stage(skip_if=lambda item, four: False)
    def last(one, ctx):
        return FanOut(["x"])

    @last.each
    def each(subtask, two): ...

    @last.reduce
    def reduce(results, three): ...

    @last.gate
    def gate(output, five): ...

    assert workflow.dependencies("last") == ["one", "two", "three", "four", "five"]
    assert set(workflow.definition("last").local_names) == {"one", "two", "three", "four", "five"}


def test_a_parameter_with_a_default_need_not_be_a_stage():
    workflow = Workflow()
    workflow.add_stage("first", lambda item: 1)
    for number in range(3):
        workflow.add_stage(f"s{number}", lambda item, number=number, first=None: number)

    assert workflow.dependencies("s1") == ["first"]


def test_adding_after_asking_builds_again():
    workflow = Workflow()
    workflow.add_stage("a", lambda item: 1)
    assert workflow.stages() == ["a"]

    workflow.add_stage("b", lambda a: 1)

    assert workflow.stages() == ["a", "b"]
    assert workflow.build() is workflow
    assert workflow.build() is workflow


def test_adding_to_a_workflow_in_use_is_refused():
    workflow = Workflow("papers")
    parse = workflow.add_stage("a", lambda item: 1)
    workflow.definitions()

    message = "workflow 'papers' is in use already, so stage 'b' cannot be added or changed; define it all first"
    with pytest.raises(InvalidDefinition, match=message):
        workflow.add_stage("b", lambda a: 1)
    changes: list[Callable[[], Any]] = [
        lambda: parse.gate(lambda output: Accepted()),
        lambda: parse.each(lambda subtask: 1),
        lambda: parse.reduce(lambda results: 1),
        lambda: workflow.limit("web", concurrency=1),
        lambda: workflow.source(lambda: ()),
        lambda: workflow.include("x", Workflow()),
    ]
    for change in changes:
        with pytest.raises(InvalidDefinition, match=r"is in use already"):
            change()


# -- what is refused ---------------------------------------------------------------------------------------------------------------


def build_stage(function: Any = lambda item: 1, name: str = "parse", **options: Any) -> Workflow:
    workflow = Workflow("papers")
    workflow.add_stage("markdown", lambda item: 1)
    workflow.add_stage(name, function, **options)
    return workflow.build()


def test_an_unknown_parameter_names_the_nearest_stage():
    message = "stage 'parse', parameter 'markdwon': no stage is called 'markdwon'; did you mean 'markdown'?"
    with pytest.raises(StageNotFound, match=message) as caught:
        build_stage(lambda item, markdwon: 1)
    assert caught.value.stage == "markdwon"


def test_unknown_names_say_where():
    with pytest.raises(StageNotFound, match=r"stage 'parse', after: no stage is called 'markdown2'; did you mean 'markdown'"):
        build_stage(after=["markdown2"])
    with pytest.raises(StageNotFound, match=r"workflow 'papers': no stage is called 'zzz'; known: markdown, parse"):
        build_stage().dependencies("zzz")
    with pytest.raises(StageNotFound, match=r"stage 'parse', skip_if, parameter 'zzz': no stage is called 'zzz'; known: markdown"):
        build_stage(skip_if=lambda zzz: 1)


@pytest.mark.parametrize(
    ("part", "function", "where"),
    [
        ("each", lambda subtask, zzz: 1, "each"),
        ("each", lambda output: 1, "each"),
        ("reduce", lambda results, zzz: 1, "reduce"),
        ("gate", lambda output, zzz: 1, "gate '<lambda>'"),
    ],
)
def test_unknown_names_in_the_parts_of_a_stage_say_which(part, function, where):
    workflow = Workflow()
    getattr(workflow.add_stage("parse", lambda item: 1), part)(function)

    with pytest.raises(StageNotFound, match=f"stage 'parse', {where}, parameter '(zzz|output)': no stage is called"):
        workflow.build()


@pytest.mark.parametrize("name", ["subtask", "output", "results"])
def test_a_stage_itself_knows_only_item_and_ctx(name):
    with pytest.raises(StageNotFound):
        build_stage(eval(f"lambda {name}: 1"))


@pytest.mark.parametrize(("part", "remedy"), [("gate", "take `output`"), ("reduce", "take `results`"), ("each", "there is no output yet")])
def test_a_part_that_takes_its_own_stage_is_told_what_to_take(part, remedy):
    workflow = Workflow()
    getattr(workflow.add_stage("parse", lambda item: 1), part)(lambda parse: 1)

    with pytest.raises(InvalidDefinition, match=f"stage 'parse', {part}.*: parameter 'parse' is the stage itself; {remedy}"):
        workflow.build()


def test_a_cycle_lists_its_stages():
    workflow = Workflow("papers")
    workflow.add_stage("a", lambda c: 1)
    workflow.add_stage("b", lambda a: 1)
    workflow.add_stage("c", lambda b: 1)
    workflow.add_stage("d", lambda c: 1)

    message = "the stages of workflow 'papers' depend on each other in a circle: a → b → c → a; remove one of these dependencies"
    with pytest.raises(DagCycle, match=message) as caught:
        workflow.build()
    assert caught.value.cycle == ["a", "b", "c"]


def test_a_stage_that_depends_on_itself_is_a_cycle():
    with pytest.raises(DagCycle) as caught:
        build_stage(after=["parse"])
    assert caught.value.cycle == ["parse"]


def test_two_stages_of_one_name_are_refused_when_built():
    workflow = Workflow("papers")
    workflow.add_stage("parse", lambda item: 1)
    workflow.add_stage("parse", lambda item: 2)

    with pytest.raises(DuplicateStage, match=r"workflow 'papers' already has a stage 'parse'; give one of the two another name"):
        workflow.stages()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("item", "stage name='item' is reserved for a parameter; reserved are item, ctx, subtask, output, results"),
        ("ctx", "reserved"),
        ("subtask", "reserved"),
        ("output", "reserved"),
        ("results", "reserved"),
        ("", "stage name='' must not be empty"),
        (" ", "must not be empty"),
        ("a/b", "stage name='a/b' must not contain '/', which separates the stages of an included workflow"),
        ("a\nb", r"stage name='a\\nb' must not contain control characters or line breaks"),
        ("x" * 201, "stage name 'xxx.*'… has 201 characters; at most 200 are allowed"),
        (3, "stage name=3 must be a text"),
    ],
)
def test_impossible_stage_names_are_refused(name, message):
    with pytest.raises(InvalidDefinition, match=message) as caught:
        build_stage(name=name)
    assert isinstance(caught.value, ValueError)


def test_names_that_are_no_identifiers_are_fine():
    workflow = build_stage(name="fetch the 1st page – 日本")

    assert workflow.has_stage("fetch the 1st page – 日本")


@pytest.mark.parametrize("name", ["", "a\x00", 3])
def test_impossible_workflow_names_are_refused(name):
    with pytest.raises(InvalidDefinition, match=r"workflow name="):
        Workflow(name).build()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurrency": 0}, "stage 'parse': concurrency=0 must be a whole number, 1 or more"),
        ({"concurrency": True}, "concurrency=True must be a whole number"),
        ({"concurrency": 1.5}, "concurrency=1.5 must be a whole number"),
        ({"retry": 3}, r"stage 'parse': retry=3 must be a RetryBudget, such as RetryBudget\(max_attempts=3\)"),
        ({"review": "always"}, "stage 'parse': review='always' must be a ReviewPolicy, such as ReviewPolicy.ALWAYS"),
        ({"gates": 3}, "stage 'parse': gates: 3 is no gate; give a function of `output` and `ctx`, or a Gate"),
        ({"gates": [lambda *args: 1]}, "stage 'parse': function '<lambda>': parameter"),
        ({"skip_if": True}, "stage 'parse': skip_if: 'bool' is of type bool, which cannot be called; give a function"),
        ({"tags": [""]}, r"stage 'parse': tags=\[''\] must be a list of texts that are not empty"),
        ({"tags": 3}, "stage 'parse': tags=3 must be a list of texts"),
        ({"secrets": [3]}, r"stage 'parse': secrets=\[3\] must be a list of texts"),
        ({"was": [None]}, r"stage 'parse': was=\[None\] must be a list of texts"),
        ({"was": "markdown"}, "stage 'parse': was='markdown' is still the name of a stage; leave one of the two out"),
        ({"isolation": "thread"}, "stage 'parse': isolation='thread' is unknown; the only one is 'process'"),
        ({"after": [3]}, "stage 'parse': after=3 must be a list of stage names, or of what @workflow.stage returned"),
        ({"conurrency": 3}, "stage 'parse' has no option 'conurrency'; did you mean 'concurrency'?"),
    ],
)
def test_impossible_options_name_stage_and_field(options, message):
    with pytest.raises(InvalidDefinition, match=message):
        build_stage(**options)


def test_options_that_stand_for_a_list_of_one():
    definition = build_stage(tags="web", secrets="token", was="old", gates=lambda output: Accepted()).definition("parse")

    assert (definition.tags, definition.secrets, definition.was, len(definition.gates)) == (("web",), ("token",), ("old",), 1)


def test_one_former_name_cannot_be_claimed_twice():
    workflow = Workflow()
    workflow.add_stage("a", lambda item: 1, was=["old"])
    workflow.add_stage("b", lambda item: 1, was=["old"])

    with pytest.raises(InvalidDefinition, match=r"stage 'b': was='old' is claimed by stage 'a' too"):
        workflow.build()


def test_a_positional_name_is_pointed_out():
    with pytest.raises(InvalidDefinition, match=r"stage 'parse': a name is given by keyword, @workflow.stage\(name='parse'\)"):
        Workflow().stage("parse")  # type: ignore[call-overload]


def test_one_each_one_reduce_and_one_source():
    workflow = Workflow("papers")
    stage = workflow.add_stage("a", lambda item: 1)
    stage.each(lambda subtask: 1)
    stage.reduce(lambda results: 1)

    with pytest.raises(InvalidDefinition, match=r"stage 'a' already has an `each`; a stage has one function for its subtasks"):
        stage.each(retry=RetryBudget())(lambda subtask: 1)
    with pytest.raises(InvalidDefinition, match=r"stage 'a' already has a `reduce`; a stage has one function that joins its results"):
        stage.reduce(lambda results: 1)

    workflow.source(lambda: ())
    workflow.source(lambda: ())
    with pytest.raises(InvalidDefinition, match=r"workflow 'papers' has two sources, <lambda> and <lambda>; a workflow has one"):
        workflow.build()


@pytest.mark.parametrize(("part", "name"), [("each", "each"), ("reduce", "reduce")])
def test_impossible_functions_of_a_part_are_named(part, name):
    workflow = Workflow()
    getattr(workflow.add_stage("a", lambda item: 1), part)(lambda *args: 1)

    with pytest.raises(InvalidDefinition, match=f"stage 'a', {name}: function '<lambda>': parameter"):
        workflow.build()


def test_options_of_each_are_checked():
    workflow = Workflow()
    workflow.add_stage("a", lambda item: 1).each(retry=3)(lambda subtask: 1)  # type: ignore[call-overload]

    with pytest.raises(InvalidDefinition, match=r"stage 'a', each: retry=3 must be a RetryBudget"):
        workflow.build()


def test_the_item_type_is_checked_when_built():
    with pytest.raises(InvalidDefinition, match=r"item=int: items are of"):
        Workflow(item=int).build()


# -- classes -----------------------------------------------------------------------------------------------------------------------


class Parse(Stage):
    retry = RetryBudget(max_attempts=2)
    review = ReviewPolicy.ALWAYS
    concurrency = 3
    tags = ("cpu",)
    secrets = ("token",)
    gates = (lambda output: Accepted(),)

    async def execute(self, item, ctx):
        return Completed({"pages": 3}, summary="3 pages")


class Bare:
    """No base class, plain methods, one hook."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def before_execute(self, item, ctx):
        self.seen.append("before")

    def execute(self, item, ctx):
        self.seen.append("execute")
        return item

    async def after_execute(self, item, ctx, outcome):
        self.seen.append(f"after {outcome.output}")


def test_class_attributes_are_defaults_and_keywords_win():
    workflow = Workflow()
    workflow.add_stage("parse", Parse())
    workflow.add_stage("again", Parse(), concurrency=1, review=ReviewPolicy.NEVER)

    parse, again = workflow.definitions().values()
    assert (parse.retry.max_attempts, parse.review, parse.concurrency) == (2, ReviewPolicy.ALWAYS, 3)
    assert (parse.tags, parse.secrets, len(parse.gates)) == (("cpu",), ("token",), 1)
    assert (again.concurrency, again.review, again.retry.max_attempts) == (1, ReviewPolicy.NEVER, 2)


async def test_objects_without_our_base_class_run_with_their_hooks():
    bare = Bare()
    stage = as_stage(bare, "bare")

    await stage.before_execute("i", context())
    assert await stage.execute("i", context()) == "i"
    await stage.after_execute("i", context(), Completed("i"))

    assert bare.seen == ["before", "execute", "after i"]
    assert isinstance(stage, ObjectStage)
    assert stage.wrapped is bare
    assert as_stage(stage) is stage


async def test_missing_hooks_do_nothing():
    class OnlyExecute:
        async def execute(self, item, ctx):
            return 1

    for stage in (as_stage(OnlyExecute()), as_stage(Parse())):
        assert await stage.before_execute("i", context()) is None  # type: ignore[func-returns-value]
        assert await stage.after_execute("i", context(), Completed()) is None  # type: ignore[func-returns-value]


def test_what_is_no_stage_is_refused():
    with pytest.raises(InvalidDefinition, match=r"stage 'parse' is a class; give an object of it: Parse\(\)"):
        build_stage(Parse)
    with pytest.raises(InvalidDefinition, match=r"stage 'parse': 3 is no stage; give a function, or an object with `execute\(item, ctx\)`"):
        build_stage(3)
    with pytest.raises(InvalidDefinition, match=r"stage 'parse': class Stage does not define `execute\(self, item, ctx\)`"):
        build_stage(Stage())
    with pytest.raises(InvalidDefinition, match=r"function 'parse' yields; return one value instead"):
        build_stage(lambda item: (yield))


def test_a_handle_is_a_stage_for_another_workflow():
    first, second = Workflow("first"), Workflow("second")
    parse = first.add_stage("parse", lambda item: 1)

    second.add_stage("read", parse)

    assert second.stages() == ["read"]
    assert isinstance(as_stage(parse), FunctionStage)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (None, Completed()),
        ({"a": 1}, Completed({"a": 1})),
        (Completed(1, "one"), Completed(1, "one")),
        (Completed, Completed()),
        (NeedsReview, NeedsReview()),
        (Skipped, Skipped()),
        (Failed, Failed("failed without saying why")),
        (Retry, Retry("asked for another attempt without saying why")),
        (int, Completed(int)),
    ],
)
def test_a_plain_value_is_a_completed_stage(answer, outcome):
    assert as_outcome(answer) == outcome


def test_an_outcome_class_that_says_nothing_is_an_error():
    with pytest.raises(StageExecutionError, match=r"the stage answered the class FanOut itself; write FanOut\(…\)"):
        as_outcome(FanOut)
    with pytest.raises(StageExecutionError, match=r"the class StageOutcome itself"):
        as_outcome(StageOutcome)


# -- outputs -----------------------------------------------------------------------------------------------------------------------


def test_return_annotations_become_output_types():
    workflow = Workflow()

    @workflow.stage
    def plain(item): ...

    @workflow.stage
    def typed(item) -> dict[str, int] | Skipped: ...  # type: ignore[empty-body]

    @workflow.stage
    def fanned(item) -> FanOut | str: ...  # type: ignore[empty-body]

    @workflow.stage
    def reduced(item) -> FanOut: ...  # type: ignore[empty-body]

    @reduced.each
    def each(subtask) -> int: ...  # type: ignore[empty-body]

    @reduced.reduce
    def total(results) -> int: ...  # type: ignore[empty-body]

    @workflow.stage
    def either(item) -> FanOut | str: ...  # type: ignore[empty-body]

    @either.reduce
    def count(results) -> int: ...  # type: ignore[empty-body]

    class Typed(Stage):
        async def execute(self, item, ctx) -> list[int]:
            return []

    workflow.add_stage("class", Typed())

    outputs = {name: str(definition.output) for name, definition in workflow.definitions().items()}
    subtask_outputs = {name: str(definition.subtask_output) for name, definition in workflow.definitions().items()}
    assert outputs == {"plain": "", "typed": "dict[str, int]", "fanned": "", "reduced": "int", "either": "str | int", "class": "list[int]"}
    assert subtask_outputs["reduced"] == "int"
    assert subtask_outputs["fanned"] == "str"


def test_types_of_the_surrounding_function_are_found():
    from tests.engine import postponed

    assert postponed.outputs_of_a_local_class() == ["Local", "list[Local]"]


# -- fingerprint and shape ---------------------------------------------------------------------------------------------------------


def fingerprint(change: Any = None, **options: Any) -> str:
    workflow = Workflow()
    workflow.add_stage("a", lambda item: 1)
    workflow.add_stage("b", lambda a: 1, **options)
    if change is not None:
        change(workflow)
    return workflow.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        {"retry": RetryBudget(max_attempts=2)},
        {"retry": RetryBudget(max_attempts=1, delay=1.0)},
        {"retry": RetryBudget(retry_on=ValueError)},
        {"review": ReviewPolicy.ALWAYS},
        {"review": ReviewPolicy("never", group="editors")},
        {"review": ReviewPolicy("never", reasons=["dark"])},
        {"concurrency": 2},
        {"tags": ["web"]},
        {"isolation": None, "skip_if": lambda item: True},
        {"gates": [lambda output: Accepted()], "review": ReviewPolicy.NEVER},
        {"change": lambda workflow: workflow.add_stage("c", lambda a: 1)},
        {"change": lambda workflow: workflow.limit("web", concurrency=1)},
    ],
)
def test_the_fingerprint_changes_with_structure_budgets_and_policies(other):
    assert fingerprint(**other) != fingerprint()


@pytest.mark.parametrize("other", [{"was": ["old"]}, {"secrets": ["token"]}])
def test_the_fingerprint_does_not_change_with_names_of_before_and_masks(other):
    assert fingerprint(**other) == fingerprint()
    assert len(fingerprint()) == 64


def test_the_fingerprint_knows_no_source_text_and_no_order_of_writing():
    one, two = Workflow("one"), Workflow("two")
    one.add_stage("a", lambda item: 1)
    one.add_stage("b", lambda item: 2)
    one.add_stage("c", lambda b, a: 3)
    two.add_stage("b", lambda item: "something else")
    two.add_stage("a", lambda item: 1)
    two.add_stage("c", lambda ctx: 3, after=["a", "b"])

    assert one.fingerprint == two.fingerprint


def test_the_shape_is_plain_json():
    import json

    workflow = papers()
    workflow.limit("web", rate=2.0)

    shape = json.loads(json.dumps(workflow.shape()))

    assert shape["name"] == "papers"
    assert shape["item"] == "Paper"
    assert shape["limits"] == {"web": {"concurrency": None, "rate": 2.0}}
    markdown, sources, publish = shape["stages"]
    assert markdown["gates"] == ["readable"]
    assert markdown["output"] == "dict[str, Any]"
    assert markdown["retry"]["on_exhausted"] == "escalate"
    assert sources["each"]["retry"]["max_attempts"] == 5
    assert sources["reduce"] is True
    assert publish["depends_on"] == ["markdown", "sources"]
    assert publish["review"]["when"] == "always"


@pytest.mark.parametrize(
    ("retry_on", "shown"),
    [(None, None), (ValueError, ["ValueError"]), ((OSError, EOFError), ["OSError", "EOFError"]), ([OSError], ["OSError"])],
)
def test_the_shape_names_exception_types(retry_on, shown):
    workflow = Workflow()
    workflow.add_stage("a", lambda item: 1, retry=RetryBudget(retry_on=retry_on))

    assert workflow.shape()["stages"][0]["retry"]["retry_on"] == shown


def test_the_shape_does_not_show_predicates():
    workflow = Workflow()
    workflow.add_stage("a", lambda item: 1, retry=RetryBudget(retry_on=lambda error: True))

    assert workflow.shape()["stages"][0]["retry"]["retry_on"] == "predicate"


# -- limits ------------------------------------------------------------------------------------------------------------------------


def test_limits_are_kept_by_tag():
    workflow = Workflow()
    workflow.limit("web", concurrency=2, rate=0.5)
    workflow.limit("cpu", 4)

    assert dict(workflow.limits) == {"web": Limit(2, 0.5), "cpu": Limit(4, None)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("web",), r"limit 'web': give `concurrency`, `rate` \(starts per second\), or both"),
        (("web", 0), "limit: concurrency=0 must be a whole number, 1 or more"),
        (("web", None, 0), "limit: rate=0 must be a number of starts per second above 0"),
        (("web", None, float("nan")), "limit: rate=nan must be"),
        (("web", None, True), "limit: rate=True must be"),
        (("", 1), "limit: tag='' must be a text that is not empty"),
        ((3, 1), "limit: tag=3 must be a text"),
    ],
)
def test_impossible_limits_are_refused(arguments, message):
    with pytest.raises(InvalidDefinition, match=message):
        Workflow().limit(*arguments)


# -- sources -----------------------------------------------------------------------------------------------------------------------


def source_of(function: Any) -> Workflow:
    workflow = Workflow("papers")
    workflow.source(function)
    return workflow


def test_a_source_yields_items_for_words_converted_to_its_annotations():
    def scan(folder: Path, count: int = 1, *names: str):
        yield from ({"id": f"{folder}{number}{names}"} for number in range(count))

    workflow = source_of(scan)

    assert [item["id"] for item in workflow.items_from("x", "2", "n")] == ["x0('n',)", "x1('n',)"]  # type: ignore[union-attr]
    assert [item["id"] for item in workflow.items_from("y")] == ["y0()"]  # type: ignore[union-attr]


async def test_a_source_may_be_async():
    async def pages(count: int):
        for number in range(count):
            yield {"id": str(number)}

    async def listed():
        return [{"id": "a"}]

    async def nested():
        return pages(1)

    async def collect(workflow: Workflow, *words: str) -> list[Any]:
        items = workflow.items_from(*words)
        assert isinstance(items, AsyncIterable)
        return [item async for item in items]

    assert await collect(source_of(pages), "2") == [{"id": "0"}, {"id": "1"}]
    assert await collect(source_of(listed)) == [{"id": "a"}]
    assert await collect(source_of(nested)) == [{"id": "0"}]


def test_words_a_source_cannot_be_called_with_are_refused():
    def scan(folder: str, count: int = 1):
        return []

    workflow = source_of(scan)

    message = r"the source is scan\(folder: str, count: int = 1\), and was given no argument: missing a required argument: 'folder'"
    with pytest.raises(InvalidItem, match=message):
        workflow.items_from()
    with pytest.raises(InvalidItem, match=r"was given 3 arguments \('a', '1', 'c'\): too many positional arguments"):
        workflow.items_from("a", "1", "c")
    with pytest.raises(InvalidItem, match=r"was given 1 argument \('a'\)"):
        source_of(lambda: ()).items_from("a")
    with pytest.raises(InvalidItem, match=r"the source is scan\(.*\); count='many' is no int: Expected `int`, got `str`"):
        workflow.items_from("a", "many")


@pytest.mark.parametrize("answer", [None, "text", {"id": "a"}, 3])
def test_a_source_that_yields_nothing_is_refused(answer):
    with pytest.raises(InvalidItem, match=r"the source '<lambda>' returned a value of type .*; it must yield work items, or return them"):
        source_of(lambda: answer).items_from()


def test_a_workflow_without_a_source_says_so():
    message = "workflow 'papers' has no source; decorate a function with @workflow.source, or submit items"
    with pytest.raises(InvalidDefinition, match=message):
        Workflow("papers").items_from("x")
    assert Workflow().source_function is None


def test_impossible_sources_are_refused():
    with pytest.raises(InvalidDefinition, match=r"source: 3 is no function that yields work items"):
        source_of(3)
    with pytest.raises(InvalidDefinition, match=r"source 'dir' does not tell its parameters"):
        source_of(dir)
    with pytest.raises(InvalidDefinition, match=r"parameter 'count' can only be given by name, and what follows `add` has none"):
        source_of(lambda *, count: 1)


# -- origin ------------------------------------------------------------------------------------------------------------------------


def test_the_origin_is_the_file_that_made_the_workflow():
    origin = Workflow().origin

    assert origin.module == __name__
    assert origin.file == __file__


def test_a_workflow_in_a_function_cannot_run_in_processes():
    message = (
        "stage 'parse': isolation='process' needs a workflow another process can find again;"
        " assign workflow 'papers' to a name of its module, in a file"
    )
    with pytest.raises(InvalidDefinition, match=message):
        build_stage(isolation="process")


def test_a_workflow_in_executed_text_cannot_run_in_processes():
    names: dict[str, Any] = {"Workflow": Workflow}
    exec("wf = Workflow()\nwf.add_stage('a', lambda item: 1, isolation='process')", names)

    assert names["wf"].origin.file is None
    with pytest.raises(InvalidDefinition, match=r"another process can find again"):
        names["wf"].build()


MODULE = """
from treadle_tui.engine.workflow import Workflow

def make():
    workflow = Workflow("made")
    workflow.add_stage("parse", lambda item: 1, isolation="process")
    return workflow.build() if EARLY else workflow

EARLY = {early}
made = make()
"""


@pytest.mark.parametrize("early", [True, False])
def test_a_workflow_of_a_module_can_run_in_processes(tmp_path, early):
    file = tmp_path / f"made_{early}.py"
    file.write_text(MODULE.format(early=early))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    assert module.made.definition("parse").isolation == "process"
    assert module.made.origin.file == str(file)
    assert module.made.origin.module == file.stem
    assert repr(module.made.origin) == f"<origin {file.stem} {file}>"


@pytest.mark.parametrize("early", [True, False])
def test_a_workflow_made_by_a_factory_belongs_to_the_module_that_keeps_it(tmp_path, monkeypatch, early):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "factory_of_workflows.py").write_text(MODULE.format(early=early).replace("made = make()", ""))
    (tmp_path / "keeper_of_workflows.py").write_text("from factory_of_workflows import make\nkept = make()\n")

    importlib.invalidate_caches()
    keeper_of_workflows = importlib.import_module("keeper_of_workflows")

    assert keeper_of_workflows.kept.build().origin.module == "keeper_of_workflows"
    del sys.modules["keeper_of_workflows"], sys.modules["factory_of_workflows"]


def test_skip_if_is_a_function_by_name():
    skip_if = build_stage(skip_if=lambda item, markdown: item == markdown).definition("parse").skip_if

    assert isinstance(skip_if, UserFunction)
    assert skip_if.bind({"item": 1, "markdown": 1})() is True


def test_gates_without_policy_ask_a_person_when_uncertain():
    assert build_stage(gates=[Gate()]).definition("parse").review is ReviewPolicy.ON_UNCERTAIN
    assert build_stage(gates=[Gate()], review=ReviewPolicy.NEVER).definition("parse").review is ReviewPolicy.NEVER
    assert build_stage(gates=[]).definition("parse").review is ReviewPolicy.NEVER
