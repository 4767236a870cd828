"""How things are named that are told, and how much of it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from landed.model import Destination, Event

#: A context from the event that an observation is, for a destination. Raises ValueError with a sentence.
Expression: TypeAlias = Callable[[Event, Destination], str]


class Wording(Struct, frozen=True):
    """How commit statuses are named. Placeholders: ``{cluster} {namespace} {name}``, in ``target_url`` and
    ``environment_url`` ``{cluster} {repository} {commit}``.
    """

    context: str = "flux/{cluster}/{namespace}/{name}"
    commit_context: str = "flux/{cluster}"
    target_url: str = ""
    expression: Expression | None = None
    """Instead of ``context``."""
    max_contexts: int = 50
    """Of a commit with more contexts than these, only failing objects have one of their own."""
    environments: tuple[str, ...] = ()
    """The clusters whose deployments are told; ``*`` for all."""
    environment_url: str = ""


def filled(template: str, cluster: str, repository: str, commit: str) -> str:
    """``template`` with its placeholders filled in."""
    return template.replace("{cluster}", cluster).replace("{repository}", repository).replace("{commit}", commit)
