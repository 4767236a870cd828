"""What a commit is called and who wrote it, for messages: asked for quickly, or not at all.

A message can go without it. So this waits for nothing that takes long, and has an asker of its own: what is refused
here, for want of a right to read, keeps no status from being written.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from msgspec import MsgspecError, Struct, structs

from landed.errors import DeliveryError
from landed.http import host_of
from landed.model import Described, GitHost, Repository
from landed.providers.asking import Answer, Asker, Task
from landed.render import cut

#: Seconds to make a connection, and between bytes.
TIMEOUT = 5
#: Seconds until it is asked once more.
PAUSE = 0.5
#: Characters of a title and of a name.
LIMIT = 300
URL_LIMIT = 2000

_PRIVATE = re.compile(r"(?:[0-9]+[+-])?([A-Za-z0-9_.-]+)@users\.noreply\.[a-z0-9.-]+", re.ASCII)

#: Nothing that a message would have to escape, and no user before the host.
_PLAIN_URL = re.compile(r"https?://[\w.:/%~?=&#+,;-]+", re.ASCII)


class Shown(Struct, frozen=True):
    """A commit as a host shows it."""

    hash: str
    message: str
    author: str = ""
    """As people see it; an e-mail address is taken off."""
    url: str = ""
    email: str = ""
    login: str = ""


def hurried(host: GitHost) -> GitHost:
    """``host``, to be asked without patience: not even where it says to wait for 0 seconds."""
    timeout = min(host.network.timeout or TIMEOUT, TIMEOUT)
    return structs.replace(host, max_wait=-1.0, network=structs.replace(host.network, timeout=timeout))


class Commits:
    """Asks one host what its commits are called. Safe to use from several threads."""

    def __init__(
        self,
        host: GitHost,
        asker: Asker,
        task: Callable[[str, str, Repository], Task],
        url: Callable[[Repository, str], str],
        read: Callable[[str], Shown],
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Take an ``asker`` of a ``hurried`` host, used for nothing else, and ``url``, where a commit is.

        ``read`` makes sense of an answer's JSON, or raises MsgspecError.
        """
        self._host = host
        self._asker = asker
        self._task = task
        self._url = url
        self._read = read
        self._sleep = sleep
        self._in_vain = False

    def described(self, repository: Repository, commit: str) -> Described:
        """Ask for ``commit``, and once more where that may help. Raises DeliveryError."""
        task = self._task("GET", f"commits of {repository.path} cannot be read", repository)
        answer = self._ask(task, self._url(repository, commit))
        try:
            shown = self._read(answer.text)
        except (MsgspecError, RecursionError):
            raise self._asker.nonsense(task, answer) from None
        if shown.hash.lower() != commit.lower():
            raise self._asker.nonsense(task, answer)
        return Described(
            _first_line(shown.message), _name(shown.author), _page(self._host, shown.url), tuple(_others(shown))
        )

    def _ask(self, task: Task, url: str) -> Answer:
        """As ``Asker.ask``. While a second try has been in vain, there is no other one."""
        try:
            answer = self._asker.ask(task, url)
        except DeliveryError as error:
            if self._in_vain or not error.passing:
                raise
            self._in_vain = True
        else:
            self._in_vain = False
            return answer
        self._sleep(PAUSE)
        answer = self._asker.ask(task, url)
        self._in_vain = False
        return answer


def _first_line(text: str) -> str:
    lines = text.lstrip()[: LIMIT + 1].splitlines()
    return cut(lines[0].rstrip(), LIMIT) if lines else ""


def _name(author: str) -> str:
    """``Jane Doe`` of ``Jane Doe <jane@example.com>``; empty where there is an address only."""
    name = _first_line(author.partition("<")[0])
    return "" if "@" in name and " " not in name else name


def _others(shown: Shown) -> Iterator[str]:
    """E-mail address and login, as far as they are known. A private address has the login in it
    (https://docs.github.com/en/account-and-profile/reference/email-addresses-reference#your-noreply-email-address ,
    https://docs.gitlab.com/user/profile/#use-an-automatically-generated-private-commit-email).
    """
    private = _PRIVATE.fullmatch(shown.email)
    login = shown.login or (private[1] if private else "")
    yield from filter(None, map(_first_line, (shown.email, login)))


def _page(host: GitHost, url: str) -> str:
    """``url``, if it is a page on the host that people look at; else empty."""
    if len(url) > URL_LIMIT or not _PLAIN_URL.fullmatch(url):
        return ""
    return url if host_of(url) == host_of(host.web_url or f"https://{host.host}") else ""
