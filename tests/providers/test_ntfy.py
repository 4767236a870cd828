"""ntfy: what is published, how loud, what the server's refusals come to, and what is wrong with a Provider."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from contract.test_chat_providers import COMMIT, FLEET, observation, story
from msgspec import structs
from standins.ntfy import TOKEN, TOPIC, Ntfy, NtfyByPassword, ntfy_problems
from standins.server import answer

from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.model import Channel, Digest, Outcome, Repository, Secret, State, Story
from landed.providers.chat.ntfy import LIMIT, PRIORITIES, TAGS, acknowledged, complaints, requests

if TYPE_CHECKING:
    from collections.abc import Iterator

LINK = f"https://github.com/acme/fleet/commit/{COMMIT}"
CHANNEL = Channel("ntfy", "ntfy", Secret("https://ntfy.example.com"), TOPIC, token=Secret(TOKEN))


def body(digest: Digest, channel: Channel = CHANNEL) -> dict[str, Any]:
    (request,) = requests(channel, digest)
    loaded: dict[str, Any] = json.loads(request.body)
    return loaded


def test_a_failure() -> None:
    said = structs.replace(story(State.FAILURE, "timeout"), subject="Upgrade nginx", author="Ada")

    assert body(Digest((said,), facts=(("env", "prod"),))) == {
        "topic": TOPIC,
        "title": "acme/fleet main@6dcd4ce2 failed on prod",
        "message": "apps/web-0: Health check failed: timeout\n"
        "Look further: flux events -n apps --for Kustomization/web-0\n"
        "prod · acme/fleet@6dcd4ce2: Upgrade nginx (Ada)\nenv: prod",
        "priority": 4,
        "tags": ["x"],
        "click": LINK,
        "actions": [{"action": "view", "label": "acme/fleet@6dcd4ce2", "url": LINK}],
        "sequence_id": body(Digest((said,)))["sequence_id"],
    }


@pytest.mark.parametrize(
    ("state", "priority", "tag"),
    [(State.FAILURE, 4, "x"), (State.SUCCESS, 3, "white_check_mark"), (State.PENDING, 2, "hourglass_flowing_sand")],
)
def test_how_loud_it_is_and_its_sign(state: State, priority: int, tag: str) -> None:
    said = body(Digest((story(state),)))

    assert (said["priority"], said["tags"]) == (priority, [tag])


def test_every_state_has_a_sign() -> None:
    assert TAGS.keys() >= {State.FAILURE, State.SUCCESS, State.PENDING, State.SUPERSEDED, State.STALE, State.SUSPENDED}
    assert PRIORITIES[State.STALE] == PRIORITIES[State.FAILURE]


def test_a_recovery_says_so() -> None:
    told = body(Digest((structs.replace(story(State.SUCCESS), broken_for=720),)))

    assert "Recovered: it was broken for 12m." in told["message"]
    assert told["priority"] == 3


def test_a_wait_for_a_dependency_is_quiet() -> None:
    waits = structs.replace(observation(State.PENDING), waits_for=observation(State.PENDING, number=1).about)
    told = body(Digest((Story(Outcome("prod", FLEET, COMMIT, (waits,))),)))

    assert "1 waits for apps/web-1" in told["message"]
    assert told["priority"] == 2


def test_the_same_message_again_is_the_same_to_a_newer_server() -> None:
    first, again, other = (body(Digest((story(state),))) for state in (State.FAILURE, State.FAILURE, State.SUCCESS))

    assert first["sequence_id"] == again["sequence_id"] != other["sequence_id"]


def test_a_button_for_each_of_three_commits_and_a_tap_opens_the_worst() -> None:
    stories = tuple(
        structs.replace(told, outcome=structs.replace(told.outcome, commit=f"{number}" * 40))
        for number, told in enumerate([*[story(State.SUCCESS)] * 4, story(State.FAILURE)])
    )
    told = body(Digest(stories))

    assert told["click"].endswith("4" * 40)
    assert [action["url"][-40:] for action in told["actions"]] == ["4" * 40, "0" * 40, "1" * 40]


@pytest.mark.parametrize("text", ["é" * 9000, '"' * 9000, "\\" * 9000, "😀" * 9000, "\u2028" * 9000, "x " * 9000])
def test_no_text_becomes_a_file(text: str) -> None:
    stories = tuple(story(State.FAILURE, text, f"cluster-{number}", 30) for number in range(20))
    (request,) = requests(CHANNEL, Digest(stories, facts=((text, text),) * 20))
    told = json.loads(request.body)

    assert len(request.body) <= 2 * LIMIT
    assert LIMIT // 4 < len(told["message"].encode()) <= LIMIT
    assert not ntfy_problems(told)
    assert "more lines" in told["message"]


def test_what_doubles_in_json_counts_twice() -> None:
    told = story(State.FAILURE)
    long = structs.replace(
        told, outcome=structs.replace(told.outcome, repository=Repository("x.example", "a/" + "b" * 300))
    )
    (request,) = requests(CHANNEL, Digest((long,), facts=(('"' * 9, '"' * 350),) * 10))

    assert len(request.body) <= 2 * LIMIT
    assert "more lines" in json.loads(request.body)["message"]


@pytest.mark.parametrize("word", ["=?utf-8?q?=22?=", "=?UTF-8?B?IgpY?="])
def test_what_looks_encoded_is_not_decoded(word: str) -> None:
    """A server reads all but the message as headers."""
    said = body(looks_encoded(word))

    assert "= ?" in said["title"]
    assert not [text for text in (said["title"], said["click"], *map(str, said["actions"])) if "=?" in text]
    assert word in said["message"]
    assert ntfy_problems(said) == []


def looks_encoded(word: str) -> Digest:
    """A failure with such a word wherever there can be one."""
    told = story(State.FAILURE)
    repository = Repository("git.example.com", f"acme/{word.replace('?', '%3F').replace('=%3F', '=?')}")
    return Digest(
        (
            structs.replace(
                told,
                outcome=structs.replace(told.outcome, repository=repository),
                words=(f"{word} failed", f"{word} is what it says"),
            ),
        )
    )


def test_a_commit_whose_address_is_none_has_no_link() -> None:
    told = story(State.FAILURE)
    nowhere = structs.replace(told, outcome=structs.replace(told.outcome, repository=Repository("", "acme/fleet")))

    assert not {"click", "actions"} & set(body(Digest((nowhere,)))) or body(Digest((nowhere,)))["click"].startswith("h")


def test_topic_in_the_address() -> None:
    channel = structs.replace(CHANNEL, address=Secret(f"https://ntfy.example.com/{TOPIC}"), channel="")
    (request,) = requests(channel, Digest((story(State.FAILURE),)))

    assert request.url.reveal() == "https://ntfy.example.com/"
    assert json.loads(request.body)["topic"] == TOPIC


BOTH: list[Any] = [Ntfy, NtfyByPassword]


@pytest.fixture(params=BOTH)
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    with request.param() as standin:
        yield standin


def channel_of(server: Any, **changed: Any) -> Channel:
    made = Channel(
        "ntfy",
        "ntfy",
        Secret(server.address),
        server.channel,
        getattr(server, "username", ""),
        Secret(server.token),
        Secret(getattr(server, "password", "")),
    )
    return structs.replace(made, **changed)


def refused(channel: Channel) -> DeliveryError:
    (request,) = requests(channel, Digest((story(State.FAILURE),)))
    with Http(sleep=lambda _: None) as http, pytest.raises(DeliveryError) as caught:
        acknowledged(http.send(request))
    return caught.value


def test_a_wrong_login(server: Any) -> None:
    error = refused(channel_of(server, token=Secret("tk_wrong"), username="", password=Secret("")))

    assert "401" in error.message
    assert "tk_" in error.hint
    assert not error.passing


def test_no_login(server: Any) -> None:
    error = refused(channel_of(server, token=Secret(""), username="", password=Secret("")))

    assert "403" in error.message
    assert "`token`" in error.hint


@pytest.mark.parametrize(
    ("code", "what", "hint"),
    [
        (40009, "invalid request: topic invalid", "letters, digits"),
        (40010, "invalid request: topic name is not allowed", "another one"),
        (40014, "invalid request: attachments not allowed", "message-size-limit"),
        (40301, "forbidden", "write access"),
        (42901, "limit reached: too many requests", "next run"),
        (42908, "limit reached: daily message quota reached", "limit"),
        (42909, "limit reached: too many auth failures", "wrong logins"),
    ],
)
def test_what_to_do_about_a_refusal(code: int, what: str, hint: str) -> None:
    with Ntfy() as server:
        said = json.dumps({"code": code, "http": code // 100, "error": what}, separators=(",", ":"))
        server.faults += [answer(code // 100, body=said)] * 4
        error = refused(channel_of(server))

    assert what in error.message
    assert hint in error.hint
    assert error.passing is (code // 100 == 429)


def test_the_topic_is_not_told() -> None:
    with Ntfy() as server:
        server.faults.append(answer(200, body=f'{{"topic":"{TOPIC}","error":"no"}}'))
        error = refused(channel_of(server))

    assert TOPIC not in f"{error.message} {error.hint}"
    assert "without taking the message" in error.message


def test_an_answer_that_is_no_message_is_none() -> None:
    with pytest.raises(DeliveryError):
        acknowledged(Response(200, {}, b'{"id":"x","event":"keepalive"}'))


@pytest.mark.parametrize(
    ("changed", "field", "what"),
    [
        ({"channel": ""}, "spec.channel", "no topic"),
        ({"channel": "two words"}, "spec.channel", "not a topic"),
        ({"channel": "x" * 65}, "spec.channel", "not a topic"),
        ({"channel": "a/b"}, "spec.channel", "not a topic"),
        ({"address": Secret("https://ntfy.example.com/a/b"), "channel": ""}, "spec.address", "not a topic"),
        ({"address": Secret("https://ntfy.example.com/other")}, "spec.address", "two topics"),
        ({"address": Secret("https://u:p@ntfy.example.com")}, "spec.address", "user or a query"),
        ({"address": Secret("https://ntfy.example.com?auth=QmVhcmVy")}, "spec.address", "user or a query"),
        ({"password": Secret("secret-9")}, "spec.secretRef", "`token` and a `password`"),
        ({"token": Secret(""), "password": Secret("secret-9")}, "spec.secretRef", "without a `username`"),
        ({"token": Secret(""), "username": "phil"}, "spec.secretRef", "without a `password`"),
        ({"token": Secret("tk_\nx")}, "spec.secretRef", "control characters"),
    ],
)
def test_complaints(changed: dict[str, Any], field: str, what: str) -> None:
    (complaint,) = complaints(structs.replace(CHANNEL, **changed))

    assert complaint.field == field
    assert what in complaint.what
    assert complaint.instead
    assert "QmVhcmVy" not in str(complaint)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"address": Secret(f"https://ntfy.example.com/{TOPIC}")},
        {"address": Secret(f"https://ntfy.example.com/{TOPIC}/"), "channel": ""},
        {"token": Secret("")},
        {"token": Secret(""), "username": "phil", "password": Secret("x")},
    ],
)
def test_no_complaints(changed: dict[str, Any]) -> None:
    assert complaints(structs.replace(CHANNEL, **changed)) == ()


def test_a_digest_without_stories_is_nothing() -> None:
    assert requests(CHANNEL, Digest(())) == ()
