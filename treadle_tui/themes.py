"""Every colour of the program. Nothing outside this file names one.

A state is always glyph and letter first; its colour only helps. The quiet states (pending, completed, skipped) stay near the text
colour, so that what needs a person (waiting, failed) is found without looking for it.
"""

from __future__ import annotations

from textual.theme import Theme

DEFAULT_THEME = "treadle-dark"
#: For `NO_COLOR`: what is told by colour elsewhere is told by bold and reverse.
COLOURLESS_THEME = "treadle-mono"

_STATES = ("pending", "running", "retry-wait", "awaiting-review", "completed", "skipped", "failed", "cancelled")


def _state_variables(*colours: str) -> dict[str, str]:
    return {f"state-{state}": colour for state, colour in zip(_STATES, colours, strict=True)}


#: Where colour shows the cursor. A theme that has none, and `NO_COLOR`, reverse instead.
_STYLES_WITH_COLOUR = {"cursor-cell-style": "bold", "line-cursor-style": "none", "key-style": "none"}

DARK = Theme(
    name="treadle-dark",
    dark=True,
    primary="#d7a65f",
    secondary="#8fa7b8",
    accent="#d7a65f",
    warning="#d7a65f",
    error="#d9777f",
    success="#8fae8b",
    foreground="#cfd2d6",
    background="#15171a",
    surface="#1b1e22",
    panel="#23272c",
    boost="#23272c",
    variables={
        **_state_variables("#5d646d", "#84aed0", "#b09ac0", "#e6b566", "#748f75", "#6d747d", "#e0777f", "#8d7a7c"),
        "quiet": "#7d848d",
        "faint": "#4a5058",
        "line": "#2c3137",
        "cursor-row": "#23282e",
        "cursor-cell": "#d7a65f",
        "cursor-cell-text": "#15171a",
        **_STYLES_WITH_COLOUR,
        "border": "#d7a65f",
        "border-blurred": "#2c3137",
        "block-cursor-background": "#d7a65f",
        "block-cursor-foreground": "#15171a",
        "block-cursor-text-style": "none",
        "input-cursor-background": "#d7a65f",
        "input-cursor-foreground": "#15171a",
        "input-selection-background": "#d7a65f 30%",
        "scrollbar": "#343a41",
        "scrollbar-hover": "#4a5058",
        "scrollbar-active": "#d7a65f",
        "scrollbar-background": "#15171a",
        "scrollbar-background-hover": "#15171a",
        "scrollbar-background-active": "#15171a",
    },
)

LIGHT = Theme(
    name="treadle-light",
    dark=False,
    primary="#9a5b00",
    secondary="#4b6475",
    accent="#9a5b00",
    warning="#9a5b00",
    error="#b3323c",
    success="#3f7044",
    foreground="#24282d",
    background="#f7f6f3",
    surface="#f0eeea",
    panel="#e6e3dd",
    boost="#e6e3dd",
    variables={
        **_state_variables("#9a9b9c", "#1f6396", "#75508f", "#9a5b00", "#3f7044", "#85878a", "#b3323c", "#8a6366"),
        "quiet": "#6b6f74",
        "faint": "#b4b3af",
        "line": "#d9d6cf",
        "cursor-row": "#e8e4db",
        "cursor-cell": "#9a5b00",
        "cursor-cell-text": "#f7f6f3",
        **_STYLES_WITH_COLOUR,
        "border": "#9a5b00",
        "border-blurred": "#d9d6cf",
        "block-cursor-background": "#9a5b00",
        "block-cursor-foreground": "#f7f6f3",
        "block-cursor-text-style": "none",
        "input-cursor-background": "#9a5b00",
        "input-cursor-foreground": "#f7f6f3",
        "input-selection-background": "#9a5b00 25%",
        "scrollbar": "#cbc7bf",
        "scrollbar-hover": "#b4b3af",
        "scrollbar-active": "#9a5b00",
        "scrollbar-background": "#f7f6f3",
        "scrollbar-background-hover": "#f7f6f3",
        "scrollbar-background-active": "#f7f6f3",
    },
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
        **_state_variables("#686868", "#ffffff", "#d0d0d0", "#ffffff", "#9a9a9a", "#808080", "#ffffff", "#808080"),
        "quiet": "#909090",
        "faint": "#505050",
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
        "input-selection-background": "#606060",
        "scrollbar": "#404040",
        "scrollbar-hover": "#606060",
        "scrollbar-active": "#ffffff",
        "scrollbar-background": "#101010",
        "scrollbar-background-hover": "#101010",
        "scrollbar-background-active": "#101010",
    },
)

THEMES = (DARK, LIGHT, MONOCHROME)

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
