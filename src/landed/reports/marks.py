"""What a GitHub workflow's run is marked with: what went wrong, the most important first, and where that is in the
repository.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message
"""

# pathlib would be loaded for these few lines alone.
# ruff: noqa: PTH113, PTH118

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from msgspec import Struct

from landed import render
from landed.model import Observation, Outcome, Report, Repository, Standing, State, Verdict
from landed.reports import answers
from landed.reports.rows import label, observations, outcomes
from landed.reports.standings import called, kustomizations, roots, why

_ENTRIES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


class Mark(Struct, frozen=True):
    """One annotation, not cleaned."""

    level: str
    """``error`` or ``warning``."""
    title: str
    message: str
    file: str = ""
    """Where it is in the repository of the workflow; empty where that is not known."""


def marks(report: Report, environ: Mapping[str, str]) -> Iterator[Mark]:
    """All of them. ``environ`` names the workflow's repository and where it is checked out."""
    for look in report.looks:
        if look.error:
            yield Mark("error", f"{look.cluster} could not be read", _with(look.error, look.hint))
    if report.answer is not None:
        yield from _of_answer(report, environ)
    else:
        yield from _of_outcomes(report, environ)
    for delivery in report.deliveries:
        if delivery.error and not delivery.read_only:
            yield Mark("error", f"Not delivered to {delivery.update.destination}", _with(delivery.error, delivery.hint))
    for look in report.looks:
        for o in observations(look.silent):
            if o.state is State.FAILURE and report.answer is None:
                yield Mark("warning", f"{render.name(o)} is failing on {look.cluster}", _said(o))
    for warning in report.warnings:
        yield Mark("warning", "", warning)


def place(path: str, environ: Mapping[str, str]) -> str:
    """The file that a Kustomization's ``spec.path`` means, relative to the repository's root; empty if it has none.

    That is the folder's ``kustomization.yaml`` where there is one in the workspace, else the folder. Whatever leads out
    of the workspace, by dots or by a link, is nothing.
    """
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or any("\0" in part for part in parts):
        return ""
    folder = "/".join(parts)
    workspace = environ.get("GITHUB_WORKSPACE", "")
    if not workspace:
        return folder
    root = os.path.realpath(workspace)
    inside = os.path.realpath(os.path.join(root, folder))
    if inside != root and not inside.startswith(root.rstrip("/") + "/"):
        return ""
    found = next((name for name in _ENTRIES if os.path.isfile(os.path.join(inside, name))), "")
    return "/".join(filter(None, (folder, found)))


def _of_answer(report: Report, environ: Mapping[str, str]) -> Iterator[Mark]:
    """The answer, if it is a bad one, and what has failed or is missing, but for what depends on that."""
    answer = report.answer
    if answer is None or answer.verdict is Verdict.LIVE:
        return
    if answer.verdict is Verdict.WAITING and not answer.timed_out:
        return
    yield Mark("error", "", answers.headline(answer))
    causes = {(one.cluster, one.about): one for one in report.explanations}
    for one in roots(answers.missing(answer)):
        cause = causes.get((one.cluster, one.about))
        said = "\n".join((cause.message or cause.reason, *answers.details(cause))) if cause else why(one, 1000)
        title = f"{called(one.about)} {_WORDS.get(one.state, one.state)} {one.cluster}"
        file = _file(report, one, answer.repository, environ)
        yield Mark("error", title, f"{called(one.about)} on {one.cluster}: {said}", file)


_WORDS = {"failed": "failed on", "waiting": "is still missing on", "diverged": "can no longer bring the commit to"}


def _of_outcomes(report: Report, environ: Mapping[str, str]) -> Iterator[Mark]:
    found = [(look.cluster, outcome) for look in report.looks for outcome in outcomes(look) if not outcome.past]
    for cluster, outcome in found:
        if outcome.state is State.FAILURE:
            failed = [o for o in observations(outcome.observations) if o.state is State.FAILURE]
            standing = Standing(cluster, failed[0].about, Verdict.FAILED)
            file = _file(report, standing, outcome.repository, environ)
            title = f"{outcome.repository.path} {label(outcome)} failed on {cluster}"
            yield Mark("error", title, _failures(outcome), file)


def _file(report: Report, one: Standing, repository: Repository, environ: Mapping[str, str]) -> str:
    """Where ``one`` is in the workflow's own repository. Of another one there is nothing to point at."""
    if repository.path.lower() != environ.get("GITHUB_REPOSITORY", "").lower():
        return ""
    paths = {(e.cluster, e.about): e.path for e in report.explanations if e.path}
    for look in report.looks:
        paths |= {(look.cluster, k.ref): k.path for k in kustomizations(look) if look.cluster == one.cluster and k.path}
    path = paths.get((one.cluster, one.about), "")
    return place(path, environ) if path else ""


def _failures(outcome: Outcome) -> str:
    failed = [o for o in observations(outcome.observations) if o.state is State.FAILURE]
    return "\n".join(f"{render.name(o)}: {_said(o)}" for o in failed)


def _said(observation: Observation) -> str:
    return render.say(observation, 1000)


def _with(message: str, hint: str) -> str:
    return f"{message}\n{hint}" if hint else message
