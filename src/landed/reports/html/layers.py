"""Where the nodes of a directed graph stand: in layers, each after everything that it needs. No I/O.

Cycles are tolerated: an edge that closes one counts for nothing. All arithmetic is on small integers and fractions, so
the same graph stands the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from msgspec import Struct


class Layout(Struct, frozen=True):
    """Nodes, by their number, in places."""

    layers: tuple[tuple[int, ...], ...]
    """From left to right, each from top to bottom; numbers past the last node are bends of long edges."""
    rows: Mapping[int, float]
    """How far down each stands, in rows."""
    routes: tuple[tuple[int, ...], ...]
    """For each edge the nodes and bends that it passes, in the order in which the edges were given."""
    closing: frozenset[int]
    """The edges that close a cycle, by their place."""


#: How often the order within the layers is improved, and the places after that.
_SWEEPS, _SETTLES = 8, 12


def laid_out(count: int, edges: Sequence[tuple[int, int]]) -> Layout:
    """Lay out ``count`` nodes. An edge leads from what is needed to what needs it."""
    closing = _closing(count, edges)
    forward = [edge for place, edge in enumerate(edges) if place not in closing]
    depths = _depths(count, forward)
    layers: list[list[int]] = [[] for _ in range(max(depths, default=-1) + 1)]
    for node, depth in enumerate(depths):
        layers[depth].append(node)
    routes, bends = _routes(count, edges, depths, closing, layers)
    above, below = _neighbours(routes, count + bends, closing)
    _untangle(layers, above, below)
    return Layout(tuple(map(tuple, layers)), _settled(layers, above, below), tuple(routes), closing)


def _closing(count: int, edges: Sequence[tuple[int, int]]) -> frozenset[int]:
    """The edges that lead back to a node on the way to it, found depth first."""
    out: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for place, (source, target) in enumerate(edges):
        out[source].append((place, target))
    found: set[int] = set()
    colours = [0] * count  # 0 not seen, 1 on the way, 2 done
    for start in range(count):
        if colours[start]:
            continue
        colours[start], way = 1, [(start, iter(out[start]))]
        while way:
            node, rest = way[-1]
            step = next(rest, None)
            if step is None:
                colours[node] = 2
                way.pop()
            elif colours[step[1]] == 1:
                found.add(step[0])
            elif not colours[step[1]]:
                colours[step[1]] = 1
                way.append((step[1], iter(out[step[1]])))
    return frozenset(found)


def _depths(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The length of the longest path to each node, without cycles."""
    depths, needs = [0] * count, [0] * count
    out: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        out[source].append(target)
        needs[target] += 1
    ready = [node for node in range(count) if not needs[node]]
    for node in ready:  # grows while it is walked
        for target in out[node]:
            depths[target] = max(depths[target], depths[node] + 1)
            needs[target] -= 1
            if not needs[target]:
                ready.append(target)
    return depths


def _routes(
    count: int,
    edges: Sequence[tuple[int, int]],
    depths: Sequence[int],
    closing: frozenset[int],
    layers: list[list[int]],
) -> tuple[list[tuple[int, ...]], int]:
    """Edges over several layers get a bend in each one between, so that they lead past what stands there."""
    routes, bends = [], 0
    for place, (source, target) in enumerate(edges):
        between: list[int] = []
        for depth in range(depths[source] + 1, depths[target]) if place not in closing else ():
            layers[depth].append(count + bends)
            between.append(count + bends)
            bends += 1
        routes.append((source, *between, target))
    return routes, bends


def _neighbours(
    routes: Sequence[tuple[int, ...]], count: int, closing: frozenset[int]
) -> tuple[list[list[int]], list[list[int]]]:
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for place, route in enumerate(routes):
        for one, next_ in pairwise(route) if place not in closing else ():
            below[one].append(next_)
            above[next_].append(one)
    return above, below


def _untangle(layers: list[list[int]], above: Sequence[list[int]], below: Sequence[list[int]]) -> None:
    """Order each layer by where its neighbours stand, there and back, so that fewer edges cross."""
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        neighbours = above if downwards else below
        order = range(1, len(layers)) if downwards else range(len(layers) - 2, -1, -1)
        for depth in order:
            fixed = {node: place for place, node in enumerate(layers[depth - 1 if downwards else depth + 1])}
            own = enumerate(layers[depth])
            wanted = [(_middle([fixed[m] for m in neighbours[node]], place), place, node) for place, node in own]
            layers[depth] = [node for _, _, node in sorted(wanted)]


def _middle(places: Sequence[float], otherwise: float) -> float:
    return sum(places) / len(places) if places else float(otherwise)


def _settled(
    layers: Sequence[Sequence[int]], above: Sequence[list[int]], below: Sequence[list[int]]
) -> dict[int, float]:
    """Move every node towards its neighbours, keeping the order and one row between any two."""
    rows = {node: float(place) for layer in layers for place, node in enumerate(layer)}
    for settle in range(_SETTLES):
        for layer in layers if settle % 2 == 0 else tuple(reversed(layers)):
            wanted = [_middle([rows[m] for m in (*above[n], *below[n])], rows[n]) for n in layer]
            for node, row in zip(layer, _spread(wanted), strict=True):
                rows[node] = row
    top = min(rows.values(), default=0.0)
    return {node: round(row - top, 2) for node, row in rows.items()}


def _spread(wanted: Sequence[float]) -> list[float]:
    """The places nearest to the wanted ones that are in order and at least one apart: neighbours that would stand too
    close move as one.
    """
    blocks: list[tuple[float, int]] = []  # sum of (wanted - offset), length
    for number, row in enumerate(wanted):
        total, length = row - number, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / length:
            before = blocks.pop()
            total, length = total + before[0], length + before[1]
        blocks.append((total, length))
    places: list[float] = []
    for total, length in blocks:
        places += [total / length + len(places) + step for step in range(length)]
    return places
