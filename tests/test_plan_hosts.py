"""What Git hosts are told beside plain statuses: superseded commits, roll-ups, deployments, comments, dispatches."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from values import FLEET, MAIN_A, MAIN_B, MAIN_C, NOW, A, B, C, cluster, git, k, phase, ready

from landed.model import (
    Comment,
    CommitStatus,
    Deployment,
    Destination,
    Dispatch,
    Event,
    Held,
    Look,
    ObjectRef,
    Snapshot,
    Source,
    State,
)
from landed.outcomes import judge
from landed.plan import Plan, Wording, observe, plan
from landed.plan.readback import recall, unsure
from landed.told import Told

GITLAB = Destination("github.com", "statuses", "github.com", superseded=True)
GITHUB = Destination("github.com", "statuses", "github.com")
CHECKS = Destination("github.com check runs", "statuses", "github.com", superseded=True, progress=True, details=True)
DEPLOYMENTS = Destination(
    "github.com deployments", "deployments", "github.com", superseded=True, retires=True, progress=True
)
COMMENTS = Destination("github.com comments", "comments", "github.com")
DISPATCH = Destination("github.com dispatches", "dispatches", "github.com")

ON_A = k()
ON_B = k(applied=MAIN_B, attempted=MAIN_B)
TRYING_B = k(ready=ready("Unknown"), reconciling=phase("Building manifests", MAIN_B), attempted=MAIN_B)
FAILED_B = k(ready=ready("False", "HealthCheckFailed", "timeout"), attempted=MAIN_B)
AGAIN_B = k(applied=MAIN_B, attempted=MAIN_B, ready=ready("Unknown"), reconciling=phase("Fetching manifests", MAIN_B))
WAITING_B = k(ready=ready("False", "DependencyNotReady", "dependency 'flux-system/infra' is not ready"))


def look(*objects: Any, name: str = "prod") -> Look:
    return judge(cluster(*objects, name=name), now=NOW)


def named(one: Any, name: str) -> Any:
    return structs.replace(one, ref=ObjectRef("Kustomization", "apps", name))


class Run:
    """Looks one after the other at one destination, everything acknowledged."""

    def __init__(self, to: Destination, **wording: Any) -> None:
        self.to = to
        self.told = Told()
        self.wording = Wording(**({"environments": ("*",)} | wording))
        self.handle = ""

    def plan(self, *looks: Look, found: Any = None) -> Plan:
        observe(looks, self.told)
        return plan(looks, self.told, (self.to,), wording=self.wording, now=NOW, found=found)

    def see(self, *objects: Any) -> list[Any]:
        return self.deliver(look(*objects))

    def deliver(self, *looks: Look) -> list[Any]:
        due = self.plan(*looks)
        self.told.serve(self.to.name)
        for name, mark in due.silent:
            self.told.record(name, mark, NOW)
        for update in due.updates:
            for mark in update.marks:
                self.told.record(self.to.name, mark, NOW, handle=self.handle)
        return [update.payload for update in due.updates]


def said(payloads: list[Any]) -> dict[tuple[str, str], str]:
    """(commit, context or environment) → state."""
    return {(p.commit, getattr(p, "context", "") or getattr(p, "environment", "")): p.state for p in payloads}


# ── superseded ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pending_commit_that_flux_left_is_superseded() -> None:
    run = Run(GITLAB)
    run.see(TRYING_B, git(MAIN_B))

    told = [p for p in run.see(k(), git(MAIN_C)) if p.commit != A]

    assert said(told) == {
        (C, "flux/prod/apps/web"): State.PENDING,
        (C, "flux/prod"): State.PENDING,
        (B, "flux/prod/apps/web"): State.SUPERSEDED,
        (B, "flux/prod"): State.SUPERSEDED,
    }
    assert "main@" in next(p.description for p in told if p.commit == B)
    assert not run.see(k(), git(MAIN_C))


def test_a_host_without_a_word_for_it_is_not_told() -> None:
    run = Run(GITHUB)
    run.see(TRYING_B, git(MAIN_B))

    assert {p.commit for p in run.see(k(), git(MAIN_C))} == {A, C}


def test_a_source_that_lost_its_artifact_for_a_moment_supersedes_nothing() -> None:
    run = Run(GITLAB)
    run.see(k(), git(MAIN_B))

    assert not run.see(k(), git(""))
    assert not run.see(k(), git(MAIN_B))


def test_a_result_is_not_superseded() -> None:
    run = Run(GITLAB)
    run.see(FAILED_B, git(MAIN_B))

    assert {p.commit for p in run.see(k(), git(MAIN_C))} == {A, C}


def test_an_object_that_is_gone_or_suspended_supersedes_nothing() -> None:
    run = Run(GITLAB)
    run.see(TRYING_B, named(ON_B, "db"), git(MAIN_B))

    left = run.see(structs.replace(TRYING_B, suspended=True), named(ON_B, "db"), git(MAIN_B))

    assert (B, "flux/prod/apps/web") not in said(left)


def test_going_back_supersedes_too_and_coming_again_is_news() -> None:
    run = Run(GITLAB)
    run.see(ON_A, git(MAIN_A))
    run.see(ON_A, git(MAIN_B))

    back = said(run.see(ON_A, git(MAIN_A)))
    assert back[B, "flux/prod"] == back[B, "flux/prod/apps/web"] == State.SUPERSEDED

    again = said(run.see(ON_A, git(MAIN_B)))
    assert again == {(B, "flux/prod/apps/web"): State.PENDING, (B, "flux/prod"): State.PENDING}
    assert said(run.see(ON_B, git(MAIN_B)))[B, "flux/prod"] == State.SUCCESS


def test_the_whole_commit_waits_until_everybody_has_come_to_another() -> None:
    """One source has the new commit, the other one still lacks an artifact: the old commit may come back there."""
    other = ObjectRef("GitRepository", "flux-system", "other")
    db = structs.replace(named(ON_A, "db"), source=other)
    tag: Source = git("v1@sha1:" + B, ref=other, pointer="tag=v1")
    run = Run(GITLAB)
    run.see(k(), db, git(MAIN_B), tag)

    half = said(run.see(k(), db, git(MAIN_C), structs.replace(tag, revision="")))

    assert half[B, "flux/prod/apps/web"] == State.SUPERSEDED
    assert (B, "flux/prod") not in half
    assert (B, "flux/prod/apps/db") not in half


# ── progress, handles, explanations ─────────────────────────────────────────────────────────────────────────────────


def test_a_check_run_goes_from_queued_to_in_progress_to_its_end() -> None:
    run = Run(CHECKS)
    run.handle = "17"
    seen = [run.see(state, git(MAIN_B)) for state in (k(), WAITING_B, TRYING_B, WAITING_B, ON_B)]
    own = [[p for p in step if p.context == "flux/prod/apps/web" and p.commit == B] for step in seen]

    assert [[(p.state, p.begun, p.handle) for p in step] for step in own] == [
        [(State.PENDING, False, "")],
        [(State.PENDING, False, "17")],
        [(State.PENDING, True, "17")],
        [],
        [(State.SUCCESS, False, "17")],
    ]


def test_a_failure_is_explained_where_there_is_room() -> None:
    hostile = "timeout ``` ``` <b> @everyone\n[x](http://evil)"
    run = Run(CHECKS)

    told = run.see(k(ready=ready("False", "HealthCheckFailed", hostile), attempted=MAIN_B), git(MAIN_B))

    detail = next(p.detail for p in told if p.context == "flux/prod")
    assert "````text\ntimeout ``` ``` <b> @everyone\n[x](http://evil)\n````" in detail
    assert "flux events -n apps --for Kustomization/web" in detail
    assert not any(p.detail for p in Run(GITHUB).see(FAILED_B, git(MAIN_B)))


def test_a_result_outlasts_a_run_that_repeats_it_although_it_was_never_told_by_itself() -> None:
    run = Run(GITHUB, max_contexts=2)
    run.see(*(named(FAILED_B if n == 0 else ON_B, f"x{n}") for n in range(5)), git(MAIN_B))

    told = run.see(*(named(ON_B if n == 0 else AGAIN_B, f"x{n}") for n in range(5)), git(MAIN_B))

    assert said(told) == {(B, "flux/prod"): State.SUCCESS, (B, "flux/prod/apps/x0"): State.SUCCESS}


# ── roll-up ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def many(number: int, one: Any = ON_B) -> list[Any]:
    return [named(one, f"x{n:03}") for n in range(number)]


def test_fifty_contexts_are_told_one_by_one_and_more_are_rolled_up() -> None:
    assert len(Run(GITHUB).see(*many(49), git(MAIN_B))) == 50

    run = Run(GITHUB)
    due = run.plan(look(*many(50), git(MAIN_B)))
    assert [u.payload.context for u in due.updates if isinstance(u.payload, CommitStatus)] == ["flux/prod"]
    (note,) = due.notes
    assert note.startswith("example/fleet@ae4f281d has 51 contexts on github.com, more than --max-contexts 50: 50 that")


def test_contexts_count_over_all_clusters() -> None:
    run = Run(GITHUB)

    told = run.deliver(*(look(*many(20), git(MAIN_B), name=name) for name in ("a", "b", "c")))

    assert {p.context for p in told} == {"flux/a", "flux/b", "flux/c"}


def test_rolled_up_failures_are_told_and_their_end() -> None:
    run = Run(GITHUB)
    first = said(run.see(*many(60), named(FAILED_B, "bad"), git(MAIN_B)))
    assert first == {(B, "flux/prod"): State.FAILURE, (B, "flux/prod/apps/bad"): State.FAILURE}

    second = said(run.see(*many(60), named(ON_B, "bad"), git(MAIN_B)))
    assert second == {(B, "flux/prod"): State.SUCCESS, (B, "flux/prod/apps/bad"): State.SUCCESS}
    assert not run.see(*many(60), named(ON_B, "bad"), git(MAIN_B))


def test_what_was_told_before_there_were_too_many_stays_true() -> None:
    run = Run(GITHUB)
    run.see(*many(10, TRYING_B), git(MAIN_B))

    told = run.see(*many(60), git(MAIN_B))

    assert len(told) == 11
    assert {p.state for p in told} == {State.SUCCESS}


def test_what_the_host_shows_of_rolled_up_objects_is_put_right() -> None:
    """The ledger is lost, and a context stands there that no longer holds."""
    run = Run(GITHUB)
    found = {("github.com", FLEET, B): {"flux/prod/apps/x007": Held(State.FAILURE, "boom")}}
    seen = look(*many(60), git(MAIN_B))
    first = run.plan(seen)
    assert unsure(first.updates, run.told) == {"github.com": ((FLEET, B),)}

    again = run.plan(seen, found=found)
    recall(run.told, again.updates, found, NOW)
    due = run.plan(seen, found=found)

    assert {u.payload.context for u in due.updates if isinstance(u.payload, CommitStatus)} == {
        "flux/prod",
        "flux/prod/apps/x007",
    }


# ── expressions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def by_name(event: Event, to: Destination) -> str:
    if event.metadata.get("nameless"):
        raise ValueError("no such key: team")
    return event.metadata.get("team", "") or event.involvedObject.name


def test_an_expression_names_the_statuses_of_objects() -> None:
    assert {c for _, c in said(Run(GITHUB, expression=by_name).see(ON_B, git(MAIN_B)))} == {"web", "flux/prod"}


def test_objects_of_one_name_speak_as_one_and_the_worst_of_them_counts() -> None:
    a, b = (structs.replace(named(x, n), metadata={"team": "shop"}) for x, n in ((ON_B, "a"), (FAILED_B, "b")))
    run = Run(GITHUB, expression=by_name)

    told = run.see(a, b, git(MAIN_B))

    assert said(told) == {(B, "shop"): State.FAILURE, (B, "flux/prod"): State.FAILURE}
    assert "1 of 2 failed: apps/b" in [p.description for p in told]
    assert not run.see(a, b, git(MAIN_B))
    assert said(run.see(a, structs.replace(named(ON_B, "b"), metadata={"team": "shop"}), git(MAIN_B))) == {
        (B, "shop"): State.SUCCESS,
        (B, "flux/prod"): State.SUCCESS,
    }


def test_of_one_name_nobody_is_live_while_it_is_not_known_of_one() -> None:
    a, b = (structs.replace(named(x, n), metadata={"team": "shop"}) for x, n in ((ON_B, "a"), (AGAIN_B, "b")))

    assert not Run(GITHUB, expression=by_name).see(a, b, git(MAIN_B))


def test_the_name_of_the_whole_commit_is_taken() -> None:
    due = Run(GITHUB, expression=lambda event, to: "flux/prod").plan(look(FAILED_B, git(MAIN_B)))

    assert [u.payload.context for u in due.updates if isinstance(u.payload, CommitStatus)] == ["flux/prod"]
    assert "is what the status of the whole commit is called" in due.problems[0]


def test_a_commit_that_came_and_went_is_not_what_is_remembered() -> None:
    history = (Snapshot(MAIN_B, "", "ReconciliationFailed", NOW),)
    gone = judge(cluster(k(history=history), git(MAIN_A)), now=NOW, since=NOW - 50)
    told = Told()
    observe([structs.replace(gone, outcomes=tuple(o for o in gone.outcomes if o.past))], told)

    assert told.observed == {}


def test_an_object_without_a_name_is_a_problem_and_still_counts_for_the_whole() -> None:
    run = Run(GITHUB, expression=by_name)
    bad = structs.replace(FAILED_B, metadata={"nameless": "x"})

    due = run.plan(look(bad, named(ON_B, "db"), git(MAIN_B)))

    assert due.problems == ("prod: Kustomization/apps/web gets no commit status of its own: no such key: team",)
    assert said([u.payload for u in due.updates])[B, "flux/prod"] == State.FAILURE


# ── deployments ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_deployment_from_queued_to_inactive() -> None:
    run = Run(DEPLOYMENTS, environment_url="https://{cluster}.example.com/{commit}")
    run.handle = "7"
    steps = [
        run.see(one, git(at))
        for one, at in ((k(), MAIN_B), (TRYING_B, MAIN_B), (ON_B, MAIN_B), (ON_B, MAIN_B), (ON_B, MAIN_C))
    ]
    told = [[(p.commit, p.state, p.begun) for p in step if p.commit != A] for step in steps]

    assert told[:4] == [[(B, State.PENDING, False)], [(B, State.PENDING, True)], [(B, State.SUCCESS, True)], []]
    assert told[4] == [(C, State.PENDING, False)]
    last = run.see(k(applied=MAIN_C, attempted=MAIN_C), git(MAIN_C))
    assert [(p.commit, p.state, p.handle) for p in last if p.commit != A] == [
        (C, State.SUCCESS, "7"),
        (B, State.SUPERSEDED, "7"),
    ]
    assert not run.see(k(applied=MAIN_C, attempted=MAIN_C), git(MAIN_C))
    one = steps[0][0]
    assert isinstance(one, Deployment)
    assert (one.environment, one.ref) == ("prod", "main")
    assert one.environment_url.startswith("https://prod.example.com/")


def test_what_was_live_stays_so_until_another_commit_is() -> None:
    run = Run(DEPLOYMENTS)
    run.see(ON_B, git(MAIN_B))
    failed = k(ready=ready("False", "HealthCheckFailed", "timeout"), attempted=MAIN_C)

    assert [(p.commit, p.state) for p in run.see(failed, git(MAIN_C))] == [(C, State.FAILURE)]


def test_only_the_clusters_that_were_chosen_have_deployments() -> None:
    run = Run(DEPLOYMENTS, environments=("stage",))
    looks = [look(ON_B, git(MAIN_B), name=name) for name in ("prod", "stage")]

    assert [p.environment for p in run.deliver(*looks)] == ["stage"]


def test_what_came_and_went_is_no_deployment() -> None:
    history = (Snapshot(MAIN_B, "", "ReconciliationSucceeded", NOW), Snapshot(MAIN_A, "", "PruneFailed", NOW - 5))
    seen = judge(cluster(structs.replace(ON_B, history=history), git(MAIN_B)), now=NOW, since=NOW - 50)

    assert [(p.commit, p.state) for p in Run(DEPLOYMENTS).deliver(seen)] == [(B, State.SUCCESS)]


def test_a_deployment_that_is_there_already_is_not_told_again() -> None:
    run = Run(DEPLOYMENTS)
    seen = look(ON_B, git(MAIN_B))
    first = run.plan(seen)
    assert unsure(first.updates, run.told) == {DEPLOYMENTS.name: ((FLEET, B),)}

    recall(run.told, first.updates, {(DEPLOYMENTS.name, FLEET, B): {"prod": Held(State.SUCCESS, "", "9")}}, NOW)

    assert not run.plan(seen).updates
    entry = run.told.entry(DEPLOYMENTS.name, "example/fleet prod", B)
    assert entry is not None
    assert entry.handle == "9"


# ── comments ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_comment_tells_of_all_clusters_in_one_table() -> None:
    run = Run(COMMENTS)
    run.handle = "5:77"
    looks = [look(TRYING_B, git(MAIN_B), name="prod"), look(ON_B, git(MAIN_B), name="stage")]

    (comment,) = [p for p in run.deliver(*looks) if p.commit == B]

    assert isinstance(comment, Comment)
    assert [(row.cluster, row.name, row.state) for row in comment.rows] == [
        ("prod", "apps/web", State.PENDING),
        ("stage", "apps/web", State.SUCCESS),
    ]
    assert not run.deliver(*looks)
    looks[0] = look(ON_B, git(MAIN_B), name="prod")
    (comment,) = [p for p in run.deliver(*looks) if p.commit == B]
    assert comment.handle == "5:77"
    assert {row.state for row in comment.rows} == {State.SUCCESS}


def test_a_commit_that_is_live_already_has_its_comment() -> None:
    run = Run(COMMENTS)

    assert [p.commit for p in run.see(ON_A, git(MAIN_A))] == [A]
    assert not run.see(ON_A, git(MAIN_A))


def test_what_is_not_known_has_no_row() -> None:
    assert not Run(COMMENTS).see(AGAIN_B, git(MAIN_B))


def test_the_request_comes_from_the_annotation() -> None:
    marked = structs.replace(TRYING_B, metadata={"change_request": "42"})

    assert [p.request for p in Run(COMMENTS).see(marked, git(MAIN_B)) if p.commit == B] == ["42"]


def test_a_comment_on_a_commit_that_flux_left_says_so() -> None:
    run = Run(COMMENTS)
    run.handle = "5:77"
    run.see(TRYING_B, git(MAIN_B))

    (left,) = [p for p in run.see(k(), git(MAIN_C)) if p.commit == B]

    assert (left.rows, left.left, left.handle) == ((), ("prod",), "5:77")
    assert not run.see(k(), git(MAIN_C))


@pytest.mark.parametrize("interval", [AGAIN_B, structs.replace(ON_B, generation=2)])
def test_an_interval_changes_no_comment(interval: Any) -> None:
    run = Run(COMMENTS)
    run.see(TRYING_B, git(MAIN_B))
    run.see(ON_B, git(MAIN_B))

    assert not run.see(interval, git(MAIN_B))


# ── dispatches ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_result_is_dispatched_once_successes_included() -> None:
    run = Run(DISPATCH)
    assert not run.see(ON_A, git(MAIN_A))

    told = [p for step in (k(), TRYING_B, FAILED_B, FAILED_B, ON_B, ON_B) for p in run.see(step, git(MAIN_B))]

    assert all(isinstance(p, Dispatch) and p.repository == FLEET for p in told)
    assert [(p.event.severity, p.event.reason) for p in told] == [
        ("error", "HealthCheckFailed"),
        ("info", "ReconciliationSucceeded"),
    ]
