"""What Azure DevOps' API says, and what a refusal means: in our own words."""

from __future__ import annotations

import re
from urllib.parse import unquote

from landed.http import retry_after, status_text
from landed.providers.asking import Answer, Dialect, Meaning, Task

WRONG_ADDRESS = (
    "Check the address given with --git-host: https://dev.azure.com, or on premises the server's, up to the collection."
)
MAY_WRITE = (
    'Personal access token: scope "Code (status)" or "Code (read & write)". Its user, or for System.AccessToken the'
    ' build service\'s identity, needs "Contribute" on the repository (Project settings, Repositories, Security).'
)
_SHA = re.compile(r"\b[0-9a-f]{40}\b")
#: The exceptions that speak of a commit, and those that speak of what it would be in.
_NO_COMMIT = frozenset({"GitCommitDoesNotExistException", "GitUnresolvableToCommitException"})
_NO_PLACE = frozenset({"GitRepositoryNotFoundException", "ProjectDoesNotExistWithNameException"})


def said(answer: Answer) -> str:
    """What Azure DevOps says is wrong: in the body, or with a page that is made for people, in a header."""
    value = answer.value
    if isinstance(value, dict):
        return str(value.get("message") or "")
    return unquote(answer.headers.get("x-tfs-serviceerror", ""))


def limited(answer: Answer, now: float) -> float | None:
    """Seconds to wait if this is a rate limit, else None.

    https://learn.microsoft.com/en-us/azure/devops/integrate/concepts/rate-limits
    """
    if answer.status != 429:
        return None
    asked = retry_after(answer.headers.get("retry-after", ""), now)
    return 60.0 if asked is None else asked


def no_such_commit(answer: Answer) -> bool:
    """Whether it says that the repository is there and the commit is not."""
    value = answer.value
    key = str(value.get("typeKey") or "") if isinstance(value, dict) else ""
    if answer.status not in (400, 404) or key in _NO_PLACE:
        return False
    return key in _NO_COMMIT or (answer.status == 404 and bool(_SHA.search(said(answer))))


def _explain(task: Task, answer: Answer) -> Meaning:
    words = said(answer).lower()
    if answer.status in (401, 403):
        return _denied(answer, words)
    if no_such_commit(answer):
        hint = "It was not pushed there, or removed by a force-push, or the Flux source's URL names another repository."
        return Meaning("the commit is not in that repository", hint)
    if answer.status == 404 and not words:
        what = "there is no such organization or collection, or no Azure DevOps at that address"
        return Meaning(what, WRONG_ADDRESS)
    if answer.status == 404:
        hint = (
            'The token\'s user must see it, with "Read" on the repository; System.AccessToken sees other projects only'
            " where the project's settings let it. " + MAY_WRITE
        )
        return Meaning(f"the repository {task.repository} does not exist, or the token cannot see it", hint)
    if answer.status == 400 and ("out of range" in words or "api version" in words):
        return Meaning("it does not know version 5.0 of the API", "Azure DevOps Server 2019 or a later one is needed.")
    if answer.status == 409:
        return Meaning("it is busy with another change", "The update is sent by the next run.")
    if answer.status in (400, 422):
        return Meaning("it does not take it")
    return Meaning(f"it answered {status_text(answer.status)}")


def _denied(answer: Answer, words: str) -> Meaning:
    """A token is made for one organization: what one refuses, another on the same host may take."""
    if "conditional access" in words:
        hint = "Run where the policy allows it, or have the token's user exempted from it."
        return Meaning("a conditional access policy of the organization refuses it", hint, closes="repository")
    if answer.status == 401:
        hint = "The token is wrong, expired or revoked, made for another organization, or lacks the scope. " + MAY_WRITE
        return Meaning("it does not accept the token", hint, closes="repository")
    return Meaning("the token may not do that", MAY_WRITE, read_only=True, closes="repository")


DIALECT = Dialect(_explain, said, limited, WRONG_ADDRESS, "Azure DevOps' API")
