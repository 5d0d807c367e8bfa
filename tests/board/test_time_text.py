from datetime import UTC, datetime, timedelta

import pytest

from treadle_tui.board.time_text import age, clock_time, took

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "now"), (-5, "now"), (14, "14s"), (59, "59s"), (60, "1m"), (3 * 3600, "3h"), (12 * 86400, "12d")]
)
def test_ages_are_short(seconds: int, text: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == text


def test_unknown_moments_are_empty() -> None:
    assert (age(None, NOW), clock_time(None, NOW), took(None, NOW), took(NOW, None)) == ("", "", "", "")


def test_a_time_of_another_day_has_its_date() -> None:
    assert clock_time(NOW, NOW) == NOW.astimezone().strftime("%H:%M:%S")
    assert clock_time(NOW - timedelta(days=3), NOW).startswith((NOW - timedelta(days=3)).astimezone().strftime("%d %b"))
    assert clock_time(NOW - timedelta(days=400), NOW).endswith("2025")


def test_spans() -> None:
    assert took(NOW, NOW + timedelta(seconds=12)) == "12 s"
