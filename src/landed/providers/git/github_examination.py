"""For ``landed doctor``: what GitHub's answers tell of a token's rights, without writing anything."""

from __future__ import annotations

from landed.http import Trouble
from landed.model import Finding
from landed.providers.git.github_answers import MAY_WRITE, WRONG_ADDRESS, Answer, Task, judge


def of_token(task: Task, answer: Answer | Trouble) -> Finding:
    """Is the token known at all? ``/rate_limit`` answers every kind of it, and 404 on a server without limits."""
    if isinstance(answer, Answer) and answer.status in (200, 404) and isinstance(answer.value, dict):
        return Finding(task.who, "ok", "The token is accepted.")
    if isinstance(answer, Trouble):
        return Finding(task.who, "problem", f"{task.who}: {answer.what}.", answer.hint)
    failure = judge(task, answer).failure
    return Finding(task.who, "problem", failure.message, failure.hint)


def of_repository(task: Task, answer: Answer) -> Finding:
    """What can be known of a token's rights from how GitHub shows it a repository.

    Only classic tokens have their scopes told; ``permissions`` are the user's, not the token's.
    """
    subject = f"GitHub {task.repository}"
    value = answer.value
    if not isinstance(value, dict):
        return Finding(subject, "problem", f"{task.who} does not answer like GitHub's API.", WRONG_ADDRESS)
    permissions = value.get("permissions")
    push = permissions.get("push") if isinstance(permissions, dict) else None
    told = answer.headers.get("x-oauth-scopes")
    if told is None:
        level, doubt = ("warning", "; it shows no right to push") if push is False else ("ok", "")
        unknown = "whether the token may write commit statuses cannot be known without writing"
        return Finding(subject, level, f"The repository is visible{doubt}; {unknown}.", MAY_WRITE)
    scopes = {scope.strip() for scope in told.split(",")}
    enough = {"repo", "repo:status"} if value.get("private") else {"repo", "repo:status", "public_repo"}
    if not scopes & enough:
        return Finding(subject, "problem", "The token has no scope to write commit statuses.", MAY_WRITE)
    if push is False:
        hint = "Give the token's user the role Write on the repository."
        return Finding(subject, "problem", "The token's user may not write to the repository.", hint)
    return Finding(subject, "ok", "The token may write commit statuses.")
