"""The verb `retain`."""

from __future__ import annotations

from tests.cli.conftest import Call


def test_everything_is_kept_unless_somebody_says_otherwise(worked: Call) -> None:
    assert worked("retain").out == "all workflows: keeps everything\n"
    assert worked("retain", "--json").json == {"all": {}, "workflows": {}, "dropped": None}


def test_a_policy_is_kept_in_the_database_and_changed_one_limit_at_a_time(worked: Call) -> None:
    assert worked("retain", "--events-days", "30", "--attempts-count", "3").code == 0
    answer = worked("retain", "papers", "--events-days", "all", "--items-count", "1000", "--json")

    assert answer.json["all"] == {"events_days": 30.0, "attempts_count": 3}
    assert answer.json["workflows"] == {"papers": {"attempts_count": 3, "items_count": 1000}}
    assert worked("retain").out == (
        "all workflows: keeps events of 30 days, the newest 3 attempts\npapers: keeps the newest 3 attempts, the newest 1,000 items\n"
    )
    assert worked("retain", "papers", "--as-others", "--json").json["workflows"] == {}


def test_what_is_not_kept_is_dropped_at_once_when_asked_for(worked: Call) -> None:
    answer = worked("retain", "--events-count", "2", "--items-count", "0", "--now", "--json")

    assert answer.json["dropped"]["items"] == 1
    assert answer.json["dropped"]["events"] > 5
    assert worked("list", "--json").json["total"] == 1
    lines = worked("events", "--json").json_lines
    assert lines[0]["kind"] == "Lagged"
    assert lines[0]["missed"] > 5
    assert "older events are no longer kept" in worked("events").out


def test_bad_limits_are_refused_with_a_sentence(worked: Call) -> None:
    for arguments, said in (
        (["--events-days", "soon"], "'soon' is neither a number of days nor `all`"),
        (["--items-count", "1.5"], "'1.5' is neither a whole number nor `all`"),
        (["--events-count", "-1"], "events_count=-1 must be a whole number, 0 or more"),
        (["nothing", "--events-days", "1"], "the database has no workflow 'nothing'"),
        (["nothing"], "the database has no workflow 'nothing'"),
        (["--as-others"], "--as-others needs a WORKFLOW"),
    ):
        answer = worked("retain", *arguments)
        assert answer.code == 2, arguments
        assert said in answer.err
    assert worked("retain", "--json").json == {"all": {}, "workflows": {}, "dropped": None}
