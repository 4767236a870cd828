"""What a GitLab stand-in holds every request and answer against, and whom it knows."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from jsonschema import Draft202012Validator
from standins.server import Answer, Asked

_CALLS = Path(__file__).parent.parent / "data" / "hosts" / "gitlab-calls.json"

#: Tokens it knows. They look like GitLab's, so that what hides them is tested with the real forms.
WRITER = "glpat-16C7e42F292c6912E771"
READER = "glpat-0000e42F292c6912READ"
REPORTER = "glpat-1111e42F292c6912REPO"
OAUTH = "0d1f" * 16
JOB = "glcbt-64_9999e42F292c6912E771"


class Token(NamedTuple):
    """What a token may do."""

    user: int
    headers: tuple[str, ...] = ("private-token", "authorization")
    scopes: tuple[str, ...] = ("api",)
    level: int = 30


TOKENS = {
    WRITER: Token(7),
    READER: Token(8, scopes=("read_api",)),
    REPORTER: Token(9, level=20),
    OAUTH: Token(10, headers=("authorization",), scopes=()),
    JOB: Token(7, headers=("job-token",), scopes=()),
}
#: All that a job's token is let to.
JOBS = re.compile(r"(GET /job|\w+ /projects/:id/(deployments|environments).*|GET .*/commits/:sha/merge_requests)$")


@cache
def calls() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(_CALLS.read_text())
    Draft202012Validator.check_schema({"$defs": schema["$defs"]})
    return schema


def call_of(method: str, path: str) -> tuple[str, dict[str, str]]:
    """Which documented call ``/projects/1/…`` is, and its parameters; an empty name if none."""
    for name in calls()["calls"]:
        verb, template = name.split(" ")
        pattern = re.sub(r":(\w+)", lambda found: f"(?P<{found[1]}>{_KINDS.get(found[1], '[^/]+')})", template)
        if verb == method and (found := re.fullmatch(pattern, path)):
            return name, found.groupdict()
    return "", {}


_KINDS = {"number": "[0-9]+", "iid": "[0-9]+"}


def against(name: str, asked: Asked, answer: Answer) -> list[str]:
    """What is not as documented in a request and its answer."""
    call = calls()["calls"][name]
    wrong = [] if answer.status in (400, 422) else _request(call, asked)
    schema = call["answers"].get(str(answer.status))
    if schema is None:
        return wrong + ([f"answers {answer.status}"] if answer.status < 300 else [])
    return wrong + _problems(schema, json.loads(answer.body))


def _request(call: dict[str, Any], asked: Asked) -> list[str]:
    wrong = []
    if "body" in call:
        wrong += _problems(call["body"], json.loads(asked.body or b"null"))
        if asked.headers.get("content-type") != "application/json":
            wrong.append("the body is not sent as JSON")
    elif asked.body:
        wrong.append("a body where none is taken")
    pages = calls()["$defs"]["pages"]
    for key, value in parse_qsl(asked.target.partition("?")[2], keep_blank_values=True):
        if key in pages:
            wrong += _problems(pages[key], value)
        elif key not in call.get("query", ()):
            wrong.append(f"an unknown parameter {key}")
    return wrong


def _problems(schema: dict[str, Any], value: Any) -> list[str]:
    whole = {"$defs": calls()["$defs"], **schema}
    return [f"{error.json_path}: {error.message[:200]}" for error in Draft202012Validator(whole).iter_errors(value)]


def page_of(asked: Asked, entries: list[Any], origin: str, *, totals: bool = True) -> Answer:
    """One page of ``entries``, with GitLab's headers: of long lists it does not count, so only ``Link`` is there."""
    size, page = int(asked.query.get("per_page", 20)), int(asked.query.get("page", 1))
    last = max(1, -(-len(entries) // size))
    following = str(page + 1) if page < last else ""
    link = urlencode({**asked.query, "page": following})
    headers = {"Link": f'<{origin}{asked.path}?{link}>; rel="next"'} if following else {}
    if totals:
        headers |= {
            "X-Next-Page": following,
            "X-Page": str(page),
            "X-Prev-Page": str(page - 1) if page > 1 else "",
            "X-Per-Page": str(size),
            "X-Total": str(len(entries)),
            "X-Total-Pages": str(last),
        }
    return said(200, entries[(page - 1) * size : page * size], headers)


def said(status: int, value: Any, headers: dict[str, str] | None = None) -> Answer:
    limits = {"RateLimit-Limit": "2000", "RateLimit-Remaining": "1987", "RateLimit-Reset": "1893456000"}
    kind = {"Content-Type": "application/json"}
    return Answer(status, json.dumps(value).encode(), {**kind, **limits, **(headers or {})})


def no(status: int, message: Any) -> Answer:
    """A refusal, as GitLab words it."""
    return said(status, {"message": message})
