"""The time of day in a story: it starts in the past and is moved on by what happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Time that stands still until it is told to go on."""

    def __init__(self, minutes_ago: float = 0) -> None:
        self._now = datetime.now(UTC) - timedelta(minutes=minutes_ago)

    def now(self) -> str:
        """RFC 3339, UTC, whole seconds."""
        return self._now.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def behind(self) -> float:
        """By how many seconds it is behind the time of day."""
        return (datetime.now(UTC) - self._now).total_seconds()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
