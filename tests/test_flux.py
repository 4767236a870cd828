"""From Kubernetes' JSON to a Cluster."""

from __future__ import annotations

import copy
import datetime
import json
from typing import Any

import objects as o
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landed.flux import KINDS, Reader
from landed.flux.times import length, seconds
from landed.model import Cluster, Condition, HelmRelease, Kustomization, ObjectRef, Snapshot, Source
from landed.selection import Selection, Wants

ALL = Selection()
WEB = ObjectRef("Kustomization", "apps", "web")
FLEET = ObjectRef("GitRepository", "flux-system", "fleet")
THEN = int(datetime.datetime.fromisoformat(o.THEN).timestamp())
LATER = int(datetime.datetime.fromisoformat(o.LATER).timestamp())


NOTHING_MORE, DETAILS = Wants(), Wants(details=True)


def look(*objects: o.Object, since: int = 0, selection: Selection = ALL, wants: Wants = NOTHING_MORE) -> Cluster:
    reader = Reader(selection, since, wants=wants)
    reader.take_any(o.encoded(o.listing("List", objects)))
    return reader.cluster("prod")


def only(*objects: o.Object, since: int = 0) -> Kustomization:
    cluster = look(*objects, since=since)
    assert cluster.warnings == ()
    (kustomization,) = cluster.kustomizations
    return kustomization


def situation(name: str, since: int = 0) -> Cluster:
    reader = Reader(since=since)
    reader.take_any(o.encoded(o.situation(name)))
    return reader.cluster("prod")


# ── what is read ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cluster_at_rest_is_read_whole() -> None:
    stored = o.situation("success")
    cluster = situation("success")
    assert cluster == Cluster(
        "prod",
        kustomizations=(
            Kustomization(
                WEB,
                FLEET,
                uid=stored["items"][0]["metadata"]["uid"],
                generation=4,
                observed_generation=4,
                ready=Condition("True", "ReconciliationSucceeded", "", 4, THEN),
                applied=o.MAIN_A,
                attempted=o.MAIN_A,
                history=(Snapshot(o.MAIN_A, "", "ReconciliationSucceeded", THEN, "13.118402s"),),
            ),
        ),
        sources={
            FLEET: Source(
                FLEET,
                url=o.URL,
                pointer="branch=main",
                revision=o.MAIN_A,
                updated=THEN,
                ready=Condition("True", "Succeeded", "", 1, THEN),
            )
        },
        seen=THEN,
    )


# situation, what its first Kustomization holds
SITUATIONS: list[tuple[str, dict[str, Any]]] = [
    ("new", {"ready": None, "observed_generation": -1, "applied": "", "attempted": "", "history": ()}),
    ("success", {"applied": o.MAIN_A, "reconciling": None, "stalled": None}),
    ("success-source-ahead", {"applied": o.MAIN_A, "attempted": o.MAIN_A}),
    ("success-without-history", {"applied": o.MAIN_A, "history": ()}),
    ("success-spec-changed", {"generation": 5, "observed_generation": 4, "ready.generation": 4}),
    ("running-fetching", {"ready.status": "Unknown", "attempted": o.MAIN_A, "reconciling.reason": "Progressing"}),
    ("running-building", {"ready.status": "Unknown", "attempted": o.MAIN_B, "applied": o.MAIN_A}),
    ("running-applying", {"ready.status": "Unknown", "attempted": o.MAIN_B, "applied": o.MAIN_A}),
    (
        "running-health-checks",
        {
            "ready.message": "Reconciliation in progress",
            "reconciling.message": f"Running health checks for revision {o.MAIN_B} with a timeout of 2m0s",
            "reconciling.since": LATER + 1,
        },
    ),
    ("running-same-revision", {"ready.status": "Unknown", "attempted": o.MAIN_A, "applied": o.MAIN_A}),
    ("running-first-time", {"applied": "", "attempted": o.MAIN_A, "observed_generation": -1}),
    (
        "source-missing",
        {"ready.message": 'gitrepositories.source.toolkit.fluxcd.io "fleet" not found', "applied": ""},
    ),
    ("source-without-artifact", {"ready.reason": "ArtifactFailed", "reconciling": None}),
    ("source-missing-after-failure", {"ready.reason": "ArtifactFailed", "reconciling.status": "True"}),
    (
        "path-missing",
        {"ready.reason": "ArtifactFailed", "attempted": o.MAIN_A, "reconciling.reason": "ProgressingWithRetry"},
    ),
    ("fetch-failed", {"ready.reason": "ArtifactFailed", "attempted": o.MAIN_A}),
    ("build-failed", {"ready.reason": "BuildFailed", "attempted": o.MAIN_C}),
    ("apply-failed", {"ready.reason": "ReconciliationFailed", "attempted": o.MAIN_C, "ready.generation": 4}),
    ("apply-failed-after-edit", {"ready.generation": 5, "generation": 5, "observed_generation": 4}),
    ("prune-failed", {"ready.reason": "PruneFailed", "attempted": o.MAIN_B, "applied": o.MAIN_A}),
    (
        "health-check-failed",
        {
            "ready.status": "False",
            "ready.reason": "HealthCheckFailed",
            "ready.message": "health check failed after 2m0.004s: "
            "timeout waiting for: [Deployment/apps/web status: 'InProgress']",
            "attempted": o.MAIN_B,
        },
    ),
    ("health-check-failed-after-success", {"ready.reason": "HealthCheckFailed", "attempted": o.MAIN_A}),
    ("health-check-canceled", {"ready.reason": "HealthCheckCanceled", "attempted": o.MAIN_B}),
    ("invalid-cel-expression", {"stalled.reason": "InvalidCELExpression", "observed_generation": 6}),
    ("access-denied", {"stalled.reason": "AccessDenied", "observed_generation": -1}),
    ("suspended", {"suspended": True, "generation": 5, "observed_generation": 5, "ready.generation": 4}),
    ("deleting", {"deleting": True, "ready.status": "True"}),
    ("oci-origin", {"applied": o.LATEST_A, "applied_origin": o.MAIN_A, "source.kind": "OCIRepository"}),
    ("oci-origin-failed", {"applied_origin": o.MAIN_A, "attempted": o.LATEST_B}),
    ("oci-without-origin", {"applied": o.LATEST_A, "applied_origin": ""}),
    ("bucket", {"source.kind": "Bucket", "applied_origin": ""}),
    ("external-artifact", {"source.kind": "ExternalArtifact", "applied_origin": o.MAIN_A}),
    ("source-fetch-failed", {"ready.status": "True", "applied": o.MAIN_A}),
    ("between-two-looks", {"applied": o.MAIN_C, "attempted": o.MAIN_C}),
    (
        "legacy",
        {"applied": f"main/{o.A}", "ready.generation": 0, "history": (), "source.namespace": "flux-system"},
    ),
    ("helm-release-failed", {"ready.status": "True"}),
    ("helm-release-stalled", {"ready.status": "True"}),
]
OTHERS = {"dependency-not-ready", "dependency-not-ready-after-failure"}


@pytest.mark.parametrize(("name", "held"), SITUATIONS, ids=[name for name, _ in SITUATIONS])
def test_each_situation_is_read_as_it_stands(name: str, held: dict[str, Any]) -> None:
    cluster = situation(name)
    (kustomization,) = cluster.kustomizations
    read: dict[str, Any] = {}
    for path in held:
        value: Any = kustomization
        for part in path.split("."):
            value = getattr(value, part)
        read[path] = value
    assert read == held
    assert cluster.warnings == ()


def test_no_recorded_situation_goes_untested() -> None:
    assert set(o.situations()) == {name for name, _ in SITUATIONS} | OTHERS


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_a_dependency_is_known_and_read(name: str) -> None:
    web, infra = situation(name).kustomizations
    assert web.depends_on == (infra.ref,)
    assert infra.depends_on == ()
    assert web.ready is not None
    assert web.ready.reason == "DependencyNotReady"
    assert (web.reconciling is not None) is (name != "dependency-not-ready")


def test_namespaces_that_are_not_given_are_the_objects_own() -> None:
    k = only(
        o.kustomization(
            depends_on=[{"name": "db"}, {"name": "infra", "namespace": "flux-system"}],
            spec={"sourceRef": {"kind": "GitRepository", "name": "fleet", "apiVersion": "whatever/v9"}},
        )
    )
    assert k.source == ObjectRef("GitRepository", "apps", "fleet")
    assert k.depends_on == (
        ObjectRef("Kustomization", "apps", "db"),
        ObjectRef("Kustomization", "flux-system", "infra"),
    )


def test_null_is_as_good_as_absent() -> None:
    def without(members: list[str]) -> dict[str, Any]:
        return dict.fromkeys(members)

    spec = without(["path", "interval", "suspend", "dependsOn"])  # the first two are not read at all
    status = without(["conditions", "history", "lastAppliedRevision", "observedGeneration", "inventory"])
    k = only(o.kustomization(spec=spec, status=status, metadata=without(["uid", "labels", "generation"])))
    assert k == Kustomization(WEB, FLEET, attempted=o.MAIN_A)
    k = only(o.kustomization() | {"status": None})
    assert (k.ready, k.observed_generation) == (None, -1)
    nothing = o.condition() | without(["status", "reason", "message", "observedGeneration", "lastTransitionTime"])
    assert only(o.kustomization(conditions=[nothing, {"type": None}])).ready == Condition("")
    snapshot = o.snapshot() | without(["lastReconciled", "lastReconciledStatus", "lastReconciledDuration", "metadata"])
    assert only(o.kustomization(history=[snapshot])).history == (Snapshot("", "", "", 0),)
    cluster = look(
        o.git_repository(spec={"ref": None}, status={"artifact": None}),
        o.oci_repository() | {"spec": None, "status": None},
        o.helm_release(metadata={"labels": None}) | {"spec": None, "status": None},
    )
    assert cluster.warnings == ()
    assert [source.revision for source in cluster.sources.values()] == ["", ""]
    assert cluster.helm_releases == (HelmRelease(ObjectRef("HelmRelease", "apps", "podinfo"), generation=1),)


def test_what_the_future_brings_is_passed_over() -> None:
    k = o.kustomization(
        conditions=[
            o.condition("Blessed", "Perhaps", "Unheard", "of"),
            o.condition("Ready", "Maybe", "New", "why not") | {"severity": {"level": 3}},
        ],
        history=[o.snapshot(status="Blessed") | {"more": [1]}],
        spec={"strategy": {"canary": 5}},
        status={"phase": 7},
        metadata={"annotations": 5},
    )
    k["apiVersion"] = "kustomize.toolkit.fluxcd.io/v7alpha1"
    read = only(k)
    assert read.ready == Condition("Maybe", "New", "why not", 1, THEN)
    assert read.history[0].status == "Blessed"


def test_equal_parts_are_kept_once() -> None:
    one, two = look(o.kustomization("one"), o.kustomization("two")).kustomizations
    for part in ("ready", "source", "applied", "attempted"):
        assert getattr(one, part) is getattr(two, part), part
    assert one.ref.namespace is two.ref.namespace
    assert one.applied is one.history[0].revision


# ── history ─────────────────────────────────────────────────────────────────────────────────────────────────────

AT = [THEN, 1787217952, 1787218800]  # of A, B and C in the situation


@pytest.mark.parametrize(
    ("since", "kept"),
    [
        pytest.param(0, [o.MAIN_C], id="first-look-keeps-the-newest-only"),
        pytest.param(1, [o.MAIN_C, o.MAIN_B, o.MAIN_A], id="all"),
        pytest.param(AT[0], [o.MAIN_C, o.MAIN_B, o.MAIN_A], id="at-since"),
        pytest.param(AT[0] + 1, [o.MAIN_C, o.MAIN_B], id="after-the-oldest"),
        pytest.param(AT[1], [o.MAIN_C, o.MAIN_B], id="at-the-middle"),
        pytest.param(AT[2], [o.MAIN_C], id="at-the-newest"),
        pytest.param(AT[2] + 1, [], id="nothing-new"),
    ],
)
def test_history_is_kept_from_the_last_look_on(since: int, kept: list[str]) -> None:
    cluster = situation("between-two-looks", since)
    (k,) = cluster.kustomizations
    assert [snapshot.revision for snapshot in k.history] == kept
    assert cluster.seen == AT[2]


@pytest.mark.parametrize("since", [0, 1, LATER, LATER + 1, LATER + 10_000])
def test_the_origin_of_a_vain_attempt_is_always_kept(since: int) -> None:
    (k,) = situation("oci-origin-failed", since).kustomizations
    assert k.attempted == o.LATEST_B
    assert k.history[0] == Snapshot(o.LATEST_B, o.MAIN_B, "HealthCheckFailed", LATER, "2m1.331s")
    assert [s.revision for s in k.history[1:]] == ([o.LATEST_A] if since == 1 else [])


def test_of_a_vain_attempt_only_the_newest_snapshot_is_kept() -> None:
    history = [
        o.snapshot(o.MAIN_A, at="2026-08-20T12:00:00Z"),
        o.snapshot(o.MAIN_B, "HealthCheckFailed", at="2026-08-20T11:00:00Z"),
        o.snapshot(o.MAIN_B, "ReconciliationFailed", at="2026-08-20T10:00:00Z"),
    ]
    k = only(o.kustomization(attempted=o.MAIN_B, history=history), since=2_000_000_000)
    assert [s.status for s in k.history] == ["HealthCheckFailed"]


def test_seen_is_the_newest_time_of_all_histories() -> None:
    newest = o.kustomization("two", history=[o.snapshot(at=o.LATER)])
    assert look(o.kustomization("one"), newest, o.kustomization("three")).seen == LATER
    assert look(o.kustomization("one"), newest, since=LATER + 99).seen == LATER
    assert look(o.kustomization(history=[])).seen == 0
    assert look(newest, selection=Selection(kustomizations=("one",))).seen == 0


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01Z", 1),
        ("2026-08-20T09:00:14Z", 1787216414),
        ("2024-02-29T23:59:59Z", 1709251199),
        ("2000-03-01T00:00:00Z", 951868800),
        ("2026-08-20T09:00:14.999999999Z", 1787216414),
        ("2026-08-20T11:00:14+02:00", 1787216414),
        ("2026-08-20T03:30:14-05:30", 1787216414),
        ("2026-08-20t09:00:14z", 1787216414),
        ("2026-08-20 09:00:14Z", 1787216414),
        ("2016-12-31T23:59:60Z", 1483228800),
        ("0001-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", 0),
        ("", 0),
        (None, 0),
        ("yesterday", 0),
        ("2026-08-20", 0),
        ("2026-08-20T09:00:14", 0),
        ("2026-13-20T09:00:14Z", 0),
        ("2026-00-20T09:00:14Z", 0),
        ("2026-08-32T09:00:14Z", 0),
        ("2026-08-20T24:00:14Z", 0),
        ("2026-08-20T09:00:14Z\n", 0),
        ("२०२६-०८-२०T०९:००:१४Z", 0),
    ],
)
def test_times_are_epoch_seconds(text: str | None, at: int) -> None:
    assert seconds(text) == at


@given(st.datetimes(datetime.datetime(1970, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_times_agree_with_the_calendar(moment: datetime.datetime) -> None:
    offset = moment.utcoffset()
    assert offset is not None
    if not offset.seconds % 60:
        moment = moment.replace(microsecond=0, fold=moment.fold)
        assert seconds(moment.isoformat()) == max(0, int(moment.timestamp()))


@given(st.text())
def test_any_text_is_a_time_or_none(text: str) -> None:
    assert seconds(text) >= 0


# ── sources and HelmReleases ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("build", "ref", "pointer"),
    [
        (o.git_repository, {"branch": "main"}, "branch=main"),
        (o.git_repository, {"branch": "main", "tag": "v1"}, "tag=v1"),
        (o.git_repository, {"semver": ">=1", "tag": "v1"}, "semver=>=1"),
        (o.git_repository, {"name": "refs/heads/x", "semver": ">=1"}, "name=refs/heads/x"),
        (o.git_repository, {"branch": "main", "commit": o.A}, f"commit={o.A}"),
        (o.git_repository, {"branch": "", "tag": None}, "branch=master"),
        (o.git_repository, None, "branch=master"),
        (o.oci_repository, {"tag": "v1"}, "tag=v1"),
        (o.oci_repository, {"semver": ">=1", "tag": "v1"}, "semver=>=1"),
        (o.oci_repository, {"digest": "sha256:00", "tag": "v1"}, "digest=sha256:00"),
        (o.oci_repository, {}, "tag=latest"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_source_follows_a_pointer(build: Any, ref: dict[str, str] | None, pointer: str) -> None:
    (source,) = look(build(spec={"ref": ref})).sources.values()
    assert source.pointer == pointer


def test_an_oci_repository_tells_where_it_came_from() -> None:
    (source,) = situation("oci-origin").sources.values()
    assert source == Source(
        ObjectRef("OCIRepository", "flux-system", "fleet"),
        url="oci://registry.example.com/example/fleet",
        pointer="tag=latest",
        revision=o.LATEST_A,
        origin_revision=o.MAIN_A,
        origin_url=o.URL,
        updated=THEN,
        ready=Condition("True", "Succeeded", "", 1, THEN),
    )


def test_a_bucket_has_an_endpoint_and_a_name() -> None:
    (source,) = situation("bucket").sources.values()
    assert (source.ref.kind, source.url, source.pointer) == ("Bucket", "minio.example.com", "bucket=fleet/apps")
    assert (source.origin_revision, source.origin_url) == ("", "")


def test_an_external_artifact_follows_nothing_but_itself() -> None:
    (source,) = situation("external-artifact").sources.values()
    assert (source.url, source.pointer) == ("", "artifact=flux-system/fleet-apps")
    assert source.origin_revision == o.MAIN_A


def test_a_source_that_cannot_fetch_says_why() -> None:
    (source,) = situation("source-fetch-failed").sources.values()
    assert source.fetch_failed is not None
    assert source.ready is not None
    assert source.fetch_failed.reason == source.ready.reason == "GitOperationFailed"
    assert "authentication required" in source.ready.message
    assert source.revision == o.MAIN_A


def test_a_source_may_be_suspended_or_going_away() -> None:
    (source,) = look(o.git_repository(suspend=True, metadata={"deletionTimestamp": o.LATER})).sources.values()
    assert (source.suspended, source.deleting) == (True, True)


def test_a_helm_release_belongs_to_the_kustomization_that_applied_it() -> None:
    (release,) = situation("helm-release-stalled").helm_releases
    assert release.owner == WEB
    assert release.stalled is not None
    assert release.ready is not None
    assert (release.ready.reason, release.stalled.reason) == ("UpgradeFailed", "RetriesExceeded")
    assert release.ready.message.endswith("context deadline exceeded")


@pytest.mark.parametrize(
    ("labels", "owner"),
    [
        (None, None),
        ({}, None),
        ({"app": "web"}, None),
        ({"kustomize.toolkit.fluxcd.io/namespace": "apps"}, None),
        ({"kustomize.toolkit.fluxcd.io/name": "web"}, WEB),
        ({"kustomize.toolkit.fluxcd.io/name": "web", "kustomize.toolkit.fluxcd.io/namespace": "apps"}, WEB),
    ],
    ids=str,
)
def test_a_helm_release_may_have_no_owner(labels: dict[str, str] | None, owner: ObjectRef | None) -> None:
    (release,) = look(o.helm_release(suspend=True, metadata={"labels": labels})).helm_releases
    assert (release.owner, release.suspended, release.deleting) == (owner, True, False)


# ── what more is read where it is wanted ────────────────────────────────────────────────────────────────────────

HEALTHY = o.condition("Healthy", "True", "Succeeded", "Health check passed in 12s", generation=1)
MARKED = {
    "labels": {"team": "web"},
    "annotations": {"event.toolkit.fluxcd.io/summary": "Mind it", "other.example.com/x": "y"},
}


def marked() -> list[o.Object]:
    """One object of each kind, with labels, annotations and everything else that is read in detail only."""
    owner = {f"kustomize.toolkit.fluxcd.io/{part}": name for part, name in (("name", "web"), ("namespace", "apps"))}
    return [
        o.kustomization(conditions=[o.condition(), HEALTHY], metadata=MARKED),
        o.git_repository(metadata=MARKED),
        o.helm_release(metadata={**MARKED, "labels": {**owner, "team": "web"}}),
    ]


def test_details_are_not_kept_unless_they_are_wanted() -> None:
    cluster = look(*marked())
    (k,), (source,), (release,) = cluster.kustomizations, cluster.sources.values(), cluster.helm_releases
    assert (k.labels, k.metadata, k.healthy, k.inventory, k.patience) == ({}, {}, None, (), 0)
    assert (source.labels, source.metadata, source.uid) == ({}, {}, "")
    assert (release.labels, release.metadata, release.uid, release.attempted) == ({}, {}, "", "")
    assert release.owner == WEB
    assert source.ready == Condition("True", "Succeeded", "", 1, THEN)


def test_metadata_alone_is_what_annotations_add_to_events() -> None:
    cluster = look(*marked(), wants=Wants(metadata=True))
    (k,), (source,), (release,) = cluster.kustomizations, cluster.sources.values(), cluster.helm_releases
    assert k.metadata == release.metadata == {"summary": "Mind it"}
    assert (k.labels, k.inventory, k.patience, source.metadata) == ({}, (), 0, {})


def test_details_are_all_of_it() -> None:
    objects = marked()
    cluster = look(*objects, wants=DETAILS)
    (k,), (source,), (release,) = cluster.kustomizations, cluster.sources.values(), cluster.helm_releases
    assert k.labels == source.labels == {"team": "web"}
    assert k.metadata == source.metadata == release.metadata == {"summary": "Mind it"}
    assert [k.uid, source.uid, release.uid] == [each["metadata"]["uid"] for each in objects]
    assert k.healthy == Condition("True", "Succeeded", "Health check passed in 12s", 1, THEN)
    assert k.inventory == ("Deployment/apps/web", "Service/apps/web")
    assert k.patience == 720
    assert (release.owner, release.attempted, release.labels["team"]) == (WEB, "6.5.0", "web")
    assert release.ready is not None
    assert release.ready.message == "Helm upgrade succeeded for release apps/podinfo.v2 with chart podinfo@6.5.0"


@pytest.mark.parametrize("name", o.situations())
def test_details_change_nothing_of_what_speaks_of_commits(name: str) -> None:
    taken = []
    for wants in (NOTHING_MORE, DETAILS):
        reader = Reader(since=THEN, wants=wants)
        reader.take_any(o.encoded(o.situation(name)))
        cluster = reader.cluster("prod")
        taken.append(
            [
                [(k.ref, k.source, k.applied, k.attempted, k.history, k.reconciling) for k in cluster.kustomizations],
                [(s.ref, s.revision, s.origin_revision, s.fetch_failed) for s in cluster.sources.values()],
                [(h.ref, h.owner, h.generation, h.stalled) for h in cluster.helm_releases],
                cluster.warnings,
            ]
        )
    assert taken[0] == taken[1]


@pytest.mark.parametrize(
    ("id_", "expected"),
    [
        ("default_podinfo__Service", ["Service/default/podinfo"]),
        ("apps_web_apps_Deployment", ["Deployment/apps/web"]),
        ("_apps__Namespace", ["Namespace/apps"]),
        (
            "_alerts.fluxcd.io_apiextensions.k8s.io_CustomResourceDefinition",
            ["CustomResourceDefinition/alerts.fluxcd.io"],
        ),
        ("_system__node-reader_rbac.authorization.k8s.io_ClusterRole", ["ClusterRole/system:node-reader"]),
        ("apps_a__b__c_rbac.authorization.k8s.io_Role", ["Role/apps/a:b:c"]),
        ("", []),
        ("___", []),
        ("apps_web_Deployment", []),
        ("apps_we_b_apps_Deployment", []),
        ("apps_web_apps_", []),
        ("Apps_web_apps_Deployment", []),
        ("apps_we b_apps_Deployment", []),
        ("apps_<!channel>_apps_Deployment", []),
        ("apps_a/b_apps_Deployment", []),
        ("apps_web\n::error::x_apps_Deployment", []),
        (f"apps_{'x' * 254}_apps_Deployment", []),
        (None, []),
    ],
)
def test_how_an_inventory_names_things(id_: str | None, expected: list[str]) -> None:
    raw = o.kustomization(status={"inventory": {"entries": [{"id": id_, "v": "v1"}]}})
    cluster = look(raw, wants=DETAILS)
    assert cluster.warnings == ()
    assert list(cluster.kustomizations[0].inventory) == expected


def test_an_inventory_is_sorted() -> None:
    (k,) = look(o.kustomization(inventory=["b_x__Service", "a_y__Service"]), wants=DETAILS).kustomizations
    assert k.inventory == ("Service/a/y", "Service/b/x")


@pytest.mark.parametrize("inventory", [None, {}, {"entries": None}, {"entries": []}])
def test_an_inventory_that_is_empty(inventory: object) -> None:
    cluster = look(o.kustomization(status={"inventory": inventory}), wants=DETAILS)
    assert (cluster.warnings, cluster.kustomizations[0].inventory) == ((), ())


@pytest.mark.parametrize(
    ("interval", "timeout", "patience"),
    [
        ("10m0s", "2m0s", 720),
        ("10m", None, 600 + 570),
        ("1m", None, 60 + 30),
        ("10s", None, 10 + 30),
        ("1h30m", "1.5m", 5400 + 90),
        ("500ms", "1s", 2),
        ("0s", "2m", 0),
        (None, "2m", 0),
        ("-5m", "2m", 0),
        ("10 minutes", None, 0),
        ("10m\n", None, 0),
        ("9" * 400 + "h", None, 0),
        ("10m", "soon", 600 + 570),
    ],
)
def test_how_long_a_controller_may_take(interval: str | None, timeout: str | None, patience: int) -> None:
    raw = o.kustomization(spec={"interval": interval, "timeout": timeout})
    cluster = look(raw, wants=DETAILS)
    assert (cluster.warnings, cluster.kustomizations[0].patience) == ((), patience)


def test_lengths_of_time() -> None:
    assert [length(text) for text in ("1h1m1.5s", "250ms", "", None, "1d", "s")] == [3661.5, 0.25, 0, 0, 0, 0]


def test_kinds_that_no_kustomization_refers_to() -> None:
    index = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    cluster = look(o.helm_repository(revision=index), o.helm_repository("oci"), o.helm_chart())
    found = {(ref.kind, ref.name): (s.url, s.revision, s.ready is None) for ref, s in cluster.sources.items()}
    assert found == {
        ("HelmRepository", "podinfo"): ("https://example.com/charts", index, False),
        ("HelmRepository", "oci"): ("oci://example.com/charts", "", True),
        ("HelmChart", "apps-podinfo"): ("", "6.5.0", False),
    }
    assert cluster.warnings == ()


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pages_are_taken_until_there_is_no_more() -> None:
    reader = Reader()
    pages = [[o.kustomization("one")], [o.kustomization("two"), o.kustomization("three")], []]
    tokens = [
        reader.take("Kustomization", o.encoded(o.listing("Kustomization", page, continue_token=token)))
        for page, token in zip(pages, ["first", "second", ""], strict=True)
    ]
    assert tokens == ["first", "second", ""]
    assert [k.ref.name for k in reader.cluster("prod").kustomizations] == ["one", "two", "three"]


@pytest.mark.parametrize("page", [b'{"items":null}', b'{"items":[],"metadata":null}', b'{"items":[],"metadata":{}}'])
def test_an_empty_page_is_a_page(page: bytes) -> None:
    reader = Reader()
    assert reader.take("Kustomization", page) == ""
    assert reader.cluster("prod") == Cluster("prod")


@pytest.mark.parametrize("kind", KINDS)
def test_the_items_of_a_page_need_not_say_what_they_are(kind: str) -> None:
    item = o.kustomization() if kind == "Kustomization" else o.git_repository()
    del item["kind"], item["apiVersion"]
    reader = Reader()
    reader.take(kind, o.encoded({"items": [item]}))
    cluster = reader.cluster("prod")
    found = [*cluster.sources, *(k.ref for k in cluster.kustomizations), *(h.ref for h in cluster.helm_releases)]
    assert [ref.kind for ref in found] == [kind]
    assert cluster.warnings == ()
    whole = Reader()
    whole.take_any(o.encoded({"kind": f"{kind}List", "items": [item]}))
    assert whole.cluster("prod") == cluster


def test_a_list_that_starts_again_replaces_what_was_read() -> None:
    reader = Reader()
    bad = o.kustomization("bad") | {"spec": "nonsense"}
    first = [o.kustomization("gone", history=[o.snapshot(at=o.LATER)]), bad]
    reader.take("Kustomization", o.encoded(o.listing("Kustomization", first)))
    reader.take("GitRepository", o.encoded(o.listing("GitRepository", [o.git_repository()])))
    assert len(reader.cluster("prod").warnings) == 1
    reader.forget("Kustomization")
    reader.forget("Bucket")
    assert reader.cluster("prod").kustomizations == ()
    reader.take("Kustomization", o.encoded(o.listing("Kustomization", [o.kustomization("here")])))
    cluster = reader.cluster("prod")
    assert [k.ref.name for k in cluster.kustomizations] == ["here"]
    assert (list(cluster.sources), cluster.seen, cluster.warnings) == ([FLEET], LATER, ())


def test_a_list_of_one_namespace_that_starts_again_leaves_the_others_alone() -> None:
    reader = Reader()
    for namespace in ("a", "b"):
        items = [o.kustomization("good", namespace), o.kustomization("bad", namespace) | {"spec": 5}, 5]
        reader.take("Kustomization", o.encoded(o.listing("Bare", []) | {"items": items}))
    reader.forget("Kustomization", "b")
    cluster = reader.cluster("prod")
    assert [str(k.ref) for k in cluster.kustomizations] == ["Kustomization/a/good"]
    assert cluster.warnings == (
        "Kustomization a/bad: `.spec` is a whole number, expected a map",
        "Kustomization 3 of the list: it is a whole number, expected a map",
    )


def test_of_an_object_that_comes_twice_the_last_one_counts() -> None:
    cluster = look(
        o.kustomization(applied=o.MAIN_A),
        o.git_repository(revision=o.MAIN_A),
        o.kustomization("db"),
        o.kustomization(applied=o.MAIN_B),
        o.git_repository(revision=o.MAIN_B),
    )
    assert [(k.ref.name, k.applied) for k in cluster.kustomizations] == [("web", o.MAIN_B), ("db", o.MAIN_A)]
    assert [source.revision for source in cluster.sources.values()] == [o.MAIN_B]


def test_the_sources_to_list_are_those_referred_to() -> None:
    reader = Reader(Selection(namespaces=("apps",)))
    assert reader.source_kinds() == ()
    items = [
        o.kustomization("one"),
        o.kustomization("two", source_kind="OCIRepository", source_namespace="b"),
        o.kustomization("three", source_kind="OCIRepository", source_namespace="a"),
        o.kustomization("four", source_kind="Novelty"),
        o.kustomization("five", source_kind="HelmRelease"),
        o.kustomization("six", "elsewhere", source_kind="Bucket"),
    ]
    reader.take("Kustomization", o.encoded(o.listing("Kustomization", items)))
    assert reader.source_kinds() == ("GitRepository", "OCIRepository")
    assert reader.source_namespaces("OCIRepository") == ("a", "b")
    assert reader.source_namespaces("Bucket") == ()


def test_helm_releases_are_worth_listing_if_an_inventory_names_one() -> None:
    reader = Reader()
    without = o.listing("Kustomization", [o.kustomization()])
    reader.take("Kustomization", o.encoded(without))
    assert reader.applies_helm_releases is False
    with_one = o.kustomization(inventory=["apps_podinfo_helm.toolkit.fluxcd.io_HelmRelease"])
    reader.take("Kustomization", o.encoded(o.listing("Kustomization", [with_one])))
    reader.take("Kustomization", o.encoded(without))
    assert reader.applies_helm_releases is True


def test_only_selected_kustomizations_are_kept() -> None:
    both = (o.kustomization("web", labels={"team": "a"}), o.kustomization("db", labels={"team": "b"}))
    chosen = look(*both, o.git_repository(), selection=Selection(kustomizations=("apps/w*",)))
    assert [k.ref.name for k in chosen.kustomizations] == ["web"]
    assert [dict(k.labels) for k in chosen.kustomizations] == [{}]
    assert list(chosen.sources) == [FLEET]


def test_labels_are_read_where_they_are_asked_for() -> None:
    three = (o.kustomization("web", labels={"team": "a"}), o.kustomization("db", labels={"team": "b"}))
    unlabelled = (o.kustomization("x"), o.kustomization("y", metadata={"labels": None}))
    chosen = look(*three, *unlabelled, selection=Selection(label_selector="team=a"))
    assert [(k.ref.name, k.labels) for k in chosen.kustomizations] == [("web", {"team": "a"})]
    chosen = look(*three, *unlabelled, selection=Selection(label_selector="!team"))
    assert [(k.ref.name, k.labels) for k in chosen.kustomizations] == [("x", {}), ("y", {})]


# ── documents ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "build", [o.kustomization, o.git_repository, o.oci_repository, o.helm_release], ids=lambda build: build.__name__
)
def test_a_single_object_is_a_document(build: Any) -> None:
    reader = Reader()
    reader.take_any(o.encoded(build()))
    assert reader.cluster("prod") == look(build())


def test_several_documents_add_up() -> None:
    reader = Reader()
    reader.take_any(o.encoded(o.kustomization()))
    reader.take_any(o.encoded(o.listing("GitRepository", [o.git_repository()])))
    assert reader.cluster("prod") == look(o.kustomization(), o.git_repository())


def test_other_kinds_are_counted_and_left_out() -> None:
    not_flux = o.kustomization() | {"apiVersion": "kustomize.config.k8s.io/v1beta1"}
    cluster = look({"kind": "Pod", "apiVersion": "v1"}, o.kustomization(), not_flux, {"metadata": {}})
    assert [k.ref for k in cluster.kustomizations] == [WEB]
    assert cluster.warnings == ("3 of the objects are of kinds that say nothing about commits; left out",)
    reader = Reader()
    reader.take_any(b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web"}}')
    assert len(reader.cluster("prod").warnings) == 1


DEEP = b'{"kind":"List","items":' + b"[" * 100_000
NOT_JSON = r"It is not JSON( \(byte \d+\))?\."
NOT_LISTS = [
    pytest.param(b"", r"It is empty\.", id="empty"),
    pytest.param(b"nothing", NOT_JSON, id="text"),
    pytest.param(b'{"items":[', NOT_JSON, id="truncated"),
    pytest.param(b'{"items":[]} {"items":[]}', NOT_JSON, id="two-documents"),
    pytest.param(b"\xff\xfe{\x00}\x00", NOT_JSON, id="utf-16"),
    pytest.param(b'{"items":[]' + b"," + b'"x":' + b"[" * 100_000, NOT_JSON, id="deep"),
    pytest.param(DEEP, NOT_JSON, id="deep-items"),
    pytest.param(b"[]", "It is not a list of Kubernetes objects, nor one: it is a list, expected a map\\.", id="array"),
    pytest.param(
        b'"x"', "It is not a list of Kubernetes objects, nor one: it is a string, expected a map\\.", id="string"
    ),
]
NOT_LISTS_OF_ONE_KIND = [
    pytest.param(b'{"kind":"Status","code":403}', "`.items` is missing", id="status"),
    pytest.param(b'{"items":{}}', "`.items` is a map, expected a list", id="items-map"),
    pytest.param(b'{"items":[],"metadata":5}', "`.metadata` is a whole number, expected a map", id="metadata"),
    pytest.param(
        b'{"items":[],"metadata":{"continue":{}}}', "`.metadata.continue` is a map, expected a string", id="continue"
    ),
]


@pytest.mark.parametrize(("page", "sentence"), NOT_LISTS)
@pytest.mark.parametrize("taking", ["page", "document"])
def test_what_is_not_kubernetes_is_refused_in_a_sentence(page: bytes, sentence: str, taking: str) -> None:
    reader = Reader()
    with pytest.raises(ValueError, match=rf"\A{sentence}\Z"):
        reader.take("Kustomization", page) if taking == "page" else reader.take_any(page)
    assert reader.cluster("prod") == Cluster("prod")


@pytest.mark.parametrize(("page", "what"), NOT_LISTS_OF_ONE_KIND)
def test_what_is_not_a_list_is_no_page(page: bytes, what: str) -> None:
    with pytest.raises(ValueError, match="not a list of Kubernetes objects") as caught:
        Reader().take("Kustomization", page)
    assert str(caught.value) == f"It is not a list of Kubernetes objects, nor one: {what}."


@pytest.mark.parametrize(
    "document", [b"{}", b'{"kind":"Status","code":403}', b'{"kind":null}', b'{"kind":5}', b'{"items":5}']
)
def test_what_is_neither_list_nor_object_is_no_document(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"neither a Kubernetes object nor|nor one"):
        Reader().take_any(document)


# ── objects that make no sense ──────────────────────────────────────────────────────────────────────────────────


def broken(path: str, value: object, build: Any = o.kustomization) -> o.Object:
    """An object called ``bad`` with one thing in it replaced (``...``: removed)."""
    made: o.Object = build("bad")
    place: Any = made
    *way, last = path.split(".")
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    if value is ...:
        del place[last]
    else:
        place[int(last) if last.isdigit() else last] = value
    return made


NONSENSE = [
    ("status.conditions.0.status", 5, "`.status.conditions[0].status` is a whole number, expected a string"),
    ("status.conditions.0.status", True, "`.status.conditions[0].status` is true or false, expected a string"),
    ("status.conditions.0", "Ready", "`.status.conditions[0]` is a string, expected a map"),
    ("status.conditions", {}, "`.status.conditions` is a map, expected a list"),
    ("status", [], "`.status` is a list, expected a map"),
    ("status.observedGeneration", "4", "`.status.observedGeneration` is a string, expected a whole number"),
    ("status.observedGeneration", 4.5, "`.status.observedGeneration` is a number, expected a whole number"),
    ("status.lastAppliedRevision", {}, "`.status.lastAppliedRevision` is a map, expected a string"),
    ("status.history", "x", "`.status.history` is a string, expected a list"),
    ("status.history.0.metadata", 1, "`.status.history[0].metadata` is a whole number, expected a map"),
    ("spec", "nonsense", "`.spec` is a string, expected a map"),
    ("spec", None, "`.spec` is null, expected a map"),
    ("spec", ..., "`.spec` is missing"),
    ("spec.sourceRef", ..., "`.spec.sourceRef` is missing"),
    ("spec.sourceRef.name", ..., "`.spec.sourceRef.name` is missing"),
    ("spec.sourceRef.kind", "", "`.spec.sourceRef.kind` is empty"),
    ("spec.suspend", "yes", "`.spec.suspend` is a string, expected true or false"),
    ("metadata.generation", {}, "`.metadata.generation` is a map, expected a whole number"),
]


@pytest.mark.parametrize(("path", "value", "what"), NONSENSE, ids=[f"{path}={value}" for path, value, _ in NONSENSE])
@pytest.mark.parametrize("taking", ["page", "document"])
def test_an_object_that_makes_no_sense_is_named_and_the_others_are_read(
    path: str, value: object, what: str, taking: str
) -> None:
    items = [o.kustomization("one"), broken(path, value), o.kustomization("two")]
    reader = Reader()
    if taking == "page":
        token = reader.take("Kustomization", o.encoded(o.listing("Kustomization", items, continue_token="next")))
        assert token == "next"
    else:
        reader.take_any(o.encoded(o.listing("List", items)))
    cluster = reader.cluster("prod")
    assert [k.ref.name for k in cluster.kustomizations] == ["one", "two"]
    assert cluster.warnings == (f"Kustomization apps/bad: {what}",)


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        ("metadata.name", ..., "`.metadata.name` is missing"),
        ("metadata.name", "", "`.metadata.name` is empty"),
        ("metadata.name", None, "`.metadata.name` is null, expected a string"),
        ("metadata.name", 5, "`.metadata.name` is a whole number, expected a string"),
        ("metadata.namespace", ..., "`.metadata.namespace` is missing"),
        ("metadata", "bad", "`.metadata` is a string, expected a map"),
        ("metadata", ..., "`.metadata` is missing"),
    ],
    ids=str,
)
def test_an_object_without_a_name_is_counted_off(path: str, value: object, what: str) -> None:
    cluster = look(o.kustomization("one"), broken(path, value), o.kustomization("two"))
    assert [k.ref.name for k in cluster.kustomizations] == ["one", "two"]
    assert cluster.warnings == (f"Kustomization 2 of the list: {what}",)


def test_a_name_that_kubernetes_would_not_allow_is_not_repeated() -> None:
    hostile = o.kustomization("x\n::error::forged") | {"spec": 5}
    cluster = look(hostile)
    assert cluster.warnings == ("Kustomization 1 of the list: `.spec` is a whole number, expected a map",)


def test_things_that_are_not_objects_are_counted_off() -> None:
    reader = Reader()
    reader.take_any(o.encoded({"kind": "List", "items": [5, o.kustomization(), None, {"kind": 5}]}))
    cluster = reader.cluster("prod")
    assert len(cluster.kustomizations) == 1
    assert cluster.warnings == (
        "Object 1 of the list: it is a whole number, expected a map",
        "Object 3 of the list: it is null, expected a map",
        "Object 4 of the list: `.kind` is a whole number, expected a string",
    )


def test_text_that_is_not_unicode_is_nonsense_in_one_object_only() -> None:
    bad = o.kustomization("bad", metadata={"uid": "TO-BE-DAMAGED"})
    page = o.encoded(o.listing("Kustomization", [o.kustomization("one"), bad, o.kustomization("two")]))
    reader = Reader()
    reader.take("Kustomization", page.replace(b"TO-BE-DAMAGED", b"\xff\xfe"))
    cluster = reader.cluster("prod")
    assert [k.ref.name for k in cluster.kustomizations] == ["one", "two"]
    assert cluster.warnings == ("Kustomization apps/bad: it cannot be read",)


@pytest.mark.parametrize(
    ("path", "value", "build", "warning"),
    [
        (
            "spec.url",
            5,
            o.git_repository,
            "GitRepository flux-system/bad: `.spec.url` is a whole number, expected a string",
        ),
        (
            "status.artifact",
            "x",
            o.oci_repository,
            "OCIRepository flux-system/bad: `.status.artifact` is a string, expected a map",
        ),
        (
            "metadata.labels",
            5,
            o.helm_release,
            "HelmRelease apps/bad: `.metadata.labels` is a whole number, expected a map",
        ),
        ("status", 5, o.helm_release, "HelmRelease apps/bad: `.status` is a whole number, expected a map"),
    ],
    ids=["source-url", "artifact", "labels", "status"],
)
def test_other_kinds_are_named_too(path: str, value: object, build: Any, warning: str) -> None:
    cluster = look(broken(path, value, build), build("good"), o.kustomization())
    assert cluster.warnings == (warning,)
    assert len([*cluster.sources, *cluster.helm_releases]) == 1
    assert len(cluster.kustomizations) == 1


def test_nonsense_that_was_not_selected_is_nobodys_business() -> None:
    bad = broken("spec", 5)
    assert look(bad, selection=Selection(namespaces=("infra",))).warnings == ()
    assert len(look(bad, selection=Selection(namespaces=("apps",), label_selector="a=b")).warnings) == 1
    labels = broken("metadata.labels", 5)
    assert look(labels).warnings == ()
    assert len(look(labels, selection=Selection(label_selector="a=b")).warnings) == 1


# ── anything at all ─────────────────────────────────────────────────────────────────────────────────────────────

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
REALISTIC = [item for name in o.situations() for item in o.situation(name)["items"]]


def places(value: object, way: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of everything in a JSON value, the whole of it first."""
    members: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    return [way, *(place for key, inner in members for place in places(inner, (*way, key)))]


@st.composite
def mutated(draw: st.DrawFn) -> object:
    """A realistic object in which up to three things were replaced or removed."""
    value: Any = copy.deepcopy(draw(st.sampled_from(REALISTIC)))
    for _ in range(draw(st.integers(0, 3))):
        way = draw(st.sampled_from(places(value)))
        if not way:
            return draw(JSON)
        holder = value
        for step in way[:-1]:
            holder = holder[step]
        if draw(st.booleans()):
            holder[way[-1]] = draw(JSON)
        else:
            del holder[way[-1]]
    return value


def survivors(reader: Reader) -> None:
    cluster = reader.cluster("prod")
    names = {(k.ref.namespace, k.ref.name) for k in cluster.kustomizations}
    assert {("good", "one"), ("good", "two")} <= names
    assert all(warning.isprintable() for warning in cluster.warnings)
    reader.source_kinds()
    assert len(cluster.kustomizations) + len(cluster.sources) + len(cluster.helm_releases) <= 3


@given(mutated() | JSON, st.integers(0, 2_000_000_000), st.sampled_from(["", "team=a", "!team"]), st.booleans())
def test_no_object_can_harm_the_ones_beside_it(bad: object, since: int, selector: str, details: bool) -> None:
    one, two = (o.kustomization(name, "good", labels={"team": "a"}) for name in ("one", "two"))
    if selector == "!team":
        del one["metadata"]["labels"], two["metadata"]["labels"]
    items: list[Any] = [one, bad, two]
    reader = Reader(Selection(label_selector=selector), since, wants=Wants(details=details))
    reader.take("Kustomization", o.encoded(o.listing("List", []) | {"items": items}))
    survivors(reader)
    reader = Reader(Selection(label_selector=selector), since, wants=Wants(details=details))
    reader.take_any(o.encoded({"kind": "List", "items": items}))
    survivors(reader)


def take_both_ways(document: bytes) -> None:
    """Nothing but a ValueError with a printable sentence may come of it."""
    for take in (Reader().take_any, lambda page: Reader().take("Kustomization", page)):
        said = ""
        try:
            take(document)
        except ValueError as error:
            said = str(error)
        assert said.isprintable()


@given(mutated() | JSON)
def test_any_json_is_a_document_or_refused_with_a_value_error(document: object) -> None:
    take_both_ways(o.encoded(document))


@given(st.sampled_from(REALISTIC), st.data())
def test_any_damage_is_survived(item: o.Object, data: st.DataObject) -> None:
    page = o.encoded(o.listing("List", [item]))
    at = data.draw(st.integers(0, len(page)))
    take_both_ways(page[:at] + data.draw(st.binary(max_size=8)) + page[at + data.draw(st.integers(0, 20)) :])


@given(st.binary())
@example(b'{"items":[{"metadata":{"name":"\\ud800","namespace":"a"}}]}')
@example(json.dumps({"items": [{"metadata": {"name": "\ud800"}}]}).encode())
def test_any_bytes_are_a_page_or_refused_with_a_value_error(page: bytes) -> None:
    take_both_ways(page)
