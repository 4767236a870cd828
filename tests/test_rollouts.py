"""What a channel that can edit is told."""

from __future__ import annotations

from typing import Any

import pytest
from runs import FAILED, LIVE, RUNNING, Runs, alert, bot, hook, look, one
from values import MAIN_A, MAIN_B, MAIN_C, NOW, A, B, C, cluster, git, k, ready

from landed.model import Look, ObjectRef, Snapshot, State
from landed.outcomes import judge


def test_one_message_follows_a_commit_from_reconciling_to_live() -> None:
    runs = Runs(bot())
    (posted,) = runs.digests(one(**RUNNING))
    assert (posted.handle, posted.reply, posted.stories[0].state) == ("", False, State.PENDING)
    assert runs.digests(one(**RUNNING)) == []
    (edited,) = runs.digests(one(**LIVE))
    assert (edited.handle, edited.about, edited.stories[0].state) == ("m1", posted.about, State.SUCCESS)
    assert runs.digests(one(**LIVE)) == []


def test_a_failure_is_answered_in_the_thread_and_so_is_its_end() -> None:
    runs = Runs(bot())
    runs.see(one(**RUNNING))
    failed, reply = runs.digests(one(**FAILED))
    assert (failed.handle, failed.reply) == ("m1", False)
    assert (reply.handle, reply.reply, reply.about) == ("m1", True, failed.about)
    assert runs.digests(one(**FAILED)) == []
    live, recovered = runs.digests(one(**LIVE), seconds=700)
    assert (live.reply, recovered.reply, recovered.stories[0].broken_for) == (False, True, 760)
    assert runs.digests(one(**LIVE)) == []


def test_without_threads_a_new_message_about_a_failure_says_it_once() -> None:
    runs = Runs(bot(threads=False))
    (posted,) = runs.digests(one(**FAILED))
    assert not posted.reply
    assert runs.digests(one(**FAILED)) == []


def test_without_threads_an_edit_that_nobody_notices_is_answered_beside() -> None:
    runs = Runs(bot(threads=False))
    runs.see(one(**RUNNING))
    assert [digest.reply for digest in runs.digests(one(**FAILED))] == [False, True]


def test_a_reply_that_was_lost_is_sent_alone() -> None:
    runs = Runs(bot())
    runs.see(one(**FAILED))
    lines = runs.told.destinations["Alert apps/ops"]
    del lines[next(line for line in lines if line.endswith(" replies"))]
    (reply,) = runs.digests(one(**FAILED))
    assert (reply.reply, reply.handle) == (True, "m1")


def test_what_was_live_before_a_channel_was_served_is_nobodys_news() -> None:
    runs = Runs(bot(), served=False)
    assert runs.digests(one(**LIVE)) == []
    assert runs.digests(one(**LIVE)) == []
    assert Runs(bot(), served=False).states(one(**FAILED)) == [State.FAILURE, State.FAILURE]


def test_one_message_for_all_clusters_of_a_run() -> None:
    runs = Runs(bot())
    (posted,) = runs.digests(look(k(**RUNNING), name="eu"), look(k(**LIVE), name="us"))
    assert [story.outcome.cluster for story in posted.stories] == ["eu", "us"]
    (edited,) = runs.digests(look(k(**LIVE), name="eu"), look(k(**LIVE), name="us"))
    assert (edited.handle, len(edited.stories)) == ("m1", 2)


def test_a_cluster_that_cannot_be_read_changes_nothing_and_is_named() -> None:
    runs = Runs(bot())
    runs.see(look(k(**RUNNING), name="eu"), look(k(**LIVE), name="us"))
    gone = Look("us", error="no answer")
    assert runs.digests(look(k(**RUNNING), name="eu"), gone) == []
    (edited,) = runs.digests(look(k(**LIVE), name="eu"), gone)
    assert edited.unread == ("us",)


def test_a_message_that_waits_for_ever_is_ended() -> None:
    runs = Runs(bot())
    runs.see(one(**RUNNING))
    moved = look(k(applied=MAIN_C, attempted=MAIN_C), revision=MAIN_C)
    digests = runs.digests(moved)
    left = next(d for d in digests if d.handle == "m1")
    assert left.stories[0].state is State.SUPERSEDED
    assert left.stories[0].superseded_by == MAIN_C
    assert runs.digests(moved) == []


def test_a_commit_that_comes_back_gets_a_new_message() -> None:
    runs = Runs(bot())
    runs.see(one(**LIVE))
    runs.see(look(k(applied=MAIN_C, attempted=MAIN_C), revision=MAIN_C))
    (again,) = runs.digests(one(**LIVE))
    assert again.handle == ""
    assert again.stories[0].rolled_back_from == C


def test_a_failure_that_goes_on_with_the_next_commit_says_since_when() -> None:
    runs = Runs(hook())
    runs.see(one(**FAILED))
    worse = look(k(ready=ready("False", "BuildFailed", "no"), attempted=MAIN_C), revision=MAIN_C)
    (digest,) = runs.digests(worse)
    assert digest.stories[0].failing_since == B
    (over,) = runs.digests(look(k(applied=MAIN_C, attempted=MAIN_C), revision=MAIN_C), seconds=600)
    assert over.stories[0].broken_for == 660


def two(
    web: dict[str, Any], api: dict[str, Any], *, main: str = MAIN_B, release: str = MAIN_A, **settings: Any
) -> Look:
    """Two branches of one repository: ``web`` follows main, ``api`` follows release."""
    other = ObjectRef("GitRepository", "flux-system", "release")
    objects = (
        k("web", **web),
        k("api", source=other, **api),
        git(main),
        git(release.replace("main@", "release@"), ref=other, pointer="branch=release"),
    )
    return judge(cluster(*objects), now=NOW, details=True, **settings)


def at(revision: str, **changes: Any) -> dict[str, Any]:
    return {"applied": revision, "attempted": revision} | changes


def bad(revision: str, reason: str = "HealthCheckFailed") -> dict[str, Any]:
    return {"ready": ready("False", reason, "timeout"), "attempted": revision}


RELEASE_A = MAIN_A.replace("main@", "release@")


@pytest.mark.parametrize("to", [hook(), bot()])
def test_a_failure_on_one_branch_is_not_over_because_of_another(to: Any) -> None:
    runs = Runs(to)
    runs.see(two(at(MAIN_B), bad(RELEASE_A)))
    stories = runs.stories(two(at(MAIN_C), bad(RELEASE_A), main=MAIN_C))
    assert [(s.outcome.commit, s.state, s.broken_for) for s in stories] == [(C, State.SUCCESS, 0)]
    worse = runs.stories(two(bad(MAIN_B), bad(RELEASE_A), main=MAIN_B))
    assert {(s.outcome.commit, s.state, s.failing_since) for s in worse} == {(B, State.FAILURE, "")}
    over = runs.stories(two(at(MAIN_B), at(RELEASE_A), main=MAIN_B))
    assert {s.outcome.commit for s in over if s.broken_for} == {A, B}


def test_errors_only_is_not_told_of_another_branch() -> None:
    runs = Runs(hook(alert(severity="error")))
    runs.see(two(at(MAIN_B), bad(RELEASE_A)))
    assert runs.states(two(at(MAIN_C), bad(RELEASE_A), main=MAIN_C)) == []


def test_a_return_on_one_branch_names_the_commit_that_it_replaces() -> None:
    runs = Runs(hook())
    for web, api in (
        (at(MAIN_B), RELEASE_A),
        (at(MAIN_C), RELEASE_A),
        (at(MAIN_C), MAIN_C.replace("main@sha1:3", "release@sha1:4")),
    ):
        runs.see(two(web, at(api), main=web["applied"], release=api))
    back = runs.stories(two(at(MAIN_B), at(api), main=MAIN_B, release=api))
    assert [(s.outcome.commit, s.rolled_back_from) for s in back] == [(B, C)]


def test_a_return_that_was_seen_on_its_way_says_so_when_it_is_live() -> None:
    runs = Runs(bot())
    runs.see(one(**LIVE))
    runs.see(look(k(**at(MAIN_C)), revision=MAIN_C))
    (posted,) = runs.digests(look(k(**at(MAIN_C)), revision=MAIN_B))
    assert (posted.handle, posted.stories[0].state) == ("", State.PENDING)
    assert runs.digests(look(k(**at(MAIN_C)), revision=MAIN_B)) == []
    (live,) = runs.digests(one(**LIVE))
    assert (live.handle, live.stories[0].rolled_back_from) == ("m3", C)
    assert runs.digests(one(**LIVE)) == []


def test_what_came_and_went_has_a_result_and_was_not_superseded() -> None:
    for to in (bot(), hook()):
        runs = Runs(to)
        runs.see(one(**RUNNING))
        history = (Snapshot(MAIN_B, "", "ReconciliationSucceeded", NOW),)
        later = judge(cluster(k(history=history, **at(MAIN_C)), git(MAIN_C)), now=NOW, since=NOW - 50, details=True)
        told = [(s.outcome.commit, s.state) for s in runs.stories(later)]
        assert (B, State.SUPERSEDED) not in told
        assert told == [(B, State.SUCCESS), (C, State.SUCCESS)]
        assert runs.stories(later) == []


def test_what_is_ended_for_one_cluster_does_not_hide_how_it_stands_on_another() -> None:
    runs = Runs(bot())
    runs.see(look(k(**RUNNING), name="eu"), look(k(**RUNNING), name="us"))
    digests = runs.digests(look(k(**at(MAIN_C)), revision=MAIN_C, name="eu"), look(k(**FAILED), name="us"))
    edits = [d for d in digests if d.handle == "m1" and not d.reply]
    assert [{(s.outcome.cluster, s.state) for s in d.stories} for d in edits] == [
        {("eu", State.SUPERSEDED), ("us", State.FAILURE)}
    ]
    again = look(k(**at(MAIN_C)), revision=MAIN_C, name="eu"), look(k(**FAILED), name="us")
    assert runs.digests(*again) == []


def test_a_message_that_was_posted_anew_is_the_one_that_is_edited() -> None:
    """Somebody deleted it: what was acknowledged last knows where it is now."""
    runs = Runs(bot())
    runs.see(look(k(**RUNNING), name="eu"), look(k(**RUNNING), name="us"))
    runs.see(look(k(**RUNNING), name="eu"), look(k(**LIVE), name="us"))
    for line, entries in runs.told.destinations[runs.to.name].items():
        if line.startswith("us "):
            entries[-1].handle = "m2"
    (edit,) = runs.digests(look(k(**LIVE), name="eu"), look(k(**LIVE), name="us"))
    assert edit.handle == "m2"


def test_a_commit_that_failed_and_comes_back_live_says_so_once() -> None:
    runs = Runs(bot())
    runs.see(one(**FAILED))
    runs.see(look(k(**at(MAIN_C)), revision=MAIN_C))
    (live,) = runs.digests(one(**LIVE))
    assert (live.handle, live.reply) == ("", False)
    assert runs.digests(one(**LIVE)) == []


def test_a_success_that_came_and_went_ends_how_long_it_has_failed() -> None:
    runs = Runs(hook())
    runs.see(one(**bad(MAIN_A)))
    history = (Snapshot(MAIN_B, "", "ReconciliationSucceeded", NOW),)
    later = judge(cluster(k(history=history, **bad(MAIN_C)), git(MAIN_C)), now=NOW, since=NOW - 50, details=True)
    assert [(s.outcome.commit, s.failing_since) for s in runs.stories(later)] == [(B, ""), (C, "")]


def test_retries_of_what_failed_are_silent() -> None:
    for to in (bot(), hook(), bot(threads=False)):
        runs = Runs(to)
        runs.see(one(**RUNNING))
        assert runs.states(one(**FAILED))
        for _ in range(3):
            assert runs.digests(one(**RUNNING)) == []
            assert runs.digests(one(**FAILED)) == []


def test_more_branches_than_a_line_remembers_are_told_once_each() -> None:
    def branches(number: int) -> Look:
        objects: list[Any] = []
        for n in range(number):
            ref = ObjectRef("GitRepository", "flux-system", f"b{n:02}")
            revision = f"b{n:02}@sha1:{n:040x}"
            objects += [k(f"web-{n:02}", source=ref, **at(revision)), git(revision, ref=ref, pointer=f"branch=b{n}")]
        return judge(cluster(*objects), now=NOW, details=True)

    for to in (bot(), hook()):
        runs = Runs(to)
        assert len(runs.stories(branches(14))) == 14
        assert runs.stories(branches(14)) == []
        assert len(runs.stories(branches(15))) == 1
        assert runs.stories(branches(15)) == []


def test_a_message_that_waited_for_what_came_and_went_is_edited() -> None:
    runs = Runs(bot())
    runs.see(one(**RUNNING))
    for entries in runs.told.destinations[runs.to.name].values():
        entries[-1].past = True
    history = (Snapshot(MAIN_B, "", "HealthCheckFailed", NOW),)
    later = judge(cluster(k(history=history, **at(MAIN_C)), git(MAIN_C)), now=NOW, since=NOW - 50, details=True)
    told = [(d.handle, d.reply, d.stories[0].outcome.commit) for d in runs.digests(later)]
    assert told == [("m1", False, B), ("", False, C)]


def test_with_two_branches_nobody_says_which_commit_took_its_place() -> None:
    runs = Runs(bot())
    runs.see(two({"ready": ready("Unknown"), **at(MAIN_A), "attempted": MAIN_B}, at(RELEASE_A)))
    left = [s for s in runs.stories(two(at(MAIN_C), at(RELEASE_A), main=MAIN_C)) if s.superseded_by]
    assert [(s.outcome.commit, s.superseded_by) for s in left] == [(B, "another commit")]


def test_what_somebody_has_yet_to_leave_is_not_superseded() -> None:
    runs = Runs(bot())
    runs.see(one(**RUNNING))
    lost = look(k(**at(MAIN_A)), revision="")
    assert [s for s in runs.stories(lost) if s.superseded_by] == []


def test_a_result_stays_when_nobody_remembers_it_any_more() -> None:
    runs = Runs(bot())
    runs.see(one(**FAILED))
    runs.told.observed.clear()
    assert runs.digests(one(**RUNNING)) == []
