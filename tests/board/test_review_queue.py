"""The inbox without a screen: an order that stays, a cursor that is a name, marks, filters, and what was put off."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.board.reviews import NOW, key, line, lines
from treadle_tui.board.review_line import ReviewKey, Tab
from treadle_tui.board.review_queue import ReviewQueue


def queue(names: str, height: int = 40) -> ReviewQueue:
    made = ReviewQueue()
    made.look_at(height)
    made.take_waiting(lines(names), NOW)
    return made


def shown(queue: ReviewQueue) -> str:
    return "".join(each.key.item_id for each in queue.lines)


def current(queue: ReviewQueue) -> str:
    return queue.current.key.item_id if queue.current else ""


def test_a_decision_takes_the_line_away_and_the_cursor_is_on_the_next() -> None:
    inbox = queue("abcd")
    inbox.move(1)

    inbox.hold([key("b")])

    assert (shown(inbox), current(inbox), inbox.waiting) == ("acd", "c", 3)


def test_after_the_last_line_the_cursor_is_on_the_one_before() -> None:
    inbox = queue("abc")
    inbox.move(9)
    inbox.hold([key("c")])

    assert current(inbox) == "b"


def test_a_decision_taken_back_is_where_it_stood_and_under_the_cursor() -> None:
    inbox = queue("abcd")
    inbox.hold([key("b"), key("c")])
    inbox.move_to(9)
    inbox.release([key("c")], NOW, go_to=True)

    assert (shown(inbox), current(inbox)) == ("acd", "c")


def test_what_is_held_stays_away_while_the_store_still_says_it_waits() -> None:
    inbox = queue("abc")
    inbox.hold([key("a")])
    inbox.take_waiting(lines("abc"), NOW)

    assert shown(inbox) == "bc"


def test_newcomers_appear_below_while_there_is_room_and_gather_when_there_is_not() -> None:
    inbox = queue("ab", height=3)
    inbox.take_waiting(lines("xaybz"), NOW)
    assert (shown(inbox), inbox.newcomers) == ("abx", 2)

    assert inbox.show_newcomers(NOW) == 2
    assert (shown(inbox), inbox.newcomers) == ("abxyz", 0)


def test_nothing_moves_when_the_store_answers_in_another_order() -> None:
    inbox = queue("abcd")
    inbox.move_to(2)
    inbox.take_waiting(lines("dcba"), NOW)

    assert (shown(inbox), current(inbox)) == ("abcd", "c")


def test_what_was_decided_elsewhere_leaves_and_is_told() -> None:
    inbox = queue("abc")
    inbox.toggle_mark()
    inbox.move_to(1)

    assert inbox.take_waiting(lines("bc"), NOW) == [key("a")]
    assert (shown(inbox), current(inbox), inbox.marks) == ("bc", "b", set())


def test_one_that_comes_back_after_it_was_gone_is_a_newcomer() -> None:
    inbox = queue("abc")
    inbox.take_waiting(lines("bc"), NOW)
    inbox.take_waiting(lines("abc"), NOW)

    assert shown(inbox) == "bca"


def test_what_is_put_off_waits_in_its_own_list_until_its_time_or_until_it_changes() -> None:
    inbox = queue("abc")
    soon = NOW + timedelta(minutes=10)
    inbox.take_later({key("a"): (1, soon), key("b"): (1, None)}, NOW)
    assert (shown(inbox), inbox.waiting, inbox.next_return) == ("c", 1, soon)
    inbox.show(Tab.DEFERRED)
    assert (shown(inbox), inbox.lines[0].until) == ("ab", soon)

    inbox.show(Tab.WAITING)
    inbox.take_waiting(lines("abc"), soon)
    assert shown(inbox) == "ac"
    inbox.take_waiting([line("a"), line("b", version=2), line("c")], soon)
    assert shown(inbox) == "abc"


def test_marks_are_names_and_are_what_a_key_is_about() -> None:
    inbox = queue("abcdq")
    inbox.toggle_mark()
    inbox.move_to(3)
    inbox.mark_range()
    assert "".join(each.key.item_id for each in inbox.chosen) == "abcd"

    inbox.ask("q", NOW)
    assert "".join(each.key.item_id for each in inbox.chosen) == "abcd"
    inbox.clear_marks()
    inbox.mark_all()
    assert [each.key.item_id for each in inbox.chosen] == ["q"]
    inbox.hold([key("q")])
    assert inbox.marks == set()


def test_without_marks_a_key_is_about_the_line_under_the_cursor() -> None:
    inbox = queue("ab")
    inbox.move(1)

    assert [each.key.item_id for each in inbox.chosen] == ["b"]
    assert queue("").chosen == []


def test_the_filter_wants_every_word_and_knows_fields() -> None:
    inbox = ReviewQueue()
    uncertain = line("b", why="uncertain: no licence", group="legal")
    inbox.take_waiting([line("a"), uncertain, line("c", summary="licence?")], NOW)

    for text, found in (("licence", "bc"), ("LICENCE uncertain", "b"), ("group:legal", "b"), ("stage:judge right", "ab"), ("nobody", "")):
        inbox.ask(text, NOW)
        assert shown(inbox) == found, text
    inbox.ask("", NOW)
    assert shown(inbox) == "abc"


def test_each_tab_has_a_cursor_of_its_own() -> None:
    inbox = queue("abc")
    inbox.move_to(2)
    inbox.take_other(Tab.DECIDED, [line("x", number=1), line("x", number=2)])
    inbox.show(Tab.DECIDED)
    inbox.move(1)
    inbox.take_other(Tab.DECIDED, [line("y", number=3), line("x", number=1), line("x", number=2)])
    assert inbox.current is not None
    assert inbox.current.number == 2

    inbox.show(Tab.WAITING)
    assert current(inbox) == "c"


@given(st.lists(st.tuples(st.sampled_from(["hold", "release", "move", "take"]), st.sampled_from("abcdefgh")), max_size=40))
def test_the_cursor_never_moves_under_the_hand(moves: list[tuple[str, str]]) -> None:
    """Whatever happens to other lines, the one under the cursor stays there."""
    inbox = queue("abcdefgh", height=4)
    present = set("abcdefgh")
    for what, name in moves:
        before: ReviewKey | None = inbox.current.key if inbox.current else None
        if what == "move":
            inbox.go_to(key(name))
            continue
        if before == key(name):
            continue
        if what == "hold" and key(name) in {each.key for each in inbox.lines}:
            inbox.hold([key(name)])
        elif what == "release" and inbox.held:
            inbox.release([sorted(inbox.held)[0]], NOW)
        elif what == "take":
            present ^= {name}
            if before is not None:
                present.add(before.item_id)
            inbox.take_waiting(lines("".join(sorted(present))), NOW)
        if before is not None and before not in inbox.held:
            assert inbox.current is not None
            assert inbox.current.key == before
        assert [each.key for each in inbox.lines] == list(dict.fromkeys(each.key for each in inbox.lines))
