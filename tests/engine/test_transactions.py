"""`ctx.transaction`: a user's own SQL, in the very transaction that completes the stage."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any

import pytest

from treadle_tui.engine import (
    Accepted,
    Approve,
    ApproveWithEdits,
    Completed,
    FanOut,
    InvalidDecision,
    NeedsReview,
    PickAttempt,
    Reject,
    Rejected,
    RequestChanges,
    RetryBudget,
    ReviewPolicy,
    Skipped,
    SqliteStateStore,
    StageState,
    Uncertain,
    Workflow,
)
from treadle_tui.engine.testing import crash_engine

from .workflows import fan_out, names_told, ran, scripted, state, submitted


@pytest.fixture
async def store(tmp_path):
    """A SQLite store in a file that holds a user's own tables."""
    path = tmp_path / "shop.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE paid (id TEXT PRIMARY KEY, amount INTEGER CHECK (amount > 0));"
            "CREATE TABLE account (balance INTEGER); INSERT INTO account VALUES (100);"
            "CREATE TABLE touchy (id INTEGER PRIMARY KEY);"
            "CREATE TRIGGER furious BEFORE INSERT ON touchy BEGIN SELECT RAISE(ROLLBACK, 'out of here'); END;"
        )
    async with SqliteStateStore.open(path, synchronous="NORMAL") as opened:
        yield opened


def rows(store: Any, sql: str = "SELECT id, amount FROM paid ORDER BY id") -> list[Any]:
    """What a program beside the engine sees."""
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        return connection.execute(sql).fetchall()


def paying(answer: Any = 1, amount: int = 5) -> Any:
    """A script line that pays, and answers."""

    def line(item: Any, ctx: Any) -> Any:
        ctx.transaction("INSERT INTO paid VALUES (?, ?)", (f"{item['id']}{ctx.attempt}", amount))
        return answer

    return line


# --- at the end of the stage --------------------------------------------------------------------------------------------------


async def test_statements_run_when_the_stage_completes_in_the_same_transaction(store, start):
    seen: list[Any] = []

    def work(item: Any, ctx: Any) -> str:
        ctx.transaction("UPDATE account SET balance = balance - ?", (5,), expect_rows=1)
        ctx.transaction("INSERT INTO paid VALUES (:id, :amount)", {"id": item["id"], "amount": 5})
        seen.append(rows(store))
        return "paid"

    engine = await start(scripted(work)[0])

    await ran(engine)

    assert seen == [[]]
    assert rows(store) == [("a", 5)]
    assert rows(store, "SELECT balance FROM account") == [(95,)]
    assert await state(store) is StageState.COMPLETED


async def test_it_is_a_plain_call_from_a_plain_function_too(store, start):
    workflow = Workflow("docs")

    @workflow.stage
    def work(ctx: Any) -> None:
        ctx.transaction("INSERT INTO paid VALUES ('x', 1)")

    await ran(await start(workflow))

    assert rows(store) == [("x", 1)]


@pytest.mark.parametrize("value", [b"\x00bytes", "text ü", 1, 1.5, None, 2**62])
async def test_parameters_arrive_as_they_were(store, start, value):
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        connection.execute("CREATE TABLE anything (value)")
    workflow, _ = scripted(lambda item, ctx: ctx.transaction("INSERT INTO anything VALUES (?)", (value,)), review=ReviewPolicy.ALWAYS)
    engine = await start(workflow)
    await ran(engine)

    await engine.resolve_review("a", "work", Approve())

    assert rows(store, "SELECT value FROM anything") == [(value,)]


@pytest.mark.parametrize(
    ("sql", "expect_rows", "named"),
    [
        ("INSERT INTO paid VALUES ('x', -1)", None, "CHECK constraint failed"),
        ("INSERT INTO nowhere VALUES (1)", None, "no such table"),
        ("INSRT INTO paid", None, "syntax error"),
        ("UPDATE account SET balance = 1 WHERE balance = 99", 1, "0 rows instead of 1"),
        ("SELECT 1 UNION SELECT 2", 1, "2 rows instead of 1"),
        ("INSERT INTO paid VALUES (?, ?)", None, "binding"),
        ("INSERT INTO paid VALUES ('p', 1); INSERT INTO paid VALUES ('q', 1)", None, "one statement"),
        ("", None, None),
    ],
)
async def test_a_statement_that_fails_fails_the_attempt_and_nothing_is_recorded(store, start, sql, expect_rows, named):
    def work(item: Any, ctx: Any) -> str:
        ctx.transaction("INSERT INTO paid VALUES ('first', 1)")
        ctx.transaction(sql, expect_rows=expect_rows)
        return "done"

    engine = await start(scripted(work)[0])

    await ran(engine)

    if named is None:
        return
    status = await store.get_status("a", "work")
    assert (status.state, status.output) == (StageState.FAILED, None)
    assert named in status.error
    assert rows(store) == []


@pytest.mark.parametrize(
    ("sql", "rows_changed"),
    [
        ("WITH n(x) AS (SELECT 1 UNION SELECT 2) INSERT INTO paid SELECT 'x' || x, x FROM n", 2),
        ("WITH n(x) AS (SELECT 1) UPDATE account SET balance = 7 WHERE (SELECT x FROM n) = 1", 1),
        ("WITH n(x) AS (SELECT 1) DELETE FROM paid WHERE amount IN n", 0),
        ("WITH n(x) AS (SELECT 1 UNION SELECT 2) SELECT x FROM n", 2),
        ("/* paid */ INSERT INTO paid VALUES ('x', 1)", 1),
        ("INSERT INTO paid VALUES ('x', 1), ('y', 2) RETURNING id", 2),
    ],
)
async def test_rows_are_counted_however_the_statement_begins(store, start, sql, rows_changed):
    engine = await start(scripted(lambda item, ctx: ctx.transaction(sql, expect_rows=rows_changed))[0])

    await ran(engine)

    assert (await store.get_status("a", "work")).error is None
    assert await state(store) is StageState.COMPLETED


async def test_a_failed_transaction_is_tried_again_within_the_budget(store, start):
    def work(item: Any, ctx: Any) -> int:
        ctx.transaction("INSERT INTO paid VALUES (?, ?)", (item["id"], ctx.attempt - 1))
        return int(ctx.attempt)

    engine = await start(scripted(work, repeat=True, retry=RetryBudget(max_attempts=3))[0])

    await ran(engine)

    assert rows(store) == [("a", 1)]
    assert [attempt.outcome for attempt in await store.get_attempts("a", "work")] == ["error", "completed"]


@pytest.mark.parametrize(
    "sql",
    [
        "COMMIT",
        "ROLLBACK",
        "BEGIN",
        "SAVEPOINT mine",
        "RELEASE treadle_statements",
        "ROLLBACK TO treadle_statements",
        "PRAGMA user_version = 7",
        "PRAGMA writable_schema = ON",
        "ATTACH ':memory:' AS other",
        "DETACH main",
        "DELETE FROM treadle_items",
        "DELETE FROM main.treadle_items",
        'INSERT INTO "TREADLE_meta" VALUES (1, 2)',
        "UPDATE treadle_tasks SET state = 4",
        "DROP TABLE treadle_tasks",
        "ALTER TABLE treadle_tasks RENAME TO mine",
        "CREATE TABLE treadle_mine (x)",
        "CREATE TEMP TABLE treadle_tasks (x)",
        "CREATE VIEW treadle_mine AS SELECT 1",
        "CREATE TEMP VIEW treadle_items AS SELECT 1",
        "CREATE INDEX mine ON treadle_tasks (state)",
        "CREATE TRIGGER mine AFTER INSERT ON treadle_items BEGIN SELECT 1; END",
        "CREATE TEMP TRIGGER mine AFTER INSERT ON treadle_items BEGIN SELECT 1; END",
        "DROP INDEX treadle_ready",
        "INSERT INTO paid SELECT load_extension('x'), 1",
        "VACUUM",
    ],
)
async def test_what_would_touch_the_engine_or_the_transaction_is_refused(store, start, sql):
    def work(item: Any, ctx: Any) -> int:
        if item["id"] == "a":
            ctx.transaction("INSERT INTO paid VALUES ('before', 1)")
            ctx.transaction(sql)
        else:
            ctx.transaction("INSERT INTO paid VALUES ('other', 1)")
        return 1

    engine = await start(scripted(work, repeat=True)[0])

    await ran(engine, "a", "b")

    assert (await state(store), await state(store, item_id="b")) == (StageState.FAILED, StageState.COMPLETED)
    assert rows(store) == [("other", 1)]
    assert rows(store, "PRAGMA user_version") == [(0,)]
    assert [name for (name,) in rows(store, "SELECT name FROM sqlite_master WHERE name LIKE '%mine%'")] == []


async def test_a_trigger_of_the_users_cannot_write_to_the_engines_tables_either(store, start):
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        connection.execute("CREATE TRIGGER sly AFTER INSERT ON paid BEGIN DELETE FROM treadle_items; END")
    engine = await start(scripted(paying())[0])

    await ran(engine)

    assert await state(store) is StageState.FAILED
    assert await store.list_items() == ["a"]


async def test_the_engines_tables_may_be_read(store, start):
    engine = await start(scripted(lambda item, ctx: ctx.transaction("INSERT INTO paid SELECT id, 1 FROM treadle_items"))[0])

    await ran(engine)

    assert rows(store) == [("a", 1)]


@pytest.mark.parametrize(
    "sql", ["INSERT OR ROLLBACK INTO paid VALUES ('twice', 1)", "INSERT INTO touchy VALUES (1)"], ids=["OR ROLLBACK", "RAISE(ROLLBACK)"]
)
async def test_a_statement_that_ends_the_transaction_fails_its_own_attempt_alone(store, start, sql):
    """Every item's attempt may be in the same transaction; only the culprit's is spoiled."""
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        connection.execute("INSERT INTO paid VALUES ('twice', 1)")
        connection.commit()

    def work(item: Any, ctx: Any) -> int:
        ctx.transaction("INSERT INTO paid VALUES (?, 1)", (item["id"],))
        if item["id"] in ("3", "7"):
            ctx.transaction(sql)
        return 1

    engine = await start(scripted(work, repeat=True, retry=RetryBudget(max_attempts=2))[0])

    await ran(engine, *(str(number) for number in range(10)))

    assert await store.query_items("work", StageState.FAILED) == ["3", "7"]
    assert [id for id, _ in rows(store)] == ["0", "1", "2", "4", "5", "6", "8", "9", "twice"]
    status = await store.get_status("3", "work")
    assert (status.attempt, "transaction" in status.error) == (2, True)


async def test_the_same_statement_may_end_one_transaction_and_not_another(store, start):
    """The second item says the very same words; by then they do no harm."""

    def work(item: Any, ctx: Any) -> int:
        ctx.transaction("INSERT OR ROLLBACK INTO paid VALUES ('same', 1)")
        return 1

    workflow, _ = scripted(work, repeat=True)
    engine = await start(workflow, concurrency=1)
    await ran(engine, "a", "b")
    assert (await state(store), await state(store, item_id="b")) == (StageState.COMPLETED, StageState.FAILED)
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        connection.execute("DELETE FROM paid")
        connection.commit()

    await engine.retry_stage("b", "work")
    await engine.run_until_idle()

    assert await state(store, item_id="b") is StageState.COMPLETED


# --- attempts that do not count -------------------------------------------------------------------------------------------------


async def test_attempts_that_fail_or_are_rejected_apply_nothing(store, start):
    verdicts = iter([Rejected("thin"), Uncertain("?"), Accepted()])

    def raising(item: Any, ctx: Any) -> None:
        ctx.transaction("INSERT INTO paid VALUES ('raised', 1)")
        raise ValueError("no")

    workflow, _ = scripted(
        raising,
        paying(),
        paying(),
        paying(),
        gates=[lambda output: next(verdicts)],
        review=ReviewPolicy.NEVER,
        retry=RetryBudget(max_attempts=4),
    )
    engine = await start(workflow)

    await ran(engine)

    assert rows(store) == [("a4", 5)]


async def test_a_skipped_stage_applies_nothing(store, start):
    def work(item: Any, ctx: Any) -> Skipped:
        ctx.transaction("INSERT INTO paid VALUES ('skipped', 1)")
        return Skipped("no")

    await ran(await start(scripted(work)[0]))

    assert rows(store) == []


async def test_what_a_declaration_said_is_applied_when_the_whole_stage_completes(store, start):
    failing = {"y"}

    async def work(item: Any, ctx: Any) -> Any:
        if ctx.subtask is None:
            ctx.transaction("INSERT INTO paid VALUES ('declared', 1)")
            return FanOut(["x", "y"])
        if ctx.subtask in failing:
            raise ValueError("no")
        return ctx.subtask

    engine = await start(scripted(work, repeat=True)[0])
    await ran(engine)
    assert (await state(store), rows(store)) == (StageState.FAILED, [])
    failing.clear()

    await engine.retry_stage("a", "work")
    await engine.run_until_idle()

    assert (await state(store), rows(store)) == (StageState.COMPLETED, [("declared", 1)])


async def test_subtasks_and_reduce_apply_their_own(store, start):
    workflow = fan_out(["x", "y"], lambda name, ctx: ctx.transaction("INSERT INTO paid VALUES (?, 1)", (name,)))
    workflow_again = Workflow("docs")
    handle = workflow_again.add_stage("work", workflow.definition("work").stage)
    handle.each(each_of(workflow))

    @handle.reduce
    def joined(results: dict[str, Any], ctx: Any) -> int:
        ctx.transaction("INSERT INTO paid VALUES ('reduced', ?)", (len(results),))
        return len(results)

    await ran(await start(workflow_again))

    assert rows(store) == [("reduced", 2), ("x", 1), ("y", 1)]


def each_of(workflow: Workflow) -> Any:
    """The function of a stage's subtasks."""
    each = workflow.definition("work").each
    assert each is not None
    return each.stage.function.function  # type: ignore[attr-defined]


# --- after a review -------------------------------------------------------------------------------------------------------------


async def test_reviewed_statements_wait_for_the_approval(store, start):
    engine = await start(scripted(paying(NeedsReview(1)))[0])
    await ran(engine)
    assert rows(store) == []

    await engine.resolve_review("a", "work", Approve())

    assert rows(store) == [("a1", 5)]


async def test_edits_apply_those_of_the_attempt_that_was_edited(store, start):
    engine = await start(scripted(paying(NeedsReview(1)))[0])
    await ran(engine)

    await engine.resolve_review("a", "work", ApproveWithEdits(2))

    assert rows(store) == [("a1", 5)]


async def test_a_picked_attempt_applies_its_own_statements_only(store, start):
    engine = await start(scripted(paying(NeedsReview(1)), paying(NeedsReview(2)))[0])
    await ran(engine)
    await engine.resolve_review("a", "work", RequestChanges("more"))
    await engine.run_until_idle()

    await engine.resolve_review("a", "work", PickAttempt(1))

    assert rows(store) == [("a1", 5)]


async def test_a_picked_attempt_that_a_gate_had_rejected_applies_its_statements(store, start):
    """Rejected attempts apply none; picking one is what un-rejects it."""
    verdicts = iter([Rejected("thin"), Uncertain("?")])
    workflow, _ = scripted(paying("first"), paying("second"), gates=[lambda output: next(verdicts)], retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)
    await ran(engine)

    await engine.resolve_review("a", "work", PickAttempt(1))

    assert (await store.get_status("a", "work")).output == "first"
    assert rows(store) == [("a1", 5)]


async def test_an_escalated_attempt_applies_its_statements_when_it_is_approved(store, start):
    workflow, _ = scripted(
        paying("only"), gates=[lambda output: Rejected("thin")], retry=RetryBudget(max_attempts=1, on_exhausted="escalate")
    )
    engine = await start(workflow)
    await ran(engine)
    assert rows(store) == []

    await engine.resolve_review("a", "work", Approve())

    assert rows(store) == [("a1", 5)]


@pytest.mark.parametrize("decision", [Reject("no"), RequestChanges("more")], ids=lambda decision: decision.verb)
async def test_what_is_not_approved_applies_nothing(store, start, decision):
    engine = await start(scripted(paying(NeedsReview(1)), Completed(2))[0])
    await ran(engine)

    await engine.resolve_review("a", "work", decision)
    await engine.run_until_idle()

    assert rows(store) == []


async def test_an_approval_whose_statements_fail_leaves_the_review_open(store, start):
    engine = await start(scripted(paying(NeedsReview(1)))[0])
    await ran(engine)
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        connection.execute("INSERT INTO paid VALUES ('a1', 9)")
        connection.commit()

    with pytest.raises(InvalidDecision, match=r"UNIQUE constraint failed.*stays open"):
        await engine.resolve_review("a", "work", Approve())

    assert await state(store) is StageState.AWAITING_REVIEW
    assert "ReviewResolved" not in await names_told(store)
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        connection.execute("DELETE FROM paid")
        connection.commit()
    await engine.resolve_review("a", "work", Approve())
    assert rows(store) == [("a1", 5)]


async def test_one_approval_that_ends_the_transaction_spoils_no_other_in_the_same_list(store, start):
    def work(item: Any, ctx: Any) -> NeedsReview:
        ctx.transaction(
            "INSERT INTO touchy VALUES (1)" if item["id"] == "b" else "INSERT INTO paid VALUES (?, 1)", (item["id"],)[: item["id"] != "b"]
        )
        return NeedsReview(1)

    engine = await start(scripted(work, repeat=True)[0])
    await ran(engine, "a", "b", "c")

    results = await engine.resolve_reviews([(id, "work", Approve(), None) for id in "abc"])

    assert [type(result) for result in results] == [StageState, InvalidDecision, StageState]
    assert rows(store) == [("a", 1), ("c", 1)]
    assert await store.query_items("work", StageState.AWAITING_REVIEW) == ["b"]


async def test_approving_again_after_a_reopen_applies_nothing_twice(store, start):
    engine = await start(scripted(paying(NeedsReview(1)))[0])
    await ran(engine)
    await engine.resolve_review("a", "work", Approve())
    await engine.reopen_review("a", "work")

    await engine.resolve_review("a", "work", Approve())

    assert rows(store) == [("a1", 5)]


async def test_statements_that_wait_survive_a_crash(store, start):
    engine = await start(scripted(paying(NeedsReview(1)))[0])
    await ran(engine)
    await crash_engine(engine)

    again = await start(scripted()[0])
    await again.resolve_review("a", "work", Approve())

    assert rows(store) == [("a1", 5)]


async def test_a_stage_that_runs_again_applies_again(store, start):
    engine = await start(scripted(paying(), repeat=True)[0])
    await ran(engine)

    await engine.rerun_stage("a", "work")
    await engine.run_until_idle()

    assert rows(store) == [("a1", 5), ("a2", 5)]


@pytest.mark.parametrize(
    "statement",
    [
        ("INSERT INTO paid VALUES (?, 1)", (object(),)),
        ("INSERT INTO paid VALUES (1, 1)", 7),
        (7, ()),
        ("INSERT INTO paid VALUES ('\ud800', 1)", ()),
    ],
    ids=["object", "number", "sql", "surrogate"],
)
@pytest.mark.parametrize("answer", [1, NeedsReview(1)], ids=["completed", "review"])
async def test_a_statement_that_cannot_be_kept_is_a_failed_attempt(store, start, statement, answer):
    def work(item: Any, ctx: Any) -> Any:
        ctx.transaction(*statement)
        return answer

    engine = await start(scripted(work)[0])

    await submitted(engine, "a")
    await engine.run_until_idle()

    assert await state(store) in (StageState.FAILED, StageState.AWAITING_REVIEW)
    assert rows(store) == []
    assert engine.running == 0


# --- without SQLite -------------------------------------------------------------------------------------------------------------


async def test_a_store_without_sqlite_fails_the_attempt(start):
    from .conftest import opened

    memory = await opened("memory")
    engine = await start(scripted(paying())[0], on=memory)

    await ran(engine)

    status = await memory.get_status("a", "work")
    assert status.state is StageState.FAILED
    assert "needs a SQLite store" in status.error
    await memory.close()
