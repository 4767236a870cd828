"""What a GitHub workflow gets from a run: step outputs, the job's summary, and marks on the run.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import islice

from landed.model import Report
from landed.reports import jsonreport, markdown
from landed.reports.commands import harmless
from landed.reports.console import Console
from landed.reports.marks import marks
from landed.reports.rows import plain
from landed.reports.standings import LOST, standings

#: Every step output, and what it holds. ``action.yml`` declares exactly these.
OUTPUTS = {
    "state": "What all commits amount to: failure, pending, success, unknown (a cluster could not be read) or none.",
    "commit": "The commit that this run speaks of, if it is exactly one.",
    "outcomes": "How many outcomes there are: commits, counted on each cluster.",
    "verdict": "What became of the commit that was waited for: live, failed, waiting or diverged; else empty.",
    "applied_commit": "The one commit that everything live has applied, where a commit was waited for.",
    "failed": "How many outcomes are failures.",
    "failed_objects": "What has failed, one per line: CLUSTER KIND/NAMESPACE/NAME.",
    "delivered": "How many updates were delivered.",
    "undelivered": "How many updates could not be delivered.",
    "exit_code": "The exit code of the run.",
    "json": "The whole report as JSON (schema landed.report/1); without what is live where it would be too long.",
}

#: A step output longer than this breaks whoever takes it in.
MOST_JSON = 900_000
#: More objects than this are never written in so few bytes.
MOST_OBJECTS = 4_000
#: Objects that an output names: their names are as long as anybody likes to make them.
MOST_NAMED = 1_000


def publish(report: Report, environ: Mapping[str, str], console: Console) -> None:
    """Write the step outputs and the summary to the files that ``environ`` names, and mark the run.

    A file that is missing or cannot be written is a warning.
    """
    report = console.hidden(report)
    _append(environ.get("GITHUB_OUTPUT", ""), "the step outputs", written_outputs(outputs(report)), console)
    summary = environ.get("GITHUB_STEP_SUMMARY", "")
    room = markdown.MOST_BYTES - _size(summary)
    _append(summary, "the job's summary", markdown.within(report, room) if room > 1000 else "", console)
    for mark in marks(report, environ):
        console.annotate(mark.level, mark.message, mark.title, mark.file)


def outputs(report: Report) -> dict[str, str]:
    """The value of every step output."""
    counts = jsonreport.counts(report)
    answer = report.answer
    failed = (f"{one.cluster} {one.about}" for one in standings(report) if one.state in LOST)
    return {
        "state": jsonreport.state(report),
        "commit": jsonreport.commit(report),
        "outcomes": str(counts["outcomes"]),
        "verdict": str(answer.verdict) if answer else "",
        "applied_commit": answer.applied if answer else "",
        "failed": str(counts["failed"]),
        "failed_objects": "\n".join(plain(one) for one in islice(failed, MOST_NAMED)),
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


def _json(report: Report) -> str:
    """The report in one line, and shorter where it would be too long: failures only, or the counts alone."""
    objects = sum(len(outcome.observations) for look in report.looks for outcome in look.outcomes)
    objects += len(report.answer.standings) if report.answer else 0
    objects += sum(len(look.read.kustomizations) for look in report.looks if look.read)
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
    if short["answer"]:
        counts["answer"] = short["answer"] | {"standings": [], "notes": [], "unread": []}
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
