"""The document workflow from end to end: files go in, a library that somebody has approved comes out."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pypdf")
pytest.importorskip("markdownify")

from tests.local_service import answering_json
from tests.workflows.document_files import ARTICLE, paragraph, plain_pdf, report_pdf, scanned_pdf, two_column_pdf, write_pdf
from treadle_tui.engine import (
    Approve,
    ApproveWithEdits,
    Engine,
    InvalidItem,
    MemoryStateStore,
    RequestChanges,
    SqliteStateStore,
)
from workflows._documents_knowledge import chunks, concepts, count_tokens
from workflows._documents_library import search
from workflows._documents_reading import convert, look_at
from workflows.documents import documents, files


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    opened: Any = MemoryStateStore() if request.param == "memory" else await SqliteStateStore.open(tmp_path / "work.db")
    async with opened:
        yield opened


@pytest.fixture(autouse=True)
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("COMMAND", "URL", "MODEL", "KEY"):
        monkeypatch.delenv(f"TREADLE_DOCUMENTS_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


async def run(store: Any, engine: Engine) -> list[str]:
    """Add the inbox and run; what waits then, as "item stage"."""
    await engine.submit(documents, files("inbox"))
    await engine.run_until_idle()
    return sorted(f"{each.item_id} {each.stage}" for each in await engine.pending_reviews())


async def approve_all(engine: Engine) -> None:
    for review in await engine.pending_reviews():
        await engine.resolve_review(review.item_id, review.stage, Approve(by="ana"))
    await engine.run_until_idle()


async def test_a_table_that_was_lost_is_kept_by_the_next_way_of_reading(store: Any, inbox: Path) -> None:
    report_pdf(inbox / "report.pdf")

    async with Engine(store, [documents]) as engine:
        waiting = await run(store, engine)

    attempts = await store.get_attempts("report.pdf", "markdown")
    output = (await store.get_status("report.pdf", "markdown")).output
    assert waiting == ["report.pdf review"]
    assert [(each.outcome, each.output["strategy"]) for each in attempts] == [("rejected", "plain"), ("completed", "layout")]
    assert attempts[0].feedback.summary == "tables: 0, expected >= 1"
    assert [each.name for each in attempts[0].feedback.criteria] == ["words", "tables", "headings", "garbled letters"]
    assert "| red | 12 | shelf A |" in output["text"]
    assert output["headings"] == ["# Weaving report", "## Yarn in stock"]
    assert "has finished, its result" in output["text"], "a word divided at the end of a line is made whole"


async def test_a_scan_goes_to_a_person_once_every_way_of_reading_was_tried(store: Any, inbox: Path) -> None:
    scanned_pdf(inbox / "scan.pdf")

    async with Engine(store, [documents]) as engine:
        waiting = await run(store, engine)
        attempts = await store.get_attempts("scan.pdf", "markdown")
        await engine.resolve_review("scan.pdf", "markdown", RequestChanges("try layout again, the scan was replaced", by="ana"))
        plain_pdf(inbox / "scan.pdf")
        await engine.run_until_idle()

    assert waiting == ["scan.pdf markdown"]
    assert [each.output["strategy"] for each in attempts] == ["plain", "layout", "sized"]
    assert (await store.get_attempts("scan.pdf", "markdown"))[-1].output["strategy"] == "layout", "the one the person named"


async def test_a_page_keeps_its_article_and_loses_what_stands_around_it(inbox: Path) -> None:
    (inbox / "page.html").write_text(ARTICLE)

    facts, markdown = look_at(inbox / "page.html"), convert(inbox / "page.html", "article")

    assert (facts.title, facts.tables, markdown.tables) == ("Treadles explained", 1, 1)
    assert markdown.headings == ["# Treadles", "## Parts"]
    assert [word for word in ("Home", "Cookies", "alert", "p {}") if word in markdown.text] == []
    assert "Cookies" in convert(inbox / "page.html", "whole").text


def test_two_columns_of_prose_are_no_table_and_are_read_one_after_the_other(inbox: Path) -> None:
    path = two_column_pdf(inbox / "paper.pdf")

    text = convert(path, "layout").text

    assert look_at(path).tables == 0
    assert "|" not in text
    assert text.index("Left line 18") < text.index("right line 1 ")


def test_a_table_that_only_places_things_on_the_page_is_no_table(inbox: Path) -> None:
    data = "<table><tr><th>Part</th><th>Of</th></tr><tr><td>Pedal</td><td>oak</td></tr></table>"
    (inbox / "old.html").write_text(f"<body><table><tr><td><b>Menu</b></td><td><h2>Looms</h2>{data}</td></tr></table></body>")

    markdown = convert(inbox / "old.html", "article")

    assert (look_at(inbox / "old.html").tables, markdown.tables) == (1, 1)
    assert markdown.headings == ["# Looms"]
    assert "| Pedal | oak |" in markdown.text


def test_levels_that_the_writer_left_out_are_closed_up_and_code_is_left_alone(inbox: Path) -> None:
    (inbox / "a.md").write_text("# A\n\n### B\n\n```\n##### no heading\n```\n\n### C\n\n## D\n\n#### E\n")

    assert convert(inbox / "a.md", "as written").text == "# A\n\n## B\n\n```\n##### no heading\n```\n\n## C\n\n## D\n\n### E\n"


def test_plain_text_keeps_its_lists_and_a_numbered_sentence_is_no_heading(inbox: Path) -> None:
    lines = [
        "Bring along:",
        "• red yarn, which is",
        "dyed",
        "* blue yarn",
        "",
        "1 Weaving",
        "",
        "3. If you change the loom, say so",
        "in writing.",
    ]
    (inbox / "a.txt").write_text("\n".join([*lines, "", "2.1 Looms . . . . . . . . . . . . 7"]))

    paragraphs = convert(inbox / "a.txt", "prose").text.strip().split("\n\n")

    assert paragraphs == [
        "Bring along:",
        "- red yarn, which is dyed",
        "* blue yarn",
        "# 1 Weaving",
        "3. If you change the loom, say so in writing.",
        "- 2.1 Looms … 7",
    ]


def test_a_heading_belongs_to_the_one_it_stands_under_and_what_hangs_in_the_air_is_left_out_at_last() -> None:
    text = "# Loom\n\n## Pedal\n\n### Spring\n\n## [Frame](https://example.org)\n\nAlone: `warp`\n"

    assert {("Loom", "Pedal"), ("Pedal", "Spring"), ("Frame", "Loom")} <= set(concepts(text).edges)
    apart = "# Loom\n\n## Pedal\n\n## Frame\n\nIt is.\n\n# Other\n\n"
    assert concepts(apart).orphans == ["Other"]
    assert [node.name for node in concepts(apart, keeps_orphans=False).nodes] == ["Loom", "Pedal", "Frame"]


async def test_what_a_person_edits_is_what_the_library_has(store: Any, inbox: Path) -> None:
    plain_pdf(inbox / "loom.pdf")

    async with Engine(store, [documents]) as engine:
        await run(store, engine)
        edited = {"title": "The great loom", "text": "# The great loom\n\nIt weaves zebra cloth.\n"}
        await engine.resolve_review("loom.pdf", "review", ApproveWithEdits(edited, by="ana"))
        await engine.run_until_idle()
        assert (await engine.status("loom.pdf")).is_complete()

    library = inbox.parent / "document-library"
    (page,) = (library / "pages").iterdir()
    assert "It weaves zebra cloth." in page.read_text()
    assert "- " not in (library / "INDEX.md").read_text()
    assert "The great loom" in (library / "INDEX.md").read_text()
    assert [hit.title for hit in search(library, "zebra cloth")] == ["The great loom"]
    assert search(library, "Persistent Loom") == []
    (graph,) = (library / "graphs").iterdir()
    assert set(json.loads(graph.read_text())) == {"nodes", "links"}


async def test_documents_refer_to_each_other_whichever_came_first(store: Any, inbox: Path) -> None:
    report_pdf(inbox / "a.pdf")
    (inbox / "b.html").write_text(ARTICLE)

    async with Engine(store, [documents]) as engine:
        await run(store, engine)
        await approve_all(engine)

    first, second = (inbox.parent / "document-library" / "INDEX.md").read_text().split("## ")[1:]
    assert first.startswith("[Treadles explained]")
    assert "[Weaving report 2026](pages/a.pdf-" in first
    assert "“Weaving report 2026”, persistent loom engine" in first
    assert "[Treadles explained](pages/b.html-" in second


async def test_adding_a_document_again_replaces_what_the_index_has_of_it(store: Any, inbox: Path) -> None:
    (inbox / "note.txt").write_text("The loom is a machine. The loom weaves red cloth.")

    async with Engine(store, [documents]) as engine:
        await run(store, engine)
        (inbox / "note.txt").write_text("The loom is a machine. The loom weaves blue cloth.")
        await engine.rerun_stage("note.txt", "inspect")
        await engine.run_until_idle()

    library = inbox.parent / "document-library"
    assert search(library, "red cloth") == []
    assert len(search(library, "blue cloth")) == 1


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("broken.pdf", b"%PDF-1.4 nothing", "broken.pdf is no readable PDF"),
        ("empty.pdf", b"", "empty.pdf is no readable PDF"),
    ],
)
async def test_a_file_that_cannot_be_read_fails_once_with_one_sentence(name: str, content: bytes, says: str, inbox: Path) -> None:
    (inbox / name).write_bytes(content)

    async with MemoryStateStore() as store, Engine(store, [documents]) as engine:
        await run(store, engine)
        status = await store.get_status(name, "inspect")

    assert status.state == "failed"
    assert status.error.startswith(says)
    assert len(str(status.error).splitlines()) == 1
    assert status.attempt == 1


async def test_without_its_extra_the_workflow_loads_and_the_stage_says_what_to_install(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_pdf(inbox / "loom.pdf")
    (inbox / "note.txt").write_text("A loom is a machine. The loom weaves.")
    real = importlib.util.find_spec
    monkeypatch.setattr("workflows._extras.find_spec", lambda name: None if name == "pypdf" else real(name))

    async with MemoryStateStore() as store, Engine(store, [documents]) as engine:
        waiting = await run(store, engine)
        error = (await store.get_status("loom.pdf", "inspect")).error

    assert error == 'pypdf is not installed; run: pip install "treadle-tui[documents]", then retry'
    assert waiting == ["note.txt review"], "what needs no extra goes on"


# ---------------------------------------------------------------- the language model


MODEL = """
import sys
text = sys.stdin.read().partition("Markdown only.")[2]
print("```markdown\\n" + text.replace("teh loom", "the loom").strip() + "\\n```")
"""


async def test_a_model_is_asked_only_when_somebody_has_named_one(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inbox / "note.txt").write_text("A loom is a machine. Everybody likes teh loom, and the loom weaves cloth for everybody.")
    (inbox.parent / "model.py").write_text(MODEL)

    async with MemoryStateStore() as store, Engine(store, [documents]) as engine:
        await run(store, engine)
        assert (await store.get_status("note.txt", "model")).state == "skipped"
        monkeypatch.setenv("TREADLE_DOCUMENTS_COMMAND", f"'{sys.executable}' '{inbox.parent / 'model.py'}'")
        await engine.rerun_stage("note.txt", "markdown")
        await engine.run_until_idle()
        page: Any = (await store.get_status("note.txt", "text")).output

    assert "likes the loom" in page["text"]


async def test_a_model_that_loses_text_is_refused_and_a_person_decides(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inbox / "note.txt").write_text("A loom is a machine. The loom weaves cloth for everybody who likes cloth.")
    monkeypatch.setenv("TREADLE_DOCUMENTS_COMMAND", f"'{sys.executable}' -c 'print(\"Short.\")'")

    async with MemoryStateStore() as store, Engine(store, [documents]) as engine:
        waiting = await run(store, engine)
        attempts = await store.get_attempts("note.txt", "model")

    assert waiting == ["note.txt model"]
    assert [each.outcome for each in attempts] == ["rejected"] * 3
    assert attempts[0].feedback.summary.startswith("words kept 0%")


@pytest.fixture
def address() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A chat service on this machine, and what it was asked."""
    asked: list[dict[str, Any]] = []

    def chat(request: BaseHTTPRequestHandler) -> Any:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        asked.append({**body, "key": request.headers["Authorization"]})
        text = body["messages"][0]["content"].partition("Markdown only.")[2]
        return {"choices": [{"message": {"content": text}}]}

    with answering_json(chat) as service:
        yield f"{service}/v1/chat/completions", asked


async def test_a_model_behind_an_address_is_sent_what_chat_services_take(
    inbox: Path, monkeypatch: pytest.MonkeyPatch, address: tuple[str, list[dict[str, Any]]]
) -> None:
    (inbox / "note.txt").write_text("A loom is a machine. The loom weaves cloth.")
    monkeypatch.setenv("TREADLE_DOCUMENTS_URL", address[0])
    monkeypatch.setenv("TREADLE_DOCUMENTS_MODEL", "weaver-7b")
    monkeypatch.setenv("TREADLE_DOCUMENTS_KEY", "secret")

    async with MemoryStateStore() as store, Engine(store, [documents]) as engine:
        await run(store, engine)
        strategy = (await store.get_status("note.txt", "model")).output["strategy"]

    assert strategy == "model"
    assert [(each["model"], each["key"]) for each in address[1]] == [("weaver-7b", "Bearer secret")]


# ---------------------------------------------------------------- the parts


def test_a_graph_that_hangs_together_only_in_the_large_is_found_by_the_second_look() -> None:
    text = "# Looms\n\nAda Weaver met Ben Spinner.\n\nSee `heddle` there.\n\nHere Carl Dyer works."

    narrow, wide = concepts(text), concepts(text, window="section")

    assert narrow.orphans == [] or wide.orphans == []
    assert len(wide.edges) > len(narrow.edges)
    assert {node.kind for node in wide.nodes} >= {"heading", "name", "code"}


WORDS = st.text(st.sampled_from("abc \n.#é"), max_size=400)


@settings(max_examples=60, deadline=None)
@given(WORDS, st.integers(2, 40))
def test_pieces_are_within_the_limit_and_lose_no_letter(text: str, limit: int) -> None:
    pieces = chunks(text, limit)

    assert [piece for piece in pieces if count_tokens(piece.text) > limit] == []
    assert "".join("".join(piece.text.split()) for piece in pieces) == "".join(text.split())


def test_running_heads_and_page_numbers_are_left_out(tmp_path: Path) -> None:
    pages = [[(72.0, 800.0, 9.0, "The Weaver"), *paragraph([f"Text {word} of the page."], 700), (300.0, 30.0, 9.0, str(number))]
             for number, word in enumerate(("one", "two", "three"), 1)]  # fmt: skip

    text = convert(write_pdf(tmp_path / "book.pdf", pages), "plain").text

    assert text == "Text one of the page.\n\nText two of the page.\n\nText three of the page.\n"


def test_every_document_of_a_folder_is_an_item_whatever_it_is_called(inbox: Path) -> None:
    (inbox / "below").mkdir()
    for name in ("a b;rm -rf $HOME.txt", "below/[x].md", "-o.html", "picture.png", "READ.ME"):
        (inbox / name).write_text("x")

    assert [item.id for item in files("inbox")] == ["-o.html", "a b;rm -rf $HOME.txt", "below/[x].md"]
    with pytest.raises(InvalidItem, match="'nowhere' does not exist"):
        list(files("nowhere"))
