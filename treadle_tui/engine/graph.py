"""The order of stages, and their pictures. Pure: names and dependencies in, names or text out; networkx only where it is asked for."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from treadle_tui.engine.errors import DagCycle

if TYPE_CHECKING:
    import networkx

Dependencies = Mapping[str, Sequence[str]]
"""Stage name to the names it depends on, every stage present, in insertion order."""


def topological_order(dependencies: Dependencies, workflow: str = "") -> list[str]:
    """Every name after what it depends on; in insertion order wherever that allows a choice.

    Raises: `DagCycle` with the stages of one circle.
    """
    names = list(dependencies)
    index = {name: place for place, name in enumerate(names)}
    open_count = [len(set(dependencies[name])) for name in names]
    dependents = dependents_of(dependencies)
    ready = [place for place, count in enumerate(open_count) if count == 0]
    order: list[str] = []
    while ready:
        name = names[heapq.heappop(ready)]
        order.append(name)
        for dependent in dependents[name]:
            place = index[dependent]
            open_count[place] -= 1
            if open_count[place] == 0:
                heapq.heappush(ready, place)
    if len(order) < len(names):
        raise DagCycle(find_cycle(dependencies, set(names).difference(order)), workflow)
    return order


def dependents_of(dependencies: Dependencies) -> dict[str, list[str]]:
    """Stage name to the names that depend on it, in insertion order, none twice."""
    dependents: dict[str, list[str]] = {name: [] for name in dependencies}
    for name, needed in dependencies.items():
        for dependency in dict.fromkeys(needed):
            dependents[dependency].append(name)
    return dependents


def find_cycle(dependencies: Dependencies, stuck: set[str]) -> list[str]:
    """One circle among names that each depend on another of them; each depends on the one before it.

    Begins with the name that was added first.
    """
    trail: list[str] = []
    places: dict[str, int] = {}
    name = next(name for name in dependencies if name in stuck)
    while name not in places:
        places[name] = len(trail)
        trail.append(name)
        name = next(dependency for dependency in dependencies[name] if dependency in stuck)
    cycle = trail[places[name] :][::-1]
    index = {name: place for place, name in enumerate(dependencies)}
    first = min(range(len(cycle)), key=lambda place: index[cycle[place]])
    return cycle[first:] + cycle[:first]


def to_networkx(dependencies: Dependencies) -> networkx.DiGraph[str]:
    """A new graph, edges from a stage to what depends on it; nodes in the order given."""
    import networkx

    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_nodes_from(dependencies)
    graph.add_edges_from((dependency, name) for name, needed in dependencies.items() for dependency in needed)
    return graph


def to_dot(name: str, dependencies: Dependencies) -> str:
    """The graph in Graphviz's language."""
    lines = [f"digraph {_dot_text(name)} {{", "  rankdir=LR;", "  node [shape=box];"]
    lines += [f"  {_dot_text(stage)};" for stage in dependencies]
    lines += [f"  {_dot_text(dependency)} -> {_dot_text(stage)};" for dependency, stage in _edges(dependencies)]
    return "\n".join([*lines, "}", ""])


def _dot_text(text: str) -> str:
    """In quotes; a backslash is doubled, since labels read `\\N` and `\\n` as something else."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
    return f'"{escaped}"'


_MERMAID_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_MERMAID_RESERVED = frozenset(
    {"end", "graph", "flowchart", "subgraph", "class", "classdef", "click", "style", "linkstyle", "direction", "default", "call", "href"}
)


def to_mermaid(dependencies: Dependencies) -> str:
    """The graph in Mermaid's language. A stage whose name is a plain word is its own node id."""
    ids = _mermaid_ids(dependencies)
    lines = ["flowchart LR"]
    lines += [f'  {ids[stage]}["{_mermaid_text(stage)}"]' for stage in dependencies]
    lines += [f"  {ids[dependency]} --> {ids[stage]}" for dependency, stage in _edges(dependencies)]
    return "\n".join([*lines, ""])


def _mermaid_ids(names: Iterable[str]) -> dict[str, str]:
    names = list(names)
    plain = {name for name in names if _MERMAID_WORD.fullmatch(name) and name.lower() not in _MERMAID_RESERVED}
    ids: dict[str, str] = {}
    for number, name in enumerate(names, 1):
        if name in plain:
            ids[name] = name
            continue
        candidate = f"stage{number}"
        while candidate in plain:
            candidate += "_"
        ids[name] = candidate
    return ids


def _mermaid_text(text: str) -> str:
    """Everything with a meaning in a label, or in the HTML it becomes, as a character code."""
    return "".join(
        character if character.isalnum() or character in " _-./:" or ord(character) > 127 else f"#{ord(character)};" for character in text
    )


def _edges(dependencies: Dependencies) -> list[tuple[str, str]]:
    return [(dependency, stage) for stage, needed in dependencies.items() for dependency in needed]
