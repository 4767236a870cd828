"""ntfy, with one topic: https://docs.ntfy.sh/"""

from __future__ import annotations

import json
import secrets
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from servers.process import port_of, program, running, until

if TYPE_CHECKING:
    import trustme

_SECONDS = 20
PASSWORD = "pass-of-the-tests-9Qx"
_PASSWORD_BCRYPT = "$2a$10$FwQ8ASlKNErMgvBOXfkHeOx9nlYkZHr4a8ZY/6QiETlVW2uxHiGiS"
#: A token is tk_ and 29 letters or digits.
_READER = f"tk_{'reader':0<29}"


class Ntfy:
    """The server. ``topic`` is where to publish.

    With ``login`` nobody gets in but ``user`` with ``password`` or with ``token``, who may write to topics that begin
    with ``rollouts`` and do nothing else. With ``authority`` it speaks TLS. ``burst`` is how many requests it takes
    before it answers 429, ``events`` included; None is no limit.
    """

    def __init__(self, *, login: bool = False, authority: trustme.CA | None = None, burst: int | None = None) -> None:
        self.url = ""
        self.topic = ""
        self.user = "landed"
        self.password = PASSWORD
        self.token = f"tk_{secrets.token_hex(15)[:29]}"
        self._login = login
        self._authority = authority
        self._trusted: str | bool = True
        self._burst = burst
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no other authorities
        self._stack = ExitStack()

    def __enter__(self) -> Ntfy:
        with ExitStack() as stack:
            stack.enter_context(self._session)
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ntfy-")))
            config = home / "server.yml"
            config.write_text(json.dumps(self._config(home)))
            log = home / "log"
            process = stack.enter_context(running([program("bin/ntfy"), "serve", "--config", str(config)], log))
            self.url = f"{'https' if self._authority else 'http'}://127.0.0.1:{port_of(process, log)}"
            until("ntfy to be well", self._is_well)
            self.fresh()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def fresh(self) -> None:
        """Go on with a new topic."""
        self.topic = f"rollouts-{secrets.token_hex(4)}"

    def events(self) -> list[dict[str, Any]]:
        """What was published to the topic, oldest first, as a subscriber gets it."""
        response = self._session.get(
            f"{self.url}/{self.topic}/json?poll=1",
            headers={"Authorization": f"Bearer {_READER}"} if self._login else {},
            verify=self._trusted,
            timeout=_SECONDS,
        )
        assert response.status_code == 200, response.text
        return [json.loads(line) for line in response.text.splitlines()]

    def messages(self) -> list[dict[str, Any]]:
        """What stands in the topic, oldest first: a later message of the same sequence takes the place of the first.

        https://docs.ntfy.sh/publish/#updating-deleting-notifications
        """
        standing: dict[str, dict[str, Any]] = {}
        for event in self.events():
            key = event.get("sequence_id") or event["id"]
            if event["event"] == "message":
                standing[key] = event
            elif event["event"] == "message_delete":
                standing.pop(key, None)
        return list(standing.values())

    def _is_well(self) -> bool:
        try:
            return self._session.get(f"{self.url}/v1/health", verify=self._trusted, timeout=_SECONDS).ok
        except requests.ConnectionError:
            return False

    def _config(self, home: Path) -> dict[str, object]:
        """https://docs.ntfy.sh/config/"""
        config: dict[str, object] = {"cache-file": str(home / "cache.db"), "log-level": "warn"}
        config["listen-https" if self._authority else "listen-http"] = "127.0.0.1:0"
        if self._authority is not None:
            config |= {"listen-http": "-", **self._tls(home, self._authority)}
        if self._login:
            config |= self._users(home)
        if self._burst is None:
            config["visitor-request-limit-exempt-hosts"] = "127.0.0.1"
            config["visitor-topic-creation-limit-burst"] = 0
        else:
            config["visitor-request-limit-burst"] = self._burst
            config["visitor-request-limit-replenish"] = "10s"
        return config

    def _tls(self, home: Path, authority: trustme.CA) -> dict[str, object]:
        both, trusted = str(home / "both.pem"), str(home / "ca.pem")
        authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(both)
        authority.cert_pem.write_to_path(trusted)
        self._trusted = trusted
        return {"key-file": both, "cert-file": both}

    def _users(self, home: Path) -> dict[str, object]:
        return {
            "auth-file": str(home / "auth.db"),
            "auth-default-access": "deny-all",
            "auth-users": [f"{self.user}:{_PASSWORD_BCRYPT}:user", f"reader:{_PASSWORD_BCRYPT}:admin"],
            "auth-access": [f"{self.user}:rollouts*:wo"],
            "auth-tokens": [f"{self.user}:{self.token}:tests", f"reader:{_READER}:tests"],
        }
