"""Commit statuses on github.com, GHE.com and GitHub Enterprise Server, through PyGithub.

PyGithub does what it is good at (authentication, addresses, one pool of connections) and is told to leave out what
harms here: its throttle (a second per write), its retries (POST included, no limit on the wait) and its objects
(two reads before each write). https://docs.github.com/en/rest/commits/statuses
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from github import Auth, Github, GithubException
from urllib3.exceptions import HTTPError

from landed.errors import ConfigurationError, DeliveryError
from landed.http import USER_AGENT, Patience, TokenBucket, Trouble, diagnose, host_of, silence, spoken, trusted
from landed.model import CommitStatus, Finding, GitHost, Repository, State
from landed.providers.git import github_examination
from landed.providers.git.github_answers import WRONG_ADDRESS, Answer, Refusal, Task, judge, nonsense
from landed.providers.interface import RemoteStatus
from landed.render import cut

DESCRIPTION_LIMIT = 140
CONTEXT_LIMIT = 255

STATES = {State.SUCCESS: "success", State.FAILURE: "failure", State.PENDING: "pending"}
#: What is read back; ``error`` is never written by us.
_READ = {"success": State.SUCCESS, "failure": State.FAILURE, "error": State.FAILURE, "pending": State.PENDING}

API_VERSION = "2022-11-28"
#: Seconds to make a connection, and between bytes. PyGithub takes whole ones.
TIMEOUT = 15
#: Pages of 100 statuses that are read back: ten times what one context may have.
_PAGES = 100
_HOPS = 3
_EXAMINED = 5

#: Stands for an answer that was lost, but whose status was found when reading back.
_ARRIVED = Answer(201, {}, "{}")


def connect(host: GitHost, *, sleep: Callable[[float], object] = time.sleep) -> GitHub:
    """Make the provider. No request is made yet. Raises ConfigurationError where token or address cannot be used."""
    if not host.token.reveal().strip():
        raise ConfigurationError("The GitHub token is empty.", "Give one with --github-token.")
    if not host.api_url.startswith(("https://", "http://")) or not host_of(host.api_url):
        raise ConfigurationError(
            "The address of GitHub's API is not a URL.",
            "Give one like https://ghes.example.com/api/v3 with --github-api-url.",
        )
    client = Github(
        auth=Auth.Token(host.token.reveal().strip()),
        base_url=host.api_url.rstrip("/"),
        lazy=True,
        retry=0,
        timeout=TIMEOUT,
        per_page=100,
        pool_size=16,
        api_version=API_VERSION,
        user_agent=USER_AGENT,
        verify=trusted(host.ca_file),
        seconds_between_requests=None,
        seconds_between_writes=None,
    )
    logging.getLogger("github").handlers.clear()
    silence()
    return GitHub(host, client, _limits(host.api_url), sleep)


def _limits(api_url: str) -> TokenBucket | None:
    """GitHub's own limits on requests that create content; a server of one's own has none unless told to.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
    """
    name = urlsplit(api_url).hostname or ""
    if name != "api.github.com" and not name.endswith(".ghe.com"):
        return None
    return TokenBucket(8, 80 / 60, ((80, 60.0), (500, 3600.0)))


class GitHub:
    """Commit statuses on one GitHub. Safe to use from several threads."""

    def __init__(
        self,
        host: GitHost,
        client: Github,
        writes: TokenBucket | None,
        sleep: Callable[[float], object],
    ) -> None:
        self._host = host
        self._requester = client.requester
        self._writes = writes
        self._sleep = sleep
        self._name = f"GitHub ({host.host})"

    def statuses(self, repository: Repository, commit: str) -> Mapping[str, RemoteStatus]:
        """Read back the newest status of every context of ``commit``, through all pages. Raises DeliveryError."""
        found: dict[str, RemoteStatus] = {}
        for entry in self._listed(repository, commit):
            state = _READ.get(entry.get("state", ""))
            if state is not None:
                found.setdefault(str(entry.get("context", "")), RemoteStatus(state, entry.get("description") or ""))
        return found

    def _listed(self, repository: Repository, commit: str) -> Iterator[dict[str, Any]]:
        """Every status of ``commit``, newest first as GitHub documents it."""
        task = self._task("GET", f"commit statuses of {repository.path} cannot be read", repository)
        url = f"{self._path(repository)}/commits/{quote(commit, safe='')}/statuses?per_page=100"
        for _ in range(_PAGES):
            answer = self._ask(task, url)
            page = answer.value
            if not isinstance(page, list):
                raise nonsense(task, answer)
            yield from (entry for entry in page if isinstance(entry, dict))
            url = _next_page(answer)
            if not url:
                return
        raise DeliveryError(f"{task.who}: {task.without}: there are more than {_PAGES * 100} of them.")

    def set_status(self, status: CommitStatus) -> None:
        """Write one status with one request, or raise DeliveryError.

        Where no answer came, it is read back once whether the status arrived, before it is written again: GitHub keeps
        every copy, and takes a thousand for each commit and context.
        """
        without = f"the commit status {status.context} of {status.repository.path} cannot be written"
        task = self._task("POST", without, status.repository)
        url = f"{self._path(status.repository)}/statuses/{quote(status.commit, safe='')}"
        body = {
            "state": STATES[status.state],
            "context": status.context,
            "description": cut(status.description, DESCRIPTION_LIMIT),
        }
        if status.target_url:
            body["target_url"] = status.target_url
        answer = self._ask(task, url, body, lambda: self._holds(status))
        if answer is not _ARRIVED and not (answer.status == 201 and isinstance(answer.value, dict)):
            raise nonsense(task, answer)

    def _holds(self, status: CommitStatus) -> bool:
        held = self.statuses(status.repository, status.commit).get(status.context)
        return held == RemoteStatus(status.state, cut(status.description, DESCRIPTION_LIMIT))

    def examine(self, repositories: Sequence[Repository]) -> Sequence[Finding]:
        """For ``landed doctor``: is the token good, and may it write statuses there? Writes nothing."""
        if not repositories:
            return (self._examine_token(),)
        findings = [self._examine(repository) for repository in repositories[:_EXAMINED]]
        if len(repositories) > _EXAMINED:
            more = len(repositories) - _EXAMINED
            findings.append(Finding(self._name, "ok", f"{more} more repositories were not looked at."))
        return tuple(findings)

    def _examine_token(self) -> Finding:
        task = self._task("GET", "the token cannot be checked")
        return github_examination.of_token(task, self._once(task, "/rate_limit"))

    def _examine(self, repository: Repository) -> Finding:
        task = self._task("GET", f"{repository.path} cannot be read", repository)
        try:
            answer = self._ask(task, self._path(repository))
        except DeliveryError as error:
            return Finding(f"GitHub {repository}", "problem", error.message, error.hint)
        return github_examination.of_repository(task, answer)

    def _task(self, verb: str, without: str, repository: Repository | None = None) -> Task:
        return Task(verb, without, repository, self._name, self._host.token)

    def _path(self, repository: Repository) -> str:
        parts = repository.path.split("/")
        if len(parts) != 2 or not all(part.strip(".") for part in parts):
            raise DeliveryError(
                f"{repository} is not a GitHub repository: its path is not owner/name.",
                "Check the URL of the Flux source, or which Git host it is on.",
            )
        return "/repos/" + "/".join(quote(part, safe="") for part in parts)

    def _ask(
        self,
        task: Task,
        url: str,
        body: Mapping[str, str] | None = None,
        arrived: Callable[[], bool] | None = None,
    ) -> Answer:
        """Make one request, again as far as the rules allow, and return its answer: 2xx, or ``_ARRIVED``."""
        patience = Patience(self._host.max_wait, self._sleep)
        hops = 0
        while True:
            self._take_turn(task)
            answer = self._once(task, url, body)
            if isinstance(answer, Answer) and 200 <= answer.status < 300:
                return answer
            moved = self._moved(answer)
            if moved and hops < _HOPS:
                url, hops = moved, hops + 1
                continue
            refusal = judge(task, answer)
            if not (refusal.again and patience.wait(refusal.asked)):
                raise refusal.failure
            if refusal.failure.uncertain and arrived and self._found(arrived, refusal):
                return _ARRIVED

    def _found(self, arrived: Callable[[], bool], refusal: Refusal) -> bool:
        try:
            return arrived()
        except DeliveryError as error:
            doubt = f"{refusal.failure.message} It could not be read back whether it arrived."
            failure = DeliveryError(doubt, error.hint or refusal.failure.hint, passing=True, uncertain=True)
        raise failure

    def _take_turn(self, task: Task) -> None:
        if task.verb == "GET" or self._writes is None:
            return
        wait = self._writes.take(self._host.max_wait)
        if wait:
            raise DeliveryError(
                f"{self._name}: enough has been written for now; the next turn is in {spoken(wait)}.",
                "The update is sent by a later run. GitHub allows 80 writes a minute and 500 an hour.",
                passing=True,
            )

    def _once(self, task: Task, url: str, body: Mapping[str, str] | None = None) -> Answer | Trouble:
        try:
            status, headers, text = self._requester.requestJson(
                task.verb, url, headers={"Accept": "application/vnd.github+json"}, input=dict(body) if body else None
            )
        except (requests.RequestException, HTTPError, GithubException, OSError, ValueError, AssertionError) as error:
            return diagnose(error)
        except RuntimeError:  # PyGithub's word for a permanent redirect to another host
            return Trouble("it redirects to another place", WRONG_ADDRESS, passing=False)
        return Answer(status, headers, text)

    def _moved(self, answer: Answer | Trouble) -> str:
        """Where a renamed repository is now: followed on the very same host only, as the token goes with it."""
        if isinstance(answer, Trouble) or answer.status not in (301, 302, 307, 308):
            return ""
        here, there = urlsplit(self._host.api_url), urlsplit(answer.headers.get("location", ""))
        if there.path and (there.scheme, there.netloc) in ((here.scheme, here.netloc), ("", "")):
            return f"{here.scheme}://{here.netloc}{there.path}" + (f"?{there.query}" if there.query else "")
        return ""


def _next_page(answer: Answer) -> str:
    """The address of the next page, by the ``Link`` header. PyGithub takes path and query of it, never the host."""
    links = requests.utils.parse_header_links(answer.headers.get("link", ""))
    return next((link["url"] for link in links if link.get("rel") == "next"), "")
