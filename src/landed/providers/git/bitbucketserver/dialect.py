"""What the API of Bitbucket Server and Data Center says, and what a refusal means: in our own words."""

from __future__ import annotations

from landed.http import retry_after, status_text
from landed.providers.asking import Answer, Dialect, Meaning, Task

WRONG_ADDRESS = (
    "Check the address of the API: the server's own, its context path included, then /rest."
    " Build statuses of a repository are there since Bitbucket Server 7.4."
)
MAY_WRITE = "Build statuses take `Repository read` (REPO_READ), for an HTTP access token and for its user."
#: Seconds to wait where the limit, a bucket that fills every few seconds, does not say how long.
PAUSE = 10.0


def said(answer: Answer) -> str:
    """What Bitbucket says is wrong.

    https://developer.atlassian.com/server/bitbucket/rest/v905/intro/#errors---validation
    """
    return "; ".join(str(error["message"]) for error in _errors(answer) if error.get("message"))


def limited(answer: Answer, now: float) -> float | None:
    """Seconds to wait if this is the rate limit, else None.

    https://confluence.atlassian.com/bitbucketserver/improving-instance-stability-with-rate-limiting-976171954.html
    """
    if answer.status != 429:
        return None
    asked = retry_after(answer.headers.get("retry-after", ""), now)
    return PAUSE if asked is None else asked


def explain(task: Task, answer: Answer) -> Meaning:
    """What it means that ``task`` was refused with ``answer``.

    A refusal of rights is a 401, too, as documented; but then Bitbucket names the user that it has recognised.
    """
    if answer.status == 403 or (answer.status == 401 and answer.headers.get("x-ausername", "").strip()):
        return Meaning("the token may not do that", MAY_WRITE, read_only=True, closes="repository")
    if answer.status == 401:
        hint = "Give an HTTP access token as it is, or a user and password as USER:PASSWORD. It may have expired."
        return Meaning("it does not accept the token", hint, closes="host")
    if "NoSuchCommitException" in _exceptions(answer):
        hint = "It was not pushed there, or removed by a force-push, or the Flux source's URL names another repository."
        return Meaning("the commit is not in that repository", hint)
    if answer.status == 404 and not _errors(answer):
        return Meaning("there is no Bitbucket Server 7.4 or later at that address", WRONG_ADDRESS)
    if answer.status == 404:
        what = f"the repository {task.repository} does not exist, or the token cannot see it"
        return Meaning(what, MAY_WRITE)
    if answer.status == 409:
        return Meaning("it is busy with another change", "The update is sent by the next run.")
    if answer.status in (400, 422):
        return Meaning("it does not take it", "The state CANCELLED, for a superseded commit, is known since 8.0.")
    return Meaning(f"it answered {status_text(answer.status)}")


def _errors(answer: Answer) -> list[dict[str, object]]:
    value = answer.value
    errors = value.get("errors") if isinstance(value, dict) else None
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _exceptions(answer: Answer) -> set[str]:
    """The names of the exceptions that Bitbucket's errors come from, without their packages."""
    return {str(error.get("exceptionName", "")).rpartition(".")[2] for error in _errors(answer)}


DIALECT = Dialect(explain, said, limited, WRONG_ADDRESS, "Bitbucket Server's API")
