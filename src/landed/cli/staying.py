"""What suits a process that stays, unlike the many that are over in a moment."""

from __future__ import annotations

import gc
import sys

#: Seconds that a thread may go on while another one waits for its turn. A change is heard by one thread, judged by a
#: second and sent by a third, and Python's own 5 ms would be waited each time while there is much to do.
TURN = 0.0005


def stay() -> None:
    """Collect what refers to itself, which nothing else would in weeks; and let threads take turns quickly."""
    gc.enable()
    sys.setswitchinterval(TURN)
