"""Gitea's and Forgejo's REST API.

https://docs.gitea.com/development/api-usage
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from landed import repositories
from landed.errors import ConfigurationError, DeliveryError
from landed.http import TokenBucket
from landed.model import GitHost, Repository, Secret
from landed.providers import rest
from landed.providers.asking import Answer, Task
from landed.providers.git.gitea.dialect import MAY_WRITE, dialect

#: Entries of a page that are asked for. A server gives fewer where its MAX_RESPONSE_ITEMS, 50 by default, is lower.
PAGE = 50
#: Pages that are read back.
PAGES = 200

Entry = dict[str, Any]


class Api:
    """One Gitea or Forgejo, asked with one credential. Safe to use from several threads."""

    def __init__(
        self,
        host: GitHost,
        *,
        may: str = MAY_WRITE,
        timeout: float,
        turns: TokenBucket | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Make no request yet; ``may`` is what an error says of the rights that are missing.

        Raises ConfigurationError where token or address cannot be used.
        """
        self.who = f"Gitea ({host.host})"
        self.host = host
        self.may = may
        token = host.token.reveal().strip()
        if not token:
            raise ConfigurationError("The Gitea token is empty.", "Give one with --gitea-token.")
        headers = {"Authorization": Secret(f"token {token}")}
        self.asker = rest.asker(host, dialect(may), headers, timeout=timeout, turns=turns, sleep=sleep)

    def task(self, verb: str, without: str, repository: Repository | None = None) -> Task:
        """What is to be done, as an error speaks of it."""
        return Task(verb, without, repository, self.who, (self.host.token,))

    def path(self, repository: Repository) -> str:
        """``/repos/acme/fleet``. Raises DeliveryError for what is no repository of this Gitea's."""
        parts = repositories.parts(self.host, repository)
        if len(parts) != 2:
            raise DeliveryError(
                f"{repository} is not a Gitea repository: its path is not owner/name.",
                "Check the URL of the Flux source, or which Git host it is on.",
            )
        return "/repos/" + "/".join(quote(part, safe="") for part in parts)

    def entry(self, task: Task, answer: Answer) -> Entry:
        """The thing with an ``id`` that ``answer`` shows. Raises DeliveryError if it is something else."""
        value = answer.value
        if not isinstance(value, dict) or not is_number(value.get("id")):
            raise self.asker.nonsense(task, answer)
        return value

    def pages(self, task: Task, url: str, most: int = PAGES, *, enough: bool = False) -> Iterator[Entry]:
        """Every entry of a list, through all pages, once each.

        How long a page is, is the server's affair, and so is whether a list has pages at all: those of an issue's
        comments have none. So this reads on until it has as many as the first page says there are, or a page brings
        nothing new. After ``most`` pages it has ``enough``, or raises DeliveryError.
        """
        seen: set[int] = set()
        total = -1
        for number in range(1, most + 1):
            answer = self.asker.ask(task, f"{url}{'&' if '?' in url else '?'}limit={PAGE}&page={number}")
            page = answer.value
            if not isinstance(page, list):
                raise self.asker.nonsense(task, answer)
            fresh = [entry for entry in page if isinstance(entry, dict) and _id(entry) not in seen]
            yield from fresh
            seen |= {_id(entry) for entry in fresh}
            # Some versions count on the first page only: later ones say 0.
            total = _total(answer) if number == 1 else total
            if not fresh or len(seen) == total:
                return
        if not enough:
            raise DeliveryError(f"{task.who}: {task.without}: there are more than {len(seen)} of them.")


def is_number(value: object) -> bool:
    """Whether ``value`` is an id as Gitea gives it."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _id(entry: Entry) -> int:
    """The entry's id; 0 where it has none."""
    value = entry.get("id")
    return value if isinstance(value, int) else 0


def _total(answer: Answer) -> int:
    text = answer.headers.get("x-total-count", "")
    return int(text[:12]) if text.isascii() and text.isdigit() else -1
