"""Writes the pages that are made from the program itself, so that they cannot say anything else than it does.

python docs/make.py     writes keys.md, settings.md, verbs.md and events.md beside this file
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import click

from treadle_tui.cli.settings import FILE_NAME, SETTINGS, Setting
from treadle_tui.cli.settings_files import shown
from treadle_tui.keymap import Action, shown_key

HERE = Path(__file__).parent

SETTINGS_HEAD = f"""# Settings

Settings stand in `{FILE_NAME}`, a TOML file. The first of these that says something counts:

1. the command line: `--theme`, `--as`, and `--set NAME=VALUE` for every setting (a list as TOML:
   `--set 'review.reasons=["a", "b"]'`);
2. the environment, for settings with a single value;
3. the project's file: `{FILE_NAME}` beside the database; where there is none, in the current directory;
4. the user's file, in the platform's place: `~/.config/treadle-tui/{FILE_NAME}` on Linux,
   `~/Library/Application Support/treadle-tui/{FILE_NAME}` on macOS;
5. what is built in.

Tables (`keymap`, `review.stage_reasons`) are taken together from all places, entry by entry. `treadle-tui info` prints both paths, every
setting, and where it is from. A setting that is not known, or that cannot be what it says, is named with file, line and the nearest known
name; the program starts all the same, and the next place counts.

"""


def settings_page() -> str:
    """docs/settings.md."""
    return SETTINGS_HEAD + "\n".join(_setting_section(setting) for setting in SETTINGS)


def _setting_section(setting: Setting) -> str:
    facts = [setting.kind.value]
    if setting.least is not None:
        facts.append(f"{setting.least:g} to {setting.most:g}")
    if setting.default not in ("", (), {}):
        facts.append(f"{shown(setting.default)} unless set")
    ways = [f"`{way}`" for way in (setting.flag, setting.variable) if way]
    return f"## `{setting.name}`\n\n{setting.about}\n\n{' · '.join([*facts, *ways])}\n\n```toml\n{setting.example}\n```\n"


KEYS_HEAD = """# Keys

Every action can be put on other keys, by its id, in the table `keymap` of a [settings file](settings.md):

```toml
[keymap]
"board.approve" = "y"
"app.quit" = "Q, f10"
```

A key is a character, or a name: `enter`, `escape`, `tab`, `space`, `comma`, `up`, `pagedown`, `f5`, with `ctrl+`, `alt+` or `shift+`
before it. Help, key bar and palette show the keys as they are then. An id or key that does not exist, and a key that would mean two
things on one screen, is told, and the action keeps the keys it has. `ctrl` with i, j, m, h, [, a and b cannot be used: terminals send
them for other keys, or tmux and screen keep them. In a text field letters are text, so actions there take keys that write nothing.

"""


def keys_page() -> str:
    """docs/keys.md."""
    from treadle_tui.full_screen import TreadleApp
    from treadle_tui.key_contexts import actions_by_title

    return KEYS_HEAD + "\n".join(_keys_section(title, actions) for title, actions in actions_by_title(TreadleApp).items())


def _keys_section(title: str, actions: list[Action]) -> str:
    lines = [f"| {' '.join(_key(key) for key in action.keys)} | `{action.id}` | {action.about} |" for action in actions]
    return "\n".join([f"## {title}", "", "| keys | id | does |", "|---|---|---|", *lines, ""])


def _key(key: str) -> str:
    shown = "\\|" if key == "vertical_line" else shown_key(key)
    return f"`` {shown} ``" if shown == "`" else f"`{shown}`"


VERBS_HEAD = """# Verbs

Each verb with what it takes. What they print with `--json`, and what the exit codes mean, is in [The command line](command-line.md).

Before or behind every verb: `--db PATH`, `--workflows PATH`, `--as NAME`, and the settings that have an option.

"""


def verbs_page() -> str:
    """docs/verbs.md."""
    from treadle_tui.cli.main import command_line
    from treadle_tui.cli.verbs import VERBS

    root = click.Context(command_line, info_name="treadle-tui", **command_line.context_settings)
    sections = []
    for name in VERBS:
        command = command_line.get_command(root, name)
        assert command is not None
        sections.append(_verb_section(name, command, click.Context(command, info_name=name, parent=root)))
    return VERBS_HEAD + "\n".join(sections)


def _verb_section(name: str, command: click.Command, context: click.Context) -> str:
    import inspect

    usage = " ".join(["treadle-tui", name, *command.collect_usage_pieces(context)])
    about = inspect.cleandoc(command.help or "").replace("\b\n", "").replace("\f", "")
    about = re.sub(r"(?m)^(\w+): +(\S.*?) {2,}(.*)$", r"- \1, \3: `\2`", about)  # commands in columns, as of `completion`
    options = [parameter.get_help_record(context) for parameter in command.get_params(context) if isinstance(parameter, click.Option)]
    lines = [f"| `{names.replace('|', chr(92) + '|')}` | {said.replace('|', chr(92) + '|')} |" for names, said in filter(None, options)]
    table = ["", "| option | |", "|---|---|", *lines] if lines else []
    return "\n".join([f"## `{name}`", "", f"`{usage}`", "", about, *table, ""])


EVENTS_HEAD = """# Events

Everything that happens is an event, written in the transaction of the change it tells. `treadle-tui events` prints them, `--json` one
object per line; programs read them with `engine.events()`. Every event has `seq` (its place in the order of commits), `at` and `workflow`;
of an item also `item_id`; of a stage also `stage`, `attempt`, and `subtask` when it is about one. An event with a `subtask` moves the
subtask, not the stage.

| event | own fields | state after it | says |
|---|---|---|---|
"""


def events_page() -> str:
    """docs/events.md."""
    from treadle_tui.engine import events

    bases = (events.Event, events.ItemEvent, events.StageEvent)
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event) and kind not in bases]
    return EVENTS_HEAD + "".join(f"{_event_line(kind)}\n" for kind in kinds)


def _event_line(kind: type) -> str:
    import dataclasses

    from treadle_tui.engine import events

    base = next(base for base in (events.StageEvent, events.ItemEvent, events.Event) if issubclass(kind, base))
    shared = {field.name for field in dataclasses.fields(base)}
    own = [f"`{field.name}`" for field in dataclasses.fields(kind) if field.name not in shared]
    state = events.STATE_AFTER.get(kind)
    says = " ".join((kind.__doc__ or "").split())
    return f"| `{kind.__name__}` | {', '.join(own)} | {state.value if state else ''} | {says} |"


PAGES: dict[str, Callable[[], str]] = {"keys.md": keys_page, "settings.md": settings_page, "verbs.md": verbs_page, "events.md": events_page}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page())


if __name__ == "__main__":
    main()
