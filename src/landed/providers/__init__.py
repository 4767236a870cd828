"""The registry: which file speaks which ``Provider.spec.type``, and what the plan must know of it.

A file is imported only when something is to be delivered: the SDKs cost more than a whole run that has no news.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from msgspec import Struct

if TYPE_CHECKING:
    from landed.providers.interface import ChatProviderModule, GitProviderModule


class GitType(Struct, frozen=True):
    """One thing that one kind of Git host can be told."""

    module: str
    """Below ``providers.git``."""
    host: str
    """The kind of Git host: ``GitHost.type``."""
    takes: str
    """``statuses``, ``deployments``, ``comments`` or ``dispatches``."""
    description_limit: int
    """Characters that a description may have."""
    context_limit: int = 255
    superseded: bool = False
    """Whether it has a word for a commit that was never tried because Flux went on to another."""
    retires: bool = False
    """Whether an earlier commit's success must be ended when another one takes its place."""
    progress: bool = False
    """Whether it tells queued from in progress."""
    details: bool = False
    """Whether it has room for an explanation."""
    lanes: bool = False
    """Whether what concerns one commit must be written one after the other."""


class ChatType(Struct, frozen=True):
    """A channel's type."""

    module: str
    """Below ``providers.chat``."""
    takes: str
    """``digests`` (messages for people) or ``events`` (Flux's event object, one per event)."""
    edits: str = ""
    """When a message is kept for each commit and edited as that goes on: ``always``, with a ``token``, or never."""
    threads: bool = False
    """Whether such a message can be answered in a thread of its own."""


#: By Flux's ``Provider.spec.type`` where it has one; check runs and deployments are ours.
GIT = {
    "azuredevops": GitType("azuredevops.statuses", "azuredevops", "statuses", 1000, superseded=True),
    "bitbucket": GitType("bitbucket.statuses", "bitbucket", "statuses", 255, 40, superseded=True),
    "bitbucketserver": GitType("bitbucketserver.statuses", "bitbucketserver", "statuses", 255, superseded=True),
    # Newer Gitea counts a warning, its only word for it, as success of the whole commit: so it is not told.
    "gitea": GitType("gitea.statuses", "gitea", "statuses", 255),
    "giteapullrequestcomment": GitType("gitea.comments", "gitea", "comments", 255),
    "github": GitType("github.statuses", "github", "statuses", 140),
    "github-check-run": GitType(
        "github.checks", "github", "statuses", 255, superseded=True, progress=True, details=True
    ),
    "github-deployments": GitType(
        "github.deployments",
        "github",
        "deployments",
        140,
        superseded=True,
        retires=True,
        progress=True,
    ),
    "githubdispatch": GitType("github.dispatch", "github", "dispatches", 140),
    "githubpullrequestcomment": GitType("github.comments", "github", "comments", 255),
    "gitlab": GitType("gitlab.statuses", "gitlab", "statuses", 255, superseded=True, lanes=True),
    "gitlab-deployments": GitType("gitlab.deployments", "gitlab", "deployments", 255, superseded=True),
    "gitlabmergerequestcomment": GitType("gitlab.comments", "gitlab", "comments", 255),
}

CHAT = {
    "discord": ChatType("discord", "digests", edits="always"),
    "generic": ChatType("generic", "events"),
    "generic-hmac": ChatType("generic_hmac", "events"),
    "msteams": ChatType("msteams", "digests"),
    "rocket": ChatType("rocket", "digests", edits="token", threads=True),
    "slack": ChatType("slack", "digests", edits="token", threads=True),
}


# Not ``git`` and ``chat``: importing a package of that name would put it in the function's place.
def git_module(type_: str) -> GitProviderModule:
    """The module of a Git host's type. Raises KeyError for a type that is not in ``GIT``."""
    return cast("GitProviderModule", import_module(f"landed.providers.git.{GIT[type_].module}"))


def chat_module(type_: str) -> ChatProviderModule:
    """The module of a channel's type. Raises KeyError for a type that is not in ``CHAT``."""
    return cast("ChatProviderModule", import_module(f"landed.providers.chat.{CHAT[type_].module}"))
