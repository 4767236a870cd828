"""``deploy/rbac.yaml`` on a real API server: what it allows, and the commands in its comments as they stand."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from objects import git_repository, kustomization

if TYPE_CHECKING:
    from integration.cluster import Cluster

MANIFEST = Path(__file__).parents[2] / "deploy" / "rbac.yaml"
RULES = next(document for document in yaml.safe_load_all(MANIFEST.read_text()) if document["kind"] == "ClusterRole")

pytestmark = pytest.mark.skipif(not shutil.which("kubectl"), reason="there is no kubectl")


def commands() -> str:
    """The shell commands in the manifest's comments, but for applying it and for the last, which uses the result."""
    lines = re.findall(r"^#     (.*)", MANIFEST.read_text(), re.MULTILINE)
    return "\n".join(line for line in lines if not line.startswith(("kubectl apply", "landed ")))


def run(command: list[str], folder: Path, kubeconfig: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "KUBECONFIG": str(folder / kubeconfig)}
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, timeout=60)


def issue_token(cluster: Cluster) -> None:
    """Do what the controller manager does, which is not here: put the token into the service account's Secret."""
    account = "/api/v1/namespaces/flux-system/serviceaccounts/landed/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    token = cluster.call("POST", account, request)["status"]["token"]
    data = {"token": token, "ca.crt": cluster.ca}
    patch = {"data": {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}}
    secret = "/api/v1/namespaces/flux-system/secrets/landed"
    cluster.call("PATCH", secret, patch, content_type="application/merge-patch+json")


@pytest.fixture
def folder(cluster: Cluster, tmp_path: Path) -> Path:
    """A folder with the kubeconfig that the manifest's own commands made."""
    (tmp_path / "admin").write_text(cluster.kubeconfig("admin"))
    applied = run(["kubectl", "apply", "--validate=false", "--filename", str(MANIFEST)], tmp_path, "admin")
    assert applied.returncode == 0, applied.stderr
    issue_token(cluster)
    made = run(["bash", "-euo", "pipefail", "-c", commands()], tmp_path, "admin")
    assert made.returncode == 0, made.stderr
    return tmp_path


server = pytest.mark.parametrize("server", [pytest.param("kube-apiserver", marks=pytest.mark.envtest)], indirect=True)


@server
def test_the_kubeconfig_it_makes_is_one_that_landed_reads_a_cluster_with(cluster: Cluster, folder: Path) -> None:
    cluster.put(git_repository())
    cluster.put_status(git_repository())
    cluster.put(kustomization())
    cluster.put_status(kustomization())
    assert (folder / "landed.kubeconfig").stat().st_mode & 0o777 == 0o600
    arguments = ["status", "--kubeconfig", "landed.kubeconfig", "--strict"]
    done = run([sys.executable, "-m", "landed", *arguments], folder, "nothing")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "production" in done.stdout
    assert "apps/web" in done.stdout


@server
def test_it_allows_reading_flux_objects_and_nothing_else(cluster: Cluster, folder: Path) -> None:
    assert folder

    def may(verb: str, resource: str, group: str = "") -> bool:
        attributes = {"verb": verb, "resource": resource, "group": group}
        spec = {"user": "system:serviceaccount:flux-system:landed", "resourceAttributes": attributes}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        answer = cluster.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    flux = [(resource, rule["apiGroups"][0]) for rule in RULES["rules"] for resource in rule["resources"]]
    assert len(flux) == 6
    assert [what for what in flux for verb in ("get", "list", "watch") if not may(verb, *what)] == []
    assert [what for what in flux for verb in ("create", "update", "patch", "delete") if may(verb, *what)] == []
    others = ("secrets", "configmaps", "pods", "nodes", "serviceaccounts", "namespaces")
    assert [what for what in others for verb in ("get", "list") if may(verb, what)] == []
