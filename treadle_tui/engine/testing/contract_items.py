"""The part of the store contract about items, what a store answers, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from treadle_tui.engine import events as ev
from treadle_tui.engine.engine import Engine
from treadle_tui.engine.errors import InvalidItem, ItemNotFound, StageNotFound, StoreError
from treadle_tui.engine.outcomes import FanOut, NeedsReview
from treadle_tui.engine.states import ItemState, StageState
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs.moves import item_named
from treadle_tui.engine.testing.clock import START, ManualClock
from treadle_tui.engine.testing.contract import every_store
from treadle_tui.engine.testing.folding import disagreements
from treadle_tui.engine.workflow import Workflow


def two_steps(name: str = "docs") -> Workflow:
    """`parse`, then `review`, which waits for a person."""
    workflow = Workflow(name)

    @workflow.stage
    async def parse(item: Any) -> Any:
        return {"id": item["id"]}

    @workflow.stage
    async def review(parse: Any) -> Any:
        return NeedsReview(parse)

    workflow.add_stage("publish", _publish, after=["review"])
    return workflow


async def _publish(item: Any) -> Any:
    return item["id"]


async def raised(kind: type[BaseException], awaitable: Any) -> BaseException:
    """The error of that kind which the awaitable raises."""
    try:
        await awaitable
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


@every_store
async def a_new_store_has_nothing_in_it(store: Any) -> None:
    """Every question has an empty answer, and no event has been told."""
    assert await store.list_items() == []
    assert await store.counts() == {}
    assert await store.pending_reviews() == []
    assert await store.stage_names() == {}
    assert [event async for event in store.events()] == []
    assert await store.last_seq() == 0
    assert await store.count_items() == 0
    assert await store.page() == []


@every_store
async def what_nobody_knows_is_answered_with_nothing(store: Any) -> None:
    """None, `[]` or `{}` for an unknown item, stage, subtask or workflow; no error."""
    async with Engine(store, [two_steps()]) as engine:
        await engine.submit("docs", [{"id": "a"}])

        assert await store.get_item("?") is None
        assert await store.get_status("?", "parse") is None
        assert await store.get_status("a", "?") is None
        assert await store.get_all_statuses("?") == {}
        assert await store.get_attempts("?", "parse") == []
        assert await store.get_attempts("a", "?") == []
        assert await store.get_attempts("a", "parse", "?") == []
        assert await store.query_items("?", StageState.PENDING) == []
        assert await store.list_items("?") == []
        assert await store.pending_reviews("?") == []
        assert [event async for event in store.events(item_id="?")] == []


@every_store
async def changing_what_nobody_knows_is_refused(store: Any) -> None:
    """`ItemNotFound` for an item, `StageNotFound` for a stage of an item."""
    async with Engine(store, [two_steps()]) as engine:
        await engine.submit("docs", [{"id": "a"}])

        error = await raised(ItemNotFound, store.delete_item("?"))
        assert getattr(error, "item_id", None) == "?"
        await raised(ItemNotFound, engine.pause("?"))
        await raised(ItemNotFound, engine.retry_stage("?", "parse"))
        await raised(StageNotFound, engine.retry_stage("a", "pasre"))


@every_store
async def items_are_listed_in_the_order_of_submission(store: Any) -> None:
    """Of one workflow or of all; the data of an item is what was submitted, as JSON gives it back."""
    clock = ManualClock()
    async with Engine(store, [two_steps(), two_steps("other")], clock=clock) as engine:
        assert await engine.submit("docs", [{"id": "b", "n": [1, None, "é"]}, {"id": "a"}]) == 2
        assert await engine.submit("other", [{"id": "c"}]) == 1

        item = await store.get_item("b")

        assert await store.list_items() == ["b", "a", "c"]
        assert await store.list_items("other") == ["c"]
        assert (item.id, item.workflow, item.data) == ("b", "docs", {"id": "b", "n": [1, None, "é"]})
        assert (item.state, item.created_at) == (ItemState.ACTIVE, START)


@every_store
async def a_known_id_is_kept_as_it_was(store: Any) -> None:
    """Ids are unique in a store: what is submitted again, under any workflow or twice in a batch, changes nothing and is not counted."""
    async with Engine(store, [two_steps(), two_steps("other")]) as engine:
        await engine.submit("docs", [{"id": "a", "n": 1}])

        assert await engine.submit("docs", [{"id": "a", "n": 2}, {"id": "b"}, {"id": "b"}]) == 1
        assert await engine.submit("other", [{"id": "a", "n": 3}, {"id": "c"}]) == 1

        item = await store.get_item("a")
        assert (item.workflow, item.data["n"]) == ("docs", 1)
        assert await store.list_items() == ["a", "b", "c"]


@every_store
async def a_batch_with_a_bad_item_adds_nothing(store: Any) -> None:
    """Neither an item nor an event of the batch is written."""
    async with Engine(store, [two_steps()]) as engine:
        await raised(InvalidItem, engine.submit("docs", [{"id": "a"}, {"id": 7}]))

        assert await store.list_items() == []
        assert [event async for event in store.events()] == []


@every_store
async def a_fresh_item_is_pending_in_every_stage(store: Any) -> None:
    """Attempt 0, without a row of its attempts, updated when it was added; statuses come in topological order."""
    async with Engine(store, [two_steps()], clock=ManualClock()) as engine:
        await engine.submit("docs", [{"id": "a"}])

        statuses = await store.get_all_statuses("a")

        assert list(statuses) == ["parse", "review", "publish"]
        assert {status.state for status in statuses.values()} == {StageState.PENDING}
        assert {status.attempt for status in statuses.values()} == {0}
        assert statuses["publish"].updated_at == START
        assert await store.get_status("a", "publish") == statuses["publish"]
        assert await store.get_attempts("a", "publish") == []


@every_store
async def items_are_found_by_the_state_of_a_stage(store: Any) -> None:
    """`query_items`: ids in the order of submission, of one workflow or of all that have the stage."""
    async with Engine(store, [two_steps(), two_steps("other")]) as engine:
        await engine.submit("docs", [{"id": "a"}, {"id": "b"}])
        await engine.submit("other", [{"id": "c"}])
        await engine.advance("a")
        await engine.advance("c")

        assert await store.query_items("review", StageState.AWAITING_REVIEW) == ["a", "c"]
        assert await store.query_items("review", StageState.AWAITING_REVIEW, "other") == ["c"]
        assert await store.query_items("publish", StageState.PENDING) == ["a", "b", "c"]
        assert await store.query_items("parse", StageState.PENDING) == ["b"]
        assert await store.query_items("parse", StageState.FAILED) == []


@every_store
async def counts_say_how_many_items_are_in_a_state(store: Any) -> None:
    """Workflow → stage → state → items; states without items are left out."""
    async with Engine(store, [two_steps()]) as engine:
        await engine.submit("docs", [{"id": "a"}, {"id": "b"}])
        await engine.advance("a")

        assert await store.counts() == {
            "docs": {
                "parse": {StageState.COMPLETED: 1, StageState.PENDING: 1},
                "review": {StageState.AWAITING_REVIEW: 1, StageState.PENDING: 1},
                "publish": {StageState.PENDING: 2},
            }
        }
        assert await disagreements(store) == []


@every_store
async def a_board_reads_its_rows_in_pages(store: Any) -> None:
    """`page` and `count_items` agree on the same conditions; `rows` leaves out ids that are unknown, in any order."""
    async with Engine(store, [two_steps(), two_steps("other")]) as engine:
        await engine.submit("docs", [{"id": "a"}, {"id": "b"}, {"id": "c"}])
        await engine.submit("other", [{"id": "d"}])
        await engine.advance("b")

        page = await store.page(workflow="docs", offset=1, limit=1)

        assert [row.item_id for row in page] == ["b"]
        assert {name: cell.state for name, cell in page[0].cells.items()} == {
            "parse": StageState.COMPLETED,
            "review": StageState.AWAITING_REVIEW,
            "publish": StageState.PENDING,
        }
        assert [row.item_id for row in await store.rows(["c", "?", "a"])] in (["c", "a"], ["a", "c"])
        assert [row.item_id for row in await store.page(states=[StageState.AWAITING_REVIEW])] == ["b"]
        assert [row.item_id for row in await store.page(stage="parse", states=[StageState.PENDING])] == ["a", "c", "d"]
        assert await store.count_items(workflow="docs") == 3
        assert await store.count_items(stage="review", states=[StageState.PENDING]) == 3


@every_store
async def a_board_counts_subtasks_by_state(store: Any) -> None:
    """A cell has the state of its stage, and of its subtasks the number in each state; `counts` counts stages only."""
    workflow = Workflow("docs")

    @workflow.stage
    async def look(ctx: Any) -> Any:
        if ctx.subtask is None:
            return FanOut(["x", "y", "z"])
        if ctx.subtask == "y":
            raise ValueError("no")
        return 1

    async with Engine(store, [workflow]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()

        cell = (await store.page())[0].cells["look"]

        assert (cell.state, cell.subtasks) == (StageState.FAILED, 3)
        assert dict(cell.subtasks_by_state) == {StageState.COMPLETED: 2, StageState.FAILED: 1}
        assert await store.counts() == {"docs": {"look": {StageState.FAILED: 1}}}


@every_store
async def a_deleted_item_leaves_one_event(store: Any) -> None:
    """`ItemDeleted`, with the next number; everything else about the item is gone, its other events too."""
    async with Engine(store, [two_steps()]) as engine:
        await engine.submit("docs", [{"id": "a"}, {"id": "b"}])
        await engine.run_until_idle()
        before = await store.last_seq()

        await store.delete_item("a")

        assert await store.list_items() == ["b"]
        assert await store.get_all_statuses("a") == {}
        assert await store.get_attempts("a", "parse") == []
        assert [review.item_id for review in await store.pending_reviews()] == ["b"]
        told = [event async for event in store.events() if getattr(event, "item_id", "") == "a"]
        assert [(type(event), event.seq) for event in told] == [(ev.ItemDeleted, before + 1)]
        assert await disagreements(store) == []


@every_store
async def a_deleted_id_can_be_used_again(store: Any) -> None:
    """As a new item: nothing of the one before comes back."""
    async with Engine(store, [two_steps()]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        await store.delete_item("a")

        assert await engine.submit("docs", [{"id": "a", "again": True}]) == 1

        status = await store.get_status("a", "parse")
        assert (status.state, status.attempt) == (StageState.PENDING, 0)
        assert (await store.get_item("a")).data == {"id": "a", "again": True}
        assert await disagreements(store) == []


@every_store
async def events_are_read_from_any_place_in_their_order(store: Any) -> None:
    """Numbers begin at 1 and have no gaps; `since` is exclusive."""
    async with Engine(store, [two_steps()], clock=ManualClock()) as engine:
        await engine.submit("docs", [{"id": "a"}, {"id": "b"}])
        await engine.run_until_idle()

        everything = [event async for event in store.events()]

        assert [event.seq for event in everything] == list(range(1, len(everything) + 1))
        assert {event.at for event in everything} == {START}
        assert [event async for event in store.events(since=3)] == everything[3:]
        assert [event async for event in store.events(since=len(everything))] == []
        assert [event async for event in store.events(item_id="b")] == [event for event in everything if event.item_id == "b"]
        assert await store.last_seq() == len(everything)


@every_store
async def a_reader_is_woken_by_a_commit(store: Any) -> None:
    """`changed(since, timeout)` gives the newest number: at once when there is a newer one, else after a commit or so many seconds."""
    async with Engine(store, [two_steps()]) as engine:
        waiting = asyncio.create_task(store.changed(await store.last_seq(), timeout=30))
        await asyncio.sleep(0)

        await engine.submit("docs", [{"id": "a"}])

        assert await asyncio.wait_for(waiting, 10) == 1
        assert await store.changed(0, timeout=30) == 1
        assert await store.changed(1, timeout=0.01) == 1


@every_store
async def a_verb_that_raises_changes_nothing(store: Any) -> None:
    """Rows that were edited, counts and events are as before, and the store goes on."""
    async with Engine(store, [two_steps()]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        before = (await store.get_all_statuses("a"), await store.counts(), [event async for event in store.events()])

        def spoil(unit: Unit) -> None:
            item = item_named(unit, "a")
            for stage in unit.shape_of(item).stages:
                task = unit.task(item, stage.id)
                assert task is not None
                unit.edit(task)
                unit.set_state(task, 6)
                task.put(error="spoilt")
            unit.edit(item)
            item.flags = 7
            unit.emit(ev.ItemPaused, workflow=item.workflow, item=item.key)
            raise InvalidItem("on purpose")

        await raised(InvalidItem, store.change(spoil, 0))

        assert (await store.get_all_statuses("a"), await store.counts(), [event async for event in store.events()]) == before
        await engine.pause("a")
        assert await disagreements(store) == []


@every_store
async def of_several_verbs_in_one_transaction_the_failing_ones_change_nothing(store: Any) -> None:
    """`each_in_one` answers a result or the error, one per verb, in their order."""
    async with Engine(store, [two_steps()]) as engine:
        await engine.submit("docs", [{"id": "a"}, {"id": "b"}])

        def pausing(item_id: str, error: Exception | None = None) -> Callable[[Unit], str]:
            def verb(unit: Unit) -> str:
                item = item_named(unit, item_id)
                unit.edit(item)
                item.flags |= 1
                unit.emit(ev.ItemPaused, workflow=item.workflow, item=item.key)
                if error is not None:
                    raise error
                return item_id

            return verb

        results = await store.each_in_one([pausing("a"), pausing("b", InvalidItem("no")), pausing("?")], 0)

        assert results[0] == "a"
        assert [type(result) for result in results[1:]] == [InvalidItem, ItemNotFound]
        assert [(await store.get_item(id)).state for id in ("a", "b")] == [ItemState.PAUSED, ItemState.ACTIVE]
        assert [event.item_id async for event in store.events() if isinstance(event, ev.ItemPaused)] == ["a"]


@every_store
async def another_event_loop_may_ask(store: Any) -> None:
    """A question may come from a loop in another thread while an engine is open."""
    async with Engine(store, [two_steps()]) as engine:
        await engine.submit("docs", [{"id": "a"}])

        answer = await asyncio.to_thread(lambda: asyncio.run(store.get_all_statuses("a")))

        assert list(answer) == ["parse", "review", "publish"]


@every_store
async def closing_twice_is_closing_once(store: Any) -> None:
    """`is_closed` tells; the second `close` returns at once."""
    assert not store.is_closed

    await store.close()
    await store.close()

    assert store.is_closed


@every_store
async def a_closed_store_refuses_everything(store: Any) -> None:
    """`StoreError` from every question and change, from waiting for one, and from an engine that is opened on it."""
    async with Engine(store, [two_steps()]) as engine:
        await engine.submit("docs", [{"id": "a"}])
    await store.close()

    async def read_events() -> None:
        async for _ in store.events():
            pass

    for question in (
        store.get_status("a", "parse"),
        store.get_all_statuses("a"),
        store.query_items("parse", StageState.PENDING),
        store.get_attempts("a", "parse"),
        store.get_item("a"),
        store.list_items(),
        read_events(),
        store.last_seq(),
        store.changed(0, 0.01),
        store.changed(99, 0.01),
        store.page(),
        store.rows(["a"]),
        store.count_items(),
        store.counts(),
        store.pending_reviews(),
        store.stage_names(),
        store.workers(),
        store.holds(),
        store.delete_item("a"),
        store.facts_of("a"),
        Engine(store, [two_steps()]).__aenter__(),
    ):
        await raised(StoreError, question)
