"""What is Mattermost's own: webhooks and bots, its Markdown and whom it calls, its words for what went wrong."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifest_runs import Rollout
from markdown_it import MarkdownIt
from msgspec import structs
from standins.mattermost import CHANNEL, LIMIT, TOKEN, Mattermost, MattermostWebhook, api_problems, webhook_problems
from standins.server import answer, lost

from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.messages import one_line
from landed.model import Channel, Digest, ObjectRef, Observation, Outcome, Repository, Secret, State, Story, Update
from landed.providers.chat import mattermost
from landed.providers.outlet import ChannelOutlet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
LINK = f"https://github.com/acme/fleet/commit/{COMMIT}"


def story(state: State = State.SUCCESS, text: str = "done", *, cluster: str = "prod", **settings: Any) -> Story:
    about = ObjectRef("Kustomization", "apps", "web")
    told = Observation(about, state, FLEET, COMMIT, "HealthCheckFailed", text)
    return Story(Outcome(cluster, FLEET, COMMIT, (told,)), **settings)


@pytest.fixture
def api() -> Iterator[Mattermost]:
    with Mattermost() as service:
        yield service
        assert service.violations == []


@pytest.fixture
def webhook() -> Iterator[MattermostWebhook]:
    with MattermostWebhook() as service:
        yield service
        assert service.violations == []


def channel_of(service: Mattermost | MattermostWebhook, **changes: Any) -> Channel:
    settings: dict[str, Any] = {}
    if isinstance(service, Mattermost):
        settings = {"channel": CHANNEL, "token": Secret(TOKEN)}
    return Channel("mattermost", "mattermost", Secret(service.address), **(settings | changes))


def send(service: Mattermost | MattermostWebhook, *digests: Digest, **changes: Any) -> list[str]:
    with Http(sleep=lambda seconds: None) as http:
        outlet = ChannelOutlet(channel_of(service, **changes), lambda: http)
        return [outlet.deliver(Update("mattermost", (), digest)) for digest in digests]


def refused(service: Mattermost | MattermostWebhook, what: Digest, **changes: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send(service, what, **changes)
    assert TOKEN not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


def kept(state: State, text: str = "timeout", **more: Any) -> Digest:
    return Digest((story(state, text),), about="it", **more)


def test_a_failure_by_webhook_to_the_letter(webhook: MattermostWebhook) -> None:
    webhook.channels.add("town-square")
    told = story(State.FAILURE, "timeout *now*", mention="ada.lovelace")
    send(
        webhook, Digest((told,), facts=(("env", "prod"),), unread=("eu",)), channel="#town-square", username="landed"
    )  # fmt: skip

    (body,) = webhook.taken
    assert body == {
        "channel": "#town-square",
        "username": "landed",
        "text": "❌ **acme/fleet 6dcd4ce2 failed on prod**",
        "attachments": [
            {
                "fallback": "❌ acme/fleet 6dcd4ce2 failed on prod",
                "color": "#cf222e",
                "text": "apps/web: Health check failed: timeout \\*now\\*\n"
                "Look further: flux events -n apps --for Kustomization/web\n"
                f"prod · [acme/fleet@6dcd4ce2]({LINK})\n"
                "@ada.lovelace",
            },
            {
                "fallback": "Not seen at present: eu",
                "text": "Not seen at present: eu",
                "fields": [{"title": "env", "value": "prod", "short": True}],
            },
        ],
    }


@pytest.mark.parametrize(
    ("told", "says", "colour"),
    [
        (story(State.SUCCESS), "✅ **acme/fleet 6dcd4ce2 is live on prod**", "#2da44e"),
        (story(State.SUCCESS, broken_for=720), "✅", "#2da44e"),
        (story(State.PENDING), "⏳ **acme/fleet 6dcd4ce2", "#bf8700"),
    ],
)
def test_a_bot_posts_to_its_channel(api: Mattermost, told: Story, says: str, colour: str) -> None:
    send(api, Digest((told,)))

    (body,) = api.taken
    assert set(body) == {"channel_id", "message", "props", "pending_post_id"}
    assert says in body["message"]
    assert [attachment["color"] for attachment in body["props"]["attachments"]] == [colour]
    assert api.asked[0].target == "/chat/api/v4/posts"


def test_a_recovery_says_how_long_it_was_broken(api: Mattermost) -> None:
    send(api, Digest((story(State.SUCCESS, broken_for=720),)))

    assert "12m" in json.dumps(api.taken[0])


def test_many_have_a_bar_each(webhook: MattermostWebhook) -> None:
    send(webhook, Digest((story(), story(State.FAILURE, cluster="eu"), story(State.PENDING, cluster="us"))))

    (body,) = webhook.taken
    assert body["text"] == "**3 rollouts: 1 failed, 1 live, 1 on the way**"
    assert body["attachments"][0]["text"].startswith("❌ **acme/fleet 6dcd4ce2 failed on eu**\n")


def test_an_edit_changes_text_and_attachments(api: Mattermost) -> None:
    (handle,) = send(api, kept(State.PENDING))
    assert send(api, kept(State.SUCCESS, handle=handle)) == [handle]

    assert api.asked[-1].method == "PUT"
    assert api.asked[-1].target == f"/chat/api/v4/posts/{handle}/patch"
    assert set(api.taken[-1]) == {"message", "props"}


def test_an_answer_stands_in_the_posts_thread(api: Mattermost) -> None:
    handle, again = send(api, kept(State.PENDING), kept(State.FAILURE, reply=True))

    assert again == handle
    assert api.taken[1]["root_id"] == handle


def test_a_post_whose_answer_is_lost_is_there_once(api: Mattermost) -> None:
    api.faults.append(lost())

    (handle,) = send(api, kept(State.FAILURE))

    assert list(api.messages) == [handle]
    first, again = (json.loads(asked.body)["pending_post_id"] for asked in api.asked)
    assert first == again


def test_two_channels_have_a_post_each(api: Mattermost) -> None:
    with Http() as http:
        for name in ("Alert apps/one", "Alert apps/two"):
            channel = structs.replace(channel_of(api), name=name)
            ChannelOutlet(channel, lambda: http).deliver(Update(name, (), kept(State.FAILURE)))

    assert len(api.messages) == 2


def test_an_answer_to_what_was_deleted_is_posted_anew(api: Mattermost) -> None:
    (handle,) = send(api, kept(State.PENDING))
    api.delete(handle)

    (anew,) = send(api, kept(State.FAILURE, handle=handle, reply=True))

    assert [message["thread"] for message in api.messages.values()] == [""]
    assert anew != handle


@pytest.mark.parametrize(
    "error",
    ["api.post.update_post.permissions_time_limit.app_error", "api.post.update_post.permissions_details.app_error"],
)
def test_what_cannot_be_edited_is_posted_anew(api: Mattermost, error: str) -> None:
    (handle,) = send(api, kept(State.PENDING))
    api.refuse_edits = error

    (anew,) = send(api, kept(State.FAILURE, handle=handle))

    assert anew != handle
    assert len(api.messages) == 2


def test_what_is_pending_in_one_channel_is_not_in_another(api: Mattermost) -> None:
    """The server remembers what is pending for all channels together, whoever posts it."""
    pending = [
        json.loads(mattermost.requests(channel_of(api, channel=channel), kept(State.FAILURE))[0].body)[
            "pending_post_id"
        ]
        for channel in (CHANNEL, "a" * 26)
    ]

    assert len(set(pending)) == 2


HOSTILE = [
    "**b** *i* __u__ _v_ `c` ~~s~~ snake_case_word",
    "[click](http://evil.example) ![i](http://evil.example/i.png) [a]: http://evil.example",
    "# head", "> quote", "- item", "* item", "+ item", "1. item", "12) item", "```", "~~~", "=====", "-----", "|a|b|",
    "@all @channel @here @ada @ada.lovelace (@all) @deadbeef x@all",
    "<!channel> <!here> <@U1> <http://evil.example|click> <b>bold</b> <script>x</script>",
    "#tag ~town-square :smile: ~~x~~", r"\*x\* \\ \[", "[x] (y)", "2 < 3",
]  # fmt: skip
#: How Mattermost's server finds whom a text calls, https://docs.mattermost.com/collaborate/mention-people.html .
WORDS = re.compile(r"[\w:.@-]+")


def texts(body: dict[str, Any]) -> list[str]:
    """What is read as Markdown, and searched for names."""
    attachments = body["attachments"]
    fields = [
        text for each in attachments for field in each.get("fields", ()) for text in (field["title"], field["value"])
    ]
    return [body["text"], *(each["text"] for each in attachments), *fields]


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_of_strangers_is_shown_as_it_is(text: str, webhook: MattermostWebhook) -> None:
    told = story(State.FAILURE, text, subject=text, author=text, cluster=text, words=(text, text))
    send(webhook, Digest((told,), facts=((text, text),)))

    shown, links = "", []
    for source in texts(webhook.taken[0]):
        for block in MarkdownIt("gfm-like", {"linkify": False}).parse(source):
            assert block.type in ("paragraph_open", "paragraph_close", "inline")
            for token in block.children or ():
                assert token.type in (
                    "text",
                    "softbreak",
                    "strong_open",
                    "strong_close",
                    "link_open",
                    "link_close",
                    "text_special",
                )
                links += [token.attrs["href"]] if token.type == "link_open" else []
                shown += token.content if token.type != "softbreak" else "\n"
    plain = shown.replace("\u200b", "")
    # In an address, signs are percent-encoded; in a link's name, brackets become others.
    assert plain.count(text) >= (5 if "://" not in text else 0)
    assert links == [LINK]
    assert not [word for word in WORDS.findall(shown) if re.match("[:._-]*@.", word)]
    assert not re.search(r"<[!@#h]", shown)


@given(text=st.text(st.characters(codec="utf-8")))
def test_any_line_is_shown_as_it_is(text: str) -> None:
    line = one_line(text) or "x"
    source = mattermost._below(["begin", mattermost._escape(line), "end"])

    (_, inline, _) = MarkdownIt("commonmark", {"html": False}).disable("entity").parse(source)

    shown = "".join(" " if token.type == "softbreak" else token.content for token in inline.children or ())
    assert {token.type for token in inline.children or ()} <= {"text", "softbreak", "text_special"}
    if "://" not in line:
        assert shown.replace("\u200b", "").split() == f"begin {line} end".replace("\u200b", "").split()


@given(text=st.text(st.characters(codec=None)), number=st.integers(1, 30))
def test_whatever_is_said_fits(text: str, number: int) -> None:
    stories = tuple(story(State.FAILURE, text * 50, cluster=text, subject=text * 9, mention="a") for _ in range(number))

    said, attachments = mattermost.written(Digest(stories, facts=((text, text),) * 20, unread=(text,)))

    assert webhook_problems({"text": said, "attachments": attachments}) == []
    assert api_problems("patch_post", {"message": said, "props": {"attachments": attachments}}) == []
    assert len(json.dumps(attachments, ensure_ascii=False)) < 2 * LIMIT


@pytest.mark.parametrize(
    ("status", "id_", "hint"),
    [
        (404, "web.incoming_webhook.channel.app_error", "as it stands in its address"),
        (403, "web.incoming_webhook.channel_locked.app_error", "leave out spec.channel"),
        (400, "web.incoming_webhook.invalid.app_error", "/hooks/KEY"),
        (501, "web.incoming_webhook.disabled.app_error", "switched off"),
        (403, "web.incoming_webhook.permissions.app_error", "join the channel"),
        (403, "api.post.create_post.town_square_read_only", "Only administrators"),
        (400, "api.post.create_post.can_not_post_to_deleted.error", "archived"),
    ],
)
def test_what_mattermost_says_is_explained(webhook: MattermostWebhook, status: int, id_: str, hint: str) -> None:
    webhook.faults += [answer(status, body=json.dumps({"id": id_, "message": "No.", "status_code": status}))] * 4

    error = refused(webhook, Digest((story(),)))

    assert id_ in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("changes", "hint"),
    [({"token": Secret("another-token")}, "access token"), ({"channel": "a" * 26}, "Add the bot to the team")],
)
def test_what_a_bot_may_not_is_explained(api: Mattermost, changes: dict[str, Any], hint: str) -> None:
    assert hint in refused(api, kept(State.FAILURE), **changes).hint


HOOK, SERVER = "https://chat.example.com/hooks/9kcw5qjw86jgeum77o1uw8197j", "https://chat.example.com/team"


@pytest.mark.parametrize(
    ("address", "settings", "fields"),
    [
        (HOOK, {}, []),
        (HOOK, {"channel": "town-square"}, []),
        ("https://proxy.example.com/mattermost-hook", {}, []),
        ("https://chat.example.com", {}, ["spec.address"]),
        ("https://chat.example.com/sub/api/v4", {}, ["spec.address"]),
        (SERVER, {"channel": CHANNEL, "token": Secret(TOKEN)}, []),
        (HOOK, {"channel": CHANNEL, "token": Secret(TOKEN)}, ["spec.address"]),
        (SERVER, {"channel": "town-square", "token": Secret(TOKEN)}, ["spec.channel"]),
        (SERVER, {"token": Secret(TOKEN)}, ["spec.channel"]),
        (SERVER, {"channel": CHANNEL, "token": Secret("a b\n")}, ["spec.secretRef"]),
    ],
)
def test_settings_are_looked_at_before_anything_is_sent(
    address: str, settings: dict[str, Any], fields: list[str]
) -> None:
    channel = Channel("mattermost", "mattermost", Secret(address), **settings)

    assert [complaint.field for complaint in mattermost.complaints(channel)] == fields


@pytest.mark.parametrize("address", ["/team", "/team/", "/team/api", "/team/api/v4/", "/team/api/v4/posts?x#y"])
def test_servers_are_found_wherever_they_are(address: str) -> None:
    channel = Channel(
        "mattermost", "mattermost", Secret(f"https://chat.example.com{address}"), CHANNEL, token=Secret(TOKEN)
    )

    (request,) = mattermost.requests(channel, kept(State.FAILURE))

    assert request.url.reveal() == f"{SERVER}/api/v4/posts"


@pytest.mark.parametrize("changes", [{"channel": "town-square"}, {"token": Secret("a\nb")}])
def test_what_cannot_be_used_is_not_sent(api: Mattermost, changes: dict[str, Any]) -> None:
    refused(api, kept(State.FAILURE), **changes)

    assert api.asked == []


def test_a_deleted_post_is_no_acknowledgement() -> None:
    body = json.dumps({"id": "a" * 26, "delete_at": 7}).encode()

    with pytest.raises(DeliveryError) as caught:
        mattermost.acknowledged(Response(201, {}, body, "Mattermost"))

    assert caught.value.gone


def test_everything_that_happens_is_told_from_a_manifest(
    api: Mattermost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = Rollout(tmp_path, monkeypatch, {"token": TOKEN}, type="mattermost", address=api.address, channel=CHANNEL)
    rollout.all_situations()

    failed, answer, recovered, waiting = (json.dumps(message) for message in api.messages.values())
    assert "failed on" in failed
    assert "Health check failed" in answer
    assert "is live" in recovered
    assert "waits for flux-system/infra" in waiting
    assert [message["edits"] for message in api.messages.values()] == [1, 0, 0, 0]
    assert [bool(message["thread"]) for message in api.messages.values()] == [False, True, False, False]


def test_everything_that_happens_is_told_by_a_webhook(
    webhook: MattermostWebhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Rollout(tmp_path, monkeypatch, {"address": webhook.address}, type="mattermost").all_situations()

    assert [body["text"][0] for body in webhook.taken] == ["✅", "❌", "✅", "⏳"]
