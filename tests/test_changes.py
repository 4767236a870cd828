"""What became of the objects that a Kustomization stands for."""

from __future__ import annotations

from runs import FAILED, LIVE, RUNNING, WEB, Runs, generic, look, one
from values import MAIN_A, MAIN_B, MAIN_C, A, k

from landed.model import Happened
from landed.plan.changes import changed, packed, stocked, take_stock, unpacked
from landed.told import Told


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


def test_what_changed_before_a_failure_is_no_error() -> None:
    runs = Runs(generic())
    runs.see(one(inventory=("Deployment/apps/web",), **LIVE))
    newer = look(
        k(inventory=("Deployment/apps/web", "Service/apps/web"), **(FAILED | {"attempted": MAIN_C})), revision=MAIN_C
    )
    assert runs.events(newer) == [("info", "Service/apps/web created"), ("error", "timeout waiting")]


def test_an_inventory_that_vanished_with_the_status_is_not_what_was_deleted() -> None:
    runs = Runs(generic())
    runs.see(one(inventory=("Deployment/apps/web",), **LIVE))
    wiped = FAILED | {"applied": ""}
    assert runs.events(one(**wiped)) == [("error", "timeout waiting")]
    assert runs.events(one(inventory=("Deployment/apps/web",), **LIVE)) == [("info", "Reconciliation finished")]


def test_what_a_success_leaves_without_anything_was_deleted() -> None:
    runs = Runs(generic())
    runs.see(one(inventory=("Deployment/apps/web",), **LIVE))
    gone = look(k(applied=MAIN_C, attempted=MAIN_C), revision=MAIN_C)
    assert runs.events(gone)[0] == ("info", "Deployment/apps/web deleted")


def test_what_was_not_delivered_is_told_again_with_what_changed() -> None:
    runs = Runs(generic())
    runs.see(one(inventory=("Deployment/apps/web",), **LIVE))
    newer = look(k(applied=MAIN_C, attempted=MAIN_C, inventory=("Service/apps/web",)), revision=MAIN_C)
    runs.refused = lambda update: "created" in getattr(update.payload, "message", "")
    assert len(runs.events(newer)) == 2
    assert runs.events(newer) == [("info", "Service/apps/web created\nDeployment/apps/web deleted")]
    runs.refused = lambda _: False
    assert len(runs.events(newer)) == 1
    assert runs.events(newer) == []


def test_what_was_left_out_for_a_run_is_not_what_came_and_went() -> None:
    runs = Runs(generic())
    here = look(k("web", inventory=("Deployment/apps/web",), **LIVE), k("api", inventory=("Service/apps/api",), **LIVE))
    runs.see(here)
    assert runs.events(look(k("web", inventory=("Deployment/apps/web",), **LIVE))) == []
    assert runs.events(here) == []


def test_a_cluster_with_another_name_begins_anew() -> None:
    runs = Runs(generic())
    runs.see(one(inventory=("Deployment/apps/web",), **LIVE))
    renamed = look(k(inventory=("Service/apps/x",), **LIVE), name="production")
    assert runs.events(renamed) == [("info", "Reconciliation finished")]


def test_only_what_a_controller_says_in_passing_is_about_changes() -> None:
    said = (Happened("ReconciliationFailed", "Deployment/apps/web created", MAIN_B),)
    (seen,) = changed([one(**LIVE)], Told(), {("prod", WEB): said})
    assert seen.outcomes[0].observations[0].changes == ()


def test_what_was_created_before_a_failure_is_not_told_again_when_it_is_over() -> None:
    runs = Runs(generic())
    runs.see(one(inventory=("Deployment/apps/web",), **LIVE))
    both = ("Deployment/apps/web", "Service/apps/web")
    runs.refused = lambda update: "timeout" in getattr(update.payload, "message", "")
    newer = look(k(inventory=both, **(FAILED | {"attempted": MAIN_C})), revision=MAIN_C)
    assert len(runs.events(newer)) == 2
    live = look(k(inventory=both, applied=MAIN_C, attempted=MAIN_C), revision=MAIN_C)
    assert runs.events(live) == [("info", "Reconciliation finished")]
