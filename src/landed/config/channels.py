"""Channels that are given by an option, without manifests."""

from __future__ import annotations

from collections.abc import Mapping

from landed.config.addresses import web_address
from landed.errors import ConfigurationError
from landed.model import Channel, Secret


def channels(webhooks: Mapping[str, Secret]) -> tuple[Channel, ...]:
    """One channel for each type that has a webhook. Raises ConfigurationError, without the address in it."""
    return tuple(Channel(type_, type_, _checked(type_, url)) for type_, url in sorted(webhooks.items()) if url)


def _checked(type_: str, url: Secret) -> Secret:
    text = url.reveal()
    if web_address(text) is None or any(c.isspace() or not c.isprintable() for c in text):
        raise ConfigurationError(
            f"--{type_}-webhook: that is not a web address.", "It must begin with https:// and hold no blanks."
        )
    return url
