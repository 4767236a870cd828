"""A report as columns: for each cluster every object, how it stands now and everything that is said of it. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from landed.model import Kustomization, Look, ObjectRef, Observation, Report, Standing, State
from landed.reports.html import signs


class Said(Struct, frozen=True):
    """One thing that is said of an object. Texts are not cleaned."""

    key: str
    """Of its sign."""
    commit: str = ""
    revision: str = ""
    reason: str = ""
    message: str = ""
    since: int = 0
    duration: str = ""
    waits_for: ObjectRef | None = None
    doomed: str = ""


class Cell(Struct, frozen=True):
    """One object on one cluster."""

    about: ObjectRef
    key: str
    """Of the sign that it has now."""
    said: tuple[Said, ...]
    """At least one; what decides its state is first."""
    asked: bool = False
    """Whether the commit that is asked about is meant to come here."""
    kustomization: Kustomization | None = None

    @property
    def commit(self) -> str:
        """The commit that it speaks of, in eight characters; what it has applied where it speaks of none."""
        first = self.said[0]
        if first.commit:
            return signs.digits(first.commit)
        if self.key in ("suspended", "deleting", "new"):  # their revision is what waits, not what is there
            return signs.digits(self.kustomization.applied) if self.kustomization else ""
        return signs.digits(first.revision)


class Column(Struct, frozen=True):
    """One cluster."""

    name: str
    cells: Mapping[ObjectRef, Cell] = {}
    error: str = ""
    """Why nothing is known of it; so is ``hint`` what to do."""
    hint: str = ""
    look: Look | None = None


def columns(report: Report) -> tuple[Column, ...]:
    """The clusters in the order in which they were looked at, and those that the answer alone speaks of."""
    standings: dict[str, list[Standing]] = {}
    unread = report.answer.unread if report.answer else ()
    for standing in report.answer.standings if report.answer else ():
        standings.setdefault(standing.cluster, []).append(standing)
    looked = [_column(look, standings.get(look.cluster, []), look.cluster in unread) for look in report.looks]
    known = {look.cluster for look in report.looks}
    rest = dict.fromkeys(name for name in (*standings, *unread) if name not in known)
    return (*looked, *(_column(Look(name), standings.get(name, []), name in unread) for name in rest))


def _column(look: Look, standings: list[Standing], unread: bool) -> Column:
    if look.error or unread:
        return Column(look.cluster, error=look.error or "Nothing is known of it at present.", hint=look.hint, look=look)
    said: dict[ObjectRef, list[Said]] = {}
    for observation in _present(look):
        said.setdefault(observation.about, []).append(_observed(observation))
    asked = {standing.about: _stands(standing) for standing in standings}
    read = {k.ref: k for k in look.read.kustomizations} if look.read else {}
    cells = {
        about: _cell(about, asked.get(about), said.get(about, []), read.get(about))
        for about in dict.fromkeys((*said, *asked))
    }
    return Column(look.cluster, cells, look=look)


def _present(look: Look) -> Iterator[Observation]:
    for outcome in look.outcomes:
        yield from (o for o in outcome.observations if not o.past)
    yield from look.silent


def _cell(about: ObjectRef, stands: Said | None, said: list[Said], read: Kustomization | None) -> Cell:
    said.sort(key=lambda one: signs.rank(one.key))
    if stands is None:
        return Cell(about, said[0].key, tuple(said), kustomization=read)
    # Whatever is true of a commit, nothing that fails now is shown as live.
    hidden = stands.key == "live" and said and said[0].key == "failed"
    others = [one for one in said if not (one.key == stands.key and one.commit == stands.commit)]
    every = (*others, stands) if hidden else (stands, *others)
    return Cell(about, every[0].key, every, asked=True, kustomization=read)


def _observed(observation: Observation) -> Said:
    keeps = observation.state in (State.SUSPENDED, State.DELETING, State.NEW)
    return Said(
        signs.key(observation.state),
        observation.commit,
        "" if keeps else observation.revision,
        observation.reason,
        observation.message,
        observation.since,
        observation.duration,
        observation.waits_for,
    )


def _stands(standing: Standing) -> Said:
    found = signs.key(standing.state)
    return Said(
        "doomed" if standing.doomed and found == "waiting" else found,
        standing.commit,
        standing.revision,
        standing.reason,
        standing.message,
        standing.since,
        waits_for=standing.waits_for,
        doomed=standing.doomed,
    )
