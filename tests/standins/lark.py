"""A custom bot of Lark, or Feishu, in one group.

Cards are judged by the types of Lark's own SDK (tests/data/chat/lark/card.md). What is marked OURS is not: it follows
https://open.larksuite.com/document/client-docs/bot-v3/add-custom-bot .
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.way import Way
from jsonschema import Draft7Validator
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

#: The part of a webhook's address that is its password.
HOOK = "/open-apis/bot/v2/hook/5c1f2c7e-9a3b-4d7e-8f60-testhook0001"
KEY = "zs0TqVwLk3mXo9YbR5nDhA"
SCHEMA = Path(__file__).parent.parent / "data/chat/lark/card.json"
#: OURS: bytes of a request's body; members that a message and a card may have.
LIMIT = 20_000
_MEMBERS = {"msg_type", "card", "timestamp", "sign"}


class Lark:
    """One bot. With ``key`` it asks for signatures, with ``words`` for one of them in each message."""

    token = ""

    def __init__(self, *, key: str = "", words: tuple[str, ...] = (), context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url + HOOK
        self.token = self.key = key
        self.words = words
        self.old = False
        """Whether it answers as it did in its first years."""
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The messages that were taken, in order, without their signature."""
        self.violations: list[str] = []

    def __enter__(self) -> Lark:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        """Refusals come with 200, but for a hook that is none."""
        if asked.method != "POST" or asked.path != HOOK:
            return _said(19001, "param invalid: incoming webhook access token invalid", status=400)
        body = json.loads(asked.body)
        problems = lark_problems(body, len(asked.body))
        if problems:
            self.violations += problems
            return _said(9499, "Bad Request")
        if self.key and not signed(body, self.key, time.time()):
            return _said(19021, "sign match fail or timestamp is not within one hour from current time")
        if self.words and not any(word in asked.body.decode() for word in self.words):
            return _said(19024, "Key Words Not Found")
        self.taken.append({name: value for name, value in body.items() if name not in ("timestamp", "sign")})
        if self.old:
            return Answer(200, b'{"Extra":null,"StatusCode":0,"StatusMessage":"success"}')
        return _said(0, "success")


def signed(body: dict[str, Any], key: str, now: float) -> bool:
    """OURS: whether ``body`` is signed with ``key``, less than an hour from ``now``."""
    at = body.get("timestamp", "")
    if not re.fullmatch("[0-9]{1,12}", at) or abs(now - int(at)) > 3600:
        return False
    wanted = hmac.new(b"%s\n%s" % (at.encode(), key.encode()), b"", hashlib.sha256).digest()
    return base64.b64encode(wanted).decode() == body.get("sign")


def lark_problems(body: dict[str, Any], size: int = 0) -> list[str]:
    """Why Lark would refuse ``body``, or not show it as it is meant."""
    problems = [f"the member {name}" for name in sorted(set(body) - _MEMBERS)]
    if body.get("msg_type") != "interactive":
        return [*problems, "no card"]
    card = body.get("card", {})
    problems += [f"{error.json_path}: {error.message[:200]}" for error in _schema().iter_errors(card)]
    if size > LIMIT:
        problems.append(f"{size} bytes")
    if not card.get("elements") or any(element.get("content") == "" for element in card["elements"]):
        problems.append("an element without content")
    return problems


@cache
def _schema() -> Draft7Validator:
    return Draft7Validator(json.loads(SCHEMA.read_text()))


def _said(code: int, word: str, status: int = 200) -> Answer:
    said: dict[str, Any] = {"code": code, "msg": word, "data": {}}
    if not code:
        said = {"StatusCode": 0, "StatusMessage": "success", **said}
    return Answer(status, json.dumps(said).encode(), {"Content-Type": "application/json"})


_CALLS = ("<at", "<@", "](http://evil", "<a ", "@here", "@channel", "@everyone", "@all")
_ID = "ou_18eac85d35a26f989317ad4f02e8bbbb"
#: Of a custom bot only an ``open_id`` is taken.
_OTHERS = ("all", "b6xxxxg8", "on_18eac85d35a26f989317ad4f02e8bbbb", "ada@example.com", "ou_", "ou_x></at><at id=all")
_CONTENT = (200, b'{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}')
_NO = (
    b'{"code":19024,"msg":"Key Words Not Found"}', b'{"StatusCode":19001,"StatusMessage":"no"}', b'{"code":"0"}',
    b'{"code":false}', b'{"code":19021,"StatusCode":0}', b'{"code":0,"StatusCode":19021}',
    b'{"msg":"success"}', b'{"code":null,"StatusCode":null}',
)  # fmt: skip

WAYS = {
    "lark": Way("lark", "standins.lark", "Lark", content=_CONTENT, no=_NO, calls=_CALLS,
        mention=(_ID, f"<at id={_ID}></at>"), misnamed=_OTHERS),
    "lark signed": Way(
        "lark", "standins.lark", "Lark", settings={"key": KEY}, content=_CONTENT, no=_NO, calls=_CALLS,
        mention=(_ID, f"<at id={_ID}></at>"), misnamed=_OTHERS),
}  # fmt: skip
