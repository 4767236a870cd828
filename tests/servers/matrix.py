"""Synapse, a Matrix homeserver, with one room: https://spec.matrix.org/latest/client-server-api/"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import requests

from servers.process import port_of, program, running, until

_NAME = "matrix.test"
_SECONDS = 20
#: What nobody reaches.
_NO_LIMIT = {"per_second": 100_000, "burst_count": 100_000}


class Said(msgspec.Struct, frozen=True):
    """One message as people see it now."""

    id: str
    """The event that began it; edits keep it."""
    sender: str
    content: dict[str, Any]
    """What it says now: after an edit, the new content. Empty once it is redacted."""
    edited: bool = False
    redacted: bool = False
    thread: str = ""
    """The event at the root of the thread that it stands in."""

    @property
    def body(self) -> str:
        return str(self.content.get("body", ""))

    @property
    def html(self) -> str:
        return str(self.content.get("formatted_body", ""))


class Matrix:
    """The server. ``token`` belongs to a user who is in ``room``; ``outsider`` is the token of one who is not.

    ``burst`` is how many messages a user may send at once, followed by one in ten seconds; None is no limit.
    """

    def __init__(self, *, burst: int | None = None) -> None:
        self.url = ""
        self.user = f"@landed:{_NAME}"
        self.token = ""
        self.outsider = ""
        self.room = ""
        """As ``!id:server``, or as newer rooms have it, ``!id``."""
        self.room_alias = ""
        self._owner = ""
        self._burst = burst
        self._secret = secrets.token_hex(16)
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no other authorities
        self._stack = ExitStack()

    def __enter__(self) -> Matrix:
        with ExitStack() as stack:
            stack.enter_context(self._session)
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="synapse-")))
            python = program("synapse/bin/python")
            config = home / "homeserver.yaml"
            config.write_text(json.dumps(self._config(home)))  # JSON is YAML
            log = home / "log"
            command = [python, "-m", "synapse.app.homeserver", "--config-path", str(config)]
            process = stack.enter_context(running(command, log))
            self.url = f"http://127.0.0.1:{port_of(process, log)}"
            until("Synapse to be well", self._is_well)
            self._owner, self.token, self.outsider = (self._register(name) for name in ("owner", "landed", "outsider"))
            self.fresh()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def fresh(self) -> None:
        """Go on in a new room: ``room`` and ``room_alias`` change."""
        local = f"rollouts-{secrets.token_hex(4)}"
        wanted = {"room_alias_name": local, "preset": "private_chat", "invite": [self.user], "name": "Rollouts"}
        self.room = self._call("POST", "/createRoom", self._owner, wanted)["room_id"]
        self.room_alias = f"#{local}:{_NAME}"
        self._call("POST", f"/join/{quote(self.room, safe='')}", self.token, {})

    def messages(self) -> list[Said]:
        """What stands in the room, oldest first: edits are applied where the server takes them for valid."""
        events = self.events()
        return [_said(event) for event in events if event["type"] == "m.room.message" and not _is_edit(event)]

    def events(self) -> list[dict[str, Any]]:
        """Everything that was sent to the room, oldest first, as the server tells it."""
        path = f"/rooms/{quote(self.room, safe='')}/messages?dir=f&limit=1000"
        return list(self._call("GET", path, self._owner)["chunk"])

    def redact(self, event: str) -> None:
        """Take a message back, as a moderator does."""
        path = f"/rooms/{quote(self.room, safe='')}/redact/{quote(event, safe='')}/{secrets.token_hex(8)}"
        self._call("PUT", path, self._owner, {})

    def remove(self) -> None:
        """Throw the user of ``token`` out of the room."""
        self._call("POST", f"/rooms/{quote(self.room, safe='')}/kick", self._owner, {"user_id": self.user})

    def _call(self, method: str, path: str, token: str, body: object = None) -> dict[str, Any]:
        response = self._session.request(
            method,
            f"{self.url}/_matrix/client/v3{path}",
            headers={"Authorization": f"Bearer {token}"},
            json=body,
            timeout=_SECONDS,
        )
        assert response.status_code == 200, f"{method} {path}: {response.status_code} {response.text}"
        answer: dict[str, Any] = response.json()
        return answer

    def _is_well(self) -> bool:
        try:
            return self._session.get(f"{self.url}/health", timeout=_SECONDS).status_code == 200
        except requests.ConnectionError:
            return False

    def _register(self, name: str) -> str:
        """https://element-hq.github.io/synapse/latest/admin_api/register_api.html"""
        url = f"{self.url}/_synapse/admin/v1/register"
        nonce = self._session.get(url, timeout=_SECONDS).json()["nonce"]
        signed = "\0".join([nonce, name, "a password", "notadmin"]).encode()
        mac = hmac.new(self._secret.encode(), signed, hashlib.sha1).hexdigest()
        wanted = {"nonce": nonce, "username": name, "password": "a password", "admin": False, "mac": mac}
        response = self._session.post(url, json=wanted, timeout=_SECONDS)
        assert response.status_code == 200, response.text
        return str(response.json()["access_token"])

    def _config(self, home: Path) -> dict[str, object]:
        """https://element-hq.github.io/synapse/latest/usage/configuration/config_documentation.html"""
        message = (
            _NO_LIMIT if self._burst is None else {"per_second": 0.1, "burst_count": self._burst + 1}
        )  # it has joined
        others = ("rc_registration", "rc_joins_per_room", "rc_room_creation", "rc_presence")
        resources = [{"names": ["client"], "compress": False}]
        listener = {"port": 0, "type": "http", "bind_addresses": ["127.0.0.1"], "resources": resources}
        return {
            "server_name": _NAME,
            "report_stats": False,
            "listeners": [listener],
            "database": {"name": "sqlite3", "args": {"database": str(home / "homeserver.db")}},
            "media_store_path": str(home / "media"),
            "signing_key": f"ed25519 a_test {base64.b64encode(secrets.token_bytes(32)).decode().rstrip('=')}",
            "macaroon_secret_key": self._secret,
            "form_secret": self._secret,
            "registration_shared_secret": self._secret,
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "rc_message": message,
            **dict.fromkeys(others, _NO_LIMIT),
            "rc_login": {"address": _NO_LIMIT, "account": _NO_LIMIT},
            "rc_joins": {"local": _NO_LIMIT, "remote": _NO_LIMIT},
            "rc_invites": {"per_room": _NO_LIMIT, "per_user": _NO_LIMIT, "per_issuer": _NO_LIMIT},
            "bcrypt_rounds": 4,
        }


def _relation(event: dict[str, Any]) -> dict[str, Any]:
    relation: dict[str, Any] = event["content"].get("m.relates_to") or {}
    return relation


def _is_edit(event: dict[str, Any]) -> bool:
    return _relation(event).get("rel_type") == "m.replace"


def _said(event: dict[str, Any]) -> Said:
    unsigned = event.get("unsigned", {})
    edit = unsigned.get("m.relations", {}).get("m.replace")
    relation = _relation(event)
    return Said(
        id=event["event_id"],
        sender=event["sender"],
        content=edit["content"]["m.new_content"] if edit else event["content"],
        edited=bool(edit),
        redacted="redacted_because" in unsigned,
        thread=str(relation.get("event_id", "")) if relation.get("rel_type") == "m.thread" else "",
    )
