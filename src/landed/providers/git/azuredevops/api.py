"""Azure DevOps' REST API: where it is, how it is asked, and how it says that nobody is signed in."""

from __future__ import annotations

import math
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import Any
from urllib.parse import quote, urlsplit

from landed import repositories
from landed.errors import ConfigurationError, DeliveryError
from landed.http import Http, TokenBucket, Trouble, host_of, retry_after
from landed.model import GitHost, Repository, Secret
from landed.providers.asking import Answer, Asker, Exchange, Task
from landed.providers.git.azuredevops.dialect import DIALECT
from landed.providers.rest import ANSWER_LIMIT, CONNECT_TIMEOUT, exchange

#: The lowest that every server still maintained knows (Azure DevOps Server 2019) and that has all states we write.
#: Later servers and Azure DevOps Services go on answering it.
#: https://learn.microsoft.com/en-us/azure/devops/integrate/concepts/rest-api-versioning#supported-versions
API_VERSION = "5.0"
#: Statuses that are read at once, and how often.
PAGE, PAGES = 100, 100

#: ``System.AccessToken`` and tokens of Microsoft Entra are JSON web tokens; personal access tokens have no dot.
_WEB_TOKEN = re.compile(r"ey[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)
_SIGN_IN = re.compile(
    r"login\.microsoftonline\.\w+|login\.live\.com|vssps\.dev\.azure\.com|.*\.vssps\.visualstudio\.com"
)


class Api:
    """One Azure DevOps, asked with one credential. Safe to use from several threads."""

    def __init__(
        self,
        host: GitHost,
        *,
        timeout: float,
        turns: TokenBucket | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Make no request yet; ``timeout`` is in seconds.

        Raises ConfigurationError where token or address cannot be used.
        """
        token = host.token.reveal().strip()
        if not token:
            raise ConfigurationError("The Azure DevOps token is empty.", "Give one with --azuredevops-token.")
        if not host.api_url.startswith(("https://", "http://")) or not host_of(host.api_url):
            raise ConfigurationError(
                f"The address of {DIALECT.api} is not a URL.",
                f"Give one with --git-host {host.host}={host.type}=https://…",
            )
        self.who = f"Azure DevOps ({host.host})"
        self.host = host
        self._secrets = (host.token, Secret(authorization(token).split(" ", 1)[1]))
        headers: dict[str, Secret | str] = {
            "Authorization": Secret(authorization(token)),
            "X-TFS-FedAuthRedirect": "Suppress",  # 401 rather than a redirect to a page to sign in
        }
        http = Http(network=host.network, timeout=(min(CONNECT_TIMEOUT, timeout), timeout), answer_limit=ANSWER_LIMIT)
        heedful = Heedful(exchange(http, host.api_url, headers, host.network.proxy))
        self.asker = Asker(host, DIALECT, heedful, turns=turns, sleep=sleep)

    def task(self, verb: str, without: str, repository: Repository | None = None) -> Task:
        """What is to be done, as an error speaks of it."""
        return Task(verb, without, repository, self.who, self._secrets)

    def statuses_url(self, repository: Repository, commit: str) -> str:
        """Where the statuses of a commit are. Raises DeliveryError for what is no repository of Azure DevOps."""
        parts = repositories.parts(self.host, repository)
        if len(parts) != 3:
            raise DeliveryError(
                f"{repository} is not an Azure DevOps repository: its path is not organization/project/_git/name.",
                "Check the URL of the Flux source, or which Git host it is on.",
            )
        organisation, project, name, sha = (quote(part, safe="") for part in (*parts, commit))
        return (
            f"/{organisation}/{project}/_apis/git/repositories/{name}/commits/{sha}/statuses?api-version={API_VERSION}"
        )

    def statuses(self, task: Task, url: str) -> Iterator[dict[str, Any]]:
        """Every status, older ones of a context too, through all pages.

        ``latestOnly`` is not used: whether ``top`` and ``skip`` count before or after it is not documented, and a page
        that was missed would make an old state pass for the newest.
        """
        for page in range(PAGES):
            answer = self.asker.ask(task, f"{url}&top={PAGE}&skip={page * PAGE}")
            value = listed(answer)
            if value is None:
                raise self.asker.nonsense(task, answer)
            yield from (entry for entry in value if isinstance(entry, dict))
            if len(value) < PAGE:
                return
        raise DeliveryError(f"{task.who}: {task.without}: there are more than {PAGES * PAGE} of them.")


def listed(answer: Answer) -> list[Any] | None:
    """What a list's answer holds; None where it is none."""
    value = answer.value
    found = value.get("value") if answer.status == 200 and isinstance(value, dict) else None
    return found if isinstance(found, list) else None


def authorization(token: str) -> str:
    """The header's content: Bearer for a JSON web token, else Basic without a user, as personal access tokens need it.

    https://learn.microsoft.com/en-us/azure/devops/integrate/get-started/authentication/authentication-guidance
    """
    if _WEB_TOKEN.fullmatch(token):
        return f"Bearer {token}"
    if not (token.isascii() and token.isprintable()):
        return f"Basic {token}"  # base64 would hide what no token holds: so it is refused before it is sent
    return "Basic " + b64encode(f":{token}".encode()).decode()


class Heedful:
    """An exchange that understands what Azure DevOps says beside the status of an answer.

    An answer that shows a page to sign in, or the way to one, is a 401 however it is called. And where an answer of 2xx
    asks to wait before the next request, the next one is not made but told so: as if it were answered by a rate limit.
    https://learn.microsoft.com/en-us/azure/devops/integrate/concepts/rate-limits#api-client-experience
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._lock = Lock()
        self._quiet_until = 0.0

    def __call__(self, verb: str, url: str, body: Mapping[str, Any] | None) -> Answer | Trouble:
        """Make one request, or say why it is not the time for it."""
        with self._lock:
            wait, self._quiet_until = self._quiet_until - time.time(), 0.0
        if wait > 0:  # said once: from then on the asker waits
            return Answer(429, {"retry-after": str(math.ceil(wait))}, "")
        answer = self._exchange(verb, url, body)
        if isinstance(answer, Trouble):
            return answer
        if _asks_to_sign_in(answer):
            why = answer.headers.get("x-tfs-serviceerror", "")
            return Answer(401, {"x-tfs-serviceerror": why} if why else {}, "")
        asked = retry_after(answer.headers.get("retry-after", ""), time.time())
        if asked and 200 <= answer.status < 300:
            with self._lock:
                self._quiet_until = max(self._quiet_until, time.time() + asked)
        return answer


def _asks_to_sign_in(answer: Answer) -> bool:
    if answer.status == 203:
        return not isinstance(answer.value, dict | list)
    if not 300 <= answer.status < 400:
        return False
    try:
        there = urlsplit(answer.headers.get("location", ""))
        host = there.hostname or ""
    except ValueError:
        return False
    return bool(_SIGN_IN.fullmatch(host)) or "/_signin" in there.path.lower()
