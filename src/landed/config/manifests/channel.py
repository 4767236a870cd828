"""From a Provider to the channel that it describes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from landed.config.manifests.case import NOTHING, Case
from landed.model import Channel, Network, Secret
from landed.registry import WEB

SLACK_API = "https://slack.com/api/chat.postMessage"
ROCKET_API = "/api/v1/chat.postMessage"
#: https://devblogs.microsoft.com/microsoft365dev/retirement-of-office-365-connectors-within-microsoft-teams/
CONNECTOR = ".webhook.office.com"

#: The keys that say who we are without a user's name; the first one that is there counts.
_TOKENS = ("token", "creds", "nkey")
#: What a header may be called. https://www.rfc-editor.org/rfc/rfc9110#name-tokens
_HEADER = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
#: Between several addresses blanks may stand.
_LISTED = re.compile(r"\s*,\s*")
#: What the connection says of itself.
_OURS = frozenset({"connection", "content-length", "host", "transfer-encoding"})


def channel(case: Case, network: Network) -> Channel | None:
    """The channel, still without a name; None where there is a problem, which ``case`` has then."""
    made = _MAKERS.get(case.provider.type, _plain)(case)
    if case.provider.secret and not case.keys and not case.problems:
        case.lack(_missed(case), "anything")
    if made is None or case.problems:
        return None
    address, token = made
    return Channel(
        case.provider.type,
        "",
        address,
        case.provider.channel.strip(),
        case.username(),
        token,
        case.key("password") if "password" in case.kind.uses else NOTHING,
        headers(case) if "headers" in case.kind.uses else (),
        network,
    )


def _missed(case: Case) -> str:
    """What a Secret without anything was most likely meant to hold."""
    keys = [key for key in (*_TOKENS, "password", "headers") if key in case.kind.uses]
    return keys[0] if keys and case.provider.address else "address"


def enough(case: Case, values: Mapping[str, Secret]) -> bool:
    """Whether these values of the Secret will do for the type, so that nobody else need be asked for more."""
    address = values.get("address") or case.provider.address
    bot = _API.get(case.provider.type)
    if bot is not None and bot(address.reveal()):
        return "token" in values
    return all(
        key in values or (key == "address" and address) for key in case.kind.needs if key in ("address", "token")
    )


def _nowhere(case: Case, otherwise: str = "") -> None:
    """There is no address: it may stand in the Provider or in its Secret."""
    if case.provider.secret:
        case.lack("address", f"`address`{otherwise}")
    else:
        case.problem(
            "spec.address", "there is no address", f"Write it there, or name a Secret with `address`{otherwise}."
        )


def _plain(case: Case) -> tuple[Secret, Secret] | None:
    """What the type needs, each where it belongs."""
    token = next((case.key(key) for key in _TOKENS if key in case.kind.uses and case.key(key)), NOTHING)
    if token and "token" in case.cut:  # a receiver may have been told a key with a line break at its end
        case.note("blanks or line breaks at the ends of `token` are no part of the key.")
    for key in ("token", "password"):
        if key in case.kind.needs and not case.key(key):
            case.lack(key)
    if "username" in case.kind.needs and not case.username():
        case.problem("spec.username", "there is none", "Give it here, or as `username` in the Secret.")
    if "channel" in case.kind.needs and not case.provider.channel.strip():
        case.problem("spec.channel", "there is none", f"The type {case.provider.type} must be told where to post.")
    address = _address(case)
    return None if case.problems else (address, token)


def _address(case: Case) -> Secret:
    """The address, as the type takes it: a URL with certain schemes, or any text."""
    if "address" not in case.kind.uses:
        return NOTHING
    address, schemes = case.address(), case.kind.schemes
    if not address:
        if "address" in case.kind.needs:
            _nowhere(case)
        return address
    if schemes == WEB:
        case.check_web(address)
        return address
    address = Secret(_LISTED.sub(",", address.reveal()))
    if case.check_address(address) and schemes:
        case.check_scheme(address, schemes)
    return address


def _web(case: Case) -> Secret:
    """The address, empty where it is none; then that is a problem."""
    address = case.address()
    if not address:
        _nowhere(case)
    return address if address and case.check_web(address) else NOTHING


def _slack(case: Case) -> tuple[Secret, Secret] | None:
    """A bot with its token, or an incoming webhook, whose address is all it takes."""
    address, token = case.address(), case.key("token")
    if not address and token:
        address = Secret(SLACK_API)
    if not address:
        _nowhere(case, " or a bot's `token`")
        return None
    if not case.check_web(address):
        return None
    if not _slack_api(address.reveal()):
        if token:
            case.note(f"`token` is ignored: the address is that of a webhook. A bot's address is {SLACK_API}.")
        return address, NOTHING
    _bot(case, token, "#general")
    parts = urlsplit(address.reveal())
    return Secret(parts._replace(path=parts.path.rstrip("/"), query="", fragment="").geturl()), token


def _rocket(case: Case) -> tuple[Secret, Secret] | None:
    """An incoming webhook (``/hooks/…``), or the API with a user's id and token."""
    address, token = _web(case), case.key("token")
    if not address:
        return None
    if not _rocket_api(address.reveal()):
        if token:
            case.note("`token` is ignored: the address is that of a webhook. To use the API, give the server's.")
        return address, NOTHING
    _bot(case, token, "#general")
    if not case.username():
        case.problem("spec.username", "the API takes the id of the user whose token it is", "Give it as `username`.")
    parts = urlsplit(address.reveal())
    root = parts.path.rstrip("/").removesuffix(ROCKET_API).removesuffix("/api/v1")
    return Secret(parts._replace(path=root + ROCKET_API, query="", fragment="").geturl()), token


def _bot(case: Case, token: Secret, example: str) -> None:
    """What a bot cannot be without."""
    if not token:
        case.lack("token")
    elif case.check_token("token", token) and not case.provider.channel.strip():
        case.problem("spec.channel", "a bot must be told where to post", f"Give a channel, such as {example!r}.")


def _msteams(case: Case) -> tuple[Secret, Secret] | None:
    address = _web(case)
    if not address:
        return None
    if (urlsplit(address.reveal()).hostname or "").endswith(CONNECTOR):
        case.note(
            "its address is that of an Office 365 connector, which Microsoft has retired. In Teams, open the channel's "
            "menu, choose Workflows, take “Send webhook alerts to a channel”, and give the address it makes instead."
        )
    return address, NOTHING


def _discord(case: Case) -> tuple[Secret, Secret] | None:
    """A webhook. ``/slack`` at its end asks Discord to read messages as Slack's, which ours are not."""
    address = _web(case)
    if not address:
        return None
    parts = urlsplit(address.reveal())
    return Secret(parts._replace(path=parts.path.rstrip("/").removesuffix("/slack")).geturl()), NOTHING


def _slack_api(address: str) -> bool:
    """Slack's own API, or whatever stands in for it."""
    return not address or urlsplit(address).path.rstrip("/").endswith("/api/chat.postMessage")


def _rocket_api(address: str) -> bool:
    """The address of a server or of its API, rather than that of a webhook."""
    path = urlsplit(address).path.rstrip("/")
    return "/hooks/" not in path and (not path or path.endswith(("/api/v1", ROCKET_API)))


def headers(case: Case) -> tuple[tuple[str, Secret], ...]:
    """``headers`` of the Secret: a YAML map of names and values. By name, those left out that are the connection's."""
    text = case.key("headers").reveal()
    if not text:
        return ()
    read = _pairs(text)
    if read is None or not (case.kind.attributes or all(_header(name, value) for name, value in read.items())):
        case.problem(
            "spec.secretRef", "`headers` is not a map of names and values", "Write one a line, such as X-Team: platform"
        )
        return ()
    ours = [] if case.kind.attributes else sorted(name for name in read if name.lower() in _OURS)
    if ours:
        case.note(f"in `headers`, {', '.join(ours)} has no effect: the connection sets it.")
    return tuple((name, Secret(value.strip())) for name, value in sorted(read.items()) if name not in ours)


def _pairs(text: str) -> dict[str, str] | None:
    """A YAML map of scalars, every one of which is text as it is written; None where it is something else.

    Read event by event: what is nested deeply overflows the stack of whatever builds it.
    """
    import yaml  # imported late, and only here

    scalars: list[str] = []
    maps = documents = 0
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader)):
            documents += isinstance(event, yaml.DocumentStartEvent)
            maps += isinstance(event, yaml.MappingStartEvent)
            if documents > 1 or maps > 1 or isinstance(event, yaml.SequenceStartEvent | yaml.AliasEvent):
                return None
            if isinstance(event, yaml.ScalarEvent):
                scalars.append(event.value)
    except (yaml.YAMLError, ValueError):
        return None
    return dict(zip(scalars[::2], scalars[1::2], strict=True)) if maps else None


def _header(name: str, value: str) -> bool:
    return re.fullmatch(_HEADER, name) is not None and all(c == "\t" or c.isprintable() for c in value.strip())


_API: Mapping[str, Callable[[str], bool]] = {"rocket": _rocket_api, "slack": _slack_api}
_MAKERS: Mapping[str, Callable[[Case], tuple[Secret, Secret] | None]] = {
    "discord": _discord,
    "msteams": _msteams,
    "rocket": _rocket,
    "slack": _slack,
}
