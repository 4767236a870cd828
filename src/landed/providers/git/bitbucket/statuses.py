"""Build statuses on Bitbucket Cloud.

https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from landed import repositories
from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import CommitStatus, Described, Finding, GitHost, Payload, Relation, Repository, State
from landed.providers import commits, rest
from landed.providers.ancestry import Ancestry
from landed.providers.asking import ARRIVED, Answer, Asker, Task
from landed.providers.commits import Commits, hurried
from landed.providers.credentials import authorization, secrets
from landed.providers.git.bitbucket import ancestry
from landed.providers.git.bitbucket.commits import FIELDS, shown
from landed.providers.git.bitbucket.dialect import DIALECT
from landed.providers.git.bitbucket.examination import rights, token
from landed.providers.interface import Held, arrived, first_five, wanted
from landed.render import cut

DESCRIPTION_LIMIT = 255
#: Characters that a status's key may have.
CONTEXT_LIMIT = 40
#: Seconds between bytes.
TIMEOUT = 15
#: Pages of 100 that are read back.
PAGES = 100

STATES = {
    State.SUCCESS: "SUCCESSFUL",
    State.FAILURE: "FAILED",
    State.PENDING: "INPROGRESS",
    State.SUPERSEDED: "STOPPED",
}
_READ = {word: state for state, word in STATES.items()}


def connect(
    host: GitHost, *, turns: TokenBucket | None = None, sleep: Callable[[float], object] = time.sleep
) -> Bitbucket:
    """Make the provider. No request is made yet. Raises ConfigurationError where token or address cannot be used.

    The token is an access token of a repository, project or workspace, or ``EMAIL:API-TOKEN``, or
    ``USER:APP-PASSWORD``.
    """
    headers = {"Authorization": authorization(host.token)}
    asker = rest.asker(host, DIALECT, headers, timeout=TIMEOUT, turns=turns, sleep=sleep)
    quick = rest.asker(hurried(host), DIALECT, headers, timeout=commits.TIMEOUT, turns=turns, sleep=sleep)
    related = partial(ancestry.reader, host, headers, timeout=TIMEOUT, turns=turns, sleep=sleep)
    return Bitbucket(host, asker, quick, sleep, related)


class Bitbucket:
    """Build statuses on Bitbucket Cloud. Safe to use from several threads."""

    def __init__(
        self,
        host: GitHost,
        asker: Asker,
        quick: Asker,
        sleep: Callable[[float], object],
        related: Callable[..., Ancestry],
    ) -> None:
        """Take ``quick`` for what nobody should wait for; ``related`` takes ``task`` and ``path``."""
        self._host = host
        self._asker = asker
        self._commits = Commits(host, quick, self._task, self._shown_at, shown, sleep)
        self._ancestry = related(task=self._task, path=self._path)

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Read back the status of every key of ``commit``, through all pages. Raises DeliveryError."""
        task = self._task("GET", f"build statuses of {repository.path} cannot be read", repository)
        entries = self._pages(task, f"{self._commit(repository, commit)}/statuses")
        found: dict[str, Held] = {}
        for entry in sorted(entries, key=lambda entry: str(entry.get("updated_on", ""))):
            state = _READ.get(str(entry.get("state", "")))
            if state is not None:
                found[str(entry.get("key", ""))] = Held(state, str(entry.get("description") or ""))
        return found

    def deliver(self, payload: Payload) -> str:
        """Write one status with one request, or raise DeliveryError.

        The context is the key, and a key that the commit has already is overwritten, as Bitbucket documents. Where no
        answer came, it is read back once whether the status arrived, before it is written again.
        """
        status = wanted(CommitStatus, payload)
        without = f"the build status {status.context} of {status.repository.path} cannot be written"
        task = self._task("POST", without, status.repository)
        url = f"{self._commit(status.repository, status.commit)}/statuses/build"
        body = {
            "key": status.context,
            "state": STATES[status.state],
            "name": status.context,
            "description": cut(status.description, DESCRIPTION_LIMIT),
            "url": self._link(status),
        }
        answer = self._asker.ask(task, url, body, lambda: arrived(self, status, DESCRIPTION_LIMIT))
        if answer is not ARRIVED and not _taken(answer, body):
            raise self._asker.nonsense(task, answer)
        return ""

    def described(self, repository: Repository, commit: str) -> Described:
        """Ask what ``commit`` is called and who wrote it, without patience. Raises DeliveryError."""
        return self._commits.described(repository, commit)

    def relation(self, repository: Repository, commit: str, other: str) -> Relation:
        """How ``other``, a hash or a full ref, relates to ``commit``. Raises DeliveryError; never UNKNOWN."""
        return self._ancestry.relation(repository, commit, other)

    def examine(self, repositories: Sequence[Repository]) -> Sequence[Finding]:
        """For ``landed doctor``: is the token good, and does it see the repositories? Writes nothing."""
        if not repositories:
            return (token(self._asker, self._task("GET", "the token cannot be checked")),)
        return first_five(repositories, self._who, self._visible)

    @property
    def _who(self) -> str:
        return f"Bitbucket ({self._host.host})"

    def _task(self, verb: str, without: str, repository: Repository | None = None) -> Task:
        return Task(verb, without, repository, self._who, secrets(self._host.token))

    def _path(self, repository: Repository) -> str:
        """``acme/fleet``, quoted. Raises DeliveryError for what is no repository there."""
        parts = repositories.parts(self._host, repository)
        if not parts:
            raise DeliveryError(
                f"{repository} is not a Bitbucket repository: its path is not workspace/name.",
                "Check the URL of the Flux source, or which Git host it is on.",
            )
        return "/".join(quote(part, safe="") for part in parts)

    def _commit(self, repository: Repository, commit: str) -> str:
        return f"/repositories/{self._path(repository)}/commit/{quote(commit, safe='')}"

    def _shown_at(self, repository: Repository, commit: str) -> str:
        return f"{self._commit(repository, commit)}?{FIELDS}"

    def _link(self, status: CommitStatus) -> str:
        """The address that a status must have: its own, or else the commit's page.

        Bitbucket fills in what stands between braces, so there must be none.
        """
        web = self._host.web_url or f"https://{self._host.host}"
        page = f"{web}/{self._path(status.repository)}/commits/{quote(status.commit, safe='')}"
        return (status.target_url or page).replace("{", "%7B").replace("}", "%7D")

    def _pages(self, task: Task, path: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list. Of the address of the next page only the query is taken, never the place."""
        query = "pagelen=100"
        for _ in range(PAGES):
            answer = self._asker.ask(task, f"{path}?{query}")
            value = answer.value
            page = value.get("values") if isinstance(value, dict) else None
            if not isinstance(page, list):
                raise self._asker.nonsense(task, answer)
            yield from (entry for entry in page if isinstance(entry, dict))
            if not value.get("next"):
                return
            query = _query(value["next"])
            if not query:
                raise self._asker.nonsense(task, answer)
        raise DeliveryError(f"{task.who}: {task.without}: there are more than {PAGES * 100} of them.")

    def _visible(self, repository: Repository) -> Finding:
        task = self._task("GET", f"{repository.path} cannot be read", repository)
        try:
            return rights(task, self._asker.ask(task, f"/repositories/{self._path(repository)}"))
        except DeliveryError as error:
            return Finding(f"Bitbucket {repository}", "problem", error.message, error.hint)


def _taken(answer: Answer, body: Mapping[str, str]) -> bool:
    """Whether the answer is the status that was written: Bitbucket gives it back."""
    value = answer.value
    return isinstance(value, dict) and (value.get("key"), value.get("state")) == (body["key"], body["state"])


def _query(address: object) -> str:
    try:
        return urlsplit(str(address)).query
    except ValueError:
        return ""
