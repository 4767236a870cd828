"""For ``landed doctor``: what GitLab's answers tell of a token's rights, without writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from landed.errors import DeliveryError
from landed.model import Finding, Repository
from landed.providers.asking import Answer
from landed.providers.git.gitlab.api import Api
from landed.providers.git.gitlab.dialect import WRONG_ADDRESS
from landed.providers.interface import first_five


def examine(api: Api, repositories: Sequence[Repository]) -> Sequence[Finding]:
    """Look whether the token is good, and may do there what ``api.right`` says."""
    if not repositories:
        return (_token(api),)
    scopes = () if api.job_token else _scopes(api)
    return first_five(repositories, api.who, lambda repository: _repository(api, repository, scopes))


def _token(api: Api) -> Finding:
    """Whether the token is known at all: as a job's, or as a user's."""
    task = api.task("GET", "the token cannot be checked")
    try:
        api.entry(task, api.asker.ask(task, "/job" if api.job_token else "/user"))
    except DeliveryError as error:
        return Finding(task.who, "problem", error.message, error.hint)
    return Finding(task.who, "ok", "The token is accepted.")


def _scopes(api: Api) -> tuple[str, ...]:
    """The token's scopes; () where they cannot be known, as of an OAuth token.

    https://docs.gitlab.com/api/personal_access_tokens/#self-inform
    """
    answer = api.asker.once(api.task("GET", "the token cannot be checked"), "/personal_access_tokens/self")
    value = answer.value if isinstance(answer, Answer) and answer.status == 200 else None
    scopes = value.get("scopes") if isinstance(value, dict) else None
    return tuple(str(scope) for scope in scopes) if isinstance(scopes, list) else ()


def _repository(api: Api, repository: Repository, scopes: Sequence[str]) -> Finding:
    subject = f"GitLab {repository}"
    task = api.task("GET", f"{repository.path} cannot be read", repository)
    try:
        if api.job_token:  # it may not read the project itself
            next(api.each_page(task, f"{api.path(repository)}/deployments?per_page=1"))
            unknown = f"whether this job's token may {api.right.to} cannot be known without writing"
            return Finding(subject, "ok", f"The repository is visible; {unknown}.")
        return _rights(api, subject, api.entry(task, api.asker.ask(task, api.path(repository))), scopes)
    except DeliveryError as error:
        return Finding(subject, "problem", error.message, error.hint or WRONG_ADDRESS)


def _rights(api: Api, subject: str, shown: dict[str, Any], scopes: Sequence[str]) -> Finding:
    """What can be known of a token's rights from its scopes and from how GitLab shows it a project."""
    right = api.right
    known = scopes and "granular" not in scopes
    if known and "api" not in scopes:
        return Finding(subject, "problem", f"The token lacks the scope `api`, so it cannot {right.to}.", right.hint)
    permissions = shown.get("permissions")
    levels = [_level(entry) for entry in permissions.values()] if isinstance(permissions, dict) else []
    highest = max(levels, default=0)
    if 0 < highest < right.level:
        message = f"The token's role is too low: to {right.to} it must be {right.role} or more."
        return Finding(subject, "problem", message, right.hint)
    if not highest:
        message = f"The repository is visible; it shows no role of the token's, so it may not be able to {right.to}."
        return Finding(subject, "warning", message, right.hint)
    if not known:
        message = f"The token's role is enough to {right.to}; its scopes cannot be known without writing."
        return Finding(subject, "ok", message, right.hint)
    return Finding(subject, "ok", f"The token may {right.to}.")


def _level(entry: Any) -> int:
    level = entry.get("access_level") if isinstance(entry, dict) else 0
    return level if isinstance(level, int) else 0
