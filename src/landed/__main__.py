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

    sys.exit(enter(sys.argv[1:]))


if __name__ == "__main__":
    main()
