"""What stands on a test application's screen, as plain lines."""

from typing import Any

from textual.app import App


def screen_lines(app: App[Any]) -> list[str]:
    """Every line of the screen as it is composed now, trailing blanks cut."""
    strips = app.screen._compositor.render_strips(app.size)
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips[: app.size.height]]


def screen_text(app: App[Any]) -> str:
    """The screen as one text."""
    return "\n".join(screen_lines(app))


def line_with(app: App[Any], text: str) -> str:
    """The first line that contains the text; fails when there is none."""
    for line in screen_lines(app):
        if text in line:
            return line
    raise AssertionError(f"{text!r} is not on the screen:\n{screen_text(app)}")
