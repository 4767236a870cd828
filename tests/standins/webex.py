"""Webex as far as messages of one bot in one space go: posted, edited, answered.

How it is spoken to is judged by Webex's SDK, which works with it as well (tests/providers/test_webex.py). The rest is
OURS, from https://developer.webex.com/docs/api/v1/messages .
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from contract.way import Way
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

TOKEN = "NzQ5YmQ5ZDctTestTokenOfABot_P0A1_1eb65fdf-9643-417f-9974-ad72cae0e10f"
ROOM = "Y2lzY29zcGFyazovL3VzL1JPT00vYmJjZWIxYWQtNDNmMS0zYjU4LTkxNDctZjE0YmIwYzRkMTU0"
LIMIT = 7439
EDITS = 10
_POST = {"roomId", "parentId", "markdown", "text"}
_EDIT = {"roomId", "markdown", "text"}


class Webex:
    """The API."""

    token = TOKEN
    channel = ROOM

    def __init__(self, *, root: str = "/v1/messages", context: ssl.SSLContext | None = None) -> None:
        """``root`` is how its address is written."""
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url + root
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The bodies that were taken, in order, edits included."""
        self.violations: list[str] = []
        self.messages: dict[str, dict[str, Any]] = {}
        """Id → the message as it stands; ``edits`` counts its edits, ``thread`` is the id that it answers."""
        self.member = True
        """Whether the bot is in the space."""

    def __enter__(self) -> Webex:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def delete(self, message: str) -> None:
        """Deleted by hand."""
        del self.messages[message]

    def _act(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return _refusal(401, "The request requires a valid access token set in the Authorization request header.")
        known = re.fullmatch("/v1/messages(?:/([A-Za-z0-9_-]+))?", asked.path)
        method = {("POST", False): _POST, ("PUT", True): _EDIT}
        members = method.get((asked.method, bool(known and known[1])))
        if known is None or members is None:
            return _refusal(404, "The requested resource could not be found.")
        body = json.loads(asked.body)
        problems = webex_problems(body, members)
        if problems:
            self.violations += problems
            return _refusal(400, problems[0])
        if body["roomId"] != self.channel or not self.member:
            return _refusal(404, "Could not find a room with provided ID.")
        return self._edit(known[1], body) if known[1] else self._post(body)

    def _post(self, body: dict[str, Any]) -> Answer:
        parent = body.get("parentId", "")
        if parent and (parent not in self.messages or self.messages[parent]["thread"]):
            return _refusal(400, "Unable to find the parent message, or it is a reply itself.")
        id_ = f"Y2lzY29zcGFyazovL3VzL01FU1NBR0UvMTIzNDU2Nzg5MA{len(self.taken) + 1:04}"
        self.taken.append(body)
        self.messages[id_] = {**body, "edits": 0, "thread": parent}
        return self._said(id_)

    def _edit(self, id_: str, body: dict[str, Any]) -> Answer:
        kept = self.messages.get(id_)
        if kept is None:
            return _refusal(404, "Unable to edit message.")
        if kept["edits"] >= EDITS:
            return _refusal(400, "The edit limit of this message has been reached.")
        self.taken.append(body)
        self.messages[id_] = {**kept, **body, "edits": kept["edits"] + 1}
        return self._said(id_)

    def _said(self, id_: str) -> Answer:
        kept = self.messages[id_]
        said = {"id": id_, "roomId": ROOM, "roomType": "group", "text": kept.get("markdown") or kept["text"]}
        said |= {"parentId": kept["thread"]} if kept["thread"] else {}
        said |= {"personEmail": "landed@webex.bot", "created": "2026-11-23T06:00:00.000Z"}
        return Answer(200, json.dumps(said).encode(), {"Content-Type": "application/json;charset=UTF-8"})


def webex_problems(body: dict[str, Any], members: set[str]) -> list[str]:
    """Why Webex would refuse ``body``."""
    said = body.get("markdown") or body.get("text") or ""
    found = {
        "members that there are not": set(body) - members,
        "no roomId": not body.get("roomId"),
        "Message text or file or meeting info or card or html or markdown must be provided": not said,
        f"a message of {len(said.encode())} bytes": len(said.encode()) > LIMIT,
    }
    return [what for what, is_so in found.items() if is_so]


def _refusal(status: int, message: str) -> Answer:
    said = {"message": message, "errors": [{"description": message}], "trackingId": "ROUTER_TEST-01-01"}
    return Answer(status, json.dumps(said).encode(), {"Content-Type": "application/json;charset=UTF-8"})


_CALLS = ("<@", "<#", "<!", "<at", "<a ", "](http://evil", "<http", "@here", "@channel", "@everyone", "@all")
_CONTENT = (200, b'{"id":"Y2lzY29zcGFyazovL3VzL01FU1NBR0UvMQ","roomId":"Y2lzY29z","text":"x"}')
_NO = (b'{"message":"no","errors":[{"description":"no"}]}', b'{"id":"../../x"}', b'{"id":7}', b'{"roomId":"Y2lz"}')

_MENTION = ("ada@example.com", "<@personEmail:ada@example.com>")
_OTHERS = (
    "all",
    "here",
    "ada",
    "Ada Lovelace",
    "ada@",
    "@example.com",
    "ada@example.com>",
    "a b@example.com",
    "ada@@x",
)

WAYS = {
    "webex": Way("webex", "standins.webex", "Webex", edits=True, content=_CONTENT, no=_NO, calls=_CALLS,
        mention=_MENTION, misnamed=_OTHERS),
    "webex root": Way(
        "webex", "standins.webex", "Webex", settings={"root": ""}, edits=True, content=_CONTENT, no=_NO, calls=_CALLS,
        mention=_MENTION, misnamed=_OTHERS),
}  # fmt: skip
