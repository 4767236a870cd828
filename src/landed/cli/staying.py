"""What suits a process that stays, unlike the many that are over in a moment."""

from __future__ import annotations

import gc


def stay() -> None:
    """Collect what refers to itself, which nothing else would in weeks."""
    gc.enable()
