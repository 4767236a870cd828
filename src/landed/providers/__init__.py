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
    """A Git host's type."""

    module: str
    description_limit: int
    """Characters that a description may have."""
    context_limit: int


class ChatType(Struct, frozen=True):
    """A channel's type."""

    module: str
    takes: str
    """``digests`` (one message per look) or ``events`` (Flux's event object, one per observation)."""


GIT = {
    "github": GitType("landed.providers.git.github", description_limit=140, context_limit=255),
}

CHAT = {
    "generic": ChatType("landed.providers.chat.generic", "events"),
    "slack": ChatType("landed.providers.chat.slack", "digests"),
}


# Not ``git`` and ``chat``: importing a package of that name would put it in the function's place.
def git_module(type_: str) -> GitProviderModule:
    """The module of a Git host's type. Raises KeyError for a type that is not in ``GIT``."""
    return cast("GitProviderModule", import_module(GIT[type_].module))


def chat_module(type_: str) -> ChatProviderModule:
    """The module of a channel's type. Raises KeyError for a type that is not in ``CHAT``."""
    return cast("ChatProviderModule", import_module(CHAT[type_].module))
