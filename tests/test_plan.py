"""What is news, for each destination by itself."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from values import FLEET, MAIN_A, MAIN_B, MAIN_C, NOW, A, B, C, cluster, git, k, phase, ready

from landed.model import CommitStatus, Condition, Destination, Digest, Event, Held, Look, ObjectRef, State, Update
from landed.outcomes import judge
from landed.plan import Plan, Wording, plan
from landed.plan.contexts import shorten
from landed.plan.readback import recall, unsure
from landed.told import Intent, Told

GITHUB = Destination("github.com", "statuses", "github.com")
SLACK = Destination("slack", "digests")
HOOK = Destination("generic", "events")
ALL = (GITHUB, SLACK, HOOK)

#: What one Kustomization looks like in each situation of one commit.
LIVE = k(applied=MAIN_B, attempted=MAIN_B)
FAILED = k(ready=ready("False", "HealthCheckFailed", "timeout"), attempted=MAIN_B)
BUILD = k(ready=ready("False", "BuildFailed", "kustomize build failed"), attempted=MAIN_B)
RUNNING = k(ready=ready("Unknown"), reconciling=phase("Building manifests", MAIN_B), attempted=MAIN_B)
WAITS = k(ready=ready("False", "DependencyNotReady", "dependency 'flux-system/infra' is not ready"))
AGAIN = k(applied=MAIN_B, attempted=MAIN_B, ready=ready("Unknown"), reconciling=phase("Fetching manifests", MAIN_B))


def look(*objects: Any, name: str = "prod") -> Look:
    return judge(cluster(*objects, name=name), now=NOW)


def at_b(*objects: Any) -> Look:
    return look(*objects, git(MAIN_B))


def due(told: Told, *looks: Look, to: tuple[Destination, ...] = ALL, now: int = NOW, **wording: Any) -> Plan:
    return plan(looks, told, to, wording=Wording(**wording), now=now)


def deliver(told: Told, planned: Plan, now: int = NOW) -> Plan:
    """Take everything down as acknowledged."""
    for name, mark in planned.silent:
        told.record(name, mark, now)
    for update in planned.updates:
        for mark in update.marks:
            told.record(update.destination, mark, now)
    for destination in ALL:
        told.serve(destination.name)
    return planned


def told_of(*looks: Look) -> Told:
    """A ledger after runs that saw these, one after the other."""
    told = Told()
    for destination in ALL:
        told.serve(destination.name)
    for one in looks:
        deliver(told, due(told, one))
    return told


def destinations(planned: Plan) -> list[str]:
    return sorted({update.destination for update in planned.updates})


def contexts(planned: Plan) -> dict[str, tuple[str, State]]:
    """Context → (commit, state)"""
    found = [update.payload for update in planned.updates if isinstance(update.payload, CommitStatus)]
    return {status.context: (status.commit, status.state) for status in found}


# ── one Kustomization, one commit: before → now ─────────────────────────────────────────────────────────────────────

EVERYBODY, GIT_ONLY = ["generic", "github.com", "slack"], ["github.com"]
NOBODY: list[str] = []


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param(None, RUNNING, GIT_ONLY, id="pending-first"),
        pytest.param(None, LIVE, EVERYBODY, id="success-first"),
        pytest.param(None, FAILED, EVERYBODY, id="failure-first"),
        pytest.param(None, WAITS, ["generic", "github.com"], id="dependency-wait-first"),
        pytest.param(RUNNING, RUNNING, NOBODY, id="pending-repeats"),
        pytest.param(RUNNING, WAITS, ["generic", "github.com"], id="pending-comes-to-wait-for-a-dependency"),
        pytest.param(WAITS, WAITS, NOBODY, id="dependency-wait-repeats"),
        pytest.param(WAITS, RUNNING, NOBODY, id="wait-is-over-but-nothing-settled"),
        pytest.param(RUNNING, LIVE, EVERYBODY, id="pending-then-success"),
        pytest.param(RUNNING, FAILED, EVERYBODY, id="pending-then-failure"),
        pytest.param(LIVE, LIVE, NOBODY, id="success-repeats"),
        pytest.param(LIVE, AGAIN, NOBODY, id="interval-run-after-success"),
        pytest.param(LIVE, RUNNING, NOBODY, id="pending-does-not-hide-success"),
        pytest.param(LIVE, WAITS, NOBODY, id="dependency-wait-does-not-hide-success"),
        pytest.param(FAILED, RUNNING, NOBODY, id="pending-does-not-hide-failure"),
        pytest.param(FAILED, FAILED, NOBODY, id="failure-repeats"),
        pytest.param(
            FAILED, structs.replace(FAILED, ready=ready("False", "HealthCheckFailed", "other text")), NOBODY, id="text"
        ),
        pytest.param(FAILED, BUILD, EVERYBODY, id="fails-for-another-reason"),
        pytest.param(LIVE, FAILED, EVERYBODY, id="failure-after-success"),
        pytest.param(FAILED, LIVE, EVERYBODY, id="success-after-failure"),
        pytest.param(None, AGAIN, NOBODY, id="interval-run-of-what-we-never-saw"),
    ],
)
def test_what_is_news(before: Any, now: Any, expected: list[str]) -> None:
    told = told_of(*([at_b(before)] if before else []))
    assert destinations(due(told, at_b(now))) == expected


def test_one_status_for_the_object_and_one_for_the_commit() -> None:
    assert contexts(due(Told(), at_b(LIVE))) == {
        "flux/prod/apps/web": (B, State.SUCCESS),
        "flux/prod": (B, State.SUCCESS),
    }


def test_the_second_look_tells_nothing() -> None:
    told = told_of(at_b(LIVE, k("other", applied=MAIN_B, attempted=MAIN_B)))
    again = due(told, at_b(LIVE, k("other", applied=MAIN_B, attempted=MAIN_B)))
    assert again == Plan()


# ── several Kustomizations ──────────────────────────────────────────────────────────────────────────────────────────


def other(it: Any) -> Any:
    return structs.replace(it, ref=ObjectRef("Kustomization", "apps", "other"))


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        pytest.param([[LIVE, other(RUNNING)]], State.PENDING, id="one-still-runs"),
        pytest.param([[LIVE, other(LIVE)]], State.SUCCESS, id="all-live"),
        pytest.param([[LIVE, other(FAILED)]], State.FAILURE, id="one-failed"),
        pytest.param([[LIVE, other(FAILED)], [LIVE, other(LIVE)]], State.SUCCESS, id="healed"),
        pytest.param([[LIVE, other(AGAIN)]], None, id="one-only-keeps-what-we-never-saw"),
        pytest.param([[FAILED, other(LIVE)], [RUNNING, other(LIVE)]], None, id="failure-outlasts-the-retry"),
        pytest.param([[LIVE, other(LIVE)], [AGAIN, other(LIVE)]], None, id="success-outlasts-the-interval-run"),
        pytest.param([[LIVE, other(RUNNING)], [AGAIN, other(LIVE)]], State.SUCCESS, id="kept-success-counts"),
        pytest.param([[FAILED, other(RUNNING)], [AGAIN, other(LIVE)]], None, id="kept-failure-counts"),
    ],
)
def test_the_whole_commit(looks: list[list[Any]], expected: State | None) -> None:
    told = told_of(*(at_b(*objects) for objects in looks[:-1]))
    found = contexts(due(told, at_b(*looks[-1]), to=(GITHUB,)))
    assert found.get("flux/prod", (B, None)) == (B, expected)


def test_a_second_failing_object_is_news_for_the_commit() -> None:
    told = told_of(at_b(FAILED, other(LIVE)))
    assert contexts(due(told, at_b(FAILED, other(FAILED))))["flux/prod"] == (B, State.FAILURE)


def test_a_commit_that_the_failing_object_has_left_does_not_turn_green() -> None:
    told = told_of(at_b(FAILED, other(LIVE)))
    on_c = k(ready=ready("Unknown"), reconciling=phase("Building manifests", MAIN_C), attempted=MAIN_C)
    planned = due(told, look(on_c, other(LIVE), git(MAIN_C)))
    assert ("flux/prod", (B, State.SUCCESS)) not in contexts(planned).items()
    assert "slack" not in destinations(planned)


# ── commits one after the other ─────────────────────────────────────────────────────────────────────────────────────


def test_a_rollback_is_news_again_for_everybody() -> None:
    on_a = look(k(), git(MAIN_A))
    told = told_of(on_a, at_b(LIVE))
    back = due(told, on_a)
    assert destinations(back) == EVERYBODY
    assert contexts(back) == {"flux/prod/apps/web": (A, State.SUCCESS), "flux/prod": (A, State.SUCCESS)}
    [digest] = [u.payload for u in back.updates if isinstance(u.payload, Digest)]
    assert digest.stories[0].rolled_back_from == B
    deliver(told, back)
    assert due(told, on_a) == Plan()


def test_two_branches_that_are_both_current_do_not_take_turns() -> None:
    next_ = ObjectRef("GitRepository", "flux-system", "next")
    on_next = k("other", source=next_, applied=f"next@sha1:{B}", attempted=f"next@sha1:{B}")
    both = look(k(), on_next, git(), git(f"next@sha1:{B}", ref=next_, pointer="branch=next"))
    told = told_of(both)
    assert due(told, both) == Plan()
    deliver(told, due(told, both))
    assert due(told, both) == Plan()


def test_pending_on_the_way_back_hides_nothing() -> None:
    told = told_of(look(k(), git(MAIN_A)), at_b(LIVE))
    going_back = k(
        applied=MAIN_B, attempted=MAIN_A, ready=ready("Unknown"), reconciling=phase("Building manifests", MAIN_A)
    )
    assert due(told, look(going_back, git(MAIN_A))) == Plan()


def test_what_came_and_went_is_told_once() -> None:
    from landed.model import Snapshot

    gone = (Snapshot(MAIN_B, "", "HealthCheckFailed", NOW - 60),)
    told = told_of(look(k(), git(MAIN_A)))
    seen = judge(cluster(k(applied=MAIN_C, attempted=MAIN_C, history=gone), git(MAIN_C)), now=NOW, since=NOW - 90)
    found = contexts(deliver(told, due(told, seen)))
    assert found["flux/prod/apps/web"] == (C, State.SUCCESS) or found["flux/prod/apps/web"] == (B, State.FAILURE)
    commits = {(e.commit, e.state) for e in told.destinations["github.com"]["example/fleet flux/prod/apps/web"]}
    assert {(B, "failure"), (C, "success")} <= commits
    assert due(told, seen) == Plan()


# ── channels that are new, recoveries, troubles ─────────────────────────────────────────────────────────────────────


def test_a_channel_starts_silently_with_what_is_live_and_tells_what_fails() -> None:
    told = Told()
    planned = deliver(
        told, due(told, at_b(LIVE, k("a", ready=ready("False", "BuildFailed", "no"), attempted=MAIN_A)), to=ALL)
    )
    events = [u.payload for u in planned.updates if isinstance(u.payload, Event)]
    assert [event.involvedObject.name for event in events] == ["a"]
    assert {destination for destination, _ in planned.silent} == {"generic"}
    assert due(told, at_b(LIVE, k("a", ready=ready("False", "BuildFailed", "no"), attempted=MAIN_A))) == Plan()


def test_a_git_host_never_starts_silently() -> None:
    assert contexts(due(Told(), at_b(LIVE), to=(GITHUB,)))


def test_a_recovery_says_how_long_it_was_broken() -> None:
    told = Told()
    told.serve("slack")
    deliver(told, due(told, at_b(FAILED), to=(SLACK,)), NOW)
    [update] = due(told, at_b(LIVE), to=(SLACK,), now=NOW + 720).updates
    assert isinstance(update.payload, Digest)
    assert update.payload.stories[0].broken_for == 720


def test_a_recovery_by_another_commit_counts_too() -> None:
    told = told_of(at_b(FAILED))
    [update] = due(told, look(k(applied=MAIN_C, attempted=MAIN_C), git(MAIN_C)), to=(SLACK,), now=NOW + 60).updates
    assert isinstance(update.payload, Digest)
    assert update.payload.stories[0].broken_for == 60


def test_one_message_for_everything_new_in_a_look() -> None:
    told = told_of()
    [update] = due(told, at_b(FAILED), look(LIVE, git(MAIN_B), name="stage"), to=(SLACK,)).updates
    assert isinstance(update.payload, Digest)
    assert [story.outcome.cluster for story in update.payload.stories] == ["prod", "stage"]


BROKEN = git(MAIN_A, ready=ready("False", "GitOperationFailed", "authentication required"))


def test_a_source_that_cannot_fetch_is_told_to_channels_once_and_its_end_too() -> None:
    told = told_of(look(k()))
    broken = look(k(), BROKEN)
    assert destinations(deliver(told, due(told, broken))) == ["generic", "slack"]
    assert due(told, broken) == Plan()
    over = deliver(told, due(told, look(k())))
    assert destinations(over) == ["generic", "slack"]
    assert due(told, look(k())) == Plan()
    assert destinations(due(told, broken)) == ["generic", "slack"]


def test_silence_does_not_end_a_trouble() -> None:
    told = told_of(look(k(), BROKEN))
    assert due(told, look(k(), git(ready=ready("Unknown")))) == Plan()


def test_an_unreadable_cluster_says_nothing() -> None:
    assert due(told_of(at_b(LIVE)), Look("prod", error="refused")) == Plan()


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_contexts_are_templated_and_target_urls_filled_in() -> None:
    planned = due(
        Told(),
        at_b(LIVE),
        to=(GITHUB,),
        context="cd/{namespace}.{name}@{cluster}",
        commit_context="cd/{cluster}",
        target_url="https://dash.example.com/{cluster}/{repository}/{commit}",
    )
    assert sorted(contexts(planned)) == ["cd/apps.web@prod", "cd/prod"]
    urls = {u.payload.target_url for u in planned.updates if isinstance(u.payload, CommitStatus)}
    assert urls == {f"https://dash.example.com/prod/example/fleet/{B}"}


def test_only_the_repositories_of_the_host_get_statuses() -> None:
    assert not due(Told(), at_b(LIVE), to=(Destination("ghes", "statuses", "ghes.example.com"),)).updates


def test_a_long_context_is_shortened_to_something_unique_and_stable() -> None:
    one, two = shorten("flux/" + "x" * 300 + "1", 255), shorten("flux/" + "x" * 300 + "2", 255)
    assert len(one) == len(two) == 255
    assert one != two
    assert one == shorten("flux/" + "x" * 300 + "1", 255)


def test_failures_come_before_the_rest() -> None:
    planned = due(Told(), at_b(k("a", applied=MAIN_B, attempted=MAIN_B), other(FAILED)), to=(GITHUB,))
    states = [u.payload.state for u in planned.updates if isinstance(u.payload, CommitStatus)]
    assert states == [State.FAILURE, State.FAILURE, State.SUCCESS]


# ── reading back ────────────────────────────────────────────────────────────────────────────────────────────────────


def found(**contexts_: Held) -> dict[Any, Any]:
    return {("github.com", FLEET, B): {f"flux/{name.replace('__', '/')}": value for name, value in contexts_.items()}}


def test_what_the_ledger_does_not_know_must_be_read_back() -> None:
    planned = due(Told(), at_b(LIVE), to=(GITHUB,))
    assert unsure(planned.updates, Told()) == {"github.com": ((FLEET, B),)}


def test_what_the_ledger_knows_is_not_asked_for() -> None:
    told = told_of(at_b(RUNNING))
    assert unsure(due(told, at_b(LIVE), to=(GITHUB,)).updates, told) == {}


def test_what_a_run_began_and_never_finished_is_asked_for() -> None:
    told = told_of(at_b(RUNNING))
    told.begin([Intent("github.com", "example/fleet flux/prod", B)])
    assert unsure(due(told, at_b(LIVE), to=(GITHUB,)).updates, told) == {"github.com": ((FLEET, B),)}


@pytest.mark.parametrize(
    ("now", "there", "expected"),
    [
        pytest.param(LIVE, {}, {"flux/prod", "flux/prod/apps/web"}, id="nothing-there"),
        pytest.param(
            LIVE, {"prod__apps__web": Held(State.SUCCESS, "Applied main@ae4f281d")}, {"flux/prod"}, id="already-so"
        ),
        pytest.param(
            LIVE,
            {"prod__apps__web": Held(State.SUCCESS, "Applied something else")},
            {"flux/prod", "flux/prod/apps/web"},
            id="says-other",
        ),
        pytest.param(
            LIVE,
            {"prod__apps__web": Held(State.FAILURE, "Applied main@ae4f281d")},
            {"flux/prod", "flux/prod/apps/web"},
            id="says-the-same-in-another-state",
        ),
        pytest.param(
            LIVE, {"prod__apps__web": Held(State.FAILURE, "x")}, {"flux/prod", "flux/prod/apps/web"}, id="was-failure"
        ),
        pytest.param(
            RUNNING,
            {"prod__apps__web": Held(State.SUCCESS, "x"), "prod": Held(State.SUCCESS, "1 object live")},
            set(),
            id="pending-hides-nothing",
        ),
    ],
)
def test_read_back(now: Any, there: dict[str, Held], expected: set[str]) -> None:
    told = Told()
    planned = due(told, at_b(now), to=(GITHUB,))
    recall(told, planned.updates, found(**there), NOW)
    recall(told, due(told, at_b(now), to=(GITHUB,)).updates, found(**there), NOW)
    assert set(contexts(due(told, at_b(now), to=(GITHUB,)))) == expected


def test_a_duration_does_not_make_a_description_another_one() -> None:
    from landed.model import Snapshot

    timed = structs.replace(LIVE, history=(Snapshot(MAIN_B, "", "ReconciliationSucceeded", NOW, "13.118402s"),))
    told = Told()
    planned = due(told, at_b(timed), to=(GITHUB,))
    there = {
        "prod__apps__web": Held(State.SUCCESS, "Applied main@ae4f281d in 2m7s"),
        "prod": Held(State.SUCCESS, "1 object live"),
    }
    recall(told, planned.updates, found(**there), NOW)
    assert not due(told, at_b(timed), to=(GITHUB,)).updates


def test_stalled_condition_is_news_for_all() -> None:
    stalled = k(ready=ready("False", "AccessDenied", "no"), stalled=Condition("True", "AccessDenied"))
    assert destinations(due(told_of(), at_b(stalled))) == EVERYBODY


def test_updates_hold_the_commits_that_are_current() -> None:
    planned = due(Told(), at_b(k()), to=(GITHUB,))
    update: Update = planned.updates[0]
    assert update.marks[0].current == (A, B)
