"""The parts of a JSON report that say what became of a commit that was waited for, and why. No I/O.

``jsonreport`` documents the members.
"""

from __future__ import annotations

from typing import Any

from landed import render as sentences
from landed.model import Answer, Culprit, Explanation, Kustomization, Look, PodTrouble, Standing
from landed.reports.standings import LOST, in_order, kustomizations


def answer(found: Answer | None, *, failures: int | None = None) -> dict[str, Any] | None:
    """``found`` as plain values; with ``failures`` at most that many standings, and only of what is lost."""
    if found is None:
        return None
    shown = in_order(found.standings)
    if failures is not None:
        shown = tuple(one for one in shown if one.state in LOST)[:failures]
    known = bool(found.began) and found.ended >= found.began
    return {
        "repository": str(found.repository),
        "commit": found.commit,
        "verdict": str(found.verdict),
        "timed_out": found.timed_out,
        "applied_commit": found.applied,
        "began": _time(found.began),
        "ended": _time(found.ended),
        "seconds": found.ended - found.began if known else None,
        "unread": list(found.unread),
        "notes": list(found.notes),
        "standings": [_standing(one) for one in shown],
    }


def explanation(one: Explanation) -> dict[str, Any]:
    """A cause as plain values."""
    return {
        "cluster": one.cluster,
        "kind": one.about.kind,
        "namespace": one.about.namespace,
        "name": one.about.name,
        "reason": one.reason,
        "message": one.message,
        "culprits": [_culprit(culprit) for culprit in one.culprits],
        "waiting": [str(about) for about in one.waiting],
        "path": one.path,
        "command": one.command,
        "lacking": list(one.lacking),
    }


def read(look: Look) -> list[dict[str, Any]] | None:
    """The Kustomizations of a cluster as they were read; None where what was read is not kept."""
    return None if look.read is None else [_kustomization(k) for k in kustomizations(look)]


def _standing(one: Standing) -> dict[str, Any]:
    return {
        "cluster": one.cluster,
        "kind": one.about.kind,
        "namespace": one.about.namespace,
        "name": one.about.name,
        "state": str(one.state),
        "commit": one.commit,
        "revision": one.revision,
        "reason": one.reason,
        "message": one.message,
        "since": _time(one.since),
        "waits_for": str(one.waits_for) if one.waits_for else None,
        "doomed": one.doomed,
    }


def _culprit(one: Culprit) -> dict[str, Any]:
    return {
        "kind": one.about.kind,
        "namespace": one.about.namespace,
        "name": one.about.name,
        "status": one.status,
        "conditions": list(one.conditions),
        "pods": [_pod(pod) for pod in one.pods],
        "events": list(one.events),
    }


def _pod(one: PodTrouble) -> dict[str, Any]:
    return {
        "pod": one.pod,
        "container": one.container,
        "reason": one.reason,
        "message": one.message,
        "restarts": one.restarts,
        "log": list(one.log),
    }


def _kustomization(k: Kustomization) -> dict[str, Any]:
    return {
        "namespace": k.ref.namespace,
        "name": k.ref.name,
        "path": k.path,
        "source": str(k.source),
        "depends_on": [str(about) for about in k.depends_on],
        "applied": k.applied,
        "attempted": k.attempted,
        "suspended": k.suspended,
        "history": [
            {
                "revision": entry.revision,
                "origin_revision": entry.origin_revision,
                "status": entry.status,
                "first": _time(entry.first),
                "last": _time(entry.at),
                "times": entry.times,
                "duration": entry.duration,
            }
            for entry in k.history
        ],
    }


def _time(seconds: int) -> str | None:
    return sentences.rfc3339(seconds) if seconds else None
