"""What the looks of one run have shown, as far as a later one must know it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from landed.model import Cluster, ObjectRef, Observation, Repository, State
from landed.outcomes.helmreleases import helm_releases
from landed.outcomes.known import Known, know
from landed.outcomes.kustomizations import kustomization

#: (cluster, object, uid): an object that is made anew is another one.
Key = tuple[str, ObjectRef, str]


class Failing(Struct, frozen=True):
    """A failure, as it was seen first."""

    commit: str
    first: int
    """In our clock."""
    since: int
    """In the cluster's: another time later on means that Flux has tried again."""


class Memory(Struct, frozen=True):
    """Of earlier looks, and of the present one."""

    succeeded: Mapping[Key, str] = {}
    """The commit that was applied and Ready when the object last had a result."""
    failing: Mapping[Key, Failing] = {}
    held: Mapping[tuple[str, ObjectRef], tuple[str, ...]] = {}
    """Cluster and source → the commits it was seen to hold, in order."""


def remember(
    memory: Memory, clusters: Iterable[Cluster], locate: Callable[[str], Repository | None], *, now: int
) -> Memory:
    """``memory`` with what ``clusters`` show. What cannot be read at present is kept as it was."""
    succeeded, failing, held = dict(memory.succeeded), dict(memory.failing), dict(memory.held)
    for cluster in clusters:
        known = judged(cluster, locate, now=now)
        for k in cluster.kustomizations:
            said = next(iter(kustomization(known, k)))
            _result(key_of(cluster.name, k.ref, k.uid), said, succeeded, failing, now)
        for said in helm_releases(known, alone=False) if cluster.helm_releases else ():
            _result(key_of(cluster.name, said.about, said.uid), said, succeeded, failing, now)
        for ref in cluster.sources:
            source = cluster.sources[ref]
            commit = known.commit(ref.kind, source.revision, source.origin_revision)
            seen = held.get((cluster.name, ref), ())
            if commit and seen[-1:] != (commit,):
                held[cluster.name, ref] = (*seen, commit)[-_MOST:]
    return Memory(succeeded, failing, held)


#: Commits of one source that are remembered; while somebody waits there are not many more.
_MOST = 50


def judged(cluster: Cluster, locate: Callable[[str], Repository | None], *, now: int) -> Known:
    """What the objects of ``cluster`` share. Failures are told at once: how long they must last is judged here."""
    return know(cluster, now=now, since=0, grace=0, passing=frozenset(), locate=locate)


def key_of(cluster: str, about: ObjectRef, uid: str) -> Key:
    """What an object is remembered by."""
    return cluster, about, uid


def _result(key: Key, said: Observation, succeeded: dict[Key, str], failing: dict[Key, Failing], now: int) -> None:
    if said.state is State.SUCCESS:
        succeeded[key] = said.commit
        failing.pop(key, None)
    elif said.state is State.FAILURE:
        succeeded.pop(key, None)
        known = failing.get(key)
        if known is None or known.commit != said.commit:
            failing[key] = Failing(said.commit, now, said.since)
    elif not said.keeps:
        succeeded.pop(key, None)
