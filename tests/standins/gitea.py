"""A Gitea that keeps commit statuses and comments, and holds every request and answer against Gitea's own description.

The description is data (``gitea-openapi.md`` beside it says where from). It leaves things open that the real server
refuses or does otherwise; those are added here, each marked ``OURS``.
"""

from __future__ import annotations

import copy
import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from standins.commits import Commits, Pushed
from standins.server import Answer, Asked, StandIn

DESCRIPTION = Path(__file__).parent.parent / "data" / "hosts" / "gitea-openapi.json.gz"

#: Tokens it knows: forty hexadecimal digits, as Gitea's are.
WRITER = "0a16c7e42f292c6912e7710c838347ae178b4a11"
READER = "0b0000e42f292c6912e7710c838347ae17000022"
NARROW = "0c1111e42f292c6912e7710c838347ae17111133"

#: Token → its user and scopes.
TOKENS = {
    WRITER: ("landed-bot", {"write:repository", "write:issue", "read:user"}),
    READER: ("reader", {"read:repository", "read:issue", "read:user"}),
    NARROW: ("landed-bot", {"write:repository"}),
}
_PLACE = "https://git.example.com"
_WORDS = {"success": "success", "failure": "failure", "pending": "pending", "superseded": "warning"}
_STATES = {word: state for state, word in _WORDS.items()} | {"error": "failure"}
_AT = "2026-08-20T09:15:42Z"


@cache
def _vendor() -> Any:
    return json.loads(gzip.decompress(DESCRIPTION.read_bytes()))


@cache
def tightened() -> OpenAPI:
    """Gitea's description, with what the real one is known to refuse or to have besides."""
    description = copy.deepcopy(_vendor())
    description["servers"] = [{"url": f"{_PLACE}/api/v1"}, {"url": f"{_PLACE}/sub/path/api/v1"}]
    schemas, paths = description["components"]["schemas"], description["paths"]
    # OURS: the states it knows, which are in the description's prose only
    schemas["CommitStatusState"]["enum"] = ["pending", "success", "error", "failure", "warning", "skipped"]
    body = schemas["CreateStatusOption"]
    body["additionalProperties"] = False  # OURS: nothing misspelt
    body["required"] = ["state", "context", "description"]  # OURS: what we always say
    body["properties"]["target_url"]["pattern"] = "^https?://"  # OURS
    schemas["CommitStatus"]["required"] = ["id", "status", "context", "description"]  # OURS
    for name in ("CreateIssueCommentOption", "EditIssueCommentOption"):
        schemas[name]["additionalProperties"] = False  # OURS
        schemas[name]["properties"]["body"]["minLength"] = 1  # OURS
    for operation in (way for ways in paths.values() for way in ways.values()):
        for parameter in operation.get("parameters", ()):
            if parameter.get("name") in ("sha", "ref"):
                parameter["schema"]["pattern"] = "^[0-9a-f]{40}$"  # OURS: a whole hash
    schemas["Commit"]["required"] = ["sha", "html_url", "commit"]  # OURS
    for name in ("author", "committer"):  # OURS: null, where it is no user's address
        schemas["Commit"]["properties"][name] = {**schemas["User"], "nullable": True}
    shown = paths["/repos/{owner}/{repo}/git/commits/{sha}"]
    words = ({"name": name, "in": "query", "schema": {"type": "boolean"}} for name in ("stat", "verification", "files"))
    shown["get"]["parameters"] += words  # OURS: newer than the description
    commit = copy.deepcopy(paths["/repos/{owner}/{repo}/git/commits/{sha}"])  # OURS: newer than the description
    commit["get"]["operationId"] = "repoGetCommitPullRequest"
    commit["get"]["responses"] = {"200": {"$ref": "#/components/responses/PullRequest"}}
    responses = description["components"]["responses"]
    responses["PullRequest"] = copy.deepcopy(responses["PullRequestList"])
    for content in responses["PullRequest"]["content"].values():
        content["schema"] = {"$ref": "#/components/schemas/PullRequest"}
    paths["/repos/{owner}/{repo}/commits/{sha}/pull"] = commit
    return OpenAPI.from_dict(description)


class Gitea:
    """The stand-in. Under ``url``, and under ``sub_url`` as one that is installed below a path.

    Every repository exists, and every commit in it, but those in ``missing`` (``owner/name`` or a hash).
    """

    def __init__(self) -> None:
        self.server = StandIn(self._act)
        self.web_url = self.server.url
        self.url = f"{self.server.url}/api/v1"
        self.sub_url = f"{self.server.url}/sub/path/api/v1"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.missing: set[str] = set()
        self.commits: Commits = {}
        self.display_name = ""
        """What the user is called whose e-mail address the commits have; Gitea knows none by it if empty."""
        self.archived: set[str] = set()
        self.push = True
        self.talkative = False
        """Whether a server error says why: to administrators it does."""
        self.lists_any_commit = False
        """As older versions do, which have an empty list for a commit that is not there."""
        self.finds_merged = True
        """Whether it can be asked for the request that a commit has merged: since 1.22."""
        self.largest_page = 50
        """``MAX_RESPONSE_ITEMS``"""
        self.counts = "always"
        """Where the number of all entries is told: ``always``, ``first`` page or ``never``."""
        self.pages_comments = False
        self.statuses: dict[tuple[str, str], list[dict[str, Any]]] = {}
        """(``owner/name``, commit) → what is stored, oldest first."""
        self.comments: dict[int, dict[str, Any]] = {}
        self.pulls: list[dict[str, Any]] = []
        """Last changed first."""
        self.violations: list[str] = []
        """Requests or answers that Gitea's description does not allow. Should stay empty."""
        self._count = 0

    def __enter__(self) -> Gitea:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    @property
    def writes(self) -> list[Asked]:
        """What arrived to be written."""
        return [asked for asked in self.asked if asked.method != "GET"]

    def contexts(self, repository: str, commit: str) -> dict[str, tuple[str, str]]:
        """Context → newest (state, description)."""
        stored = self.statuses.get((repository, commit), [])
        return {status["context"]: (_STATES[status["status"]], status["description"]) for status in stored}

    def store(self, repository: str, commit: str, **status: str) -> dict[str, Any]:
        """Put a status there, as if somebody had written it."""
        self._count += 1
        entry: dict[str, Any] = {"id": self._count, "context": "default", "description": "", "target_url": ""}
        entry |= {"created_at": _AT, "updated_at": _AT, "url": f"{self.url}/repos/{repository}/statuses/{commit}"}
        state = status.pop("state", "success")
        entry |= {name: text.strip() for name, text in status.items()} | {"status": _WORDS.get(state, state)}
        self.statuses.setdefault((repository, commit), []).append(entry)
        return entry

    def say(self, number: int, body: str, login: str = "landed-bot") -> int:
        """Put a comment on the pull request there, as if that user had written it; gives its id."""
        self._count += 1
        here = f"{self.web_url}/acme/fleet/pulls/{number}"
        entry = {"id": self._count, "body": body, "user": {"login": login}, "created_at": _AT, "updated_at": _AT}
        self.comments[self._count] = entry | {"pull_request_url": here, "issue_url": "", "html_url": here}
        return self._count

    def pull(self, number: int, *, head: str, merged: str = "", state: str = "open") -> None:
        """Put a pull request there."""
        self._count += 1
        entry = {"id": self._count, "number": number, "state": "closed" if merged else state, "merged": bool(merged)}
        self.pulls.append(entry | {"head": {"sha": head}} | ({"merge_commit_sha": merged} if merged else {}))

    def said(self, number: int) -> list[dict[str, Any]]:
        """The comments on a pull request, oldest first."""
        return [entry for entry in self.comments.values() if entry["pull_request_url"].endswith(f"/{number}")]

    def _act(self, asked: Asked) -> Answer:
        kind, _, token = asked.headers.get("authorization", "").partition(" ")
        if kind != "token" or token not in TOKENS:
            return _refuse(401, "user does not exist [uid: 0, name: ]")
        request = MockRequest(_PLACE, asked.method, asked.path, args=asked.query, data=asked.body)
        try:
            tightened().validate_request(request)
        except OpenAPIError as error:
            self.violations.append(f"{asked.method} {asked.path}: {_why(error)}")
            return _refuse(422, _why(error))
        answer = self._route(asked, token)
        self._check(request, answer)
        return answer

    def _check(self, request: MockRequest, answer: Answer) -> None:
        if answer.status >= 300:
            return  # the description has nothing to say of their content
        try:
            tightened().validate_response(request, MockResponse(answer.body, answer.status, dict(answer.headers)))
        except OpenAPIError as error:
            self.violations.append(f"the answer to {request.method} {request.path}: {_why(error)}")

    def _route(self, asked: Asked, token: str) -> Answer:
        path = asked.path.removeprefix("/sub/path").removeprefix("/api/v1")
        login, scopes = TOKENS[token]
        area = "user" if path == "/user" else "issue" if "/issues/" in path else "repository"
        needed = f"write:{area}" if asked.method != "GET" else f"read:{area}"
        if not {needed, needed.replace("read", "write")} & scopes:
            return _refuse(403, f"token does not have at least one of required scope(s): [{needed}]")
        if path == "/user":
            return _json(200, {"id": 7, "login": login})
        found = re.fullmatch(r"/repos/([^/]+/[^/]+)(/.*)?", path)
        assert found, path
        repository, rest = found[1], found[2] or ""
        if repository in self.missing:
            return _refuse(404, "The target couldn't be found.")
        if repository in self.archived and asked.method != "GET":
            return _refuse(423, f"{repository} is archived")
        if not rest:
            rights = {"admin": False, "push": self.push, "pull": True}
            shown = {"id": 3, "full_name": repository, "archived": repository in self.archived, "permissions": rights}
            return _json(200, shown)
        return self._comment(asked, rest, login) if "/issues/" in rest else self._commit(asked, repository, rest)

    def _commit(self, asked: Asked, repository: str, rest: str) -> Answer:
        if rest == "/pulls":
            return self._page(asked, self.pulls)
        commit = re.findall(r"[0-9a-f]{40}", rest)[0]
        if rest.endswith("/pull"):
            merged = [pull for pull in self.pulls if self.finds_merged and pull.get("merge_commit_sha") == commit]
            return _json(200, merged[0]) if merged else _refuse(404, "The target couldn't be found.")
        listed = rest.startswith("/commits/")
        if commit in self.missing and not (listed and self.lists_any_commit):
            why = f"object does not exist [id: {commit}, rel_path: ]"
            if asked.method == "POST":
                return _refuse(500, why if self.talkative else "")
            return _refuse(404, "The target couldn't be found.", why)
        if asked.method == "POST":
            return _json(201, self.store(repository, commit, **json.loads(asked.body)))
        if listed:
            stored = self.statuses.get((repository, commit), [])
            # OURS: its names are the wrong way round, and what is newest by time is not in any order within a second
            return self._page(asked, stored if asked.query.get("sort") == "highestindex" else stored[::-1])
        return _json(200, self._shown(repository, commit))

    def _shown(self, repository: str, commit: str) -> dict[str, Any]:
        pushed = self.commits.get((repository, commit), Pushed())
        person = {"name": pushed.author, "email": pushed.email, "date": pushed.at}
        user = {"id": 9, "login": "jdoe", "full_name": self.display_name} if self.display_name else None
        page = f"{self.web_url}/{repository}/commit/{commit}"
        content = {"message": pushed.message, "author": person, "committer": person}
        return {"sha": commit, "html_url": page, "commit": content, "author": user, "committer": user, "parents": []}

    def _comment(self, asked: Asked, rest: str, login: str) -> Answer:
        one = re.fullmatch(r"/issues/comments/(\d+)", rest)
        if one:
            entry = self.comments.get(int(one[1]))
            if entry is None:
                return _refuse(404, "The target couldn't be found.")
            if asked.method == "PATCH":
                entry["body"] = json.loads(asked.body)["body"]
            return _json(200, entry)
        number = int(rest.split("/")[2])
        if f"#{number}" in self.missing:
            return _refuse(404, f"issue does not exist [id: 0, repo_id: 3, index: {number}]")
        if asked.method == "POST":
            return _json(201, self.comments[self.say(number, json.loads(asked.body)["body"], login)])
        entries = self.said(number)
        return self._page(asked, entries) if self.pages_comments else _json(200, entries, self._total(entries, 1))

    def _page(self, asked: Asked, entries: list[dict[str, Any]]) -> Answer:
        size, page = min(int(asked.query["limit"]), self.largest_page), int(asked.query["page"])
        return _json(200, entries[(page - 1) * size : page * size], self._total(entries, page))

    def _total(self, entries: list[dict[str, Any]], page: int) -> dict[str, str]:
        if self.counts == "never":
            return {}
        return {"X-Total-Count": str(len(entries) if page == 1 or self.counts == "always" else 0)}


def _refuse(status: int, message: str, *errors: str) -> Answer:
    return _json(status, {"message": message, "url": f"{_PLACE}/api/swagger", **({"errors": errors} if errors else {})})


def _json(status: int, value: Any, headers: dict[str, str] | None = None) -> Answer:
    kind = {"Content-Type": "application/json;charset=utf-8"}
    return Answer(status, json.dumps(value).encode(), kind | (headers or {}))


def _why(error: BaseException) -> str:
    """The error and what it is about, in a line."""
    inner = getattr(error.__cause__, "schema_errors", None) or (error,)
    return "; ".join([type(error).__name__, *(str(getattr(one, "message", one))[:200] for one in inner)])
