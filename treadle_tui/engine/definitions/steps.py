"""JSON step lists, run as they stand: steps with a type, a duration, a chance to fail, and an action of the caller's.

Keys nobody here knows are left alone, since such files come from elsewhere; one that looks like a slip of the pen is refused.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from treadle_tui.engine.definitions.section import Section, located
from treadle_tui.engine.errors import DuplicateStage, InvalidDefinition, StageExecutionError, StageNotFound
from treadle_tui.engine.functions import call_function, is_async_callable
from treadle_tui.engine.retry import RetryBudget
from treadle_tui.engine.stage import StageContext
from treadle_tui.engine.stage_options import check_stage_name
from treadle_tui.engine.workflow import Workflow

Actions = Mapping[str, Callable[[Any, StageContext], Any]]

_STEP_KEYS = ("id", "type", "config", "depends_on")
_CONFIG_KEYS = ("action", "duration_seconds", "fail_probability", "max_retries")


@dataclass(frozen=True, slots=True)
class _Step:
    """One step as its file describes it."""

    id: str
    type: str
    action: str | None
    duration_seconds: float
    fail_probability: float
    max_retries: int
    depends_on: tuple[str, ...]


def add_steps(workflow: Workflow, document: Section, actions: Actions) -> None:
    """Add every step of the document as a stage."""
    found = [(section, section.going_on(functools.partial(_read_step, section), None)) for section in _sections(document)]
    ids = [section.values.get("id") for section, _ in found]
    for place, (section, step) in enumerate(found):
        if step is not None:
            section.going_on(functools.partial(_check_references, section, workflow.name, step, ids, place), None)
    if document.text.mistakes:
        return
    steps = [step for _, step in found if step is not None]
    for step in steps:
        workflow.add_stage(
            step.id,
            _stage_function(step, actions),
            after=list(step.depends_on),
            retry=RetryBudget(max_attempts=step.max_retries + 1),
        )


def _sections(document: Section) -> list[Section]:
    steps = document.values["steps"]
    if not isinstance(steps, list) or not steps:
        raise document.error("steps", "must be a list of steps, one or more")
    sections = []
    for place, values in enumerate(steps):
        path = ("steps", place)
        if not isinstance(values, dict):
            document.note(Section(document.text, {}, path, f"step {place + 1}").error(None, f"{values!r} is no step; a step has an `id`"))
            continue
        label = f"step {values['id']!r}" if isinstance(values.get("id"), str) else f"step {place + 1}"
        sections.append(Section(document.text, values, path, label))
    return sections


def _read_step(section: Section) -> _Step:
    section.note_slips(_STEP_KEYS)
    step_id = section.going_on(lambda: _step_id(section), "")
    there = section.going_on(lambda: section.table("config"), None)
    config = there or Section(section.text, {}, (*section.path, "config"), f"{section.label}, config")
    config.note_slips(_CONFIG_KEYS)
    return _Step(
        id=step_id,
        type=section.going_on(lambda: section.string("type"), None) or "",
        action=config.going_on(lambda: config.string("action"), None),
        duration_seconds=config.going_on(lambda: config.number("duration_seconds", 0.0), 0.0),
        fail_probability=config.going_on(lambda: config.number("fail_probability", 0.0, most=1.0), 0.0),
        max_retries=config.going_on(lambda: config.whole_number("max_retries", 0), 0),
        depends_on=tuple(section.going_on(lambda: section.strings("depends_on"), [])),
    )


def _step_id(section: Section) -> str:
    step_id = section.string("id")
    if step_id is None:
        raise section.missing(("id",), "has no `id`; every step needs one, a text")
    try:
        check_stage_name(step_id, "step")
    except InvalidDefinition as error:
        raise section.error("id", str(error)) from error
    return step_id


def _check_references(section: Section, workflow: str, step: _Step, ids: Sequence[Any], place: int) -> None:
    if step.id and step.id in ids[:place]:
        section.note(located(DuplicateStage(step.id, workflow), section.where("id")))
    for name in step.depends_on:
        if name not in ids:
            others = [known for known in ids if isinstance(known, str) and known != step.id]
            section.note(StageNotFound(name, others, section.where("depends_on")))


def _stage_function(step: _Step, actions: Actions) -> Callable[..., Any]:
    action = actions.get(step.action) if step.action is not None else None

    async def run_step(item: Any, ctx: StageContext) -> Any:
        """Take the time, take the risk, then act. A step whose action nobody knows does nothing more."""
        if step.duration_seconds:
            await ctx.sleep(step.duration_seconds)
        if random.random() < step.fail_probability:
            raise StageExecutionError(step.id, f"step {step.id!r} failed, as its fail_probability of {step.fail_probability:g} asks for")
        if action is None:
            return {"step": step.id, "type": step.type}
        return await call_function(lambda: action(item, ctx), is_async_callable(action), step.id)

    return run_step
