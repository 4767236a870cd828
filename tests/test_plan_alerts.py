"""What goes to and fro, what no commit can be blamed for, and Flux's event objects."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from runs import FAILED, LIVE, WAITS, WEB, Runs, alert, bot, generic, hook, look, one, source
from values import MAIN_A, MAIN_B, MAIN_C, NOW, C, cluster, git, k, ready

from landed.model import Destination, HelmRelease, Look, ObjectRef, Observation, Snapshot, State
from landed.outcomes import judge
from landed.story import lines

# ── to and fro ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("to", [hook(), bot(), bot(threads=False)])
def test_flapping_is_said_once_and_then_when_it_is_at_rest(to: Destination) -> None:
    runs = Runs(to)
    runs.see(one(**LIVE))
    assert runs.states(one(**FAILED))  # first turn
    assert runs.states(one(**LIVE))  # second
    told = runs.digests(one(**FAILED))  # third, within ten minutes
    assert {story.flapping for digest in told for story in digest.stories} == {(WEB,)}
    assert runs.digests(one(**LIVE)) == []
    assert runs.digests(one(**FAILED)) == []
    rest = runs.digests(one(**FAILED), seconds=601)
    assert {(story.state, story.flapping) for digest in rest for story in digest.stories} == {(State.FAILURE, ())}
    assert runs.digests(one(**FAILED)) == []


def test_turns_that_are_far_apart_are_no_flapping() -> None:
    runs = Runs(hook())
    runs.see(one(**LIVE))
    for settings in (FAILED, LIVE, FAILED, LIVE):
        (digest,) = runs.digests(one(**settings), seconds=400)
        assert digest.stories[0].flapping == ()


def test_another_commit_is_no_turn() -> None:
    runs = Runs(hook())
    for revision in (MAIN_A, MAIN_B, MAIN_C):
        bad = ready("False", "BuildFailed", "no")
        runs.see(look(k(applied=revision, attempted=revision), revision=revision), seconds=10)
        runs.see(look(k(applied=revision, attempted=revision, ready=bad), revision=revision), seconds=10)
    assert runs.told.turns == {"prod Kustomization/apps/web": [runs.now]}


# ── what has no commit ────────────────────────────────────────────────────────────────────────────────────────────────


def silent(state: State, **settings: Any) -> Look:
    return structs.replace(one(**LIVE), silent=(Observation(WEB, state, **settings),))


def test_suspension_with_news_waiting_is_told_once_for_each_revision() -> None:
    runs = Runs(hook())
    runs.see(one(**LIVE))
    waiting = silent(State.SUSPENDED, revision=MAIN_C, message="Suspended")
    assert runs.states(waiting) == [State.SUSPENDED]
    assert runs.states(waiting) == []
    assert runs.states(silent(State.SUSPENDED, revision="main@sha1:" + "9" * 40)) == [State.SUSPENDED]
    assert runs.states(silent(State.SUSPENDED)) == []


def test_a_silent_controller_is_told_once_and_its_return_too() -> None:
    runs = Runs(bot())
    runs.see(one(**LIVE))
    stale = silent(State.STALE, reason="Stale", message="kustomize-controller has not looked for 1h")
    assert runs.states(stale) == [State.STALE]
    assert runs.states(stale) == []
    assert runs.states(one(**LIVE)) == []  # as it was before
    looked = one(ready=ready(since=runs.now), **LIVE)
    assert runs.states(looked) == [State.SUCCESS]
    assert runs.states(looked) == []
    assert runs.states(stale) == [State.STALE]


def test_a_new_commit_is_not_flapping_because_of_an_earlier_one() -> None:
    for to in (hook(), bot()):
        runs = Runs(to)
        for settings in (LIVE, FAILED, LIVE, FAILED):
            runs.see(one(**settings))
        on_its_way = runs.stories(look(k(**FAILED), revision=MAIN_C))
        assert [s for s in on_its_way if s.outcome.commit == C and s.flapping] == []
        live = runs.stories(look(k(applied=MAIN_C, attempted=MAIN_C), revision=MAIN_C))
        assert {(s.outcome.commit, s.state, s.flapping) for s in live if s.state is not State.SUPERSEDED} == {
            (C, State.SUCCESS, ())
        }


@pytest.mark.parametrize("to", [hook(), bot()])
def test_what_fails_beside_something_that_flaps_is_told(to: Destination) -> None:
    def both(web: dict[str, Any], api: dict[str, Any]) -> Look:
        return look(k("web", **web), k("api", **api))

    runs = Runs(to)
    for settings in (LIVE, FAILED, LIVE, FAILED):
        runs.see(both(settings, LIVE))
    stories = runs.stories(both(LIVE, FAILED))
    assert stories
    assert all(s.flapping == (WEB,) for s in stories)
    assert any("apps/api: Health check failed" in line for s in stories for line in lines(s))
    assert runs.stories(both(FAILED, FAILED)) == []


def test_a_clock_that_goes_back_does_not_make_it_flap_for_ever() -> None:
    runs = Runs(hook())
    for settings in (LIVE, FAILED, LIVE, FAILED):
        runs.see(one(**settings))
    assert runs.stories(one(**FAILED), seconds=-86400)[0].flapping == ()


def test_what_flaps_between_what_may_not_be_told_is_not_told() -> None:
    runs = Runs(hook(alert(exclusion=("timeout",))))
    assert runs.states(one(**LIVE)) == [State.SUCCESS]
    for settings in (FAILED, LIVE, FAILED, LIVE):
        assert runs.states(one(**settings)) == []


# ── what has no commit, more closely ──────────────────────────────────────────────────────────────────────────────────


def aged(seconds: int, **settings: Any) -> Look:
    """Looked at so many seconds after the controller has."""
    return judge(
        cluster(k(patience=600, ready=ready(since=NOW), **(LIVE | settings)), git(MAIN_B, updated=NOW - 10)),
        now=NOW + seconds,
        details=True,
    )


@pytest.mark.parametrize("to", [hook(), bot(), generic()])
def test_a_silence_that_lasts_is_told_once(to: Destination) -> None:
    runs = Runs(to)
    runs.see(aged(0))
    assert len(runs.see(aged(3600), seconds=3600).updates) == 1
    for n in range(1, 5):
        assert runs.see(aged(3600 + 60 * n)).updates == ()


@pytest.mark.parametrize("to", [hook(), bot(), generic()])
def test_a_silence_is_not_over_because_nobody_can_tell(to: Destination) -> None:
    """The spec is changed, and nobody takes it up."""
    runs = Runs(to)
    runs.see(aged(0))
    runs.see(aged(3600), seconds=3600)
    assert runs.see(aged(3660, generation=2)).updates == ()
    assert runs.see(aged(3720, suspended=True)).updates == ()
    back = judge(
        cluster(k(patience=600, ready=ready(since=NOW + 3800), **LIVE), git(MAIN_B)), now=NOW + 3810, details=True
    )
    assert len(runs.see(back, seconds=90).updates) == 1
    assert runs.see(back).updates == ()


def release(message: str = "Helm upgrade succeeded for release apps/db.v1", status: str = "True", **more: Any) -> Look:
    reason = "UpgradeSucceeded" if status == "True" else "UpgradeFailed"
    alone = HelmRelease(
        ObjectRef("HelmRelease", "apps", "db"),
        generation=1,
        observed_generation=1,
        attempted="6.5.0",
        ready=ready(status, reason, message),
    )
    return judge(cluster(k(**LIVE), git(MAIN_B), alone), now=NOW, details=True)


def test_an_upgrade_of_a_release_that_nobody_applied_is_told_with_the_same_chart_too() -> None:
    for to in (hook(alert(source("HelmRelease"))), generic(alert(source("HelmRelease")))):
        runs = Runs(to)
        assert len(runs.see(release()).updates) == 1
        assert runs.see(release()).updates == ()
        assert len(runs.see(release("Helm upgrade succeeded for release apps/db.v2")).updates) == 1
        assert runs.see(release("Helm upgrade succeeded for release apps/db.v2")).updates == ()


@pytest.mark.parametrize("takes", ["digests", "messages", "events"])
def test_a_release_that_nobody_applied_recovers_without_an_alert_as_well(takes: str) -> None:
    runs = Runs(Destination("slack", takes))
    runs.see(release())
    assert len(runs.see(release("boom", "False")).updates) == 1
    assert len(runs.see(release()).updates) == 1
    assert runs.see(release()).updates == ()


def test_what_came_and_went_is_no_proof_that_something_works() -> None:
    """The failure is still there, and an Alert that excludes its new message only does not see it."""
    trouble = silent(State.FAILURE, reason="ArtifactFailed", message="boom")
    runs = Runs(hook(alert(exclusion=("timeout",))))
    runs.see(structs.replace(trouble, outcomes=()))
    past = tuple(
        structs.replace(x, observations=tuple(structs.replace(o, past=True) for o in x.observations))
        for x in trouble.outcomes
    )
    excluded = structs.replace(silent(State.FAILURE, reason="ArtifactFailed", message="timeout"), outcomes=past)
    assert [s for s in runs.stories(excluded) if not s.outcome.commit] == []


# ── Flux's event objects ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_ended_unheard_does_not_silence_what_fails_again() -> None:
    for told in (alert(severity="error"), alert(inclusion=("timeout",))):
        runs = Runs(generic(told))
        for _ in range(3):
            assert runs.events(one(**FAILED)) == [("error", "timeout waiting")]
            assert runs.events(one(**FAILED)) == []
            assert runs.events(one(**LIVE)) == []


def test_a_source_that_fails_for_a_while_does_not_repeat_what_it_holds() -> None:
    def fetching(status: str) -> Look:
        return judge(
            cluster(k(**LIVE), git(MAIN_B, ready=ready(status, "GitOperationFailed", "no route"))),
            now=NOW,
            details=True,
        )

    runs = Runs(generic(alert(source("GitRepository", namespace="flux-system"))))
    assert len(runs.events(fetching("True"))) == 1
    for _ in range(2):
        assert runs.events(fetching("False")) == [("error", "no route")]
        assert runs.events(fetching("False")) == []
        assert runs.events(fetching("True")) == [("info", "Works again")]
        assert runs.events(fetching("True")) == []


def test_revisions_to_and_fro_are_told_each_time() -> None:
    runs = Runs(generic(alert(source("GitRepository", namespace="flux-system"), source())))
    for revision in (MAIN_B, MAIN_C, MAIN_B, MAIN_C):
        here = look(k(applied=revision, attempted=revision), revision=revision)
        assert [message.split()[0] for _, message in runs.events(here)] == ["stored", "Reconciliation"]
        assert runs.events(here) == []


def test_what_stands_without_a_commit_is_told_at_each_revision() -> None:
    def holds(revision: str) -> Look:
        bucket = git(revision, ref=ObjectRef("Bucket", "flux-system", "b"), url="s3.example.com", pointer="")
        return judge(cluster(k(**LIVE), git(MAIN_B), bucket), now=NOW, details=True)

    for to in (hook, generic):
        runs = Runs(to(alert(source("Bucket", namespace="flux-system"))))
        for revision in ("sha256:" + "1" * 64, "sha256:" + "2" * 64, "sha256:" + "1" * 64):
            assert len(runs.see(holds(revision)).updates) == 1
            assert runs.see(holds(revision)).updates == ()


def test_health_that_failed_and_passed_is_told_again() -> None:
    well = {"healthy": ready(message="Health check passed in 4s")}
    runs = Runs(generic(alert(inclusion=("Health check passed", "timeout"))))
    for _ in range(2):
        assert runs.events(one(**LIVE, **well)) == [("info", "Health check passed in 4s")]
        assert runs.events(one(**LIVE, **well)) == []
        assert runs.events(one(**FAILED)) == [("error", "timeout waiting")]
        assert runs.events(one(**FAILED)) == []


def test_a_wait_that_came_and_went_has_a_result() -> None:
    history = (Snapshot(MAIN_B, "", "ReconciliationSucceeded", NOW),)
    runs = Runs(generic())
    assert len(runs.events(one(**WAITS))) == 1
    later = judge(
        cluster(k(history=history, applied=MAIN_C, attempted=MAIN_C), git(MAIN_C)),
        now=NOW,
        since=NOW - 50,
        details=True,
    )
    assert len(runs.events(later)) == 2
    assert runs.events(later) == []


def test_what_failed_before_a_webhook_was_served_is_told_and_what_is_live_is_not() -> None:
    assert Runs(generic(), served=False).events(one(**FAILED)) == [("error", "timeout waiting")]
    assert Runs(generic(), served=False).events(one(**LIVE)) == []


def test_nothing_is_taken_down_again_and_again() -> None:
    runs = Runs(generic())
    runs.see(one(healthy=ready(message="Health check passed in 4s"), **LIVE))
    runs.see(one(**FAILED))
    assert runs.see(one(**FAILED)).silent == ()


def test_a_failure_whose_reason_changes_has_not_turned() -> None:
    runs = Runs(hook())
    for reason in ("HealthCheckFailed", "ReconciliationFailed", "PruneFailed", "HealthCheckFailed"):
        runs.see(one(ready=ready("False", reason, "no"), attempted=MAIN_B))
    assert runs.told.turns == {}


def test_what_a_source_fetched_does_not_prove_that_anybody_looked() -> None:
    runs = Runs(hook())
    runs.see(aged(0))
    runs.see(aged(3600), seconds=3600)
    behind = judge(
        cluster(k(patience=600, generation=2, ready=ready(since=NOW), **LIVE), git(MAIN_C, updated=NOW + 3650)),
        now=NOW + 3660,
        details=True,
    )
    assert State.SUCCESS not in runs.states(behind)


def test_a_failure_that_was_replaced_is_no_recovery_when_its_commit_returns() -> None:
    runs = Runs(hook())
    runs.see(one(**FAILED))
    runs.see(look(k(applied=MAIN_C, attempted=MAIN_C), revision=MAIN_C))
    (story,) = runs.stories(one(**LIVE))
    assert (story.broken_for, story.rolled_back_from) == (0, C)


def test_what_was_told_to_be_over_is_not_over_again() -> None:
    runs = Runs(hook())
    runs.see(one(**FAILED))
    runs.see(one(**LIVE))
    (story,) = runs.stories(look(k(applied=MAIN_C, attempted=MAIN_C), revision=MAIN_C))
    assert story.broken_for == 0
