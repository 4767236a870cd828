"""Which commit contains which, from whoever knows: a checkout, and the Git host. Asked once a run where it can be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from landed.errors import DeliveryError, LandedError
from landed.model import Relation, Repository
from landed.verdict import CONTAINS

if TYPE_CHECKING:
    from landed.providers.outlet import Outlet

#: Seconds after which a branch, or what could not be answered, is asked about again.
AGAIN = 20.0


class Checkout(Protocol):
    """A local repository."""

    def relation(self, commit: str, other: str) -> tuple[Relation, str]:
        """How ``other`` relates to ``commit``; where that is unknown, why."""

    def tip(self, ref: str) -> str:
        """The commit that the remote's ``ref`` was last seen at; "" where unknown."""


class Relatives:
    """Knows, or finds out, how others relate to one commit."""

    def __init__(
        self,
        repository: Repository,
        commit: str,
        outlets: Iterable[Outlet],
        checkout: Checkout | None,
        now: Callable[[], float],
    ) -> None:
        """Ask those of ``outlets`` that know ``repository``. ``now`` is in seconds."""
        self._repository = repository
        self._commit = commit
        self._outlets = [outlet for outlet in outlets if outlet.knows(repository)]
        self._checkout = checkout
        self._now = now
        self._until: dict[str, float] = {}
        self._mute: dict[int, tuple[float, str]] = {}
        """Of outlets that could not answer at all: until when they are left alone, and why."""
        self.known: dict[str, Relation] = {}
        """Of every commit and reference that was asked about."""
        self.notes: dict[str, str] = {}
        """Why something is unknown, by what was asked about."""

    def learn(self, others: Iterable[str]) -> None:
        """Find out about ``others``, those apart that are known for good."""
        for other in others:
            self.known[other] = self._relation(other)
            if other.startswith("refs/") or self.known[other] is Relation.UNKNOWN:
                self._until[other] = self._now() + AGAIN

    def forget(self) -> None:
        """Ask again about what may have changed since it was asked."""
        for other in [other for other, until in self._until.items() if until <= self._now()]:
            self.known.pop(other, None)
            self.notes.pop(other, None)
            del self._until[other]

    def _relation(self, other: str) -> Relation:
        self.notes.pop(other, None)
        reasons: list[str] = []
        ways = (
            [self._by_checkout, self._by_host] if not other.startswith("refs/") else [self._by_host, self._by_checkout]
        )
        for way in ways:
            relation, why = way(other)
            if relation is not Relation.UNKNOWN:
                return relation
            reasons += [why] if why else []
        self.notes[other] = " ".join(reasons) or self._nobody()
        return Relation.UNKNOWN

    def _by_checkout(self, other: str) -> tuple[Relation, str]:
        if self._checkout is None:
            return Relation.UNKNOWN, ""
        if not other.startswith("refs/"):
            return self._checkout.relation(self._commit, other)
        tip = self._checkout.tip(other)
        found, why = self._checkout.relation(self._commit, tip) if tip else (Relation.UNKNOWN, "")
        # What the remote once had says nothing of what it has now; only that our commit was not in it is news.
        return (Relation.UNKNOWN, "") if found in CONTAINS else (found, why)

    def _by_host(self, other: str) -> tuple[Relation, str]:
        why = ""
        for number, outlet in enumerate(self._outlets):
            until, why = self._mute.get(number, (0.0, ""))
            if self._now() < until:
                continue
            try:
                return outlet.relation(self._repository, self._commit, other), ""
            except LandedError as error:
                why = f"{error.message} {error.hint}".strip()
                if not isinstance(error, DeliveryError) or error.passing:  # what is asked has nothing to do with it
                    self._mute[number] = self._now() + AGAIN, why
        return Relation.UNKNOWN, why

    def _nobody(self) -> str:
        return (
            f"Nobody was there to ask which commit of {self._repository} contains which. "
            f"Give the token of {self._repository.host}, or a checkout with --repository-path."
        )
