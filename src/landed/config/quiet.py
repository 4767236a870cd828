"""Quiet hours: ``22:00-07:00``, ``Mon-Fri 18:00-08:00, Sat-Sun 00:00-24:00 Europe/Berlin``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from landed.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import date, tzinfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
FORM = "Write it as HH:MM-HH:MM, such as 22:00-07:00, or with days and a time zone: Mon-Fri 18:00-08:00 Europe/Berlin."
#: Days that are looked at around now: no window is further off, and none that are merged are longer, also where one is
#: left out in the night the clock is put forward.
_AROUND = 16
_RANGE = r"(?a)(\d\d):(\d\d)-(\d\d):(\d\d)"


class Window(NamedTuple):
    """Some hours of some days."""

    days: frozenset[int]
    """Those on which it begins; Monday is 0."""
    begin: int
    """Minutes after midnight; so is ``end``, which is more than a day where that is on the next one."""
    end: int


def quiet_hours(text: str, option: str = "--quiet-hours") -> Callable[[int], tuple[int, int]]:
    """Now, in epoch seconds → from when to when the quiet hours are that now is in, or else the last ones were.

    Windows are divided by commas, and those that touch are one. Without a time zone the machine's own is meant. Raises
    ConfigurationError.
    """
    text = " ".join(text.split())
    *before, last = text.split(" ")
    zone = last if "/" in last or (before and last.isalpha() and last.capitalize() not in DAYS) else ""
    windows = tuple(_window(part.strip(), option) for part in text.removesuffix(zone).split(","))
    where = _zone(zone, option)

    def around(now: int) -> tuple[int, int]:
        spans = list(_merged(sorted(_spans(windows, now, where))))
        return max(span for span in spans if span[0] <= now)

    return around


def _window(text: str, option: str) -> Window:
    *before, hours = text.split(" ")
    found = re.fullmatch(_RANGE, hours)
    if found is None or len(before) > 1:
        raise ConfigurationError(f"{option}: {text[:100]!r} are no hours.", FORM)
    first, last, next_, end = map(int, found.groups())
    begin, until = first * 60 + last, next_ * 60 + end
    if max(last, end) > 59 or begin >= 1440 or until > 1440:
        raise ConfigurationError(f"{option}: there is no such time as in {hours!r}.", FORM)
    return Window(_days(before[0] if before else "Mon-Sun", option), begin, until if until > begin else until + 1440)


def _days(text: str, option: str) -> frozenset[int]:
    first, _, last = text.partition("-")
    names = [name.capitalize() for name in (first, last or first)]
    if not set(names) <= set(DAYS):
        raise ConfigurationError(
            f"{option}: {text[:100]!r} are no days.", f"Days are {', '.join(DAYS)}, as in Mon-Fri."
        )
    begin, end = (DAYS.index(name) for name in names)
    return frozenset(day % 7 for day in range(begin, end + (8 if end < begin else 1)))


def _zone(name: str, option: str) -> tzinfo | None:
    if not name:
        return None
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        what = f"{option}: the time zone {name[:100]!r} is not known here."
        raise ConfigurationError(what, "Take a name such as Europe/Berlin or UTC.") from None


def _spans(windows: Sequence[Window], now: int, zone: tzinfo | None) -> Iterator[tuple[int, int]]:
    """Every window around now, from and to."""
    from datetime import datetime, timedelta

    today = datetime.fromtimestamp(now, zone).date()
    for offset in range(-_AROUND, _AROUND + 1):
        day = today + timedelta(days=offset)
        for window in windows:
            begin, end = _at(day, window.begin, zone), _at(day, window.end, zone)
            if day.weekday() in window.days and begin < end:  # the clock may be put forward over all of it
                yield begin, end


def _at(day: date, minutes: int, zone: tzinfo | None) -> int:
    """What the clock on the wall shows, whatever it was put to in the night."""
    from datetime import datetime, time, timedelta

    days, rest = divmod(minutes, 1440)
    moment = datetime.combine(day + timedelta(days=days), time(*divmod(rest, 60)), zone)
    return int((moment if zone else moment.astimezone()).timestamp())


def _merged(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    begin, end = spans[0]
    for first, last in spans[1:]:
        if first > end:
            yield begin, end
            begin, end = first, last
        else:
            end = max(end, last)
    yield begin, end
