"""Foreign text loses what a terminal would obey, and keeps an exact width."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from treadle_tui.board.safe_text import fit, safe_line, safe_paragraphs, shorten, shorten_middle, wrap

FORBIDDEN = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


@given(ANY_TEXT)
def test_nothing_a_terminal_would_obey_is_left(text: str) -> None:
    assert not {unicodedata.category(character) for character in safe_line(text)} & FORBIDDEN


@given(ANY_TEXT, st.integers(0, 40))
def test_fitted_text_has_exactly_the_width_asked_for(text: str, width: int) -> None:
    assert cell_len(fit(safe_line(text), width)) == width


@given(ANY_TEXT, st.integers(5, 40))
def test_shortened_text_is_never_wider(text: str, width: int) -> None:
    line = safe_line(text)

    assert cell_len(shorten(line, width)) <= width
    assert cell_len(shorten_middle(line, width)) <= width


@given(ANY_TEXT, st.integers(2, 40))
def test_wrapping_loses_nothing_but_blanks(text: str, width: int) -> None:
    line = safe_line(text)

    lines = wrap(line, width)

    assert all(cell_len(each) <= width for each in lines)
    assert "".join(lines).replace(" ", "") == line.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("requests 2.32", "requests 2.32"),
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("one\ntwo\r\nthree", "one⏎two⏎three"),
        ("a\tb", "a b"),
        ("\u202egnp.exe", "gnp.exe"),
        ("zero\u200bwidth", "zerowidth"),
        ("bell\x07 \x7f \x9b", "bell␇ ␡ �"),
        ("lone \ud800 surrogate", "lone � surrogate"),
        ("👩\u200d💻 ❤\ufe0f 👍🏽 🇩🇪", "👩💻 ❤ 👍 DE"),
        ("[bold]not markup[/]", "[bold]not markup[/]"),
    ],
)
def test_what_stands_for_what(text: str, shown: str) -> None:
    assert safe_line(text) == shown


def test_decomposed_letters_are_put_together() -> None:
    """macOS names files so; the parts alone would be dropped."""
    assert safe_line(unicodedata.normalize("NFD", "한글 é\u200b")) == "한글 é"


def test_a_wide_character_is_not_cut_in_half() -> None:
    assert fit("日本語", 4) == "日… "
    assert fit("日本語", 5) == "日本…"


def test_the_ends_of_a_long_name_stay() -> None:
    assert shorten_middle("/very/long/folder/work.db", 13) == "/very/…ork.db"


def test_paragraphs_keep_their_lines() -> None:
    assert safe_paragraphs("a\n\tb  \r\n\nc\x1b") == ["a", "    b", "", "c␛"]


def test_wrapping_prefers_spaces() -> None:
    assert wrap("the quick brown fox", 10) == ["the quick", "brown fox"]
    assert wrap("incomprehensibilities", 8) == ["incompre", "hensibil", "ities"]
