"""What Gitea's and Forgejo's API says, and what a refusal means: in our own words."""

from __future__ import annotations

import re

from landed.http import retry_after, status_text
from landed.providers.asking import Answer, Dialect, Meaning, Task

WRONG_ADDRESS = "Check the API's address: it ends in /api/v1, after the path that Gitea is installed under, if any."
MAY_WRITE = (
    "The token takes the scope `write:repository` (Repository: read and write),"
    " and its user the right to write to the repository's code."
)
MAY_COMMENT = (
    "The token takes the scopes `write:issue`, `read:repository` and `read:user`,"
    " and its user the right to read the repository's pull requests."
)
#: What is said of a server error: Gitea answers so where a commit is not there, and tells only administrators why.
INTERNAL = f"it answered {status_text(500)}"
NO_COMMIT = Meaning(
    "the commit is not in that repository",
    "It was not pushed there, or removed by a force-push, or the Flux source's URL names another repository.",
)


def dialect(may: str = MAY_WRITE) -> Dialect:
    """Gitea's, for a task that takes the rights which ``may`` describes."""
    return Dialect(lambda task, answer: _explain(task, answer, may), said, limited, WRONG_ADDRESS, "Gitea's API")


def said(answer: Answer) -> str:
    """What Gitea says is wrong, with the details it gives."""
    value = answer.value
    if not isinstance(value, dict):
        return ""
    message, errors = value.get("message"), value.get("errors")
    parts = [message, *(errors if isinstance(errors, list) else [])]
    return ": ".join(part for part in parts if isinstance(part, str) and part)


def limited(answer: Answer, now: float) -> float | None:
    """Seconds to wait if something before Gitea, which has no limits itself, limits how often it is asked."""
    return retry_after(answer.headers.get("retry-after", ""), now) if answer.status == 429 else None


def lacks_scope(answer: Answer) -> bool:
    """Whether the token is good, and has not the scope for this.

    https://docs.gitea.com/development/oauth2-provider#scopes
    """
    return answer.status == 403 and "required scope" in said(answer).lower()


def _explain(task: Task, answer: Answer, may: str) -> Meaning:
    words = said(answer).lower()
    if answer.status in (400, 404, 422, 500) and "object does not exist" in words:
        return NO_COMMIT
    if answer.status in (404, 500) and re.search(r"\b(issue|pull request) does not exist", words):
        hint = "Check the annotation event.toolkit.fluxcd.io/change_request."
        return Meaning("there is no such pull request in that repository", hint)
    if answer.status == 401:
        hint = "The token is wrong, expired or revoked, or made for another server."
        return Meaning("it does not accept the token", hint, closes="host")
    if answer.status == 403:
        return Meaning("the token may not do that", may, read_only=True, closes="repository")
    if answer.status == 404 and not words:
        return Meaning("there is no Gitea API at that address", WRONG_ADDRESS)
    if answer.status == 404:
        hint = f"Check the URL of the Flux source. {may}"
        return Meaning(f"the repository {task.repository} does not exist, or the token cannot see it", hint)
    if answer.status == 409:
        return Meaning("it is busy with another change", "The update is sent by the next run.")
    if answer.status == 422:
        return Meaning("it does not take it")
    if answer.status == 423:
        return Meaning("the repository is archived", "Nothing can be written there any more.", closes="repository")
    return Meaning(INTERNAL if answer.status == 500 else f"it answered {status_text(answer.status)}")
