"""The Lease on a real API server: who may have it, who has it, and that it is never two."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from integration.cluster import Refused

from landed import kube
from landed.kube import lease
from landed.kube.errors import Conflict, Forbidden, NotServed
from landed.kube.lease import Lease

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integration.cluster import Cluster

    from landed.kube.client import Client

LEASES = "/apis/coordination.k8s.io/v1/namespaces/flux-system/leases"
CONTENDER = Path(__file__).with_name("contender.py")
ROLE = Path(__file__).parents[2] / lease.RULES

pytestmark = pytest.mark.parametrize(
    "server", [pytest.param("kube-apiserver", marks=pytest.mark.envtest)], indirect=True
)


@pytest.fixture(autouse=True)
def leases(cluster: Cluster) -> Iterator[None]:
    """None is left."""
    yield
    cluster.call("DELETE", LEASES)


@contextmanager
def asking(cluster: Cluster, user: str = "admin") -> Iterator[Client]:
    with kube.connect(cluster.kubeconfig(user), "", {}, timeout=lease.TIMEOUT) as client:
        yield client


def spec(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.call("GET", f"{LEASES}/landed")["spec"]
    return found


def test_it_is_made_renewed_and_given_to_the_next(cluster: Cluster) -> None:
    with asking(cluster) as client, asking(cluster) as other:
        one, two = Lease(client, "flux-system", "landed", "one"), Lease(other, "flux-system", "landed", "two")
        assert one.acquire(lambda _: False)
        made = spec(cluster)
        assert (made["holderIdentity"], made["leaseDurationSeconds"], made["leaseTransitions"]) == ("one", 15, 0)
        assert not two.attempt()
        assert two.holder == "one"
        assert one.attempt()
        assert spec(cluster)["renewTime"] > made["renewTime"]
        assert spec(cluster)["acquireTime"] == made["acquireTime"]
        one.release()
        assert spec(cluster)["holderIdentity"] == ""
        assert two.attempt()
        assert (spec(cluster)["holderIdentity"], two.term) == ("two", 1)


def test_what_others_have_written_stays(cluster: Cluster) -> None:
    metadata = {"name": "landed", "labels": {"team": "a"}}
    cluster.call("POST", LEASES, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata})
    with asking(cluster) as client:
        assert Lease(client, "flux-system", "landed", "one").attempt()
    found = cluster.call("GET", f"{LEASES}/landed")
    assert found["metadata"]["labels"] == {"team": "a"}
    assert found["spec"]["holderIdentity"] == "one"


def test_the_server_itself_refuses_what_is_out_of_date(cluster: Cluster) -> None:
    with asking(cluster) as client:
        one = Lease(client, "flux-system", "landed", "one")
        assert one.attempt()
        old = cluster.call("GET", f"{LEASES}/landed")
        assert one.attempt()
        with pytest.raises(Conflict):
            client.write("PUT", f"{LEASES}/landed", yaml.safe_dump(old).encode(), "application/yaml")
        with pytest.raises(Conflict):
            client.write(
                "POST", LEASES, yaml.safe_dump({**old, "metadata": {"name": "landed"}}).encode(), "application/yaml"
            )


def test_an_annotation_by_merge_patch(cluster: Cluster) -> None:
    with asking(cluster) as client:
        Lease(client, "flux-system", "landed", "one").attempt()
        body = b'{"metadata":{"annotations":{"reconcile.fluxcd.io/requestedAt":"now"}}}'
        client.write("PATCH", f"{LEASES}/landed", body, "application/merge-patch+json", again=True)
        with pytest.raises(NotServed, match="flux-system/other"):
            client.write("PATCH", f"{LEASES}/other", body, "application/merge-patch+json", again=True)
    assert cluster.call("GET", f"{LEASES}/landed")["metadata"]["annotations"] == {
        "reconcile.fluxcd.io/requestedAt": "now"
    }


def test_without_the_right_the_error_names_the_role_and_with_it_all_goes(cluster: Cluster) -> None:
    with asking(cluster, "nobody") as client, pytest.raises(Forbidden) as caught:
        Lease(client, "flux-system", "landed", "one").acquire(lambda _: True)
    assert 'does not let user "nobody" get leases.coordination.k8s.io flux-system/landed (403).' in caught.value.message
    assert caught.value.hint.startswith("deploy/watch/lease.yaml has the Role for it. ")
    for document in yaml.safe_load_all(ROLE.read_text()):
        if document["kind"] == "RoleBinding":
            document["subjects"] = [{"kind": "User", "name": "nobody", "apiGroup": "rbac.authorization.k8s.io"}]
        kind = document["kind"].lower() + "s"
        where = f"/apis/rbac.authorization.k8s.io/v1/namespaces/flux-system/{kind}"
        with suppress(Refused):  # another test may have put it there
            cluster.call("DELETE", f"{where}/{document['metadata']['name']}")
        cluster.call("POST", where, document)
    try:
        with asking(cluster, "nobody") as client:
            one = Lease(client, "flux-system", "landed", "one")
            granted = time.monotonic() + 10
            while time.monotonic() < granted:  # the server learns of a Role with a delay
                try:
                    assert one.acquire(lambda _: True)
                    break
                except Forbidden:
                    time.sleep(0.05)
            assert one.held
            one.release()
        assert spec(cluster)["holderIdentity"] == ""
    finally:
        for kind in ("roles", "rolebindings"):
            root = f"/apis/rbac.authorization.k8s.io/v1/namespaces/flux-system/{kind}"
            cluster.call("DELETE", f"{root}/landed-lease")


def test_a_namespace_that_is_not_there(cluster: Cluster) -> None:
    with asking(cluster) as client, pytest.raises(NotServed) as caught:
        Lease(client, "nowhere", "landed", "one").acquire(lambda _: True)
    assert caught.value.message.startswith("Lease nowhere/landed cannot be made.")


def test_three_threads_are_never_two(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take it from each other by releasing it, and by falling silent."""
    monkeypatch.setattr(lease, "DURATION", 1)
    monkeypatch.setattr(lease, "DEADLINE", 0.6)
    monkeypatch.setattr(lease, "RETRY", 0.02)
    stop = threading.Event()
    log: list[tuple[float, str, str]] = []

    def contend(name: str) -> None:
        with asking(cluster) as client:
            own = Lease(client, "flux-system", "landed", name)
            rounds = 0
            while not stop.is_set() and own.acquire(stop.wait):
                rounds += 1
                for _ in range(10):
                    at = lease.clock()
                    if own.held:
                        log.append((at, name, "holds"))
                    stop.wait(0.005)
                if rounds % 3:
                    own.release()
                    stop.wait(0.05)
                else:  # crashed: nobody renews, nobody releases
                    own._done.set()
            own.release()

    threads = [threading.Thread(target=contend, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    time.sleep(5)
    stop.set()
    for thread in threads:
        thread.join()
    holders = [name for _, name, _ in sorted(log)]
    changes = [pair for pair in pairwise(holders) if pair[0] != pair[1]]
    assert set(holders) == {"one", "two", "three"}
    # Who has lost it never comes in between: each term is one piece.
    assert len(changes) <= spec(cluster)["leaseTransitions"]
    assert len(changes) >= 5


def test_processes_that_are_killed_paused_and_stopped(cluster: Cluster, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    (tmp_path / "kubeconfig").write_text(cluster.kubeconfig("admin"))
    command = [sys.executable, str(CONTENDER), str(tmp_path / "kubeconfig"), "flux-system/landed", str(log)]

    def lines() -> list[list[str]]:
        return [line.split() for line in log.read_text().splitlines() if line.count(" ") == 2]

    def wait_for(condition: Any) -> None:
        until = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.02)

    with ExitStack() as stack:
        running: dict[str, subprocess.Popen[bytes]] = {}

        def add() -> subprocess.Popen[bytes]:
            made = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE))
            stack.callback(made.kill)
            return made

        def holder() -> str:
            return lines()[-1][0]

        first = add()
        wait_for(lines)
        running[holder()] = first
        second = add()
        seen = holder()
        first.kill()
        wait_for(lambda: holder() != seen)
        running[holder()] = second
        third = add()
        seen = holder()
        second.send_signal(signal.SIGSTOP)
        wait_for(lambda: holder() != seen)
        second.send_signal(signal.SIGCONT)
        seen, before = holder(), time.monotonic()
        assert third.stdin is not None
        third.stdin.close()
        wait_for(lambda: holder() != seen)
        assert time.monotonic() - before < 2  # released, so nobody waited until it had run out
        assert holder() in running
        assert third.wait(10) == 0
    worked = sorted((float(at), name, int(term)) for name, term, at in lines())
    terms = [term for _, _, term in worked]
    assert terms == sorted(terms)
    assert len({(name, term) for _, name, term in worked}) == len(set(terms)) >= 4
