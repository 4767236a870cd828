"""The rows of the truth table: what a Kustomization says, by its conditions."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import structs

from landed.model import RESULTS, Condition, Kustomization, ObjectRef, Observation, Snapshot, State
from landed.outcomes.commits import at_source, keep, on_revision, say, succeed, under_way
from landed.outcomes.known import Known
from landed.revision import dependency

#: ArtifactFailed before a run has begun: nothing was tried, and the controller looks again in 30 seconds.
_BEFORE_A_RUN = ("source artifact not found", "source is not ready", "unable to get source")
_NOT_FOUND = '.source.toolkit.fluxcd.io "'

#: Failures that come before the controller names a revision.
_AT_SOURCE = frozenset({"AccessDenied", "DirectoryCreationFailed", "FeatureGateDisabled", "InvalidCELExpression"})


def kustomization(known: Known, k: Kustomization) -> Iterator[Observation]:
    """At most two observations on the present, and one for each commit that came and went."""
    ready = k.ready
    if k.deleting or k.suspended or ready is None:
        yield _silent(known, k)
        return
    first = _present(known, k, ready)
    yield _standing(k, first) if first.state in RESULTS else first
    behind = _behind(known, k, first)
    if behind is not None:
        yield behind
    if known.since and any(snapshot.revision != first.revision for snapshot in k.history):
        yield from _gone(known, k, {first.commit, behind.commit if behind else ""})


def _silent(known: Known, k: Kustomization) -> Observation:
    if k.deleting:
        return say(known, k, State.DELETING, reason="Deleting", message="Being deleted")
    if not k.suspended:
        return say(known, k, State.NEW, reason="New", message="Not seen by kustomize-controller yet")
    source = known.cluster.sources.get(k.source)
    held = source is not None and source.revision and k.applied and source.revision != k.applied
    waiting = source.revision if source and held else ""
    news = f"Suspended; {waiting} is waiting" if waiting else "Suspended"
    return say(known, k, State.SUSPENDED, revision=waiting, reason="Suspended", message=news)


def _present(known: Known, k: Kustomization, ready: Condition) -> Observation:
    """The row of the table for a Kustomization that is neither suspended, new nor being deleted."""
    judged = ready.generation or k.observed_generation
    if ready.status == "True":
        whole = judged == k.generation == k.observed_generation
        if whole and (not k.attempted or k.attempted == k.applied):
            return succeed(known, k, ready)
        return keep(known, k, "SpecChanged", "The spec has changed since; not reconciled yet")
    if ready.status == "False" and (judged == k.generation or not ready.generation):
        return _failed(known, k, ready)
    if ready.status == "False":
        return keep(known, k, "SpecChanged", "The spec has changed since the failure; not reconciled yet")
    return _running(known, k, ready)


def _running(known: Known, k: Kustomization, ready: Condition) -> Observation:
    phase, revision = under_way(k)
    revision = revision or k.attempted
    if revision and revision == k.applied:
        return keep(known, k, "Progressing", "Reconciling again what was applied before")
    doing = f"Reconciling: {phase}" if phase else "Reconciling"
    said = on_revision(known, k, revision, State.PENDING, "Progressing", doing, ready.since)
    return structs.replace(said, begun=True)


def _failed(known: Known, k: Kustomization, ready: Condition) -> Observation:
    reason, message = ready.reason, ready.message
    if k.stalled and k.stalled.status == "True" and k.stalled.reason == reason:
        return at_source(known, k, State.FAILURE, ready)
    if reason == "DependencyNotReady":
        waits = dependency(message)
        ref = ObjectRef("Kustomization", *waits) if waits else None
        return structs.replace(at_source(known, k, State.PENDING, ready), waits_for=ref)
    if reason == "HealthCheckCanceled":
        return on_revision(known, k, k.attempted, State.PENDING, reason, message, ready.since)
    if reason == "ArtifactFailed":
        return _artifact_failed(known, k, ready)
    if reason == "Progressing":
        return _running(known, k, ready)
    if reason in _AT_SOURCE:
        return at_source(known, k, State.FAILURE, ready)
    return on_revision(known, k, k.attempted, State.FAILURE, reason, message, ready.since)


def _artifact_failed(known: Known, k: Kustomization, ready: Condition) -> Observation:
    phase, revision = under_way(k)
    if phase == "fetching" and not _before_a_run(ready.message):
        return on_revision(known, k, revision, State.FAILURE, ready.reason, ready.message, ready.since)
    believed = k.ref in known.passing or known.now - ready.since >= known.grace
    return at_source(known, k, State.FAILURE if believed else State.PENDING, ready)


def _before_a_run(message: str) -> bool:
    said = message.lower()
    return said.startswith(_BEFORE_A_RUN) or (_NOT_FOUND in said and said.endswith("not found"))


def _standing(k: Kustomization, said: Observation) -> Observation:
    """A result, with what stands in the cluster by it and how that is."""
    if not k.inventory and k.healthy is None:
        return said
    well = k.healthy.message if k.healthy is not None and k.healthy.status == "True" else ""
    return structs.replace(said, inventory=k.inventory, health=well if said.state is State.SUCCESS else "")


def _behind(known: Known, k: Kustomization, first: Observation) -> Observation | None:
    """Pending on the newest revision there is, unless that is what ``first`` speaks of.

    Sources that follow the same branch of the same repository bring the same commits sooner or later: the newest
    of them counts for all, or a commit would look applied everywhere while some have yet to fetch it.
    """
    source = known.cluster.sources.get(k.source)
    if source is None:
        return None
    ahead, new = known.newest.get(k.source, source), known.heads[k.source]
    if not new or new == first.commit or (first.revision == ahead.revision and first.commit):
        return None
    message = "Fetched, waiting for reconciliation" if ahead is source else f"Waiting for {source.ref} to fetch it"
    return say(known, k, State.PENDING, new, ahead.revision, "Progressing", message, since=ahead.updated)


def _gone(known: Known, k: Kustomization, spoken: Collection[str]) -> Iterator[Observation]:
    """Results of commits that came and went between two looks, each commit's newest, oldest commit first."""
    newest: dict[str, Snapshot] = {}
    for snapshot in k.history:  # newest first
        hash_ = known.commit(k.source.kind, snapshot.revision, snapshot.origin_revision)
        if hash_ and hash_ not in spoken and snapshot.at >= known.since:
            newest.setdefault(hash_, snapshot)
    for hash_, snapshot in sorted(newest.items(), key=lambda pair: pair[1].at):
        state = State.SUCCESS if snapshot.status == "ReconciliationSucceeded" else State.FAILURE
        said = say(known, k, state, hash_, snapshot.revision, snapshot.status, since=snapshot.at)
        yield structs.replace(said, past=True, duration=snapshot.duration)
