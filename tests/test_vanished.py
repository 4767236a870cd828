"""Objects that are deleted while something is open of them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from runs import FAILED, LIVE, WAITS, WEB, Runs, alert, look, one
from values import MAIN_B, MAIN_C, git, k, ready

from landed.model import Destination, Look, ObjectRef, Occurrence, State
from landed.plan.vanished import missing
from landed.told import Intent, Told

KEY = "prod Kustomization/apps/web"
OTHER = k("other", applied=MAIN_B, attempted=MAIN_B)
NOTHING = look(OTHER)
"""Read, and what failed is not there."""
GONE = structs.replace(NOTHING, gone=(WEB,))
PAGER = Destination("Alert apps/ops", "occurrences", alerts=(alert(),), whole=False, resolves=True)


def said(runs: Runs, *looks: Look) -> list[tuple[State, str, str]]:
    """State, object and commit of what is told, without what the other object says."""
    told = [update.payload for update in runs.see(*looks).updates]
    assert all(isinstance(one, Occurrence) for one in told)
    about = [(o.state, o.key, o.commit) for o in told if isinstance(o, Occurrence)]
    return [one for one in about if not one[1].endswith("/other")]


@pytest.fixture
def runs() -> Runs:
    return Runs(PAGER)


@pytest.mark.parametrize("state", [FAILED, WAITS], ids=["failure", "wait"])
def test_what_is_deleted_ends_what_is_open_of_it_once(runs: Runs, state: dict[str, Any]) -> None:
    runs.see(look(k(**state), OTHER))
    assert missing((NOTHING,), runs.told, [PAGER]) == {"prod": {WEB}}
    assert said(runs, NOTHING) == []
    assert said(runs, GONE) == [(State.SUCCESS, KEY, "")]
    assert missing((NOTHING,), runs.told, [PAGER]) == {}
    assert said(runs, GONE) == []


def test_it_says_so_and_knows_what_it_was_called(runs: Runs) -> None:
    runs.see(one(**FAILED))
    for entry in runs.told.destinations[PAGER.name][KEY]:
        entry.handle = "incident 7"
    (it,) = [u.payload for u in runs.see(GONE).updates if u.marks[0].line == KEY]
    assert isinstance(it, Occurrence)
    assert (it.handle, it.event.reason, it.event.severity) == ("incident 7", "Deleted", "info")
    assert it.event.message == "Kustomization/apps/web was deleted: nothing is left of it that could fail"
    assert it.event.involvedObject.apiVersion == "kustomize.toolkit.fluxcd.io/v1"
    assert it.at == it.told == runs.now


def test_what_is_not_acknowledged_is_told_again(runs: Runs) -> None:
    runs.see(one(**FAILED))
    runs.refused = lambda _: True
    assert len(said(runs, GONE)) == 1
    runs.refused = lambda _: False
    assert len(said(runs, GONE)) == 1


@pytest.mark.parametrize("revision", [MAIN_B, MAIN_C])
def test_what_comes_back_and_fails_is_news(runs: Runs, revision: str) -> None:
    runs.see(one(**FAILED))
    runs.see(GONE)
    failing = look(k(ready=ready("False", "HealthCheckFailed", "no"), attempted=revision), revision=revision)
    ((state, key, _),) = said(runs, failing)
    assert (state, key) == (State.FAILURE, KEY)
    assert said(runs, failing) == []


def test_nobody_asks_about_what_is_there_or_ended_or_could_not_be_read(runs: Runs) -> None:
    assert missing((NOTHING,), runs.told, [PAGER]) == {}
    runs.see(one(**FAILED))
    suspended = look(k(suspended=True, ready=ready("False", "HealthCheckFailed", "no")))
    for there in (one(**FAILED), one(**LIVE), suspended):
        assert missing((there,), runs.told, [PAGER]) == {}
    assert missing((Look("prod", error="no route"),), runs.told, [PAGER]) == {}
    assert missing((structs.replace(NOTHING, cluster="stage"),), runs.told, [PAGER]) == {}
    runs.see(one(**LIVE))
    assert missing((NOTHING,), runs.told, [PAGER]) == {}


def test_what_a_run_that_was_killed_may_have_told_ends_as_well(runs: Runs) -> None:
    runs.told.begin([Intent(PAGER.name, KEY, "b")])
    assert missing((NOTHING,), runs.told, [PAGER]) == {"prod": {WEB}}
    assert said(runs, GONE) == [(State.SUCCESS, KEY, "")]
    runs.told.settle()
    assert missing((NOTHING,), runs.told, [PAGER]) == {}


def test_only_of_those_who_keep_alerts(runs: Runs) -> None:
    mute = structs.replace(PAGER, resolves=False)
    runs.see(one(**FAILED))
    assert missing((NOTHING,), runs.told, [mute]) == {}
    runs.to = mute
    assert said(runs, GONE) == []


def test_another_cluster_s_object_of_the_same_name_stays(runs: Runs) -> None:
    stage = look(k(**FAILED), name="stage")
    runs.see(one(**FAILED), stage)
    assert missing((NOTHING, stage), runs.told, [PAGER]) == {"prod": {WEB}}
    assert [x[1] for x in said(runs, GONE, stage)] == [KEY]


def test_a_source_that_failed_and_is_deleted(runs: Runs) -> None:
    source = ObjectRef("GitRepository", "apps", "fleet")
    to = structs.replace(PAGER, alerts=())
    runs = Runs(to)
    broken = git(MAIN_B, ref=source, ready=ready("False", "GitOperationFailed", "no"))
    runs.see(look(k(source=source, applied=MAIN_B, attempted=MAIN_B), broken))
    found = missing((Look("prod"),), runs.told, [to])
    assert source in found["prod"]


@pytest.mark.parametrize("line", ["prod github.com/example/fleet", "prod", "", "prod a/b", "prod Kustomization/a/b/c"])
def test_lines_that_are_no_object_s(line: str) -> None:
    told = Told()
    told.serve(PAGER.name)
    runs = Runs(PAGER)
    runs.see(one(**FAILED))
    told.destinations[PAGER.name] = {line: runs.told.destinations[PAGER.name][KEY]}
    assert missing((Look("prod"), Look("")), told, [PAGER]) == {}


def test_a_cluster_whose_name_has_blanks() -> None:
    runs = Runs(PAGER)
    runs.see(look(k(**FAILED), name="my prod 1"))
    assert missing((Look("my prod 1"), Look("prod")), runs.told, [PAGER]) == {"my prod 1": {WEB}}
