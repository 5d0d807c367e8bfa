"""Writes the pages that are made from the program itself, so that they cannot say anything else than it does.

python docs/make.py     writes settings.md beside this file
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from treadle_tui.cli.settings import FILE_NAME, SETTINGS, Setting
from treadle_tui.cli.settings_files import shown

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


PAGES: dict[str, Callable[[], str]] = {"settings.md": settings_page}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page())


if __name__ == "__main__":
    main()
