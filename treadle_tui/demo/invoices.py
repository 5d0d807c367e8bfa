"""Invoices, from the post to the ledger: what arrives is read, checked four ways, paid when somebody approves, and booked.

Everything that happens to an invoice is drawn from its id, so that the same invoice meets the same fate in every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from treadle_tui.demo.fate import fate
from treadle_tui.demo.pace import Pace
from treadle_tui.engine import (
    Accepted,
    Completed,
    Criterion,
    FanOut,
    Feedback,
    NeedsReview,
    Rejected,
    RetryBudget,
    ReviewData,
    ReviewField,
    ReviewPolicy,
    Uncertain,
    Workflow,
)

SUPPLIERS = {
    "ostermann": "Ostermann & Söhne",
    "kobalt": "Kobalt Print",
    "fennel": "Fennel Catering",
    "lumen": "Lumen Energy",
    "wharf": "Wharf Logistics",
    "papyrus": "Papyrus Office",
    "tanaka": "田中 Tools",
    "harbour": "Harbour Cleaning",
}
_GOODS = ("paper, 80 g", "toner", "electricity", "lunch for twelve", "freight", "window cleaning", "drill bits", "posters", "repair")
_CENTRES = ["office", "production", "events", "building"]
REASONS = ("not ordered", "wrong amount", "paid already", "supplier unknown")
SMALL = 150.0
"""Up to here nobody is asked."""
CHECKS = ("supplier", "tax", "totals", "duplicate")


@dataclass
class Invoice:
    """One invoice as it comes in."""

    id: str
    supplier: str
    amount: float
    pages: int
    received_by: str


def invoice(number: int) -> Invoice:
    """The invoice of that number."""
    chance = fate("invoice", number)
    short = chance.choice(list(SUPPLIERS))
    amount = round(chance.choice((40, 90, 240, 800, 2400)) * (0.5 + chance.random()), 2)
    return Invoice(f"{short}-{number}", SUPPLIERS[short], amount, chance.randint(1, 4), chance.choice(("post", "mail", "portal")))


def invoices(pace: Pace) -> Workflow:
    """The pipeline."""
    workflow = Workflow("invoices", item=Invoice)
    _arriving(workflow, pace)
    _reading(workflow, pace)
    _checking(workflow, pace)
    _paying(workflow, pace)
    return workflow


def _arriving(workflow: Workflow, pace: Pace) -> None:
    @workflow.source
    def arrived(first: int = 3001, count: int = 5) -> Iterator[Invoice]:
        """So many invoices, numbered from the first on."""
        for number in range(first, first + count):
            yield invoice(number)

    @workflow.stage(concurrency=3, retry=RetryBudget(max_attempts=3, delay=40.0, backoff=3.0), tags=["network"])
    async def fetch(item: Invoice, ctx: Any) -> Any:
        chance = fate("fetch", item.id, ctx.attempt)
        await pace.work(0.4 + 2.2 * chance.random())
        if fate("lost", item.id).random() < 0.03:
            raise FileNotFoundError(f"{item.received_by}: the message with {item.id}.pdf has gone")
        if chance.random() < 0.12:
            raise TimeoutError(f"{item.received_by} did not answer within 30 s")
        return Completed({"file": f"{item.id}.pdf", "pages": item.pages}, summary=f"{item.pages} pages")


def _reading(workflow: Workflow, pace: Pace) -> None:
    @workflow.stage(concurrency=4, retry=RetryBudget(max_attempts=3, delay=2.0, on_exhausted="escalate"))
    async def read(item: Invoice, fetch: Any, ctx: Any) -> Any:
        chance = fate("read", item.id, ctx.attempt)
        await pace.work(1.0 + 3.0 * chance.random())
        confidence = round(min(0.99, 0.42 + 0.75 * chance.random() + (0.12 if ctx.feedback else 0.0)), 2)
        lines = [
            {"what": chance.choice(_GOODS), "amount": round(item.amount / parts, 2)}
            for parts in [chance.randint(1, 3)]
            for _ in range(parts)
        ]
        return Completed({"supplier": item.supplier, "amount": item.amount, "lines": lines, "confidence": confidence})

    @read.gate
    def legible(output: Any, ctx: Any) -> Any:
        confidence = output["confidence"]
        if confidence >= 0.62:
            return Accepted()
        if confidence >= 0.54:
            return Uncertain(f"{confidence:.0%} sure of the amount")
        criterion = Criterion("confidence", ">= 62 %", f"{confidence:.0%}", False)
        return Rejected(Feedback("hard to read", criteria=[criterion], guidance={"mode": "high contrast"}))


def _checking(workflow: Workflow, pace: Pace) -> None:
    @workflow.stage(concurrency=6)
    async def checks(read: Any) -> FanOut:
        return FanOut(CHECKS)

    @checks.each(retry=RetryBudget(max_attempts=2, delay=3.0))
    async def check(subtask: str, item: Invoice, read: Any, ctx: Any) -> Any:
        chance = fate("check", item.id, subtask)
        await pace.work(0.2 + 1.1 * chance.random())
        if subtask == "tax" and chance.random() < 0.06:
            raise ConnectionError("the tax office's register closed the connection")
        if subtask == "duplicate" and chance.random() < 0.07:
            like = f"{item.id.partition('-')[0]}-{chance.randint(1800, 1999)}"
            question = ReviewData(f"the same as {like}?", {"this": read["amount"], "that": read["amount"], "days between": 31})
            return NeedsReview({"like": like}, question)
        return {"ok": True}


def _paying(workflow: Workflow, pace: Pace) -> None:
    @workflow.stage(
        after=["checks"],
        review=ReviewPolicy("always", group="finance", reasons=REASONS),
        skip_if=lambda item: item.amount <= SMALL,
    )
    async def approve(item: Invoice, read: Any) -> Any:
        await pace.work(0.1)
        question = ReviewData(
            f"pay {item.amount:,.2f} € to {item.supplier}?",
            {"lines": read["lines"], "received by": item.received_by, "confidence": read["confidence"]},
            fields=[ReviewField("centre", kind="choice", label="cost centre", choices=_CENTRES, default=_CENTRES[0])],
        )
        return NeedsReview({"pay": item.amount, "to": item.supplier}, question, summary=f"{item.amount:,.2f} €")

    @workflow.stage(concurrency=2, retry=RetryBudget(max_attempts=2, delay=5.0))
    async def book(item: Invoice, read: Any, approve: Any, ctx: Any) -> Any:
        chance = fate("book", item.id, ctx.attempt)
        await pace.work(0.6 + 1.4 * chance.random())
        if fate("closed", item.id).random() < 0.04:
            raise PermissionError("the ledger of October is closed")
        return Completed({"entry": chance.randint(10_000, 99_999)})

    @workflow.stage
    async def archive(book: Any) -> Any:
        await pace.work(0.2)
        return {"kept until": (2026 + 10)}
