"""What is wrong with a template."""

from __future__ import annotations


class Mistake(Exception):
    """A template does not say anything; the text says why."""

    def __init__(self, what: str, line: int = 0) -> None:
        super().__init__(what)
        self.line = line
        """Counted from 1; 0 for the file as a whole."""
