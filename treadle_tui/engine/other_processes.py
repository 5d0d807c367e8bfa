"""Whether a process of this host still lives, and when it began: a number alone is given to another process in time.

Linux tells in `/proc`, for nothing. Elsewhere psutil asks the system; `os.kill(pid, 0)`, which only looks on Unix, interrupts on Windows.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_has_proc: bool = sys.platform == "linux"


def process_start(pid: int) -> str:
    """When a process began, as the system tells it; "" when it cannot be told or there is no such process."""
    if _has_proc:
        fields = _stat_of(pid)
        return fields[19] if fields else ""
    return _start_told_by_psutil(pid)


def process_is_alive(pid: int, start: str) -> bool:
    """Whether the process that began then still runs; one that has ended and that nobody has asked how does not."""
    if pid == os.getpid():
        return not start or start == process_start(pid)
    if not (_is_there(pid) if _has_proc else _is_there_says_psutil(pid)):
        return False
    now = process_start(pid)
    return not start or not now or now == start


def _is_there(pid: int) -> bool:
    """Whether it exists, and is no zombie: killed, and its parent has not looked after it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it exists, and belongs to somebody else
    fields = _stat_of(pid)
    return not fields or fields[0] not in ("Z", "X")


def _stat_of(pid: int) -> list[str]:
    """What `/proc/…/stat` says behind the program's name, which may hold anything; nothing when it cannot be read."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return stat.rsplit(")", 1)[1].split()


def _start_told_by_psutil(pid: int) -> str:
    import psutil

    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.Error:
        return ""


def _is_there_says_psutil(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD))
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True  # it exists, and belongs to somebody else
