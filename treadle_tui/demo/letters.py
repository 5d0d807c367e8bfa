"""A second, smaller pipeline: letters to customers, signed by somebody."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from treadle_tui.demo.fate import fate
from treadle_tui.demo.pace import Pace
from treadle_tui.engine import Completed, NeedsReview, ReviewData, ReviewPolicy, Workflow


def letters(pace: Pace) -> Workflow:
    """The pipeline."""
    workflow = Workflow("letters")

    @workflow.stage
    async def draft(item: Any) -> Any:
        await pace.work(1.5)
        text = f"Dear {item['to']},\n\nyour order **{item['order']}** left our house today. It should be with you on {item['on']}.\n\nYours"
        return Completed({"text": text}, summary=item["order"])

    @workflow.stage(review=ReviewPolicy("always", group="service", reasons=("tone", "wrong name")))
    async def sign(item: Any, draft: Any) -> Any:
        return NeedsReview(draft, ReviewData(f"sign the letter to {item['to']}?", {"order": item["order"]}))

    @workflow.stage
    async def send(sign: Any) -> Any:
        await pace.work(0.5)
        return {"by": "post"}

    return workflow


def letter(number: int, today: datetime) -> dict[str, Any]:
    """The letter of that number, written on some day."""
    chance = fate("letter", number)
    name = chance.choice(("Ms Adeyemi", "Mr Brandt", "Dr Castillo", "Ms Dvořák", "Mr Eriksen"))
    day = (today + timedelta(days=3)).date().isoformat()
    return {"id": f"letter-{number}", "to": name, "order": f"A-{chance.randint(400, 999)}", "on": day}
