"""The truth table, row by row, and what is easily read wrongly."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from values import (
    FLEET,
    LATEST_A,
    LATEST_B,
    MAIN_A,
    MAIN_B,
    MAIN_C,
    NOW,
    SOURCE,
    A,
    B,
    C,
    cluster,
    git,
    k,
    phase,
    ready,
)

from landed.model import Cluster, Condition, HelmRelease, Kustomization, Look, ObjectRef, Snapshot, Source, State
from landed.outcomes import judge

S, F, P = State.SUCCESS, State.FAILURE, State.PENDING

FETCHING, BUILDING, APPLYING, CHECKING = (
    "Fetching manifests",
    "Building manifests",
    "Detecting drift",
    "Running health checks",
)


def look(it: Cluster, **settings: Any) -> Look:
    return judge(it, now=NOW, **settings)


def said(it: Cluster, **settings: Any) -> set[tuple[str, str, State]]:
    """(name, commit, state) of all that is said of commits."""
    return {
        (o.about.name, outcome.commit, o.state)
        for outcome in look(it, **settings).outcomes
        for o in outcome.observations
    }


def silent(it: Cluster, **settings: Any) -> list[tuple[str, State, str]]:
    return [(o.about.name, o.state, o.reason) for o in look(it, **settings).silent]


def failed(reason: str, message: str = "no", **rest: Any) -> Condition:
    return ready("False", reason, message, **rest)


# ── one row each ────────────────────────────────────────────────────────────────────────────────────────────────────

ROWS = [
    pytest.param(k(), git(), {("web", A, S)}, id="applied-and-nothing-newer"),
    pytest.param(k(), git(MAIN_B), {("web", A, S), ("web", B, P)}, id="applied-and-source-has-moved-on"),
    pytest.param(k(generation=2), git(), {("web", A, P)}, id="spec-changed-since-success-condition-behind"),
    pytest.param(
        k(generation=2, ready=ready(generation=2)),
        git(),
        {("web", A, P)},
        id="spec-changed-since-success-status-behind",
    ),
    pytest.param(k(generation=2, observed_generation=2), git(), {("web", A, P)}, id="resumed-and-not-reconciled-yet"),
    pytest.param(k(ready=ready(generation=0)), git(), {("web", A, S)}, id="condition-of-old-times-without-generation"),
    pytest.param(k(attempted=MAIN_B), git(MAIN_B), {("web", A, P), ("web", B, P)}, id="ready-but-attempted-is-another"),
    pytest.param(
        k(ready=ready("Unknown"), reconciling=phase(FETCHING, MAIN_A)), git(), {("web", A, P)}, id="interval-run"
    ),
    pytest.param(
        k(ready=ready("Unknown"), reconciling=phase(FETCHING, MAIN_B)),
        git(MAIN_B),
        {("web", B, P)},
        id="run-fetching-new",
    ),
    pytest.param(
        k(ready=ready("Unknown"), reconciling=phase(BUILDING, MAIN_B), attempted=MAIN_B),
        git(MAIN_B),
        {("web", B, P)},
        id="run-building-new",
    ),
    pytest.param(
        k(ready=ready("Unknown"), reconciling=phase(CHECKING, MAIN_B), attempted=MAIN_B),
        git(MAIN_C),
        {("web", B, P), ("web", C, P)},
        id="run-checking-health-while-source-moves-on",
    ),
    pytest.param(
        k(ready=ready("Unknown"), attempted=MAIN_B), git(MAIN_B), {("web", B, P)}, id="run-without-reconciling-message"
    ),
    *[
        pytest.param(
            k(ready=failed(reason), reconciling=phase(APPLYING, MAIN_B), attempted=MAIN_B),
            git(MAIN_B),
            {("web", B, F)},
            id=f"failed-{reason}",
        )
        for reason in ("BuildFailed", "ReconciliationFailed", "PruneFailed", "HealthCheckFailed")
    ],
    pytest.param(
        k(ready=failed("HealthCheckFailed"), attempted=MAIN_B),
        git(MAIN_C),
        {("web", B, F), ("web", C, P)},
        id="failed-and-source-moved-on",
    ),
    pytest.param(k(ready=failed("HealthCheckFailed")), git(), {("web", A, F)}, id="health-fails-after-success"),
    pytest.param(
        k(generation=2, ready=failed("BuildFailed", generation=1)),
        git(),
        {("web", A, P)},
        id="spec-changed-since-failure",
    ),
    pytest.param(
        k(generation=2, observed_generation=1, ready=failed("BuildFailed", generation=2)),
        git(),
        {("web", A, F)},
        id="failure-is-judged-by-its-condition-not-by-the-status",
    ),
    pytest.param(
        k(
            ready=failed("ArtifactFailed", "kustomization path not found: stat /tmp/kustomization-1464362706/x"),
            reconciling=phase(FETCHING, MAIN_B),
        ),
        git(MAIN_B),
        {("web", B, F)},
        id="path-gone-blames-the-new-commit",
    ),
    pytest.param(
        k(ready=failed("ArtifactFailed", "Source artifact not found, retrying in 30s", since=NOW - 5)),
        git(MAIN_B),
        {("web", B, P)},
        id="artifact-missing-passes-by-itself",
    ),
    pytest.param(
        k(ready=failed("ArtifactFailed", "Source artifact not found, retrying in 30s", since=NOW - 500)),
        git(MAIN_B),
        {("web", B, F)},
        id="artifact-missing-for-too-long",
    ),
    pytest.param(
        k(
            ready=failed("ArtifactFailed", "Source is not ready, artifact not found, retrying in 30s", since=NOW - 5),
            reconciling=phase(FETCHING, MAIN_C),
        ),
        git(MAIN_B),
        {("web", B, P)},
        id="reconciling-message-is-stale-before-a-run",
    ),
    pytest.param(
        k(ready=failed("DependencyNotReady", "dependency 'flux-system/infra' is not ready")),
        git(MAIN_B),
        {("web", B, P)},
        id="waits-for-a-dependency",
    ),
    pytest.param(
        k(ready=failed("HealthCheckCanceled", "New reconciliation triggered"), attempted=MAIN_B),
        git(MAIN_B),
        {("web", B, P)},
        id="health-check-cancelled",
    ),
    *[
        pytest.param(
            k(ready=failed(reason), stalled=Condition("True", reason)),
            git(MAIN_B),
            {("web", B, F)},
            id=f"stalled-{reason}",
        )
        for reason in ("AccessDenied", "InvalidCELExpression", "FeatureGateDisabled")
    ],
    pytest.param(
        k(
            ready=failed("DependencyNotReady", "dependency 'a/b' is not ready"),
            stalled=Condition("True", "AccessDenied"),
        ),
        git(MAIN_B),
        {("web", B, P)},
        id="stalled-is-left-over-from-another-trouble",
    ),
    pytest.param(k(suspended=True), git(MAIN_B), set(), id="suspended"),
    pytest.param(k(deleting=True), git(), set(), id="being-deleted"),
    pytest.param(k(ready=None, applied="", attempted=""), git(), set(), id="just-created"),
    pytest.param(
        k(applied=f"main/{A}", attempted=f"main/{A}"), git(f"main/{A}"), {("web", A, S)}, id="revision-of-old-times"
    ),
    pytest.param(
        k(applied=f"main/{A}", attempted=f"main/{A}"), git(), {("web", A, S)}, id="same-commit-spelt-otherwise"
    ),
]


@pytest.mark.parametrize(("kustomization", "source", "expected"), ROWS)
def test_row(kustomization: Any, source: Source, expected: set[Any]) -> None:
    assert said(cluster(kustomization, source)) == expected


@pytest.mark.parametrize(
    ("kustomization", "expected"),
    [
        pytest.param(k(suspended=True), ("web", State.SUSPENDED, "Suspended"), id="suspended"),
        pytest.param(k(deleting=True, suspended=True), ("web", State.DELETING, "Deleting"), id="deleting-wins"),
        pytest.param(k(ready=None), ("web", State.NEW, "New"), id="new"),
    ],
)
def test_who_speaks_of_no_commit_is_listed(kustomization: Any, expected: Any) -> None:
    assert silent(cluster(kustomization)) == [expected]


def test_a_suspended_kustomization_says_that_a_newer_revision_waits() -> None:
    [observation] = look(cluster(k(suspended=True), git(MAIN_B))).silent
    assert MAIN_B in observation.message


# ── keeping, passing, waiting ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kustomization", "keeps"),
    [
        pytest.param(k(ready=ready("Unknown"), reconciling=phase(FETCHING, MAIN_A)), True, id="interval-run"),
        pytest.param(k(generation=2), True, id="spec-changed"),
        pytest.param(k(ready=ready("Unknown"), reconciling=phase(FETCHING, MAIN_B)), False, id="new-revision"),
    ],
)
def test_only_what_was_judged_before_keeps_its_verdict(kustomization: Any, keeps: bool) -> None:
    [outcome] = look(cluster(kustomization, git(kustomization.applied if keeps else MAIN_B))).outcomes
    assert [o.keeps for o in outcome.observations] == [keeps]


def test_a_passing_failure_that_is_seen_twice_is_believed() -> None:
    kustomization = k(ready=failed("ArtifactFailed", "Source artifact not found, retrying in 30s", since=NOW - 5))
    assert said(cluster(kustomization), passing={kustomization.ref}) == {("web", A, F)}


def test_the_dependency_waited_for_is_named() -> None:
    waiting = k(ready=failed("DependencyNotReady", "dependency 'flux-system/infra' revision is not up to date"))
    [outcome] = look(cluster(waiting)).outcomes
    assert outcome.observations[0].waits_for == ObjectRef("Kustomization", "flux-system", "infra")


# ── sources other than Git, and none at all ─────────────────────────────────────────────────────────────────────────

OCI = ObjectRef("OCIRepository", "flux-system", "fleet")


def oci(revision: str = LATEST_A, origin: str = MAIN_A, url: str = "https://github.com/example/fleet.git") -> Source:
    return git(
        revision,
        ref=OCI,
        url="oci://registry.example.com/example/fleet",
        origin_revision=origin,
        origin_url=url,
        pointer="tag=latest",
    )


@pytest.mark.parametrize(
    ("kustomization", "source", "expected"),
    [
        pytest.param(
            k(source=OCI, applied=LATEST_A, attempted=LATEST_A, applied_origin=MAIN_A),
            oci(),
            {("web", A, S)},
            id="origin",
        ),
        pytest.param(
            k(source=OCI, applied=LATEST_A, attempted=LATEST_A, applied_origin=A),
            oci(origin=A),
            {("web", A, S)},
            id="bare-origin",
        ),
        pytest.param(
            k(source=OCI, applied=LATEST_A, attempted=LATEST_A, applied_origin=MAIN_A),
            oci(LATEST_B, MAIN_B),
            {("web", A, S), ("web", B, P)},
            id="newer-artifact",
        ),
        pytest.param(
            k(source=OCI, applied=LATEST_A, attempted=LATEST_A, applied_origin=MAIN_A),
            oci(LATEST_B, MAIN_A),
            {("web", A, S)},
            id="same-commit-built-again",
        ),
        pytest.param(
            k(source=OCI, applied=LATEST_A, attempted=LATEST_B, applied_origin=MAIN_A, ready=failed("BuildFailed")),
            oci(LATEST_B, MAIN_B),
            {("web", B, F)},
            id="failure-takes-the-origin-of-the-source",
        ),
        pytest.param(
            k(
                source=OCI,
                applied="",
                attempted=LATEST_A,
                ready=failed("HealthCheckFailed"),
                history=(Snapshot(LATEST_A, MAIN_A, "HealthCheckFailed", NOW - 5),),
            ),
            oci(LATEST_B, MAIN_B),
            {("web", A, F), ("web", B, P)},
            id="failure-takes-the-origin-of-the-history",
        ),
        pytest.param(
            k(source=OCI, applied=LATEST_A, attempted=LATEST_A), oci(origin=""), set(), id="a-digest-is-no-commit"
        ),
        pytest.param(
            k(source=OCI, applied=LATEST_A, attempted=LATEST_A, applied_origin=MAIN_A),
            oci(url=""),
            set(),
            id="no-repository",
        ),
    ],
)
def test_oci_source(kustomization: Any, source: Source, expected: set[Any]) -> None:
    assert said(cluster(kustomization, source)) == expected


def test_a_digest_of_a_commits_length_is_no_commit() -> None:
    bucket = ObjectRef("Bucket", "flux-system", "files")
    kustomization = k(source=bucket, applied=f"sha256:{A}{A[:24]}", attempted="")
    assert silent(cluster(kustomization, git(ref=bucket, url="minio.example.com"))) == [
        ("web", S, "ReconciliationSucceeded")
    ]


def test_without_its_source_a_kustomization_names_no_commit() -> None:
    lost = k(
        ready=failed("ArtifactFailed", 'gitrepositories.source.toolkit.fluxcd.io "fleet" not found', since=NOW - 900)
    )
    assert silent(Cluster("prod", (lost,))) == [("web", F, "ArtifactFailed")]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(git(ready=failed("GitOperationFailed")), [("fleet", F, "GitOperationFailed")], id="not-ready"),
        pytest.param(
            git(fetch_failed=Condition("True", "AuthenticationFailed")),
            [("fleet", F, "AuthenticationFailed")],
            id="fetch-failed",
        ),
        pytest.param(git(ready=ready("Unknown")), [], id="fetching"),
        pytest.param(git(ready=failed("GitOperationFailed"), suspended=True), [], id="suspended"),
    ],
)
def test_a_source_that_cannot_fetch_is_shown_while_all_looks_green(source: Source, expected: Any) -> None:
    seen = look(cluster(k(), source))
    assert [(o.about.name, o.state, o.reason) for o in seen.silent] == expected
    assert [outcome.state for outcome in seen.outcomes] == [S]


# ── several Kustomizations ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        pytest.param([k("a"), k("b")], {A: S}, id="all-live"),
        pytest.param([k("a", applied=MAIN_B, attempted=MAIN_B), k("b"), git(MAIN_B)], {A: P, B: P}, id="half-way"),
        pytest.param(
            [
                k("a", ready=failed("BuildFailed"), attempted=MAIN_B),
                k("b", applied=MAIN_B, attempted=MAIN_B),
                git(MAIN_B),
            ],
            {B: F},
            id="one-failed",
        ),
        pytest.param([k("a"), k("b", suspended=True)], {A: S}, id="suspended-is-not-waited-for"),
    ],
)
def test_state_of_a_commit(objects: list[Any], expected: dict[str, State]) -> None:
    assert {o.commit: o.state for o in look(cluster(*objects)).outcomes} == expected


def test_a_commit_that_others_have_left_is_not_live() -> None:
    moved = k("a", ready=failed("HealthCheckFailed"), attempted=MAIN_B)
    stayed = k("b")
    outcomes = {o.commit: o for o in look(cluster(moved, stayed, git(MAIN_B))).outcomes}
    assert not outcomes[A].whole
    assert outcomes[A].state is P


def test_two_branches_of_one_repository_do_not_wait_for_each_other() -> None:
    other = ObjectRef("GitRepository", "flux-system", "fleet-next")
    objects: list[Any] = [
        k("a"),
        k("b", source=other, applied=f"next@sha1:{B}", attempted=f"next@sha1:{B}"),
        git(),
        git(f"next@sha1:{B}", ref=other, pointer="branch=next"),
    ]
    assert {o.commit: o.state for o in look(cluster(*objects)).outcomes} == {A: S, B: S}


def test_a_second_source_of_the_same_branch_that_lags_holds_the_commit_back() -> None:
    slow = ObjectRef("GitRepository", "flux-system", "fleet-slow")
    objects: list[Any] = [
        k("a", applied=MAIN_B, attempted=MAIN_B),
        k("b", source=slow),
        git(MAIN_B, updated=NOW - 10),
        git(MAIN_A, ref=slow, updated=NOW - 900),
    ]
    outcomes = {o.commit: o for o in look(cluster(*objects)).outcomes}
    assert outcomes[B].state is P
    assert "fleet-slow" in outcomes[B].observations[1].message


def test_outcomes_and_observations_come_in_a_fixed_order() -> None:
    objects: list[Any] = [k("b"), k("a"), git(MAIN_B)]
    forward, backward = look(cluster(*objects)), look(cluster(*reversed(objects)))
    assert forward == backward
    assert [o.about.name for o in forward.outcomes[0].observations] == ["a", "b"]


def test_only_the_repositories_that_are_meant() -> None:
    assert look(cluster(k()), repositories={FLEET}).outcomes
    assert not look(cluster(k()), repositories={structs.replace(FLEET, path="example/other")}).outcomes


# ── history ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_came_and_went_is_told_first_and_in_order() -> None:
    history = (
        Snapshot(MAIN_C, "", "ReconciliationSucceeded", NOW - 10, "3s"),
        Snapshot(MAIN_B, "", "HealthCheckFailed", NOW - 60, "2m1s"),
        Snapshot(f"main@sha1:{'d' * 40}", "", "ReconciliationSucceeded", NOW - 90, "1s"),
    )
    seen = look(cluster(k(applied=MAIN_C, attempted=MAIN_C, history=history), git(MAIN_C)), since=NOW - 100)
    assert [(o.commit, o.state, o.past) for o in seen.outcomes] == [("d" * 40, S, True), (B, F, True), (C, S, False)]
    assert seen.outcomes[2].observations[0].duration == "3s"


def test_the_newest_snapshot_of_a_commit_counts() -> None:
    history = (
        Snapshot(MAIN_B, "", "ReconciliationSucceeded", NOW - 10),
        Snapshot(MAIN_B, "", "HealthCheckFailed", NOW - 60),
    )
    assert said(cluster(k(history=history)), since=NOW - 100) == {("web", A, S), ("web", B, S)}


@pytest.mark.parametrize("since", [pytest.param(0, id="first-look"), pytest.param(NOW - 5, id="told-before")])
def test_what_came_and_went_before_an_earlier_look_is_old(since: int) -> None:
    history = (Snapshot(MAIN_B, "", "HealthCheckFailed", NOW - 10),)
    assert said(cluster(k(history=history)), since=since) == {("web", A, S)}


# ── HelmReleases ────────────────────────────────────────────────────────────────────────────────────────────────────


def release(condition: Condition | None, **changes: Any) -> HelmRelease:
    settings: dict[str, Any] = {
        "ref": ObjectRef("HelmRelease", "apps", "podinfo"),
        "owner": ObjectRef("Kustomization", "apps", "web"),
        "generation": 1,
        "observed_generation": 1,
        "ready": condition,
    }
    return HelmRelease(**(settings | changes))


@pytest.mark.parametrize(
    ("owner", "it", "expected"),
    [
        pytest.param(k(), release(ready(reason="UpgradeSucceeded")), (A, S), id="success"),
        pytest.param(k(), release(failed("UpgradeFailed")), (A, F), id="failure"),
        pytest.param(k(), release(failed("DependencyNotReady")), (A, P), id="waits"),
        pytest.param(k(), release(failed("SourceNotReady", since=NOW - 5)), (A, P), id="source-not-there-yet"),
        pytest.param(k(), release(failed("SourceNotReady")), (A, F), id="source-not-there-for-long"),
        pytest.param(
            k(), release(failed("ArtifactFailed", since=NOW - 5), stalled=Condition("True", "x")), (A, F), id="stalled"
        ),
        pytest.param(k(), release(ready("Unknown")), (A, P), id="running"),
        pytest.param(k(), release(ready(), generation=2), (A, P), id="spec-changed"),
        pytest.param(k(), release(None), (A, P), id="new"),
        pytest.param(k(), release(ready(), suspended=True), ("", State.SUSPENDED), id="suspended"),
        pytest.param(k(), release(ready(), deleting=True), ("", State.DELETING), id="deleting"),
        pytest.param(k(), release(ready(), owner=None), None, id="applied-by-nobody-we-know"),
        pytest.param(k(suspended=True), release(failed("UpgradeFailed")), None, id="owner-suspended"),
        pytest.param(
            k(ready=ready("Unknown"), reconciling=phase(CHECKING, MAIN_B), attempted=MAIN_B),
            release(failed("UpgradeFailed")),
            (B, F),
            id="owner-waits-for-it-on-the-new-commit",
        ),
        pytest.param(
            k(ready=ready("Unknown"), reconciling=phase(BUILDING, MAIN_B), attempted=MAIN_B),
            release(ready()),
            (A, S),
            id="owner-has-not-applied-the-new-commit-yet",
        ),
        pytest.param(
            k(ready=ready("Unknown"), reconciling=phase(APPLYING, MAIN_B), attempted=MAIN_B),
            release(ready()),
            None,
            id="mid-apply",
        ),
        pytest.param(
            k(ready=failed("HealthCheckFailed"), attempted=MAIN_B),
            release(failed("InstallFailed")),
            (B, F),
            id="owner-failed-on-it",
        ),
        pytest.param(
            k(ready=failed("ReconciliationFailed"), attempted=MAIN_B), release(ready()), None, id="torn-apply"
        ),
    ],
)
def test_a_helm_release_speaks_of_the_commit_that_applied_it(owner: Any, it: HelmRelease, expected: Any) -> None:
    seen = look(cluster(owner, it, git(owner.attempted)))
    spoken = [(x.commit, o.state) for x in seen.outcomes for o in x.observations if o.about == it.ref]
    mute = [("", o.state) for o in seen.silent if o.about == it.ref]
    assert spoken + mute == ([expected] if expected else [])


def test_a_failing_helm_release_turns_the_commit_red() -> None:
    [outcome] = look(cluster(k(), release(failed("UpgradeFailed")))).outcomes
    assert outcome.state is F


def test_healthy_sources_are_named() -> None:
    assert look(cluster(k(), git())).healthy == (SOURCE,)


# ── with details: what stands in the cluster ────────────────────────────────────────────────────────────────────────

STOCK: dict[str, Any] = {
    "inventory": ("Deployment/apps/web",),
    "labels": {"team": "web"},
    "metadata": {"summary": "Mind it"},
}
WELL = Condition("True", "Succeeded", "Health check passed in 12s", 1, NOW - 600)


@pytest.mark.parametrize(
    ("it", "head", "stock", "health"),
    [
        pytest.param(k(healthy=WELL, **STOCK), MAIN_A, [(A, S, True)], WELL.message, id="success"),
        pytest.param(k(**STOCK), MAIN_A, [(A, S, True)], "", id="success-without-health-checks"),
        pytest.param(
            k(healthy=structs.replace(WELL, status="Unknown"), **STOCK),
            MAIN_A,
            [(A, S, True)],
            "",
            id="not-yet-healthy",
        ),
        pytest.param(
            k(ready=failed("HealthCheckFailed"), attempted=MAIN_B, healthy=WELL, **STOCK),
            MAIN_B,
            [(B, F, True)],
            "",
            id="failure-keeps-its-inventory-but-no-health-of-an-earlier-run",
        ),
        pytest.param(
            k(ready=failed("BuildFailed"), attempted=MAIN_B, **STOCK), MAIN_B, [(B, F, True)], "", id="build-failed"
        ),
        pytest.param(
            k(ready=ready("Unknown"), reconciling=phase(CHECKING, MAIN_B), attempted=MAIN_B, healthy=WELL, **STOCK),
            MAIN_B,
            [(B, P, False)],
            "",
            id="whose-inventory-it-is-while-a-run-goes-on-nobody-knows",
        ),
        pytest.param(
            k(healthy=WELL, **STOCK),
            MAIN_B,
            [(A, S, True), (B, P, False)],
            WELL.message,
            id="not-of-what-is-waited-for",
        ),
    ],
)
def test_inventory_and_health_go_with_a_result(
    it: Any, head: str, stock: list[tuple[str, State, bool]], health: str
) -> None:
    found = [(x.commit, o) for x in look(cluster(it, git(head)), details=True).outcomes for o in x.observations]
    assert sorted((commit, o.state, bool(o.inventory)) for commit, o in found) == sorted(stock)
    assert {o.health for _, o in found if o.health} == ({health} if health else set())
    assert {(tuple(o.labels.items()), tuple(o.metadata.items())) for _, o in found} == {
        ((("team", "web"),), (("summary", "Mind it"),))
    }


def test_what_came_and_went_has_no_inventory_of_what_came_after() -> None:
    history = (Snapshot(MAIN_B, "", "ReconciliationSucceeded", NOW - 60), Snapshot(MAIN_A, "", "x", NOW - 90))
    it = k(applied=MAIN_C, attempted=MAIN_C, history=history, healthy=WELL, **STOCK)
    seen = look(cluster(it, git(MAIN_C)), since=NOW - 100, details=True)
    past = [o for x in seen.outcomes for o in x.observations if o.past]
    assert [(o.inventory, o.health) for o in past] == [((), ""), ((), "")]


def test_a_suspended_one_names_the_revision_that_waits_for_it() -> None:
    assert [o.revision for o in look(cluster(k(suspended=True), git(MAIN_B))).silent] == [MAIN_B]
    assert [o.revision for o in look(cluster(k(suspended=True), git(MAIN_A))).silent] == [""]
    assert [o.revision for o in look(cluster(k(suspended=True, applied=""), git(MAIN_B))).silent] == [""]


# ── with details: sources ───────────────────────────────────────────────────────────────────────────────────────────


def source(kind: str, revision: str, **changes: Any) -> Source:
    return git(revision, ref=ObjectRef(kind, "flux-system", "x"), url="oci://example.com/x", **changes)


@pytest.mark.parametrize(
    ("it", "commit", "reason", "message"),
    [
        pytest.param(git(MAIN_B), B, "NewArtifact", f"stored artifact for revision '{MAIN_B}'", id="git"),
        pytest.param(
            source("OCIRepository", LATEST_A, origin_revision=MAIN_A, origin_url="https://github.com/example/fleet"),
            A,
            "NewArtifact",
            f"stored artifact with revision '{LATEST_A}' from 'oci://example.com/x', "
            f"origin source 'https://github.com/example/fleet', origin revision '{MAIN_A}'",
            id="oci",
        ),
        pytest.param(
            source("OCIRepository", LATEST_A),
            "",
            "NewArtifact",
            f"stored artifact with revision '{LATEST_A}' from 'oci://example.com/x'",
            id="oci-without-origin",
        ),
        pytest.param(
            source("Bucket", "sha256:abc"), "", "NewArtifact", "stored artifact: revision 'sha256:abc'", id="bucket"
        ),
        pytest.param(
            source("HelmRepository", "sha256:abc"),
            "",
            "NewArtifact",
            "stored artifact: revision 'sha256:abc'",
            id="index",
        ),
        pytest.param(
            source("HelmChart", "6.5.0", ready=ready(reason="ChartPullSucceeded", message="pulled 'x' chart")),
            "",
            "ChartPullSucceeded",
            "pulled 'x' chart",
            id="chart",
        ),
        pytest.param(
            source("ExternalArtifact", "latest@sha256:abc"),
            "",
            "NewArtifact",
            "stored artifact for revision 'latest@sha256:abc'",
            id="external",
        ),
    ],
)
def test_what_a_source_holds(it: Source, commit: str, reason: str, message: str) -> None:
    it = structs.replace(it, uid="u", labels={"team": "web"}, metadata={"summary": "Mind it"})
    (said_,) = look(cluster(it), details=True).fetched
    assert (said_.about, said_.state, said_.commit, said_.reason, said_.message) == (it.ref, S, commit, reason, message)
    assert (said_.revision, said_.since, said_.newest) == (it.revision, NOW - 700, True)
    assert (said_.uid, said_.labels, said_.metadata) == ("u", {"team": "web"}, {"summary": "Mind it"})
    assert look(cluster(it)).fetched == ()


@pytest.mark.parametrize(
    "it",
    [
        pytest.param(git(suspended=True), id="suspended"),
        pytest.param(git(deleting=True), id="deleting"),
        pytest.param(git(""), id="no-artifact"),
        pytest.param(git(ready=ready("False", "GitOperationFailed")), id="failing"),
        pytest.param(git(ready=ready("Unknown")), id="building"),
        pytest.param(git(ready=None), id="new"),
    ],
)
def test_a_source_that_holds_nothing_sure(it: Source) -> None:
    assert look(cluster(it), details=True).fetched == ()


def test_only_sources_of_the_repositories_that_are_meant() -> None:
    there = cluster(git(), source("HelmRepository", "sha256:abc"))
    assert [o.about for o in look(there, details=True, repositories={FLEET}).fetched] == [SOURCE]
    assert len(look(there, details=True).fetched) == 2


def test_a_helm_repository_that_cannot_fetch_is_a_trouble() -> None:
    broken = source("HelmRepository", "sha256:abc", fetch_failed=Condition("True", "IndexationFailed", "404"), uid="u")
    seen = look(cluster(broken), details=True)
    assert [(o.state, o.reason, o.uid) for o in seen.silent] == [(F, "IndexationFailed", "u")]
    assert broken.ref not in seen.healthy


def test_a_helm_release_names_what_it_waits_for() -> None:
    waits = Condition("False", "DependencyNotReady", "dependency 'infra/redis' is not ready", 1)
    made = cluster(git(MAIN_B), k(applied=MAIN_B, attempted=MAIN_B), release(waits))

    (outcome,) = judge(made, now=NOW).outcomes

    (said,) = (o for o in outcome.observations if o.about.kind == "HelmRelease")
    assert (said.state, said.waits_for) == (State.PENDING, ObjectRef("HelmRelease", "infra", "redis"))


# ── with details: HelmReleases ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("it", "expected"),
    [
        pytest.param(release(ready(reason="UpgradeSucceeded"), owner=None), (S, "6.5.0"), id="success"),
        pytest.param(release(failed("UpgradeFailed"), owner=None), (F, "6.5.0"), id="failure"),
        pytest.param(release(ready("Unknown"), owner=None), (P, "6.5.0"), id="running"),
        pytest.param(release(ready(), owner=None, suspended=True), (State.SUSPENDED, ""), id="suspended"),
        pytest.param(release(ready(), owner=None, deleting=True), (State.DELETING, ""), id="deleting"),
        pytest.param(release(ready()), None, id="of-a-kustomization-that-is-not-meant"),
    ],
)
def test_a_helm_release_that_nobody_applied(it: HelmRelease, expected: tuple[State, str] | None) -> None:
    it = structs.replace(it, attempted="6.5.0", uid="u", labels={"team": "web"})
    seen = look(cluster(it), details=True)
    assert seen.outcomes == ()
    spoken = [(o.commit, o.state, o.revision, o.uid, o.labels) for o in seen.silent]
    assert spoken == ([("", *expected, "u", {"team": "web"})] if expected else [])
    assert look(cluster(it)).silent == ()


def test_a_helm_release_of_a_kustomization_has_its_labels_and_its_uid() -> None:
    it = release(ready(reason="UpgradeSucceeded", message="done"), uid="u", labels={"team": "web"}, attempted="6.5.0")
    observations = look(cluster(k(), it), details=True).outcomes[0].observations
    (found,) = [o for o in observations if o.about == it.ref]
    assert (found.uid, found.labels, found.message, found.revision) == ("u", {"team": "web"}, "done", MAIN_A)


# ── with details: controllers that are silent ───────────────────────────────────────────────────────────────────────

#: Interval ten minutes, timeout two: after 720 s, a tenth of that and the slack, 912 s, something is wrong.
DUE = 912


def watched(silent: int, status: str = "True", **changes: Any) -> Kustomization:
    """A Kustomization of which there has been no sign for so many seconds."""
    usual = failed("BuildFailed", since=NOW - silent) if status == "False" else ready(status, since=NOW - silent)
    return k(**{"ready": usual, "patience": 720, **changes})


def stale(*objects: Any, **settings: Any) -> list[tuple[str, str]]:
    seen = look(cluster(*objects), **{"details": True, **settings})
    return [(o.about.name, o.message) for o in seen.silent if o.state is State.STALE]


@pytest.mark.parametrize(
    ("it", "expected"),
    [
        pytest.param(watched(DUE), [], id="late-and-within-the-slack"),
        pytest.param(watched(DUE + 1), ["15m"], id="too-late"),
        pytest.param(watched(3905), ["1h 5m"], id="much-too-late"),
        pytest.param(watched(DUE + 1, "Unknown"), ["15m"], id="a-run-that-does-not-end"),
        pytest.param(watched(DUE, "Unknown"), [], id="a-run-that-may-end-yet"),
        pytest.param(watched(90_000, "False"), [], id="a-failure-does-not-move"),
        pytest.param(watched(90_000, patience=0), [], id="no-interval"),
        pytest.param(watched(90_000, suspended=True), [], id="suspended"),
        pytest.param(watched(90_000, deleting=True), [], id="deleting"),
        pytest.param(watched(0, ready=None), [], id="new"),
        pytest.param(watched(90_000, ready=ready(since=0)), [], id="no-sign-at-all"),
        pytest.param(watched(90_000, generation=2), [], id="resumed-just-now-perhaps"),
        pytest.param(
            watched(90_000, ready=ready(since=NOW - 90_000, generation=0), generation=2), [], id="the-same-in-old-times"
        ),
        pytest.param(
            watched(90_000, ready=ready(since=NOW - 90_000, generation=0)), ["1d 1h"], id="old-times-too-late"
        ),
        pytest.param(
            watched(90_000, history=(Snapshot(MAIN_A, "", "ReconciliationSucceeded", NOW - 60),)),
            [],
            id="sign-in-history",
        ),
        pytest.param(
            watched(90_000, "Unknown", reconciling=phase(CHECKING, MAIN_A)), [], id="sign-in-the-phase-of-the-run"
        ),
        pytest.param(watched(90_000, healthy=WELL), [], id="sign-in-its-health"),
        pytest.param(watched(-300), [], id="in-the-future"),
    ],
)
def test_a_controller_that_is_silent(it: Kustomization, expected: list[str]) -> None:
    message = "kustomize-controller has not looked for {}; it should within 12m"
    assert stale(it) == [("web", message.format(silent)) for silent in expected]


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(k("another", ready=ready(since=NOW + 300)), id="a-kustomization"),
        pytest.param(git(updated=NOW + 300), id="an-artifact"),
        pytest.param(git(ready=ready(since=NOW + 300)), id="a-source"),
        pytest.param(release(ready(since=NOW + 300)), id="a-helm-release"),
    ],
)
def test_a_clock_that_is_ahead_of_ours_is_allowed_for(sign: Any) -> None:
    assert stale(watched(DUE + 300), sign) == []
    assert len(stale(watched(DUE + 301), sign)) == 1


def test_how_far_histories_reach_tells_the_clock_too() -> None:
    def found(silent: int) -> int:
        it = cluster(watched(silent), seen=NOW + 300)
        return sum(o.state is State.STALE for o in look(it, details=True).silent)

    assert (found(DUE + 300), found(DUE + 301)) == (0, 1)


def test_the_silence_is_told_beside_what_is_known() -> None:
    seen = look(cluster(watched(90_000, **STOCK)), details=True)
    assert [(o.commit, o.state) for o in seen.outcomes] == [(A, S)]
    (said_,) = seen.silent
    assert (said_.state, said_.reason, said_.since, said_.commit) == (State.STALE, "Stale", NOW - 90_000, "")
    assert (said_.labels, said_.uid) == ({"team": "web"}, "uid-web")


def test_nobody_is_called_silent_where_nobody_asks() -> None:
    assert look(cluster(watched(90_000))).silent == ()
    assert stale(watched(90_000), repositories={FLEET}) != []
    assert stale(watched(90_000), repositories={structs.replace(FLEET, path="example/other")}) == []


def test_details_change_nothing_of_what_is_said_of_commits() -> None:
    for row in ROWS:
        values: Any = row.values
        it, head, expected = values
        assert said(cluster(it, head), details=True) == expected, row.id
