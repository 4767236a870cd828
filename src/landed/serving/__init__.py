"""What a run that stays shows of itself: whether it is well, and its numbers, over HTTP."""

from __future__ import annotations

from landed.serving.health import Health
from landed.serving.metrics import Metrics
from landed.serving.server import Server, address

__all__ = ["Health", "Metrics", "Server", "address"]
