"""What Alerts ask for, and that what is left of a look says no more than the whole of it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from runs import FAILED, LIVE, RUNNING, WAITS, WEB, Runs, alert, bot, generic, github, hook, look, one, source
from values import FLEET, MAIN_A, MAIN_B, MAIN_C, NOW, A, B, C, cluster, git, k

from landed.model import Comment, Destination, Dispatch, Event, Look, ObjectRef, Repository, Snapshot, State
from landed.outcomes import judge
from landed.plan.narrow import narrowed


def names(it: Look) -> list[str]:
    return [o.about.name for outcome in it.outcomes for o in outcome.observations]


def test_without_alerts_nothing_is_left_out() -> None:
    it = look(k("web", **LIVE), k("api", **LIVE))
    assert narrowed(it, Destination("slack", "digests")) is it


def test_only_what_an_alert_names_is_left() -> None:
    it = look(k("web", **LIVE), k("api", **LIVE))
    assert names(narrowed(it, github(alert(source(name="web"))))) == ["web"]
    assert names(narrowed(it, github(alert(source(namespace="other"))))) == []


def test_an_alert_of_another_cluster_asks_for_nothing() -> None:
    it = one(**LIVE)
    assert narrowed(it, hook(alert(clusters=("stage",)))).outcomes == ()
    assert len(narrowed(it, hook(alert(clusters=("stage", "prod")))).outcomes) == 1


def test_an_excluded_failure_never_makes_a_commit_live() -> None:
    it = look(k("web", **FAILED), k("api", **LIVE))
    (outcome,) = narrowed(it, hook(alert(exclusion=("timeout",)))).outcomes

    assert outcome.missing == (WEB,)
    assert outcome.state is State.PENDING
    assert Runs(hook(alert(exclusion=("timeout",)))).states(it) == []


def test_what_nobody_asks_about_does_not_keep_a_commit_from_being_live() -> None:
    it = look(k("web", **FAILED), k("api", **LIVE))
    assert Runs(hook(alert(source(name="api")))).states(it) == [State.SUCCESS]


def test_sources_are_told_to_channels_and_not_to_git_hosts() -> None:
    both = alert(source("GitRepository", namespace="flux-system"), source())
    it = one(**LIVE)

    assert names(narrowed(it, hook(both))) == ["fleet", "web"]
    assert names(narrowed(it, github(both))) == ["web"]


def test_a_commit_that_only_its_source_speaks_of_was_fetched() -> None:
    only = hook(alert(source("GitRepository", namespace="flux-system")))
    (digest,) = Runs(only).digests(one(**LIVE))
    assert [o.reason for o in digest.stories[0].outcome.observations] == ["NewArtifact"]


def test_an_alert_adds_its_metadata_below_what_the_controller_says() -> None:
    it = one(metadata={"team": "shop", "cluster": "mine"}, **LIVE)
    to = generic(alert(metadata=(("cluster", "prod-eu"), ("env", "live")), summary="Ops"))
    events = [u.payload for u in Runs(to).see(one(**FAILED)).updates if isinstance(u.payload, Event)]
    assert events[0].metadata["summary"] == "Ops"
    assert events[0].metadata["cluster"] == "prod-eu"
    told = narrowed(it, to).outcomes[0].observations[0]
    assert told.metadata == {"team": "shop", "cluster": "prod-eu", "env": "live", "summary": "Ops"}


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        (FLEET, 1),
        (Repository("github.com", "example"), 1),
        (Repository("github.com", "Example/Fleet"), 1),
        (Repository("github.com", "exam"), 0),
        (Repository("github.com", "example/other"), 0),
        (Repository("gitlab.com", "example/fleet"), 0),
        (Repository("github.com", ""), 1),
    ],
)
def test_a_provider_is_for_its_own_repositories(within: Repository, expected: int) -> None:
    assert len(narrowed(one(**LIVE), github(within=within)).outcomes) == expected


def test_what_manifests_tell_a_host_the_options_do_not() -> None:
    to = Destination("github.com", "statuses", "github.com", beside=(FLEET,))
    assert narrowed(one(**LIVE), to).outcomes == ()


def test_an_object_may_name_its_commit_itself() -> None:
    it = one(metadata={"commit": C}, **LIVE)
    assert Runs(github()).statuses(it) == [(C, "flux/prod/apps/web", State.SUCCESS)]


def test_a_git_host_is_told_each_object_and_nothing_of_the_whole() -> None:
    assert Runs(github()).statuses(one(**LIVE)) == [(B, "flux/prod/apps/web", State.SUCCESS)]


def test_errors_only_tells_failures_and_what_ends_them() -> None:
    runs = Runs(github(alert(severity="error")))
    assert runs.statuses(one(**LIVE)) == []
    assert [state for *_, state in runs.statuses(one(**FAILED))] == [State.FAILURE]
    assert [state for *_, state in runs.statuses(one(**LIVE))] == [State.SUCCESS]
    assert runs.statuses(one(**LIVE)) == []


@pytest.mark.parametrize("to", [hook(alert(severity="error")), bot(alert(severity="error"))])
def test_errors_only_tells_people_of_recoveries_too(to: Destination) -> None:
    runs = Runs(to)
    assert runs.states(one(**LIVE)) == []
    assert runs.states(one(**RUNNING)) == []
    assert State.FAILURE in runs.states(one(**FAILED))
    assert set(runs.states(one(**LIVE))) == {State.SUCCESS}
    assert runs.states(one(**LIVE)) == []


def test_errors_only_tells_a_webhook_of_flux_events_nothing_but_errors() -> None:
    runs = Runs(generic(alert(severity="error")))
    assert runs.events(one(**LIVE)) == []
    assert runs.events(one(**FAILED)) == [("error", "timeout waiting")]
    assert runs.events(one(**LIVE)) == []


def test_the_words_of_flux_count_where_a_wait_is_excluded() -> None:
    for pattern in ("^Dependencies do not meet", "is not ready"):
        assert Runs(generic(alert(exclusion=(pattern,)))).events(one(**WAITS)) == []
        assert Runs(hook(alert(exclusion=(pattern,)))).states(one(**WAITS)) == []


def test_a_wait_is_told_where_an_alert_asks_for_everything() -> None:
    runs = Runs(hook())
    assert runs.states(one(**WAITS)) == [State.PENDING]
    assert runs.states(one(**WAITS)) == []
    assert Runs(Destination("slack", "digests")).states(one(**WAITS)) == []


def test_a_commit_that_was_fetched_is_not_taken_for_one_that_is_live() -> None:
    """What only the source speaks of is told as fetched; that it is live is news after that."""
    to = hook(alert(source("GitRepository", namespace="flux-system"), source(), inclusion=("stored", "finished")))
    runs = Runs(to)
    assert runs.titles(one(**RUNNING)) == ["example/fleet main@ae4f281d was fetched on prod"]
    assert runs.titles(one(**LIVE)) == ["example/fleet main@ae4f281d is live on prod"]
    assert runs.titles(one(**LIVE)) == []


@pytest.mark.parametrize("to", [hook, bot])
def test_what_was_fetched_ends_no_failure(to: Any) -> None:
    runs = Runs(to(alert(source("GitRepository", namespace="flux-system"), source())))
    runs.see(one(**FAILED))
    assert all(not story.broken_for for story in runs.stories(one(suspended=True, **FAILED)))
    newer = runs.stories(look(k(suspended=True, **FAILED), revision=MAIN_C))
    assert all(not story.broken_for for story in newer)
    assert any(story.broken_for for story in runs.stories(one(**LIVE)))


def test_nobody_is_answered_that_a_commit_was_fetched() -> None:
    runs = Runs(bot(alert(source("GitRepository", namespace="flux-system"), source())))
    runs.see(one(**FAILED))
    assert not [d for d in runs.digests(one(suspended=True, **FAILED)) if d.about]


@pytest.mark.parametrize("to", [hook, bot])
@pytest.mark.parametrize("severity", ["info", "error"])
def test_a_failure_that_is_merely_suspended_is_not_over(to: Any, severity: str) -> None:
    runs = Runs(to(alert(severity=severity)))
    runs.see(look(k("web", **FAILED), k("api", **LIVE)))
    assert State.SUCCESS not in runs.states(look(k("web", suspended=True, **FAILED), k("api", **LIVE)))
    assert State.SUCCESS in runs.states(look(k("web", **LIVE), k("api", **LIVE)))


def test_a_commit_that_is_gone_elsewhere_is_not_held_by_its_source() -> None:
    """A commit that came and went is not live because the source of others holds it."""
    it = one(**LIVE)
    gone = structs.replace(
        it.outcomes[0], observations=tuple(structs.replace(o, past=True) for o in it.outcomes[0].observations)
    )
    both = structs.replace(it, outcomes=(gone,))
    to = hook(alert(source("GitRepository", namespace="flux-system"), source()))
    (told,) = narrowed(both, to).outcomes
    assert told.past
    assert Runs(to).titles(both) == ["example/fleet main@ae4f281d was live on prod"]


def test_two_objects_that_name_one_commit_share_its_outcome() -> None:
    other = ObjectRef("GitRepository", "flux-system", "other")
    it = judge(
        cluster(
            k("web", source=other, metadata={"commit": B}),
            k("db", source=other, metadata={"commit": C}),
            k("api", metadata={"commit": C}, **LIVE),
            k("job", **LIVE),
            git(MAIN_A, ref=other, pointer="tag=a"),
            git(MAIN_B),
        ),
        now=NOW,
    )
    placed = narrowed(it, github())
    assert [(o.commit, [x.about.name for x in o.observations]) for o in placed.outcomes] == [
        (B, ["job", "web"]),
        (C, ["api", "db"]),
    ]
    assert {(o.commit, o.repository) for x in placed.outcomes for o in x.observations} == {(B, FLEET), (C, FLEET)}


def test_an_object_says_one_thing_of_the_commit_that_it_names() -> None:
    """It has applied A and waits for C: whether that is of the commit that it names, C will show."""
    it = look(k(metadata={"commit": B}), revision=MAIN_C)
    runs = Runs(github())
    assert runs.statuses(it) == [(B, "flux/prod/apps/web", State.PENDING)]
    there = look(k(metadata={"commit": B}, applied=MAIN_C, attempted=MAIN_C), revision=MAIN_C)
    assert runs.statuses(there) == [(B, "flux/prod/apps/web", State.SUCCESS)]
    named_the_applied = look(k(metadata={"commit": A}), revision=MAIN_C)
    assert Runs(github()).statuses(named_the_applied) == [(A, "flux/prod/apps/web", State.SUCCESS)]


def test_what_came_and_went_does_not_name_todays_commit() -> None:
    it = one(metadata={"commit": C}, **LIVE)
    gone = structs.replace(
        it.outcomes[0],
        commit=A,
        observations=(structs.replace(it.outcomes[0].observations[0], past=True, state=State.FAILURE),),
    )
    both = structs.replace(it, outcomes=(gone, *it.outcomes))
    assert (C, "flux/prod/apps/web", State.FAILURE) not in Runs(github()).statuses(both)


def test_an_alert_lets_nothing_through_for_another_alert() -> None:
    to = Destination(
        "Provider apps/gh dispatch",
        "dispatches",
        "github.com",
        alerts=(alert(source(name="web"), severity="error"), alert(source(name="api"))),
    )
    payloads = [u.payload for u in Runs(to).see(look(k("web", **LIVE), k("api", **LIVE))).updates]
    assert [p.event.involvedObject.name for p in payloads if isinstance(p, Dispatch)] == ["api"]
    other = structs.replace(to, alerts=(to.alerts[0], alert(clusters=("stage",))))
    assert Runs(other).see(one(**LIVE)).updates == ()


def test_of_several_alerts_the_one_that_lets_a_success_through_counts() -> None:
    strict, open_ = alert(severity="error"), alert(metadata=(("team", "shop"),))
    for alerts in ((strict, open_), (open_, strict)):
        (told,) = narrowed(one(**LIVE), github(*alerts)).outcomes[0].observations
        assert (told.closes, told.metadata) == (False, {"team": "shop"})


def test_only_what_is_asked_about_is_missed() -> None:
    here = look(k("web", **LIVE), k("api", applied=MAIN_A, attempted=MAIN_A), revision=MAIN_A)
    assert [o.missing for o in here.outcomes if o.commit == B] == [(ObjectRef("Kustomization", "apps", "api"),)]
    assert [o.missing for o in narrowed(here, hook()).outcomes if o.commit == B] == [here.outcomes[-1].missing]
    labelled = look(k("web", **LIVE), k("api", labels={"team": "x"}, applied=MAIN_A, attempted=MAIN_A), revision=MAIN_A)
    (told,) = [
        o for o in narrowed(labelled, hook(alert(source(name="web"), source(team="y")))).outcomes if o.commit == B
    ]
    assert told.missing == ()


def test_errors_only_is_not_told_what_sources_hold_nor_what_is_suspended() -> None:
    asked = alert(source("GitRepository", namespace="flux-system"), source(), severity="error")
    for to in (hook(asked), bot(asked)):
        runs = Runs(to)
        runs.see(one(**FAILED))
        assert runs.states(look(k(suspended=True, **FAILED), revision=MAIN_C)) == []


def test_labels_decide_which_alert_lets_it_through() -> None:
    to = Destination(
        "Provider apps/gh dispatch",
        "dispatches",
        "github.com",
        alerts=(alert(source(team="shop"), severity="error"), alert(source(team="infra"))),
    )
    assert Runs(to).see(one(labels={"team": "shop"}, **LIVE)).updates == ()
    assert len(Runs(to).see(one(labels={"team": "infra"}, **LIVE)).updates) == 1


def test_another_commit_is_live_while_what_failed_is_suspended_and_has_not_recovered() -> None:
    runs = Runs(hook())
    runs.see(look(k("web", **FAILED), k("api", **LIVE)))
    newer = look(k("web", suspended=True, **FAILED), k("api", applied=MAIN_C, attempted=MAIN_C), revision=MAIN_C)
    told = [s for s in runs.stories(newer) if s.outcome.commit == C]
    assert [(s.state, s.broken_for) for s in told] == [(State.SUCCESS, 0)]


@pytest.mark.parametrize(("superseded", "result"), [(False, "ReconciliationSucceeded"), (True, "HealthCheckFailed")])
def test_what_was_pending_and_got_its_result_while_nobody_looked_is_told_it(superseded: bool, result: str) -> None:
    to = Destination("github.com", "statuses", "github.com", superseded=superseded)
    runs = Runs(to)
    assert (B, "flux/prod/apps/web", State.PENDING) in runs.statuses(one(**RUNNING))
    gone = (Snapshot(MAIN_B, "", result, NOW + 70),)
    later = cluster(k(applied=MAIN_C, attempted=MAIN_C, history=gone), git(MAIN_C))
    told = runs.statuses(judge(later, now=NOW, since=NOW))
    state = State.SUCCESS if result == "ReconciliationSucceeded" else State.FAILURE
    assert [s for commit, context, s in told if (commit, context) == (B, "flux/prod/apps/web")] == [state]
    assert runs.statuses(judge(later, now=NOW, since=NOW)) == []


def test_errors_only_keeps_no_comment_about_a_success_but_says_what_is_over() -> None:
    comments = Destination("Provider apps/pr", "comments", "github.com", alerts=(alert(severity="error"),))
    runs = Runs(comments)

    def rows(it: Look) -> list[list[State]]:
        payloads = (update.payload for update in runs.see(it).updates)
        return [[row.state for row in payload.rows] for payload in payloads if isinstance(payload, Comment)]

    assert rows(one(**LIVE)) == []
    assert rows(one(**FAILED)) == [[State.FAILURE]]
    assert rows(one(**LIVE)) == [[State.SUCCESS]]
