"""How much may be written to which Git host in a while."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from landed.config.addresses import host_name
from landed.config.places import GHE_COM, GITHUB, GITHUB_API
from landed.errors import ConfigurationError

#: At most so many writes in any so many seconds.
Writes = tuple[tuple[int, float], ...]

#: What GitHub bears of content that is created before it refuses all of it for a while.
#: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
GITHUB_WRITES: Writes = ((80, 60.0), (500, 3600.0))

_RATE = r"0*([1-9][0-9]{0,6})(?:/0*([1-9][0-9]{0,6}))?"


def usual(api_url: str) -> Writes:
    """The limit of the API at this address, where none is given: GitHub's own servers have one, whoever is asked
    instead of them (a proxy, a server of one's own) has none unless told to.
    """
    name = urlsplit(api_url).hostname or ""
    return GITHUB_WRITES if name == urlsplit(GITHUB_API).hostname or name.endswith(GHE_COM) else ()


def rate_limits(given: Sequence[str], served: Collection[str]) -> dict[str, Writes]:
    """Host → limit, of ``HOST=PER_MINUTE[/PER_HOUR]`` or ``HOST=off``. Raises ConfigurationError."""
    found: dict[str, Writes] = {}
    for text in given:
        host, _, rate = (part.strip() for part in text.partition("="))
        name = host_name(host)
        match = re.fullmatch(_RATE, rate, re.ASCII)
        if not name or (match is None and rate != "off"):
            raise ConfigurationError(
                f"--rate-limit {text!r} is not of the form HOST=PER_MINUTE[/PER_HOUR] or HOST=off.",
                f"For example: --rate-limit {GITHUB}=80/500",
            )
        if name in found:
            raise ConfigurationError(f"--rate-limit is given twice for {name}.")
        if name not in served:
            known = ", ".join(sorted(served)) or "none"
            raise ConfigurationError(
                f"--rate-limit {name}: there is no such Git host with a token.", f"There are: {known}."
            )
        found[name] = _writes(match) if match else ()
    return found


def _writes(match: re.Match[str]) -> Writes:
    minute: Writes = ((int(match[1]), 60.0),)
    return (*minute, (int(match[2]), 3600.0)) if match[2] else minute
