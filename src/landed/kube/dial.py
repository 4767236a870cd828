"""A connection to a cluster: straight, over a Unix socket, or through a proxy."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from landed.errors import ConfigurationError
from landed.kube import tls
from landed.kube.endpoint import Endpoint
from landed.kube.wire import Connection

#: The longest head of a proxy's answer that is read.
LONGEST_HEAD = 1 << 16

PROXIES = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class ProxyError(OSError):
    """The proxy does not let us through. Its text holds no secret."""


def connect(endpoint: Endpoint, timeout: float, context: ssl.SSLContext | None = None) -> Connection:
    """An open connection, on which requests are made with the path from ``target``.

    ``timeout`` holds for connecting and for each read. Raises OSError, ValueError, ConfigurationError.
    """
    return Connection(_open(endpoint, timeout, context))


def target(endpoint: Endpoint, path: str) -> str:
    """What stands in the request line: a proxy for plain HTTP is given the whole URL."""
    plain = endpoint.scheme == "http" and endpoint.proxy.startswith("http") and not endpoint.socket
    return f"http://{endpoint.netloc}{path}" if plain else path


def _open(endpoint: Endpoint, timeout: float, context: ssl.SSLContext | None) -> Any:
    if endpoint.socket:
        return _unix(endpoint.socket, timeout)
    made = (
        _through(endpoint, timeout)
        if endpoint.proxy
        else socket.create_connection((_plain(endpoint.host), endpoint.port), timeout)
    )
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if endpoint.scheme == "http":
            return made
        return _wrap(made, endpoint, context or tls.context(endpoint))
    except BaseException:
        made.close()
        raise


def _wrap(made: Any, endpoint: Endpoint, context: ssl.SSLContext) -> Any:
    name = endpoint.server_name or endpoint.host
    if isinstance(made, ssl.SSLSocket):  # to the proxy; ssl cannot wrap it again by itself
        from landed.kube.layered import Layered

        return Layered(made, context, name)
    return context.wrap_socket(made, server_hostname=_plain(name))


def _plain(host: str) -> Any:
    """A host's name as bytes, where it may be: as text, even ASCII, it would cost an import of the IDNA tables."""
    return host.encode() if host.isascii() else host


def _unix(path: str, timeout: float) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    try:
        made.settimeout(timeout)
        made.connect(path)
    except BaseException:
        made.close()
        raise
    return made


def _through(endpoint: Endpoint, timeout: float) -> socket.socket:
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(endpoint.proxy)
        usual = PROXIES[parts.scheme]
        host, port = parts.hostname or "", parts.port or usual
    except (KeyError, ValueError):
        host, port = "", 0
    if not host:
        raise ConfigurationError(
            f"The proxy for {endpoint} is not a usable URL.",
            "It should look like http://proxy.example.com:3128 (or https, or socks5).",
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme.startswith("socks5"):
        return _socks(endpoint, timeout, host, port, user, password)
    made = _to_proxy(parts.scheme, host, port, timeout)
    try:
        if endpoint.scheme == "https":
            _tunnel(made, endpoint, f"{host}:{port}", user, password)
    except BaseException:
        made.close()
        raise
    return made


def _to_proxy(scheme: str, host: str, port: int, timeout: float) -> socket.socket:
    try:
        made = socket.create_connection((host, port), timeout)
    except OSError as error:
        raise ProxyError(
            f"the proxy {host}:{port} does not take the connection ({error.strerror or 'no answer'})"
        ) from None
    if scheme == "http":
        return made
    try:
        return tls.context(Endpoint("", host, port)).wrap_socket(made, server_hostname=host)
    except ssl.SSLError:
        made.close()
        raise ProxyError(f"the proxy {host}:{port} shows a certificate that this system does not trust") from None


def _tunnel(made: socket.socket, endpoint: Endpoint, proxy: str, user: str, password: str) -> None:
    """https://www.rfc-editor.org/rfc/rfc9110#name-connect ."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    lines = [f"CONNECT {host}:{endpoint.port} HTTP/1.1", f"Host: {host}:{endpoint.port}"]
    if user or password:
        lines.append(f"Proxy-Authorization: {basic(user, password)}")
    made.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = made.recv(1)
        if not byte or len(head) > LONGEST_HEAD:
            raise ProxyError(f"the proxy {proxy} gives no answer that makes sense")
        head += byte
    status = head.split(None, 2)[1:2]
    if status != [b"200"]:
        code = status[0].decode("ascii", "replace")[:3] if status else "nonsense"
        raise ProxyError(f"the proxy {proxy} answers {code} to CONNECT")


def basic(user: str, password: str) -> str:
    """The value of an Authorization header."""
    from binascii import b2a_base64

    return f"Basic {b2a_base64(f'{user}:{password}'.encode(), newline=False).decode()}"


def _socks(endpoint: Endpoint, timeout: float, host: str, port: int, user: str, password: str) -> socket.socket:
    try:
        import socks
    except ImportError:
        raise ConfigurationError(
            f"The proxy for {endpoint} is a SOCKS proxy, for which PySocks is not installed.",
            "Install it: pip install 'landed[socks]'.",
        ) from None
    try:
        made: socket.socket = socks.create_connection(
            (endpoint.host, endpoint.port),
            timeout=timeout,
            proxy_type=socks.SOCKS5,
            proxy_addr=host,
            proxy_port=port,
            proxy_rdns=True,
            proxy_username=user or None,
            proxy_password=password or None,
        )
    except socks.ProxyError:
        raise ProxyError(f"the proxy {host}:{port} does not connect us") from None
    return made
