"""Takes every snapshot anew, after a change of how things look that was meant.

python -m tests.snapshots.renew
"""

from __future__ import annotations

import asyncio

from tests.snapshots.taking import PICTURES, SIZES, TEXTS, snapshots


def main() -> None:
    """Write all of them, and remove those of scenes that are no more."""
    taken = [snapshot for size in SIZES for snapshot in asyncio.run(snapshots(size))]
    for folder in (TEXTS, PICTURES):
        folder.mkdir(exist_ok=True)
        for path in set(folder.iterdir()) - {snapshot.path for snapshot in taken}:
            path.unlink()
    changed = [each for each in taken if not each.path.exists() or each.path.read_text() != each.content]
    for snapshot in changed:
        snapshot.path.write_text(snapshot.content)
        print(snapshot.path)
    print(f"{len(changed)} of {len(taken)} have changed")


if __name__ == "__main__":
    main()
