"""Kustomizations whose controller has been silent for longer than it should."""

from __future__ import annotations

from collections.abc import Iterator

from landed.model import Cluster, Kustomization, Observation, State
from landed.outcomes.commits import say
from landed.outcomes.known import Known
from landed.render import age

#: Seconds that a controller may be late beyond what its intervals allow, and which part of these besides.
SLACK, PART = 120, 10


def stale(known: Known) -> Iterator[Observation]:
    """One observation, about no commit, of each Kustomization that its controller should have looked at since.

    Times are the cluster's and ``now`` is ours. Where something in the cluster lies in our future, its clock is ahead
    by at least that, and that much longer we wait. Only a Ready that is True or Unknown is moved at each run: one that
    is False stays as it is while the controller tries again. Where the spec has changed since, nobody knows when: it
    may have been resumed a moment ago.
    """
    ahead = max(0, max(_signs(known.cluster), default=0) - known.now)
    for k in known.cluster.kustomizations:
        if k.suspended or k.deleting or not k.patience or k.ready is None or k.ready.status == "False":
            continue
        if (k.ready.generation or k.observed_generation) != k.generation:
            continue
        sign = max(_signs_of(k))
        silent = known.now - sign
        if sign and silent > k.patience + k.patience // PART + SLACK + ahead:
            message = f"kustomize-controller has not looked for {age(silent)}; it should within {age(k.patience)}"
            yield say(known, k, State.STALE, reason="Stale", message=message, since=sign)


def _signs(cluster: Cluster) -> Iterator[int]:
    """All the times at which the cluster's controllers showed that they live."""
    yield cluster.seen
    for k in cluster.kustomizations:
        yield from _signs_of(k)
    for source in cluster.sources.values():
        yield source.updated
        yield source.ready.since if source.ready else 0
    for release in cluster.helm_releases:
        yield release.ready.since if release.ready else 0


def _signs_of(k: Kustomization) -> Iterator[int]:
    yield from (condition.since for condition in (k.ready, k.reconciling, k.healthy) if condition is not None)
    yield from (snapshot.at for snapshot in k.history[:1])
