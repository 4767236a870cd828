"""What a destination must be able to do.

Two shapes, on purpose. A Git host may have an SDK and must be able to *read back*, so it is an object that does.
A chat service is a *translation*: a module with one pure function from what is to be said to the requests that say it,
and one that judges the answer; ``http.Http`` does the sending, or a door of its own where the service does not speak
HTTP, or wants to be shown more than a token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from landed.http import Http, Request, Response, TokenBucket
from landed.model import (
    Channel,
    CommitStatus,
    Described,
    Digest,
    Event,
    Finding,
    GitHost,
    Held,
    Occurrence,
    Payload,
    Relation,
    Repository,
)
from landed.providers.asking import ARRIVED, Answer
from landed.render import cut

P = TypeVar("P")

#: What a channel can be told.
Said: TypeAlias = Digest | Event | Occurrence

#: Repositories that ``landed doctor`` looks at on one host.
EXAMINED = 5


class GitProvider(Protocol):
    """Tells one Git host one kind of thing. Safe to use from several threads."""

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Read back what is held of ``commit``, through all pages: context, or environment → the newest.

        Empty where nothing can be read back before it is delivered (comments, dispatches). Raises DeliveryError.
        """

    def deliver(self, payload: Payload) -> str:
        """Write it with one request, or raise DeliveryError. Gives its handle, or "" where there is none."""

    def examine(self, repositories: Sequence[Repository]) -> Sequence[Finding]:
        """For ``landed doctor``: is the token good, and may it write there? Writes nothing."""


class CommitReader(Protocol):
    """What a provider of commit statuses can do besides."""

    def described(self, repository: Repository, commit: str) -> Described:
        """Ask once what ``commit`` is called and who wrote it, and at most once more; no rate limit is waited for.

        Raises DeliveryError, also where the token may write and not read; that keeps nothing from being written.
        """

    def relation(self, repository: Repository, commit: str, other: str) -> Relation:
        """How ``other`` relates to ``commit``, a full hash: AFTER where it contains it.

        ``other`` is a full hash, ``refs/heads/NAME`` or ``refs/tags/NAME``. Never UNKNOWN: raises DeliveryError, which
        is ``passing`` where a later try may succeed, also where the host does not know one of them.
        """


class GitProviderModule(Protocol):
    """A file of ``providers/git``."""

    DESCRIPTION_LIMIT: int
    CONTEXT_LIMIT: int
    TIMEOUT: int
    """Seconds between bytes."""

    def connect(
        self, host: GitHost, *, turns: TokenBucket | None = ..., sleep: Callable[[float], object] = ...
    ) -> GitProvider:
        """Make the provider, which takes its turns to write from ``turns`` and waits with ``sleep``.

        No request is made yet. Raises ConfigurationError where the token or the address cannot be used at all.
        """


class ChatProviderModule(Protocol):
    """A file of ``providers/chat``: a translation, without any I/O."""

    def requests(self, channel: Channel, payload: Said) -> Sequence[Request]:
        """Everything to send, in order; nothing where the service need not hear of it. Pure: the same payload gives the
        same bytes.

        A digest with a ``handle`` edits that message, or, where it is a reply, answers it. A request that edits says in
        ``gone`` how the service calls a message that is not there any more. Raises DeliveryError where the channel's
        settings cannot be used, and TypeError for a payload that the type does not take.
        """

    def acknowledged(self, response: Response) -> str:
        """Raise DeliveryError unless ``response`` (always 2xx: the door refuses the rest) says that it was taken.

        Gives what the service calls the message, to edit it later; "" where it cannot be edited.
        """


class Complaint(NamedTuple):
    """What is wrong with one setting of a Provider. Holds no value of a Secret."""

    field: str
    """``spec.channel``, or ``spec.secretRef`` where it is in the Secret."""
    what: str
    """``it names no topic``"""
    instead: str
    """What to write: ``Write it as STREAM/TOPIC.``"""


class Particular(Protocol):
    """What a file of ``providers/chat`` may have besides, either or both."""

    def complaints(self, channel: Channel) -> Sequence[Complaint]:
        """Everything that is wrong with the settings; asked before anything is sent. That what ``registry`` says it
        ``needs`` is there, and that the address is one, was looked at before.
        """

    def shown(self, body: bytes) -> object:
        """A request's body as people can read it, where it is neither JSON nor text."""


class Door(Protocol):
    """A way out. Safe to use from several threads."""

    def send(self, request: Request) -> Response:
        """Send ``request``, again where that is right, and give the answer. Raises DeliveryError for all else."""


class DoorModule(Protocol):
    """A file of ``providers/doors``."""

    def door(self, channel: Channel, http: Callable[[], Http]) -> Door:
        """The way out to ``channel``; ``http`` opens the usual one. No connection is made yet."""


def wanted(kind: type[P], payload: object) -> P:
    """``payload``, which the plan made for this kind of destination."""
    if not isinstance(payload, kind):
        name = kind.__name__.lower()
        plural = f"{name}es" if name.endswith(("s", "ch")) else f"{name}s"
        raise TypeError(f"This destination takes {plural}, not {type(payload).__name__}.")
    return payload


def arrived(provider: GitProvider, status: CommitStatus, limit: int) -> Answer | None:
    """``ARRIVED`` if the host holds ``status``, whose description was cut to ``limit``; else None.

    Raises DeliveryError if it cannot be read back.
    """
    held = provider.held(status.repository, status.commit).get(status.context)
    return ARRIVED if held == Held(status.state, cut(status.description, limit)) else None


def first_five(
    repositories: Sequence[Repository], who: str, look: Callable[[Repository], Finding]
) -> tuple[Finding, ...]:
    """Examine some of many repositories, and say how many were not."""

    def findings() -> Iterator[Finding]:
        yield from (look(repository) for repository in repositories[:EXAMINED])
        more = len(repositories) - EXAMINED
        if more > 0:
            yield Finding(who, "ok", f"{more} more repositories were not looked at.")

    return tuple(findings())


__all__ = [
    "Channel",
    "ChatProviderModule",
    "CommitReader",
    "Complaint",
    "Door",
    "DoorModule",
    "GitHost",
    "GitProvider",
    "GitProviderModule",
    "Held",
    "Http",
    "Particular",
    "Said",
    "arrived",
    "first_five",
    "wanted",
]
