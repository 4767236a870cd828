"""What stands below a failure: what is read of it, whose pods count, and that nothing of it can go wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import objects as o
import pytest
from kube import below as b
from kube.server import Reply, discovery, status

from landed import kube
from landed.explain import Question, doomed
from landed.kube.evidence import OBJECTS, evidence, gathered
from landed.model import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kube.server import Server
    from kube.world import World

    from landed.explain import Evidence
    from landed.kube.client import Client

ABOUT = ObjectRef("Kustomization", "apps", "web")
RELEASE = ObjectRef("HelmRelease", "apps", "podinfo")
NOW = 1_900_000_000
KUSTOMIZATION = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/apps/kustomizations/web"
HELM = "/apis/helm.toolkit.fluxcd.io/v2/namespaces/apps/helmreleases/podinfo"
APPS, CORE = "/apis/apps/v1/namespaces/apps", "/api/v1/namespaces/apps"
DEPLOYMENT, SETS, PODS, EVENTS = (
    f"{APPS}/deployments/web",
    f"{APPS}/replicasets",
    f"{CORE}/pods",
    f"{CORE}/events",
)
LOG = f"{PODS}/web-7d9f8b-m3nrw/log"
TIMED_OUT = "health check failed after 5m0s: timeout waiting for: [Deployment/apps/web status: 'InProgress']"

WEB = b.workload()
NEW, OLD = b.replica_set(WEB), b.replica_set(WEB, "web-5c8d", 1)


@pytest.fixture
def server(world: World) -> Server:
    """One Deployment whose new pod pulls in vain, while an old one crashes."""
    world.api.documents |= {KUSTOMIZATION: b.applied(b.WEB, "apps_web__Service", "apps_db__Secret"), DEPLOYMENT: WEB}
    world.api.lists |= {
        SETS: [OLD, NEW],
        PODS: [b.pod(OLD, state=b.CRASHES, last=b.CRASHED, restarts=9), b.pod(NEW, state=b.PULLS)],
        EVENTS: [
            b.warning("Pod", "web-7d9f8b-m3nrw", "Failed", f'Failed to pull image "{b.IMAGE}": manifest unknown'),
            b.warning("Pod", "other", "Failed", "not ours"),
        ],
    }
    return world.api


@pytest.fixture
def client(world: World, server: Server) -> Iterator[Client]:
    with kube.connect(world.config().text(), "", world.environ()) as made:
        made._pause = lambda _: None
        yield made


def found(client: Client, message: str = TIMED_OUT, level: str = "objects", **more: Any) -> Evidence:
    more = {"reason": "HealthCheckFailed" if message else "", "about": ABOUT} | more
    return evidence(client, more.pop("about"), message=message, level=level, **more)


def paths(server: Server) -> list[str]:
    return sorted(seen.path for seen in server.seen)


def waits(made: Evidence) -> list[tuple[str, str]]:
    return [(p.ref.name, c.waiting) for below in made.objects for p in below.pods for c in p.containers]


def test_only_the_pods_of_the_newest_state_count(client: Client, server: Server) -> None:
    made = found(client)
    assert waits(made) == [("web-7d9f8b-m3nrw", "ImagePullBackOff")]
    assert (made.path, made.context, made.lacking) == ("./apps/web", "x", ())
    assert made.objects[0].status == "InProgress"
    assert paths(server) == sorted([KUSTOMIZATION, DEPLOYMENT, SETS, PODS])  # no Service, no Secret, no events, no logs
    (selected,) = {seen.query["labelSelector"] for seen in server.seen if seen.path in (SETS, PODS)}
    assert selected == "app=web"


@pytest.mark.parametrize("change", [{"deletionTimestamp": b.THEN}, {"phase": "Succeeded"}, {"phase": "Failed"}])
def test_pods_that_go_do_not_count(client: Client, server: Server, change: Any) -> None:
    server.lists[PODS] = [b.pod(NEW, state=b.PULLS, **change)]
    assert waits(found(client)) == []


def test_a_rollback_makes_an_old_set_the_newest(client: Client, server: Server) -> None:
    server.lists[SETS] = [b.replica_set(WEB, "web-5c8d", 3), NEW]
    assert waits(found(client)) == [("web-5c8d-m3nrw", "CrashLoopBackOff")]


def test_before_the_newest_set_is_there_nothing_counts(client: Client, server: Server) -> None:
    server.lists[SETS] = [OLD]
    assert waits(found(client)) == []


def test_a_spec_that_its_controller_has_not_seen(client: Client, server: Server) -> None:
    server.documents[DEPLOYMENT] = b.workload(observedGeneration=1)
    made = found(client)
    assert (waits(made), made.objects[0].current) == ([], False)
    assert PODS not in paths(server)


def test_what_is_all_there_is_not_looked_into(client: Client, server: Server) -> None:
    server.documents[DEPLOYMENT] = b.workload(replicas=1)
    assert found(client).objects[0].settled
    assert SETS not in paths(server)


def test_a_stateful_set_by_its_update_revision(client: Client, server: Server) -> None:
    db = b.workload("StatefulSet", "db", currentRevision="db-1", updateRevision="db-2")
    server.documents |= {KUSTOMIZATION: b.applied("apps_db_apps_StatefulSet"), f"{APPS}/statefulsets/db": db}
    server.lists[PODS] = [
        b.pod(db, f"db-{n}", state=b.CRASHES, last=b.CRASHED, labels={"controller-revision-hash": f"db-{n}"})
        for n in (1, 2)
    ]
    assert waits(found(client, "")) == [("db-2", "CrashLoopBackOff")]


@pytest.mark.parametrize("readable", [True, False])
def test_a_daemon_set_by_its_newest_revision(client: Client, server: Server, readable: bool) -> None:
    agent = b.workload("DaemonSet", "agent", desiredNumberScheduled=2, numberAvailable=1)
    revisions = [
        {"apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": n, "metadata": b.head(f"agent-{n}", agent, labels={"controller-revision-hash": f"h{n}"})}  # noqa: E501
        for n in (2, 1)
    ]  # fmt: skip
    labels = [{"controller-revision-hash": f"h{n}", "pod-template-generation": str(n)} for n in (1, 2)]
    where = f"{APPS}/controllerrevisions"
    server.documents |= {KUSTOMIZATION: b.applied("apps_agent_apps_DaemonSet"), f"{APPS}/daemonsets/agent": agent}
    server.lists |= {
        where: revisions,
        PODS: [b.pod(agent, f"p{n}", state=b.PULLS, labels=labels[n - 1]) for n in (1, 2)],
    }
    server.forbidden = set() if readable else {where}
    made = found(client, "")
    assert waits(made) == [("p2", "ImagePullBackOff")]
    assert len(made.lacking) == (not readable)


def test_a_job_that_was_given_up(client: Client, server: Server) -> None:
    over = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached …"}
    job = b.workload("Job", "migrate", conditions=[over], failed=1)
    server.documents |= {
        KUSTOMIZATION: b.applied("apps_migrate_batch_Job"),
        "/apis/batch/v1/namespaces/apps/jobs/migrate": job,
    }
    server.lists[PODS] = [b.pod(job, state=b.CRASHED, phase="Failed")]
    made = found(client, "")
    assert [c.code for p in made.objects[0].pods for c in p.containers] == [1]
    assert "BackoffLimitExceeded" in doomed(made, NOW)[0]


def test_what_will_fail(client: Client, server: Server) -> None:
    assert doomed(found(client, "", "events"), NOW) == (
        f"Deployment apps/web: the image {b.IMAGE} of container web cannot be pulled (ImagePullBackOff): manifest unknown",  # noqa: E501
    )


def test_what_nobody_waits_for_cannot_fail(client: Client, server: Server) -> None:
    server.documents[KUSTOMIZATION] = b.applied(b.WEB, wait=False)
    assert found(client, "").objects == ()
    checks = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": "apps"}]
    server.documents[KUSTOMIZATION] = b.applied(b.WEB, wait=False, healthChecks=checks)
    assert len(doomed(found(client, ""), NOW)) == 1


@pytest.mark.parametrize(("reason", "doom"), [("FailedScheduling", 1), ("TriggeredScaleUp", 0), ("Nominated", 0)])
def test_room_that_is_made(client: Client, server: Server, reason: str, doom: int) -> None:
    server.lists |= {
        PODS: [b.homeless(NEW)],
        EVENTS: [b.warning("Pod", "web-7d9f8b-m3nrw", reason, "x", type="Normal")],
    }
    assert len(doomed(found(client, "", "events"), NOW)) == doom


def test_events_and_logs_only_where_they_are_asked_for(client: Client, server: Server) -> None:
    server.lists[PODS] = [b.pod(NEW, state=b.CRASHES, last=b.CRASHED, restarts=4)]
    server.faults[LOG] = [Reply(200, b"\n".join(b"line %d" % n for n in range(30)) + b"\npassword=hunter22\x1b[0m\n")]
    made = found(client, level="logs")
    (container,) = made.objects[0].pods[0].containers
    assert container.log == (*(f"line {n}" for n in range(21, 30)), "password=***")
    (asked,) = (seen for seen in server.seen if seen.path == LOG)
    assert (asked.query["previous"], asked.query["container"]) == ("true", "web")
    assert [w.message for w in made.objects[0].warnings] == [f'Failed to pull image "{b.IMAGE}": manifest unknown']
    (events,) = (seen for seen in server.seen if seen.path == EVENTS)
    assert events.query["fieldSelector"] == "type=Warning"


def test_a_log_that_cannot_be_had(client: Client, server: Server) -> None:
    server.lists[PODS] = [b.pod(NEW, state=b.CRASHES, last=b.CRASHED, restarts=4)]
    server.faults[LOG] = [status(400, "previous terminated container not found")]
    made = found(client, level="logs")
    assert made.objects[0].pods[0].containers[0].log == ()


def test_missing_rights_are_said_and_asked_for_once(client: Client, server: Server) -> None:
    names = [f"web{n}" for n in range(9)]
    server.documents[KUSTOMIZATION] = b.applied(*(f"apps_{name}_apps_Deployment" for name in names))
    server.documents |= {f"{APPS}/deployments/{name}": b.workload(name=name) for name in names}
    server.forbidden = {SETS, EVENTS}
    made = found(client, "", "events")
    assert made.lacking == (
        "To list events in namespace apps is not allowed. It would tell more; deploy/rbac-explain.yaml grants it.",
        "To list replicasets.apps in namespace apps is not allowed. It would tell more; deploy/rbac-explain.yaml grants it.",  # noqa: E501
    )
    assert [paths(server).count(path) for path in (SETS, EVENTS)] == [1, 1]
    assert len(made.objects) == 9


def test_without_the_right_to_sets_a_deployment_says_which_is_its_newest(client: Client, server: Server) -> None:
    says = 'ReplicaSet "web-7d9f8b" is progressing.'
    progressing = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": says}
    server.documents[DEPLOYMENT] = b.workload(conditions=[progressing])
    server.forbidden = {SETS}
    assert waits(found(client)) == [("web-7d9f8b-m3nrw", "ImagePullBackOff")]


def test_at_most_so_many_objects_and_those_named_alone(client: Client, server: Server) -> None:
    ids = [f"apps_w{n}_apps_Deployment" for n in range(30)]
    server.documents[KUSTOMIZATION] = b.applied(b.WEB, *ids)
    assert [below.ref.name for below in found(client).objects] == ["web"]
    made = found(client, "")
    assert len(made.objects) == OBJECTS
    assert made.lacking == ("Of 31 objects the first 20 were looked at.",)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("kustomize build failed: x", "BuildFailed"),
        ("Service/apps/web dry-run failed (Invalid): x", "ReconciliationFailed"),
    ],
)
def test_what_is_wrong_in_the_manifests_needs_no_look(
    client: Client, server: Server, message: str, reason: str
) -> None:
    made = found(client, message, reason=reason)
    assert (made.objects, made.path) == ((), "./apps/web")
    assert paths(server) == [KUSTOMIZATION]


def test_objects_on_another_cluster_are_not_looked_for_here(client: Client, server: Server) -> None:
    server.documents[KUSTOMIZATION] = b.applied(b.WEB, kubeConfig={"secretRef": {"name": "x"}})
    made = found(client)
    assert made.objects == ()
    assert made.lacking == ("Its objects are on another cluster (spec.kubeConfig), which is not looked into.",)


def test_another_kind_by_discovery_asked_once(client: Client, server: Server) -> None:
    group = "/apis/acme.io/v1"
    widget = {
        "metadata": {"name": "a"},
        "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "No"}, 7]},
    }
    entries = [{"id": f"apps_{name}_acme.io_Widget", "v": "v1"} for name in "ab"]
    server.documents |= discovery("acme.io", ["v1"], ["widgets/status", "widgets"]) | {
        f"{group}/namespaces/apps/widgets/a": widget
    }
    server.documents[KUSTOMIZATION] = o.kustomization(status={"inventory": {"entries": entries}})
    named = "timeout waiting for: [Widget/apps/a status: 'InProgress', Widget/apps/b status: 'NotFound']"
    one, other = found(client, named).objects
    assert one.conditions["Ready"].reason == "No"
    assert other.absent
    assert paths(server).count(group) == 1


def test_secrets_are_never_read(client: Client, server: Server) -> None:
    made = found(
        client, "timeout waiting for: [Secret/apps/db status: 'NotFound', ConfigMap/apps/x status: 'NotFound']"
    )
    assert [below.status for below in made.objects] == ["NotFound", "NotFound"]
    assert paths(server) == [KUSTOMIZATION]


# ── HelmReleases ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_release_by_its_inventory(client: Client, server: Server) -> None:
    server.documents[HELM] = o.helm_release(status={"inventory": {"entries": [{"id": b.WEB, "v": "v1"}]}})
    made = found(client, "Helm upgrade failed: context deadline exceeded", about=RELEASE, reason="UpgradeFailed")
    assert waits(made) == [("web-7d9f8b-m3nrw", "ImagePullBackOff")]


def test_a_release_by_its_labels(client: Client, server: Server) -> None:
    server.documents[HELM] = o.helm_release()
    server.lists[f"{APPS}/deployments"] = [WEB]
    made = found(client, "Helm upgrade failed: context deadline exceeded", about=RELEASE, reason="UpgradeFailed")
    assert waits(made) == [("web-7d9f8b-m3nrw", "ImagePullBackOff")]
    (asked,) = (seen.query["labelSelector"] for seen in server.seen if seen.path == f"{APPS}/deployments")
    assert asked == "helm.toolkit.fluxcd.io/name=podinfo,helm.toolkit.fluxcd.io/namespace=apps"


def test_a_release_that_a_kustomization_waits_for(client: Client, server: Server) -> None:
    server.documents[HELM] = o.helm_release(status={"inventory": {"entries": [{"id": b.WEB, "v": "v1"}]}})
    made = found(client, "timeout waiting for: [HelmRelease/apps/podinfo status: 'InProgress']")
    assert {below.ref.kind for below in made.objects} == {"Deployment", "HelmRelease"}
    assert waits(made) == [("web-7d9f8b-m3nrw", "ImagePullBackOff")]


def test_a_release_that_waits_for_nothing(client: Client, server: Server) -> None:
    inventory = {"inventory": {"entries": [{"id": b.WEB, "v": "v1"}]}}
    server.documents[HELM] = o.helm_release(status=inventory, spec={"upgrade": {"disableWait": True}})
    assert found(client, "", about=RELEASE).objects == ()


# ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────────

ODD: list[Any] = [
    {},
    [],
    None,
    "x",
    {"metadata": {"name": "web"}, "spec": "x", "status": []},
    {"metadata": {"name": "another"}},
    {"metadata": {"name": "web", "labels": 3}},
    {"metadata": {"name": "web"}, "status": {"conditions": {"a": 1}, "observedGeneration": "x"}},
    WEB | {"spec": {"selector": {"matchExpressions": [{"key": "a", "operator": "Odd"}]}}},
    WEB | {"spec": {"selector": {}}},
    WEB | {"spec": {"replicas": -(10**30)}},
]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("path", [KUSTOMIZATION, DEPLOYMENT, SETS, PODS, EVENTS])
def test_nonsense_is_left_out(client: Client, server: Server, odd: Any, path: str) -> None:
    for where in (path, *([path] if path in server.lists else [])):
        server.lists.pop(where, None)
        server.documents[where] = odd
    made = found(client, level="logs")
    assert made.about == ABOUT
    doomed(made, NOW)


def test_one_odd_pod_does_not_hide_the_others(client: Client, server: Server) -> None:
    odd = b.pod(NEW, "odd", state=b.PULLS)
    odd["status"]["containerStatuses"] = "x"
    server.lists[PODS] = [odd, b.pod(NEW, state=b.PULLS)]
    assert waits(found(client)) == [("web-7d9f8b-m3nrw", "ImagePullBackOff")]


@pytest.mark.parametrize("path", [KUSTOMIZATION, DEPLOYMENT, SETS, PODS, EVENTS])
def test_what_hangs_is_left_out_and_said(client: Client, server: Server, path: str) -> None:
    server.faults[path] = [Reply(hang=True)] * 3
    began = time.monotonic()
    made = found(client, level="events", within=0.6)
    assert time.monotonic() - began < 5
    assert [said[:27] for said in made.lacking] == ["Not all of it could be read"]
    if path == EVENTS:
        assert waits(made) == [("web-7d9f8b-m3nrw", "ImagePullBackOff")]


@pytest.mark.parametrize(
    "fault", [Reply(drop=True), status(500, "boom"), Reply(200, b"<html>"), Reply(200, b"\xff\xfe")]
)
def test_failures_are_left_out(client: Client, server: Server, fault: Reply) -> None:
    for path in (DEPLOYMENT, SETS, PODS, EVENTS):
        server.faults[path] = [fault] * 9
    twin = lambda: client.twin(timeout=2, tries=1)  # noqa: E731
    made = found(client, level="logs", connect=twin)
    assert not [below for below in made.objects if below.pods]
    assert len(made.lacking) == 1 or not fault.drop


def test_there_is_no_such_kustomization(client: Client, server: Server) -> None:
    del server.documents[KUSTOMIZATION]
    assert found(client).objects == ()


def test_several_at_once_share_what_they_learn(client: Client, server: Server) -> None:
    server.forbidden = {PODS}
    made = gathered(client, [Question(ABOUT), Question(ABOUT, TIMED_OUT, "HealthCheckFailed")])
    assert [len(each.lacking) for each in made] == [1, 1]
    assert paths(server).count(PODS) == 1


def test_connections_are_few_and_closed(client: Client, server: Server) -> None:
    made: list[Client] = []

    def connect() -> Client:
        made.append(client.twin())
        return made[-1]

    found(client, level="events", connect=connect)
    assert 1 <= len(made) <= 8
    assert [each._connection for each in made] == [None] * len(made)
