"""Deployments on github.com, GHE.com and GitHub Enterprise Server: one for each commit and environment.

https://docs.github.com/en/rest/deployments
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import Deployment, Finding, GitHost, Payload, Repository, State
from landed.providers.asking import ARRIVED, Answer
from landed.providers.git.github import examination
from landed.providers.git.github.api import Api
from landed.providers.git.github.dialect import Right
from landed.providers.interface import Held, wanted
from landed.render import cut

DESCRIPTION_LIMIT = 140
CONTEXT_LIMIT = 255
#: Seconds to make a connection, and between bytes.
TIMEOUT = 15

DEPLOYMENTS = Right(
    "deployments",
    "write deployments",
    'In a workflow: `permissions: deployments: write`. Fine-grained token or App: "Deployments: read and write"'
    " on that repository. Classic token: scope `repo_deployment`.",
    frozenset({"repo", "repo_deployment"}),
    frozenset({"public_repo"}),
)

#: Marks the deployments that are ours.
TASK = "deploy:landed"
_STATES = {State.SUCCESS: "success", State.FAILURE: "failure", State.SUPERSEDED: "inactive"}
#: What is read back; ``error`` and ``pending`` are never written by us.
_READ = {
    "success": State.SUCCESS,
    "failure": State.FAILURE,
    "error": State.FAILURE,
    "inactive": State.SUPERSEDED,
    "queued": State.PENDING,
    "in_progress": State.PENDING,
    "pending": State.PENDING,
}


def connect(
    host: GitHost, *, turns: TokenBucket | None = None, sleep: Callable[[float], object] = time.sleep
) -> GitHubDeployments:
    """Make the provider. No request is made yet. Raises ConfigurationError where token or address cannot be used."""
    return GitHubDeployments(Api(host, may_write=DEPLOYMENTS.hint, timeout=TIMEOUT, turns=turns, sleep=sleep))


class GitHubDeployments:
    """Deployments on one GitHub. Safe to use from several threads."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._made: dict[tuple[Repository, str, str], str] = {}
        """The ids of deployments that were made in this run: their first status may have failed."""

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Read back the newest status of our newest deployment of ``commit`` to every environment.

        One request for each environment, beside those for the list. Raises DeliveryError.
        """
        found = {}
        for environment, deployment in self._deployments(repository, commit).items():
            id_ = str(deployment["id"])
            status = self._status(repository, id_)
            # Made and never told anything, it is as good as ended: so whatever is due is told it.
            state = _READ.get(str(status.get("state"))) if status else State.SUPERSEDED
            if state is not None:
                found[environment] = Held(state, str(status.get("description") or ""), id_)
        return found

    def _deployments(self, repository: Repository, commit: str, environment: str = "") -> dict[str, Mapping[str, Any]]:
        """Environment → our newest deployment of ``commit`` to it."""
        asked = {"sha": commit, "task": TASK, "per_page": "100"} | ({"environment": environment} if environment else {})
        task = self._api.task("GET", f"deployments of {repository.path} cannot be read", repository)
        entries = self._api.pages(task, f"{self._api.path(repository)}/deployments?{urlencode(asked)}")
        found: dict[str, Mapping[str, Any]] = {}
        for entry in entries:
            name = entry.get("environment")
            if not (isinstance(name, str) and _is_ours(entry, commit)):
                continue
            if name not in found or entry["id"] > found[name]["id"]:
                found[name] = entry
        return found

    def _status(self, repository: Repository, id_: str) -> Mapping[str, Any]:
        """The newest status of a deployment; empty if it has none yet."""
        task = self._api.task("GET", f"deployments of {repository.path} cannot be read", repository)
        return _newest(self._api.pages(task, f"{self._place(repository, id_)}?per_page=100"))

    def _place(self, repository: Repository, id_: str) -> str:
        return f"{self._api.path(repository)}/deployments/{quote(id_, safe='')}/statuses"

    def deliver(self, payload: Payload) -> str:
        """Write the state of one deployment, or raise DeliveryError. Gives the deployment's id.

        One request, and before it another where there is no deployment yet that could have a state.
        """
        deployment = wanted(Deployment, payload)
        key = deployment.repository, deployment.commit, deployment.environment
        id_ = deployment.handle or self._made.get(key, "")
        if id_ and self._tell(deployment, id_):
            return id_
        id_ = self._made[key] = self._make(deployment)
        if not self._tell(deployment, id_):
            raise DeliveryError(
                f"{self._api.who}: {_without(deployment)}: the deployment {id_} was made and is not there.",
                "The update is sent by the next run.",
                passing=True,
            )
        return id_

    def _make(self, deployment: Deployment) -> str:
        """Make the deployment, whatever the checks of the commit and without merging anything."""
        task = self._api.task("POST", _without(deployment), deployment.repository)
        body = {
            "ref": deployment.commit,
            "task": TASK,
            "auto_merge": False,
            "required_contexts": [],
            "environment": deployment.environment,
            "description": "Flux reconciles this commit",
            "payload": {"ref": deployment.ref} if deployment.ref else {},
        }
        url = f"{self._api.path(deployment.repository)}/deployments"
        answer = self._api.asker.ask(task, url, body, lambda: self._made_already(deployment))
        if answer.status == 202:
            what = "GitHub merged the default branch into it instead"
            raise DeliveryError(
                f"{task.who}: {task.without}: {what}.", "The update is sent by the next run.", passing=True
            )
        if not (answer.status == 201 and _is_ours(answer.value, deployment.commit)):
            raise self._api.asker.nonsense(task, answer)
        return str(answer.value["id"])

    def _made_already(self, deployment: Deployment) -> Answer | None:
        found = self._deployments(deployment.repository, deployment.commit, deployment.environment)
        there = found.get(deployment.environment)
        return Answer(201, {}, msgspec.json.encode(there).decode()) if there else None

    def _tell(self, deployment: Deployment, id_: str) -> bool:
        """Give the deployment its state. False where there is no such deployment (any more)."""
        task = self._api.task("POST", _without(deployment), deployment.repository)
        urls = {"environment_url": deployment.environment_url, "log_url": deployment.log_url}
        body = {
            "state": _STATES.get(deployment.state) or ("in_progress" if deployment.begun else "queued"),
            "description": cut(deployment.description, DESCRIPTION_LIMIT),
            "environment": deployment.environment,
            # What an earlier commit was told to be is ended by an update of its own, in the right order.
            "auto_inactive": False,
            **{name: url for name, url in urls.items() if url},
        }
        place = self._place(deployment.repository, id_)
        answer = self._api.ask_if_there(task, place, body, lambda: self._told_already(deployment, id_, body))
        if answer is None:
            return False
        if answer is ARRIVED:
            return True
        value = answer.value
        if not (answer.status == 201 and isinstance(value, dict) and value.get("state") == body["state"]):
            raise self._api.asker.nonsense(task, answer)
        return True

    def _told_already(self, deployment: Deployment, id_: str, body: Mapping[str, object]) -> Answer | None:
        status = self._status(deployment.repository, id_)
        same = all(status.get(name) == body[name] for name in ("state", "description"))
        return ARRIVED if same else None

    def examine(self, repositories: Sequence[Repository]) -> Sequence[Finding]:
        """For ``landed doctor``: is the token good, and may it write deployments there? Writes nothing."""
        return examination.examine(self._api, repositories, DEPLOYMENTS)


def _without(deployment: Deployment) -> str:
    return f"the deployment of {deployment.repository.path} to {deployment.environment} cannot be written"


def _is_ours(entry: Any, commit: str) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("id"), int)
        and entry.get("task") == TASK
        and entry.get("sha") == commit
    )


def _newest(statuses: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    known = (status for status in statuses if isinstance(status.get("id"), int))
    return max(known, key=lambda status: int(status["id"]), default={})
