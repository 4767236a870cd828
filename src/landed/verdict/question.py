"""What is asked, and what is known of how commits relate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct

from landed import revision
from landed.model import Relation, Repository

#: States of what is not waited for.
SUSPENDED = "suspended"
DELETING = "deleting"

#: Seconds after which what was heard of one kind of object is taken to be known of the others, too. Watches have no
#: order between them: that a Kustomization is Ready may be heard before what it has changed.
SETTLES = 2.0


class Question(Struct, frozen=True):
    """Which commit is asked about, and how patiently."""

    repository: Repository
    commit: str
    """In full, lower case."""
    began: int = 0
    """When the wait began, in our clock."""
    grace: float = 30.0
    """Seconds that a failure which may pass by itself must last before it counts."""
    fail_early: bool = False
    """Whether what will fail counts as failed."""
    allow_empty: bool = False
    """Whether a cluster where nothing is meant is none to wait for."""
    named: bool = False
    """Whether Kustomizations were asked for by name: then one whose repository nobody knows is meant as well."""
    locate: Callable[[str], Repository | None] = revision.repository
    """The repository behind a URL."""


#: A commit in full, or a reference such as ``refs/heads/main``.
Other: TypeAlias = str

#: How others relate to the commit that is asked about.
Relations: TypeAlias = Mapping[Other, Relation]

#: The relations of what contains the commit.
CONTAINS = frozenset({Relation.SAME, Relation.AFTER})
