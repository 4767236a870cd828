"""An Azure DevOps that keeps commit statuses, and holds requests and answers against Microsoft's own description.

The description is data (``azuredevops-statuses.md`` beside it says where from). What is not in it and is demanded or
done here all the same is marked ``OURS``: how the server refuses is known from what people report, not from a document.
"""

from __future__ import annotations

import base64
import copy
import json
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from jsonschema import Draft4Validator
from standins.commits import Commits, Pushed
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

DESCRIPTION = Path(__file__).parent.parent / "data" / "hosts" / "azuredevops-statuses.json"

#: Personal access tokens it knows, in the form of real ones, and a JSON web token like ``System.AccessToken``.
WRITER = "k5vgz2mqh7t3xw4ryn6dpb5jalc2sfo7euiw3k4mzq6hx5tgvrna"
READER = "readz2mqh7t3xw4ryn6dpb5jalc2sfo7euiw3k4mzq6hx5tgread"
BUILD = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJuYW1laWQiOiJidWlsZCJ9.c2lnbmF0dXJl-1_x"

WORDS = {"success": "succeeded", "failure": "failed", "pending": "pending", "superseded": "notApplicable"}
SIGN_IN_PAGE = b"<!DOCTYPE html>\r\n<html><head><title>Azure DevOps Services | Sign In</title></head><body/></html>"
SIGN_IN = "https://spsprodweu1.vssps.visualstudio.com/_signin?realm=dev.azure.com&reply_to=https%3A%2F%2Fdev.azure.com"

_STATUSES = re.compile(r"(?:/tfs)?/([^/]+)/([^/]+)/_apis/git/repositories/([^/]+)/commits/([^/]+)(/statuses)?")
_BEGINNING = datetime(2016, 1, 27, 9, 33, 7, tzinfo=UTC)


@cache
def vendor() -> Any:
    return json.loads(DESCRIPTION.read_text())


@cache
def _operation(method: str, what: str) -> Any:
    (ways,) = (ways for path, ways in vendor()["paths"].items() if path.endswith(f"/{{commitId}}{what}"))
    return ways[method.lower()]


@cache
def _request_judge() -> Draft4Validator:
    """Microsoft's schema of a status, with what makes sense of it for a request."""
    definitions = copy.deepcopy(vendor()["definitions"])
    status, context = definitions["GitStatus"], definitions["GitStatusContext"]
    status |= {"additionalProperties": False, "required": ["state", "context"]}  # OURS: nothing misspelt, nothing empty
    context |= {"additionalProperties": False, "required": ["name"]}  # OURS
    context["properties"]["name"] |= {"minLength": 1}  # its description says so
    status["properties"]["targetUrl"] |= {"pattern": "^https?://"}  # OURS
    del status["properties"]["id"], status["properties"]["createdBy"]  # OURS: the server's business
    return Draft4Validator({"$ref": "#/definitions/GitStatus", "definitions": definitions})


@cache
def _answer_judge() -> Draft4Validator:
    """Microsoft's schema of a status, with the states that were added later."""
    definitions = copy.deepcopy(vendor()["definitions"])
    later = [f"{word[:1].lower()}{word[1:]}" for words in vendor()["x-later-states"].values() for word in words]
    definitions["GitStatus"]["properties"]["state"]["enum"] = later
    return Draft4Validator({"$ref": "#/definitions/GitStatus", "definitions": definitions})


@cache
def _commit_judge() -> Draft4Validator:
    """Microsoft's schema of a commit."""
    return Draft4Validator({"$ref": "#/definitions/GitCommit", "definitions": vendor()["definitions"]})


class AzureDevOps:
    """The stand-in. As dev.azure.com under ``url``, as a server on premises under ``tfs_url``.

    Every repository exists, and every commit in it, but those in ``missing`` (``org/project/_git/name`` or a hash) and
    one of which nothing but f is known.
    """

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.url = self.server.url
        self.web_url = self.url
        self.tfs_url = f"{self.url}/tfs"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.missing: set[str] = {"f" * 40}
        self.commits: Commits = {}
        self.tokens = {WRITER: True, READER: False, BUILD: True}
        """Token → whether it may write."""
        self.blind: set[str] = set()
        """Tokens that may not read commits: those with no scope but "Code (status)"."""
        self.sign_in = 401
        """How it refuses a token: with 401 (as asked for with X-TFS-FedAuthRedirect), 203 or 302."""
        self.newest_first = True
        self.statuses: dict[tuple[str, str], list[dict[str, Any]]] = {}
        """(``org/project/_git/name``, commit) → what is stored, newest last."""
        self.violations: list[str] = []
        self._count = 0

    def __enter__(self) -> AzureDevOps:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    @property
    def writes(self) -> list[Asked]:
        """The POSTs that arrived."""
        return [asked for asked in self.asked if asked.method == "POST"]

    def contexts(self, path: str, commit: str) -> dict[str, tuple[str, str]]:
        """Context → newest (state, description), the states in our own words."""
        ours = {theirs: word for word, theirs in WORDS.items()}
        return {
            "/".join(filter(None, (entry["context"].get("genre"), entry["context"]["name"]))): (
                ours.get(entry["state"], entry["state"]),
                entry["description"],
            )
            for entry in self.statuses.get((path, commit), [])
        }

    def store(self, path: str, commit: str, **status: str) -> dict[str, Any]:
        """Put a status there, as if somebody had written it; ``state`` in our words or in Azure DevOps'."""
        genre, _, name = status.get("context", "default").partition("/")
        body = {
            "state": WORDS.get(status["state"], status["state"]),
            "description": status.get("description", ""),
            "context": {"genre": genre, "name": name} if name else {"name": genre},
        }
        return self.put(path, commit, body)

    def put(self, path: str, commit: str, body: dict[str, Any]) -> dict[str, Any]:
        """Store what a request's body says."""
        self._count += 1
        created = _BEGINNING + timedelta(milliseconds=100 * self._count)
        text = created.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".") + "Z"  # as .NET writes it
        entry: dict[str, Any] = copy.deepcopy(vendor()["x-examples"]["post"]["body"])
        del entry["targetUrl"]
        entry |= {"id": self._count, "creationDate": text, "updatedDate": text, **body}
        self.statuses.setdefault((path, commit), []).append(entry)
        return entry

    def _act(self, asked: Asked) -> Answer:
        token = _token(asked.headers.get("authorization", ""))
        if token not in self.tokens:
            return self._not_signed_in()
        if asked.path.endswith("/_apis/connectionData"):  # OURS: in no description
            return _json(200, {"authenticatedUser": {"id": "278d5cd2-584d-4b63-824a-2ba458937249"}})
        found = _STATUSES.fullmatch(asked.path)
        if found is None:
            self.violations.append(f"{asked.method} {asked.path}: no such operation")
            return Answer(404, b"<html>The resource cannot be found.</html>", {"Content-Type": "text/html"})
        self._check_request(asked, found[4], found[5] or "")
        organisation, project, name, commit = map(unquote, found.groups()[:4])
        if not found[5]:
            return self._show(f"{organisation}/{project}/_git/{name}", commit, token)
        return self._route(asked, f"{organisation}/{project}/_git/{name}", commit, self.tokens[token])

    def _not_signed_in(self) -> Answer:
        if self.sign_in == 203:
            return Answer(203, SIGN_IN_PAGE, {"Content-Type": "text/html; charset=utf-8"})
        if self.sign_in == 302:
            return Answer(302, b"<h2>Object moved</h2>", {"Location": SIGN_IN, "Content-Type": "text/html"})
        why = quote("TF400813: The user '' is not authorized to access this resource.")
        return Answer(401, SIGN_IN_PAGE, {"Content-Type": "text/html", "X-TFS-ServiceError": why})

    def _show(self, path: str, commit: str, token: str) -> Answer:
        refusal = self._not_signed_in() if token in self.blind else self._not_there(path, commit)
        if refusal is not None:
            return refusal
        pushed = self.commits.get((path, commit), Pushed())
        entry: dict[str, Any] = copy.deepcopy(vendor()["x-examples"]["commit"]["body"])
        person = {"name": pushed.author, "email": pushed.email, "date": pushed.at}
        entry |= {"commitId": commit, "comment": pushed.message, "author": person, "committer": person}
        entry |= {"remoteUrl": f"{self.web_url}/{path}/commit/{commit}"}
        self.violations += [f"our answer: {error.message[:200]}" for error in _commit_judge().iter_errors(entry)]
        return _json(vendor()["x-examples"]["commit"]["status"], entry)

    def _not_there(self, path: str, commit: str) -> Answer | None:
        project = path.split("/")[1]
        if project in self.missing:
            return _refusal(404, f"TF200016: The following project does not exist: {project}.", _PROJECT)
        if path in self.missing:
            what = f"TF401019: The Git repository with name or identifier {path.rpartition('/')[2]} does not exist"
            why = "or you do not have permissions for the operation you are attempting."
            return _refusal(404, f"{what} {why}", "GitRepositoryNotFoundException")
        if commit in self.missing:
            return _refusal(404, f"The commit {commit} does not exist.", "GitCommitDoesNotExistException")
        return None

    def _route(self, asked: Asked, path: str, commit: str, writes: bool) -> Answer:
        refusal = self._not_there(path, "")
        if refusal is not None:
            return refusal
        if asked.method == "POST" and not writes:
            what = "TF401027: You need the Git 'GenericContribute' permission to perform this action."
            return _refusal(
                403, f"{what} Details: identity 'Build\\\\x', scope 'repository'.", "GitNeedsPermissionException"
            )
        refusal = self._not_there(path, commit)
        if refusal is not None:
            return refusal
        if asked.method == "POST":
            entry = self.put(path, commit, json.loads(asked.body))
            self._check_answer(entry)
            return _json(vendor()["x-examples"]["post"]["status"], entry)
        return self._list(asked, self.statuses.get((path, commit), []))

    def _list(self, asked: Asked, stored: list[dict[str, Any]]) -> Answer:
        top, skip = int(asked.query.get("top", 1000)), int(asked.query.get("skip", 0))
        page = (stored[::-1] if self.newest_first else stored)[skip : skip + top]
        for entry in page:
            self._check_answer(entry)
        return _json(200, {"count": len(page), "value": page})

    def _check_request(self, asked: Asked, commit: str, what: str) -> None:
        declared = {
            parameter["name"]: parameter
            for parameter in _operation(asked.method, what)["parameters"]
            if "name" in parameter
        }
        allowed = {name for name, parameter in declared.items() if parameter["in"] == "query"} | {"api-version"}
        wrong = [f"{name} is no parameter" for name in asked.query.keys() - allowed]
        wrong += [
            f"{name} is no number"
            for name, value in asked.query.items()
            if declared.get(name, {}).get("type") == "integer" and not value.isdigit()
        ]
        in_header = "api-version=" in asked.headers.get("accept", "")
        if asked.query.get("api-version") != "5.0" and not in_header:  # the description's own version
            wrong.append("no version of the API")
        if not re.fullmatch("[0-9a-f]{40}", commit):  # OURS: a whole hash
            wrong.append(f"{commit} is no commit")
        if asked.method == "POST":
            if not asked.headers.get("content-type", "").startswith("application/json"):
                wrong.append("the body is not called JSON")
            wrong += [error.message[:200] for error in _request_judge().iter_errors(json.loads(asked.body))]
        self.violations += [f"{asked.method} {asked.target}: {text}" for text in wrong]

    def _check_answer(self, entry: dict[str, Any]) -> None:
        self.violations += [f"our answer: {error.message[:200]}" for error in _answer_judge().iter_errors(entry)]


_PROJECT = "ProjectDoesNotExistWithNameException"


def _token(header: str) -> str:
    scheme, _, content = header.partition(" ")
    if scheme == "Bearer":
        return content
    try:
        user, _, password = base64.b64decode(content, validate=True).decode().partition(":")
    except ValueError:
        return ""
    return password if scheme == "Basic" and not user else ""


def _refusal(status: int, message: str, key: str) -> Answer:
    """The form of errors that people report."""
    name = f"Microsoft.TeamFoundation.Git.Server.{key}, Microsoft.TeamFoundation.Git.Server"
    value = {"$id": "1", "innerException": None, "message": message, "typeName": name, "typeKey": key}
    return _json(status, value | {"errorCode": 0, "eventId": 3000})


def _json(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8"})
