"""The Git hosts that the contract is held against: for each type that takes statuses a stand-in, and what is its own.

A stand-in's module has a class with

- ``url``: the API's address as ``GitHost.api_url`` has it, and ``web_url`` as ``GitHost.web_url``;
- ``asked``, ``writes``, ``faults``, ``violations`` (what its judge did not allow);
- ``missing``: paths of repositories, and hashes of commits, that it does not have;
- ``contexts(path, commit)``: context → (state, description), the states in the words of ``model.State``;
- ``store(path, commit, context=…, state=…, description=…)``: a status as if somebody had written it, same words;
- ``commits``: what was pushed, by path and hash, where a commit is not as ``Pushed()`` has it;

and the names ``WRITER`` and ``READER``: a token that may write, and one that is known and may not.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from landed import providers


class Host(NamedTuple):
    """What a type's stand-in is, and where the type differs from the others."""

    module: str
    standin: str
    path: str = "acme/fleet"
    """A repository's path, as ``Repository.path`` has it."""
    no_path: str = "a/b/c"
    """The path of no repository there."""
    unknown_commit: bool = True
    """Whether it says that a commit is unknown."""
    tries: Mapping[int, int] = {}
    """Status → how often it is tried, where it is not as everywhere."""
    passing: Mapping[int, bool] = {}
    """Status → whether it passes by itself, where it is not as everywhere."""
    shown_at: str = "/{path}/commit/{commit}"
    """The page of a commit, below ``web_url``, as the host names it; empty where it names none."""

    def make(self) -> Any:
        """A new stand-in, to be entered."""
        return getattr(import_module(self.module), self.standin)()

    @property
    def writer(self) -> str:
        return str(import_module(self.module).WRITER)

    @property
    def reader(self) -> str:
        return str(import_module(self.module).READER)


HOSTS = {
    "azuredevops": Host("standins.azuredevops", "AzureDevOps", "acme/platform/_git/fleet", "acme"),
    "bitbucket": Host("standins.bitbucket", "Bitbucket", shown_at="/{path}/commits/{commit}"),
    "bitbucketserver": Host(
        "standins.bitbucketserver",
        "BitbucketServer",
        "projects/ACME/repos/fleet",
        "acme",
        unknown_commit=False,
        shown_at="",
    ),
    "gitea": Host("standins.gitea", "Gitea"),
    "github": Host("standins.github", "GitHub"),
    "github-check-run": Host("standins.github_checks", "GitHubChecks"),
    "gitlab": Host(
        "standins.gitlab",
        "GitLab",
        "acme/platform/fleet",
        "fleet",
        tries={409: 4},
        shown_at="/{path}/-/commit/{commit}",
    ),
}

STATUS_TYPES = sorted(type_ for type_, kind in providers.GIT.items() if kind.takes == "statuses")
