"""Every text can be read in every theme, and the themes for colour-blind eyes tell the states apart for them."""

from __future__ import annotations

import itertools

import pytest
from textual.color import Color
from textual.theme import Theme

from treadle_tui.themes import SAFE_THEMES, THEMES, VARIABLE_DEFAULTS

TEXT, QUIET = 4.5, 3.0
"""Contrast: WCAG 2.2, success criterion 1.4.3; what is quiet on purpose has that of 1.4.11."""
STATES = ("pending", "running", "retry-wait", "awaiting-review", "completed", "skipped", "failed", "cancelled")
QUIET_NAMES = {"faint", "state-pending", "state-skipped", "state-cancelled"}
GROUNDS = ("background", "surface", "panel", "cursor-row")
APART = 20.0
"""Distance in CIELAB (1976) that two colours of states keep; 2.3 is what can just be seen."""

Linear = tuple[float, float, float]

PROTANOPIA = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
DEUTERANOPIA = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
"""Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of Color Vision Deficiency, IEEE Transactions on
Visualization and Computer Graphics 15 (6), 2009, severity 1.0. On linear RGB."""
UNCHANGED = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
EYES = {"nobody": UNCHANGED, "protanopes": PROTANOPIA, "deuteranopes": DEUTERANOPIA}


def linear(color: Color) -> Linear:
    """Linear RGB of an sRGB colour (IEC 61966-2-1)."""
    parts = [part / 255 for part in color.rgb]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return red, green, blue


def luminance(color: Color) -> float:
    """Relative luminance, as WCAG defines it."""
    red, green, blue = linear(color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(text: Color, ground: Color) -> float:
    """Contrast ratio, as WCAG defines it."""
    lighter, darker = sorted((luminance(text), luminance(ground)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def seen(color: Color, eyes: tuple[Linear, ...]) -> Linear:
    """CIELAB (D65) of what such eyes see of a colour."""
    light = linear(color)
    red, green, blue = (min(1.0, max(0.0, sum(weight * part for weight, part in zip(row, light, strict=True)))) for row in eyes)
    x = (0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047
    y = 0.2126729 * red + 0.7151522 * green + 0.0721750 * blue
    z = (0.0193339 * red + 0.1191920 * green + 0.9503041 * blue) / 1.08883
    fx, fy, fz = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def distance(one: Linear, other: Linear) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5)


def color_of(theme: Theme, name: str) -> Color:
    """The colour of that name, as the program uses it."""
    colors = {**VARIABLE_DEFAULTS, **theme.to_color_system().generate(), **theme.variables}
    color, _, percent = colors[name].partition(" ")
    return Color.parse(color).with_alpha(float(percent.rstrip("%")) / 100 if percent else 1.0)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_every_text_can_be_read_on_every_ground(theme: Theme) -> None:
    names = ["foreground", "quiet", "faint", "accent", "error", "success", *(f"state-{state}" for state in STATES)]
    ratios = {(name, ground): contrast(color_of(theme, name), color_of(theme, ground)) for name in names for ground in GROUNDS}

    needed = {pair: QUIET if pair[0] in QUIET_NAMES else TEXT for pair in ratios}
    assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < needed[pair]} == {}


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_what_stands_on_a_cursor_or_a_selection_can_be_read(theme: Theme) -> None:
    on_cursor = contrast(color_of(theme, "cursor-cell-text"), color_of(theme, "cursor-cell"))
    in_field = contrast(color_of(theme, "input-cursor-foreground"), color_of(theme, "input-cursor-background"))
    selection = color_of(theme, "panel") + color_of(theme, "input-selection-background")

    assert min(on_cursor, in_field, contrast(color_of(theme, "foreground"), selection)) >= TEXT


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("theme", SAFE_THEMES, ids=lambda theme: theme.name)
def test_no_two_states_look_alike_to_colour_blind_eyes(theme: Theme, eyes: str) -> None:
    colors = {state: seen(color_of(theme, f"state-{state}"), EYES[eyes]) for state in STATES}

    near = {(one, other): distance(colors[one], colors[other]) for one, other in itertools.combinations(STATES, 2)}
    assert {pair: round(apart, 1) for pair, apart in near.items() if apart < APART} == {}


def test_the_simulation_is_the_published_one() -> None:
    """Red and green of equal lightness, which deuteranopes confuse, come nearer each other by far; blue stays away from both."""
    red, green, blue = Color(198, 80, 70), Color(120, 134, 60), Color(70, 90, 200)

    apart = {name: distance(seen(red, eyes), seen(green, eyes)) for name, eyes in EYES.items()}
    assert apart["deuteranopes"] < apart["nobody"] / 3
    assert distance(seen(red, DEUTERANOPIA), seen(blue, DEUTERANOPIA)) > 80


def test_the_default_theme_does_not_pass_for_a_safe_one() -> None:
    """Otherwise the test above could not fail."""
    usual = next(theme for theme in THEMES if theme.name == "treadle-dark")
    colors = [seen(color_of(usual, f"state-{state}"), DEUTERANOPIA) for state in STATES]

    assert min(distance(one, other) for one, other in itertools.combinations(colors, 2)) < APART


def test_all_themes_set_the_same_variables() -> None:
    first, *others = THEMES
    assert all(set(theme.variables) - {"input-cursor-text-style"} == set(first.variables) for theme in others)


@pytest.mark.parametrize(("dark", "light"), [("#000000", "#ffffff")])
def test_contrast_is_that_of_the_standard(dark: str, light: str) -> None:
    assert contrast(Color.parse(dark), Color.parse(light)) == pytest.approx(21.0)
    assert contrast(Color.parse("#767676"), Color.parse(light)) == pytest.approx(4.54, abs=0.01)
