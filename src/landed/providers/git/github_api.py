"""GitHub's REST API, through PyGithub.

PyGithub does what it is good at (authentication, addresses, one pool of connections) and is told to leave out what
harms here: its throttle (a second per write), its retries (POST included, no limit on the wait) and its objects
(two reads before each write).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import requests
from github import Auth, Github, GithubException
from urllib3.exceptions import HTTPError

from landed.errors import ConfigurationError, DeliveryError
from landed.http import USER_AGENT, TokenBucket, Trouble, diagnose, host_of, silence, trusted
from landed.model import GitHost, Repository
from landed.providers.asking import Answer, Asker, Task
from landed.providers.git.github_dialect import MAY_WRITE, WRONG_ADDRESS, dialect

API_VERSION = "2022-11-28"
#: Seconds to make a connection, and between bytes. PyGithub takes whole ones.
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
        timeout: int = TIMEOUT,
        turns: TokenBucket | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Make no request yet; ``may_write`` is what an error says of the right that is missing.

        Raises ConfigurationError where token or address cannot be used.
        """
        self.who = f"GitHub ({host.host})"
        self.host = host
        self._requester = _client(host, timeout).requester
        self.asker = Asker(host, dialect(may_write), self._exchange, turns=turns, sleep=sleep)

    def task(self, verb: str, without: str, repository: Repository | None = None) -> Task:
        """What is to be done, as an error speaks of it."""
        return Task(verb, without, repository, self.who, (self.host.token,))

    def path(self, repository: Repository) -> str:
        """``/repos/acme/fleet``. Raises DeliveryError for what is no repository of GitHub's."""
        parts = repository.path.split("/")
        if len(parts) != 2 or not all(part.strip(".") for part in parts):
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
            page = value.get(key) if key and isinstance(value, dict) else value
            if not isinstance(page, list):
                raise self.asker.nonsense(task, answer)
            yield from (entry for entry in page if isinstance(entry, dict))
            url = _next_page(answer)
            if not url:
                return
        raise DeliveryError(f"{task.who}: {task.without}: there are more than {PAGES * 100} of them.")

    def _exchange(self, verb: str, url: str, body: Mapping[str, Any] | None) -> Answer | Trouble:
        try:
            status, headers, text = self._requester.requestJson(
                verb, url, headers={"Accept": "application/vnd.github+json"}, input=dict(body) if body else None
            )
        except (requests.RequestException, HTTPError, GithubException, OSError, ValueError, AssertionError) as error:
            return diagnose(error)
        except RuntimeError:  # PyGithub's word for a permanent redirect to another host
            return Trouble("it redirects to another place", WRONG_ADDRESS, passing=False)
        return Answer(status, headers, text)


def _client(host: GitHost, timeout: int) -> Github:
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
        timeout=timeout,
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
    return client


def _next_page(answer: Answer) -> str:
    """The address of the next page, by the ``Link`` header. PyGithub takes path and query of it, never the host."""
    links = requests.utils.parse_header_links(answer.headers.get("link", ""))
    return next((link["url"] for link in links if link.get("rel") == "next"), "")
