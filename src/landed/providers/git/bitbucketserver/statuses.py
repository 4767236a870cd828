"""Build statuses on Bitbucket Server and Data Center, from 7.4 on.

https://developer.atlassian.com/server/bitbucket/how-tos/updating-build-status-for-commits/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from landed import repositories
from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import CommitStatus, Described, Finding, GitHost, Payload, Relation, Repository, Secret, State
from landed.providers import commits, rest
from landed.providers.ancestry import Ancestry
from landed.providers.asking import ARRIVED, Answer, Asker, Task
from landed.providers.commits import Commits, hurried
from landed.providers.credentials import authorization, secrets
from landed.providers.git.bitbucketserver import ancestry
from landed.providers.git.bitbucketserver.commits import shown
from landed.providers.git.bitbucketserver.dialect import DIALECT
from landed.providers.git.bitbucketserver.examination import rights, token
from landed.providers.interface import Held, first_five, wanted
from landed.render import cut

#: In UTF-16 code units, as Java counts.
DESCRIPTION_LIMIT = CONTEXT_LIMIT = 255
URL_LIMIT = 450
#: Seconds between bytes.
TIMEOUT = 15
#: Pages of 100 that are read back.
PAGES = 100

#: CANCELLED is known since 8.0.
STATES = {
    State.SUCCESS: "SUCCESSFUL",
    State.FAILURE: "FAILED",
    State.PENDING: "INPROGRESS",
    State.SUPERSEDED: "CANCELLED",
}
_READ = {word: state for state, word in STATES.items()}


def connect(
    host: GitHost, *, turns: TokenBucket | None = None, sleep: Callable[[float], object] = time.sleep
) -> BitbucketServer:
    """Make the provider. No request is made yet. Raises ConfigurationError where token or address cannot be used.

    The token is an HTTP access token, or ``USER:PASSWORD``.
    """
    headers: Mapping[str, Secret | str] = {"Authorization": authorization(host.token), "X-Atlassian-Token": "no-check"}
    asker = rest.asker(host, DIALECT, headers, timeout=TIMEOUT, turns=turns, sleep=sleep)
    quick = rest.asker(hurried(host), DIALECT, headers, timeout=commits.TIMEOUT, turns=turns, sleep=sleep)
    related = partial(ancestry.reader, host, headers, timeout=TIMEOUT, turns=turns, sleep=sleep)
    return BitbucketServer(host, asker, quick, sleep, related)


class BitbucketServer:
    """Build statuses on one Bitbucket Server. Safe to use from several threads."""

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
        """Read back the status of every key of ``commit``, through all pages. Raises DeliveryError.

        The only list of them goes by the commit alone, whatever the repository, and holds the newest 100 as documented;
        what is not in it is written again, which changes nothing.
        https://developer.atlassian.com/server/bitbucket/rest/v905/api-group-deprecated/
        """
        self._path(repository)
        task = self._task("GET", f"build statuses of {repository.path} cannot be read", repository)
        found: dict[str, Held] = {}
        entries = self._pages(task, f"/build-status/latest/commits/{quote(commit, safe='')}?orderBy=NEWEST")
        for entry in sorted(entries, key=_written):
            state = _READ.get(str(entry.get("state", "")))
            if state is not None:
                found[str(entry.get("key", ""))] = Held(state, str(entry.get("description") or ""))
        return found

    def deliver(self, payload: Payload) -> str:
        """Write one status with one request, or raise DeliveryError.

        The context is the key, and what the commit has under it is replaced. Where no answer came, it is read back once
        whether the status arrived, before it is written again.
        """
        status = wanted(CommitStatus, payload)
        without = f"the build status {status.context} of {status.repository.path} cannot be written"
        task = self._task("POST", without, status.repository)
        body = {
            "key": status.context,
            "state": STATES[status.state],
            "url": self._link(status),
            "name": status.context,
            "description": _short(status.description),
        }
        url = self._builds(status.repository, status.commit)
        answer = self._asker.ask(task, url, body, lambda: self._arrived(status))
        if answer is not ARRIVED and answer.status != 204:
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
        return f"Bitbucket Server ({self._host.host})"

    def _task(self, verb: str, without: str, repository: Repository | None = None) -> Task:
        return Task(verb, without, repository, self._who, secrets(self._host.token))

    def _parts(self, repository: Repository) -> tuple[str, str]:
        """Key of the project, or ``~user``, and name; quoted. Raises DeliveryError for what is no repository there."""
        parts = repositories.parts(self._host, repository)
        if len(parts) != 2:
            raise DeliveryError(
                f"{repository} is not a Bitbucket Server repository: its path is not one of a project's or a user's.",
                "Check the URL of the Flux source, or which Git host it is on.",
            )
        return quote(parts[0], safe="~"), quote(parts[1], safe="")

    def _path(self, repository: Repository) -> str:
        project, name = self._parts(repository)
        return f"/api/latest/projects/{project}/repos/{name}"

    def _builds(self, repository: Repository, commit: str) -> str:
        return f"{self._path(repository)}/commits/{quote(commit, safe='')}/builds"

    def _shown_at(self, repository: Repository, commit: str) -> str:
        return f"{self._path(repository)}/commits/{quote(commit, safe='')}"

    def _link(self, status: CommitStatus) -> str:
        """The address that a status must have: its own, or the commit's page where there is none or it is too long."""
        if status.target_url and len(status.target_url) <= URL_LIMIT:
            return status.target_url
        project, name = self._parts(status.repository)
        owner = f"users/{project[1:]}" if project.startswith("~") else f"projects/{project}"
        web = self._host.web_url or f"https://{self._host.host}"
        return f"{web}/{owner}/repos/{name}/commits/{quote(status.commit, safe='')}"

    def _pages(self, task: Task, url: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list.

        https://developer.atlassian.com/server/bitbucket/rest/v905/intro/#paged-apis
        """
        start = 0
        for _ in range(PAGES):
            answer = self._asker.ask(task, f"{url}&limit=100&start={start}")
            value = answer.value
            page = value.get("values") if isinstance(value, dict) else None
            if not isinstance(page, list) or not isinstance(value.get("isLastPage"), bool):
                raise self._asker.nonsense(task, answer)
            yield from (entry for entry in page if isinstance(entry, dict))
            if value["isLastPage"]:
                return
            following = value.get("nextPageStart")
            if not isinstance(following, int) or following <= start:
                raise self._asker.nonsense(task, answer)
            start = following
        raise DeliveryError(f"{task.who}: {task.without}: there are more than {PAGES * 100} of them.")

    def _arrived(self, status: CommitStatus) -> Answer | None:
        """Look at this one key, which can be done in its repository (since 7.14; before that it is never found)."""
        task = self._task("GET", f"the build status {status.context} cannot be read", status.repository)
        url = f"{self._builds(status.repository, status.commit)}?key={quote(status.context, safe='')}"
        answer = self._asker.once(task, url)
        if isinstance(answer, DeliveryError):
            raise answer
        if answer.status in (404, 405):
            return None
        if answer.status != 200:
            raise self._asker.refusal(task, answer)
        value = answer.value
        if not isinstance(value, dict):
            raise self._asker.nonsense(task, answer)
        there = value.get("key"), value.get("state"), value.get("description") or ""
        return ARRIVED if there == (status.context, STATES[status.state], _short(status.description)) else None

    def _visible(self, repository: Repository) -> Finding:
        task = self._task("GET", f"{repository.path} cannot be read", repository)
        try:
            return rights(task, self._asker.ask(task, self._path(repository)))
        except DeliveryError as error:
            return Finding(f"Bitbucket Server {repository}", "problem", error.message, error.hint)


def _short(text: str) -> str:
    text = cut(text, DESCRIPTION_LIMIT)
    while len(text.encode("utf-16-le", "replace")) // 2 > DESCRIPTION_LIMIT:
        text = cut(text, len(text) - 1)
    return text


def _written(entry: Mapping[str, Any]) -> int:
    """When a status was last written, in milliseconds; servers before 7.4 call it ``dateAdded``."""
    dates = (entry.get(name) for name in ("updatedDate", "createdDate", "dateAdded"))
    return next((date for date in dates if isinstance(date, int)), 0)
