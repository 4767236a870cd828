"""What GitHub's API says, and what a refusal means: in our own words, and whether it may be asked again."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from landed.errors import DeliveryError
from landed.http import LATER, Trouble, excerpt, host_of, retry_after, spoken, status_text
from landed.model import Repository, Secret

WRONG_ADDRESS = "Check --github-api-url: it ends in /api/v3 on GitHub Enterprise Server."
MAY_WRITE = (
    'In a workflow: `permissions: statuses: write`. Fine-grained token or App: "Commit statuses: read and write"'
    " on that repository. Classic token: scope `repo:status`."
)


class Task(Struct, frozen=True):
    """What GitHub is asked to do, and how an error speaks of it."""

    verb: str
    without: str
    """What is not done if this fails: ``commit statuses of acme/fleet cannot be read``."""
    repository: Repository | None
    who: str
    """``GitHub (ghes.example.com)``."""
    token: Secret


class Answer(Struct, frozen=True):
    """What the API said, unjudged."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def value(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    @property
    def message(self) -> str:
        """What GitHub says is wrong, with the details it gives."""
        value = self.value
        if not isinstance(value, dict):
            return ""
        errors = value.get("errors")
        details = [
            str(error.get("message") or error.get("code") or "") if isinstance(error, dict) else str(error)
            for error in (errors if isinstance(errors, list) else [])
        ]
        return ": ".join(str(part) for part in (value.get("message"), *details) if part)


class Refusal(Struct, frozen=True):
    """A failed try, and what may be done about it."""

    failure: DeliveryError
    again: bool = False
    asked: float | None = None
    """Seconds to wait first, where GitHub says so."""


def judge(task: Task, answer: Answer | Trouble) -> Refusal:
    """What it means that ``task`` got this answer, which is no 2xx, or none."""
    if isinstance(answer, Answer):
        refusal = _refusal(task, answer)
        if task.verb == "POST" and answer.status in (502, 504):  # a gateway speaks: behind it, it may have been done
            refusal.failure.uncertain = True
        return refusal
    uncertain = task.verb == "POST" and answer.perhaps_sent
    failure = DeliveryError(
        f"{task.who}: {task.without}: {answer.what}.", answer.hint, passing=answer.passing, uncertain=uncertain
    )
    return Refusal(failure, again=answer.passing)


def nonsense(task: Task, answer: Answer) -> DeliveryError:
    """The error that a 2xx is whose content is not GitHub's."""
    said = f"the answer ({status_text(answer.status)}) is not one of GitHub's API"
    return DeliveryError(f"{task.who}: {task.without}: {said}.", WRONG_ADDRESS)


def _refusal(task: Task, answer: Answer) -> Refusal:
    asked = _rate_limited(answer, time.time())
    if asked is not None:
        until = time.strftime("%H:%M:%S", time.gmtime(time.time() + asked))
        used_up = f"its rate limit is used up until {until} UTC, {spoken(asked)} from now"
        hint = "The update is sent by a later run."
        failure = DeliveryError(f"{task.who}: {task.without}: {used_up}.", hint, passing=True)
        return Refusal(failure, again=True, asked=asked)
    what, hint = _explain(answer, task.repository)
    said = excerpt(answer.message.encode(), (task.token.reveal(),))
    later = retry_after(answer.headers.get("retry-after", ""), time.time())
    wish = f", and asks to wait {spoken(later)}" if later else ""
    failure = DeliveryError(
        f"{task.who}: {task.without}: {what}{f' ({said})' if said else ''}{wish}.",
        hint,
        passing=answer.status >= 500 or answer.status in (408, 409),
    )
    return Refusal(failure, again=answer.status in LATER, asked=later)


def _rate_limited(answer: Answer, now: float) -> float | None:
    """Seconds to wait if this is one of GitHub's two limits, else None.

    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately
    """
    headers = answer.headers
    used_up = headers.get("x-ratelimit-remaining") == "0"
    named = "rate limit" in answer.message.lower() or "retry-after" in headers
    if answer.status != 429 and not (answer.status == 403 and (used_up or named)):
        return None
    asked = retry_after(headers.get("retry-after", ""), now)
    reset = headers.get("x-ratelimit-reset", "")
    if asked is None and used_up and reset.isascii() and reset.isdigit():
        asked = max(0.0, float(reset[:12]) - now) + 1  # somewhere within that second
    return 60.0 if asked is None else asked


def _explain(answer: Answer, repository: Repository | None) -> tuple[str, str]:
    """What a refusal means, and what to do about it."""
    said = answer.message.lower()
    if answer.status in (404, 422) and "no commit found" in said:
        return "the commit is not in that repository", (
            "It was not pushed there, or removed by a force-push, or the Flux source's URL names another repository."
        )
    if answer.status == 422 and "maximum number of statuses" in said:
        return "this commit has all the statuses GitHub allows", "GitHub takes 1000 for each commit and context."
    if answer.status == 403:
        return _forbidden(answer, said)
    if answer.status == 404 and not said:
        return "there is no GitHub API at that address", WRONG_ADDRESS
    if answer.status < 400:
        host = host_of(answer.headers.get("location", ""))
        return f"it redirects to {host or 'another place'}, which is not followed", WRONG_ADDRESS
    what, hint = _REFUSALS.get(answer.status, (f"it answered {status_text(answer.status)}", ""))
    return what.format(repository=repository), hint


_REFUSALS = {
    401: ("it does not accept the token", "The token is wrong, expired or revoked, or made for another server."),
    404: (
        "the repository {repository} does not exist, or the token cannot see it",
        "GITHUB_TOKEN sees the workflow's own repository only: for others give a token or an App's. " + MAY_WRITE,
    ),
    409: ("it is busy with another change, or the repository is empty", "The update is sent by the next run."),
    422: ("it does not take it", ""),
}


def _forbidden(answer: Answer, said: str) -> tuple[str, str]:
    if "x-github-sso" in answer.headers or "saml" in said:
        return "the organization asks for single sign-on", "Authorize the token for it in its settings on GitHub."
    if "ip allow list" in said:
        return "this machine's address is not on the organization's IP allow list", "Run where it is allowed."
    needs = excerpt(answer.headers.get("x-accepted-github-permissions", "").encode(), ())
    return "the token may not do that", MAY_WRITE + (f" GitHub asks for: {needs}." if needs else "")
