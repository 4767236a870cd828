"""GitLab's REST API, through python-gitlab.

python-gitlab does what it is good at (each kind of token in its header, JSON, one pool of connections) and is told to
leave out what harms here: its retries, its waits without a limit, and its objects (two reads before each write).
Redirects are kept from it: it would follow them to any host, and take ``PRIVATE-TOKEN`` along.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import requests
from gitlab import Gitlab, GitlabError
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
from landed.providers.asking import ARRIVED, Answer, Asker, Task
from landed.providers.git.gitlab.dialect import MAY_SET_STATUS, Right, dialect

#: Seconds to make a connection, and between bytes.
TIMEOUT = 15
#: Pages of 100 that are read back.
PAGES = 100

Entry = dict[str, Any]


class Api:
    """One GitLab, asked with one credential. Safe to use from several threads."""

    def __init__(
        self,
        host: GitHost,
        *,
        right: Right = MAY_SET_STATUS,
        done: Callable[[Mapping[str, Any], Answer], bool] = lambda body, answer: False,
        timeout: float = TIMEOUT,
        turns: TokenBucket | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Make no request yet. ``right`` is what the writes take.

        ``done`` says whether the refusal of a body means that what was asked for is so already; then it counts as
        ``ARRIVED``. Raises ConfigurationError where token or address cannot be used.
        """
        self.who = f"GitLab ({host.host})"
        self.host = host
        self.right = right
        self.job_token = is_job_token(host)
        self._done = done
        self._timeout = host.network.timeout or timeout
        self._client = _client(host, self.who)
        self._proxy = self._client.session.proxies.get("all", "")
        self._hidden = tuple(map(Secret, secrets_of_proxy(self._proxy)))
        said = dialect(right, job_token=self.job_token)
        self.asker = Asker(host, said, self._exchange, turns=turns, sleep=sleep)

    def task(self, verb: str, without: str, repository: Repository | None = None) -> Task:
        """What is to be done, as an error speaks of it."""
        return Task(verb, without, repository, self.who, (self.host.token, *self._hidden))

    def path(self, repository: Repository) -> str:
        """``/projects/acme%2Fplatform%2Ffleet``, or ``/projects/1234``. Raises DeliveryError for what is no project.

        https://docs.gitlab.com/api/rest/#namespaced-paths
        """
        parts = repositories.parts(self.host, repository)
        if not parts:
            raise DeliveryError(
                f"{repository} is not a GitLab repository: its path is not group/project.",
                "Check the URL of the Flux source, or which Git host it is on.",
            )
        return f"/projects/{quote('/'.join(parts), safe='')}"

    def pages(self, task: Task, url: str) -> Iterator[Entry]:
        """Every entry of a list, through all pages. Raises DeliveryError where they have no end."""
        for number, page in enumerate(self.each_page(task, url)):
            if number == PAGES:
                raise DeliveryError(f"{task.who}: {task.without}: there are more than {PAGES * 100} of them.")
            yield from page

    def each_page(self, task: Task, url: str) -> Iterator[list[Entry]]:
        """The pages of a list, each asked for when it is taken."""
        following = url
        while following:
            answer = self.asker.ask(task, following)
            if not isinstance(answer.value, list):
                raise self.asker.nonsense(task, answer)
            yield [entry for entry in answer.value if isinstance(entry, dict)]
            following = _next_page(url, answer)

    def entry(self, task: Task, answer: Answer) -> Entry:
        """The thing with an ``id`` that ``answer`` shows. Raises DeliveryError if it is something else."""
        value = answer.value
        if not isinstance(value, dict) or not is_number(value.get("id")):
            raise self.asker.nonsense(task, answer)
        return value

    def _exchange(self, verb: str, url: str, body: Mapping[str, Any] | None) -> Answer | Trouble:
        token = self.host.token.reveal().strip()
        if not (token.isascii() and token.isprintable()):
            return Trouble("the token holds characters no header can", "Check it for line breaks.", passing=False)
        try:
            answer = self._request(verb, url, body)
        except (requests.RequestException, HTTPError, GitlabError, OSError, ValueError) as error:
            return diagnose(error, self._proxy)
        if answer.status == PROXY_REFUSES and self._proxy:
            return refused_by_proxy(self._proxy, answer.status)
        return ARRIVED if body and self._done(body, answer) else answer

    def _request(self, verb: str, url: str, body: Mapping[str, Any] | None) -> Answer:
        try:
            response = self._client.http_request(
                verb.lower(),
                f"{self.host.api_url.rstrip('/')}{url}" if url.startswith("/") else url,
                post_data=dict(body) if body is not None else None,
                timeout=self._timeout,
                obey_rate_limit=False,
                max_retries=0,
                retry_transient_errors=False,
            )
        except _Refused as refused:
            response = refused.response
        return Answer(
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            response.content.decode(errors="replace"),
        )


def is_job_token(host: GitHost) -> bool:
    """Whether the token is a CI job's; its prefix gives it away wherever it was given."""
    return host.job_token or host.token.reveal().strip().startswith("glcbt-")


def without_job_token(host: GitHost, what: str) -> None:
    """Raise ConfigurationError where the token is a CI job's, which cannot do ``what``.

    https://docs.gitlab.com/ci/jobs/ci_job_token/#job-token-access
    """
    if is_job_token(host):
        raise ConfigurationError(
            f"CI_JOB_TOKEN cannot {what}: GitLab does not let it.",
            "Give a project or group access token with the scope `api` and the role Developer with --gitlab-token;"
            " or have deployments reported, for which CI_JOB_TOKEN is enough.",
        )


def is_number(value: object) -> bool:
    """Whether ``value`` is an id as GitLab gives it."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


class _Refused(Exception):
    """An answer that is no 2xx, whole: python-gitlab's own errors have lost its headers."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__()
        self.response = response


def _client(host: GitHost, who: str) -> Gitlab:
    token = host.token.reveal().strip()
    if not token:
        raise ConfigurationError("The GitLab token is empty.", "Give one with --gitlab-token.")
    if not host.api_url.startswith(("https://", "http://")) or not host_of(host.api_url):
        raise ConfigurationError(
            "The address of GitLab's API is not a URL.",
            "Give one like https://gitlab.example.com with --git-host HOST=gitlab=URL.",
        )
    kind = _kind_of(host)
    session = Route(host.network).session(host.api_url, who)
    session.hooks["response"].append(_hand_over)
    return Gitlab(
        host.api_url.rstrip("/").removesuffix("/api/v4"),
        private_token=token if kind == "private" else None,
        oauth_token=token if kind == "oauth" else None,
        job_token=token if kind == "job" else None,
        ssl_verify=session.verify or True,
        user_agent=USER_AGENT,
        session=session,
    )


def _kind_of(host: GitHost) -> str:
    """What kind of token it is. GitLab takes an OAuth access token, 64 hexadecimal digits, as Bearer only.

    https://docs.gitlab.com/api/rest/authentication/
    """
    if is_job_token(host):
        return "job"
    oauth = re.fullmatch(r"[0-9a-f]{64}", host.token.reveal().strip())
    return "oauth" if oauth else "private"


def _hand_over(response: requests.Response, **_: object) -> None:
    """Hand back an answer as it came: before requests follows a redirect, and python-gitlab makes an error of it."""
    if not 200 <= response.status_code < 300:
        response.content  # noqa: B018 — all of it, so that the connection is free again
        raise _Refused(response)


def _next_page(url: str, answer: Answer) -> str:
    """``url``, asking for the page after ``answer``; empty at the end.

    Long lists have the ``Link`` header only. Its host and path may be strange where a proxy stands before GitLab: just
    the query is taken of it. https://docs.gitlab.com/api/rest/#pagination
    """
    path, _, query = url.partition("?")
    page = answer.headers.get("x-next-page", "")
    if page.isascii() and page.isdigit():
        return f"{path}?{urlencode({**dict(parse_qsl(query)), 'page': page[:12]})}"
    links = requests.utils.parse_header_links(answer.headers.get("link", ""))
    following = next((link["url"] for link in links if link.get("rel") == "next"), "")
    return f"{path}?{following.partition('?')[2].partition('#')[0]}" if following else ""
