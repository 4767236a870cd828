"""GitHub's REST API, through PyGithub.

PyGithub does what it is good at (authentication, addresses, redirects) and is told to leave out what harms here: its
throttle (a second per write), its retries (POST included, no limit on the wait), its connections (one request at a
time, no proxy) and its objects (two reads before each write).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import requests
from github import Auth, Github, GithubException
from github.Requester import RequestsResponse
from urllib3.exceptions import HTTPError

from landed import repositories
from landed.errors import ConfigurationError, DeliveryError
from landed.http import (
    PROXY_REFUSES,
    USER_AGENT,
    Route,
    TokenBucket,
    Trouble,
    diagnose,
    host_of,
    refused_by_proxy,
    secrets_of_proxy,
)
from landed.model import GitHost, Repository, Secret
from landed.providers.asking import Answer, Asker, Dialect, Task
from landed.providers.git.github.app import Installation, signer, speech
from landed.providers.git.github.dialect import MAY_WRITE, WRONG_ADDRESS, dialect
from landed.redact import hider

if TYPE_CHECKING:
    from github.Requester import HTTPSRequestsConnectionClass, Requester

API_VERSION = "2022-11-28"
#: Seconds to make a connection, and between bytes.
TIMEOUT = 15
#: Pages of 100 that are read back.
PAGES = 100


class Api:
    """One GitHub, asked with one credential. Safe to use from several threads."""

    def __init__(
        self,
        host: GitHost,
        *,
        may_write: str = MAY_WRITE,
        tongue: Dialect | None = None,
        timeout: int = TIMEOUT,
        turns: TokenBucket | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Make no request yet; ``may_write`` is what an error says of the right that is missing.

        ``tongue`` is given where answers mean more than GitHub's usual dialect knows.
        Raises ConfigurationError where token, App or address cannot be used.
        """
        self.who = f"GitHub ({host.host})"
        self.host = host
        self.installation: Installation | None = None
        client = _client(host).requester
        line = self._line = _Line(host, self.who, host.network.timeout or timeout)
        if host.app is not None:
            app = Asker(host, speech(), _Wire(client, signer(host.app), line), sleep=sleep)
            self.installation = Installation(host.app, self.who, app)
        self._exchange = _Wire(client, self._credential, line)
        self.asker = Asker(host, tongue or dialect(may_write), self._exchange, turns=turns, sleep=sleep)

    def task(self, verb: str, without: str, repository: Repository | None = None) -> Task:
        """What is to be done, as an error speaks of it."""
        key = (self.host.app.private_key,) if self.host.app else ()
        return Task(verb, without, repository, self.who, (self.host.token, *key, *self._line.secrets))

    def ask_if_there(
        self,
        task: Task,
        url: str,
        body: Mapping[str, Any] | None = None,
        arrived: Callable[[], Answer | None] | None = None,
    ) -> Answer | None:
        """As ``asker.ask``, but None where GitHub knows nothing at that place."""
        self._exchange.last.status = 0
        try:
            return self.asker.ask(task, url, body, arrived)
        except DeliveryError:
            if self._exchange.last.status == 404:
                return None
            raise

    def path(self, repository: Repository) -> str:
        """``/repos/acme/fleet``. Raises DeliveryError for what is no repository of GitHub's."""
        parts = repositories.parts(self.host, repository)
        if len(parts) != 2:
            raise DeliveryError(
                f"{repository} is not a GitHub repository: its path is not owner/name.",
                "Check the URL of the Flux source, or which Git host it is on.",
            )
        return "/repos/" + "/".join(quote(part, safe="") for part in parts)

    def pages(self, task: Task, url: str, key: str = "") -> Iterator[dict[str, Any]]:
        """Every entry of a list, through all pages; ``key`` where the list is a member of the answer."""
        for _ in range(PAGES):
            answer = self.asker.ask(task, url)
            value = answer.value
            page = value if not key else value.get(key) if isinstance(value, dict) else None
            if not isinstance(page, list):
                raise self.asker.nonsense(task, answer)
            yield from (entry for entry in page if isinstance(entry, dict))
            url = _next_page(answer)
            if not url:
                return
        raise DeliveryError(f"{task.who}: {task.without}: there are more than {PAGES * 100} of them.")

    def _credential(self) -> Auth.Auth:
        return Auth.Token(self.installation.token() if self.installation else self.host.token.reveal().strip())


class _Wire:
    """One request, one answer, with the credential of the moment. Safe to use from several threads."""

    def __init__(self, client: Requester, credential: Callable[[], Auth.Auth], line: _Line) -> None:
        self._client = client
        self._line = line
        self._credential = credential
        self.last = threading.local()
        """``status``: of the last answer that this thread got."""

    def __call__(self, verb: str, url: str, body: Mapping[str, Any] | None) -> Answer | Trouble:
        self.last.status = 0
        client, token = self._with_credential()
        try:
            status, headers, text = client.requestJson(
                verb,
                url,
                headers={"Accept": "application/vnd.github+json"},
                input=dict(body) if body else None,
                cnx=cast("HTTPSRequestsConnectionClass", _Connection(self._line)),
            )
        except (requests.RequestException, HTTPError, GithubException, OSError, ValueError, AssertionError) as error:
            return diagnose(error, self._line.proxy)
        except RuntimeError:  # PyGithub's word for a permanent redirect to another host
            return Trouble("it redirects to another place", WRONG_ADDRESS, passing=False)
        if status == PROXY_REFUSES and self._line.proxy:
            return refused_by_proxy(self._line.proxy, status)
        self.last.status = status
        # A token that came later than the task is none of the secrets that the task knows.
        return Answer(status, headers, text if status < 300 else hider((Secret(token),))(text))

    def _with_credential(self) -> tuple[Requester, str]:
        """A client that speaks with the token of the moment, kept as long as that is the same."""
        auth, client = self._credential(), self._client
        token = auth.token
        if client.auth is None or client.auth.token != token:
            client = self._client = client.withAuth(auth)
        return client, token


class _Line:
    """Everything that requests to one GitHub share: connections, proxy, trust."""

    def __init__(self, host: GitHost, who: str, timeout: float) -> None:
        scheme = host.api_url.partition(":")[0]
        self.root = f"{scheme}://{host_of(host.api_url)}"
        self.timeout = timeout
        self.session = Route(host.network).session(self.root, who)
        self.proxy = self.session.proxies.get("all", "")
        self.secrets = tuple(map(Secret, secrets_of_proxy(self.proxy)))


class _Connection:
    """What PyGithub sends one request with.

    Its own is one for all threads, and keeps there what it is to send: two threads could get each other's answer. And
    it has no place for a proxy or a certificate.
    """

    def __init__(self, line: _Line) -> None:
        self._line = line
        self._send: Callable[[], requests.Response] | None = None

    def request(self, verb: str, url: str, input: Any, headers: dict[str, str], stream: bool = False) -> None:
        """Take what is to be sent."""
        line = self._line
        self._send = lambda: line.session.request(
            verb,
            f"{line.root}{url}",
            headers=headers,
            data=input,
            timeout=line.timeout,
            verify=line.session.verify,
            allow_redirects=False,
        )

    def getresponse(self) -> RequestsResponse:
        """Send it, and wait for the answer."""
        assert self._send is not None  # noqa: S101 — PyGithub calls one after the other
        return RequestsResponse(self._send())


def _client(host: GitHost) -> Github:
    if host.app is None and not host.token.reveal().strip():
        raise ConfigurationError("The GitHub token is empty.", "Give one with --github-token.")
    if not host.api_url.startswith(("https://", "http://")) or not host_of(host.api_url):
        raise ConfigurationError(
            "The address of GitHub's API is not a URL.",
            "Give one like https://ghes.example.com/api/v3 with --github-api-url.",
        )
    client = Github(
        base_url=host.api_url.rstrip("/"),
        lazy=True,
        retry=0,
        per_page=100,
        api_version=API_VERSION,
        user_agent=USER_AGENT,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )
    logging.getLogger("github").handlers.clear()
    return client


def _next_page(answer: Answer) -> str:
    """The address of the next page, by the ``Link`` header. PyGithub takes path and query of it, never the host."""
    links = requests.utils.parse_header_links(answer.headers.get("link", ""))
    return next((link["url"] for link in links if link.get("rel") == "next"), "")
