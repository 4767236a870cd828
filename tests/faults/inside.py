"""The command in this process, for the runs around the one that a test is about: all the same, but for the start of an
interpreter, and that nobody can kill it."""

from __future__ import annotations

import os
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING
from unittest.mock import patch

from integration.command import Run, without_progress

from landed.cli import enter

if TYPE_CHECKING:
    from integration.command import Workplace


def report(place: Workplace, *arguments: str, **environment: str) -> Run:
    """One ``landed report``, with the environment that a process of its own would get, and no other."""
    out, err = StringIO(), StringIO()
    with (
        chdir(place.folder),
        patch.dict(os.environ, {**place.environment, **environment}, clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = enter(["report", *arguments])
    return Run(code, out.getvalue(), without_progress(err.getvalue()))
