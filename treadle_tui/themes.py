"""Every colour of the program. Nothing outside this file names one.

A state is always glyph and letter first; its colour only helps. The quiet states (pending, completed, skipped) stay near the text
colour, so that what needs a person (waiting, failed) is found without looking for it.

Every text is readable on every ground it may stand on: contrast of 4.5 (WCAG 2.2, 1.4.3), and of 3 for what is quiet on purpose. In
the themes for colour-blind eyes every two states differ for protanopes and deuteranopes too. `tests/test_themes.py` computes both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.theme import Theme

DEFAULT_THEME = "treadle-dark"
#: For `NO_COLOR`: what is told by colour elsewhere is told by bold and reverse.
COLOURLESS_THEME = "treadle-mono"

_STATES = ("pending", "running", "retry-wait", "awaiting-review", "completed", "skipped", "failed", "cancelled")


def _state_variables(*colours: str) -> dict[str, str]:
    return {f"state-{state}": colour for state, colour in zip(_STATES, colours, strict=True)}


#: Where colour shows the cursor. A theme that has none, and `NO_COLOR`, reverse instead.
_STYLES_WITH_COLOUR = {"cursor-cell-style": "bold", "line-cursor-style": "none", "key-style": "none"}


@dataclass(frozen=True, slots=True)
class _Palette:
    """The colours a theme is made of."""

    foreground: str
    quiet: str
    """Explanations, heads, keys' words."""
    faint: str
    """What does nothing at the moment, what is not read yet."""
    line: str
    """Borders; no text."""
    background: str
    surface: str
    panel: str
    cursor_row: str
    accent: str
    on_accent: str
    error: str
    success: str
    secondary: str
    scrollbar: str
    scrollbar_hover: str
    states: Sequence[str]
    """In the order of `_STATES`."""


def _theme(name: str, palette: _Palette, *, dark: bool) -> Theme:
    return Theme(
        name=name,
        dark=dark,
        primary=palette.accent,
        secondary=palette.secondary,
        accent=palette.accent,
        warning=palette.accent,
        error=palette.error,
        success=palette.success,
        foreground=palette.foreground,
        background=palette.background,
        surface=palette.surface,
        panel=palette.panel,
        boost=palette.panel,
        variables={
            **_state_variables(*palette.states),
            "quiet": palette.quiet,
            "faint": palette.faint,
            "line": palette.line,
            "cursor-row": palette.cursor_row,
            "cursor-cell": palette.accent,
            "cursor-cell-text": palette.on_accent,
            **_STYLES_WITH_COLOUR,
            "border": palette.accent,
            "border-blurred": palette.line,
            "block-cursor-background": palette.accent,
            "block-cursor-foreground": palette.on_accent,
            "block-cursor-text-style": "none",
            "input-cursor-background": palette.accent,
            "input-cursor-foreground": palette.on_accent,
            "input-selection-background": f"{palette.accent} 30%",
            "scrollbar": palette.scrollbar,
            "scrollbar-hover": palette.scrollbar_hover,
            "scrollbar-active": palette.accent,
            "scrollbar-background": palette.background,
            "scrollbar-background-hover": palette.background,
            "scrollbar-background-active": palette.background,
        },
    )


DARK = _theme(
    "treadle-dark",
    _Palette(
        foreground="#cfd2d6",
        quiet="#8b929b",
        faint="#6e757e",
        line="#2c3137",
        background="#15171a",
        surface="#1b1e22",
        panel="#23272c",
        cursor_row="#262b31",
        accent="#d7a65f",
        on_accent="#15171a",
        error="#e0777f",
        success="#8fae8b",
        secondary="#8fa7b8",
        scrollbar="#343a41",
        scrollbar_hover="#4a5058",
        states=("#747b84", "#84aed0", "#b09ac0", "#e6b566", "#81a081", "#7f868f", "#e0777f", "#9a8587"),
    ),
    dark=True,
)

LIGHT = _theme(
    "treadle-light",
    _Palette(
        foreground="#24282d",
        quiet="#5b6066",
        faint="#7f8081",
        line="#d9d6cf",
        background="#f7f6f3",
        surface="#f0eeea",
        panel="#e6e3dd",
        cursor_row="#e8e4db",
        accent="#8a5100",
        on_accent="#f7f6f3",
        error="#a92c37",
        success="#37653c",
        secondary="#4b6475",
        scrollbar="#cbc7bf",
        scrollbar_hover="#b4b3af",
        states=("#7d7f82", "#1c5c8c", "#6b4783", "#8a5100", "#37653c", "#75777b", "#a92c37", "#8a6366"),
    ),
    dark=False,
)

BLUE_ORANGE = _theme(
    "treadle-blue-orange",
    _Palette(
        foreground="#d2d5da",
        quiet="#9096a0",
        faint="#6f757f",
        line="#2c3139",
        background="#14161a",
        surface="#1a1d22",
        panel="#22262c",
        cursor_row="#222a33",
        accent="#eae355",
        on_accent="#14161a",
        error="#f46e4a",
        success="#609fac",
        secondary="#5992f9",
        scrollbar="#343a43",
        scrollbar_hover="#4a515b",
        states=("#6c7967", "#5992f9", "#ceb9ff", "#eae355", "#609fac", "#a9bd9f", "#f46e4a", "#5f73b1"),
    ),
    dark=True,
)

BLUE_ORANGE_LIGHT = _theme(
    "treadle-blue-orange-light",
    _Palette(
        foreground="#1f242a",
        quiet="#565c64",
        faint="#7c7f83",
        line="#d6d5d1",
        background="#f8f7f4",
        surface="#f1efeb",
        panel="#e8e5df",
        cursor_row="#e6e8ec",
        accent="#0e47d8",
        on_accent="#f8f7f4",
        error="#6f1010",
        success="#084259",
        secondary="#533798",
        scrollbar="#cac9c5",
        scrollbar_hover="#b3b2ae",
        states=("#6f7f88", "#0e47d8", "#533798", "#7b6203", "#084259", "#687b52", "#6f1010", "#6781bb"),
    ),
    dark=False,
)

MONOCHROME = Theme(
    name="treadle-mono",
    dark=True,
    primary="#ffffff",
    secondary="#b0b0b0",
    accent="#ffffff",
    warning="#ffffff",
    error="#ffffff",
    success="#c8c8c8",
    foreground="#d0d0d0",
    background="#101010",
    surface="#181818",
    panel="#242424",
    boost="#242424",
    variables={
        **_state_variables("#8a8a8a", "#ffffff", "#d0d0d0", "#ffffff", "#a8a8a8", "#8a8a8a", "#ffffff", "#8a8a8a"),
        "quiet": "#a0a0a0",
        "faint": "#787878",
        "line": "#303030",
        "cursor-row": "#262626",
        "cursor-cell": "#101010",
        "cursor-cell-text": "#ffffff",
        "cursor-cell-style": "bold reverse",
        "line-cursor-style": "reverse",
        "key-style": "bold",
        "border": "#ffffff",
        "border-blurred": "#404040",
        "block-cursor-background": "#ffffff",
        "block-cursor-foreground": "#101010",
        "block-cursor-text-style": "none",
        "input-cursor-background": "#101010",
        "input-cursor-foreground": "#ffffff",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "#505050",
        "scrollbar": "#404040",
        "scrollbar-hover": "#606060",
        "scrollbar-active": "#ffffff",
        "scrollbar-background": "#101010",
        "scrollbar-background-hover": "#101010",
        "scrollbar-background-active": "#101010",
    },
)

THEMES = (DARK, LIGHT, MONOCHROME, BLUE_ORANGE, BLUE_ORANGE_LIGHT)
#: The themes in which no two states look alike to protanopes and deuteranopes.
SAFE_THEMES = (BLUE_ORANGE, BLUE_ORANGE_LIGHT)

#: For themes that are not ours: our variables, from the ones every theme has.
VARIABLE_DEFAULTS = {
    **_state_variables("#808080", "#6f9fd0", "#b09ac0", "#d7a65f", "#7fa37e", "#808080", "#d9777f", "#8d7a7c"),
    "quiet": "#8a8f96",
    "faint": "#5d646d",
    "line": "#3a3f45",
    "cursor-row": "#33383e",
    "cursor-cell": "#d7a65f",
    "cursor-cell-text": "#15171a",
    **_STYLES_WITH_COLOUR,
}
