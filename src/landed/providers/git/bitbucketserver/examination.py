"""For ``landed doctor``: what Bitbucket Server's answers tell of a token's rights, without writing anything."""

from __future__ import annotations

from landed.errors import DeliveryError
from landed.model import Finding
from landed.providers.asking import Answer, Asker, Task
from landed.providers.git.bitbucketserver.dialect import MAY_WRITE, WRONG_ADDRESS


def token(asker: Asker, task: Task) -> Finding:
    """Whether the token is known at all: one that is not is refused, even for what everybody may see."""
    try:
        answer = asker.ask(task, "/api/latest/projects?limit=1")
        if not isinstance(answer.value, dict) or not isinstance(answer.value.get("values"), list):
            raise asker.nonsense(task, answer)
    except DeliveryError as error:
        return Finding(task.who, "problem", error.message, error.hint)
    return Finding(task.who, "ok", "The token is accepted.")


def rights(task: Task, answer: Answer) -> Finding:
    """What can be known of a token's rights from how Bitbucket shows it a repository: reading is all that it takes."""
    subject = f"Bitbucket Server {task.repository}"
    value = answer.value
    if not isinstance(value, dict) or not isinstance(value.get("slug"), str):
        return Finding(subject, "problem", f"{task.who} does not answer like Bitbucket Server's API.", WRONG_ADDRESS)
    if value.get("public"):
        unknown = "whether the token may write build statuses cannot be known without writing"
        return Finding(subject, "ok", f"The repository is public; {unknown}.", MAY_WRITE)
    return Finding(subject, "ok", "The token may read the repository, which is all that build statuses take.")
