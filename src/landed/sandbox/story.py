"""The story that ``landed demo`` tells: what happens on the cluster, beat by beat, and what it shows.

Each beat is a function on the stage; after it, ``landed report`` looks once. After ``quiet`` beats it must say nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from msgspec import Struct

from landed.sandbox.clock import Clock
from landed.sandbox.flux import Flux
from landed.sandbox.githost import Commit
from landed.sandbox.world import Sandbox

#: How long the story lasts on its own clock.
MINUTES = 75
FLEET = "acme/fleet"
API = "acme/api"
_CHART = ("api", "api")
#: What does not become healthy.
_SEARCH = {"Deployment/data/search": "InProgress"}
_CHECKOUT = {"Deployment/shop/checkout": "InProgress"}
#: What the Kustomizations of the fleet depend on, in the order in which they roll out.
_ORDER = (("infra", ""), ("data", "infra"), ("shop", "data"))


class Stage(Struct, frozen=True):
    """Everything a beat acts on."""

    sandbox: Sandbox
    flux: Flux
    clock: Clock


class Beat(Struct, frozen=True):
    """One thing that happens, and why landed says what it says about it."""

    title: str
    happens: str
    because: str
    play: Callable[[Stage], None]
    quiet: bool = False
    """Nothing is sent."""
    hushed: bool = False
    """Commit statuses are sent, and the chat is not told."""


def set_up(stage: Stage) -> None:
    """A cluster where everything is live already."""
    url, flux = stage.sandbox.url, stage.flux
    fleet = {"interval": "1m0s", "url": f"{url}/{FLEET}", "ref": {"branch": "main"}}
    flux.create("GitRepository", "fleet", fleet)
    flux.create("OCIRepository", "api", {"interval": "1m0s", "url": f"oci://127.0.0.1/{API}", "ref": {"tag": "latest"}})
    for name, before in _ORDER:
        _kustomization(flux, name, {"kind": "GitRepository", "name": "fleet"}, before)
    _kustomization(flux, "api", {"kind": "OCIRepository", "name": "api"}, "", wait=False)
    _push(stage, FLEET, "Set up the production cluster", "Ada Lovelace")
    _build(stage, "Serve the catalogue over gRPC", "Barbara Liskov")
    for name, _ in _ORDER:
        flux.begin(name)
        flux.succeed(name)
    _helm_release(flux)
    flux.begin("api", 3)
    flux.succeed("api", 1)
    flux.release(*_CHART, "1.4.0", 1)
    stage.clock.advance(300)


def _first_look(_stage: Stage) -> None:
    """Nothing happens: the first look is at what is there."""


def _rollout_begins(stage: Stage) -> None:
    _push(stage, FLEET, "Upgrade ingress-nginx to 1.12 & drop the <legacy> annotations", "Ada Lovelace")
    stage.flux.hold("data", "infra", "revision is not up to date")
    stage.flux.hold("shop", "data", "revision is not up to date")
    stage.flux.begin("infra")


def _rollout_ends(stage: Stage) -> None:
    stage.flux.applied("infra", "Deployment/ingress-nginx/controller configured")
    stage.flux.succeed("infra", 21)
    for name in ("data", "shop"):
        stage.flux.begin(name)
        stage.flux.succeed(name, 9)


def _interval(stage: Stage) -> None:
    stage.clock.advance(600)
    for name in ("infra", "data", "api"):
        stage.flux.begin(name)
        stage.flux.succeed(name, 2)
    stage.flux.begin("shop", 2)


def _bad_image(stage: Stage) -> None:
    stage.flux.succeed("shop", 2)
    _push(stage, FLEET, "Move search to the slim image", "Grace Hopper")
    stage.flux.hold("shop", "data", "revision is not up to date")
    stage.flux.hold("data", "infra", "revision is not up to date")
    stage.flux.begin("infra")
    stage.flux.succeed("infra", 3)
    stage.flux.begin("data")
    stage.flux.fail("data", _SEARCH)
    stage.flux.hold("shop", "data")


def _retry(stage: Stage) -> None:
    stage.clock.advance(60)
    stage.flux.begin("data")
    stage.flux.fail("data", _SEARCH, 60.012)
    stage.flux.hold("shop", "data")


def _fix_begins(stage: Stage) -> None:
    stage.clock.advance(240)
    _push(stage, FLEET, "Pin search to an image that exists", "Grace Hopper")
    stage.flux.hold("data", "infra", "revision is not up to date")
    stage.flux.begin("infra")
    stage.flux.succeed("infra", 3)
    stage.flux.begin("data")


def _fix_ends(stage: Stage) -> None:
    stage.flux.applied("data", "Deployment/data/search configured")
    stage.flux.succeed("data", 14)
    stage.flux.begin("shop")
    stage.flux.succeed("shop", 8)


def _second_thoughts(stage: Stage) -> None:
    stage.clock.advance(180)
    _push(stage, FLEET, "Halve the memory of everything", "Alan Perlis")
    stage.flux.hold("data", "infra", "revision is not up to date")
    stage.flux.hold("shop", "data", "revision is not up to date")
    stage.flux.begin("infra")


def _overtaken(stage: Stage) -> None:
    _push(stage, FLEET, "Halve the memory of checkout only", "Alan Perlis")
    stage.flux.cancel("infra")
    stage.flux.begin("infra")


def _out_of_memory(stage: Stage) -> None:
    stage.flux.succeed("infra", 12)
    stage.flux.begin("data")
    stage.flux.succeed("data", 9)
    _look_at_api(stage)
    _shop_falls(stage)


def _shop_falls(stage: Stage) -> None:
    stage.flux.begin("shop")
    stage.flux.fail("shop", _CHECKOUT, 60.007)


def _shop_stands(stage: Stage) -> None:
    stage.clock.advance(50)
    stage.flux.begin("shop")
    stage.flux.succeed("shop", 26)


def _at_rest(stage: Stage) -> None:
    stage.clock.advance(620)
    _reconcile(stage)


def _artifact(stage: Stage) -> None:
    stage.clock.advance(180)
    _build(stage, "Cache the catalogue for a minute", "Barbara Liskov")
    stage.flux.begin("api", 3)
    stage.flux.edit("HelmRelease", "api", _chart("1.5.0"), namespace="api")
    stage.flux.succeed("api", 1)
    stage.flux.upgrade(*_CHART, "1.5.0")


def _release(stage: Stage) -> None:
    stage.clock.advance(40)
    stage.flux.release(*_CHART, "1.5.0", 2)


def _last_look(stage: Stage) -> None:
    stage.clock.advance(600)
    _reconcile(stage)


def _reconcile(stage: Stage) -> None:
    """Everything once more, and well."""
    for name, _ in _ORDER:
        stage.flux.begin(name)
        stage.flux.succeed(name, 2)
    _look_at_api(stage)


def _look_at_api(stage: Stage) -> None:
    stage.flux.begin("api", 3)
    stage.flux.succeed("api", 1)


STORY = (
    Beat(
        "A first look",
        "landed meets a cluster where everything is live already.",
        "Commits get the statuses they lack; the chat is spared old news.",
        _first_look,
    ),
    Beat(
        "A commit sets out",
        "Ada pushes to acme/fleet. Flux fetches it: infra is checking its health, data and shop wait their turn.",
        "Flux itself never says that something is on its way; landed does, and names what is waited for.",
        _rollout_begins,
    ),
    Beat(
        "It has landed",
        "infra, then data, then shop: applied and healthy.",
        "Live means applied and healthy everywhere, not pushed. No second message: the first one is edited.",
        _rollout_ends,
    ),
    Beat(
        "Ten minutes later",
        "Flux reconciles everything again, as it does at every interval; shop is in the middle of it (Ready=Unknown).",
        "The same commit with the same result is no news: nothing is sent and nothing is written.",
        _interval,
        quiet=True,
    ),
    Beat(
        "An image that does not exist",
        "Grace's commit reaches data, where a Deployment cannot pull its image. shop, which depends on data, waits.",
        "One failure with its cause and who waits for it, not two alarms; in Slack the cause is in the thread.",
        _bad_image,
    ),
    Beat(
        "Flux tries again",
        "Still no image: the health check fails again, after a slightly different time.",
        "A duration in a message is no news either.",
        _retry,
        quiet=True,
    ),
    Beat(
        "The fix sets out",
        "A new commit: infra has it, data is checking, shop still waits for data.",
        "The broken commit stays red; the new one is pending, and has a message of its own.",
        _fix_begins,
    ),
    Beat(
        "Repaired",
        "data is healthy again, and shop, which waited for it, follows: the fix has reached everything.",
        "Green, and the chat learns that it is over and for how long it was broken.",
        _fix_ends,
    ),
    Beat(
        "From an image",
        "CI built acme/api into an OCI artifact. Its Kustomization is applied; the HelmRelease in it is not done.",
        "The artifact names the commit it was made of; the release speaks for it too, so it is still pending.",
        _artifact,
    ),
    Beat(
        "Released",
        "Helm finishes the upgrade that the Kustomization asked for.",
        "Now the commit in acme/api is live.",
        _release,
    ),
    Beat(
        "Second thoughts",
        "Alan pushes to acme/fleet. infra is checking the health of it …",
        "A commit that is on its way, like the others.",
        _second_thoughts,
    ),
    Beat(
        "Overtaken",
        "… when he pushes again. Flux gives up the health check and takes the new commit.",
        "The first commit never had a result: its message says by what it was superseded, instead of waiting for ever.",
        _overtaken,
    ),
    Beat(
        "Too little memory",
        "shop has the commit, and its checkout is killed as soon as it is up.",
        "A failure again: told at once, in the message of its commit and in the thread.",
        _out_of_memory,
    ),
    Beat(
        "It stands",
        "After a restart checkout is healthy.",
        "The thread that told of the failure tells of its end, and for how long it was broken.",
        _shop_stands,
    ),
    Beat(
        "It falls",
        "It is killed again.",
        "The same commit has failed once more, which is news.",
        _shop_falls,
    ),
    Beat(
        "It stands, it seems",
        "And it is up again: the third change within ten minutes.",
        "From now on it is flapping. That is said once, and what comes of it when it is at rest.",
        _shop_stands,
    ),
    Beat(
        "To and fro",
        "Down again.",
        "Commit statuses keep to the truth. Nobody in chat is called for it again.",
        _shop_falls,
        hushed=True,
    ),
    Beat(
        "At rest",
        "checkout stays down for ten minutes, then gets up again.",
        "After ten minutes without a change it is no longer flapping: the chat learns what came of it.",
        _at_rest,
    ),
    Beat(
        "One more interval",
        "Everything is reconciled once more, unchanged.",
        "So there is nothing to say, and nothing is said.",
        _last_look,
        quiet=True,
    ),
)  # fmt: skip


def _kustomization(flux: Flux, name: str, source: Mapping[str, str], after: str, *, wait: bool = True) -> None:
    spec = {
        "interval": "10m0s",
        "path": f"./{name}",
        "prune": True,
        "sourceRef": dict(source),
        "timeout": "1m0s",
        "wait": wait,
    }
    flux.create("Kustomization", name, spec | ({"dependsOn": [{"name": after}]} if after else {}))


def _helm_release(flux: Flux) -> None:
    owner = {"kustomize.toolkit.fluxcd.io/name": "api", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    flux.create("HelmRelease", "api", {"interval": "10m0s", **_chart("1.4.0")}, namespace="api", labels=owner)


def _chart(version: str) -> Mapping[str, object]:
    source = {"kind": "HelmRepository", "name": "acme"}
    return {"chart": {"spec": {"chart": "api", "version": version, "sourceRef": source}}}


def _push(stage: Stage, repository: str, title: str, author: str) -> str:
    """A commit appears on the Git host; for the fleet, Flux fetches it a little later."""
    sha = hashlib.sha1(f"{repository} {title}".encode(), usedforsecurity=False).hexdigest()
    stage.clock.advance(20)
    stage.sandbox.git.push(repository, Commit(sha, title, author, stage.clock.now()))
    if repository == FLEET:
        stage.clock.advance(15)
        stage.flux.fetch("fleet", f"main@sha1:{sha}")
    return sha


def _build(stage: Stage, title: str, author: str) -> None:
    """A commit whose build is an OCI artifact that Flux pulls."""
    sha = _push(stage, API, title, author)
    stage.clock.advance(45)
    digest = hashlib.sha256(sha.encode()).hexdigest()
    stage.flux.pull("api", f"latest@sha256:{digest}", f"main@sha1:{sha}", f"{stage.sandbox.url}/{API}")
