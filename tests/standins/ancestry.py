"""Git hosts that know which commit contains which, in each host's own words, over one history that all share.

Requests and answers of GitHub, Bitbucket and Gitea are held against the descriptions in ``data/hosts``. What is in none
of them is marked ``OURS``: it is known from the hosts' documentation, their source, or what people report.
"""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).parent.parent / "data" / "hosts"


def sha(number: int) -> str:
    """A hash."""
    return f"{number:040x}"


class History:
    """Commits by number with their parents, and refs."""

    def __init__(self, parents: dict[int, tuple[int, ...]], refs: dict[str, int]) -> None:
        self.parents = {sha(one): tuple(map(sha, of)) for one, of in parents.items()}
        self.refs = {name: sha(one) for name, one in refs.items()}

    def find(self, name: str) -> str:
        """The commit of a hash, a full ref, or ``heads/NAME``; "" if there is none."""
        return name if name in self.parents else self.refs.get(name, self.refs.get(f"refs/{name}", ""))

    def of(self, one: str) -> set[str]:
        """It and its ancestors."""
        found, pending = {one}, [one]
        while pending:
            new = set(self.parents[pending.pop()]) - found
            found |= new
            pending.extend(new)
        return found

    def without(self, one: str, other: str) -> list[str]:
        """What ``one`` has and ``other`` has not, newest first."""
        return sorted(self.of(one) - self.of(other), reverse=True)

    def base(self, one: str, other: str) -> str:
        """A merge base; "" if there is none."""
        common = self.of(one) & self.of(other)
        return max((it for it in common if not any(it in self.of(x) - {x} for x in common)), default="")


#: 1 ← 2 ← 3 ← 5 (merge of 3 and 4) ← 6, 1 ← 4, 2 ← 7, and 20 ← 21 that has nothing in common with them.
HISTORY = History(
    {1: (), 2: (1,), 3: (2,), 4: (1,), 5: (3, 4), 6: (5,), 7: (2,), 20: (), 21: (20,)},
    {"refs/heads/main": 6, "refs/heads/feature/#1 & ü,x+y%2F": 7, "refs/tags/v1/a": 3, "refs/heads/alone": 21}
    | {"refs/heads/v1/a": 21},
)
HISTORY.refs["refs/heads/feature/#1&ü,x+y%2F"] = HISTORY.refs.pop("refs/heads/feature/#1 & ü,x+y%2F")


class Ancestors:
    """A host of one type that answers for every repository, but those in ``missing``.

    ``blind`` lets it refuse whoever asks for want of a right.
    """

    def __init__(self, type_: str, history: History = HISTORY) -> None:
        self.server = StandIn(self._act)
        self.url = f"{self.server.url}{_HOSTS[type_][0]}"
        self.web_url = self.server.url
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.history = history
        self.missing = False
        self.blind = False
        self.compares = True
        """Whether Gitea compares hashes (since 1.23), and ``leaves_out`` whether it knows ``not`` (since 1.20)."""
        self.leaves_out = True
        self.spoil: Callable[[Any], Any] = lambda value: value
        """Changes what is answered with a 200."""
        self.violations: list[str] = []
        self._type = type_
        self._route = _HOSTS[type_][1]

    def __enter__(self) -> Ancestors:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        path = asked.target.partition("?")[0].removeprefix(_HOSTS[self._type][0])
        query = parse_qs(urlsplit(asked.target).query)
        if self.blind:
            return _said(403, _refusal(self._type, "Forbidden: required scope"))
        status, value = self._route(self, path, query)
        if status != 200:
            return _said(status, value)
        self._judge(asked, value)
        return _said(200, self.spoil(value))

    def _judge(self, asked: Asked, value: Any) -> None:
        judge = _judge_of(self._type)
        if judge is None or (self._type == "gitea" and "/compare/" in asked.path):  # OURS: newer than the description
            return
        place, prefix = _PLACES[self._type]
        path = asked.path.removeprefix(_HOSTS[self._type][0])
        if self._type == "gitea":  # its names of refs may have slashes, which OpenAPI cannot say
            path = re.sub(r"(/branches|/tags)/(.*)", lambda found: f"{found[1]}/{found[2].replace('/', '%2F')}", path)
        elif self._type == "github":  # the same, as %2F may not be in a path there
            path = re.sub(r"(/compare|/commits)/(.*)", r"\1/x", path)
        arguments = {name: given[-1] for name, given in parse_qs(urlsplit(asked.target).query).items()}
        request = MockRequest(place, "GET", f"{prefix}{path}", args=arguments)
        try:
            judge.validate_request(request)
            if "fields=" not in asked.target:
                judge.validate_response(request, MockResponse(json.dumps(value).encode(), 200))
        except OpenAPIError as error:
            inner = getattr(error.__cause__, "schema_errors", None) or (error,)
            said = [str(getattr(one, "message", one))[:300] for one in inner]
            self.violations.append(f"{asked.target}: {type(error).__name__} {said}")


class _Sighted:
    """A host that shows everything."""

    missing = False

    def __init__(self, history: History) -> None:
        self.history = history


def on_github(history: History) -> Callable[[Asked], Answer]:
    """What a GitHub that keeps other things, too, answers when it is asked to compare."""

    def compare(asked: Asked) -> Answer:
        status, body = _github(_Sighted(history), asked.path, parse_qs(urlsplit(asked.target).query))
        return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    return compare


def _github(host: Ancestors | _Sighted, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
    history = host.history
    missing = 404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}
    if host.missing:
        return missing
    one = re.fullmatch(r"/repos/[^/]+/[^/]+/commits/([^/]+)", path)
    if one:
        found = history.find(unquote(one[1]))
        words = f"No commit found for SHA: {unquote(one[1])}"
        return (200, _github_commit(found)) if found else (422, {"message": words})
    compared = re.fullmatch(r"/repos/[^/]+/[^/]+/compare/([^/]+?)\.\.\.([^/]+)", path)
    assert compared, path
    assert query.get("per_page", ["1"]) == ["1"]  # PyGithub loses it where it follows
    base, head = (history.find(unquote(name)) for name in compared.groups())
    if not (base and head):
        return missing
    merge_base = history.base(base, head)
    if not merge_base:
        return 404, {"message": f"No common ancestor between {base} and {unquote(compared[2])}."}
    ahead, behind = history.without(head, base), history.without(base, head)
    status = {(0, 0): "identical", (1, 0): "ahead", (0, 1): "behind"}.get((bool(ahead), bool(behind)), "diverged")
    value = json.loads(json.dumps(_vendor("github")["components"]["examples"]["commit-comparison"]["value"]))
    value |= {"status": status, "ahead_by": len(ahead), "behind_by": len(behind), "total_commits": len(ahead)}
    value |= {"base_commit": _github_commit(base), "merge_base_commit": _github_commit(merge_base)}
    return 200, value | {"commits": [_github_commit(one) for one in ahead[-1:]]}


def _github_commit(one: str) -> Any:
    example = _vendor("github")["components"]["examples"]["commit-comparison"]["value"]["base_commit"]
    return example | {"sha": one}


def _gitlab(host: Ancestors, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
    history = host.history
    if host.missing:
        return 404, {"message": "404 Project Not Found"}
    rest = re.fullmatch(r"/projects/[^/]+/repository/(.*)", path)
    assert rest, path
    kind, _, name = rest[1].partition("/")
    if kind in ("branches", "tags"):
        assert "/" not in name
        found = history.find(f"refs/{'heads' if kind == 'branches' else 'tags'}/{unquote(name)}")
        entry = {"name": unquote(name), "commit": {"id": found}, "target": "f" * 40}
        return (
            (200, entry) if found else (404, {"message": f"404 {'Branch' if kind == 'branches' else 'Tag'} Not Found"})
        )
    if kind == "commits":
        return (200, _gitlab_commit(name)) if history.find(name) else (404, {"message": "404 Commit Not Found"})
    assert kind == "merge_base", path
    refs = [ref for given in query["refs[]"] for ref in given.split(",")]  # OURS: it divides them there
    ends = [history.find(ref) for ref in refs]
    if not all(ends):  # OURS: it names the last one, whichever is missing
        return 400, {"message": f"Could not find ref: {refs[-1]}"}
    base = history.base(*ends)
    return (200, _gitlab_commit(base)) if base else (404, {"message": "404 Merge Base Not Found"})


def _gitlab_commit(one: str) -> Any:
    return {"id": one, "short_id": one[:8], "title": "x", "message": "x", "parent_ids": []}


def _gitea(host: Ancestors, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
    history = host.history
    absent = {"message": "The target couldn't be found.", "url": "https://git.example.com/api/swagger", "errors": []}
    rest = re.fullmatch(r"/repos/[^/]+/[^/]+(?:/(.*))?", path)
    assert rest, path
    if host.missing:
        return 404, absent
    what = rest[1] or ""
    if not what:
        return 200, {"full_name": "acme/fleet"}
    kind, _, name = what.partition("/")
    if kind in ("branches", "tags"):
        found = history.find(f"refs/{'heads' if kind == 'branches' else 'tags'}/{unquote(name)}")
        member = "id" if kind == "branches" else "sha"
        return (200, {"name": unquote(name), "commit": {member: found}}) if found else (404, absent)
    if what.startswith("git/commits/"):
        found = history.find(what.rpartition("/")[2])
        why = f"object does not exist [id: {what.rpartition('/')[2]}, rel_path: ]"
        return (200, _gitea_commit(history, found)) if found else (404, absent | {"errors": [why]})
    if kind == "commits":
        one, other = query["sha"][0], query["not"][0]
        listed = history.without(one, other) if host.leaves_out else sorted(history.of(one), reverse=True)
        return 200, [_gitea_commit(history, it) for it in listed[: int(query["limit"][0])]]
    assert kind == "compare", path
    base, head = (history.find(unquote(one)) for one in name.split("..."))
    if not (base and head and host.compares):
        return 404, absent
    merge_base = history.base(base, head)
    listed = history.without(head, merge_base) if merge_base else []  # OURS: its source; nothing in common is no error
    return 200, {"total_commits": len(listed), "commits": [_gitea_commit(history, one) for one in listed]}


def _gitea_commit(history: History, one: str) -> Any:
    parents = [{"sha": parent, "url": "https://git.example.com/x"} for parent in history.parents[one]]
    return {"sha": one, "url": "https://git.example.com/x", "parents": parents}


def _bitbucket(host: Ancestors, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
    history = host.history
    rest = re.fullmatch(r"/repositories/[^/]+/[^/]+(?:/(.*))?", path)
    assert rest, path
    if host.missing:
        return 404, _refusal("bitbucket", "You may not have access to this repository or it no longer exists.")
    what = rest[1] or ""
    kind, _, name = what.partition("/")
    if not what:
        return 200, {"full_name": "acme/fleet"}
    if kind == "refs":
        sort, _, ref = name.partition("/")
        assert "/" not in ref
        found = history.find(f"refs/{'heads' if sort == 'branches' else 'tags'}/{unquote(ref)}")
        gone = _refusal("bitbucket", f"{sort[:-1]} not found")
        return (200, {"type": "ref", "target": _bitbucket_commit(found)}) if found else (404, gone)
    if kind == "commit":
        gone = {"type": "error", "error": {"message": "Commit not found", "data": {"shas": [name]}}}
        return (200, _bitbucket_commit(name)) if history.find(name) else (404, gone)
    if kind == "commits":
        listed = history.without(query["include"][0], query["exclude"][0])
        return 200, {"values": [_bitbucket_commit(one) for one in listed[: int(query["pagelen"][0])]]}
    assert kind == "merge-base", path
    ends = [history.find(one) for one in name.split("..")]
    base = history.base(*ends) if all(ends) else ""
    # OURS: what it says where there is none is not documented
    return (200, _bitbucket_commit(base)) if base else (404, _refusal("bitbucket", "Not found"))


def _bitbucket_commit(one: str) -> Any:
    return {"type": "commit", "hash": one}


def _bitbucketserver(host: Ancestors, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
    history = host.history
    assert re.fullmatch(r"/api/latest/projects/[^/]+/repos/[^/]+/commits", path), path
    if host.missing:
        return 404, _refusal("bitbucketserver", "Repository ACME/fleet does not exist.", "NoSuchRepositoryException")
    until, since = query["until"][0], query["since"][0]
    for name in (until, since):
        if not history.find(name):
            words = f"Commit '{name}' does not exist in repository 'fleet'."
            return 404, _refusal("bitbucketserver", words, "NoSuchCommitException")
    listed = history.without(history.find(until), history.find(since))
    values = [{"id": one, "displayId": one[:11]} for one in listed[: int(query["limit"][0])]]
    page = {"values": values, "size": len(values), "limit": 1, "start": 0, "isLastPage": len(listed) <= 1}
    return 200, page | ({} if len(listed) <= 1 else {"nextPageStart": 1})


def _azuredevops(host: Ancestors, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
    history = host.history
    assert re.fullmatch(r"/[^/]+/[^/]+/_apis/git/repositories/[^/]+/diffs/commits", path), path
    if host.missing:
        words = (
            "TF401019: The Git repository with name or identifier fleet does not exist or you do not have permissions"
        )
        return 404, _refusal("azuredevops", words, "GitRepositoryNotFoundException")
    found = {}
    for end in ("base", "target"):
        name, kind = query[f"{end}Version"][0], query[f"{end}VersionType"][0]
        place = {"branch": f"refs/heads/{name}", "tag": f"refs/tags/{name}", "commit": name}[kind]
        found[end] = history.find(place)
        if not found[end]:
            words = f"TF401175: The version descriptor <{kind.title()}: {name} > could not be resolved to a version"
            return 404, _refusal("azuredevops", words, "GitUnresolvableToCommitException")
    base, target = found["base"], found["target"]
    value = {"allChangesIncluded": True, "changeCounts": {}, "changes": [], "commonCommit": history.base(base, target)}
    value |= {"baseCommit": base, "targetCommit": target, "aheadCount": len(history.without(target, base))}
    return 200, value | {"behindCount": len(history.without(base, target))}


_HOSTS: dict[str, tuple[str, Callable[[Ancestors, str, dict[str, list[str]]], tuple[int, Any]]]] = {
    "github": ("", _github),
    "github-check-run": ("", _github),
    "gitlab": ("/gitlab/api/v4", _gitlab),
    "gitea": ("/api/v1", _gitea),
    "bitbucket": ("/2.0", _bitbucket),
    "bitbucketserver": ("/rest", _bitbucketserver),
    "azuredevops": ("", _azuredevops),
}
_PLACES = {
    "github": ("https://api.github.com", ""),
    "gitea": ("https://try.gitea.io", "/api/v1"),
    "bitbucket": ("https://api.bitbucket.org", "/2.0"),
    "bitbucketserver": ("http://example.com:7990", "/rest"),
}


@cache
def _vendor(type_: str) -> Any:
    return json.loads(gzip.decompress((DATA / f"{type_}-openapi.json.gz").read_bytes()))


@cache
def _judge_of(type_: str) -> OpenAPI | None:
    if type_ not in _PLACES:
        return None
    description = json.loads(json.dumps(_vendor(type_)))
    place, prefix = _PLACES[type_]
    description["servers"] = [{"url": f"{place}{prefix}"}]
    return OpenAPI.from_dict(description)


def _refusal(type_: str, words: str, key: str = "") -> Any:
    if type_ == "bitbucket":
        return {"type": "error", "error": {"message": words}}
    if type_ == "bitbucketserver":
        return {"errors": [{"message": words, "exceptionName": f"com.atlassian.bitbucket.commit.{key}"}]}
    return {"message": words, "typeKey": key}


def _said(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})
