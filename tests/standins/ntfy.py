"""ntfy as far as publishing goes: JSON at a server's root, judged as the server judges it.

What is allowed is in https://docs.ntfy.sh/publish/ ; codes and words of refusals are those that a server of version
2.27 gives. ``tests/integration/test_channel_ntfy.py`` shows the same to such a server.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from contract.way import Way
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

TOPIC = "rollouts-Xq7RzW2k"
TOKEN = "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"
_LIMIT = 4096
_TEXTS = {"title", "message", "click", "sequence_id", "topic"}
_KNOWN = _TEXTS | {"tags", "priority", "actions"}


class Ntfy:
    """A server on which nobody may write without a token, or a user and password."""

    token = TOKEN
    channel = TOPIC

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        self.violations: list[str] = []
        login = f"{getattr(self, 'username', '')}:{getattr(self, 'password', '')}".encode()
        self._login = f"Bearer {self.token}" if self.token else f"Basic {b64encode(login).decode()}"

    def __enter__(self) -> Ntfy:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        if "authorization" not in asked.headers:
            return _no(403, 40301, "forbidden")
        if asked.headers["authorization"] != self._login:
            return _no(401, 40101, "unauthorized")
        if asked.target != "/":
            return _no(404, 40401, "page not found")
        if len(asked.body) > 2 * _LIMIT:
            self.violations.append("the body is longer than 8192 bytes")
            return _no(413, 41303, "JSON body too large")
        payload = json.loads(asked.body)
        problems = ntfy_problems(payload)
        if problems:
            self.violations += problems
            return _no(400, 40024, "invalid request: request body must be valid JSON")
        if payload["topic"] != TOPIC:
            return _no(403, 40301, "forbidden")
        self.taken.append(payload)
        said = {"id": "FM0MXDz8hNu2", "time": 1795414596, "event": "message", **payload}
        return Answer(200, json.dumps(said).encode() + b"\n", {"Content-Type": "application/json"})


class NtfyByPassword(Ntfy):
    """With the topic at the end of its address, and a user with a password."""

    token = ""
    channel = ""
    username = "phil"
    password = "mypass-9Qx4"

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.address = f"{self.server.url}/{TOPIC}"


def ntfy_problems(payload: dict[str, Any]) -> list[str]:
    """What a server would refuse, change, or show otherwise than it is meant."""
    problems = [f"unknown member {name}" for name in sorted(set(payload) - _KNOWN)]
    problems += [f"{name} is no text" for name in _TEXTS & set(payload) if not isinstance(payload[name], str)]
    if not re.fullmatch("[-_A-Za-z0-9]{1,64}", payload.get("topic", "")):
        problems.append("topic invalid")
    if not re.fullmatch("[-_A-Za-z0-9]{1,64}", payload.get("sequence_id", "x")):
        problems.append("sequence ID invalid")
    if payload.get("priority", 3) not in range(1, 6):
        problems.append("invalid priority parameter")
    text = payload.get("message", "")
    if not text:
        problems.append("no text: it would read triggered")
    if len(text.encode()) > _LIMIT:
        problems.append("too long: it would become a file")
    if not payload.get("title") or "\n" in payload["title"]:
        problems.append("a title that is none")
    read_as_headers = {name: payload.get(name, "") for name in ("title", "click", "actions", "tags")}
    problems += [f"an encoded word in {name}" for name, said in read_as_headers.items() if "=?" in str(said)]
    problems += [f"the tag {tag}" for tag in payload.get("tags", ()) if not re.fullmatch("[a-z_]+", tag)]
    return problems + _action_problems(payload)


def _action_problems(payload: dict[str, Any]) -> list[str]:
    actions = payload.get("actions", [])
    problems = ["only 3 actions allowed"] if len(actions) > 3 else []
    problems += [f"the action {action}" for action in actions if set(action) != {"action", "label", "url"}]
    problems += ["an action without a label" for action in actions if not action["label"]]
    links = [payload.get("click", "https://x"), *(action["url"] for action in actions)]
    return problems + [f"the link {link}" for link in links if not re.fullmatch("https?://[!-~]+", link)]


def _no(status: int, code: int, what: str) -> Answer:
    said = {"code": code, "http": status, "error": what}
    body = json.dumps(said, separators=(",", ":")).encode()
    return Answer(status, body, {"Content-Type": "application/json"})


_CONTENT = (200, b'{"id":"FM0MXDz8hNu2","time":1795414596,"event":"message","topic":"t","message":"m"}')
_NO = (b'{"id":"FM0MXDz8hNu2","event":"open"}', b'{"id":"","event":"message"}', b'{"healthy":true}')

WAYS = {
    "ntfy token": Way(
        "ntfy", "standins.ntfy", "Ntfy", content=_CONTENT, no=_NO, example="https://ntfy.example.com"
    ),
    "ntfy password": Way(
        "ntfy", "standins.ntfy", "NtfyByPassword", content=_CONTENT, no=_NO, example=f"https://ntfy.example.com/{TOPIC}"
    ),
}  # fmt: skip
