"""What the stand-ins of Git hosts know of a commit, each in its host's own words."""

from __future__ import annotations

from typing import NamedTuple


class Pushed(NamedTuple):
    """A commit, as somebody has pushed it."""

    message: str = "Raise the image to 6.5.0\n\nThe old one leaks.\n"
    author: str = "Jane Doe"
    email: str = "jane@example.com"
    at: str = "2026-11-22T20:00:00Z"


Commits = dict[tuple[str, str], Pushed]
"""(repository, hash) → what was pushed, where it is not as every other commit."""
