"""The part of the store contract about lists of items: filters, orders, pages."""

from __future__ import annotations

from typing import Any

from treadle_tui.engine.clock import to_ms
from treadle_tui.engine.engine import Engine
from treadle_tui.engine.outcomes import Failed, FanOut, NeedsReview
from treadle_tui.engine.review import Approve
from treadle_tui.engine.selection import Aspect, Comparison, Condition, Order, Selection
from treadle_tui.engine.states import ItemState, StageState
from treadle_tui.engine.testing.clock import ManualClock
from treadle_tui.engine.testing.contract import every_store
from treadle_tui.engine.workflow import Workflow


def varied() -> Workflow:
    """`read` (tag io) fails for ids with "bad"; `parts` fans out, one part failing for "torn"; `check` waits for a person."""
    workflow = Workflow("docs")

    @workflow.stage(tags=["io"])
    async def read(item: Any) -> Any:
        return Failed("Timeout after 30 s") if "bad" in item["id"] else item["id"]

    @workflow.stage
    def parts(read: Any) -> FanOut:
        return FanOut(["one", "two"])

    @parts.each
    async def part(subtask: str, item: Any) -> Any:
        return Failed("torn page") if "torn" in item["id"] and subtask == "two" else subtask

    @workflow.stage(after=["parts"])
    async def check(item: Any) -> Any:
        return NeedsReview(None)

    workflow.add_stage("publish", _publish, after=["check"])
    return workflow


async def _publish(item: Any) -> Any:
    return None


async def populate(store: Any, clock: ManualClock) -> None:
    """Eight items of `varied` in every situation, an hour between the first four and the rest; one of another workflow.

    One attempt at a time: what was changed last must not depend on how soon a store answers.
    """
    other = Workflow("other")
    other.add_stage("publish", _publish)
    async with Engine(store, [varied(), other], clock=clock, concurrency=1) as engine:
        await engine.submit("docs", [{"id": "doc-1"}, {"id": "bad-2"}, {"id": "torn-3"}])
        await engine.submit("docs", [{"id": "done_4"}], priority=5)
        await engine.run_until_idle()
        await engine.resolve_review("done_4", "check", Approve(by="ana"))
        clock.advance(3600)
        await engine.run_until_idle()
        await engine.submit("other", [{"id": "elsewhere"}])
        await engine.submit("docs", [{"id": "new*5"}, {"id": "Bad[6]"}, {"id": "paused-7"}, {"id": "cancelled-8"}], priority=-1)
        await engine.pause("paused-7")
        await engine.cancel("cancelled-8")


async def _ids(store: Any, *conditions: Condition, clock: ManualClock, **order: Any) -> list[str]:
    selection = Selection("docs", conditions, **order)
    now = to_ms(clock.now())
    keys = await store.select(selection, now)
    assert await store.count_selected(selection, now) == len(keys)
    assert list(await store.select(selection, now, 2)) == list(keys[:2])
    assert [row.key for row in await store.rows_of(keys)] == list(keys)
    found: list[str] = await store.ids_of(keys)
    return found


def _state(*states: StageState, is_negated: bool = False) -> Condition:
    return Condition(Aspect.STATE, states, is_negated)


@every_store
async def conditions_about_a_stage_describe_one_stage_together(store: Any) -> None:
    """ "Failed" and "check" is an item whose check has failed; in names `*` and `?` stand for anything and for one character."""
    clock = ManualClock()
    await populate(store, clock)
    stage = Condition(Aspect.STAGE, ("check",))

    assert await _ids(store, _state(StageState.FAILED), clock=clock) == ["bad-2", "torn-3"]
    assert await _ids(store, _state(StageState.FAILED), stage, clock=clock) == []
    assert await _ids(store, _state(StageState.AWAITING_REVIEW), stage, clock=clock) == ["doc-1"]
    assert await _ids(store, _state(StageState.COMPLETED), stage, clock=clock) == ["done_4"]
    assert await _ids(store, _state(StageState.COMPLETED, is_negated=True), stage, clock=clock) == [
        *("doc-1", "bad-2", "torn-3", "new*5", "Bad[6]", "paused-7", "cancelled-8")
    ]
    assert await _ids(store, _state(StageState.FAILED), Condition(Aspect.TAG, ("io",)), clock=clock) == ["bad-2"]
    assert await _ids(store, _state(StageState.FAILED), Condition(Aspect.TAG, ("io",), True), clock=clock) == ["torn-3"]
    assert await _ids(store, Condition(Aspect.STAGE, ("p?rts", "no*")), _state(StageState.CANCELLED), clock=clock) == ["cancelled-8"]


@every_store
async def a_subtask_counts_as_its_stage(store: Any) -> None:
    """By its error and by its state; errors are found whatever their case."""
    clock = ManualClock()
    await populate(store, clock)

    assert await _ids(store, Condition(Aspect.ERROR, ("TORN page",)), clock=clock) == ["torn-3"]
    assert await _ids(store, _state(StageState.COMPLETED), Condition(Aspect.STAGE, ("parts",)), clock=clock) == [
        "doc-1",
        "torn-3",
        "done_4",
    ]


@every_store
async def negated_conditions_alone_rule_items_out(store: Any) -> None:
    """No stage of the item may be like that."""
    clock = ManualClock()
    await populate(store, clock)
    no_failure, no_review = _state(StageState.FAILED, is_negated=True), _state(StageState.AWAITING_REVIEW, is_negated=True)
    everything = ["doc-1", "bad-2", "torn-3", "done_4", "new*5", "Bad[6]", "paused-7", "cancelled-8"]

    assert await _ids(store, no_failure, no_review, clock=clock) == everything[3:]
    assert await _ids(store, Condition(Aspect.ERROR, ("timeout",), True), clock=clock) == [id for id in everything if id != "bad-2"]


@every_store
async def items_are_found_by_id_word_state_priority_and_age(store: Any) -> None:
    """Words match whatever their case, and literally; ids match case, `*` and `?`, a backslash makes them literal; ages are seconds."""
    clock = ManualClock()
    await populate(store, clock)

    def found(aspect: Aspect, *values: Any, is_negated: bool = False) -> Any:
        return _ids(store, Condition(aspect, values, is_negated), clock=clock)

    assert await found(Aspect.WORD, "BAD") == ["bad-2", "Bad[6]"]
    assert await found(Aspect.WORD, "_") == ["done_4"]
    assert await found(Aspect.WORD, "%") == []
    assert await found(Aspect.ID, "bad*") == ["bad-2"]
    assert await found(Aspect.ID, "?ad[6]", "doc-1") == ["doc-1", "Bad[6]"]
    assert await found(Aspect.ID, "new\\*5") == ["new*5"]
    assert await found(Aspect.ID, "n*") == ["new*5"]
    assert await found(Aspect.ID, "*-?", is_negated=True) == ["done_4", "new*5", "Bad[6]"]
    assert await found(Aspect.IS, ItemState.COMPLETED) == ["done_4"]
    assert await found(Aspect.IS, ItemState.PAUSED, ItemState.CANCELLED) == ["paused-7", "cancelled-8"]
    assert await found(Aspect.IS, ItemState.ACTIVE) == ["doc-1", "bad-2", "torn-3", "new*5", "Bad[6]"]
    assert await found(Aspect.PRIORITY, Comparison(">", 0)) == ["done_4"]
    assert await found(Aspect.ADDED, Comparison(">=", 3600)) == ["doc-1", "bad-2", "torn-3", "done_4"]
    assert await found(Aspect.ATTEMPTS, Comparison(">", 1)) == []


@every_store
async def a_stage_nothing_has_happened_to_is_pending_and_as_old_as_its_item(store: Any) -> None:
    """It needs no row of its own to be found."""
    clock = ManualClock()
    await populate(store, clock)
    publish = Condition(Aspect.STAGE, ("publish",))
    old, untried = Condition(Aspect.AGE, (Comparison(">", 1800),)), Condition(Aspect.ATTEMPTS, (Comparison("=", 0),))

    assert await _ids(store, publish, _state(StageState.PENDING), old, untried, clock=clock) == ["doc-1", "bad-2", "torn-3"]
    assert await _ids(store, publish, _state(StageState.PENDING), old._replace(is_negated=True), clock=clock) == [
        *("new*5", "Bad[6]", "paused-7")
    ]
    assert await _ids(store, publish, Condition(Aspect.ERROR, ("x",), True), untried, clock=clock) == [
        *("doc-1", "bad-2", "torn-3", "new*5", "Bad[6]", "paused-7", "cancelled-8")
    ]


@every_store
async def a_list_comes_in_the_order_that_is_asked_for(store: Any) -> None:
    """By submission unless told otherwise; by the state of a stage in the reading order of states, then by submission."""
    clock = ManualClock()
    await populate(store, clock)
    added = ["doc-1", "bad-2", "torn-3", "done_4", "new*5", "Bad[6]", "paused-7", "cancelled-8"]

    assert await _ids(store, clock=clock) == added
    assert await _ids(store, clock=clock, is_descending=True) == added[::-1]
    assert await _ids(store, clock=clock, order=Order.ID) == sorted(added)
    assert await _ids(store, clock=clock, order=Order.ID, is_descending=True) == sorted(added)[::-1]
    assert await _ids(store, clock=clock, order=Order.PRIORITY, is_descending=True) == ["done_4", "doc-1", "bad-2", "torn-3", *added[4:]]
    assert (await _ids(store, clock=clock, order=Order.UPDATED, is_descending=True))[:2] == ["cancelled-8", "paused-7"]
    assert await _ids(store, clock=clock, order=Order.STAGE, stage="read") == [
        *("bad-2", "doc-1", "torn-3", "done_4", "cancelled-8", "new*5", "Bad[6]", "paused-7")
    ]


@every_store
async def pages_may_be_counted_from_an_item(store: Any) -> None:
    """`after` is exclusive, in the direction of the list; `ids_between` includes both ends."""
    clock = ManualClock()
    await populate(store, clock)
    rows = await store.page(workflow="docs")

    async def ids(**where: Any) -> list[str]:
        return [row.item_id for row in await store.page(workflow="docs", **where)]

    assert await ids(after=rows[2].key, limit=2) == ["done_4", "new*5"]
    assert await ids(after=rows[2].key, offset=1, limit=2) == ["new*5", "Bad[6]"]
    assert await ids(after=rows[2].key, is_descending=True) == ["bad-2", "doc-1"]
    assert [await store.place_of(row.key, "docs") for row in rows] == list(range(len(rows)))
    assert await store.place_of(rows[-1].key) == len(rows)
    assert await store.ids_between(rows[1].key, rows[3].key, "docs") == ["bad-2", "torn-3", "done_4"]
    assert "elsewhere" in await store.ids_between(rows[3].key, rows[4].key)


@every_store
async def what_waits_is_counted_as_it_is_listed(store: Any) -> None:
    """Stages and subtasks that wait for a person; a deleted item takes its own along."""
    clock = ManualClock()
    await populate(store, clock)

    async def part(subtask: str, item: Any) -> Any:
        return NeedsReview(subtask)

    asking = Workflow("asking")

    @asking.stage
    def parts(item: Any) -> FanOut:
        return FanOut(["one", "two"])

    parts.each(part)
    async with Engine(store, [asking], clock=clock) as engine:
        await engine.submit("asking", [{"id": "asked"}])
        await engine.run_until_idle()

        assert await store.waiting_count() == len(await store.pending_reviews()) == 3
        assert await store.waiting_subtasks() == {"asking": {"parts": 2}}
        await engine.delete_item("asked")
        assert await store.waiting_count() == len(await store.pending_reviews()) == 1
        assert await store.waiting_subtasks() == {}


@every_store
async def a_row_tells_when_a_stage_began_and_ended(store: Any) -> None:
    """By the engine's clock; None while it has not."""
    clock = ManualClock()
    await populate(store, clock)

    cells = (await store.rows(["done_4"]))[0].cells

    assert cells["read"].started_at is not None
    assert cells["read"].completed_at is not None
    assert (cells["publish"].completed_at - cells["read"].completed_at).total_seconds() == 3600
