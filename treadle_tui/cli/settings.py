"""Every setting there is: its name, what it may be, what it is when nobody says, and what it does.

The documentation (docs/settings.md), `treadle-tui info` and the reader of the files are made from `Settings`; a setting is added by
adding a field. Nothing here reads anything: that is `settings_files`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

FILE_NAME = "treadle-tui.toml"


class Kind(str, Enum):
    """What a value may be, in the words a person is told."""

    #: Any text.
    TEXT = "a text"
    #: A number, whole or not.
    NUMBER = "a number"
    #: Yes or no.
    SWITCH = "true or false"
    #: Texts in an order.
    TEXTS = "a list of texts"
    #: Texts by name.
    TEXT_TABLE = "a table of texts"
    #: Lists of texts by name.
    TEXTS_TABLE = "a table of lists of texts"

    @property
    def is_table(self) -> bool:
        """Whether it holds entries with names of their own, which are taken together from all places."""
        return self in (Kind.TEXT_TABLE, Kind.TEXTS_TABLE)

    @property
    def of_entry(self) -> Kind:
        """What an entry of a table may be."""
        return Kind.TEXT if self is Kind.TEXT_TABLE else Kind.TEXTS


class Setting(NamedTuple):
    """What is known of one setting."""

    name: str
    """As it is written in a file, with a dot where it stands in a table."""
    kind: Kind
    about: str
    """What it does, in a sentence."""
    field: str
    """The attribute of `Settings`."""
    default: Any
    least: float | None = None
    most: float | None = None
    flag: str | None = None
    """An option of its own on the command line; `--set` takes all of them."""
    example: str = ""
    """A line of a file."""

    @property
    def variable(self) -> str | None:
        """The environment variable that sets it; lists and tables have none."""
        is_single = self.kind in (Kind.TEXT, Kind.NUMBER, Kind.SWITCH)
        return "TREADLE_" + self.name.upper().replace(".", "_") if is_single else None


def _setting(name: str, kind: Kind, default: Any, about: str, **more: Any) -> Any:
    known = {"name": name, "kind": kind, "about": about, **more}
    return field(default_factory=dict, metadata=known) if kind.is_table else field(default=default, metadata=known)


@dataclass(frozen=True, slots=True)
class Settings:
    """One value each; see the metadata of the fields."""

    theme: str = _setting(
        "theme",
        Kind.TEXT,
        "",
        "Colours: treadle-dark, treadle-light, treadle-mono, treadle-blue-orange or treadle-blue-orange-light (both safe for "
        "colour-blind eyes), or another one the palette lists. Empty: treadle-dark, and treadle-mono where NO_COLOR asks for it.",
        flag="--theme",
        example='theme = "treadle-light"',
    )
    reviewer: str = _setting(
        "reviewer",
        Kind.TEXT,
        "",
        "Who decides: the name that is kept with every decision. Empty: the login name.",
        flag="--as",
        example='reviewer = "ana"',
    )
    mouse: bool = _setting(
        "mouse",
        Kind.SWITCH,
        True,
        "Whether the program takes the mouse. Without it the terminal selects text as it always does.",
        example="mouse = false",
    )
    title: bool = _setting(
        "title", Kind.SWITCH, True, "Whether the title of the terminal tells how many reviews wait.", example="title = false"
    )
    undo_seconds: float = _setting(
        "review.undo_seconds",
        Kind.NUMBER,
        5.0,
        "How long a decision can be undone before it is sent; 0 sends at once.",
        least=0.0,
        most=600.0,
        example="[review]\nundo_seconds = 8",
    )
    reasons: tuple[str, ...] = _setting(
        "review.reasons",
        Kind.TEXTS,
        (),
        "Reasons for a rejection that a digit chooses, for stages that name none themselves.",
        example='[review]\nreasons = ["unreadable", "wrong file"]',
    )
    stage_reasons: Mapping[str, tuple[str, ...]] = _setting(
        "review.stage_reasons",
        Kind.TEXTS_TABLE,
        None,
        'The same for one stage, as "workflow.stage"; they stand in place of those the stage names itself.',
        example='[review.stage_reasons]\n"licences.review" = ["not for us", "ask legal"]',
    )
    keymap: Mapping[str, str] = _setting(
        "keymap",
        Kind.TEXT_TABLE,
        None,
        "Other keys for actions, by the action's id; several keys are parted by commas. docs/keys.md lists ids and keys.",
        example='[keymap]\n"board.approve" = "y"',
    )

    def reasons_for(self, workflow: str, stage: str, named: tuple[str, ...]) -> tuple[str, ...]:
        """Preset reasons of a stage that names these itself."""
        return self.stage_reasons.get(f"{workflow}.{stage}") or named or self.reasons


SETTINGS: tuple[Setting, ...] = tuple(
    Setting(field=each.name, default=getattr(Settings(), each.name), **each.metadata) for each in dataclasses.fields(Settings)
)
"""In the order in which they are documented."""


class SettingRefused(Exception):
    """A value that a setting cannot have; its text is the rest of a sentence that begins with the setting's name."""


def checked(setting: Setting, value: Any) -> Any:
    """The value as `Settings` holds it. Raises: `SettingRefused`."""
    value = _of_kind(setting.kind, value)
    return _within(setting, value) if setting.kind is Kind.NUMBER else value


def checked_entry(setting: Setting, value: Any) -> Any:
    """The same for one entry of a table."""
    return _of_kind(setting.kind.of_entry, value)


def _of_kind(kind: Kind, value: Any) -> Any:
    if not _fits(kind, value):
        raise SettingRefused(f"must be {kind.value}, not {_shown(value)}")
    match kind:
        case Kind.NUMBER:
            return float(value)
        case Kind.TEXTS:
            return tuple(value)
    return value


def _within(setting: Setting, number: float) -> float:
    least, most = setting.least, setting.most
    if (least is not None and number < least) or (most is not None and number > most) or number != number:
        raise SettingRefused(f"must be between {least:g} and {most:g}, not {number:g}")
    return number


def _fits(kind: Kind, value: Any) -> bool:
    match kind:
        case Kind.TEXT:
            return isinstance(value, str)
        case Kind.NUMBER:
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case Kind.SWITCH:
            return isinstance(value, bool)
        case Kind.TEXTS:
            return isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)
    return isinstance(value, Mapping) and not value  # with entries, these are looked at one by one


def _shown(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return repr(value if len(value) <= 40 else value[:39] + "…")
        case list():
            return "a list with something else in it" if value else "a list"
        case Mapping():
            return "a table"
    return str(value)[:40]
