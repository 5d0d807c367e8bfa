"""The tables in the file, and how an older file becomes a newer one.

Every name begins with `treadle_`, because a user's own tables may live in the same file. Integer keys, names in side tables,
integer milliseconds UTC; the wide and rare things are JSON in one column that is mostly NULL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from treadle_tui.engine.store.sqlite.columns import PLACE

APPLICATION_ID = 0x54524C45
"""ASCII "TRLE", in the header of files this program created."""

PREFIX = "treadle_"

TABLES = """
CREATE TABLE treadle_meta (
  key TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE treadle_migrations (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  applied_at INTEGER NOT NULL
) STRICT;

CREATE TABLE treadle_workflows (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  fingerprint TEXT NOT NULL,
  shape BLOB NOT NULL
) STRICT;

CREATE TABLE treadle_stages (
  id INTEGER PRIMARY KEY,
  workflow INTEGER NOT NULL REFERENCES treadle_workflows (id),
  name TEXT NOT NULL,
  UNIQUE (workflow, name)
) STRICT;

CREATE TABLE treadle_items (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  workflow INTEGER NOT NULL REFERENCES treadle_workflows (id),
  data BLOB NOT NULL,
  priority INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  open_stages INTEGER NOT NULL
) STRICT;

CREATE TABLE treadle_tasks (
  item INTEGER NOT NULL,
  stage INTEGER NOT NULL,
  sub INTEGER NOT NULL,
  state INTEGER NOT NULL,
  ready INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  is_open INTEGER NOT NULL,
  open_deps INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  version INTEGER NOT NULL,
  out INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  started_at INTEGER,
  completed_at INTEGER,
  worker INTEGER,
  due_at INTEGER,
  priority INTEGER NOT NULL,
  turn INTEGER NOT NULL,
  extra INTEGER NOT NULL,
  interruptions INTEGER NOT NULL,
  phase INTEGER NOT NULL,
  subs INTEGER NOT NULL,
  open_subs INTEGER NOT NULL,
  failed_subs INTEGER NOT NULL,
  name TEXT,
  detail BLOB,
  PRIMARY KEY (item, stage, sub)
) STRICT, WITHOUT ROWID;

CREATE INDEX treadle_ready ON treadle_tasks (stage, priority DESC, turn) WHERE ready = 1;
CREATE INDEX treadle_held ON treadle_tasks (stage) WHERE ready = 3;
CREATE INDEX treadle_due ON treadle_tasks (due_at, stage, state) WHERE due_at IS NOT NULL AND ready = 0;
CREATE INDEX treadle_leased ON treadle_tasks (worker) WHERE worker IS NOT NULL;
CREATE INDEX treadle_waiting ON treadle_tasks (updated_at) WHERE state = 3;

CREATE TABLE treadle_attempts (
  item INTEGER NOT NULL,
  stage INTEGER NOT NULL,
  sub INTEGER NOT NULL,
  number INTEGER NOT NULL,
  started_at INTEGER,
  completed_at INTEGER,
  outcome INTEGER,
  output ANY,
  detail BLOB,
  PRIMARY KEY (item, stage, sub, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX treadle_big_outputs ON treadle_attempts (output) WHERE typeof(output) = 'text';

CREATE TABLE treadle_blobs (
  hash TEXT PRIMARY KEY,
  data BLOB NOT NULL
) STRICT;

CREATE TABLE treadle_memos (
  item INTEGER NOT NULL,
  stage INTEGER NOT NULL,
  sub INTEGER NOT NULL,
  key TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (item, stage, sub, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE treadle_subs (
  item INTEGER NOT NULL,
  stage INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (item, stage)
) STRICT, WITHOUT ROWID;

CREATE TABLE treadle_events (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  workflow INTEGER,
  item INTEGER,
  stage INTEGER,
  subtask TEXT,
  attempt INTEGER NOT NULL,
  data BLOB
) STRICT;

CREATE INDEX treadle_events_of ON treadle_events (item) WHERE item IS NOT NULL;

CREATE TABLE treadle_counts (
  stage INTEGER NOT NULL,
  is_subtask INTEGER NOT NULL,
  state INTEGER NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (stage, is_subtask, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE treadle_workers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid TEXT NOT NULL UNIQUE,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  pid_start TEXT NOT NULL,
  beat INTEGER NOT NULL
) STRICT;

CREATE TABLE treadle_holds (
  stage INTEGER PRIMARY KEY,
  condition TEXT
) STRICT;
"""


def create_tables(connection: sqlite3.Connection) -> None:
    """The first migration: everything."""
    import uuid

    for statement in TABLES.split(";\n"):
        if statement.strip():
            connection.execute(statement)
    connection.execute("INSERT INTO treadle_meta VALUES ('store_id', ?), ('last_seq', 0)", (uuid.uuid4().hex[:12],))


def index_failures(connection: sqlite3.Connection) -> None:
    """What stands failed is found without looking at what does not; only rows that fail pay for it (6 is failed)."""
    connection.execute("CREATE INDEX treadle_failed ON treadle_tasks (updated_at) WHERE state = 6")


REVIEW_DESK_TABLES = """
CREATE TABLE treadle_outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  session TEXT NOT NULL,
  reviewer TEXT NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  pid_start TEXT NOT NULL,
  item INTEGER NOT NULL,
  stage INTEGER NOT NULL,
  subtask TEXT,
  version INTEGER NOT NULL,
  decision BLOB NOT NULL,
  made_at INTEGER NOT NULL,
  problem TEXT
) STRICT;

CREATE TABLE treadle_jottings (
  item INTEGER NOT NULL,
  stage INTEGER NOT NULL,
  subtask TEXT NOT NULL,
  reviewer TEXT NOT NULL,
  kind TEXT NOT NULL,
  version INTEGER NOT NULL,
  at INTEGER NOT NULL,
  until INTEGER,
  text TEXT NOT NULL,
  PRIMARY KEY (item, stage, subtask, reviewer, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE treadle_decisions (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  item INTEGER NOT NULL,
  stage INTEGER NOT NULL,
  sub INTEGER NOT NULL,
  subtask TEXT,
  attempt INTEGER NOT NULL,
  decision BLOB NOT NULL,
  is_undone INTEGER NOT NULL
) STRICT;

CREATE INDEX treadle_decisions_of ON treadle_decisions (item, stage, sub);
"""


def create_review_desk(connection: sqlite3.Connection) -> None:
    """What reviewers' terminals keep, and the log of decisions, which begins with those that stand in the stages."""
    for statement in REVIEW_DESK_TABLES.split(";\n"):
        if statement.strip():
            connection.execute(statement)
    connection.execute(
        "INSERT INTO treadle_decisions (at, item, stage, sub, subtask, attempt, decision, is_undone)"
        " SELECT coalesce(completed_at, updated_at), item, stage, sub, name, attempt,"
        " CAST(json_extract(CAST(detail AS TEXT), '$.decision') AS BLOB), 0 FROM treadle_tasks"
        " WHERE detail IS NOT NULL AND json_extract(CAST(detail AS TEXT), '$.decision') IS NOT NULL ORDER BY 1"
    )


NOTABLE = "2, 3, 5, 6, 7"
"""Numbers of the states that few stages are in at a time: to be retried, awaiting review, skipped, failed, cancelled."""

INDEXES_FOR_LISTS = (
    "CREATE INDEX treadle_items_of ON treadle_items (workflow)",
    f"CREATE INDEX treadle_notable ON treadle_tasks (state, stage, item) WHERE state IN ({NOTABLE})",
    "CREATE INDEX treadle_fanned_out ON treadle_tasks (stage, item) WHERE phase > 0 AND state = 1",
)


def index_lists(connection: sqlite3.Connection) -> None:
    """Find the items of a workflow, and those with a stage in a state that few are in, without looking at every item."""
    for statement in INDEXES_FOR_LISTS:
        connection.execute(statement)


RETENTION_TABLES = (
    "CREATE TABLE treadle_retention ("
    " workflow INTEGER PRIMARY KEY, policy BLOB, horizon INTEGER NOT NULL, dropped INTEGER NOT NULL) STRICT",
    "CREATE TABLE treadle_baselines ( item INTEGER PRIMARY KEY, seq INTEGER NOT NULL, dropped INTEGER NOT NULL, fold BLOB NOT NULL) STRICT",
)


def create_retention(connection: sqlite3.Connection) -> None:
    """What is kept of each workflow, how far its events have been dropped, and what those told of each item."""
    for statement in RETENTION_TABLES:
        connection.execute(statement)


def fold_attempts(connection: sqlite3.Connection) -> None:
    """Make room for an ordinary attempt's output in its task's row; see `folding`."""
    connection.execute("ALTER TABLE treadle_tasks ADD COLUMN output ANY")


def order_by_place(connection: sqlite3.Connection) -> None:
    """What is ready is found by its place in line. A turn from before, a small number, is a place before everybody else's."""
    connection.execute("DROP INDEX IF EXISTS treadle_ready")
    connection.execute(f"CREATE INDEX treadle_ready ON treadle_tasks (stage, priority DESC, {PLACE}) WHERE ready = 1")


MIGRATIONS: tuple[tuple[str, Callable[[sqlite3.Connection], None]], ...] = (
    ("create tables", create_tables),
    ("index failures", index_failures),
    ("create review desk", create_review_desk),
    ("index what lists ask for", index_lists),
    ("create retention", create_retention),
    ("fold ordinary attempts into their tasks", fold_attempts),
    ("order what is ready by its place in line", order_by_place),
)
"""Ordered and named; each is applied with its record in one transaction. Only ever append."""

VERSION = len(MIGRATIONS)


def expected_tables() -> dict[str, list[str]]:
    """Table name → column names of the newest version, in order."""
    with sqlite3.connect(":memory:") as connection:
        for _, migrate in MIGRATIONS:
            migrate(connection)
        found = tables_of(connection)
    connection.close()
    return found


def tables_of(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Our tables in a database → their column names, in order."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    names = [name for (name,) in tables if name.startswith(PREFIX)]
    return {name: [row[1] for row in connection.execute(f'PRAGMA table_info("{name}")')] for name in names}
