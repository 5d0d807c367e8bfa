"""What processes under test write down as they go, in a file that survives their death: one line per fact, in one write each."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """Appends facts. Several processes may write to one journal; a line is whole or not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._pid = os.getpid()

    def note(self, what: str, **facts: Any) -> None:
        """Write down one fact, with the time by the clock that all processes of the machine share."""
        line = json.dumps({"what": what, "pid": self._pid, "ns": time.monotonic_ns(), **facts}, default=str)
        os.write(self._file, line.encode() + b"\n")

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)

    def facts(self, *what: str) -> Iterator[dict[str, Any]]:
        """What has been written down, in order; of these kinds, or all."""
        for line in self.path.read_bytes().splitlines():
            fact = json.loads(line)
            if not what or fact["what"] in what:
                yield fact
