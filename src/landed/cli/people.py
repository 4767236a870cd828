"""What is wished of channels for people: words of one's own, who is called for a failure, and quiet hours."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from landed.cli.options import Options
from landed.config.manifests.problems import quoted
from landed.config.mentions import Mentions, mentions
from landed.config.perprovider import PerProvider, check_providers, per_provider
from landed.config.quiet import quiet_hours
from landed.config.surroundings import run_url
from landed.errors import LandedError
from landed.model import Digest, Story
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
    doubted: set[tuple[str, str]] = set()

    def rewrite(updates: Sequence[Update]) -> tuple[tuple[Update, ...], tuple[str, ...]]:
        def template_of(destination: str) -> Template | None:
            return template(*found[destination]) if destination in found else None

        def mention_of(destination: str, author: Sequence[str]) -> str:
            return called.of(*found[destination], *author) if destination in found else ""

        told, warnings = worded(updates, template_of, o.target_url or run_url(os.environ))
        told = mentioned(told, mention_of)
        calls = {(name, story.mention): story for name, story in _calls(told)}
        wrong = [
            _wrong_id(called.file, outlet, story)
            for (name, id_), story in calls.items()
            if (name, id_) not in doubted
            and isinstance(outlet := outlets[name], ChannelOutlet)
            and _is_left_out(outlet, story)
        ]
        doubted.update(calls)
        return told, (*warnings, *wrong)

    return rewrite


def _wrong_id(file: str, outlet: ChannelOutlet, story: Story) -> str:
    author = quoted(story.author) if story.author else "an author without a name"
    return (
        f"{file}: {quoted(story.mention)} for {author} calls nobody on {outlet.destination.name}."
        f" docs/channels.md has the form of an id for {CHAT[outlet.type].called}."
    )


def _calls(updates: Sequence[Update]) -> Iterator[tuple[str, Story]]:
    """Where somebody is to be called, and for what."""
    for update in updates:
        if isinstance(update.payload, Digest):
            yield from ((update.destination, story) for story in update.payload.stories if story.mention)


def _is_left_out(outlet: ChannelOutlet, story: Story) -> bool:
    """Whether the service is told the same with and without who is to be called: their id has not its form."""
    if not CHAT[outlet.type].mentions:
        return False
    try:
        calling, silent = (
            [request.body for request in outlet.requests(Digest((one,)))]
            for one in (story, structs.replace(story, mention=""))
        )
    except LandedError:  # told when it is sent
        return False
    return calling == silent


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
