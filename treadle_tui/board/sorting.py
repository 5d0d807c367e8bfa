"""What a list may be sorted by, in which order a key goes through it, and how that is said."""

from __future__ import annotations

from dataclasses import replace

from treadle_tui.board.view import Question
from treadle_tui.engine.selection import Order

#: Newest and highest first is what these are sorted for.
_DESCENDING_FIRST = frozenset({Order.UPDATED, Order.PRIORITY})


def next_order(question: Question, stage: str) -> Question:
    """Sorted by what comes next; a stage's state by that of `stage`."""
    every = list(Order)
    return _by(question, every[(every.index(question.order) + 1) % len(every)], stage)


def order_by_column(question: Question, stage: str) -> Question:
    """Sorted by a column, the id when it has no stage; then the other way round, then as added."""
    order = Order.STAGE if stage else Order.ID
    if (question.order, question.stage if stage else "") != (order, stage):
        return _by(question, order, stage)
    if not question.is_descending:
        return replace(question, is_descending=True)
    return _by(question, Order.ADDED, "")


def order_words(question: Question) -> str:
    """ "sorted by updated, newest first"."""
    match question.order:
        case Order.ADDED:
            return "newest first" if question.is_descending else "oldest first, as they were added"
        case Order.ID:
            return "sorted by id" + (", backwards" if question.is_descending else "")
        case Order.UPDATED:
            return f"sorted by the latest change, {'newest' if question.is_descending else 'oldest'} first"
        case Order.PRIORITY:
            return f"sorted by priority, {'highest' if question.is_descending else 'lowest'} first"
    return f"sorted by {question.stage}, {'done' if question.is_descending else 'what needs you'} first"


def _by(question: Question, order: Order, stage: str) -> Question:
    return replace(question, order=order, stage=stage if order is Order.STAGE else "", is_descending=order in _DESCENDING_FIRST)
