"""For ``landed doctor``: what GitHub's answers tell of a token's rights, without writing anything."""

from __future__ import annotations

from collections.abc import Sequence

from landed.errors import DeliveryError
from landed.model import Finding, Repository
from landed.providers.asking import Answer, Task
from landed.providers.git.github_api import Api
from landed.providers.git.github_dialect import MAY_WRITE, WRONG_ADDRESS
from landed.providers.interface import first_five


def examine(api: Api, repositories: Sequence[Repository]) -> Sequence[Finding]:
    """Look whether the token is good, and may write statuses there."""
    if not repositories:
        return (_token(api),)
    return first_five(repositories, api.who, lambda repository: _repository(api, repository))


def _token(api: Api) -> Finding:
    """Whether the token is known at all: ``/rate_limit`` answers every kind of it, with 404 where there are no limits."""
    task = api.task("GET", "the token cannot be checked")
    answer = api.asker.once(task, "/rate_limit")
    if isinstance(answer, Answer) and answer.status in (200, 404) and isinstance(answer.value, dict):
        return Finding(task.who, "ok", "The token is accepted.")
    failure = api.asker.refusal(task, answer) if isinstance(answer, Answer) else answer
    return Finding(task.who, "problem", failure.message, failure.hint)


def _repository(api: Api, repository: Repository) -> Finding:
    task = api.task("GET", f"{repository.path} cannot be read", repository)
    try:
        return _rights(task, api.asker.ask(task, api.path(repository)))
    except DeliveryError as error:
        return Finding(f"GitHub {repository}", "problem", error.message, error.hint)


def _rights(task: Task, answer: Answer) -> Finding:
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
