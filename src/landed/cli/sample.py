"""A message that says it is a test."""

from __future__ import annotations

from landed.model import Digest, Event, ObjectRef, Observation, Outcome, Repository, State, Story
from landed.render import event

_OBSERVATION = Observation(
    ObjectRef("Kustomization", "flux-system", "test"),
    State.SUCCESS,
    Repository("git.example.com", "example/fleet"),
    "0" * 40,
    "ReconciliationSucceeded",
    "A test message from landed doctor",
    revision="test@sha1:" + "0" * 40,
)


def test_payload(takes: str) -> Digest | Event:
    """What ``landed doctor --send-test`` sends to a channel that takes ``digests`` or ``events``."""
    if takes == "events":
        return event("test", _OBSERVATION)
    return Digest((Story(Outcome("test", Repository("git.example.com", "example/fleet"), "0" * 40, (_OBSERVATION,))),))
