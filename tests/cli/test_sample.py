"""The built-in examples: whole, always the same, and of nobody in particular."""

from __future__ import annotations

import json
import re

import pytest
from msgspec import to_builtins

from landed import render
from landed.cli import sample
from landed.cli.sample import NOW, SITUATIONS, asked, situation
from landed.messages import message
from landed.model import (
    Alert,
    Comment,
    CommitStatus,
    Deployment,
    Destination,
    Digest,
    Dispatch,
    Event,
    Occurrence,
    State,
)

TAKES = {
    "digests": Digest,
    "messages": Digest,
    "events": Event,
    "occurrences": Occurrence,
    "statuses": CommitStatus,
    "deployments": Deployment,
    "comments": Comment,
    "dispatches": Dispatch,
}
STATES = {
    "failure": State.FAILURE,
    "success": State.SUCCESS,
    "recovery": State.SUCCESS,
    "dependency": State.PENDING,
}


def digest(name: str, takes: str = "digests") -> Digest:
    found = situation(name, takes)[0]
    assert isinstance(found, Digest)
    return found


def told(name: str) -> list[str]:
    (passage,) = message(digest(name)).passages
    return [passage.title, *passage.lines, passage.place]


@pytest.mark.parametrize("name", SITUATIONS)
@pytest.mark.parametrize("takes", TAKES)
def test_every_destination_gets_every_situation_as_it_takes_it(name: str, takes: str) -> None:
    made = situation(name, takes)

    assert made
    assert {type(payload) for payload in made} == {TAKES[takes]}
    assert made == situation(name, takes)
    assert "prod-eu" in json.dumps(to_builtins(situation(name, takes, cluster="prod-eu")))


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation_reads_as_it_is_called(name: str) -> None:
    (story,) = digest(name).stories

    assert story.state is STATES[name]
    assert message(digest(name)).state is STATES[name]
    assert story.subject
    assert story.author
    assert list(story.outcome.observations) == sorted(story.outcome.observations, key=lambda o: o.about)


def test_a_failure_has_a_root_and_seventeen_who_wait_for_it() -> None:
    (story,) = digest("failure").stories
    failed = [o for o in story.outcome.observations if o.state is State.FAILURE]
    waiting = [o for o in story.outcome.observations if o.state is State.PENDING]

    assert [render.name(o) for o in failed] == ["flux-system/infra"]
    assert {o.waits_for for o in waiting} == {failed[0].about}
    assert len({o.about for o in waiting}) == 17
    assert any("17 wait for flux-system/infra" in line for line in told("failure"))


def test_a_success_says_what_changed() -> None:
    (story,) = digest("success").stories

    assert len(story.outcome.observations) > 2
    assert "Deployment/shop/web configured" in told("success")
    assert not any("broken" in line for line in told("success"))


def test_a_recovery_says_how_long_it_was_broken() -> None:
    assert any("12m" in line for line in told("recovery"))


def test_a_dependency_is_waited_for_and_at_work() -> None:
    (story,) = digest("dependency").stories
    waited = {o.waits_for for o in story.outcome.observations if o.waits_for}
    begun = {o.about for o in story.outcome.observations if o.begun}

    assert waited == begun
    assert waited


@pytest.mark.parametrize(("name", "count"), [("failure", 2), ("success", 1), ("recovery", 2), ("dependency", 1)])
def test_what_people_must_not_miss_is_answered_in_its_thread(name: str, count: int) -> None:
    made = [payload for payload in situation(name, "messages") if isinstance(payload, Digest)]

    assert [payload.reply for payload in made] == [False, True][:count]
    assert len({payload.about for payload in made}) == 1
    assert made[0].about
    assert not digest(name).about


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("failure", {"HealthCheckFailed": 1, "DependencyNotReady": 17}),
        ("success", {"Progressing": 6, "ReconciliationSucceeded": 4}),
        ("recovery", {"Progressing": 6, "ReconciliationSucceeded": 4}),
        ("dependency", {"DependencyNotReady": 3}),
    ],
)
def test_events_are_what_flux_sends(name: str, reasons: dict[str, int]) -> None:
    made = [payload for payload in situation(name, "events") if isinstance(payload, Event)]

    assert {reason: sum(e.reason == reason for e in made) for reason in {e.reason for e in made}} == reasons
    assert {e.severity for e in made if e.reason == "HealthCheckFailed"} <= {"error"}
    assert {e.severity for e in made if e.reason != "HealthCheckFailed"} == {"info"}
    assert all(e.metadata["revision"].startswith("main@sha1:") for e in made)
    assert {e.metadata.get("commit_status") for e in made if e.reason == "Progressing"} <= {None}


@pytest.mark.parametrize(
    ("name", "context"),
    [
        ("failure", "flux/prod/flux-system/infra"),
        ("success", "flux/prod/flux-system/infra"),
        ("dependency", "flux/prod/auth/login"),
    ],
)
def test_a_status_is_of_what_it_is_about_and_of_all(name: str, context: str) -> None:
    made = [payload for payload in situation(name, "statuses", "prod") if isinstance(payload, CommitStatus)]

    assert [status.context for status in made] == [context, "flux/prod"]
    assert {status.state for status in made} == {STATES[name]}
    assert all(0 < len(status.description) <= 140 for status in made)


@pytest.mark.parametrize("name", SITUATIONS)
def test_times_are_before_now(name: str) -> None:
    for now in (NOW, 2_000_000_000):
        (payload,) = situation(name, "digests", now=now)
        assert isinstance(payload, Digest)
        assert {now - 60 < o.since < now for s in payload.stories for o in s.outcome.observations} == {True}


@pytest.mark.parametrize("name", SITUATIONS)
def test_it_is_nobodys(name: str) -> None:
    everything = json.dumps([to_builtins(situation(name, takes)) for takes in TAKES])

    hosts = set(re.findall(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|io)\b", everything))
    assert hosts <= {"git.example.com", "kustomize.toolkit.fluxcd.io"}
    assert "acme/fleet" in everything


def test_what_there_is_not_is_said() -> None:
    with pytest.raises(ValueError, match=r"disaster.*failure, success"):
        situation("disaster", "digests")
    with pytest.raises(ValueError, match="parcels"):
        situation("failure", "parcels")


@pytest.mark.parametrize("takes", ["digests", "messages", "events"])
def test_a_test_message_says_that_it_is_one(takes: str) -> None:
    made = sample.test_payload(takes)

    assert isinstance(made, TAKES[takes])
    assert "test" in (made.metadata["cluster"] if isinstance(made, Event) else message(made).headline)


@pytest.mark.parametrize(
    ("takes", "name", "told"),
    [
        ("events", "failure", 1), ("events", "dependency", 0), ("events", "success", 0),
        ("occurrences", "failure", 1), ("occurrences", "dependency", 0), ("occurrences", "recovery", 1),
        ("digests", "failure", 1), ("digests", "dependency", 0), ("digests", "success", 0), ("digests", "recovery", 1),
        ("messages", "failure", 2), ("messages", "dependency", 0),
    ],
)  # fmt: skip
def test_an_alert_for_errors_is_shown_what_it_would_be_told(takes: str, name: str, told: int) -> None:
    alert = Alert("apps", "ops", "chat", severity="error", metadata=(("env", "prod"),))
    to = Destination("Alert apps/ops", takes, threads=True, alerts=(alert,))

    shown = list(asked(situation(name, takes), to))

    assert len(shown) == told
    for payload in shown:
        event = getattr(payload, "event", payload)
        assert not isinstance(event, Event) or event.metadata["env"] == "prod"
