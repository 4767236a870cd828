"""For ``landed doctor``: what GitHub's answers tell of a token's rights, without writing anything."""

from __future__ import annotations

from collections.abc import Sequence

from landed.errors import DeliveryError
from landed.model import Finding, Repository
from landed.providers.asking import Answer, Task
from landed.providers.git.github.api import Api
from landed.providers.git.github.dialect import STATUSES, WRONG_ADDRESS, Right
from landed.providers.interface import first_five


def examine(api: Api, repositories: Sequence[Repository], right: Right = STATUSES) -> Sequence[Finding]:
    """Look whether the token is good, and has the right there."""
    if not repositories:
        return (_token(api),)
    return first_five(repositories, api.who, lambda repository: _repository(api, repository, right))


def _token(api: Api) -> Finding:
    """Whether the token is known at all: ``/rate_limit`` answers every kind of it, 404 where there are no limits."""
    task = api.task("GET", "the token cannot be checked")
    try:
        answer = api.asker.once(task, "/rate_limit")
    except DeliveryError as error:  # an App that got no token
        answer = error
    if isinstance(answer, Answer) and answer.status in (200, 404) and isinstance(answer.value, dict):
        return Finding(task.who, "ok", "The token is accepted.")
    failure = api.asker.refusal(task, answer) if isinstance(answer, Answer) else answer
    return Finding(task.who, "problem", failure.message, failure.hint)


def _repository(api: Api, repository: Repository, right: Right) -> Finding:
    task = api.task("GET", f"{repository.path} cannot be read", repository)
    try:
        answer = api.asker.ask(task, api.path(repository))
    except DeliveryError as error:
        return Finding(f"GitHub {repository}", "problem", error.message, error.hint)
    if not isinstance(answer.value, dict):
        return Finding(
            f"GitHub {repository}", "problem", f"{api.who} does not answer like GitHub's API.", WRONG_ADDRESS
        )
    if api.installation and api.installation.permissions:
        return _granted(repository, api.installation.permissions.get(right.permission, ""), right)
    if api.host.token.reveal().strip().startswith(_FINE_GRAINED) and not right.scopes:
        return Finding(f"GitHub {repository}", "problem", f"A personal token cannot {right.what}.", right.hint)
    return _rights(task, answer, right)


#: How fine-grained personal tokens begin.
_FINE_GRAINED = "github_pat_"


def _granted(repository: Repository, level: str, right: Right) -> Finding:
    """What an App may do there, which came with its token."""
    subject = f"GitHub {repository}"
    if level == "write":
        return Finding(subject, "ok", f"The App may {right.what}.")
    hint = f'Grant it "{right.permission}: write" in its settings, then accept that where it is installed.'
    return Finding(subject, "problem", f"The App may not {right.what}.", hint)


def _rights(task: Task, answer: Answer, right: Right) -> Finding:
    """What can be known of a token's rights from how GitHub shows it a repository.

    Only classic tokens have their scopes told; ``permissions`` are the user's, not the token's.
    """
    subject = f"GitHub {task.repository}"
    permissions = answer.value.get("permissions")
    push = permissions.get("push") if isinstance(permissions, dict) else None
    told = answer.headers.get("x-oauth-scopes")
    if told is None:
        level, doubt = ("warning", "; it shows no right to push") if push is False else ("ok", "")
        unknown = f"whether the token may {right.what} cannot be known without writing"
        return Finding(subject, level, f"The repository is visible{doubt}; {unknown}.", right.hint)
    scopes = {scope.strip() for scope in told.split(",")}
    enough = right.scopes if answer.value.get("private") else right.scopes | right.public_scopes
    if not scopes & enough:
        return Finding(subject, "problem", f"The token has no scope to {right.what}.", right.hint)
    if push is False:
        hint = "Give the token's user the role Write on the repository."
        return Finding(subject, "problem", "The token's user may not write to the repository.", hint)
    return Finding(subject, "ok", f"The token may {right.what}.")
