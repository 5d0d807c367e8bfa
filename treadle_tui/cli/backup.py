"""The verb `backup`: a consistent copy of the database, made while it is in use."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from treadle_tui.cli.invocation import Invocation, json_option, pass_invocation, shared_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite FILE when it exists.")
@shared_options()
@json_option
@pass_invocation
def backup(invocation: Invocation, file: Path, force: bool, as_json: bool) -> None:
    """Copy the database to FILE, whatever works on it meanwhile. To restore it, open FILE, or put it in the database's place."""
    from treadle_tui.cli.database import require_existing
    from treadle_tui.cli.output import say, say_json
    from treadle_tui.engine.store.sqlite.backing_up import back_up

    db = invocation.database
    require_existing(db)
    target = file.expanduser()
    with _progress(is_shown=not as_json and sys.stderr.isatty()) as report:
        size = back_up(db, target, overwrite=force, report=report)
    if as_json:
        say_json({"database": str(db.absolute()), "backup": str(target.absolute()), "bytes": size})
    else:
        say(f"{target}: {size_words(size)}, a complete copy of {db}")


def _progress(*, is_shown: bool) -> AbstractContextManager[Callable[[int, int], None] | None]:
    if not is_shown:
        return nullcontext()
    from contextlib import contextmanager
    from typing import Any

    @contextmanager
    def bar() -> Any:
        last = -1

        def report(done: int, total: int) -> None:
            nonlocal last
            percent = 100 * done // max(1, total)
            if percent != last:
                last = percent
                print(f"\r{percent:3} %", end="", file=sys.stderr, flush=True)

        yield report
        print("\r     \r", end="", file=sys.stderr, flush=True)

    return bar()


def size_words(size: int) -> str:
    """Bytes as a person reads them: "812 bytes", "3.4 MiB"."""
    amount = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            return f"{size} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("the last unit takes everything")
