"""The verb `run`: the engine without a screen, with a progress bar on a terminal and plain lines anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from treadle_tui.cli.completing import complete_workflows
from treadle_tui.cli.failures import BadInput, complain
from treadle_tui.cli.invocation import Invocation, json_option, shared_options

if TYPE_CHECKING:
    import asyncio

    from treadle_tui.cli.watching import Watch
    from treadle_tui.engine import SqliteStateStore
    from treadle_tui.engine.engine import Engine
    from treadle_tui.engine.states import StageState
    from treadle_tui.engine.workflow import Workflow

    Counts = Mapping[str, Mapping[str, Mapping[StageState, int]]]
    Reporter = Callable[[SqliteStateStore, asyncio.Event], Coroutine[None, None, None]]

SHOWN_KINDS = (
    "StageCompleted",
    "StageFailed",
    "StageSkipped",
    "SubTaskFailed",
    "ReviewRequired",
    "ReviewResolved",
    "RetryScheduled",
    "StageRecovered",
    "Escalated",
    "WorkflowCompleted",
)
"""Events worth a line of a log: what ended, and what needs somebody."""

LOOK_SECONDS = 0.25
"""Between two looks at what has changed: often enough to look alive, and next to no work."""


@click.command()
@click.option(
    "--until",
    type=click.Choice(["idle"]),
    help="Stop when nothing runs, is ready or waits for a retry. Without it the program goes on until it is stopped.",
)
@click.option("--concurrency", type=click.IntRange(min=1), default=64, show_default=True, help="At most so many stages at once.")
@click.option(
    "--watch",
    "folders",
    metavar="FOLDER",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Add what appears in this folder, as `add WORKFLOW FOLDER` would; may be repeated.",
)
@click.option("--workflow", help="The workflow for --watch; that of the database, when it has one.", shell_complete=complete_workflows)
@click.option("--quiet", is_flag=True, help="Print only the result.")
@shared_options()
@json_option
@click.pass_context
def run(
    context: click.Context,
    until: str | None,
    concurrency: int,
    folders: tuple[Path, ...],
    workflow: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run what is ready, without the screen. ctrl+c stops in good order: what was running is handed back and runs again later."""
    import asyncio

    from treadle_tui.cli import reading
    from treadle_tui.cli.database import require_existing
    from treadle_tui.cli.stage_prints import stages_print_aside
    from treadle_tui.cli.watching import watches

    invocation = context.ensure_object(Invocation)
    db = invocation.database
    if folders and until:
        raise BadInput("--watch goes on until it is stopped, and --until idle ends: give one of them")
    if not (folders and workflow):
        require_existing(db)  # else the first file that appears makes it
    found = invocation.loaded_workflows(asks=True)
    watched = watches(folders, workflow, found, list(reading.graphs(db)) if folders and not workflow else [])
    for problem in found.problems:
        complain(f"left out: {problem}")
    reporter = _silent if as_json or quiet else _bar if sys.stdout.isatty() else _lines
    with stages_print_aside():
        signal_number, counts = asyncio.run(_run(db, found.workflows, until == "idle", concurrency, reporter, watched))
    _say_result(db, counts, signal_number, as_json)
    context.exit(128 + signal_number if signal_number else 0)


async def _run(
    db: Path, workflows: Sequence[Workflow], until_idle: bool, concurrency: int, reporter: Reporter, watched: Sequence[Watch] = ()
) -> tuple[int, Counts]:
    """Run until idle or told to stop: the signal's number, or 0; and where everything stands then."""
    import asyncio

    from treadle_tui.cli.watching import watch
    from treadle_tui.cli.working import opened, stop_request

    with stop_request() as asked:
        async with opened(db, workflows, concurrency=concurrency) as (engine, store):
            _warn_of_unknown(await store.counts(), workflows)
            _warn_of_plans(engine, db)
            ended = asyncio.Event()
            reporting = asyncio.create_task(reporter(store, ended), name="headless report")
            work = asyncio.create_task(engine.run_until_idle() if until_idle else engine.run_forever(), name="headless engine")
            tell = complain if reporter is _lines else _nobody
            watching = {asyncio.create_task(watch(each, engine, tell), name=f"watch {each.folder}") for each in watched}
            try:
                first: set[asyncio.Future[Any]] = {work, reporting, asked, *watching}
                await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in {work, *watching}:
                    task.cancel()
                await asyncio.wait({work, *watching})
                ended.set()
                await asyncio.wait({reporting})
            reporting.result()
            for ended_task in (work, *watching):
                if not ended_task.cancelled():
                    ended_task.result()
            return (asked.result() if asked.done() else 0), await store.counts()


def _warn_of_unknown(counts: Counts, workflows: Sequence[Workflow]) -> None:
    """Items whose workflow was not found stay where they are; better said than wondered about."""
    for name in sorted(set(_with_items(counts)) - {workflow.name for workflow in workflows}):
        complain(f"the items of workflow {name!r} wait, because its file was not found; name it with --workflows")


def _nobody(_: str) -> None:
    """Where a bar is drawn, or JSON is printed, no line is."""


def _warn_of_plans(engine: Engine, db: Path) -> None:
    """Items of a workflow that has changed under them wait, until somebody has seen what that means."""
    for plan in engine.waiting_migrations.values():
        for line in str(plan).splitlines():
            complain(line)
        complain(f"its items wait until this is accepted: treadle-tui --db {db}, then 1 and enter on the line that says so")


async def _silent(store: SqliteStateStore, ended: asyncio.Event) -> None:
    await ended.wait()


async def _lines(store: SqliteStateStore, ended: asyncio.Event) -> None:
    """A line for whatever ends or needs somebody, as it is committed; all of it, the last one too."""
    from treadle_tui.cli.history import event_line
    from treadle_tui.cli.output import own_stdout, say
    from treadle_tui.engine.events import Lagged

    since = await store.last_seq()
    while True:
        is_last_look = ended.is_set()
        async for event in store.events(since):
            if isinstance(event, Lagged):
                continue
            since = event.seq
            if type(event).__name__ in SHOWN_KINDS:
                say(event_line(event))
        own_stdout().flush()
        if is_last_look:
            return
        await _news(store, since, ended)


async def _bar(store: SqliteStateStore, ended: asyncio.Event) -> None:
    """A progress bar over all stages, with throughput and the time left."""
    from treadle_tui.cli.progress import progress_bar

    with progress_bar() as show:
        while True:
            is_last_look = ended.is_set()
            since = await store.last_seq()
            counts = await store.counts()
            show(_total(counts), _total(counts, SETTLED), _total(counts, ("awaiting_review",)), _total(counts, ("failed",)))
            if is_last_look:
                return
            await _news(store, since, ended)


async def _news(store: SqliteStateStore, since: int, ended: asyncio.Event) -> None:
    """Return once there is an event after `since` or the work has ended, and not more often than is worth while."""
    import asyncio

    stop = asyncio.create_task(ended.wait(), name="headless end")
    news = asyncio.create_task(store.changed(since, 60.0), name="headless news")
    await asyncio.wait({stop, news}, return_when=asyncio.FIRST_COMPLETED)
    news.cancel()
    await asyncio.wait({stop, news}, timeout=LOOK_SECONDS)
    stop.cancel()


SETTLED = ("completed", "skipped", "failed", "cancelled")


def _with_items(counts: Counts) -> Counts:
    """Without the workflows that the database knows and has no items of."""
    return {workflow: stages for workflow, stages in counts.items() if any(stages.values())}


def _total(counts: Counts, states: Sequence[str] = ()) -> int:
    """Stages of all items in these states; in any, when none is named."""
    return sum(
        count
        for stages in counts.values()
        for by_state in stages.values()
        for state, count in by_state.items()
        if not states or state.value in states
    )


def _say_result(db: Path, counts: Counts, signal_number: int, as_json: bool) -> None:
    from treadle_tui.cli.output import say, say_json
    from treadle_tui.cli.shapes import plain

    result = "stopped" if signal_number else "idle"
    waiting, failed = _total(counts, ("awaiting_review",)), _total(counts, ("failed",))
    if as_json:
        say_json({"result": result, "stages": plain(_with_items(counts)), "reviews_waiting": waiting, "failed": failed})
        return
    say(f"{result}: {_total(counts, SETTLED)} of {_total(counts)} stages done, {waiting} waiting for review, {failed} failed")
    if waiting:
        say(f"see them with: treadle-tui --db {db} reviews")
