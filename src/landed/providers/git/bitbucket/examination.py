"""For ``landed doctor``: what Bitbucket Cloud's answers tell of a token's rights, without writing anything."""

from __future__ import annotations

from landed.errors import DeliveryError
from landed.model import Finding
from landed.providers.asking import Answer, Asker, Task
from landed.providers.git.bitbucket.dialect import MAY_WRITE, WRONG_ADDRESS, error_of

#: Scopes that let repositories be read; of ``read:repository:bitbucket`` it is the second word.
READING = {"repository", "pullrequest", "project"}


def token(asker: Asker, task: Task) -> Finding:
    """Whether the token is known at all. To be told whose it is takes a scope of its own: without it that is a 403."""
    answer = asker.once(task, "/user")
    if isinstance(answer, DeliveryError):
        return Finding(task.who, "problem", answer.message, answer.hint)
    value = answer.value
    is_user = answer.status == 200 and isinstance(value, dict) and "type" in value
    if is_user or (answer.status == 403 and error_of(answer)):
        return Finding(task.who, "ok", "The token is accepted.")
    failure = asker.nonsense(task, answer) if answer.status == 200 else asker.refusal(task, answer)
    return Finding(task.who, "problem", failure.message, failure.hint)


def rights(task: Task, answer: Answer) -> Finding:
    """What can be known of a token's rights from how Bitbucket shows it a repository."""
    subject = f"Bitbucket {task.repository}"
    value = answer.value
    if not isinstance(value, dict) or not isinstance(value.get("full_name"), str):
        return Finding(subject, "problem", f"{task.who} does not answer like Bitbucket Cloud's API.", WRONG_ADDRESS)
    told = answer.headers.get("x-oauth-scopes", "")
    scopes = {word for scope in told.split(",") for word in scope.strip().split(":")[:2]}
    level, doubt = ("warning", "; it shows no scope for repositories") if told and not scopes & READING else ("ok", "")
    unknown = "whether the token may write build statuses cannot be known without writing"
    return Finding(subject, level, f"The repository is visible{doubt}; {unknown}.", MAY_WRITE)
