"""What is wished of channels for people: words of one's own, who is called for a failure, and quiet hours."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from landed.cli.options import Options
from landed.config.mentions import Mentions, mentions
from landed.config.perprovider import PerProvider, check_providers, per_provider
from landed.config.quiet import quiet_hours
from landed.config.surroundings import run_url
from landed.providers.outlet import ChannelOutlet, Outlet
from landed.registry import CHAT
from landed.templating import Template, mentioned, templates, worded

if TYPE_CHECKING:
    from landed.model import Update

#: Updates → the same in the user's words, and what is wrong with those.
Rewrite = Callable[[Sequence["Update"]], tuple[tuple["Update", ...], tuple[str, ...]]]


def wishes(o: Options, outlets: Mapping[str, Outlet], *, all_known: bool = True) -> Rewrite:
    """Give ``outlets`` their quiet hours, and say what messages become. Raises ConfigurationError, also where something
    is said of a Provider that is not there; but then only if they are ``all_known``.
    """
    found = _people(outlets)
    there = frozenset(found.values())
    files, hours = (
        per_provider(option, given)
        for option, given in (("--message-template", o.message_template), ("--quiet-hours", o.quiet_hours))
    )
    called = mentions(o.mentions) if o.mentions else Mentions()
    if all_known:
        check_providers(files, there)
        check_providers(hours, there)
        called.check(there)
    _quieten(outlets, found, hours)
    template = templates(files)

    def rewrite(updates: Sequence[Update]) -> tuple[tuple[Update, ...], tuple[str, ...]]:
        def template_of(destination: str) -> Template | None:
            return template(*found[destination]) if destination in found else None

        def mention_of(destination: str, author: str) -> str:
            return called.of(*found[destination], author) if destination in found else ""

        told, warnings = worded(updates, template_of, o.target_url or run_url(os.environ))
        return mentioned(told, mention_of), warnings

    return rewrite


def _people(outlets: Mapping[str, Outlet]) -> dict[str, tuple[str, str]]:
    """By name, the type and the Provider (``NAMESPACE/NAME``, or "") of every channel for people."""
    found = {}
    for name, outlet in outlets.items():
        if isinstance(outlet, ChannelOutlet) and CHAT[outlet.type].takes == "digests":
            alert = next(iter(outlet.destination.alerts), None)
            found[name] = outlet.type, f"{alert.namespace}/{alert.provider}" if alert else ""
    return found


def _quieten(outlets: Mapping[str, Outlet], found: Mapping[str, tuple[str, str]], hours: PerProvider) -> None:
    windows = {text: quiet_hours(text) for text in hours.values.values()}
    for name, place in found.items():
        text = hours.of(*place)
        if text:
            outlet = outlets[name]
            outlet.destination = structs.replace(outlet.destination, quiet=windows[text])
