"""Options that say something of all channels, of those of a type, or of one Provider: ``[PROVIDER=]VALUE``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from landed.errors import ConfigurationError
from landed.render import cut, one_line

#: What stands before the ``=``: a type, or namespace and name. A path can begin with ``./`` so as not to look like it.
_PROVIDER = r"(?a)[\w][\w.-]*(?:/[\w][\w.-]*)?"
#: Channels that a message lists.
_LISTED = 10


class PerProvider(Struct, frozen=True):
    """The values of one option."""

    option: str = ""
    """``--message-template``"""
    values: Mapping[str, str] = {}
    """By type, ``NAMESPACE/NAME`` of a Provider, or "" for all."""

    def of(self, type_: str, provider: str = "") -> str:
        """What is said of a channel, the most particular wins; "" where nothing is. ``provider`` as in ``values``."""
        found = (self.values.get(key, "") for key in dict.fromkeys((provider or type_, type_, "")))
        return next(filter(None, found), "")


def per_provider(option: str, texts: Iterable[str]) -> PerProvider:
    """Read the values of ``option``. Raises ConfigurationError for one that says nothing, or the same thing twice."""
    values: dict[str, str] = {}
    for text in texts:
        before, equals, after = text.partition("=")
        named = bool(equals) and re.fullmatch(_PROVIDER, before.strip()) is not None
        provider, value = (before.strip(), after.strip()) if named else ("", text.strip())
        if not value:
            what = f"{option} {_quoted(text)}: there is no value."
            raise ConfigurationError(what, "Write it as PROVIDER=VALUE, or VALUE for all channels.")
        if provider in values:
            for_ = _quoted(provider) if provider else "all channels"
            raise ConfigurationError(f"{option} {_quoted(text)}: there is one for {for_} already.", "Leave one out.")
        values[provider] = value
    return PerProvider(option, values)


def check_providers(given: PerProvider, there: Collection[tuple[str, str]]) -> None:
    """Raise ConfigurationError where something is said of what is not there.

    ``there`` has the type and the Provider (``NAMESPACE/NAME``, or "") of every channel that the option can mean.
    """
    known = {name for pair in there for name in pair if name}
    for provider, value in given.values.items():
        if provider and provider not in known:
            raise ConfigurationError(
                f"{given.option} {_quoted(f'{provider}={value}')}: no channel for people is of the type or the Provider"
                f" {_quoted(provider)}.",
                f"{listed(there)} A path that has an = in it can begin with ./",
            )


def listed(there: Collection[tuple[str, str]]) -> str:
    """What channels there are, as a sentence."""
    names = sorted({f"{provider} ({type_})" if provider else type_ for type_, provider in there})
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    if not names:
        return "There is none at all."
    return f"There {'is' if len(names) == 1 else 'are'} {', '.join(map(one_line, names[:_LISTED]))}{more}."


def _quoted(text: str) -> str:
    return f'"{cut(one_line(text), 100)}"'
