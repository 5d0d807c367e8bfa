"""Verbs that steer what is there: run again, pause, resume, cancel, delete.

The database knows enough for all of them: no workflow file is looked for, and none of its code is run.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from treadle_tui.cli.choosing import filter_option
from treadle_tui.cli.completing import complete_items, complete_stages, complete_workflows
from treadle_tui.cli.failures import BadInput, OperationFailed, complain
from treadle_tui.cli.invocation import Invocation, json_option, pass_invocation, shared_options

if TYPE_CHECKING:
    from treadle_tui.engine import SqliteStateStore
    from treadle_tui.engine.engine import Engine

COUNT_IS_TYPED_ABOVE = 20
"""Deleting so many items asks for their number, not just for a yes."""


@click.command()
@click.argument("item", required=False, shell_complete=complete_items)
@click.argument("stage", required=False, shell_complete=complete_stages)
@click.option("--stage", "only_stage", metavar="STAGE", shell_complete=complete_stages, help="With --filter: the stage that runs again.")
@click.option("--workflow", shell_complete=complete_workflows, help="With --filter: only items of this workflow.")
@filter_option
@shared_options()
@json_option
@pass_invocation
def rerun(
    invocation: Invocation,
    item: str | None,
    stage: str | None,
    only_stage: str | None,
    workflow: str | None,
    filter_text: str | None,
    as_json: bool,
) -> None:
    """Run a finished STAGE of ITEM again, and everything behind it. Their outputs so far stay with their attempts.

    Of many items at once: `rerun --stage classify --filter "stage:decide state:waiting"`.
    """
    from treadle_tui.cli.output import say, say_json

    if filter_text is not None and only_stage is not None and item is None:
        _rerun_all(invocation, only_stage, workflow, filter_text, as_json)
        return
    if filter_text is not None or only_stage is not None or workflow is not None or item is None or stage is None:
        raise BadInput("say what to run again: ITEM STAGE, or --stage STAGE --filter FILTER for many items")
    _with_engine(invocation, lambda engine: engine.rerun_stage(item, stage, by=invocation.reviewer))
    if as_json:
        say_json({"item_id": item, "stage": stage, "state": "pending"})
    else:
        say(f"{item}: {stage} and what is behind it will run again")


def _rerun_all(invocation: Invocation, stage: str, workflow: str | None, filter_text: str, as_json: bool) -> None:
    from treadle_tui.cli.choosing import narrowed
    from treadle_tui.cli.database import require_existing
    from treadle_tui.cli.output import say, say_json
    from treadle_tui.cli.retrying import to_all
    from treadle_tui.engine.bulk import Deed
    from treadle_tui.engine.selection import Selection

    selection = narrowed(Selection(workflow), filter_text)
    require_existing(invocation.database)
    done, problems = to_all(invocation.database, Deed.RERUN, selection, stage, invocation.reviewer)
    if as_json:
        say_json({"rerun": done, "problems": problems})
    else:
        left = f"; not of {len(problems):,}: {problems[0]}" if problems else ""
        say(f"{stage} and what is behind it will run again, of {done:,} items{left}")
    if problems:
        raise OperationFailed(f"{len(problems):,} of {done + len(problems):,} could not be run again")


@click.command()
@click.argument("items", nargs=-1, metavar="[ITEM]...", shell_complete=complete_items)
@click.option("--workflow", help="Instead of items, a stage of this workflow.", shell_complete=complete_workflows)
@click.option("--stage", help="The stage that is held, for all items.", shell_complete=complete_stages)
@click.option("--when", "condition", metavar="CONDITION", help='Hold the stage only for items of which this is true: "item.pages > 100".')
@shared_options()
@json_option
@pass_invocation
def pause(
    invocation: Invocation, items: tuple[str, ...], workflow: str | None, stage: str | None, condition: str | None, as_json: bool
) -> None:
    """Start nothing new for these ITEMs; what runs finishes, and reviews can be answered. With --workflow and --stage: hold a stage."""
    if _is_about_a_stage(items, workflow, stage):
        _hold(invocation, str(workflow), str(stage), condition, is_held=True, as_json=as_json)
        return
    if condition is not None:
        raise BadInput("--when is about a stage; name it with --workflow and --stage")
    _on_items(invocation, items, lambda engine, item: engine.pause(item), "paused", as_json)


@click.command()
@click.argument("items", nargs=-1, metavar="[ITEM]...", shell_complete=complete_items)
@click.option("--workflow", help="Instead of items, a stage of this workflow.", shell_complete=complete_workflows)
@click.option("--stage", help="The stage that goes on.", shell_complete=complete_stages)
@shared_options()
@json_option
@pass_invocation
def resume(invocation: Invocation, items: tuple[str, ...], workflow: str | None, stage: str | None, as_json: bool) -> None:
    """Let paused ITEMs go on. With --workflow and --stage: let go of a held stage."""
    if _is_about_a_stage(items, workflow, stage):
        _hold(invocation, str(workflow), str(stage), None, is_held=False, as_json=as_json)
        return
    _on_items(invocation, items, lambda engine, item: engine.resume(item), "resumed", as_json)


@click.command()
@click.argument("items", nargs=-1, metavar="ITEM...", required=True, shell_complete=complete_items)
@shared_options()
@json_option
@pass_invocation
def cancel(invocation: Invocation, items: tuple[str, ...], as_json: bool) -> None:
    """Call off what has not ended of these ITEMs. What is finished stays; `retry` brings a cancelled stage back."""
    _on_items(invocation, items, lambda engine, item: engine.cancel(item, by=invocation.reviewer), "cancelled", as_json)


@click.command()
@click.argument("items", nargs=-1, metavar="ITEM...", required=True, shell_complete=complete_items)
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@shared_options()
@json_option
@pass_invocation
def delete(invocation: Invocation, items: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Remove these ITEMs with their attempts, outputs and events. It cannot be undone, so it asks."""
    from treadle_tui.cli.database import require_existing

    require_existing(invocation.database)
    if not yes:
        _ask(items)
    _on_items(invocation, items, lambda engine, item: engine.delete_item(item), "deleted", as_json)


def _ask(items: Sequence[str]) -> None:
    """Have the deletion confirmed. Raises: `BadInput` where nobody can be asked, `OperationFailed` for a no."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadInput(f"deleting {_named(items)} cannot be undone; say --yes, or run this in a terminal to be asked")
    from treadle_tui.board.safe_text import safe_line

    named = safe_line(_named(items))
    if len(items) > COUNT_IS_TYPED_ABOVE:
        typed = click.prompt(f"Delete {named}? Type their number", default="", show_default=False, err=True)
        agreed = typed.strip() == str(len(items))
    else:
        agreed = click.confirm(f"Delete {named} with attempts, outputs and events?", err=True)
    if not agreed:
        raise OperationFailed("nothing was deleted")


def _named(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{len(items)} items ({', '.join(items[:3])}{', …' if len(items) > 3 else ''})"


def _is_about_a_stage(items: Sequence[str], workflow: str | None, stage: str | None) -> bool:
    """Whether a stage is meant rather than items. Raises: `BadInput` when it cannot be told."""
    if bool(items) == bool(workflow or stage):
        raise BadInput("name one or more items; or a stage, with --workflow and --stage" + (": not both" if items else ""))
    if not items and not (workflow and stage):
        raise BadInput("a stage is named with --workflow and --stage, both of them")
    return not items


def _hold(invocation: Invocation, workflow: str, stage: str, condition: str | None, *, is_held: bool, as_json: bool) -> None:
    from treadle_tui.cli.database import require_existing
    from treadle_tui.cli.output import say, say_json
    from treadle_tui.cli.working import with_engine

    require_existing(invocation.database)

    async def act(engine: Engine, store: SqliteStateStore) -> None:
        from treadle_tui.engine.clock import to_ms
        from treadle_tui.engine.errors import StageNotFound, nearest
        from treadle_tui.engine.expressions import compile_condition

        known = await store.stage_names()
        shape = await store.shape_named(workflow)
        if shape is None:
            raise BadInput(f"the database has no workflow {workflow!r}; {nearest(workflow, known)}")
        if stage not in known[workflow]:
            raise StageNotFound(stage, known[workflow], f"workflow {workflow!r}")
        now = to_ms(engine.clock.now())
        if condition is not None:
            compile_condition(condition, ("item",))
        await (store.hold_stage(shape.id, stage, condition, now) if is_held else store.release_stage(shape.id, stage, now))

    with_engine(invocation.database, [], act)
    result = "held" if is_held else "released"
    if as_json:
        say_json({"workflow": workflow, "stage": stage, "when": condition, "result": result})
    else:
        say(f"{workflow}: {stage} is {result}" + (f" for items with {condition}" if condition else ""))


def _on_items(
    invocation: Invocation, items: Sequence[str], act: Callable[[Engine, str], Awaitable[Any]], result: str, as_json: bool
) -> None:
    """Do it to each item, one transaction each; one that cannot be done is told, and the others are done all the same.

    Raises: the error itself when there is but one item; `OperationFailed` when some could not be done.
    """
    from treadle_tui.cli.database import require_existing
    from treadle_tui.cli.output import say, say_json
    from treadle_tui.cli.working import with_engine
    from treadle_tui.engine.errors import TreadleError

    require_existing(invocation.database)
    wanted = list(dict.fromkeys(items))
    failed: dict[str, TreadleError] = {}

    async def each(engine: Engine, store: SqliteStateStore) -> None:
        for item in wanted:
            try:
                await act(engine, item)
            except TreadleError as error:
                failed[item] = error

    with_engine(invocation.database, [], each)
    if len(wanted) == 1 and failed:
        raise failed[wanted[0]]
    if as_json:
        errors = {item: str(error) for item, error in failed.items()}
        say_json({"items": [{"item_id": item, "result": None if item in errors else result, "error": errors.get(item)} for item in wanted]})
    else:
        for item in wanted:
            if item not in failed:
                say(f"{item}: {result}")
    for error in failed.values():
        complain(str(error))
    if failed:
        raise OperationFailed(f"{len(failed)} of {len(wanted)} items could not be {result}")


def _with_engine(invocation: Invocation, act: Callable[[Engine], Awaitable[Any]]) -> None:
    from treadle_tui.cli.database import require_existing
    from treadle_tui.cli.working import with_engine

    require_existing(invocation.database)

    async def run(engine: Engine, store: SqliteStateStore) -> None:
        await act(engine)

    with_engine(invocation.database, [], run)
