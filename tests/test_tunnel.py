"""The way out for what is not HTTP. Judges: the standard library's TLS, ``trustme``, and two kinds of proxies."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import trustme
from kube.proxies import Proxy

from landed.errors import ConfigurationError, DeliveryError
from landed.http import connected, context, unreached
from landed.model import Network, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GREETING = b"220 hello there\r\n"
LOGIN, PASSWORD = "jo:pa55%20w%2Frd%40x", "pa55 w/rd@x"
ORIGIN = "Mail (mail.example.com)"


class Greeter:
    """A server that speaks first, and then says again what it hears."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.certificates: list[object] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), client:
                self._speak(client)

    def _speak(self, client: socket.socket) -> None:
        if not self._tls:
            client.sendall(GREETING)
        with self._tls.wrap_socket(client, server_side=True) if self._tls else client as made:
            if isinstance(made, ssl.SSLSocket):
                self.certificates.append(made.getpeercert())
                made.sendall(GREETING)
            while said := made.recv(1 << 16):
                made.sendall(said)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def server_side(authority: trustme.CA, clients: trustme.CA | None = None) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(made)
    if clients:
        made.verify_mode = ssl.CERT_REQUIRED
        clients.configure_trust(made)
    return made


@pytest.fixture
def greeter() -> Iterator[Greeter]:
    one = Greeter()
    yield one
    one.close()


@pytest.fixture
def safe(authority: trustme.CA) -> Iterator[Greeter]:
    one = Greeter(server_side(authority))
    yield one
    one.close()


def hear(made: socket.socket, count: int = len(GREETING)) -> bytes:
    said = b""
    while len(said) < count:
        piece = made.recv(count - len(said))
        assert piece, "the connection ended early"
        said += piece
    return said


@pytest.fixture(params=["", "http", "https", "socks5"])
def way(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[tuple[Network, Proxy | None]]:
    """Directly, and through every kind of proxy."""
    if not request.param:
        yield Network(ca=pem(authority)), None
        return
    tls = server_side(authority) if request.param == "https" else None
    with Proxy("socks5" if request.param == "socks5" else "http", tls) as proxy:
        yield Network(proxy=Secret(proxy.url), ca=pem(authority)), proxy


def test_what_the_other_side_says_first_is_not_lost(way: tuple[Network, Proxy | None], greeter: Greeter) -> None:
    network, proxy = way
    with connected("127.0.0.1", greeter.port, network, ORIGIN, 5) as made:
        assert made.gettimeout() == 5
        assert hear(made) == GREETING
        made.sendall(b"EHLO me\r\n")
        assert hear(made, 9) == b"EHLO me\r\n"

    assert proxy is None or proxy.asked == [f"127.0.0.1:{greeter.port}"]


def test_tls_runs_inside(way: tuple[Network, Proxy | None], safe: Greeter) -> None:
    network, _ = way
    plain = connected("localhost", safe.port, network, ORIGIN, 5)
    with context(network, ORIGIN).wrap_socket(plain, server_hostname="localhost") as made:
        assert hear(made) == GREETING
        for number in range(10):
            piece = bytes([number]) * 50_000
            made.sendall(piece)
            assert hear(made, len(piece)) == piece


def test_names_are_resolved_by_the_proxy(authority: trustme.CA, greeter: Greeter) -> None:
    for kind in ("http", "socks5"):
        with Proxy(kind) as proxy:
            connected("mail.invalid", greeter.port, Network(Secret(proxy.url)), ORIGIN, 5).close()
            assert proxy.asked == [f"mail.invalid:{greeter.port}"]


def test_names_in_other_scripts_are_asked_for_as_dns_has_them(greeter: Greeter) -> None:
    with Proxy() as proxy:
        connected("bücher.invalid", greeter.port, Network(Secret(proxy.url)), ORIGIN, 5).close()
        assert proxy.asked == [f"xn--bcher-kva.invalid:{greeter.port}"]


def test_addresses_of_version_6_stand_in_brackets(greeter: Greeter) -> None:
    with Proxy() as proxy:
        connected("::1", greeter.port, Network(Secret(proxy.url)), ORIGIN, 5).close()
        assert proxy.asked == [f"[::1]:{greeter.port}"]


def test_the_proxy_is_given_user_and_password(greeter: Greeter) -> None:
    with Proxy() as proxy:
        network = Network(Secret(f"http://{LOGIN}@{proxy.host}"))
        connected("127.0.0.1", greeter.port, network, ORIGIN, 5).close()
        head = proxy.heads[0].decode()

    given = head.partition("Proxy-Authorization: Basic ")[2].partition("\r\n")[0]
    assert base64.b64decode(given).decode() == f"jo:{PASSWORD}"


def test_the_environments_proxies_are_not_heard(monkeypatch: pytest.MonkeyPatch, greeter: Greeter) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with connected("127.0.0.1", greeter.port, Network(), ORIGIN, 5) as made:
        assert hear(made) == GREETING


def test_threads_end_with_the_connection(authority: trustme.CA, greeter: Greeter) -> None:
    with Proxy("http", server_side(authority)) as proxy:
        made = connected("127.0.0.1", greeter.port, Network(Secret(proxy.url), pem(authority)), ORIGIN, 5)
        (relay,) = [thread for thread in threading.enumerate() if thread.name == "landed-relay"]
        made.close()
        relay.join(5)
        assert not relay.is_alive()


def failure(do: Callable[[], object]) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        do()
    assert PASSWORD not in f"{caught.value.message} {caught.value.hint} {caught.value.__context__!r}"
    assert not caught.value.uncertain
    return caught.value


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def test_nobody_is_there() -> None:
    error = failure(lambda: connected("127.0.0.1", free_port(), Network(), ORIGIN, 5))

    assert error.message == f"{ORIGIN}: the connection was refused."
    assert error.passing


def test_the_name_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure(lambda: connected("mail.invalid", 25, Network(), ORIGIN, 5))

    assert error.message == f"{ORIGIN}: the host's name cannot be resolved."


@pytest.mark.parametrize("host", ["", "a b", "a\r\nX: y", "mail..example.com", f"{'a' * 64}.example.com"])
def test_a_host_that_is_none(host: str) -> None:
    with Proxy() as proxy:
        error = failure(lambda: connected(host, 25, Network(Secret(proxy.url)), ORIGIN, 5))
        assert proxy.heads == []

    assert error.message == f"{ORIGIN}: the address holds no name of a host."
    assert not error.passing


def test_the_proxy_is_not_there() -> None:
    port = free_port()
    network = Network(Secret(f"http://{LOGIN}@127.0.0.1:{port}"))
    error = failure(lambda: connected("mail.example.com", 25, network, ORIGIN, 5))

    assert error.message == f"{ORIGIN}: the proxy 127.0.0.1:{port} cannot be used: the connection was refused."
    assert error.passing


def test_a_socks_proxy_is_not_there() -> None:
    port = free_port()
    error = failure(lambda: connected("a.example.com", 25, Network(Secret(f"socks5://127.0.0.1:{port}")), ORIGIN, 5))

    assert f"the proxy 127.0.0.1:{port} cannot be used" in error.message


@pytest.mark.parametrize(
    ("answer", "said", "passing"),
    [
        ("407 Proxy Authentication Required", "wants a user and password, or others", False),
        ("403 Forbidden", "refused to connect there: 403 Forbidden", False),
        ("503 Service Unavailable", "refused to connect there: 503 Service Unavailable", True),
    ],
)
def test_the_proxy_says_no(answer: str, said: str, passing: bool) -> None:
    with Proxy(answer=answer) as proxy:
        network = Network(Secret(f"http://{LOGIN}@{proxy.host}"))
        error = failure(lambda: connected("mail.example.com", 25, network, ORIGIN, 5))

        assert error.message == f"{ORIGIN}: the proxy {proxy.host} {said}."
    assert error.passing is passing


def test_what_is_no_proxy() -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        threading.Thread(target=drip, args=(server, b"220 mail\r\n\r\n"), daemon=True).start()
        network = Network(Secret(f"http://127.0.0.1:{server.getsockname()[1]}"))
        error = failure(lambda: connected("mail.example.com", 25, network, ORIGIN, 5))

    assert "does not answer as a proxy of its kind does" in error.message
    assert not error.passing


def drip(server: socket.socket, piece: bytes) -> None:
    """A proxy that says one thing after the other, and never comes to an end."""
    client, _ = server.accept()
    with contextlib.suppress(OSError), client:
        while True:
            client.sendall(piece)
            time.sleep(0.01)


@pytest.mark.parametrize(
    ("piece", "wait", "said"),
    [(b"x", 0.3, "no answer in time"), (b"x" * 20_000, 5, "does not answer as a proxy of its kind does")],
    ids=["slow", "endless"],
)
def test_a_proxy_that_never_comes_to_an_end(piece: bytes, wait: float, said: str) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        threading.Thread(target=drip, args=(server, piece), daemon=True).start()
        network = Network(Secret(f"http://127.0.0.1:{server.getsockname()[1]}"))
        begun = time.monotonic()
        error = failure(lambda: connected("mail.example.com", 25, network, ORIGIN, wait))

    assert said in error.message
    assert time.monotonic() - begun < 5


def test_an_unknown_authority_of_the_proxy() -> None:
    with Proxy("http", server_side(trustme.CA())) as proxy:
        error = failure(lambda: connected("mail.example.com", 25, Network(Secret(proxy.url)), ORIGIN, 5))

        assert f"the proxy {proxy.host} cannot be used: its certificate is not trusted" in error.message


def test_an_unknown_authority_of_the_other_side(safe: Greeter) -> None:
    def speak() -> None:
        with connected("localhost", safe.port, Network(), ORIGIN, 5) as plain:
            try:
                context(Network(), ORIGIN).wrap_socket(plain, server_hostname="localhost")
            except OSError as error:
                raise unreached(error, ORIGIN) from None

    error = failure(speak)

    assert error.message.startswith(f"{ORIGIN}: its certificate is not trusted")
    assert not error.passing


def test_the_certificate_is_shown_there_and_not_to_the_proxy(authority: trustme.CA) -> None:
    ours = trustme.CA()
    issued = ours.issue_cert("us@example.com")
    certificate = "".join(blob.bytes().decode() for blob in issued.cert_chain_pems)
    key = Secret(issued.private_key_pem.bytes().decode())
    shown: list[object] = []
    at_proxy = server_side(authority)
    at_proxy.verify_mode = ssl.CERT_OPTIONAL
    ours.configure_trust(at_proxy)
    wrap = at_proxy.wrap_socket

    def look(*args: object, **more: object) -> ssl.SSLSocket:
        made = wrap(*args, **more)  # type: ignore[arg-type]
        shown.append(made.getpeercert())
        return made

    at_proxy.wrap_socket = look  # type: ignore[method-assign]
    with ExitStack() as stack:
        server = Greeter(server_side(authority, ours))
        stack.callback(server.close)
        proxy = stack.enter_context(Proxy("http", at_proxy))
        network = Network(Secret(proxy.url), pem(authority), certificate, key)
        plain = connected("localhost", server.port, network, ORIGIN, 5)
        with context(network, ORIGIN).wrap_socket(plain, server_hostname="localhost") as made:
            assert hear(made) == GREETING

        assert shown == [None] or shown == [{}]
        assert server.certificates[0]


def test_settings_that_cannot_be_used() -> None:
    with pytest.raises(ConfigurationError, match="proxy"):
        connected("mail.example.com", 25, Network(Secret("ftp://x")), ORIGIN, 5)
    with pytest.raises(ConfigurationError, match="PEM"):
        context(Network(ca="nonsense"), ORIGIN)


def test_private_authorities_need_no_more_than_before_python_3_13() -> None:
    assert not context(Network(), ORIGIN).verify_flags & ssl.VERIFY_X509_STRICT
    assert context(Network(), ORIGIN).check_hostname
    assert context(Network(), ORIGIN).verify_mode == ssl.CERT_REQUIRED
