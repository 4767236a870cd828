"""What the looks of one run have shown, as far as a later one must know it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from landed.model import Cluster, ObjectRef, Observation, Repository, State
from landed.outcomes.helmreleases import helm_releases
from landed.outcomes.known import Known, know
from landed.outcomes.kustomizations import kustomization
from landed.revision import pointer

#: (cluster, object, uid): an object that is made anew is another one.
Key = tuple[str, ObjectRef, str]

#: (cluster, source, branch or tag): a source that is told to follow another branch has not left the first one's line.
Line = tuple[str, ObjectRef, str]

#: A grace that is always over, however far the clocks of a cluster and ours are apart.
_OVER = -(1 << 40)


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
    held: Mapping[Line, tuple[str, ...]] = {}
    """The commits that a source was seen to hold, in order."""
    repositories: Mapping[Key, Repository] = {}
    """Where the commits of a Kustomization were when that was known last: a source may go and come back."""


def remember(
    memory: Memory, clusters: Iterable[Cluster], locate: Callable[[str], Repository | None], *, now: int
) -> Memory:
    """``memory`` with what ``clusters`` show. What cannot be read at present is kept as it was."""
    succeeded, failing, held = dict(memory.succeeded), dict(memory.failing), dict(memory.held)
    repositories = dict(memory.repositories)
    for cluster in clusters:
        known = judged(cluster, locate, now=now)
        for k in (*cluster.kustomizations, *cluster.beside):
            said = next(iter(kustomization(known, k)))
            key = key_of(cluster.name, k.ref, k.uid)
            _result(key, said, succeeded, failing, now)
            repository = known.repositories.get(k.source)
            if repository is not None:
                repositories[key] = repository
        for said in helm_releases(known, alone=False) if cluster.helm_releases else ():
            _result(key_of(cluster.name, said.about, said.uid), said, succeeded, failing, now)
        for ref in cluster.sources:
            source = cluster.sources[ref]
            commit = known.commit(ref.kind, source.revision, source.origin_revision)
            line = cluster.name, ref, pointer(source.revision)
            seen = held.get(line, ())
            if commit and seen[-1:] != (commit,):
                held[line] = (*seen, commit)[-_MOST:]
    return Memory(succeeded, failing, held, repositories)


#: Commits of one source that are remembered; while somebody waits there are not many more.
_MOST = 50


def judged(cluster: Cluster, locate: Callable[[str], Repository | None], *, now: int) -> Known:
    """What the objects of ``cluster`` share. Failures are told at once: how long they must last is judged here."""
    return know(cluster, now=now, since=0, grace=_OVER, passing=frozenset(), locate=locate)


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
