"""The story is told as announced: what the cluster shows after each scene, and what the page makes of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from standins.discord import discord_problems
from standins.msteams import message_problems
from standins.slack import slack_problems

from landed.config.manifests.read import read_files
from landed.sandbox import manifests, storytime
from landed.sandbox.clock import Clock
from landed.sandbox.flux import NAMESPACE, Flux
from landed.sandbox.kinds import KINDS, Object, condition
from landed.sandbox.progress import Progress, Scene
from landed.sandbox.story import API, FLEET, MINUTES, STORY, Stage, set_up
from landed.sandbox.telling import scenes, tell
from landed.sandbox.world import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from landed.sandbox.kept import Message
    from landed.sandbox.look import Look

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
    ("Second thoughts", "Unknown False False True True", "api"),
    ("Overtaken", "Unknown False False True True", "api"),
    ("Too little memory", "True True False True True", "infra data api"),
    ("It stands", "True True True True True", "infra data shop api"),
    ("It falls", "True True False True True", "infra data api"),
    ("It stands, it seems", "True True True True True", "infra data shop api"),
    ("To and fro", "True True False True True", "infra data api"),
    ("At rest", "True True True True True", "infra data shop api"),
    ("One more interval", "True True True True True", "infra data shop api"),
]
#: Scene → what is counted: commit statuses, messages, edits.
SENT = {
    "A first look": (7, 0, 0),
    "A commit sets out": (4, 2, 0),
    "It has landed": (4, 0, 2),
    "Ten minutes later": (0, 0, 0),
    "An image that does not exist": (4, 4, 0),
    "Flux tries again": (0, 0, 0),
    "The fix sets out": (4, 2, 0),
    "Repaired": (3, 1, 2),
    "From an image": (3, 2, 0),
    "Released": (2, 0, 2),
    "Second thoughts": (4, 2, 0),
    "Overtaken": (4, 2, 2),
    "Too little memory": (4, 3, 2),
    "It stands": (2, 3, 2),
    "It falls": (2, 3, 2),
    "It stands, it seems": (2, 3, 2),
    "To and fro": (2, 0, 0),
    "At rest": (2, 3, 2),
    "One more interval": (0, 0, 0),
}
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
    assert Clock().now() <= _later(times[-1], minutes=15), "the page's times are not long ago"
    history = _objects(stage)["data"]["status"]["history"]
    results = [(entry["lastReconciledStatus"], entry["totalReconciliations"]) for entry in history]
    assert ("HealthCheckFailed", 2) in results, "the retry failed in the same way"


def test_a_health_check_is_given_up_for_a_newer_commit(stage: Stage) -> None:
    for beat in STORY[: [beat.title for beat in STORY].index("Overtaken")]:
        beat.play(stage)
    before = _objects(stage)["infra"]
    flux, healthy = stage.flux, condition(before, "Healthy")
    assert (healthy["status"], healthy["reason"]) == ("Unknown", "Progressing")
    flux.cancel("infra")
    ready, given_up = condition(_objects(stage)["infra"], "Ready"), _objects(stage)["infra"]["status"]
    assert ready["message"] == "New reconciliation triggered by GitRepository/flux-system/fleet"
    assert given_up["lastAttemptedRevision"] == before["status"]["lastAttemptedRevision"]
    STORY[11].play(stage)
    newest = stage.sandbox.git.commits()[0][1]
    assert newest.title == "Halve the memory of checkout only"
    infra = _objects(stage)["infra"]
    assert newest.sha in condition(infra, "Reconciling")["message"]
    assert newest.sha in infra["status"]["lastAttemptedRevision"]


def test_nobody_is_silent_for_longer_than_flux_would_be(stage: Stage) -> None:
    """Else landed would rightly say that the controller is gone."""
    for beat in STORY:
        beat.play(stage)
        for name in NAMES:
            seen = _objects(stage)[name]["status"]["history"][0]["lastReconciled"]
            assert stage.clock.now() <= _later(seen, minutes=11), f"{name} in “{beat.title}”"


def _later(time: str, minutes: int) -> str:
    return (datetime.fromisoformat(time) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_manifests_hold_no_secret(stage: Stage, tmp_path: Path) -> None:
    folder, hidden = manifests.write(stage.sandbox, tmp_path), manifests.secrets(stage.sandbox)
    assert folder == tmp_path / manifests.FOLDER
    found, problems = read_files([str(folder)])
    assert problems == ()
    assert {provider.type for provider in found.providers} == {"slack", "discord", "msteams"}
    assert len(found.listeners) == len(list(folder.iterdir())) == len(hidden) == 3
    text = "".join(file.read_text() for file in folder.iterdir())
    assert not [value for value in hidden.values() if value in text]


def test_landed_runs_at_the_time_of_the_story(tmp_path: Path) -> None:
    program = "import time; print(time.time())"
    (tmp_path / "landed.py").write_text(program)
    (tmp_path / "storytime.py").write_text(Path(storytime.__file__).read_text())
    done = subprocess.run(
        [sys.executable, "storytime.py", "3600", "report"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert 3590 < time.time() - float(done.stdout) < 3660


@pytest.mark.slow
def test_landed_tells_the_story_in_chat(stage: Stage, tmp_path: Path) -> None:
    """With the real command and Flux's own manifests; what is sent is judged by what the services publish."""
    sent, chat = {}, stage.sandbox.chat

    def say(_moment: str, scene: Scene, seen: Look | None) -> None:
        if seen is None:
            return
        sent[scene.title] = (seen.statuses, seen.messages, seen.edits)
        assert "✗" not in seen.printed
        assert "cannot" not in seen.printed

    tell(stage, Progress(scenes()), tmp_path, say, lambda _: None)
    assert sent == SENT
    slack = [message for message in chat.messages if message.via == "slack"]
    _judge(chat.messages)
    _follows_each_commit(slack)
    _thread_of_the_unstable_one(slack)
    _teams_hears_of_failures_and_their_ends([message for message in chat.messages if message.via == "msteams"])


def _judge(messages: list[Message]) -> None:
    judges: dict[str, Callable[[dict[str, Any]], list[str]]] = {
        "slack": slack_problems,
        "discord": discord_problems,
        "msteams": message_problems,
    }
    assert {message.via for message in messages} == set(judges)
    for message in messages:
        assert judges[message.via](message.payload) == []


def _headline(message: Message) -> str:
    return str(message.payload["blocks"][0]["text"]["text"])


def _follows_each_commit(slack: list[Message]) -> None:
    """One message for each commit, which stands as it ended."""
    told = [
        (re.sub(r"main@\w+|latest@\S+|(?<=fleet )\w{8}", "…", _headline(m)), m.edits) for m in slack if not m.thread
    ]
    assert told == [
        ("✅ *acme/fleet … is live on production*", 1),
        ("❌ *acme/fleet … failed on production*", 0),
        ("✅ *acme/fleet … is live on production*", 1),
        ("✅ *acme/api … is live on production*", 1),
        ("⏭️ *acme/fleet … was superseded on production*", 1),
        ("✅ *acme/fleet … is live on production*", 5),
    ]
    failed = next(m for m in slack if m.thread)
    text = json.dumps(failed.payload, ensure_ascii=False)
    assert failed.thread == next(m.id for m in slack if "failed" in _headline(m))
    assert text.index("flux-system/data: Health check failed") < text.index("1 waits for flux-system/data")
    assert "Move search to the slim image (Grace Hopper)" in text
    assert "Recovered: it was broken for" in json.dumps([m for m in slack if not m.thread][2].payload)


def _thread_of_the_unstable_one(slack: list[Message]) -> None:
    """A failure, its end and how long it took, a failure, that it is flapping, once, and what came of it."""
    thread = [m for m in slack if m.thread == [m for m in slack if not m.thread][-1].id]
    said = [re.sub(r".*main@\w+ | on production\*", "", _headline(m)) for m in thread]
    assert said == ["failed", "is live", "failed", "is flapping", "is live"]
    assert "Recovered: it was broken for 1m." in json.dumps(thread[1].payload)
    assert "Recovered: it was broken for 11m." in json.dumps(thread[4].payload)


def _teams_hears_of_failures_and_their_ends(teams: list[Message]) -> None:
    titles = [m.payload["summary"].partition(" production")[0].split()[-2:] for m in teams]
    assert [title[0] for title in titles] == ["failed", "live", "failed", "live", "failed", "flapping", "live"]
