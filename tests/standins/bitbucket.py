"""A Bitbucket Cloud that keeps build statuses, and holds every request and answer against Bitbucket's own description.

The description is data (``bitbucket-openapi.md`` beside it says where from). It leaves some things open that the real
server refuses, and asks for one that it does not; both are changed here, each marked ``OURS``.
"""

from __future__ import annotations

import copy
import gzip
import json
import re
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from standins.commits import Commits, Pushed
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

DESCRIPTION = Path(__file__).parent.parent / "data" / "hosts" / "bitbucket-openapi.json.gz"

#: Tokens it knows, in the forms that Bitbucket gives them: two API tokens with their e-mail address, two access tokens,
#: and an app password with its user.
WRITER = "robot@example.com:ATATT3xFfGF0qkWr1te7Zx9Cq2WRIT"
READER = "reader@example.com:ATATT3xFfGF0qkRead7Zx9Cq2READ"
ACCESS = "ATCTT3xFfGN0acc3ssT0kenOfARepository"
NARROW = "ATCTT3xFfGN0narr0wT0kenForPipelines0"
APP = "robot:ATBBapp9ass"

WORDS = {"success": "SUCCESSFUL", "failure": "FAILED", "pending": "INPROGRESS", "superseded": "STOPPED"}
STATES = {word: state for state, word in WORDS.items()}
#: Where the description says that the API is; what stands before it in a real address does not matter to it.
_PLACE = "https://api.bitbucket.org"


class Token(NamedTuple):
    """What a token may do."""

    writes: bool = True
    scopes: str = "repository"
    """What ``X-OAuth-Scopes`` says."""
    account: bool = False
    """Whether it may be told whose it is."""


TOKENS = {
    WRITER: Token(scopes="repository:write, account", account=True),
    READER: Token(writes=False, scopes="pipeline"),
    ACCESS: Token(),
    NARROW: Token(writes=False, scopes="pipeline"),
    APP: Token(scopes="pullrequest:write, webhook"),
}


def authorization(token: str) -> str:
    """The header that shows ``token``: Basic for a user and a password."""
    return f"Basic {b64encode(token.encode()).decode()}" if ":" in token else f"Bearer {token}"


@cache
def tightened() -> OpenAPI:
    """Bitbucket's description, as the real one is known to judge."""
    description: Any = json.loads(gzip.decompress(DESCRIPTION.read_bytes()))
    schemas = description["components"]["schemas"]
    body = copy.deepcopy(schemas["commitstatus"]["allOf"][1])  # OURS: without ``type``, as in Bitbucket's own example
    body["additionalProperties"] = False  # OURS: nothing misspelt
    body["required"] = ["key", "state", "url"]  # OURS: said in prose and by its refusals
    body["properties"]["key"] |= {"minLength": 1, "maxLength": 40}  # OURS: "at most 40 characters"
    body["properties"]["name"]["maxLength"] = 255  # OURS
    body["properties"]["description"]["maxLength"] = 255  # OURS
    body["properties"]["url"]["pattern"] = (
        "^https?://[^{}]+$"  # OURS: what is in braces is filled in, so there are none
    )
    schemas["posted"] = body
    statuses = "/repositories/{workspace}/{repo_slug}/commit/{commit}/statuses"
    write = description["paths"][f"{statuses}/build"]
    write["post"]["requestBody"]["required"] = True  # OURS
    write["post"]["requestBody"]["content"]["application/json"]["schema"] = {"$ref": "#/components/schemas/posted"}
    shown = description["paths"]["/repositories/{workspace}/{repo_slug}/commit/{commit}"]
    for way in (write, shown):
        commit = next(parameter for parameter in way["parameters"] if parameter["name"] == "commit")
        commit["schema"]["pattern"] = "^[0-9a-f]{40}$"  # OURS: a whole hash
    fields = {"name": "fields", "in": "query", "schema": {"type": "string", "pattern": r"^[\w.]+(,[\w.]+)*$"}}
    shown["parameters"].append(fields)  # OURS: said of every operation, in prose
    sizes = {"name": "pagelen", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}}
    description["paths"][statuses]["get"]["parameters"].append(sizes)  # OURS: said in prose only
    return OpenAPI.from_dict(description)


class Bitbucket:
    """The stand-in. Every repository exists, and every commit in it, but those in ``missing`` (path or hash)."""

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.url = f"{self.server.url}/2.0"
        self.web_url = self.server.url
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.missing: set[str] = set()
        self.commits: Commits = {}
        self.display_name = ""
        """What the user is called whose e-mail address the commits have; Bitbucket knows none by it if empty."""
        self.public: set[str] = set()
        self.tokens = {authorization(token): rights for token, rights in TOKENS.items()}
        self.statuses: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        """(``workspace/name``, commit) → key → what is stored, oldest first."""
        self.violations: list[str] = []
        """Requests or answers that Bitbucket's description does not allow. Should stay empty."""
        self._count = 0

    def __enter__(self) -> Bitbucket:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    @property
    def writes(self) -> list[Asked]:
        """The POSTs that arrived."""
        return [asked for asked in self.asked if asked.method == "POST"]

    def contexts(self, repository: str, commit: str) -> dict[str, tuple[str, str]]:
        """Key → (state, description), the states in the words of ``model.State``."""
        stored = self.statuses.get((repository, commit), {})
        return {key: (STATES[status["state"]], status["description"]) for key, status in stored.items()}

    def store(self, repository: str, commit: str, *, context: str, state: str, description: str = "") -> dict[str, Any]:
        """Put a status there, as if somebody had written it."""
        status = {"key": context, "state": WORDS.get(state, state), "description": description, "name": context}
        return self._keep(repository, commit, status | {"url": "https://ci.example.com/"})

    def _keep(self, repository: str, commit: str, status: dict[str, Any]) -> dict[str, Any]:
        self._count += 1
        kept = self.statuses.setdefault((repository, commit), {})
        now = f"2026-04-01T{self._count // 3600:02}:{self._count // 60 % 60:02}:{self._count % 60:02}.000000+00:00"
        made = kept.get(status["key"], {}).get("created_on", now)
        link = f"{_PLACE}/2.0/repositories/{repository}/commit/{commit}"
        own = {"type": "build", "uuid": f"{{{self._count:032x}}}", "created_on": made, "updated_on": now}
        links = {"links": {"commit": {"href": link}, "self": {"href": f"{link}/statuses/build/1"}}}
        kept[status["key"]] = {"description": ""} | status | own | links
        return kept[status["key"]]

    def _act(self, asked: Asked) -> Answer:
        token = self.tokens.get(asked.headers.get("authorization", ""))
        if token is None:
            return _refusal(401, "Token is invalid, expired, or not supported for this endpoint.")
        path = asked.path.removeprefix("/2.0")
        request = MockRequest(_PLACE, asked.method, f"/2.0{path}", args=asked.query, data=asked.body)
        try:
            tightened().validate_request(request)
        except OpenAPIError as error:
            self.violations.append(f"{asked.method} {asked.path}: {_why(error)}")
            return _refusal(400, "Bad request", fields={"?": [_why(error)]})
        answer = self._route(asked, path, token)
        answer = answer._replace(headers={**answer.headers, "X-OAuth-Scopes": token.scopes})
        self._check(request, answer)
        return answer

    def _check(self, request: MockRequest, answer: Answer) -> None:
        if answer.status == 403:
            return  # documented in prose only
        try:
            tightened().validate_response(request, MockResponse(answer.body, answer.status, dict(answer.headers)))
        except OpenAPIError as error:
            self.violations.append(f"the answer to {request.method} {request.path}: {_why(error)}")

    def _route(self, asked: Asked, path: str, token: Token) -> Answer:
        if path == "/user":
            if not token.account:
                return _lacking(token, "account")
            return _json(
                200, {"type": "user", "display_name": "Robot", "uuid": "{00000000-0000-0000-0000-000000000001}"}
            )
        found = re.fullmatch(r"/repositories/([^/]+/[^/]+)(?:/commit/([^/]+)(/statuses(?:/build)?)?)?", path)
        assert found, path
        repository, commit, statuses = unquote(found[1]), found[2], found[3]
        if repository in self.missing:
            hint = "You may not have access to this repository or it no longer exists in this workspace."
            return _refusal(
                404, f"{hint} If you think this repository exists and you have access, make sure you are logged in."
            )
        if commit in self.missing:
            return _refusal(404, "Commit not found", data={"shas": [commit]})
        if commit and not statuses:
            return _json(200, self._commit(repository, commit, asked.query.get("fields", "")))
        if asked.method == "POST":
            if not token.writes:
                return _lacking(token, "repository")
            return _json(201, self._keep(repository, commit, json.loads(asked.body)))
        return self._list(asked, repository, commit) if commit else self._show(repository)

    def _list(self, asked: Asked, repository: str, commit: str) -> Answer:
        size, page = int(asked.query.get("pagelen", 10)), int(asked.query.get("page", 1))
        stored = list(self.statuses.get((repository, commit), {}).values())
        listed: dict[str, Any] = {"pagelen": size, "page": page, "size": len(stored)}
        listed["values"] = stored[(page - 1) * size : page * size]
        if len(stored) > page * size:
            listed["next"] = f"{_PLACE}{asked.path}?pagelen={size}&page={page + 1}"
        return _json(200, listed)

    def _commit(self, repository: str, commit: str, fields: str) -> dict[str, Any]:
        pushed = self.commits.get((repository, commit), Pushed())
        author: dict[str, Any] = {"type": "author", "raw": f"{pushed.author} <{pushed.email}>"}
        if self.display_name:
            author["user"] = {"type": "user", "display_name": self.display_name, "nickname": "jdoe", "uuid": "{9}"}
        page = {"html": {"href": f"{self.web_url}/{repository}/commits/{commit}"}, "self": {"href": f"{_PLACE}/x"}}
        entry = {"type": "commit", "hash": commit, "date": pushed.at, "message": pushed.message, "author": author}
        return _chosen(entry | {"links": page, "parents": []}, fields)

    def _show(self, repository: str) -> Answer:
        name = repository.split("/")[1]
        shown = {"type": "repository", "uuid": "{00000000-0000-0000-0000-000000000002}", "name": name, "scm": "git"}
        return _json(200, shown | {"full_name": repository, "is_private": repository not in self.public})


def _chosen(entry: dict[str, Any], fields: str) -> dict[str, Any]:
    """What of ``entry`` was asked for, as ``fields`` has it. OURS: objects keep their type, which the schema wants."""
    wanted: dict[str, list[str]] = {}
    for field in filter(None, fields.split(",")):
        name, _, inner = field.partition(".")
        wanted.setdefault(name, []).append(inner)
    return {
        name: _chosen(value, ",".join(wanted.get(name, ()))) if isinstance(value, dict) else value
        for name, value in entry.items()
        if not wanted or name in wanted or name == "type"
    }


def _lacking(token: Token, scope: str) -> Answer:
    detail = {"granted": token.scopes.split(", "), "required": [scope]}
    return _refusal(403, "Your credentials lack one or more required privilege scopes.", detail=detail)


def _refusal(status: int, message: str, **more: Any) -> Answer:
    return _json(status, {"type": "error", "error": {"message": message, **more}})


def _json(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8"})


def _why(error: BaseException) -> str:
    """The error and what it is about, in a line."""
    inner = getattr(error.__cause__, "schema_errors", None) or (error,)
    return "; ".join([type(error).__name__, *(str(getattr(one, "message", one))[:200] for one in inner)])
