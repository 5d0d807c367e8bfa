"""Every action can be found and remapped, and no key means two things."""

from __future__ import annotations

import pytest
from textual.screen import ModalScreen

from tests.screens.driving import Driver, running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.cli.settings import Settings
from treadle_tui.cli.settings_files import LoadedSettings
from treadle_tui.full_screen import TreadleApp
from treadle_tui.key_contexts import key_contexts, screen_classes
from treadle_tui.keymap import NEVER, Context, accepted_keymap, clashes
from treadle_tui.palette_lines import palette_lines
from treadle_tui.screens.modal import Modal

CONTEXTS = key_contexts(TreadleApp)
IDS = [context.title for context in CONTEXTS]


@pytest.mark.parametrize("context", CONTEXTS, ids=IDS)
def test_every_action_has_a_word_and_a_line_of_help(context: Context) -> None:
    for action in context.actions.values():
        assert "." in action.id, action
        assert action.word, f"{action.id} has no word for the key bar"
        assert len(action.about) > len("Help"), f"{action.id} has no line of help"


@pytest.mark.parametrize("context", CONTEXTS, ids=IDS)
def test_no_key_means_two_things_on_a_screen(context: Context) -> None:
    assert [f"{key}: {one} and {other}" for key, one, other in clashes(context)] == []


@pytest.mark.parametrize("context", CONTEXTS, ids=IDS)
def test_no_action_lives_on_ctrl_only_and_none_on_a_key_that_terminals_take(context: Context) -> None:
    for action in context.actions.values():
        assert action.is_in_text or any("ctrl+" not in key for key in action.keys), action
        assert set(action.keys) & set(NEVER) == set(), action


def test_every_modal_offers_help_and_palette() -> None:
    modals = [screen for screen in screen_classes() if issubclass(screen, ModalScreen)]

    assert [modal.__name__ for modal in modals if not issubclass(modal, Modal)] == []


REFUSED = [
    ({"board.aprove": "y"}, "no action has the id 'board.aprove'; did you mean 'board.approve'?"),
    ({"board.approve": "ctrl+i"}, "'ctrl+i' cannot be used: terminals send it for another key"),
    ({"board.approve": "ctrl+["}, "'ctrl+[' cannot be used"),
    ({"board.approve": ""}, "a key is missing"),
    ({"board.approve": "y,"}, "a key is missing"),
    ({"board.approve": "pgdwn"}, "there is no key 'pgdwn'; did you mean 'pgdn'?"),
    ({"board.approve": "yy"}, "there is no key 'yy'"),
    ({"reject.send": "s"}, "'s' is text where reject.send (Reject) works"),
    ({"board.approve": "?"}, "'?' would mean both board.approve (Approve) and app.help (Help) on Board; board.approve keeps its key"),
]


@pytest.mark.parametrize(("keymap", "because"), REFUSED)
def test_what_cannot_be_is_refused_with_the_reason(keymap: dict[str, str], because: str) -> None:
    accepted, (refusal,) = accepted_keymap(keymap, CONTEXTS)

    assert accepted == {}
    assert because in refusal.because


def test_two_that_clash_with_each_other_both_keep_their_keys() -> None:
    accepted, refusals = accepted_keymap({"board.approve": "z", "board.reject": "z", "board.top": "T,home"}, CONTEXTS)

    assert set(accepted) == {"board.top"}
    assert [refusal.id for refusal in refusals] == ["board.approve", "board.reject"]
    assert all("board.approve (Approve) and board.reject (Reject)" in refusal.because for refusal in refusals)


def test_two_may_change_their_keys() -> None:
    assert accepted_keymap({"board.approve": "x", "board.reject": "a"}, CONTEXTS) == ({"board.approve": "x", "board.reject": "a"}, [])


@pytest.mark.parametrize(
    ("written", "key"), [("Y", "Y"), (">", "greater_than_sign"), ("esc", "escape"), ("ctrl+y", "ctrl+y"), ("é", "é"), ("f5", "f5")]
)
def test_keys_are_written_as_people_write_them(written: str, key: str) -> None:
    context = Context("Nowhere", {"board.approve": next(c.actions["board.approve"] for c in CONTEXTS if "board.approve" in c.actions)})

    assert accepted_keymap({"board.approve": written}, [context]) == ({"board.approve": key}, [])


async def remapped(ui: Driver) -> None:
    await ui.until(lambda: ui.app._keymap, "the keymap holds")


def keymap(**lines: str) -> LoadedSettings:
    entries = {id.replace("__", "."): key for id, key in lines.items()}
    settings = Settings(keymap=entries, undo_seconds=0.0)
    return LoadedSettings(settings, {f"keymap.{id}": f"/w/treadle-tui.toml:{at}" for at, id in enumerate(entries, 2)})


async def test_a_remapped_action_is_on_its_new_key_everywhere_it_is_named() -> None:
    settings = keymap(board__approve="z", app__help="f1", app__quit="Q", board__add_items="+")
    async with running(papers(), settings=settings, size=(100, 80)) as ui:
        await remapped(ui)
        await ui.seen("+   add items", "z Approve", "f1 Help", "Q Quit")
        await ui.submit(papers(), [Paper("one")])
        await ui.seen(WAITING)
        await ui.press("]", "a", "z")
        await ui.gone(WAITING)
        assert (await ui.decision("one", "publish")).by == "ana"

        await ui.press("f1")
        await ui.seen("Approve the waiting cell under the cursor")
        assert ui.line("Approve the waiting cell").split()[1] == "z"


async def test_a_keymap_that_clashes_is_refused_with_its_line_and_both_actions() -> None:
    async with running(papers(), settings=keymap(board__approve="n", board__top="T"), size=(120, 30)) as ui:
        await ui.seen("/w/treadle-tui.toml:2: 'n' would mean both board.approve", "board.add_items (Add items)")
        await remapped(ui)
        assert ui.app._keymap == {"board.top": "T"}


async def test_what_can_be_asked_live_is_what_the_contexts_say() -> None:
    """The contexts are found by reading classes: no live binding may be missing in them, nor in the palette."""
    by_title = {context.title: set(context.actions) for context in CONTEXTS}

    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)

        def check() -> None:
            screen = ui.app.screen
            ids = {active.binding.id for active in screen.active_bindings.values() if active.binding.id}
            assert ids <= by_title[screen.BINDING_GROUP_TITLE or ""], screen
            named = {line.id for line in palette_lines(ui.app, screen)}
            assert ids - named == {"app.palette"} & ids, screen

        check()
        for keys in (["?"], ["escape", "n"], ["escape", "enter"], ["escape", "]", "enter"], ["x"]):
            before = ui.app.screen
            for key in keys:
                await ui.press(key)
            await ui.until(lambda before=before: ui.app.screen is not before)  # type: ignore[misc]
            await ui.pilot.pause()
            check()
