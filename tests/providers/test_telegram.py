"""What is Telegram's own: places counted in UTF-16, chats and topics, what it says went wrong, its addresses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifest_runs import Rollout
from msgspec import structs
from standins.server import answer, lost
from standins.telegram import LIMIT, TOKEN, Telegram, part, telegram_problems, units

from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.model import Channel, Digest, ObjectRef, Observation, Outcome, Repository, Secret, State, Story, Update
from landed.providers.chat import telegram
from landed.providers.outlet import ChannelOutlet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")


def story(state: State = State.SUCCESS, text: str = "done", *, cluster: str = "prod", **settings: Any) -> Story:
    about = ObjectRef("Kustomization", "apps", "web")
    told = Observation(about, state, FLEET, COMMIT, "HealthCheckFailed", text)
    return Story(Outcome(cluster, FLEET, COMMIT, (told,)), **settings)


@pytest.fixture
def api() -> Iterator[Telegram]:
    with Telegram() as service:
        yield service
        assert service.violations == []


def channel_of(service: Telegram | None = None, **changes: Any) -> Channel:
    settings: dict[str, Any] = {"channel": Telegram.channel, "token": Secret(TOKEN)} | changes
    return Channel("telegram", "telegram", Secret(service.address if service else ""), **settings)


def send(service: Telegram, *digests: Digest, **changes: Any) -> list[str]:
    with Http(sleep=lambda seconds: None) as http:
        outlet = ChannelOutlet(channel_of(service, **changes), lambda: http)
        return [outlet.deliver(Update("telegram", (), digest)) for digest in digests]


def refused(service: Telegram, what: Digest, **changes: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send(service, what, **changes)
    assert TOKEN.partition(":")[2] not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


def kept(state: State, text: str = "timeout", **more: Any) -> Digest:
    return Digest((story(state, text),), about="it", **more)


def marked(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(entity["type"], part(body["text"], entity)) for entity in body["entities"]]


def test_a_failure_to_the_byte(api: Telegram) -> None:
    send(api, Digest((story(State.FAILURE, "timeout *now*", mention="4711"),), facts=(("env", "prod"),)))

    (asked,) = api.asked
    assert asked.path == f"/bot{TOKEN}/sendMessage"
    assert json.loads(asked.body) == {
        "chat_id": -1001846293057,
        "text": "❌ acme/fleet 6dcd4ce2 failed on prod\n"
        "apps/web: Health check failed: timeout *now*\n"
        "Look further: flux events -n apps --for Kustomization/web\n"
        "prod · acme/fleet@6dcd4ce2\n"
        "Please look at this\n"
        "env: prod",
        "entities": [
            {"type": "bold", "offset": 2, "length": 34},
            {
                "type": "text_link", "offset": 147, "length": 19,
                "url": f"https://github.com/acme/fleet/commit/{COMMIT}",
            },
            {
                "type": "text_mention", "offset": 167, "length": 19,
                "user": {"id": 4711, "is_bot": False, "first_name": "4711"},
            },
            {"type": "bold", "offset": 187, "length": 3},
        ],
        "link_preview_options": {"is_disabled": True},
    }  # fmt: skip
    assert [what for _, what in marked(api.taken[0])] == [
        "acme/fleet 6dcd4ce2 failed on prod", "acme/fleet@6dcd4ce2", "Please look at this", "env",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "says", "quiet"),
    [
        (story(State.SUCCESS), "✅ acme/fleet 6dcd4ce2 is live on prod", False),
        (story(State.SUCCESS, broken_for=720), "12m", False),
        (story(State.PENDING), "⏳ acme/fleet 6dcd4ce2", True),
        (story(State.FAILURE), "❌ acme/fleet 6dcd4ce2 failed on prod", False),
    ],
)
def test_only_what_needs_nobody_comes_without_a_sound(api: Telegram, told: Story, says: str, quiet: bool) -> None:
    send(api, Digest((told,)))

    assert says in api.taken[0]["text"]
    assert api.taken[0].get("disable_notification", False) is quiet


def test_places_are_counted_in_utf_16(api: Telegram) -> None:
    send(api, Digest((story(State.FAILURE, "😀😀", cluster="😀 eu"), story(State.SUCCESS, cluster="🚀 us"))))

    assert ("bold", "acme/fleet 6dcd4ce2 failed on 😀 eu") in marked(api.taken[0])
    assert ("text_link", "acme/fleet@6dcd4ce2") in marked(api.taken[0])[-1:]


@given(text=st.text(st.characters(codec=None)), number=st.integers(1, 30))
def test_whatever_is_said_fits_and_is_in_its_place(text: str, number: int) -> None:
    stories = tuple(story(State.FAILURE, text * 50, cluster=text, subject=text * 9, mention="1") for _ in range(number))

    body = telegram.written(Digest(stories, facts=((text, text),) * 20, unread=(text,)))

    assert telegram_problems("editMessageText", {"chat_id": 1, "message_id": 1, **body}) == []


def test_the_longest_message_is_not_a_unit_too_long() -> None:
    stories = tuple(story(State.FAILURE, "😀" * 5000, subject="🚀" * 500) for _ in range(30))

    text = telegram.written(Digest(stories, facts=(("😀" * 99, "😀" * 999),) * 30))["text"]

    assert LIMIT - 400 < units(text) <= LIMIT
    assert text.endswith("more lines")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("@ada and mail@example.com", "@\u200bada and mail@example.com"),
        ("#tag $USD a#b", "#\u200btag $\u200bUSD a#b"),
        ("/stop it, /usr/bin, a/b /x@bot", "/\u200bstop it, /usr/bin, a/b /\u200bx@bot"),
    ],
)
def test_telegram_finds_nothing_by_itself_but_addresses(said: str, shown: str) -> None:
    assert shown in telegram.written(Digest((story(State.FAILURE, said),)))["text"]


def test_an_edit_that_changes_nothing_is_done(api: Telegram) -> None:
    (handle,) = send(api, kept(State.PENDING))
    edited = kept(State.SUCCESS, handle=handle)

    assert send(api, edited, edited) == [handle, handle]
    assert len(api.messages) == 1


def test_only_an_edit_may_change_nothing(api: Telegram) -> None:
    api.refuse = "Bad Request: message is not modified"

    assert "not modified" in refused(api, kept(State.SUCCESS)).message


def test_an_edit_whose_answer_is_lost_is_made_again_and_then_done(api: Telegram) -> None:
    (handle,) = send(api, kept(State.PENDING))
    api.faults.append(lost())

    assert send(api, kept(State.SUCCESS, handle=handle)) == [handle]
    assert len(api.asked) == 3
    assert len(api.taken) == 2


@pytest.mark.parametrize(
    "words", ["Bad Request: message can't be edited", "Bad Request: MESSAGE_ID_INVALID", "Bad Request: chat not found"]
)
def test_what_cannot_be_edited_is_posted_anew(api: Telegram, words: str) -> None:
    (handle,) = send(api, kept(State.PENDING))
    api.refuse_edits = words

    (anew,) = send(api, kept(State.FAILURE, handle=handle))

    assert anew != handle
    assert len(api.messages) == 2


def test_a_refusal_with_200_is_one_too(api: Telegram) -> None:
    (handle,) = send(api, kept(State.PENDING))
    said = {"ok": False, "error_code": 400, "description": "Bad Request: message to edit not found"}
    api.faults.append(answer(200, body=json.dumps(said)))

    (anew,) = send(api, kept(State.FAILURE, handle=handle))

    assert anew != handle
    assert len(api.messages) == 2


def test_a_topic_is_posted_to_and_its_opening_is_not_what_is_answered(api: Telegram) -> None:
    post, reply = kept(State.PENDING), kept(State.FAILURE, reply=True)
    first, second = send(api, post, reply, channel=f"{Telegram.channel}:7")

    assert [body["message_thread_id"] for body in api.taken] == [7, 7]
    assert first == second == f"{Telegram.channel}:100"
    assert api.taken[1]["reply_parameters"] == {"message_id": 100, "allow_sending_without_reply": True}


def test_an_answer_to_what_was_deleted_stands_by_itself(api: Telegram) -> None:
    (handle,) = send(api, kept(State.PENDING))
    api.delete("100")

    send(api, kept(State.FAILURE, handle=handle, reply=True))

    assert [message["thread"] for message in api.messages.values()] == [""]


def test_an_answer_in_another_topic_than_its_message_stands_by_itself(api: Telegram) -> None:
    (handle,) = send(api, kept(State.PENDING))
    again = kept(State.FAILURE, handle=handle, reply=True)

    send(api, again, channel=f"{Telegram.channel}:7")

    assert [asked.path.rpartition("/")[2] for asked in api.asked] == ["sendMessage"] * 3
    assert [(message["topic"], message["thread"]) for message in api.messages.values()] == [(0, ""), (7, "")]


@pytest.mark.parametrize("words", ["replied message not found", "reply message not found", "chat not found"])
def test_whatever_is_wrong_with_what_is_answered_the_answer_is_sent(api: Telegram, words: str) -> None:
    (handle,) = send(api, kept(State.PENDING))
    said = {"ok": False, "error_code": 400, "description": f"Bad Request: {words}"}
    api.faults.append(answer(400, body=json.dumps(said)))

    send(api, kept(State.FAILURE, handle=handle, reply=True))

    assert "reply_parameters" not in api.taken[1]
    assert len(api.messages) == 2


def test_an_answer_goes_to_where_the_name_leads_now(api: Telegram) -> None:
    send(api, kept(State.FAILURE, handle="-1009999999999:100", reply=True), channel="@deploys")

    assert api.taken[0]["chat_id"] == "@deploys"


def test_the_general_topic_is_posted_to_without_its_number(api: Telegram) -> None:
    send(api, kept(State.FAILURE), channel=f"{Telegram.channel}:1")

    assert "message_thread_id" not in api.taken[0]


def test_a_public_name_will_do(api: Telegram) -> None:
    first, again = send(
        api, kept(State.PENDING), kept(State.SUCCESS, handle=f"{Telegram.channel}:100"), channel="@deploys"
    )

    assert first == again == f"{Telegram.channel}:100"
    assert [body["chat_id"] for body in api.taken] == ["@deploys", Telegram.chat]


@pytest.mark.parametrize(
    "handle", ["-1:100", "100", f"{Telegram.channel}:100:1", f"{Telegram.channel}:x", "@deploys:1"]
)
def test_a_handle_of_another_chat_is_not_edited(api: Telegram, handle: str) -> None:
    send(api, kept(State.PENDING))
    send(api, kept(State.FAILURE, handle=handle))

    assert [asked.path.rpartition("/")[2] for asked in api.asked] == ["sendMessage"] * 2


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("Bad Request: group chat was upgraded to a supergroup chat", "migrate_to_chat_id"),
        ("Bad Request: chat not found", "Add the bot"),
        ("Forbidden: bot was kicked from the supergroup chat", "Add the bot"),
        ("Forbidden: bot is not a member of the channel chat", "Add the bot"),
        ("Forbidden: bot was blocked by the user", "unblock"),
        ("Forbidden: bot can't initiate conversation with a user", "/start"),
        ("Bad Request: not enough rights to send text messages to the chat", "administrator"),
        ("Bad Request: need administrator rights in the channel chat", "administrator"),
        ("Bad Request: message thread not found", "topic"),
        ("Bad Request: TOPIC_CLOSED", "topic is closed"),
    ],
)
def test_what_telegram_says_is_explained(api: Telegram, words: str, hint: str) -> None:
    api.refuse = words

    error = refused(api, kept(State.FAILURE))

    assert words in error.message
    assert hint in error.hint
    assert not error.passing


def test_a_wrong_token_is_explained(api: Telegram) -> None:
    error = refused(api, kept(State.FAILURE), token=Secret("123:AAH_not_the_bots_own_token"))

    assert "@BotFather" in error.hint


def test_telegram_says_how_long_to_wait(api: Telegram) -> None:
    api.faults.append(answer(429, {"Retry-After": "7"}, '{"ok":false,"parameters":{"retry_after":7}}'))
    waits: list[float] = []
    with Http(sleep=waits.append) as http:
        ChannelOutlet(channel_of(api), lambda: http).deliver(Update("telegram", (), kept(State.FAILURE)))

    assert waits == [7]


@pytest.mark.parametrize(
    ("address", "root"),
    [
        ("", "https://api.telegram.org"),
        ("https://api.telegram.org", "https://api.telegram.org"),
        ("https://api.telegram.org/bot123:abc/sendMessage", "https://api.telegram.org"),
        ("http://api.telegram.org:80/x", "https://api.telegram.org"),
        ("not an address", "https://api.telegram.org"),
        ("ftp://bots.example.com", "https://api.telegram.org"),
        ("https://t.me/deploys", "https://api.telegram.org"),
        ("https://telegram.org", "https://api.telegram.org"),
        ("https://not-telegram.org", "https://not-telegram.org"),
        ("https://bots.example.com:8081/", "https://bots.example.com:8081"),
        ("https://bots.example.com/telegram/", "https://bots.example.com/telegram"),
        ("https://bots.example.com/bot123:abc/sendMessage", "https://bots.example.com"),
        ("https://bots.example.com/telegram/bot?x=1#y", "https://bots.example.com/telegram"),
    ],
)
def test_another_server_is_asked_where_one_is_named(address: str, root: str) -> None:
    channel = structs.replace(channel_of(), address=Secret(address))

    (request,) = telegram.requests(channel, kept(State.FAILURE))

    assert request.url.reveal() == f"{root}/bot{TOKEN}/sendMessage"


@pytest.mark.parametrize(
    ("channel", "token", "fields"),
    [
        ("-1001846293057", TOKEN, []),
        ("-1001846293057:42", TOKEN, []),
        ("4711", TOKEN, []),
        ("@deploys", TOKEN, []),
        ("@deploys:7", TOKEN, []),
        ("deploys", TOKEN, ["spec.channel"]),
        ("https://t.me/deploys", TOKEN, ["spec.channel"]),
        ("-100:x", TOKEN, ["spec.channel"]),
        ("@deploys\n", TOKEN, ["spec.channel"]),
        ("@deploys", "123456:ABC-DEF", []),
        ("@deploys", f"1:{'x' * 78}", []),
        ("@deploys", f"1:{'x' * 79}", ["spec.secretRef"]),
        ("@deploys", "0123:ABC-DEF", ["spec.secretRef"]),
        ("@deploys", "ABC-DEF", ["spec.secretRef"]),
        ("@deploys", f"bot{TOKEN}", ["spec.secretRef"]),
        ("@deploys", "123:abc/../x", ["spec.secretRef"]),
        ("", "", ["spec.channel", "spec.secretRef"]),
    ],
)
def test_settings_are_looked_at_before_anything_is_sent(channel: str, token: str, fields: list[str]) -> None:
    settings = channel_of(channel=channel, token=Secret(token))
    complaints = telegram.complaints(settings)

    assert [complaint.field for complaint in complaints] == fields
    assert not any(token and token in f"{complaint}" for complaint in complaints)
    if fields:
        with pytest.raises(DeliveryError, match="is not one of Telegram's"):
            telegram.requests(settings, kept(State.FAILURE))


def test_an_answer_is_read_strictly() -> None:
    with pytest.raises(DeliveryError, match="without taking the message"):
        telegram.acknowledged(Response(200, {}, b'{"ok":true,"result":{"message_id":0,"chat":{"id":1}}}', "Telegram"))


def test_everything_that_happens_is_told_from_a_manifest(
    api: Telegram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = Rollout(
        tmp_path, monkeypatch, {"token": TOKEN}, type="telegram", address=api.address, channel=api.channel
    )
    rollout.all_situations()

    failed, answer, recovered, waiting = (message["text"] for message in api.messages.values())
    assert "failed on" in failed
    assert "Health check failed" in answer
    assert "is live" in recovered
    assert "waits for flux-system/infra" in waiting
    assert [message["edits"] for message in api.messages.values()] == [1, 0, 0, 0]
    assert [message["thread"] for message in api.messages.values()] == ["", "100", "", ""]
