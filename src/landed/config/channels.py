"""Channels that are given by an option, without manifests."""

from __future__ import annotations

from collections.abc import Mapping

from landed.config.addresses import web_address
from landed.errors import ConfigurationError
from landed.model import Channel, Secret
from landed.registry import CHAT, WEB


def channels(webhooks: Mapping[str, Secret]) -> tuple[Channel, ...]:
    """One channel for each type that has an address. Raises ConfigurationError, without the address in it."""
    return tuple(Channel(type_, type_, _checked(type_, url)) for type_, url in sorted(webhooks.items()) if url)


def option_of(type_: str) -> str:
    """The option that gives a channel of this type its address."""
    return f"--{type_}-{'webhook' if CHAT[type_].schemes == WEB else 'url'}"


def _checked(type_: str, url: Secret) -> Secret:
    text, option = url.reveal(), option_of(type_)
    if any(c.isspace() or not c.isprintable() for c in text):
        raise ConfigurationError(f"{option}: it holds blanks or control characters.", "Take them out.")
    if CHAT[type_].schemes == WEB and web_address(text) is None:
        raise ConfigurationError(f"{option}: that is not a web address.", "It must begin with https://.")
    return url
