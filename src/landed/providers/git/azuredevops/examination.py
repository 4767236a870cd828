"""For ``landed doctor``: what Azure DevOps' answers tell of a token, without writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from landed.errors import DeliveryError
from landed.model import Finding, Repository
from landed.providers.asking import Answer, Task
from landed.providers.git.azuredevops.api import Api, listed
from landed.providers.git.azuredevops.dialect import MAY_WRITE, no_such_commit
from landed.providers.interface import first_five

#: A commit that no repository has. To be told so takes no more rights than a run needs; to be shown the repository
#: takes the scope "Code (read)".
NOWHERE = "f" * 40
#: Who is asking, when nobody has signed in.
_ANONYMOUS = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"


def examine(api: Api, repositories: Sequence[Repository]) -> Sequence[Finding]:
    """Look whether the token is good, and sees the repositories."""
    if not repositories:
        return (_token(api),)
    return first_five(repositories, api.who, lambda repository: _repository(api, repository))


def _token(api: Api) -> Finding:
    """Whether the token is known at all. On dev.azure.com only an organization can say, and none is named."""
    task = api.task("GET", "the token cannot be checked")
    if urlsplit(api.host.api_url).hostname == "dev.azure.com":
        unknown = "The token was not checked: it belongs to an organization, and no repository names one."
        return Finding(task.who, "warning", unknown, "Apply a Flux source from there, and look again.")
    answer = api.asker.once(task, "/_apis/connectionData?api-version=5.0-preview.1")
    value = answer.value if isinstance(answer, Answer) and answer.status == 200 else None
    user = value.get("authenticatedUser") if isinstance(value, dict) else None
    if isinstance(user, dict) and user.get("id") not in (None, _ANONYMOUS):
        return Finding(task.who, "ok", "The token is accepted.")
    return _problem(api, task, answer)


def _repository(api: Api, repository: Repository) -> Finding:
    task = api.task("GET", f"commit statuses of {repository.path} cannot be read", repository)
    try:
        answer = api.asker.once(task, f"{api.statuses_url(repository, NOWHERE)}&top=1")
    except DeliveryError as error:
        return Finding(f"Azure DevOps {repository}", "problem", error.message, error.hint)
    if isinstance(answer, Answer) and (no_such_commit(answer) or listed(answer) is not None):
        unknown = "whether the token may write commit statuses cannot be known without writing"
        return Finding(f"Azure DevOps {repository}", "ok", f"The repository is visible; {unknown}.", MAY_WRITE)
    return _problem(api, task, answer)


def _problem(api: Api, task: Task, answer: Answer | DeliveryError) -> Finding:
    if not isinstance(answer, Answer):
        failure = answer
    elif 200 <= answer.status < 300:
        failure = api.asker.nonsense(task, answer)
    else:
        failure = api.asker.refusal(task, answer)
    return Finding(task.who, "problem", failure.message, failure.hint)
