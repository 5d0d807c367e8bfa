"""The answer to a filter or an order: keys as they were when it was asked.

It stays as it is until the question is asked again, so nothing moves under the cursor while work goes on. What has come to fit
since then, and what fits no longer, is known beside it.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence

#: Longer lists are compared by their length alone: sets of a million keys would cost more than they tell.
MOST_COMPARED = 20_000


class Listing:
    """Keys of items in the order they are shown."""

    def __init__(self, keys: Sequence[int], *, is_whole: bool = True) -> None:
        self.keys = array("q", keys)
        self.is_whole = is_whole
        """False while only the first of them are known."""
        self.new: Sequence[int] = ()
        """Keys that fit by now and are not among them."""
        self.new_count = 0
        self.gone: set[int] = set()
        """Keys among them that fit no longer."""

    def __len__(self) -> int:
        return len(self.keys)

    def index_of(self, key: int) -> int | None:
        """Where the item stands; None when it does not."""
        try:
            return self.keys.index(key)
        except ValueError:
            return None

    def extend_to(self, keys: array[int]) -> bool:
        """Take the whole answer in; False, and nothing is changed, when it does not begin with what is known."""
        if keys[: len(self.keys)] != self.keys:
            return False
        self.keys, self.is_whole = keys, True
        return True

    def compare(self, fresh: array[int]) -> None:
        """Find out what has come and gone, given how the answer would be now."""
        if max(len(fresh), len(self.keys)) > MOST_COMPARED:
            self.new, self.new_count = (), max(0, len(fresh) - len(self.keys))
            return
        known, now = set(self.keys), set(fresh)
        self.new = [key for key in fresh if key not in known]
        self.new_count = len(self.new)
        self.gone = known - now

    def take_new_in(self) -> None:
        """What has come is shown from now on, below the rest."""
        self.keys.extend(self.new)
        self.new, self.new_count = (), 0

    def drop(self, keys: Collection[int]) -> None:
        """Items of these keys are no more."""
        gone = set(keys)
        self.keys = array("q", (key for key in self.keys if key not in gone))
        self.gone -= gone
