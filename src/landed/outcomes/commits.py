"""Which commit an observation of a Kustomization is about."""

from __future__ import annotations

from landed.model import Condition, Kustomization, Observation, State
from landed.outcomes.known import Known
from landed.revision import attempt


def under_way(k: Kustomization) -> tuple[str, str]:
    """The phase and the revision that the latest run has named, or two empty strings."""
    return attempt(k.reconciling.message) if k.reconciling else ("", "")


def succeed(known: Known, k: Kustomization, ready: Condition) -> Observation:
    """Success on what is applied."""
    hash_ = known.commit(k.source.kind, k.applied, k.applied_origin)
    took = next((s.duration for s in k.history if s.revision == k.applied), "")
    return say(known, k, State.SUCCESS, hash_, k.applied, ready.reason, since=ready.since, duration=took)


def keep(known: Known, k: Kustomization, reason: str, message: str) -> Observation:
    """Pending on what is applied: whatever was said of it still holds."""
    hash_ = known.commit(k.source.kind, k.applied, k.applied_origin)
    return say(known, k, State.PENDING, hash_, k.applied, reason, message, keeps=True)


def on_revision(
    known: Known, k: Kustomization, revision: str, state: State, reason: str, message: str, since: int
) -> Observation:
    """An observation on a revision that a run has named. There is no origin revision of an attempt in the status:
    the source's, or the applied one, serves where it belongs to the very same revision.
    """
    source = known.cluster.sources.get(k.source)
    if source is not None and source.revision == revision:
        origin = source.origin_revision
    elif k.applied == revision:
        origin = k.applied_origin
    else:
        origin = next((s.origin_revision for s in k.history if s.revision == revision), "")
    hash_ = known.commit(k.source.kind, revision, origin)
    return say(known, k, state, hash_, revision, reason, message, since=since)


def at_source(known: Known, k: Kustomization, state: State, ready: Condition) -> Observation:
    """An observation on what the source holds: nothing in the Kustomization names the revision."""
    source = known.cluster.sources.get(k.source)
    revision, origin = (source.revision, source.origin_revision) if source else ("", "")
    hash_ = known.commit(k.source.kind, revision, origin)
    return say(known, k, state, hash_, revision, ready.reason, ready.message, since=ready.since)


def say(
    known: Known,
    k: Kustomization,
    state: State,
    hash_: str = "",
    revision: str = "",
    reason: str = "",
    message: str = "",
    *,
    keeps: bool = False,
    since: int = 0,
    duration: str = "",
) -> Observation:
    """An observation of ``k``; about no commit where nobody knows the repository."""
    repo = known.repositories.get(k.source)
    return Observation(
        k.ref,
        state,
        repo,
        hash_ if repo is not None else "",
        reason,
        message,
        keeps=keeps,
        since=since,
        duration=duration,
        revision=revision,
        uid=k.uid,
        newest=bool(hash_) and hash_ == known.heads.get(k.source),
        metadata=k.metadata,
        labels=k.labels,
    )
