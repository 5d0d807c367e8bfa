"""The verb `retain`: what the database keeps, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from treadle_tui.cli.invocation import Invocation, json_option, pass_invocation, shared_options

if TYPE_CHECKING:
    from treadle_tui.engine import SqliteStateStore
    from treadle_tui.engine.engine import Engine
    from treadle_tui.engine.retention import Retention, Tidied

F = TypeVar("F", bound=Callable[..., Any])

LIMITS = {
    "events_days": "Keep the events of so many days.",
    "events_count": "Keep so many events.",
    "attempts_days": "Keep the attempts of ended stages for so many days; the last one always.",
    "attempts_count": "Keep so many attempts of each ended stage.",
    "outputs_days": "Keep the outputs of finished items for so many days.",
    "outputs_count": "Keep the outputs of so many finished items.",
    "items_days": "Delete items that were finished so many days ago.",
    "items_count": "Delete the oldest finished items beyond so many.",
}


def _limit(context: click.Context, parameter: click.Parameter, value: str | None) -> float | str | None:
    """A number, or "all" for no limit."""
    is_count = str(parameter.name).endswith("_count")
    if value is None or value == "all":
        return value
    try:
        return int(value) if is_count else float(value)
    except ValueError:
        wanted = "a whole number" if is_count else "a number of days"
        raise click.BadParameter(f"{value!r} is neither {wanted} nor `all`") from None


def limit_options(command: F) -> F:
    """An option for each limit of a policy."""
    for name, help in reversed(LIMITS.items()):
        command = click.option(f"--{name.replace('_', '-')}", name, callback=_limit, metavar="N|all", help=help)(command)
    return command


@click.command()
@click.argument("workflow", required=False)
@limit_options
@click.option("--as-others", is_flag=True, help="Let WORKFLOW follow the policy of all workflows again.")
@click.option("--now", is_flag=True, help="Drop at once what is not kept; engines do so by themselves, a little at a time.")
@shared_options()
@json_option
@pass_invocation
def retain(invocation: Invocation, /, workflow: str | None, as_others: bool, now: bool, as_json: bool, **limits: Any) -> None:
    """Say what is kept of WORKFLOW, or of all that have no policy of their own. Without options, show what is kept.

    Everything is kept unless you say otherwise. With days and a number, what either would drop is dropped. The states of what is kept
    stay as they are, and so do all stages that still run, wait, or can be tried again.
    """
    from treadle_tui.cli.database import require_existing
    from treadle_tui.cli.failures import BadInput
    from treadle_tui.cli.working import with_engine

    db = invocation.database
    require_existing(db)
    chosen = {name: None if value == "all" else value for name, value in limits.items() if value is not None}
    if as_others and (workflow is None or chosen):
        raise BadInput("--as-others needs a WORKFLOW, and no limits with it: it takes back the policy the workflow has")

    async def act(engine: Engine, store: SqliteStateStore) -> tuple[dict[str | None, Retention], Tidied | None]:
        from treadle_tui.engine.errors import nearest
        from treadle_tui.engine.retention import Retention

        known = await store.retention()
        if workflow is not None and await store.shape_named(workflow) is None:
            raise BadInput(f"the database has no workflow {workflow!r}; {nearest(workflow, await store.stage_names())}")
        if as_others and workflow is not None:
            await store.forget_retention(workflow)
        elif chosen:
            before = known.get(workflow) or known.get(None) or Retention()
            await store.set_retention(before.changed(**chosen), workflow)
        dropped = await engine.tidy() if now else None
        return await store.retention(), dropped

    policies, dropped = with_engine(db, [], act)
    _say(policies, dropped, as_json)


def _say(policies: dict[str | None, Retention], dropped: Tidied | None, as_json: bool) -> None:
    from dataclasses import asdict

    from treadle_tui.cli.output import say, say_json

    own = {name: policy.as_dict() for name, policy in policies.items() if name is not None}
    common = policies[None].as_dict() if None in policies else {}
    if as_json:
        say_json({"all": common, "workflows": own, "dropped": None if dropped is None else asdict(dropped)})
        return
    say(f"all workflows: {_words(common)}")
    for name, limits in own.items():
        say(f"{name}: {_words(limits)}")
    if dropped is not None:
        counts = {name: count for name, count in asdict(dropped).items() if count}
        say("dropped: " + (", ".join(f"{count:,} {name}" for name, count in counts.items()) or "nothing"))


def _words(limits: dict[str, float | int]) -> str:
    """ "events of 30 days, attempts the newest 3"."""
    words = []
    for name, value in limits.items():
        what, kind = name.split("_")
        words.append(f"{what} of {value:g} days" if kind == "days" else f"the newest {value:,} {what}")
    return "keeps " + ", ".join(words) if words else "keeps everything"
