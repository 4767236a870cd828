"""Quiet hours: what is read of them, and which are meant now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.config.quiet import DAYS, quiet_hours
from landed.errors import ConfigurationError


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


@pytest.mark.parametrize(
    ("hours", "now", "begin", "end"),
    [
        # 2026-11-23 is a Monday.
        ("22:00-07:00 UTC", "2026-11-23T23:00", "2026-11-23T22:00", "2026-11-24T07:00"),
        ("22:00-07:00 UTC", "2026-11-23T22:00", "2026-11-23T22:00", "2026-11-24T07:00"),
        ("22:00-07:00 UTC", "2026-11-23T03:00", "2026-11-22T22:00", "2026-11-23T07:00"),
        ("22:00-07:00 UTC", "2026-11-23T12:00", "2026-11-22T22:00", "2026-11-23T07:00"),
        ("12:00-13:30 UTC", "2026-11-23T12:30", "2026-11-23T12:00", "2026-11-23T13:30"),
        ("12:00-13:30 UTC", "2026-11-23T11:59", "2026-11-22T12:00", "2026-11-22T13:30"),
        ("00:00-24:00 UTC", "2026-11-23T12:00", "2026-11-07T00:00", "2026-12-10T00:00"),
        ("Sat-Sun 00:00-24:00 UTC", "2026-11-23T12:00", "2026-11-21T00:00", "2026-11-23T00:00"),
        ("Sun 00:00-24:00 UTC", "2026-11-28T12:00", "2026-11-22T00:00", "2026-11-23T00:00"),
        ("Fri-Mon 20:00-08:00 UTC", "2026-11-23T07:00", "2026-11-22T20:00", "2026-11-23T08:00"),
        # What touches is one: from Friday evening to Monday morning.
        (
            "Mon-Fri 20:00-08:00, Sat-Sun 08:00-20:00, Sat-Sun 20:00-08:00 UTC",
            "2026-11-22T12:00", "2026-11-20T20:00", "2026-11-23T08:00",
        ),
        ("mon-FRI 22:00-07:00 UTC", "2026-11-23T23:00", "2026-11-23T22:00", "2026-11-24T07:00"),
    ],
)  # fmt: skip
def test_which_hours_are_meant(hours: str, now: str, begin: str, end: str) -> None:
    assert quiet_hours(hours)(at(now)) == (at(begin), at(end))


def test_the_clock_on_the_wall_counts_also_in_the_night_it_is_put_back() -> None:
    begin, end = quiet_hours("22:00-07:00 Europe/Berlin")(at("2026-10-25T03:00", "Europe/Berlin"))

    assert (begin, end) == (at("2026-10-24T22:00", "Europe/Berlin"), at("2026-10-25T07:00", "Europe/Berlin"))
    assert end - begin == 10 * 3600


@pytest.mark.parametrize(
    ("hours", "now", "begin", "end"),
    [
        # On 2026-03-29 there is no time between 02:00 and 03:00.
        ("02:30-03:00", "2026-03-29T04:00", "2026-03-28T02:30", "2026-03-28T03:00"),
        ("Sun 02:30-03:00", "2026-04-04T04:00", "2026-03-22T02:30", "2026-03-22T03:00"),
        ("22:00-02:00, 02:30-03:15", "2026-03-29T04:00", "2026-03-28T22:00", "2026-03-29T02:00"),
    ],
)
def test_hours_that_the_clock_leaves_out_are_none(hours: str, now: str, begin: str, end: str) -> None:
    berlin = "Europe/Berlin"

    assert quiet_hours(f"{hours} {berlin}")(at(now, berlin)) == (at(begin, berlin), at(end, berlin))


@pytest.mark.parametrize("hours", [" Mon-Fri  22:00-07:00\tUTC ", "mon-fri 22:00-07:00 GMT", "Mon-Fri 22:00-07:00 WET"])
def test_blanks_and_zones_without_a_place(hours: str) -> None:
    assert quiet_hours(hours)(at("2026-11-23T23:00")) == (at("2026-11-23T22:00"), at("2026-11-24T07:00"))


def test_a_zone_that_is_not_known_is_named() -> None:
    with pytest.raises(ConfigurationError, match="time zone 'Mars' is not known"):
        quiet_hours("22:00-07:00 Mars")


def test_without_a_zone_the_machines_own_is_meant() -> None:
    begin, end = quiet_hours("22:00-07:00")(at("2026-11-23T12:00"))

    assert datetime.fromtimestamp(begin).strftime("%H:%M") == "22:00"  # noqa: DTZ006
    assert datetime.fromtimestamp(end).strftime("%H:%M") == "07:00"  # noqa: DTZ006


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "22-7", "22:00", "22:00-25:00", "24:00-01:00", "22:60-07:00", "22:00-07:60", "22:00–07:00",
        "Mo 22:00-07:00",
        "Mon-Xyz 22:00-07:00", "Mon Fri 22:00-07:00", "22:00-07:00 Mars/Base", "22:00-07:00 ../etc/passwd",
        "22:00-07:00,", "22:00-07:00 UTC, 12:00-13:00", "٢٢:٠٠-٠٧:٠٠", "x" * 5000, "a/b", "22:00-24:01",
    ],
)  # fmt: skip
def test_what_are_no_hours(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--quiet-hours: ") as caught:
        quiet_hours(text)

    assert len(caught.value.message) < 300


clock = st.integers(0, 1439)


@given(clock, clock, st.sampled_from(DAYS), st.sampled_from(DAYS), st.integers(0, 2**31))
def test_now_is_in_them_or_after_them(first: int, last: int, begin: str, end: str, now: int) -> None:
    hours = f"{begin}-{end} {first // 60:02}:{first % 60:02}-{last // 60:02}:{last % 60:02} UTC"

    since, until = quiet_hours(hours)(now)

    assert since <= now
    assert since < until
    days = {(DAYS.index(begin) + n) % 7 for n in range((DAYS.index(end) - DAYS.index(begin)) % 7 + 1)}
    moment = datetime.fromtimestamp(now, UTC)
    assert (since <= now < until) is any(
        day.weekday() in days and _within(moment, day, first, last) for day in (moment, moment - timedelta(days=1))
    )


def _within(moment: datetime, day: datetime, first: int, last: int) -> bool:
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    length = (last - first - 1) % 1440 + 1
    begin = midnight + timedelta(minutes=first)
    return begin <= moment < begin + timedelta(minutes=length)
