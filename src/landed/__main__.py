"""The entrance: ``landed`` and ``python -m landed``."""

from __future__ import annotations

import gc
import sys

gc.disable()  # a run is short, keeps what it reads to its end, and collecting while importing only costs


def main() -> None:
    """Run the command line and exit with the documented code."""
    if sys.argv[1:] == ["--version"]:  # answered without importing a command line
        from landed import __version__

        print(f"landed {__version__}")  # noqa: T201
        return
    from landed.cli import enter

    leave(enter(sys.argv[1:]))


def leave(code: int) -> None:
    """Exit at once. Tidying up after a program that is over, the interpreter would spend a tenth of a small run."""
    import atexit
    import os

    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # nobody reads it any more
            continue
    os._exit(code)


if __name__ == "__main__":
    main()
