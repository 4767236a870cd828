"""Tells the story: plays each beat, lets ``landed report`` look, and says what came of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from landed.errors import LandedError
from landed.sandbox.look import Look, look
from landed.sandbox.progress import Progress, Scene
from landed.sandbox.story import STORY, Beat, Stage

#: Seconds a scene is shown before and after landed looks.
_BEFORE = 0.15
_AFTER = 0.2

Say = Callable[[str, Scene, Look | None], object]
"""Called as ``begin`` when a scene begins, and as ``end`` when landed has looked at it."""


def scenes() -> list[Scene]:
    """All scenes of the story, not yet played."""
    return [Scene(beat.title, beat.happens, beat.because) for beat in STORY]


def tell(stage: Stage, progress: Progress, folder: Path, say: Say, pause: Callable[[float], object]) -> None:
    """The whole story. Raises LandedError where landed does not do what it promises."""
    for number, beat in enumerate(STORY):
        progress.begin(number)
        say("begin", progress.scenes[number], None)
        beat.play(stage)
        pause(_BEFORE)
        seen = look(stage.sandbox, folder, stage.clock.behind)
        progress.told(number, seen.printed, seen.sent)
        say("end", progress.scenes[number], seen)
        _check(beat, seen)
        pause(_AFTER)
    progress.begin(len(STORY))


def _check(beat: Beat, seen: Look) -> None:
    """The demo is a promise: if it is not kept, say so."""
    if seen.exit_code != 0:
        raise LandedError(f"In “{beat.title}”, landed report ended with exit code {seen.exit_code}.", _PLEASE)
    if beat.quiet and seen.sent != "nothing":
        raise LandedError(f"In “{beat.title}”, landed report sent {seen.sent} although nothing was new.", _PLEASE)
    if not beat.quiet and seen.sent == "nothing":
        raise LandedError(f"In “{beat.title}”, landed report sent nothing although there was news.", _PLEASE)
    if beat.hushed and (seen.messages or seen.edits):
        raise LandedError(f"In “{beat.title}”, landed report told the chat again: {seen.sent}.", _PLEASE)


_PLEASE = "This should not happen: please report it, with what is printed above."
