"""In quiet hours channels for people hear of failures only; what was held is told after, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from runs import FAILED, LIVE, RUNNING, WAITS, Runs, bot, hook, look, one
from values import MAIN_A, MAIN_B, MAIN_C, NOW, B, C, cluster, git, k, ready

from landed.model import Destination, Digest, Look, Snapshot, State
from landed.outcomes import judge

#: The first look is a minute after NOW.
BEGIN, END = NOW - 3600, NOW + 3600


def quiet(to: Destination) -> Destination:
    return structs.replace(to, quiet=lambda now: (BEGIN, END) if now >= BEGIN else (BEGIN - 86400, END - 86400))


def night(now: int = NOW, **settings: Any) -> Look:
    """Something that happened in the night."""
    return one(**{"ready": ready(since=now), **settings})


both = pytest.mark.parametrize("to", [hook(), bot(), bot(threads=False)], ids=["hook", "bot", "bot without threads"])


@both
def test_a_success_is_held_and_told_after(to: Destination) -> None:
    runs = Runs(quiet(to))

    held = runs.see(night(**LIVE))
    assert (held.updates, held.held, len(held.notes)) == ((), True, 1)
    assert "quiet hours" in held.notes[0]
    assert runs.digests(night(**LIVE)) == []
    (told,) = runs.digests(night(**LIVE), seconds=3600)
    assert [story.state for story in told.stories] == [State.SUCCESS]
    assert runs.digests(night(**LIVE)) == []


@both
def test_a_failure_is_told_at_once(to: Destination) -> None:
    runs = Runs(quiet(to))

    due = runs.see(one(**FAILED))

    assert due.updates
    assert not due.held
    assert not runs.see(one(**FAILED)).updates


@both
def test_a_recovery_is_held_and_says_how_long_it_was_broken(to: Destination) -> None:
    runs = Runs(quiet(to))
    runs.see(one(**FAILED))
    failed = runs.now

    assert runs.digests(night(failed + 30, **LIVE)) == []
    told = runs.digests(night(failed + 30, **LIVE), seconds=3600)

    assert told
    assert {story.broken_for for digest in told for story in digest.stories} == {30}


@both
@pytest.mark.parametrize("seconds", [-30, 7200], ids=["before it was told", "after the hours"])
def test_where_it_cannot_have_been_over_then_it_is_as_long_as_nobody_knew(to: Destination, seconds: int) -> None:
    runs = Runs(quiet(to))
    runs.see(one(**FAILED))
    recovered = night(runs.now + seconds, **LIVE)

    runs.digests(recovered)
    told = runs.digests(recovered, seconds=7200)

    assert {story.broken_for for digest in told for story in digest.stories} == {7260}


@pytest.mark.parametrize("said", [RUNNING, WAITS], ids=["progress", "a dependency"])
def test_progress_is_held_too(said: dict[str, Any]) -> None:
    runs = Runs(quiet(bot()))

    assert runs.see(one(**said)).held
    assert runs.digests(one(**said), seconds=3600)


def test_a_message_that_is_there_is_not_edited_before() -> None:
    runs = Runs(quiet(bot()))
    runs.now = BEGIN - 600
    (posted,) = runs.digests(one(**RUNNING), seconds=60)
    runs.now = NOW

    assert runs.digests(night(**LIVE)) == []
    (edited,) = runs.digests(night(**LIVE), seconds=3600)
    assert (edited.about, edited.handle) == (posted.about, "m1")


def test_what_fails_on_one_cluster_is_told_with_what_is_live_on_another() -> None:
    runs = Runs(quiet(bot()))

    digests = runs.digests(look(k(**FAILED), name="eu"), look(k(**LIVE), name="us"))

    assert [story.outcome.cluster for story in digests[0].stories] == ["eu", "us"]


def test_what_was_live_before_a_channel_was_served_stays_nobodys_news() -> None:
    for to in (hook(), bot()):
        runs = Runs(quiet(to), served=False)
        assert not runs.see(night(**LIVE)).held
        assert runs.digests(night(**LIVE), seconds=3600) == []


class TestOneMessageAfter:
    """For channels with a message for each commit: several commits that came in the night are one message."""

    def came_and_went(self) -> Look:
        history = (
            Snapshot(MAIN_C, "", "ReconciliationSucceeded", NOW),
            Snapshot(MAIN_B, "", "ReconciliationSucceeded", NOW - 9),
        )
        objects = cluster(k(history=history, applied=MAIN_C, attempted=MAIN_C, ready=ready(since=NOW)), git(MAIN_C))
        return judge(objects, now=NOW, since=NOW - 50, details=True)

    def test_it_tells_all_of_them(self) -> None:
        runs = Runs(quiet(bot()))
        runs.see(one())

        assert runs.digests(self.came_and_went()) == []
        told = runs.digests(self.came_and_went(), seconds=3600)

        (digest,) = told
        assert (digest.about, digest.handle, digest.reply) == ("", "", False)
        assert {story.outcome.commit for story in digest.stories} >= {B, C}
        assert runs.digests(self.came_and_went()) == []

    def test_one_alone_gets_the_message_that_it_always_gets(self) -> None:
        runs = Runs(quiet(bot()))
        runs.see(night(applied=MAIN_A))

        (told,) = runs.digests(
            night(
                **LIVE,
            ),
            seconds=3600,
        )

        assert told.about

    def test_what_came_before_the_hours_and_was_seen_in_them_is_in_it(self) -> None:
        """As with a run that comes once an hour."""
        history = (
            Snapshot(MAIN_C, "", "ReconciliationSucceeded", NOW),
            Snapshot(MAIN_B, "", "ReconciliationSucceeded", BEGIN - 300),
        )
        objects = cluster(k(history=history, applied=MAIN_C, attempted=MAIN_C, ready=ready(since=NOW)), git(MAIN_C))
        seen = judge(objects, now=NOW, since=BEGIN - 600, details=True)
        runs = Runs(quiet(bot()))

        assert runs.digests(seen) == []
        (told,) = runs.digests(seen, seconds=3600)

        assert {story.outcome.commit for story in told.stories} == {B, C}
        assert runs.digests(seen) == []

    def test_a_channel_that_is_new_hears_of_each_failure_by_itself(self) -> None:
        objects = [
            k(name="a", attempted=MAIN_B, ready=ready("False", "BuildFailed", "bad", since=NOW)),
            k(name="b", attempted=MAIN_C, ready=ready("False", "BuildFailed", "bad", since=NOW)),
        ]
        runs = Runs(quiet(bot(threads=False)), served=False)

        told = runs.digests(look(*objects, revision=MAIN_C), seconds=3660)

        assert len({digest.about for digest in told}) == 2

    def test_what_happens_after_is_told_as_always(self) -> None:
        runs = Runs(quiet(bot()))
        runs.see(self.came_and_went())
        runs.digests(self.came_and_went(), seconds=3600)

        failed = one(
            ready=ready("False", "HealthCheckFailed", "timeout waiting", since=END + 5),
            attempted=MAIN_C,
            applied=MAIN_C,
        )
        digests = runs.digests(failed)
        assert {digest.about != "" for digest in digests} == {True}

    def test_a_message_that_is_there_is_edited_besides(self) -> None:
        runs = Runs(quiet(bot()))
        runs.now = BEGIN - 600
        runs.digests(one(**RUNNING), seconds=60)
        runs.now = NOW

        assert runs.digests(self.came_and_went()) == []
        edited, told = _by_handle(runs.digests(self.came_and_went(), seconds=3600))
        assert edited is not None
        assert told is None or told.about == ""
        assert runs.digests(self.came_and_went()) == []

    def test_a_failure_that_was_told_and_is_over_is_in_it(self) -> None:
        runs = Runs(quiet(bot()))
        runs.see(one(**FAILED))

        runs.see(self.came_and_went())
        digests = runs.digests(self.came_and_went(), seconds=3600)

        assert any(story.broken_for for digest in digests for story in digest.stories)
        assert runs.digests(self.came_and_went()) == []


class TestReplies:
    """What calls people by itself is held, too, and never lost."""

    def recovered(self) -> list[Look]:
        """What failed on eu is live again when it fails on us."""
        return [look(k(**LIVE), name="eu"), look(k(**FAILED), name="us")]

    def test_that_a_cluster_works_again_is_no_reply_before(self) -> None:
        runs = Runs(quiet(bot()))
        runs.digests(look(k(**FAILED), name="eu"), look(k(**RUNNING), name="us"))

        due = runs.see(*self.recovered())

        replies = [u.payload for u in due.updates if isinstance(u.payload, Digest) and u.payload.reply]
        assert [story.state for digest in replies for story in digest.stories] == [State.FAILURE]
        assert due.held

    def test_it_is_one_after(self) -> None:
        runs = Runs(quiet(bot()))
        runs.digests(look(k(**FAILED), name="eu"), look(k(**RUNNING), name="us"))
        runs.see(*self.recovered())

        (told,) = runs.digests(*self.recovered(), seconds=3600)

        assert (told.reply, [story.state for story in told.stories]) == (True, [State.SUCCESS])
        assert runs.digests(*self.recovered()) == []

    def test_those_that_could_not_be_given_in_the_night_are_in_the_message_after(self) -> None:
        objects = [
            k(name="a", attempted=MAIN_B, ready=ready("False", "BuildFailed", "bad", since=NOW)),
            k(name="b", attempted=MAIN_C, ready=ready("False", "BuildFailed", "bad", since=NOW)),
        ]
        night_ = look(*objects, revision=MAIN_C)
        runs = Runs(quiet(bot()))
        runs.refused = lambda update: isinstance(update.payload, Digest) and update.payload.reply
        assert len(runs.digests(night_)) == 4
        runs.refused = lambda _: False

        (told,) = runs.digests(night_, seconds=3600)

        assert {(story.outcome.commit, story.state) for story in told.stories} == {
            (B, State.FAILURE),
            (C, State.FAILURE),
        }
        assert runs.digests(night_) == []


def _by_handle(digests: list[Digest]) -> tuple[Digest | None, Digest | None]:
    return (
        next((digest for digest in digests if digest.handle), None),
        next((digest for digest in digests if not digest.handle), None),
    )
