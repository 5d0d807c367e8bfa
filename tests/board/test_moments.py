"""When something that was put off comes back, in words."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from treadle_tui.board.moments import OFFERS, NoMoment, moment_of

FRIDAY = datetime(2024, 5, 17, 14, 30).astimezone()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10m", FRIDAY + timedelta(minutes=10)),
        (" in 2 h ", FRIDAY + timedelta(hours=2)),
        ("15:00", FRIDAY.replace(hour=15, minute=0)),
        ("9:05", FRIDAY.replace(day=18, hour=9, minute=5)),
        ("tomorrow", FRIDAY.replace(day=18, hour=9, minute=0)),
        ("Mon", FRIDAY.replace(day=20, hour=9, minute=0)),
        ("fri", FRIDAY.replace(day=24, hour=9, minute=0)),
    ],
)
def test_a_moment_is_said_as_people_say_it(text: str, moment: datetime) -> None:
    assert moment_of(text, FRIDAY) == moment


@pytest.mark.parametrize("text", ["", "never", "25:00", "10", "t", "999999d", "m10", "sun mon"])
def test_what_says_no_moment_is_told_what_would(text: str) -> None:
    with pytest.raises(NoMoment, match="10m, 2h, tomorrow"):
        moment_of(text, FRIDAY)


def test_every_offer_is_a_moment_ahead() -> None:
    assert all(moment_of(value, FRIDAY) > FRIDAY for value, _ in OFFERS)
