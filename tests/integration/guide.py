"""A user who follows Flux's guide to notifications: a real API server with its kinds, the services behind their public
names, kubectl, and the command.

No public address is ever reached: everything goes through a proxy on this machine, which leads the names it knows to
stand-ins and refuses all others.
"""

from __future__ import annotations

import copy
import json
import os
import re
import select
import shlex
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import objects as o
import trustme
import yaml
from integration import fork
from integration.apiserver import kube_apiserver
from integration.command import PATIENCE, Run, without_progress
from objects import DATA, MAIN_A

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from integration.cluster import Cluster, Object

PAGE = DATA / "guide" / "setup-notifications.md"
ROOT = Path(__file__).parents[2]
NAMESPACES = ("flux-system", "apps", "gitops-system")
#: Every version of each kind that some Flux has served, oldest first; the last one is stored.
_VERSIONS = {
    "Kustomization": ("v1beta1", "v1beta2", "v1"),
    "GitRepository": ("v1beta1", "v1beta2", "v1"),
    "HelmRelease": ("v2beta1", "v2beta2", "v2"),
    "Provider": ("v1beta1", "v1beta2", "v1beta3"),
    "Alert": ("v1beta1", "v1beta2", "v1beta3"),
}
#: Where the tests' objects are, for them to be taken away.
_COLLECTIONS = {
    "kustomize.toolkit.fluxcd.io/v1": ("kustomizations",),
    "source.toolkit.fluxcd.io/v1": ("gitrepositories",),
    "helm.toolkit.fluxcd.io/v2": ("helmreleases",),
    "notification.toolkit.fluxcd.io/v1beta3": ("providers", "alerts"),
}


class Block(NamedTuple):
    """A fenced block of the guide."""

    language: str
    text: str


def blocks() -> list[Block]:
    """The blocks of the guide, in order."""
    return [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)]


# ── the cluster ─────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def flux_cluster(folder: Path) -> Iterator[Cluster]:
    """A whole API server with Flux's kinds in all their versions; ``reader`` may read what ``deploy/`` allows."""
    with kube_apiserver() as cluster:
        definitions = folder / "definitions.yaml"
        definitions.write_text(yaml.safe_dump_all(_definitions()))
        cluster.install(definitions)
        for name in NAMESPACES:
            cluster.namespace(name)
        _let_read(cluster)
        yield cluster


def _definitions() -> Iterator[Object]:
    files = (DATA / "crds" / "current.yaml", DATA / "crds" / "alerts.yaml")
    for definition in (each for file in files for each in yaml.safe_load_all(file.read_text())):
        (version,) = definition["spec"]["versions"]
        names = _VERSIONS.get(definition["spec"]["names"]["kind"], (version["name"],))
        versions = [{**copy.deepcopy(version), "name": name, "storage": name == names[-1]} for name in names]
        definition["spec"]["versions"] = versions
        yield definition


def _let_read(cluster: Cluster) -> None:
    """Give ``reader`` what the shipped rules give the service account, Secrets by their names included."""
    text = (ROOT / "deploy" / "rbac-alerts.yaml").read_text()
    given, _, withheld = text.partition("# ---\n")
    written = "---\n".join([given, re.sub(r"(?m)^# ?", "", withheld)])
    plurals = {"ClusterRole": "", "ClusterRoleBinding": "", "Role": "namespaces/{}/", "RoleBinding": "namespaces/{}/"}
    for rule in filter(None, yaml.safe_load_all(written)):
        if "subjects" in rule:
            rule["subjects"] = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader"}]
        if rule["kind"] == "Role":
            rule["rules"][0]["resourceNames"] = ["slack-url", "github", "bot"]
        where = plurals[rule["kind"]].format(rule["metadata"].get("namespace", ""))
        cluster.call("POST", f"/apis/rbac.authorization.k8s.io/v1/{where}{rule['kind'].lower()}s", rule)


def empty(cluster: Cluster) -> None:
    """Take away what a test has made."""
    for namespace in NAMESPACES:
        for version, plurals in _COLLECTIONS.items():
            for plural in plurals:
                cluster.call("DELETE", f"/apis/{version}/namespaces/{namespace}/{plural}")
        for plural in ("secrets", "events"):
            cluster.call("DELETE", f"/api/v1/namespaces/{namespace}/{plural}")


def put(cluster: Cluster, *wanted: Object) -> None:
    """Bring objects to a state as their controllers would; without finalizers, so that they can go again."""
    for each in wanted:
        cluster.put({**each, "metadata": {k: v for k, v in each["metadata"].items() if k != "finalizers"}})


# ── statuses ────────────────────────────────────────────────────────────────────────────────────────────────────────

INVENTORY = ("default_podinfo_apps_Deployment", "default_podinfo__Service")


def ago(seconds: int = 0) -> str:
    """A time as Kubernetes writes it: the controllers of these tests have looked just now."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))


class App(NamedTuple):
    """A Kustomization of ``flux-system`` and its states, as kustomize-controller writes them."""

    name: str = "podinfo"
    source: str = "podinfo"
    url: str = "https://github.com/example/podinfo"
    inventory: Sequence[str] = INVENTORY

    def fetched(self, revision: str = MAIN_A, **more: Any) -> Object:
        """Its source."""
        made = o.git_repository(self.source, url=self.url, revision=revision, updated=ago(90), **more)
        return {**made, "spec": {"interval": "5m", "url": self.url}}

    def _is(self, **more: Any) -> Object:
        made = o.kustomization(self.name, "flux-system", source=self.source, inventory=self.inventory, **more)
        source = {"kind": "GitRepository", "name": self.source}
        spec = {"interval": "5m", "path": "./kustomize", "sourceRef": source, **(more.get("spec") or {})}
        return {**made, "spec": spec}

    def reconciling(self, revision: str = MAIN_A, applied: str = "") -> Object:
        """At work on a revision."""
        ready = o.condition("Ready", "Unknown", "Progressing", "Reconciliation in progress", since=ago(60))
        conditions = [o.progress("Running health checks", revision, since=ago(60)), ready]
        return self._is(
            applied=applied,
            attempted=revision,
            observed_generation=1 if applied else -1,
            conditions=conditions,
            history=[o.snapshot(applied, at=ago(600))] if applied else [],
        )

    def live(self, revision: str = MAIN_A, *, since: int = 30, **more: Any) -> Object:
        """Applied, and its health check passed."""
        conditions = [
            o.condition(message=f"Applied revision: {revision}", since=ago(since)),
            o.condition("Healthy", "True", "Succeeded", "Health check passed in 3.1s", since=ago(since)),
        ]
        history = [o.snapshot(revision, at=ago(since), first=ago(since))]
        return self._is(applied=revision, conditions=conditions, history=history, **more)

    def unhealthy(self, revision: str = MAIN_A, applied: str = MAIN_A, *, message: str = "", since: int = 10) -> Object:
        """Its health check fails; without ``applied`` that was never otherwise."""
        said = message or "timeout waiting for: [Deployment/default/podinfo status: 'InProgress']"
        conditions = [
            o.progress("Running health checks", revision, retrying=True, since=ago(since)),
            o.condition(
                "Ready", "False", "HealthCheckFailed", f"health check failed after 2m0.004s: {said}", since=ago(since)
            ),
            o.condition("Healthy", "False", "HealthCheckFailed", said, since=ago(since)),
        ]
        before = [o.snapshot(applied, at=ago(since + 20), first=ago(since + 20))] if applied else []
        history = [o.snapshot(revision, "HealthCheckFailed", at=ago(since), first=ago(since)), *before]
        return self._is(
            applied=applied,
            attempted=revision,
            observed_generation=1,
            conditions=conditions,
            history=history,
        )

    def waiting(self, dependency: str, revision: str = MAIN_A, applied: str = MAIN_A) -> Object:
        """Held up by another Kustomization."""
        said = f"dependency 'flux-system/{dependency}' is not ready"
        return self._is(
            applied=applied,
            attempted=applied or revision,
            observed_generation=1,
            conditions=[o.condition("Ready", "False", "DependencyNotReady", said, since=ago(10))],
            history=[o.snapshot(applied, at=ago(60))] if applied else [],
            depends_on=[{"name": dependency}],
        )


# ── the services ────────────────────────────────────────────────────────────────────────────────────────────────────


class Internet:
    """A proxy that leads some names to ports of this machine, and refuses every other one."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self.refused: list[str] = []
        """Names that somebody tried to reach although they are not known here."""
        answer = self._answer

        class Listener(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def finish_request(self, request: Any, client_address: Any) -> None:
                try:
                    answer(request)
                except OSError:
                    return

        self._server = Listener(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Internet:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = client.recv(1)
            if not byte:
                return
            head += byte
        target = head.decode().split()[1]
        port = self.ports.get(target.removesuffix(":443"))
        if port is None:
            self.refused.append(target)
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", port), 5) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            while True:
                for ready in select.select([client, server], [], [], 60)[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        return
                    (server if ready is client else client).sendall(data)


def tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """What makes a stand-in speak TLS under these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, "127.0.0.1").configure_cert(context)
    return context


class User(NamedTuple):
    """Somebody with a folder, a kubeconfig and a command line."""

    folder: Path
    cluster: Cluster
    services: Mapping[str, Any]
    internet: Internet

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.json"

    def environment(self, **more: str) -> dict[str, str]:
        """Kubernetes is reached directly, everything else through the proxy."""
        usual = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "KUBECONFIG": str(self.folder / "reader"),
            "HTTPS_PROXY": self.internet.url,
            "HTTP_PROXY": self.internet.url,
            "NO_PROXY": "127.0.0.1",
            "REQUESTS_CA_BUNDLE": str(self.folder / "ca.pem"),
            "LANDED_LEDGER": str(self.ledger),
            "COLUMNS": "400",
        }
        return usual | more

    def shell(self, text: str, *, stdin: str = "", **environment: str) -> Run:
        """Run what somebody would type."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            env=self.environment(**environment),
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return _seen(done)

    def kubectl(self, text: str, stdin: str = "") -> str:
        """Run kubectl as an administrator, who must succeed."""
        done = self.shell(f"kubectl {text}", stdin=stdin, KUBECONFIG=str(self.folder / "admin"))
        assert done.code == 0, done.err
        return done.out

    def apply(self, *documents: str | Object) -> None:
        """Apply manifests: YAML, or objects."""
        texts = [each for each in documents if isinstance(each, str)]
        objects = [each for each in documents if not isinstance(each, str)]
        texts += [json.dumps(o.listing("List", objects))] if objects else []
        self.kubectl("apply --validate=false -f -", stdin="\n---\n".join(texts))

    def landed(self, arguments: str = "report --config cluster", **environment: str) -> Run:
        """Run the command, as a shell would."""
        given = self.environment(**environment)
        return _seen(fork.landed(shlex.split(arguments), given, self.folder, stdin="", patience=PATIENCE))

    def report(self, more: str = "", **environment: str) -> Run:
        """One run that must succeed, and a second one that must not ask anybody anything."""
        first = self.landed(f"report --config cluster {more}", **environment)
        assert (first.code, first.err) == (0, ""), first
        asked, kept = self.asked(), self.ledger.read_bytes()
        second = self.landed(f"report --config cluster {more}", **environment)
        assert (second.code, second.err) == (0, ""), second
        assert self.asked() == asked, "a second run told somebody something"
        assert self.ledger.read_bytes() == kept
        return first

    def asked(self) -> dict[str, int]:
        """How many requests each service has got, of whatever kind."""
        return {name: len(service.asked) for name, service in self.services.items()}

    def taken(self, service: str) -> list[Any]:
        """What a chat service has taken since this was asked last."""
        found = list(self.services[service].taken)
        self.services[service].taken.clear()
        return found


def _seen(done: subprocess.CompletedProcess[str]) -> Run:
    """What a run left behind, once it is seen that it shows no fault of ours."""
    assert "Traceback" not in done.stderr, done.stderr
    assert "this is a fault of landed" not in done.stderr, done.stderr
    return Run(done.returncode, done.stdout, without_progress(done.stderr))


@contextmanager
def user(folder: Path, cluster: Cluster, **services: Any) -> Iterator[User]:
    """Somebody who may read the cluster, and these services. What they were sent against their rules fails the test."""
    with ExitStack() as stack:
        here = User(folder, cluster, services, stack.enter_context(Internet()))
        for service in services.values():
            stack.enter_context(service)
        (folder / "reader").write_text(cluster.kubeconfig("reader"))
        (folder / "admin").write_text(cluster.kubeconfig("admin"))
        (folder / "ca.pem").touch()
        (folder / "bin").mkdir()
        (folder / "bin" / "landed").write_text(f'#!/bin/sh\nexec {sys.executable} -I -X faulthandler -m landed "$@"\n')
        (folder / "bin" / "landed").chmod(0o755)
        yield here
    assert here.internet.refused == []
    wrong = {name: each.violations for name, each in services.items() if getattr(each, "violations", [])}
    assert wrong == {}


def public(here: User, authority: trustme.CA, **names: str) -> None:
    """Let services be reached by their public names: service → name."""
    authority.cert_pem.write_to_path(str(here.folder / "ca.pem"))
    for service, name in names.items():
        here.internet.ports[name] = here.services[service].server.port


def texts(value: object) -> str:
    """Every text in a message, however it is laid out."""
    if isinstance(value, dict):
        return "\n".join(texts(each) for each in value.values())
    if isinstance(value, list):
        return "\n".join(texts(each) for each in value)
    return str(value)


def lacks_kubectl() -> bool:
    """Whether there is no kubectl to follow the guide with."""
    return shutil.which("kubectl") is None
