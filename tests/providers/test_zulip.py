"""What is Zulip's own: channels and topics, its Markdown, its editing, its words for what went wrong."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import markdown
import pytest
import zulip as vendor
from hypothesis import given
from hypothesis import strategies as st
from manifest_runs import Rollout
from msgspec import structs
from standins.server import answer
from standins.zulip import API_KEY, LIMIT, Zulip, zulip_problems

from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.messages import one_line
from landed.model import Channel, Digest, ObjectRef, Observation, Outcome, Repository, Secret, State, Story, Update
from landed.providers.chat import zulip
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
def server() -> Iterator[Zulip]:
    with Zulip() as service:
        yield service
        assert service.violations == []


def channel_of(service: Zulip | None = None, **changes: Any) -> Channel:
    address = Secret(service.address if service else "https://example.zulipchat.com")
    settings: dict[str, Any] = {
        "channel": Zulip.channel,
        "username": Zulip.username,
        "password": Secret(API_KEY),
    } | changes
    return Channel("zulip", "zulip", address, **settings)


def send(service: Zulip, *digests: Digest, **changes: Any) -> list[str]:
    with Http(sleep=lambda seconds: None) as http:
        outlet = ChannelOutlet(channel_of(service, **changes), lambda: http)
        return [outlet.deliver(Update("zulip", (), digest)) for digest in digests]


def refused(service: Zulip, what: Digest, **changes: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send(service, what, **changes)
    assert API_KEY not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


def kept(state: State, text: str = "timeout", **more: Any) -> Digest:
    return Digest((story(state, text),), about="it", **more)


def test_a_failure_to_the_letter(server: Zulip) -> None:
    told = story(State.FAILURE, "timeout *now*", mention="4711")
    assert send(server, Digest((told,), facts=(("env", "prod"),))) == [""]  # not kept

    (form,) = server.taken
    assert form == {
        "type": "stream",
        "to": "deploys",
        "topic": "prod/eu",
        "content": "❌ **acme/fleet 6dcd4ce2 failed on prod**\n"
        "apps/web: Health check failed: timeout &#42;now&#42;\n"
        "Look further: flux events -n apps --for Kustomization/web\n"
        f"prod · [acme/fleet&#64;6dcd4ce2](https://github.com/acme/fleet/commit/{COMMIT})\n"
        "@**|4711**\n"
        "**env**: prod",
    }


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (story(State.SUCCESS), "✅ **acme/fleet 6dcd4ce2 is live on prod**"),
        (story(State.SUCCESS, broken_for=720), "12m"),
        (story(State.PENDING), "⏳ **acme/fleet 6dcd4ce2"),
    ],
)
def test_what_else_happens_is_said(server: Zulip, told: Story, says: str) -> None:
    send(server, Digest((told,)))

    assert says in server.taken[0]["content"]


def test_the_vendors_client_and_we_are_taken_alike(server: Zulip, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    (ours,) = send(server, kept(State.PENDING))
    send(server, kept(State.SUCCESS, handle=ours))
    posted, edited = server.taken
    client = vendor.Client(email=Zulip.username, api_key=API_KEY, site=server.address)
    said = client.send_message(posted)
    told = client.update_message({"message_id": said["id"], **edited})

    assert (said["result"], told["result"]) == ("success", "success")
    assert server.taken[2:] == [posted, {**edited, "message_id": str(said["id"])}]
    places = [asked.target for asked in server.asked if asked.method != "GET"]
    new, edit = "/chat/api/v1/messages", "/chat/api/v1/messages/"
    assert places == [new, edit + ours, new, f"{edit}{said['id']}"]


#: What the words of Zulip's Markdown that begin a block or a span are, as its base, Python-Markdown, has them.
HOSTILE = [
    "**b** *i* __u__ `c` ~~s~~",
    "[click](http://evil.example) ![i](http://evil.example/i.png) <http://evil.example> http://evil.example/i.png",
    "# head", "> quote", "- item", "* item", "+ item", "1. item", "12) item", "```", "~~~", "=====", "-----", "|a|b|",
    "@**all** @**Ada Lovelace|7** @_**Ada** @*staff* @all",
    "#**deploys** #**deploys>topic** #**deploys>topic@7**",
    "<time:2026-01-01> $$x^2$$ :smile: !avatar(ada@example.com) evil.com/i.png",
    "&amp; &#42;x&#42; &lt;b&gt; <b>bold</b> <script>x</script>", r"\*x\* \\ \[", "/me waves", "2 < 3 & 4 > 3",
]  # fmt: skip


class Shown(HTMLParser):
    """What people see, and the tags that it is made of."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.tags, self.links = "", set[str](), list[str]()
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(text: str) -> Shown:
    """Rendered by the base of Zulip's own Markdown."""
    return Shown(markdown.markdown(text, extensions=["nl2br", "sane_lists", "fenced_code", "tables"]))


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_of_strangers_is_shown_as_it_is(text: str) -> None:
    told = story(State.FAILURE, text, subject=text, author=text, cluster=text, words=(text, text))

    html = shown(zulip.text(Digest((told,), facts=((text, text),))))

    # Title, line, cluster, subject, author, and both sides of a fact; what is long is cut in some.
    assert html.text.count(text) == 7 if len(text) < 40 else html.text.count(text) >= 4
    assert html.tags <= {"p", "br", "strong", "a"}
    assert html.links == [f"https://github.com/acme/fleet/commit/{COMMIT}"]


@given(text=st.text(st.characters(codec="utf-8")))
def test_any_line_is_shown_as_it_is(text: str) -> None:
    line = one_line(text)

    html = shown(f"begin\n{zulip._escape(text)}\nend")

    assert html.text.split() == ["begin", *line.split(), "end"]
    assert html.tags <= {"p", "br"}


@given(text=st.text(), number=st.integers(1, 40))
def test_whatever_is_said_fits(text: str, number: int) -> None:
    stories = tuple(story(State.FAILURE, text * 50, cluster=text, subject=text * 9, mention="1") for _ in range(number))

    content = zulip.text(Digest(stories, facts=((text, text),) * 20, unread=(text,)))

    assert zulip_problems("PATCH", {"content": content}) == []


def test_the_longest_message_is_not_a_character_too_long() -> None:
    stories = tuple(story(State.FAILURE, "*" * 5000, subject="<" * 500) for _ in range(50))

    content = zulip.text(Digest(stories, facts=(("*" * 99, "*" * 999),) * 30, unread=("*" * 99,) * 40))

    assert LIMIT - 2000 < len(content) <= LIMIT


def test_strangers_get_no_previews_and_no_links_to_channels() -> None:
    said = "http://evil.example/i.png evil.com/i.png evil.com:80/i.png v1.2.3 web.yaml 10:30"

    content = zulip.text(Digest((story(State.FAILURE, said),)))

    assert "http&#58;//evil.example/i.png" not in content  # its dot is taken away, too
    assert "http&#58;//evil&#46;example/i.png evil&#46;com/i.png evil&#46;com&#58;80/i.png" in content
    assert "v1.2.3 web.yaml 10&#58;30" in content


def test_an_answer_is_a_message_of_the_same_topic(server: Zulip) -> None:
    (handle,) = send(server, kept(State.PENDING))
    send(server, kept(State.FAILURE, handle=handle, reply=True))

    assert [form["topic"] for form in server.taken] == ["prod/eu", "prod/eu"]


@pytest.mark.parametrize(
    "words",
    [
        "The time limit for editing this message has passed",
        "Your organization has turned off message editing",
        "You don't have permission to edit this message",
        "Das Zeitlimit zum Bearbeiten dieser Nachricht ist abgelaufen",
    ],
)
def test_what_cannot_be_edited_is_posted_anew(server: Zulip, words: str) -> None:
    (handle,) = send(server, kept(State.PENDING))
    server.refuse_edits = words

    (anew,) = send(server, kept(State.FAILURE, handle=handle))

    assert anew != handle
    assert len(server.messages) == 2


@pytest.mark.parametrize(
    ("channel", "stream", "topic"),
    [("deploys/prod", "deploys", "prod"), ("a b/c/d/e", "a b", "c/d/e"), ("12/x", "12", "x"), (" a / b ", "a", "b")],
)
def test_only_the_first_slash_divides(channel: str, stream: str, topic: str) -> None:
    settings = channel_of(channel=channel)

    (request,) = zulip.requests(settings, kept(State.FAILURE))

    assert f"&to={stream.replace(' ', '+')}&topic={topic.replace('/', '%2F')}&" in request.body.decode()
    assert zulip.complaints(settings) == []


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"channel": "deploys"}, ["spec.channel"]),
        ({"channel": "deploys/"}, ["spec.channel"]),
        ({"channel": "/prod"}, ["spec.channel"]),
        ({"channel": f"deploys/{'ü' * 60}"}, []),
        ({"channel": f"deploys/{'ü' * 61}"}, []),
        ({"channel": "deploys/a\x00b"}, ["spec.channel"]),
        ({"username": "flux-bot"}, ["spec.username"]),
        ({"username": "flux:bot@example.com"}, ["spec.username"]),
    ],
)
def test_settings_are_looked_at_before_anything_is_sent(changes: dict[str, Any], fields: list[str]) -> None:
    assert [complaint.field for complaint in zulip.complaints(channel_of(**changes))] == fields


@pytest.mark.parametrize(
    ("topic", "sent"), [("ü" * 60, "ü" * 60), ("ü" * 61, "ü" * 57 + "..."), ("a/" * 500, "a/" * 28 + "a...")]
)
def test_a_long_topic_is_shortened_as_the_server_shortens_it(server: Zulip, topic: str, sent: str) -> None:
    send(server, kept(State.FAILURE), channel=f"deploys/{topic}")

    assert server.taken[0]["topic"] == sent


def test_a_preview_shows_the_message_and_not_its_encoding() -> None:
    outlet = ChannelOutlet(channel_of(), Http)
    (request,) = outlet.requests(Digest((story(State.FAILURE, "a & b = 50% ü"),)))

    shown_ = outlet.shown(request)

    assert isinstance(shown_, dict)
    assert shown_["to"] == "deploys"
    assert "a &#38; b = 50% ü" in shown_["content"]


def test_without_a_topic_nothing_is_sent(server: Zulip) -> None:
    assert "CHANNEL/TOPIC" in refused(server, kept(State.FAILURE), channel="deploys").hint
    assert server.asked == []


@pytest.mark.parametrize(
    ("address", "root"),
    [
        ("https://example.zulipchat.com", "https://example.zulipchat.com"),
        ("https://example.zulipchat.com/", "https://example.zulipchat.com"),
        ("https://example.zulipchat.com/api/v1/messages", "https://example.zulipchat.com"),
        ("https://example.zulipchat.com/api/", "https://example.zulipchat.com"),
        ("https://example.com/chat/?x#narrow/stream/1", "https://example.com/chat"),
    ],
)
def test_servers_are_found_wherever_they_are(address: str, root: str) -> None:
    channel = structs.replace(channel_of(), address=Secret(address))

    new, edit = (zulip.requests(channel, kept(State.FAILURE, handle=handle))[0] for handle in ("", "42"))

    assert new.url.reveal() == f"{root}/api/v1/messages"
    assert (edit.method, edit.url.reveal()) == ("PATCH", f"{root}/api/v1/messages/42")


@pytest.mark.parametrize(
    ("changes", "word", "hint"),
    [
        ({"channel": "nowhere/x"}, "STREAM_DOES_NOT_EXIST", "subscribe the bot"),
        ({"password": Secret("another-key-of-nobody")}, "INVALID_API_KEY", "API key"),
        ({"username": "nobody@example.com"}, "INVALID_API_KEY", "e-mail"),
    ],
)
def test_what_zulip_says_is_explained(server: Zulip, changes: dict[str, Any], word: str, hint: str) -> None:
    error = refused(server, kept(State.FAILURE), **changes)

    assert word in error.message
    assert hint in error.hint
    assert not error.passing


def test_zulip_says_how_long_to_wait(server: Zulip) -> None:
    said = '{"result":"error","msg":"API usage exceeded rate limit","retry-after":28.7,"code":"RATE_LIMIT_HIT"}'
    server.faults.append(answer(429, {"Retry-After": "28"}, said))
    waits: list[float] = []
    with Http(sleep=waits.append) as http:
        ChannelOutlet(channel_of(server), lambda: http).deliver(Update("zulip", (), kept(State.FAILURE)))

    assert waits == [28]


@pytest.mark.parametrize("body", [b'{"result":"error","id":1}', b'{"result":"success","id":"1"}', b'{"msg":""}'])
def test_an_answer_is_read_strictly(body: bytes) -> None:
    with pytest.raises(DeliveryError, match="without taking the message"):
        zulip.acknowledged(Response(200, {}, body, "Zulip", body.decode()))


def test_somebody_is_called_by_name_and_number_too(server: Zulip) -> None:
    send(server, Digest((story(State.FAILURE, mention="Ada O'Neill-Lovelace|80351110"),)))

    assert re.findall(r"^@\*\*.*$", server.taken[0]["content"], re.MULTILINE) == ["@**Ada O'Neill-Lovelace|80351110**"]


def test_everything_that_happens_is_told_from_a_manifest(
    server: Zulip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = Rollout(
        tmp_path,
        monkeypatch,
        {"password": API_KEY},
        type="zulip",
        address=server.address,
        channel=server.channel,
        username=server.username,
    )
    rollout.all_situations()

    failed, answer, recovered, waiting = (message["content"] for message in server.messages.values())
    assert "failed on" in failed
    assert "Health check failed" in answer
    assert "is live" in recovered
    assert "waits for flux-system/infra" in waiting
    assert [message["edits"] for message in server.messages.values()] == [1, 0, 0, 0]
