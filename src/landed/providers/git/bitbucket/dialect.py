"""What Bitbucket Cloud's API says, and what a refusal means: in our own words."""

from __future__ import annotations

from typing import Any

from landed.http import excerpt, retry_after, status_text
from landed.providers.asking import Answer, Dialect, Meaning, Task

WRONG_ADDRESS = "Check the API's address: it is https://api.bitbucket.org/2.0, unless a proxy stands before it."
MAY_WRITE = (
    "Build statuses take the scope `repository` (access token, app password) or `read:repository:bitbucket` (API token)"
    " and access to the repository; only who wrote a status, or an admin of the repository, may change it."
)
#: Seconds to wait where the limit, which is one for a sliding hour, does not say how long.
PAUSE = 60.0


def error_of(answer: Answer) -> dict[str, Any]:
    """The member ``error`` of a refusal; empty where the answer is not one of Bitbucket's refusals."""
    value = answer.value
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) else {}


def said(answer: Answer) -> str:
    """What Bitbucket says is wrong, with the fields it does not take.

    https://developer.atlassian.com/cloud/bitbucket/rest/intro/#standardized-error-responses
    """
    error = error_of(answer)
    message, detail, fields = error.get("message"), error.get("detail"), error.get("fields")
    known = str(message or "")
    parts = [known, detail if isinstance(detail, str) else ""]
    for name, problems in fields.items() if isinstance(fields, dict) else ():
        listed = problems if isinstance(problems, list) else [problems]
        parts += [f"{name}: {problem}" for problem in listed if str(problem) not in known]
    return "; ".join(part for part in parts if part)


def limited(answer: Answer, now: float) -> float | None:
    """Seconds to wait if this is the rate limit, else None.

    https://support.atlassian.com/bitbucket-cloud/docs/api-request-limits/
    """
    if answer.status != 429:
        return None
    asked = retry_after(answer.headers.get("retry-after", ""), now)
    return PAUSE if asked is None else asked


def explain(task: Task, answer: Answer) -> Meaning:
    """What it means that ``task`` was refused with ``answer``."""
    if answer.status == 401:
        hint = "Give an access token as it is, or an API token that has scopes as EMAIL:TOKEN. It may have expired."
        return Meaning("it does not accept the token", hint, closes="host")
    if answer.status == 403:
        asks = _asked_for(answer)
        hint = MAY_WRITE + (f" Bitbucket asks for: {asks}." if asks else "")
        return Meaning("the token may not do that", hint, read_only=True, closes="repository")
    if answer.status == 404:
        return _not_found(task, answer)
    if answer.status == 409:
        return Meaning("it is busy with another change", "The update is sent by the next run.")
    if answer.status in (400, 422):
        return Meaning("it does not take it")
    return Meaning(f"it answered {status_text(answer.status)}")


def _not_found(task: Task, answer: Answer) -> Meaning:
    words = said(answer).lower()
    data = error_of(answer).get("data")
    if "commit not found" in words or (isinstance(data, dict) and "shas" in data):
        hint = "It was not pushed there, or removed by a force-push, or the Flux source's URL names another repository."
        return Meaning("the commit is not in that repository", hint)
    if not words or "no api hosted" in words:
        return Meaning("there is no Bitbucket API at that address", WRONG_ADDRESS)
    return Meaning(f"the repository {task.repository} does not exist, or the token cannot see it", MAY_WRITE)


def _asked_for(answer: Answer) -> str:
    """The scopes that Bitbucket names as missing, fit for a message."""
    detail = error_of(answer).get("detail")
    required = detail.get("required") if isinstance(detail, dict) else None
    named = ", ".join(map(str, required)) if isinstance(required, list) else ""
    return excerpt((named or answer.headers.get("x-accepted-oauth-scopes", "")).encode(), ())


DIALECT = Dialect(explain, said, limited, WRONG_ADDRESS, "Bitbucket Cloud's API")
