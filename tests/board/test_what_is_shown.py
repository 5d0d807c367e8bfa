"""What a reviewer is shown comes from the data: Markdown, tables, pictures, JSON; and words are found wherever they stand."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from treadle_tui.board.data_outline import PORTION, data_node
from treadle_tui.board.markdown_outline import looks_like_markdown, markdown_nodes
from treadle_tui.board.outline import Outline, OutlineLine, Tone
from treadle_tui.board.outline_search import hits_in, pattern_of
from treadle_tui.board.review_subject import ReviewSubject, raw_outline
from treadle_tui.board.safe_text import width_of

LETTER = """# On *looms*

Some **bold** words, `code`, and a [link](https://looms.example/a).

- one
- two
  1. inner
- three

> quoted

```
x = <1>
```
"""


def text_of(line: OutlineLine) -> str:
    return "".join(span.text for span in line.spans)


def drawn(text: str, width: int = 60) -> list[str]:
    return [text_of(line).rstrip() for line in Outline(markdown_nodes(text, ())).lines(width)]


def shown(value: Any, width: int = 60) -> list[str]:
    return [text_of(line).rstrip() for line in Outline([data_node("output", value, ("output",))]).lines(width)]


def test_markdown_is_drawn_and_a_link_shows_where_it_leads() -> None:
    assert drawn(LETTER) == [
        "On looms",
        "",
        "Some bold words, code, and a link (https://looms.example/a).",
        "",
        "• one",
        "• two",
        "  1. inner",
        "• three",
        "",
        "│ quoted",
        "",
        "  x = <1>",
    ]


def test_headings_and_strong_words_have_the_tone_of_headings() -> None:
    lines = Outline(markdown_nodes(LETTER, ())).lines(60)
    tones = {span.text: span.tone for line in lines for span in line.spans}
    assert tones["looms"] is Tone.HEADING
    assert tones["bold"] is Tone.HEADING
    assert tones[" words, "] is Tone.PLAIN


def test_html_escapes_and_entities_in_markdown_stay_text() -> None:
    lines = drawn("# x\n\n<b>raw</b> &#27;[31m \x1b[2J <script>alert(1)</script>\n\n![cat](cat.png) [x](javascript:alert)\n")
    assert all(line.isprintable() for line in lines)
    assert "<b>raw</b>" in " ".join(lines)
    assert "<script>alert(1)</script>" in " ".join(lines)
    assert lines[4] == "picture: cat (cat.png) [x](javascript:alert)"


@given(st.text("#*_`-[]()!|<>&\\~ \n\tab1.\x1b‮漢", max_size=300), st.integers(20, 90))
def test_no_markdown_breaks_the_lines(text: str, width: int) -> None:
    for line in Outline(markdown_nodes(text, ())).lines(width):
        assert width_of(text_of(line)) <= width
        assert text_of(line).isprintable()


def test_only_text_with_marks_is_taken_for_markdown() -> None:
    assert looks_like_markdown(LETTER)
    assert looks_like_markdown("a | b\n--- | ---\n1 | 2")
    assert not looks_like_markdown("Dear all,\nthe parcel - a small one - has come.\nYours")
    assert not looks_like_markdown("# only one line")
    assert not looks_like_markdown("$ make\nmake: *** [all] Error 2\n")


def test_a_table_in_markdown_is_a_table() -> None:
    assert drawn("| part | size |\n|---|---|\n| warp | **4** |\n") == ["▾ table  1 row", "    part  size", "    warp  4"]


def test_more_records_than_one_table_holds_are_several_tables() -> None:
    lines = shown([{"a": number, "b": 2} for number in range(2 * PORTION + 1)])
    assert lines[:4] == ["▾ output", "  ▾ 1 – 200", "      a    b", "      0    2"]
    assert lines[-2:] == ["  ▸ 201 – 400", "  ▸ 401 – 401"]


def test_a_picture_is_named_as_one() -> None:
    assert shown("scans/a page.png") == ["output  scans/a page.png  picture"]
    assert shown("https://x.example/a.jpg?w=3")[0].endswith("  picture")
    assert "a picture written out as text (png, 6 bytes)" in shown("data:image/png;base64,AAAABBBB")[0]
    assert shown("png") == ["output  png"]


def test_raw_shows_a_text_as_written_and_anything_else_as_json() -> None:
    subject = ReviewSubject(item_id="a", workflow="w", stage="s", output={"b": [1, None]})
    assert [text_of(line).strip() for line in Outline(raw_outline(subject)).lines(40)] == [
        "output, as written", "{", '"b": [', "1,", "null", "]", "}",
    ]  # fmt: skip
    subject = ReviewSubject(item_id="a", workflow="w", stage="s", output="# x\n**y**")
    assert [text_of(line) for line in Outline(raw_outline(subject)).lines(40)][1:] == ["# x", "**y**"]


def test_words_are_found_where_a_line_is_broken_and_in_what_is_folded() -> None:
    value = {"top": 1, "deep": {"deeper": [{"x": {"text": "the quick brown\nfox jumps over the lazy dog and is gone"}}]}}
    outline = Outline([data_node("output", value, ("output",), depth=1)])
    outline.fold_all(False)
    pattern = pattern_of("LAZY  dog")
    assert hits_in(outline.lines(30), pattern) == []
    outline.reveal(pattern.search)
    lines = outline.lines(30)
    (hit,) = hits_in(lines, pattern)
    assert " ".join(text_of(lines[place.line])[place.start : place.end].strip() for place in hit) == "lazy dog"


def test_every_place_is_found_also_in_tables() -> None:
    outline = Outline([data_node("output", [{"part": "warp"}, {"part": "weft and warp"}], ("output",))])
    lines = outline.lines(60)
    hits = hits_in(lines, pattern_of("warp"))
    assert [text_of(lines[place.line])[place.start : place.end] for (place,) in hits] == ["warp", "warp"]
