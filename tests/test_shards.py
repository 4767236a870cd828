"""Which shard a cluster belongs to, and what ``--shard`` says."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.config.sharding import Shard, shard
from landed.errors import ConfigurationError
from landed.shards import mine, owner

names = st.text(min_size=1, max_size=40)
counts = st.integers(1, 40)


@given(names, counts)
def test_every_cluster_is_in_exactly_one_shard(name: str, of: int) -> None:
    assert [number for number in range(1, of + 1) if mine(name, number, of)] == [owner(name, of)]


@given(names, counts)
def test_a_shard_more_takes_clusters_and_moves_none_between_the_others(name: str, of: int) -> None:
    assert owner(name, of + 1) in (owner(name, of), of + 1)


@pytest.mark.parametrize("of", [2, 3, 7, 16])
def test_the_shards_are_about_equal(of: int) -> None:
    clusters = 300 * of
    sizes = Counter(owner(f"prod-{number:04}", of) for number in range(clusters))
    assert len(sizes) == of
    assert max(sizes.values()) < 1.25 * clusters / of
    assert min(sizes.values()) > 0.75 * clusters / of


def test_a_new_shard_takes_its_part_and_no_more() -> None:
    moved = sum(owner(f"c{number}", 5) != owner(f"c{number}", 4) for number in range(2000))
    assert 300 < moved < 500


@pytest.mark.parametrize(
    ("name", "of", "expected"),
    [("prod", 1, 1), ("prod", 2, 1), ("staging", 4, 4), ("prod-eu-1", 8, 8), ("arn:aws:eks:cluster/ü", 3, 2)],
)
def test_it_is_the_same_for_ever(name: str, of: int, expected: int) -> None:
    assert owner(name, of) == expected


# ── the option ──────────────────────────────────────────────────────────────────────────────────────────────────────

GITLAB = {"CI_NODE_INDEX": "3", "CI_NODE_TOTAL": "4"}


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        pytest.param("1/1", {}, Shard(1, 1), id="the only one"),
        pytest.param("2/4", {}, Shard(2, 4), id="given"),
        pytest.param(" 2 / 4 ", {}, Shard(2, 4), id="blanks"),
        pytest.param("2/4", GITLAB, Shard(2, 4), id="what is given counts"),
        pytest.param("auto", GITLAB, Shard(3, 4), id="GitLab"),
        pytest.param("AUTO", GITLAB, Shard(3, 4), id="in capitals"),
        pytest.param("auto/4", GITLAB, Shard(3, 4), id="GitLab, and both agree"),
        pytest.param("auto", {"CI_NODE_TOTAL": "1"}, Shard(1, 1), id="GitLab without parallel"),
        pytest.param("auto/4", {"JOB_COMPLETION_INDEX": "0"}, Shard(1, 4), id="the first of a Job"),
        pytest.param("auto/4", {"JOB_COMPLETION_INDEX": "3"}, Shard(4, 4), id="the last of a Job"),
        pytest.param(
            "auto/4", {"JOB_COMPLETION_INDEX": "1", "CI_NODE_TOTAL": "1"}, Shard(2, 4), id="a Job that GitLab started"
        ),
    ],
)
def test_a_shard_is_found(text: str, environ: dict[str, str], expected: Shard) -> None:
    assert shard(text, environ) == expected


@pytest.mark.parametrize(
    ("text", "environ", "says"),
    [
        pytest.param("0/4", {}, "shard 0, and there are shards 1 to 4", id="counted from 0"),
        pytest.param("5/4", {}, "shard 5, and there are shards 1 to 4", id="more than there are"),
        pytest.param("1/0", {}, "cannot be 0 shards", id="none"),
        pytest.param("1/10001", {}, "cannot be 10001 shards", id="too many"),
        pytest.param("2", {}, "not a shard", id="a number"),
        pytest.param("2/", {}, "not a shard", id="no total"),
        pytest.param("/4", {}, "not a shard", id="no index, as where a variable is empty"),
        pytest.param("2/4/6", {}, "not a shard", id="three numbers"),
        pytest.param("-1/4", {}, "not a shard", id="negative"),
        pytest.param("٢/4", {}, "not a shard", id="other digits"),
        pytest.param("auto/", GITLAB, "not a shard", id="auto of nothing"),
        pytest.param("auto", {}, "neither CI_NODE_INDEX nor JOB_COMPLETION_INDEX", id="nothing to find"),
        pytest.param("auto/4", {}, "neither CI_NODE_INDEX nor JOB_COMPLETION_INDEX", id="only the total"),
        pytest.param("auto/4", {"CI_NODE_TOTAL": "1"}, "neither", id="GitLab without parallel, and four wanted"),
        pytest.param("auto/5", GITLAB, "contradicts CI_NODE_TOTAL, which is 4", id="another total"),
        pytest.param("auto", {"JOB_COMPLETION_INDEX": "0"}, "how many there are", id="a Job without a total"),
        pytest.param("auto/2", {"JOB_COMPLETION_INDEX": "2"}, "shard 3, and there are shards 1 to 2", id="more pods"),
        pytest.param("auto", {"CI_NODE_INDEX": "1"}, "CI_NODE_TOTAL is ''", id="no total"),
        pytest.param("auto", {"CI_NODE_INDEX": "x", "CI_NODE_TOTAL": "2"}, "CI_NODE_INDEX is 'x'", id="no number"),
    ],
)
def test_what_is_no_shard_is_refused(text: str, environ: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        shard(text, environ)
    assert says in caught.value.message
    assert caught.value.hint
