"""Deployments on gitlab.com and GitLab of one's own. A CI job's token is enough for them.

https://docs.gitlab.com/api/deployments/
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import msgspec

from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import Deployment, Finding, GitHost, Payload, Repository, State
from landed.providers.asking import Answer, Task
from landed.providers.git.gitlab import examination
from landed.providers.git.gitlab.api import Api, Entry, is_number
from landed.providers.git.gitlab.dialect import MAY_DEPLOY
from landed.providers.interface import Held, wanted

DESCRIPTION_LIMIT = 255
"""None is written: GitLab has no place for it."""
CONTEXT_LIMIT = 255
#: Seconds to make a connection, and between bytes.
TIMEOUT = 15
#: Pages of 100 deployments, newest first, among which those of a commit are looked for.
PAGES = 10

#: GitLab makes none that is only ``created``: what waits is ``running``, begun or not.
STATES = {
    State.SUCCESS: "success",
    State.FAILURE: "failed",
    State.PENDING: "running",
    State.SUPERSEDED: "canceled",
}
_READ = {
    "created": State.PENDING,
    "blocked": State.PENDING,
    "running": State.PENDING,
    "success": State.SUCCESS,
    "failed": State.FAILURE,
    "canceled": State.SUPERSEDED,
    "skipped": State.SUPERSEDED,
}


def connect(
    host: GitHost, *, turns: TokenBucket | None = None, sleep: Callable[[float], object] = time.sleep
) -> GitLabDeployments:
    """Make the provider. No request is made yet. Raises ConfigurationError where token or address cannot be used."""
    return GitLabDeployments(Api(host, right=MAY_DEPLOY, timeout=TIMEOUT, turns=turns, sleep=sleep))


class GitLabDeployments:
    """Deployments on one GitLab. Safe to use from several threads."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._linked: set[tuple[str, str]] = set()
        """Environments' places in the API and the URLs that they were given, or refused, in this run."""

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Read back the newest deployment of ``commit`` to every environment. Raises DeliveryError.

        GitLab cannot list those of one commit, so they are looked for among the newest thousand of the project.
        """
        newest: dict[str, Held] = {}
        for entry in self._of(repository, commit):
            state = _READ[str(entry["status"])]
            newest.setdefault(_environment(entry), Held(state, "", str(entry["id"])))
        return newest

    def deliver(self, payload: Payload) -> str:
        """Change the deployment that the handle names, or make one; raise DeliveryError. Gives its id.

        Where GitLab does not let the old one change so (a finished one cannot run again), or it was deleted, another
        one is made. An environment that GitLab does not have yet comes with it.
        """
        deployment = wanted(Deployment, payload)
        _check(deployment)
        known = deployment.handle if re.fullmatch(r"[0-9]{1,18}", deployment.handle) else ""
        entry = (self._change(deployment, known) if known else None) or self._create(deployment)
        self._link(deployment, entry)
        return str(entry["id"])

    def examine(self, repositories: Sequence[Repository]) -> Sequence[Finding]:
        """For ``landed doctor``: is the token good, and may it write deployments there? Writes nothing."""
        return examination.examine(self._api, repositories)

    def _of(self, repository: Repository, commit: str) -> list[Entry]:
        """The deployments of ``commit`` that no job of GitLab's has made, newest first."""
        task = self._api.task("GET", f"deployments of {repository.path} cannot be read", repository)
        url = f"{self._api.path(repository)}/deployments?order_by=id&sort=desc&per_page=100"
        return [
            entry
            for page in islice(self._api.each_page(task, url), PAGES)
            for entry in page
            if entry.get("sha") == commit
            and not entry.get("deployable")  # the API cannot change those
            and is_number(entry.get("id"))
            and str(entry.get("status", "")) in _READ
            and _environment(entry)
        ]

    def _change(self, deployment: Deployment, known: str) -> Entry | None:
        """Change one deployment; None where it cannot become so, and another one must be made."""
        task = self._task("PUT", deployment)
        url = f"{self._api.path(deployment.repository)}/deployments/{known}"
        try:
            answer = self._api.asker.ask(task, url, {"status": STATES[deployment.state]})
        except DeliveryError as refused:
            if refused.passing or refused.read_only:
                raise
            there = self._api.asker.once(self._task("GET", deployment), url)
            if isinstance(there, Answer) and there.status == 404:
                return None
            if not isinstance(there, Answer) or there.status != 200:
                raise
            entry = self._api.entry(task, there)
            return entry if _says(entry, deployment) else None
        return self._shown(task, answer, deployment)

    def _create(self, deployment: Deployment) -> Entry:
        tag = deployment.ref.startswith("refs/tags/")
        ref = deployment.ref.removeprefix("refs/tags/").removeprefix("refs/heads/")
        body = {
            "environment": deployment.environment,
            "sha": deployment.commit,
            "ref": ref or deployment.commit,  # GitLab wants one, and shows a commit as well
            "tag": tag,
            "status": STATES[deployment.state],
        }
        task = self._task("POST", deployment)
        url = f"{self._api.path(deployment.repository)}/deployments"
        answer = self._api.asker.ask(task, url, body, lambda: self._arrived(deployment))
        return self._shown(task, answer, deployment)

    def _arrived(self, deployment: Deployment) -> Answer | None:
        for entry in self._of(deployment.repository, deployment.commit):
            if _environment(entry) == deployment.environment:  # the newest one
                return Answer(201, {}, msgspec.json.encode(entry).decode()) if _says(entry, deployment) else None
        return None

    def _shown(self, task: Task, answer: Answer, deployment: Deployment) -> Entry:
        """The deployment in ``answer``. Raises DeliveryError if it is another one, or in another state."""
        entry = self._api.entry(task, answer)
        if not _says(entry, deployment):
            raise self._api.asker.nonsense(task, answer)
        return entry

    def _link(self, deployment: Deployment, entry: Entry) -> None:
        """Give the environment its URL, if it has another one. The deployment stands, whatever comes of this."""
        environment, url = entry["environment"], deployment.environment_url
        if not url or deployment.state is State.SUPERSEDED or environment.get("external_url") == url:
            return
        if not is_number(environment.get("id")):
            return
        place = f"{self._api.path(deployment.repository)}/environments/{environment['id']}"
        if (place, url) not in self._linked:
            self._linked.add((place, url))
            self._api.asker.once(self._task("PUT", deployment), place, {"external_url": url})

    def _task(self, verb: str, deployment: Deployment) -> Task:
        path, environment = deployment.repository.path, deployment.environment
        without = f"the deployment of {path} to {environment} cannot be written"
        return self._api.task(verb, without, deployment.repository)


def _check(deployment: Deployment) -> None:
    """Raise DeliveryError where GitLab would not take the environment's name.

    https://docs.gitlab.com/ci/yaml/#environmentname
    """
    name = deployment.environment
    if not re.fullmatch(r"(?!/)[A-Za-z0-9_/${} .-]{1,255}(?<!/)", name):
        raise DeliveryError(
            f"{deployment.repository}: {name[:100]!r} is no name that GitLab takes for an environment.",
            "It may have letters, digits, spaces and - _ / $ { } . only, at most 255, and no / at its ends.",
        )


def _environment(entry: Entry) -> str:
    environment = entry.get("environment")
    return str(environment.get("name") or "") if isinstance(environment, dict) else ""


def _says(entry: Entry, deployment: Deployment) -> bool:
    """Whether a deployment of GitLab's is ``deployment``, and in its state."""
    same = entry.get("sha") == deployment.commit and _environment(entry) == deployment.environment
    return same and _READ.get(str(entry.get("status", ""))) is deployment.state
