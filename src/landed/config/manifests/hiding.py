"""What must never be printed of manifests and their Secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote, urlsplit

from landed.config.credentials import hidden as hidden_of_tokens
from landed.config.manifests.case import APP_KEYS
from landed.config.manifests.secrets import SecretSource
from landed.config.manifests.settings import Target
from landed.config.manifests.types import TYPES
from landed.config.manifests.values import Manifests, Provider
from landed.model import Network, Secret

#: Shorter names of users are words that messages are made of.
SHORTEST_NAME = 8
#: Types of which ``spec.channel`` is a key.
_KEYS = frozenset({"pagerduty"})
#: Keys that hold nothing secret: names that repositories bear, too, numbers, certificates.
_PUBLIC = frozenset({*APP_KEYS, "ca.crt", "tls.crt", "caFile", "certFile"}) - {"githubAppPrivateKey"}


def hidden(made: Sequence[Target], manifests: Manifests, source: SecretSource | None = None) -> Iterator[Secret]:
    """Everything secret that was read. Of the address of a Git host only a user and password in it: what is left of it
    stands in every message.
    """
    shown = {(one.namespace, one.secret) for one in manifests.providers if _git(one)}
    named = {(one.namespace, one.secret) for one in manifests.providers if _named(one.type)}
    for provider in manifests.providers:
        yield from _of_address(
            provider.address, shown=_git(provider) or (_named(provider.type) and _is_name(provider.address))
        )
        yield from _of_address(provider.proxy, shown=False)
    for secrets in (manifests.secrets, source.read() if source else {}):
        for place, values in secrets.items():
            name = place in named and _is_name(values.get("address", Secret("")))
            yield from _of_values(values, shown=place in shown or name)
    for target in made:
        yield from _of_target(target)


def _git(provider: Provider) -> bool:
    kind = TYPES.get(provider.type)
    return kind is not None and bool(kind.host)


def _named(type_: str) -> bool:
    """Whether its address need not be a URL: then it may be a name that stands in every message, as projects have."""
    kind = TYPES.get(type_)
    return kind is not None and not kind.host and not kind.schemes


def _is_name(address: Secret) -> bool:
    """Neither a URL, nor a connection string with its keys."""
    return "://" not in address.reveal() and "=" not in address.reveal()


def _of_values(values: Mapping[str, Secret], *, shown: bool) -> Iterator[Secret]:
    """Of a Secret. ``shown`` where its address is that of a Git host."""
    for key, value in values.items():
        if key == "address":
            yield from _of_address(value, shown=shown)
        elif key == "username":
            yield from _name(value.reveal())
        elif key not in _PUBLIC:
            yield from _of_token(value)
    for line in values.get("headers", Secret("")).reveal().splitlines():
        _, _, value_ = line.partition(":")
        yield from (Secret(value_.strip().strip("'\"")),) if value_.strip() else ()


def _of_token(value: Secret) -> Iterator[Secret]:
    yield from hidden_of_tokens(value)
    user, colon, _ = value.reveal().strip().partition(":")
    yield from _name(user) if colon else ()


def _name(text: str) -> Iterator[Secret]:
    if len(text.strip()) >= SHORTEST_NAME:
        yield Secret(text.strip())


def _of_address(address: Secret, *, shown: bool) -> Iterator[Secret]:
    """Of a URL or a connection string: all of it unless it is ``shown``, and user, password and key in it."""
    if address and not shown:
        yield address
        yield from (Secret(key) for key in re.findall("SharedAccessKey=([^;]+)", address.reveal()))
    try:
        userinfo, at, _ = urlsplit(address.reveal().strip()).netloc.rpartition("@")
    except ValueError:
        return
    if at:
        user, _, password = userinfo.partition(":")
        yield from (Secret(text) for text in {userinfo, password, unquote(password)} if text and text != user)
        yield from _name(unquote(user))


def _of_target(target: Target) -> Iterator[Secret]:
    if target.channel is not None:
        channel = target.channel
        yield from _of_address(channel.address, shown=_named(channel.type) and _is_name(channel.address))
        yield from _of_token(Secret(channel.channel if channel.type in _KEYS else ""))
        yield from (*_of_token(channel.token), *_of_token(channel.password))
        yield from (value for _, value in channel.headers if value)
        yield from _of_network(channel.network)
    if target.host is not None:
        yield from _of_token(target.host.token)
        yield from _of_network(target.host.network)
        if target.host.app is not None:
            yield target.host.app.private_key


def _of_network(network: Network) -> Iterator[Secret]:
    yield from _of_address(network.proxy, shown=False)
    yield from (network.key,) if network.key else ()
