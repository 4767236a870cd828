"""The whole line, from a real API server to commit statuses and messages: what it is for, and no more than that."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import objects as o
import pytest
from integration import situations
from integration.cluster import Cluster, Refused
from integration.command import Workplace, workplace
from objects import LATER, MAIN_A, MAIN_B, MAIN_C, MAIN_D, A, B, C
from standins.server import answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def world(server: Cluster) -> Iterator[Cluster]:
    """A cluster that holds every situation."""
    for each in situations.ALL:
        server.put(each)
    yield server
    server.clear()


@pytest.fixture
def place(world: Cluster, tmp_path: Path) -> Iterator[Workplace]:
    """A folder from which that cluster can be read, and everybody who can be told."""
    with workplace(tmp_path) as place:
        place.configure(world.kubeconfig("reader"))
        yield place


@pytest.fixture
def settled(place: Workplace) -> Workplace:
    """The same, after a first run."""
    done = place.report()
    assert (done.code, done.err) == (0, "")
    place.forget()
    return place


@contextmanager
def changed(world: Cluster, wanted: dict[str, Any]) -> Iterator[None]:
    """The cluster with one object in another state."""
    name = (wanted["kind"], wanted["metadata"]["namespace"], wanted["metadata"]["name"])
    before = next(
        each
        for each in situations.ALL
        if (each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]) == name
    )
    world.put(wanted)
    try:
        yield
    finally:
        world.delete(wanted)
        world.put(before)


def test_the_first_run_tells_exactly_what_the_table_says(place: Workplace) -> None:
    done = place.report()

    assert (done.code, done.err) == (0, "")
    assert place.statuses() == situations.STATUSES
    assert len(place.written()) == len(set(place.written())) == sum(map(len, situations.STATUSES.values()))


def test_the_first_run_tells_people_what_fails_now_and_nothing_else(place: Workplace) -> None:
    place.report()

    events = [
        (
            (e["involvedObject"]["kind"], f"{e['involvedObject']['namespace']}/{e['involvedObject']['name']}"),
            e["reason"],
        )
        for e in place.events()
    ]
    assert dict(events) == situations.EVENTS
    assert len(events) == len(situations.EVENTS)
    assert len(place.slack.taken) == 1


def test_a_second_run_sends_nothing_and_does_not_touch_the_ledger(settled: Workplace) -> None:
    before = settled.stored()

    done = settled.report()

    assert (done.code, done.err) == (0, "")
    assert settled.silent()
    assert settled.stored() == before


def test_a_change_of_one_object_sends_exactly_what_changed(settled: Workplace, world: Cluster) -> None:
    healed = o.kustomization("unhealthy", applied=MAIN_B, history=[o.snapshot(MAIN_B, at=LATER)])

    with changed(world, healed):
        done = settled.report()

    assert (done.code, done.err) == (0, "")
    assert sorted(settled.written()) == [
        (B, "flux/production", "failure"),  # one of the failures fewer
        (B, "flux/production/apps/unhealthy", "success"),
    ]
    assert [event["reason"] for event in settled.events()] == ["ReconciliationSucceeded"]
    assert len(settled.slack.taken) == 1


def test_a_commit_that_came_and_went_between_two_looks_is_told(settled: Workplace, world: Cluster) -> None:
    """At the first look D was applied; since then B failed, and C healed it."""
    source = o.git_repository("infra", url="ssh://git@github.com/example/infra", revision=MAIN_C)
    went = o.kustomization(
        "base",
        "infra",
        applied=MAIN_C,
        source="infra",
        history=[
            o.snapshot(MAIN_C, at="2026-08-20T09:40:00Z"),
            o.snapshot(MAIN_B, "HealthCheckFailed", at="2026-08-20T09:30:00Z"),
            o.snapshot(MAIN_D),
        ],
    )

    with changed(world, source), changed(world, went):
        done = settled.report()

    assert (done.code, done.err) == (0, "")
    assert sorted(settled.written()) == [
        (C, "flux/production", "failure"),
        (C, "flux/production/helmrelease/infra/database", "failure"),  # as it was on D
        (C, "flux/production/infra/base", "success"),
        (B, "flux/production", "failure"),
        (B, "flux/production/infra/base", "failure"),
    ]
    reasons = [event["reason"] for event in settled.events() if event["involvedObject"]["name"] == "base"]
    assert reasons == ["HealthCheckFailed", "ReconciliationSucceeded"], "in the order in which it happened"


def test_a_rollback_is_told_again(settled: Workplace, world: Cluster) -> None:
    """``applied`` goes back to A, which was told before, and then to B again."""
    context = "flux/production/apps/shop"
    back = o.kustomization(
        "shop",
        applied=o.LATEST_A,
        applied_origin=MAIN_A,
        source="shop",
        source_kind="OCIRepository",
        history=[],
    )
    source = o.oci_repository("shop", revision=o.LATEST_A, origin_url="https://github.com/example/shop")

    with changed(world, source), changed(world, back):
        settled.report()
        there = settled.written()
        settled.forget()
    settled.report()

    assert (A, context, "success") in there
    assert (B, context, "success") in settled.written()
    assert settled.report().code == 0
    assert len(settled.written()) == 2  # the object and the whole commit, once


@pytest.mark.parametrize("status", [500, 502])
def test_a_git_host_that_is_down_keeps_its_news_while_the_others_are_told(
    settled: Workplace, world: Cluster, status: int
) -> None:
    healed = o.kustomization("build-failed", applied=MAIN_B, history=[o.snapshot(MAIN_B, at=LATER)])
    down = [answer(status, {"Retry-After": "0"}) for _ in range(40)]

    with changed(world, healed):
        settled.github.faults.extend(down)
        first = settled.report()
        told = len(settled.slack.taken), [event["reason"] for event in settled.events()]
        settled.github.faults.clear()
        settled.forget()
        second = settled.report()

    assert first.code == 6
    assert "github.com" in first.err
    assert told == (1, ["ReconciliationSucceeded"])
    assert second.code == 0
    assert (B, "flux/production/apps/build-failed", "success") in settled.written()
    assert not settled.slack.asked
    assert not settled.generic.asked


def test_an_object_that_makes_no_sense_is_named_and_the_others_are_told(place: Workplace, world: Cluster) -> None:
    try:
        world.put(situations.RUBBISH)
    except Refused as refusal:
        world.delete(situations.RUBBISH)
        pytest.skip(f"this server refuses it: {refusal.status}")
    try:
        done = place.report()
    finally:
        world.delete(situations.RUBBISH)

    assert done.code == 0
    assert "apps/rubbish" in done.out + done.err
    assert place.statuses() == situations.STATUSES


def test_who_may_not_read_is_told_what_to_grant(place: Workplace, world: Cluster) -> None:
    if world.open:
        pytest.skip("the sandbox lets everybody in")
    place.configure(world.kubeconfig("nobody"))

    done = place.report()

    assert done.code == 5
    assert "kustomizations" in done.err
    assert place.silent()
