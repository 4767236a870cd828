"""Flux is asked to look: what, in which order, and once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import structs
from values import FLEET, NOW, SOURCE, B, cluster, git, k, ready

from landed.errors import ClusterError
from landed.model import Answer, Cluster, Kustomization, ObjectRef, Source, Standing, Verdict
from landed.nudge import Reconcile

TOKEN = "2026-08-20T09:00:00Z 6f1c"
LIVE, FAILED, WAITING, DIVERGED = Verdict
WEB, DB = (ObjectRef("Kustomization", "apps", name) for name in ("web", "db"))


class Nudge:
    """``Reconcile`` with what it says and does."""

    def __init__(self, *clusters: str, error: ClusterError | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.warned: list[str] = []
        self.noted: list[str] = []

        def request(name: str) -> Any:
            def ask(about: ObjectRef, token: str) -> None:
                assert token == TOKEN
                self.asked.append((name, str(about)))
                if error is not None:
                    raise error

            return ask

        requests = {name: request(name) for name in clusters or ("prod",)}
        self.ask = Reconcile(requests, TOKEN, self.warned.append, self.noted.append)

    def __call__(self, seen: Cluster | Sequence[Cluster], *standings: Standing) -> list[str]:
        """What is asked for this time."""
        before = len(self.asked)
        self.ask([seen] if isinstance(seen, Cluster) else seen, Answer(FLEET, B, WAITING, standings))
        return [about for _, about in self.asked[before:]]


def waiting(about: ObjectRef = WEB, state: str = WAITING, name: str = "prod", **changes: Any) -> Standing:
    return Standing(name, about, state, **changes)


def handled(source: Source) -> Source:
    return structs.replace(source, handled=TOKEN)


FETCH, APPLY = str(SOURCE), str(WEB)


def test_first_the_source_and_when_it_has_looked_the_kustomization() -> None:
    nudge = Nudge()

    assert nudge(cluster(k(), git()), waiting()) == [FETCH]
    assert nudge(cluster(k(), git()), waiting()) == []
    assert nudge(cluster(k(), handled(git())), waiting()) == [APPLY]
    assert nudge(cluster(k(), handled(git())), waiting()) == []
    assert nudge.noted == [f"prod: asked Flux to look at {about} now." for about in (FETCH, APPLY)]


def test_a_source_that_was_asked_by_somebody_else_has_not_looked_for_us() -> None:
    nudge = Nudge()

    assert nudge(cluster(k(), git(handled="2026-08-20T08:59:59Z")), waiting()) == [FETCH]


@pytest.mark.parametrize("state", [LIVE, FAILED, DIVERGED, "suspended", "deleting"])
def test_only_what_is_waited_for_is_asked(state: str) -> None:
    assert Nudge()(cluster(k(), handled(git())), waiting(state=state)) == []


def test_releases_are_not_asked() -> None:
    assert Nudge()(cluster(k(), git()), waiting(ObjectRef("HelmRelease", "apps", "web"))) == []


@pytest.mark.parametrize("changes", [{"suspended": True}, {"deleting": True}])
def test_a_source_that_would_not_look_is_not_asked(changes: dict[str, Any]) -> None:
    assert Nudge()(cluster(k(), git(**changes)), waiting()) == []


def test_a_source_that_is_not_there_is_not_asked() -> None:
    other = git(ref=ObjectRef("GitRepository", "flux-system", "other"))

    assert Nudge()(cluster(k(), other), waiting()) == []


def test_what_nobody_looks_for_is_applied_at_once() -> None:
    """An ExternalArtifact is put there by others."""
    made = ObjectRef("ExternalArtifact", "flux-system", "fleet")

    assert Nudge()(cluster(k(source=made), git(ref=made)), waiting()) == [APPLY]


def test_a_source_of_many_is_asked_once() -> None:
    assert Nudge()(cluster(k(), k("db"), git()), waiting(), waiting(DB)) == [FETCH]


def test_what_waits_for_another_one_is_asked_after_it() -> None:
    nudge = Nudge()
    seen = cluster(k(), k("db"), handled(git()))
    blocked = waiting(WEB, waits_for=DB)

    assert nudge(seen, blocked, waiting(DB)) == [str(SOURCE), str(DB)]
    assert nudge(seen, blocked, waiting(DB, LIVE)) == [APPLY]


def test_each_cluster_is_asked_for_itself() -> None:
    nudge = Nudge("prod", "stage")
    seen = [cluster(k(), git(), name=name) for name in ("prod", "stage", "read-only")]

    nudge(seen, *(waiting(name=one.name) for one in seen))

    assert nudge.asked == [("prod", FETCH), ("stage", FETCH)]


def test_a_refusal_is_told_once_and_never_tried_again() -> None:
    nudge = Nudge(error=ClusterError("Forbidden.", "Take deploy/rbac-reconcile.yaml."))

    nudge(cluster(k(), git()), waiting())
    nudge(cluster(k(), git()), waiting())

    assert nudge.asked == [("prod", FETCH)]
    assert nudge.warned == [
        f"prod: Flux could not be asked to look at {FETCH}: Forbidden. Take deploy/rbac-reconcile.yaml."
    ]
    assert nudge.noted == []


def test_ready_or_not_does_not_matter() -> None:
    failed: Kustomization = k(ready=ready("False", "PruneFailed", "no", since=NOW))

    assert Nudge()(cluster(failed, handled(git())), waiting()) == [FETCH, APPLY]
