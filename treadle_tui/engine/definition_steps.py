"""JSON step lists, run as they stand: steps with a type, a duration, a chance to fail, and an action of the caller's.

Keys nobody here knows are left alone, since such files come from elsewhere; one that looks like a slip of the pen is refused.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from treadle_tui.engine.definition_section import Section, located
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
    steps = [_read_step(section) for section in _sections(document)]
    _check_references(document, workflow.name, steps)
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
            raise Section(document.text, {}, path, f"step {place + 1}").error(None, f"{values!r} is no step; a step has an `id`")
        label = f"step {values['id']!r}" if isinstance(values.get("id"), str) else f"step {place + 1}"
        sections.append(Section(document.text, values, path, label))
    return sections


def _read_step(section: Section) -> _Step:
    _refuse_slips(section, _STEP_KEYS)
    step_id = section.string("id")
    if step_id is None:
        raise section.error(None, "has no `id`; every step needs one, a text")
    try:
        check_stage_name(step_id, "step")
    except InvalidDefinition as error:
        raise section.error("id", str(error)) from error
    config = section.table("config") or Section(section.text, {}, (*section.path, "config"), f"{section.label}, config")
    _refuse_slips(config, _CONFIG_KEYS)
    return _Step(
        id=step_id,
        type=section.string("type", "") or "",
        action=config.string("action"),
        duration_seconds=config.number("duration_seconds", 0.0),
        fail_probability=config.number("fail_probability", 0.0, most=1.0),
        max_retries=config.whole_number("max_retries", 0),
        depends_on=tuple(section.strings("depends_on")),
    )


def _refuse_slips(section: Section, known: tuple[str, ...]) -> None:
    for key in section.values:
        close = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
        if key not in known and close:
            raise section.error(key, f"unknown key; did you mean {close[0]!r}?")


def _check_references(document: Section, workflow: str, steps: list[_Step]) -> None:
    ids: list[str] = []
    for place, step in enumerate(steps):
        if step.id in ids:
            where = Section(document.text, {}, ("steps", place), f"step {step.id!r}").where("id")
            raise located(DuplicateStage(step.id, workflow), where)
        ids.append(step.id)
    for place, step in enumerate(steps):
        for name in step.depends_on:
            if name not in ids:
                where = Section(document.text, {}, ("steps", place), f"step {step.id!r}").where("depends_on")
                raise StageNotFound(name, [known for known in ids if known != step.id], where)


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
