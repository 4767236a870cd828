"""Runs one command and says what it cost; small, because a child's peak memory begins at its parent's size.

``python -I -S launch.py FILE COMMAND…`` writes ``[exit status, CPU seconds, peak KiB, wall seconds]`` to FILE.
CPU is user and system time of the command and of all processes it waited for.
"""

import os
import sys
import time

began = time.monotonic()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
wall = time.monotonic() - began
with open(sys.argv[1], "w") as file:  # noqa: PTH123  (pathlib alone is as large as this process)
    file.write(f"[{os.waitstatus_to_exitcode(status)}, {usage.ru_utime + usage.ru_stime}, {usage.ru_maxrss}, {wall}]")
