"""``deploy/``: what kustomize makes of it, what a real API server says to that, and what it allows."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
import yaml
from integration.cluster import Refused

from landed.kube import lease

if TYPE_CHECKING:
    from integration.cluster import Cluster

DEPLOY = Path(__file__).parents[2] / "deploy"
FOLDERS = ("watch", "watch-one", "cronjob", "indexed-job")
Object = dict[str, Any]


def kubectl() -> str:
    """One that knows kustomize well enough: of KUBEBUILDER_ASSETS, or whatever is there."""
    assets = Path(os.environ.get("KUBEBUILDER_ASSETS", "/nowhere")) / "kubectl"
    found = str(assets) if assets.exists() else shutil.which("kubectl")
    if not found:
        pytest.skip("there is no kubectl")
    return found


def built(folder: str) -> list[Object]:
    """The objects that ``kubectl apply --kustomize`` would apply."""
    return list(yaml.safe_load_all(_kustomized(folder)))


@cache
def _kustomized(folder: str) -> str:
    done = subprocess.run([kubectl(), "kustomize", str(DEPLOY / folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def one(objects: list[Object], kind: str) -> Object:
    (found,) = [each for each in objects if each["kind"] == kind]
    return found


def pod(objects: list[Object]) -> Object:
    """The pod's spec."""
    for each in objects:
        spec = each.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            found: Object = spec["template"]["spec"]
            return found
    raise AssertionError("there is no pod")


@pytest.fixture(params=FOLDERS)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return built(request.param)


def test_it_runs_without_any_right_on_its_node(objects: list[Object]) -> None:
    spec = pod(objects)
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["runAsUser"] > 10_000
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def test_whatever_is_referred_to_is_there_or_is_the_users(objects: list[Object]) -> None:
    spec = pod(objects)
    (container,) = spec["containers"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
    there = {(each["kind"], each["metadata"]["name"]) for each in objects}
    for source in container["envFrom"]:
        if "configMapRef" in source:
            assert ("ConfigMap", source["configMapRef"]["name"]) in there
        else:
            assert source["secretRef"] == {"name": "landed-tokens", "optional": True}
    claims = [
        volume["persistentVolumeClaim"]["claimName"] for volume in volumes.values() if "persistentVolumeClaim" in volume
    ]
    assert all(("PersistentVolumeClaim", claim) in there for claim in claims)
    if name := spec.get("serviceAccountName"):
        assert ("ServiceAccount", name) in there
    ledger = next(value for value in container["args"] if value.startswith("--ledger="))
    mounts = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
    assert str(Path(ledger.removeprefix("--ledger=")).parent) in mounts


def test_the_image_is_whatever_is_set(objects: list[Object]) -> None:
    assert pod(objects)["containers"][0]["image"] == "landed"


def test_the_rules_are_those_of_the_manifest_for_machines_outside() -> None:
    outside = list(yaml.safe_load_all((DEPLOY / "rbac.yaml").read_text()))
    inside = built("base")
    for kind in ("ClusterRole", "ClusterRoleBinding"):
        assert one(inside, kind) == one(outside, kind)
    assert not [each for each in inside if each["kind"] == "Secret"]  # a token that does not expire is for outside only


def test_a_watch_is_found_by_its_probes_and_by_prometheus() -> None:
    objects = built("watch")
    (container,) = pod(objects)["containers"]
    listen = next(value for value in container["args"] if value.startswith("--listen="))
    port = int(listen.rpartition(":")[2])
    assert container["ports"] == [{"name": "http", "containerPort": port, "protocol": "TCP"}]
    for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "http"}
    template = one(objects, "Deployment")["spec"]["template"]
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(port)
    service = one(objects, "Service")["spec"]
    assert service["selector"].items() <= template["metadata"]["labels"].items()
    assert service["ports"][0]["targetPort"] == "http"


def test_the_lease_of_a_watch_is_the_one_that_it_may_have() -> None:
    objects = built("watch")
    (container,) = pod(objects)["containers"]
    text = next(value for value in container["args"] if value.startswith("--leader-elect="))
    namespace, name = lease.parse(text.removeprefix("--leader-elect="))
    role = one(objects, "Role")
    assert role["metadata"]["namespace"] == namespace
    assert [rule.get("resourceNames") for rule in role["rules"]] == [None, [name]]
    assert str(DEPLOY / "watch" / "lease.yaml").endswith(lease.RULES)
    assert (DEPLOY.parent / lease.RULES).exists()


def test_two_watch_or_one_keeps_the_ledger() -> None:
    two, alone = built("watch"), built("watch-one")
    assert one(two, "Deployment")["spec"]["replicas"] == 2
    assert "emptyDir" in pod(two)["volumes"][0]
    assert one(alone, "Deployment")["spec"]["replicas"] == 1
    assert one(alone, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert pod(alone)["volumes"][0] == {"name": "ledger", "persistentVolumeClaim": {"claimName": "landed-ledger"}}
    assert pod(two)["containers"] == pod(alone)["containers"]


def test_a_fleet_is_cut_into_as_many_shards_as_there_are_pods() -> None:
    job = one(built("indexed-job"), "CronJob")["spec"]["jobTemplate"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    assert job["completionMode"] == "Indexed"
    assert f"--shard=auto/{job['completions']}" in container["args"]
    assert job["parallelism"] == job["completions"]


@pytest.mark.parametrize("version", ["1.25", "1.34"])
def test_it_is_what_the_published_schemas_allow(version: str, objects: list[Object]) -> None:
    """Of Kubernetes versions that have everything; unknown fields are refused."""
    for thing in objects:
        kubernetes_validate.validate(thing, version, strict=True)
    broken = copy.deepcopy(objects[-1])
    broken["spec"]["nonsense"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, version, strict=True)


# ── on a real API server ────────────────────────────────────────────────────────────────────────────────────────────

server = pytest.mark.parametrize("server", [pytest.param("kube-apiserver", marks=pytest.mark.envtest)], indirect=True)

PLURALS = {
    "ServiceAccount": "serviceaccounts", "ConfigMap": "configmaps", "Service": "services",
    "PersistentVolumeClaim": "persistentvolumeclaims", "Deployment": "deployments", "CronJob": "cronjobs",
    "Role": "roles", "RoleBinding": "rolebindings", "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
}  # fmt: skip


def path(thing: Object) -> str:
    version, metadata = thing["apiVersion"], thing["metadata"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    within = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{within}/{PLURALS[thing['kind']]}/{metadata['name']}"


def applied(cluster: Cluster, thing: Object, *, dry: bool) -> Object:
    """Server-side apply. What a server of 1.20 has under another version, or not at all, is put as it has it."""
    if thing["kind"] == "CronJob":
        thing = copy.deepcopy(thing) | {"apiVersion": "batch/v1beta1"}
        thing["spec"]["jobTemplate"]["spec"].pop("completionMode", None)
    query = "fieldManager=test&force=true" + ("&dryRun=All" if dry else "")
    answer = cluster.call("PATCH", f"{path(thing)}?{query}", thing, content_type="application/apply-patch+yaml")
    assert isinstance(answer, dict)
    return answer


@server
def test_a_server_takes_all_of_it(cluster: Cluster, objects: list[Object]) -> None:
    """A server-side apply is refused where a field is unknown."""
    for thing in objects:
        assert applied(cluster, thing, dry=True)["metadata"]["name"] == thing["metadata"]["name"]
    broken = copy.deepcopy(objects[-1])
    broken["spec"]["nonsense"] = 1
    with pytest.raises(Refused, match="field not declared in schema"):
        applied(cluster, broken, dry=True)


@server
def test_what_a_watch_may_do(cluster: Cluster) -> None:
    for thing in built("watch"):
        if thing["kind"] in ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"):
            applied(cluster, thing, dry=False)

    def may(verb: str, name: str = "", namespace: str = "flux-system", resource: str = "leases") -> bool:
        group = "coordination.k8s.io" if resource == "leases" else ""
        attributes = {"verb": verb, "resource": resource, "group": group, "namespace": namespace, "name": name}
        spec = {"user": "system:serviceaccount:flux-system:landed", "resourceAttributes": attributes}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        return bool(
            cluster.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]
        )

    assert may("create")
    assert may("get", "landed")
    assert may("update", "landed")
    assert not [verb for verb in ("delete", "patch", "list", "watch") if may(verb, "landed")]
    assert not [verb for verb in ("get", "update") if may(verb, "kustomize-controller")]
    assert not [verb for verb in ("get", "update", "create") if may(verb, "landed", "apps")]
    assert not may("get", "landed-tokens", resource="secrets")
