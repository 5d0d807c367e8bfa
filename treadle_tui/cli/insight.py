"""Verbs that look at the whole: the graph of a workflow with what stands where, and statistics of its stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from treadle_tui.cli.completing import complete_workflows
from treadle_tui.cli.failures import BadInput
from treadle_tui.cli.invocation import Invocation, json_option, pass_invocation, shared_options

if TYPE_CHECKING:
    from treadle_tui.engine.states import StageState
    from treadle_tui.engine.status import StageStatistics


@click.command()
@click.option("--workflow", help="Only this workflow.", shell_complete=complete_workflows)
@shared_options()
@json_option
@pass_invocation
def stats(invocation: Invocation, workflow: str | None, as_json: bool) -> None:
    """Show for every stage how often it ran, how long that took, how often it was tried again, failed, and was decided by whom.

    From the newest 1000 runs of each stage. A duration is that of one attempt; waiting for a person is counted apart.
    """
    from treadle_tui.cli import reading, shapes
    from treadle_tui.cli.output import say, say_json, say_table

    found = reading.stage_statistics(invocation.database, workflow)
    if workflow is not None and not found:
        raise BadInput(f"the database has no workflow {workflow!r}")
    if as_json:
        say_json({"workflows": shapes.plain(found)})
        return
    for place, (name, stages) in enumerate(found.items()):
        if place:
            say()
        headings = (name, "RUNS", "P50", "P95", "RETRIES", "FAILED", "SKIPPED", "DECIDED", "REJECTED", "BY")
        say_table(headings, [_stage_line(stage, each) for stage, each in stages.items()])
    if not found:
        say("no workflow has items in this database")


def _stage_line(stage: str, each: StageStatistics) -> tuple[str, ...]:
    counts = (each.retries, each.failures, each.skips, each.reviews, each.rejections)
    people = ", ".join(f"{name} {count}" for name, count in each.reviewers.items())
    return (stage, str(each.runs), _seconds(each.p50_seconds), _seconds(each.p95_seconds), *(str(count or "·") for count in counts), people)


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "·"
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 99.5 else f"{seconds / 60:.0f} min"


@click.command()
@click.argument("workflow", required=False, shell_complete=complete_workflows)
@click.option("--dot", "form", flag_value="dot", help="In the language of Graphviz.")
@click.option("--mermaid", "form", flag_value="mermaid", help="In the language of Mermaid.")
@shared_options()
@json_option
@pass_invocation
def graph(invocation: Invocation, workflow: str | None, form: str | None, as_json: bool) -> None:
    """Show the stages of WORKFLOW in the order of their dependencies, each with how many items stand there in which state.

    Of a database, no workflow file is needed; of a workflow that is in no database yet, its file is read.
    """
    from treadle_tui.cli.output import say_json
    from treadle_tui.engine.graph import to_dot, to_mermaid

    name, dependencies, counts = _graph_of(invocation, workflow)
    if as_json:
        items = {stage: {state.value: count for state, count in found.items() if count} for stage, found in counts.items()}
        stages = [{"name": each, "depends_on": list(needed), "items": items.get(each, {})} for each, needed in dependencies.items()]
        say_json({"workflow": name, "stages": stages})
    elif form is not None:
        text = to_dot(name, dependencies) if form == "dot" else to_mermaid(dependencies)
        click.echo(text, nl=False)
    else:
        _say_graph(name, dependencies, counts)


def _graph_of(
    invocation: Invocation, workflow: str | None
) -> tuple[str, Mapping[str, Sequence[str]], Mapping[str, Mapping[StageState, int]]]:
    """Name, dependencies and counts, from the database where it has the workflow, else from its file."""
    from treadle_tui.cli import reading
    from treadle_tui.cli.database import Kind, kind_of

    db = invocation.named_database
    known = reading.graphs(db) if db is not None and kind_of(db) is Kind.OURS else {}
    if workflow is None:
        if len(known) != 1:
            named = f"the database has {', '.join(known)}" if known else "for example: treadle-tui graph licences"
            raise BadInput(f"name a workflow; {named}")
        workflow = next(iter(known))
    if workflow in known:
        dependencies, counts = known[workflow]
        return workflow, dependencies, counts
    chosen = invocation.loaded_workflows().by_name(workflow)
    return workflow, {stage: list(chosen.dependencies(stage)) for stage in chosen.stages()}, {}


def _say_graph(name: str, dependencies: Mapping[str, Sequence[str]], counts: Mapping[str, Mapping[StageState, int]]) -> None:
    from treadle_tui.board.safe_text import width_of
    from treadle_tui.cli.output import say

    depths: dict[str, int] = {}
    for stage, needed in dependencies.items():
        depths[stage] = 1 + max((depths.get(above, 0) for above in needed), default=-1)
    width = max((2 * depths[stage] + width_of(stage) for stage in dependencies), default=0)
    say(name)
    for stage, needed in dependencies.items():
        label = f"{'  ' * depths[stage]}{stage}"
        where = f"after {', '.join(needed)}" if needed else "first"
        padding = " " * (width - width_of(label))
        say(f"  {label}{padding}  {_counted(counts.get(stage, {}))}{where}")


def _counted(counts: Mapping[StageState, int]) -> str:
    from treadle_tui.cli.output import can_print

    parts = [f"{state.glyph if can_print(state.glyph) else state.letter} {count}" for state, count in counts.items() if count]
    return f"{'  '.join(parts)}   " if parts else ""
