"""Verbs about the program itself: the workflows it finds, and every path it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from treadle_tui.cli.invocation import Invocation, json_option, pass_invocation, shared_options

if TYPE_CHECKING:
    from treadle_tui.cli.settings_files import LoadedSettings
    from treadle_tui.engine.workflow import Workflow


@click.command()
@shared_options()
@json_option
@pass_invocation
def workflows(invocation: Invocation, as_json: bool) -> None:
    """List the workflows that were found, and what kept others from being loaded."""
    from treadle_tui.cli.output import say, say_json, say_table

    found = invocation.loaded_workflows()
    if as_json:
        say_json(
            {
                "workflows": [_workflow_shape(workflow, found.origin(workflow.name)) for workflow in found.workflows],
                "problems": [{"path": each.path, "line": each.line, "message": each.message} for each in found.problems],
                "places": [{"kind": each.kind, "target": each.target, "why": each.why} for each in found.places],
            }
        )
        return
    if found.workflows:
        say_table(("WORKFLOW", "STAGES", "ADD", "FROM"), [_workflow_line(each, found.origin(each.name)) for each in found.workflows])
    else:
        say("no workflows were found; looked at: " + ", ".join(each.target for each in found.places))
    for problem in found.problems:
        say(f"! {problem}")


@click.command()
@shared_options()
@json_option
@pass_invocation
def info(invocation: Invocation, as_json: bool) -> None:
    """Print the version, every path the program uses, who it takes you for, and every setting with where it is from."""
    from treadle_tui import __version__
    from treadle_tui.cli.output import say, say_facts, say_json, say_table
    from treadle_tui.cli.paths import log_file
    from treadle_tui.cli.settings_files import shown

    db = invocation.named_database
    places = invocation.workflows().places
    loaded = invocation.settings(complains=False)
    facts = {
        "version": __version__,
        "database": str(db.absolute()) if db else None,
        "database_is": _kind(invocation),
        "log": str(log_file()),
        "workflows": [place.target for place in places],
        "reviewer": invocation.reviewer,
        "settings_files": [{"path": str(each.path), "why": each.why, "exists": each.path.is_file()} for each in loaded.places],
        "settings": [{"name": name, "value": value, "source": source} for name, value, source in _settings(loaded)],
        "settings_problems": list(loaded.problems),
    }
    if as_json:
        say_json(facts)
        return
    rows = [("version", __version__), ("database", f"{facts['database']} ({facts['database_is']})" if db else "none named; --db names one")]
    rows += [("log", str(log_file()))]
    rows += [("workflows" if index == 0 else "", f"{place.target} ({place.why})") for index, place in enumerate(places)]
    rows += [("reviewer", invocation.reviewer)]
    rows += [
        ("settings" if index == 0 else "", f"{each.path} ({each.why}{'' if each.path.is_file() else '; not there'})")
        for index, each in enumerate(loaded.places)
    ]
    say_facts(rows)
    say()
    say_table(("SETTING", "VALUE", "FROM"), [(name, shown(value), source) for name, value, source in _settings(loaded)])
    for problem in loaded.problems:
        say(f"! {problem}")


def _settings(loaded: LoadedSettings) -> list[tuple[str, Any, str]]:
    """Name, value and source of every setting; a table's entries one by one."""
    from treadle_tui.cli.settings import SETTINGS

    lines: list[tuple[str, Any, str]] = []
    for setting in SETTINGS:
        value = getattr(loaded.settings, setting.field)
        if setting.kind.is_table:
            lines += [(f"{setting.name}.{entry}", each, loaded.source(f"{setting.name}.{entry}")) for entry, each in value.items()]
        else:
            lines.append((setting.name, value, loaded.source(setting.name)))
    return lines


def _kind(invocation: Invocation) -> str | None:
    from treadle_tui.cli.database import kind_of

    db = invocation.named_database
    if db is None:
        return None
    return kind_of(db).value


def _workflow_line(workflow: Workflow, origin: str) -> tuple[str, str, str, str]:
    from treadle_tui.cli.source_items import source_usage

    usage = f"add {workflow.name} {source_usage(workflow)}".strip() if workflow.source_function else f"add {workflow.name} ID..."
    return workflow.name, str(len(workflow.stages())), usage, origin


def _workflow_shape(workflow: Workflow, origin: str) -> dict[str, object]:
    from treadle_tui.cli.source_items import source_usage

    return {
        "name": workflow.name,
        "origin": origin,
        "stages": [{"name": stage, "depends_on": list(workflow.dependencies(stage))} for stage in workflow.stages()],
        "source": source_usage(workflow) if workflow.source_function else None,
    }
