"""Kubernetes' timestamps as epoch seconds, and Go's durations as seconds.

The datetime module would cost more than all the rest of the reading.
"""

from __future__ import annotations

import re
from functools import lru_cache

_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)

_DURATION = r"(?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h))+"
_PART = r"([\d.]+)(ms|s|m|h)"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@lru_cache(maxsize=8192)
def seconds(text: str | None) -> int:
    """Read an RFC 3339 timestamp, fractions cut off; 0 for whatever is none, or lies before 1970."""
    match = _RFC3339.fullmatch(text) if text else None
    if match is None:
        return 0
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):
        return 0
    ahead = (int(match[8]) * 60 + int(match[9])) * 60 if match[7] else 0
    at = _days(year, month, day) * 86400 + (hour * 60 + minute) * 60 + second
    return max(0, at + ahead if match[7] == "-" else at - ahead)


def _days(year: int, month: int, day: int) -> int:
    """Days since the epoch in the Gregorian calendar, with years that start in March and so end in the leap day."""
    if month <= 2:
        year -= 1
    since_march = (month + 9) % 12
    return year * 365 + year // 4 - year // 100 + year // 400 + (since_march * 153 + 2) // 5 + day - 1 - 719468


@lru_cache(maxsize=1024)
def length(text: str | None) -> float:
    """Read one of Go's durations in the units that Flux takes, ``1h30m``, ``1.5s``, ``500ms``; 0 for whatever is none.

    https://fluxcd.io/flux/components/kustomize/kustomizations/#interval
    """
    if not text or not re.fullmatch(_DURATION, text, re.ASCII):
        return 0.0
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))
