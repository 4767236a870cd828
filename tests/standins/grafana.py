"""Grafana's annotations, as its documentation and its own checks have them, with the annotations as they stand.

OURS, from https://grafana.com/docs/grafana/latest/developers/http_api/annotations/ and what Grafana does beyond it:
without an end the end is the beginning; without a beginning that is now; an end before the beginning changes places
with it; tags are split at their first colon, and all of them together are limited in length.
"""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from contract.way import Way
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

TOKEN = "glsa_HOruNAb7SOiCdshU7algkrq7F4PVMN_test5e2f"
USER, PASSWORD = "flux", "aMRqRgLk4Gtn9Hzc"
ROOT = "/grafana"
PATH = f"{ROOT}/api/annotations"
#: What Grafana's clock says.
NOW = 1_790_000_500_000
TAGS_LENGTH = 500
_KNOWN = {
    "POST": {"dashboardUID": str, "dashboardId": int, "panelId": int, "time": int, "timeEnd": int, "tags": list}
    | {"text": str, "data": dict},
    "PATCH": {"time": int, "timeEnd": int, "tags": list, "text": str, "data": dict},
}


class Grafana:
    """One organization, and one who may write annotations there: with a token, or with a password."""

    def __init__(self, *, login: bool = False, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url + ROOT
        self.token, self.username, self.password = ("", USER, PASSWORD) if login else (TOKEN, "", "")
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        self.violations: list[str] = []
        self.messages: dict[str, dict[str, Any]] = {}
        """Number → the annotation as it stands."""
        self._next = 41

    def __enter__(self) -> Grafana:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def delete(self, number: str) -> None:
        """Deleted by hand."""
        del self.messages[number]

    def _act(self, asked: Asked) -> Answer:
        pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        wanted = f"Bearer {self.token}" if self.token else f"Basic {pair}"
        if asked.headers.get("authorization") != wanted:
            return _say(401, "Invalid API key" if self.token else "Invalid username or password")
        found = re.fullmatch(f"{PATH}(?:/([0-9]+))?", asked.path)
        if found is None or (asked.method, bool(found[1])) not in (("POST", False), ("PATCH", True)):
            return _say(404, "Not found")
        if found[1] and found[1] not in self.messages:
            return _say(404, "Could not find annotation to update")
        body = json.loads(asked.body)
        problems = annotation_problems(body, asked.method)
        if problems:
            self.violations += problems
            return _say(400, problems[0])
        self.taken.append(body)
        if found[1]:
            self.messages[found[1]] = _ordered({**self.messages[found[1]], **body})
            return _say(200, "Annotation patched")
        self._next += 1
        self.messages[str(self._next)] = _ordered({"time": NOW, **body})
        return _say(200, "Annotation added", id=self._next)


def _say(status: int, message: str, **more: Any) -> Answer:
    return Answer(status, json.dumps({"message": message, **more}).encode(), {"Content-Type": "application/json"})


def _ordered(kept: dict[str, Any]) -> dict[str, Any]:
    """Whatever the order, a region ends after it begins; without an end it is a moment."""
    begin, end = kept["time"], kept.get("timeEnd") or kept["time"]
    return {**kept, "time": min(begin, end), "timeEnd": max(begin, end)}


def annotation_problems(body: Any, method: str) -> list[str]:
    """Why Grafana would refuse ``body``, or not show of it what was meant."""
    if not isinstance(body, dict):
        return ["bad request data"]
    known = _KNOWN[method]
    problems = [f"unknown member {name}" for name in body if name not in known]
    problems += [f"{name} is no {known[name].__name__}" for name in body if not isinstance(body[name], known[name])]
    problems += [f"{name} is no time" for name in ("time", "timeEnd") if name in body and body[name] < 10**12 // 100]
    if not body.get("text"):
        problems.append("text field should not be empty")
    if method == "POST" and "timeEnd" in body and body["timeEnd"] < body.get("time", 0):
        problems.append("it ends before it begins")
    return problems + _tag_problems(body.get("tags", [])) + html_problems(body.get("text", ""))


def _tag_problems(tags: list[Any]) -> list[str]:
    if not all(isinstance(tag, str) and tag for tag in tags):
        return ["a tag that is none"]
    length = len(json.dumps(tags, ensure_ascii=False, separators=(",", ":")).encode())
    problems = [f"tags length ({length}) exceeds the maximum allowed ({TAGS_LENGTH})"] if length > TAGS_LENGTH else []
    pairs = [tuple(part.strip() for part in tag.partition(":")[::2]) for tag in tags]
    problems += [f"too long a tag: {pair}" for pair in pairs if max(map(len, pair)) > 100]
    problems += [f"more than one colon: {tag}" for tag in tags if tag.count(":") > 1]
    return problems + (["a tag that is there twice"] if len(set(pairs)) < len(pairs) else [])


class _Shown(HTMLParser):
    """What of a text Grafana's own sanitizer would leave as an element."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" and [name for name, _ in attrs] == ["href"]:
            self.links.append(attrs[0][1] or "")
        elif tag != "br" or attrs:
            self.problems.append(f"an element {tag} {attrs}")

    def handle_comment(self, data: str) -> None:
        self.problems.append("a comment")

    def handle_decl(self, decl: str) -> None:
        self.problems.append("a declaration")

    def unknown_decl(self, data: str) -> None:
        self.problems.append("a declaration")

    def handle_pi(self, data: str) -> None:
        self.problems.append("an instruction")


def html_problems(text: str) -> list[str]:
    """Everything in ``text`` that is no text, no line break and no link to a Git host."""
    shown = _Shown()
    shown.feed(text)
    shown.close()
    strange = [link for link in shown.links if not re.match("https?://(git[a-z.]*)(/|:)", link)]
    return [*shown.problems, *(f"a link to {link}" for link in strange)]


_CALLS = ("<b>", "<script", "<a href='", "<at>", "<!")
_ADDED = (200, b'{"message":"Annotation added","id":1}')
_NO = (b'{"message":"Unauthorized"}', b'{"message":"Annotation deleted"}', b'{"id":1}', b'{"message":1,"id":"x"}')

WAYS = {
    "grafana": Way(
        "grafana", "standins.grafana", "Grafana", edits=True, content=_ADDED, no=_NO, calls=_CALLS,
        plain=frozenset({"tags"}),
        example="https://grafana.example.com/api/annotations",
    ),
    "grafana login": Way(
        "grafana", "standins.grafana", "Grafana", {"login": True}, edits=True, content=_ADDED, no=_NO, calls=_CALLS,
        plain=frozenset({"tags"}),
        example="https://grafana.example.com/api/annotations?dashboardUID=jcIIG-07z&panelId=2",
    ),
}  # fmt: skip
