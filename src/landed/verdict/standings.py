"""The rules for one object: how it stands to the commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import structs

from landed.model import (
    Cluster,
    HelmRelease,
    Kustomization,
    ObjectRef,
    Observation,
    Relation,
    Repository,
    Source,
    Standing,
    State,
    Verdict,
)
from landed.outcomes.helmreleases import helm_releases
from landed.outcomes.known import Known
from landed.outcomes.kustomizations import kustomization
from landed.revision import pointer, short
from landed.verdict.failures import lasting, repeated, terminal
from landed.verdict.lines import NOT_FETCHED, Ahead, Branch, ahead, unfetched, unknown
from landed.verdict.memory import Memory, judged, key_of
from landed.verdict.question import CONTAINS, DELETING, SETTLES, SUSPENDED, Other, Question, Relations

_STILL = {State.SUSPENDED: SUSPENDED, State.DELETING: DELETING}


class Here:
    """One cluster, asked one question: how each object there that is meant stands to the commit.

    What must be known for it and is not is added to ``asked``.
    """

    def __init__(
        self,
        question: Question,
        cluster: Cluster,
        relations: Relations,
        memory: Memory,
        *,
        now: int,
        asked: dict[Other, None],
        doomed: Mapping[tuple[str, ObjectRef], str],
        final: bool,
    ) -> None:
        self._question = question
        self._cluster = cluster
        self._relations = relations
        self._memory = memory
        self._now = now
        self._asked = asked
        self._doomed = doomed
        self._final = final
        self._known: Known = judged(cluster, question.locate, now=now)
        self._all = {k.ref: k for k in (*cluster.beside, *cluster.kustomizations)}
        self._named = {k.ref for k in cluster.kustomizations}
        self._done: dict[ObjectRef, Standing] = {}
        self._heard: dict[ObjectRef, tuple[Observation, Observation | None]] = {}
        self._roots: dict[ObjectRef, Standing] = {}
        """What has failed in the end, of everything that fails because of a dependency."""

    def kustomizations(self) -> Iterator[Standing]:
        """Those whose commits are of the repository that is asked about."""
        for k in self._cluster.kustomizations:
            if self._meant(k):
                yield self._of(k)

    def releases(self) -> Iterator[Standing]:
        """Those below Kustomizations that have applied the commit, or whose health for it is waited for."""
        if not self._cluster.helm_releases:
            return
        by_ref = {release.ref: release for release in self._cluster.helm_releases}
        for said in helm_releases(self._known, alone=False):
            release = by_ref[said.about]
            owner = self._all.get(release.owner) if release.owner is not None else None
            if owner is None or not self._meant(owner):
                continue
            if said.state in _STILL:
                yield self._say(said, _STILL[said.state])
            elif said.commit and self._relation(said.commit) in CONTAINS:
                yield self._release(release, said, owner)

    # ── one object ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _meant(self, k: Kustomization) -> bool:
        repository = self._repository(k)
        if repository is None:
            return self._question.named and k.ref in self._named
        return repository == self._question.repository

    def _repository(self, k: Kustomization) -> Repository | None:
        """Where its commits are, or were when its source was last there."""
        known = self._known.repositories.get(k.source)
        return known or self._memory.repositories.get(key_of(self._cluster.name, k.ref, k.uid))

    def _said(self, k: Kustomization) -> tuple[Observation, Observation | None]:
        """What it says, and what it has yet to come to."""
        if k.ref not in self._heard:
            first, *rest = kustomization(self._known, k)
            self._heard[k.ref] = first, next((o for o in rest if not o.past), None)
        return self._heard[k.ref]

    def _of(self, k: Kustomization) -> Standing:
        """How it stands; what it waits for is judged before it, however long that chain is."""
        chain: list[Kustomization] = []
        on: Kustomization | None = k
        while on is not None and on.ref not in self._done:
            # What waits for itself, in a circle, finds itself waiting.
            self._done[on.ref] = Standing(self._cluster.name, on.ref, Verdict.WAITING)
            chain.append(on)
            dependency = self._said(on)[0].waits_for
            on = self._all.get(dependency) if dependency is not None else None
        for each in reversed(chain):
            self._done[each.ref] = self._judged(each) if self._meant(each) else self._foreign(each)
        return self._done[k.ref]

    def _judged(self, k: Kustomization) -> Standing:
        first, behind = self._said(k)
        if first.state in _STILL:
            return self._say(first, _STILL[first.state])
        if first.state is State.NEW:
            return self._say(first, Verdict.WAITING)
        if first.commit and self._relation(first.commit) in CONTAINS:
            return self._on_it(k, first, behind)
        return self._elsewhere(k, first)

    def _on_it(self, k: Kustomization, said: Observation, behind: Observation | None) -> Standing:
        """``said`` speaks of the commit, or of one that contains it."""
        if said.state is State.SUCCESS:
            return self._say(said, Verdict.LIVE)
        if said.state is State.FAILURE:
            return self._failed(k, said, behind)
        if said.keeps and said.reason == "Progressing" and self._had_succeeded(k, said):
            return self._say(said, Verdict.LIVE)
        if said.waits_for is not None:
            return self._waiting_for(said, said.waits_for)
        return self._begun(said)

    def _had_succeeded(self, k: Kustomization, said: Observation) -> bool:
        """Flux looks again at what it has applied: what it found before still holds."""
        if k.observed_generation != k.generation:
            return False  # with another spec than then
        if k.history and k.history[0].status != "ReconciliationSucceeded":
            return False  # it has failed since
        return self._memory.succeeded.get(key_of(self._cluster.name, k.ref, k.uid)) == said.commit

    def _failed(self, k: Kustomization, said: Observation, behind: Observation | None) -> Standing:
        if behind is not None and self._may_contain(behind.commit):
            return self._going_on(said, behind.revision)
        failing = self._memory.failing.get(key_of(self._cluster.name, k.ref, k.uid))
        grace = self._question.grace
        if (
            terminal(k, said)
            or repeated(k, said, grace)
            or lasting(said, failing, grace=grace, now=self._now, final=self._final)
        ):
            return self._say(said, Verdict.FAILED)
        passing = f"Failed, which may pass; Flux tries again: {said.message}"
        return structs.replace(self._say(said, Verdict.WAITING), message=passing)

    def _going_on(self, said: Observation, revision: str) -> Standing:
        going = f"Failed on {short(said.revision)}, and goes on to {short(revision)}: {said.message}"
        return structs.replace(self._say(said, Verdict.WAITING), message=going)

    def _waiting_for(self, said: Observation, dependency: ObjectRef) -> Standing:
        """It fails when what it waits for fails."""
        on = self._all.get(dependency)
        called = f"{dependency.namespace}/{dependency.name}"
        if on is None:
            return structs.replace(self._begun(said), message=f"Waiting for {called}: {said.message}")
        its = self._of(on)
        if its.state == Verdict.FAILED:
            root = self._roots[said.about] = self._roots.get(on.ref, its)
            through = "" if root is its else f", and that in the end for {root.about.namespace}/{root.about.name}"
            failed = structs.replace(self._say(said, Verdict.FAILED), reason="DependencyFailed")
            return structs.replace(failed, message=f"Waits for {called}{through}, which has failed: {root.message}")
        still = f", which is {its.state}" if its.state in (SUSPENDED, DELETING) else ""
        return structs.replace(self._begun(said), message=f"Waiting for {called}{still}")

    def _foreign(self, k: Kustomization) -> Standing:
        """A dependency that comes from elsewhere: its commits are not ours, but its failures are."""
        first, behind = self._said(k)
        if first.state in _STILL:
            return self._say(first, _STILL[first.state])
        if first.state is State.FAILURE and behind is None:
            return self._failed(k, first, None) if k.source in self._cluster.sources else self._astray(k, first)
        if first.waits_for is not None:
            return self._waiting_for(first, first.waits_for)
        return self._say(first, Verdict.WAITING)

    def _astray(self, k: Kustomization, said: Observation) -> Standing:
        """A failure of what nobody knows the source of: that may have brought a fix already, so it must last."""
        failing = self._memory.failing.get(key_of(self._cluster.name, k.ref, k.uid))
        lasted = lasting(said, failing, grace=self._question.grace, now=self._now, final=True)
        return self._say(said, Verdict.FAILED if lasted else Verdict.WAITING)

    def _begun(self, said: Observation) -> Standing:
        """On its way, unless something below it says that it will not come through."""
        standing = self._say(said, Verdict.WAITING)
        doom = self._doomed.get((self._cluster.name, said.about), "")
        if not doom:
            return standing
        if self._question.fail_early:
            return structs.replace(standing, state=Verdict.FAILED, reason="WillFail", message=doom, doomed=doom)
        return structs.replace(standing, doomed=doom)

    def _release(self, release: HelmRelease, said: Observation, owner: Kustomization) -> Standing:
        if said.state is State.SUCCESS:
            return self._say(said, Verdict.LIVE)
        if said.state is not State.FAILURE:
            return self._begun(said)
        head = self._known.heads.get(owner.source, "")
        if head not in ("", said.commit) and self._may_contain(head):
            return self._going_on(said, self._holder(owner).revision)
        failing = self._memory.failing.get(key_of(self._cluster.name, release.ref, release.uid))
        grace = self._question.grace
        lasted = lasting(said, failing, grace=grace, now=self._now, final=self._final)
        # The failure may be of what stood there before, and that the spec has changed is not heard yet.
        settled = self._final or lasting(said, failing, grace=SETTLES, now=self._now, final=True)
        if lasted or (settled and terminal(release, said)):
            return self._say(said, Verdict.FAILED)
        return self._say(said, Verdict.WAITING)

    # ── not on the commit ───────────────────────────────────────────────────────────────────────────────────────────

    def _elsewhere(self, k: Kustomization, first: Observation) -> Standing:
        """It speaks of another commit, or of none: what matters is what its source will bring."""
        source = self._cluster.sources.get(k.source)
        head = self._known.heads.get(k.source, "")
        if source is None or self._known.repositories.get(k.source) is None or not head:
            return self._with(first, unfetched(k, source, self._now))
        own = self._known.commit(source.ref.kind, source.revision, source.origin_revision)
        if own and self._relation(own) in CONTAINS:
            return self._fetched(k, first, own, source)
        holder = self._holder(k)
        relation = self._relation(head)
        if relation in CONTAINS:
            return self._fetched(k, first, head, holder)
        branch = Branch(
            holder,
            head,
            relation,
            moved=len(self._seen(holder)) > 1,
            held=self._held(k, holder),
            asks=self._looked_up,
        )
        found = ahead(branch, self._question.commit, began=self._question.began, now=self._now, final=self._final)
        if found.diverged and first.commit and self._relation(first.commit) is Relation.UNKNOWN:
            found = unknown(first.commit, self._question.commit)  # it may well be live
        return self._with(first, found)

    def _holder(self, k: Kustomization) -> Source:
        """Its source, or another one of the same branch that is ahead of it."""
        return self._known.newest.get(k.source) or self._cluster.sources[k.source]

    def _fetched(self, k: Kustomization, first: Observation, commit: str, holder: Source) -> Standing:
        """``holder`` has the commit, and the Kustomization has not come to it."""
        if first.waits_for is not None:
            return self._waiting_for(first, first.waits_for)
        own = holder.ref == k.source
        reason = "Fetched" if own else NOT_FETCHED
        said = structs.replace(first, commit=commit, revision=holder.revision, reason=reason)
        old = f"; {first.reason} on {short(first.revision)}" if first.state is State.FAILURE else ""
        message = f"Fetched, waiting for reconciliation{old}" if own else f"Waiting for {k.source} to fetch it{old}"
        return structs.replace(self._say(said, Verdict.WAITING), message=message)

    def _seen(self, source: Source) -> tuple[str, ...]:
        """What the source was seen to hold, of the branch or tag that it holds now."""
        return self._memory.held.get((self._cluster.name, source.ref, pointer(source.revision)), ())

    def _held(self, k: Kustomization, source: Source) -> bool:
        """Whether the source was seen with the commit before, or the Kustomization has tried it once, from there."""
        if any(self._relation(commit) in CONTAINS for commit in self._seen(source)):
            return True
        tried = (s for s in k.history if pointer(s.revision) == pointer(source.revision))
        known = {self._known.commit(k.source.kind, s.revision, s.origin_revision) for s in tried}
        # Nobody is asked for these: at the start, when everything is on the old commit, it would be much for nothing.
        return any(self._relations.get(commit) in CONTAINS or commit == self._question.commit for commit in known)

    def _with(self, first: Observation, found: Ahead) -> Standing:
        state = Verdict.DIVERGED if found.diverged else Verdict.WAITING
        standing = self._say(first, state)
        return structs.replace(standing, reason=found.reason, message=found.message, since=found.since)

    # ── what everything above needs ─────────────────────────────────────────────────────────────────────────────────

    def _relation(self, other: Other) -> Relation:
        """How ``other`` relates to the commit; what is not known yet is asked for."""
        return self._looked_up(other) or Relation.UNKNOWN

    def _looked_up(self, other: Other) -> Relation | None:
        """The same, and None as long as it is being looked up."""
        if other == self._question.commit:
            return Relation.SAME
        if other not in self._relations:
            self._asked[other] = None
        return self._relations.get(other)

    def _may_contain(self, commit: str) -> bool:
        """Whether ``commit`` contains the one that is asked about, or nobody was asked yet."""
        relation = self._looked_up(commit) if commit else Relation.UNKNOWN
        return relation is None or relation in CONTAINS

    def _say(self, said: Observation, state: str) -> Standing:
        return Standing(
            self._cluster.name,
            said.about,
            state,
            said.commit,
            said.revision,
            said.reason,
            said.message,
            said.since,
            said.waits_for,
        )
