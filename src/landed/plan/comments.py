"""The comment on the request that a commit came from: all clusters of a run in one table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
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

    A destination that is served for the first time starts silently with what is live: nobody wants to hear of a
    request that was merged long ago.
    """
    together: dict[tuple[Repository, str], _Together] = defaultdict(list)
    for view in views:
        for outcome in view.look.outcomes:
            if outcome.repository.host == to.host and not outcome.past:
                together[outcome.repository, outcome.commit].append((view, outcome))
    for (repository, commit), outcomes in together.items():
        yield from _comment(repository, commit, outcomes, told, to, wording)


def _comment(
    repository: Repository, commit: str, outcomes: _Together, told: Told, to: Destination, wording: Wording
) -> Iterator[News]:
    said = sorted(_rows(outcomes, wording, to))
    if not said:
        return
    line = f"{repository.path} {' '.join(sorted({view.look.cluster for view, _ in outcomes}))}"
    print_ = f"{_state(row for row, _ in said)} {crc32(chr(10).join(p for _, p in said).encode()):08x}"
    entry = told.entry(to.name, line, commit)
    if entry is not None and entry.fingerprint == print_:  # edited in place: any change is worth a write
        return
    current = tuple(sorted({c for view, _ in outcomes for c in view.commits_in(repository)}))
    mark = Mark(line, commit, print_, current)
    if not told.knows(to.name) and all(row.state is State.SUCCESS for row, _ in said):
        yield News(silent=((to.name, mark),))
        return
    request = next((o.metadata[REQUEST] for _, x in outcomes for o in x.observations if o.metadata.get(REQUEST)), "")
    comment = Comment(repository, commit, tuple(row for row, _ in said), request, entry.handle if entry else "")
    yield News(Update(to.name, (mark,), comment), rank=1)


def _rows(outcomes: _Together, wording: Wording, to: Destination) -> Iterator[tuple[Row, str]]:
    """A row for each object of which it is known how it stands, and what decides whether the row is news."""
    for view, outcome in outcomes:
        url = filled(wording.target_url, outcome.cluster, outcome.repository.path, outcome.commit)
        for o in view.standing(outcome).observations:
            if not o.keeps:
                row = Row(outcome.cluster, render.name(o), o.state, render.say(o, to.description_limit), url)
                yield row, f"{outcome.cluster} {o.about} {fingerprint(o)}"


def _state(rows: Iterable[Row]) -> State:
    states = {row.state for row in rows}
    return next((s for s in (State.FAILURE, State.PENDING) if s in states), State.SUCCESS)
