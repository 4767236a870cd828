"""NATS as it is: a real server with JetStream takes, stores, knows again and refuses what is published."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from kube.proxies import Proxy
from manifest_runs import Rollout
from msgspec import structs
from servers.nats import Nats

from landed import events
from landed.errors import DeliveryError
from landed.http import Request
from landed.model import Channel, Event, InvolvedObject, Network, Secret
from landed.providers.chat import nats as translation
from landed.providers.doors.nats import Limits, Publishing

if TYPE_CHECKING:
    from pathlib import Path

SUBJECT = "landed.events"
#: Long enough for a machine that does much else.
PATIENT = Limits(5.0, 15.0, 5.0)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def event(message: str = "Applied revision") -> Event:
    about = InvolvedObject("Kustomization", "apps", "web", "uid", "kustomize.toolkit.fluxcd.io/v1")
    return Event(about, "info", "2026-09-21T14:13:20Z", message, "Succeeded", {"cluster": "<prod>"}, "controller")


def channel(server: Nats, **settings: Any) -> Channel:
    return Channel("nats", "nats", Secret(server.url), **{"channel": SUBJECT, **settings})


def publish(at: Channel, message: str = "Applied revision", limits: Limits = PATIENT) -> dict[str, Any]:
    """Give what the stream answered."""
    (made,) = translation.requests(at, event(message))
    answer = Publishing(at, limits, lambda _: None).send(made)
    assert translation.acknowledged(answer) == ""
    return json.loads(answer.body or b"{}")  # type: ignore[no-any-return]


def failure(at: Channel, message: str = "Applied revision") -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        publish(at, message)
    return caught.value


class TestJetStream:
    def test_the_stream_has_stored_it_byte_for_byte(self, nats: Nats) -> None:
        assert publish(channel(nats)) == {"stream": "rollouts", "seq": 1}
        (stored,) = nats.messages(SUBJECT)
        assert stored.data == events.body(event())

    def test_the_same_event_is_stored_once(self, nats: Nats) -> None:
        assert [publish(channel(nats)).get("duplicate", False) for _ in range(2)] == [False, True]
        publish(channel(nats), "another")
        assert len(nats.messages(SUBJECT)) == 2

    def test_two_subjects_of_one_stream_are_two_messages(self, nats: Nats) -> None:
        publish(channel(nats))
        publish(channel(nats, channel="landed.others"))
        assert len(nats.messages()) == 2

    def test_what_no_stream_keeps_reaches_those_who_listen(self, nats: Nats) -> None:
        """The fixture listens to ``plain.>``, and answers nothing."""
        assert publish(channel(nats, channel="plain.events"), limits=Limits(5.0, 15.0, 0.2)) == {}
        (heard,) = nats.wait_for(1, "plain.events")
        assert heard.data == events.body(event())
        assert set(heard.headers) == {"Nats-Msg-Id"}

    def test_a_stream_that_is_full_says_so(self, nats: Nats) -> None:
        from nats.js.api import DiscardPolicy, StreamConfig

        async def limit() -> None:
            streams = nats._client.jetstream()
            full = StreamConfig("rollouts", subjects=["landed.>"], max_msgs=1, discard=DiscardPolicy.NEW)
            await streams.update_stream(full)

        nats._loop.run(limit())
        publish(channel(nats), "first")
        error = failure(channel(nats), "second")
        assert "the stream did not take the event: maximum messages exceeded" in error.message

    def test_a_message_that_is_larger_than_the_server_allows(self, nats: Nats) -> None:
        assert "and the server takes 1048576" in failure(channel(nats), "x" * (1 << 20)).message

    def test_one_that_is_as_large_as_it_allows(self, nats: Nats) -> None:
        empty = len(events.body(event(""))) + len(b"NATS/1.0\r\nNats-Msg-Id: \r\n\r\n") + 32
        publish(channel(nats), "x" * ((1 << 20) - empty))
        assert len(nats.messages(SUBJECT)) == 1
        assert f"{(1 << 20) + 1} bytes" in failure(channel(nats), "x" * ((1 << 20) - empty + 1)).message


def test_nobody_listens(nats: Nats) -> None:
    error = failure(channel(nats, channel="elsewhere"))
    assert "nobody listens on elsewhere" in error.message
    assert (error.passing, error.uncertain) == (True, False)


def logins(server: Nats) -> dict[str, dict[str, Any]]:
    return {
        "password": {"username": server.user, "password": Secret(server.password)},
        "nkey": {"token": Secret(server.seed)},
        "creds": {"token": Secret(server.creds)},
    }


@pytest.mark.parametrize("login", ["password", "nkey", "creds"])
def test_logins(login: Any) -> None:
    with Nats(login=login, allowed=[SUBJECT]) as server:
        at = channel(server, **logins(server)[login])
        assert publish(at)["seq"] == 1

        forbidden = failure(structs.replace(at, channel="landed.forbidden"))
        assert 'Permissions Violation for Publish to "landed.forbidden"' in forbidden.message
        assert not forbidden.passing

        with Nats(login=login) as other:
            wrong = {**logins(other)[login], **({"password": Secret("wr0ng")} if login == "password" else {})}
        for refused in (failure(channel(server, **wrong)), failure(channel(server))):
            assert "Authorization Violation" in refused.message
            assert not refused.passing
        assert len(server.messages()) == 1


def test_a_token_in_the_address() -> None:
    with Nats(login="token") as server:
        at = channel(server)
        at = structs.replace(at, address=Secret(server.url.replace("://", f"://{server.token}@")))
        publish(at)
        assert "Authorization Violation" in failure(channel(server)).message


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


class TestTls:
    @pytest.mark.parametrize("scheme", ["tls", "nats"])
    @pytest.mark.parametrize("proxied", ["", "http", "https", "socks5"])
    def test_with_a_private_authority(self, authority: trustme.CA, scheme: str, proxied: str) -> None:
        at_proxy = None
        if proxied == "https":
            at_proxy = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1").configure_cert(at_proxy)
        with Nats(authority=authority) as server, Proxy(proxied.replace("https", "http") or "http", at_proxy) as proxy:
            network = Network(Secret(proxy.url if proxied else ""), pem(authority))
            at = channel(server, network=network)
            publish(structs.replace(at, address=Secret(server.url.replace("tls", scheme))))
            assert bool(proxy.asked) is bool(proxied)
            assert len(server.messages()) == 1

    def test_without_it(self, authority: trustme.CA) -> None:
        with Nats(authority=authority) as server:
            error = failure(channel(server))
            assert "its certificate is not trusted" in error.message
            assert not error.passing

    def test_a_client_certificate(self, authority: trustme.CA) -> None:
        ours = authority.issue_cert("us@example.com")
        certificate = "".join(blob.bytes().decode() for blob in ours.cert_chain_pems)
        key = Secret(ours.private_key_pem.bytes().decode())
        with Nats(authority=authority, wants_certificate=True) as server:
            publish(channel(server, network=Network(Secret(""), pem(authority), certificate, key)))
            error = failure(channel(server, network=Network(Secret(""), pem(authority))))
            assert "does not accept our certificate, or wants one" in error.message
            assert not error.uncertain


@pytest.mark.parametrize("login", ["password", "nkey", "creds"])
def test_from_a_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: Any) -> None:
    with Nats(login=login) as server:
        keys = {
            "password": {"username": server.user, "password": server.password},
            "nkey": {"nkey": server.seed},
            "creds": {"creds": server.creds},
        }[login]
        run = Rollout(tmp_path, monkeypatch, keys, type="nats", address=server.url, channel=SUBJECT)
        told = run.all_situations()
        stored = [json.loads(each.data) for each in server.messages(SUBJECT)]
        assert [one for e in stored if (one := (e["severity"], e["reason"]))[1] != "Progressing"] == told


def test_a_request_says_what_it_is() -> None:
    at = Channel("nats", "nats", Secret("nats://nats.example.com"), SUBJECT)
    (made,) = translation.requests(at, event())
    assert isinstance(made, Request)
    assert made.method == "PUB"
