"""Commit statuses on Gitea and Forgejo.

https://docs.gitea.com/api/#tag/repository/operation/repoCreateStatus
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import CommitStatus, Described, Finding, GitHost, Payload, Relation, Repository, State
from landed.providers.ancestry import Ancestry
from landed.providers.asking import ARRIVED, Answer, Task
from landed.providers.commits import Commits
from landed.providers.git.gitea import ancestry, commits, examination
from landed.providers.git.gitea.api import Api, is_number
from landed.providers.git.gitea.dialect import INTERNAL, NO_COMMIT
from landed.providers.interface import Held, wanted
from landed.render import cut

#: Gitea keeps both as text without a limit; these are for those who read them.
DESCRIPTION_LIMIT = CONTEXT_LIMIT = 255
#: Seconds between bytes.
TIMEOUT = 15

STATES = {
    State.SUCCESS: "success",
    State.FAILURE: "failure",
    State.PENDING: "pending",
    State.SUPERSEDED: "warning",
}
#: What is read back. ``error`` is never written by us. Nor is ``skipped``, which newer ones know: it says nothing here.
#: A ``warning`` counts as ours, whoever wrote it: it claims no result, so a result is written over it.
_READ = {word: state for state, word in STATES.items()} | {"error": State.FAILURE}


def connect(host: GitHost, *, turns: TokenBucket | None = None, sleep: Callable[[float], object] = time.sleep) -> Gitea:
    """Make the provider. No request is made yet. Raises ConfigurationError where token or address cannot be used."""
    api = Api(host, timeout=TIMEOUT, turns=turns, sleep=sleep)
    reader = commits.reader(host, turns=turns, sleep=sleep)
    return Gitea(api, reader, ancestry.reader(host, turns=turns, sleep=sleep))


class Gitea:
    """Commit statuses on one Gitea or Forgejo. Safe to use from several threads."""

    def __init__(self, api: Api, commits: Commits, ancestry: Ancestry) -> None:
        self._api = api
        self._commits = commits
        self._ancestry = ancestry

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Read back the newest status of every context of ``commit``, through all pages. Raises DeliveryError.

        The newest is the one with the highest id: times have whole seconds only. A context whose newest state has no
        meaning here counts as not held. The order is the one that stays as it is while others write.
        """
        task = self._api.task("GET", f"commit statuses of {repository.path} cannot be read", repository)
        url = f"{self._api.path(repository)}/commits/{quote(commit, safe='')}/statuses?sort=highestindex"
        found: dict[str, Held] = {}
        entries = [entry for entry in self._api.pages(task, url) if is_number(entry.get("id"))]
        for entry in sorted(entries, key=lambda entry: int(entry["id"])):
            state, context = _READ.get(str(entry.get("status", ""))), str(entry.get("context", ""))
            found.pop(context, None)
            if state is not None:
                found[context] = Held(state, str(entry.get("description") or ""))
        return found

    def deliver(self, payload: Payload) -> str:
        """Write one status with one request, or raise DeliveryError.

        Where no answer came, it is read back once whether the status arrived, before it is written again.
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
        try:
            answer = self._api.asker.ask(task, url, body, lambda: self._arrived(status))
        except DeliveryError as error:
            raise self._better(error, status, task) from None
        if answer is not ARRIVED:
            self._api.entry(task, answer)
        return ""

    def _arrived(self, status: CommitStatus) -> Answer | None:
        held = self.held(status.repository, status.commit).get(status.context.strip())
        wished = Held(status.state, cut(status.description, DESCRIPTION_LIMIT).strip())
        return ARRIVED if held == wished else None

    def _better(self, error: DeliveryError, status: CommitStatus, task: Task) -> DeliveryError:
        """``error``, or that the commit is not there, which does not pass.

        To a write Gitea answers just that something went wrong (500); only administrators are told what.
        """
        if error.uncertain or not (NO_COMMIT.what in error.message or self._is_missing(error, status, task)):
            return error
        return DeliveryError(f"{task.who}: {task.without}: {NO_COMMIT.what}.", NO_COMMIT.hint)

    def _is_missing(self, error: DeliveryError, status: CommitStatus, task: Task) -> bool:
        if INTERNAL not in error.message:
            return False
        where = f"{self._api.path(status.repository)}/git/commits/{quote(status.commit, safe='')}"
        answer = self._api.asker.once(self._api.task("GET", task.without, status.repository), where)
        return isinstance(answer, Answer) and answer.status == 404 and isinstance(answer.value, dict)

    def described(self, repository: Repository, commit: str) -> Described:
        """Ask what ``commit`` is called and who wrote it, without patience. Raises DeliveryError."""
        return self._commits.described(repository, commit)

    def relation(self, repository: Repository, commit: str, other: str) -> Relation:
        """How ``other``, a hash or a full ref, relates to ``commit``. Raises DeliveryError; never UNKNOWN."""
        return self._ancestry.relation(repository, commit, other)

    def examine(self, repositories: Sequence[Repository]) -> Sequence[Finding]:
        """For ``landed doctor``: is the token good, and may its user write statuses there? Writes nothing."""
        return examination.examine(self._api, repositories)
