"""What HelmReleases say: each of the commit of the Kustomization that applied it."""

from __future__ import annotations

from collections.abc import Iterator

from landed.model import HelmRelease, Kustomization, ObjectRef, Observation, Repository, State
from landed.outcomes.commits import under_way
from landed.outcomes.known import Known
from landed.revision import dependency

#: A HelmRelease with one of these waits for something else: for as long as it takes, or as long as the grace.
_WAITS = frozenset({"DependencyNotReady", "Progressing"})
_PASSES = frozenset({"SourceNotReady", "ArtifactFailed"})

#: Failures after which what was attempted stands in the cluster.
_AFTER_APPLYING = frozenset({"HealthCheckFailed", "HealthCheckCanceled", "PruneFailed"})

_TOLD = frozenset({State.SUCCESS, State.FAILURE, State.PENDING})

#: State, reason, message and since when.
_Judged = tuple[State, str, str, int]


def helm_releases(known: Known, *, alone: bool) -> Iterator[Observation]:
    """At most one observation of each release; none where it is unclear which commit it is of.

    Releases that no Kustomization applied are told of only with ``alone``: about no commit, with the chart's version as
    revision.
    """
    releases = known.cluster.helm_releases
    owners = {k.ref: k for k in known.cluster.kustomizations} if releases else {}
    for release in releases:
        owner = owners.get(release.owner) if release.owner is not None else None
        if release.owner is None and alone:
            judged = _judged(release, known.now - known.grace)
            yield _say(release, judged, revision=release.attempted if judged[0] in _TOLD else "")
        elif owner is not None and not (owner.suspended or owner.deleting):
            yield from _applied(known, release, owner)


def _applied(known: Known, release: HelmRelease, owner: Kustomization) -> Iterator[Observation]:
    repo = known.repositories.get(owner.source)
    revision, origin = _in_the_cluster(owner)
    hash_ = known.commit(owner.source.kind, revision, origin) if repo is not None else ""
    judged = _judged(release, known.now - known.grace)
    if hash_ or judged[0] is State.FAILURE:
        told = hash_ if judged[0] in _TOLD else ""
        newest = hash_ == known.heads.get(owner.source)
        yield _say(release, judged, repo, told, revision=revision, newest=newest)


def _say(
    release: HelmRelease,
    judged: _Judged,
    repo: Repository | None = None,
    hash_: str = "",
    *,
    revision: str,
    newest: bool = False,
) -> Observation:
    state, reason, message, since = judged
    waits = dependency(message) if reason == "DependencyNotReady" else None
    return Observation(
        release.ref,
        state,
        repo,
        hash_,
        reason,
        message,
        since=since,
        revision=revision,
        waits_for=ObjectRef("HelmRelease", *waits) if waits else None,
        begun=reason == "Progressing",
        newest=newest,
        metadata=release.metadata,
        labels=release.labels,
        uid=release.uid,
    )


def _in_the_cluster(k: Kustomization) -> tuple[str, str]:
    """The revision whose manifests stand in the cluster, and its origin; empty while an apply is under way or torn."""
    ready = k.ready
    if ready is None:
        return "", ""
    phase, revision = under_way(k)
    if ready.status == "Unknown" and phase == "health checks":
        return revision, k.applied_origin if revision == k.applied else ""
    if ready.status == "Unknown" and phase == "applying" and revision != k.applied:
        return "", ""
    if ready.status == "False" and ready.reason in _AFTER_APPLYING:
        return k.attempted, k.applied_origin if k.attempted == k.applied else ""
    if ready.status == "False" and ready.reason == "ReconciliationFailed" and k.attempted != k.applied:
        return "", ""
    return k.applied, k.applied_origin


def _judged(release: HelmRelease, patience: int) -> _Judged:
    """How a HelmRelease stands. A passing trouble is believed if it is older than ``patience``
    (https://fluxcd.io/flux/components/helm/helmreleases/#conditions).
    """
    ready = release.ready
    if release.deleting:
        return State.DELETING, "Deleting", "Being deleted", 0
    if release.suspended:
        return State.SUSPENDED, "Suspended", "Suspended", 0
    if ready is None:
        return State.PENDING, "New", "Not seen by helm-controller yet", 0
    if (ready.generation or release.observed_generation) != release.generation:
        return State.PENDING, "Progressing", "The spec has changed since; not reconciled yet", ready.since
    if ready.status == "True":
        return State.SUCCESS, ready.reason, ready.message, ready.since
    stalled = release.stalled is not None and release.stalled.status == "True"
    waits = ready.reason in _WAITS or (ready.reason in _PASSES and ready.since > patience)
    if ready.status == "False" and (stalled or not waits):
        return State.FAILURE, ready.reason, ready.message, ready.since
    return State.PENDING, ready.reason, ready.message, ready.since
