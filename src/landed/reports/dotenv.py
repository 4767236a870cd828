"""A report as variables for later jobs of a GitLab pipeline: ``artifacts:reports:dotenv``. No I/O.

GitLab takes ``NAME=value`` a line and nothing else: no empty line, no comment, no quotes, no value of two lines, 5 KB
in all and as few as twenty variables; it expands ``$`` in values. https://docs.gitlab.com/ci/variables/dotenv_variables/
So values hold letters, digits and ``. _ / : @ , + -`` alone, and anything else is ``_``.

None of the names is one of our own options: GitLab sets them above a job's variables, and a later ``landed`` must not
take the answer to one question for another question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from landed.model import Report
from landed.reports import jsonreport
from landed.reports.interface import View
from landed.reports.standings import LOST, called, standings

#: GitLab wants less than 5,120 bytes in all. Names beyond this are left out; ``LANDED_FAILED_COUNT`` counts them, too.
MOST_NAMES = 3000
#: GitLab takes no longer URL for an environment.
MOST_URL = 255
_MOST = 300
_UNSAFE = re.compile(r"[^A-Za-z0-9._/:@+-]+")


def render(report: Report, view: View) -> str:
    """All variables, always the same ones. ``view.environment_url`` is the template of the last one."""
    return "".join(f"{name}={text}\n" for name, text in variables(report, view.environment_url).items())


def variables(report: Report, environment_url: str = "") -> Mapping[str, str]:
    """Name → value.

    ``LANDED_VERDICT`` is empty where no commit was waited for, ``LANDED_DEPLOYED_URL`` where there is no URL, or one
    that ``environment:url`` does not take.
    """
    answer = report.answer
    lost = tuple(one for one in standings(report) if one.state in LOST)
    return {
        "LANDED_VERDICT": str(answer.verdict) if answer else "",
        "LANDED_STATE": jsonreport.state(report),
        "LANDED_VERDICT_COMMIT": _safe(jsonreport.commit(report)),
        "LANDED_APPLIED_COMMIT": _safe(answer.applied) if answer else "",
        "LANDED_FAILED": _names(f"{one.cluster}/{called(one.about).replace(' ', '/')}" for one in lost),
        "LANDED_FAILED_COUNT": str(len(lost)),
        "LANDED_TIMED_OUT": "true" if answer and answer.timed_out else "false",
        "LANDED_EXIT_CODE": str(report.exit_code),
        "LANDED_DEPLOYED_URL": _url(report, environment_url),
    }


def _safe(text: str) -> str:
    return _UNSAFE.sub("_", text)[:_MOST]


def _names(found: Iterable[str]) -> str:
    """Whole names, with commas between, as many as there is room for."""
    kept: list[str] = []
    left = MOST_NAMES
    for name in map(_safe, found):
        left -= len(name) + 1
        if left < 0:
            break
        kept.append(name)
    return ",".join(kept)


def _url(report: Report, template: str) -> str:
    """The template filled in, where all clusters have the same and it is a web address."""
    if not template:
        return ""
    from urllib.parse import quote, urlsplit

    from landed.plan.wording import filled

    repository = report.answer.repository.path if report.answer else ""
    clusters = {look.cluster for look in report.looks} or {""}
    commit = jsonreport.commit(report)
    wanted = {"{cluster}": len(clusters) == 1, "{commit}": bool(commit), "{repository}": bool(repository)}
    if any(part in template and not known for part, known in wanted.items()):
        return ""
    url = quote(filled(template, min(clusters), repository, commit), safe="/:?&=#%@+,;~!()*[]", errors="replace")
    try:
        usable = urlsplit(url).scheme in ("http", "https") and len(url) <= MOST_URL
    except ValueError:
        usable = False
    return url if usable else ""
