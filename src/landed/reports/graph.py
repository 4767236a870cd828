"""Which Kustomization depends on which, as a Mermaid flowchart. No I/O.

GitHub and GitLab draw it from a fenced block: https://mermaid.js.org/syntax/flowchart.html . Nodes are numbered and
never named by a stranger; all of a label but letters, digits and blanks is written as Mermaid's own entities, ``#34;``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from msgspec import Struct

from landed import render as sentences
from landed.model import Look, ObjectRef, Report, Standing, Verdict
from landed.reports.markup import code
from landed.reports.rows import SYMBOLS, plain, rank
from landed.reports.standings import called, kustomizations, standings

#: What people can still read, and hosts still draw.
MOST_NODES = 60
MOST_EDGES = 200
MOST_GRAPHS = 4
_LONGEST_LABEL = 60
_UNSAFE = re.compile(r"[^A-Za-z0-9 ]")
_STYLES = {
    "lost": "stroke:crimson,stroke-width:3px",
    "waiting": "stroke:orange,stroke-width:2px,stroke-dasharray:5 5",
    "live": "stroke:seagreen,stroke-width:2px",
    "other": "stroke:gray",
}


class Graph(Struct, frozen=True):
    """What one cluster's Kustomizations depend on."""

    cluster: str
    nodes: tuple[ObjectRef, ...]
    """Troubles first."""
    edges: tuple[tuple[ObjectRef, ObjectRef], ...]
    """A dependency, and what depends on it."""
    states: Mapping[ObjectRef, str]
    left_out: int = 0
    """Kustomizations that there was no room for."""


def graphs(report: Report) -> tuple[Graph, ...]:
    """One for each cluster where something depends on something, the ones with troubles first."""
    found = standings(report)
    made = [_graph(look, [one for one in found if one.cluster == look.cluster]) for look in report.looks]
    worst = sorted((g for g in made if g.edges), key=lambda g: min(map(rank, g.states.values()), default=99))
    return tuple(worst)


def fenced(report: Report) -> Iterator[str]:
    """The graphs as parts of a Markdown report."""
    found = graphs(report)
    for graph in found[:MOST_GRAPHS]:
        more = f"\n… and {graph.left_out} more Kustomizations\n" if graph.left_out else ""
        yield f"\n### Dependencies on {code(graph.cluster)}\n\n```mermaid\n{flowchart(graph)}```\n{more}"
    if len(found) > MOST_GRAPHS:
        yield f"\n… and the dependencies on {len(found) - MOST_GRAPHS} more clusters\n"


def flowchart(graph: Graph) -> str:
    """The graph in Mermaid's language."""
    numbers = {about: f"n{number}" for number, about in enumerate(graph.nodes)}
    classes: dict[str, list[str]] = {}
    for about, number in numbers.items():
        classes.setdefault(_class(graph.states.get(about, "")), []).append(number)
    lines = [
        "flowchart LR",
        *(f'  {number}["{_label(about, graph.states.get(about, ""))}"]' for about, number in numbers.items()),
        *(f"  {numbers[needed]} --> {numbers[by]}" for needed, by in graph.edges),
        *(f"  classDef {name} {_STYLES[name]}" for name in classes),
        *(f"  class {','.join(members)} {name}" for name, members in classes.items()),
    ]
    return "\n".join(lines) + "\n"


def _graph(look: Look, found: Sequence[Standing]) -> Graph:
    states = {one.about: str(one.state) for one in found}
    needs = {(needed, k.ref) for k in kustomizations(look) for needed in k.depends_on}
    needs |= {(one.waits_for, one.about) for one in found if one.waits_for is not None and _waits(one)}
    edges = sorted((needed, by) for needed, by in needs if needed != by)
    every = sorted(set(chain.from_iterable(edges)), key=lambda about: (rank(states.get(about, "")), about))
    nodes = tuple(_nearest(every, edges))
    shown = frozenset(nodes)
    kept = [edge for edge in edges if shown.issuperset(edge)][:MOST_EDGES]
    return Graph(look.cluster, nodes, tuple(kept), states, len(every) - len(nodes))


def _waits(one: Standing) -> bool:
    return one.state in (Verdict.WAITING, Verdict.FAILED)


def _nearest(every: Sequence[ObjectRef], edges: Iterable[tuple[ObjectRef, ObjectRef]]) -> Iterator[ObjectRef]:
    """As many as there is room for: each trouble is followed by its neighbours, so that it does not stand alone."""
    beside: dict[ObjectRef, list[ObjectRef]] = {}
    for needed, by in edges:
        beside.setdefault(needed, []).append(by)
        beside.setdefault(by, []).append(needed)
    ordered = dict.fromkeys(every)
    if len(ordered) > MOST_NODES:
        ordered = dict.fromkeys(chain.from_iterable((about, *beside[about]) for about in every))
    yield from tuple(ordered)[:MOST_NODES]


def _class(state: str) -> str:
    if state in (Verdict.FAILED, Verdict.DIVERGED):
        return "lost"
    return state if state in (Verdict.WAITING, Verdict.LIVE) else "other"


def _label(about: ObjectRef, state: str) -> str:
    text = sentences.cut(plain(called(about)), _LONGEST_LABEL)
    return _UNSAFE.sub(lambda match: f"#{ord(match[0])};", f"{SYMBOLS.get(state, '·')} {text}")
