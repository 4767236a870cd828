"""Commit statuses on github.com, GHE.com and GitHub Enterprise Server.

https://docs.github.com/en/rest/commits/statuses
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from landed.http import TokenBucket
from landed.model import CommitStatus, Described, Finding, GitHost, Payload, Relation, Repository, State
from landed.providers.ancestry import Ancestry
from landed.providers.asking import ARRIVED
from landed.providers.commits import Commits
from landed.providers.git.github import ancestry, commits, examination
from landed.providers.git.github.api import Api
from landed.providers.interface import Held, arrived, wanted
from landed.render import cut

DESCRIPTION_LIMIT = 140
CONTEXT_LIMIT = 255
#: Seconds to make a connection, and between bytes.
TIMEOUT = 15

STATES = {State.SUCCESS: "success", State.FAILURE: "failure", State.PENDING: "pending"}
#: What is read back; ``error`` is never written by us.
_READ = {"success": State.SUCCESS, "failure": State.FAILURE, "error": State.FAILURE, "pending": State.PENDING}


def connect(
    host: GitHost, *, turns: TokenBucket | None = None, sleep: Callable[[float], object] = time.sleep
) -> GitHub:
    """Make the provider. No request is made yet. Raises ConfigurationError where token or address cannot be used."""
    api = Api(host, timeout=TIMEOUT, turns=turns, sleep=sleep)
    reader = commits.reader(host, api, turns=turns, sleep=sleep)
    return GitHub(api, reader, ancestry.reader(host, api, turns=turns, sleep=sleep))


class GitHub:
    """Commit statuses on one GitHub. Safe to use from several threads."""

    def __init__(self, api: Api, commits: Commits, ancestry: Ancestry) -> None:
        self._api = api
        self._commits = commits
        self._ancestry = ancestry

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Read back the newest status of every context of ``commit``, through all pages. Raises DeliveryError."""
        task = self._api.task("GET", f"commit statuses of {repository.path} cannot be read", repository)
        url = f"{self._api.path(repository)}/commits/{quote(commit, safe='')}/statuses?per_page=100"
        found: dict[str, Held] = {}
        for entry in self._api.pages(task, url):  # newest first, as GitHub documents it
            state = _READ.get(entry.get("state", ""))
            if state is not None:
                found.setdefault(str(entry.get("context", "")), Held(state, entry.get("description") or ""))
        return found

    def deliver(self, payload: Payload) -> str:
        """Write one status with one request, or raise DeliveryError.

        Where no answer came, it is read back once whether the status arrived, before it is written again: GitHub keeps
        every copy, and takes a thousand for each commit and context.
        """
        status = wanted(CommitStatus, payload)
        without = f"the commit status {status.context} of {status.repository.path} cannot be written"
        task = self._api.task("POST", without, status.repository)
        url = f"{self._api.path(status.repository)}/statuses/{quote(status.commit, safe='')}"
        body = {
            "state": STATES[status.state],
            "context": status.context,
            "description": cut(status.description, DESCRIPTION_LIMIT),
        }
        if status.target_url:
            body["target_url"] = status.target_url
        answer = self._api.asker.ask(task, url, body, lambda: arrived(self, status, DESCRIPTION_LIMIT))
        if answer is not ARRIVED and not (answer.status == 201 and isinstance(answer.value, dict)):
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
