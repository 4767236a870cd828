"""A GitLab that keeps commit statuses, deployments and merge request notes, and checks every call.

The calls are held against ``gitlab-calls.json``; what the real server refuses besides is marked ``OURS``.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from standins.commits import Commits, Pushed
from standins.gitlab_rules import (
    JOB,
    JOBS,
    OAUTH,
    READER,
    REPORTER,
    TOKENS,
    WRITER,
    Token,
    against,
    call_of,
    no,
    page_of,
    said,
)
from standins.gitlab_states import move_deployment, move_status
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

__all__ = ["JOB", "OAUTH", "READER", "REPORTER", "WRITER", "GitLab", "Token"]

#: Words of ``model.State`` → GitLab's for a status.
WORDS = {"success": "success", "failure": "failed", "pending": "pending", "superseded": "canceled"}
_WHEN = {"created_at": "2026-11-22T20:00:00.000Z", "updated_at": "2026-11-22T20:00:00.000Z"}


class GitLab:
    """The stand-in, its API under a relative root.

    Every project exists, and every commit and merge request in it, but those in ``missing`` (a path or a hash).
    """

    def __init__(self, web_root: str = "", *, context: ssl.SSLContext | None = None) -> None:
        """Take ``web_root`` as the relative root that people's URLs have (``/gitlab``)."""
        self.server = StandIn(self._act, context=context)
        self.url = f"{self.server.url}/gitlab/api/v4"
        self.web_url = f"{self.server.url}{web_root}"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.missing: set[str] = set()
        self.commits: Commits = {}
        self.moved: set[str] = set()
        """Paths of projects that have another one now."""
        self.ids = {"1234": "acme/platform/fleet"}
        self.tokens = dict(TOKENS)
        self.totals = True
        """Whether lists are counted."""
        self.strange_links = ""
        """What stands in ``Link`` headers instead of the real address."""
        self.busy = 0
        """How many of the next statuses meet another update of the same commit."""
        self.statuses: dict[tuple[str, str], list[dict[str, Any]]] = {}
        """(path, commit) → what is stored, oldest first."""
        self.deployments: dict[str, list[dict[str, Any]]] = {}
        self.environments: dict[tuple[str, str], dict[str, Any]] = {}
        self.requests: dict[tuple[str, str], list[dict[str, Any]]] = {}
        """(path, commit) → the merge requests that it belongs to."""
        self.notes: dict[tuple[str, str], list[dict[str, Any]]] = {}
        """(path, number) → notes, oldest first."""
        self.violations: list[str] = []
        """Requests or answers that are not as documented. Should stay empty."""
        self._count = 0

    def __enter__(self) -> GitLab:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    @property
    def writes(self) -> list[Asked]:
        """The POSTs and PUTs that arrived."""
        return [asked for asked in self.asked if asked.method != "GET"]

    def contexts(self, path: str, commit: str) -> dict[str, tuple[str, str]]:
        """Name → newest (state, description), in the words of ``model.State``."""
        ours = {theirs: word for word, theirs in WORDS.items()} | {"running": "pending"}
        stored = self.statuses.get((path, commit), [])
        return {entry["name"]: (ours[entry["status"]], entry["description"] or "") for entry in stored}

    def store(self, path: str, commit: str, *, context: str, state: str = "success", **more: Any) -> dict[str, Any]:
        """Put a status there, as if somebody had written it; ``state`` may be GitLab's own, too."""
        entry = self._status(commit, context) | {"status": WORDS.get(state, state)} | more
        self.statuses.setdefault((path, commit), []).append(entry)
        return entry

    def deploy(self, path: str, commit: str, environment: str, status: str, **more: Any) -> dict[str, Any]:
        """Put a deployment there, as if somebody had made it."""
        number = self._next()
        place = self.environments.setdefault(
            (path, environment), {"id": number + 5000, "name": environment, "external_url": None, "state": "available"}
        )
        entry = {
            "id": number, "iid": number, "ref": "main", "sha": commit, "status": status, "user": _user(7),
            "environment": place, "deployable": None, **_WHEN, **more,
        }  # fmt: skip
        self.deployments.setdefault(path, []).append(entry)
        return entry

    def note(self, path: str, request: int, body: str, *, user: int = 7, system: bool = False) -> dict[str, Any]:
        """Put a note there, as if somebody had written it."""
        entry = {
            "id": self._next(), "body": body, "author": _user(user), "system": system,
            "noteable_type": "MergeRequest", "noteable_iid": request, **_WHEN,
        }  # fmt: skip
        self.notes.setdefault((path, str(request)), []).append(entry)
        return entry

    def merge_request(self, path: str, commit: str, iid: int, state: str = "merged", **shas: str) -> None:
        """Let ``commit`` belong to a merge request."""
        entry: dict[str, Any] = {
            "id": iid + 9000,
            "iid": iid,
            "state": state,
            "source_branch": "x",
            "target_branch": "main",
        }
        entry |= {"sha": None, "merge_commit_sha": None, "squash_commit_sha": None} | shas
        self.requests.setdefault((path, commit), []).append(entry)

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _status(self, commit: str, name: str, user: int = 7) -> dict[str, Any]:
        return {
            "id": self._next(), "sha": commit, "ref": "main", "status": "created", "name": name, "target_url": None,
            "description": None, "created_at": _WHEN["created_at"], "started_at": None, "finished_at": None,
            "allow_failure": False, "coverage": None, "pipeline_id": 31, "author": _user(user),
        }  # fmt: skip

    def _act(self, asked: Asked) -> Answer:
        root, _, path = asked.path.partition("/api/v4")
        name, values = call_of(asked.method, path)
        if root != "/gitlab" or not name:
            self.violations.append(f"{asked.method} {asked.path}: no such call")
            return said(404, {"error": "404 Not Found"})
        answer = self._judged(asked, name, {key: unquote(value) for key, value in values.items()})
        self.violations += [f"{name}: {problem}" for problem in against(name, asked, answer)]
        return answer

    def _judged(self, asked: Asked, name: str, values: dict[str, str]) -> Answer:
        token = self._token(asked, name)
        if token is None:
            return no(401, "401 Unauthorized")
        path = self.ids.get(values.get("id", ""), values.get("id", ""))
        if path in self.missing:
            return no(404, "404 Project Not Found")
        if path in self.moved and asked.method != "GET":
            return no(405, "405 Non GET methods are not allowed for moved projects Method Not Allowed")
        if asked.method != "GET" and token.scopes and "api" not in token.scopes:
            more = "The request requires higher privileges than provided by the access token."
            return said(403, {"error": "insufficient_scope", "error_description": more, "scope": "api"})
        if asked.method != "GET" and token.level < (20 if "/notes" in name else 30):
            return no(403, "403 Forbidden")
        if values.get("sha") in self.missing:
            return no(404, "404 Commit Not Found")
        return self._routes[name](self, asked, path, values, token)

    def _token(self, asked: Asked, name: str) -> Token | None:
        for header in ("private-token", "job-token", "authorization"):
            if header in asked.headers:
                token = self.tokens.get(asked.headers[header].removeprefix("Bearer "))
                good = token and header in token.headers and (header != "job-token" or JOBS.match(name))
                return token if good else None
        return None

    def _write_status(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        body, commit = json.loads(asked.body), values["sha"]
        for member in ("name", "description"):  # OURS: said in no schema
            if len(body.get(member) or "") > 255:
                return no(400, {member: ["is too long (maximum is 255 characters)"]})
        if self.busy:
            self.busy -= 1
            return no(409, "Another update to this commit status is in progress")
        kept = self.statuses.setdefault((path, commit), [])
        name = body.get("name", "default")
        going = [
            entry
            for entry in kept
            if entry["name"] == name
            and entry["status"] in ("pending", "running")
            and entry["author"]["id"] == token.user
        ]
        entry = going[-1] if going else self._status(commit, name, token.user)
        changed = dict(entry)
        problem = move_status(changed, body["state"])
        if problem:
            return no(400, problem)
        changed |= {member: body[member] for member in ("description", "target_url") if member in body}
        entry.update(changed)
        if not going:
            kept.append(entry)
        return said(201, entry)

    def _statuses(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        latest = {(one["pipeline_id"], one["name"]): one for one in self.statuses.get((path, values["sha"]), [])}
        return self._list(asked, sorted(latest.values(), key=lambda one: int(one["id"])))

    def _commit(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        sha = values["sha"]
        pushed = self.commits.get((path, sha), Pushed())
        title = pushed.message.partition("\n")[0]
        entry = {"id": sha, "short_id": sha[:8], "message": pushed.message, "created_at": pushed.at}
        entry |= {"title": title if len(title) <= 100 else f"{title[:80]}..."}
        for role, date in (("author", "authored"), ("committer", "committed")):
            entry |= {f"{role}_name": pushed.author, f"{role}_email": pushed.email, f"{date}_date": pushed.at}
        page = f"{self.web_url}/{path}/-/commit/{sha}"
        return said(200, {**entry, "parent_ids": [], "trailers": {}, "web_url": page})

    def _requests_of(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        return self._list(asked, self.requests.get((path, values["sha"]), []))

    def _deployments(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        found = [
            one
            for one in self.deployments.get(path, [])
            if asked.query.get("environment") in (None, one["environment"]["name"])
        ]
        return self._list(asked, found[::-1] if asked.query.get("sort") == "desc" else found)

    def _deploy(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        body = json.loads(asked.body)
        if body["sha"] in self.missing:
            return no(404, "404 Commit Not Found")
        if not re.fullmatch(r"(?!/)[a-zA-Z0-9_/${}. -]+(?<!/)", body["environment"]):  # OURS
            return no(
                400, {"name": ["can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces"]}
            )
        return said(201, self.deploy(path, body["sha"], body["environment"], body["status"], ref=body["ref"]))

    def _deployment(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        entry = _by_id(self.deployments.get(path, []), values)
        if entry is None:
            return no(404, "404 Not found")
        if asked.method == "PUT":
            if entry["deployable"]:
                return no(403, "403 Forbidden - Deployments created using GitLab CI can not be updated using the API")
            problem = move_deployment(entry, json.loads(asked.body)["status"])
            if problem:
                return no(400, {"status": [problem]})
        return said(200, entry)

    def _environment(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        entry = _by_id(list(self.environments.values()), values)
        if entry is None:
            return no(404, "404 Not found")
        body = json.loads(asked.body)
        if not re.match("https?://", body["external_url"]):
            return no(400, {"external_url": ["is blocked: Only allowed schemes are http, https"]})
        entry.update(body)
        return said(200, entry)

    def _notes(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        return self._list(asked, self.notes.get((path, values["iid"]), []))

    def _write_note(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        return said(201, self.note(path, int(values["iid"]), self._body(asked), user=token.user))

    def _note(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        entry = _by_id(self.notes.get((path, values["iid"]), []), values)
        if entry is None:
            return no(404, "404 Note Not Found")
        if asked.method == "PUT":
            if entry["author"]["id"] != token.user:
                return no(403, "403 Forbidden")
            entry["body"] = self._body(asked)
        return said(200, entry)

    def _body(self, asked: Asked) -> str:
        body = str(json.loads(asked.body)["body"])
        if re.search(r"^/\w", body, re.MULTILINE):  # OURS: such a line is an order to GitLab
            self.violations.append("a note has a quick action")
        return body

    def _project(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        access = {"access_level": token.level, "notification_level": 3} if token.level else None
        return said(
            200,
            {"id": 1234, "path_with_namespace": path, "permissions": {"project_access": access, "group_access": None}},
        )

    def _me(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        return said(200, _user(token.user))

    def _job(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        job = {"id": 99, "status": "running", "name": "report", "ref": "main", "user": _user(token.user)}
        return said(200, job)

    def _self(self, asked: Asked, path: str, values: dict[str, str], token: Token) -> Answer:
        if not token.scopes:
            return no(400, "400 Bad request - This endpoint requires token type to be a personal access token")
        more = {"name": "landed", "revoked": False, "active": True, "user_id": token.user, "expires_at": "2027-01-01"}
        return said(200, {"id": 5, "scopes": list(token.scopes), **more})

    def _list(self, asked: Asked, entries: list[Any]) -> Answer:
        return page_of(asked, entries, self.strange_links or self.server.url, totals=self.totals)

    _routes: dict[str, Callable[..., Answer]] = {  # noqa: RUF012
        "POST /projects/:id/statuses/:sha": _write_status,
        "GET /projects/:id/repository/commits/:sha": _commit,
        "GET /projects/:id/repository/commits/:sha/statuses": _statuses,
        "GET /projects/:id/repository/commits/:sha/merge_requests": _requests_of,
        "GET /projects/:id/deployments": _deployments,
        "POST /projects/:id/deployments": _deploy,
        "GET /projects/:id/deployments/:number": _deployment,
        "PUT /projects/:id/deployments/:number": _deployment,
        "PUT /projects/:id/environments/:number": _environment,
        "GET /projects/:id/merge_requests/:iid/notes": _notes,
        "POST /projects/:id/merge_requests/:iid/notes": _write_note,
        "GET /projects/:id/merge_requests/:iid/notes/:number": _note,
        "PUT /projects/:id/merge_requests/:iid/notes/:number": _note,
        "GET /projects/:id": _project,
        "GET /user": _me,
        "GET /job": _job,
        "GET /personal_access_tokens/self": _self,
    }


def _by_id(entries: list[dict[str, Any]], values: dict[str, str]) -> dict[str, Any] | None:
    return next((entry for entry in entries if str(entry["id"]) == values["number"]), None)


def _user(number: int) -> dict[str, Any]:
    address = f"https://gitlab.example.com/user{number}"
    return {"id": number, "username": f"user{number}", "name": "Somebody", "state": "active", "web_url": address}
