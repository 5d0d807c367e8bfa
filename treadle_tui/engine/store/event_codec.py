"""Between `Event` classes and the few columns they are kept in.

A stored event is its kind's number, ids, and the kind's own fields as one JSON object, None when it has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from treadle_tui.engine import events as ev
from treadle_tui.engine.clock import from_ms
from treadle_tui.engine.codec import decision_from_json, decode_json, feedback_from_json, review_from_json
from treadle_tui.engine.store.rows import RawEvent

KIND_NUMBER: Mapping[type[ev.Event], int] = {kind: number for number, kind in enumerate(ev.EVENT_KINDS, start=1)}

_OWN_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "subtasks": tuple,
    "data": review_from_json,
    "decision": decision_from_json,
    "feedback": feedback_from_json,
    "due_at": from_ms,
}


def decode_event(
    raw: RawEvent,
    workflow_name: Callable[[int], str],
    item_id: Callable[[int], str],
    stage_name: Callable[[int], str],
) -> ev.Event:
    """The event of a stored row; names are looked up by number."""
    kind = ev.EVENT_KINDS[raw.kind - 1]
    fields: dict[str, Any] = {"seq": raw.seq, "at": from_ms(raw.at)}
    if raw.workflow is not None:
        fields["workflow"] = workflow_name(raw.workflow)
    own = {} if raw.data is None else decode_json(raw.data)
    if issubclass(kind, ev.ItemEvent):
        fields["item_id"] = own.pop("item_id", None) or item_id(raw.item or 0)
    if raw.stage is not None:
        fields["stage"] = stage_name(raw.stage)
    if issubclass(kind, ev.StageEvent):
        fields["subtask"] = raw.subtask
        fields["attempt"] = raw.attempt
    for name, value in own.items():
        fields[name] = _OWN_FIELDS[name](value) if name in _OWN_FIELDS else value
    return kind(**fields)
