"""A destination, ready to be delivered to. Connects, and imports what it takes, when first used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from msgspec import structs

from landed import providers
from landed.errors import DeliveryError
from landed.model import (
    Alert,
    Channel,
    Described,
    Destination,
    Digest,
    Event,
    GitHost,
    Held,
    Network,
    Occurrence,
    Payload,
    Relation,
    Repository,
    Secret,
    State,
    Update,
)
from landed.repositories import below

if TYPE_CHECKING:
    from landed.http import Http, Request, TokenBucket
    from landed.providers.interface import CommitReader, Complaint, Door, GitProvider, Said


class Outlet(Protocol):
    """Where updates of one destination go. Safe to use from several threads."""

    destination: Destination
    workers: int
    """How many deliveries may be under way at once."""

    def lane(self, update: Update) -> str:
        """What must be delivered one after the other has the same lane; empty for what has none."""

    def deliver(self, update: Update) -> str:
        """Send ``update`` and have it acknowledged, or raise DeliveryError. Gives its handle, or ""."""

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Read back what is there: context or environment → what it holds. Raises DeliveryError."""

    def knows(self, repository: Repository) -> bool:
        """Whether it can say what commits of ``repository`` are called."""

    def described(self, repository: Repository, commit: str) -> Described:
        """Ask what a commit is called and who wrote it. Raises DeliveryError."""

    def relation(self, repository: Repository, commit: str, other: str) -> Relation:
        """Ask how ``other``, a full hash or a full ref, relates to ``commit``. Raises DeliveryError; never UNKNOWN."""


class Turns:
    """One bucket of turns to write for each API and credential, however many outlets share it."""

    #: Writes that may go at once before the pace is kept.
    BURST = 8

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, Secret, str], TokenBucket] = {}

    def of(self, host: GitHost) -> TokenBucket:
        """The bucket of ``host``. The shortest window sets the pace after the burst."""
        from landed.http import TokenBucket

        key = host.api_url, host.token, host.app.id if host.app else ""
        if key not in self._buckets:
            count, seconds = min(host.writes, key=lambda window: window[1], default=(0, 0.0))
            limited = TokenBucket(min(self.BURST, count), count / seconds, host.writes) if host.writes else None
            self._buckets[key] = limited or TokenBucket.without_limit()
        return self._buckets[key]


class Doors:
    """One door for each way out, opened at the first use and shared from then on."""

    def __init__(self) -> None:
        self._open: dict[Network, Http] = {}

    def to(self, network: Network) -> Callable[[], Http]:
        """What opens the door that leads along ``network``."""

        def open_() -> Http:
            from landed.http import Http

            if network not in self._open:
                self._open[network] = Http(network=network)
            return self._open[network]

        return open_


class GitOutlet:
    """One kind of thing that one Git host is told."""

    workers = 8

    def __init__(self, host: GitHost, type_: str, turns: Turns) -> None:
        """Take ``type_`` as in ``providers.GIT``."""
        kind = providers.GIT[type_]
        named = host.host if type_ == host.type else f"{host.host} {_NAMES.get(type_, kind.takes)}"
        self.destination = Destination(
            named,
            kind.takes,
            host.host,
            kind.description_limit,
            kind.context_limit,
            superseded=kind.superseded,
            retires=kind.retires,
            progress=kind.progress,
            details=kind.details,
        )
        self._lanes = kind.lanes
        self._host = host
        self._type = type_
        self._turns = turns
        self._provider: GitProvider | None = None
        self._lock = threading.Lock()

    def provider(self) -> GitProvider:
        """The provider, connected at the first call."""
        with self._lock:
            if self._provider is None:
                turns = self._turns.of(self._host)
                self._provider = providers.git_module(self._type).connect(self._host, turns=turns)
            return self._provider

    def lane(self, update: Update) -> str:
        """The commit, where the host minds; comments of one repository, for several commits may share one."""
        if self.destination.takes == "comments":
            return update.marks[0].line
        return update.marks[0].commit if self._lanes else ""

    def deliver(self, update: Update) -> str:
        """Write it."""
        return self.provider().deliver(update.payload)

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Ask the Git host, through all pages."""
        return self.provider().held(repository, commit)

    def knows(self, repository: Repository) -> bool:
        """It is told commit statuses of that host; only those who write them can read commits."""
        to = self.destination
        if to.takes != "statuses" or to.host != repository.host:
            return False
        return to.within is None or below(repository, to.within)

    def described(self, repository: Repository, commit: str) -> Described:
        """Ask the Git host what a commit is called and who wrote it, without patience: nobody should wait for that.

        Raises DeliveryError, also where this is not an outlet for commit statuses: only they know.
        """
        if self.destination.takes != "statuses":
            raise DeliveryError(f"{self.destination.name}: it is not asked what a commit is called.")
        return cast("CommitReader", self.provider()).described(repository, commit)

    def relation(self, repository: Repository, commit: str, other: str) -> Relation:
        """Ask the Git host which commit contains which, with patience: what depends on it waits for the answer.

        Raises DeliveryError, also where this is not an outlet for commit statuses: only they know.
        """
        if self.destination.takes != "statuses":
            raise DeliveryError(f"{self.destination.name}: it is not asked which commit contains which.")
        return cast("CommitReader", self.provider()).relation(repository, commit, other)


#: Where what a host is told is not named by what it takes.
_NAMES = {"github-check-run": "check runs"}


class ChannelOutlet:
    """One channel."""

    workers = 1

    def __init__(self, channel: Channel, http: Callable[[], Http], alert: Alert | None = None) -> None:
        kind = providers.CHAT[channel.type]
        self.type = channel.type
        edits = kind.edits == "always" or (kind.edits == "token" and bool(channel.token))
        self.destination = Destination(
            channel.name,
            "messages" if edits else kind.takes,
            threads=kind.threads,
            alerts=(alert,) if alert else (),
            whole=kind.whole,
            resolves=kind.resolves,
        )
        self._channel = channel
        self._http = http
        self._door: Door | None = None
        self._posted: dict[str, str] = {}
        self._open: dict[str, str] = {}

    def lane(self, update: Update) -> str:
        """None: there is one worker."""
        return ""

    def deliver(self, update: Update) -> str:
        """Send every request that says it, in order. A message that was deleted by hand is posted anew.

        A reply to a message that this run has posted finds it; one to a message that could not be posted waits.
        """
        payload = _told(update.payload)
        if isinstance(payload, Occurrence):
            return self._happened(payload)
        if isinstance(payload, Event) or not payload.about:
            self._send(payload)
            return ""
        # Without a handle it is to be a new message, even where this run has posted one about the same before.
        known = self._posted.get(payload.about) if payload.handle or payload.reply else None
        handle = known or payload.handle
        if payload.reply and not handle:
            raise DeliveryError(f"{self._channel.name}: the message to answer could not be posted.", passing=True)
        try:
            given = self._send(structs.replace(payload, handle=handle))
        except DeliveryError as error:
            if error.passing or not (error.gone and handle):  # what comes later may find the message
                raise
            given = self._send(structs.replace(payload, handle=""))
        if not payload.reply:
            self._posted[payload.about] = given or handle
        return given or handle

    def _happened(self, payload: Occurrence) -> str:
        """What this run has told of the object before is what is open of it."""
        known = self._open.get(payload.key, payload.handle)
        given = self._send(structs.replace(payload, handle=known))
        over = (
            payload.state is State.SUCCESS and payload.event.involvedObject.kind
        )  # a commit goes on to be that commit
        self._open[payload.key] = "" if over else given or known
        return given

    def complaints(self) -> Sequence[Complaint]:
        """Everything that its own file has against its settings."""
        return providers.complaints(self._channel)

    def requests(self, payload: Payload) -> Sequence[Request]:
        """What would be sent, in order. Raises DeliveryError where the channel's settings cannot be used."""
        return providers.chat_module(self._channel.type).requests(self._channel, _told(payload))

    def shown(self, request: Request) -> object:
        """The body of ``request`` as people can read it: as its own file says, else JSON, else the text that it is."""
        read = getattr(providers.chat_module(self._channel.type), "shown", None)
        if read is not None:
            return read(request.body)
        from json import loads

        text = request.body.decode(errors="replace")
        try:
            return loads(text)
        except ValueError:
            return text

    def _send(self, payload: Said) -> str:
        module = providers.chat_module(self._channel.type)
        handles = [
            module.acknowledged(self._out().send(request)) or request.handle for request in self.requests(payload)
        ]
        return next(filter(None, handles), "")

    def _out(self) -> Door:
        """The way out, opened at the first call."""
        if self._door is None:
            name = providers.CHAT[self._channel.type].door
            self._door = providers.door_module(name).door(self._channel, self._http) if name else self._http()
        return self._door

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Nothing: what people were told cannot be looked up."""
        return {}

    def knows(self, repository: Repository) -> bool:
        """No: it is no Git host."""
        return False

    def described(self, repository: Repository, commit: str) -> Described:
        """Always raises DeliveryError: it is no Git host."""
        raise DeliveryError(f"{self._channel.name} knows no commits.")

    def relation(self, repository: Repository, commit: str, other: str) -> Relation:
        """Always raises DeliveryError: it is no Git host."""
        raise DeliveryError(f"{self._channel.name} knows no commits.")


def _told(payload: Payload) -> Said:
    assert isinstance(payload, Digest | Event | Occurrence)  # noqa: S101 — the plan pairs them
    return payload
