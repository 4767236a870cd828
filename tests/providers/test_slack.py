"""What is Slack's own: its markup, its limits, its words for what went wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.server import answer
from standins.webhook import Receiver, slack_problems

from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.model import Channel, Digest, ObjectRef, Observation, Outcome, Repository, Secret, State, Story
from landed.providers.chat import slack

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
    return "\n".join(block["text"]["text"] if "text" in block else block["elements"][0]["text"] for block in blocks)


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
    assert (message["unfurl_links"], message["unfurl_media"]) == (False, False)


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
    [b"", b"no", b"<html>Sign in</html>", b'{"ok":false,"error":"invalid_auth"}', b"ok?", b"\xff", b'{"ok":true}'],
)
def test_only_ok_is_an_acknowledgement(body: bytes) -> None:
    with pytest.raises(DeliveryError, match=r"Slack \(h\) answered 200 OK without taking the message") as caught:
        slack.acknowledged(Response(200, {}, body, "Slack (h)", body.decode(errors="replace")))

    assert "hooks.slack.com" in caught.value.hint


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
    with Receiver(slack=True) as receiver, Http() as http:
        receiver.faults.append(answer(status, body=body))
        (request,) = slack.requests(Channel("slack", "slack", Secret(receiver.address)), Digest((story(),)))
        with pytest.raises(DeliveryError) as caught:
            http.send(request)

    assert hint in caught.value.hint
    assert body in caught.value.message
