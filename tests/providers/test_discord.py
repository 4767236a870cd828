"""What is Discord's own: its Markdown, its limits, its edits, its words for what went wrong."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec import structs
from standins.discord import SECRET_PATH, Discord, discord_problems, embedded
from standins.server import answer, lost

from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.messages import Message, Passage
from landed.model import Channel, Digest, Event, ObjectRef, Observation, Outcome, Repository, Secret, State, Story
from landed.providers.chat import discord

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
HOOK = "https://discord.com/api/webhooks/1/token"
STATES = [State.SUCCESS, State.FAILURE, State.PENDING]


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


def body(digest: Digest, **settings: Any) -> dict[str, Any]:
    (request,) = discord.requests(Channel("discord", "discord", Secret(HOOK), **settings), digest)
    told: dict[str, Any] = json.loads(request.body)
    assert discord_problems(told, "patch" if request.method == "PATCH" else "post") == []
    return told


@pytest.fixture
def service() -> Iterator[Discord]:
    with Discord() as standin:
        yield standin
        assert standin.violations == []


def send(service: Discord, digest: Digest, query: str = "") -> str:
    channel = Channel("discord", "discord", Secret(service.address + query))
    with Http() as http:
        (request,) = discord.requests(channel, digest)
        return discord.acknowledged(http.send(request))


def passage(state: State = State.FAILURE, *lines: str, cluster: str = "prod") -> Passage:
    link = f"https://github.com/acme/fleet/commit/{COMMIT}"
    return Passage(state, f"acme/fleet main@6dcd4ce2 failed on {cluster}", lines, cluster, "acme/fleet@6dcd4ce2", link)


def laid(told: Message) -> dict[str, Any]:
    shown = discord.laid_out(told)
    assert discord_problems(shown) == []
    return shown


def test_a_story_alone_is_one_embed() -> None:
    alone = passage(State.FAILURE, "timeout <waiting> & *failing*", "2 wait")

    assert laid(Message(alone.title, (alone,))) == {
        "content": "",
        "embeds": [
            {
                "title": r"❌ acme/fleet main\@6dcd4ce2 failed on prod",
                "url": f"https://github.com/acme/fleet/commit/{COMMIT}",
                "description": "timeout \\<waiting\\> & \\*failing\\*\n2 wait",
                "color": 0xCF222E,
                "footer": {"text": "prod · acme/fleet@6dcd4ce2"},
            }
        ],
        "allowed_mentions": {"parse": []},
    }


def test_each_state_has_its_colour_and_the_worst_comes_first() -> None:
    told = body(Digest((story(State.SUCCESS), story(State.FAILURE, cluster="eu"), story(State.PENDING, cluster="us"))))

    assert re.fullmatch(r"\*\*3 rollouts\\: .+\*\*", told["content"])
    assert [embed["color"] for embed in told["embeds"]] == [0xCF222E, 0x2DA44E, 0xBF8700]


def test_ten_embeds_are_enough_for_any_number_of_stories() -> None:
    digest = Digest(
        tuple(story(State.SUCCESS, cluster=f"c{number}") for number in range(20))
        + tuple(story(State.FAILURE, cluster=f"f{number}") for number in range(7))
    )

    told = body(structs.replace(digest, facts=(("team", "web"),)))

    assert len(told["embeds"]) == 10
    assert "18" in told["embeds"][-1]["description"]
    assert told["embeds"][-1]["fields"] == [{"name": "team", "value": "web", "inline": True}]


def test_facts_stand_in_the_only_embed_with_the_summary_first() -> None:
    digest = Digest((story(State.FAILURE),), summary="Shop", facts=(("env", "*prod*"), ("void", "")), unread=("eu",))

    (embed,) = body(digest)["embeds"]

    assert embed["fields"] == [
        {"name": "summary", "value": "Shop", "inline": False},
        {"name": "env", "value": r"\*prod\*", "inline": True},
        {"name": "void", "value": "–", "inline": True},
    ]
    assert embed["description"].endswith("eu")
    assert "\n" in embed["description"]


def test_more_facts_than_there_are_fields_are_counted() -> None:
    facts = tuple((f"k{number}", "v") for number in range(40))

    (embed,) = body(Digest((story(),), facts=facts))["embeds"]

    assert len(embed["fields"]) == 25
    assert embed["fields"][-1] == {"name": "…", "value": "and 16 more"}


def test_facts_that_are_too_long_are_cut_and_counted() -> None:
    facts = tuple((f"k{number}", "word " * 1000) for number in range(40))

    (embed,) = body(Digest((story(),), facts=facts))["embeds"]

    assert embed["fields"][-1]["name"] == "…"
    assert all(len(field["value"]) <= 1024 for field in embed["fields"])


def test_stories_share_the_6000() -> None:
    lines = tuple(f"{number} " + "word " * 20 for number in range(60))
    told = Message("9 rollouts", tuple(passage(State.FAILURE, *lines, cluster=f"c{n}") for n in range(9)))

    embeds = laid(told)["embeds"]

    assert sum(map(embedded, embeds)) > 5000
    assert all(re.search(r"\n… and \d+ more\Z", embed["description"]) for embed in embeds)


def test_a_story_alone_has_the_room_of_one_description() -> None:
    alone = passage(State.FAILURE, *(f"{number} " + "word " * 20 for number in range(60)))

    (embed,) = laid(Message(alone.title, (alone,), facts=(("k", "v" * 9000),), notes=("note " * 900,)))["embeds"]

    assert 2000 < len(embed["description"]) <= 4096
    assert re.search(r"\n… and \d+ more\n", embed["description"])


@given(
    st.integers(1, 30),
    st.text(max_size=400),
    st.sampled_from(STATES),
    st.lists(st.tuples(st.text(max_size=300), st.text(max_size=2000)), max_size=30),
)
def test_no_digest_breaks_discords_rules(count: int, text: str, state: State, facts: list[tuple[str, str]]) -> None:
    stories = tuple(story(state, text, cluster=f"{text}{number}", objects=3) for number in range(count))

    told = body(Digest(stories, facts=tuple(facts), summary=text))

    assert "@everyone" not in str(told)


def test_a_text_that_grows_when_escaped_and_counted_still_fits() -> None:
    for sign in ("😀", "*", "<@1>", "@everyone ", "-"):
        body(
            Digest(tuple(story(State.FAILURE, sign * 4000, cluster=sign * 400) for _ in range(9)), summary=sign * 2000)
        )


MARKDOWN = [
    "*a* _b_ **c** __d__ ~~e~~ ||f|| `g` ```h```",
    "[click](http://evil.example) <http://evil.example> http://evil.example https://evil.example",
    "# big", "## big", "-# small", "> quoted", ">>> quoted", "- item", "+ item", "* item", "1. one", "23. many",
    "<@123> <@!1> <@&1> <#1> <:blob:1> <a:blob:1> <t:0:R> </say:1> <id:home> :smile: @everyone @here",
    "\\*a\\* \\", "<b>bold</b> <!-- x -->", "| a | b |", "***", "---", "![i](http://evil.example/i.png)",
]  # fmt: skip


@pytest.mark.parametrize("text", MARKDOWN)
def test_nothing_in_a_strangers_text_is_markdown(text: str) -> None:
    """Judged by a CommonMark parser with strikethrough and tables, whose escapes are Discord's."""
    (embed,) = body(Digest((story(State.FAILURE),), facts=((text, text),)))["embeds"]
    (field,) = embed["fields"]

    for shown in (field["name"], field["value"]):
        tokens = MarkdownIt("commonmark").enable(["strikethrough", "table"]).parse(shown)
        assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
        kinds = {child.type for token in tokens for child in token.children or ()}
        assert kinds <= {"text", "text_special"}
        # OURS: what CommonMark does not know. A backslash before the sign makes it text.
        assert not re.search(r"(?<!\\)(?:\\\\)*[|:@#<>]", shown)
        assert (
            "".join(child.content for token in tokens for child in token.children or ()).replace("\u200b", "") == text
        )


@given(st.text(alphabet="\\*_~`|<>[]():@#!-+.1 a\u200b/t", max_size=40))
def test_escaping_loses_nothing(text: str) -> None:
    shown = discord._escape(text).replace("\u200b", "")

    assert re.sub(r"\\(.)", r"\1", shown) == text.replace("\u200b", "")


@pytest.mark.parametrize("path", ["a/b)|<!channel>", "a/b>x", "a/b c", "ä/ö", "a/" + "b" * 9000, "a/b\n<!here>"])
def test_a_link_is_one_or_is_left_out(path: str) -> None:
    outcome = Outcome("prod", Repository("h", path), COMMIT, story().outcome.observations)

    (embed,) = body(Digest((Story(outcome),)))["embeds"]

    assert re.fullmatch(r"https://h/[^\s<>()|]+", embed.get("url", "https://h/x"))
    assert ("url" in embed) is (len(path) < 2000)


def test_each_cluster_of_a_commit_is_shown_with_a_link_to_it() -> None:
    told = body(Digest((story(State.FAILURE), story(cluster="eu"), story(cluster="us"))))

    link = f"https://github.com/acme/fleet/commit/{COMMIT}"
    assert [embed["url"] for embed in told["embeds"]] == [link, f"{link}#2", f"{link}#3"]
    assert all(len(embed["description"]) > 3 for embed in told["embeds"])


def test_without_a_commit_there_is_no_link() -> None:
    told = Outcome("\x00", Repository("", ""), "", (Observation(ObjectRef("Bucket", "a", "b"), State.FAILURE),))

    (embed,) = body(Digest((Story(told),)))["embeds"]

    assert "url" not in embed
    assert embed["footer"]["text"] == "–"
    assert not [one for one in body(Digest((Story(told), Story(told))))["embeds"] if "url" in one]


def test_nothing_to_tell_is_no_message() -> None:
    assert discord.requests(Channel("discord", "discord", Secret(HOOK)), Digest(())) == ()


@pytest.mark.parametrize(
    ("address", "posted", "edited"),
    [
        (HOOK, "?wait=true", "/messages/77"),
        (f"{HOOK}/", "?wait=true", "/messages/77"),
        (f"{HOOK}/slack", "?wait=true", "/messages/77"),
        (f"{HOOK}/github/", "?wait=true", "/messages/77"),
        (f"{HOOK}/slack?thread_id=5", "?wait=true&thread_id=5", "/messages/77?thread_id=5"),
        (f"{HOOK}?wait=false&thread_id=5#x", "?wait=true&thread_id=5", "/messages/77?thread_id=5"),
        (f"{HOOK}\n", "?wait=true", "/messages/77"),
    ],
)
def test_addresses(address: str, posted: str, edited: str) -> None:
    channel = Channel("discord", "discord", Secret(address))

    (new,) = discord.requests(channel, Digest((story(),)))
    (edit,) = discord.requests(channel, Digest((story(),), handle="77"))

    assert (new.method, new.url.reveal(), new.repeatable) == ("POST", HOOK + posted, False)
    assert (edit.method, edit.url.reveal(), edit.repeatable) == ("PATCH", HOOK + edited, True)


@pytest.mark.parametrize("handle", ["../../2/x", "77?x", "٣", "", "77/"])
def test_what_cannot_be_a_messages_id_makes_a_new_message(handle: str) -> None:
    (request,) = discord.requests(Channel("discord", "discord", Secret(HOOK)), Digest((story(),), handle=handle))

    assert (request.method, request.url.reveal()) == ("POST", f"{HOOK}?wait=true")


@pytest.mark.parametrize("address", ["https://[", "", "no address"])
def test_an_address_that_is_none_is_left_to_the_door(address: str) -> None:
    (request,) = discord.requests(Channel("discord", "discord", Secret(address)), Digest((story(),)))

    with Http() as http, pytest.raises(DeliveryError, match="not a URL"):
        http.send(request)


@pytest.mark.parametrize("query", ["", "?thread_id=5"])
def test_a_message_is_posted_edited_and_answered(service: Discord, query: str) -> None:
    handle = send(service, Digest((story(State.PENDING), story(State.SUCCESS))), query)
    again = send(service, Digest((story(State.FAILURE),), handle=handle), query)
    other = send(service, Digest((story(State.FAILURE),), handle=handle, reply=True), query)

    assert again == handle != other
    assert [service.messages[id_].edits for id_ in (handle, other)] == [1, 0]
    # Nothing of the first version is left: neither its headline nor its second embed.
    assert service.messages[handle].body["content"] == ""
    assert len(service.messages[handle].body["embeds"]) == 1


def test_a_message_deleted_by_hand_is_gone(service: Discord) -> None:
    handle = send(service, Digest((story(),)))
    service.delete(handle)

    with pytest.raises(DeliveryError) as caught:
        send(service, Digest((story(),), handle=handle))

    assert caught.value.gone


def test_a_webhook_that_was_removed_is_not_a_message_that_is_gone(service: Discord) -> None:
    handle = send(service, Digest((story(),)))
    service.removed = True

    with pytest.raises(DeliveryError) as caught:
        send(service, Digest((story(),), handle=handle))

    assert not caught.value.gone
    assert "webhook was deleted" in caught.value.hint
    assert SECRET_PATH[-20:] not in f"{caught.value} {caught.value.hint}"


def test_an_edit_whose_answer_was_lost_may_be_sent_again_and_a_message_may_not(service: Discord) -> None:
    handle = send(service, Digest((story(),)))
    service.faults.append(lost())

    assert send(service, Digest((story(State.FAILURE),), handle=handle)) == handle
    assert service.messages[handle].edits == 2

    service.faults.append(lost())
    with pytest.raises(DeliveryError) as caught:
        send(service, Digest((story(),)))
    assert caught.value.uncertain


def test_a_rate_limit_is_waited_for(service: Discord) -> None:
    waits: list[float] = []
    said = b'{"message": "You are being rate limited.", "retry_after": 1.337, "global": true}'
    service.faults.append(answer(429, {"Retry-After": "2", "X-RateLimit-Global": "true"}, said))
    (request,) = discord.requests(Channel("discord", "discord", Secret(service.address)), Digest((story(),)))

    with Http(sleep=waits.append) as http:
        assert discord.acknowledged(http.send(request))

    assert waits == [2]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Flux", "Flux"), ("", None), (" a \n b ", "a b"), ("x" * 100, "x" * 79 + "…"), ("😀" * 60, "😀" * 38 + "…"),
        ("Clyde", None), ("my Discord bot", None), ("everyone", None), ("Here", None), ("a@b", None), ("a:b", None),
        ("here we are", "here we are"), ("\u200b", None),
    ],
)  # fmt: skip
def test_a_username_that_discord_would_refuse_is_left_out(name: str, shown: str | None) -> None:
    assert body(Digest((story(),)), username=name).get("username") == shown
    assert "username" not in body(Digest((story(),), handle="7"), username=name)


@pytest.mark.parametrize(
    "said", [b"", b"ok", b"<html>", b"[]", b"{}", b'{"id":7}', b'{"id":"../x"}', b'{"id":""}', b"\xff", b'{"ok":false}']
)
def test_only_a_message_is_an_acknowledgement(said: bytes) -> None:
    with pytest.raises(DeliveryError, match=r"Discord \(h\) answered 200 OK without taking") as caught:
        discord.acknowledged(Response(200, {}, said, "Discord (h)", said.decode(errors="replace")))

    assert "api/webhooks" in caught.value.hint


def test_taken_without_a_word_is_taken_but_cannot_be_edited() -> None:
    assert discord.acknowledged(Response(204)) == ""
    assert discord.acknowledged(Response(200, {}, b'{"id": "129", "type": 0}')) == "129"


@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [
        (404, '{"message": "Unknown Webhook", "code": 10015}', "webhook was deleted"),
        (404, '{"message": "Unknown Channel", "code": 10003}', "thread_id"),
        (401, '{"message": "Invalid Webhook Token", "code": 50027}', "token is wrong"),
        (400, '{"message": "Webhooks posted to forum channels must have a thread_name or thread_id", "code": 220001}',
         "forum"),
        (400, '{"code": 50035, "errors": {"username": {"_errors": [{"code": "USERNAME_INVALID_CONTAINS"}]}}}',
         "username"),
        (404, "<html>", "api/webhooks"),
    ],
)  # fmt: skip
def test_discords_words_are_explained(service: Discord, status: int, said: str, hint: str) -> None:
    service.faults.append(answer(status, body=said))

    with pytest.raises(DeliveryError) as caught:
        send(service, Digest((story(),)))

    assert hint in caught.value.hint
    assert not caught.value.gone


def test_an_event_is_not_for_discord() -> None:
    with pytest.raises(TypeError, match="takes"):
        discord.requests(Channel("discord", "d", Secret(HOOK)), Event(None, "", "", "", "", {}, ""))  # type: ignore[arg-type]


def test_the_standin_refuses_what_discord_refuses() -> None:
    for wrong in (
        {"content": "x" * 2001}, {"embeds": [{"title": "x" * 257}]}, {"embeds": [{"title": "x"}] * 11}, {"content": ""},
        {"embeds": [{"description": "x" * 4000}] * 2}, {"content": "x", "color": 1}, {"embeds": [{"colour": 1}]},
        {"content": "x", "username": "x" * 81}, {"embeds": [{"title": "x", "color": 0x1000000}]},
        {"embeds": [{"fields": [{"name": "x"}]}]}, {"embeds": [{"title": "x", "url": "javascript:x"}]},
    ):  # fmt: skip
        assert discord_problems(wrong), wrong


def test_who_is_called_stands_beside_the_embeds_and_nobody_else_can_be() -> None:
    ada = story(State.FAILURE, "<@99999999999999999>", mention="80351110224678912")
    grace = story(State.FAILURE, cluster="eu", mention="1290000000000000001")
    alone, several = body(Digest((ada,))), body(Digest((ada, grace, story(cluster="us", mention="1" * 18))))

    assert alone["content"] == "<@80351110224678912>"
    assert alone["allowed_mentions"] == {"parse": [], "users": ["80351110224678912"]}
    assert several["content"] == "**3 rollouts\\: 2 failed, 1 live** <@80351110224678912> <@1290000000000000001>"
    assert several["allowed_mentions"] == {"parse": [], "users": ["80351110224678912", "1290000000000000001"]}
    assert "<@80351110224678912>" not in json.dumps(alone["embeds"])
    assert body(Digest((story(),)))["allowed_mentions"] == {"parse": []}
