"""Why no answer came: from a transport's exceptions to our own words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from landed.errors import DeliveryError
from landed.http.values import Request
from landed.http.words import clean, host_of, status_text

#: The status with which a proxy asks for a user and password.
PROXY_REFUSES = 407
#: How ``http.client`` says that a proxy did not open a tunnel.
_REFUSED = r"Tunnel connection failed: (\d{3})"
#: Functions of ``http.client`` and urllib3 that speak to the proxy itself.
_PROXY_STEPS = frozenset({"_tunnel", "_connect_tls_proxy"})
#: What is raised where the other side speaks something else.
_NO_PROXY_TALK = frozenset({"BadStatusLine", "LineTooLong", "SSLError", "GeneralProxyError"})
_NO_ANSWER_AT_ALL = frozenset({"RemoteDisconnected", "SSLCertVerificationError", "TimeoutError", "ReadTimeoutError"})


class Trouble(NamedTuple):
    """Why no answer came, in words fit for a message."""

    what: str
    hint: str = ""
    passing: bool = True
    """Whether trying again can help."""
    perhaps_sent: bool = False
    """Whether the request may have arrived and been carried out."""


def diagnose(error: BaseException, proxy: str = "") -> Trouble:
    """Say in our own words why no answer came. A transport's text is never quoted: it holds the URL.

    ``proxy`` is the URL of the one that was on the way; of it only the host is said.
    """
    causes = list(_causes(error))
    return (proxy and _at_the_proxy(causes, proxy)) or _trouble(causes)


def refused_by_proxy(proxy: str, status: int) -> Trouble:
    """Why a proxy that answered ``status`` did not let us through."""
    who = f"the proxy {host_of(proxy)}"
    if status == PROXY_REFUSES:
        return Trouble(f"{who} wants a user and password, or others", "Check the proxy's user and password.", False)
    return Trouble(
        f"{who} refused to connect there: {status_text(status)}",
        "Ask whoever runs the proxy to allow it, or check the address.",
        passing=status >= 500 or status == 429,
    )


def unanswered(request: Request, trouble: Trouble, uncertain: bool) -> DeliveryError:
    """The error that ``trouble`` is; ``uncertain`` where the request may have been carried out all the same."""
    doubt = ", so the message may or may not have arrived" if uncertain else ""
    return DeliveryError(
        f"{request.origin}: {trouble.what}{doubt}.",
        trouble.hint,
        passing=trouble.passing,
        uncertain=uncertain,
    )


def _trouble(causes: Sequence[BaseException], without: str = "") -> Trouble:
    for type_name, trouble in _TROUBLES.items():
        if type_name != without and type_name in _kinds(causes):
            return trouble(causes) if callable(trouble) else trouble
    return Trouble("the connection failed", perhaps_sent=True)


def _kinds(causes: Iterable[BaseException]) -> frozenset[str]:
    return frozenset(base.__name__ for cause in causes for base in type(cause).__mro__)


def _at_the_proxy(causes: Sequence[BaseException], proxy: str) -> Trouble | None:
    """What went wrong on the way to the proxy or in its hands; None where it was beyond that."""
    answered = next((found for cause in causes if (found := re.match(_REFUSED, str(cause)))), None)
    if answered:
        return refused_by_proxy(proxy, int(answered[1]))
    kinds, who = _kinds(causes), f"the proxy {host_of(proxy)}"
    if "SOCKS5AuthError" in kinds:
        return refused_by_proxy(proxy, PROXY_REFUSES)
    if "SOCKS5Error" in kinds:
        return Trouble(f"{who} could not connect there", "Check the address, and what the proxy allows.")
    if not ("ProxyError" in kinds or any(_came_through(cause, _PROXY_STEPS) for cause in causes)):
        return None
    if kinds & _NO_PROXY_TALK and not _NO_ANSWER_AT_ALL & {type(cause).__name__ for cause in causes}:
        hint = "Check its address and port, and whether it begins with http://, https:// or socks5://."
        return Trouble(f"{who} does not answer as a proxy of its kind does", hint, False)
    trouble = _trouble(causes, without="ProxyError")
    return Trouble(f"{who} cannot be used: {trouble.what}", "Check the proxy's address.", trouble.passing)


def _came_through(error: BaseException, steps: frozenset[str]) -> bool:
    """Whether ``error`` was raised in one of these functions, or below."""
    at = error.__traceback__
    while at is not None:
        if at.tb_frame.f_code.co_name in steps:
            return True
        at = at.tb_next
    return False


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


def _refused_by_tls(causes: Iterable[BaseException]) -> Trouble:
    """What the other side says when it ends a handshake, https://www.rfc-editor.org/rfc/rfc8446#section-6.2 ."""
    alert = next((why for cause in causes if "ALERT" in (why := str(getattr(cause, "reason", "")))), "")
    if "CERTIFICATE" in alert or "UNKNOWN_CA" in alert:
        hint = "Give a client certificate that is accepted there, and its key."
        return Trouble("it does not accept our certificate, or wants one", hint, False, perhaps_sent=True)
    if "HANDSHAKE_FAILURE" in alert:
        hint = "It may want a client certificate, or know no version of TLS that is used today."
        return Trouble("it refused the TLS handshake", hint, False)
    return Trouble("the TLS connection failed", "Check that the address really speaks HTTPS.", perhaps_sent=True)


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
    "InvalidProxyURL": Trouble(
        "the address of the proxy is not a usable URL", "Check HTTPS_PROXY and HTTP_PROXY.", False
    ),
    "InvalidURL": Trouble("the address is not a usable URL", "Check the option or secret that holds it.", False),
    "LocationValueError": Trouble("the address is not a usable URL", "Check the option or secret.", False),
    "InvalidHeader": Trouble("the token holds characters no header can", "Check it for line breaks.", False),
    "UnicodeError": Trouble("the token or address holds characters no request can", "Check both.", False),
    "SSLError": _refused_by_tls,
    "ProtocolError": Trouble("the connection was lost before an answer came", perhaps_sent=True),
    "ConnectionError": Trouble("the connection was lost before an answer came", perhaps_sent=True),
    "ValueError": Trouble("its answer makes no sense", perhaps_sent=True),
}
