"""What a run has to say for itself, and its exit code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import structs

from landed.errors import (
    CLUSTER_UNREADABLE,
    COMMIT_FAILED,
    CONFIGURATION,
    DIVERGED,
    DONE,
    TIMED_OUT,
    UNDELIVERED,
)
from landed.model import Answer, Delivery, Look, Report, State, Verdict


def summed_up(
    looks: Sequence[Look],
    deliveries: Sequence[Delivery] = (),
    *,
    fail_on_failure: bool,
    strict: bool,
    problems: Sequence[str] = (),
) -> Report:
    """The report of a run, with its exit code.

    A cluster that cannot be read comes first, for nothing is known then. A failed delivery never counts as a failed
    rollout, nor the reverse. Where a token may only read, as on a pull request from a fork, one warning says so; only a
    strict run fails for it.
    """
    seen = tuple(f"{look.cluster}: {warning}" for look in looks for warning in look.warnings)
    warnings = (*seen, *problems, *_only_read(deliveries))
    report = Report(tuple(looks), tuple(deliveries), warnings=warnings)
    if any(look.error for look in looks):
        return structs.replace(report, exit_code=CLUSTER_UNREADABLE)
    if fail_on_failure and any(_failed(look) for look in looks):
        return structs.replace(report, exit_code=COMMIT_FAILED)
    if any(delivery.error and (strict or not delivery.read_only) for delivery in deliveries):
        return structs.replace(report, exit_code=UNDELIVERED)
    return structs.replace(report, exit_code=CONFIGURATION if strict and warnings else DONE)


def gated(report: Report, answer: Answer, *, strict: bool) -> Report:
    """The report of a run that waited for a commit, with its exit code.

    What is certain comes first: that the commit failed or can no longer land. Then that a cluster could not be read,
    for nothing is known of it; then that time was up.
    """
    if answer.verdict in _ANSWERED:
        return structs.replace(report, exit_code=_ANSWERED[answer.verdict])
    if answer.unread:
        return structs.replace(report, exit_code=CLUSTER_UNREADABLE)
    if answer.verdict is Verdict.WAITING:
        return structs.replace(report, exit_code=TIMED_OUT)
    if any(delivery.error and (strict or not delivery.read_only) for delivery in report.deliveries):
        return structs.replace(report, exit_code=UNDELIVERED)
    return structs.replace(report, exit_code=CONFIGURATION if strict and report.warnings else DONE)


_ANSWERED = {Verdict.FAILED: COMMIT_FAILED, Verdict.DIVERGED: DIVERGED}


def _only_read(deliveries: Iterable[Delivery]) -> tuple[str, ...]:
    """One warning for each destination whose token may not write."""
    kept: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        if delivery.read_only:
            kept.setdefault(delivery.update.destination, []).append(delivery)
    return tuple(
        f"{name}: the token may only read, so {len(held)} updates are told here and not there. {held[0].hint}".rstrip()
        for name, held in kept.items()
    )


def _failed(look: Look) -> bool:
    """Whether something that Flux was to apply has failed at present."""
    current = any(outcome.state is State.FAILURE for outcome in look.outcomes if not outcome.past)
    return current or any(o.state is State.FAILURE and o.about.kind in _ROLLOUTS for o in look.silent)


_ROLLOUTS = frozenset({"Kustomization", "HelmRelease"})
