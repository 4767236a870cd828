"""What Alerts ask for, what a channel that can edit is told, what goes to and fro, and what changed."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from values import FLEET, MAIN_A, MAIN_B, MAIN_C, NOW, A, B, C, cluster, git, k, phase, ready

from landed.model import (
    Alert,
    CommitStatus,
    Destination,
    Digest,
    Event,
    EventSource,
    Happened,
    Look,
    ObjectRef,
    Observation,
    Repository,
    State,
)
from landed.outcomes import judge
from landed.plan import Plan, Wording, observe, plan
from landed.plan.changes import changed, packed, stocked, take_stock, unpacked
from landed.plan.narrow import narrowed
from landed.told import Told

WEB = ObjectRef("Kustomization", "apps", "web")
LIVE: dict[str, Any] = {"applied": MAIN_B, "attempted": MAIN_B}
FAILED: dict[str, Any] = {"ready": ready("False", "HealthCheckFailed", "timeout waiting"), "attempted": MAIN_B}
RUNNING: dict[str, Any] = {
    "ready": ready("Unknown"),
    "reconciling": phase("Building manifests", MAIN_B),
    "attempted": MAIN_B,
}
WAITS: dict[str, Any] = {"ready": ready("False", "DependencyNotReady", "dependency 'apps/infra' is not ready")}


def alert(*sources: EventSource, **settings: Any) -> Alert:
    return Alert("apps", "ops", "chat", sources=sources or (EventSource("Kustomization", "*", "apps"),), **settings)


def source(kind: str = "Kustomization", name: str = "*", namespace: str = "apps", **labels: str) -> EventSource:
    return EventSource(kind, name, namespace, tuple(sorted(labels.items())))


def bot(*alerts: Alert, threads: bool = True) -> Destination:
    return Destination("Alert apps/ops", "messages", threads=threads, alerts=alerts or (alert(),))


def hook(*alerts: Alert) -> Destination:
    return Destination("Alert apps/ops", "digests", alerts=alerts or (alert(),))


def generic(*alerts: Alert) -> Destination:
    return Destination("Alert apps/ops", "events", alerts=alerts or (alert(),))


def github(*alerts: Alert, **settings: Any) -> Destination:
    return Destination(
        "Provider apps/gh", "statuses", "github.com", alerts=alerts or (alert(),), whole=False, **settings
    )


def look(*objects: Any, name: str = "prod", revision: str = MAIN_B) -> Look:
    return judge(cluster(*objects, git(revision), name=name), now=NOW, details=True)


def one(**settings: Any) -> Look:
    return look(k(**settings))


class Runs:
    """Runs with one destination, one after the other; everything is acknowledged."""

    def __init__(self, to: Destination, *, served: bool = True) -> None:
        self.to = to
        self.told = Told()
        self.now = NOW
        self.posted = 0
        if served:
            self.told.serve(to.name)

    def see(self, *looks: Look, seconds: int = 60) -> Plan:
        self.now += seconds
        observe(looks, self.told, self.now)
        seen = changed(looks, self.told)
        due = plan(seen, self.told, [self.to], wording=Wording(), now=self.now)
        for name, mark in due.silent:
            self.told.record(name, mark, self.now)
        for update in due.updates:
            handle = ""
            if isinstance(update.payload, Digest) and update.payload.about:
                self.posted += not update.payload.handle
                handle = update.payload.handle or f"m{self.posted}"
            for mark in update.marks:
                self.told.record(update.destination, mark, self.now, handle=handle)
        self.told.serve(self.to.name)
        take_stock(looks, self.told)
        return due

    def digests(self, *looks: Look, seconds: int = 60) -> list[Digest]:
        return [u.payload for u in self.see(*looks, seconds=seconds).updates if isinstance(u.payload, Digest)]

    def states(self, *looks: Look, seconds: int = 60) -> list[State]:
        return [s.state for digest in self.digests(*looks, seconds=seconds) for s in digest.stories]

    def events(self, *looks: Look) -> list[tuple[str, str]]:
        return [
            (u.payload.severity, u.payload.message) for u in self.see(*looks).updates if isinstance(u.payload, Event)
        ]

    def statuses(self, *looks: Look) -> list[tuple[str, str, State]]:
        payloads = [u.payload for u in self.see(*looks).updates]
        return [(p.commit, p.context, p.state) for p in payloads if isinstance(p, CommitStatus)]


# ── narrowing ───────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── messages that are edited ────────────────────────────────────────────────────────────────────────────────────────


def test_one_message_follows_a_commit_from_reconciling_to_live() -> None:
    runs = Runs(bot())
    (posted,) = runs.digests(one(**RUNNING))
    assert (posted.handle, posted.reply, posted.stories[0].state) == ("", False, State.PENDING)
    assert runs.digests(one(**RUNNING)) == []
    (edited,) = runs.digests(one(**LIVE))
    assert (edited.handle, edited.about, edited.stories[0].state) == ("m1", posted.about, State.SUCCESS)
    assert runs.digests(one(**LIVE)) == []


def test_a_failure_is_answered_in_the_thread_and_so_is_its_end() -> None:
    runs = Runs(bot())
    runs.see(one(**RUNNING))
    failed, reply = runs.digests(one(**FAILED))
    assert (failed.handle, failed.reply) == ("m1", False)
    assert (reply.handle, reply.reply, reply.about) == ("m1", True, failed.about)
    assert runs.digests(one(**FAILED)) == []
    live, recovered = runs.digests(one(**LIVE), seconds=700)
    assert (live.reply, recovered.reply, recovered.stories[0].broken_for) == (False, True, 760)
    assert runs.digests(one(**LIVE)) == []


def test_without_threads_a_new_message_about_a_failure_says_it_once() -> None:
    runs = Runs(bot(threads=False))
    (posted,) = runs.digests(one(**FAILED))
    assert not posted.reply
    assert runs.digests(one(**FAILED)) == []


def test_without_threads_an_edit_that_nobody_notices_is_answered_beside() -> None:
    runs = Runs(bot(threads=False))
    runs.see(one(**RUNNING))
    assert [digest.reply for digest in runs.digests(one(**FAILED))] == [False, True]


def test_a_reply_that_was_lost_is_sent_alone() -> None:
    runs = Runs(bot())
    runs.see(one(**FAILED))
    lines = runs.told.destinations["Alert apps/ops"]
    del lines[next(line for line in lines if line.endswith(" replies"))]
    (reply,) = runs.digests(one(**FAILED))
    assert (reply.reply, reply.handle) == (True, "m1")


def test_what_was_live_before_a_channel_was_served_is_nobodys_news() -> None:
    runs = Runs(bot(), served=False)
    assert runs.digests(one(**LIVE)) == []
    assert runs.digests(one(**LIVE)) == []
    assert Runs(bot(), served=False).states(one(**FAILED)) == [State.FAILURE, State.FAILURE]


def test_one_message_for_all_clusters_of_a_run() -> None:
    runs = Runs(bot())
    (posted,) = runs.digests(look(k(**RUNNING), name="eu"), look(k(**LIVE), name="us"))
    assert [story.outcome.cluster for story in posted.stories] == ["eu", "us"]
    (edited,) = runs.digests(look(k(**LIVE), name="eu"), look(k(**LIVE), name="us"))
    assert (edited.handle, len(edited.stories)) == ("m1", 2)


def test_a_cluster_that_cannot_be_read_changes_nothing_and_is_named() -> None:
    runs = Runs(bot())
    runs.see(look(k(**RUNNING), name="eu"), look(k(**LIVE), name="us"))
    gone = Look("us", error="no answer")
    assert runs.digests(look(k(**RUNNING), name="eu"), gone) == []
    (edited,) = runs.digests(look(k(**LIVE), name="eu"), gone)
    assert edited.unread == ("us",)


def test_a_message_that_waits_for_ever_is_ended() -> None:
    runs = Runs(bot())
    runs.see(one(**RUNNING))
    moved = look(k(applied=MAIN_C, attempted=MAIN_C), revision=MAIN_C)
    digests = runs.digests(moved)
    left = next(d for d in digests if d.handle == "m1")
    assert left.stories[0].state is State.SUPERSEDED
    assert left.stories[0].superseded_by == MAIN_C
    assert runs.digests(moved) == []


def test_a_commit_that_comes_back_gets_a_new_message() -> None:
    runs = Runs(bot())
    runs.see(one(**LIVE))
    runs.see(look(k(applied=MAIN_C, attempted=MAIN_C), revision=MAIN_C))
    (again,) = runs.digests(one(**LIVE))
    assert again.handle == ""
    assert again.stories[0].rolled_back_from == C


def test_a_failure_that_goes_on_with_the_next_commit_says_since_when() -> None:
    runs = Runs(hook())
    runs.see(one(**FAILED))
    worse = look(k(ready=ready("False", "BuildFailed", "no"), attempted=MAIN_C), revision=MAIN_C)
    (digest,) = runs.digests(worse)
    assert digest.stories[0].failing_since == B
    (over,) = runs.digests(look(k(applied=MAIN_C, attempted=MAIN_C), revision=MAIN_C), seconds=600)
    assert over.stories[0].broken_for == 660


# ── to and fro ──────────────────────────────────────────────────────────────────────────────────────────────────────


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
    assert runs.told.turns == {"prod Kustomization/apps/web": [NOW + 20, NOW + 40, NOW + 60]}


# ── what has no commit ──────────────────────────────────────────────────────────────────────────────────────────────


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
    assert runs.states(one(**LIVE)) == [State.SUCCESS]
    assert runs.states(stale) == [State.STALE]


# ── what changed ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_inventories_are_compared() -> None:
    runs = Runs(generic())
    runs.see(one(inventory=("Deployment/apps/web", "Service/apps/old"), **LIVE))
    newer = look(
        k(applied=MAIN_C, attempted=MAIN_C, inventory=("ConfigMap/apps/x", "Deployment/apps/web")), revision=MAIN_C
    )
    assert runs.events(newer) == [
        ("info", "ConfigMap/apps/x created\nService/apps/old deleted"),
        ("info", "Reconciliation finished"),
    ]
    assert runs.events(newer) == []


def test_the_first_inventory_is_no_news() -> None:
    runs = Runs(generic())
    assert [message for _, message in runs.events(one(inventory=("Deployment/apps/web",), **LIVE))] == [
        "Reconciliation finished"
    ]


def test_the_clusters_own_events_know_better() -> None:
    told = Told(inventories={"prod Kustomization/apps/web": packed(())})
    said = (
        Happened("Progressing", "Deployment/apps/web configured\nService/apps/web created", MAIN_B),
        Happened("Progressing", "Health check passed in 4.01s", MAIN_B),
        Happened("Progressing", "Secret/apps/other created", MAIN_A),
    )
    it = one(inventory=("Deployment/apps/web",), **LIVE)
    (seen,) = changed([it], told, {("prod", WEB): said})
    observation = seen.outcomes[0].observations[0]
    assert observation.changes == ("Deployment/apps/web configured", "Service/apps/web created")
    assert observation.health == "Health check passed in 4.01s"


def test_an_inventory_is_the_same_when_it_is_unpacked_and_rubbish_is_none() -> None:
    names_ = tuple(f"ConfigMap/apps/ü-{n}" for n in range(1000))
    assert unpacked(packed(names_)) == names_
    assert len(packed(names_)) < 5000
    assert [unpacked(text) for text in ("", "~", "abc", "c$~0")] == [(), (), (), ()]


def test_stock_is_taken_of_results_only() -> None:
    told = Told()
    take_stock([one(**RUNNING)], told)
    assert told.inventories == {}
    it = one(inventory=("Deployment/apps/web",), **LIVE)
    assert not stocked([it], told)
    take_stock([it], told)
    assert stocked([it], told)
    assert A not in str(told.inventories)
