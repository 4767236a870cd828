"""What is Teams' own: Adaptive Cards, connectors' cards, sizes, and the words for what went wrong."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from standins.msteams import SECRET_PATH, Teams, card_problems, message_problems
from standins.server import answer

from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.messages import Message, Passage
from landed.model import Channel, Digest, Event, ObjectRef, Observation, Outcome, Repository, Secret, State, Story
from landed.providers.chat import msteams

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
FLOW = "https://x.4a.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/1?sig=s"
CONNECTOR = "https://acme.webhook.office.com/webhookb2/1@2/IncomingWebhook/3/4"
STATES = [State.SUCCESS, State.FAILURE, State.PENDING]
ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / ".ci" / "node_modules" / "adaptivecards"


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


def body(digest: Digest, address: str = FLOW) -> dict[str, Any]:
    (request,) = msteams.requests(Channel("msteams", "msteams", Secret(address)), digest)
    assert (request.method, request.url.reveal(), request.repeatable) == ("POST", address, False)
    told: dict[str, Any] = json.loads(request.body)
    assert (card_problems if address == CONNECTOR else message_problems)(told) == []
    return told


def card(digest: Digest) -> dict[str, Any]:
    content: dict[str, Any] = body(digest)["attachments"][0]["content"]
    return content


def texts(value: Any) -> list[str]:
    """Every line that a card shows."""
    if isinstance(value, list):
        return [text for member in value for text in texts(member)]
    if not isinstance(value, dict):
        return []
    if value.get("type") == "RichTextBlock":
        return ["".join(run["text"] for run in value["inlines"])]
    if value.get("type") == "TextBlock":
        return [value["text"]]
    return [text for member in value.values() for text in texts(member)]


def passage(state: State = State.FAILURE, *lines: str, cluster: str = "prod") -> Passage:
    link = f"https://github.com/acme/fleet/commit/{COMMIT}"
    return Passage(state, f"acme/fleet main@6dcd4ce2 failed on {cluster}", lines, cluster, "acme/fleet@6dcd4ce2", link)


def test_a_story_alone_is_one_container() -> None:
    alone = passage(State.FAILURE, "timeout <waiting> & *failing*", "2 wait")

    told = msteams.adaptive(Message(alone.title, (alone,)), 9000)

    assert message_problems(told) == []
    content = told["attachments"][0]["content"]
    assert content["msteams"] == {"width": "Full"}
    (container,) = content["body"]
    assert container["style"] == "attention"
    assert texts(content) == [
        "❌ acme/fleet main@6dcd4ce2 failed on prod",
        "timeout <\u200bwaiting> & *failing*",
        "2 wait",
        "prod · acme/fleet@6dcd4ce2",
    ]
    (opens,) = container["items"][-1]["actions"]
    assert opens["url"] == f"https://github.com/acme/fleet/commit/{COMMIT}"
    assert told["summary"].startswith("❌ acme/fleet main@6dcd4ce2 failed on prod. timeout")


def test_each_state_has_its_style_and_the_worst_comes_first() -> None:
    content = card(Digest((story(), story(State.FAILURE, cluster="eu"), story(State.PENDING, cluster="us"))))

    assert texts(content)[0].startswith("3 rollouts: ")
    assert [part.get("style") for part in content["body"]] == [None, "attention", "good", "warning"]


def test_facts_come_last_with_the_summary_first_and_then_the_notes() -> None:
    content = card(Digest((story(),), summary="Shop", facts=(("env", "prod"),), unread=("eu",)))

    *facts, note = texts(content["body"][-1])
    assert facts == ["summary: Shop", "env: prod"]
    assert note.endswith("eu")


def test_facts_that_are_too_long_are_cut_and_counted() -> None:
    content = card(Digest((story(),), facts=tuple((f"k{number}", "word " * 2000) for number in range(40))))

    assert re.fullmatch(r"… and \d+ more", texts(content["body"][-1])[-1])


def test_a_digest_that_is_too_long_is_counted() -> None:
    told = tuple(story(cluster=f"c{number}") for number in range(20))

    shown = texts(card(Digest((*told, *(story(State.FAILURE, cluster=f"f{number}") for number in range(7))))))

    assert re.match(r"… and 12 ", shown[-1])
    assert all(any(line.startswith("❌") and line.endswith(f" f{number}") for line in shown) for number in range(7))


@pytest.mark.parametrize("lay", [msteams.adaptive, msteams.message_card])
def test_lines_that_do_not_fit_are_counted(lay: Any) -> None:
    alone = passage(State.FAILURE, *(f"{number} " + "word " * 70 for number in range(100)))

    assert re.search(r"… and \d+ more", str(lay(Message(alone.title, (alone,)), 9000)))


@pytest.mark.parametrize("address", [FLOW, CONNECTOR])
@pytest.mark.parametrize("sign", ["😀", "\u0e01", '"\\', "<at>x</at> ", "*", "x" * 50 + " ", "{{"])
def test_whatever_it_is_made_of_a_message_fits_and_is_never_lost(address: str, sign: str) -> None:
    stories = tuple(story(State.FAILURE, sign * 2000, cluster=sign * 400, objects=30) for _ in range(40))

    told = body(Digest(stories, summary=sign * 2000, facts=((sign * 200, sign * 3000),) * 30), address)

    assert "\u2026 and " in str(told)


@given(
    st.integers(1, 30),
    st.text(max_size=400),
    st.sampled_from(STATES),
    st.lists(st.tuples(st.text(max_size=300), st.text(max_size=2000)), max_size=12),
    st.sampled_from([FLOW, CONNECTOR]),
)
def test_no_digest_breaks_teams_rules(
    count: int, text: str, state: State, facts: list[tuple[str, str]], address: str
) -> None:
    stories = tuple(story(state, text, cluster=f"{text}{number}", objects=3) for number in range(count))

    body(Digest(stories, facts=tuple(facts), summary=text), address)


HOSTILE = [
    "*a* _b_ **c** [click](http://evil.example) `g`", "# big", "- item", "1. one",
    "<b>bold</b> &amp; <a href='x'>y</a>",
    "<at>everyone</at> @everyone @channel", "{{DATE(2017-02-14T06:00:00Z, SHORT)}}", "![i](http://evil.example/i.png)",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_strangers_text_stands_where_there_is_no_markdown(text: str) -> None:
    content = card(Digest((story(State.FAILURE, "x"), story(cluster=text)), facts=((text, text),)))

    # Elements with Markdown (TextBlock, FactSet) are not in the schema that `body` judges by.
    shown = texts(content)
    assert f"{text}: {text}" in [line.replace("\u200b", "") for line in shown]
    assert not [line for line in shown if "{{" in line or "<at>" in line or "@everyone" in line or "@channel" in line]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_a_connectors_card_is_markdown_or_html(text: str) -> None:
    """Judged by a CommonMark parser."""
    told = body(Digest((story(State.FAILURE), story(cluster=text)), facts=((text, text),)), CONNECTOR)
    (fact,) = told["sections"][-1]["facts"]

    for shown in (fact["name"], fact["value"], told["sections"][1]["activitySubtitle"]):
        tokens = MarkdownIt("commonmark").enable(["strikethrough", "table"]).parse(shown)
        assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
        assert {child.type for token in tokens for child in token.children or ()} <= {"text", "text_special"}
        assert "<" not in shown
        assert "@everyone" not in shown


def test_what_clients_without_cards_show_is_not_markdown_either() -> None:
    fallback = card(Digest((story(State.FAILURE, "[x](http://evil.example)"),)))["fallbackText"]

    assert r"\[x\]\(http://evil.example\)" in fallback


@pytest.mark.parametrize("path", ["a/b)|<at>", "a/b c", "ä/ö", "a/" + "b" * 9000, "a/b\n<x>"])
def test_a_link_is_one_or_is_left_out(path: str) -> None:
    outcome = Outcome("prod", Repository("h", path), COMMIT, story().outcome.observations)

    content = card(Digest((Story(outcome),)))

    assert ("actions" in content["body"][0]["items"][-1]) is (len(path) < 2000)


def test_without_a_commit_there_is_no_link() -> None:
    told = Outcome("\x00", Repository("", ""), "", (Observation(ObjectRef("Bucket", "a", "b"), State.FAILURE),))

    assert texts(card(Digest((Story(told),))))[-1] == "–"


def test_nothing_to_tell_is_no_message() -> None:
    assert msteams.requests(Channel("msteams", "msteams", Secret(FLOW)), Digest(())) == ()


@pytest.mark.parametrize(
    ("host", "there"),
    [
        ("acme.webhook.office.com", True), ("acme.webhook.office.com:443", True), ("outlook.office.com", True),
        ("x.4a.environment.api.powerplatform.com:443", False), ("prod-1.westeurope.logic.azure.com:443", False),
        ("webhook.office.com.evil.example", False), ("", False),
    ],
)  # fmt: skip
def test_connectors_are_known_by_their_host(host: str, there: bool) -> None:
    assert msteams.connector(host) is there


def test_a_connector_gets_a_card_of_its_own_kind() -> None:
    told = body(Digest((story(State.FAILURE, "timeout"),), summary="Shop", unread=("eu",)), CONNECTOR)

    first, last = told["sections"]
    assert told["themeColor"] == "cf222e"
    assert first["activityTitle"].startswith("❌ acme/fleet")
    assert first["potentialAction"][0]["targets"][0]["uri"].endswith(COMMIT)
    assert last["facts"] == [{"name": "summary", "value": "Shop"}]
    assert last["text"].endswith("eu")


def test_what_a_connector_has_no_room_for_is_counted() -> None:
    facts = (("\x00", ""), *((f"fact {number}", "x") for number in range(14)))

    told = body(Digest((story(),), facts=facts), CONNECTOR)

    assert told["sections"][-1]["facts"][0] == {"name": "–", "value": "–"}
    assert told["sections"][-1]["facts"][-1] == {"name": "…", "value": "and 6 more"}
    assert len(told["sections"][-1]["facts"]) == 10


@pytest.mark.parametrize(("address", "count"), [(FLOW, msteams.in_a_string), (CONNECTOR, msteams.in_utf_16)])
@pytest.mark.parametrize("sign", ["'\"' ", "word ", "ä", "😀"])
def test_a_message_is_counted_as_teams_writes_it_again(address: str, count: Any, sign: str) -> None:
    stories = tuple(story(State.FAILURE, sign * 400, objects=9, cluster=f"c{n}") for n in range(15))

    assert 5000 < count(body(Digest(stories), address)) <= 27_000


@pytest.mark.parametrize("connector", [False, True])
def test_a_message_is_taken(connector: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msteams, "connector", lambda host: connector)
    with Teams(connector=connector) as service, Http() as http:
        channel = Channel("msteams", "msteams", Secret(service.address))
        (request,) = msteams.requests(channel, Digest((story(),)))

        assert msteams.acknowledged(http.send(request)) == ""
        assert len(service.taken) == 1
        assert service.violations == []
        assert service.asked[0].target == SECRET_PATH


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (202, b""), (202, b'{"x":1}'), (200, b""), (200, b"1"), (200, b"1\n"),
        (200, b"Message sent"), (200, b'{"messageId":"1700000000000"}'), (201, "Übermittelt".encode()),
    ],
)  # fmt: skip
def test_what_is_an_acknowledgement(status: int, said: bytes) -> None:
    assert msteams.acknowledged(Response(status, {}, said)) == ""


_FAILED = (
    "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {} with ContextId tcid=0"
)


@pytest.mark.parametrize(
    ("said", "passing", "hint"),
    [
        (_FAILED.format(429), True, "next run"),
        (_FAILED.format(503), True, "retired"),
        (_FAILED.format(400), False, "retired"),
        (_FAILED.format(403), False, "Workflows"),
        (_FAILED.format(413), False, "too large"),
        ("Webhook message delivery failed with error: Error contacting Microsoft Teams endpoint", False, "202"),
        ("<html>Sign in</html>", False, "202"),
        ('{"ok":false}', False, "202"),
        ("\ufffd", False, "202"),
        ('{"status":"Failed"}', False, "202"),
    ],
)
def test_what_is_none(said: str, passing: bool, hint: str) -> None:
    with pytest.raises(DeliveryError, match=r"Teams \(h\) answered 200 OK without taking the message: ") as caught:
        msteams.acknowledged(Response(200, {}, said.encode(), "Teams (h)", said))

    assert caught.value.passing is passing
    assert hint in caught.value.hint


@pytest.mark.parametrize("said", [b"11", b"Message sent", b"{}"])
def test_a_connector_says_one_and_nothing_else(said: bytes) -> None:
    response = Response(200, {}, said, "Microsoft Teams (ops) (acme.webhook.office.com)", said.decode())

    with pytest.raises(DeliveryError, match="without taking the message"):
        msteams.acknowledged(response)


@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [
        (401, '{"error":{"code":"DirectApiAuthorizationRequired","message":"x"}}', "signature"),
        (400, '{"error":{"code":"MissingApiVersionParameter","message":"x"}}', "not whole"),
        (404, '{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"x"}}', "turn it on"),
        (404, '{"error":{"code":"WorkflowNotFound","message":"x"}}', "deleted"),
        (400, "", "When a Teams webhook request is received"),
        (410, "", "Send webhook alerts"),
    ],
)
def test_refusals_of_flows_are_explained(status: int, said: str, hint: str) -> None:
    with Teams() as service, Http() as http:
        service.faults.append(answer(status, body=said))
        (request,) = msteams.requests(Channel("msteams", "ops", Secret(service.address)), Digest((story(),)))
        with pytest.raises(DeliveryError) as caught:
            http.send(request)

    assert hint in caught.value.hint
    assert "Zk3vQ9mR7tYwZ2pLd84NfGh" not in f"{caught.value} {caught.value.hint}"
    assert "Microsoft Teams (ops)" in caught.value.message


def hints(address: str) -> dict[str, str]:
    (request,) = msteams.requests(Channel("msteams", "msteams", Secret(address)), Digest((story(),)))
    return dict(request.hints)


def test_old_addresses_are_told_where_to_go() -> None:
    assert all("retired" in hints(CONNECTOR)[status] for status in ("400", "404", "410"))
    moved = hints("https://prod-05.westeurope.logic.azure.com:443/workflows/1?sig=s")
    assert all("api.powerplatform.com" in moved[status] for status in ("401", "403", "404", "410"))
    assert "logic.azure.com" not in str(hints(FLOW))


def test_an_event_is_not_for_teams() -> None:
    with pytest.raises(TypeError, match="takes"):
        msteams.requests(Channel("msteams", "d", Secret(FLOW)), Event(None, "", "", "", "", {}, ""))  # type: ignore[arg-type]


@pytest.mark.skipif(not shutil.which("node") or not PACKAGE.is_dir(), reason="needs node and adaptivecards in .ci")
def test_microsofts_own_parser_says_nothing_against_the_cards() -> None:
    digests = [
        *(Digest((story(state),)) for state in STATES),
        Digest((story(State.FAILURE, mention="ada@example.com"),)),
        Digest((story(superseded_by="main@sha1:1"), story()), summary="s", facts=(("a", "b"), ("", "")), unread=("c",)),
        *(Digest((story(State.FAILURE, text),), facts=((text, text),)) for text in HOSTILE),
        Digest(tuple(story(State.FAILURE, "word " * 500, objects=50, cluster=f"c{n}") for n in range(40))),
    ]  # fmt: skip
    cards = [card(digest) for digest in digests]
    wrong = {
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "Container", "style": "red", "items": [{"type": "X"}]}],
    }

    ran = subprocess.run(
        ["node", ROOT / "tests" / "data" / "chat" / "adaptive-card.mjs", PACKAGE],
        input=json.dumps([*cards, wrong]), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    *judged, refused = json.loads(ran.stdout)

    assert refused["problems"]
    assert [one["problems"] for one in judged] == [[] for _ in cards]
    # What it has read is what was written: no element was dropped.
    assert ["".join(one["texts"]) for one in judged] == ["".join(texts(one)) for one in cards]


def test_the_standin_refuses_what_teams_would_not_show() -> None:
    good = body(Digest((story(),)))
    for wrong in (
        {**good, "attachments": []}, {**good, "type": "card"}, {**good, "summary": "x" * 30_000},
        {**good, "@type": "x"},
        json.loads(json.dumps(good).replace("RichTextBlock", "TextBlock")),
        json.loads(json.dumps(good).replace('"good"', '"red"')),
        json.loads(json.dumps(good).replace("https://", "javascript:")),
    ):  # fmt: skip
        assert message_problems(wrong), wrong


def test_who_is_called_is_named_as_an_entity() -> None:
    guid = "49c4641c-ab91-4248-aebb-6a7de286397b"
    ada, grace = story(State.FAILURE, mention="ada@example.com"), story(State.FAILURE, cluster="eu", mention=guid)
    told = card(Digest((ada, grace, story(State.FAILURE, "<at>bob@example.com</at>", cluster="us"))))

    assert told["msteams"]["entities"] == [
        {"type": "mention", "text": f"<at>{id_}</at>", "mentioned": {"id": id_, "name": id_}}
        for id_ in ("ada@example.com", guid)
    ]
    blocks = [[item["text"] for item in part["items"] if item["type"] == "TextBlock"] for part in told["body"][1:]]
    assert blocks == [["<at>ada@example.com</at>"], [f"<at>{guid}</at>"], []]
    assert card(Digest((story(),)))["msteams"] == {"width": "Full"}


def test_a_connectors_card_calls_nobody() -> None:
    failed = story(State.FAILURE)
    called = story(State.FAILURE, mention="ada@example.com")

    assert body(Digest((called,)), CONNECTOR) == body(Digest((failed,)), CONNECTOR)
