"""What a workflow says when a library it needs is not installed: which one, and the command that brings it."""

from importlib.util import find_spec


def missing_extra(extra: str, *modules: str) -> str | None:
    """A sentence for the first of these modules that is not installed; None when all are there."""
    for module in modules:
        if find_spec(module) is None:
            return f'{module} is not installed; run: pip install "treadle-tui[{extra}]", then retry'
    return None
