"""What people have decided so far: kept in a database of its own, learnt from, and compared with what the machine proposed.

    moderation/moderation.db     every record that was settled: allowed or blocked, by whom, and what had been proposed
    moderation/AGREEMENT.md      how often people and the machine agree, made anew with every decision of a person

Knows nothing of the workflow. scikit-learn is imported by the functions that need it.
"""

import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

LEAST_DECISIONS = 20
"""Decisions of people, and at least three of each kind, before anything is learnt from them."""
RETRAIN_EVERY = 10
LABELS = ("allow", "block")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settled (
    id TEXT PRIMARY KEY, text TEXT NOT NULL, label TEXT NOT NULL, proposed TEXT NOT NULL, confidence REAL NOT NULL,
    why TEXT NOT NULL, sampled INTEGER NOT NULL, decided_by TEXT NOT NULL
) STRICT
"""
_training = threading.Lock()


@dataclass
class Settled:
    """A record with its label, and how it came to it."""

    id: str
    text: str
    label: str
    proposed: str
    """What the machine would have said."""
    confidence: float
    why: str
    sampled: bool
    """Shown to a person though the machine was sure, to see whether it is right."""
    decided_by: str
    """Empty: nobody was asked."""


@dataclass
class Prediction:
    """What the decisions made so far say of a new text."""

    label: str
    probability: float
    learnt_from: int
    """Decisions of people."""


@contextmanager
def _database(folder: Path) -> Iterator[sqlite3.Connection]:
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "moderation.db", timeout=60, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(_SCHEMA)
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def keep(folder: Path, record: Settled) -> None:
    """Note what became of a record, in place of what was noted before; after a person's decision also count agreement anew."""
    values = (
        record.id,
        record.text,
        record.label,
        record.proposed,
        record.confidence,
        record.why,
        int(record.sampled),
        record.decided_by,
    )
    with _database(folder) as connection:
        connection.execute("INSERT OR REPLACE INTO settled VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        if record.decided_by:
            replace_file(folder / "AGREEMENT.md", agreement_page(_decided(connection)))


def decided(folder: Path) -> list[Settled]:
    """Every record a person has decided, in the order of their ids."""
    with _database(folder) as connection:
        return _decided(connection)


def _decided(connection: sqlite3.Connection) -> list[Settled]:
    cursor = connection.execute("SELECT * FROM settled WHERE decided_by <> '' ORDER BY id")
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    return [Settled(**{**row, "sampled": bool(row["sampled"])}) for row in rows]


def predict(folder: Path, text: str) -> Prediction | None:
    """The likelier label; None while too little was decided to learn from."""
    with _database(folder) as connection:
        counted = connection.execute("SELECT label, count(*) FROM settled WHERE decided_by <> '' GROUP BY label").fetchall()
    counts: dict[str, int] = dict(counted)
    total = sum(counts.values())
    if total < LEAST_DECISIONS or min((counts.get(label, 0) for label in LABELS), default=0) < 3:
        return None
    with _training:
        learnt_from, model = _trained(str(folder), total // RETRAIN_EVERY)
    (probabilities,) = model.predict_proba([text])
    probability, label = max(zip(map(float, probabilities), map(str, model.classes_), strict=True))
    return Prediction(label, round(probability, 4), learnt_from)


@lru_cache(maxsize=4)
def _trained(folder: str, _generation: int) -> tuple[int, Any]:
    """A model of the decisions made so far, and their number; made again after every ten."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    examples = decided(Path(folder))
    model = make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True),
        LogisticRegression(C=30.0, class_weight="balanced", max_iter=1000),
    )
    model.fit([example.text for example in examples], [example.label for example in examples])
    return len(examples), model


# ---------------------------------------------------------------- agreement


@dataclass
class Agreement:
    """How often two judges said the same."""

    cases: int
    same: int
    kappa: float | None
    """Cohen's: 1 always, 0 no more often than by chance; None when both always said one thing."""


def agreement(pairs: Sequence[tuple[str, str]]) -> Agreement:
    """Of pairs of labels: what the machine said, what the person said."""
    total, same = len(pairs), sum(first == second for first, second in pairs)
    if not total:
        return Agreement(0, 0, None)
    machine, person = Counter(first for first, _ in pairs), Counter(second for _, second in pairs)
    by_chance = sum(machine[label] * person[label] for label in machine) / total**2
    kappa = None if by_chance == 1 else (same / total - by_chance) / (1 - by_chance)
    return Agreement(total, same, None if kappa is None else round(kappa, 3))


def agreement_page(records: Sequence[Settled]) -> str:
    """The figures for people: of all decisions, of the sampled ones alone, and which way they differ."""
    groups = {
        "all decisions": list(records),
        "sampled, the machine was sure": [record for record in records if record.sampled],
        "the machine was not sure": [record for record in records if not record.sampled],
    }
    lines = ["# Agreement", "", "What people decided, against what was proposed to them.", ""]
    lines += ["| | decisions | the same | Cohen's kappa |", "| --- | --- | --- | --- |"]
    for name, group in groups.items():
        found = agreement([(record.proposed, record.label) for record in group])
        share = f"{found.same} ({found.same / found.cases:.0%})" if found.cases else "none"
        lines.append(f"| {name} | {found.cases} | {share} | {'–' if found.kappa is None else f'{found.kappa:.2f}'} |")
    ways = Counter((record.proposed, record.label) for record in records if record.proposed != record.label)
    lines += ["", *(f"- {count} proposed as {proposed}, decided as {label}" for (proposed, label), count in sorted(ways.items()))]
    people = Counter(record.decided_by for record in records)
    lines += ["", "Decided by " + ", ".join(f"{' '.join(name.split())} ({count})" for name, count in people.most_common()) + "."]
    return "\n".join(lines) + "\n"


def replace_file(path: Path, text: str) -> None:
    """Write the whole file or nothing."""
    written = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    written.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    os.replace(written, path)
