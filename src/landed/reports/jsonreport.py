"""A report as JSON for programs. The schema ``landed.report/1`` only ever grows: members are added, none changes.

::

    {"schema": "landed.report/1",
     "exit_code": 0,
     "state": "failure" | "pending" | "success" | "unknown" | "none",
     "counts": {"outcomes", "failed", "delivered", "undelivered", "planned", "unreadable"},
     "clusters": [
       {"name", "error", "hint", "warnings": [text],
        "outcomes": [
          {"repository": "github.com/acme/fleet", "commit", "state", "past", "whole", "observations": [observation]}],
        "silent": [observation],
        "kustomizations": null | [
          {"namespace", "name", "path", "source": "GitRepository/flux-system/fleet", "depends_on": [object], "applied",
           "attempted", "suspended": bool,
           "history": [{"revision", "origin_revision", "status", "first": time | null, "last": time | null,
                        "times": number, "duration"}]}]}],
     "deliveries": [{…update, "delivered": bool, "error", "hint", "passing": bool, "read_only": bool}],
     "planned": [update],
     "warnings": [text],
     "notes": [text],
     "answer": null | {
       "repository", "commit", "verdict": "live" | "failed" | "waiting" | "diverged", "timed_out": bool,
       "applied_commit", "began": time | null, "ended": time | null, "seconds": number | null,
       "unread": [cluster], "notes": [text], "standings": [standing]},
     "explanations": [
       {"cluster", "kind", "namespace", "name", "reason", "message",
        "culprits": [
          {"kind", "namespace", "name", "status", "conditions": [text], "events": [text],
           "pods": [{"pod", "container", "reason", "message", "restarts": number, "log": [line]}]}],
        "waiting": [object], "path", "command", "lacking": [text]}]}

    object: "Kustomization/apps/db"
    standing: {"cluster", "kind", "namespace", "name", "state": a verdict | "suspended" | "deleting", "commit",
               "revision", "reason", "message", "since": time | null, "waits_for": object | null, "doomed"}
    observation: {"kind", "namespace", "name", "state", "reason", "message", "revision", "since": time | null,
                  "duration", "past", "keeps", "waits_for": object | null}
    update: {"destination", "type": "status" | "deployment" | "comment" | "dispatch" | "message" | "event",
             "marks": [{"line", "commit", "fingerprint"}]}
            and also for a status: "repository", "commit", "context", "state", "description", "target_url",
            for a deployment: "repository", "commit", "environment", "state", "description", "environment_url",
            for a comment: "repository", "commit"

Times are RFC 3339. ``state`` and ``failed`` leave out commits that have come and gone; ``unknown`` means that a cluster
could not be read and nothing failed elsewhere, ``none`` that no object speaks of a commit. ``answer`` is there where a
commit was waited for, ``kustomizations`` where what was read is kept, ``explanations`` where they were asked for.
``report.schema.json`` beside this file is the same as a JSON Schema, without any member that is not described.
Everything is in a fixed order: the same report gives the same text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from landed import render as sentences
from landed.model import CommitStatus, Deployment, Look, Observation, Outcome, Report, State, Update
from landed.reports import jsonanswer
from landed.reports.interface import View
from landed.reports.payloads import place, words
from landed.reports.rows import observations, outcomes

SCHEMA = "landed.report/1"
#: Characters that JSON lets through and terminals or logs obey, and the ``[`` of the runner's older commands.
_OBEYED = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|(?<=##)\\[|(?<=#)#(?=\\w+\\[)"
)


def render(report: Report, view: View) -> str:
    """The report, laid out for reading. ``view`` makes no difference."""
    return written(value(report), indent=2) + "\n"


def written(document: Any, *, indent: int = -1) -> str:
    """Any JSON document as text that is harmless in a log: what a log would obey is written as an escape."""
    try:
        raw = msgspec.json.encode(document)
    except UnicodeEncodeError:  # half a character, from an argument that was not UTF-8
        raw = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    text = msgspec.json.format(raw, indent=indent).decode()
    if text.isascii() and "\x7f" not in text and "##" not in text:
        return text
    return _OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def value(report: Report, *, failures: int | None = None) -> dict[str, Any]:
    """The report as plain values; with ``failures`` at most that many failing observations of each outcome."""
    return {
        "schema": SCHEMA,
        "exit_code": report.exit_code,
        "state": state(report),
        "counts": counts(report),
        "clusters": [_cluster(look, failures) for look in report.looks],
        "deliveries": [
            {
                **_update(delivery.update),
                "delivered": not delivery.error,
                "error": delivery.error,
                "hint": delivery.hint,
                "passing": delivery.passing,
                "read_only": delivery.read_only,
            }
            for delivery in report.deliveries
        ],
        "planned": [_update(update) for update in report.planned],
        "warnings": list(report.warnings),
        "notes": list(report.notes),
        "answer": jsonanswer.answer(report.answer, failures=failures),
        "explanations": [jsonanswer.explanation(one) for one in report.explanations[:failures]],
    }


def state(report: Report) -> str:
    """What all commits that are current amount to: failure, pending, success, unknown or none."""
    states = {outcome.state for outcome in _current(report)}
    if State.FAILURE in states:
        return str(State.FAILURE)
    if any(look.error for look in report.looks):
        return "unknown"
    return str(next((s for s in (State.PENDING, State.SUCCESS) if s in states), "none"))


def commit(report: Report) -> str:
    """The commit that was waited for, else the one that all objects speak of, if it is exactly one."""
    if report.answer is not None:
        return report.answer.commit
    commits = {outcome.commit for outcome in _current(report) if outcome.commit}
    return commits.pop() if len(commits) == 1 else ""


def counts(report: Report) -> dict[str, int]:
    """How many there are of what."""
    current = _current(report)
    return {
        "outcomes": len(current),
        "failed": sum(outcome.state is State.FAILURE for outcome in current),
        "delivered": sum(not delivery.error for delivery in report.deliveries),
        "undelivered": sum(bool(delivery.error) for delivery in report.deliveries),
        "planned": len(report.planned),
        "unreadable": sum(bool(look.error) for look in report.looks),
    }


def _current(report: Report) -> list[Outcome]:
    return [outcome for look in report.looks for outcome in look.outcomes if not outcome.past]


def _cluster(look: Look, failures: int | None) -> dict[str, Any]:
    return {
        "name": look.cluster,
        "error": look.error,
        "hint": look.hint,
        "warnings": list(look.warnings),
        "outcomes": [_outcome(outcome, failures) for outcome in outcomes(look)],
        "silent": _observations(look.silent if failures is None else ()),
        "kustomizations": jsonanswer.read(look) if failures is None else None,
    }


def _outcome(outcome: Outcome, failures: int | None) -> dict[str, Any]:
    said = outcome.observations
    if failures is not None:
        said = tuple(o for o in said if o.state is State.FAILURE)[:failures]
    return {
        "repository": str(outcome.repository),
        "commit": outcome.commit,
        "state": str(outcome.state),
        "past": outcome.past,
        "whole": outcome.whole,
        "observations": _observations(said),
    }


def _observations(of: Iterable[Observation]) -> list[dict[str, Any]]:
    return [
        {
            "kind": o.about.kind,
            "namespace": o.about.namespace,
            "name": o.about.name,
            "state": str(o.state),
            "reason": o.reason,
            "message": o.message,
            "revision": o.revision,
            "since": sentences.rfc3339(o.since) if o.since else None,
            "duration": o.duration,
            "past": o.past,
            "keeps": o.keeps,
            "waits_for": str(o.waits_for) if o.waits_for else None,
        }
        for o in observations(of)
    ]


def _update(update: Update) -> dict[str, Any]:
    payload = update.payload
    common: dict[str, Any] = {
        "destination": update.destination,
        "type": words(update).kind,
        "marks": [{"line": m.line, "commit": m.commit, "fingerprint": m.fingerprint} for m in update.marks],
    }
    if (where := place(payload)) is None:
        return common
    common |= {"repository": str(where[0]), "commit": where[1]}
    if isinstance(payload, CommitStatus):
        common |= {"context": payload.context, "target_url": payload.target_url}
    if isinstance(payload, Deployment):
        common |= {"environment": payload.environment, "environment_url": payload.environment_url}
    if isinstance(payload, CommitStatus | Deployment):
        common |= {"state": str(payload.state), "description": payload.description}
    return common
