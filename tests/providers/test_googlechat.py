"""What is Google Chat's own: cards, threads, what is sent twice and taken once, mentions, limits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from standins.googlechat import GoogleChat, googlechat_problems, html_problems, shown
from standins.server import answer, lost

from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.model import Channel, Digest, Event, ObjectRef, Observation, Outcome, Repository, Secret, State, Story
from landed.model import Update as U
from landed.providers.chat import googlechat
from landed.providers.outlet import ChannelOutlet

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
LINK = f"https://github.com/acme/fleet/commit/{COMMIT}"
HOOK = "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=k&token=t"
REASONS = {State.SUCCESS: "ReconciliationSucceeded", State.FAILURE: "HealthCheckFailed"}


def story(
    state: State = State.SUCCESS, text: str = "done", *, commit: str = COMMIT, cluster: str = "prod", **settings: Any
) -> Story:
    waits = ObjectRef("Kustomization", "apps", "infra") if state is State.PENDING else None
    told = Observation(
        ObjectRef("Kustomization", "apps", "web"), state, FLEET, commit, REASONS.get(state, "DependencyNotReady"), text,
        revision=f"main@sha1:{commit}", since=1_790_000_000, waits_for=waits,
    )  # fmt: skip
    return Story(Outcome(cluster, FLEET, commit, (told,)), **settings)


@pytest.fixture
def service() -> Iterator[GoogleChat]:
    with GoogleChat() as service:
        yield service
        assert service.violations == []


def send(service: GoogleChat, *digests: Digest, name: str = "googlechat") -> None:
    with Http(sleep=lambda seconds: None) as http:
        for digest in digests:
            ChannelOutlet(Channel("googlechat", name, Secret(service.address)), lambda: http).deliver(
                U("g", (), digest)
            )


def body(digest: Digest, address: str = HOOK) -> dict[str, Any]:
    (request,) = googlechat.requests(Channel("googlechat", "googlechat", Secret(address)), digest)
    loaded: dict[str, Any] = json.loads(request.body)
    return loaded


def paragraphs(message: dict[str, Any]) -> list[str]:
    sections = message["cardsV2"][0]["card"]["sections"]
    return [widget["textParagraph"]["text"] for section in sections for widget in section["widgets"]]


def test_a_failure_is_one_section_of_a_card_and_a_line_for_notifications() -> None:
    message = body(Digest((story(State.FAILURE, "timeout", subject="Fix <it>"),), facts=(("env", "prod"),)))

    assert paragraphs(message) == [
        (
            '❌ <b><font color="#cf222e">acme/fleet main@6dcd4ce2 failed on prod</font></b>'
            "<br>apps/web: Health check failed: timeout<br>Look further: flux events -n apps --for Kustomization/web"
            f'<br>prod · <a href="{LINK}">acme/fleet@6dcd4ce2: Fix &lt;it&gt;</a>'
        ),
        "<b>env</b>: prod",
    ]
    assert message["fallbackText"].startswith("❌ acme/fleet main@6dcd4ce2 failed on prod. apps/web: Health check")
    assert "text" not in message


def test_quotes_stand_as_they_are_outside_of_a_link() -> None:
    text = """Deployment/apps/web status: 'InProgress' <"now">"""
    (shown_, *_) = paragraphs(body(Digest((story(State.FAILURE, text),))))

    assert """Deployment/apps/web status: 'InProgress' &lt;"now"&gt;""" in shown_


def test_a_success_a_recovery_and_a_wait() -> None:
    live, recovered, waits = (
        shown(paragraphs(body(Digest((told,))))[0])[0]
        for told in (story(), story(broken_for=130), story(State.PENDING, "dependency 'apps/infra' is not ready"))
    )

    assert live.startswith("✅ acme/fleet main@6dcd4ce2 is live on prod\napps/web: ")
    assert "Recovered: it was broken for 2m." in recovered.splitlines()
    assert waits.startswith("⏳ acme/fleet main@6dcd4ce2 is waiting on prod\n1 waits for apps/infra\n")


def test_what_is_said_of_one_commit_is_in_one_thread(service: GoogleChat) -> None:
    other = "a" * 40
    send(service, Digest((story(State.PENDING),)), Digest((story(cluster="stage"),)), Digest((story(commit=other),)))

    assert [len(messages) for messages in service.threads.values()] == [2, 1]


def test_several_commits_and_none_are_in_no_thread(service: GoogleChat) -> None:
    lone = Outcome("prod", Repository("", ""), "", (structs.replace(story().outcome.observations[0], commit=""),))
    send(service, Digest((story(), story(commit="b" * 40))), Digest((Story(lone),)))

    assert all("thread" not in message for message in service.taken)
    assert all("messageReplyOption" not in asked.query for asked in service.asked)


def test_a_thread_that_the_address_names_is_the_users(service: GoogleChat) -> None:
    service.address += "&threadKey=ops&messageReplyOption=REPLY_MESSAGE_OR_FAIL"
    send(service, Digest((story(),)))

    (asked,) = service.asked
    assert asked.query["threadKey"] == "ops"
    assert asked.query["messageReplyOption"] == "REPLY_MESSAGE_OR_FAIL"
    assert "thread" not in service.taken[0]


def test_blanks_around_the_address_are_no_part_of_its_token(service: GoogleChat) -> None:
    service.address = f"\n {service.address} \n"
    send(service, Digest((story(),)))

    assert len(service.taken) == 1


def test_a_message_whose_answer_was_lost_is_sent_again_and_created_once(service: GoogleChat) -> None:
    service.faults.append(lost())
    send(service, Digest((story(),)))

    assert len(service.asked) == 2
    assert len(service.taken) == 1


def test_the_same_from_a_later_run_is_created_once_and_anything_else_is_another_message(service: GoogleChat) -> None:
    first = Digest((story(State.FAILURE, "x"),))
    again = structs.replace(first.stories[0].outcome.observations[0], since=1_790_000_500)
    later = Digest((structs.replace(first.stories[0], outcome=Outcome("prod", FLEET, COMMIT, (again,))),))
    send(service, first, first, later, structs.replace(first, summary="for ops"))
    send(service, first, name="Alert apps/other")

    assert len(service.taken) == 4


@pytest.mark.parametrize("who", ["112345678901234567890", "users/112345678901234567890"])
def test_who_is_called_is_called_once_beside_the_card(who: str) -> None:
    told = (
        story(State.FAILURE, mention=who),
        story(State.FAILURE, cluster="stage", mention=who),
        story(mention="77777"),
    )

    assert body(Digest(told))["text"] == "<users/112345678901234567890>"


@given(st.text(st.characters(codec=None)))
def test_strangers_text_is_shown_as_it_is(text: str) -> None:
    from landed.messages import one_line

    plain = one_line(f"x {text[:60]} y")
    (paragraph,) = paragraphs(body(Digest((story(subject=plain),))))
    read, links = shown(paragraph)

    assert html_problems(paragraph) == []
    assert read.splitlines()[-1:] == [f"prod · acme/fleet@6dcd4ce2: {plain}"] or "…" in read or "\n" in plain
    assert links == [LINK]


@pytest.mark.parametrize("text", ["x" * 5000, "<&>'\"" * 900, "😀" * 3000, "語" * 4000])
@pytest.mark.parametrize("number", [1, 15, 60])
def test_whatever_is_said_fits(text: str, number: int) -> None:
    facts = tuple((text, text) for _ in range(40))
    told = tuple(story(State.FAILURE, text, cluster=f"c{n}{text}", subject=text, author=text) for n in range(number))
    digest = Digest(told, summary=text, facts=facts, unread=(text,) * 20)
    (request,) = googlechat.requests(Channel("googlechat", "g", Secret(HOOK)), digest)

    assert len(request.body) <= googlechat.LIMIT
    assert googlechat_problems(json.loads(request.body), len(request.body)) == []
    assert "failed on c0" in request.body.decode()


@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [
        (403, '{"error":{"code":403,"status":"PERMISSION_DENIED"}}', "Make a new webhook"),
        (404, '{"error":{"code":404,"status":"NOT_FOUND"}}', "space is gone"),
        (400, '{"error":{"message":"API key not valid. Please pass a valid API key."}}', "copied to its end"),
        (401, '{"error":{"code":401,"status":"UNAUTHENTICATED"}}', "copied to its end"),
        (404, "<html>", "copied to its end"),
    ],
)
def test_googles_words_are_explained(service: GoogleChat, status: int, said: str, hint: str) -> None:
    service.faults.append(answer(status, body=said))
    with pytest.raises(DeliveryError) as caught:
        send(service, Digest((story(),)))

    assert hint in caught.value.hint
    assert not caught.value.passing


def test_a_webhook_that_was_removed(service: GoogleChat) -> None:
    service.removed = True
    with pytest.raises(DeliveryError) as caught:
        send(service, Digest((story(),)))

    assert "Make a new webhook" in caught.value.hint


@pytest.mark.parametrize(
    "said", [b"", b"{}", b"ok", b'{"name":""}', b'{"name":"spaces/x"}', b'{"name":"x messages/y"}']
)
def test_only_a_message_is_an_acknowledgement(said: bytes) -> None:
    with pytest.raises(DeliveryError, match="without taking the message"):
        googlechat.acknowledged(Response(200, {}, said, "Google Chat (h)", said.decode()))


def test_nothing_to_say_is_not_sent_and_an_event_is_not_for_it() -> None:
    channel = Channel("googlechat", "g", Secret(HOOK))
    assert googlechat.requests(channel, Digest(())) == ()
    with pytest.raises(TypeError, match="takes digests"):
        googlechat.requests(channel, Event(None, "", "", "", "", {}, ""))  # type: ignore[arg-type]


def test_an_address_that_is_none_is_left_to_the_door() -> None:
    (request,) = googlechat.requests(Channel("googlechat", "g", Secret("https://[x")), Digest((story(),)))
    with Http() as http, pytest.raises(DeliveryError, match="not a URL"):
        http.send(request)


def test_the_standin_refuses_what_google_refuses() -> None:
    def card(*widgets: dict[str, Any]) -> dict[str, Any]:
        return {"cardsV2": [{"cardId": "x", "card": {"sections": [{"widgets": list(widgets)}]}}]}

    good = {"textParagraph": {"text": "x"}}
    assert googlechat_problems(card(good)) == []
    wrongs: list[dict[str, Any]] = [
        {}, {"text": "x" * 4097}, {"txt": "x"}, card(), card(*[good] * 101), card({"textParagraph": {"text": ""}}),
        card({"textParagraph": {"text": "<script>x</script>"}}), card({"textParagraph": {"text": "<b>x"}}),
        card({"textParagraph": {"texts": "x"}}), {"cardsV2": [{"card": {"section": []}}]}, {"text": 7},
    ]  # fmt: skip
    for wrong in wrongs:
        assert googlechat_problems(wrong), wrong
