"""A real Alertmanager: what fires in it, and what it tells its own receiver to be resolved; from a Provider on.

Other services that keep alerts are told from a Provider on as well, as far as they are stood in for.
"""

from __future__ import annotations

import ssl
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import trustme
import yaml
from kube.proxies import Proxy
from msgspec import structs
from objects import DATA
from providers.test_alertmanager import it
from servers.alertmanager import PASSWORD, USER, Alertmanager
from servers.process import until
from standins.datadog import Datadog
from standins.grafana import Grafana
from standins.incident_io import IncidentIo
from standins.opsgenie import Opsgenie
from standins.pagerduty import PagerDuty
from standins.server import hang

from landed.cli import enter
from landed.errors import DeliveryError
from landed.http import Http
from landed.model import Channel, Mark, Network, Occurrence, Secret, State, Update
from landed.providers.outlet import ChannelOutlet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Seconds in which Alertmanager would have told of something.
_A_WHILE = 1.0
_NUMBERS = count()
HEALTH, BUILD = "FluxKustomizationHealthCheckFailed", "FluxKustomizationBuildFailed"
WAIT = "FluxKustomizationDependencyNotReady"


class Service:
    """One object's occurrences, one after the other, each with the handle of the one before."""

    def __init__(self, server: Alertmanager, http: Http, **settings: object) -> None:
        channel = Channel("alertmanager", "alertmanager", Secret(f"{server.url}/api/v2/alerts/"))
        self.outlet = ChannelOutlet(structs.replace(channel, **settings), lambda: http)
        self.server = server
        self.handle = ""
        self.test = str(next(_NUMBERS))

    def tell(self, state: State, ago: int = 0, reason: str = "", **metadata: str) -> None:
        """What an earlier test did to an alert with the same labels is still known for a while: so none has them."""
        metadata |= {"test": self.test}
        what = it(state, at=int(time.time()) - ago, reason=reason, handle=self.handle, **metadata)
        self.handle = self.deliver(what)

    def deliver(self, what: Occurrence) -> str:
        return self.outlet.deliver(Update("it", (Mark("l", what.commit, "f"),), what))

    def firing(self) -> set[str]:
        return {alert["labels"]["alertname"] for alert in self.server.alerts()}

    def fired(self, *names: str) -> None:
        """Wait until its receiver was told: what is over before that is told nobody."""

        def told() -> bool:
            return {a["labels"]["alertname"] for a in self.server.told if a["status"] == "firing"} >= set(names)

        until("the receiver to be told", told, patience=20)

    def resolved(self, count: int) -> set[str]:
        """What its receiver was told to be over."""
        return {alert["labels"]["alertname"] for alert in self.server.wait_for(count, "resolved")}


@pytest.fixture
def service(alertmanager: Alertmanager) -> Iterator[Service]:
    with Http() as http:
        yield Service(alertmanager, http)


def test_a_failure_fires_and_its_success_resolves_it(service: Service) -> None:
    service.tell(State.FAILURE, 600, env="prod", summary="Call Aurora", **{"app.kubernetes.io/name": "shop"})
    (alert,) = service.server.wait_for(1, "active")
    assert alert["labels"] == {
        "alertname": HEALTH,
        "severity": "error",
        "reason": "HealthCheckFailed",
        "kind": "Kustomization",
        "name": "web-0",
        "namespace": "apps",
        "reportingcontroller": "kustomize-controller",
        "cluster": "prod",
        "env": "prod",
        "app_kubernetes_io_name": "shop",
        "test": service.test,
    }
    assert alert["annotations"]["summary"] == "Call Aurora"
    assert alert["annotations"]["message"] == "timeout waiting"
    assert alert["generatorURL"].startswith("https://github.com/acme/fleet/commit/")
    service.fired(HEALTH)
    service.tell(State.SUCCESS)
    assert service.resolved(1) == {HEALTH}
    assert service.firing() == set()


def test_a_second_failure_of_the_same_kind_is_the_same_alert(service: Service) -> None:
    service.tell(State.FAILURE, 600)
    (first,) = service.server.wait_for(1, "active")
    service.tell(State.FAILURE, 60, change_request="7")
    (second,) = service.server.wait_for(1, "active")
    assert (first["fingerprint"], first["startsAt"]) == (second["fingerprint"], second["startsAt"])
    assert second["annotations"]["change_request"] == "7"


def test_another_reason_takes_the_place_of_the_first(service: Service) -> None:
    service.tell(State.FAILURE, 600)
    service.fired(HEALTH)
    service.tell(State.FAILURE, 60, reason="BuildFailed")
    assert service.resolved(1) == {HEALTH}
    assert service.firing() == {BUILD}


def test_a_wait_leaves_a_failure_and_both_end_with_a_success(service: Service) -> None:
    service.tell(State.FAILURE, 600)
    service.tell(State.PENDING, 300)
    service.fired(HEALTH, WAIT)
    assert service.firing() == {HEALTH, WAIT}
    service.tell(State.SUCCESS)
    assert service.resolved(2) == {HEALTH, WAIT}
    assert service.firing() == set()


def test_a_wait_becomes_a_failure(service: Service) -> None:
    service.tell(State.PENDING, 300)
    service.fired(WAIT)
    service.tell(State.FAILURE, 60)
    assert service.resolved(1) == {WAIT}
    assert service.firing() == {HEALTH}


@pytest.mark.parametrize("handle", ["", "x", '[[{"alertname":"Watchdog"},5]]'])
def test_what_a_lost_ledger_left_open_is_resolved_as_well(service: Service, handle: str) -> None:
    service.tell(State.FAILURE, 600)
    service.handle = ""
    service.tell(State.PENDING, 300)
    service.fired(HEALTH, WAIT)
    service.handle = handle
    service.tell(State.SUCCESS)
    assert service.resolved(2) == {HEALTH, WAIT}
    assert service.firing() == set()


def test_a_success_of_what_never_failed_is_told_nobody(service: Service) -> None:
    service.tell(State.SUCCESS)
    time.sleep(_A_WHILE)
    assert service.firing() == set()
    assert service.server.told == []


def test_a_success_twice_is_told_once(service: Service) -> None:
    service.tell(State.FAILURE, 600)
    service.fired(HEALTH)
    for _ in range(2):
        service.tell(State.SUCCESS)
    service.resolved(1)
    time.sleep(_A_WHILE)
    assert [alert["status"] for alert in service.server.told] == ["firing", "resolved"]


@pytest.mark.parametrize("ago", [-30, 0, 3600])
def test_it_is_resolved_at_once_whosever_clock_is_ahead(service: Service, ago: int) -> None:
    service.tell(State.FAILURE, 7200)
    service.fired(HEALTH)
    service.tell(State.SUCCESS, ago)
    assert service.resolved(1) == {HEALTH}


def test_what_has_failed_for_years_fires(service: Service) -> None:
    service.tell(State.FAILURE, 4 * 365 * 86400)
    service.server.wait_for(1, "active")
    assert service.firing() == {HEALTH}


@pytest.mark.parametrize("text", ["<&> ünïcode 😀 \ud800", "x" * 100_000, "{{ .Labels }}", "a\nb\x00c", " "])
def test_hostile_text_is_taken(service: Service, text: str) -> None:
    metadata = {text[:500]: text, "note": text, "test": service.test}
    what = it(State.FAILURE, at=int(time.time()) - 60, **metadata)
    event = structs.replace(what.event, message=text, reason=text[:500])
    service.handle = service.deliver(structs.replace(what, event=event))
    until("the receiver to be told", lambda: service.server.told)
    service.deliver(structs.replace(what, event=event, state=State.SUCCESS, handle=service.handle))
    assert len(service.resolved(1)) == 1
    assert service.firing() == set()


def test_a_login_and_a_private_authority() -> None:
    authority = trustme.CA()
    network = Network(ca=authority.cert_pem.bytes().decode())
    with Alertmanager(login=True, authority=authority) as server, Http(network=network) as http:
        service = Service(server, http, username=USER, password=Secret(PASSWORD))
        service.tell(State.FAILURE, 60)
        service.fired(HEALTH)
        with_address = Secret(server.url.replace("://", f"://{USER}:{PASSWORD}@"))
        other = Service(server, http, address=with_address)
        other.handle = service.handle
        other.tell(State.SUCCESS)
        assert service.resolved(1) == {HEALTH}
        with pytest.raises(DeliveryError) as caught:
            Service(server, http, username=USER, password=Secret("wrong")).tell(State.FAILURE)
        assert "username and password" in caught.value.hint


# ── from manifests ────────────────────────────────────────────────────────────────────────────────────────────────────

MANIFESTS = """
apiVersion: v1
kind: Secret
metadata: {{name: am, namespace: apps}}
stringData: {{address: "{address}", token: "{token}"}}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata: {{name: am, namespace: apps}}
spec: {{type: {type}, channel: "{channel}", secretRef: {{name: am}}}}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata: {{name: on-call, namespace: apps}}
spec:
  providerRef: {{name: am}}
  eventSeverity: {severity}
  eventMetadata: {{env: production, test: {severity}}}
  eventSources: [{{kind: Kustomization, name: web}}]
"""
EARLIER, LATER = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b", "ae4f281df5a5d0ff3cad6371f76d5c29b6d953ec"


class User:
    """Runs ``landed report`` over what a cluster holds, with one ledger."""

    def __init__(
        self, folder: Path, type_: str, address: str, severity: str, token: str = "", channel: str = ""
    ) -> None:
        self.folder = folder
        text = MANIFESTS.format(type=type_, address=address, severity=severity, token=token, channel=channel)
        (folder / "flux.yaml").write_text(text)

    def report(self, situation: str, revision: str = "") -> None:
        text = (DATA / f"{situation}.json").read_text()
        (self.folder / "cluster.json").write_text(text.replace(EARLIER, revision) if revision else text)
        files = {name: str(self.folder / name) for name in ("flux.yaml", "cluster.json", "ledger.json")}
        asked = ["--config", files["flux.yaml"], "--from-file", files["cluster.json"], "--ledger", files["ledger.json"]]
        assert enter(["report", *asked]) == 0


@pytest.mark.parametrize("severity", ["info", "error"])
def test_from_a_provider_on(alertmanager: Alertmanager, tmp_path: Path, severity: str) -> None:
    def firing() -> set[str]:
        return {alert["labels"]["alertname"] for alert in alertmanager.alerts()}

    def told() -> list[tuple[str, str]]:
        return [(a["labels"]["alertname"], a["status"]) for a in alertmanager.told]

    user = User(tmp_path, "alertmanager", f"{alertmanager.url}/api/v2/alerts/", severity)
    user.report("success")
    assert firing() == set()
    user.report("dependency-not-ready")
    assert firing() == ({WAIT} if severity == "info" else set())
    user.report("health-check-failed")
    (alert,) = alertmanager.wait_for(1, "active")
    assert firing() == {HEALTH}
    until("the receiver to be told", lambda: (HEALTH, "firing") in told())
    assert alert["labels"]["env"] == "production"
    assert LATER in alert["annotations"]["revision"]
    user.report("health-check-failed")
    user.report("success", LATER)
    until("the receiver to be told", lambda: (HEALTH, "resolved") in told())
    assert firing() == set()
    user.report("success", LATER)
    user.report("health-check-failed")
    assert firing() == {HEALTH}
    assert told().count((HEALTH, "resolved")) == 1


STEPS = ("success", ""), ("dependency-not-ready", ""), ("health-check-failed", ""), ("success", LATER)


@pytest.mark.parametrize(
    ("type_", "standin", "open_"),
    [
        ("pagerduty", PagerDuty, [0, 0, 1, 0]),
        ("opsgenie", Opsgenie, [0, 1, 1, 0]),
        ("incident.io", IncidentIo, [0, 0, 1, 0]),
    ],
)
def test_from_a_provider_on_to_what_stands_in(
    tmp_path: Path, type_: str, standin: type[PagerDuty | Opsgenie | IncidentIo], open_: list[int]
) -> None:
    """How many alerts are open after each step: live, waiting for a dependency, failed, recovered."""
    with standin() as server:
        token, channel = getattr(server, "token", ""), getattr(server, "channel", "")
        user = User(tmp_path, type_, server.address, "info", token, channel)
        found = []
        for situation, revision in STEPS:
            user.report(situation, revision)
            asked = len(server.asked)
            user.report(situation, revision)
            assert len(server.asked) == asked
            found.append(len(server.firing if isinstance(server, IncidentIo) else server.open))
        assert found == open_
        assert server.violations == []


# ── the way there, from a Provider on ─────────────────────────────────────────────────────────────────────────────────


def secured(type_: str, address: str, authority: trustme.CA, proxy: str, token: str) -> list[dict[str, Any]]:
    """A Provider with a certificate's authority, a proxy with a login, and little patience; its Secrets; an Alert."""

    def secret(name: str, **values: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}

    api = {"apiVersion": "notification.toolkit.fluxcd.io/v1beta3"}
    refs = {f"{kind}SecretRef": {"name": kind} for kind in ("cert", "proxy")}
    spec = {"type": type_, "address": address, "timeout": "700ms", "secretRef": {"name": "login"}, **refs}
    source = {"kind": "Kustomization", "name": "web", "namespace": "apps"}
    return [
        secret("login", token=token),
        secret("cert", **{"ca.crt": authority.cert_pem.bytes().decode()}),
        secret("proxy", address=proxy, username="jo", password="pa55 w/rd"),
        {**api, "kind": "Provider", "metadata": {"name": "kept"}, "spec": spec},
        {
            **api,
            "kind": "Alert",
            "metadata": {"name": "kept"},
            "spec": {"providerRef": {"name": "kept"}, "eventSources": [source]},
        },
    ]


@pytest.mark.parametrize(("type_", "standin"), [("grafana", Grafana), ("datadog", Datadog)])
def test_its_authority_proxy_and_patience_are_honoured(
    tmp_path: Path, type_: str, standin: type[Grafana | Datadog], capsys: pytest.CaptureFixture[str]
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "kept.example.com").configure_cert(context)
    with standin(context=context) as server, Proxy() as proxy:
        where = server.address.replace("127.0.0.1", "kept.example.com")  # a name that the proxy alone can find
        documents = secured(type_, where, authority, proxy.url, server.token)
        (tmp_path / "flux.yaml").write_text(yaml.safe_dump_all(documents))
        files = ["--config", str(tmp_path / "flux.yaml"), "--ledger", str(tmp_path / "ledger.json")]
        asked = ["report", *files, "--from-file", str(DATA / "health-check-failed.json")]
        server.faults += [hang()] * 3
        begun = time.monotonic()
        assert enter(asked) != 0
        assert time.monotonic() - begun < 10
        server.faults.clear()
        assert enter(asked) == 0
        assert len(server.taken) == 1
        assert {host.partition(":")[0] for host in proxy.asked} == {"kept.example.com"}
        assert all(b"Proxy-Authorization: Basic am86cGE1NSB3L3Jk" in head for head in proxy.heads)
    said = "".join(capsys.readouterr())
    assert not [text for text in (server.token, "pa55", "am86") if text in said]
