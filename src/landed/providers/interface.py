"""What a destination must be able to do.

Two shapes, on purpose. A Git host may have an SDK and must be able to *read back*, so it is an object that does.
A chat service is a *translation*: a module with one pure function from what is to be said to the requests that say it,
and one that judges the answer; ``http.Http`` does the sending.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from landed.http import Http, Request, Response
from landed.model import Channel, CommitStatus, Digest, Event, Finding, GitHost, Repository, State


class RemoteStatus(Struct, frozen=True):
    """A commit status as the Git host holds it."""

    state: State
    description: str = ""


class GitProvider(Protocol):
    """Keeps commit statuses on one Git host. Safe to use from several threads."""

    def statuses(self, repository: Repository, commit: str) -> Mapping[str, RemoteStatus]:
        """Read back the newest status of every context of ``commit``, through all pages.

        Raises DeliveryError.
        """

    def set_status(self, status: CommitStatus) -> None:
        """Write one status with one request, or raise DeliveryError."""

    def examine(self, repositories: Sequence[Repository]) -> Sequence[Finding]:
        """For ``landed doctor``: is the token good, and may it write statuses there? Writes nothing."""


class GitProviderModule(Protocol):
    """A file of ``providers/git``."""

    DESCRIPTION_LIMIT: int
    CONTEXT_LIMIT: int

    def connect(self, host: GitHost, *, sleep: Callable[[float], object] = ...) -> GitProvider:
        """Make the provider, which waits with ``sleep``. No request is made yet.

        Raises ConfigurationError where the token or the address cannot be used at all.
        """


class ChatProviderModule(Protocol):
    """A file of ``providers/chat``."""

    TAKES: str
    """``digests`` (one message per look) or ``events`` (Flux's event object, one per observation)."""

    def requests(self, channel: Channel, payload: Digest | Event) -> Sequence[Request]:
        """Everything to send, in order. Pure: the same payload gives the same bytes."""

    def acknowledged(self, response: Response) -> None:
        """Raise DeliveryError unless ``response`` (always 2xx: the door refuses the rest) says that it was taken."""


__all__ = [
    "Channel",
    "ChatProviderModule",
    "GitHost",
    "GitProvider",
    "GitProviderModule",
    "Http",
    "RemoteStatus",
]
