"""The story is told as announced: what the cluster shows after each scene, and what the page makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from landed.sandbox.clock import Clock
from landed.sandbox.flux import NAMESPACE, Flux
from landed.sandbox.kinds import KINDS, Object, condition
from landed.sandbox.story import API, FLEET, MINUTES, STORY, Stage, set_up
from landed.sandbox.world import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Scene → Ready of infra, data, shop, api and the HelmRelease; which of them have the newest commit.
SCENES = [
    ("A first look", "True True True True True", "infra data shop api"),
    ("A commit sets out", "Unknown False False True True", "api"),
    ("It has landed", "True True True True True", "infra data shop api"),
    ("Ten minutes later", "True True Unknown True True", "infra data shop api"),
    ("An image that does not exist", "True False False True True", "infra api"),
    ("Flux tries again", "True False False True True", "infra api"),
    ("The fix sets out", "True Unknown False True True", "infra api"),
    ("Repaired", "True True True True True", "infra data shop api"),
    ("From an image", "True True True True Unknown", "infra data shop api"),
    ("Released", "True True True True True", "infra data shop api"),
    ("One more interval", "True True True True True", "infra data shop api"),
]
NAMES = ("infra", "data", "shop", "api")


@pytest.fixture
def stage() -> Iterator[Stage]:
    clock = Clock(MINUTES)
    with Sandbox(clock=clock) as sandbox:
        stage = Stage(sandbox, Flux(sandbox.store, clock), clock)
        set_up(stage)
        yield stage


def _objects(stage: Stage) -> dict[str, Object]:
    kinds = {kind.kind: kind for kind in KINDS}
    store = stage.sandbox.store
    found = {name: store.get(kinds["Kustomization"], (NAMESPACE, name)) for name in NAMES}
    found["release"] = store.get(kinds["HelmRelease"], ("api", "api"))
    return {name: obj for name, obj in found.items() if obj}


def test_every_scene_shows_what_it_says(stage: Stage) -> None:
    told = []
    for beat in STORY:
        beat.play(stage)
        objects = _objects(stage)
        ready = " ".join(str(condition(obj, "Ready")["status"]) for obj in objects.values())
        newest = {repository: commit.sha for repository, commit in reversed(stage.sandbox.git.commits())}
        current = [
            name
            for name in NAMES
            if newest[API if name == "api" else FLEET] in str(objects[name]["status"]["history"][0]["metadata"])
            and objects[name]["status"]["history"][0]["lastReconciledStatus"] == "ReconciliationSucceeded"
        ]
        told.append((beat.title, ready, " ".join(current)))
    assert told == SCENES


def test_a_waiting_kustomization_still_names_the_old_commit(stage: Stage) -> None:
    STORY[0].play(stage)
    before = _objects(stage)["shop"]["status"]
    STORY[1].play(stage)
    after = _objects(stage)["shop"]["status"]
    assert (
        condition(_objects(stage)["shop"], "Ready")["message"]
        == "dependency 'flux-system/data' revision is not up to date"
    )
    for field in ("lastAppliedRevision", "lastAttemptedRevision", "inventory", "history"):
        assert after[field] == before[field]


def test_the_release_is_tied_to_its_kustomization_both_ways(stage: Stage) -> None:
    objects = _objects(stage)
    entries = [entry["id"] for entry in objects["api"]["status"]["inventory"]["entries"]]
    assert entries == ["api_api_helm.toolkit.fluxcd.io_HelmRelease"]
    assert objects["release"]["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] == "api"


def test_time_goes_forward_and_ends_before_now(stage: Stage) -> None:
    times = []
    for beat in STORY:
        beat.play(stage)
        times.append(stage.clock.now())
    assert times == sorted(times)
    assert times[-1] <= Clock().now()
    history = _objects(stage)["data"]["status"]["history"]
    assert [entry["lastReconciledStatus"] for entry in history[:2]] == ["ReconciliationSucceeded", "HealthCheckFailed"]
    assert history[1]["totalReconciliations"] == 2, "the retry failed in the same way"
