"""What is Matrix' own: both forms of a text, who is called, sizes, rooms and servers. Synapse is asked elsewhere
(tests/integration/test_channel_matrix.py).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from standins.matrix import TOKEN, Markup, Matrix, matrix_problems
from standins.server import answer, lost

from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.messages import message
from landed.model import Channel, Digest, ObjectRef, Observation, Outcome, Repository, Secret, State, Story, Update
from landed.providers.chat import matrix
from landed.providers.outlet import ChannelOutlet

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
LINK = f"https://github.com/acme/fleet/commit/{COMMIT}"


def story(state: State = State.SUCCESS, text: str = "done", *, cluster: str = "prod", **settings: Any) -> Story:
    about = ObjectRef("Kustomization", "apps", "web")
    told = Observation(about, state, FLEET, COMMIT, "HealthCheckFailed", text)
    return Story(Outcome(cluster, FLEET, COMMIT, (told,)), **settings)


@pytest.fixture
def server() -> Iterator[Matrix]:
    with Matrix() as service:
        yield service
        assert service.violations == []


def channel_of(service: Matrix | None = None, **changes: Any) -> Channel:
    address = Secret(service.address if service else "https://matrix.example.com")
    settings: dict[str, Any] = {"channel": Matrix.channel, "token": Secret(TOKEN)} | changes
    return Channel("matrix", "matrix", address, **settings)


def send(service: Matrix, *digests: Digest, **changes: Any) -> list[str]:
    with Http(sleep=lambda seconds: None) as http:
        outlet = ChannelOutlet(channel_of(service, **changes), lambda: http)
        return [outlet.deliver(Update("matrix", (), digest)) for digest in digests]


def kept(state: State, text: str = "timeout", **more: Any) -> Digest:
    return Digest((story(state, text),), about="it", **more)


def test_a_failure_to_the_letter(server: Matrix) -> None:
    told = story(State.FAILURE, "a < b & c", mention="@ada:example.com")
    send(server, Digest((told,), facts=(("env", "prod"),)))

    assert server.taken == [
        {
            "msgtype": "m.text",
            "body": "❌ acme/fleet 6dcd4ce2 failed on prod\n"
            "apps/web: Health check failed: a < b & c\n"
            "Look further: flux events -n apps --for Kustomization/web\n"
            "prod · acme/fleet@6dcd4ce2\n"
            "@ada:example.com\n"
            "env: prod",
            "format": "org.matrix.custom.html",
            "formatted_body": '❌ <span data-mx-color="#cf222e">'
            "<strong>acme/fleet 6dcd4ce2 failed on prod</strong></span><br>"
            "apps/web: Health check failed: a &lt; b &amp; c<br>"
            "Look further: flux events -n apps --for Kustomization/web<br>"
            f'prod · <a href="{LINK}">acme/fleet@6dcd4ce2</a><br>'
            '<a href="https://matrix.to/#/@ada:example.com">@ada:example.com</a><br>'
            "<strong>env</strong>: prod",
            "m.mentions": {"user_ids": ["@ada:example.com"]},
        }
    ]


@pytest.mark.parametrize(
    ("told", "says", "rings"),
    [
        (story(State.SUCCESS), "✅ acme/fleet 6dcd4ce2 is live on prod", False),
        (story(State.SUCCESS, broken_for=720), "12m", False),
        (story(State.PENDING), "⏳ acme/fleet 6dcd4ce2", False),
        (story(State.FAILURE), "❌ acme/fleet 6dcd4ce2 failed", True),
    ],
)
def test_failures_ring_and_nothing_else(server: Matrix, told: Story, says: str, rings: bool) -> None:
    send(server, Digest((told,)))

    assert says in server.taken[0]["body"]
    assert server.taken[0]["msgtype"] == ("m.text" if rings else "m.notice")
    assert server.taken[0]["m.mentions"] == {}


def test_an_edit_says_all_anew_and_is_short_itself(server: Matrix) -> None:
    (handle,) = send(server, kept(State.PENDING))
    send(server, kept(State.FAILURE, handle=handle))

    edit = server.taken[1]
    assert edit["m.relates_to"] == {"rel_type": "m.replace", "event_id": handle}
    assert edit["body"].startswith("* ❌ acme/fleet 6dcd4ce2 failed on prod. apps/web")
    assert edit["m.new_content"]["body"].startswith("❌ acme/fleet 6dcd4ce2 failed on prod\n")
    assert [asked.method for asked in server.asked] == ["PUT", "GET", "PUT"]


def test_an_answer_is_threaded_with_a_fallback(server: Matrix) -> None:
    (handle,) = send(server, kept(State.PENDING))
    send(server, kept(State.FAILURE, handle=handle, reply=True))

    assert server.taken[1]["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": handle,
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": handle},
    }


def test_a_message_is_sent_under_the_same_transaction_by_every_run(server: Matrix) -> None:
    server.faults.append(lost())
    send(server, kept(State.FAILURE))
    send(server, kept(State.FAILURE))

    assert len({asked.target for asked in server.asked}) == 1
    assert len(server.messages) == 1


def test_other_words_about_the_same_time_are_another_transaction(server: Matrix) -> None:
    for text in ("timeout after 5m0s", "timeout after 5m1s", "no such image"):
        send(server, kept(State.FAILURE, text))

    assert [len({asked.target for asked in server.asked[:count]}) for count in (2, 3)] == [1, 2]


def test_what_comes_back_is_another_transaction(server: Matrix) -> None:
    (handle,) = send(server, kept(State.PENDING))
    for state, since in ((State.FAILURE, 10), (State.SUCCESS, 20), (State.FAILURE, 30), (State.FAILURE, 30)):
        told = story(state, "timeout")
        (observation,) = told.outcome.observations
        at = structs.replace(observation, since=since)
        outcome = structs.replace(told.outcome, observations=(at,))
        send(server, Digest((structs.replace(told, outcome=outcome),), about="it", handle=handle))

    (message_,) = server.messages.values()
    assert message_["edits"] == 3  # the last one was the one before it, sent again
    assert "failed" in message_["body"]


@pytest.mark.parametrize(
    "answered",
    [
        {"event_id": "$a", "type": "m.room.message", "content": {}, "unsigned": {"redacted_because": {"x": 1}}},
        {"event_id": "$a", "type": "m.room.encrypted", "content": {}},
        {"event_id": "$a", "type": "m.room.topic", "content": {"topic": "x"}},
        {"event_id": "$a", "type": "m.room.message", "content": {"m.relates_to": {"rel_type": "m.replace"}}},
    ],
)
def test_what_can_be_edited_no_more_is_gone(answered: dict[str, Any]) -> None:
    with pytest.raises(DeliveryError) as caught:
        matrix.acknowledged(Response(200, {}, json.dumps(answered).encode(), "Matrix"))

    assert caught.value.gone


@given(text=st.text(), number=st.integers(1, 20))
def test_both_forms_say_the_same_and_fit(text: str, number: int) -> None:
    stories = tuple(story(State.FAILURE, text * 50, cluster=text, subject=text * 9) for _ in range(number))

    said = matrix.content(message(Digest(stories, facts=((text, text),) * 20, unread=(text,)), 15))

    html = Markup(said["formatted_body"])
    assert html.problems == []
    assert html.text == said["body"]
    assert set(html.links) <= {LINK}
    assert matrix_problems(said) == []


@pytest.mark.parametrize("sign", ["😀", "<", '"', "\\", "é"])
def test_the_largest_event_is_small_enough(sign: str) -> None:
    stories = tuple(story(State.FAILURE, sign * 5000, subject=sign * 500) for _ in range(50))
    digest = Digest(stories, "it", "$a", facts=((sign * 99, sign * 999),) * 30, unread=(sign * 99,) * 40)

    body = matrix.requests(channel_of(), digest)[1].body

    assert len(body) < 60_000
    assert matrix_problems(json.loads(body)) == []


@pytest.mark.parametrize(
    ("room", "what"),
    [
        ("!qTfQdYzVbKpLsWnRxC:matrix.example.com", ""),
        ("!abc:[::1]:8448", ""),
        ("!UZR6uzdPqXcGBGpOIwyRVbAJxPTFAXAqvFSwlf9_8JE", ""),
        ("#deploys:matrix.example.com", "a name of a room"),
        ("deploys", "no room's id"),
        ("!", "no room's id"),
        ("!a b:x", "no room's id"),
        ("!a/../b:x", "no room's id"),
        ("@ada:example.com", "no room's id"),
    ],
)
def test_only_a_rooms_id_is_sent_to(room: str, what: str) -> None:
    channel = channel_of(channel=room)
    complaints = matrix.complaints(channel)

    assert [what in complaint.what for complaint in complaints] == ([True] if what else [])
    if what:
        with pytest.raises(DeliveryError, match="no room's id"):
            matrix.requests(channel, kept(State.FAILURE))


@pytest.mark.parametrize(
    ("token", "fields"),
    [(TOKEN, []), ("", ["spec.secretRef"]), ("a\nb", ["spec.secretRef"]), ("a b", ["spec.secretRef"])],
)
def test_a_token_is_looked_at_before_anything_is_sent(token: str, fields: list[str]) -> None:
    complaints = matrix.complaints(channel_of(token=Secret(token)))

    assert [complaint.field for complaint in complaints] == fields
    assert not any(token and token in f"{complaint}" for complaint in complaints)


@pytest.mark.parametrize(
    ("address", "root"),
    [
        ("https://matrix.example.com", "https://matrix.example.com"),
        ("https://matrix.example.com/", "https://matrix.example.com"),
        ("https://example.com:8448/matrix/", "https://example.com:8448/matrix"),
        ("https://example.com/_matrix/client/r0?x#y", "https://example.com"),
    ],
)
def test_servers_are_found_wherever_they_are(address: str, root: str) -> None:
    channel = structs.replace(channel_of(), address=Secret(address))

    get, put = matrix.requests(channel, kept(State.FAILURE, handle="$a/b+c=:example.com"))

    rooms = f"{root}/_matrix/client/v3/rooms/%21qTfQdYzVbKpLsWnRxC%3Amatrix.example.com"
    assert get.url.reveal() == f"{rooms}/event/%24a%2Fb%2Bc%3D%3Aexample.com"
    assert put.url.reveal().startswith(f"{rooms}/send/m.room.message/")


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (403, "M_FORBIDDEN", "Invite the user"),
        (401, "M_UNKNOWN_TOKEN", "log in again"),
        (401, "M_MISSING_TOKEN", "log in again"),
        (413, "M_TOO_LARGE", "narrow"),
        (404, "M_UNRECOGNIZED", "homeserver's"),
        (403, "M_USER_DEACTIVATED", "another one"),
    ],
)
def test_what_a_server_says_is_explained(server: Matrix, status: int, code: str, hint: str) -> None:
    server.faults.append(answer(status, body=json.dumps({"errcode": code, "error": "No."})))

    with pytest.raises(DeliveryError) as caught:
        send(server, kept(State.FAILURE))

    assert code in caught.value.message
    assert hint in caught.value.hint
    assert not caught.value.passing


def test_a_server_that_says_how_long_only_in_its_answer_is_asked_again(server: Matrix) -> None:
    said = json.dumps({"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": 2000})
    server.faults += [answer(429, body=said)] * 2

    send(server, kept(State.FAILURE))

    assert len(server.messages) == 1
