from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.model import Mark
from landed.told import COMMITS_PER_LINE, Entry, Intent, Told, merge, prune

LINE = "acme/fleet flux/prod/apps/web"


def mark(commit: str, fingerprint: str = "success", *current: str) -> Mark:
    return Mark(LINE, commit, fingerprint, current or (commit,))


def entries(told: Told, destination: str = "github.com", line: str = LINE) -> list[Entry]:
    return told.destinations.get(destination, {}).get(line, [])


def holding(*held: Entry) -> Told:
    return Told({"github.com": {LINE: list(held)}})


# ── recording ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_ledgers_share_nothing() -> None:
    Told().serve("slack")
    assert not Told().knows("slack")


def test_a_destination_is_new_once() -> None:
    told = Told()
    assert not told.knows("slack")
    assert told.serve("slack")
    assert not told.serve("slack")
    assert told.knows("slack")


def test_what_was_recorded_is_found_by_commit_and_as_the_latest() -> None:
    told = Told()
    told.record("github.com", mark("a"), 1, handle="17")
    told.record("github.com", mark("b", "failure HealthCheckFailed"), 2)
    assert told.entry("github.com", LINE, "a") == Entry("a", "success", 1, "17", past=True)
    latest = told.latest("github.com", LINE)
    assert latest == Entry("b", "failure HealthCheckFailed", 2)
    assert latest.state == "failure"
    assert told.entry("github.com", LINE, "c") is None
    assert told.entry("slack", LINE, "a") is None
    assert told.latest("github.com", "another line") is None


def test_a_commit_is_held_once_per_line_and_moves_to_the_end() -> None:
    told = Told()
    for when, commit in enumerate("aba"):
        told.record("github.com", mark(commit, "pending"), when)
    assert [(e.commit, e.when) for e in entries(told)] == [("b", 1), ("a", 2)]


@pytest.mark.parametrize(
    ("told_next", "past"),
    [
        pytest.param(mark("b", "success", "b"), True, id="a result of another commit: the first is past"),
        pytest.param(mark("b", "failure X", "b"), True, id="a failure is a result, too"),
        pytest.param(mark("b", "pending", "b"), False, id="pending settles nothing"),
        pytest.param(mark("b", "success", "a", "b"), False, id="both are current"),
    ],
)
def test_another_commit_becomes_past_when_a_result_is_told_and_it_is_gone(told_next: Mark, past: bool) -> None:
    told = Told()
    told.record("github.com", mark("a"), 1)
    told.record("github.com", told_next, 2)
    assert entries(told)[0].past is past


def test_coming_back_clears_the_past() -> None:
    told = Told()
    for when, commit in enumerate("aba"):
        told.record("github.com", mark(commit), when)
    assert [(e.commit, e.past) for e in entries(told)] == [("b", True), ("a", False)]


def test_what_came_and_went_unseen_is_past_from_the_start() -> None:
    told = Told()
    told.record("github.com", mark("b", "success", "b"), 1)
    told.record("github.com", mark("a", "success", "b"), 1)
    assert [(e.commit, e.past) for e in entries(told)] == [("b", False), ("a", True)]


def test_a_line_forgets_its_oldest_commits() -> None:
    told = Told()
    for when in range(COMMITS_PER_LINE + 5):
        told.record("github.com", mark(f"c{when}"), when)
    assert [e.commit for e in entries(told)] == [f"c{n}" for n in range(5, COMMITS_PER_LINE + 5)]


def test_a_line_never_forgets_a_commit_that_is_current() -> None:
    told = Told()
    previews = tuple(f"preview{n}" for n in range(3 * COMMITS_PER_LINE))
    for when in range(COMMITS_PER_LINE):
        told.record("github.com", mark(f"old{when}"), when)
    for commit in previews:
        told.record("github.com", Mark(LINE, commit, "success", previews), 100)
    assert tuple(e.commit for e in entries(told)) == previews


def test_intents_are_kept_until_they_are_settled() -> None:
    told = Told()
    told.begin([Intent("slack", LINE, "b"), Intent("slack", LINE, "a")])
    assert [intent.commit for intent in told.begun] == ["a", "b"]
    told.settle(["slack"])
    assert [intent.commit for intent in told.begun] == ["a", "b"]
    told.settle(["pagerduty"])
    assert told.begun == []


# ── merging ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("a", "b", "merged"),
    [
        pytest.param([], [Entry("a", "success", 1)], [Entry("a", "success", 1)], id="one side is empty"),
        pytest.param(
            [Entry("a", "success", 1)],
            [Entry("b", "success", 2)],
            [Entry("a", "success", 1), Entry("b", "success", 2)],
            id="each knows another commit",
        ),
        pytest.param(
            [Entry("a", "failure X", 1)], [Entry("a", "success", 2)], [Entry("a", "success", 2)], id="the newer stands"
        ),
        pytest.param(
            [Entry("a", "pending", 1)], [Entry("a", "failure X", 1)], [Entry("a", "failure X", 1)],
            id="a result comes after pending",
        ),
        pytest.param(
            [Entry("a", "success", 1, past=True)], [Entry("a", "success", 1)], [Entry("a", "success", 1, past=True)],
            id="what is past in one view is past",
        ),
        pytest.param(
            [Entry("a", "success", 1, past=True)], [Entry("a", "success", 2)], [Entry("a", "success", 2)],
            id="told again since",
        ),
        pytest.param(
            [Entry("a", "success", 1)], [Entry("a", "success", 1, "17")], [Entry("a", "success", 1, "17")],
            id="a handle is not lost",
        ),
        pytest.param(
            [Entry("b", "success", 1), Entry("a", "success", 1)],
            [Entry("z", "success", 1), Entry("b", "success", 1), Entry("a", "success", 1)],
            [Entry("z", "success", 1), Entry("b", "success", 1), Entry("a", "success", 1)],
            id="the order of one second is kept",
        ),
    ],
)  # fmt: skip
def test_two_lines_are_merged(a: list[Entry], b: list[Entry], merged: list[Entry]) -> None:
    assert entries(merge(holding(*a), holding(*b))) == merged
    assert entries(merge(holding(*b), holding(*a))) == merged


def test_destinations_stay_even_if_nothing_was_told_there() -> None:
    assert merge(Told({"slack": {}}), Told({"github.com": {}})).destinations.keys() == {"slack", "github.com"}


def test_seen_is_the_lower_figure_and_intents_are_joined() -> None:
    a = Told(seen={"prod": 5, "test": 1}, begun=[Intent("slack", LINE, "a")])
    b = Told(seen={"prod": 3}, begun=[Intent("slack", LINE, "a"), Intent("slack", LINE, "b")])
    merged = merge(a, b)
    assert merged.seen == {"prod": 3, "test": 1}
    assert [intent.commit for intent in merged.begun] == ["a", "b"]


def test_a_merged_line_is_no_longer_than_any_other() -> None:
    a = holding(*(Entry(f"a{n}", "success", n, past=True) for n in range(COMMITS_PER_LINE)))
    b = holding(*(Entry(f"b{n}", "success", n + 100, past=True) for n in range(COMMITS_PER_LINE)))
    assert entries(merge(a, b)) == entries(b)


_names = st.sampled_from(["x", "y", "z"])
_entry = st.builds(
    Entry,
    _names,
    st.sampled_from(["success", "failure A", "failure B", "pending"]),
    st.integers(0, 3),
    st.sampled_from(["", "17"]),
    st.booleans(),
)


def _in_time(line: list[Entry]) -> list[Entry]:
    return sorted(line, key=lambda entry: entry.when)


_line = st.lists(_entry, max_size=4, unique_by=lambda entry: entry.commit).map(_in_time)
_told = st.builds(
    Told,
    st.dictionaries(_names, st.dictionaries(_names, _line, max_size=2), max_size=2),
    st.dictionaries(_names, st.integers(0, 3)),
    st.lists(st.builds(Intent, _names, _names, _names), unique=True).map(sorted),
)


@given(_told, _told)
def test_a_merge_changes_neither_and_does_not_care_for_order(a: Told, b: Told) -> None:
    before = deepcopy((a, b))
    assert merge(a, b) == merge(b, a)
    assert (a, b) == before


@given(_told)
def test_a_merge_with_itself_or_nothing_says_the_same(a: Told) -> None:
    assert merge(a, a) == a
    assert merge(a, Told()) == a


@given(_told, _told)
def test_a_merge_erases_nothing_that_was_delivered(a: Told, b: Told) -> None:
    merged = merge(a, b)
    for one in (a, b):
        for destination, lines in one.destinations.items():
            assert merged.knows(destination)
            for line, held in lines.items():
                for entry in held:
                    kept = merged.entry(destination, line, entry.commit)
                    assert kept is not None
                    assert kept.when >= entry.when
    assert {*a.begun, *b.begun} == set(merged.begun)


@given(_told, _told, _told)
def test_three_ledgers_merge_to_the_same_acknowledgements_in_any_order(a: Told, b: Told, c: Told) -> None:
    def acknowledged(told: Told) -> set[tuple[str, str, str, str, int]]:
        return {
            (destination, line, e.commit, e.fingerprint, e.when)
            for destination, lines in told.destinations.items()
            for line, held in lines.items()
            for e in held
        }

    assert acknowledged(merge(merge(a, b), c)) == acknowledged(merge(a, merge(b, c)))


# ── pruning ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_past_leaves_first_then_what_is_older_then_the_newest_of_a_line() -> None:
    told = Told(
        {
            "github.com": {
                "one": [Entry("gone", "success", 5, past=True), Entry("a", "success", 6)],
                "two": [Entry("b", "success", 1), Entry("c", "success", 2)],
            },
            "slack": {},
        }
    )
    left = [
        [e.commit for lines in prune(told, most).destinations.values() for line in lines.values() for e in line]
        for most in range(5)
    ]
    assert left == [[], ["a"], ["a", "c"], ["a", "b", "c"], ["gone", "a", "b", "c"]]
    assert prune(told, 0).destinations == {"github.com": {}, "slack": {}}


def test_nothing_to_prune_is_the_same_value() -> None:
    told = holding(Entry("a", "success", 1))
    assert prune(told, 1) is told


@given(_told, st.integers(0, 12))
def test_pruning_keeps_the_newest_of_every_line_as_long_as_there_is_room(told: Told, most: int) -> None:
    before = deepcopy(told)
    pruned = prune(told, most)
    assert told == before
    assert pruned.count() == min(most, told.count())
    lines = [(d, line) for d, held in told.destinations.items() for line, entries in held.items() if entries]
    if len(lines) <= most:
        for destination, line in lines:
            assert pruned.latest(destination, line) == told.latest(destination, line)
    assert pruned.destinations.keys() == told.destinations.keys()
    assert (pruned.seen, pruned.begun) == (told.seen, told.begun)


def test_a_handle_stays_until_there_is_another() -> None:
    told = Told()
    told.record("github.com", Mark("acme/fleet prod", "a", "pending"), 1, handle="17")
    told.record("github.com", Mark("acme/fleet prod", "a", "success"), 2)

    entry = told.entry("github.com", "acme/fleet prod", "a")

    assert entry is not None
    assert (entry.fingerprint, entry.handle) == ("success", "17")


def test_a_result_is_remembered_for_its_commit() -> None:
    told = Told()

    assert told.observe("prod Kustomization/apps/web", "a success")
    assert not told.observe("prod Kustomization/apps/web", "a success")
    assert told.remembered("prod Kustomization/apps/web", "a") == "success"
    assert told.remembered("prod Kustomization/apps/web", "b") == ""


def test_where_two_remember_different_results_neither_is_believed() -> None:
    a, b = Told(observed={"x": "1 success", "y": "1 success"}), Told(observed={"x": "1 failure F", "z": "2 success"})

    assert merge(a, b).observed == merge(b, a).observed == {"y": "1 success", "z": "2 success"}


def test_what_is_remembered_is_pruned_too_oldest_first() -> None:
    told = Told()
    for number in range(9):
        told.observe(f"line {number}", "1 success")

    assert list(prune(told, 3).observed) == ["line 6", "line 7", "line 8"]
