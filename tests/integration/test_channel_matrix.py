"""What we send to a Matrix room, as Synapse takes it: once, edited, in threads, and refused in its own words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from manifest_runs import APP, Rollout
from msgspec import structs
from objects import MAIN_A
from servers.matrix import Matrix
from standins.matrix import Markup

from landed.errors import DeliveryError
from landed.http import Http
from landed.model import (
    Channel,
    Digest,
    ObjectRef,
    Observation,
    Outcome,
    Repository,
    Secret,
    State,
    Story,
    Update,
)
from landed.providers.outlet import ChannelOutlet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")


def story(state: State, text: str = "timeout", *, since: int = 1_790_000_000, **more: Any) -> Story:
    reason = "HealthCheckFailed" if state is State.FAILURE else "ReconciliationSucceeded"
    about = ObjectRef("Kustomization", "apps", "web")
    return Story(
        Outcome("prod", FLEET, COMMIT, (Observation(about, state, FLEET, COMMIT, reason, text, since=since),)), **more
    )


def digest(state: State, text: str = "timeout", **more: Any) -> Digest:
    return Digest((story(state, text),), about=f"{FLEET} {COMMIT}", **more)


def channel_of(server: Matrix, **changes: Any) -> Channel:
    settings: dict[str, Any] = {"channel": server.room, "token": Secret(server.token)} | changes
    return Channel("matrix", "matrix", Secret(server.url), **settings)


class Run:
    """One run's outlet; ``waits`` is how long it was asked to wait."""

    def __init__(self, channel: Channel) -> None:
        self.waits: list[float] = []
        self.http = Http(sleep=self.waits.append)
        self.outlet = ChannelOutlet(channel, lambda: self.http)

    def deliver(self, what: Digest) -> str:
        return self.outlet.deliver(Update("matrix", (), what))

    def failure(self, what: Digest) -> DeliveryError:
        with pytest.raises(DeliveryError) as caught:
            self.deliver(what)
        return caught.value


@pytest.fixture
def run(matrix: Matrix) -> Iterator[Run]:
    one = Run(channel_of(matrix))
    with one.http:
        yield one


def test_a_message_says_the_same_in_both_forms(matrix: Matrix, run: Run) -> None:
    handle = run.deliver(digest(State.FAILURE, "<b>timeout</b> & @room"))

    (said,) = matrix.messages()
    assert said.id == handle
    assert said.content["msgtype"] == "m.text"
    assert said.content["m.mentions"] == {}
    html = Markup(said.html)
    assert html.problems == []
    assert html.text == said.body
    assert "<b>timeout</b> & @\u200broom" in said.body


def test_what_is_no_failure_is_a_notice(matrix: Matrix, run: Run) -> None:
    run.deliver(digest(State.SUCCESS))

    assert matrix.messages()[0].content["msgtype"] == "m.notice"


def test_the_same_message_sent_twice_is_there_once(matrix: Matrix) -> None:
    with (first := Run(channel_of(matrix))).http, (second := Run(channel_of(matrix))).http:
        handles = {run.deliver(digest(State.FAILURE)) for run in (first, first, second)}

    assert len(handles) == 1
    assert len(matrix.messages()) == 1


def test_other_words_about_the_same_time_are_not_taken_for_the_same(matrix: Matrix, run: Run) -> None:
    handle = run.deliver(digest(State.FAILURE, "timeout"))
    for text in ("no such image", "quota exceeded"):
        run.deliver(digest(State.FAILURE, text, handle=handle))

    (said,) = matrix.messages()
    assert "quota exceeded" in said.body


def test_two_channels_of_one_room_have_a_message_each(matrix: Matrix) -> None:
    other = structs.replace(channel_of(matrix), name="Alert apps/on-call")
    with (first := Run(channel_of(matrix))).http, (second := Run(other)).http:
        assert first.deliver(digest(State.FAILURE)) != second.deliver(digest(State.FAILURE))

    assert len(matrix.messages()) == 2


def test_an_edit_takes_the_messages_place(matrix: Matrix, run: Run) -> None:
    handle = run.deliver(digest(State.PENDING))

    assert run.deliver(digest(State.SUCCESS, handle=handle)) == handle
    assert run.deliver(digest(State.FAILURE, handle=handle)) == handle

    (said,) = matrix.messages()
    assert said.edited
    assert "failed on prod" in said.body
    assert "failed on prod" in said.html
    fallback = matrix.events()[-1]["content"]
    assert fallback["body"].startswith("* ❌ acme/fleet")
    assert fallback["m.mentions"] == {}


def test_an_answer_stands_in_the_messages_thread(matrix: Matrix, run: Run) -> None:
    handle = run.deliver(digest(State.PENDING))
    assert run.deliver(digest(State.FAILURE, handle=handle, reply=True)) == handle
    run.deliver(digest(State.SUCCESS, handle=handle))

    first, answer = matrix.messages()
    assert first.edited
    assert answer.thread == handle
    assert "timeout" in answer.body


@pytest.mark.parametrize("reply", [False, True])
def test_what_was_taken_back_is_posted_anew(matrix: Matrix, run: Run, reply: bool) -> None:
    handle = run.deliver(digest(State.PENDING))
    matrix.redact(handle)

    anew = run.deliver(digest(State.FAILURE, handle=handle, reply=reply))

    first, second = matrix.messages()
    assert first.redacted
    assert second.id == anew != handle
    assert second.thread == ""
    assert "failed on prod" in second.body


def test_an_edit_of_an_edit_and_of_nothing_is_posted_anew(matrix: Matrix, run: Run) -> None:
    handle = run.deliver(digest(State.PENDING))
    run.deliver(digest(State.SUCCESS, handle=handle))
    edit = matrix.events()[-1]["event_id"]
    for wrong in (edit, "$YUwRidLecuRidLecuRidLecuRidLecuRidLecuRidLe"):
        with (other := Run(channel_of(matrix))).http:
            other.deliver(digest(State.FAILURE, "for what is none", handle=wrong))

    assert not any(said.edited for said in matrix.messages()[1:])
    assert len(matrix.messages()) == 2  # the same message of two runs is one


def test_somebody_is_called_and_only_they(matrix: Matrix, run: Run) -> None:
    run.deliver(Digest((story(State.FAILURE, "@room @owner:matrix.test", mention="@owner:matrix.test"),)))

    (said,) = matrix.messages()
    assert said.content["m.mentions"] == {"user_ids": ["@owner:matrix.test"]}
    assert Markup(said.html).links[-1] == "https://matrix.to/#/@owner:matrix.test"


def test_the_largest_message_is_an_event_and_so_is_its_edit(matrix: Matrix, run: Run) -> None:
    text = '😀<&>"\\' * 20_000
    stories = tuple(story(State.FAILURE, text, subject=text, author=text) for _ in range(50))
    facts = tuple((text, text) for _ in range(100))
    handle = run.deliver(Digest(stories, "all of it", facts=facts, unread=(text,) * 50))
    run.deliver(Digest(stories, "all of it", handle, facts=facts))

    (said,) = matrix.messages()
    assert said.edited
    assert "50 rollouts: 50 failed" in said.body
    assert Markup(said.html).problems == []


def test_too_many_messages_are_waited_for_as_long_as_the_server_asks() -> None:
    with Matrix(burst=3) as server, (run := Run(channel_of(server))).http:
        for number in range(3):
            run.deliver(Digest((story(State.FAILURE, since=number + 1),)))
        error = run.failure(Digest((story(State.FAILURE, since=9),)))

    assert run.waits, "it waits, and tries again"
    assert all(5 < wait < 11 for wait in run.waits)
    assert error.passing
    assert "M_LIMIT_EXCEEDED" in error.message


def test_what_is_refused_says_what_to_do(matrix: Matrix) -> None:
    def refused(**changes: Any) -> tuple[str, str]:
        with (run := Run(channel_of(matrix, **changes))).http:
            error = run.failure(digest(State.FAILURE))
        assert not error.passing
        assert matrix.token not in error.message
        return error.message, error.hint

    outside, wrong = refused(token=Secret(matrix.outsider)), refused(token=Secret("syt_nobody"))
    elsewhere = refused(channel="!nowhere:matrix.test")
    assert "M_FORBIDDEN" in outside[0]
    assert "Invite the user" in outside[1]
    assert "M_UNKNOWN_TOKEN" in wrong[0]
    assert "access token" in wrong[1]
    assert "M_FORBIDDEN" in elsewhere[0]
    matrix.remove()
    assert "Invite the user" in refused()[1]
    assert matrix.messages() == []


def test_an_address_that_is_no_homeservers_says_so(matrix: Matrix) -> None:
    channel = structs.replace(channel_of(matrix), address=Secret(f"{matrix.url}/elsewhere"))
    with (run := Run(channel)).http:
        error = run.failure(digest(State.FAILURE))

    assert "404" in error.message
    assert "homeserver" in error.hint


def test_everything_that_happens_is_told_from_a_manifest(
    matrix: Matrix,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rollout = Rollout(
        tmp_path, monkeypatch, {"token": matrix.token}, type="matrix", address=matrix.url, channel=matrix.room
    )
    rollout.all_situations()

    failed, recovered, waiting = (said for said in matrix.messages() if not said.thread)
    (answer,) = (said for said in matrix.messages() if said.thread)
    assert failed.edited
    assert "failed on" in failed.body
    assert answer.thread == failed.id
    assert "Health check failed" in answer.body
    assert answer.content["msgtype"] == "m.text"
    assert "is live" in recovered.body
    assert "waits for flux-system/infra" in waiting.body
    assert [said.content["msgtype"] for said in (recovered, waiting)] == ["m.notice", "m.notice"]
    for said in matrix.messages():
        assert Markup(said.html).problems == []
        assert said.content["m.mentions"] == {}
        assert matrix.token not in json.dumps(said.content)


def test_a_name_of_a_room_is_refused_before_anything_is_sent(
    matrix: Matrix,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rollout = Rollout(
        tmp_path, monkeypatch, {"token": matrix.token}, type="matrix", address=matrix.url, channel=matrix.room_alias
    )

    assert rollout.report(APP.fetched(MAIN_A), APP.live(MAIN_A, since=300)) == 2
    shown = capsys.readouterr()
    assert "spec.channel" in shown.err
    assert "not its id" in shown.err
    assert matrix.events()[-1]["type"] != "m.room.message"
