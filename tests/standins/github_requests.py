"""A GitHub with pull requests, comments on them and repository dispatches, held against GitHub's own description.

What the description leaves open and the real server refuses is marked ``OURS``, as in ``standins.github``. GraphQL, of
which one question is answered (who am I?), is not in the description at all.
"""

from __future__ import annotations

import copy
import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from standins.server import Answer, Asked, StandIn

DESCRIPTION = Path(__file__).parent.parent / "data" / "hosts" / "github-openapi.json.gz"

#: Tokens it knows. They look like GitHub's, so that what hides them is tested with the real forms.
WRITER = "ghs_16C7e42F292c6912E7710c838347Ae178B4a"
READER = "ghs_0000e42F292c6912E7710c838347Ae17READ"
APP = "ghs_5555e42F292c6912E7710c838347Ae178APP"
PERSON = "github_pat_11ABCDEFG0aBcDeFgHiJkL_person"
CLASSIC = "ghp_9999e42F292c6912E7710c838347Ae178CLA"
NARROW = "ghp_1111e42F292c6912E7710c838347Ae178NAR"

WORKFLOW = "github-actions[bot]"


class Token(NamedTuple):
    """Who a token stands for, and what it may do."""

    login: str
    bot: bool = False
    writes: bool = True
    scopes: str | None = None
    """Of a classic token: what ``X-OAuth-Scopes`` says."""
    push: bool | None = None
    """What a repository's ``permissions`` say; None where there are none."""


TOKENS = {
    WRITER: Token(WORKFLOW, bot=True),
    READER: Token(WORKFLOW, bot=True, writes=False),
    APP: Token("landed-by-acme[bot]", bot=True),
    PERSON: Token("octocat"),
    CLASSIC: Token("octocat", scopes="repo, gist", push=True),
    NARROW: Token("octocat", writes=False, scopes="gist", push=True),
}

_PLACE = "https://api.github.com"
_COMMENTS = "/repos/{owner}/{repo}/issues/{issue_number}/comments"
_COMMENT = "/repos/{owner}/{repo}/issues/comments/{comment_id}"
_DISPATCHES = "/repos/{owner}/{repo}/dispatches"
_NOT_FOUND = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}


@cache
def _vendor() -> Any:
    return json.loads(gzip.decompress(DESCRIPTION.read_bytes()))


def _example(name: str) -> Any:
    return copy.deepcopy(_vendor()["components"]["examples"][name]["value"])


@cache
def tightened() -> OpenAPI:
    """GitHub's description, also of its Enterprise Server, with what the real ones are known to refuse besides."""
    description = copy.deepcopy(_vendor())
    description["servers"] = [{"url": f"{_PLACE}/api/v3"}, {"url": _PLACE}]
    paths = description["paths"]
    for path, way in ((_COMMENTS, "post"), (_COMMENT, "patch"), (_DISPATCHES, "post")):
        schema = paths[path][way]["requestBody"]["content"]["application/json"]["schema"]
        schema["additionalProperties"] = False  # OURS: nothing misspelt
        if "body" in schema["properties"]:
            schema["properties"]["body"] |= {"minLength": 1, "maxLength": 65_536}  # OURS: said in no schema
    return OpenAPI.from_dict(description)


class GitHubRequests:
    """The stand-in. As github.com under ``url``, as GitHub Enterprise Server under ``ghes_url``.

    Every repository exists, and every commit in it, but those in ``missing`` (``owner/name`` or a hash).
    """

    def __init__(self) -> None:
        tightened()  # takes a second, which no request should wait
        self.server = StandIn(self._act)
        self.url = self.server.url
        self.ghes_url = f"{self.url}/api/v3"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.missing: set[str] = set()
        self.private: set[str] = set()
        self.renamed: dict[str, str] = {}
        self.locked: set[int] = set()
        self.graphql = True
        """Whether GraphQL tells who asks."""
        self.tokens = dict(TOKENS)
        self.comments: dict[int, list[dict[str, Any]]] = {7: []}
        """Number of the pull request → comments, oldest first."""
        self.pulls: dict[str, list[dict[str, Any]]] = {}
        """Commit → pull requests."""
        self.dispatches: list[dict[str, Any]] = []
        self.violations: list[str] = []
        """Requests or answers that GitHub's description does not allow. Should stay empty."""
        self._count = 100

    def __enter__(self) -> GitHubRequests:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    @property
    def writes(self) -> list[Asked]:
        """What was to change something: the questions to GraphQL are not."""
        return [asked for asked in self.asked if asked.method != "GET" and not asked.path.endswith("/graphql")]

    @property
    def reads(self) -> list[str]:
        """The paths that were read."""
        return [asked.path for asked in self.asked if asked.method == "GET"]

    def bodies(self, number: int = 7) -> list[str]:
        """What the comments on a pull request say, oldest first."""
        return [comment["body"] for comment in self.comments[number]]

    def pull(self, commit: str, number: int, repository: str = "acme/fleet", **fields: Any) -> None:
        """Say of ``commit`` that it belongs to this pull request, which is open if ``fields`` say nothing else."""
        (entry,) = _example("pull-request-simple-items")[:1]
        entry |= {"number": number, "state": "open", "merged_at": None, "merge_commit_sha": None}
        entry["requested_teams"] = []  # the example's does not follow its own schema
        entry["base"]["repo"]["full_name"] = repository
        entry["head"]["sha"] = fields.pop("head", "0" * 40)
        self.pulls.setdefault(commit, []).append(entry | fields)
        self.comments.setdefault(number, [])

    def comment(self, body: str, login: str = "mallory", number: int = 7, repository: str = "acme/fleet") -> int:
        """Put a comment there, as if somebody had written it, and give its id."""
        self._count += 1
        base = f"{self.url}/repos/{repository}/issues"
        entry = _example("issue-comment")
        entry |= {"id": self._count, "body": body, "issue_url": f"{base}/{number}"}
        entry |= {"url": f"{base}/comments/{self._count}", "performed_via_github_app": None}
        entry["user"] |= {"login": login, "type": "Bot" if login.endswith("[bot]") else "User"}
        self.comments.setdefault(number, []).append(entry)
        return self._count

    def _act(self, asked: Asked) -> Answer:
        token = self.tokens.get(asked.headers.get("authorization", "").split(" ", 1)[-1])
        if token is None:
            return _json(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"})
        if asked.path in ("/graphql", "/api/graphql"):
            return self._viewer(asked, token)
        request = MockRequest(_PLACE, asked.method, asked.path, args=asked.query, data=asked.body)
        try:
            tightened().validate_request(request)
        except OpenAPIError as error:
            self.violations.append(f"{asked.method} {asked.path}: {_why(error)}")
            return _json(422, {"message": "Validation Failed", "errors": [{"message": _why(error)}]})
        answer = self._route(asked, token)
        self._check(request, answer)
        return answer

    def _check(self, request: MockRequest, answer: Answer) -> None:
        if answer.status in (301, 307, 401, 403, 422) or (answer.status == 404 and "/dispatches" not in request.path):
            return  # documented in prose only, or not for every path
        try:
            tightened().validate_response(request, MockResponse(answer.body, answer.status, dict(answer.headers)))
        except OpenAPIError as error:
            self.violations.append(f"the answer to {request.method} {request.path}: {_why(error)}")

    def _viewer(self, asked: Asked, token: Token) -> Answer:
        if "viewer{login}" not in re.sub(r"\s", "", json.loads(asked.body)["query"]):
            self.violations.append(f"GraphQL was asked something else: {asked.body!r}")
        if not self.graphql:
            return _json(200, {"data": None, "errors": [{"type": "FORBIDDEN", "message": "no"}]})
        return _json(200, {"data": {"viewer": {"login": token.login}}})

    def _route(self, asked: Asked, token: Token) -> Answer:
        path = asked.path.removeprefix("/api/v3")
        if path == "/rate_limit":
            return _json(200, _example("rate-limit-overview"))
        if path == "/user":
            return self._user(token)
        found = re.fullmatch(r"/repos/([^/]+/[^/]+)((?:/.*)?)", path)
        assert found, path
        repository, rest = found.groups()
        if repository in self.renamed:
            location = self.url + asked.target.replace(repository, self.renamed[repository])
            return _json(301 if asked.method == "GET" else 307, {"message": "Moved"}, {"Location": location})
        if unquote(repository) in self.missing:
            return _json(404, _NOT_FOUND)
        if not rest:
            return self._show(repository, token)
        return self._below(asked, token, repository, rest)

    def _below(self, asked: Asked, token: Token, repository: str, rest: str) -> Answer:
        if commit := re.fullmatch(r"/commits/([^/]+)/pulls", rest):
            if commit[1] in self.missing:
                return _json(422, {"message": f"No commit found for SHA: {commit[1]}"})
            return self._page(asked, self.pulls.get(commit[1], []))
        if asked.method != "GET" and not token.writes:
            text = "Resource not accessible by integration"
            return _json(403, {"message": text}, {"X-Accepted-GitHub-Permissions": "issues=write; pull_requests=write"})
        if rest == "/dispatches":
            return self._dispatch(asked)
        if one := re.fullmatch(r"/issues/comments/(\d+)", rest):
            return self._one(asked, int(one[1]))
        every = re.fullmatch(r"/issues/(\d+)/comments", rest)
        assert every, rest
        number = int(every[1])
        if number not in self.comments:
            return _json(404, _NOT_FOUND)
        if asked.method == "GET":
            return self._page(asked, self.comments[number])
        if number in self.locked:
            return _json(403, {"message": "Unable to create comment because issue is locked."})
        self.comment(json.loads(asked.body)["body"], token.login, number, repository)
        return _json(201, self.comments[number][-1])

    def _one(self, asked: Asked, id_: int) -> Answer:
        place = next((all_ for all_ in self.comments.values() if any(one["id"] == id_ for one in all_)), None)
        if place is None:
            return _json(404, _NOT_FOUND)
        entry = next(one for one in place if one["id"] == id_)
        if asked.method == "DELETE":
            place.remove(entry)
            return Answer(204)
        if asked.method == "PATCH":
            entry["body"] = json.loads(asked.body)["body"]
        return _json(200, entry)

    def _dispatch(self, asked: Asked) -> Answer:
        event = json.loads(asked.body)
        if len(asked.body) > 65_535:  # OURS: said in prose only
            return _json(422, {"message": "client_payload is too large."})
        self.dispatches.append(event)
        return Answer(204)

    def _user(self, token: Token) -> Answer:
        if token.bot:
            return _json(403, {"message": "Resource not accessible by integration"})
        user = _example("private-user-response-with-public-and-private-profile-information")
        return _json(200, user | {"login": token.login, "user_view_type": "private"})

    def _page(self, asked: Asked, stored: list[dict[str, Any]]) -> Answer:
        size, page = int(asked.query.get("per_page", 30)), int(asked.query.get("page", 1))
        headers = {}
        if len(stored) > page * size:
            here = f"{self.url}{asked.path}?per_page={size}"
            headers["Link"] = f'<{here}&page={page + 1}>; rel="next"'
        return _json(200, stored[(page - 1) * size : page * size], headers)

    def _show(self, repository: str, token: Token) -> Answer:
        shown = _example("full-repository-default-response")
        for inner in ("source", "parent", "template_repository", "permissions"):
            shown.pop(inner, None)  # the example does not follow its own schema in them
        owner, name = repository.split("/")
        shown |= {"name": name, "full_name": repository, "private": repository in self.private, "language": None}
        shown["owner"]["login"] = owner
        if token.push is not None:
            shown["permissions"] = {"admin": False, "push": token.push, "pull": True}
        headers = {"X-OAuth-Scopes": token.scopes} if token.scopes is not None else {}
        return _json(200, shown, headers)


def _json(status: int, value: Any, headers: dict[str, str] | None = None) -> Answer:
    limits = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4987", "X-RateLimit-Reset": "1893456000"}
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Answer(status, json.dumps(value).encode(), {**kind, **limits, **(headers or {})})


def _why(error: BaseException) -> str:
    """The error and what it is about, in a line."""
    inner = getattr(error.__cause__, "schema_errors", None) or (error,)
    return "; ".join([type(error).__name__, *(str(getattr(one, "message", one))[:200] for one in inner)])
