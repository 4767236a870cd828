"""A GitHub that keeps deployments, held against GitHub's own description."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from standins.github import GitHub, json_answer, vendor

if TYPE_CHECKING:
    import re

    from standins.github import Token
    from standins.server import Answer, Asked


class GitHubDeployments:
    """The stand-in."""

    def __init__(self) -> None:
        self.github = GitHub()
        self.url = self.github.url
        self.asked = self.github.asked
        self.faults = self.github.faults
        self.missing = self.github.missing
        self.violations = self.github.violations
        self.deployments: list[dict[str, Any]] = []
        """Newest first."""
        self.statuses: dict[int, list[dict[str, Any]]] = {}
        """A deployment's id → its statuses, newest first."""
        repository = "/repos/([^/]+/[^/]+)"
        self.github.routes += [
            ("POST", f"{repository}/deployments", self._make),
            ("GET", f"{repository}/deployments", self._list),
            ("POST", f"{repository}/deployments/([0-9]+)/statuses", self._tell),
            ("GET", f"{repository}/deployments/([0-9]+)/statuses", self._told),
        ]

    def __enter__(self) -> GitHubDeployments:
        self.github.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.github.__exit__(*problem)

    @property
    def writes(self) -> list[Asked]:
        return self.github.writes

    def add(self, repository: str, **deployment: Any) -> dict[str, Any]:
        """A deployment as GitHub makes one of what it is given."""
        entry: dict[str, Any] = copy.deepcopy(vendor()["components"]["examples"]["deployment-simple-example"]["value"])
        entry |= {
            "id": self.github.count(),
            "repository_url": f"https://api.github.com/repos/{repository}",
        } | deployment
        entry["sha"] = entry["ref"]
        self.deployments.insert(0, entry)
        self.statuses[entry["id"]] = []
        return entry

    def tell(self, id_: int, **status: Any) -> dict[str, Any]:
        """A deployment's status as GitHub makes one."""
        entry: dict[str, Any] = copy.deepcopy(vendor()["components"]["examples"]["deployment-status"]["value"])
        entry |= {"id": self.github.count(), "description": "", "environment_url": "", "log_url": "", "target_url": ""}
        entry |= status
        self.statuses[id_].insert(0, entry)
        return entry

    def _make(self, asked: Asked, token: Token, path: re.Match[str]) -> Answer:
        if not token.writes:
            return self.github.read_only("deployments")
        given = json.loads(asked.body)
        if given["ref"] in self.missing:
            return json_answer(422, {"message": f"No ref found for: {given['ref']}"})
        if given.get("auto_merge", True) or given.get("required_contexts") != []:
            return json_answer(409, {"message": "Conflict: Commit status checks failed for this ref."})
        kept = {name: given[name] for name in ("ref", "task", "environment", "description", "payload") if name in given}
        return json_answer(201, self.add(path[1], **kept))

    def _list(self, asked: Asked, token: Token, path: re.Match[str]) -> Answer:
        def fits(entry: dict[str, Any]) -> bool:
            asks = {name: asked.query.get(name, entry[name]) for name in ("sha", "ref", "task", "environment")}
            return entry["repository_url"].endswith(f"/{path[1]}") and all(entry[name] == asks[name] for name in asks)

        return self.github.page(asked, [entry for entry in self.deployments if fits(entry)])

    def _tell(self, asked: Asked, token: Token, path: re.Match[str]) -> Answer:
        if not token.writes:
            return self.github.read_only("deployments")
        if int(path[2]) not in self.statuses:
            return json_answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})
        given = json.loads(asked.body)
        if given.pop("auto_inactive", True):
            self._retire(int(path[2]))
        return json_answer(201, self.tell(int(path[2]), **given))

    def _retire(self, id_: int) -> None:
        here = next(entry for entry in self.deployments if entry["id"] == id_)
        for entry in self.deployments:
            if entry["id"] != id_ and entry["environment"] == here["environment"]:
                self.tell(entry["id"], state="inactive")

    def _told(self, asked: Asked, token: Token, path: re.Match[str]) -> Answer:
        return self.github.page(asked, self.statuses.get(int(path[2]), []))
