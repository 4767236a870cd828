"""Why no answer came: from a transport's exceptions to our own words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from landed.errors import DeliveryError
from landed.http.values import Request
from landed.http.words import clean


class Trouble(NamedTuple):
    """Why no answer came, in words fit for a message."""

    what: str
    hint: str = ""
    passing: bool = True
    """Whether trying again can help."""
    perhaps_sent: bool = False
    """Whether the request may have arrived and been carried out."""


def diagnose(error: BaseException) -> Trouble:
    """Say in our own words why no answer came. A transport's text is never quoted: it holds the URL."""
    causes = list(_causes(error))
    for type_name, trouble in _TROUBLES.items():
        if any(type_name in (base.__name__ for base in type(cause).__mro__) for cause in causes):
            return trouble(causes) if callable(trouble) else trouble
    return Trouble("the connection failed", perhaps_sent=True)


def unanswered(request: Request, trouble: Trouble, uncertain: bool) -> DeliveryError:
    """The error that ``trouble`` is; ``uncertain`` where the request may have been carried out all the same."""
    doubt = ", so the message may or may not have arrived" if uncertain else ""
    return DeliveryError(
        f"{request.origin}: {trouble.what}{doubt}.",
        trouble.hint,
        passing=trouble.passing,
        uncertain=uncertain,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Everything that ``error`` wraps, in whatever way."""
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        cause = pending.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        pending += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]


def _distrusted(causes: Iterable[BaseException]) -> Trouble:
    why = next((text for cause in causes if (text := getattr(cause, "verify_message", ""))), "")
    return Trouble(
        f"its certificate is not trusted{': ' + clean(str(why)).rstrip('.') if why else ''}",
        "If it is signed by a private CA, give that CA's certificate.",
        passing=False,
    )


#: By class name, so that neither requests nor urllib3 has to be loaded to have this table; the first match wins.
_TROUBLES: Mapping[str, Trouble | Callable[[Iterable[BaseException]], Trouble]] = {
    "ProxyError": Trouble("the proxy could not be used", "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY."),
    "SSLCertVerificationError": _distrusted,
    "gaierror": Trouble("the host's name cannot be resolved", "Check the address and the network's DNS."),
    "NameResolutionError": Trouble("the host's name cannot be resolved", "Check the address and the network's DNS."),
    "ConnectionRefusedError": Trouble("the connection was refused", "Check the address, its port and the firewall."),
    "NewConnectionError": Trouble("no connection could be made", "Check the address, proxy and firewall."),
    "ConnectTimeoutError": Trouble("no connection in time", "Check the address, proxy and firewall."),
    "ReadTimeoutError": Trouble("no answer in time", perhaps_sent=True),
    "TimeoutError": Trouble("no answer in time", perhaps_sent=True),
    "InvalidSchema": Trouble(
        "the proxy or address has a scheme that cannot be used", "For a SOCKS proxy install landed[socks].", False
    ),
    "InvalidURL": Trouble("the address is not a usable URL", "Check the option or secret that holds it.", False),
    "LocationValueError": Trouble("the address is not a usable URL", "Check the option or secret.", False),
    "InvalidHeader": Trouble("the token holds characters no header can", "Check it for line breaks.", False),
    "UnicodeError": Trouble("the token or address holds characters no request can", "Check both.", False),
    "SSLError": Trouble("the TLS connection failed", "Check that the address really speaks HTTPS.", perhaps_sent=True),
    "ProtocolError": Trouble("the connection was lost before an answer came", perhaps_sent=True),
    "ConnectionError": Trouble("the connection was lost before an answer came", perhaps_sent=True),
    "ValueError": Trouble("its answer makes no sense", perhaps_sent=True),
}
