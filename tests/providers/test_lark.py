"""What is Lark's own: cards, its Markdown, signatures, and the codes of its answers.

Its Markdown is judged by markdown-it, in CommonMark and in what most call Markdown: what both show as text is text.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from standins.lark import KEY, Lark, lark_problems, signed
from standins.server import answer

from landed.errors import DeliveryError
from landed.http import Http, Request, Response
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
from landed.providers.chat import lark
from landed.providers.doors.lark import Signing, signature
from landed.providers.outlet import ChannelOutlet

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
HOOK = "https://open.larksuite.com/open-apis/bot/v2/hook/abc"
LINK = f"https://github.com/acme/fleet/commit/{COMMIT}"
REASONS = {State.SUCCESS: "ReconciliationSucceeded", State.FAILURE: "HealthCheckFailed"}
ALICE = "ou_18eac85d35a26f989317ad4f02e8bbbb"


def story(state: State = State.SUCCESS, text: str = "done", *, cluster: str = "prod", **settings: Any) -> Story:
    waits = ObjectRef("Kustomization", "apps", "infra") if state is State.PENDING else None
    told = Observation(
        ObjectRef("Kustomization", "apps", "web"), state, FLEET, COMMIT, REASONS.get(state, "DependencyNotReady"), text,
        revision=f"main@sha1:{COMMIT}", since=1_790_000_000, waits_for=waits,
    )  # fmt: skip
    return Story(Outcome(cluster, FLEET, COMMIT, (told,)), **settings)


@pytest.fixture
def service() -> Iterator[Lark]:
    with Lark(key=KEY) as service:
        yield service
        assert service.violations == []


def send(service: Lark, digest: Digest, **changes: Any) -> None:
    settings: dict[str, Any] = {"address": Secret(service.address), "token": Secret(service.token)} | changes
    with Http(sleep=lambda seconds: None) as http:
        outlet = ChannelOutlet(Channel("lark", "lark", **settings), lambda: http)
        outlet.deliver(Update("lark", (), digest))


def card(digest: Digest) -> dict[str, Any]:
    (request,) = lark.requests(Channel("lark", "lark", Secret(HOOK)), digest)
    body = json.loads(request.body)
    assert body["msg_type"] == "interactive"
    loaded: dict[str, Any] = body["card"]
    return loaded


def read(text: str, flavour: str) -> tuple[str, list[str], set[str]]:
    """What people read of Markdown, where its links lead, and what else there is in it."""
    inline = [token for token in MarkdownIt(flavour).parse(text) if token.type == "inline"]
    others = {token.type for token in MarkdownIt(flavour).parse(text)} - {"paragraph_open", "paragraph_close", "inline"}
    said, links = "", []
    for token in (child for one in inline for child in one.children or ()):
        if token.type in ("text", "text_special"):
            said += token.content
        elif token.type == "softbreak":
            said += "\n"
        elif token.type == "link_open":
            links.append(str(token.attrs["href"]))
        elif token.type not in ("link_close", "strong_open", "strong_close"):
            others.add(token.type)
    return said, links, others


def test_a_failure_has_a_red_header_and_calls_who_is_to_be_called() -> None:
    digest = Digest((story(State.FAILURE, "time_out", subject="Fix [it]", mention=ALICE),), facts=(("env", "prod"),))

    assert card(digest) == {
        "config": {"wide_screen_mode": True},
        "header": {
            "title": {"tag": "plain_text", "content": "❌ acme/fleet main@6dcd4ce2 failed on prod"},
            "template": "red",
        },
        "elements": [
            {
                "tag": "markdown",
                "content": f"<at id={ALICE}></at>\n"
                "apps/web: Health check failed: time&#95;out\n"
                "Look further: flux events -n apps --for Kustomization/web\n"
                f"prod · [acme/fleet@6dcd4ce2: Fix &#91;it&#93;]({LINK})",
            },
            {"tag": "hr"},
            {"tag": "markdown", "content": "**env**: prod"},
        ],
    }


def test_a_success_a_recovery_and_a_wait() -> None:
    live, recovered, waits = (
        card(Digest((told,)))
        for told in (story(), story(broken_for=130), story(State.PENDING, "dependency 'apps/infra' is not ready"))
    )

    assert live["header"]["title"]["content"] == "✅ acme/fleet main@6dcd4ce2 is live on prod"
    assert recovered["elements"][0]["content"].startswith("Recovered: it was broken for 2m.\n")
    assert waits["elements"][0]["content"].startswith("1 waits for apps/infra\n")
    assert [told["header"]["template"] for told in (live, recovered, waits)] == ["green", "green", "yellow"]


def test_several_stories_have_an_element_each_with_lines_between(service: Lark) -> None:
    digest = Digest((story(), story(State.FAILURE, cluster="stage"), story(cluster="dev")))
    send(service, digest)

    assert card(digest)["header"]["title"]["content"] == "3 rollouts: 1 failed, 2 live"
    assert [element["tag"] for element in card(digest)["elements"]] == ["markdown", "hr"] * 2 + ["markdown"]
    assert card(digest)["elements"][0]["content"].startswith("❌ **acme/fleet main@6dcd4ce2 failed on stage**\n")


@pytest.mark.parametrize("flavour", ["commonmark", "js-default"])
@given(st.text(st.characters(codec=None), min_size=1, max_size=60))
def test_strangers_text_is_shown_as_it_is(flavour: str, text: str) -> None:
    plain = uncalled(one_line(text))
    if not plain:
        return
    (element,) = card(Digest((story(words=("t", text)),)))["elements"]
    said, links, others = read(element["content"], flavour)

    assert said.split("\n")[0].strip() == plain.strip()
    assert links == [LINK]
    assert others == set()


#: What has a meaning somewhere, also where a line begins.
MEANS = [
    "# x", "- x", "+ x", "* x", "1. x", "12) x", "123456789. x", "> x", "---", "===", "***", "```x", "~~~", "| a | b |",
    "    x", "<at id=all></at>", "&lt;at id=all&gt;", "<font color='red'>x</font>", "[x](http://evil.example)",
    "![x](y)", "**x**", "_x_", "~~x~~", "`x`", "$x$", ":OK:", "\\", "<http://evil.example>", "[x]: http://evil.example",
    "{{x}}",
]  # fmt: skip


@pytest.mark.parametrize("text", MEANS)
def test_what_has_a_meaning_has_none(text: str) -> None:
    (element,) = card(Digest((story(words=("t", "first", text, "last")),)))["elements"]
    for flavour in ("commonmark", "js-default"):
        said, links, others = read(element["content"], flavour)
        assert said.split("\n")[:3] == ["first", one_line(text), "last"]
        assert links == [LINK]
        assert others == set()
    assert ":OK:" not in element["content"]


@pytest.mark.parametrize("who", ["all", "b6xxxxg8", "ou_x", "ada@example.com", "ou_aaaaaaaaa></at><at id=all"])
def test_only_an_open_id_calls_somebody(who: str) -> None:
    assert "<at" not in json.dumps(card(Digest((story(State.FAILURE, mention=who),))))


@pytest.mark.parametrize("text", ["x" * 5000, "*_[]" * 900, "😀" * 3000, "語" * 4000])
@pytest.mark.parametrize("number", [1, 15, 60])
def test_whatever_is_said_fits(text: str, number: int) -> None:
    told = tuple(story(State.FAILURE, text, cluster=f"c{n}{text}", subject=text, author=text) for n in range(number))
    digest = Digest(told, summary=text, facts=tuple((text, text) for _ in range(40)), unread=(text,) * 20)
    (request,) = lark.requests(Channel("lark", "l", Secret(HOOK)), digest)

    # A signature takes the rest.
    assert len(request.body) <= lark.LIMIT - 100
    assert lark_problems(json.loads(request.body), len(request.body)) == []


def test_the_signature_is_that_of_openssl() -> None:
    r"""``printf '' | openssl dgst -sha256 -hmac "$(printf '1599360473\nzs0Tdemo')" -binary | base64``."""
    assert signature(Secret("zs0Tdemo"), "1599360473") == "4UJj0xNRmXKwr3OE94o2IpIqTgJdYzQ9ELNsZUkA7Lw="


class Kept:
    """A door that keeps what it is to send."""

    def __init__(self) -> None:
        self.sent: list[Request] = []

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        return Response(200)


def test_a_message_is_signed_with_the_time_of_sending_and_else_as_it_was() -> None:
    (request,) = lark.requests(Channel("lark", "l", Secret(HOOK), token=Secret(KEY)), Digest((story(),)))
    kept = Kept()
    Signing(Secret(KEY), lambda: kept, lambda: 1_790_000_000.9).send(request)  # type: ignore[arg-type,return-value]

    (sent,) = kept.sent
    body = json.loads(sent.body)
    assert list(body)[:2] == ["timestamp", "sign"]
    assert body["timestamp"] == "1790000000"
    assert signed(body, KEY, 1_790_000_000)
    assert {name: body[name] for name in ("msg_type", "card")} == json.loads(request.body)
    assert sent.url == request.url


def test_a_key_is_sent_to_nobody(service: Lark) -> None:
    send(service, Digest((story(),)))

    (asked,) = service.asked
    assert KEY.encode() not in asked.body
    assert KEY not in f"{asked.target} {asked.headers}"


def test_without_a_key_nothing_is_signed() -> None:
    with Lark() as plain:
        send(plain, Digest((story(),)))

    assert b'"sign"' not in plain.asked[0].body


def test_a_wrong_key_is_explained_and_not_told(service: Lark) -> None:
    with pytest.raises(DeliveryError) as caught:
        send(service, Digest((story(),)), token=Secret("another-key-0123456789"))

    assert "signature verification" in caught.value.hint
    assert "another-key" not in f"{caught.value} {caught.value.hint}"


def test_a_keyword_that_is_lacking_is_explained() -> None:
    with Lark(words=("Application Alert",)) as asks, pytest.raises(DeliveryError) as caught:
        send(asks, Digest((story(),)))
    assert "keywords" in caught.value.hint

    with Lark(words=("Application Alert",)) as asks:
        send(asks, Digest((story(),), facts=(("for", "Application Alert"),)))
    assert len(asks.taken) == 1


@pytest.mark.parametrize(
    ("status", "said", "hint", "passing"),
    [
        (200, '{"code":19022,"msg":"Ip Not Allowed"}', "whitelist", False),
        (200, '{"code":11232,"msg":"frequency limited"}', "next run", True),
        (200, '{"code":9499,"msg":"too many request"}', "next run", True),
        (200, '{"code":9499,"msg":"Bad Request","data":{}}', "custom bot", False),
        (200, '{"StatusCode":19024,"StatusMessage":"Key Words Not Found"}', "keywords", False),
        (200, '{"code":230099,"msg":"Failed to create card content"}', "Look the code up", False),
        (200, '{"code":0,"StatusCode":19024,"StatusMessage":"no"}', "keywords", False),
        (200, "<html>", "Check the address", False),
        (400, '{"code":19001,"msg":"param invalid: incoming webhook access token invalid"}', "bot was removed", False),
        (404, "404 page not found", "Check the address", False),
    ],
)  # fmt: skip
def test_larks_codes_are_explained(service: Lark, status: int, said: str, hint: str, passing: bool) -> None:
    service.faults.append(answer(status, body=said))
    with pytest.raises(DeliveryError) as caught:
        send(service, Digest((story(),)))

    assert hint in caught.value.hint
    assert caught.value.passing is passing


def test_the_answer_of_older_bots_will_do() -> None:
    with Lark() as service:
        service.old = True
        send(service, Digest((story(),)))

    assert len(service.taken) == 1


def test_nothing_to_say_is_not_sent_and_an_event_is_not_for_it() -> None:
    channel = Channel("lark", "l", Secret(HOOK))
    assert lark.requests(channel, Digest(())) == ()
    with pytest.raises(TypeError, match="takes digests"):
        lark.requests(channel, Event(None, "", "", "", "", {}, ""))  # type: ignore[arg-type]


def test_the_standin_refuses_what_lark_refuses() -> None:
    def message(**card: Any) -> dict[str, Any]:
        return {"msg_type": "interactive", "card": card}

    text = {"tag": "markdown", "content": "x"}
    assert lark_problems(message(elements=[text])) == []
    for wrong in (
        {}, {"msg_type": "text", "content": {"text": "x"}}, {**message(elements=[text]), "chat": 1},
        message(elements=[]), message(elements=[{"tag": "markdown"}]),
        message(elements=[{"tag": "md", "content": "x"}]), message(element=[text]),
        message(elements=[text], header={"title": {"tag": "lark_md", "content": "x"}}),
        message(elements=[text], header={"title": {"tag": "plain_text", "content": "x"}, "template": "#ff0000"}),
    ):  # fmt: skip
        assert lark_problems(wrong), wrong
