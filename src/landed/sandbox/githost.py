"""A small Git host: commits, their statuses, and the part of GitHub's REST API that deals with both.

Like the real one it checks what it is sent. https://docs.github.com/en/rest/commits/statuses
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from landed.sandbox.objects import now
from landed.sandbox.web import Request, Response, json_response

API = "/api/v3"
STATES = ("error", "failure", "pending", "success")
DESCRIPTION_LIMIT = 140
STATUSES_PER_CONTEXT = 1000

_DOCS = "https://docs.github.com/rest"


class Commit(Struct, frozen=True):
    """A commit as a Git host lists it."""

    sha: str
    title: str
    author: str
    date: str
    """RFC 3339"""


class Status(Struct, frozen=True):
    """One status that somebody wrote."""

    id: int
    state: str
    context: str
    description: str
    target_url: str
    created_at: str


class Refusal(Exception):
    """An answer that is not what the client hoped for."""

    def __init__(self, status: int, message: str, errors: Sequence[object] = ()) -> None:
        super().__init__(message)
        body = {"message": message, "documentation_url": _DOCS, "status": str(status)}
        self.response = json_response(body | ({"errors": list(errors)} if errors else {}), status)


class GitHost:
    """Repositories, their commits and all statuses. Safe to use from many threads."""

    def __init__(self, token: str = "", now: Callable[[], str] = now) -> None:
        self.url = ""
        """Where it is reached from outside; known once the server runs."""
        self.requests: list[str] = []
        """``METHOD PATH`` of every API request, oldest first."""
        self._token = token
        self._now = now
        self._lock = threading.RLock()
        self._commits: dict[str, list[Commit]] = {}
        self._statuses: dict[tuple[str, str], list[Status]] = {}
        self._written = 0

    @property
    def written(self) -> int:
        """How many statuses were ever taken."""
        return self._written

    def push(self, repository: str, commit: Commit) -> None:
        """Add a commit to ``owner/name``, made if need be."""
        with self._lock:
            self._commits.setdefault(repository, []).insert(0, commit)

    def commits(self) -> list[tuple[str, Commit]]:
        """Every commit with its repository, newest first."""
        with self._lock:
            listed = [(repository, commit) for repository, all_ in self._commits.items() for commit in all_]
        return sorted(listed, key=lambda entry: entry[1].date, reverse=True)

    def statuses(self, repository: str, sha: str) -> list[Status]:
        """The newest status of each context of a commit, by context."""
        newest: dict[str, Status] = {}
        for status in self.history(repository, sha):
            newest.setdefault(status.context, status)
        return [newest[context] for context in sorted(newest)]

    def history(self, repository: str, sha: str) -> list[Status]:
        """Every status of a commit, newest first."""
        with self._lock:
            return list(reversed(self._statuses.get((repository, sha), [])))

    def answer(self, request: Request) -> Response:
        """The answer to a request below ``/api/v3``; never raises."""
        self.requests.append(f"{request.method} {request.path}")
        try:
            response = self._route(request)
        except Refusal as refusal:
            response = refusal.response
        headers = {"X-GitHub-Media-Type": "github.v3; format=json", "X-OAuth-Scopes": "repo:status"}
        return msgspec.structs.replace(response, headers={**headers, **response.headers})

    def _route(self, request: Request) -> Response:
        self._authenticate(request)
        path = request.path.removeprefix(API)
        for method, pattern, handler in _ROUTES:
            if request.method == method and (found := pattern.fullmatch(path)):
                return handler(self, request, *found.groups())
        raise Refusal(404, "Not Found")

    def _authenticate(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not self._token:
            return
        if not token:
            raise Refusal(401, "Requires authentication")
        if scheme.lower() not in ("token", "bearer") or token.strip() != self._token:
            raise Refusal(401, "Bad credentials")

    def _known(self, repository: str) -> list[Commit]:
        commits = self._commits.get(repository)
        if commits is None:
            raise Refusal(404, "Not Found")
        return commits

    def _commit(self, repository: str, sha: str) -> Commit:
        commit = next((commit for commit in self._known(repository) if commit.sha == sha), None)
        if commit is None:
            raise Refusal(422, f"No commit found for SHA: {sha}")
        return commit

    def write(self, request: Request, repository: str, sha: str) -> Response:
        """``POST /repos/{owner}/{repo}/statuses/{sha}``."""
        with self._lock:
            self._commit(repository, sha)
            sent = _checked(request)
            history = self._statuses.setdefault((repository, sha), [])
            if sum(status.context == sent["context"] for status in history) >= STATUSES_PER_CONTEXT:
                why = "This SHA and context has reached the maximum number of statuses."
                raise Refusal(422, "Validation Failed", [{"resource": "Status", "code": "custom", "message": why}])
            self._written += 1
            status = Status(self._written, created_at=self._now(), **sent)
            history.append(status)
        return json_response(self._shown(repository, sha, status), 201)

    def list_statuses(self, request: Request, repository: str, sha: str) -> Response:
        """``GET /repos/{owner}/{repo}/commits/{sha}/statuses``."""
        self._commit(repository, sha)
        number, size = _number(request, "page", 1), min(_number(request, "per_page", 30), 100)
        history = self.history(repository, sha)
        begin = (number - 1) * size
        shown = [self._shown(repository, sha, status) for status in history[begin : begin + size]]
        pages = max(1, -(-len(history) // size))
        return json_response(shown, headers=self._links(request, number, size, pages))

    def combined(self, _request: Request, repository: str, sha: str) -> Response:
        """``GET /repos/{owner}/{repo}/commits/{sha}/status``."""
        self._commit(repository, sha)
        newest = self.statuses(repository, sha)
        shown = [self._shown(repository, sha, status) for status in newest]
        states = {status.state for status in newest}
        state = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
        return json_response({"state": state, "sha": sha, "total_count": len(shown), "statuses": shown})

    def show_commit(self, _request: Request, repository: str, sha: str) -> Response:
        """``GET /repos/{owner}/{repo}/commits/{sha}``."""
        commit = self._commit(repository, sha)
        author = {"name": commit.author, "email": "nobody@example.com", "date": commit.date}
        inner = {"message": commit.title, "author": author, "committer": author}
        page = f"{self.url}/{repository}/commit/{sha}"
        url = f"{self.url}{API}/repos/{repository}/commits/{sha}"
        return json_response({"sha": sha, "url": url, "html_url": page, "commit": inner, "author": None, "parents": []})

    def show_git_commit(self, _request: Request, repository: str, sha: str) -> Response:
        """``GET /repos/{owner}/{repo}/git/commits/{sha}``."""
        commit = self._commit(repository, sha)
        author = {"name": commit.author, "email": "nobody@example.com", "date": commit.date}
        page, url = f"{self.url}/{repository}/commit/{sha}", f"{self.url}{API}/repos/{repository}/git/commits/{sha}"
        shown = {"sha": sha, "url": url, "html_url": page, "message": commit.title, "author": author}
        return json_response(shown | {"committer": author, "parents": []})

    def show_repository(self, _request: Request, repository: str) -> Response:
        """``GET /repos/{owner}/{repo}``."""
        self._known(repository)
        owner, _, name = repository.partition("/")
        rights = {"admin": False, "maintain": False, "push": True, "triage": True, "pull": True}
        return json_response(
            {
                "id": 1,
                "name": name,
                "full_name": repository,
                "owner": {"login": owner, "id": 1, "type": "Organization"},
                "private": False,
                "html_url": f"{self.url}/{repository}",
                "url": f"{self.url}{API}/repos/{repository}",
                "default_branch": "main",
                "permissions": rights,
            }
        )

    def rate_limit(self, _request: Request) -> Response:
        """``GET /rate_limit``: this host has none, which GitHub Enterprise Server says with 404."""
        raise Refusal(404, "Rate limiting is not enabled.")

    def _shown(self, repository: str, sha: str, status: Status) -> dict[str, Any]:
        url = f"{self.url}{API}/repos/{repository}/statuses/{sha}"
        return {
            "url": url,
            "id": status.id,
            "node_id": f"SC_{status.id}",
            "avatar_url": None,
            "state": status.state,
            "description": status.description or None,
            "target_url": status.target_url or None,
            "context": status.context,
            "created_at": status.created_at,
            "updated_at": status.created_at,
            "creator": None,
        }

    def _links(self, request: Request, number: int, size: int, pages: int) -> Mapping[str, str]:
        def link(page: int, rel: str) -> str:
            query = urlencode({**request.query, "per_page": size, "page": page})
            return f'<{self.url}{request.path}?{query}>; rel="{rel}"'

        links = [link(number - 1, "prev")] if number > 1 else []
        if number < pages:
            links += [link(number + 1, "next"), link(pages, "last")]
        if number > 1:
            links.append(link(1, "first"))
        return {"Link": ", ".join(links)} if links else {}


_REPOSITORY = r"/repos/([\w.-]+/[\w.-]+)"
_SHA = r"([^/]+)"
_ROUTES: tuple[tuple[str, re.Pattern[str], Callable[..., Response]], ...] = (
    ("POST", re.compile(f"{_REPOSITORY}/statuses/{_SHA}"), GitHost.write),
    ("GET", re.compile(f"{_REPOSITORY}/commits/{_SHA}/statuses"), GitHost.list_statuses),
    ("GET", re.compile(f"{_REPOSITORY}/statuses/{_SHA}"), GitHost.list_statuses),
    ("GET", re.compile(f"{_REPOSITORY}/commits/{_SHA}/status"), GitHost.combined),
    ("GET", re.compile(f"{_REPOSITORY}/commits/{_SHA}"), GitHost.show_commit),
    ("GET", re.compile(f"{_REPOSITORY}/git/commits/{_SHA}"), GitHost.show_git_commit),
    ("GET", re.compile(_REPOSITORY), GitHost.show_repository),
    ("GET", re.compile("/rate_limit"), GitHost.rate_limit),
)


def _checked(request: Request) -> dict[str, str]:
    """The members of a status, or Refusal 400 or 422."""
    try:
        sent = request.json()
    except msgspec.DecodeError:
        raise Refusal(400, "Problems parsing JSON") from None
    if not isinstance(sent, dict):
        raise Refusal(400, "Body should be a JSON object")
    if sent.get("state") not in STATES:
        raise _invalid("state", "state is not included in the list")
    status = {"state": sent["state"]}
    for field, default in (("context", "default"), ("description", ""), ("target_url", "")):
        value = sent.get(field)
        if not isinstance(value, str | None):
            raise Refusal(422, f"Invalid request.\n\nFor 'properties/{field}', {value!r} is not a string.")
        status[field] = value or default
    if len(status["description"]) > DESCRIPTION_LIMIT:
        raise _invalid("description", f"description is too long (maximum is {DESCRIPTION_LIMIT} characters)")
    if len(status["context"]) > 255:
        raise _invalid("context", "context is too long (maximum is 255 characters)")
    if status["target_url"] and not status["target_url"].startswith(("http://", "https://")):
        raise _invalid("target_url", "target_url must use http(s) scheme")
    return status


def _invalid(field: str, why: str) -> Refusal:
    error = {"resource": "Status", "code": "custom", "field": field, "message": why}
    return Refusal(422, "Validation Failed", [error])


def _number(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return max(1, int(text)) if text.isdecimal() else default
