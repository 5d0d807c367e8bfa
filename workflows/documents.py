"""Documents to a library: PDF, HTML, Markdown and text become clean Markdown that somebody has looked at, indexed and cross-referenced.

    pip install "treadle-tui[documents]"
    treadle-tui --db work.db add documents inbox     every document in that folder, and in those below it

A conversion is measured: enough words, the tables kept, headings that make sense. One that falls short is tried again in another way,
and after three attempts a person decides. Every document ends before a person, who may edit it. What is approved stands in
`document-library/`: pages, an index of them, and a full-text database. No network is used, unless you configure a language model
(`_documents_model.py` says how). docs/documents.md has the rest.

The workflow is here, top to bottom in the order in which it runs; the four files beside it read, understand, store, and ask a model.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from treadle_tui.engine import (
    Accepted,
    Completed,
    Criterion,
    Failed,
    Feedback,
    InvalidItem,
    NeedsReview,
    Rejected,
    Retry,
    RetryBudget,
    ReviewData,
    ReviewPolicy,
    Skipped,
    StageContext,
    StageExecutionError,
    StageOutcome,
    Uncertain,
    Verdict,
    Workflow,
)

from ._documents_knowledge import Chunk, ConceptGraph, chunks, concepts, count_tokens, graph_as_json
from ._documents_library import Related, index_document, page_name, publish, related, replace_file
from ._documents_model import ModelFailed, ask, is_configured
from ._documents_reading import MODULES, STRATEGIES, SUFFIXES, Facts, Markdown, Unreadable, convert, described, look_at, tidied, title_of
from ._extras import missing_extra

WORDS_PER_PAGE = 40
"""Fewer, and most of the page was not read: a scan, or letters without a mapping."""
WORDS_WITHOUT_HEADING = 600
TOKEN_LIMIT = 400


@dataclass
class Document:
    """A work item: one file."""

    id: str
    """Its path below the folder that was added."""
    path: str
    library: str
    """The folder for what is made of it."""


@dataclass
class Page:
    """What a person is asked to approve, and may edit."""

    title: str
    text: str


documents = Workflow("documents", item=Document)


@documents.source
def files(folder: str) -> Iterator[Document]:
    """Every document below a folder, or one file; the library is made in the directory they are added from."""
    root = Path(folder)
    if not root.exists():
        raise InvalidItem(f"folder {folder!r} does not exist; give one with {', '.join(SUFFIXES)} files in it")
    library = str(Path("document-library").absolute())
    found = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    for path in found:
        if path.suffix.lower() in SUFFIXES:
            name = path.name if root.is_file() else path.relative_to(root).as_posix()
            yield Document(name, str(path.absolute()), library)


@documents.stage(concurrency=4)
def inspect(item: Document) -> StageOutcome:
    """What kind of file it is, and what a good conversion has to keep."""
    path = Path(item.path)
    missing = missing_extra("documents", *MODULES.get(SUFFIXES[path.suffix.lower()], ()))
    if missing:
        return Failed(missing)
    try:
        facts = look_at(path)
    except Unreadable as error:
        return Failed(str(error))
    except OSError as error:
        raise StageExecutionError("inspect", f"{item.path} cannot be read: {error.strerror or error}; mend that, then retry") from error
    return Completed(facts, summary=f"{facts.kind}, {facts.pages} page{'' if facts.pages == 1 else 's'}, {facts.tables} tables")


@documents.stage(concurrency=4, retry=RetryBudget(max_attempts=3, attempt_timeout=300.0, on_exhausted="escalate"))
def markdown(item: Document, inspect: Facts, ctx: StageContext) -> StageOutcome:
    """Reads the file, in the way the gate or a person asked for, else in one not tried yet."""
    strategy = next_strategy(inspect.kind, ctx)
    ctx.log(f"reading it in the way called {strategy}")
    try:
        result = convert(Path(item.path), strategy)
    except Unreadable as error:
        return Failed(str(error))
    return Completed(result, summary=f"{strategy}: {result.words} words")


def next_strategy(kind: str, ctx: StageContext) -> str:
    """The strategy that was asked for by name, else the first that was not refused."""
    known = STRATEGIES[kind]
    said = ctx.feedback
    if said is not None:
        wanted = said.guidance.get("strategy") if isinstance(said.guidance, dict) else None
        named = [strategy for strategy in known if strategy == wanted or (said.source == "person" and strategy in said.summary)]
        if named:
            return named[0]
    refused = refused_strategies(ctx)
    return next((strategy for strategy in known if strategy not in refused), known[0])


def refused_strategies(ctx: StageContext) -> set[str]:
    """The strategies that the gate has refused since the stage was last begun from anew."""
    refused = takewhile(lambda attempt: attempt.outcome not in ("completed", "uncertain"), reversed(ctx.previous_attempts))
    return {attempt.output["strategy"] for attempt in refused if isinstance(attempt.output, dict) and "strategy" in attempt.output}


@markdown.gate
def is_well_converted(output: Markdown, ctx: StageContext) -> Verdict:
    """Words, tables, headings and letters, each a criterion. Uncertain, and before a person at once, when no other way is left."""
    facts = ctx.upstream["inspect"]
    criteria = conversion_criteria(output, facts["pages"], facts["tables"])
    failed = {criterion.name for criterion in criteria if not criterion.passed}
    if not failed:
        return Accepted()
    summary = "; ".join(f"{each.name}: {each.actual}, expected {each.expected}" for each in criteria if not each.passed)
    left = [each for each in STRATEGIES[facts["kind"]] if each not in {*refused_strategies(ctx), output.strategy}]
    if not left:
        return Uncertain(f"{summary}; there is no other way to read it")
    wanted = "layout" if "tables" in failed else "sized" if "headings" in failed else left[0]
    return Rejected(Feedback(summary, criteria, {"strategy": wanted if wanted in left else left[0]}))


def conversion_criteria(output: Markdown, pages: int, tables: int) -> list[Criterion]:
    """What is measured, each with what was found."""
    levels = [len(heading) - len(heading.lstrip("#")) for heading in output.headings]
    jumps = [output.headings[place + 1] for place in range(len(levels) - 1) if levels[place + 1] > levels[place] + 1]
    has_headings = bool(levels) or output.words <= WORDS_WITHOUT_HEADING
    least = max(1, WORDS_PER_PAGE * (pages - 1))
    structure = f"{jumps[0]!r} skips a level" if jumps else f"{len(levels)} headings"
    return [
        Criterion("words", f">= {least}", str(output.words), output.words >= least),
        Criterion("tables", f">= {tables}", str(output.tables), output.tables >= tables),
        Criterion("headings", "some in a long text, no level left out", structure, has_headings and not jumps),
        Criterion("garbled letters", "< 1 %", f"{output.garbled:.1%}", output.garbled < 0.01),
    ]


@documents.stage(
    concurrency=1,
    retry=RetryBudget(max_attempts=3, attempt_timeout=600.0, on_exhausted="escalate"),
)
def model(markdown: Markdown, ctx: StageContext) -> StageOutcome:
    """Has the configured language model mend the conversion; skipped, and nothing is missing, when none is configured."""
    if not is_configured():
        return Skipped("no language model is configured")
    try:
        said = ask(markdown.text, ctx.feedback.summary if ctx.feedback else "")
    except ModelFailed as error:
        return Retry(str(error), after=10.0 * ctx.attempt)
    fenced = re.fullmatch(r"\s*```(?:markdown|md)?\n(.*)\n```\s*", said, re.DOTALL)
    return Completed(described(tidied(fenced[1] if fenced else said), "model"))


@model.gate
def keeps_the_text(output: Markdown, ctx: StageContext) -> Verdict:
    """A model must not leave out or invent: nine tenths of the words must be those of the conversion, both ways."""
    before = set(re.findall(r"\w+", ctx.upstream["markdown"]["text"].lower()))
    after = set(re.findall(r"\w+", output.text.lower()))
    kept = len(before & after) / max(1, len(before))
    invented = len(after - before) / max(1, len(after))
    criteria = [
        Criterion("words kept", ">= 90 %", f"{kept:.0%}", kept >= 0.9),
        Criterion("words invented", "<= 10 %", f"{invented:.0%}", invented <= 0.1),
    ]
    failed = [f"{each.name} {each.actual}" for each in criteria if not each.passed]
    return Rejected(Feedback(", ".join(failed), criteria)) if failed else Accepted()


@documents.stage
def text(item: Document, inspect: Facts, markdown: Markdown, model: Markdown | None) -> Page:
    """What all that follows works on."""
    best = model or markdown
    return Page(title_of(best, inspect, Path(item.path)), best.text)


@documents.stage(retry=RetryBudget(max_attempts=3, on_exhausted="escalate"))
def graph(text: Page, ctx: StageContext) -> ConceptGraph:
    """The concepts of the document and how they hang together; each attempt looks less strictly."""
    guidance = ctx.feedback.guidance if ctx.feedback and isinstance(ctx.feedback.guidance, dict) else {}
    window, least, keeps_orphans = guidance.get("window", "paragraph"), guidance.get("least_mentions", 2), not guidance.get("drop_orphans")
    return concepts(text.text, window=window, least_mentions=least, keeps_orphans=keeps_orphans)


@graph.gate
def is_connected(output: ConceptGraph, ctx: StageContext) -> Verdict:
    """Enough nodes of more than one kind, and none that hangs in the air."""
    words = len(ctx.upstream["text"]["text"].split())
    least = min(8, max(1, words // 25))
    kinds = {node.kind for node in output.nodes}
    criteria = [
        Criterion("nodes", f">= {least}", str(len(output.nodes)), len(output.nodes) >= least),
        Criterion("kinds", f">= {min(2, least)}", ", ".join(sorted(kinds)) or "none", len(kinds) >= min(2, least)),
        Criterion("orphans", "none", ", ".join(output.orphans[:5]) or "none", not output.orphans or len(output.nodes) == 1),
    ]
    failed = [f"{each.name}: {each.actual}" for each in criteria if not each.passed]
    if not failed:
        return Accepted()
    is_last_way = ctx.attempt > 1
    guidance = {"window": "section", "least_mentions": 1 if is_last_way else 2, "drop_orphans": is_last_way}
    return Rejected(Feedback("; ".join(failed), criteria, guidance))


@documents.stage
def pieces(text: Page, ctx: StageContext) -> list[Chunk]:
    """The document in pieces that fit into a model's or a search engine's window."""
    cut = chunks(text.text, TOKEN_LIMIT)
    ctx.log(f"{len(cut)} pieces, the longest of {max((piece.tokens for piece in cut), default=0)} tokens")
    return cut


@pieces.gate
def are_within_the_limit(output: list[Chunk], ctx: StageContext) -> Verdict:
    """Measured anew, not believed."""
    longest = max((count_tokens(piece.text) for piece in output), default=0)
    if longest <= TOKEN_LIMIT:
        return Accepted()
    return Rejected(Feedback("a piece is too long", [Criterion("tokens", f"<= {TOKEN_LIMIT}", str(longest), False)]))


@documents.stage(concurrency=1, retry=RetryBudget(max_attempts=3, delay=1.0))
def index(item: Document, text: Page, pieces: list[Chunk], graph: ConceptGraph) -> StageOutcome:
    """Into the full-text index, in place of what was there of this document."""
    count = index_document(Path(item.library), item.id, text.title, item.path, pieces, graph)
    return Completed({"pieces": len(pieces)}, summary=f"{len(pieces)} pieces; {count} in the library")


@documents.stage(after=["index"])
def references(item: Document, text: Page) -> list[Related]:
    """Documents of the library that speak of the same things. INDEX.md is made of those known when it is written, also later ones."""
    return related(Path(item.library), item.id, text.title)


REASONS = ("not a document for the library", "the conversion lost too much", "a duplicate", "confidential")


@documents.stage(review=ReviewPolicy("always", reasons=REASONS))
def review(text: Page, inspect: Facts, markdown: Markdown, graph: ConceptGraph, references: list[Related]) -> NeedsReview:
    """The whole page before a person, who approves it as it is or edits it."""
    details = {
        "measured": {
            each.name: f"{each.actual} ({each.expected})" for each in conversion_criteria(markdown, inspect.pages, inspect.tables)
        },
        "read as": markdown.strategy,
        "concepts": [f"{node.name} ({node.kind})" for node in sorted(graph.nodes, key=lambda node: -node.mentions)[:12]],
        "see also": {each.title: ", ".join(each.shared[:5]) for each in references} or "nothing in the library yet",
    }
    return NeedsReview(text, ReviewData(f"{text.title}: {markdown.words} words, {len(markdown.headings)} headings", details))


@documents.stage(concurrency=1, retry=RetryBudget(max_attempts=3, delay=1.0))
def export(item: Document, review: Page, text: Page, graph: ConceptGraph, ctx: StageContext) -> StageOutcome:
    """The approved page into the library; what a person edited replaces the text in the index too."""
    folder = Path(item.library)
    if review != text:
        index_document(folder, item.id, review.title, item.path, chunks(review.text, TOKEN_LIMIT), concepts(review.text))
    decision = ctx.decisions.get("review")
    by = (decision.by if decision else "") or "a person"
    page = publish(folder, item.id, review.title, review.text, approved_by=by, source=item.path)
    graph_file = folder / "graphs" / page_name(item.id).replace(".md", ".json")
    graph_file.parent.mkdir(exist_ok=True)
    replace_file(graph_file, json_text(graph))
    return Completed({"page": page}, summary=f"approved by {by}")


def json_text(graph: ConceptGraph) -> str:
    """The graph as a file."""
    import json

    return json.dumps(graph_as_json(graph), ensure_ascii=False, indent=1) + "\n"
