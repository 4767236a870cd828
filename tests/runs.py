"""Runs of the plan with one destination, and objects to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from values import MAIN_B, NOW, cluster, git, k, phase, ready

from landed.model import (
    Alert,
    CommitStatus,
    Destination,
    Digest,
    Event,
    EventSource,
    Look,
    Mark,
    ObjectRef,
    State,
    Story,
    Update,
)
from landed.outcomes import judge
from landed.plan import Plan, Wording, observe, plan
from landed.plan.changes import Events, changed, take_stock
from landed.story import title
from landed.told import Told

WEB = ObjectRef("Kustomization", "apps", "web")
LIVE: dict[str, Any] = {"applied": MAIN_B, "attempted": MAIN_B}
FAILED: dict[str, Any] = {"ready": ready("False", "HealthCheckFailed", "timeout waiting"), "attempted": MAIN_B}
RUNNING: dict[str, Any] = {
    "ready": ready("Unknown"),
    "reconciling": phase("Building manifests", MAIN_B),
    "attempted": MAIN_B,
}
WAITS: dict[str, Any] = {"ready": ready("False", "DependencyNotReady", "dependency 'apps/infra' is not ready")}


def alert(*sources: EventSource, **settings: Any) -> Alert:
    return Alert("apps", "ops", "chat", sources=sources or (EventSource("Kustomization", "*", "apps"),), **settings)


def source(kind: str = "Kustomization", name: str = "*", namespace: str = "apps", **labels: str) -> EventSource:
    return EventSource(kind, name, namespace, tuple(sorted(labels.items())))


def bot(*alerts: Alert, threads: bool = True) -> Destination:
    return Destination("Alert apps/ops", "messages", threads=threads, alerts=alerts or (alert(),))


def hook(*alerts: Alert) -> Destination:
    return Destination("Alert apps/ops", "digests", alerts=alerts or (alert(),))


def generic(*alerts: Alert) -> Destination:
    return Destination("Alert apps/ops", "events", alerts=alerts or (alert(),))


def github(*alerts: Alert, **settings: Any) -> Destination:
    return Destination(
        "Provider apps/gh", "statuses", "github.com", alerts=alerts or (alert(),), whole=False, **settings
    )


def look(*objects: Any, name: str = "prod", revision: str = MAIN_B) -> Look:
    return judge(cluster(*objects, git(revision), name=name), now=NOW, details=True)


def one(**settings: Any) -> Look:
    return look(k(**settings))


class Runs:
    """Runs with one destination, one after the other; everything is acknowledged but what ``refused`` names."""

    def __init__(self, to: Destination, *, served: bool = True) -> None:
        self.to = to
        self.told = Told()
        self.now = NOW
        self.posted = 0
        self.taken: set[Mark] = set()
        self.refused: Callable[[Update], bool] = lambda _: False
        if served:
            self.told.serve(to.name)

    def see(self, *looks: Look, seconds: int = 60, happened: Events | None = None) -> Plan:
        self.now += seconds
        observe(looks, self.told, self.now)
        seen = changed(looks, self.told, happened)
        due = plan(seen, self.told, [self.to], wording=Wording(), now=self.now)
        for name, mark in due.silent:
            self.told.record(name, mark, self.now)
        self.told.serve(self.to.name)
        self.taken = set()
        delivered = [self._deliver(update) for update in due.updates]
        if all(delivered) and not due.held:
            take_stock(looks, self.told)
        return due

    def _deliver(self, update: Update) -> bool:
        if self.refused(update):
            return False
        handle = ""
        if isinstance(update.payload, Digest) and update.payload.about:
            self.posted += not update.payload.handle and not update.payload.reply
            handle = update.payload.handle or f"m{self.posted}"
        self.taken |= set(update.marks)
        for mark in update.marks:
            self.told.record(update.destination, mark, self.now, handle=handle)
        return True

    def digests(self, *looks: Look, seconds: int = 60) -> list[Digest]:
        return [u.payload for u in self.see(*looks, seconds=seconds).updates if isinstance(u.payload, Digest)]

    def stories(self, *looks: Look, seconds: int = 60) -> list[Story]:
        return [story for digest in self.digests(*looks, seconds=seconds) for story in digest.stories]

    def states(self, *looks: Look, seconds: int = 60) -> list[State]:
        return [story.state for story in self.stories(*looks, seconds=seconds)]

    def titles(self, *looks: Look, seconds: int = 60) -> list[str]:
        return [title(story) for story in self.stories(*looks, seconds=seconds)]

    def events(self, *looks: Look, seconds: int = 60, happened: Events | None = None) -> list[tuple[str, str]]:
        due = self.see(*looks, seconds=seconds, happened=happened)
        return [(u.payload.severity, u.payload.message) for u in due.updates if isinstance(u.payload, Event)]

    def statuses(self, *looks: Look) -> list[tuple[str, str, State]]:
        payloads = [u.payload for u in self.see(*looks).updates]
        return [(p.commit, p.context, p.state) for p in payloads if isinstance(p, CommitStatus)]
