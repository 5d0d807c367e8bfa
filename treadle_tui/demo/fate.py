"""Chance that repeats itself: the same item meets the same fate in every run."""

from __future__ import annotations

import random


def fate(*of: object) -> random.Random:
    """Chance that is the same for the same thing in every run."""
    return random.Random("/".join(str(each) for each in of))
