"""``landed wait`` as a process of its own while Flux rolls out: infra ← db ← web on two clusters, step by step.

There is no Flux here: the tests write what its controllers write, in the same order.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

import objects as o
import pytest
import yaml
from integration.apiserver import crdserver, kube_apiserver
from integration.cluster import Cluster
from integration.command import Workplace, workplace
from integration.conftest import NAMESPACES, Servers, sandbox
from integration.gateway import Gateway
from integration.lasting import Lasting
from integration.test_evidence import put
from kube import below
from objects import A, B, C, D
from standins import ancestry

if TYPE_CHECKING:
    from collections.abc import Iterator


CHAIN = {"infra": "", "db": "infra", "web": "db"}
DEPLOY = Path(__file__).parents[2] / "deploy"
_HEALTH = "health check failed after 2m0.004s: timeout waiting for: [Deployment/apps/web status: 'InProgress']"


class Site(NamedTuple):
    """A cluster, and what Flux writes there."""

    cluster: Cluster

    def fetch(self, commit: str, **status: str) -> None:
        source = o.git_repository(revision=on(commit), updated=o.LATER)
        source["status"] |= status
        self.cluster.put(source)

    def settled(self, commit: str) -> None:
        self.fetch(commit)
        for name in CHAIN:
            self.apply(name, commit)

    def apply(self, name: str, commit: str, **status: str) -> None:
        self._put(name, applied=on(commit), history=[o.snapshot(on(commit), at=o.LATER)], status=status)

    def run(self, name: str, commit: str, old: str, doing: str = "Running health checks") -> None:
        ready = o.condition("Ready", "Unknown", "Progressing", doing, since=o.LATER)
        conditions = [o.progress(doing, on(commit)), ready]
        self._put(name, applied=on(old), attempted=on(commit), conditions=conditions)

    def hold(self, name: str, old: str) -> None:
        said = f"dependency 'apps/{CHAIN[name]}' revision is not up to date"
        conditions = [o.condition("Ready", "False", "DependencyNotReady", said, since=o.LATER)]
        self._put(name, applied=on(old), conditions=conditions)

    def fail(self, name: str, commit: str, old: str) -> None:
        conditions = [
            o.progress("Running health checks", on(commit), retrying=True),
            o.condition("Ready", "False", "HealthCheckFailed", _HEALTH, since=o.LATER),
        ]
        self._put(name, applied=on(old), attempted=on(commit), conditions=conditions)

    def _put(self, name: str, **settings: Any) -> None:
        depends = [{"name": CHAIN[name]}] if CHAIN[name] else ()
        self.cluster.put(_kept(self.cluster, o.kustomization(name, depends_on=depends, **settings)))


def _kept(cluster: Cluster, wanted: dict[str, Any]) -> dict[str, Any]:
    """As it is to be, with the annotations that it has: a controller does not take them away."""
    kept = {}
    path = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/apps/kustomizations"
    for item in cluster.call("GET", path)["items"]:
        if item["metadata"]["name"] == wanted["metadata"]["name"]:
            kept = item["metadata"].get("annotations", {})
    wanted["metadata"]["annotations"] = kept
    return wanted


def on(commit: str) -> str:
    return f"main@sha1:{commit}"


class Desk(NamedTuple):
    """Where the command runs."""

    place: Workplace
    paris: Site
    tokyo: Site

    def wait(self, commit: str, *arguments: str, clusters: str = "two", **environment: str) -> Lasting:
        several = ("--context", "a", "--context", "b", "--cluster-name", "a=paris", "--cluster-name", "b=tokyo")
        one = ("--cluster-name", "paris")
        common = ("--commit", commit, "--repository", o.URL, "--log-format", "json", "--timeout", "5m")
        for name in ("output", "summary"):
            (self.place.folder / name).write_text("")
        return Lasting(self.place, "wait", *common, *(several if clusters == "two" else one), *arguments, **environment)

    def kubeconfig(self, *documents: str) -> None:
        """One kubeconfig of several, with the contexts ``a`` and ``b``."""
        whole: dict[str, Any] = {"clusters": [], "contexts": [], "users": []}
        for name, text in zip("ab", documents, strict=False):
            document = yaml.safe_load(text)
            user = document["users"][0]["user"]
            whole["clusters"].append({"name": name, "cluster": document["clusters"][0]["cluster"]})
            whole["users"].append({"name": name, "user": user})
            whole["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
        self.place.configure(yaml.safe_dump(whole | {"current-context": "a"}))

    def outputs(self) -> dict[str, str]:
        found = re.findall(r"^(\w+)<<(\w+)\n(.*?)\n\2$", (self.place.folder / "output").read_text(), re.M | re.S)
        return {name: value for name, _, value in found}


def tell_ancestry(place: Workplace) -> None:
    """From now on GitHub can say which commit contains which: each the one before it."""
    known = ancestry.History({}, {})
    known.parents = {A: (), B: (A,), C: (B,), D: (C,)}
    known.refs["refs/heads/main"] = D
    compare = ancestry.on_github(known)
    route = r"/repos/[^/]+/[^/]+/(?:compare|commits)/[^/]+"
    place.github.routes.append(("GET", route, lambda asked, token, match: compare(asked)))


@contextmanager
def desk(folder: Path, paris: Cluster, tokyo: Cluster) -> Iterator[Desk]:
    with workplace(folder) as place:
        tell_ancestry(place)
        made = Desk(place, Site(paris), Site(tokyo))
        made.kubeconfig(paris.kubeconfig("reader"), tokyo.kubeconfig("reader"))
        yield made


@contextmanager
def fresh(kind: str) -> Iterator[Cluster]:
    servers = {"crdserver": crdserver, "kube-apiserver": kube_apiserver, "sandbox": sandbox}
    with servers[kind]() as cluster:
        if kind != "sandbox":
            cluster.install(o.DATA / "crds" / "current.yaml")
        for name in NAMESPACES:
            cluster.namespace(name)
        try:
            yield cluster
        finally:
            if kind == "sandbox":
                cluster.clear()  # its watches end when they have something to say


@contextmanager
def used(servers: Servers, kind: str) -> Iterator[Cluster]:
    """A server that others use as well, emptied afterwards; a sandbox of the test's own."""
    if kind == "sandbox":
        with fresh(kind) as cluster:
            yield cluster
        return
    cluster = servers.get(kind)
    try:
        yield cluster
    finally:
        cluster.clear()


def course(run: Lasting) -> list[tuple[str, str, str]]:
    """(cluster, name, state) in the order in which it was told."""
    return [(e["cluster"], e["name"], e["to"]) for e in run.log() if e.get("kind") == "Kustomization"]


# ── a rollout ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "kinds", [pytest.param(("crdserver", "kube-apiserver"), marks=pytest.mark.envtest), ("sandbox", "sandbox")]
)
def test_a_rollout_with_failure_recovery_and_supersession(
    kinds: tuple[str, str], servers: Servers, tmp_path: Path
) -> None:
    with used(servers, kinds[0]) as paris, used(servers, kinds[1]) as tokyo, desk(tmp_path, paris, tokyo) as at:
        for site in (at.paris, at.tokyo):
            site.settled(A)
        _fails_on_one_cluster(at)
        _recovers_by_the_next_commit(at)
        _is_superseded_by_a_descendant(at)
        statuses = at.place.statuses()
    fleet = "example/fleet"
    assert statuses[fleet, B]["flux/paris"] == "success"
    assert statuses[fleet, B]["flux/tokyo/apps/web"] == "failure"
    assert set(statuses[fleet, C].values()) == {"success"}
    assert set(statuses[fleet, D].values()) == {"success"}


def _fails_on_one_cluster(at: Desk) -> None:
    """In the order of dependencies: everything goes well in one place; in the other the last one fails."""
    reports = ("junit=r.xml", "html=r.html", "dotenv=r.env", "json=r.json")
    writes = [argument for report in reports for argument in ("--write", report)]
    actions = {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com"}
    actions |= {name: str(at.place.folder / name.split("_")[-1].lower()) for name in ("GITHUB_OUTPUT",)}
    actions |= {"GITHUB_STEP_SUMMARY": str(at.place.folder / "summary")}
    with at.wait(B, *writes, **actions) as run:
        run.until(lambda: len(course(run)) == 6)
        assert {state for _, _, state in course(run)} == {"waiting"}, "everything is Ready, and not for this commit"
        assert "ource not fetched yet" in run.err
        for site in (at.paris, at.tokyo):
            site.fetch(B)
            site.run("infra", B, A)
            site.hold("db", A)
            site.hold("web", A)
        statuses = at.place.statuses
        run.until(lambda: statuses().get(("example/fleet", B), {}).get("flux/tokyo/apps/infra") == "pending")
        for number, name in enumerate(CHAIN):
            site = at.tokyo
            for cluster, site in (("paris", at.paris), ("tokyo", at.tokyo)):
                if (cluster, name) == ("tokyo", "web"):
                    continue
                site.run(name, B, A)
                site.apply(name, B)
            expected = 2 * number + (1 if name == "web" else 2)
            run.until(lambda: sum(state == "live" for _, _, state in course(run)) == expected)  # noqa: B023
        at.tokyo.run("web", B, A)
        at.tokyo.fail("web", B, A)
        done = run.end()

    assert done.code == 1, done
    live = {cluster: [n for c, n, s in course(run) if (c, s) == (cluster, "live")] for cluster in ("paris", "tokyo")}
    assert live == {"paris": ["infra", "db", "web"], "tokyo": ["infra", "db"]}
    assert "Deployment/apps/web" in done.out
    given = at.outputs()
    assert (given["verdict"], given["commit"], json.loads(given["json"])["exit_code"]) == ("failed", B, 1)
    assert "tokyo" in (at.place.folder / "summary").read_text()
    _reports_say_so(at.place.folder)


def _reports_say_so(folder: Path) -> None:
    cases = ElementTree.parse(folder / "r.xml").iter("testcase")
    failed = [case.attrib for case in cases if case.find("failure") is not None]
    assert len(failed) == 1
    assert "web" in str(failed[0])
    assert "tokyo" in str(failed[0])
    variables = dict(line.split("=", 1) for line in (folder / "r.env").read_text().splitlines())
    assert variables["LANDED_VERDICT"] == "failed"
    assert variables["LANDED_EXIT_CODE"] == "1"
    assert variables["LANDED_FAILED"] == "tokyo/apps/web"
    assert json.loads((folder / "r.json").read_text())["exit_code"] == 1
    assert "apps/web" in (folder / "r.html").read_text()


def _recovers_by_the_next_commit(at: Desk) -> None:
    with at.wait(C) as run:
        run.until(lambda: len(course(run)) == 6)
        for site in (at.paris, at.tokyo):
            site.fetch(C)
            for name in CHAIN:
                site.apply(name, C)
        done = run.end()
    assert done.code == 0, done
    with at.wait(B) as later:  # what failed then is in what is live now
        assert later.end().code == 0


def _is_superseded_by_a_descendant(at: Desk) -> None:
    """D arrives while C is asked for anew and on its way again: C is live by way of D."""
    at.tokyo.settled(A)
    with at.wait(C, "--write", "json=r.json") as run:
        run.until(lambda: ("tokyo", "web", "waiting") in course(run))
        at.tokyo.fetch(C)
        at.tokyo.run("infra", C, A)
        at.tokyo.hold("db", A)
        run.until(lambda: "ealth check" in run.err)
        at.tokyo.fetch(D)
        for name in CHAIN:
            at.tokyo.apply(name, D)
        done = run.end()
    assert done.code == 0, done
    report = json.loads((at.place.folder / "r.json").read_text())
    found = {(one["cluster"], one["commit"]) for one in report["answer"]["standings"]}
    assert found == {("paris", C), ("tokyo", D)}


# ── rights, pods, requests to reconcile ─────────────────────────────────────────────────────────────────────────────


def grant(cluster: Cluster, manifest: str) -> None:
    """Give ``reader`` what a manifest gives."""
    base = "/apis/rbac.authorization.k8s.io/v1"
    for document in yaml.safe_load_all((DEPLOY / manifest).read_text()):
        if document["kind"] == "ClusterRoleBinding":
            document["subjects"] = [{"kind": "User", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"}]
        if document["kind"].startswith("ClusterRole"):
            cluster.call("POST", f"{base}/{document['kind'].lower()}s", document)


@pytest.mark.envtest
def test_rights_pods_and_requests_to_reconcile(tmp_path: Path) -> None:
    with fresh("kube-apiserver") as cluster, desk(tmp_path, cluster, cluster) as at, Gateway(cluster) as gateway:
        at.place.configure(gateway.kubeconfig())
        at.paris.settled(A)
        _may_not_ask(at)
        grant(cluster, "rbac-reconcile.yaml")
        _asks_the_source_first(at, gateway)
        _tells_what_it_may_not_look_at(at)
        grant(cluster, "rbac-explain.yaml")
        _fails_early(at)


def _may_not_ask(at: Desk) -> None:
    with at.wait(B, "--reconcile", clusters="one") as run:
        run.says("could not be asked to look at GitRepository/flux-system/fleet")
        assert "patch" in run.err
        at.paris.settled(B)
        assert run.end().code == 0, "the wait goes on"
    assert run.err.count("could not be asked to look at GitRepository/flux-system/fleet") == 1


def _asks_the_source_first(at: Desk, gateway: Gateway) -> None:
    sources, ours = "source.toolkit.fluxcd.io/v1", "kustomize.toolkit.fluxcd.io/v1"
    gateway.requests.clear()

    def patched() -> list[str]:
        return [r.rpartition("/")[2] for r in gateway.requests if r.startswith("PATCH")]

    def token(kind: str, plural: str, namespace: str, name: str) -> str:
        found = at.paris.cluster.call("GET", f"/apis/{kind}/namespaces/{namespace}/{plural}/{name}")
        return str(found["metadata"].get("annotations", {}).get("reconcile.fluxcd.io/requestedAt", ""))

    with at.wait(C, "--reconcile", clusters="one") as run:
        asked = run.until(lambda: token(sources, "gitrepositories", "flux-system", "fleet"))
        assert patched() == ["fleet"], "nobody else before the source has looked"
        at.paris.fetch(C, lastHandledReconcileAt=asked)
        run.until(lambda: token(ours, "kustomizations", "apps", "infra"))
        assert token(ours, "kustomizations", "apps", "infra") == asked
        assert set(patched()) == {"fleet", "infra", "db", "web"} or patched()[:2] == ["fleet", "infra"]
        for name in CHAIN:
            at.paris.apply(name, C, lastHandledReconcileAt=asked)
        assert run.end().code == 0
    assert sorted(set(patched())) == sorted(patched()), "each once"


def _tells_what_it_may_not_look_at(at: Desk) -> None:
    at.paris.fetch(D)
    at.paris.run("web", D, C)
    with at.wait(D, "--fail-early", clusters="one") as run:
        run.says("deploy/rbac-explain.yaml grants it")
        at.paris.settled(D)
        assert run.end().code == 0


def _fails_early(at: Desk) -> None:
    web = put(at.paris.cluster, below.workload())
    replicas = put(at.paris.cluster, below.replica_set(web))
    put(at.paris.cluster, below.pod(replicas, state=below.PULLS))
    put(
        at.paris.cluster,
        below.warning("Pod", "web-7d9f8b-m3nrw", "Failed", f'Failed to pull image "{below.IMAGE}": manifest unknown'),
    )
    at.paris.run("web", D, C)
    with at.wait(D, clusters="one") as patient:
        patient.says("ImagePullBackOff")
        assert patient.process.poll() is None, "it is told, and waited out"
        with at.wait(
            D,
            "--fail-early",
            "--explain",
            "events",
            "--lock-timeout",
            "0",
            clusters="one",
            LANDED_LEDGER=str(at.place.folder / "other.json"),
        ) as early:
            done = early.end()
        assert done.code == 1, done
        assert "ImagePullBackOff" in done.out
        assert "manifest unknown" in done.out
        at.paris.settled(D)
        assert patient.end().code == 0


# ── servers that are down, busy, or silent ──────────────────────────────────────────────────────────────────────────


def test_a_cluster_that_says_nothing_beside_a_good_one_and_one_that_is_busy(tmp_path: Path) -> None:
    with (
        fresh("sandbox") as good,
        fresh("sandbox") as other,
        desk(tmp_path, good, other) as at,
        Gateway(other) as gateway,
    ):
        at.kubeconfig(good.kubeconfig(), gateway.kubeconfig())
        for site in (at.paris, at.tokyo):
            site.settled(B)
        gateway.silent = True
        with at.wait(B, "--request-timeout", "1", "--failure-grace", "2s", "--write", "json=r.json") as run:
            done = run.end()
        assert done.code == 5, done
        assert at.place.statuses()["example/fleet", B]["flux/paris"] == "success"
        assert "did not answer within 1 s" in done.out
        assert json.loads((at.place.folder / "r.json").read_text())["answer"]["verdict"] == "waiting"

        gateway.silent, gateway.busy = False, 2
        with at.wait(C) as run:
            run.until(lambda: len(course(run)) == 6)
            assert gateway.busy == 0
            gateway.busy = 3  # watches, too
            gateway.cut()
            for site in (at.paris, at.tokyo):
                site.settled(C)
            done = run.end()
        assert done.code == 0, done
        assert gateway.busy == 0
