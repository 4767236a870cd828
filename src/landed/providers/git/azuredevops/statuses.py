"""Commit statuses on Azure DevOps Services and Azure DevOps Server.

https://learn.microsoft.com/en-us/rest/api/azure/devops/git/statuses?view=azure-devops-server-rest-5.0
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from landed.http import TokenBucket
from landed.model import CommitStatus, Described, Finding, GitHost, Held, Payload, Relation, Repository, State
from landed.providers.ancestry import Ancestry
from landed.providers.asking import ARRIVED, Answer
from landed.providers.commits import Commits
from landed.providers.git.azuredevops import ancestry, commits, examination
from landed.providers.git.azuredevops.api import Api
from landed.providers.interface import arrived, wanted
from landed.render import cut

#: Characters. Microsoft documents none; nothing of ours is longer.
DESCRIPTION_LIMIT = 1000
CONTEXT_LIMIT = 255
#: Seconds to make a connection, and between bytes.
TIMEOUT = 15

STATES = {
    State.SUCCESS: "succeeded",
    State.FAILURE: "failed",
    State.PENDING: "pending",
    State.SUPERSEDED: "notApplicable",
}
#: What is read back. We never write the last two; a partial success is no result that we could have told, and whatever
#: we have to tell replaces it. ``notSet`` says nothing.
_READ = {word: state for state, word in STATES.items()} | {"error": State.FAILURE, "partiallySucceeded": State.PENDING}


def connect(
    host: GitHost, *, turns: TokenBucket | None = None, sleep: Callable[[float], object] = time.sleep
) -> AzureDevOps:
    """Make the provider. No request is made yet. Raises ConfigurationError where token or address cannot be used."""
    api = Api(host, timeout=TIMEOUT, turns=turns, sleep=sleep)
    reader = commits.reader(host, turns=turns, sleep=sleep)
    return AzureDevOps(api, reader, ancestry.reader(host, turns=turns, sleep=sleep))


class AzureDevOps:
    """Commit statuses on one Azure DevOps. Safe to use from several threads."""

    def __init__(self, api: Api, commits: Commits, ancestry: Ancestry) -> None:
        self._api = api
        self._commits = commits
        self._ancestry = ancestry

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Read back the newest status of every context of ``commit``, through all pages. Raises DeliveryError.

        Where the newest is in a state that we do not know, nothing is held: an older one is not what people see.
        """
        task = self._api.task("GET", f"commit statuses of {repository.path} cannot be read", repository)
        newest: dict[str, dict[str, Any]] = {}
        for entry in self._api.statuses(task, self._api.statuses_url(repository, commit)):
            context = _context(entry.get("context"))
            if context and (context not in newest or _when(entry) > _when(newest[context])):
                newest[context] = entry
        states = {context: _READ.get(str(entry.get("state"))) for context, entry in newest.items()}
        return {
            context: Held(state, str(newest[context].get("description") or ""))
            for context, state in states.items()
            if state is not None
        }

    def deliver(self, payload: Payload) -> str:
        """Write one status with one request, or raise DeliveryError.

        Where no answer came, it is read back once whether the status arrived, before it is written again: Azure DevOps
        keeps every copy.
        """
        status = wanted(CommitStatus, payload)
        without = f"the commit status {status.context} of {status.repository.path} cannot be written"
        task = self._api.task("POST", without, status.repository)
        url = self._api.statuses_url(status.repository, status.commit)
        body = {
            "state": STATES[status.state],
            "description": cut(status.description, DESCRIPTION_LIMIT),
            "context": _split(status.context),
        }
        if status.target_url:
            body["targetUrl"] = status.target_url
        answer = self._api.asker.ask(task, url, body, lambda: arrived(self, status, DESCRIPTION_LIMIT))
        if answer is not ARRIVED and not _says(answer, STATES[status.state]):
            raise self._api.asker.nonsense(task, answer)
        return ""

    def described(self, repository: Repository, commit: str) -> Described:
        """Ask what ``commit`` is called and who wrote it, without patience. Raises DeliveryError."""
        return self._commits.described(repository, commit)

    def relation(self, repository: Repository, commit: str, other: str) -> Relation:
        """How ``other``, a hash or a full ref, relates to ``commit``. Raises DeliveryError; never UNKNOWN."""
        return self._ancestry.relation(repository, commit, other)

    def examine(self, repositories: Sequence[Repository]) -> Sequence[Finding]:
        """For ``landed doctor``: is the token good, and may it see the repositories? Writes nothing."""
        return examination.examine(self._api, repositories)


def _says(answer: Answer, state: str) -> bool:
    """Whether the answer is the status as it was stored: documented is 200, sent is 201."""
    value = answer.value
    return answer.status in (200, 201) and isinstance(value, dict) and value.get("state") == state


def _split(context: str) -> dict[str, str]:
    """``flux/prod/apps/web`` as genre ``flux`` and name ``prod/apps/web``, which is also how a branch policy names it.

    What cannot be split so that both are something has no genre: a genre may be missing, a name may not be empty.
    """
    genre, _, name = context.partition("/")
    return {"genre": genre, "name": name} if genre and name else {"name": context}


def _context(value: Any) -> str:
    """The context that is written as this genre and name; empty where there is none."""
    if not isinstance(value, dict):
        return ""
    genre, name = value.get("genre") or "", value.get("name")
    if not (isinstance(genre, str) and isinstance(name, str)):
        return ""
    context = f"{genre}/{name}" if genre else name
    written = _split(context)
    return context if (written.get("genre", ""), written["name"]) == (genre, name) else ""


def _when(entry: Mapping[str, Any]) -> tuple[float, int]:
    """What orders statuses: the time of creation, then the number."""
    number = entry.get("id")
    try:
        created = datetime.fromisoformat(str(entry.get("creationDate"))).timestamp()
    except (ValueError, OverflowError):
        created = 0.0
    return created, number if isinstance(number, int) else 0
