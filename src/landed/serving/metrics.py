"""A run in numbers, for Prometheus.

Labels are clusters, destinations and words of ours: their number does not grow with commits or objects.
https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from landed import __version__
from landed.model import Delivery, Look, Report, Repository, State
from landed.serving.leadtime import LeadTimes

if TYPE_CHECKING:
    from landed.model import Update

T = TypeVar("T")

#: The type of what is served, https://prometheus.io/docs/instrumenting/exposition_formats/
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: How many names of one label are told apart; all others are ``other``.
NAMES = 200
#: Characters of a name.
LONGEST_NAME = 200

_LOOKS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_DELIVERIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_LEAD = (5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)


class Metrics:
    """The numbers of one process, in a registry of their own. ``observe`` and ``page`` may be called from any thread,
    ``observe`` from one at a time.
    """

    def __init__(self, *, leader: Callable[[], bool] = lambda: True, now: Callable[[], float] = time.time) -> None:
        """``leader`` says whether this process delivers at present; ``now`` is in epoch seconds."""
        import prometheus_client as prometheus  # imported late: only a run that is asked for numbers needs it

        self.registry = prometheus.CollectorRegistry()
        self._now = now
        self._acknowledged: dict[int, float] = {}
        self._looked: dict[str, float] = {}
        self._lead_times = LeadTimes()
        self._names: dict[str, set[str]] = {"cluster": set(), "destination": set()}
        made = _Made(prometheus, self.registry)
        made.gauge("build_info", "1, with the version as a label.", "version").labels(__version__).set(1)
        made.gauge("leader", "1 where this process delivers; 0 where it stands by.").set_function(
            lambda: float(leader())
        )
        self._looks = made.counter(
            "looks", "Looks at all clusters: complete, partial where some could not be read, failed if all.", "result"
        )
        for result in ("complete", "partial", "failed"):
            self._looks.labels(result)
        self._look = made.histogram(
            "look_duration_seconds", "From the beginning of a look to its end, deliveries included.", _LOOKS
        )
        self._last = made.gauge("last_look_timestamp_seconds", "When the last look ended, in seconds since 1970.")
        self._observed = made.gauge(
            "observations",
            "What objects say at present, by state. Absent while the cluster cannot be read.",
            *("cluster", "state"),
        )
        self._readable = made.gauge("cluster_readable", "1 where the last look could read it, else 0.", "cluster")
        self._deliveries = made.counter(
            "deliveries", "Updates delivered, failed, or not_written for a token that may only read.",
            *("destination", "result"),
        )  # fmt: skip
        self._delivery = made.histogram(
            "delivery_duration_seconds",
            "From the beginning of the look that found an update to its acknowledgement.",
            _DELIVERIES,
            "destination",
        )
        self._event = made.histogram(
            "event_delivery_seconds",
            "From the last transition of an object of the commit to the acknowledgement of what was told of it. Only "
            "transitions since the look before. The cluster stamps whole seconds of its own clock.",
            _DELIVERIES,
            "destination",
        )
        self._lead = made.histogram(
            "lead_time_seconds",
            "Until every object that follows a commit was ready with it on a cluster, in the cluster's clock, once for "
            "each commit. from=commit: since its committer's time; from=artifact: since the cluster had fetched it; "
            "from=seen: since a look first saw it pending. What was ready before the first look is left out.",
            _LEAD,
            *("cluster", "from"),
        )

    def timed(self, outlets: Mapping[str, T], *, worked: Callable[[], None] = lambda: None) -> dict[str, T]:
        """The same outlets; from now on each acknowledgement is timed, and ``worked`` is called after every delivery,
        from its thread, whatever came of it.
        """
        times = self._acknowledged, self._now, worked
        return {name: cast("T", _Timed(outlet, *times)) for name, outlet in outlets.items()}

    def observe(
        self,
        report: Report,
        *,
        began: float,
        ended: float,
        committed: Mapping[tuple[Repository, str], int] | None = None,
    ) -> None:
        """Count a look and what was delivered for it. Times in epoch seconds; ``committed`` where it is known."""
        failed = sum(bool(look.error) for look in report.looks)
        result = "complete" if not failed else "failed" if failed == len(report.looks) else "partial"
        self._looks.labels(result).inc()
        self._look.observe(max(0.0, ended - began))
        self._last.set(ended)
        for delivery in report.deliveries:
            self._deliver(delivery, report.looks, began)
        self._acknowledged.clear()
        for look in report.looks:
            self._observe(look, began)
            for length in self._lead_times.of(look, began, committed or {}):
                self._lead.labels(self._name("cluster", look.cluster), length.since).observe(length.seconds)

    def page(self) -> tuple[bytes, str]:
        """What is served, and its content type."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry), CONTENT_TYPE

    def _observe(self, look: Look, began: float) -> None:
        cluster = self._name("cluster", look.cluster)
        self._readable.labels(cluster).set(0 if look.error else 1)
        counted = Counter(o.state for o in _said(look))
        for state in State:
            if look.error:
                self._forget(cluster, state.value)
            elif state is not State.SUPERSEDED:  # never observed
                self._observed.labels(cluster, state.value).set(counted[state])
        if not look.error:
            self._looked[look.cluster] = began

    def _forget(self, *labels: str) -> None:
        with suppress(KeyError):
            self._observed.remove(*labels)

    def _deliver(self, delivery: Delivery, looks: Iterable[Look], began: float) -> None:
        name = self._name("destination", delivery.update.destination)
        result = "delivered" if not delivery.error else "not_written" if delivery.read_only else "failed"
        self._deliveries.labels(name, result).inc()
        at = self._acknowledged.get(id(delivery.update), 0.0)
        if not at:
            return
        self._delivery.labels(name).observe(max(0.0, at - began))
        if changed := self._changed(delivery.update, looks):
            self._event.labels(name).observe(max(0.0, at - changed))

    def _changed(self, update: Update, looks: Iterable[Look]) -> int:
        """When an object of its commit last came to say what it says; 0 where that was before the look before."""
        commits = {mark.commit for mark in update.marks}
        return max(
            (
                o.since
                for look in looks
                if (before := self._looked.get(look.cluster))
                for outcome in look.outcomes
                if outcome.commit and outcome.commit in commits
                for o in outcome.observations
                if o.since >= int(before) and not o.past
            ),
            default=0,
        )

    def _name(self, label: str, name: str) -> str:
        text = name.encode("utf-8", "replace").decode()[:LONGEST_NAME]
        known = self._names[label]
        if text not in known and len(known) >= NAMES:
            return "other"
        known.add(text)
        return text


class _Made:
    """Makes metrics that are called ours."""

    def __init__(self, prometheus: Any, registry: Any) -> None:
        prometheus.disable_created_metrics()
        self._prometheus, self._registry = prometheus, registry

    def counter(self, name: str, told: str, *labels: str) -> Any:
        return self._prometheus.Counter(f"landed_{name}", told, labels, registry=self._registry)

    def gauge(self, name: str, told: str, *labels: str) -> Any:
        return self._prometheus.Gauge(f"landed_{name}", told, labels, registry=self._registry)

    def histogram(self, name: str, told: str, buckets: tuple[float, ...], *labels: str) -> Any:
        return self._prometheus.Histogram(f"landed_{name}", told, labels, registry=self._registry, buckets=buckets)


class _Timed:
    """An outlet that notes when each update was acknowledged. Everything else is the outlet's own."""

    def __init__(
        self, outlet: Any, acknowledged: dict[int, float], now: Callable[[], float], worked: Callable[[], None]
    ) -> None:
        self._outlet, self._acknowledged, self._now, self._worked = outlet, acknowledged, now, worked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outlet, name)

    def deliver(self, update: Update) -> str:
        """As the outlet does."""
        try:
            handle: str = self._outlet.deliver(update)
            self._acknowledged[id(update)] = self._now()
        finally:
            self._worked()
        return handle


def _said(look: Look) -> Iterable[Any]:
    for outcome in look.outcomes:
        yield from (o for o in outcome.observations if not o.past)
    yield from look.silent
