"""A destination, ready to be delivered to. Connects, and imports what it takes, when first used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from landed import providers
from landed.model import Channel, CommitStatus, Destination, Digest, Event, GitHost, Repository, State, Update

if TYPE_CHECKING:
    from landed.http import Http
    from landed.providers.interface import GitProvider


class Outlet(Protocol):
    """Where updates of one destination go. Safe to use from several threads."""

    destination: Destination
    workers: int
    """How many deliveries may be under way at once."""

    def deliver(self, update: Update) -> None:
        """Send ``update`` and have it acknowledged, or raise DeliveryError."""

    def statuses(self, repository: Repository, commit: str) -> Mapping[str, tuple[State, str]]:
        """Read back context → (state, description); empty for a channel. Raises DeliveryError."""


class StatusOutlet:
    """The commit statuses of one Git host."""

    workers = 8

    def __init__(self, host: GitHost) -> None:
        kind = providers.GIT[host.type]
        self.destination = Destination(host.host, "statuses", host.host, kind.description_limit, kind.context_limit)
        self._host = host
        self._provider: GitProvider | None = None
        self._lock = threading.Lock()

    def provider(self) -> GitProvider:
        """The provider, connected at the first call."""
        with self._lock:
            if self._provider is None:
                self._provider = providers.git_module(self._host.type).connect(self._host)
            return self._provider

    def deliver(self, update: Update) -> None:
        """Write the status."""
        assert isinstance(update.payload, CommitStatus)  # noqa: S101 — the plan pairs them
        self.provider().set_status(update.payload)

    def statuses(self, repository: Repository, commit: str) -> Mapping[str, tuple[State, str]]:
        """Ask the Git host, through all pages."""
        found = self.provider().statuses(repository, commit)
        return {context: (status.state, status.description) for context, status in found.items()}


class ChannelOutlet:
    """One channel."""

    workers = 1

    def __init__(self, channel: Channel, http: Callable[[], Http]) -> None:
        self.destination = Destination(channel.name, providers.CHAT[channel.type].takes)
        self._channel = channel
        self._http = http

    def deliver(self, update: Update) -> None:
        """Send every request that says it, in order."""
        assert isinstance(update.payload, Digest | Event)  # noqa: S101 — the plan pairs them
        module = providers.chat_module(self._channel.type)
        http = self._http()
        for request in module.requests(self._channel, update.payload):
            module.acknowledged(http.send(request))

    def statuses(self, repository: Repository, commit: str) -> Mapping[str, tuple[State, str]]:
        """Nothing: what people were told cannot be looked up."""
        return {}
