"""What depends on what, drawn: one picture for each cluster, laid out here. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from landed.model import Kustomization, ObjectRef
from landed.reports.html import signs
from landed.reports.html.head import named
from landed.reports.html.layers import Layout, laid_out
from landed.reports.html.seen import Column
from landed.reports.html.signs import SIGNS, Sign

#: Where there are more nodes, only those that are not live are drawn, and their neighbours; of these so many at most.
MANY = 80
#: Pixels: a box, the ways between boxes, the margin.
WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 190, 42, 54, 14, 8
#: Characters of a name that fit into a box.
_ROOM = 22


class Node(Struct, frozen=True):
    """A box. ``x`` and ``y`` are its upper left corner."""

    name: str
    label: str
    """The name as far as it fits."""
    sign: Sign
    x: float
    y: float
    needs: tuple[tuple[str, str], ...] = ()
    """What it depends on: name, and how that stands."""


class Edge(Struct, frozen=True):
    """An arrow, from what must be ready first."""

    path: str
    kind: str
    """``closing`` where it closes a cycle, ``held`` where what must be ready is not, else empty."""


class Picture(Struct, frozen=True):
    """The dependencies of one cluster."""

    cluster: str
    width: float
    height: float
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    alone: int
    """Kustomizations that depend on nothing, and nothing on them."""
    left: int
    """Nodes that are not drawn, because there are too many."""
    cycles: tuple[str, ...]
    """Dependencies that close a circle, as the beginnings of sentences."""
    calm: bool
    """Whether everything drawn is live."""


class _Graph(Struct, frozen=True):
    keys: dict[ObjectRef, str]
    """Everything that has to do with a dependency, and its sign."""
    edges: tuple[tuple[ObjectRef, ObjectRef], ...]


def pictures(columns: Sequence[Column]) -> tuple[Picture, ...]:
    """A picture for each cluster that was read so that its dependencies are known, and has any."""
    found = []
    for column in columns:
        if column.error or column.look is None or column.look.read is None:
            continue
        read = column.look.read.kustomizations
        graph = _graph(column, read)
        if graph.edges:
            alone = sum(k.ref in column.cells and k.ref not in graph.keys for k in read)
            found.append(_picture(column.name, graph, alone))
    return tuple(found)


def _graph(column: Column, read: Iterable[Kustomization]) -> _Graph:
    there = {k.ref: k for k in read}
    edges = tuple((needed, k.ref) for k in there.values() for needed in dict.fromkeys(k.depends_on))
    keys = {ref: _key(column, there, ref) for ref in sorted({ref for edge in edges for ref in edge})}
    return _Graph(keys, tuple(sorted(edges)))


def _key(column: Column, there: dict[ObjectRef, Kustomization], ref: ObjectRef) -> str:
    if ref in column.cells:
        return column.cells[ref].key
    return "other" if ref in there else "missing"


def _picture(cluster: str, graph: _Graph, alone: int) -> Picture:
    shown = _shown(graph)
    order = [ref for ref in graph.keys if ref in shown]
    numbers = {ref: number for number, ref in enumerate(order)}
    edges = [edge for edge in graph.edges if edge[0] in shown and edge[1] in shown]
    layout = laid_out(len(order), [(numbers[a], numbers[b]) for a, b in edges])
    places = _places(layout)
    nodes = tuple(_node(graph, ref, places[number]) for number, ref in enumerate(order))
    drawn = tuple(
        Edge(
            _path([places[stop] for stop in route], len(order), route),
            "closing" if place in layout.closing else "held" if graph.keys[edges[place][0]] != "live" else "",
        )
        for place, route in enumerate(layout.routes)
        if edges[place][0] != edges[place][1]
    )
    cycles = tuple(_cycle(*edges[place]) for place in sorted(layout.closing))
    width = len(layout.layers) * (WIDTH + ACROSS) - ACROSS + 2 * MARGIN
    height = max((y for _, y in places.values()), default=0) + HEIGHT + 2 * MARGIN
    if cycles:
        height += 26  # an edge that leads back passes below
    calm = all(node.sign.key == "live" for node in nodes)
    return Picture(cluster, width, height, nodes, drawn, alone, len(graph.keys) - len(order), cycles, calm)


def _cycle(needed: ObjectRef, needs: ObjectRef) -> str:
    if needed == needs:
        return f"{named(needs)} depends on itself"
    return f"{named(needs)} depends on {named(needed)}, which depends on it, directly or through others"


def _shown(graph: _Graph) -> frozenset[ObjectRef]:
    if len(graph.keys) <= MANY:
        return frozenset(graph.keys)
    near = [ref for ref, key in sorted(graph.keys.items(), key=lambda pair: (signs.rank(pair[1]), pair[0]))
            if key not in ("live", "other")]  # fmt: skip
    around: dict[ObjectRef, None] = dict.fromkeys(near)
    for ref in near:
        around.update(dict.fromkeys(b if a == ref else a for a, b in graph.edges if ref in (a, b)))
    return frozenset(list(around)[:MANY])


def _places(layout: Layout) -> dict[int, tuple[float, float]]:
    """The upper left corner of every node and bend."""
    return {
        node: (MARGIN + depth * (WIDTH + ACROSS), round(MARGIN + layout.rows[node] * (HEIGHT + DOWN), 1))
        for depth, layer in enumerate(layout.layers)
        for node in layer
    }


def _node(graph: _Graph, ref: ObjectRef, place: tuple[float, float]) -> Node:
    name = named(ref)
    needs = tuple((named(a), SIGNS[graph.keys[a]].word) for a, b in graph.edges if b == ref)
    return Node(name, shortened(name, _ROOM), SIGNS[graph.keys[ref]], *place, needs)


def shortened(name: str, room: int) -> str:
    """``name`` in at most ``room`` characters, its end being what tells it from others."""
    name = signs.line(name)
    if len(name) <= room:
        return name
    head = room // 3
    return f"{name[:head]}…{name[len(name) - (room - head - 1) :]}"


def _path(places: Sequence[tuple[float, float]], nodes: int, route: Sequence[int]) -> str:
    """A smooth line from the right side of the first box, straight through the bends, to the left side of the last."""
    (x0, y0), (x1, y1) = places[0], places[-1]
    middle = HEIGHT / 2
    if x1 <= x0:  # it leads back: below everything between, so that it can be followed
        low = max(y0, y1) + HEIGHT + 18
        start, end = x0 + WIDTH / 2, x1 + WIDTH / 2
        return f"M{start:g} {y0 + HEIGHT:g}C{start:g} {low:g} {end:g} {low:g} {end:g} {y1 + HEIGHT + 6:g}"
    parts = [f"M{x0 + WIDTH:g} {y0 + middle:g}"]
    at, height = x0 + WIDTH, y0 + middle
    for (x, y), stop in zip(places[1:], route[1:], strict=True):
        end = x - 6 if stop < nodes else x  # room for the arrow's head
        half = (at + end) / 2
        parts.append(f"C{half:g} {height:g} {half:g} {y + middle:g} {end:g} {y + middle:g}")
        if stop >= nodes:
            parts.append(f"H{x + WIDTH:g}")
        at, height = x + WIDTH, y + middle
    return "".join(parts)
