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
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from msgspec import structs

from landed.model import (
    RESULTS,
    Cluster,
    Condition,
    HelmRelease,
    Kustomization,
    Look,
    ObjectRef,
    Observation,
    Outcome,
    Repository,
    Snapshot,
    Source,
    State,
)
from landed.render import age
from landed.revision import attempt, commit, dependency, repository

#: Seconds that a failure which passes by itself (source-controller restarting) may last before it is believed.
GRACE = 60

#: Seconds that a controller may be late beyond what its intervals allow, and which part of these besides.
SLACK, PART = 120, 10

#: ArtifactFailed before a run has begun: nothing was tried, and the controller looks again in 30 seconds.
_BEFORE_A_RUN = ("source artifact not found", "source is not ready", "unable to get source")
_NOT_FOUND = '.source.toolkit.fluxcd.io "'

SOURCE_KINDS = frozenset(
    {"GitRepository", "OCIRepository", "Bucket", "ExternalArtifact", "HelmRepository", "HelmChart"}
)

#: What makes two Kustomizations wait for the same commits: repository, artifact URL where it is not Git, reference.
_Line = tuple[Repository | None, str, str]

#: A HelmRelease with one of these waits for something else: for as long as it takes, or as long as the grace.
_HELM_WAITS = frozenset({"DependencyNotReady", "Progressing"})
_HELM_PASSES = frozenset({"SourceNotReady", "ArtifactFailed"})


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
) -> Look:
    """What ``cluster`` says about each commit.

    ``since`` says how far, in the cluster's clock, an earlier look reached: what came and went after that is told, and
    nothing where it is 0. ``passing`` names the objects that already showed a failure of the passing kind at an earlier
    look; ``repositories`` limits the answer to these (default: all); ``locate`` finds the repository
    behind a URL. With ``details`` (the cluster was read with them) it is also told what sources hold, how HelmReleases
    stand that no Kustomization applied, and which controller is silent. Pure: ``now`` is in epoch seconds.
    """
    view = _View(cluster, now, since, grace, passing, locate, details=details)
    said: list[Observation] = []
    company = _Company()
    for k in cluster.kustomizations:
        spoken = tuple(view.kustomization(k))
        company.add(view.line(k), k.ref, spoken)
        said += spoken
    said += [o for release in cluster.helm_releases for o in view.helm_release(release)]
    said += [o for source in cluster.sources.values() for o in view.source(source)]
    said += _stale(cluster, view, now) if details else ()
    fetched = [view.fetched(source) for source in cluster.sources.values() if _holds(source)] if details else []
    wanted = frozenset(repositories)
    if wanted:
        said = [o for o in said if o.repository in wanted]
        fetched = [o for o in fetched if o.repository in wanted]
    failing = {o.about for o in said if o.about.kind in SOURCE_KINDS}
    return Look(
        cluster.name,
        outcomes=_outcomes(cluster.name, said, company),
        silent=tuple(sorted((o for o in said if not o.commit), key=lambda o: (o.about, o.state))),
        healthy=tuple(sorted(s.ref for s in cluster.sources.values() if s.ref not in failing and _fetches(s))),
        fetched=tuple(sorted(fetched, key=lambda o: o.about)),
        warnings=cluster.warnings,
        seen=cluster.seen,
    )


class _Company:
    """Who follows the same line as whom, and who of them speaks of a commit."""

    def __init__(self) -> None:
        self._followers: dict[_Line | None, list[ObjectRef]] = defaultdict(list)
        self._speakers: dict[tuple[Repository, str], Counter[_Line | None]] = defaultdict(Counter)

    def add(self, line: _Line | None, about: ObjectRef, observations: Iterable[Observation]) -> None:
        """Count one Kustomization, which follows ``line``, with what it says."""
        spoken = [(o.repository, o.commit) for o in observations if o.commit and o.repository is not None]
        if spoken:
            self._followers[line].append(about)
            for key in spoken:
                self._speakers[key][line] += 1

    def missing(self, key: tuple[Repository, str], speakers: Iterable[Observation]) -> tuple[ObjectRef, ...]:
        """Who follows a line on which somebody speaks of this commit, and is not among those who do."""
        short = [line for line, n in self._speakers.get(key, {}).items() if len(self._followers[line]) != n]
        if not short:
            return ()
        speaking = {o.about for o in speakers}
        return tuple(sorted({ref for line in short for ref in self._followers[line]} - speaking))


def _outcomes(cluster: str, observations: Iterable[Observation], company: _Company) -> tuple[Outcome, ...]:
    groups: dict[tuple[Repository, str], list[Observation]] = defaultdict(list)
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


class _View:
    """A cluster with what must be looked up in it more than once."""

    def __init__(
        self,
        cluster: Cluster,
        now: int,
        since: int,
        grace: int,
        passing: Collection[ObjectRef],
        locate: Callable[[str], Repository | None],
        *,
        details: bool,
    ) -> None:
        self._details = details
        self._now = now
        self._since = since
        self._grace = grace
        self._passing = passing
        self._sources = cluster.sources
        self._repositories = {ref: locate(_url(source)) for ref, source in cluster.sources.items()}
        self._newest = _newest(cluster.sources.values(), self._repositories)
        self._applied_by = {k.ref: k for k in cluster.kustomizations} if cluster.helm_releases else {}
        self._commits: dict[tuple[str, str, str], str] = {}
        self._lines = {ref: self._line_of(source) for ref, source in cluster.sources.items()}
        self._heads = {ref: self._head(source) for ref, source in cluster.sources.items()}

    def line(self, k: Kustomization) -> _Line | None:
        """What the Kustomization waits for new commits from."""
        return self._lines.get(k.source)

    def _line_of(self, source: Source) -> _Line:
        artifact = "" if source.ref.kind == "GitRepository" else source.url or str(source.ref)
        return (self._repositories[source.ref], artifact, source.pointer)

    def _head(self, source: Source) -> str:
        """The commit that everybody who follows this source will come to, as far as is known."""
        ahead = self._newest.get(source.ref, source)
        return self._commit(ahead.ref.kind, ahead.revision, ahead.origin_revision)

    # ── Kustomizations ──────────────────────────────────────────────────────────────────────────────────────────────

    def kustomization(self, k: Kustomization) -> Iterator[Observation]:
        """At most two observations on the present, and one for each commit that came and went."""
        ready = k.ready
        if k.deleting or k.suspended or ready is None:
            yield self._silent(k)
            return
        first = self._present(k, ready)
        if first is None:
            return
        yield self._standing(k, first) if first.state in RESULTS else first
        if (behind := self._behind(k, first)) is not None:
            yield behind
        if self._since and any(snapshot.revision != first.revision for snapshot in k.history):
            yield from self._gone(k, {first.commit, behind.commit if behind else ""})

    def _standing(self, k: Kustomization, said: Observation) -> Observation:
        """A result, with what stands in the cluster by it and how that is."""
        if not k.inventory and k.healthy is None:
            return said
        well = k.healthy.message if k.healthy is not None and k.healthy.status == "True" else ""
        return structs.replace(said, inventory=k.inventory, health=well if said.state is State.SUCCESS else "")

    def _silent(self, k: Kustomization) -> Observation:
        if k.deleting:
            return self._say(k, State.DELETING, reason="Deleting", message="Being deleted")
        if not k.suspended:
            return self._say(k, State.NEW, reason="New", message="Not seen by kustomize-controller yet")
        source = self._sources.get(k.source)
        held = source is not None and source.revision and k.applied and source.revision != k.applied
        waiting = source.revision if source and held else ""
        news = f"Suspended; {waiting} is waiting" if waiting else "Suspended"
        return self._say(k, State.SUSPENDED, revision=waiting, reason="Suspended", message=news)

    def stale(self, k: Kustomization, silent: int) -> Observation:
        """An observation that its controller has not looked for so many seconds."""
        message = f"kustomize-controller has not looked for {age(silent)}; it should within {age(k.patience)}"
        return self._say(k, State.STALE, reason="Stale", message=message, since=self._now - silent)

    def _present(self, k: Kustomization, ready: Condition) -> Observation | None:
        """The row of the table for a Kustomization that is neither suspended, new nor being deleted."""
        judged = ready.generation or k.observed_generation
        if ready.status == "True":
            whole = judged == k.generation == k.observed_generation
            if whole and (not k.attempted or k.attempted == k.applied):
                return self._applied(k, State.SUCCESS, ready)
            return self._keep(k, "SpecChanged", "The spec has changed since; not reconciled yet")
        if ready.status == "False" and (judged == k.generation or not ready.generation):
            return self._failed(k, ready)
        if ready.status == "False":
            return self._keep(k, "SpecChanged", "The spec has changed since the failure; not reconciled yet")
        return self._running(k, ready)

    def _running(self, k: Kustomization, ready: Condition) -> Observation:
        phase, revision = attempt(k.reconciling.message) if k.reconciling else ("", "")
        revision = revision or k.attempted
        if revision and revision == k.applied:
            return self._keep(k, "Progressing", "Reconciling again what was applied before")
        doing = f"Reconciling: {phase}" if phase else "Reconciling"
        said = self._on(k, revision, State.PENDING, "Progressing", doing, ready.since)
        return structs.replace(said, begun=True)

    def _failed(self, k: Kustomization, ready: Condition) -> Observation:
        reason, message = ready.reason, ready.message
        if k.stalled and k.stalled.status == "True" and k.stalled.reason == reason:
            return self._at_source(k, State.FAILURE, ready)
        if reason == "DependencyNotReady":
            waits = dependency(message)
            ref = ObjectRef("Kustomization", *waits) if waits else None
            return structs.replace(self._at_source(k, State.PENDING, ready), waits_for=ref)
        if reason == "HealthCheckCanceled":
            return self._on(k, k.attempted, State.PENDING, reason, message, ready.since)
        if reason == "ArtifactFailed":
            return self._artifact_failed(k, ready)
        if reason == "Progressing":
            return self._running(k, ready)
        if reason in _AT_SOURCE:
            return self._at_source(k, State.FAILURE, ready)
        return self._on(k, k.attempted, State.FAILURE, reason, message, ready.since)

    def _artifact_failed(self, k: Kustomization, ready: Condition) -> Observation:
        phase, revision = attempt(k.reconciling.message) if k.reconciling else ("", "")
        if phase == "fetching" and not _before_a_run(ready.message):
            return self._on(k, revision, State.FAILURE, ready.reason, ready.message, ready.since)
        believed = k.ref in self._passing or self._now - ready.since >= self._grace
        return self._at_source(k, State.FAILURE if believed else State.PENDING, ready)

    def _behind(self, k: Kustomization, first: Observation) -> Observation | None:
        """Pending on the newest revision there is, unless that is what ``first`` speaks of.

        Sources that follow the same branch of the same repository bring the same commits sooner or later: the newest
        of them counts for all, or a commit would look applied everywhere while some have yet to fetch it.
        """
        source = self._sources.get(k.source)
        if source is None:
            return None
        ahead, new = self._newest.get(k.source, source), self._heads[k.source]
        if not new or new == first.commit or (first.revision == ahead.revision and first.commit):
            return None
        message = "Fetched, waiting for reconciliation" if ahead is source else f"Waiting for {source.ref} to fetch it"
        return self._say(k, State.PENDING, new, ahead.revision, "Progressing", message, since=ahead.updated)

    def _gone(self, k: Kustomization, spoken: Collection[str]) -> Iterator[Observation]:
        """Results of commits that came and went between two looks, each commit's newest, oldest commit first."""
        newest: dict[str, tuple[str, Snapshot]] = {}
        for snapshot in k.history:  # newest first
            hash_ = self._commit(k.source.kind, snapshot.revision, snapshot.origin_revision)
            if hash_ and hash_ not in spoken and snapshot.at >= self._since:
                newest.setdefault(hash_, (hash_, snapshot))
        for hash_, snapshot in sorted(newest.values(), key=lambda pair: pair[1].at):
            state = State.SUCCESS if snapshot.status == "ReconciliationSucceeded" else State.FAILURE
            said = self._say(k, state, hash_, snapshot.revision, snapshot.status, since=snapshot.at)
            yield structs.replace(said, past=True, duration=snapshot.duration)

    # ── which commit ────────────────────────────────────────────────────────────────────────────────────────────────

    def _commit(self, kind: str, revision: str, origin: str) -> str:
        """The commit behind a revision, worked out once for the many objects that share it."""
        key = (kind, revision, origin)
        if (known := self._commits.get(key)) is None:
            known = (origin and commit(origin, "origin")) or commit(revision, kind)
            self._commits[key] = known
        return known

    def _applied(self, k: Kustomization, state: State, ready: Condition) -> Observation:
        hash_ = self._commit(k.source.kind, k.applied, k.applied_origin)
        took = next((s.duration for s in k.history if s.revision == k.applied), "")
        return self._say(k, state, hash_, k.applied, ready.reason, "", since=ready.since, duration=took)

    def _keep(self, k: Kustomization, reason: str, message: str) -> Observation:
        hash_ = self._commit(k.source.kind, k.applied, k.applied_origin)
        return self._say(k, State.PENDING, hash_, k.applied, reason, message, keeps=True)

    def _on(self, k: Kustomization, revision: str, state: State, reason: str, message: str, since: int) -> Observation:
        """An observation on a revision that a run has named. There is no origin revision of an attempt in the status:
        the source's, or the applied one, serves where it belongs to the very same revision.
        """
        source = self._sources.get(k.source)
        if source is not None and source.revision == revision:
            origin = source.origin_revision
        elif k.applied == revision:
            origin = k.applied_origin
        else:
            origin = next((s.origin_revision for s in k.history if s.revision == revision), "")
        hash_ = self._commit(k.source.kind, revision, origin)
        return self._say(k, state, hash_, revision, reason, message, since=since)

    def _at_source(self, k: Kustomization, state: State, ready: Condition) -> Observation:
        """An observation on what the source holds: nothing in the Kustomization names the revision."""
        source = self._sources.get(k.source)
        revision, origin = (source.revision, source.origin_revision) if source else ("", "")
        hash_ = self._commit(k.source.kind, revision, origin)
        return self._say(k, state, hash_, revision, ready.reason, ready.message, since=ready.since)

    def _say(
        self,
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
        repo = self._repositories.get(k.source)
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
            newest=bool(hash_) and hash_ == self._heads.get(k.source),
            metadata=k.metadata,
            labels=k.labels,
        )

    # ── HelmReleases ────────────────────────────────────────────────────────────────────────────────────────────────

    def helm_release(self, release: HelmRelease) -> Iterator[Observation]:
        """One observation, on the commit of the Kustomization that applied the release; none where that is unclear.

        Of a release that nobody applied it is about no commit; then the revision is the chart's version.
        """
        if release.owner is None:
            if self._details:
                yield self._alone(release)
            return
        owner = self._applied_by.get(release.owner)
        if owner is None or owner.suspended or owner.deleting:
            return
        repo = self._repositories.get(owner.source)
        revision, origin = _in_the_cluster(owner)
        hash_ = self._commit(owner.source.kind, revision, origin) if repo is not None else ""
        state, reason, message, since = _helm_state(release, self._now - self._grace)
        if not hash_ and state is not State.FAILURE:
            return
        silent = state not in (State.SUCCESS, State.FAILURE, State.PENDING)
        yield Observation(
            release.ref,
            state,
            repo,
            "" if silent else hash_,
            reason,
            message,
            since=since,
            revision=revision,
            begun=reason == "Progressing",
            newest=hash_ == self._heads.get(owner.source),
            metadata=release.metadata,
            labels=release.labels,
            uid=release.uid,
        )

    def _alone(self, release: HelmRelease) -> Observation:
        state, reason, message, since = _helm_state(release, self._now - self._grace)
        return Observation(
            release.ref,
            state,
            reason=reason,
            message=message,
            since=since,
            revision=release.attempted if state in (State.SUCCESS, State.FAILURE, State.PENDING) else "",
            begun=reason == "Progressing",
            metadata=release.metadata,
            labels=release.labels,
            uid=release.uid,
        )

    # ── sources ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def source(self, source: Source) -> Iterator[Observation]:
        """A source that cannot fetch: which commit it misses, nobody knows."""
        trouble = _trouble(source)
        if trouble is not None:
            yield Observation(
                source.ref,
                State.FAILURE,
                self._repositories[source.ref],
                reason=trouble.reason,
                message=trouble.message,
                since=trouble.since,
                metadata=source.metadata,
                labels=source.labels,
                uid=source.uid,
            )

    def fetched(self, source: Source) -> Observation:
        """What a source holds, as source-controller tells it."""
        repo = self._repositories[source.ref]
        hash_ = self._commit(source.ref.kind, source.revision, source.origin_revision) if repo is not None else ""
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


_AT_SOURCE = frozenset({"AccessDenied", "DirectoryCreationFailed", "FeatureGateDisabled", "InvalidCELExpression"})


def _before_a_run(message: str) -> bool:
    said = message.lower()
    return said.startswith(_BEFORE_A_RUN) or (_NOT_FOUND in said and said.endswith("not found"))


def _url(source: Source) -> str:
    """Where the commits of a source are."""
    return source.url if source.ref.kind == "GitRepository" else source.origin_url


def _newest(
    sources: Iterable[Source], repositories: Mapping[ObjectRef, Repository | None]
) -> Mapping[ObjectRef, Source]:
    """For each GitRepository that lags behind another one of the same URL and reference: that other one."""
    groups: dict[tuple[Repository | None, str], list[Source]] = defaultdict(list)
    for source in sources:
        if source.ref.kind == "GitRepository" and source.revision and not (source.deleting or source.suspended):
            groups[repositories[source.ref], source.pointer].append(source)
    ahead = {}
    for group in groups.values():
        if len(group) > 1:
            newest = max(group, key=lambda s: (s.updated, s.ref))
            ahead.update({s.ref: newest for s in group if s.revision != newest.revision and s.updated < newest.updated})
    return ahead


def _in_the_cluster(k: Kustomization) -> tuple[str, str]:
    """The revision whose manifests stand in the cluster, and its origin; empty while an apply is under way or torn."""
    ready = k.ready
    if ready is None:
        return "", ""
    phase, revision = attempt(k.reconciling.message) if k.reconciling else ("", "")
    if ready.status == "Unknown" and phase == "health checks":
        return revision, k.applied_origin if revision == k.applied else ""
    if ready.status == "Unknown" and phase == "applying" and revision != k.applied:
        return "", ""
    if ready.status == "False" and ready.reason in (
        "HealthCheckFailed",
        "HealthCheckCanceled",
        "PruneFailed",
    ):
        return k.attempted, k.applied_origin if k.attempted == k.applied else ""
    if ready.status == "False" and ready.reason == "ReconciliationFailed" and k.attempted != k.applied:
        return "", ""
    return k.applied, k.applied_origin


def _helm_state(release: HelmRelease, patience: int) -> tuple[State, str, str, int]:
    """State, reason, message and since when of a HelmRelease. A passing trouble is believed if it is older than
    ``patience`` (https://fluxcd.io/flux/components/helm/helmreleases/#conditions).
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
    waits = ready.reason in _HELM_WAITS or (ready.reason in _HELM_PASSES and ready.since > patience)
    if ready.status == "False" and (stalled or not waits):
        return State.FAILURE, ready.reason, ready.message, ready.since
    return State.PENDING, ready.reason, ready.message, ready.since


def _trouble(source: Source) -> Condition | None:
    if source.suspended or source.deleting:
        return None
    if source.fetch_failed is not None and source.fetch_failed.status == "True":
        return source.fetch_failed
    return source.ready if source.ready is not None and source.ready.status == "False" else None


def _holds(source: Source) -> bool:
    return bool(source.revision) and not source.deleting and _fetches(source)


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


def _stale(cluster: Cluster, view: _View, now: int) -> Iterator[Observation]:
    """Kustomizations whose controller has been silent for longer than it should.

    Times are the cluster's and ``now`` is ours. Where something in the cluster lies in our future, its clock is ahead
    by at least that, and that much longer we wait. Only a Ready that is True or Unknown is moved at each run: one that
    is False stays as it is while the controller tries again. Where the spec has changed since, nobody knows when: it
    may have been resumed a moment ago.
    """
    ahead = max(0, max(_signs(cluster), default=0) - now)
    for k in cluster.kustomizations:
        if k.suspended or k.deleting or not k.patience or k.ready is None or k.ready.status == "False":
            continue
        if (k.ready.generation or k.observed_generation) != k.generation:
            continue
        sign = max(_signs_of(k))
        silent = now - sign
        if sign and silent > k.patience + k.patience // PART + SLACK + ahead:
            yield view.stale(k, silent)


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


def _fetches(source: Source) -> bool:
    return not source.suspended and source.ready is not None and source.ready.status == "True"
