"""Which bindings a test has pressed: the ones whose action ran because of a key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode

from tests.screens.pressed import PRESSED


@pytest.fixture(autouse=True)
def pressed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The ids pressed so far; in the end those that the list says this test presses must be among them."""
    seen: set[str] = set()
    check = App._check_bindings

    async def noting(self: App[object], key: str, priority: bool = False) -> bool:
        chain = self.screen._binding_chain if priority else self.screen._modal_binding_chain
        offered = [(node, binding) for node, bindings in chain for binding in bindings.key_to_bindings.get(key, ())]
        run = self.run_action

        async def note(action: str, default_namespace: DOMNode | None = None) -> bool:
            has_run = await run(action, default_namespace)
            if has_run:
                seen.update(_ids(offered, action, default_namespace))
            return has_run

        self.run_action = note  # type: ignore[method-assign,assignment]
        try:
            return await check(self, key, priority)
        finally:
            del self.run_action

    monkeypatch.setattr(App, "_check_bindings", noting)
    yield seen
    name = f"{request.path.stem}::{request.node.originalname}"
    assert set(PRESSED.get(name, "").split()) - seen == set(), "tests/screens/pressed.py says that this test presses them"


def _ids(offered: list[tuple[DOMNode, Binding]], action: str, node: DOMNode | None) -> Iterator[str]:
    for owner, binding in offered:
        if owner is node and binding.action == action and binding.id:
            yield binding.id
