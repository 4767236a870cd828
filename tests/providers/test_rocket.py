"""What is Rocket.Chat's own: its Markdown, its limits, its webhooks and its API."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.rocket import LIMIT, Rocket, RocketWebhook, api_problems, units, webhook_problems
from standins.server import answer, lost

from landed import providers
from landed.errors import DeliveryError
from landed.http import Http, Response, clean
from landed.model import Channel, Digest, ObjectRef, Observation, Outcome, Repository, Secret, State, Story, Update
from landed.providers.chat import rocket
from landed.providers.outlet import ChannelOutlet

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
MARKDOWN = json.loads((Path(__file__).parent.parent / "data/chat/rocket-markdown.json").read_text())


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


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = providers.ChatType("rocket", "Rocket.Chat", "digests", edits="token", threads=True)
    monkeypatch.setitem(providers.CHAT, "rocket", kind)


@pytest.fixture
def api() -> Iterator[Rocket]:
    with Rocket() as service:
        yield service
        assert service.violations == []


@pytest.fixture
def webhook() -> Iterator[RocketWebhook]:
    with RocketWebhook() as service:
        yield service
        assert service.violations == []


def channel_of(service: Rocket | RocketWebhook, **changes: Any) -> Channel:
    settings: dict[str, Any] = {}
    if isinstance(service, Rocket):
        settings = {"channel": service.channel, "username": service.username, "token": Secret(service.token)}
    return Channel("rocket", "rocket", Secret(service.address), **(settings | changes))


def send(service: Rocket | RocketWebhook, *digests: Digest, **changes: Any) -> list[str]:
    with Http(sleep=lambda seconds: None) as http:
        outlet = ChannelOutlet(channel_of(service, **changes), lambda: http)
        return [outlet.deliver(Update("rocket", (), digest)) for digest in digests]


def methods(api: Rocket) -> list[str]:
    return [asked.path.rpartition("/")[2] for asked in api.asked]


def test_a_webhook_gets_a_coloured_attachment(webhook: RocketWebhook) -> None:
    send(webhook, Digest((story(State.FAILURE, "timeout *now*"),)))

    (payload,) = webhook.taken
    assert payload["text"].startswith("❌ *acme/fleet 6dcd4ce2 failed on prod*")
    (attachment,) = payload["attachments"]
    assert attachment["color"] == "#cf222e"
    assert attachment["text"].split("\n") == [
        "apps/web-0: Health check failed: timeout \u200b\\*now\u200b\\*",
        "Look further: flux events -n apps --for Kustomization/web-0",
        f"prod · [acme/fleet@6dcd4ce2](https://github.com/acme/fleet/commit/{COMMIT})",
    ]


def test_a_webhook_gets_an_attachment_for_each_story() -> None:
    digest = Digest((story(), story(State.FAILURE, cluster="eu"), story(State.PENDING, cluster="us")))

    body = rocket.attached(digest)

    assert body["text"] == "*3 rollouts: 1 failed, 1 live, 1 on the way*"
    assert [attachment["color"] for attachment in body["attachments"]] == ["#cf222e", "#2da44e", "#bf8700"]
    assert body["attachments"][0]["title"] == "❌ acme/fleet 6dcd4ce2 failed on eu"


def test_what_the_alert_adds_and_what_is_unseen_stand_below() -> None:
    digest = Digest((story(),), summary="the *shop*", facts=(("env", "@all"),), unread=("eu", "us"))

    body, text = rocket.attached(digest), rocket.text(digest)

    assert webhook_problems(body) == []
    assert body["attachments"][-1] == {
        "text": "Not seen at present: eu, us",
        "fields": [
            {"title": "summary", "value": "the \u200b\\*shop\u200b\\*", "short": True},
            {"title": "env", "value": "@\u200ball", "short": True},
        ],
    }
    assert text.split("\n")[-3:] == [
        "*summary*: the \u200b\\*shop\u200b\\*", "*env*: @\u200ball", "Not seen at present: eu, us",
    ]  # fmt: skip


def test_a_webhook_is_told_the_channel_and_the_name_where_they_are_set(webhook: RocketWebhook) -> None:
    webhook.channels.add("#deploys")
    send(webhook, Digest((story(),)), channel="#deploys", username="landed")

    assert (webhook.taken[0]["channel"], webhook.taken[0]["alias"]) == ("#deploys", "landed")
    with pytest.raises(DeliveryError) as caught:
        send(webhook, Digest((story(),)), channel="#other")
    assert "Leave out spec.channel" in caught.value.hint


def test_a_message_is_edited_and_answered_in_its_thread(api: Rocket) -> None:
    (handle,) = send(api, Digest((story(State.PENDING),), "line"))
    assert handle == "GENERAL:m0000000000000001"
    failed = (story(State.FAILURE, "timeout", objects=9),)
    handles = send(api, Digest(failed, "line", handle), Digest(failed, "line", handle, reply=True))

    # What is remembered is the message itself, never an answer to it.
    assert handles == [handle, handle]
    first, answered = api.messages.values()
    assert (first["edits"], first["thread"], answered["thread"]) == (1, "", "m0000000000000001")
    assert first["text"].startswith("❌ ")
    assert (first["text"].count("timeout"), answered["text"].count("timeout")) == (3, 9)
    assert "… and 7 more" in first["text"]
    assert methods(api) == ["chat.postMessage", "chat.update", "chat.getMessage", "chat.postMessage"]


@pytest.mark.parametrize("place", ["", "/", "/api/v1/chat.postMessage", "/api/v1/"])
def test_the_api_is_found_from_the_server_or_a_method(api: Rocket, place: str) -> None:
    api.address += place

    (handle,) = send(api, Digest((story(State.PENDING),), "line"))
    send(api, Digest((story(),), "line", handle))

    assert [asked.path for asked in api.asked] == ["/api/v1/chat.postMessage", "/api/v1/chat.update"]


def test_the_api_is_found_below_a_folder() -> None:
    channel = Channel("rocket", "rocket", Secret("https://example.com/chat/"), "#deploys", "id", token=Secret("t"))

    (request,) = rocket.requests(channel, Digest((story(),), "line"))

    assert request.url.reveal() == "https://example.com/chat/api/v1/chat.postMessage"


@pytest.mark.parametrize("keeps", [False, True], ids=["gone", "shown as removed"])
@pytest.mark.parametrize("reply", [False, True])
def test_a_message_deleted_by_hand_is_posted_anew(api: Rocket, reply: bool, keeps: bool) -> None:
    api.keeps_deleted = keeps
    (handle,) = send(api, Digest((story(State.PENDING),), "line"))
    api.delete("m0000000000000001")

    (again,) = send(api, Digest((story(),), "line", handle, reply=reply))

    assert again != handle
    assert api.messages[again.partition(":")[2]]["thread"] == ""
    assert api.messages[again.partition(":")[2]]["text"].startswith("✅")


@pytest.mark.parametrize("error", ["error-action-not-allowed", "error-message-editing-blocked"])
def test_a_message_that_may_not_be_edited_is_posted_anew(api: Rocket, error: str) -> None:
    (handle,) = send(api, Digest((story(State.PENDING),), "line"))
    api.refuse_edits = error

    (again,) = send(api, Digest((story(),), "line", handle))

    assert again != handle
    assert len(api.messages) == 2


@pytest.mark.parametrize("handle", ["m0000000000000001", "GENERAL:", ":m1", "OTHER:m1", "GENERAL:&x=1"])
@pytest.mark.parametrize("reply", [False, True])
def test_a_message_that_is_not_known_is_posted_anew(api: Rocket, handle: str, reply: bool) -> None:
    assert send(api, Digest((story(),), "line", handle, reply=reply)) == ["GENERAL:m0000000000000001"]


def test_an_edit_that_may_have_been_done_is_done_again_and_a_new_message_is_not(api: Rocket) -> None:
    (handle,) = send(api, Digest((story(State.PENDING),), "line"))
    api.faults.append(lost())
    assert send(api, Digest((story(),), "line", handle)) == [handle]
    assert next(iter(api.messages.values()))["edits"] == 2

    api.faults.append(lost())
    with pytest.raises(DeliveryError) as caught:
        send(api, Digest((story(),), "other"))
    assert caught.value.uncertain
    assert len(api.messages) == 2


@pytest.mark.parametrize(
    ("changes", "what", "hint"),
    [
        ({"token": Secret("RS-other-token-of-nobody")}, "401", "id of the user"),
        ({"username": "bot"}, "401", "id of the user"),
        ({"username": ""}, "does not say whose", "spec.username"),
        ({"channel": ""}, "must be told the channel", "#name"),
        ({"channel": "#nowhere"}, "invalid-channel", "#name"),
        ({"address": "/chat"}, "404", "https://SERVER"),
    ],
)
def test_what_cannot_be_posted_is_explained(api: Rocket, changes: dict[str, Any], what: str, hint: str) -> None:
    api.address += changes.pop("address", "")

    with pytest.raises(DeliveryError) as caught:
        send(api, Digest((story(),), "line"), **changes)

    assert what in caught.value.message
    assert hint in caught.value.hint
    assert api.messages == {}
    assert not [token for token in (api.token, "RS-other-token-of-nobody") if token in caught.value.message]


@pytest.mark.parametrize(
    ("status", "body", "hint", "passing"),
    [
        (400, '{"success":false,"error":"Invalid integration id or token provided."}', "no such webhook", False),
        (400, '{"success":false,"error":"error-running-script"}', "script", False),
        (400, '{"success":false,"error":"Not enough permission"}', "spec.username", False),
        (400, '{"success":false,"error":"The user lacks the permission message-impersonate"}', "role bot", False),
        (503, '{"success":false,"error":"Service Unavailable"}', "switched off", True),
        (429, '{"success":false,"error":"Error, too many requests. [error-too-many-requests]"}', "next run", True),
        (404, "<html>", "/hooks/ID/TOKEN", False),
    ],
)
def test_rocketchats_words_are_explained(
    webhook: RocketWebhook, status: int, body: str, hint: str, passing: bool
) -> None:
    webhook.faults += [answer(status, body=body)] * 5

    with pytest.raises(DeliveryError) as caught:
        send(webhook, Digest((story(),)))

    assert hint in caught.value.hint
    assert caught.value.passing is passing


@pytest.mark.parametrize(
    "body",
    [
        b"", b"ok", b"<html>Sign in</html>", b"[]", b"\xff", b'{"success":"true"}', b'{"success":1}', b"{}",
        b'{"success":false,"error":{"responses":[]}}', b'{"status":"error","message":"You must be logged in"}',
        b'{"message":{"_id":"m1","rid":"R"}}',
    ],
)  # fmt: skip
def test_only_success_is_an_acknowledgement(body: bytes) -> None:
    with pytest.raises(DeliveryError, match=r"Rocket.Chat \(h\) answered 200 OK without taking the message") as caught:
        rocket.acknowledged(Response(200, {}, body, "Rocket.Chat (h)", body.decode(errors="replace")))

    assert caught.value.hint
    assert not caught.value.gone


def test_a_refusal_with_200_says_whether_it_is_over() -> None:
    def refused(error: str) -> DeliveryError:
        body = json.dumps({"success": False, "error": error}).encode()
        with pytest.raises(DeliveryError) as caught:
            rocket.acknowledged(Response(200, {}, body, "Rocket.Chat (h)", body.decode()))
        return caught.value

    assert refused("error-too-many-requests").passing
    assert refused('No message found with the id of "x".').gone
    assert not refused("error-message-size-exceeded").gone


def test_a_webhooks_answer_names_no_message() -> None:
    assert rocket.acknowledged(Response(200, {}, b'{"success":true}')) == ""
    assert rocket.acknowledged(Response(200, {}, b'{"success":true,"message":"as the script says"}')) == ""


def test_an_answer_is_remembered_as_what_it_answers() -> None:
    body = b'{"success":true,"message":{"_id":"m2","rid":"R","tmid":"m1","msg":"x"}}'

    assert rocket.acknowledged(Response(200, {}, body)) == "R:m1"
    assert rocket.acknowledged(Response(200, {}, body.replace(b"tmid", b"other"))) == "R:m2"


def test_links_get_no_previews(api: Rocket) -> None:
    (handle,) = send(api, Digest((story(),), "line"))
    send(api, Digest((story(),), "line", handle))

    assert (api.taken[0]["attachments"], api.taken[1]["previewUrls"]) == ([], [])


@pytest.mark.parametrize("case", MARKDOWN, ids=lambda case: f"{case['as']}: {clean(case['text'])[:30]}")
def test_text_is_escaped_as_rocketchats_parser_was_seen_to_understand(case: dict[str, str]) -> None:
    said = Digest((story(),), facts=(("f", case["text"]),))
    if case["as"] == "line":
        sent = rocket._joined([rocket._escape(case["text"])])
        assert f"*f*: {rocket._escape(case['text'])}" in rocket.text(said)
    else:
        sent = rocket._joined([f"❌ {rocket._bold(case['text'])}"])

    assert sent == case["sent"]
    wanted = clean(case["text"]).replace("$", "＄")
    assert case["shown"].replace("\u200b", "") == (wanted if case["as"] == "line" else f"❌ {wanted}")


#: How the server finds who is called, https://docs.rocket.chat/docs/mentions (OURS).
CALLED = re.compile(r"(^|\s|>)[@#]([0-9a-zA-Z-_.]+)", re.MULTILINE)


@given(st.text(st.sampled_from("@#all here.-_>\n*~\\[]()"), max_size=60))
def test_nobody_is_called(text: str) -> None:
    digest = Digest((story(State.FAILURE, text, cluster=text or "c"),), summary=text, facts=((text, text),))

    body = rocket.attached(digest)
    said = [rocket.text(digest), body["text"]]
    for attachment in body["attachments"]:
        said += [attachment["text"], *(field["value"] for field in attachment.get("fields", ()))]

    assert not [found for one in said if (found := CALLED.search(one))]


@given(st.integers(1, 30), st.text(max_size=300), st.sampled_from([State.SUCCESS, State.FAILURE, State.PENDING]))
def test_no_digest_breaks_rocketchats_rules(count: int, text: str, state: State) -> None:
    stories = tuple(story(state, text, cluster=f"{text}{n}") for n in range(count))
    digest = Digest(stories, summary=text, facts=((text, text),) * count, unread=(text,) * count)

    assert webhook_problems(rocket.attached(digest)) == []
    body = {"channel": "#deploys", "text": rocket.text(digest), "attachments": []}
    assert api_problems("chat.postMessage", body) == []


@pytest.mark.parametrize("text", ["😀" * 3000, "*" * 3000, "word " * 2000], ids=["pairs", "escaped", "words"])
def test_what_does_not_fit_is_counted(text: str) -> None:
    stories = tuple(story(State.FAILURE, text, cluster=f"{text}{n}", objects=30) for n in range(30))
    digest = Digest(stories, summary=text, facts=((text, text),) * 30, unread=(text,) * 30)

    said = rocket.text(digest)

    assert LIMIT // 2 < units(said) <= LIMIT
    assert re.search(r"… and \d+ (more|failed)", said)
    assert webhook_problems(rocket.attached(digest)) == []


@pytest.mark.parametrize(
    "path", ["a/b](http://evil)", "a/_b_", "a/b c", "ä/ö", "a/" + "b" * 9000, "a/b\n@all", "a/b)x", "a/[b]"]
)
def test_a_link_cannot_be_broken_out_of(path: str) -> None:
    told = Outcome("prod", Repository("h", path), COMMIT, story().outcome.observations)

    where = rocket.attached(Digest((Story(told),)))["attachments"][0]["text"].split("\n")[-1]

    links = re.findall(r"\]\(([^)]*)\)", where)
    assert all(link.startswith("https://h/") and " " not in link for link in links)
    assert len(links) == (0 if len(path) > 9000 else 1)


def test_what_a_link_is_called_is_never_escaped() -> None:
    def where(path: str) -> str:
        told = Outcome("prod", Repository("h", path), COMMIT, story().outcome.observations)
        return rocket.text(Digest((Story(told),))).split("\n")[-1]

    assert where("a/b_c") == f"prod · [a/b_c@6dcd4ce2](https://h/a/b_c/commit/{COMMIT})"
    assert where("a/_c") == f"prod · a/\u200b\\_c@6dcd4ce2 [commit](https://h/a/_c/commit/{COMMIT})"
    assert where("a/b)c") == f"prod · [a/b)c@6dcd4ce2](https://h/a/b%29c/commit/{COMMIT})"


def test_a_host_cannot_end_a_link() -> None:
    told = Outcome("prod", Repository("h)(http://evil", "a/b"), COMMIT, story().outcome.observations)

    where = rocket.text(Digest((Story(told),))).split("\n")[-1]

    assert where.endswith(f"](https://h%29%28http://evil/a/b/commit/{COMMIT})")


def test_half_a_pair_is_sent_as_a_question_mark() -> None:
    digest = Digest((story(State.FAILURE, "\ud800x", cluster="\udfffy"), story()), summary="\udc00")

    for token in ("", "t"):
        channel = Channel("rocket", "rocket", Secret("https://h/x"), "#d", "u", token=Secret(token))
        (request,) = rocket.requests(channel, digest)
        assert b"?x" in request.body
        assert b"?y" in request.body


def test_addresses_stay_what_they_are() -> None:
    assert rocket._escape("see https://h/~a/_b_*: x") == "see https://h/%7Ea/%5Fb%5F%2A: x"


def test_without_a_commit_there_is_no_link() -> None:
    told = Outcome("prod", Repository("", ""), "", (Observation(ObjectRef("Bucket", "a", "b"), State.FAILURE),))

    assert rocket.text(Digest((Story(told),))).split("\n")[-1] == "prod"


def test_nothing_to_tell_is_no_message() -> None:
    assert rocket.requests(Channel("rocket", "rocket", Secret("https://h/x")), Digest(())) == ()


@pytest.mark.parametrize(
    "body",
    [
        {"text": "x"},
        {"channel": "#a", "roomId": "b", "text": "x"},
        {"channel": "#a", "text": "x", "tmid": "m1"},
        {"channel": "#a", "text": 5},
        {"channel": "#a", "text": "x", "username": "y"},
        {"channel": "#a", "text": "😀" * 2501},
    ],
)
def test_rocketchats_schema_refuses(body: dict[str, Any]) -> None:
    assert api_problems("chat.postMessage", body) != []


def test_who_is_called_stands_in_the_text() -> None:
    ada, grace = story(State.FAILURE, mention="ada.l"), story(State.FAILURE, cluster="eu", mention="grace")
    hook = rocket.attached(Digest((ada,)))

    # Rocket.Chat's own parser finds a mention there; data/chat/rocket-chat.md names it.
    assert hook["text"] == "❌ *acme/fleet 6dcd4ce2 failed on prod* @ada.l"
    assert "@ada" not in json.dumps(hook["attachments"])
    assert rocket.text(Digest((ada,), about="x")).splitlines()[0] == hook["text"]
    assert rocket.text(Digest((ada, grace))).splitlines()[0].endswith(" @ada.l @grace")
