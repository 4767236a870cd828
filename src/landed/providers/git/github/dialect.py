"""What GitHub's API says, and what a refusal means: in our own words."""

from __future__ import annotations

from msgspec import Struct

from landed.http import excerpt, retry_after, status_text
from landed.providers.asking import Answer, Dialect, Meaning, Task

WRONG_ADDRESS = (
    "Check --github-api-url: it ends in /api/v3 on GitHub Enterprise Server,"
    " and begins with https://api.TENANT on GHE.com."
)
MAY_WRITE = (
    'In a workflow: `permissions: statuses: write`. Fine-grained token or App: "Commit statuses: read and write"'
    " on that repository. Classic token: scope `repo:status`."
)


class Right(Struct, frozen=True):
    """What a token must be allowed to, as far as GitHub shows it without a write."""

    permission: str
    """As the API calls it: ``statuses``."""
    what: str
    """As a sentence has it: ``write commit statuses``."""
    hint: str
    """How each kind of token gets it."""
    scopes: frozenset[str] = frozenset()
    """Of classic tokens: any of these is enough."""
    public_scopes: frozenset[str] = frozenset()
    """Of classic tokens: any of these is enough, too, on a public repository."""


STATUSES = Right(
    "statuses",
    "write commit statuses",
    MAY_WRITE,
    frozenset({"repo", "repo:status"}),
    frozenset({"public_repo"}),
)


def dialect(may_write: str = MAY_WRITE) -> Dialect:
    """GitHub's, for a task that takes the right which ``may_write`` describes."""
    return Dialect(lambda task, answer: _explain(task, answer, may_write), said, limited, WRONG_ADDRESS, "GitHub's API")


def said(answer: Answer) -> str:
    """What GitHub says is wrong, with the details it gives."""
    value = answer.value
    if not isinstance(value, dict):
        return ""
    errors = value.get("errors")
    details = [
        str(error.get("message") or error.get("code") or "") if isinstance(error, dict) else str(error)
        for error in (errors if isinstance(errors, list) else [])
    ]
    return ": ".join(str(part) for part in (value.get("message"), *details) if part)


def limited(answer: Answer, now: float) -> float | None:
    """Seconds to wait if this is one of GitHub's two limits, else None.

    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately
    """
    headers = answer.headers
    used_up = headers.get("x-ratelimit-remaining") == "0"
    words = said(answer).lower()
    named = "rate limit" in words or "abuse detection" in words or "retry-after" in headers
    if answer.status != 429 and not (answer.status == 403 and (used_up or named)):
        return None
    asked = retry_after(headers.get("retry-after", ""), now)
    reset = headers.get("x-ratelimit-reset", "")
    if asked is None and used_up and reset.isascii() and reset.isdigit():
        asked = max(0.0, float(reset[:12]) - now) + 1  # somewhere within that second
    return 60.0 if asked is None else asked


def _explain(task: Task, answer: Answer, may_write: str) -> Meaning:
    words = said(answer).lower()
    if answer.status in (404, 422) and ("no commit found" in words or "no ref found" in words):
        hint = "It was not pushed there, or removed by a force-push, or the Flux source's URL names another repository."
        return Meaning("the commit is not in that repository", hint)
    if answer.status == 422 and "maximum number of statuses" in words:
        what = "this commit has all the statuses GitHub allows"
        return Meaning(what, "GitHub takes 1000 for each commit and context.")
    if answer.status == 403:
        return _forbidden(task, answer, words, may_write)
    if answer.status == 404 and not words:
        return Meaning("there is no GitHub API at that address", WRONG_ADDRESS)
    if answer.status == 401:
        hint = "The token is wrong, expired or revoked, or made for another server."
        return Meaning("it does not accept the token", hint, closes="host")
    if answer.status == 404:
        hint = (
            "GITHUB_TOKEN sees the workflow's own repository only: for others give a token, or an App installed there. "
        )
        what = f"the repository {task.repository} does not exist, or the token cannot see it"
        return Meaning(what, hint + may_write)
    if answer.status == 409:
        hint = "The update is sent by the next run."
        return Meaning("it is busy with another change, or the repository is empty", hint)
    if answer.status == 422:
        return Meaning("it does not take it")
    return Meaning(f"it answered {status_text(answer.status)}")


def _forbidden(task: Task, answer: Answer, words: str, may_write: str) -> Meaning:
    if "x-github-sso" in answer.headers or "saml" in words:
        return Meaning(
            "the organization asks for single sign-on", "Authorize the token for it in its settings on GitHub."
        )
    if "ip allow list" in words:
        return Meaning("this machine's address is not on the organization's IP allow list", "Run where it is allowed.")
    if "archived" in words:
        hint = "Unarchive it, or leave its Flux source out."
        return Meaning(f"the repository {task.repository} is archived", hint, closes="repository")
    needs = excerpt(answer.headers.get("x-accepted-github-permissions", "").encode(), ())
    hint = may_write + (f" GitHub asks for: {needs}." if needs else "")
    return Meaning("the token may not do that", hint, read_only=True, closes="repository")
