"""What a destination wants to hear of a look: the same look, without what its Alerts do not ask for.

A look that is narrowed must not say more than the whole one. What an Alert asks about and does not want to be told,
such as a failure whose message is excluded, is missing from an outcome, so that nobody says that all of it is live.
https://fluxcd.io/flux/components/notification/alerts/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import structs

from landed import alerts as matching
from landed import render
from landed.model import RESULTS, Alert, Destination, Look, ObjectRef, Observation, Outcome, Repository, State
from landed.repositories import below
from landed.revision import ORIGIN, commit

#: The annotation ``event.toolkit.fluxcd.io/commit`` says which commit an object's events are about.
COMMIT = "commit"
#: What Flux says of a wait for a dependency in its event; the object itself names the dependency.
WAITS = "Dependencies do not meet ready condition, retrying in 30s"

_CHANNELS = frozenset({"digests", "messages", "events", "occurrences"})


def narrowed(look: Look, to: Destination) -> Look:
    """What ``to`` wants to hear of ``look``."""
    if to.beside or to.within is not None:
        look = structs.replace(look, outcomes=tuple(o for o in look.outcomes if _mine(o.repository, to)))
    if not to.alerts:
        return look
    asking = tuple(a for a in to.alerts if not a.clusters or look.cluster in a.clusters)
    return _Narrowing(look, to, asking).look() if asking else Look(look.cluster, seen=look.seen)


def _mine(repository: Repository, to: Destination) -> bool:
    if any(below(repository, other) for other in to.beside):
        return False
    return to.within is None or below(repository, to.within)


class _Narrowing:
    """One look, and who asks about it."""

    def __init__(self, look: Look, to: Destination, asking: tuple[Alert, ...]) -> None:
        self._look = look
        self._to = to
        self._asking = asking
        self._labels = {o.about: o.labels for outcome in look.outcomes for o in outcome.observations}

    def look(self) -> Look:
        """What is asked for. Sources speak for themselves on channels only: a Git host is told what came of them."""
        outcomes = [narrow for outcome in self._look.outcomes if (narrow := self._outcome(outcome)) is not None]
        silent = [o for o in map(self._wanted, self._look.silent) if o is not None]
        if self._to.takes in _CHANNELS:
            fetched = [o for o in map(self._wanted, self._look.fetched) if o is not None and not o.closes]
            judged = self._to.takes not in ("events", "occurrences")
            outcomes = [*_joined(self._look.cluster, outcomes, [o for o in fetched if o.commit], judged=judged)]
            silent += [o for o in fetched if not o.commit]
        else:
            outcomes = [*_placed(self._look.cluster, outcomes, silent, self._to.within)]
        return structs.replace(
            self._look,
            outcomes=tuple(outcomes),
            silent=tuple(sorted(silent, key=lambda o: o.about)),
            healthy=tuple(ref for ref in self._look.healthy if self._selects(ref)),
            fetched=(),
        )

    def _outcome(self, outcome: Outcome) -> Outcome | None:
        wanted, missing = [], {ref for ref in outcome.missing if self._selects(ref)}
        for observation in outcome.observations:
            kept = self._wanted(observation)
            if kept is not None:
                wanted.append(kept)
            elif observation.state is not State.SUCCESS and self._selects(observation.about):
                missing.add(observation.about)
        if not wanted:
            return None
        return structs.replace(outcome, observations=tuple(wanted), missing=tuple(sorted(missing)))

    def _selects(self, about: ObjectRef) -> bool:
        """Whether anybody asks about an object; where its labels are not known, they are taken to fit."""
        labels = self._labels.get(about)
        if labels is None:
            return any(matching.mentions(alert, about) for alert in self._asking)
        return any(matching.selects(alert, about, labels) for alert in self._asking)

    def _wanted(self, observation: Observation) -> Observation | None:
        """The observation as the first Alert that admits it has it; what may end a failure stays for that."""
        closing: Observation | None = None
        for alert in self._asking:
            if not matching.selects(alert, observation.about, observation.labels):
                continue
            metadata = matching.merged(alert, observation.metadata, {})
            if self._to.takes == "events":  # each of its events is looked at by itself
                return structs.replace(observation, metadata=metadata)
            kept = admitted(alert, observation)
            if kept is not None and not kept.closes:
                return structs.replace(kept, metadata=metadata)
            if kept is not None:
                closing = closing or structs.replace(kept, metadata=metadata)
        return closing


def asks(alert: Alert, cluster: str, observation: Observation) -> bool:
    """Whether ``alert`` asks about the object; where its labels are not known, they are taken to fit."""
    if alert.clusters and cluster not in alert.clusters:
        return False
    if not observation.labels:
        return matching.mentions(alert, observation.about)
    return matching.selects(alert, observation.about, observation.labels)


def admitted(alert: Alert, observation: Observation) -> Observation | None:
    """``observation`` with what of it ``alert`` lets through; None if that is nothing."""
    if observation.state in (State.FAILURE, State.STALE):
        return observation if matching.admits(alert, "error", observation.message) else None
    if observation.state in _HELD_UP:  # what failed before that has not recovered
        return structs.replace(observation, closes=not waits_admitted(alert, observation))
    if observation.state is not State.SUCCESS:
        return observation if waits_admitted(alert, observation) else None
    changes = observation.changes if matching.admits(alert, "info", "\n".join(observation.changes)) else ()
    health = observation.health if matching.admits(alert, "info", observation.health) else ""
    said = bool(changes or health) or matching.admits(alert, "info", render.event_message(observation))
    return structs.replace(observation, changes=changes, health=health, closes=not said)


_HELD_UP = frozenset({State.SUSPENDED, State.DELETING, State.NEW})


def waits_admitted(alert: Alert, observation: Observation) -> bool:
    """Whether neither the object's wording of what it waits for nor Flux's is excluded, and one of them is included."""
    wordings = [observation.message, *([WAITS] if observation.waits_for else [])]
    kept = [text for text in wordings if matching.admits(alert, "info", text)]
    without = structs.replace(alert, inclusion=())
    return bool(kept) and all(matching.admits(without, "info", text) for text in wordings)


def _joined(
    cluster: str, outcomes: Iterable[Outcome], fetched: Iterable[Observation], *, judged: bool
) -> Iterator[Outcome]:
    """The outcomes, each with the sources that hold its commit; and commits that only sources speak of.

    Where a commit is ``judged`` as a whole, one that came and went does not come back because a source holds it.
    """
    by_commit: dict[tuple[Repository | None, str], list[Observation]] = {}
    for observation in fetched:
        by_commit.setdefault((observation.repository, observation.commit), []).append(observation)
    for outcome in outcomes:
        held = by_commit.pop((outcome.repository, outcome.commit), [])
        said = (*outcome.observations, *([] if judged and outcome.past else held))
        yield structs.replace(outcome, observations=tuple(sorted(said, key=lambda o: o.about)))
    for (repository, hash_), said_too in by_commit.items():
        if repository is not None:
            yield Outcome(cluster, repository, hash_, tuple(sorted(said_too, key=lambda o: o.about)))


def _placed(
    cluster: str, outcomes: Iterable[Outcome], silent: Iterable[Observation], within: Repository | None
) -> Iterator[Outcome]:
    """The outcomes, with every object that names its commit itself moved to that one, where it says one thing.

    Of what came and went nobody knows which commit it named then.
    """
    stays: list[Outcome] = []
    moved: dict[tuple[Repository, str], dict[ObjectRef, Observation]] = {}
    for outcome in outcomes:
        kept = tuple(o for o in outcome.observations if not _named(o))
        if kept:
            stays.append(structs.replace(outcome, observations=kept))
        for observation in outcome.observations:
            if _named(observation) and not observation.past:
                _place(moved, outcome.repository, observation)
    for observation in silent:
        repository = observation.repository or within
        if _named(observation) and repository is not None and observation.state in (*RESULTS, State.PENDING):
            _place(moved, repository, structs.replace(observation, revision=""))
    for outcome in stays:
        said = (*outcome.observations, *_of(moved.pop((outcome.repository, outcome.commit), {}), outcome.commit))
        yield structs.replace(outcome, observations=tuple(sorted(said, key=lambda o: o.about)))
    for (repository, hash_), alone in sorted(moved.items(), key=lambda item: item[0]):
        yield Outcome(cluster, repository, hash_, tuple(sorted(_of(alone, hash_), key=lambda o: o.about)))


def _place(
    moved: dict[tuple[Repository, str], dict[ObjectRef, Observation]], repository: Repository, said: Observation
) -> None:
    """Of two things that an object says, what it says of the named commit itself stands, else of the newest: it may
    have come to name another commit before it applied anything of that.
    """
    here = moved.setdefault((repository, _named(said)), {})
    known = here.get(said.about)
    if known is None or _weight(said) > _weight(known):
        here[said.about] = said
    here[said.about] = structs.replace(here[said.about], repository=repository)


def _of(said: Mapping[ObjectRef, Observation], hash_: str) -> Iterator[Observation]:
    return (structs.replace(o, commit=hash_) for o in said.values())


def _weight(observation: Observation) -> tuple[bool, bool, bool]:
    return observation.commit == _named(observation), observation.newest, observation.state in RESULTS


def _named(observation: Observation) -> str:
    return commit(observation.metadata.get(COMMIT, ""), ORIGIN)
