"""Every way there is to reach a type of channel, as the files in ``standins`` bring them: ``WAYS`` of each."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from contract.way import Way


def _found() -> dict[str, Way]:
    """The ways that stand-ins bring: ``WAYS`` of each file in ``standins``."""
    found: dict[str, Way] = {}
    for file in sorted(Path(__file__).parent.parent.joinpath("standins").glob("*.py")):
        if "WAYS = {" in file.read_text():
            found |= import_module(f"standins.{file.stem}").WAYS
    return found


WAYS = _found()
