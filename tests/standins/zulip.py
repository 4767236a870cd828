"""Zulip as far as messages go: sending one to a channel's topic, and editing one.

What it takes is tried with Zulip's own client (tests/providers/test_zulip.py); the rest is OURS, after
https://zulip.com/api/send-message , https://zulip.com/api/update-message ,
https://zulip.com/api/rest-error-handling .
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from contract.way import Way
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

API_KEY = "gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv"
LIMIT, TOPIC_LIMIT = 10_000, 60
_KNOWN = {
    "POST": {"type", "to", "topic", "content", "queue_id", "local_id", "read_by_sender"},
    "PATCH": {"message_id", "content", "topic", "propagate_mode", "stream_id"},
}


class Zulip:
    """The server, for one bot and one channel, under a path of its own."""

    username = "flux-bot@zulip.example.com"
    password = API_KEY
    channel = "deploys/prod/eu"
    stream, topic = "deploys", "prod/eu"

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = f"{self.server.url}/chat"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The forms that were taken, edits included, in order."""
        self.violations: list[str] = []
        self.messages: dict[str, dict[str, Any]] = {}
        """Number → the message as it stands; ``edits`` counts its edits."""
        self.refuse_edits = ""

    def __enter__(self) -> Zulip:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def delete(self, number: str) -> None:
        """Deleted by hand."""
        del self.messages[number]

    def _act(self, asked: Asked) -> Answer:
        if asked.method == "GET" and asked.path == "/chat/api/v1/server_settings":
            return _yes(zulip_version="11.0", zulip_feature_level=420)
        login = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {login}":
            return _no("Invalid API key", "INVALID_API_KEY", 401)
        found = re.fullmatch(r"/chat/api/v1/messages(?:/([0-9]+))?", asked.path)
        if found is None or asked.method != ("PATCH" if found[1] else "POST"):
            return _no("Not found", "BAD_REQUEST_PATH", 404)
        form = dict(parse_qsl(asked.body.decode(), keep_blank_values=True, strict_parsing=True))
        problems = zulip_problems(asked.method, form)
        if problems:
            self.violations += problems
            return _no(problems[0])
        return self._edit(found[1], form) if found[1] else self._post(form)

    def _post(self, form: dict[str, str]) -> Answer:
        if form["to"] != self.stream:
            return _no(f"Channel '{form['to']}' does not exist", "STREAM_DOES_NOT_EXIST", stream=form["to"])
        number = str(1000 + len(self.taken))
        self.taken.append(form)
        self.messages[number] = {**form, "edits": 0}
        return _yes(id=int(number), automatic_new_visibility_policy=2)

    def _edit(self, number: str, form: dict[str, str]) -> Answer:
        if number not in self.messages:
            return _no("Invalid message(s)")
        if self.refuse_edits:
            return _no(self.refuse_edits)
        self.taken.append(form)
        kept = self.messages[number]
        self.messages[number] = {**kept, **form, "edits": kept["edits"] + 1}
        return _yes(detached_uploads=[])


def zulip_problems(method: str, form: dict[str, str]) -> list[str]:
    """Why Zulip would refuse a form, ignore something in it, or cut it off."""
    problems = [f"unknown parameter {name}" for name in sorted(set(form) - _KNOWN[method])]
    if method == "POST":
        problems += [f"no {name}" for name in ("type", "to", "topic", "content") if not form.get(name)]
        problems += [f"the type {form.get('type')}"] if form.get("type") not in ("stream", "channel") else []
    if not form.get("content", "").strip() or "\0" in form["content"]:
        problems.append("Message must not be empty")
    if len(form.get("content", "")) > LIMIT or len(form.get("topic", "")) > TOPIC_LIMIT:
        problems.append("too long: it is cut off")
    return problems


def _answer(status: int, said: dict[str, object]) -> Answer:
    return Answer(status, json.dumps(said, separators=(",", ":")).encode(), {"Content-Type": "application/json"})


def _yes(**more: object) -> Answer:
    return _answer(200, {"result": "success", "msg": "", **more})


def _no(msg: str, code: str = "BAD_REQUEST", status: int = 400, **more: object) -> Answer:
    return _answer(status, {"result": "error", "msg": msg, **more, "code": code})


WAYS = {
    "zulip": Way(
        "zulip", "standins.zulip", "Zulip", edits=True, content_type="application/x-www-form-urlencoded",
        example="https://example.zulipchat.com",
        content=(200, b'{"result":"success","msg":"","id":42,"automatic_new_visibility_policy":2}'),
        no=(
            b'{"result":"error","msg":"Invalid API key","code":"INVALID_API_KEY"}',
            b'{"result":"partially_completed","msg":"","id":1}',
            b'{"id":42}',
        ),
        # Strangers' signs are entities: none of them is there at all.
        calls=("@", "#u", "#c", "<", "`", "](http://evil", "![", "$", "||", "~~", "http://evil"),
        mention=("80351110", "@**|80351110**"),
        misnamed=("all", "everyone", "topic", "Ada Lovelace", "all|", "0", "*|1", "_x|1", "８０３５"),
    ),
}  # fmt: skip
