"""``landed watch`` as a process that stays: what it tells, how it is steered, and who of two leads."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import objects as o
import pytest
import yaml
from integration import apiserver
from integration.command import Workplace, workplace
from integration.lasting import Lasting
from integration.test_follow import Running
from integration.test_rollout import fresh, tell_ancestry
from objects import MAIN_A, MAIN_B, MAIN_C, MAIN_D, A, B, C, D
from standins.server import answer, hang_after
from standins.webhook import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integration.cluster import Cluster

FLEET = "example/fleet"
DEPLOY = Path(__file__).parents[2] / "deploy"


def live(cluster: Cluster, revision: str, name: str = "web", at: str = o.LATER) -> None:
    cluster.put(o.git_repository(revision=revision, updated=at))
    cluster.put(o.kustomization(name, applied=revision, history=[o.snapshot(revision, at=at)]))


def reconcile(cluster: Cluster, revision: str, old: str) -> None:
    """What one reconciliation writes: five patches."""
    for doing in ("Fetching manifests", "Building manifests", "Detecting drift", "Running health checks"):
        ready = o.condition("Ready", "Unknown", "Progressing", doing, since=o.LATER)
        cluster.put(o.kustomization(applied=old, attempted=revision, conditions=[o.progress(doing, revision), ready]))
    cluster.put(o.kustomization(applied=revision, history=[o.snapshot(revision, at=o.LATER), o.snapshot(old)]))


def status(place: Workplace, commit: str, name: str = "web") -> str:
    return place.statuses().get((FLEET, commit), {}).get(f"flux/production/apps/{name}", "")


def posts(place: Workplace, commit: str, context: str = "flux/production/apps/web") -> list[str]:
    return [state for at, about, state in place.written() if (at, about) == (commit, context)]


def page(address: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answered:
            return answered.status, answered.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def served(run: Lasting) -> str:
    """Where it listens."""
    said = run.until(lambda: [e["message"] for e in run.log() if e["message"].startswith("Serving")])
    return str(said[0].rpartition(" ")[2].rstrip("."))


def delivered(run: Lasting, commit: str) -> list[tuple[str, str]]:
    """(context, state) of every line about a status that was delivered."""
    return [(e["context"], e["state"]) for e in run.log("delivered") if e["commit"] == commit and e["context"]]


def manifest(folder: Path, name: str, address: str) -> None:
    """A generic Provider, and an Alert that tells it everything of apps."""
    provider = o.provider(name, "apps", type="generic", address=address, channel="", secretRef=...)
    provider["spec"] = {key: value for key, value in provider["spec"].items() if key in ("type", "address")}
    sources = [{"kind": "Kustomization", "name": "*"}]
    alert = o.alert(name, "apps", providerRef={"name": name}, eventSources=sources)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump_all([provider, alert]))


# ── a day of one process ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", [pytest.param("crdserver", marks=pytest.mark.envtest), "sandbox"])
def test_a_process_that_stays(kind: str, tmp_path: Path) -> None:
    with fresh(kind) as cluster, workplace(tmp_path) as place, Receiver() as one, Receiver() as two:
        place.configure(cluster.kubeconfig())
        manifests = tmp_path / "manifests"
        manifests.mkdir()
        manifest(manifests, "one", one.address)
        live(cluster, MAIN_A, at=o.THEN)
        options = ("--listen", "127.0.0.1:0", "--log-format", "json", "--config", str(manifests), "--max-wait", "1")
        with Lasting(place, "watch", *options, LANDED_SLACK_WEBHOOK="", LANDED_GENERIC_WEBHOOK="") as run:
            address = served(run)
            run.until(lambda: status(place, A) == "success")
            run.until(lambda: page(address, "/readyz")[0] == 200)
            _collapses_what_flux_writes(run, place, cluster)
            _shows_itself(run, address)
            _reads_its_manifests_again(run, place, cluster, manifests, (one, two))
            _leaves_a_host_alone_that_is_down(run, place, cluster)
            _ends_while_a_delivery_hangs(run, place, cluster)
        with Lasting(place, "report", "--config", str(manifests), LANDED_SLACK_WEBHOOK="") as after:
            place.github.faults.clear()
            assert after.end().code == 0
        assert posts(place, D, "flux/production/apps/late") == ["success"], "what was acknowledged was remembered"


def _collapses_what_flux_writes(run: Lasting, place: Workplace, cluster: Cluster) -> None:
    cluster.put(o.git_repository(revision=MAIN_B, updated=o.LATER))
    reconcile(cluster, MAIN_B, MAIN_A)
    run.until(lambda: status(place, B) == "success")
    run.until(lambda: ("flux/production", "success") in delivered(run, B))
    assert posts(place, B) in (["pending", "success"], ["success"]), "five patches, at most one word on the way"
    assert sorted(delivered(run, B)) == sorted((x, s) for at, x, s in place.written() if at == B), "a line for each"


def _shows_itself(run: Lasting, address: str) -> None:
    assert page(address, "/healthz") == (200, "ok\n")
    code, metrics = page(address, "/metrics")
    assert code == 200
    assert 'landed_deliveries_total{destination="github.com",result="delivered"}' in metrics
    assert page(address, "/secrets")[0] == 404


def _reads_its_manifests_again(
    run: Lasting, place: Workplace, cluster: Cluster, manifests: Path, receivers: tuple[Receiver, Receiver]
) -> None:
    one, two = receivers
    manifest(manifests, "two", two.address)
    run.process.send_signal(signal.SIGHUP)
    run.says("the configuration was read again")
    live(cluster, MAIN_C)
    run.until(lambda: one.taken and two.taken)
    whole = (manifests / "two.yaml").read_text()
    (manifests / "two.yaml").write_text("kind: Provider\nspec: [broken")
    run.process.send_signal(signal.SIGHUP)
    run.says("could not be read again, the one before stays")
    told = len(two.taken)
    cluster.put(o.kustomization("other", applied=MAIN_C))
    run.until(lambda: len(two.taken) > told and status(place, C, "other"))
    assert run.err.count("could not be read again") == 1
    (manifests / "two.yaml").write_text(whole)


def _leaves_a_host_alone_that_is_down(run: Lasting, place: Workplace, cluster: Cluster) -> None:
    place.github.faults.extend(answer(503, {"Retry-After": "0"}) for _ in range(1000))
    before = len(place.github.asked)
    for number in range(5):  # whatever happens meanwhile
        live(cluster, MAIN_D, f"down-{number}")
    run.until(lambda: list(run.log("not delivered")))
    for number in range(20):
        live(cluster, MAIN_D, f"down-{number % 5}", at=f"2026-08-20T10:00:{number:02}Z")
    asked = len(place.github.asked) - before
    assert asked < 60, "it is not pressed"
    place.github.faults.clear()
    run.until(lambda: all(status(place, D, f"down-{number}") == "success" for number in range(5)))


def _ends_while_a_delivery_hangs(run: Lasting, place: Workplace, cluster: Cluster) -> None:
    place.github.faults.append(hang_after(only="POST"))
    live(cluster, MAIN_D, "late", at="2026-08-20T11:00:00Z")
    run.until(lambda: not place.github.faults)
    done = run.end(signal.SIGTERM, within=15)
    assert done.code == 0, done
    assert "Stopped. What was delivered is in the ledger." in done.err
    assert "Traceback" not in done.err
    held = json.loads(place.ledger.read_text())["destinations"]["github.com"]
    assert D in json.dumps(held)
    for line in done.err.splitlines():
        json.loads(line)


# ── a server that goes away ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.envtest
def test_a_server_that_is_killed_in_the_middle_of_a_watch_and_of_a_wait(tmp_path: Path) -> None:
    with ExitStack() as stack:
        (tmp_path / "server").mkdir()
        own = Running("crdserver", apiserver._crdserver_flags, tmp_path / "server", stack)
        cluster = own.start()
        cluster.install(o.DATA / "crds" / "current.yaml")
        live(cluster, MAIN_A, at=o.THEN)
        place = stack.enter_context(workplace(tmp_path))
        place.configure(cluster.kubeconfig())
        tell_ancestry(place)
        watch = stack.enter_context(Lasting(place, "watch", "--log-format", "json", LANDED_SLACK_WEBHOOK=""))
        asked = ("--commit", B, "--repository", o.URL, "--log-format", "json", "--timeout", "5m")
        wait = stack.enter_context(Lasting(place, "wait", *asked, LANDED_LEDGER=str(tmp_path / "other.json")))
        watch.until(lambda: status(place, A) == "success")
        wait.says("waiting")

        own.kill()
        cluster.close()
        wait.says("cannot be read")
        watch.says("cluster cannot be read")
        cluster = own.start()
        stack.callback(cluster.close)
        live(cluster, MAIN_B)
        done = wait.end()
        watch.until(lambda: status(place, B) == "success")
        watch.says("cluster is back")
        assert done.code == 0, done
        assert list(wait.log("can be read again"))
        assert watch.end(signal.SIGINT).code == 0


# ── two replicas ────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def replica(place: Workplace, number: int) -> Iterator[Lasting]:
    options = ("--leader-elect", "flux-system/landed", "--log-format", "json")
    ledger = str(place.folder / f"ledger-{number}.json")
    with Lasting(place, "watch", *options, LANDED_LEDGER=ledger, LANDED_SLACK_WEBHOOK="") as run:
        yield run


def grant(cluster: Cluster) -> None:
    """Give ``reader`` what the Lease takes."""
    base = "/apis/rbac.authorization.k8s.io/v1/namespaces/flux-system"
    for document in yaml.safe_load_all((DEPLOY / "watch" / "lease.yaml").read_text()):
        if document["kind"] == "RoleBinding":
            document["subjects"] = [{"kind": "User", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"}]
        cluster.call("POST", f"{base}/{document['kind'].lower()}s", document)


@pytest.mark.envtest
def test_of_two_replicas_one_tells_and_the_other_takes_over(tmp_path: Path) -> None:
    with fresh("kube-apiserver") as cluster, workplace(tmp_path) as place, ExitStack() as stack:
        place.configure(cluster.kubeconfig())
        grant(cluster)
        live(cluster, MAIN_A, at=o.THEN)
        first = stack.enter_context(replica(place, 1))
        first.says("leading")
        first.until(lambda: status(place, A) == "success")
        second = stack.enter_context(replica(place, 2))
        second.says("following")

        live(cluster, MAIN_B)
        first.until(lambda: status(place, B) == "success")
        assert not list(second.log("delivered"))
        first.end(signal.SIGKILL)
        live(cluster, MAIN_C)
        second.says("leading")
        second.until(lambda: status(place, C) == "success")

        for commit in (A, B, C):
            assert posts(place, commit) in (["success"], ["pending", "success"]), "nothing is told twice"
        events = [(e["metadata"].get("revision", ""), e["reason"]) for e in place.events()]
        assert max([events.count(event) for event in events], default=0) <= 2, events
        third = stack.enter_context(replica(place, 3))
        third.says("following")
        assert second.end(signal.SIGTERM, within=30).code == 0
        third.says("leading")  # at once: it was given up
        holder = cluster.call("GET", "/apis/coordination.k8s.io/v1/namespaces/flux-system/leases/landed")
        assert holder["spec"]["leaseTransitions"] == 2
        live(cluster, MAIN_D)
        third.until(lambda: status(place, D) == "success")
        assert third.end(signal.SIGTERM, within=30).code == 0
