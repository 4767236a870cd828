"""What GitLab's API says, and what a refusal means: in our own words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from landed.http import retry_after, status_text
from landed.providers.asking import Answer, Dialect, Meaning, Task

WRONG_ADDRESS = "Check the address that --git-host gives: a relative root is a part of it."
MOVED = "Give the Flux source the project's new URL."


class Right(Struct, frozen=True):
    """What a task takes, as an error and the examination speak of it."""

    to: str
    """``write commit statuses``."""
    role: str
    """The least role that has it: ``Developer``."""
    level: int
    """Its access level: https://docs.gitlab.com/api/access_requests/#valid-access-levels"""

    @property
    def hint(self) -> str:
        """What to give."""
        return (
            f"To {self.to} the token needs the scope `api`, and the role {self.role} or more in the project: a project"
            " or group access token, or a personal one."
        )


MAY_SET_STATUS = Right("write commit statuses", "Developer", 30)
MAY_DEPLOY = Right("write deployments", "Developer", 30)
MAY_COMMENT = Right("comment on merge requests", "Reporter", 20)
JOBS_ELSEWHERE = (
    "CI_JOB_TOKEN sees other projects only if their job token permissions allow it: Settings > CI/CD > Job token"
    " permissions."
)


def dialect(right: Right = MAY_SET_STATUS, *, job_token: bool = False) -> Dialect:
    """GitLab's, for a task that takes ``right``."""
    hint = f"{JOBS_ELSEWHERE} Who has started the job needs the role {right.role}." if job_token else right.hint
    return Dialect(lambda task, answer: _explain(task, answer, hint), said, limited, WRONG_ADDRESS, "GitLab's API")


def said(answer: Answer) -> str:
    """What GitLab says is wrong: ``message``, which may be nested, or ``error`` with its description."""
    value = answer.value
    if not isinstance(value, dict):
        return ""
    told = value.get("message") or value.get("error")
    more = value.get("error_description")
    return ": ".join(part for part in ("; ".join(_flat(told)), more if isinstance(more, str) else "") if part)


def limited(answer: Answer, now: float) -> float | None:
    """Seconds to wait if this is a rate limit's answer, else None.

    https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers
    """
    if answer.status != 429:
        return None
    asked = retry_after(answer.headers.get("retry-after", ""), now)
    reset = answer.headers.get("ratelimit-reset", "")
    if asked is None and reset.isascii() and reset.isdigit():
        asked = max(0.0, float(reset[:12]) - now) + 1  # somewhere within that second
    return 60.0 if asked is None else asked


def stuck_in(answer: Answer) -> str:
    """The state that GitLab does not let a status leave in the way that was asked for; empty for other answers.

    ``Cannot transition status via :enqueue from :pending (Reason(s): …)``
    """
    found = re.match(r"Cannot transition status via :\w+ from :(\w+)", said(answer)) if answer.status == 400 else None
    return found[1] if found else ""


def _flat(value: Any, name: str = "", depth: int = 0) -> Iterator[str]:
    """``{"name": ["is too long"]}`` as ``name is too long``."""
    if isinstance(value, Mapping) and depth < 4:
        for key, inner in value.items():
            yield from _flat(inner, str(key), depth + 1)
    elif isinstance(value, list) and depth < 4:
        for inner in value:
            yield from _flat(inner, name, depth + 1)
    elif isinstance(value, str) and value:
        yield f"{name} {value}".strip()


def _explain(task: Task, answer: Answer, hint: str) -> Meaning:
    words = said(answer).lower()
    if answer.status == 401:
        wrong = "The token is wrong, expired or revoked, or made for another server."
        return Meaning("it does not accept the token", wrong, closes="host")
    if answer.status == 403:
        return _forbidden(words, hint)
    if answer.status == 404:
        return _missing(task, words, hint)
    if answer.status == 405 and "moved" in words:
        return Meaning("the project has been moved, and nothing is taken under its old path", MOVED)
    if answer.status == 409:
        return Meaning("another update of that commit is in progress", "The update is sent by a later run.", again=True)
    if stuck_in(answer):
        what = f"GitLab holds it as {stuck_in(answer)}, and does not let it go on from there"
        return Meaning(what, "Somebody else has written it too, or it was canceled by hand.")
    if answer.status in (400, 413, 422):
        return Meaning("it does not take it")
    return Meaning(f"it answered {status_text(answer.status)}")


def _forbidden(words: str, hint: str) -> Meaning:
    if "insufficient_scope" in words:
        return Meaning("the token may not do that: it lacks a scope", hint, read_only=True, closes="repository")
    if "ip address" in words or "ip restriction" in words:
        return Meaning("this machine's address is not allowed there", "Run where it is allowed.")
    return Meaning("the token may not do that", hint, read_only=True, closes="repository")


def _missing(task: Task, words: str, hint: str) -> Meaning:
    if "references for commit" in words:
        return Meaning("the commit is on no branch of that repository", "Its branch was deleted or force-pushed.")
    if "commit not found" in words:
        gone = "It was not pushed there, or removed by a force-push, or the Flux source's URL names another repository."
        return Meaning("the commit is not in that repository", gone)
    if not words:
        return Meaning("there is no GitLab API at that address", WRONG_ADDRESS)
    if "job token" in words:  # it names the projects, and which one has to allow it
        return Meaning(f"{task.repository} does not allow this job's token", JOBS_ELSEWHERE)
    where = f"the repository {task.repository}" if task.repository else "what was asked for"
    return Meaning(f"{where} does not exist, or the token cannot see it", hint)
