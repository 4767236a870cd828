"""Who is asked which commit contains which, how often, and what is said where nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from values import FLEET, A, B, C, D

from landed.errors import ConfigurationError, DeliveryError, LandedError
from landed.model import Relation, Repository
from landed.relatives import AGAIN, Relatives

SAME, AFTER, BEFORE, APART, UNKNOWN = Relation
MAIN = "refs/heads/main"
Known = Mapping[str, Relation]


class Host:
    """A Git host."""

    def __init__(self, known: Known, error: LandedError | None = None, repository: Repository = FLEET) -> None:
        self.known, self.error, self.repository = known, error, repository
        self.asked: list[str] = []

    def knows(self, repository: Repository) -> bool:
        return repository == self.repository

    def relation(self, repository: Repository, commit: str, other: str) -> Relation:
        assert (repository, commit) == (FLEET, B)
        self.asked.append(other)
        if self.error is not None:
            raise self.error
        if other not in self.known:
            raise DeliveryError(f"No {other[:4]}.")
        return self.known[other]


class Checkout:
    """A local repository whose branch was at ``at``."""

    def __init__(self, known: Known, at: str = "") -> None:
        self.known, self.at = known, at
        self.asked: list[str] = []

    def relation(self, commit: str, other: str) -> tuple[Relation, str]:
        assert commit == B
        self.asked.append(other)
        return self.known.get(other, UNKNOWN), "" if other in self.known else "It is shallow."

    def tip(self, ref: str) -> str:
        return self.at


class Clock:
    """Seconds, set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def relatives(*hosts: Host, checkout: Checkout | None = None, clock: Clock | None = None) -> Relatives:
    outlets: Any = hosts
    return Relatives(FLEET, B, outlets, checkout, clock or Clock())


def test_a_checkout_is_asked_first_about_commits() -> None:
    host, checkout = Host({A: APART}), Checkout({A: BEFORE})
    known = relatives(host, checkout=checkout)

    known.learn([A])

    assert (known.known, host.asked, checkout.asked) == ({A: BEFORE}, [], [A])


def test_the_host_is_asked_about_what_a_checkout_does_not_know() -> None:
    host = Host({C: AFTER})
    known = relatives(host, checkout=Checkout({}))

    known.learn([C])

    assert (known.known, known.notes, host.asked) == ({C: AFTER}, {}, [C])


def test_the_host_is_asked_first_about_branches() -> None:
    """A checkout says where the branch was when it was fetched."""
    host, checkout = Host({MAIN: SAME}), Checkout({D: APART}, at=D)
    known = relatives(host, checkout=checkout)

    known.learn([MAIN])

    assert (known.known, checkout.asked) == ({MAIN: SAME}, [])


@pytest.mark.parametrize(
    ("at", "expected"), [(D, APART), (A, BEFORE), (B, UNKNOWN), (C, UNKNOWN), ("", UNKNOWN), ("e" * 40, UNKNOWN)]
)
def test_where_a_checkout_last_saw_the_branch(at: str, expected: Relation) -> None:
    """That the branch once had the commit says nothing of what it has now."""
    known = relatives(checkout=Checkout({A: BEFORE, B: SAME, C: AFTER, D: APART}, at=at))

    known.learn([MAIN])

    assert known.known == {MAIN: expected}


def test_only_those_who_know_the_repository_are_asked() -> None:
    other = Host({A: APART}, repository=Repository("github.com", "example/other"))
    host = Host({A: BEFORE})
    known = relatives(other, host)

    known.learn([A])

    assert (known.known, other.asked) == ({A: BEFORE}, [])


def test_the_next_host_is_asked_where_one_cannot_say() -> None:
    known = relatives(Host({}), Host({A: BEFORE}))

    known.learn([A])

    assert (known.known, known.notes) == ({A: BEFORE}, {})


def test_commits_are_known_for_good_and_branches_for_a_while() -> None:
    clock = Clock()
    known = relatives(Host({A: BEFORE, MAIN: SAME}), clock=clock)
    known.learn([A, MAIN])

    clock.now = AGAIN - 1
    known.forget()
    assert known.known == {A: BEFORE, MAIN: SAME}

    clock.now = AGAIN
    known.forget()
    assert known.known == {A: BEFORE}


def test_what_nobody_knew_is_asked_again() -> None:
    clock, host = Clock(), Host({})
    known = relatives(host, clock=clock)
    known.learn([C])
    assert (known.known, known.notes) == ({C: UNKNOWN}, {C: "No 3209."})

    clock.now = AGAIN
    known.forget()
    assert (known.known, known.notes) == ({}, {})

    host.known = {C: AFTER}
    known.learn([C])
    clock.now = 10 * AGAIN
    known.forget()
    assert (known.known, known.notes, host.asked) == ({C: AFTER}, {}, [C, C])


def test_a_note_says_everything_that_was_tried() -> None:
    known = relatives(Host({}), checkout=Checkout({}))

    known.learn([C])

    assert known.notes == {C: "It is shallow. No 3209."}


def test_a_note_says_how_to_know() -> None:
    known = relatives()

    known.learn([C])

    assert known.known == {C: UNKNOWN}
    assert "Give the token of github.com, or a checkout with --repository-path." in known.notes[C]


@pytest.mark.parametrize(
    "error",
    [
        DeliveryError("github.com: no answer.", "Try later.", passing=True),
        ConfigurationError("github.com: the token is none.", "Try later."),
    ],
)
def test_a_host_that_is_down_is_left_alone_for_a_while(error: LandedError) -> None:
    """Each question waits with patience, and a look must not take minutes."""
    clock, host = Clock(), Host({A: BEFORE, C: AFTER}, error)
    known = relatives(host, clock=clock)

    known.learn([A, C, MAIN])

    assert host.asked == [A]
    assert set(known.known.values()) == {UNKNOWN}
    assert set(known.notes.values()) == {f"{error.message} Try later."}

    clock.now, host.error = AGAIN, None
    known.forget()
    known.learn([A, C])
    assert known.known == {A: BEFORE, C: AFTER}


def test_a_host_that_does_not_know_one_commit_may_know_another() -> None:
    host = Host({C: AFTER})
    known = relatives(host)

    known.learn([A, C])

    assert known.known == {A: UNKNOWN, C: AFTER}
