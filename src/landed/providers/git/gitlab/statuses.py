"""Commit statuses on gitlab.com and GitLab of one's own.

https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from landed.http import TokenBucket
from landed.model import CommitStatus, Described, Finding, GitHost, Payload, Relation, Repository, State
from landed.providers.ancestry import Ancestry
from landed.providers.asking import ARRIVED, Answer
from landed.providers.commits import Commits
from landed.providers.git.gitlab import ancestry, commits, examination
from landed.providers.git.gitlab.api import Api, Entry, is_number, without_job_token
from landed.providers.git.gitlab.dialect import stuck_in
from landed.providers.interface import Held, arrived, wanted
from landed.render import cut

DESCRIPTION_LIMIT = 255
CONTEXT_LIMIT = 255
#: Seconds to make a connection, and between bytes.
TIMEOUT = 15

STATES = {
    State.SUCCESS: "success",
    State.FAILURE: "failed",
    State.PENDING: "pending",
    State.SUPERSEDED: "canceled",
}
#: What is read back. What GitLab cancels before it has begun it calls ``skipped``; both end a commit without a result.
_READ = {
    "created": State.PENDING,
    "pending": State.PENDING,
    "running": State.PENDING,
    "success": State.SUCCESS,
    "failed": State.FAILURE,
    "canceled": State.SUPERSEDED,
    "skipped": State.SUPERSEDED,
}


def connect(
    host: GitHost, *, turns: TokenBucket | None = None, sleep: Callable[[float], object] = time.sleep
) -> GitLab:
    """Make the provider. No request is made yet.

    Raises ConfigurationError where token or address cannot be used; CI_JOB_TOKEN cannot.
    """
    without_job_token(host, "set commit statuses")
    api = Api(host, done=_is_so, timeout=TIMEOUT, turns=turns, sleep=sleep)
    reader = commits.reader(host, turns=turns, sleep=sleep)
    return GitLab(api, reader, ancestry.reader(host, turns=turns, sleep=sleep))


class GitLab:
    """Commit statuses on one GitLab. Safe to use from several threads, each with commits of its own."""

    def __init__(self, api: Api, commits: Commits, ancestry: Ancestry) -> None:
        self._api = api
        self._commits = commits
        self._ancestry = ancestry

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Read back the newest status of every name of ``commit``, through all pages. Raises DeliveryError.

        GitLab lists the latest of each pipeline and leaves the order open: the highest id is the newest.
        """
        task = self._api.task("GET", f"commit statuses of {repository.path} cannot be read", repository)
        url = f"{self._api.path(repository)}/repository/commits/{quote(commit, safe='')}/statuses?per_page=100"
        newest: dict[str, Entry] = {}
        for entry in self._api.pages(task, url):
            name = str(entry.get("name", ""))
            if is_number(entry.get("id")) and str(entry.get("status", "")) in _READ:
                newest[name] = max(newest.get(name, entry), entry, key=lambda one: int(one["id"]))
        return {name: _held(entry) for name, entry in newest.items()}

    def deliver(self, payload: Payload) -> str:
        """Write one status with one request, or raise DeliveryError.

        Where no answer came, it is read back whether the status arrived, before it is written again. GitLab's refusal
        to make something pending that is so already counts as done.
        """
        status = wanted(CommitStatus, payload)
        without = f"the commit status {status.context} of {status.repository.path} cannot be written"
        task = self._api.task("POST", without, status.repository)
        url = f"{self._api.path(status.repository)}/statuses/{quote(status.commit, safe='')}"
        body = {
            "state": STATES[status.state],
            "name": status.context,
            "description": cut(status.description, DESCRIPTION_LIMIT),
        }
        if status.target_url:
            body["target_url"] = status.target_url
        answer = self._api.asker.ask(task, url, body, lambda: arrived(self, status, DESCRIPTION_LIMIT))
        if answer is ARRIVED:
            return ""
        if answer.status != 201 or _READ.get(str(self._api.entry(task, answer).get("status"))) is not status.state:
            raise self._api.asker.nonsense(task, answer)
        return ""

    def described(self, repository: Repository, commit: str) -> Described:
        """Ask what ``commit`` is called and who wrote it, without patience. Raises DeliveryError."""
        return self._commits.described(repository, commit)

    def relation(self, repository: Repository, commit: str, other: str) -> Relation:
        """How ``other``, a hash or a full ref, relates to ``commit``. Raises DeliveryError; never UNKNOWN."""
        return self._ancestry.relation(repository, commit, other)

    def examine(self, repositories: Sequence[Repository]) -> Sequence[Finding]:
        """For ``landed doctor``: is the token good, and may it write statuses there? Writes nothing."""
        return examination.examine(self._api, repositories)


def _held(entry: Entry) -> Held:
    return Held(_READ[str(entry["status"])], str(entry.get("description") or ""))


def _is_so(body: Mapping[str, Any], answer: Answer) -> bool:
    """Whether the state that ``body`` asks for is refused because GitLab has it already, or is one step further."""
    stuck = stuck_in(answer)
    return bool(stuck) and _READ.get(stuck) is _READ.get(str(body.get("state")))
