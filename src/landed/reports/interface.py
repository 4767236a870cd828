"""What a report format must be able to do."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from landed.model import Report


class View(Struct, frozen=True):
    """Whom a report is rendered for."""

    now: int
    """Seconds since the Unix epoch: ages are counted from here."""
    terminal: bool = False
    """Whether it is a terminal, which wants to be neat; otherwise every line should stand for itself."""
    colour: bool = False
    width: int = 0
    """Columns of the terminal; 0 where lines may be of any length."""
    environment_url: str = ""
    """Template of where to see what is deployed, with ``{cluster}``, ``{repository}`` and ``{commit}``."""


class Format(Protocol):
    """A file of ``reports`` that can be chosen with ``-o``."""

    def render(self, report: Report, view: View) -> str:
        """The whole report as text. Pure: the same input gives the same text."""
