"""A small workflow with everything a board shows: a stage that may be held, a fan-out, a publication somebody must approve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.screens.driving import Gate
from treadle_tui.engine import FanOut, NeedsReview, ReviewData, ReviewPolicy, Workflow

#: How a cell that waits for a person looks.
WAITING = "◆ ?"


@dataclass
class Paper:
    id: str
    pages: int = 3


def papers(gate: Gate | None = None, reasons: Sequence[str] = ("too short", "wrong language")) -> Workflow:
    """Fetch, two parts, publish after a person has approved, archive."""
    workflow = Workflow("papers", item=Paper)

    @workflow.source
    def named(*names: str) -> Iterator[Paper]:
        """Papers by their names."""
        if "nowhere" in names:
            raise ValueError("nowhere: no such paper; give names of papers that exist")
        for name in names:
            yield Paper(id=name)

    @workflow.stage
    async def fetch(item: Paper) -> dict[str, str]:
        if gate is not None:
            await gate.wait()
        return {"text": f"about {item.id}"}

    @workflow.stage
    def parts(fetch: Any) -> FanOut:
        return FanOut(["small", "large"])

    @parts.each
    async def part(subtask: str, fetch: Any) -> dict[str, int]:
        return {"size": len(subtask)}

    @workflow.stage(after=["parts"], review=ReviewPolicy("always", reasons=reasons))
    def publish(item: Paper) -> NeedsReview:
        question = ReviewData(f"publish {item.id}?", {"pages": item.pages, "checks": ["spelling", "links"]})
        return NeedsReview({"url": item.id}, question)

    @workflow.stage
    def archive(publish: Any) -> dict[str, int]:
        return {"shelf": 7}

    return workflow
