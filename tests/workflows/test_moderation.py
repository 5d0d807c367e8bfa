"""The moderation workflow from end to end: rules, people, and what is learnt from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tui.engine import Approve, ApproveWithEdits, Engine, InvalidItem, MemoryStateStore
from workflows._extras import missing_extra
from workflows._moderation_learning import Settled, agreement, agreement_page, decided, keep, predict
from workflows.moderation import RULES, Record, is_sampled, moderation, normalise, records

needs_sklearn = pytest.mark.skipif(missing_extra("moderation", "sklearn") is not None, reason="scikit-learn is not installed")

COLOURS = ("red", "blue", "green", "grey", "pink", "white", "black", "brown", "gold", "silver")
ALLOWED = [f"thank you for the {colour} pattern, my loom likes it" for colour in COLOURS]
BLOCKED = [f"cheap {colour} pills, order now and win money" for colour in COLOURS]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "moderation"


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def teach(folder: Path) -> None:
    """Twenty decisions of a person."""
    for number, text in enumerate(ALLOWED + BLOCKED):
        label = "allow" if text in ALLOWED else "block"
        keep(folder, Settled(f"old {number}", text, label, "allow", 0.5, "taught", False, "ana"))


async def run(engine: Engine, file: str) -> dict[str, Any]:
    await engine.submit(moderation, records(file))
    await engine.run_until_idle()
    return {review.item_id: review.review for review in await engine.pending_reviews()}


@needs_sklearn
async def test_before_anything_was_decided_a_person_decides_all_of_it(tmp_path: Path, folder: Path) -> None:
    first, second = {"id": "a", "text": "a nice loom", "author": "ben"}, {"id": "b", "text": "NOTHING BUT CAPITALS HERE"}
    file = write(tmp_path / "comments.jsonl", first, second)

    async with MemoryStateStore() as store, Engine(store, [moderation]) as engine:
        waiting = await run(engine, file)
        await engine.resolve_review("a", "decide", Approve(by="ana"))
        await engine.resolve_review("b", "decide", Approve(by="ana", values={"label": "allow"}))
        await engine.run_until_idle()
        assert (await engine.status("a")).is_complete()

    assert waiting["a"].summary == "allow? a nice loom"
    assert waiting["a"].details["record"] == {"author": "ben"}
    assert waiting["b"].summary == "block? NOTHING BUT CAPITALS HERE"
    assert [(each.id, each.proposed, each.label, each.decided_by) for each in decided(folder)] == [
        ("a", "allow", "allow", "ana"),
        ("b", "block", "allow", "ana"),
    ]
    page = (folder / "AGREEMENT.md").read_text()
    assert "| all decisions | 2 | 1 (50%) |" in page
    assert "- 1 proposed as block, decided as allow" in page


@needs_sklearn
async def test_what_was_decided_settles_what_is_like_it_and_only_that(tmp_path: Path, folder: Path) -> None:
    teach(folder)
    file = write(
        tmp_path / "comments.jsonl",
        {"id": "pills", "text": "cheap yellow pills, order now and win money"},
        {"id": "thanks", "text": "thank you for the yellow pattern, my loom likes it"},
        {"id": "other", "text": "wo finde ich die Anleitung?"},
    )

    async with MemoryStateStore() as store, Engine(store, [moderation]) as engine:
        waiting = await run(engine, file)
        labels = {name: (await store.get_status(name, "record")).output for name in ("pills", "thanks")}

    assert set(waiting) == {"other"}
    assert labels == {"pills": {"label": "block", "by": ""}, "thanks": {"label": "allow", "by": ""}}
    assert len(decided(folder)) == 20, "what no person has decided is nothing to learn from"


@needs_sklearn
async def test_some_of_the_sure_ones_are_shown_to_a_person_and_edits_count(tmp_path: Path, folder: Path) -> None:
    teach(folder)
    sampled = next(str(number) for number in range(1000) if is_sampled(str(number)))
    file = write(tmp_path / "comments.jsonl", {"id": sampled, "text": "thank you for the yellow pattern, my loom likes it"})

    async with MemoryStateStore() as store, Engine(store, [moderation]) as engine:
        waiting = await run(engine, file)
        proposal: Any = (await store.get_status(sampled, "judge")).output
        await engine.resolve_review(sampled, "decide", ApproveWithEdits({**proposal, "label": "block"}, by="ben"))
        await engine.run_until_idle()

    assert list(waiting) == [sampled]
    (example,) = [each for each in decided(folder) if each.id == sampled]
    assert (example.proposed, example.label, example.sampled, example.decided_by) == ("allow", "block", True, "ben")
    assert "| sampled, the machine was sure | 1 | 0 (0%) |" in (folder / "AGREEMENT.md").read_text()


@needs_sklearn
async def test_a_label_nobody_knows_fails_and_is_not_learnt(tmp_path: Path, folder: Path) -> None:
    file = write(tmp_path / "comments.jsonl", {"id": "a", "text": "a nice loom"})

    async with MemoryStateStore() as store, Engine(store, [moderation]) as engine:
        await run(engine, file)
        proposal: Any = (await store.get_status("a", "judge")).output
        await engine.resolve_review("a", "decide", ApproveWithEdits({**proposal, "label": "maybe"}))
        await engine.run_until_idle()
        error = (await store.get_status("a", "record")).error

    assert error == "the label 'maybe' is neither allow nor block; reopen the decision and edit it"
    assert decided(folder) == []


async def test_without_the_extra_the_stage_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows._extras.find_spec", lambda name: None)
    file = write(tmp_path / "comments.jsonl", {"text": "a nice loom"})

    async with MemoryStateStore() as store, Engine(store, [moderation]) as engine:
        await run(engine, file)
        (item,) = await store.list_items()
        error = (await store.get_status(item, "classify")).error

    assert error == 'sklearn is not installed; run: pip install "treadle-tui[moderation]", then retry'


def test_a_csv_file_gives_the_same_records_as_json_lines(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text('id,text,author\n7,"one, two\nthree",ben\n,four,ana\n', encoding="utf-8-sig")

    first, second = records(str(tmp_path / "c.csv"))

    assert (first.id, first.text, first.about) == ("7", "one, two\nthree", {"author": "ben"})
    assert len(second.id) == 12, "without an id the text says which record it is"


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv"])
def test_a_file_in_another_encoding_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b'{"id": "1", "text": "caf\xe9"}\n' if name == "c.jsonl" else b"id,text\n1,caf\xe9\n")

    with pytest.raises(InvalidItem, match=rf"{name} is no UTF-8 text \(byte 0xe9\); save it as UTF-8"):
        list(records(str(tmp_path / name)))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("c.jsonl", '{"text": "a"}\n{"text": }\n', "line 2: no JSON"),
        ("c.jsonl", "[1]\n", "line 1: a record is a JSON object"),
        ("c.jsonl", '{"id": "a", "text": "  "}\n', "line 1: no text; one of the fields text, body"),
        ("c.csv", "id,author\n1,ben\n", "line 2: no text"),
        ("c.txt", "x", "give a .jsonl or .csv file"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line(name: str, content: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)

    with pytest.raises(InvalidItem, match=says.replace("[", r"\[")):
        list(records(str(tmp_path / name)))


@pytest.mark.parametrize(
    ("text", "rule", "verdict"),
    [
        ("see https://a.b https://c.d https://e.f for more about looms", "links", "doubt"),
        ("see my loom at https://a.b, it is a good one", "links", ""),
        ("BUY THIS LOOM RIGHT NOW", "shouting", "doubt"),
        ("aaaaaaaah", "shouting", "doubt"),
        ("write to ana@example.org", "personal data", "doubt"),
        ("p\u200bi\u200bl\u200bl\u200bs", "hidden letters", "doubt"),
        ("\U0001d429\U0001d422\U0001d425\U0001d425\U0001d42c for all", "blocked words", "block"),
        ("p\u200bills for all", "blocked words", "block"),
        ("pillow for all", "blocked words", ""),
    ],
)
def test_a_rule_finds_what_it_is_for(text: str, rule: str, verdict: str, folder: Path) -> None:
    folder.mkdir()
    (folder / "words.txt").write_text("Pills\n\n")
    item = Record("a", text, {}, str(folder))

    assert RULES[rule](item, normalise(item)).verdict == verdict


LABELLED = st.lists(st.tuples(st.sampled_from(["allow", "block"]), st.sampled_from(["allow", "block"])), max_size=30)


@given(LABELLED)
def test_agreement_is_one_exactly_when_all_agree_and_never_more(pairs: list[tuple[str, str]]) -> None:
    found = agreement(pairs)

    assert found.same <= found.cases == len(pairs)
    assert found.kappa is None or (found.kappa == 1) == (found.same == found.cases)
    page = agreement_page([Settled("a", "", person, machine, 1.0, "", False, "ana") for machine, person in pairs])
    assert f"| all decisions | {len(pairs)} |" in page


@needs_sklearn
def test_nothing_is_predicted_from_decisions_of_one_kind(folder: Path) -> None:
    for number in range(30):
        keep(folder, Settled(str(number), f"text {number}", "allow", "allow", 0.5, "", False, "ana"))

    assert predict(folder, "text 31") is None
