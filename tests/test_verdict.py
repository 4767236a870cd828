"""The verdict on one commit: the truth table by how commits relate, its traps by name, and what holds in any world.

B is asked about. A is before it, C after it (it contains B), D apart from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from values import (
    FLEET,
    LATEST_A,
    LATEST_B,
    MAIN_A,
    MAIN_B,
    MAIN_C,
    MAIN_D,
    NOW,
    SOURCE,
    A,
    B,
    C,
    D,
    cluster,
    git,
    k,
    phase,
    ready,
)

from landed.model import (
    Cluster,
    Condition,
    HelmRelease,
    Kustomization,
    ObjectRef,
    Relation,
    Repository,
    Snapshot,
    Source,
    Verdict,
)
from landed.verdict import Decision, Memory, Question, decide, remember

LIVE, FAILED, WAITING, DIVERGED = Verdict
SAME, AFTER, BEFORE, APART, UNKNOWN = Relation

ROOT = "0" * 39 + "1"
MAIN_ROOT = f"main@sha1:{ROOT}"
KNOWN: Mapping[str, Relation] = {ROOT: BEFORE, A: BEFORE, C: AFTER, D: APART}
MAIN = "refs/heads/main"
ASKED = Question(FLEET, B, began=NOW)
OTHER = Repository("github.com", "example/other")
ELSEWHERE = ObjectRef("GitRepository", "flux-system", "other")
HEALTH = "health check failed after 2m0.004s: timeout waiting for: [Deployment/apps/web status: 'InProgress']"
NO_PATH = "kustomization path not found: stat /tmp/kustomization-3/deploy: no such file or directory"
WEBHOOK = "Ingress/apps/web dry-run failed (InternalError): failed calling webhook"
Object = Kustomization | Source | HelmRelease


def judged(
    *looks: Cluster | Sequence[Cluster],
    known: Mapping[str, Relation] = KNOWN,
    every: int = 2,
    **more: Any,
) -> Decision:
    """What is decided in the last of ``looks``, one every so many seconds, the first at NOW."""
    question = structs.replace(ASKED, **{name: more.pop(name) for name in [*more] if name in ASKED.__struct_fields__})
    memory, now = Memory(), NOW
    for number, look in enumerate(looks):
        now = NOW + number * every
        clusters = [look] if isinstance(look, Cluster) else look
        memory = remember(memory, clusters, question.locate, now=now)
    return decide(question, clusters, known, memory, now=now, **more)


def verdict(*looks: Cluster | Sequence[Cluster], **more: Any) -> Verdict:
    return judged(*looks, **more).answer.verdict


def states(decision: Decision) -> dict[str, str]:
    return {one.about.name: str(one.state) for one in decision.answer.standings}


# ── the truth table, crossed with how the commit that is spoken of relates ──────────────────────────────────────────


def failing(reason: str, message: str, revision: str, **changes: Any) -> Kustomization:
    """Ready is False for ``revision``, in a run of it."""
    attempted: dict[str, Any] = {"attempted": revision, "applied": MAIN_ROOT, "observed_generation": 0}
    return k(**(attempted | {"ready": ready("False", reason, message)} | changes))


def stalled(reason: str) -> Callable[[str], Kustomization]:
    said, held = ready("False", reason, "no"), Condition("True", reason, "no", 1, NOW - 600)
    return lambda revision: k(applied=MAIN_ROOT, attempted=MAIN_ROOT, ready=said, stalled=held)


def running(start: str) -> Callable[[str], Kustomization]:
    return lambda revision: k(
        applied=MAIN_ROOT, attempted=MAIN_ROOT, ready=ready("Unknown"), reconciling=phase(start, revision)
    )


def waits(name: str, on: str, revision: str = MAIN_B, **changes: Any) -> Kustomization:
    said = ready("False", "DependencyNotReady", f"dependency 'apps/{on}' is not ready")
    return k(name, **({"ready": said, "applied": MAIN_A, "attempted": MAIN_A} | changes))


#: What is seen, of a Kustomization at a revision → what it means where that contains the commit; else it waits.
ROWS: Mapping[str, tuple[Callable[[str], Kustomization], Verdict]] = {
    "success": (lambda r: k(applied=r, attempted=r), LIVE),
    "success, spec changed since": (lambda r: k(applied=r, attempted=r, generation=2), WAITING),
    "success, only the status is of the new spec": (
        lambda r: k(applied=r, attempted=r, generation=2, observed_generation=2),
        WAITING,
    ),
    "success, another revision attempted since": (lambda r: k(applied=r, attempted=MAIN_ROOT), WAITING),
    "fetching": (running("Fetching manifests"), WAITING),
    "building": (running("Building manifests"), WAITING),
    "applying": (running("Detecting drift"), WAITING),
    "health checks": (running("Running health checks"), WAITING),
    "reconciling again what nobody saw succeed": (
        lambda r: k(applied=r, attempted=r, ready=ready("Unknown"), reconciling=phase("Detecting drift", r)),
        WAITING,
    ),
    "BuildFailed": (lambda r: failing("BuildFailed", "kustomize build failed: no such file", r), FAILED),
    "HealthCheckFailed": (lambda r: failing("HealthCheckFailed", HEALTH, r), FAILED),
    "HealthCheckFailed after it was applied well": (
        lambda r: failing("HealthCheckFailed", HEALTH, r, applied=r, observed_generation=1),
        FAILED,
    ),
    "dry-run finds it invalid": (
        lambda r: failing("ReconciliationFailed", "Service/apps/web dry-run failed (Invalid): spec.ports", r),
        FAILED,
    ),
    "invalid, says a webhook": (
        lambda r: failing(
            "ReconciliationFailed", 'Service/a/w dry-run failed (Invalid): admission webhook "x" denied the request', r
        ),
        WAITING,
    ),
    "a webhook is away": (lambda r: failing("ReconciliationFailed", WEBHOOK, r), WAITING),
    "PruneFailed": (lambda r: failing("PruneFailed", "delete failed, errors: Service/a/w delete failed", r), WAITING),
    "path not found": (
        lambda r: failing("ArtifactFailed", NO_PATH, MAIN_ROOT, reconciling=phase("Fetching manifests", r)),
        FAILED,
    ),
    "artifact cannot be fetched": (
        lambda r: failing(
            "ArtifactFailed", "connection refused", MAIN_ROOT, reconciling=phase("Fetching manifests", r)
        ),
        WAITING,
    ),
    "no artifact before a run": (
        lambda r: failing("ArtifactFailed", "Source artifact not found, retrying in 30s", MAIN_ROOT),
        WAITING,
    ),
    "dependency not ready": (lambda r: waits("web", "db"), WAITING),
    "health check cancelled": (lambda r: failing("HealthCheckCanceled", "New reconciliation triggered", r), WAITING),
    "stalled: AccessDenied": (stalled("AccessDenied"), FAILED),
    "stalled: InvalidCELExpression": (stalled("InvalidCELExpression"), FAILED),
    "stalled left over, waits for a dependency": (
        lambda r: waits("web", "db", stalled=Condition("True", "AccessDenied", "no", 1, NOW)),
        WAITING,
    ),
    "new": (lambda r: k(ready=None, applied="", attempted="", observed_generation=-1), WAITING),
    "suspended": (lambda r: k(applied=r, attempted=r, suspended=True), WAITING),
    "being deleted": (lambda r: k(applied=r, attempted=r, deleting=True), WAITING),
}

#: How the commit that is spoken of relates → its revision, and what is known.
RELATED: Mapping[str, tuple[str, Mapping[str, Relation], bool]] = {
    "same": (MAIN_B, KNOWN, True),
    "after": (MAIN_C, KNOWN, True),
    "before": (MAIN_A, KNOWN, False),
    "apart": (MAIN_D, KNOWN, False),
    "unknown": (MAIN_D, {**KNOWN, D: UNKNOWN}, False),
    "not asked yet": (MAIN_D, {ROOT: BEFORE}, False),
}


@pytest.mark.parametrize("related", RELATED)
@pytest.mark.parametrize("row", ROWS)
def test_row(row: str, related: str) -> None:
    make, expected = ROWS[row]
    revision, known, contains = RELATED[related]

    decision = judged(cluster(make(revision), git(revision)), known=known)

    assert decision.answer.verdict is (expected if contains else WAITING)
    silent = {"new": WAITING, "suspended": "suspended", "being deleted": "deleting"}
    assert states(decision) == {"web": str(silent.get(row, expected if contains else WAITING))}
    if related == "not asked yet" and row not in ("suspended", "being deleted", "new"):
        assert D in decision.unasked


# ── single looks ────────────────────────────────────────────────────────────────────────────────────────────────────


class Case(NamedTuple):
    """One look, and what it means."""

    expected: Verdict
    objects: Sequence[Object]
    known: Mapping[str, Relation] = KNOWN
    says: str = ""
    """Somewhere in what is said of ``web``."""
    more: Mapping[str, Any] = {}


def on(revision: str, name: str = "web", **changes: Any) -> Kustomization:
    return k(name, **({"applied": revision, "attempted": revision} | changes))


def oci(revision: str, origin: str, **changes: Any) -> Source:
    settings: dict[str, Any] = {
        "ref": ObjectRef("OCIRepository", "flux-system", "fleet"),
        "url": "oci://registry.example.com/example/fleet",
        "pointer": "tag=latest",
        "revision": revision,
        "origin_revision": origin,
        "origin_url": "https://github.com/example/fleet",
    }
    return git(**(settings | changes))


def from_oci(revision: str, origin: str, **changes: Any) -> Kustomization:
    return on(revision, source=oci("", "").ref, applied_origin=origin, **changes)


def tip(relation: Relation, ref: str = MAIN) -> Mapping[str, Relation]:
    return {**KNOWN, ref: relation}


def release(name: str = "podinfo", owner: str = "web", **changes: Any) -> HelmRelease:
    settings: dict[str, Any] = {
        "ref": ObjectRef("HelmRelease", "apps", name),
        "owner": ObjectRef("Kustomization", "apps", owner),
        "generation": 1,
        "observed_generation": 1,
        "ready": ready(reason="UpgradeSucceeded"),
    }
    return HelmRelease(**(settings | changes))


def broken_release(**changes: Any) -> HelmRelease:
    return release(ready=ready("False", "UpgradeFailed", "Helm upgrade failed: timed out"), **changes)


def given_up(**changes: Any) -> HelmRelease:
    return broken_release(stalled=Condition("True", "RetriesExceeded", "no", 1), **changes)


def foreign(name: str, **changes: Any) -> Kustomization:
    return k(name, source=ELSEWHERE, **changes)


def other(revision: str = MAIN_A) -> Source:
    return git(revision, ref=ELSEWHERE, url="https://github.com/example/other")


def snapshot(revision: str, status: str, *, at: int = NOW - 60, first: int = 0, times: int = 1) -> Snapshot:
    return Snapshot(revision, "", status, at, first=first or at, times=times)


LATE = {"began": NOW - 1000}
FAILED_B = failing("HealthCheckFailed", HEALTH, MAIN_B)
FAILED_A = failing("HealthCheckFailed", HEALTH, MAIN_A)
RETRIED = {"first": NOW - 100, "at": NOW - 5, "times": 4}
ANOTHER = "f" * 40

CASES: Mapping[str, Case] = {
    # on its way
    "everything is Ready on the old commit": Case(WAITING, [on(MAIN_A), git()], says="holds main@6dcd4ce2"),
    "not fetched, long since": Case(WAITING, [on(MAIN_A), git()], says="not fetched", more=LATE),
    "the source cannot fetch": Case(
        WAITING,
        [on(MAIN_A), git(fetch_failed=Condition("True", "AuthenticationFailed", "denied"))],
        says="cannot fetch: denied",
    ),
    "a trouble in fetching that is over": Case(
        WAITING, [on(MAIN_A), git(fetch_failed=Condition("False", "Succeeded", "fine"))], says="holds main@6dcd4ce2"
    ),
    "the source is suspended": Case(WAITING, [on(MAIN_A), git(suspended=True)], says="is suspended"),
    "fetched, not reconciled": Case(WAITING, [on(MAIN_A), git(MAIN_B)], says="Fetched, waiting"),
    "a later one is fetched, not reconciled": Case(WAITING, [on(MAIN_A), git(MAIN_C)], says="Fetched, waiting"),
    "the old one has failed, the new one is fetched": Case(WAITING, [FAILED_A, git(MAIN_B)], says="HealthCheckFailed"),
    "the old one has failed, the new one is not fetched": Case(WAITING, [FAILED_A, git()], says="not fetched"),
    "the source has no artifact": Case(WAITING, [on(MAIN_A), git("")], says="not fetched"),
    # live
    "live, and a later one is fetched": Case(LIVE, [on(MAIN_B), git(MAIN_C)]),
    "live, and what comes next is unknown": Case(LIVE, [on(MAIN_B), git(MAIN_D)], {}),
    "two quick commits: Flux skipped it": Case(LIVE, [on(MAIN_C), git(MAIN_C)]),
    "one by it, one by a later one": Case(LIVE, [on(MAIN_B), on(MAIN_C, "db"), git(MAIN_C)]),
    "an old Flux's revision": Case(LIVE, [on(f"main/{B}"), git(f"main/{B}")]),
    "a bare hash": Case(LIVE, [on(B), git(B)]),
    "detached": Case(LIVE, [on(f"HEAD/{B}"), git(f"HEAD/{B}")]),
    "capitals": Case(LIVE, [on(f"main@sha1:{B.upper()}"), git(MAIN_B)]),
    "a digest of an artifact that looks like nothing": Case(WAITING, [on("main@sha256:" + "a" * 64), git("")]),
    "a repository of SHA-256": Case(
        LIVE, [on("main@sha256:" + "a" * 64), git("main@sha256:" + "a" * 64)], more={"commit": "a" * 64}
    ),
    # failures
    "failed, and a fix is fetched": Case(WAITING, [FAILED_B, git(MAIN_C)], says="goes on to main@32096c2e"),
    "failed, and the branch was forced away": Case(FAILED, [FAILED_B, git(MAIN_D)]),
    "failed, and nobody knows what comes next": Case(FAILED, [FAILED_B, git(MAIN_D)], {**KNOWN, D: UNKNOWN}),
    "failed, and what comes next is being looked up": Case(WAITING, [FAILED_B, git(MAIN_D)], {}),
    "failed on a descendant": Case(FAILED, [failing("HealthCheckFailed", HEALTH, MAIN_C, applied=MAIN_B), git(MAIN_C)]),
    "failed, and the spec was mended since": Case(WAITING, [structs.replace(FAILED_B, generation=2), git(MAIN_B)]),
    "one of several failed": Case(FAILED, [FAILED_B, on(MAIN_B, "db"), git(MAIN_B)]),
    "one failed, another is not there yet": Case(FAILED, [FAILED_B, on(MAIN_A, "db"), git(MAIN_B)]),
    "one failed, another is suspended": Case(FAILED, [FAILED_B, on(MAIN_A, "db", suspended=True), git(MAIN_B)]),
    "a failing one of another repository": Case(
        LIVE, [on(MAIN_B), git(MAIN_B), foreign("db", ready=ready("False", "BuildFailed")), other()]
    ),
    "a passing failure that history shows to last": Case(
        FAILED,
        [
            failing("PruneFailed", "no", MAIN_B, history=(snapshot(MAIN_B, "PruneFailed", **RETRIED),)),
            git(MAIN_B),
        ],
    ),
    "a passing failure that history shows once": Case(
        WAITING,
        [failing("PruneFailed", "no", MAIN_B, history=(snapshot(MAIN_B, "PruneFailed"),)), git(MAIN_B)],
    ),
    "a passing failure that history shows for a moment": Case(
        WAITING,
        [
            failing(
                "PruneFailed",
                "no",
                MAIN_B,
                history=(snapshot(MAIN_B, "PruneFailed", first=NOW - 34, at=NOW - 5, times=2),),
            ),
            git(MAIN_B),
        ],
    ),
    "a passing failure that history shows to be one long try": Case(
        WAITING,
        [
            failing(
                "PruneFailed", "no", MAIN_B, history=(snapshot(MAIN_B, "PruneFailed", first=NOW - 90, at=NOW - 5),)
            ),
            git(MAIN_B),
        ],
    ),
    "stalled left over, its source is away": Case(
        WAITING,
        [
            failing(
                "ArtifactFailed",
                "Source artifact not found, retrying in 30s",
                MAIN_A,
                stalled=Condition("True", "AccessDenied", "no", 1),
            ),
            git(MAIN_B),
        ],
    ),
    "a passing failure that was there long ago, and was over": Case(
        WAITING,
        [
            failing(
                "PruneFailed",
                "no",
                MAIN_B,
                history=(
                    snapshot(MAIN_B, "PruneFailed", first=NOW - 9000, at=NOW - 5, times=2),
                    snapshot(MAIN_B, "ReconciliationSucceeded", at=NOW - 60, first=NOW - 8000, times=9),
                ),
            ),
            git(MAIN_B),
        ],
    ),
    "a history of another commit's failure": Case(
        WAITING,
        [failing("PruneFailed", "no", MAIN_B, history=(snapshot(MAIN_A, "PruneFailed", **RETRIED),)), git(MAIN_B)],
    ),
    "a stale Reconciling message of an innocent commit": Case(
        WAITING,
        [
            failing(
                "ArtifactFailed",
                "Source is not ready, artifact not found, retrying in 30s",
                MAIN_A,
                reconciling=phase("Fetching manifests", MAIN_B),
            ),
            git(MAIN_A),
        ],
        says="not fetched",
    ),
    # rollback and force-push
    "forced away before we came, nobody knows the branch": Case(WAITING, [on(MAIN_D), git(MAIN_D)]),
    "forced away, and the branch says so": Case(DIVERGED, [on(MAIN_D), git(MAIN_D)], tip(APART)),
    "forced away, to a commit before": Case(DIVERGED, [on(MAIN_D), git(MAIN_D)], tip(BEFORE)),
    "forced to it: the branch has it": Case(WAITING, [on(MAIN_D), git(MAIN_D)], tip(SAME)),
    "forced to it, and gone on": Case(WAITING, [on(MAIN_D), git(MAIN_D)], tip(AFTER)),
    "forced to it, however late": Case(WAITING, [on(MAIN_D), git(MAIN_D)], tip(SAME), more=LATE),
    "forced to it: the branch is being looked up": Case(WAITING, [on(MAIN_D), git(MAIN_D)]),
    "apart for an interval, nobody knows the branch": Case(
        DIVERGED, [on(MAIN_D), git(MAIN_D, interval=60)], tip(UNKNOWN), more={"began": NOW - 91}
    ),
    "apart for not quite an interval": Case(
        WAITING, [on(MAIN_D), git(MAIN_D, interval=60)], tip(UNKNOWN), more={"began": NOW - 90}
    ),
    "apart for an interval in which nothing could be fetched": Case(
        WAITING,
        [on(MAIN_D), git(MAIN_D, fetch_failed=Condition("True", "GitOperationFailed", "timeout"))],
        tip(UNKNOWN),
        more=LATE,
    ),
    "apart for an interval, and suspended": Case(
        WAITING, [on(MAIN_D), git(MAIN_D, suspended=True)], tip(UNKNOWN), more=LATE
    ),
    "apart at the end": Case(DIVERGED, [on(MAIN_D), git(MAIN_D)], tip(UNKNOWN), more={"final": True}),
    "before at the end": Case(WAITING, [on(MAIN_A), git()], tip(UNKNOWN), more={"final": True}),
    "rolled back: it was applied once": Case(
        DIVERGED, [on(MAIN_A, history=(snapshot(MAIN_B, "ReconciliationSucceeded"),)), git()], tip(BEFORE)
    ),
    "rolled back, and pushed again": Case(
        WAITING, [on(MAIN_A, history=(snapshot(MAIN_B, "ReconciliationSucceeded"),)), git()], tip(SAME)
    ),
    "rolled back: it failed once": Case(
        DIVERGED, [on(MAIN_A, history=(snapshot(MAIN_B, "HealthCheckFailed"),)), git()], tip(BEFORE)
    ),
    "applied once from another branch": Case(
        WAITING,
        [
            on(f"prod@sha1:{A}", history=(snapshot(MAIN_B, "ReconciliationSucceeded"),)),
            git(f"prod@sha1:{A}", pointer="branch=prod"),
        ],
        tip(BEFORE, "refs/heads/prod"),
    ),
    "not fetched, and the branch never had it": Case(DIVERGED, [on(MAIN_A), git()], tip(APART), more=LATE),
    "not fetched, and the branch has yet to get it": Case(WAITING, [on(MAIN_A), git()], tip(BEFORE), more=LATE),
    "nobody can say how the source's commit relates": Case(
        WAITING, [on(MAIN_A), git(MAIN_D)], {**KNOWN, D: UNKNOWN}, says="Nobody can say", more=LATE
    ),
    "the branch has left it, and what is applied may have it": Case(
        WAITING,
        [on(MAIN_C), git(MAIN_D)],
        {**tip(APART), C: UNKNOWN},
        says="Nobody can say whether 32096c2e contains ae4f281d",
    ),
    "the branch has left it, and what is applied is being looked up": Case(
        WAITING, [on(MAIN_C), git(MAIN_D)], {D: APART, MAIN: APART}
    ),
    "the branch has left it, and what is applied has it": Case(LIVE, [on(MAIN_C), git(MAIN_D)], tip(APART)),
    "diverged here, on its way there": Case(
        DIVERGED,
        [on(MAIN_D), git(MAIN_D), k("db", source=ELSEWHERE), git(ref=ELSEWHERE, pointer="branch=next")],
        tip(APART),
    ),
    "failed before diverged": Case(
        FAILED,
        [
            on(MAIN_D),
            git(MAIN_D),
            structs.replace(FAILED_B, ref=ObjectRef("Kustomization", "apps", "db"), source=ELSEWHERE),
            git(MAIN_B, ref=ELSEWHERE, pointer="branch=next"),
        ],
        tip(APART),
        says="has gone another way",
    ),
    # what sources follow
    "pinned to another commit": Case(DIVERGED, [on(MAIN_A), git(pointer=f"commit={A}")]),
    "pinned to another line": Case(DIVERGED, [on(MAIN_D), git(MAIN_D, pointer=f"commit={D}")]),
    "pinned to it, not fetched yet": Case(WAITING, [on(MAIN_A), git(pointer=f"commit={B}")]),
    "pinned to it in capitals": Case(WAITING, [on(MAIN_A), git(pointer=f"commit={B.upper()}")]),
    "pinned to a later one, not fetched yet": Case(WAITING, [on(MAIN_A), git(pointer=f"commit={C}")]),
    "pinned to what nobody knows": Case(
        WAITING, [on(MAIN_A), git(pointer=f"commit={ANOTHER}")], {**KNOWN, ANOTHER: UNKNOWN}
    ),
    "pinned to it": Case(LIVE, [on(f"sha1:{B}"), git(f"sha1:{B}", pointer=f"commit={B}")]),
    "a tag that is on it": Case(LIVE, [on(f"v1@sha1:{B}"), git(f"v1@sha1:{B}", pointer="tag=v1")]),
    "a tag that is elsewhere": Case(
        DIVERGED, [on(f"v1@sha1:{D}"), git(f"v1@sha1:{D}", pointer="tag=v1")], tip(APART, "refs/tags/v1")
    ),
    "a tag that is about to be moved": Case(
        WAITING, [on(f"v1@sha1:{D}"), git(f"v1@sha1:{D}", pointer="tag=v1")], tip(SAME, "refs/tags/v1"), more=LATE
    ),
    "a name that is a branch": Case(
        DIVERGED, [on(MAIN_D), git(MAIN_D, pointer="name=refs/heads/main")], tip(APART), says="gone another way"
    ),
    "a version of it": Case(LIVE, [on(f"v1.2.0@sha1:{C}"), git(f"v1.2.0@sha1:{C}", pointer="semver=1.x")]),
    "a version before it": Case(
        WAITING, [on(f"v1.1.0@sha1:{A}"), git(f"v1.1.0@sha1:{A}", pointer="semver=1.x")], more=LATE | {"final": True}
    ),
    "a version of a release branch: the next may have it": Case(
        WAITING, [on(f"v1.0.1@sha1:{D}"), git(f"v1.0.1@sha1:{D}", pointer="semver=1.x")], more=LATE | {"final": True}
    ),
    "a pull request's reference": Case(
        WAITING, [on(MAIN_D), git(MAIN_D, pointer="name=refs/pull/1/head")], tip(APART, "refs/pull/1/head")
    ),
    "OCI: the origin revision counts": Case(LIVE, [from_oci(LATEST_B, MAIN_B), oci(LATEST_B, MAIN_B)]),
    "OCI: a bare origin revision": Case(LIVE, [from_oci(LATEST_B, B), oci(LATEST_B, B)]),
    "OCI: not pushed yet": Case(WAITING, [from_oci(LATEST_A, MAIN_A), oci(LATEST_A, MAIN_A)], more=LATE),
    "OCI: fetched": Case(WAITING, [from_oci(LATEST_A, MAIN_A), oci(LATEST_B, MAIN_B)], says="Fetched, waiting"),
    "OCI: failed": Case(
        FAILED,
        [
            failing("HealthCheckFailed", HEALTH, LATEST_B, source=oci("", "").ref, applied=LATEST_A),
            oci(LATEST_B, MAIN_B),
        ],
    ),
    "OCI: an artifact of which nobody knows the commit": Case(
        WAITING,
        [from_oci(LATEST_A, ""), oci(LATEST_A, "")],
        says="does not say of which commit",
    ),
    "OCI: of another repository": Case(
        LIVE,
        [from_oci(LATEST_B, MAIN_A, name="db"), oci(LATEST_B, MAIN_A, origin_url=other().url), on(MAIN_B), git(MAIN_B)],
    ),
    "a source that lags behind another one of its branch": Case(
        WAITING,
        [on(MAIN_B), git(MAIN_B, updated=NOW), k("db", source=ELSEWHERE), git(ref=ELSEWHERE)],
    ),
    "it holds the commit; another of its branch was looked at later": Case(
        WAITING,
        [on(MAIN_A), git(MAIN_B), k("db", source=ELSEWHERE), git(ref=ELSEWHERE, updated=NOW)],
        says="Fetched, waiting",
    ),
    "the source is not there": Case(WAITING, [on(MAIN_A), other()], says="is not there", more={"named": True}),
    # selection
    "one is suspended, with a newer commit waiting": Case(
        LIVE, [on(MAIN_B), on(MAIN_A, "db", suspended=True), git(MAIN_B)]
    ),
    "one is being deleted": Case(LIVE, [on(MAIN_B), on(MAIN_A, "db", deleting=True), git(MAIN_B)]),
    "all are suspended": Case(WAITING, [on(MAIN_B, suspended=True), git(MAIN_B)]),
    "all are suspended, and none need be": Case(
        WAITING, [on(MAIN_B, suspended=True), git(MAIN_B)], more={"allow_empty": True}
    ),
    "nothing is meant": Case(WAITING, [foreign("db"), other(MAIN_B)]),
    "nothing is meant, and need not be": Case(LIVE, [foreign("db"), other(MAIN_B)], more={"allow_empty": True}),
    "named, of another repository": Case(WAITING, [foreign("db"), other(MAIN_B)], more={"named": True}),
    # dependencies
    "waits for one that waits": Case(
        WAITING, [waits("web", "db"), on(MAIN_A, "db"), git(MAIN_B)], says="Waiting for apps/db"
    ),
    "waits for one that is live": Case(WAITING, [waits("web", "db"), on(MAIN_B, "db"), git(MAIN_B)]),
    "waits for one that has failed": Case(
        FAILED,
        [waits("web", "db"), failing("HealthCheckFailed", HEALTH, MAIN_B, name="db"), git(MAIN_B)],
        says="Waits for apps/db, which has failed: health check",
    ),
    "waits for one that has failed on the old commit": Case(
        WAITING, [waits("web", "db"), failing("HealthCheckFailed", HEALTH, MAIN_A, name="db"), git(MAIN_B)]
    ),
    "waits for one that fails and may get over it": Case(
        WAITING, [waits("web", "db"), failing("PruneFailed", "no", MAIN_B, name="db"), git(MAIN_B)]
    ),
    "waits for one that fails and goes on to a fix": Case(
        WAITING,
        [
            waits("web", "db"),
            failing("HealthCheckFailed", HEALTH, MAIN_B, name="db"),
            git(MAIN_C),
        ],
    ),
    "a chain whose end has failed": Case(
        FAILED,
        [
            waits("web", "a"),
            waits("a", "b"),
            waits("b", "db"),
            failing("BuildFailed", "no such file", MAIN_B, name="db"),
            git(MAIN_B),
        ],
        says="Waits for apps/a, and that in the end for apps/db, which has failed: no such file",
    ),
    "a circle": Case(WAITING, [waits("web", "db"), waits("db", "web"), git(MAIN_B)]),
    "a circle of itself": Case(WAITING, [waits("web", "web"), git(MAIN_B)]),
    "a circle that another one waits for": Case(
        WAITING, [waits("web", "db"), waits("a", "web"), waits("db", "web"), git(MAIN_B)]
    ),
    "waits for one that is not there": Case(WAITING, [waits("web", "db"), git(MAIN_B)], says="Waiting for apps/db"),
    "waits for one that is suspended": Case(
        WAITING, [waits("web", "db"), on(MAIN_A, "db", suspended=True), git(MAIN_B)], says="which is suspended"
    ),
    "waits for one of another repository": Case(WAITING, [waits("web", "db"), git(MAIN_B), foreign("db"), other()]),
    "waits for one of another repository, which has failed": Case(
        FAILED,
        [waits("web", "db"), git(MAIN_B), foreign("db", ready=ready("False", "BuildFailed", "no")), other()],
    ),
    "waits for one of another repository, which failed and goes on": Case(
        WAITING,
        [waits("web", "db"), git(MAIN_B), foreign("db", ready=ready("False", "BuildFailed", "no")), other(MAIN_B)],
    ),
    "waits for one of another repository, which waits for one that has failed": Case(
        FAILED,
        [
            waits("web", "db"),
            git(MAIN_B),
            waits("db", "operator", source=ELSEWHERE),
            foreign("operator", ready=ready("False", "BuildFailed", "no")),
            other(),
        ],
    ),
    "waits, and its own source is behind": Case(WAITING, [waits("web", "db"), git()], says="not fetched"),
    # HelmReleases
    "its release is well": Case(LIVE, [on(MAIN_B), git(MAIN_B), release()]),
    "its release is not reconciled yet": Case(WAITING, [on(MAIN_B), git(MAIN_B), release(generation=2)]),
    "its release is new": Case(WAITING, [on(MAIN_B), git(MAIN_B), release(ready=None)]),
    "its release is upgraded": Case(WAITING, [on(MAIN_B), git(MAIN_B), release(ready=ready("Unknown"))]),
    "its release is suspended": Case(LIVE, [on(MAIN_B), git(MAIN_B), release(suspended=True)]),
    "its release has failed, and may be tried again": Case(WAITING, [on(MAIN_B), git(MAIN_B), broken_release()]),
    "its release has failed for good, as of now": Case(WAITING, [on(MAIN_B), git(MAIN_B), given_up()]),
    "its release has failed for good, at the end": Case(
        FAILED, [on(MAIN_B), git(MAIN_B), given_up()], more={"final": True}
    ),
    "its release has failed, and a fix is fetched": Case(
        WAITING,
        [on(MAIN_B), git(MAIN_C), given_up()],
    ),
    "its release waits for another one": Case(
        WAITING, [on(MAIN_B), git(MAIN_B), release(ready=ready("False", "DependencyNotReady", "no"))]
    ),
    "a release of one that is not on it yet": Case(WAITING, [on(MAIN_A), git(MAIN_B), given_up()]),
    "a release of one that is suspended": Case(
        LIVE, [on(MAIN_B, "db"), on(MAIN_B, suspended=True), git(MAIN_B), broken_release()]
    ),
    "a release of another repository": Case(
        LIVE,
        [
            on(MAIN_B),
            git(MAIN_B),
            foreign("db"),
            other(),
            broken_release(owner=ObjectRef("Kustomization", "apps", "db")),
        ],
    ),
    "a release of nobody": Case(LIVE, [on(MAIN_B), git(MAIN_B), broken_release(owner=None)]),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    case = CASES[name]

    decision = judged(cluster(*case.objects), known=case.known, **case.more)

    assert decision.answer.verdict is case.expected
    said = next((one for one in decision.answer.standings if one.about.name == "web"), None)
    assert case.says in (said.message if said else ""), said


@pytest.mark.parametrize("name", CASES)
def test_the_order_of_objects_does_not_matter(name: str) -> None:
    case = CASES[name]

    there = judged(cluster(*case.objects), known=case.known, **case.more)
    back = judged(cluster(*reversed(case.objects)), known=case.known, **case.more)

    assert (back.answer, set(back.unasked)) == (there.answer, set(there.unasked))


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 100
    assert len(list(product(ROWS, RELATED))) >= 150


# ── what takes time ─────────────────────────────────────────────────────────────────────────────────────────────────


def again(revision: str = MAIN_B, **changes: Any) -> Kustomization:
    """Flux looks again at what it has applied."""
    run = {"ready": ready("Unknown", since=NOW), "reconciling": phase("Detecting drift", revision)}
    return on(revision, **(run | changes))


def passing(since: int, revision: str = MAIN_B, **changes: Any) -> Kustomization:
    return failing(
        "ReconciliationFailed",
        WEBHOOK,
        revision,
        ready=ready("False", "ReconciliationFailed", WEBHOOK, since=since),
        **changes,
    )


def looks(*seen: Object, source: Source | None = None) -> list[Cluster]:
    return [cluster(one, source or git(MAIN_B)) for one in seen]


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        pytest.param(LIVE, [on(MAIN_B), again()], id="an interval run of what succeeded"),
        pytest.param(LIVE, [on(MAIN_B), again(), again(), on(MAIN_B)], id="an interval run that is over"),
        pytest.param(WAITING, [again(), again()], id="an interval run of what nobody saw succeed"),
        pytest.param(WAITING, [on(MAIN_B, uid="old"), again(uid="new")], id="made anew"),
        pytest.param(WAITING, [on(MAIN_B), again(generation=2)], id="the run of another spec"),
        pytest.param(WAITING, [on(MAIN_B), on(MAIN_B, generation=2)], id="another spec"),
        pytest.param(
            WAITING, [on(MAIN_B), on(MAIN_B, generation=2), again(generation=2)], id="another spec, then its run"
        ),
        pytest.param(WAITING, [on(MAIN_A), again()], id="what succeeded was another commit"),
        pytest.param(FAILED, [on(MAIN_B), FAILED_B], id="it fails after it succeeded"),
        pytest.param(WAITING, [on(MAIN_B), FAILED_B, again()], id="it failed, and is tried again"),
        pytest.param(
            WAITING,
            [on(MAIN_B), again(history=(snapshot(MAIN_B, "HealthCheckFailed"),))],
            id="it failed between two looks, and is tried again",
        ),
        pytest.param(
            LIVE,
            [on(MAIN_B), again(history=(snapshot(MAIN_B, "ReconciliationSucceeded"),))],
            id="it succeeded between two looks, and is tried again",
        ),
        pytest.param(LIVE, [FAILED_B, on(MAIN_B)], id="it heals"),
        pytest.param(WAITING, [on(MAIN_B), on(MAIN_B, suspended=True), again()], id="suspended in between"),
        pytest.param(LIVE, [on(MAIN_A), running("Building manifests")(MAIN_B), on(MAIN_B)], id="the usual way"),
        pytest.param(
            WAITING, [on(MAIN_B), on(MAIN_B, attempted=MAIN_A)], id="it succeeded, and tried another one since"
        ),
        pytest.param(LIVE, [on(MAIN_A), on(MAIN_B, handled="2026-08-20T09:00:00Z")], id="asked, and done"),
        pytest.param(WAITING, [on(MAIN_A), on(MAIN_A, handled="2026-08-20T09:00:00Z")], id="handled is not done"),
    ],
)
def test_what_was_seen_before(expected: Verdict, seen: Sequence[Kustomization]) -> None:
    assert verdict(*looks(*seen)) is expected


def test_a_descendant_that_is_reconciled_is_not_ready_for_it() -> None:
    known = {C: AFTER}
    seen = [cluster(on(MAIN_B), git(MAIN_B)), cluster(running("Building manifests")(MAIN_C), git(MAIN_C))]

    assert verdict(*seen, known=known) is WAITING


@pytest.mark.parametrize(
    ("expected", "seconds", "sinces"),
    [
        pytest.param(WAITING, 10, (1, 1), id="not long enough"),
        pytest.param(WAITING, 29, (1, 2), id="tried again, not long enough"),
        pytest.param(WAITING, 31, (1, 1), id="long enough, not tried again"),
        pytest.param(FAILED, 31, (1, 2), id="long enough, tried again"),
        pytest.param(FAILED, 31, (-9000, -8990), id="the cluster's clock is behind"),
        pytest.param(FAILED, 31, (9000, 9010), id="the cluster's clock is ahead"),
    ],
)
def test_a_failure_that_may_pass(expected: Verdict, seconds: int, sinces: tuple[int, int]) -> None:
    seen = looks(*(passing(NOW + since) for since in sinces))

    assert verdict(*seen, every=seconds) is expected


def test_a_failure_that_may_pass_is_believed_at_the_end_once_it_has_lasted() -> None:
    seen = looks(passing(NOW), passing(NOW))

    assert verdict(*seen, every=31, final=True) is FAILED
    assert verdict(*seen, every=10, final=True) is WAITING


def test_success_in_between_forgives() -> None:
    assert verdict(*looks(passing(NOW), on(MAIN_B), passing(NOW + 40)), every=20) is WAITING


def test_flapping_settles_nothing_for_longer_than_it_lasts() -> None:
    seen = looks(on(MAIN_B), passing(NOW + 2), on(MAIN_B), passing(NOW + 6), on(MAIN_B))

    found = [verdict(*seen[: number + 1]) for number in range(len(seen))]

    assert found == [LIVE, WAITING, LIVE, WAITING, LIVE]


def test_a_failure_on_another_commit_starts_anew() -> None:
    seen = [
        cluster(passing(NOW), git(MAIN_B)),
        cluster(passing(NOW + 40, MAIN_C), git(MAIN_C)),
    ]

    assert verdict(*seen, every=40) is WAITING


def test_a_release_that_failed_for_good() -> None:
    """Its failure may be of the commit before: that its spec has changed may be heard after its Kustomization."""
    before = cluster(on(MAIN_A), git(MAIN_A), given_up())
    now = cluster(on(MAIN_B), git(MAIN_B), given_up())
    mended = cluster(on(MAIN_B), git(MAIN_B), given_up(generation=2))

    assert verdict(now, now) is FAILED
    assert verdict(now, now, every=1) is WAITING
    assert verdict(before, before, now) is WAITING
    assert verdict(before, before, now, mended, mended) is WAITING
    assert verdict(before, before, now, now) is FAILED


def test_a_failing_release_must_last_too() -> None:
    def at(since: int) -> Cluster:
        failed = ready("False", "UpgradeFailed", "no", since=since)
        return cluster(on(MAIN_B), git(MAIN_B), release(ready=failed))

    assert verdict(at(NOW), at(NOW + 5), every=31) is FAILED
    assert verdict(at(NOW), at(NOW), every=31) is WAITING


@pytest.mark.parametrize("skew", [-9000, 0, 9000])
def test_a_source_that_is_away_for_long_has_failed_whatever_the_clocks_say(skew: int) -> None:
    def at(since: int) -> Cluster:
        said = ready("False", "ArtifactFailed", "unable to get source 'flux-system/fleet'", since=since + skew)
        return cluster(failing("ArtifactFailed", "", MAIN_A, ready=said), git(MAIN_B))

    assert verdict(at(NOW), at(NOW + 5), every=31) is FAILED
    assert verdict(at(NOW), at(NOW + 5), every=29) is WAITING


def test_a_release_whose_source_is_away_for_long_has_failed() -> None:
    def at(since: int) -> Cluster:
        return cluster(on(MAIN_B), git(MAIN_B), release(ready=ready("False", "SourceNotReady", "no", since=since)))

    assert verdict(at(NOW), at(NOW + 31), every=31) is FAILED


@pytest.mark.parametrize(
    ("expected", "held"),
    [
        pytest.param(DIVERGED, [MAIN_A, MAIN_D], id="forced away while we wait"),
        pytest.param(DIVERGED, [MAIN_B, MAIN_A], id="rolled back while we wait"),
        pytest.param(DIVERGED, [MAIN_C, MAIN_A], id="rolled back from a later one"),
        pytest.param(WAITING, [MAIN_D, MAIN_D], id="apart, and still"),
        pytest.param(WAITING, [MAIN_ROOT, MAIN_A], id="coming nearer"),
        pytest.param(WAITING, [MAIN_B, MAIN_D, MAIN_B], id="back again"),
        pytest.param(WAITING, [MAIN_B, f"prod@sha1:{A}"], id="told to follow another branch"),
    ],
)
def test_where_the_source_goes(expected: Verdict, held: Sequence[str]) -> None:
    seen = [cluster(on(MAIN_A), git(revision)) for revision in held]

    assert verdict(*seen, known=tip(UNKNOWN)) is expected


def test_a_source_that_was_seen_to_move_is_asked_for_its_branch() -> None:
    seen = [cluster(on(MAIN_A), git(MAIN_B)), cluster(on(MAIN_A), git(MAIN_A))]

    assert verdict(*seen, known=tip(SAME)) is WAITING
    assert judged(*seen).unasked == (MAIN,)
    assert verdict(*seen) is WAITING, "nothing is concluded before the branch was asked"


def test_a_source_that_goes_and_comes_back() -> None:
    """Without its source nobody knows whose commit a Kustomization has; it is waited for nevertheless."""
    both = [on(MAIN_B), k("db", source=ELSEWHERE)]
    there = cluster(*both, git(MAIN_B), git(ref=ELSEWHERE))
    gone = cluster(*both, git(MAIN_B))

    assert verdict(there, gone) is WAITING
    assert states(judged(there, gone)) == {"web": "live", "db": "waiting"}
    assert verdict(there, gone, cluster(*both, git(MAIN_B), other(MAIN_B))) is LIVE, "now it is of another repository"


def test_an_artifact_that_is_lost_for_a_while() -> None:
    there = cluster(on(MAIN_B), git(MAIN_B), from_oci(LATEST_A, MAIN_A, name="db"), oci(LATEST_A, MAIN_A))
    lost = cluster(on(MAIN_B), git(MAIN_B), from_oci(LATEST_A, MAIN_A, name="db"), oci("", "", origin_url=""))

    assert verdict(there, lost) is WAITING


def test_memory_is_bounded() -> None:
    memory = Memory()
    for number in range(500):
        seen = cluster(on(MAIN_A), git(f"main@sha1:{number:040x}"))
        memory = remember(memory, [seen], ASKED.locate, now=NOW + number)

    assert max(map(len, memory.held.values())) <= 50
    assert len(memory.succeeded) + len(memory.failing) + len(memory.repositories) <= 3


def test_what_cannot_be_read_is_remembered() -> None:
    other_cluster = cluster(on(MAIN_B), git(MAIN_B), name="other")

    assert verdict([cluster(on(MAIN_B), git(MAIN_B)), other_cluster], [other_cluster], looks(again())) is LIVE


# ── several clusters, and what will fail ────────────────────────────────────────────────────────────────────────────


def several(*revisions: str) -> list[Cluster]:
    return [cluster(on(revision), git(revision), name=f"c{number}") for number, revision in enumerate(revisions)]


@pytest.mark.parametrize(
    ("expected", "clusters", "more"),
    [
        pytest.param(LIVE, several(MAIN_B, MAIN_C), {}, id="live on all"),
        pytest.param(WAITING, several(MAIN_B, MAIN_A), {}, id="live on one"),
        pytest.param(WAITING, several(MAIN_B), {"unread": ["c9"]}, id="live, one unread"),
        pytest.param(WAITING, [], {"unread": ["c9"]}, id="all unread"),
        pytest.param(WAITING, [], {"unread": ["c9"], "allow_empty": True}, id="all unread, none needed"),
        pytest.param(WAITING, [], {}, id="no cluster at all"),
        pytest.param(FAILED, [cluster(FAILED_B, git(MAIN_B))], {"unread": ["c9"]}, id="failed, one unread"),
        pytest.param(FAILED, [*several(MAIN_B), cluster(FAILED_B, git(MAIN_B))], {}, id="failed on one"),
        pytest.param(WAITING, [*several(MAIN_B), Cluster("empty")], {}, id="one is empty"),
        pytest.param(LIVE, [*several(MAIN_B), Cluster("empty")], {"allow_empty": True}, id="one may be empty"),
        pytest.param(
            WAITING,
            [*several(MAIN_B), cluster(on(MAIN_A, suspended=True), git(MAIN_B))],
            {},
            id="on one all are suspended",
        ),
        pytest.param(
            WAITING,
            [*several(MAIN_B), cluster(on(MAIN_A, deleting=True), git(MAIN_B))],
            {"allow_empty": True},
            id="on one all are being deleted",
        ),
    ],
)
def test_clusters(expected: Verdict, clusters: Sequence[Cluster], more: Mapping[str, Any]) -> None:
    assert verdict(clusters, **more) is expected


def test_an_unmeant_cluster_is_named() -> None:
    assert judged([*several(MAIN_B), Cluster("empty")]).unmeant == ("empty",)


def aside(on: Kustomization, *sources: Source) -> Cluster:
    """A cluster on which only ``web`` was asked for, and waits for ``on``."""
    return structs.replace(cluster(waits("web", "db"), git(MAIN_B), *sources), beside=(on,))


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(
    ("expected", "later", "on"),
    [
        pytest.param(FAILED, FAILED, failing("BuildFailed", "no", MAIN_B, name="db"), id="failed on it"),
        pytest.param(WAITING, WAITING, failing("BuildFailed", "no", MAIN_A, name="db"), id="failed on the old one"),
        pytest.param(WAITING, WAITING, on(MAIN_B, "db"), id="live"),
        pytest.param(
            WAITING, FAILED, foreign("db", ready=ready("False", "BuildFailed", "no")), id="failed, its source unknown"
        ),
    ],
)
def test_dependencies_beside_the_selection_are_judged_and_not_told(
    expected: Verdict, later: Verdict, on: Kustomization, named: bool
) -> None:
    assert states(judged(aside(on), named=named)) == {"web": expected}
    assert states(judged(aside(on), aside(on), every=31, named=named)) == {"web": later}


def test_a_dependency_of_another_repository_beside_the_selection() -> None:
    failed = foreign("db", ready=ready("False", "BuildFailed", "no"))

    assert states(judged(aside(failed, other()), named=True)) == {"web": "failed"}


def test_a_chain_of_thousands() -> None:
    chain = [waits(f"k{number}", f"k{number + 1}") for number in range(3000)]
    seen = cluster(*chain, failing("BuildFailed", "no", MAIN_B, name="k3000"), git(MAIN_B))

    decision = judged(seen)

    assert set(states(decision).values()) == {"failed"}
    assert max(len(one.message) for one in decision.answer.standings) < 200


WEB = ObjectRef("Kustomization", "apps", "web")


@pytest.mark.parametrize(
    ("expected", "fail_early", "seen"),
    [
        (WAITING, False, running("Running health checks")(MAIN_B)),
        (FAILED, True, running("Running health checks")(MAIN_B)),
        (LIVE, True, on(MAIN_B)),
        (WAITING, True, on(MAIN_A)),
    ],
)
def test_what_will_fail(expected: Verdict, fail_early: bool, seen: Kustomization) -> None:
    doomed = {("prod", WEB): "Deployment/apps/web: ImagePullBackOff"}

    decision = judged(cluster(seen, git(MAIN_B)), doomed=doomed, fail_early=fail_early)

    assert decision.answer.verdict is expected
    told = decision.answer.standings[0].doomed
    assert bool(told) is (seen.ready is not None and seen.ready.status == "Unknown")


def test_a_named_one_whose_repository_nobody_knows_is_waited_for() -> None:
    unlabelled = oci(LATEST_B, "", origin_url="")
    seen = cluster(on(LATEST_B, source=unlabelled.ref), unlabelled)

    assert verdict(seen, named=True) is WAITING
    assert judged(seen).unmeant == ("prod",)


def test_time_is_up() -> None:
    decision = judged(cluster(on(MAIN_A), git()), final=True)

    assert (decision.answer.verdict, decision.answer.timed_out) == (WAITING, True)
    assert not judged(cluster(on(MAIN_B), git(MAIN_B)), final=True).answer.timed_out


def test_only_what_matters_is_asked() -> None:
    """At the start everything is on one old commit; where all have the very commit nobody is asked at all."""
    assert judged(cluster(on(MAIN_B), git(MAIN_B)), known={}).unasked == ()
    assert judged(cluster(on(MAIN_A), on(MAIN_A, "db"), git()), known={}).unasked == (A,)
    assert judged(cluster(on(MAIN_A), git()), known={A: BEFORE}).unasked == ()
    assert judged(cluster(on(MAIN_D), git(MAIN_D)), known={D: APART}).unasked == (MAIN,)


# ── in any world ────────────────────────────────────────────────────────────────────────────────────────────────────


class World(NamedTuple):
    """Commits, who is whose ancestor, and a cluster seen now and a while before."""

    parents: Sequence[frozenset[int]]
    asked: int
    branch: int
    looks: Sequence[Cluster]
    facts: Mapping[str, tuple[str, int, str]]
    """Kustomization → how it is now, on which commit, and what it depends on."""

    def contains(self, commit: int, other: int) -> bool:
        """Whether ``commit`` has ``other`` in its history."""
        return commit == other or any(self.contains(parent, other) for parent in self.parents[commit])

    def relation(self, other: int) -> Relation:
        if other == self.asked:
            return SAME
        if self.contains(other, self.asked):
            return AFTER
        return BEFORE if self.contains(self.asked, other) else APART

    def known(self) -> dict[str, Relation]:
        told = {_hash(number): self.relation(number) for number in range(len(self.parents))}
        return {**told, MAIN: self.relation(self.branch)}


def _hash(number: int) -> str:
    return f"{number + 1:040x}"


def _main(number: int) -> str:
    return f"main@sha1:{_hash(number)}"


HOW = ("success", "again", "running", "failed", "passing", "waits", "suspended", "changed")


def _made(name: str, how: str, applied: int, tried: int, on: str) -> Kustomization:
    old, new = _main(applied), _main(tried)
    base = {"applied": old, "attempted": old}
    match how:
        case "success":
            return k(name, **base)
        case "again":
            return k(name, **base, ready=ready("Unknown"), reconciling=phase("Detecting drift", old))
        case "running":
            return k(name, **base, ready=ready("Unknown"), reconciling=phase("Fetching manifests", new))
        case "failed":
            return k(name, applied=old, attempted=new, ready=ready("False", "HealthCheckFailed", HEALTH))
        case "passing":
            return k(name, applied=old, attempted=new, ready=ready("False", "ReconciliationFailed", WEBHOOK))
        case "waits":
            return waits(name, on, **base)
        case "suspended":
            return k(name, **base, suspended=True)
    return k(name, **base, generation=2)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    count = draw(st.integers(2, 6))
    numbers = st.integers(0, count - 1)
    parents = [
        draw(st.frozensets(st.integers(0, number - 1), min_size=1, max_size=2)) if number else frozenset[int]()
        for number in range(count)
    ]
    names = [f"k{number}" for number in range(draw(st.integers(1, 4)))]
    sources = [SOURCE, ELSEWHERE][: draw(st.integers(1, 2))]
    seen = []
    for _ in range(draw(st.integers(1, 3))):
        heads = {ref: draw(numbers) for ref in sources}
        holding = [git(_main(head), ref=ref, updated=NOW - draw(numbers)) for ref, head in heads.items()]
        facts, objects = {}, []
        for name in names:
            how, at, on = draw(st.sampled_from(HOW)), draw(numbers), draw(st.sampled_from(names))
            ref = draw(st.sampled_from(sources))
            tried = heads[ref]
            if how == "running" and at == tried:
                how = "again"
            objects.append(structs.replace(_made(name, how, at, tried, on), source=ref))
            # What succeeds, or is looked at again, is about what is applied; the rest is about what is tried.
            facts[name] = how, at if how in ("success", "again", "suspended", "changed") else tried, on
        seen.append(cluster(*objects, *holding))
    return World(parents, draw(numbers), draw(numbers), seen, facts)


def decided(world: World, known: Mapping[str, Relation], *, final: bool = False, backwards: bool = False) -> Decision:
    seen = list(world.looks)
    if backwards:
        sources = dict(reversed(list(seen[-1].sources.items())))
        seen[-1] = structs.replace(seen[-1], kustomizations=seen[-1].kustomizations[::-1], sources=sources)
    return judged(*seen, known=known, commit=_hash(world.asked), final=final, began=NOW - 40)


@given(worlds(), st.booleans())
def test_live_is_live(world: World, final: bool) -> None:
    decision = decided(world, world.known(), final=final)

    if decision.answer.verdict is LIVE:
        waited_for = {name: fact for name, fact in world.facts.items() if fact[0] != "suspended"}
        assert waited_for
        for how, commit, _ in waited_for.values():
            assert how == "success" or (how == "again" and len(world.looks) > 1)
            assert world.contains(commit, world.asked)


@given(worlds())
def test_what_is_live_is_found_to_be(world: World) -> None:
    waited_for = [fact for fact in world.facts.values() if fact[0] != "suspended"]
    good = all(how == "success" and world.contains(commit, world.asked) for how, commit, _ in waited_for)

    if good and waited_for:
        assert decided(world, world.known()).answer.verdict is LIVE


@given(worlds(), st.booleans())
def test_failed_has_failed(world: World, final: bool) -> None:
    decision = decided(world, world.known(), final=final)

    for standing in decision.answer.standings:
        if standing.state == FAILED:
            name, seen = standing.about.name, set()
            while world.facts[name][0] == "waits" and name not in seen:
                seen.add(name)
                name = world.facts[name][2]
            how, commit, _ = world.facts[name]
            assert how in ("failed", "passing")
            assert world.contains(commit, world.asked)


@given(worlds(), st.booleans())
def test_diverged_is_not_on_its_way(world: World, final: bool) -> None:
    decision = decided(world, world.known(), final=final)

    if decision.answer.verdict is DIVERGED:
        assert not world.contains(world.branch, world.asked)
    for standing in decision.answer.standings:
        if standing.state == DIVERGED:
            how, commit, _ = world.facts[standing.about.name]
            assert how != "success" or not world.contains(commit, world.asked)


@given(worlds(), st.data())
def test_knowing_less_never_makes_it_live(world: World, data: st.DataObject) -> None:
    whole = world.known()
    hidden = data.draw(st.sets(st.sampled_from(sorted(whole))))
    unknown = data.draw(st.booleans())
    less = {other: relation for other, relation in whole.items() if other not in hidden}
    if unknown:
        less |= dict.fromkeys(hidden, UNKNOWN)

    told, known = decided(world, less), decided(world, whole)

    if told.answer.verdict is LIVE:
        assert known.answer.verdict is LIVE
    if known.answer.verdict is LIVE:
        assert told.answer.verdict in (LIVE, WAITING)
    if not unknown and told.answer.verdict is not WAITING and not told.unasked:
        assert told.answer.verdict is known.answer.verdict, "nothing that was left out was needed"


@given(worlds())
def test_what_is_being_looked_up_makes_nothing_red(world: World) -> None:
    told = decided(world, {})

    assert all(
        one.commit == _hash(world.asked)
        for one in told.answer.standings
        if one.state in (FAILED, DIVERGED) and not one.waits_for
    )


@given(worlds(), st.booleans())
def test_order_does_not_matter(world: World, final: bool) -> None:
    there, back = (decided(world, world.known(), final=final, backwards=way) for way in (False, True))

    assert there.answer == back.answer
    assert set(there.unasked) == set(back.unasked)


@given(worlds())
def test_asking_comes_to_an_end(world: World) -> None:
    """What is asked for is a commit of the world or its branch, and is asked for once."""
    known: dict[str, Relation] = {}
    for _ in range(8):
        asked = decided(world, known).unasked
        assert not set(asked) & set(known)
        if not asked:
            break
        known |= {other: world.known()[other] for other in asked}

    assert not decided(world, known).unasked
    assert decided(world, known).answer == decided(world, world.known()).answer
