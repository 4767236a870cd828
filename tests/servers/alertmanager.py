"""Alertmanager, which tells a webhook what fires and what is resolved: https://prometheus.io/docs/alerting/latest/"""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from standins.server import Answer, Asked, StandIn

from servers.process import port_of, program, running, until

if TYPE_CHECKING:
    from typing import Literal

    import trustme

_SECONDS = 20
_LONG_AGO = "2001-01-01T00:00:00Z"
USER = "landed"
PASSWORD = "pass-of-the-tests-9Qx"
#: https://prometheus.io/docs/guides/basic-auth/
_PASSWORD_BCRYPT = "$2a$10$FwQ8ASlKNErMgvBOXfkHeOx9nlYkZHr4a8ZY/6QiETlVW2uxHiGiS"


class Alertmanager:
    """The server. It tells of each alert by itself, at once; what it told is in ``told``.

    With ``login`` it wants ``USER`` and ``PASSWORD``; with ``authority`` it speaks TLS, as that authority vouches.
    """

    def __init__(self, *, login: bool = False, authority: trustme.CA | None = None) -> None:
        self.url = ""
        """Without a path: the API is at ``/api/v2/alerts``."""
        self.told: list[dict[str, Any]] = []
        """The alerts in its notifications, in order, each with its ``status``: firing or resolved."""
        self._login = login
        self._authority = authority
        self._trusted: str | bool = True
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no other authorities
        self._stack = ExitStack()

    def __enter__(self) -> Alertmanager:
        with ExitStack() as stack:
            stack.enter_context(self._session)
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="alertmanager-")))
            receiver = stack.enter_context(StandIn(self._hear))
            (home / "alertmanager.yml").write_text(json.dumps(_config(receiver.url)))
            (home / "web.yml").write_text(json.dumps(self._web(home)))
            log = home / "log"
            process = stack.enter_context(running(_command(home), log))
            scheme = "https" if self._authority else "http"
            self.url = f"{scheme}://127.0.0.1:{port_of(process, log)}"
            until("Alertmanager to be ready", self._is_ready)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def alerts(self, status: Literal["active", "resolved"] = "active") -> list[dict[str, Any]]:
        """Active: what its API lists. Resolved: what it last told its receiver of alerts that it lists no more."""
        active: list[dict[str, Any]] = self._get("/api/v2/alerts").json()
        if status == "active":
            return active
        resolved = self._last_told("resolved") - {alert["fingerprint"] for alert in active}
        return list({alert["fingerprint"]: alert for alert in self.told if alert["fingerprint"] in resolved}.values())

    def wait_for(self, count: int, status: Literal["active", "resolved"]) -> list[dict[str, Any]]:
        """The alerts in that state, as soon as there are as many."""

        def enough() -> list[dict[str, Any]] | None:
            alerts = self.alerts(status)
            return alerts if len(alerts) >= count else None

        return until(f"{count} alerts to be {status}", enough, patience=_SECONDS)

    def fresh(self) -> None:
        """Resolve everything, and forget what was told."""
        active = self.alerts()
        # What fires, ends and fires again before anybody was told is never told.
        firing = {alert["fingerprint"] for alert in active}
        until("all that fires to be told", lambda: self._last_told("firing") >= firing, patience=_SECONDS)
        ended = [{"labels": alert["labels"], "startsAt": _LONG_AGO, "endsAt": _LONG_AGO} for alert in active]
        self._request("POST", "/api/v2/alerts", ended)
        until("all to be resolved", lambda: not self._last_told("firing"), patience=_SECONDS)
        self.told.clear()

    def _last_told(self, status: str) -> set[str]:
        """The fingerprints of the alerts that it last told to be so."""
        last = {alert["fingerprint"]: alert["status"] for alert in tuple(self.told)}
        return {key for key, value in last.items() if value == status}

    def _hear(self, asked: Asked) -> Answer:
        self.told += json.loads(asked.body)["alerts"]
        return Answer(200)

    def _get(self, path: str) -> requests.Response:
        return self._request("GET", path, None)

    def _request(self, method: str, path: str, body: object) -> requests.Response:
        login = (USER, PASSWORD) if self._login else None
        response = self._session.request(
            method, self.url + path, json=body, auth=login, verify=self._trusted, timeout=_SECONDS
        )
        assert response.status_code == 200, f"{method} {path}: {response.status_code} {response.text}"
        return response

    def _is_ready(self) -> bool:
        try:
            return self._get("/-/ready").ok
        except (AssertionError, requests.ConnectionError):
            return False

    def _web(self, home: Path) -> dict[str, object]:
        """https://prometheus.io/docs/alerting/latest/https/"""
        config: dict[str, object] = {}
        if self._login:
            config["basic_auth_users"] = {USER: _PASSWORD_BCRYPT}
        if self._authority is not None:
            certificate = self._authority.issue_cert("127.0.0.1", "localhost")
            certificate.private_key_and_cert_chain_pem.write_to_path(str(home / "both.pem"))
            self._authority.cert_pem.write_to_path(str(home / "ca.pem"))
            self._trusted = str(home / "ca.pem")
            config["tls_server_config"] = {"cert_file": str(home / "both.pem"), "key_file": str(home / "both.pem")}
        return config


def _command(home: Path) -> list[str]:
    return [
        program("bin/prometheus-alertmanager"),
        f"--config.file={home / 'alertmanager.yml'}",
        f"--web.config.file={home / 'web.yml'}",
        f"--storage.path={home / 'data'}",
        "--web.listen-address=127.0.0.1:0",
        "--cluster.listen-address=",
    ]


def _config(receiver: str) -> dict[str, object]:
    """Every alert is a group of its own, told at once: https://prometheus.io/docs/alerting/latest/configuration/"""
    times = {"group_by": ["..."], "group_wait": "0s", "group_interval": "100ms", "repeat_interval": "1d"}
    webhook = {"url": receiver, "send_resolved": True}
    return {
        "route": {"receiver": "here", **times},
        "receivers": [{"name": "here", "webhook_configs": [webhook]}],
    }
