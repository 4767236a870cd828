"""What sources say: their troubles, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator

from landed.model import Condition, Observation, Source, State
from landed.outcomes.known import Known


def troubles(known: Known) -> Iterator[Observation]:
    """The sources that cannot fetch: which commit one of them misses, nobody knows."""
    for source in known.cluster.sources.values():
        trouble = _trouble(source)
        if trouble is not None:
            yield Observation(
                source.ref,
                State.FAILURE,
                known.repositories[source.ref],
                reason=trouble.reason,
                message=trouble.message,
                since=trouble.since,
                metadata=source.metadata,
                labels=source.labels,
                uid=source.uid,
            )


def _trouble(source: Source) -> Condition | None:
    if source.suspended or source.deleting:
        return None
    if source.fetch_failed is not None and source.fetch_failed.status == "True":
        return source.fetch_failed
    return source.ready if source.ready is not None and source.ready.status == "False" else None


def fetches(source: Source) -> bool:
    """Whether it can fetch, by its own word."""
    return not source.suspended and source.ready is not None and source.ready.status == "True"


def fetched(known: Known) -> Iterator[Observation]:
    """What the sources hold that can fetch, as source-controller tells it."""
    for source in known.cluster.sources.values():
        if source.revision and not source.deleting and fetches(source):
            yield _holds(known, source)


def _holds(known: Known, source: Source) -> Observation:
    repo = known.repositories[source.ref]
    hash_ = known.commit(source.ref.kind, source.revision, source.origin_revision) if repo is not None else ""
    reason, message = _stored(source)
    return Observation(
        source.ref,
        State.SUCCESS,
        repo,
        hash_,
        reason,
        message,
        since=source.updated,
        revision=source.revision,
        newest=True,
        metadata=source.metadata,
        labels=source.labels,
        uid=source.uid,
    )


def _stored(source: Source) -> tuple[str, str]:
    """Reason and message of the event that told of an artifact, as far as the status has what was in it."""
    kind, revision = source.ref.kind, source.revision
    if kind == "HelmChart" and source.ready is not None and source.ready.message:
        return source.ready.reason, source.ready.message
    if kind == "OCIRepository":
        origin = f", origin source '{source.origin_url}', origin revision '{source.origin_revision}'"
        known = source.origin_url and source.origin_revision
        return "NewArtifact", f"stored artifact with revision '{revision}' from '{source.url}'{origin if known else ''}"
    if kind in ("Bucket", "HelmRepository"):
        return "NewArtifact", f"stored artifact: revision '{revision}'"
    return "NewArtifact", f"stored artifact for revision '{revision}'"
