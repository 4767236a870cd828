"""Random looks at a small world: what is told is true, told in the end, and told once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from runs import Runs, alert, bot, generic, hook, source
from values import NOW, A, B, C, cluster, git, k, phase, ready

from landed.model import RESULTS, Alert, Destination, Digest, Event, Look, Observation, State
from landed.outcomes import judge
from landed.plan import Wording, plan
from landed.plan.news import fingerprint
from landed.story import title

COMMITS = (A, B, C)
NAMES = ("api", "infra", "web")
CLUSTERS = ("eu", "us")
KINDS = ("live", "behind", "failed", "broken", "running", "waits", "suspended", "absent")


def revision(commit: int) -> str:
    return f"main@sha1:{COMMITS[commit]}"


def an_object(name: str, kind: str, head: int, applied: int) -> Any:
    new, old = revision(head), revision(applied)
    reasons = {
        "failed": ("HealthCheckFailed", "timeout waiting"),
        "broken": ("BuildFailed", "no such file"),
        "waits": ("DependencyNotReady", "dependency 'apps/infra' is not ready"),
    }
    if kind in reasons:
        return k(name, ready=ready("False", *reasons[kind]), attempted=new, applied=old)
    if kind == "running":
        return k(name, ready=ready("Unknown"), reconciling=phase("Building manifests", new), attempted=new, applied=old)
    at = old if kind == "behind" else new
    return k(name, applied=at, attempted=at, suspended=kind == "suspended")


@st.composite
def looks(draw: st.DrawFn) -> tuple[Look, ...]:
    found = []
    for name in CLUSTERS:
        if draw(st.integers(0, 9)) == 0:
            found.append(Look(name, error="no answer"))
            continue
        head, applied = draw(st.integers(0, 2)), draw(st.integers(0, 2))
        kinds = {each: draw(st.sampled_from(KINDS)) for each in NAMES}
        objects = [an_object(each, kind, head, applied) for each, kind in kinds.items() if kind != "absent"]
        found.append(judge(cluster(*objects, git(revision(head)), name=name), now=NOW, details=True))
    return tuple(found)


WHO = st.sampled_from(
    [
        to(asked)
        for to in (hook, bot, lambda asked: bot(asked, threads=False), generic)
        for asked in (
            alert(),
            alert(severity="error"),
            alert(exclusion=("timeout",)),
            alert(inclusion=("finished", "no such file")),
            alert(source(name="web"), source("GitRepository", namespace="flux-system")),
            alert(clusters=("eu",)),
        )
    ]
)
RUNS = st.lists(st.tuples(looks(), st.sampled_from([30, 60, 700])), min_size=1, max_size=8)


def the_alert(to: Destination) -> Alert:
    return to.alerts[0]


def selected(to: Destination, observation: Observation) -> bool:
    return any(
        s.kind == observation.about.kind and s.name in ("*", observation.about.name) for s in the_alert(to).sources
    )


def is_live(observation: Observation, observed: Mapping[str, str], cluster_: str) -> bool:
    """In the look, or Flux looks again at what it had judged."""
    known = observed.get(f"{cluster_} {observation.about}", "")
    again = observation.state is State.PENDING and known == f"{observation.commit} success"
    return observation.state is State.SUCCESS or again


@settings(max_examples=250, deadline=None)
@given(WHO, RUNS, st.booleans())
def test_what_is_told_is_true_and_told_once(to: Destination, runs_: Any, served: bool) -> None:
    runs = Runs(to, served=served)
    for seen, seconds in runs_:
        due = runs.see(*seen, seconds=seconds)
        told = [s for u in due.updates if isinstance(u.payload, Digest) for s in u.payload.stories]
        for story in told:
            if story.outcome.commit and "is live on" in title(story):
                look = next(x for x in seen if x.cluster == story.outcome.cluster)
                outcome = next(o for o in look.outcomes if o.commit == story.outcome.commit)
                mine = [o for o in outcome.observations if selected(to, o)]
                assert mine
                assert all(is_live(o, runs.told.observed, look.cluster) for o in mine)
                assert not any(selected(to, structs.replace(outcome.observations[0], about=m)) for m in outcome.missing)
            if story.broken_for and story.outcome.commit:
                assert story.state is State.SUCCESS
        for update in due.updates:
            if isinstance(update.payload, Event) and the_alert(to).severity == "error":
                assert update.payload.severity == "error"
            assert len({(m.line, m.commit) for m in update.marks}) == len(update.marks)
        marks = [(m.line, m.commit) for u in due.updates for m in u.marks]
        assert len(set(marks)) == len(marks)
        assert runs.see(*seen, seconds=0).updates == ()
        assert runs.see(*seen, seconds=0).silent == ()


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([hook(), bot(), bot(threads=False), hook(alert(severity="error"))]), RUNS)
def test_every_failure_that_lasts_is_told(to: Destination, runs_: Any) -> None:
    runs = Runs(to)
    for seen, seconds in runs_:
        runs.see(*seen, seconds=seconds)
    seen = runs_[-1][0]
    runs.see(*seen, seconds=700)  # whatever went to and fro is at rest
    for look in seen:
        for outcome in look.outcomes:
            failed = [o for o in outcome.observations if o.state is State.FAILURE]
            if failed:
                entry = runs.told.entry(to.name, f"{look.cluster} {outcome.repository}", outcome.commit)
                assert entry is not None
                assert entry.state == State.FAILURE
                assert "flapping" not in entry.fingerprint


@settings(max_examples=150, deadline=None)
@given(WHO, RUNS)
def test_pending_never_replaces_a_result(to: Destination, runs_: Any) -> None:
    runs = Runs(to)
    for seen, seconds in runs_:
        before = {
            (line, e.commit)
            for line, entries in runs.told.destinations[to.name].items()
            for e in entries
            if e.state in RESULTS and not e.past
        }
        for update in runs.see(*seen, seconds=seconds).updates:
            for mark in update.marks:
                if mark.fingerprint.startswith(("pending", "superseded", "fetched")):
                    assert (mark.line, mark.commit) not in before


@settings(max_examples=200, deadline=None)
@given(WHO, RUNS, st.data())
def test_with_deliveries_that_fail_everything_is_told_in_the_end_and_nothing_twice(
    to: Destination, runs_: Any, data: st.DataObject
) -> None:
    runs = Runs(to)
    runs.refused = lambda _: data.draw(st.booleans())
    for seen, seconds in runs_:
        runs.see(*seen, seconds=seconds)
        taken = {(m.line, m.commit, m.fingerprint) for m in runs.taken}
        again = runs.see(*seen, seconds=0)
        assert not taken & {(m.line, m.commit, m.fingerprint) for u in again.updates for m in u.marks}
    runs.refused = lambda _: False
    runs.see(*runs_[-1][0], seconds=0)
    assert runs.see(*runs_[-1][0], seconds=0).updates == ()


@settings(max_examples=100, deadline=None)
@given(WHO, RUNS)
def test_the_same_input_gives_the_same_plan_in_whatever_order_things_are_kept(to: Destination, runs_: Any) -> None:
    runs = Runs(to)
    for seen, seconds in runs_[:-1]:
        runs.see(*seen, seconds=seconds)
    last = runs_[-1][0]
    now = runs.now + 60
    first = plan(last, runs.told, [to], wording=Wording(), now=now)
    told = runs.told
    shuffled = structs.replace(
        told,
        destinations={name: dict(reversed(lines.items())) for name, lines in reversed(told.destinations.items())},
        observed=dict(reversed(told.observed.items())),
        inventories=dict(reversed(told.inventories.items())),
        turns=dict(reversed(told.turns.items())),
    )
    assert plan(last, shuffled, [to], wording=Wording(), now=now) == first


def test_a_failure_in_the_look_has_the_fingerprint_that_is_remembered() -> None:
    (one,) = judge(cluster(an_object("web", "failed", 1, 0), git(revision(1))), now=NOW).outcomes[0].observations
    assert fingerprint(one) == "failure HealthCheckFailed"


@pytest.mark.parametrize("kind", KINDS[:-2])
def test_the_world_has_what_it_says(kind: str) -> None:
    states = {
        o.state
        for x in judge(cluster(an_object("web", kind, 1, 0), git(revision(1))), now=NOW).outcomes
        for o in x.observations
    }
    expected = {"live": State.SUCCESS, "failed": State.FAILURE, "broken": State.FAILURE}.get(kind, State.PENDING)
    assert expected in states
