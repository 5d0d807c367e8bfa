"""Where the stages of a workflow stand when it is drawn from top to bottom: layers, order within them, columns.

The steps are those of Sugiyama's method: layers by longest path, long edges cut into pieces by stand-ins (one per layer they pass),
order by medians of neighbours until no fewer lines cross, columns as near to the neighbours as the order allows. Pure: names, edges
and widths in, places out. networkx gives the order of layers and is imported only when a graph is laid out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

#: Blank cells between two boxes, and between a box and a line that passes it.
BOX_GAP, LINE_GAP = 3, 2
#: Sweeps after which no better order is looked for, and rounds in which columns are evened out.
_SWEEPS, _ROUNDS = 12, 8
#: Cells by which a line is moved to be straight.
_SNAP = 4
#: How much straighter a long line is kept than the step from box to box.
_LINE_WEIGHT = 4.0

Dependencies = Mapping[str, Sequence[str]]


@dataclass(slots=True)
class Place:
    """A stage, or the stand-in of a line that passes a layer."""

    stage: str
    """Empty for a stand-in."""
    width: int
    layer: int
    x: int = 0
    """The leftmost cell."""
    above: list[Place] = field(default_factory=list)
    below: list[Place] = field(default_factory=list)
    entries: dict[int, int] = field(default_factory=dict)
    """The column in which the line of each place above comes in, by that place's `id`; none is shared."""

    @property
    def port(self) -> int:
        """The column in which lines leave."""
        return self.x + (self.width - 1) // 2

    def exits(self) -> list[int]:
        """The columns in which its lines come in below."""
        return [below.entries[id(self)] for below in self.below]

    @property
    def is_line(self) -> bool:
        """Whether it is only a line that passes."""
        return not self.stage


@dataclass(frozen=True, slots=True)
class Layout:
    """Layers from top to bottom, each from left to right."""

    layers: Sequence[Sequence[Place]]
    width: int

    def place(self, stage: str) -> Place | None:
        """Where a stage stands; None for an unknown one."""
        return next((place for layer in self.layers for place in layer if place.stage == stage), None)


def lay_out(dependencies: Dependencies, widths: Mapping[str, int], most_width: int) -> Layout:
    """Places for every stage; no layer wider than `most_width` unless a single box, or the lines that must pass, are."""
    layer_of = _layers(dependencies, widths, most_width)
    layers = _with_stand_ins(dependencies, widths, layer_of)
    _order(layers)
    _place(layers, most_width)
    return Layout(layers, max((place.x + place.width for layer in layers for place in layer), default=0))


def _layers(dependencies: Dependencies, widths: Mapping[str, int], most_width: int) -> dict[str, int]:
    """Every stage below what it depends on; as near to what depends on it as that allows; no layer too wide."""
    from treadle_tui.engine.graph import to_networkx

    import networkx  # isort: skip

    graph = to_networkx(dependencies)
    depth = {name: number for number, names in enumerate(networkx.topological_generations(graph)) for name in names}
    for name in reversed(list(networkx.topological_sort(graph))):
        below = [depth[other] for other in graph.successors(name)]
        if below and graph.in_degree(name) < graph.out_degree(name):
            depth[name] = max(depth[name], min(below) - 1)
    taken: dict[int, int] = {}
    found: dict[str, int] = {}
    order = {name: number for number, name in enumerate(dependencies)}
    for name in sorted(dependencies, key=lambda name: (depth[name], order[name])):
        layer = max([depth[name], *(found[above] + 1 for above in dependencies[name])])
        while taken.get(layer, 0) and taken[layer] + BOX_GAP + widths[name] > most_width:
            layer += 1
        taken[layer] = taken.get(layer, -BOX_GAP) + BOX_GAP + widths[name]
        found[name] = layer
    return found


def _with_stand_ins(dependencies: Dependencies, widths: Mapping[str, int], layer_of: Mapping[str, int]) -> list[list[Place]]:
    """Places by layer; an edge that passes layers goes through a stand-in in each, shared by edges from the same stage."""
    layers: list[list[Place]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    places = {name: Place(name, widths[name], layer_of[name]) for name in dependencies}
    lines: dict[tuple[str, int], Place] = {}
    for name, place in places.items():
        layers[place.layer].append(place)
        for source in dict.fromkeys(dependencies[name]):
            upper = places[source]
            for number in range(upper.layer + 1, place.layer):
                if (source, number) not in lines:
                    lines[source, number] = Place("", 1, number)
                    layers[number].append(lines[source, number])
                    _join(upper, lines[source, number])
                upper = lines[source, number]
            _join(upper, place)
    return layers


def _join(upper: Place, lower: Place) -> None:
    upper.below.append(lower)
    lower.above.append(upper)


# --- order ------------------------------------------------------------------------------------------------------------------------


def _order(layers: list[list[Place]]) -> None:
    """Order the layers so that few lines cross."""
    best, fewest = [list(layer) for layer in layers], crossings(layers)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        is_downward = sweep % 2 == 0
        for layer, beside in _neighbours(layers, is_downward):
            rank = {id(place): number for number, place in enumerate(beside)}
            layer.sort(key=lambda place, rank=rank, layer=list(layer): _median(place, rank, is_downward, layer))  # type: ignore[misc]
        _swap_neighbours(layers)
        found = crossings(layers)
        if found < fewest:
            best, fewest = [list(layer) for layer in layers], found
    layers[:] = best


def _neighbours(layers: list[list[Place]], is_downward: bool) -> list[tuple[list[Place], list[Place]]]:
    pairs = list(pairwise(layers))
    return [(lower, upper) for upper, lower in pairs] if is_downward else [(upper, lower) for upper, lower in reversed(pairs)]


def _median(place: Place, rank: Mapping[int, int], is_downward: bool, layer: Sequence[Place]) -> float:
    ranks = sorted(rank[id(other)] for other in (place.above if is_downward else place.below))
    if not ranks:
        return float(next(number for number, other in enumerate(layer) if other is place))
    middle = len(ranks) // 2
    return float(ranks[middle]) if len(ranks) % 2 else (ranks[middle - 1] + ranks[middle]) / 2


def _swap_neighbours(layers: list[list[Place]]) -> None:
    """Swap two that stand side by side wherever that makes fewer lines cross."""
    for number, layer in enumerate(layers):
        around = layers[max(0, number - 1) : number + 2]
        for at in range(len(layer) - 1):
            before = crossings(around)
            layer[at], layer[at + 1] = layer[at + 1], layer[at]
            if crossings(around) >= before:
                layer[at], layer[at + 1] = layer[at + 1], layer[at]


def crossings(layers: Sequence[Sequence[Place]]) -> int:
    """How many pairs of lines cross between neighbouring layers."""
    found = 0
    for upper, lower in pairwise(layers):
        rank = {id(place): number for number, place in enumerate(lower)}
        ends = [rank[id(below)] for place in upper for below in sorted(place.below, key=lambda each: rank[id(each)])]
        found += sum(left > right for number, left in enumerate(ends) for right in ends[number + 1 :])
    return found


# --- columns ----------------------------------------------------------------------------------------------------------------------


def _place(layers: list[list[Place]], most_width: int) -> None:
    """Columns as near to the middle of the neighbours as the order allows, the leftmost being 0."""
    for layer in layers:
        at = 0
        for place, gap in zip(layer, _gaps(layer), strict=True):
            place.x = at
            at += place.width + gap
    for number in range(_ROUNDS):
        is_last = number == _ROUNDS - 1
        for layer in layers if number % 2 == 0 else reversed(layers):
            _even_out(layer, up=number % 2 == 0 or is_last, down=number % 2 == 1 or is_last)
    for layer in [*layers, *reversed(layers)]:
        _straighten(layer)
    _squeeze(layers, most_width)
    left = min((place.x for layer in layers for place in layer), default=0)
    for layer in layers:
        for place in layer:
            place.x -= left
    for number, layer in enumerate(layers):
        ports = {place.port: id(place) for place in layers[number - 1]} if number else {}
        for place in layer:
            _let_in(place, ports)


def _squeeze(layers: Sequence[Sequence[Place]], most_width: int) -> None:
    """Push what stands outside of `most_width` columns back in, around the middle of the widest layer."""
    edges = [(layer[0].x, layer[-1].x + layer[-1].width) for layer in layers if layer]
    if not edges or max(right for _, right in edges) - min(left for left, _ in edges) <= most_width:
        return
    widest = max(edges, key=lambda edge: edge[1] - edge[0])
    first = sum(widest) // 2 - most_width // 2
    for layer in layers:
        gaps = _gaps(layer)
        least, most = first, first + most_width
        for place, gap in zip(layer, gaps, strict=True):
            place.x = max(place.x, least)
            least = place.x + place.width + gap
        for number in range(len(layer) - 1, -1, -1):
            layer[number].x = min(layer[number].x, most - layer[number].width)
            most = layer[number].x - (gaps[number - 1] if number else 0)


def _straighten(layer: Sequence[Place]) -> None:
    """Where a line is off by a few cells and there is room, move it under or over what it comes from or leads to."""
    for number, place in enumerate(layer):
        if not place.is_line:
            continue
        least = layer[number - 1].x + layer[number - 1].width + LINE_GAP if number else place.x - _SNAP
        most = layer[number + 1].x - place.width - LINE_GAP if number + 1 < len(layer) else place.x + _SNAP
        for other in (*place.above, *place.below):
            if abs(other.port - place.x) <= _SNAP and least <= other.port <= most:
                place.x = other.port
                break


def _let_in(place: Place, ports: Mapping[int, int]) -> None:
    """Give every line from above a column of its own, straight below where it comes from if that can be.

    `ports`: columns in which lines leave the layer above, with the `id` of whose they are; no other line comes in straight below one.
    """
    above = sorted(place.above, key=lambda other: other.port)
    if place.is_line:
        place.entries = {id(other): place.x for other in above}
        return
    margin = min(2, place.width // 3)
    first, last = place.x + margin, place.x + place.width - 1 - margin
    step = 2 if (len(above) - 1) * 2 <= last - first else 1
    columns: list[int] = []
    for number, other in enumerate(above):
        wish = other.port if len(above) > 1 or first <= other.port <= last else place.port
        columns.append(max(min(wish, last), columns[-1] + step if number else first))
    for number in range(len(columns) - 1, -1, -1):
        most = last if number == len(columns) - 1 else columns[number + 1] - step
        columns[number] = min(columns[number], most)
    taken: set[int] = set()
    for number, (other, column) in enumerate(zip(above, columns, strict=True)):
        kept = taken.union(columns[number + 1 :])
        near = (column + delta for delta in (0, -1, 1, -2, 2, -3, 3))
        free = (each for each in near if first <= each <= last and each not in kept and ports.get(each, id(other)) == id(other))
        place.entries[id(other)] = next(free, column)
        taken.add(place.entries[id(other)])


def _gaps(layer: Sequence[Place]) -> list[int]:
    """Blank cells behind each place."""
    return [LINE_GAP if left.is_line or right.is_line else BOX_GAP for left, right in pairwise(layer)] + [0] * bool(layer)


def _even_out(layer: Sequence[Place], *, up: bool, down: bool) -> None:
    """Move a layer to where its neighbours want it: the least squares that keep order and gaps, by pooling neighbours that collide."""
    offsets = [0]
    for place, gap in zip(layer, _gaps(layer), strict=True):
        offsets.append(offsets[-1] + place.width + gap)
    pools: list[tuple[float, float, int]] = []  # sum of wishes, weight, how many
    for place, offset in zip(layer, offsets, strict=False):
        wish, weight = _wish(place, up=up, down=down)
        pool = ((wish - offset) * weight, weight, 1)
        while pools and pools[-1][0] / pools[-1][1] > pool[0] / pool[1]:
            last = pools.pop()
            pool = (last[0] + pool[0], last[1] + pool[1], last[2] + pool[2])
        pools.append(pool)
    at = 0
    for total, weight, count in pools:
        shift = round(total / weight)
        for number in range(at, at + count):
            layer[number].x = offsets[number] + shift
        at += count


def _wish(place: Place, *, up: bool, down: bool) -> tuple[float, float]:
    """Where a place would best begin, and how much that matters."""
    beside = (place.above if up else []) + (place.below if down else [])
    if not beside:
        return float(place.x), 0.1
    weights = [_LINE_WEIGHT if place.is_line and other.is_line else 1.0 for other in beside]
    middle = sum(other.port * weight for other, weight in zip(beside, weights, strict=True)) / sum(weights)
    return middle - (place.width - 1) // 2, sum(weights)
