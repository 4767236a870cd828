"""Commit statuses on github.com, GHE.com and GitHub Enterprise Server, through PyGithub.

PyGithub does what it is good at (authentication, addresses, one pool of connections) and is told to leave out what
harms here: its throttle (a second per write), its retries (POST included, no limit on the wait) and its objects
(two reads before each write). https://docs.github.com/en/rest/commits/statuses
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

import requests
from github import Auth, Github, GithubException
from msgspec import Struct
from urllib3.exceptions import HTTPError

from landed.errors import ConfigurationError, DeliveryError
from landed.http import (
    LATER,
    USER_AGENT,
    Patience,
    TokenBucket,
    Trouble,
    diagnose,
    excerpt,
    host_of,
    retry_after,
    silence,
    spoken,
    status_text,
    trusted,
)
from landed.model import CommitStatus, Finding, GitHost, Repository, State
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

_MAY_WRITE = (
    'In a workflow: `permissions: statuses: write`. Fine-grained token or App: "Commit statuses: read and write"'
    " on that repository. Classic token: scope `repo:status`."
)


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


class Answer(Struct, frozen=True):
    """What the API said, unjudged."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def value(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    @property
    def message(self) -> str:
        """What GitHub says is wrong, with the details it gives."""
        value = self.value
        if not isinstance(value, dict):
            return ""
        errors = value.get("errors")
        details = [
            str(error.get("message") or error.get("code") or "") if isinstance(error, dict) else str(error)
            for error in (errors if isinstance(errors, list) else [])
        ]
        return ": ".join(str(part) for part in (value.get("message"), *details) if part)


class Refusal(Struct, frozen=True):
    """A failed try, and what may be done about it."""

    failure: DeliveryError
    again: bool = False
    asked: float | None = None
    """Seconds to wait first, where GitHub says so."""


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
        task = f"commit statuses of {repository.path} cannot be read"
        url = f"{self._path(repository)}/commits/{quote(commit, safe='')}/statuses?per_page=100"
        for _ in range(_PAGES):
            answer = self._ask("GET", url, repository, task)
            page = answer.value
            if not isinstance(page, list):
                self._nonsense(task, answer)
            yield from (entry for entry in page if isinstance(entry, dict))
            url = _next_page(answer)
            if not url:
                return
        raise DeliveryError(f"{self._name}: {task}: there are more than {_PAGES * 100} of them.")

    def set_status(self, status: CommitStatus) -> None:
        """Write one status with one request, or raise DeliveryError.

        Where no answer came, it is read back once whether the status arrived, before it is written again: GitHub keeps
        every copy, and takes a thousand for each commit and context.
        """
        task = f"the commit status {status.context} of {status.repository.path} cannot be written"
        url = f"{self._path(status.repository)}/statuses/{quote(status.commit, safe='')}"
        body = {
            "state": STATES[status.state],
            "context": status.context,
            "description": cut(status.description, DESCRIPTION_LIMIT),
        }
        if status.target_url:
            body["target_url"] = status.target_url
        answer = self._ask("POST", url, status.repository, task, body, lambda: self._holds(status))
        if answer is not _ARRIVED and not (answer.status == 201 and isinstance(answer.value, dict)):
            self._nonsense(task, answer)

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
        """Is it known at all? ``/rate_limit`` answers every kind of token, and 404 on a server without limits."""
        answer = self._once("GET", "/rate_limit", None)
        if isinstance(answer, Answer) and answer.status in (200, 404) and isinstance(answer.value, dict):
            return Finding(self._name, "ok", "The token is accepted.")
        if isinstance(answer, Trouble):
            return Finding(self._name, "problem", f"{self._name}: {answer.what}.", answer.hint)
        failure = self._refusal(answer, None, "the token cannot be checked").failure
        return Finding(self._name, "problem", failure.message, failure.hint)

    def _examine(self, repository: Repository) -> Finding:
        subject = f"GitHub {repository}"
        try:
            answer = self._ask("GET", self._path(repository), repository, f"{repository.path} cannot be read")
        except DeliveryError as error:
            return Finding(subject, "problem", error.message, error.hint)
        if not isinstance(answer.value, dict):
            return Finding(subject, "problem", f"{self._name} does not answer like GitHub's API.", _ADDRESS)
        return _permission(subject, answer)

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
        verb: str,
        url: str,
        repository: Repository,
        task: str,
        body: Mapping[str, str] | None = None,
        arrived: Callable[[], bool] | None = None,
    ) -> Answer:
        """Make one request, again as far as the rules allow, and return its answer: 2xx, or ``_ARRIVED``."""
        patience = Patience(self._host.max_wait, self._sleep)
        hops = 0
        while True:
            self._take_turn(verb)
            answer = self._once(verb, url, body)
            if isinstance(answer, Answer) and 200 <= answer.status < 300:
                return answer
            moved = self._moved(answer)
            if moved and hops < _HOPS:
                url, hops = moved, hops + 1
                continue
            refusal = self._judge(answer, verb, repository, task)
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

    def _take_turn(self, verb: str) -> None:
        if verb == "GET" or self._writes is None:
            return
        wait = self._writes.take(self._host.max_wait)
        if wait:
            raise DeliveryError(
                f"{self._name}: enough has been written for now; the next turn is in {spoken(wait)}.",
                "The update is sent by a later run. GitHub allows 80 writes a minute and 500 an hour.",
                passing=True,
            )

    def _once(self, verb: str, url: str, body: Mapping[str, str] | None) -> Answer | Trouble:
        try:
            status, headers, text = self._requester.requestJson(
                verb, url, headers={"Accept": "application/vnd.github+json"}, input=dict(body) if body else None
            )
        except (requests.RequestException, HTTPError, GithubException, OSError, ValueError, AssertionError) as error:
            return diagnose(error)
        except RuntimeError:  # PyGithub's word for a permanent redirect to another host
            return Trouble("it redirects to another place", _ADDRESS, passing=False)
        return Answer(status, headers, text)

    def _moved(self, answer: Answer | Trouble) -> str:
        """Where a renamed repository is now: followed on the very same host only, as the token goes with it."""
        if isinstance(answer, Trouble) or answer.status not in (301, 302, 307, 308):
            return ""
        here, there = urlsplit(self._host.api_url), urlsplit(answer.headers.get("location", ""))
        if there.path and (there.scheme, there.netloc) in ((here.scheme, here.netloc), ("", "")):
            return f"{here.scheme}://{here.netloc}{there.path}" + (f"?{there.query}" if there.query else "")
        return ""

    def _judge(self, answer: Answer | Trouble, verb: str, repository: Repository, task: str) -> Refusal:
        if isinstance(answer, Answer):
            refusal = self._refusal(answer, repository, task)
            if verb == "POST" and answer.status in (502, 504):  # a gateway speaks: behind it, it may have been done
                refusal.failure.uncertain = True
            return refusal
        uncertain = verb == "POST" and answer.perhaps_sent
        failure = DeliveryError(
            f"{self._name}: {task}: {answer.what}.", answer.hint, passing=answer.passing, uncertain=uncertain
        )
        return Refusal(failure, again=answer.passing)

    def _refusal(self, answer: Answer, repository: Repository | None, task: str) -> Refusal:
        asked = _rate_limited(answer, time.time())
        if asked is not None:
            until = time.strftime("%H:%M:%S", time.gmtime(time.time() + asked))
            sentence = f"{self._name}: {task}: its rate limit is used up until {until} UTC, {spoken(asked)} from now."
            return Refusal(
                DeliveryError(sentence, "The update is sent by a later run.", passing=True), again=True, asked=asked
            )
        what, hint = _explain(answer, repository)
        said = excerpt(answer.message.encode(), (self._host.token.reveal(),))
        later = retry_after(answer.headers.get("retry-after", ""), time.time())
        wish = f", and asks to wait {spoken(later)}" if later else ""
        failure = DeliveryError(
            f"{self._name}: {task}: {what}{f' ({said})' if said else ''}{wish}.",
            hint,
            passing=answer.status >= 500 or answer.status in (408, 409),
        )
        return Refusal(failure, again=answer.status in LATER, asked=later)

    def _nonsense(self, task: str, answer: Answer) -> NoReturn:
        raise DeliveryError(
            f"{self._name}: {task}: the answer ({status_text(answer.status)}) is not one of GitHub's API.", _ADDRESS
        )


#: Stands for an answer that was lost, but whose status was found when reading back.
_ARRIVED = Answer(201, {}, "{}")

_ADDRESS = "Check --github-api-url: it ends in /api/v3 on GitHub Enterprise Server."


def _next_page(answer: Answer) -> str:
    """The address of the next page, by the ``Link`` header. PyGithub takes path and query of it, never the host."""
    links = requests.utils.parse_header_links(answer.headers.get("link", ""))
    return next((link["url"] for link in links if link.get("rel") == "next"), "")


def _rate_limited(answer: Answer, now: float) -> float | None:
    """Seconds to wait if this is one of GitHub's two limits, else None.

    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately
    """
    headers = answer.headers
    used_up = headers.get("x-ratelimit-remaining") == "0"
    named = "rate limit" in answer.message.lower() or "retry-after" in headers
    if answer.status != 429 and not (answer.status == 403 and (used_up or named)):
        return None
    asked = retry_after(headers.get("retry-after", ""), now)
    reset = headers.get("x-ratelimit-reset", "")
    if asked is None and used_up and reset.isascii() and reset.isdigit():
        asked = max(0.0, float(reset[:12]) - now) + 1  # somewhere within that second
    return 60.0 if asked is None else asked


def _explain(answer: Answer, repository: Repository | None) -> tuple[str, str]:
    """What a refusal means, and what to do about it."""
    said = answer.message.lower()
    if answer.status in (404, 422) and "no commit found" in said:
        return "the commit is not in that repository", (
            "It was not pushed there, or removed by a force-push, or the Flux source's URL names another repository."
        )
    if answer.status == 422 and "maximum number of statuses" in said:
        return "this commit has all the statuses GitHub allows", "GitHub takes 1000 for each commit and context."
    if answer.status == 403:
        return _forbidden(answer, said)
    if answer.status == 404 and not said:
        return "there is no GitHub API at that address", _ADDRESS
    if answer.status < 400:
        host = host_of(answer.headers.get("location", ""))
        return f"it redirects to {host or 'another place'}, which is not followed", _ADDRESS
    what, hint = _REFUSALS.get(answer.status, (f"it answered {status_text(answer.status)}", ""))
    return what.format(repository=repository), hint


_REFUSALS = {
    401: ("it does not accept the token", "The token is wrong, expired or revoked, or made for another server."),
    404: (
        "the repository {repository} does not exist, or the token cannot see it",
        "GITHUB_TOKEN sees the workflow's own repository only: for others give a token or an App's. " + _MAY_WRITE,
    ),
    409: ("it is busy with another change, or the repository is empty", "The update is sent by the next run."),
    422: ("it does not take it", ""),
}


def _forbidden(answer: Answer, said: str) -> tuple[str, str]:
    if "x-github-sso" in answer.headers or "saml" in said:
        return "the organization asks for single sign-on", "Authorize the token for it in its settings on GitHub."
    if "ip allow list" in said:
        return "this machine's address is not on the organization's IP allow list", "Run where it is allowed."
    needs = excerpt(answer.headers.get("x-accepted-github-permissions", "").encode(), ())
    return "the token may not do that", _MAY_WRITE + (f" GitHub asks for: {needs}." if needs else "")


def _permission(subject: str, answer: Answer) -> Finding:
    """What can be known of a token's rights from how GitHub shows it a repository.

    Only classic tokens have their scopes told; ``permissions`` are the user's, not the token's.
    """
    value = answer.value
    permissions = value.get("permissions")
    push = permissions.get("push") if isinstance(permissions, dict) else None
    told = answer.headers.get("x-oauth-scopes")
    if told is None:
        level, doubt = ("warning", "; it shows no right to push") if push is False else ("ok", "")
        unknown = "whether the token may write commit statuses cannot be known without writing"
        return Finding(subject, level, f"The repository is visible{doubt}; {unknown}.", _MAY_WRITE)
    scopes = {scope.strip() for scope in told.split(",")}
    enough = {"repo", "repo:status"} if value.get("private") else {"repo", "repo:status", "public_repo"}
    if not scopes & enough:
        return Finding(subject, "problem", "The token has no scope to write commit statuses.", _MAY_WRITE)
    if push is False:
        hint = "Give the token's user the role Write on the repository."
        return Finding(subject, "problem", "The token's user may not write to the repository.", hint)
    return Finding(subject, "ok", "The token may write commit statuses.")
