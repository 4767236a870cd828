"""Which file speaks which type; ``registry`` says what each can do.

A file is imported only when something is to be delivered: the SDKs cost more than a whole run that has no news.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from landed.registry import CHAT, EXTRAS, GIT, ChatType, GitType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landed.model import Channel
    from landed.providers.interface import ChatProviderModule, Complaint, DoorModule, GitProviderModule


# Not ``git`` and ``chat``: importing a package of that name would put it in the function's place.
def git_module(type_: str) -> GitProviderModule:
    """The module of a Git host's type. Raises KeyError for a type that is not in ``GIT``."""
    return cast("GitProviderModule", import_module(f"landed.providers.git.{GIT[type_].module}"))


def chat_module(type_: str) -> ChatProviderModule:
    """The module of a channel's type. Raises KeyError for a type that is not in ``CHAT``."""
    return cast("ChatProviderModule", import_module(f"landed.providers.chat.{CHAT[type_].module}"))


def complaints(channel: Channel) -> Sequence[Complaint]:
    """Everything that the file of a channel's type has against its settings."""
    look = getattr(chat_module(channel.type), "complaints", None)
    return tuple(look(channel)) if look is not None else ()


def door_module(name: str) -> DoorModule:
    """The way out of a type that is not told by HTTP alone: ``ChatType.door``."""
    return cast("DoorModule", import_module(f"landed.providers.doors.{name}"))


def lacking(type_: str) -> str:
    """The extra that a channel's type takes and that is not installed; "" where nothing is amiss."""
    kind = CHAT[type_]
    return kind.extra if kind.extra and not installed(kind.extra) else ""


def how_to_install(extra: str) -> str:
    """What to do where an extra is lacking."""
    return f"Install it: pip install 'landed[{extra}]'. The image has it."


def installed(extra: str) -> bool:
    """Whether what ``extra`` of this package brings is there."""
    from importlib.util import find_spec  # imported late: a run without news asks nothing of the kind

    module, _ = EXTRAS[extra]
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a name with dots, what stands before them
        return False


__all__ = [
    "CHAT",
    "EXTRAS",
    "GIT",
    "ChatType",
    "GitType",
    "chat_module",
    "complaints",
    "door_module",
    "git_module",
    "how_to_install",
    "installed",
    "lacking",
]
