"""What services are told that keep alerts: what begins, what ends it, and what they called it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from runs import FAILED, LIVE, RUNNING, WAITS, WEB, Runs, alert, look, one, source
from values import MAIN_A, MAIN_B, MAIN_C, NOW, A, B, C, cluster, git, k, ready

from landed.model import Alert, Destination, Look, ObjectRef, Observation, Occurrence, Snapshot, State
from landed.outcomes import judge
from landed.plan.occurrences import seconds
from landed.render import rfc3339
from landed.told import Intent

KEY = "prod Kustomization/apps/web"
Said = tuple[State, str, str]


class Service:
    """A service that gives every occurrence a name: ``1``, ``2`` …"""

    def __init__(self, *alerts: Alert, whole: bool = False, served: bool = True) -> None:
        to = Destination("Alert apps/ops", "occurrences", alerts=alerts, whole=whole)
        self.runs = Runs(to, served=served)
        self.count = 0
        self.silent = 0

    def see(self, *looks: Look, seconds: int = 60) -> list[Occurrence]:
        due = self.runs.see(*looks, seconds=seconds)
        self.silent = len(due.silent)
        told = []
        for update in due.updates:
            assert isinstance(update.payload, Occurrence)
            told.append(update.payload)
            if self.runs.refused(update):
                continue
            self.count += 1
            for mark in update.marks:
                self.runs.told.record(update.destination, mark, self.runs.now, handle=str(self.count))
        return told

    def said(self, *looks: Look, seconds: int = 60) -> list[Said]:
        """State, commit, and the name of what is open."""
        return [(o.state, o.commit, o.handle) for o in self.see(*looks, seconds=seconds)]


def at(revision: str, reason: str = "", **settings: Any) -> Look:
    """One object at a revision: live, or failing for a reason."""
    settings = {"applied": revision, "attempted": revision} | settings
    if reason:
        settings |= {"ready": ready("False", reason, f"{reason}: no"), "applied": MAIN_A}
    return look(k(**settings), revision=revision)


def waits(revision: str) -> Look:
    return look(k(**WAITS), revision=revision)


# ── begun and ended ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failure_is_told_as_flux_would_tell_it() -> None:
    (it,) = Service(alert()).see(one(**FAILED))
    assert (it.state, it.key, it.cluster, it.commit) == (State.FAILURE, KEY, "prod", B)
    assert (it.event.severity, it.event.reason) == ("error", "HealthCheckFailed")
    assert it.event.involvedObject.name == "web"
    assert (it.at, it.handle, it.seconds) == (NOW - 600, "", 0.0)
    assert it.url == f"https://github.com/example/fleet/commit/{B}"


@pytest.mark.parametrize("alerts", [(), (alert(),), (alert(severity="error"),)], ids=["no alert", "info", "error"])
def test_a_failure_is_told_once_and_its_end_with_its_name(alerts: tuple[Alert, ...]) -> None:
    service = Service(*alerts)
    assert service.said(one(**FAILED)) == [(State.FAILURE, B, "")]
    assert service.said(one(**FAILED)) == []
    assert service.said(one(**LIVE)) == [(State.SUCCESS, B, "1")]
    assert service.said(one(**LIVE)) == []


@pytest.mark.parametrize("severity", ["info", "error"])
def test_a_later_commit_ends_it_too(severity: str) -> None:
    service = Service(alert(severity=severity))
    service.see(at(MAIN_B, "BuildFailed"))
    assert service.said(at(MAIN_C)) == [(State.SUCCESS, C, "1")]
    assert service.said(at(MAIN_B, "BuildFailed")) == [(State.FAILURE, B, "")]


def test_another_reason_is_told_with_the_name_of_what_is_open() -> None:
    service = Service(alert())
    service.see(at(MAIN_B, "BuildFailed"))
    assert service.said(at(MAIN_B, "HealthCheckFailed")) == [(State.FAILURE, B, "1")]
    assert service.said(at(MAIN_C, "HealthCheckFailed")) == [(State.FAILURE, C, "2")]
    assert service.said(at(MAIN_C)) == [(State.SUCCESS, C, "3")]


def test_it_fails_anew_after_it_was_live() -> None:
    service = Service(alert())
    for _ in range(2):
        assert [x[0] for x in service.said(one(**FAILED), seconds=700)] == [State.FAILURE]
        assert [x[0] for x in service.said(one(**LIVE), seconds=700)] == [State.SUCCESS]


def test_a_success_is_told_where_nothing_is_open_but_not_to_who_asks_for_failures() -> None:
    assert Service(alert()).said(one(**LIVE)) == [(State.SUCCESS, B, "")]
    service = Service(alert(severity="error"))
    assert service.said(one(**LIVE)) == []
    assert service.said(one(**FAILED)) == [(State.FAILURE, B, "")]


def test_what_failed_and_was_not_delivered_is_no_open_failure() -> None:
    service = Service(alert(severity="error"))
    service.runs.refused = lambda _: True
    assert service.said(one(**FAILED)) == [(State.FAILURE, B, "")]
    service.runs.refused = lambda _: False
    assert service.said(one(**LIVE)) == []


def test_an_end_that_was_not_delivered_is_told_again() -> None:
    service = Service(alert(severity="error"))
    service.see(one(**FAILED))
    service.runs.refused = lambda _: True
    assert service.said(one(**LIVE)) == [(State.SUCCESS, B, "1")]
    service.runs.refused = lambda _: False
    assert service.said(one(**LIVE)) == [(State.SUCCESS, B, "1")]


# ── waiting for a dependency ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_wait_is_told_once_and_its_end() -> None:
    service = Service(alert())
    (it,) = service.see(waits(MAIN_B))
    assert (it.state, it.event.severity, it.event.reason) == (State.PENDING, "info", "DependencyNotReady")
    assert service.said(waits(MAIN_B)) == []
    assert service.said(at(MAIN_B)) == [(State.SUCCESS, B, "1")]


def test_a_wait_after_a_failure_knows_of_it() -> None:
    service = Service(alert())
    service.see(at(MAIN_B, "BuildFailed"))
    assert service.said(waits(MAIN_C)) == [(State.PENDING, C, "1")]
    assert service.said(at(MAIN_C)) == [(State.SUCCESS, C, "2")]


def test_a_wait_becomes_a_failure() -> None:
    service = Service(alert())
    service.see(waits(MAIN_B))
    assert service.said(at(MAIN_B, "BuildFailed")) == [(State.FAILURE, B, "1")]


def test_plain_progress_and_waits_for_who_wants_failures_are_not_told() -> None:
    assert Service(alert()).said(one(**RUNNING)) == []
    assert Service(alert(severity="error")).said(one(**WAITS)) == []


# ── what neither begins nor ends anything ─────────────────────────────────────────────────────────────────────────────


def silent(state: State, about: ObjectRef = WEB, **settings: Any) -> Look:
    return structs.replace(one(**LIVE), outcomes=(), silent=(Observation(about, state, **settings),))


@pytest.mark.parametrize("severity", ["info", "error"])
@pytest.mark.parametrize("state", [State.SUSPENDED, State.DELETING, State.NEW])
def test_suspension_is_no_end(state: State, severity: str) -> None:
    service = Service(alert(severity=severity))
    service.see(one(**FAILED))
    assert service.said(silent(state, revision=MAIN_C, message="Suspended")) == []
    assert service.said(one(**LIVE)) == [(State.SUCCESS, B, "1")]


def test_an_object_that_is_not_seen_is_no_end() -> None:
    service = Service(alert())
    service.see(one(**FAILED))
    assert service.said(look(k("other", **LIVE))) == [(State.SUCCESS, B, "")]
    assert service.said(Look("prod", error="refused")) == []
    assert service.said(one(**LIVE)) == [(State.SUCCESS, B, "1")]


# ── silence, and what no commit is known of ───────────────────────────────────────────────────────────────────────────


def aged(age: int, **settings: Any) -> Look:
    """Two objects, looked at so many seconds after their controller has."""
    both = (k(name, patience=600, ready=ready(since=NOW), **(LIVE | settings)) for name in ("web", "api"))
    return judge(cluster(*both, git(MAIN_B, updated=NOW - 10)), now=NOW + age, details=True)


def test_a_silent_controller_is_one_occurrence_and_its_return_another() -> None:
    service = Service(alert())
    service.see(aged(0))
    (it,) = service.see(aged(3600), seconds=3600)
    assert (it.state, it.key) == (State.STALE, "prod Deployment/flux-system/kustomize-controller")
    assert (it.event.reportingController, it.event.involvedObject.apiVersion) == ("landed", "apps/v1")
    assert (it.event.severity, it.commit, it.url) == ("error", "", "")
    assert service.said(aged(3660)) == []
    back = (k(name, patience=600, ready=ready(since=NOW + 3700), **LIVE) for name in ("web", "api"))
    name = str(service.count)
    again = judge(cluster(*back, git(MAIN_B)), now=NOW + 3710, details=True)
    (over,) = service.see(again, seconds=50)
    assert (over.state, over.key, over.handle) == (State.SUCCESS, it.key, name)
    assert service.said(again) == []


def fetching(status: str, revision: str = MAIN_B) -> Look:
    trouble = ready(status, "GitOperationFailed", "no route") if status == "False" else ready(reason="Succeeded")
    return judge(cluster(k(**LIVE), git(revision, ready=trouble)), now=NOW, details=True)


@pytest.mark.parametrize("alerts", [(), (alert(source("GitRepository", namespace="flux-system")),)])
def test_a_source_that_cannot_fetch_fails_without_a_commit_and_works_again(alerts: tuple[Alert, ...]) -> None:
    service = Service(*alerts)
    service.see(fetching("True"))
    before = str(service.count)
    (it,) = service.see(fetching("False"))
    assert (it.state, it.key, it.commit) == (State.FAILURE, "prod GitRepository/flux-system/fleet", "")
    assert it.event.reportingController == "source-controller"
    assert service.said(fetching("False")) == []
    (over,) = service.see(fetching("True"))
    assert (over.state, over.key, over.handle) == (State.SUCCESS, it.key, str(int(before) + 1))
    assert service.said(fetching("True")) == []


def test_a_source_that_fetches_something_new_after_its_trouble_is_told_once() -> None:
    service = Service(alert(source("GitRepository", namespace="flux-system")))
    service.see(fetching("True"))
    service.see(fetching("False"))
    assert service.said(fetching("True", MAIN_C)) == [(State.SUCCESS, C, "2")]
    assert service.said(fetching("True", MAIN_C)) == []
    assert service.said(fetching("False", MAIN_C)) == [(State.FAILURE, "", "")]
    assert service.said(fetching("True", MAIN_C)) == [(State.SUCCESS, "", "4")]
    assert service.said(fetching("True", MAIN_C)) == []


def test_the_end_of_a_source_s_trouble_is_told_to_who_wants_failures() -> None:
    service = Service(alert(source("GitRepository", namespace="flux-system"), severity="error"))
    assert service.said(fetching("True")) == []
    assert service.said(fetching("False")) == [(State.FAILURE, "", "")]
    assert service.said(fetching("True")) == [(State.SUCCESS, "", "1")]


# ── what came and went ────────────────────────────────────────────────────────────────────────────────────────────────


def gone(present: Look, state: str, revision: str = MAIN_C) -> Look:
    """``present``, and before it another revision that came and went."""
    history = (Snapshot(revision, "", state, NOW - 30),)
    assert present.outcomes
    before = judge(cluster(k(history=history, **LIVE), git(MAIN_B)), now=NOW, since=NOW - 50, details=True)
    past = tuple(o for o in before.outcomes if o.past)
    assert past
    return structs.replace(present, outcomes=(*past, *present.outcomes))


def test_a_failure_that_came_and_went_is_followed_by_what_holds() -> None:
    service = Service(alert())
    service.see(one(**LIVE))
    both = gone(one(**LIVE), "ReconciliationFailed")
    assert [x[:2] for x in service.said(both)] == [(State.FAILURE, C), (State.SUCCESS, B)]
    assert service.said(both) == []
    assert service.said(one(**LIVE)) == []


def test_also_for_who_wants_failures_only() -> None:
    service = Service(alert(severity="error"))
    service.see(one(**LIVE))
    both = gone(one(**LIVE), "ReconciliationFailed")
    assert [x[:2] for x in service.said(both)] == [(State.FAILURE, C), (State.SUCCESS, B)]
    assert service.said(both) == []


def test_who_wants_failures_only_hears_of_the_next_one_after_another_commit_ended_the_first() -> None:
    service = Service(alert(severity="error"))
    service.see(at(MAIN_B, "BuildFailed"))
    both = gone(one(**LIVE), "ReconciliationSucceeded")
    assert [x[0] for x in service.said(both)] == [State.SUCCESS, State.SUCCESS]
    assert service.said(at(MAIN_B, "BuildFailed")) == [(State.FAILURE, B, "")]


def test_a_success_that_came_and_went_before_a_failure_does_not_end_it_in_a_later_run() -> None:
    """A run that could not tell somebody else everything looks back as far again."""
    service = Service(alert(severity="error"))
    service.see(one(**LIVE))
    both = gone(at(MAIN_B, "BuildFailed"), "ReconciliationSucceeded")
    assert service.said(both) == [(State.FAILURE, B, "")]
    assert service.said(both) == []
    assert service.said(at(MAIN_B)) == [(State.SUCCESS, B, "1")]


def test_a_success_that_came_and_went_does_not_end_what_fails() -> None:
    service = Service(alert())
    service.see(one(**FAILED))
    both = gone(one(**FAILED), "ReconciliationSucceeded")
    assert [x[:2] for x in service.said(both)] == [(State.SUCCESS, C), (State.FAILURE, B)]
    assert service.said(both) == []
    assert service.said(one(**LIVE)) == [(State.SUCCESS, B, "3")]


def test_what_is_waited_for_is_told_again_after_what_ended_it() -> None:
    service = Service(alert())
    service.see(waits(MAIN_B))
    both = gone(waits(MAIN_B), "ReconciliationSucceeded")
    assert [x[:2] for x in service.said(both)] == [(State.SUCCESS, C), (State.PENDING, B)]
    assert service.said(both) == []


def test_what_came_and_went_comes_before_what_stands_whatever_the_commits_are_called() -> None:
    """An outcome that is current for somebody else is not sorted before."""
    service = Service(alert())
    both = gone(one(**FAILED), "ReconciliationSucceeded")
    turned = structs.replace(both, outcomes=tuple(reversed(both.outcomes)))
    assert [x[:2] for x in service.said(turned)] == [(State.SUCCESS, C), (State.FAILURE, B)]


def test_what_came_and_went_before_the_service_was_served_is_not_told() -> None:
    service = Service(alert(), served=False)
    assert service.said(gone(one(**LIVE), "ReconciliationFailed")) == []


# ── the first run, and a lost ledger ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("present", [LIVE, WAITS])
def test_the_first_run_takes_down_what_does_not_fail(present: dict[str, Any]) -> None:
    service = Service(alert(), served=False)
    assert service.said(one(**present)) == []
    assert service.silent == 1
    assert service.said(one(**present)) == []
    assert service.silent == 0


def test_the_first_run_tells_what_fails() -> None:
    service = Service(alert(), served=False)
    assert service.said(look(k("web", **FAILED), k("api", **LIVE))) == [(State.FAILURE, B, "")]


def test_after_the_ledger_was_lost_a_failure_is_told_again_and_a_later_success_closes_what_is_unknown() -> None:
    assert Service(alert(), served=False).said(one(**FAILED)) == [(State.FAILURE, B, "")]
    service = Service(alert(), served=False)
    assert service.said(at(MAIN_B)) == []
    assert service.said(at(MAIN_C)) == [(State.SUCCESS, C, "")]


def broken_off(service: Service, commit: str) -> None:
    """A run has told something of the object and was killed before it took that down."""
    service.runs.told.begin([Intent("Alert apps/ops", KEY, commit)])


@pytest.mark.parametrize("severity", ["info", "error"])
def test_what_a_run_that_was_killed_may_have_fired_is_ended(severity: str) -> None:
    service = Service(alert(severity=severity))
    service.see(at(MAIN_B))
    broken_off(service, B)
    assert service.said(at(MAIN_B)) == [(State.SUCCESS, B, "")]
    service.runs.told.settle()
    assert service.said(at(MAIN_B)) == []


@pytest.mark.parametrize(("severity", "commit"), [("info", B), ("error", "")])
def test_what_a_run_that_was_killed_may_have_fired_of_a_source_is_ended(severity: str, commit: str) -> None:
    service = Service(alert(source("GitRepository", namespace="flux-system"), severity=severity))
    service.see(fetching("True"))
    service.runs.told.begin([Intent("Alert apps/ops", "prod GitRepository/flux-system/fleet", "")])
    assert service.said(fetching("False")) == [(State.FAILURE, "", "")]
    service.runs.told.destinations["Alert apps/ops"].clear()
    assert service.said(fetching("True")) == [(State.SUCCESS, commit, "")]
    service.runs.told.settle()
    assert service.said(fetching("True")) == []


def test_what_a_run_that_was_killed_may_have_said_of_a_silent_controller_is_ended() -> None:
    service = Service(alert(severity="error"))
    line = "prod Deployment/flux-system/kustomize-controller"
    service.runs.told.begin([Intent("Alert apps/ops", line, "")])
    assert [o.state for o in service.see(aged(3600), seconds=3600)] == [State.STALE]
    service.runs.told.destinations["Alert apps/ops"].clear()
    assert [(o.key, o.state) for o in service.see(aged(0))] == [(line, State.SUCCESS)]


def test_what_a_run_that_was_killed_may_have_ended_fires_again() -> None:
    service = Service(alert())
    service.see(at(MAIN_B, "BuildFailed"))
    broken_off(service, B)
    assert service.said(at(MAIN_B, "BuildFailed")) == [(State.FAILURE, B, "1")]
    service.runs.told.settle()
    assert service.said(at(MAIN_B, "BuildFailed")) == []


def test_a_run_that_was_killed_leaves_other_objects_and_services_as_they_are() -> None:
    service = Service(alert())
    service.see(at(MAIN_B))
    service.runs.told.begin([Intent("Alert apps/other", KEY, B), Intent("Alert apps/ops", f"{KEY}2", B)])
    assert service.said(at(MAIN_B)) == []


# ── a commit that is taken back ───────────────────────────────────────────────────────────────────────────────────────


def test_a_wait_for_a_commit_that_the_source_takes_back_is_ended() -> None:
    service = Service(alert())
    service.see(at(MAIN_B))
    service.see(waits(MAIN_C))
    assert service.said(at(MAIN_B)) == [(State.SUCCESS, B, "2")]
    assert service.said(at(MAIN_B)) == []


def test_a_failure_of_a_commit_that_the_source_has_taken_back_is_ended() -> None:
    """The failure was told of while the source held the earlier commit already."""
    service = Service(alert())
    service.see(at(MAIN_B))
    back = look(k(ready=ready("False", "BuildFailed", "no"), applied=MAIN_B, attempted=MAIN_C), revision=MAIN_B)
    assert service.said(back) == [(State.FAILURE, C, "")]
    assert service.said(at(MAIN_B)) == [(State.SUCCESS, B, "2")]
    assert service.said(at(MAIN_B)) == []


def test_a_wait_for_a_commit_that_the_source_takes_back_is_ended_by_what_still_fails() -> None:
    """What services keep apart, as alerts of waits, is closed by the failure; and a run that was killed may have told
    of a success meanwhile.
    """
    service = Service(alert())
    service.see(at(MAIN_B, "BuildFailed"))
    service.see(waits(MAIN_C))
    assert service.said(at(MAIN_B, "BuildFailed")) == [(State.FAILURE, B, "2")]
    assert service.said(at(MAIN_B, "BuildFailed")) == []
    assert service.said(at(MAIN_B)) == [(State.SUCCESS, B, "3")]


def test_a_failure_that_stands_is_not_told_again_after_one_of_another_commit_that_came_and_went() -> None:
    service = Service(alert())
    service.see(at(MAIN_B, "ReconciliationFailed"))
    both = gone(at(MAIN_B, "ReconciliationFailed"), "ReconciliationFailed")
    assert service.said(both) == [(State.FAILURE, C, "1")]
    assert service.said(both) == []


def test_what_is_live_beside_a_wait_does_not_end_it() -> None:
    service = Service(alert())
    service.see(waits(MAIN_C))
    running = look(k(ready=ready("Unknown"), applied=MAIN_B, attempted=MAIN_B), revision=MAIN_C)
    assert service.said(running) == []


# ── what Alerts admit ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_excluded_is_not_told_and_a_change_to_it_ends_nothing() -> None:
    service = Service(alert(exclusion=("timeout",)))
    assert service.said(one(**FAILED)) == []
    assert service.said(at(MAIN_B, "BuildFailed")) == [(State.FAILURE, B, "")]
    assert service.said(one(**FAILED)) == []
    assert service.said(one(**LIVE)) == [(State.SUCCESS, B, "1")]


def test_what_is_included_begins_and_what_ends_it_need_not_be() -> None:
    service = Service(alert(inclusion=("timeout",)))
    assert service.said(at(MAIN_B, "BuildFailed")) == []
    assert service.said(one(**LIVE)) == []
    assert service.said(one(**FAILED), seconds=700) == [(State.FAILURE, B, "")]
    assert service.said(one(**LIVE)) == [(State.SUCCESS, B, "1")]
    assert service.said(at(MAIN_C)) == []


def test_metadata_of_the_alert_goes_along() -> None:
    (it,) = Service(alert(metadata=(("env", "prod"),), summary="Aurora")).see(one(**FAILED))
    assert (it.event.metadata["env"], it.event.metadata["summary"], it.event.metadata["cluster"]) == (
        "prod",
        "Aurora",
        "prod",
    )


# ── clusters, and commits on whole clusters ───────────────────────────────────────────────────────────────────────────


def test_clusters_have_alerts_of_their_own() -> None:
    service = Service(alert())
    eu, us = look(k(**FAILED), name="eu"), look(k(**FAILED), name="us")
    assert [o.key for o in service.see(eu, us)] == ["eu Kustomization/apps/web", "us Kustomization/apps/web"]
    assert service.said(look(k(**LIVE), name="eu"), us) == [(State.SUCCESS, B, "1")]


def test_a_commit_on_a_whole_cluster_is_told_where_it_is_wanted() -> None:
    service = Service(whole=True)
    timed = ready(since=NOW - 100)
    both = look(k("web", **FAILED), k("api", ready=timed, **LIVE))
    *_, it = service.see(both)
    assert (it.key, it.state, it.commit) == (f"prod github.com/example/fleet {B}", State.FAILURE, B)
    assert (it.event.involvedObject.kind, it.event.involvedObject.name) == ("", B)
    assert (it.event.reason, it.event.severity, it.event.reportingController) == (
        "ReconciliationFailed",
        "error",
        "landed",
    )
    assert (it.at, it.seconds) == (NOW - 100, 500)
    assert service.said(both) == []
    live = look(k("web", **LIVE), k("api", ready=timed, **LIVE))
    assert [(o.key, o.state) for o in service.see(live)] == [
        (KEY, State.SUCCESS),
        (f"prod github.com/example/fleet {B}", State.SUCCESS),
    ]
    assert service.said(live) == []


def test_what_happened_nobody_knows_when_is_told_as_of_now() -> None:
    failed = {"ready": ready("False", "HealthCheckFailed", "no", since=0), "attempted": MAIN_B}
    service = Service(alert())
    (it,) = service.see(one(**failed))
    assert (it.at, it.event.timestamp) == (service.runs.now, rfc3339(service.runs.now))


def test_a_commit_is_not_told_where_it_is_not_wanted() -> None:
    assert [o.key for o in Service(alert()).see(one(**FAILED))] == [KEY]


# ── to and fro ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_goes_to_and_fro_stays_open_until_it_is_at_rest() -> None:
    service = Service(alert())
    told = []
    for settings in (LIVE, FAILED, LIVE, FAILED, LIVE, FAILED, LIVE):
        told += [x[0] for x in service.said(one(**settings))]
    assert told == [State.SUCCESS, State.FAILURE, State.SUCCESS, State.FAILURE]
    assert service.said(one(**LIVE), seconds=601) == [(State.SUCCESS, B, "4")]
    assert service.said(one(**LIVE)) == []


def test_another_commit_ends_what_went_to_and_fro() -> None:
    service = Service(alert())
    for settings in (LIVE, FAILED, LIVE, FAILED):
        service.see(one(**settings))
    assert service.said(at(MAIN_C)) == [(State.SUCCESS, C, "4")]


# ── times ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13.118402s", 13.118402), ("1m3.5s", 63.5), ("2h0m1s", 7201.0), ("350ms", 0.35), ("12µs", 12e-6),
        ("5us", 5e-6), ("7ns", 7e-9), ("", 0.0), ("soon", 0.0), ("1m3", 0.0), ("-3s", 0.0), ("1" * 20 + "s", 0.0),
        ("３s", 0.0),
    ],
)  # fmt: skip
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


def test_what_changed_and_how_long_it_took_go_along() -> None:
    service = Service(alert())
    history = (Snapshot(MAIN_B, "", "ReconciliationSucceeded", NOW - 600, "13.5s"),)
    (it,) = service.see(one(history=history, **LIVE))
    assert it.seconds == 13.5


def test_what_is_told_of_a_is_not_told_of_b() -> None:
    assert {o.commit for o in Service(alert()).see(at(MAIN_A))} == {A}
