"""For ``landed doctor``: what Gitea's answers tell of a token's rights, without writing anything."""

from __future__ import annotations

from collections.abc import Sequence

from landed.errors import DeliveryError
from landed.model import Finding, Repository
from landed.providers.asking import Answer, Task
from landed.providers.git.gitea.api import Api
from landed.providers.git.gitea.dialect import WRONG_ADDRESS, lacks_scope
from landed.providers.interface import first_five


def examine(api: Api, repositories: Sequence[Repository], *, push: bool = True) -> Sequence[Finding]:
    """Look whether the token is good and, where ``push`` is needed, whether its user may write to the repositories."""
    if not repositories:
        return (_token(api),)
    return first_five(repositories, api.who, lambda repository: _repository(api, repository, push=push))


def _token(api: Api) -> Finding:
    """Whether the token is known at all; one that lacks the scope `read:user` is told so, and known."""
    task = api.task("GET", "the token cannot be checked")
    answer = api.asker.once(task, "/user")
    if not isinstance(answer, Answer):
        return Finding(task.who, "problem", answer.message, answer.hint)
    known = answer.status == 200 and isinstance(answer.value, dict) and isinstance(answer.value.get("login"), str)
    if known or lacks_scope(answer):
        return Finding(task.who, "ok", "The token is accepted.")
    failure = api.asker.nonsense(task, answer) if answer.status < 300 else api.asker.refusal(task, answer)
    return Finding(task.who, "problem", failure.message, failure.hint)


def _repository(api: Api, repository: Repository, *, push: bool) -> Finding:
    task = api.task("GET", f"{repository.path} cannot be read", repository)
    try:
        return _rights(api, task, api.asker.ask(task, api.path(repository)), push=push)
    except DeliveryError as error:
        return Finding(f"Gitea {repository}", "problem", error.message, error.hint)


def _rights(api: Api, task: Task, answer: Answer, *, push: bool) -> Finding:
    """What can be known from how Gitea shows a repository: the user's rights, and nothing of the token's scopes."""
    subject = f"Gitea {task.repository}"
    value = answer.value
    if not isinstance(value, dict) or not isinstance(value.get("full_name"), str):
        return Finding(subject, "problem", f"{task.who} does not answer like Gitea's API.", WRONG_ADDRESS)
    if value.get("archived") is True:
        return Finding(subject, "problem", "The repository is archived: nothing can be written there.")
    permissions = value.get("permissions")
    if push and isinstance(permissions, dict) and permissions.get("push") is False:
        return Finding(subject, "problem", "The token's user may not write to the repository.", api.may)
    unknown = "whether the token has the scope to write there cannot be known without writing"
    return Finding(subject, "ok", f"The repository is visible; {unknown}.", api.may)
