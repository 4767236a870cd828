"""Check runs on github.com, GHE.com and GitHub Enterprise Server.

https://docs.github.com/en/rest/checks/runs

A run that is completed is left as it is, and what is news after that is a new run of the same name: GitHub shows the
newest one, and does not take a completed run back to one that is under way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import structs

from landed.http import TokenBucket
from landed.model import CommitStatus, Described, Finding, GitHost, Payload, Relation, Repository, State
from landed.providers.ancestry import Ancestry
from landed.providers.asking import Answer, Meaning, Task
from landed.providers.commits import Commits
from landed.providers.git.github import ancestry, commits, examination
from landed.providers.git.github.api import Api
from landed.providers.git.github.dialect import Right, dialect, said
from landed.providers.interface import Held, wanted
from landed.render import cut

DESCRIPTION_LIMIT = 255
CONTEXT_LIMIT = 255
#: Seconds to make a connection, and between bytes.
TIMEOUT = 15
#: Bytes of UTF-8 that a summary may have. GitHub cuts what is longer without a word.
SUMMARY_LIMIT = 65_535

_TAKES = "check runs take a GitHub App's token or GITHUB_TOKEN with `permissions: checks: write`"
CHECKS = Right(
    "checks",
    "write check runs",
    f'{_TAKES[0].upper()}{_TAKES[1:]}. App: "Checks: read and write" on that repository.'
    " Personal tokens have no such right.",
)

#: How the ``external_id`` of our runs begins: runs of that name by others are none of ours.
_OURS = "landed "
_CONCLUSIONS = {State.SUCCESS: "success", State.FAILURE: "failure", State.SUPERSEDED: "cancelled"}
_READ = {conclusion: state for state, conclusion in _CONCLUSIONS.items()}
_UNDER_WAY = frozenset({"queued", "in_progress", "waiting", "requested", "pending"})
_CUT = "\n\n… cut: there is more than GitHub takes."


def connect(
    host: GitHost, *, turns: TokenBucket | None = None, sleep: Callable[[float], object] = time.sleep
) -> GitHubChecks:
    """Make the provider. No request is made yet. Raises ConfigurationError where token or address cannot be used."""
    tongue = structs.replace(dialect(CHECKS.hint), explain=_explain)
    api = Api(host, tongue=tongue, timeout=TIMEOUT, turns=turns, sleep=sleep)
    reader = commits.reader(host, api, turns=turns, sleep=sleep)
    return GitHubChecks(api, reader, ancestry.reader(host, api, turns=turns, sleep=sleep))


class GitHubChecks:
    """Check runs on one GitHub. Safe to use from several threads."""

    def __init__(self, api: Api, commits: Commits, ancestry: Ancestry) -> None:
        self._api = api
        self._commits = commits
        self._ancestry = ancestry

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Read back our newest run of every name, through all pages. Raises DeliveryError."""
        return {name: held for name, run in self._runs(repository, commit).items() if (held := _held(run))}

    def _runs(self, repository: Repository, commit: str) -> Mapping[str, Mapping[str, Any]]:
        task = self._api.task("GET", f"check runs of {repository.path} cannot be read", repository)
        place = f"{self._api.path(repository)}/commits/{quote(commit, safe='')}/check-runs"
        return _newest(self._api.pages(task, f"{place}?filter=latest&per_page=100", "check_runs"))

    def deliver(self, payload: Payload) -> str:
        """Write one run with one request, or raise DeliveryError. Gives its id, and whether it is completed.

        It is two requests where the run that ``payload.handle`` names is no longer there.
        """
        status = wanted(CommitStatus, payload)
        without = f"the check run {status.context} of {status.repository.path} cannot be written"
        place = f"{self._api.path(status.repository)}/check-runs"
        if status.handle.isascii() and status.handle.isdigit():  # not completed yet
            task = self._api.task("PATCH", without, status.repository)
            answer = self._api.ask_if_there(task, f"{place}/{status.handle}", _body(status))
            if answer is not None and _says(answer.value, status):
                return _handle(answer.value)
        task = self._api.task("POST", without, status.repository)
        body = {**_body(status), "head_sha": status.commit}
        answer = self._api.asker.ask(task, place, body, lambda: self._arrived(status))
        if not (answer.status == 201 and _says(answer.value, status)):
            raise self._api.asker.nonsense(task, answer)
        return _handle(answer.value)

    def _arrived(self, status: CommitStatus) -> Answer | None:
        run = self._runs(status.repository, status.commit).get(status.context)
        held = _held(run) if run else None
        if held is None or (held.state, held.description) != (status.state, _title(status)):
            return None
        return Answer(201, {}, msgspec.json.encode(run).decode())

    def described(self, repository: Repository, commit: str) -> Described:
        """Ask what ``commit`` is called and who wrote it, without patience. Raises DeliveryError."""
        return self._commits.described(repository, commit)

    def relation(self, repository: Repository, commit: str, other: str) -> Relation:
        """How ``other``, a hash or a full ref, relates to ``commit``. Raises DeliveryError; never UNKNOWN."""
        return self._ancestry.relation(repository, commit, other)

    def examine(self, repositories: Sequence[Repository]) -> Sequence[Finding]:
        """For ``landed doctor``: is the token good, and may it write check runs there? Writes nothing."""
        return examination.examine(self._api, repositories, CHECKS)


def _body(status: CommitStatus) -> dict[str, Any]:
    """What a run says, whether it is new or changed."""
    state: dict[str, Any] = {"status": "in_progress" if status.begun else "queued"}
    if status.state in _CONCLUSIONS:
        state = {"status": "completed", "conclusion": _CONCLUSIONS[status.state]}
    title = _title(status)
    body = {
        "name": status.context,
        "external_id": f"{_OURS}{status.context}",
        **state,
        "output": {"title": title, "summary": _fitting(status.detail) or title},
    }
    return body | ({"details_url": status.target_url} if status.target_url else {})


def _title(status: CommitStatus) -> str:
    return cut(status.description, DESCRIPTION_LIMIT)


def _fitting(text: str) -> str:
    """``text``, or as many whole lines of it as GitHub takes, and that it is cut."""
    content = text.encode(errors="replace")
    if len(content) <= SUMMARY_LIMIT:
        return text
    kept = content[: SUMMARY_LIMIT - len(_CUT.encode())].decode(errors="ignore")
    lines, _, _ = kept.rpartition("\n")
    return (lines or kept) + _CUT


def _newest(runs: Iterable[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """Name → our run of the highest id. GitHub shows the latest of each suite, and a commit may have several suites."""
    found: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        name, id_ = run.get("name"), run.get("id")
        if not (isinstance(name, str) and isinstance(id_, int) and str(run.get("external_id")).startswith(_OURS)):
            continue
        if name not in found or id_ > found[name]["id"]:
            found[name] = run
    return found


def _held(run: Mapping[str, Any]) -> Held | None:
    """What ``run`` says; None where it is nothing that we say."""
    state = _READ.get(str(run.get("conclusion"))) if run.get("status") == "completed" else None
    if str(run.get("status")) in _UNDER_WAY:
        state = State.PENDING
    output = run.get("output")
    title = output.get("title") if isinstance(output, dict) else ""
    return Held(state, str(title or ""), _handle(run)) if state else None


def _handle(run: Mapping[str, Any]) -> str:
    """The id of a run that can be changed, and a word more for one that cannot."""
    return f"{run['id']} completed" if run.get("status") == "completed" else str(run["id"])


def _says(value: Any, status: CommitStatus) -> bool:
    """Whether ``value`` is a run with the state of ``status``."""
    if not (isinstance(value, dict) and isinstance(value.get("id"), int)):
        return False
    held = _held(value)
    return held is not None and held.state is status.state


def _explain(task: Task, answer: Answer) -> Meaning:
    words = said(answer).lower()
    if answer.status == 403 and ("via a github app" in words or "by personal access token" in words):
        return Meaning(f"the token may not do that: {_TAKES}", CHECKS.hint, closes="repository")
    return dialect(CHECKS.hint).explain(task, answer)
