"""Runs landed's command line at the time of a story: ``python -m landed.sandbox.storytime SECONDS report …``.

Nothing but the clock on the wall differs, which is SECONDS behind: so what landed says of times is true in the story.
"""

from __future__ import annotations

import runpy
import sys
import time


def main() -> None:
    """Set the clock back and run the command that follows."""
    behind, real = float(sys.argv.pop(1)), time.time
    vars(time)["time"] = lambda: real() - behind
    runpy.run_module("landed", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
