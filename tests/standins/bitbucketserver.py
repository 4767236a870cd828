"""A Bitbucket Data Center that keeps build statuses, and holds every request and answer against a description of it.

The description is data (``bitbucketserver-openapi.md`` beside it says where from). What it leaves open and the real
server refuses is added here, marked ``OURS``.
"""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from standins.commits import Commits, Pushed
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

DESCRIPTION = Path(__file__).parent.parent / "data" / "hosts" / "bitbucketserver-openapi.json.gz"

#: Tokens it knows: HTTP access tokens, and a user with a password.
WRITER = "MDM0MjM5NDc2MDkwOrWr1te7Zx9Cq2hTTPacce55"
READER = "MDM0MjM5NDc2MDkxOrRead7Zx9Cq2hTTPacce55"
USER = "robot:pa55word:with:colons"

WORDS = {"success": "SUCCESSFUL", "failure": "FAILED", "pending": "INPROGRESS", "superseded": "CANCELLED"}
STATES = {word: state for state, word in WORDS.items()}
#: Where the description says that the API is; what stands before it in a real address does not matter to it.
_PLACE = "http://example.com:7990"


def authorization(token: str) -> str:
    """The header that shows ``token``: Basic for a user and a password."""
    return f"Basic {b64encode(token.encode()).decode()}" if ":" in token else f"Bearer {token}"


@cache
def tightened() -> OpenAPI:
    """The description, as the real one is known to judge."""
    description: Any = json.loads(gzip.decompress(DESCRIPTION.read_bytes()))
    schemas = description["components"]["schemas"]
    body = schemas["RestBuildStatusSetRequest"]
    body["additionalProperties"] = False  # OURS: nothing misspelt
    body["properties"]["key"] |= {"minLength": 1, "maxLength": 255}  # OURS: said in prose
    body["properties"]["url"] |= {"maxLength": 450, "pattern": "^https?://"}  # OURS: said in prose
    for name in ("name", "description"):
        body["properties"][name]["maxLength"] = 255  # OURS: said of the older place of the same statuses
    schemas["RestErrorMessage"]["properties"]["context"]["nullable"] = True  # OURS: it is null as a rule
    shown = schemas["RestCommit"]
    shown["required"] = ["id", "message", "author"]  # OURS
    shown["properties"]["author"]["properties"]["displayName"] = {"type": "string"}  # OURS: it has one of its users
    for path, ways in description["paths"].items():
        if path.endswith("/builds"):
            ways["post"]["requestBody"]["required"] = True  # OURS
        for parameter in (parameter for way in ways.values() for parameter in way["parameters"]):
            if parameter["name"] == "commitId":
                parameter["schema"]["pattern"] = "^[0-9a-f]{40}$"  # OURS: "a full SHA1"
            if parameter["name"] == "orderBy":
                parameter["schema"]["enum"] = ["NEWEST", "OLDEST", "STATUS"]  # OURS: said in prose
    return OpenAPI.from_dict(description)


class BitbucketServer:
    """The stand-in.

    Every repository exists, and every commit in it, but those in ``missing`` (a path as browsers show it, or a hash).
    """

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.web_url = self.server.url
        self.url = f"{self.web_url}/rest"
        self.below_url = f"{self.web_url}/git"
        """The same server with the context path ``/git``, as ``GitHost.web_url`` has it."""
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.missing: set[str] = set()
        self.commits: Commits = {}
        self.display_name = ""
        """What the user is called whose e-mail address the commits have; Bitbucket knows none by it if empty."""
        self.public: set[str] = set()
        self.writers = {authorization(WRITER), authorization(USER)}
        self.readers = {authorization(READER)}
        self.newest: int | None = None
        """How many statuses of a commit are listed at most; the real one says 100."""
        self.words = set(STATES)
        """States that it knows; before 8.0 there is no CANCELLED."""
        self.statuses: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        """(``projects/KEY/repos/name``, commit) → key → what is stored."""
        self.violations: list[str] = []
        """Requests or answers that the description does not allow. Should stay empty."""
        self._clock = 1775000000000

    def __enter__(self) -> BitbucketServer:
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

    def store(self, repository: str, commit: str, *, context: str, state: str, description: str = "") -> None:
        """Put a status there, as if somebody had written it."""
        status = {"key": context, "state": WORDS.get(state, state), "description": description, "name": context}
        self._keep(repository, commit, status | {"url": "https://ci.example.com/"})

    def _keep(self, repository: str, commit: str, status: dict[str, Any]) -> None:
        self._clock += 1000
        kept = self.statuses.setdefault((repository, commit), {})
        made = kept.get(status["key"], {}).get("createdDate", self._clock)
        kept[status["key"]] = status | {"createdDate": made, "updatedDate": self._clock}

    def _act(self, asked: Asked) -> Answer:
        shown = asked.headers.get("authorization", "")
        if shown not in self.writers | self.readers:
            text = "Authentication failed. Please check your credentials and try again."
            return _refusal(401, text, "auth.IncorrectPasswordAuthenticationException")
        path = asked.path.removeprefix("/git").removeprefix("/rest")
        request = MockRequest(_PLACE, asked.method, f"/rest{path}", args=asked.query, data=asked.body)
        try:
            if asked.method == "POST" and asked.headers.get("x-atlassian-token") != "no-check":
                raise OpenAPIError("X-Atlassian-Token is missing")
            tightened().validate_request(request)
        except OpenAPIError as error:
            self.violations.append(f"{asked.method} {asked.path}: {_why(error)}")
            return _refusal(400, _why(error), "validation.ArgumentValidationException")
        answer = self._route(asked, path, shown in self.writers)
        if b"NoSuchCommitException" not in answer.body:
            self._check(request, answer)
        return answer._replace(headers={**answer.headers, "X-AUSERNAME": "robot"})

    def _check(self, request: MockRequest, answer: Answer) -> None:
        try:
            tightened().validate_response(request, MockResponse(answer.body, answer.status, dict(answer.headers)))
        except OpenAPIError as error:
            self.violations.append(f"the answer to {request.method} {request.path}: {_why(error)}")

    def _route(self, asked: Asked, path: str, writes: bool) -> Answer:
        if path == "/api/latest/projects":
            return _json(200, {"size": 0, "limit": 1, "isLastPage": True, "values": [], "start": 0})
        if path.startswith("/build-status/"):
            return self._list(asked, path.rpartition("/")[2])
        found = re.fullmatch(r"/api/latest/(projects/[^/]+/repos/[^/]+)(?:/commits/([^/]+)(/builds)?)?", path)
        assert found, path
        repository, commit = unquote(found[1]), found[2]
        if repository in self.missing:
            text = f"Repository {repository} does not exist."
            return _refusal(404, text, "repository.NoSuchRepositoryException")
        if not writes:
            return _refusal(401, "You are not permitted to access this resource", "AuthorisationException")
        if commit in self.missing:
            return self._no_commit(commit, repository)
        if not commit:
            return self._show(repository)
        if not found[3]:
            return self._commit(repository, commit)
        return (
            self._write(asked, repository, commit) if asked.method == "POST" else self._one(asked, repository, commit)
        )

    def _commit(self, repository: str, commit: str) -> Answer:
        pushed = self.commits.get((repository, commit), Pushed())
        person = {"name": pushed.author, "emailAddress": pushed.email}
        if self.display_name:
            person |= {"name": "jdoe", "displayName": self.display_name}
        shown = {"id": commit, "displayId": commit[:11], "message": pushed.message, "parents": []}
        dates = {"authorTimestamp": self._clock, "committerTimestamp": self._clock}
        return _json(200, shown | dates | {"author": person, "committer": person})

    def _no_commit(self, commit: str, where: str) -> Answer:
        """OURS: whether the real one looks, where a status is written, is not documented."""
        return _refusal(
            404, f"Commit '{commit}' does not exist in repository '{where}'.", "commit.NoSuchCommitException"
        )

    def _write(self, asked: Asked, repository: str, commit: str) -> Answer:
        status = json.loads(asked.body)
        if status["state"] not in self.words:
            return _refusal(400, f"{status['state']} is not a state", "validation.ArgumentValidationException")
        self._keep(repository, commit, status)
        return Answer(204)

    def _one(self, asked: Asked, repository: str, commit: str) -> Answer:
        status = self.statuses.get((repository, commit), {}).get(asked.query["key"])
        if status is None:
            text = f"There is no build status with the key {asked.query['key']}."
            return _refusal(404, text, "NoSuchObjectException")
        return _json(200, status)

    def _list(self, asked: Asked, commit: str) -> Answer:
        """Whatever the repository."""
        size, start = int(asked.query.get("limit", 25)), int(asked.query.get("start", 0))
        kept = [status for (_, of), keys in self.statuses.items() if of == commit for status in keys.values()]
        kept = sorted(kept, key=lambda status: -int(status["updatedDate"]))[: self.newest]
        last = len(kept) <= start + size
        listed = {"size": len(kept[start : start + size]), "limit": size, "start": start, "isLastPage": last}
        more = {} if last else {"nextPageStart": start + size}
        return _json(200, listed | more | {"values": kept[start : start + size]})

    def _show(self, repository: str) -> Answer:
        _, key, _, name = repository.split("/")
        project = {"key": key, "type": "PERSONAL" if key.startswith("~") else "NORMAL"}
        return _json(
            200, {"slug": name, "name": name, "id": 1, "project": project, "public": repository in self.public}
        )


def _refusal(status: int, message: str, exception: str) -> Answer:
    error = {"context": None, "message": message, "exceptionName": f"com.atlassian.bitbucket.{exception}"}
    return _json(status, {"errors": [error]})


def _json(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json;charset=UTF-8"})


def _why(error: BaseException) -> str:
    """The error and what it is about, in a line."""
    inner = getattr(error.__cause__, "schema_errors", None) or (error,)
    return "; ".join([type(error).__name__, *(str(getattr(one, "message", one))[:200] for one in inner)])
