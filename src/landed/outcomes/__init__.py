"""The truth table: from one look at a cluster to what it says about each commit. No I/O, no clock.

A Kustomization gives at most two observations: what it is doing, and that it has yet to come to the newest revision of
its source. The rules follow from what kustomize-controller writes and when
(https://fluxcd.io/flux/components/kustomize/kustomizations/#kustomization-status):

- ``Ready`` becomes Unknown at the start of *every* run, also of one that repeats what was applied long ago.
- ``lastAttemptedRevision`` is written only once the artifact has been fetched and the path found in it, so until then,
  and after ArtifactFailed, it still names an earlier and innocent commit.
- ``observedGeneration`` of the status follows only on success and on terminal errors; a failure is judged by the
  generation of its own condition.
- Branches that never start a run leave the ``Reconciling`` condition of an earlier one in place.
- The inventory is written once everything has been applied: while a run goes on nobody knows which revision's it is,
  and after one that failed before that it is still the one from before.

``known`` looks up what objects share, ``kustomizations`` has the rows of the table and ``commits`` the commit of each;
``helmreleases``, ``sources`` and ``staleness`` add what else is to be told. Here it is put together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from landed.model import Cluster, Look, ObjectRef, Observation, Outcome, Repository
from landed.outcomes.known import Known, Line, know
from landed.outcomes.kustomizations import kustomization
from landed.outcomes.sources import fetched, fetches, troubles
from landed.revision import repository

if TYPE_CHECKING:
    from landed.outcomes.remembered import Remembered

#: Seconds that a failure which passes by itself (source-controller restarting) may last before it is believed.
GRACE = 60

SOURCE_KINDS = frozenset(
    {"GitRepository", "OCIRepository", "Bucket", "ExternalArtifact", "HelmRepository", "HelmChart"}
)

_Commit = tuple[Repository, str]


def judge(
    cluster: Cluster,
    *,
    now: int,
    since: int = 0,
    grace: int = GRACE,
    passing: Collection[ObjectRef] = frozenset(),
    repositories: Collection[Repository] = frozenset(),
    locate: Callable[[str], Repository | None] = repository,
    details: bool = False,
    remembered: Remembered | None = None,
) -> Look:
    """What ``cluster`` says about each commit.

    ``since`` says how far, in the cluster's clock, an earlier look reached: what came and went after that is told, and
    nothing where it is 0. ``passing`` names the objects that already showed a failure of the passing kind at an earlier
    look; ``repositories`` limits the answer to these (default: all); ``locate`` finds the repository
    behind a URL. With ``details`` (the cluster was read with them) it is also told what sources hold, how HelmReleases
    stand that no Kustomization applied, and which controller is silent. Pure: ``now`` is in epoch seconds.
    ``remembered`` saves work where a cluster is looked at again and again, and changes nothing else.
    """
    known = know(cluster, now=now, since=since, grace=grace, passing=passing, locate=locate)
    said: list[Observation] = []
    company = _Company()
    speak = remembered.speaker(known) if remembered is not None else None
    for k in cluster.kustomizations:
        spoken = tuple(kustomization(known, k)) if speak is None else speak(k)
        company.add(known.lines.get(k.source), k.ref, spoken)
        said += spoken
    said += _of_releases(known, alone=details) if cluster.helm_releases else ()
    said += troubles(known)
    said += _silence(known) if details else ()
    held = list(fetched(known)) if details else []
    wanted = frozenset(repositories)
    if wanted:
        said = [o for o in said if o.repository in wanted]
        held = [o for o in held if o.repository in wanted]
    failing = {o.about for o in said if o.about.kind in SOURCE_KINDS}
    return Look(
        cluster.name,
        outcomes=_outcomes(cluster.name, said, company),
        silent=tuple(sorted((o for o in said if not o.commit), key=lambda o: (o.about, o.state))),
        healthy=tuple(sorted(s.ref for s in cluster.sources.values() if s.ref not in failing and fetches(s))),
        fetched=tuple(sorted(held, key=lambda o: o.about)),
        warnings=cluster.warnings,
        seen=cluster.seen,
    )


def _of_releases(known: Known, *, alone: bool) -> Iterable[Observation]:
    from landed.outcomes.helmreleases import helm_releases  # imported late: not every fleet has any

    return helm_releases(known, alone=alone)


def _silence(known: Known) -> Iterable[Observation]:
    from landed.outcomes.staleness import stale  # imported late: only Alerts ask for it

    return stale(known)


class _Company:
    """Who follows the same line as whom, and who of them speaks of a commit."""

    def __init__(self) -> None:
        self._followers: dict[Line | None, list[ObjectRef]] = defaultdict(list)
        self._speakers: dict[_Commit, Counter[Line | None]] = defaultdict(Counter)

    def add(self, line: Line | None, about: ObjectRef, observations: Iterable[Observation]) -> None:
        """Count one Kustomization, which follows ``line``, with what it says."""
        spoken = [(o.repository, o.commit) for o in observations if o.commit and o.repository is not None]
        if spoken:
            self._followers[line].append(about)
            for key in spoken:
                self._speakers[key][line] += 1

    def missing(self, key: _Commit, speakers: Iterable[Observation]) -> tuple[ObjectRef, ...]:
        """Who follows a line on which somebody speaks of this commit, and is not among those who do."""
        short = [line for line, n in self._speakers.get(key, {}).items() if len(self._followers[line]) != n]
        if not short:
            return ()
        speaking = {o.about for o in speakers}
        return tuple(sorted({ref for line in short for ref in self._followers[line]} - speaking))


def _outcomes(cluster: str, observations: Iterable[Observation], company: _Company) -> tuple[Outcome, ...]:
    groups: dict[_Commit, list[Observation]] = defaultdict(list)
    for observation in observations:
        if observation.commit and observation.repository is not None:
            groups[observation.repository, observation.commit].append(observation)
    found = [
        Outcome(cluster, *key, tuple(sorted(group, key=lambda o: o.about)), company.missing(key, group))
        for key, group in groups.items()
    ]
    # What came and went is told before what is current, in the order in which it happened.
    return tuple(sorted(found, key=lambda o: (not o.past, _when(o), o.repository, o.commit)))


def _when(outcome: Outcome) -> int:
    return max(o.since for o in outcome.observations) if outcome.past else 0
