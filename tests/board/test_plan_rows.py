"""A migration plan as rows."""

from treadle_tui.board.plan_rows import confirmation_of, plan_lines, plan_words
from treadle_tui.engine.migration import Change, MigrationPlan

PLAN = MigrationPlan(
    "papers",
    [
        Change("added", "check", "pending in 41 items; skipped in 1 item as 'added later'", 42),
        Change("removed", "publish", "is unfinished (awaiting review in 3), and stays in the way of 3 items", 3, is_safe=False),
    ],
    42,
)


def texts(width: int) -> list[str]:
    return ["".join(span.text for span in line) for line in plan_lines(PLAN, width)]


def test_a_row_says_what_changed_what_that_means_and_marks_what_must_be_accepted() -> None:
    assert texts(120) == [
        "  check    new       pending in 41 items; skipped in 1 item as 'added later'",
        "! publish  gone      is unfinished (awaiting review in 3), and stays in the way of 3 items",
    ]


def test_long_rows_are_broken_below_where_they_began() -> None:
    lines = texts(50)

    assert lines[1].startswith(" " * 21)
    assert lines[1].strip()
    assert all(len(line) <= 50 for line in lines)


def test_the_words_count_what_waits() -> None:
    assert plan_words(PLAN) == "has changed: 2 stages, 1 of them must be accepted; 42 items wait"
    assert confirmation_of(PLAN).title == "Move 42 items of papers into the workflow as it is now?"
    assert confirmation_of(PLAN).typed_count == 42
    assert confirmation_of(MigrationPlan("papers", items=20)).typed_count is None


def test_an_empty_plan_says_so() -> None:
    assert ["".join(span.text for span in line) for line in plan_lines(MigrationPlan("papers"), 80)] == ["no stage has changed"]
