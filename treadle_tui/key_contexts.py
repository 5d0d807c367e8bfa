"""Every place with keys of its own, found by looking at the screens and widgets there are. Imports all of them: not for the first paint."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

import treadle_tui.screens
import treadle_tui.widgets
from treadle_tui.keymap import Action, Context, actions_of
from treadle_tui.screens.main_screen import MainScreen
from treadle_tui.screens.modal import Modal


def key_contexts(app: type[App[int]]) -> list[Context]:
    """One context per screen, in the order of their titles."""
    screens = sorted(_screens(), key=lambda kind: (_title(kind), kind.__name__))
    return [_context(screen, app) for screen in screens]


def actions_by_title(app: type[App[int]]) -> dict[str, list[Action]]:
    """Every action once, under the title of the part of the program it belongs to; those that work everywhere first."""
    titled: dict[str, dict[str, Action]] = {}
    for kind in (app, *sorted(_classes(treadle_tui.screens, treadle_tui.widgets), key=lambda kind: kind.__module__)):
        own = {binding.id for binding in kind.__dict__.get("BINDINGS", ()) if isinstance(binding, Binding)}
        for action in actions_of(kind):
            if action.id in own and not any(action.id in seen for seen in titled.values()):
                titled.setdefault(kind.BINDING_GROUP_TITLE or kind.__name__, {})[action.id] = action
    first, *rest = titled
    return {title: list(titled[title].values()) for title in [first, *sorted(rest)]}


def screen_classes() -> list[type[Screen[object]]]:
    """Every screen and modal of the program that can be shown."""
    return list(_screens())


def _context(screen: type[Screen[object]], app: type[App[int]]) -> Context:
    kinds: list[type[DOMNode]] = [screen, *_parts(screen)]
    if not issubclass(screen, ModalScreen):
        kinds.append(app)
    context = Context(_title(screen))
    for kind in kinds:
        for action in actions_of(kind):
            context.actions.setdefault(action.id, action)
    return context


def _parts(screen: type[Screen[object]]) -> Iterator[type[Widget]]:
    """Widgets with keys that are on that screen: those its module names, and those whose ids begin like the screen's own."""
    named = {kind for kind in vars(_module(screen)).values() if isinstance(kind, type) and issubclass(kind, Widget)}
    named -= {base for kind in named for base in kind.__mro__[1:]}  # named only to be derived from
    prefixes = {_prefix(action) for action in actions_of(screen)} - {"app"}
    for kind in _classes(treadle_tui.widgets, treadle_tui.screens):
        if issubclass(kind, Widget) and not issubclass(kind, Screen):
            ids = {_prefix(action) for action in actions_of(kind)}
            is_of_another_screen = kind not in named and bool(named & set(kind.__mro__))
            if ids and (kind in named or (ids & prefixes and not is_of_another_screen)):
                yield kind


def _prefix(action: Action) -> str:
    return action.id.partition(".")[0]


def _title(screen: type[Screen[object]]) -> str:
    return screen.BINDING_GROUP_TITLE or screen.__name__


def _module(kind: type) -> ModuleType:
    return importlib.import_module(kind.__module__)


def _screens() -> Iterator[type[Screen[object]]]:
    for kind in _classes(treadle_tui.screens):
        if issubclass(kind, Screen) and kind not in (MainScreen, Modal):
            yield kind


def _classes(*packages: ModuleType) -> Iterator[type[DOMNode]]:
    """Every class of DOM nodes that is defined there."""
    for package in packages:
        for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda each: each.name):
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            for kind in vars(module).values():
                if isinstance(kind, type) and issubclass(kind, DOMNode) and kind.__module__ == module.__name__:
                    yield kind
