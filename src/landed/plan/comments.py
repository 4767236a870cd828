"""The comment on the request that a commit came from: all clusters of a run in one table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from zlib import crc32

from landed import render
from landed.model import Comment, Destination, Mark, Outcome, Repository, Row, State, Update
from landed.plan.news import News, View, fingerprint
from landed.plan.wording import Wording, filled
from landed.told import Told

#: The annotation ``event.toolkit.fluxcd.io/change_request`` names the request.
REQUEST = "change_request"

_Together = list[tuple[View, Outcome]]


def comments(views: Iterable[View], told: Told, to: Destination, wording: Wording) -> Iterator[News]:
    """The comments that are due on the Git host ``to``: one for each commit that something new is known of.

    What the ledger does not know is told as well, for the provider writes nothing where the comment says it already.
    """
    together: dict[tuple[Repository, str], _Together] = defaultdict(list)
    for view in views:
        for outcome in view.look.outcomes:
            if outcome.repository.host == to.host and not outcome.past:
                together[outcome.repository, outcome.commit].append((view, outcome))
    for (repository, commit), outcomes in sorted(together.items(), key=lambda item: _is_newest(item[1])):
        yield from _comment(repository, commit, outcomes, told, to, wording)
    if told.knows(to.name):
        yield from _left(together, told, to)


def _is_newest(outcomes: _Together) -> bool:
    """One request may have brought several commits: what its comment says last is the newest."""
    return any(o.newest for _, outcome in outcomes for o in outcome.observations)


def _left(together: Mapping[tuple[Repository, str], _Together], told: Told, to: Destination) -> Iterator[News]:
    """Comments that wait for ever: nobody speaks of their commit any more, and everybody has come to another one."""
    by_repository: dict[Repository, dict[str, View]] = defaultdict(dict)
    for (repository, _), outcomes in together.items():
        by_repository[repository] |= {view.look.cluster: view for view, _ in outcomes}
    for repository, views in by_repository.items():
        if not all(view.heads(repository) for view in views.values()):
            continue
        line = _line(repository, views)
        current = tuple(sorted({c for view in views.values() for c in view.commits_in(repository)}))
        for entry in told.destinations.get(to.name, {}).get(line, ()):
            if entry.state == State.PENDING and entry.commit not in current and entry.handle:
                mark = Mark(line, entry.commit, State.SUPERSEDED, current)
                comment = Comment(repository, entry.commit, (), handle=entry.handle, left=tuple(sorted(views)))
                yield News(Update(to.name, (mark,), comment), rank=0)


def _line(repository: Repository, clusters: Iterable[str]) -> str:
    return f"{repository.path} {' '.join(sorted(set(clusters)))}"


def _comment(
    repository: Repository, commit: str, outcomes: _Together, told: Told, to: Destination, wording: Wording
) -> Iterator[News]:
    line = _line(repository, (view.look.cluster for view, _ in outcomes))
    said = sorted(_rows(outcomes, wording, to, closing=told.entry(to.name, line, commit) is not None))
    if not said:
        return
    print_ = f"{_state(row for row, _ in said)} {crc32(chr(10).join(p for _, p in said).encode()):08x}"
    entry = told.entry(to.name, line, commit)
    if entry is not None and entry.fingerprint == print_:  # edited in place: any change is worth a write
        return
    current = tuple(sorted({c for view, _ in outcomes for c in view.commits_in(repository)}))
    mark = Mark(line, commit, print_, current)
    request = next((o.metadata[REQUEST] for _, x in outcomes for o in x.observations if o.metadata.get(REQUEST)), "")
    comment = Comment(repository, commit, tuple(row for row, _ in said), request, entry.handle if entry else "")
    yield News(Update(to.name, (mark,), comment), rank=1)


def _rows(outcomes: _Together, wording: Wording, to: Destination, *, closing: bool) -> Iterator[tuple[Row, str]]:
    """A row for each object of which it is known how it stands, and what decides whether the row is news; ``closing``
    where there is a comment that may hold a failure which is over.
    """
    for view, outcome in outcomes:
        url = filled(wording.target_url, outcome.cluster, outcome.repository.path, outcome.commit)
        for o in view.standing(outcome).observations:
            if not o.keeps and (closing or not o.closes):
                row = Row(outcome.cluster, render.name(o), o.state, render.say(o, to.description_limit), url)
                yield row, f"{outcome.cluster} {o.about} {fingerprint(o)}"


def _state(rows: Iterable[Row]) -> State:
    states = {row.state for row in rows}
    return next((s for s in (State.FAILURE, State.PENDING) if s in states), State.SUCCESS)
