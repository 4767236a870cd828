"""Work that is saved where a cluster is looked at again and again: nobody may be able to tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec import structs
from runs import Runs, bot, generic, hook
from values import MAIN_A, MAIN_B, MAIN_C, NOW, cluster, git, k, phase, ready

from landed.model import Cluster, Condition, Destination, Kustomization, Look, ObjectRef, Observation, Snapshot
from landed.outcomes import judge
from landed.outcomes.again import goes_on
from landed.outcomes.known import Known
from landed.outcomes.kustomizations import kustomization
from landed.outcomes.remembered import Remembered

REVISIONS = st.sampled_from((MAIN_A, MAIN_B, MAIN_C))
NAMES = ("api", "infra", "web")
GITHUB = Destination("github.com", "statuses", "github.com", superseded=True)
DEPLOYMENTS = Destination("github.com deployments", "deployments", "github.com")


def conditions(draw: st.DrawFn) -> dict[str, Condition | None]:
    kind = draw(st.sampled_from(("none", "live", "failed", "fetched", "waits", "running", "mute")))
    revision = draw(REVISIONS)
    at = NOW - draw(st.sampled_from((5, 55, 65, 600)))
    if kind == "running":
        start = draw(st.sampled_from(("Fetching manifests", "Building manifests", "Running health checks")))
        return {"ready": ready("Unknown", since=at), "reconciling": phase(start, revision)}
    reasons = {
        "failed": ("HealthCheckFailed", "timeout waiting"),
        "fetched": ("ArtifactFailed", "Source artifact not found, retrying in 30s"),
        "waits": ("DependencyNotReady", "dependency 'apps/infra' is not ready"),
    }
    if kind in reasons:
        return {"ready": ready("False", *reasons[kind], since=at)}
    return {"ready": {"none": None, "live": ready(since=at), "mute": ready("Unknown")}[kind]}


@st.composite
def kustomizations(draw: st.DrawFn, name: str = "web") -> Kustomization:
    times = sorted(draw(st.lists(st.integers(NOW - 900, NOW), max_size=3)), reverse=True)
    return k(
        name,
        applied=draw(REVISIONS),
        attempted=draw(REVISIONS),
        suspended=draw(st.integers(0, 9)) == 0,
        generation=draw(st.sampled_from((1, 1, 1, 2))),
        history=tuple(Snapshot(draw(REVISIONS), "", "ReconciliationSucceeded", at) for at in times),
        **conditions(draw),
    )


@st.composite
def walks(draw: st.DrawFn) -> list[tuple[Cluster, dict[str, Any]]]:
    """Looks at a cluster of which a part has changed since the one before."""
    objects = {name: draw(kustomizations(name)) for name in NAMES}
    held, found = git(draw(REVISIONS)), []
    for step in range(draw(st.integers(2, 6))):
        for name in draw(st.lists(st.sampled_from(NAMES), max_size=2)):
            objects[name] = draw(kustomizations(name))
        if draw(st.booleans()):
            held = git(draw(REVISIONS))
        there = [objects[name] for name in draw(st.lists(st.sampled_from(NAMES), unique=True))]
        passing = draw(st.sets(st.sampled_from([ObjectRef("Kustomization", "apps", name) for name in NAMES])))
        since = draw(st.sampled_from((0, NOW - 800, NOW - 500, NOW - 499)))
        asked = {"now": NOW + 20 * step, "since": since, "passing": passing, "details": draw(st.booleans())}
        found.append((cluster(*there, held), asked))
    return found


@given(walks())
def test_what_is_remembered_changes_no_verdict(walk: list[tuple[Cluster, dict[str, Any]]]) -> None:
    remembered = Remembered()
    for it, asked in walk:
        assert judge(it, **asked, remembered=remembered) == judge(it, **asked)


def test_only_what_has_changed_is_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []

    def counted(known: Known, it: Kustomization) -> Iterator[Observation]:
        judged.append(it.ref.name)
        return kustomization(known, it)

    monkeypatch.setattr("landed.outcomes.remembered.kustomization", counted)
    objects, held, remembered = [k("api"), k("web")], git(), Remembered()
    judge(cluster(*objects, held), now=NOW, remembered=remembered)
    judge(cluster(objects[0], k("web", applied=MAIN_B), held), now=NOW, remembered=remembered)
    judge(cluster(objects[0], held), now=NOW, remembered=remembered)
    assert judged == ["api", "web", "web"]
    judge(cluster(objects[0], git(MAIN_B)), now=NOW, remembered=remembered)
    assert judged == ["api", "web", "web", "api"], "its source holds something else"


# ── what is worth a look ────────────────────────────────────────────────────────────────────────────────────────────

AGAIN = {"ready": ready("Unknown"), "reconciling": phase("Building manifests", MAIN_A)}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param({}, AGAIN, True, id="begins"),
        pytest.param(AGAIN, AGAIN | {"reconciling": phase("Detecting drift", MAIN_A)}, True, id="goes on"),
        pytest.param({}, {"ready": ready("Unknown")}, True, id="begins, and has not said on what"),
        pytest.param({"ready": ready("False", "HealthCheckFailed")}, AGAIN, True, id="tries again"),
        pytest.param(
            {"ready": ready("False", "BuildFailed"), "attempted": MAIN_B},
            {**AGAIN, "attempted": MAIN_B},
            False,
            id="goes back after another one failed",
        ),
        pytest.param(AGAIN, {}, False, id="is done"),
        pytest.param(AGAIN, {"ready": ready("False", "HealthCheckFailed")}, False, id="fails"),
        pytest.param({}, {"ready": ready(since=NOW)}, False, id="is done, and was not seen at it"),
        pytest.param({}, AGAIN | {"reconciling": phase("Building manifests", MAIN_B)}, False, id="another revision"),
        pytest.param({}, AGAIN | {"attempted": MAIN_B}, False, id="another revision is attempted"),
        pytest.param({}, {"ready": ready("Unknown"), "attempted": MAIN_B}, False, id="and no phase"),
        pytest.param({"applied": ""}, {**AGAIN, "applied": ""}, False, id="nothing is applied"),
        pytest.param({"ready": None}, AGAIN, False, id="new"),
        pytest.param({}, AGAIN | {"suspended": True}, False, id="suspended"),
        pytest.param({}, AGAIN | {"deleting": True}, False, id="being deleted"),
        pytest.param({}, AGAIN | {"generation": 2}, False, id="another spec"),
        pytest.param({}, AGAIN | {"uid": "another"}, False, id="made anew"),
        pytest.param({}, AGAIN | {"stalled": Condition("True", "AccessDenied")}, False, id="stalled"),
        pytest.param(
            AGAIN | {"reconciling": phase("Building manifests", MAIN_B)}, AGAIN, False, id="was on another revision"
        ),
    ],
)
def test_a_run_that_repeats_is_worth_a_look_when_it_is_done(
    before: dict[str, Any], now: dict[str, Any], expected: bool
) -> None:
    assert goes_on(k(**before), k(**now)) is expected


def seen(it: Kustomization, other: Kustomization, revision: str) -> Look:
    return judge(cluster(it, other, git(revision)), now=NOW, since=NOW - 900, details=True)


@pytest.mark.parametrize("to", [GITHUB, DEPLOYMENTS, bot(), hook(), generic()], ids=lambda to: to.takes)
@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(kustomizations(), kustomizations("api"), REVISIONS, st.data())
def test_what_is_not_worth_a_look_is_nobodys_news(
    to: Destination, before: Kustomization, other: Kustomization, held: str, data: st.DataObject
) -> None:
    if data.draw(st.integers(0, 3)):  # mostly so; by itself it would be too rare
        before = structs.replace(before, attempted=before.applied)
    under_way = data.draw(st.sampled_from((None, phase("Building manifests", before.applied))))
    now = structs.replace(before, ready=ready("Unknown"), reconciling=under_way)
    assume(goes_on(before, now))
    runs = Runs(to)
    runs.see(seen(before, other, held))
    runs.see(seen(before, other, held))
    assert not runs.see(seen(now, other, held)).updates
