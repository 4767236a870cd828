"""Explanations on a real API server: what it takes of what controllers and kubelet write, selects, and refuses.

The workloads stand still: there are no controllers and no nodes here, the tests write what these would.
"""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from integration.apiserver import kube_apiserver
from kube import below as b
from objects import DATA

from landed import kube
from landed.explain import doomed
from landed.kube.evidence import evidence
from landed.kube.inquiry import SILENT
from landed.model import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integration.cluster import Cluster, Object

    from landed.explain import Evidence

pytestmark = pytest.mark.envtest

DEPLOY = Path(__file__).parents[2] / "deploy"
APPS, CORE = "/apis/apps/v1/namespaces/apps", "/api/v1/namespaces/apps"
ABOUT = ObjectRef("Kustomization", "apps", "web")
NOW = 1_900_000_000
PLURALS = {
    "Deployment": f"{APPS}/deployments",
    "ReplicaSet": f"{APPS}/replicasets",
    "StatefulSet": f"{APPS}/statefulsets",
    "DaemonSet": f"{APPS}/daemonsets",
    "ControllerRevision": f"{APPS}/controllerrevisions",
    "Pod": f"{CORE}/pods",
    "Event": f"{CORE}/events",
}


def put(cluster: Cluster, document: Object) -> Object:
    """Create an object and write its status, owned by whoever it says, with the uid that the server gave."""
    made = copy.deepcopy(document)
    for key in ("uid", "creationTimestamp", "generation"):
        made["metadata"].pop(key, None)
    status = made.pop("status", None)
    live: Object = cluster.call("POST", PLURALS[made["kind"]], made)
    if status is not None:
        live["status"] = status | ({"observedGeneration": 1} if "observedGeneration" in status else {})
        live = cluster.call("PUT", f"{PLURALS[made['kind']]}/{made['metadata']['name']}/status", live)
    return {"apiVersion": made["apiVersion"], "kind": made["kind"], **live}


def labelled(document: Object, **labels: str) -> Object:
    document["spec"]["selector"]["matchLabels"] |= labels
    document["spec"]["template"]["metadata"]["labels"] |= labels
    return document


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A Deployment, a StatefulSet and a DaemonSet in the middle of a rollout; ``reader`` may explain."""
    with kube_apiserver() as made:
        made.install(DATA / "crds" / "current.yaml")
        made.namespace("apps")
        ids = [b.WEB, "apps_db_apps_StatefulSet", "apps_agent_apps_DaemonSet", "apps_web__Service", "apps_x__Secret"]
        made.put(b.applied(*ids))
        web = put(made, b.workload())
        old, new = (put(made, b.replica_set(web, f"web-{n}", n)) for n in (1, 2))
        put(made, b.pod(old, state=b.CRASHES, last=b.CRASHED, restarts=9))
        put(made, b.pod(new, state=b.PULLS))
        put(made, b.warning("Pod", "web-2-m3nrw", "Failed", f'Failed to pull image "{b.IMAGE}": manifest unknown'))
        put(made, b.warning("Pod", "web-2-m3nrw", "Pulling", "on its way", type="Normal"))
        sets: dict[str, Any] = {"serviceName": "db", "podManagementPolicy": "Parallel"}
        db = b.workload("StatefulSet", "db", currentRevision="db-1", updateRevision="db-2")
        db["spec"] |= sets
        for status in ("availableReplicas", "observedGeneration"):
            db["status"].pop(status)
        db["status"] |= {"observedGeneration": 1}
        live = put(made, db)
        for n in (1, 2):
            labels = {"app": "db", "controller-revision-hash": f"db-{n}"}
            put(made, b.pod(live, f"db-{n}", state=b.CRASHES, last=b.CRASHED, restarts=3, labels=labels))
        agent = b.workload("DaemonSet", "agent")
        del agent["spec"]["replicas"]
        agent["status"] = {
            "desiredNumberScheduled": 2,
            "currentNumberScheduled": 2,
            "numberMisscheduled": 0,
            "numberReady": 1,
            "numberAvailable": 1,
            "observedGeneration": 1,
        }
        live = put(made, agent)
        for n in (1, 2):
            labels = {"app": "agent", "controller-revision-hash": f"h{n}"}
            head = b.head(f"agent-{n}", live, labels=labels)
            put(
                made,
                {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": head, "revision": n, "data": {}},
            )
            pod = b.homeless(live)
            pod["metadata"] |= {"name": f"agent-{n}", "labels": labels}
            put(made, pod)
        grant(made)
        yield made


def rules() -> list[Object]:
    documents = list(yaml.safe_load_all((DEPLOY / "rbac-explain.yaml").read_text()))
    return [document for document in documents if document["kind"] == "ClusterRole"]


def grant(cluster: Cluster) -> None:
    """Give ``reader`` what the manifest gives."""
    (role,) = rules()
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "explain"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "landed-explain"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader"}],
    }
    cluster.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", role)
    cluster.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)


def asked(cluster: Cluster, level: str = "events", user: str = "reader", message: str = "") -> Evidence:
    with kube.connect(cluster.kubeconfig(user), "", {}) as client:
        return evidence(client, ABOUT, message=message, reason="HealthCheckFailed" if message else "", level=level)


def waits(made: Evidence) -> dict[str, list[str]]:
    return {below.ref.name: [p.ref.name for p in below.pods] for below in made.objects}


def test_only_the_newest_pods_are_found(cluster: Cluster) -> None:
    made = asked(cluster)
    assert waits(made) == {"web": ["web-2-m3nrw"], "db": ["db-2"], "agent": ["agent-2"]}
    assert (made.lacking, made.path, made.context) == ((), "./apps/web", "production")
    assert doomed(made, NOW) == (
        f"Deployment apps/web: the image {b.IMAGE} of container web cannot be pulled (ImagePullBackOff): manifest unknown",  # noqa: E501
        (
            "StatefulSet apps/db: container web of Pod apps/db-2 exits with code 1 again and again "
            "(CrashLoopBackOff, 3 restarts)"
        ),
        "DaemonSet apps/agent: no node has room: 0/3 nodes are available: 3 Insufficient cpu",
    )


def test_the_server_filters_the_events(cluster: Cluster) -> None:
    web = next(below for below in asked(cluster).objects if below.ref.name == "web")
    assert [warned.message for warned in web.warnings] == [f'Failed to pull image "{b.IMAGE}": manifest unknown']


def test_a_message_that_names_one_reads_one(cluster: Cluster) -> None:
    named = "timeout waiting for: [Deployment/apps/web status: 'InProgress', Deployment/apps/gone status: 'NotFound']"
    made = asked(cluster, "objects", message=named)
    assert [(below.ref.name, below.absent) for below in made.objects] == [("web", False), ("gone", True)]


def test_logs_are_asked_for_in_a_way_the_server_takes(cluster: Cluster) -> None:
    """There is no kubelet, so there is no log; the server says so rather than that it does not understand."""
    made = asked(cluster, "logs")
    assert [c.log for below in made.objects for p in below.pods for c in p.containers] == [(), ()]
    assert not [note for note in made.lacking if "pods/log" in note]


def test_without_the_rights_it_says_which(cluster: Cluster) -> None:
    made = asked(cluster, "logs", "nobody")
    assert made.objects == ()
    assert len(made.lacking) == 1
    assert "get kustomizations.kustomize.toolkit.fluxcd.io in namespace apps" in made.lacking[0]


def test_the_rights_are_to_read_and_never_to_read_secrets(cluster: Cluster) -> None:
    (role,) = rules()
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list"}

    def may(verb: str, resource: str, group: str = "") -> bool:
        name, _, sub = resource.partition("/")
        attributes = {"verb": verb, "resource": name, "subresource": sub, "group": group, "namespace": "apps"}
        spec = {"user": "reader", "groups": ["readers"], "resourceAttributes": attributes}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        answer = cluster.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    assert may("list", "pods")
    assert may("get", "pods/log")
    assert not [what for what in ("secrets", "configmaps", "nodes") for verb in ("get", "list") if may(verb, what)]
    assert not [verb for verb in ("create", "patch", "update", "delete") if may(verb, "pods") or may(verb, "pods/exec")]


@pytest.mark.skipif(not shutil.which("kubectl"), reason="there is no kubectl")
def test_the_next_command_is_one_that_kubectl_takes(cluster: Cluster, tmp_path: Path) -> None:
    import shlex
    import subprocess

    from landed.explain import Root, explained
    from landed.model import Observation, State

    named = "timeout waiting for: [Deployment/apps/web status: 'InProgress']"
    made = asked(cluster, message=named)
    root = Root("prod", Observation(ABOUT, State.FAILURE, reason="HealthCheckFailed", message=named))
    command = shlex.split(explained(root, made).command)
    (tmp_path / "config").write_text(cluster.kubeconfig())
    environment = {"KUBECONFIG": str(tmp_path / "config"), "HOME": str(tmp_path)}
    done = subprocess.run(
        [shutil.which("kubectl") or "", *command[1:]], env=environment, text=True, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "ImagePullBackOff" in done.stdout


def test_nothing_is_silent_here(cluster: Cluster) -> None:
    assert SILENT == ("", "", "")
    assert not [note for note in asked(cluster).lacking if note.startswith("Not all")]
