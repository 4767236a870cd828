"""A GitHub that keeps commit statuses, and holds every request and every answer against GitHub's own description.

The description is data (``github-openapi.md`` beside it says where from). It leaves some things open that the real
server refuses; those are added here, each marked ``OURS``. What else a GitHub keeps is in files of its own, which add
their ``routes`` to this one: ``github_checks.py``, ``github_deployments.py``, ``github_app.py``.
"""

from __future__ import annotations

import copy
import gzip
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from standins.commits import Commits, Pushed
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

DESCRIPTION = Path(__file__).parent.parent / "data" / "hosts" / "github-openapi.json.gz"
STATUSES_LIMIT = 1000

#: Tokens it knows. They look like GitHub's, so that what hides them is tested with the real forms.
WRITER = "ghs_16C7e42F292c6912E7710c838347Ae178B4a"
READER = "ghs_0000e42F292c6912E7710c838347Ae17READ"
CLASSIC = "ghp_9999e42F292c6912E7710c838347Ae178CLA"
PERSONAL = "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyzPERSONAL"
NARROW = "ghp_1111e42F292c6912E7710c838347Ae178NAR"
BLIND = "ghs_2222e42F292c6912E7710c838347Ae1BLIND"


class Token(NamedTuple):
    """What a token may do."""

    writes: bool = True
    scopes: str | None = None
    """Of a classic token: what ``X-OAuth-Scopes`` says."""
    reads: bool = True
    """Whether it may see what is in a repository."""
    push: bool | None = None
    """What a repository's ``permissions`` say; None where there are none."""


TOKENS = {
    WRITER: Token(),
    READER: Token(writes=False),
    CLASSIC: Token(scopes="repo:status, gist", push=True),
    PERSONAL: Token(push=True),
    BLIND: Token(reads=False),
    NARROW: Token(writes=False, scopes="gist", push=True),
}


@cache
def vendor() -> Any:
    """GitHub's description, as it is."""
    return json.loads(gzip.decompress(DESCRIPTION.read_bytes()))


#: Where the description says that the API is; what stands before it in a real address does not matter to it.
_PLACE = "https://api.github.com"


@cache
def tightened() -> OpenAPI:
    """GitHub's description, also of its Enterprise Server, with what the real ones are known to refuse besides."""
    description = copy.deepcopy(vendor())
    description["servers"] = [{"url": f"{_PLACE}/api/v3"}, {"url": _PLACE}]
    write = description["paths"]["/repos/{owner}/{repo}/statuses/{sha}"]["post"]
    body = write["requestBody"]["content"]["application/json"]["schema"]
    body["additionalProperties"] = False  # OURS: nothing misspelt
    body["properties"]["description"]["maxLength"] = 140  # OURS: said in no schema
    body["properties"]["context"]["maxLength"] = 255  # OURS
    body["properties"]["target_url"]["pattern"] = "^https?://"  # OURS: "must use http(s) scheme"
    sha = next(parameter for parameter in write["parameters"] if parameter.get("name") == "sha")
    sha["schema"]["pattern"] = "^[0-9a-f]{40}$"  # OURS: a whole hash
    # Said to be nullable, and null is not in the list. OURS: it is, as in GitHub's own examples.
    description["components"]["schemas"]["check-run"]["properties"]["conclusion"]["enum"].append(None)
    shown = description["paths"]["/repos/{owner}/{repo}/git/commits/{commit_sha}"]["get"]
    whole = copy.deepcopy(description["components"]["parameters"]["commit-sha"])
    whole["schema"]["pattern"] = "^[0-9a-f]{40}$"  # OURS
    shown["parameters"] = [*shown["parameters"][:2], whole]
    for path in ("/orgs/{org}/installation", "/users/{username}/installation"):  # OURS: said of repositories only
        description["paths"][path]["get"]["responses"]["404"] = {"$ref": "#/components/responses/not_found"}
    _tighten_checks(description["paths"])
    _tighten_deployments(description["paths"])
    return OpenAPI.from_dict(description)


def _body(operation: Any) -> Any:
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    schema["additionalProperties"] = False  # OURS: nothing misspelt
    return schema["properties"]


def _tighten_checks(paths: Any) -> None:
    make = paths["/repos/{owner}/{repo}/check-runs"]["post"]
    change = paths["/repos/{owner}/{repo}/check-runs/{check_run_id}"]["patch"]
    for operation in (make, change):
        body = _body(operation)
        body["name"]["maxLength"] = body["external_id"]["maxLength"] = 255  # OURS
        body["details_url"]["pattern"] = "^https?://"  # OURS
        body["output"]["additionalProperties"] = False  # OURS
        body["output"]["properties"]["title"] |= {"minLength": 1, "maxLength": 255}  # OURS
        body["output"]["properties"]["summary"]["minLength"] = 1  # OURS
        body["status"]["enum"] = ["queued", "in_progress", "completed"]  # OURS: the others are for Actions only
    _body(make)["head_sha"]["pattern"] = "^[0-9a-f]{40}$"  # OURS: a whole hash
    change["requestBody"]["content"]["application/json"]["schema"]["required"] = ["status"]  # OURS
    # The description's own ``anyOf`` says what goes with a conclusion; it says so for changes only. OURS: for both.
    schemas = [way["requestBody"]["content"]["application/json"]["schema"] for way in (make, change)]
    schemas[0]["anyOf"] = copy.deepcopy(schemas[1]["anyOf"])


def _tighten_deployments(paths: Any) -> None:
    make = _body(paths["/repos/{owner}/{repo}/deployments"]["post"])
    make["ref"]["pattern"] = "^[0-9a-f]{40}$"  # OURS: a whole hash
    make["description"]["maxLength"] = 140  # OURS
    make["environment"]["maxLength"] = 255  # OURS
    tell = _body(paths["/repos/{owner}/{repo}/deployments/{deployment_id}/statuses"]["post"])
    tell["description"]["maxLength"] = 140  # OURS: said in prose
    tell["environment_url"]["pattern"] = tell["log_url"]["pattern"] = "^https?://"  # OURS


#: What is done about a request: the groups of its path, and whose it is.
Handler = Callable[[Asked, "Token", "re.Match[str]"], Answer]


class GitHub:
    """The stand-in. As github.com under ``url``, as GitHub Enterprise Server under ``ghes_url``.

    Every repository exists, and every commit in it, but those in ``missing`` (``owner/name`` or a hash).
    """

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.url = self.server.url
        self.web_url = self.url
        self.ghes_url = f"{self.url}/api/v3"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.missing: set[str] = set()
        self.commits: Commits = {}
        self.private: set[str] = set()
        self.renamed: dict[str, str] = {}
        self.tokens = dict(TOKENS)
        self.statuses: dict[tuple[str, str], list[dict[str, Any]]] = {}
        """(``owner/name``, commit) → what is stored, newest first."""
        self.routes: list[tuple[str, str, Handler]] = []
        """Method, path (a pattern) and what to do, of what this GitHub keeps beside statuses."""
        self.admit: Callable[[str], Token | Answer | None] = self.tokens.get
        """What the credential of a request may do; None where it is unknown."""
        self.violations: list[str] = []
        """Requests or answers that GitHub's description does not allow. Should stay empty."""
        self._count = 0
        tightened()  # takes longer than some tests let an answer take

    def __enter__(self) -> GitHub:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    @property
    def writes(self) -> list[Asked]:
        """Everything but the GETs that arrived."""
        return [asked for asked in self.asked if asked.method != "GET"]

    def contexts(self, repository: str, commit: str) -> dict[str, tuple[str, str]]:
        """Context → newest (state, description)."""
        stored = reversed(self.statuses.get((repository, commit), []))
        return {status["context"]: (status["state"], status["description"] or "") for status in stored}

    def store(self, repository: str, commit: str, **status: str) -> dict[str, Any]:
        """Put a status there, as if somebody had written it."""
        base = f"{self.url}/repos/{repository}/statuses/{commit}"
        entry: dict[str, Any] = copy.deepcopy(vendor()["components"]["examples"]["status"]["value"])
        entry |= {"url": base, "id": self.count(), "description": None, "target_url": None, "context": "default"}
        entry |= status
        self.statuses.setdefault((repository, commit), []).insert(0, entry)
        return entry

    def count(self) -> int:
        """The next id."""
        self._count += 1
        return self._count

    def _act(self, asked: Asked) -> Answer:
        token = self.admit(asked.headers.get("authorization", "").split(" ", 1)[-1])
        if isinstance(token, Answer):
            return token
        if token is None:
            return json_answer(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"})
        request = MockRequest(_PLACE, asked.method, asked.path, args=asked.query, data=asked.body)
        try:
            tightened().validate_request(request)
        except OpenAPIError as error:
            self.violations.append(f"{asked.method} {asked.path}: {_why(error)}")
            return json_answer(422, {"message": "Validation Failed", "errors": [{"message": _why(error)}]})
        answer = self._route(asked, token)
        self._check(request, answer)
        return answer

    def _check(self, request: MockRequest, answer: Answer) -> None:
        if answer.status in (301, 403, 422) or (answer.status >= 300 and request.method != "get"):
            return  # documented in prose only
        try:
            tightened().validate_response(request, MockResponse(answer.body, answer.status, dict(answer.headers)))
        except OpenAPIError as error:
            self.violations.append(f"the answer to {request.method} {request.path}: {_why(error)}")

    def _route(self, asked: Asked, token: Token) -> Answer:
        path = asked.path.removeprefix("/api/v3")
        if path == "/rate_limit":
            return json_answer(200, vendor()["components"]["examples"]["rate-limit-overview"]["value"])
        repository = "/".join(path.split("/")[2:4]) if path.startswith("/repos/") else ""
        if repository in self.renamed:
            location = self.url + asked.path.replace(repository, self.renamed[repository])
            return json_answer(301 if asked.method == "GET" else 307, {"message": "Moved"}, {"Location": location})
        if repository in self.missing:
            return json_answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})
        for method, pattern, handler in self.routes:
            match = re.fullmatch(pattern, path)
            if match and method == asked.method:
                return handler(asked, token, match)
        shown = re.fullmatch(r"/repos/[^/]+/[^/]+/git/commits/([^/]+)", path)
        if shown:
            return self._commit(repository, shown[1], token)
        found = re.fullmatch(r"/repos/([^/]+/[^/]+)(?:/commits/([^/]+)/statuses|/statuses/([^/]+))?", path)
        assert found, path
        _, listed, written = found.groups()
        if (listed or written) in self.missing:
            return self.no_commit(listed or written)
        if written:
            return self._write(repository, written, json.loads(asked.body), token)
        return self._list(asked, repository, listed) if listed else self._show(repository, token)

    def no_commit(self, commit: str) -> Answer:
        """What is said of a commit that is not there."""
        return json_answer(422, {"message": f"No commit found for SHA: {commit}"})

    def read_only(self, permission: str) -> Answer:
        """What a token is told that may not write."""
        text = "Resource not accessible by integration"
        return json_answer(403, {"message": text}, {"X-Accepted-GitHub-Permissions": f"{permission}=write"})

    def _write(self, repository: str, commit: str, status: dict[str, str], token: Token) -> Answer:
        if not token.writes:
            return self.read_only("statuses")
        context = status.get("context", "default")
        kept = [entry for entry in self.statuses.get((repository, commit), ()) if entry["context"] == context]
        if len(kept) >= STATUSES_LIMIT:
            text = "This SHA and context has reached the maximum number of statuses."
            return json_answer(422, {"message": "Validation Failed", "errors": [{"code": "custom", "message": text}]})
        return json_answer(201, self.store(repository, commit, **status))

    def _list(self, asked: Asked, repository: str, commit: str) -> Answer:
        return self.page(asked, self.statuses.get((repository, commit), []))

    def _commit(self, repository: str, commit: str, token: Token) -> Answer:
        if not token.reads:
            text, needed = "Resource not accessible by integration", {"X-Accepted-GitHub-Permissions": "contents=read"}
            return json_answer(403, {"message": text}, needed)
        if commit in self.missing:
            return json_answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})
        pushed = self.commits.get((repository, commit), Pushed())
        entry: dict[str, Any] = copy.deepcopy(vendor()["components"]["examples"]["git-commit-2"]["value"])
        person = {"name": pushed.author, "email": pushed.email, "date": pushed.at}
        entry |= {"sha": commit, "message": pushed.message, "author": person, "committer": person}
        return json_answer(200, entry | {"html_url": f"{self.web_url}/{repository}/commit/{commit}"})

    def page(self, asked: Asked, stored: list[dict[str, Any]], key: str = "") -> Answer:
        """One page of what is stored, as a list or as the member ``key``."""
        size, page = int(asked.query.get("per_page", 30)), int(asked.query.get("page", 1))
        headers = {}
        if len(stored) > page * size:
            query = urlencode(asked.query | {"page": page + 1})
            last = urlencode(asked.query | {"page": -(-len(stored) // size)})
            here = f"{self.url}{asked.path}"
            headers["Link"] = f'<{here}?{query}>; rel="next", <{here}?{last}>; rel="last"'
        entries = stored[(page - 1) * size : page * size]
        return json_answer(200, {"total_count": len(stored), key: entries} if key else entries, headers)

    def _show(self, repository: str, token: Token) -> Answer:
        shown = copy.deepcopy(vendor()["components"]["examples"]["full-repository-default-response"]["value"])
        for inner in ("source", "parent", "template_repository", "permissions"):
            shown.pop(inner, None)  # the example does not follow its own schema in them
        owner, name = repository.split("/")
        shown |= {"name": name, "full_name": repository, "private": repository in self.private}
        shown["language"] = None  # required, and missing in the example
        shown["owner"]["login"] = owner
        if token.push is not None:
            shown["permissions"] = {"admin": False, "push": token.push, "pull": True}
        headers = {"X-OAuth-Scopes": token.scopes} if token.scopes is not None else {}
        return json_answer(200, shown, headers)


def json_answer(status: int, value: Any, headers: dict[str, str] | None = None) -> Answer:
    """An answer as GitHub gives it."""
    limits = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4987", "X-RateLimit-Reset": "1893456000"}
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Answer(status, json.dumps(value).encode(), {**kind, **limits, **(headers or {})})


def _why(error: BaseException) -> str:
    """The error and what it is about, in a line."""
    inner = getattr(error.__cause__, "schema_errors", None) or (error,)
    return "; ".join([type(error).__name__, *(str(getattr(one, "message", one))[:200] for one in inner)])
