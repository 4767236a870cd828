"""A TCP connection for services that do not speak HTTP, on the way that the door would take: proxy, trust, words.

Of the environment no proxy is heard: HTTPS_PROXY and its like speak of web addresses.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from landed.errors import DeliveryError
from landed.http.diagnosis import diagnose
from landed.http.route import given_proxy
from landed.http.trust import context
from landed.model import Network

if TYPE_CHECKING:
    import socket

#: Bytes that a proxy may say before the way is open.
_HEAD = 1 << 14


class ProxyError(OSError):
    """What went wrong on the way to a proxy, or in its hands. Never leaves ``http``."""


def connected(host: str, port: int, network: Network, origin: str, timeout: float) -> socket.socket:
    """A connection to ``host``:``port``, through the proxy of ``network`` where it has one; nothing is sent on it yet.

    ``timeout`` in seconds: to connect, and from then on between bytes. Whoever gets it closes it. ``origin`` is who is
    reached, as an error calls it. Raises DeliveryError where no connection is made, and ConfigurationError where the
    proxy or its certificates cannot be used at all.
    """
    from http.client import HTTPException

    try:  # not left to the way there: what is wrong with the name is no fault of a proxy
        good = host.isprintable() and " " not in host and bool(host.encode("idna"))
    except UnicodeError:
        good = False
    if not good:
        raise DeliveryError(f"{origin}: the address holds no name of a host.", "Check the address.")
    proxy = given_proxy(network.proxy, origin)
    try:
        if not proxy:
            return _direct(host, port, timeout)
        if proxy.startswith("socks"):
            return _over_socks(host, port, proxy, timeout)
        return _over_http(host, port, proxy, network, origin, timeout)
    except (OSError, ValueError, HTTPException) as error:
        raise unreached(error, origin, proxy) from None


def unreached(error: BaseException, origin: str, proxy: str = "") -> DeliveryError:
    """What ``error``, of a connection or a TLS handshake that went wrong before anything was asked for, is to us.

    Its own text is never quoted. ``proxy`` is the URL of the one that was on the way; of it only the host is said.
    """
    trouble = diagnose(error, proxy)
    hint = trouble.hint.replace("really speaks HTTPS", "and port really speak TLS")
    return DeliveryError(f"{origin}: {trouble.what}.", hint, passing=trouble.passing)


def _direct(host: str, port: int, timeout: float) -> socket.socket:
    import socket

    return socket.create_connection((host, port), timeout)


def _over_socks(host: str, port: int, proxy: str, timeout: float) -> socket.socket:
    """Through a SOCKS 5 proxy, which resolves the name: https://www.rfc-editor.org/rfc/rfc1928 ."""
    import socks

    parts = urlsplit(proxy)
    user, password = (unquote(text) if text else None for text in (parts.username, parts.password))
    made: socket.socket = socks.create_connection(
        (host, port), timeout, None, socks.SOCKS5, parts.hostname, parts.port or 1080, True, user, password
    )
    return made


def _over_http(host: str, port: int, proxy: str, network: Network, origin: str, timeout: float) -> socket.socket:
    """Through an HTTP proxy, https://www.rfc-editor.org/rfc/rfc9110#name-connect ."""
    from contextlib import ExitStack
    from http.client import HTTPException

    from landed.http.relay import plain

    parts = urlsplit(proxy)
    there, over_tls = parts.hostname or "", parts.scheme == "https"
    with ExitStack() as stack:
        try:
            made = stack.enter_context(_direct(there, parts.port or (443 if over_tls else 80), timeout))
            if over_tls:
                shown = context(network, origin, shown=False)
                made = outer = stack.enter_context(shown.wrap_socket(made, server_hostname=there))
            _ask(made, host, port, parts.username, parts.password, timeout)
        except (OSError, ValueError, HTTPException) as error:
            raise error if isinstance(error, ProxyError) else ProxyError from error
        made.settimeout(timeout)
        stack.pop_all()
    return plain(outer, timeout) if over_tls else made


def _ask(made: socket.socket, host: str, port: int, user: str | None, password: str | None, timeout: float) -> None:
    """Have the proxy open a tunnel on ``made``. Raises OSError."""
    from base64 import b64encode
    from http.client import BadStatusLine

    name = f"[{host}]" if ":" in host else host.encode("idna").decode()
    target = f"{name}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if user is not None:
        login = f"{unquote(user)}:{unquote(password or '')}".encode()
        lines.append(f"Proxy-Authorization: Basic {b64encode(login).decode()}")
    made.sendall("\r\n".join([*lines, "", ""]).encode())
    first = _head(made, time.monotonic() + timeout).partition(b"\n")[0].split(None, 2)
    if len(first) < 2 or not first[0].startswith(b"HTTP/1.") or not (first[1].isdigit() and len(first[1]) == 3):
        raise BadStatusLine("")
    if not 200 <= int(first[1]) < 300:
        raise ProxyError(f"Tunnel connection failed: {int(first[1])}")


def _head(made: socket.socket, until: float) -> bytes:
    """What the proxy says before the tunnel begins: byte by byte, since many a service speaks first."""
    from http.client import LineTooLong, RemoteDisconnected

    head = b""
    while not head.endswith((b"\r\n\r\n", b"\n\n")):
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        made.settimeout(left)
        byte = made.recv(1)
        if not byte:
            raise RemoteDisconnected("")
        head += byte
        if len(head) > _HEAD:
            raise LineTooLong("head")
    return head
