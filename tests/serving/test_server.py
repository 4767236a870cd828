"""The server: its answers as http.client reads them, and clients that are slow, mean or many."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from landed.errors import ConfigurationError
from landed.model import Look, Report
from landed.serving import Health, Metrics, Server, address
from landed.serving import server as module

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (b"landed_leader 1.0\n" * 20_000, "text/plain; version=0.0.4; charset=utf-8")


class Told:
    """What the run says of itself."""

    trouble = ""
    unready = ""
    broken = False

    def metrics(self) -> tuple[bytes, str]:
        if self.broken:
            raise ZeroDivisionError("s3cret")
        return PAGE


@contextmanager
def serving(told: Told, listen: str = "127.0.0.1:0") -> Iterator[tuple[str, int]]:
    server = Server(listen, trouble=lambda: told.trouble, unready=lambda: told.unready, metrics=told.metrics)
    server.start()
    try:
        yield address(server.address)
    finally:
        server.stop()
        assert not [each for each in threading.enumerate() if each.name == "serving"]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def place(told: Told) -> Iterator[tuple[str, int]]:
    with serving(told) as place:
        yield place


def ask(place: tuple[str, int], path: str, method: str = "GET", **more: Any) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection(*place, timeout=10)
    try:
        connection.request(method, path, **more)
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def send(place: tuple[str, int], raw: bytes) -> bytes:
    with socket.create_connection(place, timeout=10) as sock:
        sock.sendall(raw)
        came = b""
        with suppress(ConnectionResetError):
            while part := sock.recv(65536):
                came += part
    return came


def test_a_run_that_is_well(place: tuple[str, int]) -> None:
    for path in ("/healthz", "/readyz", "/healthz?verbose=1"):
        status, body, headers = ask(place, path)
        assert (status, body) == (200, b"ok\n")
        assert headers["content-type"] == "text/plain; charset=utf-8"


def test_a_run_that_is_not_says_why_in_one_line(place: tuple[str, int], told: Told) -> None:
    told.trouble, told.unready = "The loop hangs:\n it last looked 700 s ago.", "Not yet."
    assert ask(place, "/healthz")[:2] == (503, b"The loop hangs: it last looked 700 s ago.\n")
    assert ask(place, "/readyz")[:2] == (503, b"Not yet.\n")


def test_metrics_whole_and_of_their_type(place: tuple[str, int]) -> None:
    status, body, headers = ask(place, "/metrics")
    assert (status, body, headers["content-type"]) == (200, *PAGE)


def test_head_is_get_without_its_body(place: tuple[str, int]) -> None:
    status, body, headers = ask(place, "/metrics", "HEAD")
    assert (status, body, headers["content-length"]) == (200, b"", str(len(PAGE[0])))


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "/HEALTHZ", "//healthz", "/debug/pprof", "*"])
def test_there_is_nothing_else(path: str, place: tuple[str, int]) -> None:
    assert ask(place, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(method: str, place: tuple[str, int]) -> None:
    status, _, headers = ask(place, "/healthz", method, body=b"x" * 100_000)
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_nothing_tells_what_serves(place: tuple[str, int], told: Told) -> None:
    told.broken = True
    status, body, headers = ask(place, "/metrics")
    assert status == 500
    assert b"s3cret" not in body
    assert "server" not in headers
    assert "landed/" not in str(headers)
    told.broken = False
    assert ask(place, "/metrics")[0] == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"hello\r\n\r\n", b"\r\n\r\n", b"GET /healthz\r\n\r\n", b"GET  /healthz HTTP/1.1\r\n\r\n",
        b"get /healthz HTTP/1.1\r\n\r\n", b"GET /healthz HTTP/2.0\r\n\r\n", b"GET /h\xffz HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET /healthz HTTP/1.1\nHost: a\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_request(raw: bytes, place: tuple[str, int]) -> None:
    assert send(place, raw).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_head_without_end(place: tuple[str, int]) -> None:
    assert b" 431 " in send(place, b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 9000)


def test_a_request_in_pieces_and_two_at_once(place: tuple[str, int]) -> None:
    with socket.create_connection(place, timeout=10) as sock:
        for byte in b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n":
            sock.sendall(bytes([byte]))
        came = b""
        while part := sock.recv(65536):
            came += part
    assert came.endswith(b"\r\n\r\nok\n")
    assert send(place, b"GET /healthz HTTP/1.1\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n").count(b"HTTP/1.1") == 1


def test_clients_that_say_nothing_keep_nobody(place: tuple[str, int]) -> None:
    with ExitStack() as stack:
        for _ in range(module.CONNECTIONS * 3):
            stack.enter_context(socket.create_connection(place, timeout=10))
        assert ask(place, "/healthz")[0] == 200


def test_if_there_are_too_many_the_oldest_has_to_go(place: tuple[str, int]) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(socket.create_connection(place, timeout=3))
        for _ in range(module.CONNECTIONS):
            stack.enter_context(socket.create_connection(place, timeout=3))
        assert first.recv(1) == b""


def test_clients_that_do_not_read_keep_nobody(place: tuple[str, int]) -> None:
    with ExitStack() as stack:
        for _ in range(10):
            sock = stack.enter_context(socket.create_connection(place, timeout=10))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            sock.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert ask(place, "/metrics")[:2] == (200, PAGE[0])


def test_a_slow_client_is_dismissed(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    with serving(told) as place, socket.create_connection(place, timeout=10) as sock:
        sock.sendall(b"GET /healthz")
        assert sock.recv(100) == b""


def test_clients_that_go_away(place: tuple[str, int]) -> None:
    for raw in (b"", b"GET /met", b"GET /metrics HTTP/1.1\r\n\r\n"):
        with socket.create_connection(place, timeout=10) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # closes with a reset
            sock.sendall(raw)
    assert ask(place, "/healthz")[0] == 200


def test_many_at_once(place: tuple[str, int]) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(ask(place, "/metrics")[0])) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 20


def test_it_stops_while_somebody_is_connected(told: Told) -> None:
    with serving(told) as place:
        sock = socket.create_connection(place, timeout=10)
        assert ask(place, "/healthz")[0] == 200
    with sock:
        assert sock.recv(10) == b""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(place, timeout=10)


def test_it_may_be_stopped_without_having_begun() -> None:
    Server("127.0.0.1:0", trouble=str, unready=str, metrics=lambda: PAGE).stop()


def test_an_address_without_a_host_is_every_one(told: Told) -> None:
    with serving(told, ":0") as (_, port):
        assert ask(("127.0.0.1", port), "/healthz")[0] == 200
    with serving(told, "localhost:0") as (host, port):
        assert host in ("127.0.0.1", "::1")
        assert ask((host, port), "/healthz")[0] == 200


@pytest.mark.parametrize("listen", ["[::1]:0", "[::]:0"])
def test_ipv6(listen: str, told: Told) -> None:
    try:
        with serving(told, listen) as (_, port):
            assert ask(("::1", port), "/healthz")[0] == 200
    except ConfigurationError:
        pytest.skip("this machine has no IPv6")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (":8080", ("", 8080)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::]:8080", ("::", 8080)),
        ("[fe80::1%eth0]:1", ("fe80::1%eth0", 1)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_addresses(text: str, place: tuple[str, int]) -> None:
    assert address(text) == place


@pytest.mark.parametrize(
    "text", ["", "8080", ":", "a:b", ":65536", "::1:80", "http://a:80", "a/b:80", ":٨٠", "a b:1", ":1\n"]
)
def test_no_addresses(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address to listen on"):
        address(text)


def test_an_address_that_cannot_be_had_is_named(place: tuple[str, int]) -> None:
    taken = f"127.0.0.1:{place[1]}"
    for listen in (taken, "192.0.2.1:0", "a..b:0"):
        with pytest.raises(ConfigurationError) as caught:
            Server(listen, trouble=str, unready=str, metrics=lambda: PAGE)
        assert listen in caught.value.message
        assert caught.value.exit_code == 2


def test_the_parts_together() -> None:
    health, metrics = Health(60), Metrics()
    server = Server(":0", trouble=health.trouble, unready=health.unready, metrics=metrics.page)
    server.start()
    place = ("127.0.0.1", address(server.address)[1])
    try:
        assert [ask(place, path)[0] for path in ("/healthz", "/readyz", "/metrics")] == [200, 503, 200]
        health.looked()
        metrics.observe(Report((Look("prod"),)), began=1, ended=2)
        assert ask(place, "/readyz")[0] == 200
        assert b'landed_looks_total{result="complete"} 1.0\n' in ask(place, "/metrics")[1]
    finally:
        server.stop()


class TestHealth:
    def test_it_is_well_while_it_looks(self) -> None:
        now = [0.0]
        health = Health(100, clock=lambda: now[0])
        assert health.limit == 300
        assert health.trouble() == ""
        assert health.unready() == "The first look is not over yet."
        now[0] = 300
        assert health.trouble() == ""
        now[0] = 301
        assert health.trouble() == "The loop hangs: it last began 301 s ago, and may take 300 s."
        health.looked()
        assert (health.trouble(), health.unready()) == ("", "")
        now[0] = 700
        assert health.unready() == "The loop hangs: it last looked at the clusters 399 s ago, and may take 300 s."

    def test_a_delivery_is_a_sign_but_not_a_look(self) -> None:
        now = [0.0]
        health = Health(100, clock=lambda: now[0])
        now[0] = 299
        health.worked()
        now[0] = 500
        assert health.trouble() == ""
        assert health.unready() == "The first look is not over yet."

    def test_who_stands_by_is_well_and_ready(self) -> None:
        now = [0.0]
        health = Health(1, clock=lambda: now[0])
        health.stood_by()
        assert (health.trouble(), health.unready()) == ("", "")
        now[0] = 181
        assert health.trouble() == "The loop hangs: it last tried to take over 181 s ago, and may take 180 s."
