"""A workflow as a tree, for where there is no room for boxes: every stage once, below the last of what it depends on.

A chain of stages stays in one column; only a fork goes a step to the right. What a stage depends on besides the stage above it is named
behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Dependencies = Mapping[str, Sequence[str]]


class TreeLine(NamedTuple):
    """One stage of the tree."""

    stage: str
    prefix: str
    """The lines in front of its name."""
    also: tuple[str, ...]
    """What it depends on besides the stage it stands under."""


def tree_lines(dependencies: Dependencies) -> list[TreeLine]:
    """Every stage of a workflow, in the order of a tree; `dependencies` in topological order."""
    order = {name: number for number, name in enumerate(dependencies)}
    parent = {name: max(above, key=order.__getitem__) for name, above in dependencies.items() if above}
    children: dict[str, list[str]] = {name: [] for name in dependencies}
    for name, above in parent.items():
        children[above].append(name)
    lines: list[TreeLine] = []
    # From a stack, not by recursion: a chain may be longer than Python's stack.
    pending = [(name, "", "") for name in reversed(list(dependencies)) if name not in parent]
    while pending:
        name, sign, indent = pending.pop()
        also = tuple(above for above in dependencies[name] if above != parent.get(name))
        lines.append(TreeLine(name, sign, also))
        below = children[name]
        if len(below) == 1:
            pending.append((below[0], f"{indent}↓ ", indent))
            continue
        for number in range(len(below) - 1, -1, -1):
            is_last = number == len(below) - 1
            pending.append((below[number], f"{indent}{'└ ' if is_last else '├ '}", indent + ("  " if is_last else "│ ")))
    return lines
