"""retry: one stage of one item, or everything that has failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from treadle_tui.cli.choosing import filter_option, narrowed, now
from treadle_tui.cli.completing import complete_items, complete_stages, complete_workflows
from treadle_tui.cli.failures import BadInput, OperationFailed
from treadle_tui.cli.invocation import Invocation, json_option, pass_invocation, shared_options

if TYPE_CHECKING:
    from treadle_tui.engine import SqliteStateStore
    from treadle_tui.engine.bulk import Deed
    from treadle_tui.engine.engine import Engine
    from treadle_tui.engine.selection import Selection

#: As many items are changed in one transaction.
_AT_ONCE = 1000


@click.command()
@click.argument("item", required=False, shell_complete=complete_items)
@click.argument("stage", required=False, shell_complete=complete_stages)
@click.option("--subtask", help="Only this subtask of a fan-out.")
@click.option("--failed", is_flag=True, help="Every item with a failure, instead of one.")
@click.option("--stage", "only_stage", metavar="STAGE", shell_complete=complete_stages, help="With --failed: only failures of this stage.")
@click.option("--workflow", shell_complete=complete_workflows, help="With --failed: only items of this workflow.")
@filter_option
@shared_options()
@json_option
@pass_invocation
def retry(
    invocation: Invocation,
    item: str | None,
    stage: str | None,
    subtask: str | None,
    failed: bool,
    only_stage: str | None,
    workflow: str | None,
    filter_text: str | None,
    as_json: bool,
) -> None:
    """Run a failed or cancelled STAGE of ITEM again, or with --failed whatever has failed: `retry --failed --stage parse`.

    What depends on it follows; the next `run`, or the screen, starts it.
    """
    from treadle_tui.cli.database import require_existing

    if failed and item is not None:
        raise BadInput("--failed means every item with a failure, so no ITEM is given with it; leave one of the two out")
    if failed and subtask is not None:
        raise BadInput("--subtask is about one item; leave it out, or --failed")
    if not failed and (workflow is not None or filter_text is not None):
        raise BadInput(f"{'--filter' if workflow is None else '--workflow'} is for --failed; an item's id is enough to find it")
    chosen = stage or only_stage
    if not failed and (item is None or chosen is None):
        raise BadInput("say what to retry: ITEM STAGE, or --failed for everything that has failed")
    require_existing(invocation.database)
    if item is not None and chosen is not None:
        _retry_one(invocation, item, chosen, subtask, as_json)
    else:
        _retry_failed(invocation, chosen, workflow, filter_text, as_json)


def _retry_one(invocation: Invocation, item: str, stage: str, subtask: str | None, as_json: bool) -> None:
    from treadle_tui.cli.output import say, say_json
    from treadle_tui.cli.working import with_engine

    by = invocation.reviewer

    async def act(engine: Engine, store: SqliteStateStore) -> None:
        await engine.retry_stage(item, stage, subtask=subtask, by=by)

    with_engine(invocation.database, [], act)
    if as_json:
        say_json({"item_id": item, "stage": stage, "subtask": subtask, "state": "pending"})
    else:
        say(f"{item}: {stage}{f' / {subtask}' if subtask else ''} will run again")


def _retry_failed(invocation: Invocation, stage: str | None, workflow: str | None, filter_text: str | None, as_json: bool) -> None:
    from treadle_tui.cli.output import say, say_json
    from treadle_tui.engine.bulk import Deed
    from treadle_tui.engine.selection import in_states
    from treadle_tui.engine.states import StageState

    selection = narrowed(in_states(workflow, stage, [StageState.FAILED]), filter_text)
    retried, problems = to_all(invocation.database, Deed.RETRY, selection, stage, invocation.reviewer)
    if as_json:
        say_json({"retried": retried, "problems": problems})
    elif not retried and not problems:
        say(f"nothing has failed{f' in {stage}' if stage else ''}")
    else:
        say(f"{retried:,} will run again" + (f", {len(problems):,} could not: {problems[0]}" if problems else ""))
    if problems:
        raise OperationFailed(f"{len(problems):,} of {retried + len(problems):,} could not be retried")


def to_all(db: Path, deed: Deed, selection: Selection, stage: str | None, by: str) -> tuple[int, list[str]]:
    """Do it to the stage of every item selected: with how many it was done, and why it could not be with others.

    Raises: `BadInput` for a stage or a workflow there is none of.
    """
    from treadle_tui.cli.working import with_engine
    from treadle_tui.engine.bulk import Target, carry_out

    async def act(engine: Engine, store: SqliteStateStore) -> tuple[int, list[str]]:
        await _check_names(store, stage, selection.workflow)
        targets = [Target(id, stage) for id in await store.ids_of(await store.select(selection, now()))]
        done, problems = 0, []
        for start in range(0, len(targets), _AT_ONCE):
            for result in await carry_out(engine, deed, targets[start : start + _AT_ONCE], by):
                done += result is True
                if isinstance(result, Exception):
                    problems.append(str(result))
        return done, problems

    return with_engine(db, [], act)


async def _check_names(store: SqliteStateStore, stage: str | None, workflow: str | None) -> None:
    """Raise `BadInput` for a workflow or a stage there is none of."""
    from treadle_tui.engine.errors import nearest

    names = await store.stage_names()
    if workflow is not None and workflow not in names:
        raise BadInput(f"no workflow of this database is called {workflow!r}; {nearest(workflow, names)}")
    stages = {name for key, every in names.items() if workflow in (None, key) for name in every}
    if stage is not None and stage not in stages:
        raise BadInput(f"no stage is called {stage!r}; {nearest(stage, stages)}")
