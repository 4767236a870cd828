"""What is Slack's own: its markup, its limits, its words for what went wrong."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from standins.server import answer, lost
from standins.slack import SlackBot, SlackWebhook, slack_problems

from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.model import Channel, Digest, ObjectRef, Observation, Outcome, Repository, Secret, State, Story, Update
from landed.providers.chat import slack
from landed.providers.outlet import ChannelOutlet

#: Webhooks of others that take Slack's messages.
MATTERMOST = "https://chat.example.com/team/hooks/9kcw5qjw86jgeum77o1uw8197j"
ROCKET = "https://chat.example.com/hooks/64f0c2d9e7a1b35c48d2f6a0/Rk8sVw3nQz7LbX5tYc2HgJ9dMfPe4uAi"
DISCORD = "https://discord.com/api/webhooks/1280000000000000001/SxK9vQ3mR7tYwZ2pLd84/slack?thread_id=5"

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")


def story(
    state: State = State.SUCCESS, text: str = "done", *, cluster: str = "prod", objects: int = 1, **settings: Any
) -> Story:
    told = tuple(
        Observation(
            ObjectRef("Kustomization", "apps", f"web-{number}"), state, FLEET, COMMIT, "HealthCheckFailed", text
        )
        for number in range(objects)
    )
    return Story(Outcome(cluster, FLEET, COMMIT, told), **settings)


def texts(message: dict[str, Any]) -> str:
    """Everything that Slack shows, in order."""
    blocks = [*message["blocks"], *(block for one in message["attachments"] for block in one["blocks"])]
    shown = [block.get("elements") or block.get("fields") or [block["text"]] for block in blocks]
    return "\n".join(text["text"] for some in shown for text in some)


def test_a_story_alone_is_a_headline_with_details_below() -> None:
    message = slack.message(Digest((story(State.FAILURE, "timeout <waiting> & failing"),)))

    assert slack_problems(message) == []
    (headline,) = message["blocks"]
    assert headline["text"]["text"].startswith("❌ *acme/fleet 6dcd4ce2")
    (attachment,) = message["attachments"]
    assert attachment["color"] == "#cf222e"
    assert "timeout &lt;waiting&gt; &amp; failing" in attachment["blocks"][0]["text"]["text"]
    assert f"<https://github.com/acme/fleet/commit/{COMMIT}|acme/fleet@6dcd4ce2>" in texts(message)
    assert message["text"].startswith("❌ acme/fleet 6dcd4ce2")
    assert "timeout" in message["text"]


def test_each_state_has_its_colour() -> None:
    digest = Digest((story(State.SUCCESS), story(State.FAILURE, cluster="eu"), story(State.PENDING, cluster="us")))

    message = slack.message(digest)

    assert [attachment["color"] for attachment in message["attachments"]] == ["#cf222e", "#2da44e", "#bf8700"]
    assert message["blocks"][0]["text"]["text"] == "*3 rollouts: 1 failed, 1 live, 1 on the way*"
    assert message["text"].startswith("3 rollouts: 1 failed, 1 live, 1 on the way; first: acme/fleet")


def test_recovery_is_told() -> None:
    assert "broken for 12m" in texts(slack.message(Digest((story(broken_for=720),))))


def test_a_digest_that_is_too_long_is_counted() -> None:
    digest = Digest(
        tuple(story(State.SUCCESS, cluster=f"c{number}") for number in range(20))
        + tuple(story(State.FAILURE, cluster=f"f{number}") for number in range(7))
    )

    message = slack.message(digest)

    assert slack_problems(message) == []
    assert len(message["attachments"]) == 16
    assert texts(message).endswith("… and 12 live")
    assert all(f"f{number}" in texts(message) for number in range(7))


def test_lines_that_do_not_fit_are_counted() -> None:
    message = slack.message(Digest((story(State.FAILURE, "word " * 70, objects=100),)))

    assert slack_problems(message) == []
    assert "… and " in texts(message)
    assert " more" in texts(message)


def test_nothing_to_tell_is_no_message() -> None:
    assert slack.requests(Channel("slack", "slack", Secret("https://h/x")), Digest(())) == ()


@given(st.integers(1, 60), st.text(max_size=400), st.sampled_from([State.SUCCESS, State.FAILURE, State.PENDING]))
def test_no_digest_breaks_slacks_rules(count: int, text: str, state: State) -> None:
    message = slack.message(Digest(tuple(story(state, text, cluster=f"{text}{n}") for n in range(count))))

    assert slack_problems(message) == []


@pytest.mark.parametrize("path", ["a/b|<!channel>", "a/b>x", "a/<b", "a/b c", "ä/ö", "a/" + "b" * 9000, "a/b\n<!here>"])
def test_a_link_cannot_be_broken_out_of(path: str) -> None:
    told = Outcome("prod", Repository("h", path), COMMIT + "|x>", story().outcome.observations)

    message = slack.message(Digest((Story(told),)))

    assert slack_problems(message) == []
    where = message["attachments"][0]["blocks"][-1]["elements"][0]["text"]
    assert re.fullmatch(r"prod · (<https://h/[^<>| ]+\|[^<>\n]+>|[^<>]+)", where)


def test_slack_is_told_to_find_nothing_in_text_by_itself() -> None:
    message = slack.message(Digest((story(State.FAILURE, "https://evil.example #general"), story(cluster="eu"))))

    blocks = [*message["blocks"], *(block for one in message["attachments"] for block in one["blocks"])]
    assert all(text["verbatim"] for block in blocks for text in block.get("elements", [block.get("text")]))


@pytest.mark.parametrize("token", ["", "xoxb-1"])
def test_slack_is_told_to_show_no_previews(token: str) -> None:
    channel = Channel("slack", "slack", Secret("https://h/x"), "#deploys", token=Secret(token))

    (request,) = slack.requests(channel, Digest((story(),)))

    body = json.loads(request.body)
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)


def test_without_a_commit_there_is_no_link() -> None:
    told = Outcome("prod", Repository("", ""), "", (Observation(ObjectRef("Bucket", "a", "b"), State.FAILURE),))

    message = slack.message(Digest((Story(told),)))

    assert slack_problems(message) == []
    assert message["attachments"][0]["blocks"][-1]["elements"][0]["text"] == "prod"


def test_a_cluster_whose_name_cannot_be_seen_is_still_a_message() -> None:
    told = Outcome("\x00", Repository("", ""), "", (Observation(ObjectRef("Bucket", "a", "b"), State.FAILURE),))

    assert slack_problems(slack.message(Digest((Story(told),)))) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no",
        b"<html>Sign in</html>",
        b"ok?",
        b"\xff",
        b"[]",
        b"null",
        b"1e999",
        b'{"ok":false,"error":"invalid_auth"}',
        b'{"ok":false,"channel":"C0","ts":"1.0"}',
        b'{"ok":"true","channel":"C0","ts":"1.0"}',
        b'{"ok":1}',
        b'{"channel":"C0","ts":"1.0"}',
        b'{"ok":true,"channel":{},"ts":"1.0"}',
    ],
)
def test_only_ok_is_an_acknowledgement(body: bytes) -> None:
    with pytest.raises(DeliveryError, match=r"Slack \(h\) answered 200 OK without taking the message") as caught:
        slack.acknowledged(Response(200, {}, body, "Slack (h)", body.decode(errors="replace")))

    assert caught.value.hint
    assert not caught.value.passing
    assert not caught.value.gone


@pytest.mark.parametrize(
    ("status", "body", "hint"),
    [
        (404, "no_service", "was removed"),
        (404, "<html>", "Check the address"),
        (410, "gone", "was removed"),
        (410, "channel_is_archived", "archived"),
        (400, "invalid_payload", "incoming webhook"),
        (403, "action_prohibited", "administrator"),
        (403, "invalid_token", "wrong or expired"),
        (404, "channel_not_found", "channel is gone"),
    ],
)
def test_slacks_words_are_explained(status: int, body: str, hint: str) -> None:
    with SlackWebhook() as receiver, Http() as http:
        receiver.faults.append(answer(status, body=body))
        (request,) = slack.requests(Channel("slack", "slack", Secret(receiver.address)), Digest((story(),)))
        with pytest.raises(DeliveryError) as caught:
            http.send(request)

    assert hint in caught.value.hint
    assert body in caught.value.message


def test_what_the_alert_adds_and_what_is_unseen_stand_below() -> None:
    facts = (("env", "prod & more"), ("team", "<!here>"))
    digest = Digest((story(),), summary="the shop", facts=facts, unread=("eu", "us"))

    message = slack.message(digest)

    assert slack_problems(message) == []
    (attachment,) = message["attachments"]
    fields = next(block["fields"] for block in attachment["blocks"] if "fields" in block)
    assert [field["text"] for field in fields] == [
        "*summary*\nthe shop", "*env*\nprod &amp; more", "*team*\n&lt;!here&gt;",
    ]  # fmt: skip
    assert texts(message).endswith("Not seen at present: eu, us")


def test_facts_that_do_not_fit_are_counted() -> None:
    facts = tuple((f"fact {number}", "&" * 5000) for number in range(30))
    digest = Digest((story(), story(State.FAILURE, cluster="eu")), facts=(("\x00", ""), *facts))

    message = slack.message(digest)

    assert slack_problems(message) == []
    assert texts(message).endswith("… and 22 more")
    assert len(message["attachments"]) == 3


def test_most_of_everything_has_room_and_what_has_none_is_counted() -> None:
    stories = tuple(story(State.FAILURE, "word " * 99, cluster=f"c{n}", objects=50) for n in range(60))
    digest = Digest(stories, facts=tuple((f"{n}", "x" * 900) for n in range(40)), unread=("eu",) * 900)

    message = slack.message(digest)

    assert slack_problems(message) == []
    assert "… and 48 failed" in texts(message)


def test_as_many_stories_as_have_room_are_within_fifty_blocks() -> None:
    digest = Digest(tuple(story(cluster=f"c{n}") for n in range(60)), facts=(("env", "prod"),), unread=("eu",))

    message = slack.message(digest)

    blocks = [*message["blocks"], *(block for one in message["attachments"] for block in one["blocks"])]
    assert len(blocks) == 49
    assert "… and 45 live" in texts(message)


@pytest.mark.parametrize("sign", ["'\"\\ ", "&", "😀", "ä" * 99])
def test_fifteen_clusters_that_fail_are_not_too_much_for_one_message(sign: str) -> None:
    """OURS: Slack was seen to refuse blocks of more than some 13,200 characters altogether."""
    stories = tuple(story(State.FAILURE, sign * 200, cluster=f"c{n}", objects=9) for n in range(15))

    message = slack.message(Digest(stories, facts=((sign * 90, sign * 900),) * 12, unread=(sign * 99,) * 12))

    assert slack_problems(message) == []
    assert 2000 < len(json.dumps([message["blocks"], message["attachments"]], ensure_ascii=False)) <= 12_500


def test_a_webhook_is_told_the_channel_and_the_name_where_they_are_set() -> None:
    channel = Channel("slack", "slack", Secret("https://h/x"), "#deploys", "landed")

    (request,) = slack.requests(channel, Digest((story(),)))

    body = json.loads(request.body)
    assert (body["channel"], body["username"]) == ("#deploys", "landed")
    assert "authorization" not in {name.lower() for name in request.headers}


@pytest.fixture
def bot() -> Iterator[SlackBot]:
    with SlackBot() as service:
        yield service
        assert service.violations == []


def channel_of(bot: SlackBot, **changes: Any) -> Channel:
    settings: dict[str, Any] = {"channel": bot.channel, "username": "landed", "token": Secret(bot.token)} | changes
    return Channel("slack", "slack", Secret(bot.address), **settings)


def send(bot: SlackBot, *digests: Digest, **changes: Any) -> list[str]:
    with Http(sleep=lambda seconds: None) as http:
        outlet = ChannelOutlet(channel_of(bot, **changes), lambda: http)
        return [outlet.deliver(Update("slack", (), digest)) for digest in digests]


def test_a_bots_message_is_edited_and_answered_in_its_thread(bot: SlackBot) -> None:
    digest = Digest((story(State.PENDING),), about="line")

    (handle,) = send(bot, digest)
    assert handle == f"{bot.channel_id}:1700000000.000001"
    failed = (story(State.FAILURE, "timeout"),)
    handles = send(bot, Digest(failed, "line", handle), Digest(failed, "line", handle, reply=True))

    # What is remembered is the message itself, never an answer to it.
    assert handles == [handle, handle]
    first, answered = bot.messages.values()
    assert (first["edits"], first["thread"], answered["thread"]) == (1, "", "1700000000.000001")
    assert first["username"] == answered["username"] == "landed"
    assert first["text"].startswith("❌ ")
    assert first["attachments"][0]["color"] == "#cf222e"
    assert [asked.path for asked in bot.asked] == ["/api/chat.postMessage", "/api/chat.update", "/api/chat.postMessage"]
    assert {asked.headers["authorization"] for asked in bot.asked} == {f"Bearer {bot.token}"}


def test_an_edit_leaves_nothing_of_what_was_there(bot: SlackBot) -> None:
    (handle,) = send(bot, Digest((story(State.FAILURE, "timeout"), story(State.PENDING, cluster="eu")), "line"))
    send(bot, Digest((story(),), "line", handle))

    (kept,) = bot.messages.values()
    assert "timeout" not in json.dumps([kept["text"], kept["blocks"], kept["attachments"]])


def test_the_message_of_a_commit_is_short_and_its_thread_holds_everything() -> None:
    failed = (story(State.FAILURE, "timeout", objects=9),)

    brief = texts(slack.message(Digest(failed, "line")))
    whole = texts(slack.message(Digest(failed, "line", "C0:1.0", reply=True)))

    assert brief.count("timeout") == 3
    assert "… and 7 more" in brief
    assert whole.count("timeout") == 9
    assert "Look further: flux events -n apps --for Kustomization/web-0" in whole
    assert slack.message(Digest(failed)) == slack.message(Digest(failed, "line", "C0:1.0", reply=True))


def test_a_message_deleted_by_hand_is_posted_anew(bot: SlackBot) -> None:
    (handle,) = send(bot, Digest((story(State.PENDING),), "line"))
    bot.delete("1700000000.000001")

    (again,) = send(bot, Digest((story(),), "line", handle))

    assert again == f"{bot.channel_id}:1700000000.000002"
    assert list(bot.messages) == ["1700000000.000002"]


@pytest.mark.parametrize("word", ["edit_window_closed", "cant_update_message", "is_inactive", "no_permission"])
def test_a_message_that_may_not_be_edited_is_posted_anew(bot: SlackBot, word: str) -> None:
    (handle,) = send(bot, Digest((story(State.PENDING),), "line"))
    bot.refuse_edits = word

    (again,) = send(bot, Digest((story(),), "line", handle))

    assert again != handle
    assert len(bot.messages) == 2


@pytest.mark.parametrize(
    "handle",
    ["1700000000.000001", "C024BE91L:", ":1.0", "C0GONE:1700000000.000001", "C024BE91L:1.0,C0:1.0", "C024BE91L:١.0"],
)
def test_a_message_that_is_not_known_is_posted_anew(bot: SlackBot, handle: str) -> None:
    assert send(bot, Digest((story(),), "line", handle)) == [f"{bot.channel_id}:1700000000.000001"]


def test_an_edit_that_may_have_been_done_is_done_again_and_a_new_message_is_not(bot: SlackBot) -> None:
    (handle,) = send(bot, Digest((story(State.PENDING),), "line"))
    bot.faults.append(lost())
    assert send(bot, Digest((story(),), "line", handle)) == [handle]
    assert next(iter(bot.messages.values()))["edits"] == 2

    bot.faults.append(lost())
    with pytest.raises(DeliveryError) as caught:
        send(bot, Digest((story(),), "other"))
    assert caught.value.uncertain
    assert len(bot.messages) == 2


@pytest.mark.parametrize(
    ("word", "hint", "passing", "gone"),
    [
        ("channel_not_found", "Invite the bot", False, True),
        ("invalid_auth", "token", False, False),
        ("token_revoked", "token", False, False),
        ("missing_scope", "chat:write", False, False),
        ("ratelimited", "next run", True, False),
        ("msg_too_long", "too long", False, False),
        ("is_archived", "unarchive", False, True),
        ("not_in_channel", "Invite the bot", False, True),
        ("message_not_found", "", False, True),
        ("fatal_error", "", True, False),
        ("something_new", "", False, False),
    ],
)
def test_slacks_words_for_bots_are_explained(bot: SlackBot, word: str, hint: str, passing: bool, gone: bool) -> None:
    bot.refuse = word

    with pytest.raises(DeliveryError) as caught:
        send(bot, Digest((story(),), "line"))

    error = caught.value
    assert error.message.endswith(f"without taking the message: {word}")
    assert hint in error.hint
    assert (error.passing, error.gone, error.uncertain) == (passing, gone, word == "fatal_error")
    assert len(bot.asked) == 1
    assert bot.token not in f"{error!r}{error.message}{error.hint}"


def test_a_word_that_is_none_is_not_repeated(bot: SlackBot) -> None:
    bot.refuse = f"::error::{bot.token}"

    with pytest.raises(DeliveryError) as caught:
        send(bot, Digest((story(),), "line"))

    assert bot.token not in caught.value.message


def test_a_bot_that_writes_too_much_waits_as_long_as_slack_says(bot: SlackBot) -> None:
    bot.faults.append(answer(429, {"Retry-After": "7"}, '{"ok":false,"error":"ratelimited"}'))
    waits: list[float] = []
    with Http(sleep=waits.append) as http:
        ChannelOutlet(channel_of(bot), lambda: http).deliver(Update("slack", (), Digest((story(),), "line")))

    assert waits == [7]
    assert len(bot.messages) == 1


def test_a_bot_must_know_where_to_post(bot: SlackBot) -> None:
    with pytest.raises(DeliveryError, match="must be told the channel") as caught:
        send(bot, Digest((story(),), "line"), channel="")

    assert "spec.channel" in caught.value.hint
    assert bot.asked == []


def test_slacks_own_client_finds_the_stand_in_as_it_finds_slack(bot: SlackBot) -> None:
    client = WebClient(bot.token, base_url=bot.address.removesuffix("chat.postMessage"))
    message = slack.message(Digest((story(),)))

    posted = client.chat_postMessage(channel=bot.channel, **message)
    client.chat_update(channel=posted["channel"], ts=posted["ts"], text="other", blocks=[], attachments=[])
    client.chat_postMessage(channel=posted["channel"], thread_ts=posted["ts"], text="below")

    assert [kept["text"] for kept in bot.messages.values()] == ["other", "below"]
    with pytest.raises(SlackApiError, match="message_not_found"):
        client.chat_update(channel=posted["channel"], ts="1.0", text="x")
    with pytest.raises(SlackApiError, match="invalid_auth"):
        WebClient("xoxb-other", base_url=client.base_url).chat_postMessage(channel=bot.channel, text="x")


def test_slacks_own_client_sends_what_we_send(bot: SlackBot) -> None:
    client = WebClient(bot.token, base_url=bot.address.removesuffix("chat.postMessage"))
    (handle,) = send(bot, Digest((story(),), "line"))
    place, ts = handle.split(":")
    send(bot, Digest((story(),), "line", handle))
    message = slack.message(Digest((story(),)))
    client.chat_postMessage(channel=bot.channel, username="landed", unfurl_links=False, unfurl_media=False, **message)
    client.chat_update(channel=place, ts=ts, parse="none", **message)

    ours, edit, theirs, their_edit = bot.taken
    assert ours == theirs
    assert edit == their_edit
    assert [asked.method for asked in bot.asked] == ["POST"] * 4


@pytest.mark.parametrize(
    "message",
    [
        {"text": "x", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]},
        {"text": "x", "blocks": [{"type": "section"}]},
        {"text": "x", "blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}]},
        {"text": "x", "blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}]}]},
        {"text": "x", "blocks": [{"type": "unheard-of"}]},
        {"text": "x", "attachments": [{"blocks": [{"type": "divider"}] * 30}] * 2},
        {"text": "", "blocks": []},
    ],
)
def test_slacks_rules_refuse(message: dict[str, Any]) -> None:
    assert slack_problems(message) != []


def test_nobody_is_called() -> None:
    text = "<!channel> <@U123> <#C1> @here (@channel) x@everyone @HERE"
    digest = Digest((story(State.FAILURE, text, cluster=text),), summary=text, facts=((text, text),), unread=(text,))

    message = slack.message(digest)

    shown = f"{texts(message)}\n{message['text']}\n{message['attachments'][0]['fallback']}"
    assert re.findall(r"<[^>]*>", shown) == [f"<https://github.com/acme/fleet/commit/{COMMIT}|acme/fleet@6dcd4ce2>"]
    assert not re.search("@(here|channel|everyone)", shown, re.IGNORECASE)


def test_half_a_pair_is_sent_as_a_question_mark() -> None:
    digest = Digest((story(State.FAILURE, "\ud800x", cluster="\udfffy"), story()), summary="\udc00")

    (request,) = slack.requests(Channel("slack", "slack", Secret("https://h/x")), digest)

    assert b"?x" in request.body
    assert b"?y" in request.body


def test_who_is_called_stands_in_the_headline_once_each() -> None:
    ada, grace = story(State.FAILURE, mention="U024BE7LH"), story(State.FAILURE, cluster="eu", mention="W0GRACE00")
    alone = slack.message(Digest((ada,)))
    several = slack.message(Digest((ada, grace, story(State.FAILURE, cluster="us", mention="U024BE7LH"))))

    assert alone["blocks"][0]["text"]["text"] == "❌ *acme/fleet 6dcd4ce2 failed on prod* <@U024BE7LH>"
    assert several["blocks"][0]["text"]["text"] == "*3 rollouts: 3 failed* <@U024BE7LH> <@W0GRACE00>"
    assert "<@" not in json.dumps([alone["text"], alone["attachments"], several["text"], several["attachments"]])
    assert slack_problems(several) == []


def test_what_is_live_calls_nobody() -> None:
    assert slack.message(Digest((story(mention="U024BE7LH"),))) == slack.message(Digest((story(),)))


@pytest.mark.parametrize(
    "body",
    [b"ok", b"ok\n", b'{"ok":true}', b'{"success":true}', b'{"result":"success","msg":"","ok":true}',
     b'{"success":true,"queued":true}'],
)  # fmt: skip
def test_a_message_that_others_have_taken_is_not_told_again(body: bytes) -> None:
    assert slack.acknowledged(Response(200, {}, body, "Slack (h)", body.decode())) == ""


def body_at(address: str, digest: Digest) -> dict[str, Any]:
    channel = Channel("slack", "slack", Secret(address), "#deploys", "landed")
    (request,) = slack.requests(channel, digest)
    told: dict[str, Any] = json.loads(request.body)
    assert (told.pop("channel"), told.pop("username")) == ("#deploys", "landed")
    return told


@pytest.mark.parametrize("address", [MATTERMOST, f"{MATTERMOST}/", ROCKET, DISCORD])
def test_who_knows_no_blocks_is_told_all_of_it_without(address: str) -> None:
    failed = story(State.FAILURE, "timeout <here>", mention="U024BE7LH")
    digest = Digest((failed,), summary="the shop", facts=(("env", "prod"),), unread=("eu",))

    assert body_at(address, digest) == {
        "text": "❌ acme/fleet 6dcd4ce2 failed on prod",
        "attachments": [
            {
                "fallback": "❌ acme/fleet 6dcd4ce2 failed on prod",
                "color": "#cf222e",
                "text": "apps/web-0: Health check failed: timeout <\u200bhere>\n"
                "Look further: flux events -n apps --for Kustomization/web-0\n"
                f"prod · <https://github.com/acme/fleet/commit/{COMMIT}|acme/fleet@6dcd4ce2>",
            },
            {
                "fallback": "Not seen at present: eu",
                "text": "Not seen at present: eu",
                "fields": [
                    {"title": "summary", "value": "the shop", "short": True},
                    {"title": "env", "value": "prod", "short": True},
                ],
            },
        ],
    }


@pytest.mark.parametrize(
    "address",
    [
        "https://hooks.slack.com/services/T024BE7LH/B01TESTHOOK/SxK9vQ3mR7tYwZ2pLd84NfGh",
        "https://hooks.slack-gov.com/services/T024BE7LH/B01TESTHOOK/SxK9vQ3mR7tYwZ2pLd84NfGh",
        "https://zulip.example.com/api/v1/external/slack_incoming?api_key=k", "https://h/slack", "https://[", "",
    ],
)  # fmt: skip
def test_who_knows_blocks_or_is_not_known_gets_them(address: str) -> None:
    assert "blocks" in body_at(address, Digest((story(),)))


def test_several_without_blocks_have_a_title_each_and_are_counted() -> None:
    told = body_at(MATTERMOST, Digest((story(State.FAILURE), *(story(cluster=f"c{n}") for n in range(9)))))

    assert told["text"] == "10 rollouts: 1 failed, 9 live"
    assert [one["text"].partition("\n")[0] for one in told["attachments"]] == [
        "❌ acme/fleet 6dcd4ce2 failed on prod",
        *(f"✅ acme/fleet 6dcd4ce2 is live on c{n}" for n in range(5)),
        "… and 4 live",
    ]


@given(st.integers(1, 30), st.text(max_size=300), st.lists(st.tuples(st.text(), st.text()), max_size=20))
def test_without_blocks_all_of_it_has_room_at_the_strictest(
    count: int, text: str, facts: list[tuple[str, str]]
) -> None:
    stories = tuple(story(State.FAILURE, text * 20, cluster=f"{text}{n}", objects=9) for n in range(count))

    told = body_at(DISCORD, Digest(stories, facts=tuple(facts), summary=text, unread=(text,) * 40))

    fields = [part for one in told["attachments"] for field in one.get("fields", ()) for part in field.values()]
    said = [told["text"], *(one["text"] for one in told["attachments"]), *map(str, fields)]
    assert sum(map(len, said)) <= 6000
    assert len(told["attachments"]) <= 10
    assert all(field["title"] and field["value"] for one in told["attachments"] for field in one.get("fields", ()))


@pytest.mark.parametrize("path", ["a/b|<!channel>", "a/b>x", "a/<b", "a/b](http://evil)", "a/b @all", "a/[b]"])
def test_a_link_without_blocks_cannot_be_broken_out_of(path: str) -> None:
    told = Outcome("prod", Repository("h", path), COMMIT, story().outcome.observations)

    where = body_at(MATTERMOST, Digest((Story(told),)))["attachments"][0]["text"].split("\n")[-1]

    assert re.fullmatch(r"prod · <https://h/[^<>| ]+\|[^<>|\[\]]+>", where)
    assert "@all" not in where


def test_others_webhooks_get_no_hints_about_slacks() -> None:
    (request,) = slack.requests(Channel("slack", "slack", Secret(MATTERMOST)), Digest((story(),)))

    assert request.hints == {}


@pytest.mark.parametrize(
    ("channel", "edited"),
    [("#deploys", True), ("deploys", True), ("U024BE7LH", True), ("C024BE91L", True), ("C0ELSEWHERE", False)],
)
def test_a_message_in_another_channel_than_the_one_of_now_is_left_alone(
    bot: SlackBot, channel: str, edited: bool
) -> None:
    channel_ = channel_of(bot, channel=channel)
    digest = Digest((story(),), "line", "C024BE91L:1700000000.000001")

    if edited:
        (request,) = slack.requests(channel_, digest)
        assert json.loads(request.body)["channel"] == "C024BE91L"
        return
    with pytest.raises(DeliveryError) as caught:
        slack.requests(channel_, digest)
    assert caught.value.gone
