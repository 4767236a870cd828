"""What every channel must do, whatever it speaks and however it is reached. A new one joins by its line in ``WAYS``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from contract.way import Way
from contract.ways import WAYS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kube.proxies import Proxy
from msgspec import structs
from standins.server import Answer, Fault, StandIn, answer, hang, hang_after, lost, reset, rubbish

from landed import providers, render
from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.model import (
    Digest,
    Event,
    Mark,
    Network,
    ObjectRef,
    Observation,
    Occurrence,
    Outcome,
    Repository,
    Secret,
    State,
    Story,
    Update,
)
from landed.providers.outlet import ChannelOutlet

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
STATES = [State.SUCCESS, State.FAILURE, State.PENDING]
#: The ways to what is registered.
NAMES = sorted(name for name, way in WAYS.items() if way.type in providers.CHAT)
HTTP = [name for name in NAMES if WAYS[name].http]
STRICT = [name for name in HTTP if WAYS[name].strict]
ONCE = [name for name in HTTP if not WAYS[name].idempotent]
REPEATED = [name for name in HTTP if WAYS[name].idempotent]
EDITING = [name for name in NAMES if WAYS[name].edits]
DIGESTS = [name for name in NAMES if providers.CHAT[WAYS[name].type].takes == "digests"]
CALLING = [name for name in DIGESTS if WAYS[name].mention[0]]


def observation(state: State, text: str = "Applied revision", number: int = 0) -> Observation:
    about = ObjectRef("Kustomization", "apps", f"web-{number}")
    reason = {State.SUCCESS: "ReconciliationSucceeded", State.FAILURE: "HealthCheckFailed"}.get(state, "Progressing")
    return Observation(about, state, FLEET, COMMIT, reason, text, revision=f"main@sha1:{COMMIT}", since=1_790_000_000)


def story(state: State, text: str = "Applied revision", cluster: str = "prod", objects: int = 1) -> Story:
    observations = tuple(observation(state, text, number) for number in range(objects))
    return Story(Outcome(cluster, FLEET, COMMIT, observations))


#: Of an author, and never shown.
ADDRESS = "hidden@authors.example"


@lru_cache(maxsize=8)
def hostile(text: str, state: State) -> Digest:
    """A digest that says ``text`` wherever others may write."""
    about = ObjectRef("Kustomization", text or "apps", text or "web")
    repository = Repository("github.com", text or "acme/fleet")
    since = 1_790_000_000 + STATES.index(state)  # each is about something new
    said = Observation(
        about, state, repository, COMMIT, text, text, since=since, duration=text, revision=text, waits_for=about
    )
    told = Story(
        Outcome(text or "prod", repository, COMMIT, (said,), (about,)),
        rolled_back_from=text,
        flapping=(about,),
        subject=text,
        author=text,
        known_as=(ADDRESS,),
    )
    silent = Story(Outcome(text, Repository("", ""), "", (structs.replace(said, state=State.STALE, commit=""),)))
    left = structs.replace(told, superseded_by=text or "main")
    facts = tuple((f"{text}{number}", text) for number in range(3))
    return Digest((told, silent, left), summary=text, facts=facts, unread=(text or "stage",))


def payload(
    way: Way, state: State = State.FAILURE, text: str = "timeout", cluster: str = "prod"
) -> Digest | Event | Occurrence:
    said, takes = observation(state, text), providers.CHAT[way.type].takes
    if takes == "events":
        return render.event(cluster, said)
    if takes == "occurrences":
        event, key = render.event(cluster, said), f"{cluster} {said.about}"
        return Occurrence(event, state, key, cluster, said.since, FLEET, COMMIT, "https://git.example.com/c", 13.25)
    about = f"{FLEET} {COMMIT}" if way.edits else ""
    return Digest((story(state, text, cluster),), about=about, facts=(("env", "prod"), ("team", "web")))


class World:
    """A channel and what stands in for its service."""

    def __init__(self, name: str, standin: Any, proxy: str) -> None:
        self.name = name
        self.way = WAYS[name]
        self.module = providers.chat_module(self.way.type)
        self.standin = standin
        self.waits: list[float] = []
        self.channel = self.way.channel(standin)
        self._proxy = Network(Secret(proxy))
        self.connect(5.0)

    def connect(self, patience: float) -> None:
        """Begin with a door that waits so many seconds for an answer."""
        self.http = Http(network=self._proxy, sleep=self.waits.append, timeout=(3.0, patience))
        self.outlet = self.another_run()

    def another_run(self) -> ChannelOutlet:
        """An outlet that knows nothing of what was posted."""
        return ChannelOutlet(self.channel, lambda: self.http)

    def deliver(self, what: Digest | Event | Occurrence | None = None) -> str:
        mark = Mark("acme/fleet flux/prod", COMMIT, "failure HealthCheckFailed")
        return self.outlet.deliver(Update("it", (mark,), what or payload(self.way)))

    def failure(self, what: Digest | Event | Occurrence | None = None) -> DeliveryError:
        with pytest.raises(DeliveryError) as caught:
            self.deliver(what)
        self.hides(caught.value)
        assert "\n" not in caught.value.message
        return caught.value

    def secrets(self) -> set[str]:
        """Whatever of the channel opens it: the parts of its address that are long enough, its token and password."""
        address = self.channel.address.reveal().partition("://")[2].partition("/")[2]
        parts = {part for piece in address.split("?") for part in piece.replace("&", "/").replace("=", "/").split("/")}
        known = {"automations", "powerautomate", "workflows", "services", "webhooks", "chat.postMessage", "triggers"}
        known.add("api-version")  # what a setting is called is no secret
        long = {part for part in parts | {unquote(part) for part in parts} if len(part) > 8} - known
        return long | {secret.reveal() for secret in (self.channel.token, self.channel.password) if secret}

    def hides(self, error: BaseException) -> None:
        """No secret is in anything that ``error`` could show, nor in what it came from."""
        pending, shown = [error], ""
        while pending:
            one = pending.pop()
            shown += f"{one!r} {one} {getattr(one, 'message', '')} {getattr(one, 'hint', '')}"
            pending += [other for other in (one.__cause__, one.__context__) if other is not None]
        assert not [secret for secret in self.secrets() if secret in shown]


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    name = request.param
    with WAYS[name].make() as standin, ExitStack() as stack:
        # A proxy leads any name to the stand-in.
        proxy = stack.enter_context(Proxy()).url if WAYS[name].host else ""
        one = World(name, standin, proxy)
        yield one
        one.http.close()
        assert standin.violations == []


everywhere = pytest.mark.parametrize("world", NAMES, indirect=True)
over_http = pytest.mark.parametrize("world", HTTP, indirect=True)
where_it_edits = pytest.mark.parametrize("world", EDITING, indirect=True)


def requests_of(name: str, what: Digest | Event | Occurrence) -> Any:
    channel = WAYS[name].elsewhere()
    return providers.chat_module(channel.type).requests(channel, what)


def test_every_registered_type_has_a_way() -> None:
    assert {way.type for way in WAYS.values()} >= set(providers.CHAT)


def test_every_type_that_edits_has_a_way_that_does() -> None:
    assert {way.type for way in WAYS.values() if way.edits} >= {
        type_ for type_, kind in providers.CHAT.items() if kind.edits
    }


@everywhere
def test_a_way_edits_if_its_type_says_so(world: World) -> None:
    assert (world.outlet.destination.takes == "messages") is world.way.edits


@everywhere
@pytest.mark.parametrize("state", STATES)
def test_every_state_is_delivered(world: World, state: State) -> None:
    world.deliver(payload(world.way, state))

    assert len(world.standin.taken) == 1
    if world.way.http:
        assert {asked.method for asked in world.standin.asked} == {world.way.method}
        assert world.standin.asked[-1].headers["content-type"].startswith(world.way.content_type)


@everywhere
def test_states_can_be_told_apart(world: World) -> None:
    for state in STATES:
        world.deliver(
            structs.replace(what, about="") if isinstance(what := payload(world.way, state), Digest) else what
        )

    assert len({json.dumps(taken, sort_keys=True) for taken in world.standin.taken}) == len(STATES)


@everywhere
def test_commit_and_cluster_are_named(world: World) -> None:
    world.deliver(payload(world.way, cluster="prod-eu"))

    shown = "\n".join(strings(world.standin.taken[0])).replace("\\", "")
    assert COMMIT[:8] in shown
    assert "prod-eu" in shown


@everywhere
def test_the_same_payload_gives_the_same_bytes(world: World) -> None:
    first, second = (
        [(request.method, request.url, dict(request.headers), request.body) for request in asked]
        for asked in (world.module.requests(world.channel, payload(world.way)) for _ in range(2))
    )

    assert first == second


_DIGEST = """
import hashlib, sys
sys.path[:0] = [{tests!r}]
from contract import test_chat_providers as t
for name in t.NAMES:
    for state in t.STATES:
        what = t.payload(t.WAYS[name], state)
        print(name, [hashlib.sha256(request.body).hexdigest() for request in t.requests_of(name, what)])
"""


def test_the_same_bytes_in_every_process() -> None:
    def said(seed: str) -> str:
        tests = str(Path(__file__).parent.parent)
        env = {**os.environ, "PYTHONHASHSEED": seed}
        code = _DIGEST.format(tests=tests)
        return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout

    first = said("1")

    assert first == said("2")
    assert first.count("\n") == len(NAMES) * len(STATES)


@everywhere
def test_a_request_does_not_print_what_is_secret(world: World) -> None:
    for request in world.module.requests(world.channel, payload(world.way)):
        shown = f"{request!r} {request} {dict(request.headers)}"
        assert not [secret for secret in world.secrets() if secret in shown]


@everywhere
def test_a_channel_with_a_name_of_its_own_is_called_by_it(world: World) -> None:
    named = world.way.channel(world.standin, "ops-room")

    assert all("ops-room" in request.service for request in world.module.requests(named, payload(world.way)))


@over_http
@pytest.mark.parametrize("code", [429, 503])
def test_later_is_tried_again(world: World, code: int) -> None:
    world.standin.faults.append(answer(code, {"Retry-After": "2"}))

    world.deliver()

    assert world.waits == [2]
    assert len(world.standin.taken) == 1


@over_http
@pytest.mark.parametrize("code", [429, 503])
def test_what_is_too_far_off_is_left_to_the_next_run(world: World, code: int) -> None:
    world.standin.faults.append(answer(code, {"Retry-After": "3600"}))

    error = world.failure()

    assert world.waits == []
    assert error.passing
    assert not error.uncertain


@over_http
@pytest.mark.parametrize(
    ("code", "tries", "passing"),
    [
        (400, 1, False), (401, 1, False), (403, 1, False), (404, 1, False), (410, 1, False), (413, 1, False),
        (429, 4, True), (500, 1, True), (502, 1, True), (503, 4, True), (504, 1, True),
    ],
)  # fmt: skip
def test_refusals(world: World, code: int, tries: int, passing: bool) -> None:
    said = f"no {world.channel.address.reveal()} here, {' '.join(sorted(world.secrets()))}"
    world.standin.faults += [answer(code, body=said)] * 9

    error = world.failure()

    assert len(world.standin.asked) == (4 if world.way.idempotent and code in (502, 504) else tries)
    assert error.passing is passing
    assert str(code) in error.message


@pytest.mark.parametrize("world", ONCE, indirect=True)
@pytest.mark.parametrize(
    "fault",
    [lost(), reset(), hang(), hang_after(), rubbish()],
    ids=["lost", "reset", "hang", "hang after acting", "no HTTP"],
)
def test_what_may_have_arrived_is_not_sent_again(world: World, fault: Fault) -> None:
    world.standin.faults.append(fault)
    if fault.how.startswith("hang"):
        world.connect(0.3)

    error = world.failure()

    assert len(world.standin.asked) == 1
    assert error.uncertain
    assert error.passing


@pytest.mark.parametrize("world", REPEATED, indirect=True)
@pytest.mark.parametrize("fault", [lost(), reset(), rubbish(), answer(502)], ids=["lost", "reset", "no HTTP", "502"])
def test_what_the_service_takes_once_is_sent_until_it_is_acknowledged(world: World, fault: Fault) -> None:
    world.standin.faults.append(fault)

    world.deliver()

    first, again = world.standin.asked
    assert (first.target, first.body) == (again.target, again.body)


@over_http
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_gets_nothing(world: World, code: int) -> None:
    with StandIn(lambda asked: Answer(200, b"ok")) as other:
        world.standin.faults.append(answer(code, {"Location": f"{other.url}/collect"}))

        error = world.failure()

        assert other.asked == []
        assert f"127.0.0.1:{other.port}" in error.message
        assert not error.passing


#: What nobody says who has taken a message.
NONSENSE = [
    pytest.param(b"", id="empty"),
    pytest.param(b"<html><body>Please sign in</body></html>", id="a page"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b"null", id="null"),
    pytest.param(b'"ok"', id="a string"),
    pytest.param(b"{}", id="nothing"),
    pytest.param(b"\xff\xfe\x00\x1b[31m", id="bytes"),
    pytest.param(b"[" * 200_000, id="deep"),
    pytest.param(b'{"ok":' * 100_000, id="deep objects"),
    pytest.param(b'{"x":"' + b"x" * (3 << 20) + b'"}', id="huge"),
]


@pytest.mark.parametrize("world", STRICT, indirect=True)
@pytest.mark.parametrize("said", NONSENSE)
def test_an_answer_that_makes_no_sense_is_no_acknowledgement(world: World, said: bytes) -> None:
    world.standin.faults.append(answer(200, body=said))
    if world.way.wordless and not said:
        world.deliver()
        return

    error = world.failure()

    assert len(world.standin.asked) == 1
    assert len(error.message) < 600
    assert error.message.isprintable()


@pytest.mark.parametrize("world", [name for name in HTTP if not WAYS[name].strict], indirect=True)
@pytest.mark.parametrize("said", NONSENSE)
def test_where_any_answer_will_do_none_is_read(world: World, said: bytes) -> None:
    world.standin.faults.append(answer(202, body=said))

    world.deliver()


@pytest.mark.parametrize(
    ("world", "said"), [(name, said) for name in NAMES for said in WAYS[name].no], indirect=["world"]
)
def test_an_answer_of_200_that_says_no_is_a_refusal(world: World, said: bytes) -> None:
    world.standin.faults += [answer(200, body=said)] * 9

    error = world.failure()

    assert len(world.standin.asked) == 1
    assert not error.uncertain


@pytest.mark.parametrize("name", NAMES)
def test_what_the_service_says_when_content_is_an_acknowledgement(name: str) -> None:
    status, body = WAYS[name].content

    handle = providers.chat_module(WAYS[name].type).acknowledged(Response(status, {}, body))

    assert bool(handle) is WAYS[name].edits


LINES = "line\n" * 20_000
HOSTILE = [
    pytest.param("<!channel> <!here> <@U123> <#C1> @here @channel @everyone @all", id="mentions"),
    pytest.param("@Here @EVERYONE <!CHANNEL> <at>jo</at> <@&12> @\u200bhere", id="mentions in other cases"),
    pytest.param("::error::x\n##[error]y\n::add-mask::z\n##vso[task.complete result=Failed;]x", id="workflow commands"),
    pytest.param("<b>bold</b> &amp; <a href='http://evil.example'>click</a> <script>x</script>", id="HTML"),
    pytest.param("**b** [click](http://evil.example) ![i](http://evil.example/i.png) `x` <http://evil.example|click>",
                 id="Markdown"),
    pytest.param("```\n```\n# x\n- y\n> z\n| a | b |\n~~s~~ ||t|| __u__ \\", id="Markdown blocks"),
    pytest.param("x" * 100_000, id="one long word"),
    pytest.param("<&> " * 25_000, id="grows when escaped"),
    pytest.param("*_~`[]()#" * 11_000, id="grows when escaped by backslashes"),
    pytest.param(LINES, id="many lines"),
    pytest.param("\x00\x07\x1b[31mred\x1b[0m\u202egnp.exe\u2066\u200b\ufeff", id="control characters"),
    pytest.param("\u202e\u2067\u200f" * 200, id="right to left"),
    pytest.param("a\ud800b\udfffc\udc80", id="half pairs"),
    pytest.param("😀" * 2000 + "\u0301" * 500, id="beyond the basic plane"),
    pytest.param('"}],"text":"forged"', id="JSON"),
    pytest.param("\u2028\u2029\x85", id="other line ends"),
    pytest.param(" ", id="a blank"),
    pytest.param("", id="nothing"),
]  # fmt: skip


@everywhere
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_delivered_within_the_services_rules(world: World, text: str) -> None:
    for number, state in enumerate(STATES, 1):
        try:
            _is_harmless(world, state, text)
            assert len(world.standin.taken) == number
        except Exception as error:
            error.add_note(f"as {state}")
            raise


def _is_harmless(world: World, state: State, text: str) -> None:
    events = providers.CHAT[world.way.type].takes != "digests"
    world.deliver(payload(world.way, state, text, cluster=text[:300] or "prod") if events else hostile(text, state))

    if not events:
        shown = "\n".join(strings(world.standin.taken[-1]))
        assert ADDRESS not in shown
        assert not [sign for sign in ("\x00", "\x1b", "\u202e", "\u2066", "\u2067", "\x07") if sign in shown]
        read = "\n".join(strings(world.standin.taken[-1], world.way.plain)).lower()
        assert not [call for call in world.way.calls if call in read]
        assert not [mark for mark in shown if "\ud800" <= mark <= "\udfff"]


def strings(value: Any, without: frozenset[str] = frozenset()) -> list[str]:
    """Every text in a payload, but for those of some members."""
    if isinstance(value, dict):
        return [text for name, member in value.items() if name not in without for text in strings(member, without)]
    if isinstance(value, list):
        return [text for member in value for text in strings(member, without)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", NAMES)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(text=st.text(st.characters(codec=None)), cluster=st.text(), state=st.sampled_from(STATES))
def test_any_text_gives_json(name: str, text: str, cluster: str, state: State) -> None:
    events = providers.CHAT[WAYS[name].type].takes != "digests"
    what = payload(WAYS[name], state, text, cluster) if events else hostile(text, state)

    bodies = [request.body for request in requests_of(name, what)]

    assert bodies
    if WAYS[name].content_type == "application/json":
        assert all(isinstance(json.loads(body), dict | list) for body in bodies)


@pytest.mark.parametrize("world", DIGESTS, indirect=True)
@pytest.mark.parametrize("text", ["timeout", "<&>*_[]" * 500], ids=["short", "long"])
class TestLimits:
    def test_fifty_stories(self, world: World, text: str) -> None:
        states = [State.SUCCESS] * 30 + [State.PENDING] * 19 + [State.FAILURE]
        stories = tuple(
            structs.replace(story(state, text, f"cluster-{number}"), subject=text)
            for number, state in enumerate(states)
        )
        world.deliver(Digest(stories, unread=tuple(f"cluster-{number}" for number in range(500))))

        (taken,) = world.standin.taken
        shown = "\n".join(strings(taken)).replace("\\", "")
        assert "50 rollouts: 1 failed, 30 live, 19 on the way" in shown
        # The worst is told, and of the others how many were not.
        assert "cluster-49" in shown
        assert "… and " in shown

    def test_a_thousand_objects(self, world: World, text: str) -> None:
        world.deliver(Digest((story(State.FAILURE, text, objects=1000),)))

        assert len(world.standin.taken) == 1

    def test_a_hundred_facts(self, world: World, text: str) -> None:
        facts = tuple((f"fact {number} {text}", text) for number in range(100))
        world.deliver(Digest((story(State.FAILURE),), summary=text * 20, facts=facts))

        (taken,) = world.standin.taken
        assert COMMIT[:8] in "\n".join(strings(taken))


@pytest.mark.parametrize("world", DIGESTS, indirect=True)
def test_facts_and_summary_are_said(world: World) -> None:
    world.deliver(Digest((story(State.FAILURE),), summary="Call the Aurora team", facts=(("env", "staging"),)))

    shown = "\n".join(strings(world.standin.taken[0]))
    assert "Call the Aurora team" in shown
    assert "env" in shown
    assert "staging" in shown


@pytest.mark.parametrize("name", NAMES)
def test_a_payload_of_the_wrong_kind_is_a_defect_and_said_so(name: str) -> None:
    other = "generic" if providers.CHAT[WAYS[name].type].takes == "digests" else "slack webhook"

    with pytest.raises(TypeError, match="takes"):
        requests_of(name, payload(WAYS[other]))


def calling(world: World, id_: str, **changed: Any) -> Digest:
    """A failure that ``id_`` is to be called for."""
    what = payload(world.way)
    assert isinstance(what, Digest)
    told = structs.replace(what.stories[0], mention=id_)
    return structs.replace(what, stories=(told,), **changed)


#: Ids that no service has.
NOBODY = [
    "<!channel>",
    "<@everyone>",
    '1"><b>x</b>',
    "x\ny",
    "*@here*",
    "](http://evil.example)",
    "`",
    "\ud800",
    "x" * 500,
]


def test_every_type_that_can_call_somebody_has_a_way_that_does() -> None:
    assert {WAYS[name].type for name in CALLING} == {type_ for type_, kind in providers.CHAT.items() if kind.mentions}


@pytest.mark.parametrize("world", [name for name in DIGESTS if name not in CALLING], indirect=True)
@pytest.mark.parametrize("id_", ["ada", "ada@example.com", "80351110224678912"])
def test_where_nobody_can_be_called_an_id_changes_nothing(world: World, id_: str) -> None:
    plain, named = (
        [request.body for request in world.module.requests(world.channel, calling(world, called))]
        for called in ("", id_)
    )

    assert named == plain


@pytest.mark.parametrize("world", CALLING, indirect=True)
class TestMentions:
    """Whom a failure is to call, by the id that the user's own file has."""

    def test_somebody_is_called_in_a_message(self, world: World) -> None:
        id_, sign = world.way.mention
        world.deliver(calling(world, id_, about=""))

        assert sign in "\n".join(strings(world.standin.taken[0]))

    def test_somebody_is_called_in_a_reply(self, world: World) -> None:
        id_, sign = world.way.mention
        handle = world.deliver(payload(world.way, State.PENDING))
        world.deliver(calling(world, id_, handle=handle, reply=world.way.edits))

        assert sign not in "\n".join(strings(world.standin.taken[0]))
        assert sign in "\n".join(strings(world.standin.taken[1]))

    def test_nobody_is_called_without_an_id(self, world: World) -> None:
        world.deliver(calling(world, ""))

        assert world.way.mention[1] not in "\n".join(strings(world.standin.taken[0]))

    def test_nobody_is_called_for_what_is_no_failure(self, world: World) -> None:
        told = structs.replace(story(State.SUCCESS), mention=world.way.mention[0])
        world.deliver(Digest((told,)))

        assert world.way.mention[1] not in "\n".join(strings(world.standin.taken[0]))

    @pytest.mark.parametrize("wrong", NOBODY)
    def test_what_is_no_id_is_left_out(self, world: World, wrong: str) -> None:
        self._left_out(world, wrong)

    def test_what_only_looks_like_an_id_is_left_out(self, world: World) -> None:
        for wrong in world.way.misnamed:
            self._left_out(world, wrong)

    def _left_out(self, world: World, wrong: str) -> None:
        plain, named = (
            [request.body for request in world.module.requests(world.channel, calling(world, id_))]
            for id_ in ("", wrong)
        )

        assert named == plain

    @pytest.mark.parametrize("text", HOSTILE)
    def test_strangers_beside_it_call_nobody(self, world: World, text: str) -> None:
        id_, sign = world.way.mention
        what = hostile(f"{text} {id_}", State.FAILURE)
        world.deliver(structs.replace(what, stories=tuple(structs.replace(s, mention=id_) for s in what.stories)))

        assert len(world.standin.taken) == 1
        shown = "\n".join(strings(world.standin.taken[0], world.way.plain))
        assert sign in shown
        read = shown.replace(sign, "").lower()
        assert not [call for call in world.way.calls if call in read]


def kept(world: World) -> list[str]:
    """Every message as it stands, the oldest first."""
    return [repr(message) for message in world.standin.messages.values()]


@where_it_edits
class TestEdits:
    """One message for each commit, by the outlet that delivers it."""

    def test_a_message_is_posted_and_then_edited(self, world: World) -> None:
        handle = world.deliver(payload(world.way, State.PENDING))
        (before,) = kept(world)
        again = world.deliver(structs.replace(payload(world.way, State.SUCCESS), handle=handle))

        (after,) = kept(world)
        assert handle
        assert again == handle
        assert before != after
        assert len(world.standin.taken) == 2

    def test_a_later_run_edits_it(self, world: World) -> None:
        handle = world.deliver(payload(world.way, State.PENDING))
        world.outlet = world.another_run()
        world.deliver(structs.replace(payload(world.way, State.SUCCESS), handle=handle))

        assert len(kept(world)) == 1

    def test_without_a_handle_it_is_a_new_message_also_in_the_same_run(self, world: World) -> None:
        first = world.deliver(payload(world.way, State.PENDING))
        second = world.deliver(payload(world.way, State.SUCCESS))

        assert first != second
        assert len(kept(world)) == 2

    def test_other_commits_have_messages_of_their_own(self, world: World) -> None:
        first = world.deliver()
        second = world.deliver(structs.replace(payload(world.way), about="another"))

        assert first != second
        assert len(kept(world)) == 2

    def test_what_was_deleted_by_hand_is_posted_anew_once(self, world: World) -> None:
        handle = world.deliver(payload(world.way, State.PENDING))
        world.standin.delete(next(iter(world.standin.messages)))
        failed = structs.replace(payload(world.way, State.FAILURE), handle=handle)

        anew = world.deliver(failed)
        again = world.deliver(failed)

        assert anew not in ("", handle)
        assert again == anew
        assert len(kept(world)) == 1

    def test_an_edit_whose_answer_is_lost_is_repeated(self, world: World) -> None:
        handle = world.deliver(payload(world.way, State.PENDING))
        world.standin.faults.append(lost())
        asked = len(world.standin.asked)

        assert world.deliver(structs.replace(payload(world.way, State.SUCCESS), handle=handle)) == handle
        assert len(world.standin.asked) >= asked + 2
        assert len(kept(world)) == 1

    def test_a_post_whose_answer_is_lost_is_not_unless_it_is_known_there(self, world: World) -> None:
        world.standin.faults.append(lost())

        if world.way.idempotent:
            world.deliver()
        else:
            assert world.failure().uncertain
        assert len(kept(world)) == 1

    @pytest.mark.parametrize("code", [400, 401, 403, 404, 500])
    def test_an_edit_that_is_refused_otherwise_posts_nothing(self, world: World, code: int) -> None:
        handle = world.deliver(payload(world.way, State.PENDING))
        world.standin.faults += [answer(code, body="something else")] * 4

        error = world.failure(structs.replace(payload(world.way, State.SUCCESS), handle=handle))

        assert not error.gone
        assert len(kept(world)) == 1
        assert len(world.standin.taken) == 1

    def test_a_reply_is_a_message_in_the_thread_or_beside(self, world: World) -> None:
        handle = world.deliver(payload(world.way, State.PENDING))
        (before,) = kept(world)
        reply = structs.replace(payload(world.way, State.FAILURE, "it broke"), handle=handle, reply=True)

        world.deliver(reply)

        first, answered = kept(world)
        assert first == before
        assert "it broke" in answered
        if providers.CHAT[world.way.type].threads:
            thread = list(world.standin.messages.values())[1]
            said = thread.get("thread") or thread.get("thread_ts") or thread.get("tmid")
            assert said == next(iter(world.standin.messages))

    def test_a_reply_does_not_take_the_messages_place(self, world: World) -> None:
        handle = world.deliver(payload(world.way, State.PENDING))
        world.deliver(structs.replace(payload(world.way, State.FAILURE, "it broke"), handle=handle, reply=True))
        world.deliver(structs.replace(payload(world.way, State.SUCCESS), handle=handle))

        first, answered = kept(world)
        assert "it broke" in answered
        assert "it broke" not in first

    def test_a_reply_finds_what_this_run_has_posted(self, world: World) -> None:
        world.deliver(payload(world.way, State.PENDING))
        world.deliver(structs.replace(payload(world.way, State.FAILURE, "it broke"), reply=True))

        assert len(kept(world)) == 2

    def test_a_reply_to_nothing_is_an_error_that_passes(self, world: World) -> None:
        error = world.failure(structs.replace(payload(world.way, State.FAILURE), reply=True))

        assert error.passing
        assert world.standin.asked == []

    @pytest.mark.parametrize("handle", ["../../x", "1/../2", "a b", "x\ny", "?", "\ud800", "x" * 10_000])
    def test_a_handle_that_is_none_breaks_nothing(self, world: World, handle: str) -> None:
        """Ledgers can be edited by hand: what is in them must not lead a token to another place."""
        try:
            world.deliver(structs.replace(payload(world.way, State.SUCCESS), handle=handle))
        except DeliveryError as error:
            world.hides(error)
        known = {request.url for request in world.module.requests(world.channel, payload(world.way))}
        places = {url.reveal().partition("?")[0] for url in known}
        assert all(".." not in asked.target and " " not in asked.target for asked in world.standin.asked)
        assert places
