"""What a GitHub workflow gets from a run: step outputs, the job's summary, and marks on the run.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from landed import render
from landed.model import Observation, Outcome, Report, State
from landed.reports import jsonreport, markdown
from landed.reports.commands import harmless
from landed.reports.console import Console
from landed.reports.rows import label, observations, outcomes

#: Every step output, and what it holds. ``action.yml`` declares exactly these.
OUTPUTS = {
    "state": "What all commits amount to: failure, pending, success, unknown (a cluster could not be read) or none.",
    "commit": "The commit that this run speaks of, if it is exactly one.",
    "outcomes": "How many outcomes there are: commits, counted on each cluster.",
    "failed": "How many outcomes are failures.",
    "delivered": "How many updates were delivered.",
    "undelivered": "How many updates could not be delivered.",
    "exit_code": "The exit code of the run.",
    "json": "The whole report as JSON (schema landed.report/1); without what is live where it would be too long.",
}

#: A step output longer than this breaks whoever takes it in.
MOST_JSON = 900_000
#: More objects than this are never written in so few bytes.
MOST_OBJECTS = 4_000


def publish(report: Report, environ: Mapping[str, str], console: Console) -> None:
    """Write the step outputs and the summary to the files that ``environ`` names, and mark the run.

    A file that is missing or cannot be written is a warning.
    """
    report = console.hidden(report)
    _append(environ.get("GITHUB_OUTPUT", ""), "the step outputs", written_outputs(outputs(report)), console)
    summary = environ.get("GITHUB_STEP_SUMMARY", "")
    room = markdown.MOST_BYTES - _size(summary)
    _append(summary, "the job's summary", markdown.within(report, room) if room > 1000 else "", console)
    for level, title, message in remarks(report):
        console.annotate(level, message, title)


def outputs(report: Report) -> dict[str, str]:
    """The value of every step output."""
    counts = jsonreport.counts(report)
    commits = {o.commit for look in report.looks for o in look.outcomes if o.commit and not o.past}
    return {
        "state": jsonreport.state(report),
        "commit": commits.pop() if len(commits) == 1 else "",
        "outcomes": str(counts["outcomes"]),
        "failed": str(counts["failed"]),
        "delivered": str(counts["delivered"]),
        "undelivered": str(counts["undelivered"]),
        "exit_code": str(report.exit_code),
        "json": _json(report),
    }


def written_outputs(values: Mapping[str, str]) -> str:
    """Outputs as the runner reads them. Each value ends at a line that nobody could have known beforehand."""
    text = ""
    for name, value in values.items():
        end = f"landed_{os.urandom(16).hex()}"
        text += f"{name}<<{end}\n{value}\n{end}\n"
    return text


def remarks(report: Report) -> Iterator[tuple[str, str, str]]:
    """(level, title, message), the most important first."""
    for look in report.looks:
        if look.error:
            yield "error", f"{look.cluster} could not be read", _with(look.error, look.hint)
    found = [(look.cluster, outcome) for look in report.looks for outcome in outcomes(look) if not outcome.past]
    for cluster, outcome in found:
        if outcome.state is State.FAILURE:
            yield "error", f"{outcome.repository.path} {label(outcome)} failed on {cluster}", _failures(outcome)
    for delivery in report.deliveries:
        if delivery.error and not delivery.read_only:
            yield "error", f"Not delivered to {delivery.update.destination}", _with(delivery.error, delivery.hint)
    for look in report.looks:
        for o in observations(look.silent):
            if o.state is State.FAILURE:
                yield "warning", f"{render.name(o)} is failing on {look.cluster}", _said(o)
    for warning in report.warnings:
        yield "warning", "", warning


def _failures(outcome: Outcome) -> str:
    failed = [o for o in observations(outcome.observations) if o.state is State.FAILURE]
    return "\n".join(f"{render.name(o)}: {_said(o)}" for o in failed)


def _said(observation: Observation) -> str:
    return render.say(observation, 1000)


def _with(message: str, hint: str) -> str:
    return f"{message}\n{hint}" if hint else message


def _json(report: Report) -> str:
    """The report in one line, and shorter where it would be too long: failures only, or the counts alone."""
    objects = sum(len(outcome.observations) for look in report.looks for outcome in look.outcomes)
    if objects <= MOST_OBJECTS:
        text = jsonreport.written(jsonreport.value(report))
        if len(text.encode()) <= MOST_JSON:
            return text
    short = jsonreport.value(report, failures=100) | {
        "complete": False,
        "deliveries": [],
        "planned": [],
        "warnings": [],
        "notes": [],
    }
    text = jsonreport.written(short)
    if len(text.encode()) <= MOST_JSON:
        return text
    counts = {key: short[key] for key in ("schema", "exit_code", "state", "counts", "complete")}
    return jsonreport.written(counts)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size if path else 0  # noqa: PTH116 — pathlib would be loaded for this alone
    except OSError:
        return 0


def _append(path: str, what: str, text: str, console: Console) -> None:
    if not path or not text:
        return
    try:
        # The runner makes these files: one that is missing would not be read, either.
        with open(os.open(path, os.O_WRONLY | os.O_APPEND), "a", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            file.write(text)
    except OSError as error:
        console.warn(f"{what[:1].upper()}{what[1:]} could not be written to {harmless(path)}: {error.strerror}.")
