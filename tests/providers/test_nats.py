"""NATS: what is published, how servers and subjects are written, and what its refusals come to.

Judges: ``nkeys`` for keys and signatures, ``nats-py`` for lists of servers; the server itself is asked in
``integration/test_channel_nats.py``.
"""

from __future__ import annotations

import base64
import json
import secrets
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import nkeys
import pytest
import trustme
from kube.proxies import Proxy
from manifest_runs import Rollout
from msgspec import structs
from servers.nats_jwt import credentials, operator, user_key
from standins.nats import NatsServer
from values import MAIN_A

from landed import events, render
from landed.errors import DeliveryError
from landed.http import Request, Response
from landed.model import Channel, Event, Network, ObjectRef, Observation, Repository, Secret, State
from landed.providers.chat import nats
from landed.providers.doors.nats import Limits, Publishing, door
from landed.providers.doors.nats_login import login, proof

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = Limits(2.0, 2.0, 0.1)


@pytest.fixture
def server() -> Iterator[NatsServer]:
    with NatsServer() as one:
        yield one
        assert one.violations == []


def event(message: str = "timeout waiting") -> Event:
    about = ObjectRef("Kustomization", "apps", "web")
    said = Observation(
        about, State.FAILURE, Repository("github.com", "acme/fleet"), MAIN_A[-40:], "HealthCheckFailed", message,
        revision=MAIN_A, since=1_790_000_000,
    )  # fmt: skip
    return render.event("prod", said)


def channel(address: str = "nats://nats.example.com:4222", **settings: Any) -> Channel:
    given = {"channel": "flux.events", "name": "nats", **settings}
    return Channel("nats", address=Secret(address), **given)


def to(server: NatsServer, **settings: Any) -> Channel:
    login = {"username": server.username, "password": Secret(server.password)}
    return channel(server.address, **{**login, **settings})


def request(at: Channel, message: str = "timeout waiting") -> Request:
    (made,) = nats.requests(at, event(message))
    return made


def send(at: Channel, *, naps: list[float] | None = None) -> Response:
    return Publishing(at, QUICK, (naps if naps is not None else []).append).send(request(at))


def failure(at: Channel, *, naps: list[float] | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        nats.acknowledged(send(at, naps=naps))
    shown = f"{caught.value.message} {caught.value.hint}"
    assert not [one for one in (NatsServer.password, "s3cr3t") if one in shown]
    assert "\n" not in shown
    return caught.value


class TestWhatIsPublished:
    def test_the_event_as_flux_writes_it(self, server: NatsServer) -> None:
        assert request(to(server)).body == events.body(event())
        assert nats.acknowledged(send(to(server))) == ""
        assert server.taken == [json.loads(events.body(event()))]

    def test_the_same_event_has_the_same_id(self) -> None:
        def known(at: Channel, message: str = "x") -> object:
            return request(at, message).headers["Nats-Msg-Id"]

        assert known(channel()) == known(channel())
        assert known(channel()) != known(channel(), "another")
        # One stream may keep both subjects: what is told on both is not the same.
        assert known(channel()) != known(channel(channel="other.events"))

    def test_no_secret_prints(self) -> None:
        at = channel("nats://flux:s3cr3t@nats.example.com", token=Secret("s3cr3t2"))
        made = request(channel("nats://flux:s3cr3t@nats.example.com"))
        assert "s3cr3t" not in f"{made!r}{made.url.reveal()}{at!r}"
        assert made.origin == "NATS (nats.example.com:4222)"

    def test_what_the_client_says_of_itself(self, server: NatsServer) -> None:
        send(to(server))
        (said,) = server.asked
        assert {name: said[name] for name in ("user", "pass", "headers", "no_responders", "verbose")} == {
            "user": server.username, "pass": server.password, "headers": True, "no_responders": True, "verbose": False,
        }  # fmt: skip

    def test_an_old_server_gets_no_headers(self, server: NatsServer) -> None:
        del server.said["headers"]
        send(to(server))
        assert server.ids == [""]
        assert server.taken

    def test_the_path_is_that_of_the_channel(self, server: NatsServer) -> None:
        with Proxy() as proxy:
            at = structs.replace(to(server), network=Network(Secret(proxy.url)))
            door(at, pytest.fail).send(request(at))
            assert proxy.asked == [f"127.0.0.1:{server.port}"]

    def test_from_a_manifest(self, server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        secret = {"username": server.username, "password": server.password}
        run = Rollout(tmp_path, monkeypatch, secret, type="nats", address=server.address, channel=server.channel)
        told = run.all_situations()
        assert [one for e in server.taken if (one := (e["severity"], e["reason"]))[1] != "Progressing"] == told
        assert len(set(server.ids)) == len(server.ids)


class TestWhatBecomesOfIt:
    def test_nobody_listens(self, server: NatsServer) -> None:
        server.faults += [b"HMSG INBOX 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"]
        naps: list[float] = []
        error = failure(to(server), naps=naps)
        assert error.message == f"NATS (127.0.0.1:{server.port}): nobody listens on flux.events, so the event is lost."
        assert (error.passing, error.uncertain, naps) == (True, False, [])

    def test_somebody_listens_and_does_not_answer(self, server: NatsServer) -> None:
        server.faults += [b"", b""]
        at = to(server)
        out = Publishing(at, QUICK)
        assert [nats.acknowledged(out.send(request(at))) for _ in range(2)] == ["", ""]

    @pytest.mark.parametrize("said", [b"ok", b"[]", b"{}", b'{"stream":3}', b"", b"\xff", b"[" * 9000])
    def test_somebody_answers_something(self, server: NatsServer, said: bytes) -> None:
        server.faults.append(b"MSG INBOX 1 %d\r\n%b\r\n" % (len(said), said))
        assert nats.acknowledged(send(to(server))) == ""

    @pytest.mark.parametrize(("code", "passing"), [(400, False), (503, True)])
    def test_the_stream_does_not_take_it(self, server: NatsServer, code: int, passing: bool) -> None:
        refusal = {"error": {"code": code, "err_code": 10077, "description": "maximum messages\x1b exceeded"}}
        said = json.dumps(refusal | {"stream": "S", "seq": 0}).encode()
        server.faults.append(b"MSG INBOX 1 %d\r\n%b\r\n" % (len(said), said))
        error = failure(to(server))
        assert "the stream did not take the event: maximum messages exceeded" in error.message
        assert (error.passing, error.uncertain) == (passing, False)

    def test_publishing_is_not_allowed(self, server: NatsServer) -> None:
        server.faults.append(b"-ERR 'Permissions Violation for Publish to \"flux.events\"'\r\n")
        error = failure(to(server))
        assert error.message.endswith('refused: Permissions Violation for Publish to "flux.events".')
        assert error.hint == "Allow this user to publish on the subject."
        assert not error.passing

    def test_hearing_answers_is_not_allowed(self, server: NatsServer) -> None:
        server.faults.append(b"-ERR 'Permissions Violation for Subscription to \"INBOX\"'\r\n")
        assert nats.acknowledged(send(to(server))) == ""

    def test_the_login_is_wrong(self, server: NatsServer) -> None:
        error = failure(to(server, password=Secret("s3cr3t")))
        assert error.message.endswith("refused: Authorization Violation.")
        assert "`creds`" in error.hint
        assert not error.passing

    def test_plain_words_of_credentials_are_not_taken_out(self, server: NatsServer) -> None:
        text = credentials(operator(), "flux").replace("\n", " ")
        jwt, seed = text.split()[4], text.split("SEED-----")[1].split()[0]
        server.greeting = f"-ERR 'Permissions Violation for Publish to \"and.it\" {jwt} {seed}'\r\n".encode()
        error = failure(to(server, token=Secret(text)))
        assert error.message.endswith('refused: Permissions Violation for Publish to "and.it" *** ***.')

    def test_a_server_that_is_slow_to_let_us_in(self, server: NatsServer) -> None:
        server.greeting = b"-ERR 'Authentication Timeout'\r\n"
        naps: list[float] = []
        error = failure(to(server), naps=naps)
        assert (error.passing, error.uncertain, len(naps)) == (True, False, 3)

    def test_the_port_of_other_servers(self, server: NatsServer) -> None:
        server.greeting = b"-ERR 'Attempted To Connect To Route Port'\r\n"
        assert "4222" in failure(to(server)).hint

    def test_a_connection_that_the_server_ends_after_it_was_sent(self, server: NatsServer) -> None:
        server.faults.append(b"-ERR 'Stale Connection'\r\n")
        naps: list[float] = []
        error = failure(to(server), naps=naps)
        assert error.message.endswith("refused: Stale Connection; the message may or may not have arrived.")
        assert (error.passing, error.uncertain, naps, len(server.taken)) == (True, True, [], 1)

    def test_what_the_server_has_taken_is_no_failure(self, server: NatsServer) -> None:
        server.faults.append(b"PONG\r\n-ERR 'Server Shutdown'\r\n")
        assert nats.acknowledged(send(to(server))) == ""
        assert len(server.taken) == 1

    def test_a_refusal_that_repeats_the_password_is_not_quoted(self, server: NatsServer) -> None:
        server.greeting = f"-ERR 'no {server.password} here'\r\n".encode()
        assert "no *** here" in failure(to(server)).message

    def test_the_connection_ends_after_it_was_sent(self, server: NatsServer) -> None:
        server.faults.append("lost")
        naps: list[float] = []
        error = failure(to(server), naps=naps)
        assert "may or may not have arrived" in error.message
        assert (error.passing, error.uncertain, naps, len(server.taken)) == (True, True, [], 1)

    def test_an_event_that_is_too_large(self, server: NatsServer) -> None:
        server.said["max_payload"] = 100
        error = failure(to(server))
        assert "and the server takes 100" in error.message
        assert not error.passing
        assert server.taken == []

    def test_the_limit_counts_the_headers(self, server: NatsServer) -> None:
        made = request(to(server))
        whole = len(b"NATS/1.0\r\nNats-Msg-Id: \r\n\r\n") + 32 + len(made.body)
        server.said["max_payload"] = whole
        send(to(server))
        server.said["max_payload"] = whole - 1
        assert f"the event has {whole} bytes" in failure(to(server)).message

    def test_the_limit_of_an_old_server_counts_no_headers(self, server: NatsServer) -> None:
        del server.said["headers"]
        server.said["max_payload"] = len(request(to(server)).body)
        send(to(server))
        assert len(server.taken) == 1

    def test_what_is_no_nats_server(self, server: NatsServer) -> None:
        server.greeting = b"SSH-2.0-OpenSSH_9.2\r\n"
        error = failure(to(server))
        assert "makes no sense for a NATS server" in error.message
        assert (error.passing, error.uncertain) == (False, False)

    @pytest.mark.parametrize(
        "said", [b"INFO {\r\n", b"INFO []\r\n", b"INFO " + b"[" * 99999 + b"\r\n", b"x" * (3 << 20)]
    )
    def test_nonsense(self, server: NatsServer, said: bytes) -> None:
        server.greeting = said
        assert "makes no sense" in failure(to(server)).message

    @pytest.mark.parametrize("said", [b"MSG INBOX 1 -1\r\n", b"MSG x\r\n", b"HMSG INBOX 1 9 2\r\nab\r\n", b"WHAT\r\n"])
    def test_nonsense_afterwards(self, server: NatsServer, said: bytes) -> None:
        server.faults.append(said)
        error = failure(to(server))
        assert "makes no sense" in error.message
        assert error.uncertain

    def test_tls_where_the_server_has_none(self, server: NatsServer) -> None:
        at = to(server)
        error = failure(structs.replace(at, address=Secret(at.address.reveal().replace("nats:", "tls:"))))
        assert "speaks no TLS" in error.message
        assert "nats://" in error.hint
        assert server.asked == []  # nothing secret was said in the clear

    def test_an_authority_for_a_server_without_tls(self, server: NatsServer) -> None:
        network = Network(ca=trustme.CA().cert_pem.bytes().decode())
        error = failure(structs.replace(to(server), network=network))
        assert "speaks no TLS" in error.message
        assert "certSecretRef" in error.hint
        assert server.asked == []

    def test_a_server_that_wants_tls_first(self) -> None:
        authority, made = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(made)
        with NatsServer(made) as server:
            server.said["tls_required"] = True
            at = to(server, network=Network(ca=authority.cert_pem.bytes().decode()))
            naps: list[float] = []
            out = Publishing(at, Limits(5.0, 5.0, 5.0), naps.append)
            for _ in range(2):
                out.send(request(at))
            assert (len(server.taken), len(naps), server.violations) == (2, 1, [])

            error = failure(
                structs.replace(at, network=Network(), address=Secret(at.address.reveal().replace("nats:", "tls:")))
            )
            assert "its certificate is not trusted" in error.message

    def test_a_server_that_says_nothing(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            at = channel(f"nats://127.0.0.1:{silent.getsockname()[1]}")
            with pytest.raises(DeliveryError, match="no answer in time") as caught:
                Publishing(at, Limits(1.0, 0.2, 0.1), lambda _: None).send(request(at))
        assert (caught.value.passing, caught.value.uncertain) == (True, False)
        assert "4222" in caught.value.hint

    def test_no_thread_stays(self, server: NatsServer) -> None:
        before = threading.active_count()
        send(to(server))
        assert threading.active_count() <= before


class TestServers:
    def closed(self) -> str:
        with socket.create_server(("127.0.0.1", 0)) as one:
            return f"127.0.0.1:{one.getsockname()[1]}"

    def test_the_next_one_is_asked(self, server: NatsServer) -> None:
        address = f"nats://{self.closed()}, {server.address.removeprefix('nats://')}"
        naps: list[float] = []
        send(structs.replace(to(server), address=Secret(address)), naps=naps)
        assert len(server.taken) == 1
        assert naps == []

    def test_none_is_there(self) -> None:
        naps: list[float] = []
        error = failure(channel(f"{self.closed()},{self.closed()}"), naps=naps)
        assert "the connection was refused" in error.message
        assert error.passing
        assert len(naps) == 3

    def test_a_message_that_may_have_arrived_goes_to_no_other(self, server: NatsServer) -> None:
        server.faults.append("lost")
        failure(structs.replace(to(server), address=Secret(f"{server.address},{server.address}")))
        assert len(server.taken) == 1

    @pytest.mark.parametrize(
        ("address", "found"),
        [
            ("nats://n.example.com", ("n.example.com", 4222, False)),
            ("n.example.com", ("n.example.com", 4222, False)),
            ("n.example.com:4333", ("n.example.com", 4333, False)),
            ("TLS://n.example.com:4333/", ("n.example.com", 4333, True)),
            ("nats://[::1]:4333", ("::1", 4333, False)),
        ],
    )
    def test_forms(self, address: str, found: tuple[str, int, bool]) -> None:
        assert nats.servers(Secret(address))[0][:3] == found

    def test_a_list_is_read_as_the_official_client_reads_it(self) -> None:
        from nats.aio.client import Client

        address = "nats://a:4222,tls://b.example.com,c:1,nats://[::1]:9"
        client = Client()
        client._setup_server_pool(address.split(","))
        theirs = [(one.uri.hostname, one.uri.port, one.uri.scheme == "tls") for one in client._server_pool]
        assert [one[:3] for one in nats.servers(Secret(address))] == theirs

    def test_the_address_may_say_who_we_are(self, server: NatsServer) -> None:
        password = server.password.replace("4", "%34")
        with_login = server.address.replace("://", f"://{server.username}:{password}@")
        send(channel(with_login))
        with pytest.raises(DeliveryError, match="Authorization"):
            send(channel(server.address.replace("://", "://s3cr3t@")))
        assert server.asked[-1]["auth_token"] == "s3cr3t"

    @pytest.mark.parametrize(
        "address", ["", ",", "http://x", "nats://", "nats://a b", "nats://a:99999", "nats://a:x", "ws://a", "nats://a/x",
                    "nats://a?x=1", "nats://a,ftp://b", "nats://[::1", "nats://a:0", "nats://a\nb"]
    )  # fmt: skip
    def test_what_is_none(self, address: str) -> None:
        (complaint,) = nats.complaints(channel(address))
        assert complaint.field == "spec.address"
        with pytest.raises(DeliveryError, match=r"spec\.address"):
            nats.requests(channel(address), event())

    def test_websocket_is_named(self) -> None:
        (complaint,) = nats.complaints(channel("wss://nats.example.com"))
        assert "WebSocket" in complaint.what


@pytest.mark.parametrize(
    "subject", ["a b", "a\tb", "a\r\nPUB x 1\r\nx", "a.*", "a.>", ">", "*", "a*", ".a", "a.", "a..b", "", "a\u200bb",
                "x" * 1025, "$SYS.x", "$JS.API.STREAM.DELETE.x", "$JS"]
)  # fmt: skip
def test_subjects_that_are_none(subject: str) -> None:
    (complaint,) = nats.complaints(channel(channel=subject))
    assert complaint.field == "spec.channel"


@pytest.mark.parametrize("subject", ["flux", "flux.events", "a.b-c_d.E", "$KV.flux.last", "größe.x", "x" * 1024])
def test_subjects(subject: str) -> None:
    assert nats.complaints(channel(channel=subject)) == []


class TestKeys:
    def test_a_seed_is_read_as_its_makers_read_it(self) -> None:
        for _ in range(20):
            key = user_key()
            who = login(Secret(f" {key.seed}\n"))
            assert who is not None
            said = proof(who, nonce := secrets.token_urlsafe(11))
            pair = nkeys.from_seed(bytearray(key.seed, "ascii"))
            assert said["nkey"] == key.public == pair.public_key.decode()
            assert pair.verify(nonce.encode(), base64.urlsafe_b64decode(said["sig"] + "=="))
            assert "=" not in said["sig"]

    def test_credentials(self) -> None:
        text = credentials(operator(), "flux")
        for written in (text, text.replace("\n", "\r\n"), text.strip()):
            who = login(Secret(written))
            assert who is not None
            assert who.jwt is not None
            assert who.jwt.reveal() == text.splitlines()[1]
            seed = text.split("SEED-----\n")[1].splitlines()[0]
            signed = base64.urlsafe_b64decode(proof(who, "abc")["sig"] + "==")
            assert nkeys.from_seed(bytearray(seed, "ascii")).verify(b"abc", signed)
            assert "nkey" not in proof(who, "abc")

    def test_a_key_goes_before_a_password(self, server: NatsServer) -> None:
        with pytest.raises(DeliveryError, match="Authorization"):
            send(to(server, token=Secret(user_key().seed)))
        assert {"user", "pass"} & set(server.asked[0]) == set()
        assert "nkey" in server.asked[0]

    def test_what_is_no_key(self) -> None:
        key = user_key()
        account = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_ACCOUNT).decode()
        changed = key.seed[:-4] + ("AAAA" if key.seed[-4:] != "AAAA" else "BBBB")
        text = credentials(operator(), "flux")
        for token in ("s3cr3t", changed, key.seed[:-8], key.public, account, text[:200], text.split("---\n\n")[0], "ü"):
            (complaint,) = nats.complaints(channel(token=Secret(token)))
            assert complaint.field == "spec.secretRef"
            assert token not in complaint.what + complaint.instead

    def test_half_a_login(self) -> None:
        assert [c.what for c in nats.complaints(channel(password=Secret("x")))] == ["there is no `username`"]
        assert nats.complaints(channel(username="jo", token=Secret(user_key().seed))) == []

    def test_a_name_alone_is_no_login(self, server: NatsServer) -> None:
        at = channel(server.address, username="jo")
        assert nats.complaints(at) == []
        assert "Authorization Violation" in failure(at).message
        assert {"user", "pass"} & set(server.asked[0]) == set()
