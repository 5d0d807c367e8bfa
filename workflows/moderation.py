"""Moderation: texts from a JSON-lines or CSV file are allowed or blocked, by rules and by what was decided before, else by a person.

    pip install "treadle-tui[moderation]"
    treadle-tui --db work.db add moderation comments.jsonl      or a .csv with a column `text`

Sure ones pass by themselves; doubtful ones, and one in twenty of the sure ones, wait for a person. Their decisions train the next
prediction, so the queue becomes shorter. What was settled, and how often people and machine agree, stands in `moderation/`.
docs/moderation.md has the rest.
"""

import csv
import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle_tui.engine import (
    Completed,
    Failed,
    FanOut,
    InvalidItem,
    NeedsReview,
    RetryBudget,
    ReviewData,
    ReviewField,
    ReviewPolicy,
    Skipped,
    StageContext,
    StageOutcome,
    Workflow,
)

from ._extras import missing_extra
from ._moderation_learning import LABELS, LEAST_DECISIONS, Prediction, Settled, keep, predict

SURE = 0.85
"""A prediction at least so probable needs no person, when the rules say nothing else."""
SAMPLED_IN_A_THOUSAND = 50
TEXT_FIELDS = ("text", "body", "message", "comment", "content")


@dataclass
class Record:
    """A work item: one text."""

    id: str
    text: str
    about: dict[str, str]
    """Every other field of the record, shown to the person who decides."""
    folder: str


@dataclass
class Normal:
    """The text as it is compared: one way to write each letter, no hidden characters, single spaces."""

    text: str
    hidden: int
    """Invisible characters that were taken out."""
    capitals: float
    links: list[str]


@dataclass
class Finding:
    """What a rule says."""

    verdict: str
    """ "block", "doubt", or "" for nothing."""
    found: str = ""


@dataclass
class Proposal:
    """What a person is asked to approve, and may edit."""

    label: str
    confidence: float
    why: str
    sure: bool = False
    sampled: bool = False
    """A person looks at it though it is sure, to see whether it is right."""


moderation = Workflow("moderation", item=Record)


@moderation.source
def records(file: str) -> Iterator[Record]:
    """One record per line or row; without an id, the text itself says which record it is."""
    path = Path(file)
    folder = str(Path("moderation").absolute())
    rows = {".jsonl": json_rows, ".ndjson": json_rows, ".csv": csv_rows}.get(path.suffix.lower())
    if rows is None:
        raise InvalidItem(f"{file}: give a .jsonl or .csv file")
    for number, row in readable(path, rows(path)):
        name = next((field for field in TEXT_FIELDS if isinstance(row.get(field), str) and row[field].strip()), None)
        if name is None:
            raise InvalidItem(f"{file}, line {number}: no text; one of the fields {', '.join(TEXT_FIELDS)} must have some")
        text = row.pop(name)
        given = row.pop("id", None)
        about = {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in row.items() if value is not None}
        yield Record(str(given) if given not in (None, "") else hashlib.sha256(text.encode()).hexdigest()[:12], text, about, folder)


def readable(path: Path, rows: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows, and a sentence for a file in another encoding."""
    try:
        yield from rows
    except UnicodeDecodeError as error:
        raise InvalidItem(f"{path} is no UTF-8 text (byte 0x{error.object[error.start]:02x}); save it as UTF-8") from error


def json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and objects of a JSON-lines file."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise InvalidItem(f"{path}, line {number}: no JSON: {error}") from error
                if not isinstance(row, dict):
                    raise InvalidItem(f"{path}, line {number}: a record is a JSON object, not {line.strip()[:40]!r}")
                yield number, row


def csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and rows of a CSV file with a line of headings."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restkey="more")
        try:
            yield from ((reader.line_num, row) for row in reader)
        except csv.Error as error:
            raise InvalidItem(f"{path}, line {reader.line_num}: no CSV: {error}") from error


@moderation.stage
def normalise(item: Record) -> Normal:
    """One way to write each letter, so that 𝐛𝐮𝐲 and b​uy are found like buy."""
    plain = unicodedata.normalize("NFKC", item.text)
    visible = "".join(letter for letter in plain if unicodedata.category(letter) not in ("Cf", "Cc") or letter in "\n\t")
    letters = [letter for letter in visible if letter.isalpha()]
    capitals = sum(letter.isupper() for letter in letters) / len(letters) if len(letters) > 12 else 0.0
    text = " ".join(visible.split())
    return Normal(text, len(plain) - len(visible), round(capitals, 2), re.findall(r"https?://\S+|www\.\S+", text))


@moderation.stage
def rules(normalise: Normal) -> FanOut:
    """One subtask for each rule, side by side."""
    return FanOut(list(RULES))


@rules.each
def apply_rule(subtask: str, item: Record, normalise: Normal) -> StageOutcome:
    """Runs once for each name given to FanOut; the findings together are the output of `rules`."""
    finding = RULES[subtask](item, normalise)
    return Completed(finding, summary=f"{finding.verdict}: {finding.found}" if finding.verdict else "nothing")


@moderation.stage
def classify(item: Record, normalise: Normal) -> StageOutcome:
    """What earlier decisions say of this text; skipped until there are enough of them."""
    missing = missing_extra("moderation", "sklearn")
    if missing:
        return Failed(missing)
    prediction = predict(Path(item.folder), normalise.text)
    if prediction is None:
        return Skipped(f"nothing to learn from before {LEAST_DECISIONS} decisions, three of each kind")
    return Completed(prediction, summary=f"{prediction.label} {prediction.probability:.0%}")


REASONS = ("not ours to moderate", "cannot be judged without its context", "a duplicate")
FIELDS = [ReviewField("label", kind="choice", label="Your label, if not the one shown", choices=list(LABELS))]


@moderation.stage
def judge(item: Record, rules: dict[str, Finding], classify: Prediction | None) -> StageOutcome:
    """A label, and whether a person has to look at it."""
    proposal = propose(rules, classify)
    proposal.sampled = proposal.sure and is_sampled(item.id)
    return Completed(proposal, summary=f"{proposal.label}: {proposal.why}")


@moderation.stage(review=ReviewPolicy("on_uncertain", reasons=REASONS))
def decide(item: Record, normalise: Normal, rules: dict[str, Finding], classify: Prediction | None, judge: Proposal) -> StageOutcome:
    """Sure ones are settled here; the others, and a sample of the sure ones, wait for a person. It does not run again afterwards."""
    if judge.sure and not judge.sampled:
        return Completed(judge, summary=f"{judge.label}: {judge.why}")
    details = {
        "text": item.text,
        "rules": {name: f"{finding.verdict}: {finding.found}" for name, finding in rules.items() if finding.verdict} or "none applies",
        "earlier decisions": f"{classify.label} {classify.probability:.0%}, learnt from {classify.learnt_from}" if classify else "too few",
        "record": item.about,
    }
    opening = normalise.text if len(normalise.text) <= 70 else f"{normalise.text[:69]}…"
    asked = "a sample" if judge.sampled else judge.why
    return NeedsReview(judge, ReviewData(f"{judge.label}? {opening}", details, FIELDS), summary=f"{judge.label}? {asked}")


def propose(rules: dict[str, Finding], classify: Prediction | None) -> Proposal:
    """A label with its reason, and whether it is sure enough without a person."""
    blocking = [f"{name}: {finding.found}" for name, finding in rules.items() if finding.verdict == "block"]
    doubts = [f"{name}: {finding.found}" for name, finding in rules.items() if finding.verdict == "doubt"]
    if blocking:
        agrees = classify is None or classify.label == "block"
        return Proposal("block", 1.0 if agrees else 0.5, "; ".join(blocking), agrees)
    if classify is None:
        return Proposal("block" if doubts else "allow", 0.5, "; ".join(doubts) or "no rule applies, and too little was decided")
    agrees = not doubts or classify.label == "block"
    why = "; ".join([f"like {classify.learnt_from} earlier decisions", *doubts])
    return Proposal(classify.label, classify.probability, why, agrees and classify.probability >= SURE)


def is_sampled(item_id: str) -> bool:
    """Whether a person looks at it though the machine is sure: the same answer whenever it is asked."""
    return int.from_bytes(hashlib.sha256(f"sample {item_id}".encode()).digest()[:4], "big") % 1000 < SAMPLED_IN_A_THOUSAND


@moderation.stage(concurrency=1, retry=RetryBudget(max_attempts=3, delay=1.0))
def record(item: Record, normalise: Normal, judge: Proposal, decide: Proposal, ctx: StageContext) -> StageOutcome:
    """Notes the label; one that a person gave is an example for the next training, and counts for the agreement."""
    decision = ctx.decisions.get("decide")
    label = ctx.values.get("decide", {}).get("label") or decide.label
    if label not in LABELS:
        return Failed(f"the label {label!r} is neither {' nor '.join(LABELS)}; reopen the decision and edit it")
    by = (decision.by or "a person") if decision else ""
    keep(Path(item.folder), Settled(item.id, normalise.text, label, judge.label, judge.confidence, judge.why, judge.sampled, by))
    return Completed({"label": label, "by": by}, summary=f"{label}, by {by or 'rule'}")


# ---------------------------------------------------------------- the rules, in the order in which they are shown


def blocked_words(item: Record, normalise: Normal) -> Finding:
    """Words of `moderation/words.txt`, one on each line, where somebody has made one."""
    try:
        listed = (Path(item.folder) / "words.txt").read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return Finding("")
    words = {word.casefold().strip() for word in listed if word.strip()}
    found = sorted(words & set(re.findall(r"[\w'-]+", normalise.text.casefold())))
    return Finding("block", ", ".join(found)) if found else Finding("")


def links(item: Record, normalise: Normal) -> Finding:
    """Many links, or hardly anything else."""
    rest = re.sub(r"https?://\S+|www\.\S+", "", normalise.text)
    if len(normalise.links) >= 3 or (normalise.links and len(rest.split()) < 4):
        return Finding("doubt", f"{len(normalise.links)} links, {len(rest.split())} words")
    return Finding("")


def shouting(item: Record, normalise: Normal) -> Finding:
    """Capitals, and the same sign over and over."""
    repeated = re.search(r"(.)\1{5,}", normalise.text)
    if normalise.capitals > 0.7:
        return Finding("doubt", f"{normalise.capitals:.0%} capitals")
    return Finding("doubt", f"{repeated[0][:6]}…") if repeated else Finding("")


def personal_data(item: Record, normalise: Normal) -> Finding:
    """Mail addresses and numbers to call."""
    found = re.findall(r"[\w.+-]+@[\w-]+\.\w{2,}|\+\d[\d ()/-]{8,}\d", normalise.text)
    return Finding("doubt", f"{len(found)} addresses or numbers") if found else Finding("")


def hidden_letters(item: Record, normalise: Normal) -> Finding:
    """Invisible characters within words: somebody hides from the other rules."""
    return Finding("doubt", f"{normalise.hidden} invisible characters") if normalise.hidden > 2 else Finding("")


RULES: dict[str, Callable[[Record, Normal], Finding]] = {
    "blocked words": blocked_words,
    "links": links,
    "shouting": shouting,
    "personal data": personal_data,
    "hidden letters": hidden_letters,
}
