"""What is Webex's own: its Markdown, edits and how many there may be, threads, mentions, where its API is.

Its Markdown is judged by markdown-it: what that shows as text is text. The stand-in is judged by Webex's own SDK, which
works with it as with Webex.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from standins.server import answer
from standins.webex import EDITS, LIMIT, ROOM, TOKEN, Webex, webex_problems

from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.messages import one_line, uncalled
from landed.model import (
    Channel,
    Digest,
    Event,
    ObjectRef,
    Observation,
    Outcome,
    Repository,
    Secret,
    State,
    Story,
    Update,
)
from landed.providers.chat import webex
from landed.providers.outlet import ChannelOutlet

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
API = "https://webexapis.com/v1/messages"
LINK = f"https://github.com/acme/fleet/commit/{COMMIT}"
REASONS = {State.SUCCESS: "ReconciliationSucceeded", State.FAILURE: "HealthCheckFailed"}
ABOUT = f"{FLEET} {COMMIT}"
HANDLE = "Y2lzY29zcGFyazovL3VzL01FU1NBR0UvMQ"


def story(state: State = State.SUCCESS, text: str = "done", *, cluster: str = "prod", **settings: Any) -> Story:
    waits = ObjectRef("Kustomization", "apps", "infra") if state is State.PENDING else None
    told = Observation(
        ObjectRef("Kustomization", "apps", "web"), state, FLEET, COMMIT, REASONS.get(state, "DependencyNotReady"), text,
        revision=f"main@sha1:{COMMIT}", since=1_790_000_000, waits_for=waits,
    )  # fmt: skip
    return Story(Outcome(cluster, FLEET, COMMIT, (told,)), **settings)


@pytest.fixture
def service() -> Iterator[Webex]:
    with Webex() as service:
        yield service
        assert service.violations == []


def channel(address: str = API, **changes: Any) -> Channel:
    settings: dict[str, Any] = {"channel": ROOM, "token": Secret(TOKEN)} | changes
    return Channel("webex", "webex", Secret(address), **settings)


def send(service: Webex, *digests: Digest, **changes: Any) -> list[str]:
    with Http(sleep=lambda seconds: None) as http:
        outlet = ChannelOutlet(channel(service.address, **changes), lambda: http)
        return [outlet.deliver(Update("webex", (), digest)) for digest in digests]


def read(text: str) -> tuple[str, list[str], set[str]]:
    """What people read of Markdown, where its links lead, and what else there is in it."""
    tokens = MarkdownIt("js-default").parse(text)
    others = {token.type for token in tokens} - {"paragraph_open", "paragraph_close", "inline"}
    said, links = "", []
    for token in (child for one in tokens for child in one.children or ()):
        if token.type in ("text", "text_special"):
            said += token.content
        elif token.type == "hardbreak":
            said += "\n"
        elif token.type == "link_open":
            links.append(str(token.attrs["href"]))
        elif token.type not in ("link_close", "strong_open", "strong_close"):
            others.add(token.type)
    return said, links, others


def test_a_failure_says_what_and_where_and_calls_who_is_to_be_called() -> None:
    digest = Digest(
        (story(State.FAILURE, "time_out", subject="Fix [it]", mention="ada@example.com"),), facts=(("env", "prod"),)
    )

    assert webex.text(digest) == (
        "❌ **acme/fleet main@6dcd4ce2 failed on prod** <@personEmail:ada@example.com>  \n"
        "apps/web: Health check failed: time\\_out  \n"
        "Look further: flux events -n apps --for Kustomization/web  \n"
        f"prod · [acme/fleet@6dcd4ce2: Fix \\[it\\]]({LINK})\n\n"
        "**env**: prod"
    )


def test_a_success_a_recovery_and_a_wait() -> None:
    live, recovered, waits = (
        webex.text(Digest((told,)))
        for told in (story(), story(broken_for=130), story(State.PENDING, "dependency 'apps/infra' is not ready"))
    )

    assert live.startswith("✅ **acme/fleet main@6dcd4ce2 is live on prod**  \napps/web: ")
    assert "  \nRecovered: it was broken for 2m.  \n" in recovered
    assert waits.startswith("⏳ **acme/fleet main@6dcd4ce2 is waiting on prod**  \n1 waits for apps/infra  \n")


def test_a_message_that_is_kept_is_brief_and_its_answer_is_not() -> None:
    told = story(words=("t", *(f"line {n}" for n in range(9))))
    kept, answer_ = (webex.text(Digest((told,), about=ABOUT, handle=HANDLE, reply=reply)) for reply in (False, True))

    assert "line 2" in kept
    assert "line 3" not in kept
    assert "… and 6 more" in kept
    assert "line 8" in answer_


def test_a_message_is_edited_in_place_and_answered_in_its_thread(service: Webex) -> None:
    first, second, third = (
        Digest((story(State.PENDING),), about=ABOUT),
        Digest((story(State.FAILURE, "broke"),), about=ABOUT, handle="x", reply=True),
        Digest((story(),), about=ABOUT, handle="x"),
    )
    handles = send(service, first, second, third)

    kept, reply = service.messages
    assert handles == [kept] * 3
    assert service.messages[reply]["thread"] == kept
    assert [asked.method for asked in service.asked] == ["POST", "POST", "PUT"]
    assert service.asked[2].path == f"/v1/messages/{kept}"
    assert json.loads(service.asked[2].body) == {"roomId": ROOM, "markdown": webex.text(third)}


def test_after_ten_edits_a_new_message_goes_on(service: Webex) -> None:
    digest = Digest((story(State.PENDING),), about=ABOUT)
    (handle,) = send(service, digest)
    for _ in range(EDITS):
        assert send(service, Digest((story(State.PENDING),), about=ABOUT, handle=handle)) == [handle]

    (other,) = send(service, Digest((story(),), about=ABOUT, handle=handle))

    assert other != handle
    assert len(service.messages) == 2
    assert "is live on" in service.messages[other]["markdown"]


@pytest.mark.parametrize(
    ("status", "said", "gone"),
    [
        (400, "The edit limit of this message has been reached.", True),
        (400, "Message has been edited too many times.", True),
        (404, "Failed to get activity.", True),
        (404, "Unable to find the message.", True),
        (404, "The requested resource could not be found.", True),
        (403, "This message is not yours.", True),
        (500, "Unable to edit now: no activity of this message.", False),
        (401, "The request requires a valid access token set in the Authorization request header.", False),
        (500, "Something went wrong on the server.", False),
    ],
)
def test_what_takes_a_new_message_instead_of_an_edit(service: Webex, status: int, said: str, gone: bool) -> None:
    (handle,) = send(service, Digest((story(State.PENDING),), about=ABOUT))
    service.faults.append(answer(status, body=json.dumps({"message": said, "errors": [{"description": said}]})))
    after = Digest((story(),), about=ABOUT, handle=handle)
    if gone:
        assert send(service, after) != [handle]
    else:
        with pytest.raises(DeliveryError):
            send(service, after)

    assert len(service.messages) == 1 + gone


def test_an_answer_to_what_was_deleted_is_a_message(service: Webex) -> None:
    (handle,) = send(service, Digest((story(State.PENDING),), about=ABOUT))
    service.delete(handle)
    send(service, Digest((story(State.FAILURE, "broke"),), about=ABOUT, handle=handle, reply=True))

    (message,) = service.messages.values()
    assert not message["thread"]


def test_a_bot_that_is_not_in_the_space_is_told_to_be_invited(service: Webex) -> None:
    service.member = False
    with pytest.raises(DeliveryError) as caught:
        send(service, Digest((story(),)))

    assert "Invite the bot" in caught.value.hint
    assert not caught.value.gone


def test_a_bot_that_was_thrown_out_is_told_to_be_invited(service: Webex) -> None:
    (handle,) = send(service, Digest((story(State.PENDING),), about=ABOUT))
    service.member = False
    with pytest.raises(DeliveryError) as caught:
        send(service, Digest((story(),), about=ABOUT, handle=handle))

    assert "Invite the bot" in caught.value.hint
    assert not caught.value.gone
    assert [asked.method for asked in service.asked] == ["POST", "PUT", "POST"]
    assert len(service.messages) == 1


def test_a_wrong_token_is_explained_and_not_told(service: Webex) -> None:
    with pytest.raises(DeliveryError) as caught:
        send(service, Digest((story(),)), token=Secret("wrong-token-0123456789"))

    assert "access token" in caught.value.hint
    assert "wrong-token" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (API, API),
        ("https://webexapis.com", API),
        ("https://webexapis.com/", API),
        ("https://webexapis.com/v1/", API),
        ("https://webexapis.com/v1/messages/", API),
        ("https://api.ciscospark.com/v1/messages", "https://api.ciscospark.com/v1/messages"),
        ("https://gateway.example.com/webex/v1\n", "https://gateway.example.com/webex/v1/messages"),
        ("https://gateway.example.com/webex/messages", "https://gateway.example.com/webex/messages"),
        ("https://gateway.example.com/webex?team=a", "https://gateway.example.com/webex?team=a"),
        ("https://[x", "https://[x"),
    ],
)
def test_the_address_may_be_the_apis_or_that_of_messages(address: str, place: str) -> None:
    (request,) = webex.requests(channel(address), Digest((story(),)))

    assert request.url.reveal() == place


def test_what_is_edited_is_below_the_place_of_messages() -> None:
    digest = Digest((story(),), about=ABOUT, handle=HANDLE)
    (request,) = webex.requests(channel("https://gateway.example.com/webex?team=a"), digest)

    assert request.url.reveal() == f"https://gateway.example.com/webex/{HANDLE}?team=a"


@pytest.mark.parametrize("handle", ["../../people/me", "a b", "x", "a/b", "?", "\ud800", "x" * 500, "%2e%2e%2f%2e%2e"])
def test_a_handle_that_is_none_is_gone(handle: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        webex.requests(channel(), Digest((story(),), about=ABOUT, handle=handle))

    assert caught.value.gone


@pytest.mark.parametrize(
    ("room", "wrong"), [(ROOM, False), ("Ops room", True), ("#ops", True), ("a@b.c", True), ("", True)]
)
def test_a_room_is_named_by_its_id(room: str, wrong: bool) -> None:
    said = webex.complaints(channel(channel=room))

    assert [complaint.field for complaint in said] == ["spec.channel"] * wrong


@pytest.mark.parametrize(
    ("who", "sign"),
    [
        ("ada@example.com", "<@personEmail:ada@example.com>"),
        ("ada+ops@mail.example.com", "<@personEmail:ada+ops@mail.example.com>"),
        ("Y2lzY29zcGFyazovL3VzL1BFT1BMRS9mMDZkNzFhNQ", "<@personId:Y2lzY29zcGFyazovL3VzL1BFT1BMRS9mMDZkNzFhNQ>"),
        ("all", ""), ("ada", ""), ("U024BE7LH", ""), ("80351110224678912", ""),
        ("ada@example.com|<@all>", ""), ("ada@example.com><@all", ""),
        ("a\nb@example.com", ""),
    ],
)  # fmt: skip
def test_who_can_be_called(who: str, sign: str) -> None:
    said = webex.text(Digest((story(State.FAILURE, mention=who),)))

    assert said.count("<@") == bool(sign)
    assert sign in said


@given(st.text(st.characters(codec=None), min_size=1, max_size=60))
def test_strangers_text_is_shown_as_it_is(text: str) -> None:
    plain = uncalled(one_line(text))
    if not plain:
        return
    said, links, others = read(webex.text(Digest((story(words=("t", text)),))))

    assert said.split("\n")[1].strip() == plain.strip()
    assert links == [LINK]
    assert others == set()


@pytest.mark.parametrize(
    "text",
    [
        "# x", "- x", "+ x", "* x", "1. x", "12) x", "> x", "---", "===", "***", "```x", "~~~", "| a | b |", "**x**",
        "_x_", "<@all>", "&lt;@all&gt;", "<b>x</b>", "[x](http://evil.example)", "![x](y)", "`x`",
        "\\", "\\<@all>", "~~x~~",
        "<http://evil.example>", "[x]: http://evil.example", "<@personEmail:eve@evil.example>",
    ],
)  # fmt: skip
def test_what_has_a_meaning_has_none(text: str) -> None:
    markdown = webex.text(Digest((story(words=("t", "first", text, "last")),)))
    said, links, others = read(markdown)

    assert said.split("\n")[1:4] == ["first", uncalled(text), "last"]
    assert links == [LINK]
    assert others == set()
    assert "<" not in markdown


@pytest.mark.parametrize("text", ["x" * 5000, "*_[]" * 900, "😀" * 3000, "語" * 4000])
@pytest.mark.parametrize("number", [1, 10, 60])
@pytest.mark.parametrize("about", ["", ABOUT])
def test_whatever_is_said_fits(text: str, number: int, about: str) -> None:
    told = tuple(story(State.FAILURE, text, cluster=f"c{n}{text}", subject=text, author=text) for n in range(number))
    digest = Digest(told, about, summary=text, facts=tuple((text, text) for _ in range(40)), unread=(text,) * 20)
    (request,) = webex.requests(channel(), digest)

    assert webex_problems(json.loads(request.body), {"roomId", "markdown"}) == []
    assert "failed on c0" in webex.text(digest)


@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [
        (404, '{"message":"Could not find a room with provided ID."}', "Invite the bot"),
        (401, "{}", "access token"),
        (403, "{}", "moderator"),
    ],
)
def test_webexs_words_are_explained(service: Webex, status: int, said: str, hint: str) -> None:
    service.faults.append(answer(status, body=said))
    with pytest.raises(DeliveryError) as caught:
        send(service, Digest((story(),)))

    assert hint in caught.value.hint


@pytest.mark.parametrize("said", [b"", b"{}", b'{"id":""}', b'{"id":"../x"}', b'{"id":"a b c d e f"}', b'{"id":"x"}'])
def test_only_a_message_is_an_acknowledgement(said: bytes) -> None:
    with pytest.raises(DeliveryError, match="without taking the message"):
        webex.acknowledged(Response(200, {}, said, "Webex (h)", said.decode()))


def test_nothing_to_say_is_not_sent_and_an_event_is_not_for_it() -> None:
    assert webex.requests(channel(), Digest(())) == ()
    with pytest.raises(TypeError, match="takes digests"):
        webex.requests(channel(), Event(None, "", "", "", "", {}, ""))  # type: ignore[arg-type]


class TestTheStandin:
    """Webex's SDK does with the stand-in what we do, and is told the same."""

    @pytest.fixture
    def sdk(self, service: Webex) -> Any:
        return import_module("webexpythonsdk").WebexAPI(
            access_token=TOKEN, base_url=f"{service.server.url}/v1/", wait_on_rate_limit=False
        )

    def test_posts_edits_and_answers(self, service: Webex, sdk: Any) -> None:
        message = sdk.messages.create(roomId=ROOM, markdown="**x**")
        edited = sdk.messages.update(messageId=message.id, roomId=ROOM, markdown="**y**")
        reply = sdk.messages.create(roomId=ROOM, parentId=message.id, text="z")

        assert edited.id == message.id
        assert reply.parentId == message.id
        assert [asked.method for asked in service.asked] == ["POST", "PUT", "POST"]
        ours, *_ = webex.requests(channel(service.address), Digest((story(),)))
        assert service.asked[0].headers["authorization"] == ours.headers["Authorization"].reveal()  # type: ignore[union-attr]
        assert f"{service.server.url}{service.asked[0].path}" == ours.url.reveal()
        assert set(json.loads(service.asked[0].body)) == set(json.loads(ours.body))

    def test_refuses_as_the_sdk_understands_it(self, service: Webex, sdk: Any) -> None:
        refused = import_module("webexpythonsdk.exceptions").ApiError
        with pytest.raises(refused, match="Could not find a room"):
            sdk.messages.create(roomId="another", markdown="x")
        message = sdk.messages.create(roomId=ROOM, markdown="x")
        reply = sdk.messages.create(roomId=ROOM, parentId=message.id, markdown="x")
        with pytest.raises(refused):
            sdk.messages.create(roomId=ROOM, parentId=reply.id, markdown="x")

    def test_refuses_what_webex_refuses(self) -> None:
        members = {"roomId", "markdown"}
        assert webex_problems({"roomId": "r", "markdown": "é" * (LIMIT // 2)}, members) == []
        for wrong in (
            {"markdown": "x"}, {"roomId": "r"}, {"roomId": "r", "markdown": "x", "html": "x"},
            {"roomId": "r", "markdown": "é" * (LIMIT // 2 + 1)},
        ):  # fmt: skip
            assert webex_problems(wrong, members), wrong
