"""A GitHub that keeps check runs, held against GitHub's own description.

It takes them from Apps and from GITHUB_TOKEN only, and does not change the state of one that is completed, as the real
one does; both are OURS: the description says so in prose or not at all.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from standins.github import READER, WRITER, GitHub, json_answer, vendor

from landed.model import State

if TYPE_CHECKING:
    import re
    import ssl

    from standins.github import Token
    from standins.server import Answer, Asked

__all__ = ["READER", "WRITER", "GitHubChecks"]

_CONCLUSIONS = {State.SUCCESS: "success", State.FAILURE: "failure", State.SUPERSEDED: "cancelled"}
_TIME = "2026-02-01T10:00:00Z"


class GitHubChecks:
    """The stand-in."""

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.github = GitHub(context=context)
        self.url = self.github.url
        self.web_url = self.github.url
        self.asked = self.github.asked
        self.faults = self.github.faults
        self.missing = self.github.missing
        self.commits = self.github.commits
        self.violations = self.github.violations
        self.runs: dict[tuple[str, str], list[dict[str, Any]]] = {}
        """(``owner/name``, commit) → the runs, newest first."""
        self.suite = 5
        """The suite that the next run joins."""
        repository = "/repos/([^/]+/[^/]+)"
        self.github.routes += [
            ("POST", f"{repository}/check-runs", self._make),
            ("PATCH", f"{repository}/check-runs/([0-9]+)", self._change),
            ("GET", f"{repository}/commits/([^/]+)/check-runs", self._list),
        ]

    def __enter__(self) -> GitHubChecks:
        self.github.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.github.__exit__(*problem)

    @property
    def writes(self) -> list[Asked]:
        return self.github.writes

    def contexts(self, repository: str, commit: str) -> dict[str, tuple[str, str]]:
        """Name → state and title of the newest run."""
        words = {conclusion: str(state) for state, conclusion in _CONCLUSIONS.items()}
        return {
            run["name"]: (words.get(run["conclusion"] or "", "pending"), run["output"]["title"] or "")
            for run in reversed(self.runs.get((repository, commit), []))
        }

    def store(self, repository: str, commit: str, *, context: str, state: str, description: str = "") -> dict[str, Any]:
        """A run of ours."""
        conclusion = _CONCLUSIONS.get(State(state))
        done = {"status": "completed", "conclusion": conclusion} if conclusion else {"status": "queued"}
        output = {"title": description, "summary": description}
        return self.add(repository, commit, name=context, external_id=f"landed {context}", output=output, **done)

    def add(self, repository: str, commit: str, **run: Any) -> dict[str, Any]:
        """A run as GitHub makes one of what it is given."""
        entry: dict[str, Any] = copy.deepcopy(vendor()["components"]["examples"]["check-run"]["value"])
        entry["output"] |= {"title": None, "summary": None, "text": None}
        entry |= {"id": self.github.count(), "head_sha": commit, "check_suite": {"id": self.suite}, "external_id": ""}
        entry |= {"status": "queued", "conclusion": None, "completed_at": None}
        self.runs.setdefault((repository, commit), []).insert(0, entry)
        return _changed(entry, run)

    def _make(self, asked: Asked, token: Token, path: re.Match[str]) -> Answer:
        run = json.loads(asked.body)
        refused = self._refused(asked, token)
        if refused is not None:
            return refused
        commit = run.pop("head_sha")
        if commit in self.missing:
            return self.github.no_commit(commit)
        return json_answer(201, self.add(path[1], commit, **run))

    def _refused(self, asked: Asked, token: Token) -> Answer | None:
        given = asked.headers["authorization"].split(" ", 1)[-1]
        if token.scopes is not None:
            return json_answer(403, {"message": "You must authenticate via a GitHub App."})
        if given.startswith("github_pat_"):
            return json_answer(403, {"message": "Resource not accessible by personal access token"})
        return None if token.writes else self.github.read_only("checks")

    def _change(self, asked: Asked, token: Token, path: re.Match[str]) -> Answer:
        refused = self._refused(asked, token)
        if refused is not None:
            return refused
        for (repository, _), runs in self.runs.items():
            for run in runs:
                if repository == path[1] and run["id"] == int(path[2]):
                    change = json.loads(asked.body)
                    if run["status"] == "completed":
                        change.pop("status", None)
                        change.pop("conclusion", None)
                    return json_answer(200, _changed(run, change))
        return json_answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})

    def _list(self, asked: Asked, token: Token, path: re.Match[str]) -> Answer:
        if path[2] in self.missing:
            return self.github.no_commit(path[2])
        runs = self.runs.get((path[1], path[2]), [])
        if asked.query.get("filter", "latest") == "latest":  # of each suite, as the real one
            newest = {(run["name"], run["check_suite"]["id"]): run for run in reversed(runs)}
            runs = [run for run in runs if newest[run["name"], run["check_suite"]["id"]] is run]
        return self.github.page(asked, runs, "check_runs")


def _changed(run: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    run["output"] |= change.pop("output", {})
    run |= change
    if run["conclusion"]:
        run |= {"status": "completed", "completed_at": _TIME}
    return run
