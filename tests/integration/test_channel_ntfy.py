"""A real ntfy server: what stands in the topic, how refusals read, and all of it from a Provider on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import trustme
import yaml
from contract.test_chat_providers import story
from contract.ways import WAYS
from integration.conftest import sandbox
from integration.guide import put
from integration.test_every_channel import STEPS, _report, documents, states
from msgspec import structs
from servers.ntfy import Ntfy

from landed.errors import DeliveryError
from landed.http import Http
from landed.model import Channel, Digest, Mark, Network, Secret, State, Update
from landed.providers.chat.ntfy import LIMIT
from landed.providers.outlet import ChannelOutlet

if TYPE_CHECKING:
    from pathlib import Path

FAILED = Digest((story(State.FAILURE, "timeout"),))


def deliver(channel: Channel, digest: Digest = FAILED) -> None:
    with Http(network=channel.network, sleep=lambda _: None) as http:
        outlet = ChannelOutlet(channel, lambda: http)
        outlet.deliver(Update("it", (Mark("l", "c", "f"),), digest))


def to(server: Ntfy, **changed: Any) -> Channel:
    return structs.replace(Channel("ntfy", "ntfy", Secret(server.url), server.topic), **changed)


def test_what_stands_in_the_topic(ntfy: Ntfy) -> None:
    for state in (State.PENDING, State.FAILURE, State.SUCCESS):
        deliver(to(ntfy), Digest((story(state),)))

    said = ntfy.messages()
    assert [(one["title"], one.get("priority", 3), one["tags"]) for one in said] == [
        ("acme/fleet main@6dcd4ce2 is waiting on prod", 2, ["hourglass_flowing_sand"]),
        ("acme/fleet main@6dcd4ce2 failed on prod", 4, ["x"]),
        ("acme/fleet main@6dcd4ce2 is live on prod", 3, ["white_check_mark"]),
    ]
    assert all(one["click"] == one["actions"][0]["url"] for one in said)


def test_the_same_message_again_takes_the_place_of_the_first(ntfy: Ntfy) -> None:
    for _ in range(2):
        deliver(to(ntfy))

    assert len(ntfy.events()) == 2
    assert len(ntfy.messages()) == 1


@pytest.mark.parametrize("text", ["é" * 9000, '"\\' * 9000, "😀" * 9000, "x " * 9000, "\x00\u202e<&>" * 5000])
def test_the_longest_messages_are_no_files(ntfy: Ntfy, text: str) -> None:
    stories = tuple(story(State.FAILURE, text, f"cluster-{number}", 30) for number in range(20))
    deliver(to(ntfy), Digest(stories, facts=((text, text),) * 20))

    (said,) = ntfy.messages()
    assert "attachment" not in said
    assert LIMIT // 4 < len(said["message"].encode()) <= LIMIT


def test_a_login() -> None:
    with Ntfy(login=True) as server:
        deliver(to(server, token=Secret(server.token)))
        deliver(to(server, username=server.user, password=Secret(server.password)), Digest((story(State.SUCCESS),)))

        assert len(server.messages()) == 2
        for changed, code, hint in (
            ({}, "40301", "write access"),
            ({"token": Secret("tk_wrong0123456789012345678901")}, "40101", "tk_"),
            ({"username": server.user, "password": Secret("wrong-one")}, "40101", "`password`"),
            ({"token": Secret(server.token), "channel": "elsewhere"}, "40301", "write access"),
        ):
            with pytest.raises(DeliveryError) as caught:
                deliver(to(server, **changed))
            assert code in caught.value.message
            assert hint in caught.value.hint
            assert not caught.value.passing


def test_too_many_messages() -> None:
    with Ntfy(burst=1) as server:
        deliver(to(server))
        with pytest.raises(DeliveryError) as caught:
            deliver(to(server))

    assert "42901" in caught.value.message
    assert caught.value.passing


def test_a_private_authority() -> None:
    authority = trustme.CA()
    with Ntfy(authority=authority) as server:
        with pytest.raises(DeliveryError, match="not trusted"):
            deliver(to(server))
        deliver(to(server, network=Network(ca=authority.cert_pem.bytes().decode(), timeout=5.0)))

        assert len(server.messages()) == 1


class _Settings(NamedTuple):
    address: str
    channel: str
    token: str


def test_from_a_provider_on(tmp_path: Path) -> None:
    with Ntfy(login=True) as server, sandbox() as cluster:
        settings = _Settings(server.url, server.topic, server.token)
        written = documents("ntfy", WAYS["ntfy token"], settings)
        (tmp_path / "manifests.yaml").write_text(yaml.safe_dump_all(written))
        (tmp_path / "kubeconfig").write_text(cluster.kubeconfig())
        told: list[list[str]] = []
        for objects in states().values():
            before = len(server.events())
            put(cluster, *objects)
            for _ in range(2):
                run = _report(tmp_path)
            told.append([f"{one['title']}\n{one['message']}" for one in server.events()[before:]])
            assert server.token not in run.stdout + run.stderr

    _, wait, failure, recovery, success = told
    assert len(told) == len(STEPS) + 1
    assert [len(one) for one in (wait, failure, recovery, success)] == [1, 1, 1, 1]
    assert "waits for flux-system/infra" in wait[0]
    assert "failed on prod" in failure[0]
    assert "Recovered" in recovery[0]
    assert "is live on prod" in success[0]
    assert "Call the Aurora team" in success[0]
