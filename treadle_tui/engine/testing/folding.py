"""From events back to states: what anybody who only listens knows of the items (API: events)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from treadle_tui.engine import events as ev
from treadle_tui.engine.review import RequestChanges
from treadle_tui.engine.states import StageState
from treadle_tui.engine.store.baseline import ItemBaseline


class FoldedStates:
    """The states of all stages and subtasks, by the events told so far."""

    def __init__(self, stage_names: Mapping[str, Sequence[str]]) -> None:
        """`stage_names`: every workflow's stages, as `store.stage_names()` gives them."""
        self._stage_names = stage_names
        self.stages: dict[str, dict[str, StageState]] = {}
        """By item id and stage name."""
        self.subtasks: dict[str, dict[str, dict[str, StageState]]] = {}
        """By item id, stage and subtask name: those of the latest declaration that was told."""
        self.completed: defaultdict[str, int] = defaultdict(int)
        """How often `WorkflowCompleted` was told, by item id."""
        self.last_seq = 0

    def begin_with(self, baseline: ItemBaseline) -> None:
        """Begin an item where what retention has dropped ends."""
        names = self._stage_names[baseline.workflow]
        self.stages[baseline.item_id] = {**dict.fromkeys(names, baseline.untouched), **baseline.stages}
        self.subtasks[baseline.item_id] = {stage: dict(states) for stage, states in baseline.subtasks.items()}

    def apply(self, event: ev.Event | ev.Lagged) -> None:
        """Take one event. Raises AssertionError for one out of order, or about an item that was never added."""
        if isinstance(event, ev.Lagged):
            raise AssertionError(f"{event.missed} events are missing, so nothing can be folded")
        assert event.seq > self.last_seq, f"event {event} came after event {self.last_seq}"
        self.last_seq = event.seq
        match event:
            case ev.ItemAdded():
                self.stages[event.item_id] = dict.fromkeys(self._stage_names[event.workflow], StageState.PENDING)
                self.subtasks[event.item_id] = {}
            case ev.ItemDeleted():
                self.stages.pop(event.item_id, None)
                self.subtasks.pop(event.item_id, None)
            case ev.ItemCancelled():
                self._cancel(event.item_id)
            case ev.WorkflowCompleted():
                self.completed[event.item_id] += 1
            case ev.StageEvent():
                self._apply_to_stage(event)

    def _cancel(self, item_id: str) -> None:
        for states in (self.stages[item_id], *self.subtasks[item_id].values()):
            for name, state in states.items():
                if not state.is_finished:
                    states[name] = StageState.CANCELLED

    def _apply_to_stage(self, event: ev.StageEvent) -> None:
        assert event.item_id in self.stages, f"event {event} is about an item that was not added"
        state = ev.STATE_AFTER.get(type(event))
        if isinstance(event, ev.ReviewResolved) and isinstance(event.decision, RequestChanges):
            state = StageState.PENDING
        if isinstance(event, ev.FanOutStarted):
            self.subtasks[event.item_id][event.stage] = dict.fromkeys(event.subtasks, StageState.PENDING)
        if state is None:
            return
        states = self.stages[event.item_id] if event.subtask is None else self.subtasks[event.item_id].get(event.stage, {})
        name = event.stage if event.subtask is None else event.subtask
        # A stage that its workflow has no longer has left its events behind.
        assert event.subtask is None or name in states, f"event {event} is about a subtask that was not declared"
        states[name] = state


def fold_events(events: Iterable[Any], stage_names: Mapping[str, Sequence[str]], baselines: Iterable[ItemBaseline] = ()) -> FoldedStates:
    """The states that follow from these events; `stage_names` and `baselines` as the store gives them.

    They are all events since the first ever, or, with baselines, since those the baselines stand for.
    """
    folded = FoldedStates(stage_names)
    for baseline in baselines:
        folded.begin_with(baseline)
    for event in events:
        folded.apply(event)
    return folded


async def disagreements(store: Any) -> list[str]:
    """Where a store contradicts itself: its events, its kept counts or its list of waiting reviews against its statuses."""
    baselines = [baseline async for baseline in store.baselines()]
    events = [event async for event in store.events() if isinstance(event, ev.Event)]
    folded = fold_events(events, await store.stage_names(), baselines)
    found: list[str] = []
    counted: dict[tuple[str, str, StageState], int] = defaultdict(int)
    waiting: set[tuple[str, str, str | None, int]] = set()
    ids = await store.list_items()
    if set(ids) != set(folded.stages):
        found.append(f"events tell of the items {sorted(folded.stages)}, the store has {sorted(ids)}")
    for item_id in ids:
        item = await store.get_item(item_id)
        for stage, status in (await store.get_all_statuses(item_id)).items():
            told = folded.stages.get(item_id, {}).get(stage)
            if told is not status.state:
                found.append(f"{item_id}/{stage} is {status.state.value}, its events say {told.value if told else 'nothing'}")
            counted[item.workflow, stage, status.state] += 1
            if status.state is StageState.AWAITING_REVIEW:
                waiting.add((item_id, stage, None, status.version))
            told_subtasks = folded.subtasks.get(item_id, {}).get(stage, {})
            for subtask in status.subtasks:
                if told_subtasks.get(subtask.name) is not subtask.state:
                    say = told_subtasks.get(subtask.name)
                    found.append(f"{item_id}/{stage}/{subtask.name} is {subtask.state.value}, its events say {say}")
                if subtask.state is StageState.AWAITING_REVIEW:
                    waiting.add((item_id, stage, subtask.name, subtask.version))
    for workflow, stages in (await store.counts()).items():
        for stage, states in stages.items():
            for state in StageState:
                if states.get(state, 0) != counted[workflow, stage, state]:
                    counted_now = counted[workflow, stage, state]
                    found.append(f"{workflow}/{stage}: {states.get(state, 0)} are counted as {state.value}, {counted_now} are")
    listed = {(review.item_id, review.stage, review.subtask, review.version) for review in await store.pending_reviews()}
    if listed != waiting:
        found.append(f"the list of reviews has {sorted(map(str, listed))}, what waits is {sorted(map(str, waiting))}")
    return found
