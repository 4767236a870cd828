"""How a story reads."""

from __future__ import annotations

import html
from typing import Any

import pytest
from values import FLEET, MAIN_A, MAIN_B, MAIN_C, A, B

from landed.messages import Markup, Size, called, fitted, identity, message, within
from landed.model import Digest, ObjectRef, Observation, Outcome, Repository, State, Story
from landed.story import lines, title

NOWHERE = Repository("", "")


def ref(name: str, kind: str = "Kustomization") -> ObjectRef:
    return ObjectRef(kind, "apps", name)


def seen(state: State = State.FAILURE, name: str = "web", kind: str = "Kustomization", **rest: Any) -> Observation:
    settings: dict[str, Any] = {"reason": "HealthCheckFailed", "revision": MAIN_B} | rest
    return Observation(ref(name, kind), state, FLEET, B, **settings)


def waits(name: str, for_: str) -> Observation:
    return seen(State.PENDING, name, reason="DependencyNotReady", waits_for=ref(for_), message="not ready")


def outcome(*observations: Observation, commit: str = B) -> Outcome:
    return Outcome("prod", FLEET if commit else NOWHERE, commit, observations)


LIVE = seen(State.SUCCESS, reason="ReconciliationSucceeded", duration="2.5s")
BAD = seen(message="timeout waiting for: [Deployment/apps/web status: 'InProgress']")
FETCHED = seen(State.SUCCESS, "fleet", "GitRepository", reason="NewArtifact")


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        pytest.param(Story(outcome(LIVE)), "example/fleet main@ae4f281d is live on prod", id="live"),
        pytest.param(Story(outcome(BAD)), "example/fleet main@ae4f281d failed on prod", id="failed"),
        pytest.param(Story(outcome(waits("a", "b"))), "example/fleet main@ae4f281d is waiting on prod", id="waiting"),
        pytest.param(
            Story(outcome(seen(State.PENDING, begun=True))),
            "example/fleet main@ae4f281d is on its way to prod",
            id="on-its-way",
        ),
        pytest.param(
            Story(outcome(LIVE, waits("a", "b"))), "example/fleet main@ae4f281d is on its way to prod", id="partly"
        ),
        pytest.param(
            Story(outcome(FETCHED, waits("a", "b"))),
            "example/fleet main@ae4f281d is waiting on prod",
            id="fetched-waits",
        ),
        pytest.param(Story(outcome(FETCHED)), "example/fleet main@ae4f281d was fetched on prod", id="fetched"),
        pytest.param(
            Story(outcome(LIVE), rolled_back_from="f" * 40),
            "example/fleet main@ae4f281d is live on prod, rolled back from ffffffff",
            id="rollback",
        ),
        pytest.param(
            Story(outcome(seen(State.PENDING, revision="")), superseded_by=MAIN_C),
            "example/fleet ae4f281d was superseded on prod",
            id="superseded",
        ),
        pytest.param(
            Story(outcome(LIVE), flapping=(ref("web"),)),
            "example/fleet main@ae4f281d is flapping on prod",
            id="flapping",
        ),
        pytest.param(
            Story(outcome(seen(revision=""), commit="")), "Kustomization/apps/web is failing on prod", id="trouble"
        ),
        pytest.param(
            Story(outcome(seen(State.SUCCESS, revision="", message="Works again"), commit="")),
            "Kustomization/apps/web works again on prod",
            id="trouble-over",
        ),
        pytest.param(
            Story(outcome(seen(State.SUCCESS, "x", "HelmRepository", revision="sha256:" + "e" * 64), commit="")),
            "HelmRepository/apps/x holds sha256:eeeeeeee on prod",
            id="source-without-commit",
        ),
        pytest.param(
            Story(outcome(seen(State.SUSPENDED, revision=MAIN_A), commit="")),
            "Kustomization/apps/web is suspended on prod while main@6dcd4ce2 is waiting",
            id="suspended",
        ),
        pytest.param(
            Story(outcome(seen(State.STALE, "kustomize-controller", "Deployment"), seen(State.STALE, "a"), commit="")),
            "kustomize-controller is silent on prod",
            id="stale",
        ),
    ],
)
def test_title(story: Story, expected: str) -> None:
    assert title(story) == expected


def test_a_failure_reads_root_cause_first_with_the_dependants_counted() -> None:
    waiting = [waits(f"app-{n:02}", "infra" if n % 2 else "app-01") for n in range(17)]
    said = lines(Story(outcome(seen(name="aaa", message="no such file"), seen(name="infra", message="boom"), *waiting)))

    assert said == (
        "apps/infra: Health check failed: boom",
        "apps/aaa: Health check failed: no such file",
        "17 wait for apps/infra",
        "Look further: flux events -n apps --for Kustomization/infra",
    )


def test_what_a_kustomization_fails_for_comes_before_it() -> None:
    said = lines(Story(outcome(seen(name="app"), seen(name="chart", kind="HelmRelease", reason="UpgradeFailed"))))
    assert said[0].startswith("HelmRelease apps/chart")


def test_two_that_wait_for_each_other_wait_for_ever_and_are_told() -> None:
    said = lines(Story(outcome(waits("a", "b"), waits("b", "a"))))
    assert sorted(said) == ["1 waits for apps/a", "1 waits for apps/b"]


def test_a_failure_that_began_earlier_says_with_which_commit() -> None:
    assert "Failing since 6dcd4ce2." in lines(Story(outcome(BAD), failing_since=A))


def test_a_recovery_comes_first() -> None:
    assert lines(Story(outcome(LIVE), broken_for=720))[0] == "Recovered: it was broken for 12m."


def test_progress_says_how_far_it_is() -> None:
    said = lines(Story(outcome(LIVE, seen(State.PENDING, "b", message="Building"), waits("c", "b"))))
    assert said == ("1 of 3 live", "1 waits for apps/b", "apps/b: Building")


def test_few_changes_are_named_and_many_are_counted() -> None:
    few = seen(State.SUCCESS, changes=("Deployment/apps/web created", "Service/apps/old deleted"))
    many = seen(
        State.SUCCESS, changes=tuple(f"ConfigMap/apps/c{n} {'created' if n < 6 else 'deleted'}" for n in range(8))
    )

    assert lines(Story(outcome(few)))[1:] == ("Deployment/apps/web created", "Service/apps/old deleted")
    assert lines(Story(outcome(many)))[1:] == ("6 created, 2 deleted",)


def test_silence_is_told_once_for_all_that_it_hides() -> None:
    controller = seen(State.STALE, "kustomize-controller", "Deployment", message="has not looked for 1h")
    said = lines(Story(outcome(controller, seen(State.STALE, "a"), seen(State.STALE, "b"), commit="")))
    assert said == ("has not looked for 1h", "2 Kustomizations have not been looked at: apps/a, apps/b")


def test_flapping_says_what_goes_to_and_fro_and_what_fails_beside_it() -> None:
    said = lines(Story(outcome(LIVE, seen(name="other"), seen(State.SUCCESS, "third")), flapping=(ref("web"),)))
    assert "apps/web" in said[0]
    assert not [line for line in said if "Applied" in line]
    assert said[1] == "apps/other: Health check failed"
    assert len(lines(Story(outcome(seen()), flapping=(ref("web"),)))) == 3


def test_a_message_tells_the_worst_first_and_counts_what_has_no_room() -> None:
    stories = (*(Story(outcome(LIVE)) for _ in range(20)), Story(outcome(BAD)))
    told = message(Digest(stories, summary="Ops", facts=(("team", "shop"),)), most=3)

    assert told.state is State.FAILURE
    assert told.headline == "21 rollouts: 1 failed, 20 live"
    assert [passage.state for passage in told.passages] == [State.FAILURE, State.SUCCESS, State.SUCCESS]
    assert told.more == "… and 18 live"
    assert told.facts == (("summary", "Ops"), ("team", "shop"))
    assert told.notice.startswith("21 rollouts: 1 failed, 20 live; first: example/fleet")


def test_a_single_story_is_the_headline_and_its_commit_is_named() -> None:
    told = message(Digest((Story(outcome(BAD), subject="Upgrade\nignored", author="Ada"),), unread=("eu", "us")))

    assert told.alone
    assert told.headline == told.passages[0].title
    assert told.passages[0].place == "example/fleet@ae4f281d: Upgrade ignored (Ada)"
    assert told.passages[0].link == f"https://github.com/example/fleet/commit/{B}"
    assert told.notes == ("Not seen at present: eu, us",)
    assert told.notice == f"❌ {told.headline}. {told.passages[0].lines[0]}"


@pytest.mark.parametrize("limit", [1, 5, 50, 500])
def test_what_grows_when_escaped_still_fits(limit: int) -> None:
    for text in ("<& " * 400, "<", "<<"):
        assert len(fitted(text, limit, html.escape)) <= limit


def test_a_services_markup_is_around_what_is_escaped_and_cut() -> None:
    stories = (Story(outcome(BAD), subject="<s>"), Story(outcome(BAD, commit="")), Story(outcome(BAD)))
    digest = Digest(stories, summary="<s>", facts=(("", "v" * 90), ("b", "c")), unread=("<u>",))
    told = message(digest, 2)
    markup = Markup(html.escape, "*{}*".format, "[{}]({})".format)
    small = Size(2, 100, 20, 2)

    assert markup.below(told, small) == [
        "… and 1 failed",
        "*summary*: &lt;s&gt;",
        "… and 2 more",
        "Not seen at present: &lt;u&gt;",
    ]
    assert markup.below(told, Size(2, 100, 20, 3))[2] == "*–*: vvvvvvvvvvvvvvvvvvv…"
    commit, lone = told.passages
    assert markup.where(commit, Size(2, 100, 40, 2)) == f"prod · [example/fleet@ae4f281d: &lt;s&gt;]({commit.link})"
    assert markup.where(lone, small) == "prod"
    brief = Markup(html.escape, link="[{}]({})".format, longest=10)
    assert brief.where(commit, small) == "prod · example/fleet@ae4f2…"


def test_lines_that_have_no_room_are_counted() -> None:
    kept = within([f"line {n} " + "x" * 80 for n in range(10)], 300)
    assert kept[-1] == "… and 7 more"
    assert sum(len(line) + 1 for line in kept) <= 300


def test_only_a_failure_calls_somebody_and_only_by_an_id_of_the_services_form() -> None:
    told = message(
        Digest(
            (
                *(Story(outcome(BAD), mention=id_) for id_ in ("U1", "U1", "<!here>", "U1 ", "U1>", "")),
                Story(outcome(LIVE), mention="U2"),
            )
        )
    )

    assert [passage.mention for passage in told.passages] == ["U1", "U1", "<!here>", "U1", "U1>", "", ""]
    assert called(told, "U[0-9]") == ("U1",)


def test_the_users_own_words_stand_in_the_place_of_ours() -> None:
    told = message(Digest((Story(outcome(BAD), words=("a\nb", "c\u202e", "d\ud800")),)))

    assert told.headline == told.passages[0].title == "a b"
    assert told.passages[0].lines == ("c", "d?")


def test_a_message_keeps_its_identity_until_it_says_something_else() -> None:
    told = Digest((Story(outcome(BAD)),), about="half a pair: \ud800")

    assert identity(told) == identity(Digest((Story(outcome(BAD), subject="Up"),), about=told.about))
    assert identity(told) != identity(Digest((Story(outcome(seen(since=7))),), about=told.about))
    assert len(identity(told)) == 32
