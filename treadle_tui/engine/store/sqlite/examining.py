"""A look at all of a database, from the bytes of the file to what its events tell. Changes nothing and opens nothing for writing.

`repairs` puts right what can be put right safely.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from treadle_tui.engine.other_processes import process_is_alive
from treadle_tui.engine.store.sqlite.addresses import Stillness, address
from treadle_tui.engine.store.sqlite.complaints import sentence_of
from treadle_tui.engine.store.sqlite.event_checks import disagreements
from treadle_tui.engine.store.sqlite.file_lock import is_affected
from treadle_tui.engine.store.sqlite.file_modes import unlike_the_database
from treadle_tui.engine.store.sqlite.finding import Examination, Finding, Repair, some
from treadle_tui.engine.store.sqlite.opening import BUSY_MS, check_ours
from treadle_tui.engine.store.sqlite.read_only import place_of
from treadle_tui.engine.store.sqlite.row_checks import CHECKS
from treadle_tui.engine.store.sqlite.schema import MIGRATIONS, PREFIX
from treadle_tui.engine.store.sqlite.unit import read_shapes

MOST_DAMAGES = 20
"""Damages SQLite lists of one file; more are not worth reading."""
STALE_SECONDS = 60.0
"""A log that is so much older than the database it lies beside is not the log of what was written to it last."""
_OF_INDEXES = ("missing from index", "wrong # of entries in index", "non-unique entry in index")
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs", "lustre"}


def examine(path: Path, *, is_quick: bool = False) -> Examination:
    """Look at everything. `is_quick`: leave out what reads every page and every event.

    Raises: `StoreCorrupt` for what is no database, or not ours; `StoreTooNew`; `StoreError` for what cannot be read.
    """
    found = Examination()
    found.findings += _beside(path)
    try:
        with closing(_opened(path)) as connection:
            _examine(connection, path, found, is_quick)
    except sqlite3.Error as error:
        raise sentence_of(error, path) from error
    return found


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(place_of(path, Stillness.of(path)), uri=True, isolation_level=None, timeout=BUSY_MS / 1000)
    try:
        connection.execute("BEGIN")  # one moment of the database, whatever happens to it meanwhile
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _examine(connection: sqlite3.Connection, path: Path, found: Examination, is_quick: bool) -> None:
    is_current = check_ours(connection, path)
    found.facts |= _facts(connection, path)
    found.findings += _rule_of_the_log()
    if not is_quick:
        damages = list(_damages(connection))
        found.findings += damages
        if any(damage.repair is None for damage in damages):
            return  # what the rows say cannot be relied on
    if not is_current:
        sentence = "it was written by an older version; it is brought up to date when it is opened, and can be examined then"
        found.findings.append(Finding("older version", sentence, False))
        return
    found.findings += _missing_indexes(connection)
    shapes = read_shapes(connection)
    for check in CHECKS:
        found.findings += check(connection, shapes)
    found.findings += _workers(connection)
    if not is_quick:
        found.findings += disagreements(connection, shapes)


# --- the file -----------------------------------------------------------------------------------------------------------------


def _beside(path: Path) -> Iterator[Finding]:
    """What the files beside it, and the place it lies in, have to say."""
    different = unlike_the_database(path)
    if different:
        names = ", ".join(file.name for file in different)
        sentence = f"{names} has not the permissions and the group of {path.name}, so that other accounts may be shut out, or let in"
        yield Finding("permissions", sentence, True, Repair.MODES, len(different))
    yield from _stale_log(path)
    kind = _file_system(path)
    if kind in _NETWORK:
        yield Finding("network", f"it lies on a network file system ({kind}), where SQLite's log does not work: move it to a local disk")
    others = _others(path)
    if others and is_affected():
        names = some(others, len(others))
        sentence = f"programs that do not heed the lock have it open: {names}; let none of them write"
        yield Finding("foreign programs", sentence, False, None, len(others))


def _stale_log(path: Path) -> Iterator[Finding]:
    """A log of another copy of the file. Reading it by hand is harmless: SQLite's locks are not on it."""
    log = Path(f"{path}-wal")
    try:
        with log.open("rb") as file:
            header = file.read(32)
        behind = path.stat().st_mtime - log.stat().st_mtime
    except OSError:
        return
    if len(header) < 32:
        return
    page_size = _page_size(path)
    log_page_size = int.from_bytes(header[8:12], "big")
    remedy = "move it aside, with a copy of the database, before anything opens both together"
    if header[:4] not in (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"):
        yield Finding("stale log", f"{log.name} is no log of SQLite's; {remedy}")
    elif page_size not in (0, log_page_size):
        yield Finding("stale log", f"{log.name} belongs to another database (its pages have {log_page_size} bytes); {remedy}")
    elif behind > STALE_SECONDS:
        sentence = (
            f"{log.name} is {behind / 60:.0f} minutes older than the database: if that was put there from elsewhere, such as a backup,"
            f" the log belongs to the file that was there before; {remedy}"
        )
        yield Finding("stale log", sentence)


def _page_size(path: Path) -> int:
    """Of the file as it lies, whatever its log says; 0 when it cannot be told."""
    try:
        with closing(sqlite3.connect(address(path, "immutable=1"), uri=True)) as connection:
            return int(connection.execute("PRAGMA page_size").fetchone()[0])
    except sqlite3.Error:
        return 0


def _file_system(path: Path) -> str:
    """The kind of file system it lies on; "" when it cannot be told."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return ""
    place = str(path.absolute().resolve())
    best, kind = "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        mount = before.split()[4].replace("\\040", " ")
        if (place == mount or place.startswith(mount.rstrip("/") + "/")) and len(mount) >= len(best):
            best, kind = mount, after.split()[0]
    return kind


def _holders(path: Path) -> Iterator[tuple[int, str]]:
    """Processes that have the database open, as far as this account may know: number and name."""
    try:
        wanted = path.stat()
        processes = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return
    for pid in processes:
        try:
            links = os.listdir(f"/proc/{pid}/fd")
            stats = (os.stat(f"/proc/{pid}/fd/{link}") for link in links)
            if any((each.st_ino, each.st_dev) == (wanted.st_ino, wanted.st_dev) for each in stats):
                yield pid, Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            continue


def _others(path: Path) -> list[str]:
    """Programs that have the database open, and not the lock file."""
    lock = path.with_name(path.name + "-lock")
    heeding = {pid for pid, _ in _holders(lock)} if lock.exists() else set()
    return [f"{name} (process {pid})" for pid, name in _holders(path) if pid not in heeding and pid != os.getpid()]


def _facts(connection: sqlite3.Connection, path: Path) -> dict[str, str | int | None]:
    ask: Callable[[str], int] = lambda name: connection.execute(f"PRAGMA {name}").fetchone()[0]  # noqa: E731
    log = Path(f"{path}-wal")
    return {
        "bytes": path.stat().st_size,
        "free_bytes": ask("freelist_count") * ask("page_size"),
        "log_bytes": log.stat().st_size if log.exists() else 0,
        "can_shrink": int(ask("auto_vacuum") == 2),
        "sqlite": sqlite3.sqlite_version,
        "is_affected": int(is_affected()),
        "version": connection.execute("SELECT max(number) FROM treadle_migrations").fetchone()[0],
        "newest_version": len(MIGRATIONS),
        "items": connection.execute("SELECT count(*) FROM treadle_items").fetchone()[0],
        "events": connection.execute("SELECT count(*) FROM treadle_events").fetchone()[0],
    }


def _rule_of_the_log() -> Iterator[Finding]:
    if is_affected():
        yield Finding(
            "rule of the log",
            f"SQLite {sqlite3.sqlite_version} can lose what was committed when two programs write or copy the log at the same instant"
            " (3.7.0 to 3.51.2; fixed in 3.51.3, 3.50.7 and 3.44.6). Treadle therefore writes under a lock file; a program of yours that"
            " writes to this database does not, so let none write while Treadle has it open, or use a newer SQLite everywhere",
            False,
        )
    else:
        yield Finding("rule of the log", f"SQLite {sqlite3.sqlite_version} needs no lock file: several programs may write", False)


def _damages(connection: sqlite3.Connection) -> Iterator[Finding]:
    try:
        told = [row[0] for row in connection.execute(f"PRAGMA integrity_check({MOST_DAMAGES})")]
    except sqlite3.DatabaseError as error:
        told = [str(error)]
    for damage in told:
        if damage == "ok":
            continue
        is_of_index = any(words in damage for words in _OF_INDEXES)
        remedy = "" if is_of_index else "; restore a backup, or try `sqlite3 FILE .recover` on a copy"
        yield Finding("damage", f"SQLite finds damage: {damage}{remedy}", True, Repair.INDEXES if is_of_index else None)
    for table, *_ in connection.execute("PRAGMA foreign_key_check"):
        if str(table).startswith(PREFIX):
            yield Finding("damage", f"a row of {table} belongs to a row that does not exist; restore a backup")


def expected_indexes() -> dict[str, str]:
    """The statements that make our indexes, by name."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for _, migrate in MIGRATIONS:
            migrate(connection)
        return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall())


def _missing_indexes(connection: sqlite3.Connection) -> Iterator[Finding]:
    there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    missing = sorted(set(expected_indexes()) - there)
    if missing:
        sentence = f"{len(missing)} indexes are missing ({some(missing, len(missing))}), so that some questions take very long"
        yield Finding("indexes", sentence, True, Repair.INDEXES, len(missing))


# --- engines ------------------------------------------------------------------------------------------------------------------


def standing_of(host: str, pid: int, start: str) -> str:
    """How a worker is, as far as can be told from here: alive, dead, or elsewhere."""
    import socket

    if host != socket.gethostname():
        return "elsewhere"
    return "alive" if process_is_alive(pid, start) else "dead"


def _workers(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Who holds what."""
    rows = connection.execute(
        "SELECT w.host, w.pid, w.pid_start, count(t.item) FROM treadle_workers w LEFT JOIN treadle_tasks t ON t.worker = w.id GROUP BY w.id"
    )
    for host, pid, start, leases in rows.fetchall():
        standing = standing_of(host, pid, start)
        holds = f"holds {leases:,} stages" if leases else "holds nothing"
        if standing == "alive":
            yield Finding("engine", f"an engine runs here (process {pid}) and {holds}", False, None, leases)
        elif standing == "elsewhere":
            sentence = (
                f"an engine on {host} (process {pid}) {holds}; whether it lives cannot be told from here: if its heartbeat stands still"
                " for half a minute, another engine takes over"
            )
            yield Finding("engine", sentence, False, None, leases)
        else:
            sentence = f"a dead engine (process {pid} here) still {holds}; the next engine that starts takes over"
            yield Finding("leases", sentence, bool(leases), Repair.LEASES, leases)
    (lost,) = connection.execute(
        "SELECT count(*) FROM treadle_tasks WHERE worker IS NOT NULL AND worker NOT IN (SELECT id FROM treadle_workers)"
    ).fetchone()
    if lost:
        yield Finding("leases", f"{lost:,} stages are held by engines nobody knows", True, Repair.LEASES, lost)
