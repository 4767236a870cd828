"""What every chat provider must do, whatever it speaks. A new one joins by its line in ``RECEIVERS``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.server import Answer, Fault, StandIn, answer, hang, hang_after, lost, reset, rubbish
from standins.webhook import SECRET_PATH, Receiver

from landed import providers, render
from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.model import Channel, Digest, Event, ObjectRef, Observation, Outcome, Repository, Secret, State, Story

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")


class Kind(NamedTuple):
    """A receiver as strict as the real service, and what it answers when it is content."""

    receiver: Callable[[], Receiver]
    content: bytes


RECEIVERS = {
    "generic": Kind(Receiver, b""),
    "slack": Kind(lambda: Receiver(slack=True), b"ok"),
}
STATES = [State.SUCCESS, State.FAILURE, State.PENDING]


def observation(state: State, text: str = "Applied revision", number: int = 0, commit: str = COMMIT) -> Observation:
    about = ObjectRef("Kustomization", "apps", f"web-{number}")
    reason = {State.SUCCESS: "ReconciliationSucceeded", State.FAILURE: "HealthCheckFailed"}.get(state, "Progressing")
    return Observation(about, state, FLEET, commit, reason, text, revision=f"main@sha1:{commit}", since=1_790_000_000)


def story(state: State, text: str = "Applied revision", cluster: str = "prod", objects: int = 1) -> Story:
    observations = tuple(observation(state, text, number) for number in range(objects))
    return Story(Outcome(cluster, FLEET, COMMIT, observations))


def payload(type_: str, state: State = State.FAILURE, text: str = "timeout", cluster: str = "prod") -> Digest | Event:
    if providers.CHAT[type_].takes == "events":
        return render.event(cluster, observation(state, text))
    return Digest((story(state, text, cluster),))


class World:
    """A channel and its receiver."""

    def __init__(self, type_: str, receiver: Receiver) -> None:
        self.type = type_
        self.module = providers.chat_module(type_)
        self.receiver = receiver
        self.waits: list[float] = []
        self.channel = Channel(type_, type_, Secret(receiver.address))

    def deliver(self, what: Digest | Event | None = None) -> None:
        with Http(sleep=self.waits.append, timeout=(0.3, 0.3)) as http:
            for request in self.module.requests(self.channel, what or payload(self.type)):
                self.module.acknowledged(http.send(request))

    def failure(self) -> DeliveryError:
        with pytest.raises(DeliveryError) as caught:
            self.deliver()
        error = caught.value
        shown = f"{error!r} {error} {error.message} {error.hint} {error.__cause__!r} {error.__context__!r}"
        assert SECRET_PATH not in shown
        assert not [part for part in SECRET_PATH.split("/") if len(part) > 8 and part in shown]
        assert "\n" not in error.message
        return error


@pytest.fixture(params=sorted(providers.CHAT))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with RECEIVERS[request.param].receiver() as receiver:
        yield World(request.param, receiver)
        assert receiver.violations == []


def bodies(type_: str, what: Digest | Event) -> list[bytes]:
    channel = Channel(type_, type_, Secret("https://hooks.example.com" + SECRET_PATH))
    return [request.body for request in providers.chat_module(type_).requests(channel, what)]


def test_every_registered_type_is_tested_here() -> None:
    assert set(RECEIVERS) == set(providers.CHAT)


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_delivered(world: World, state: State) -> None:
    world.deliver(payload(world.type, state))

    assert len(world.receiver.taken) == 1
    asked = world.receiver.asked[0]
    assert (asked.method, asked.target) == ("POST", SECRET_PATH)
    assert asked.headers["content-type"] == "application/json"


def test_states_can_be_told_apart(world: World) -> None:
    told = {json.dumps(bodies(world.type, payload(world.type, state))[0].decode()) for state in STATES}

    assert len(told) == len(STATES)


def test_commit_and_cluster_are_named(world: World) -> None:
    (body,) = bodies(world.type, payload(world.type, cluster="prod-eu"))

    assert COMMIT[:8].encode() in body
    assert b"prod-eu" in body


def test_the_same_payload_gives_the_same_bytes(world: World) -> None:
    assert bodies(world.type, payload(world.type)) == bodies(world.type, payload(world.type))


def test_a_request_does_not_print_its_address(world: World) -> None:
    (request,) = world.module.requests(world.channel, payload(world.type))

    assert request.url.reveal() == world.receiver.address
    assert not [part for part in SECRET_PATH.split("/") if len(part) > 8 and part in f"{request!r} {request}"]


def test_a_channel_with_a_name_of_its_own_is_called_by_it(world: World) -> None:
    (request,) = world.module.requests(Channel(world.type, "ops-room", world.channel.address), payload(world.type))

    assert "ops-room" in request.service


@pytest.mark.parametrize("code", [429, 503])
def test_later_is_tried_again(world: World, code: int) -> None:
    world.receiver.faults.append(answer(code, {"Retry-After": "2"}))

    world.deliver()

    assert world.waits == [2]
    assert len(world.receiver.taken) == 1


@pytest.mark.parametrize(
    ("code", "tries", "passing"),
    [
        (400, 1, False), (401, 1, False), (403, 1, False), (404, 1, False), (410, 1, False), (413, 1, False),
        (429, 4, True), (500, 1, True), (502, 1, True), (503, 4, True), (504, 1, True),
    ],
)  # fmt: skip
def test_refusals(world: World, code: int, tries: int, passing: bool) -> None:
    world.receiver.faults += [answer(code, body=f"no {SECRET_PATH} here")] * 9

    error = world.failure()

    assert len(world.receiver.asked) == tries
    assert error.passing is passing
    assert str(code) in error.message


@pytest.mark.parametrize(
    "fault",
    [lost(), reset(), hang(), hang_after(), rubbish()],
    ids=["lost", "reset", "hang", "hang after acting", "no HTTP"],
)
def test_what_may_have_arrived_is_not_sent_again(world: World, fault: Fault) -> None:
    world.receiver.faults.append(fault)

    error = world.failure()

    assert len(world.receiver.asked) == 1
    assert error.uncertain
    assert error.passing


def test_a_redirect_to_another_host_gets_nothing(world: World) -> None:
    with StandIn(lambda asked: Answer(200, b"ok")) as other:
        world.receiver.faults.append(answer(307, {"Location": f"{other.url}/collect"}))

        error = world.failure()

        assert other.asked == []
        assert f"127.0.0.1:{other.port}" in error.message


HOSTILE = [
    pytest.param("<!channel> <!here> <@U123> <#C1> @here @channel @everyone", id="mentions"),
    pytest.param("::error::x\n##[error]y\n::add-mask::z", id="workflow commands"),
    pytest.param("<b>bold</b> &amp; <a href='http://evil.example'>click</a> <script>x</script>", id="HTML"),
    pytest.param("**b** [click](http://evil.example) ![i](http://evil.example/i.png) `x` <http://evil.example|click>",
                 id="Markdown"),
    pytest.param("x" * 100_000, id="one long word"),
    pytest.param("<&> " * 25_000, id="grows when escaped"),
    pytest.param("line\n" * 20_000, id="many lines"),
    pytest.param("\x00\x07\x1b[31mred\x1b[0m\u202egnp.exe\u2066\u200b\ufeff", id="control characters"),
    pytest.param("😀" * 2000 + "\u0301" * 500, id="beyond the basic plane"),
    pytest.param('"}],"text":"forged"', id="JSON"),
    pytest.param("", id="nothing"),
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("state", STATES)
def test_hostile_text_is_delivered_within_the_services_rules(world: World, state: State, text: str) -> None:
    world.deliver(payload(world.type, state, text, cluster=text[:300] or "prod"))

    assert len(world.receiver.taken) == 1
    if providers.CHAT[world.type].takes == "digests":
        shown = "\n".join(strings(world.receiver.taken[0]))
        assert not [sign for sign in ("\x00", "\x1b", "\u202e", "\u2066") if sign in shown]
        assert not [call for call in ("<!", "<@", "<#", "@here", "@channel", "@everyone") if call in shown]


def strings(value: Any) -> list[str]:
    """Every text in a payload."""
    if isinstance(value, dict):
        return [text for member in value.values() for text in strings(member)]
    if isinstance(value, list):
        return [text for member in value for text in strings(member)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("type_", sorted(providers.CHAT))
@given(text=st.text(), cluster=st.text(), state=st.sampled_from(STATES))
def test_any_text_gives_json(type_: str, text: str, cluster: str, state: State) -> None:
    (body,) = bodies(type_, payload(type_, state, text, cluster))

    assert isinstance(json.loads(body), dict)


@pytest.mark.parametrize("type_", sorted(providers.CHAT))
def test_what_the_service_says_when_content_is_an_acknowledgement(type_: str) -> None:
    providers.chat_module(type_).acknowledged(Response(200, {}, RECEIVERS[type_].content))


@pytest.mark.parametrize("type_", sorted(providers.CHAT))
def test_a_payload_of_the_wrong_kind_is_a_defect_and_said_so(type_: str) -> None:
    other = "generic" if providers.CHAT[type_].takes == "digests" else "slack"

    with pytest.raises(TypeError, match="takes"):
        bodies(type_, payload(other))
