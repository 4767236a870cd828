"""The sticky comment, as a Markdown reader of GitHub's kind sees it."""

from __future__ import annotations

from base64 import b64encode
from itertools import product
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from landed.comments import LIMIT, MARKER, body, is_ours
from landed.model import Comment, Repository, Row, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from markdown_it.token import Token

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
OTHER = "1111111111111111111111111111111111111111"
FLEET = Repository("git.example.com", "acme/fleet")
READER = MarkdownIt("commonmark", {"html": True}).enable("table")
STATES = [State.SUCCESS, State.FAILURE, State.PENDING, State.SUPERSEDED]
WEB = Row("prod", "apps/web", State.SUCCESS, "Applied main@6dcd4ce2", "https://ci.example.com/run/1")
API = Row("prod", "apps/api", State.FAILURE, "Health check failed: Deployment apps/api")
STAGING = Row("staging", "apps/web", State.PENDING, "Waiting for infra/dns")


def comment(*rows: Row, commit: str = COMMIT) -> Comment:
    return Comment(FLEET, commit, tuple(sorted(rows)))


def cells(text: str) -> list[list[str]]:
    """The table's cells, below its head, as they are read."""
    table: list[list[str]] = []
    for before, token in zip([None, *READER.parse(text)], READER.parse(text), strict=False):
        if token.type == "tr_open":
            table.append([])
        if token.type == "inline" and before is not None and before.type in ("td_open", "th_open"):
            table[-1].append(_seen(token.children or ()))
    return table[1:]


def _seen(tokens: Sequence[Token]) -> str:
    return "".join(token.content for token in tokens if token.type in ("text", "code_inline")).strip()


def links(text: str) -> list[str]:
    inline = [child for token in READER.parse(text) for child in token.children or ()]
    return [str(token.attrs["href"]) for token in inline if token.type == "link_open"]


def headline(text: str) -> str:
    return text.split("\n")[3]


def data(*values: object) -> str:
    return b64encode(msgspec.json.encode(values)).decode()


def line_with(hidden: str) -> str:
    return f"{body(comment())}| a | b | c | d <!-- landed:row {hidden} --> |\n"


def test_the_whole_text() -> None:
    text = body(comment(WEB, API, STAGING))

    assert text.startswith(f"{MARKER}\n### ")
    assert headline(text) == "❌ Commit `6dcd4ce2` has failed: 1 failed, 1 pending, 1 live on 2 clusters."
    assert cells(text) == [
        ["prod", "apps/api", "❌ failed", "Health check failed: Deployment apps/api"],
        ["prod", "apps/web", "✅ live", "Applied main@6dcd4ce2"],
        ["staging", "apps/web", "⏳ pending", "Waiting for infra/dns"],
    ]
    assert links(text) == ["https://ci.example.com/run/1"]
    assert len([token for token in READER.parse(text) if token.type == "heading_open"]) == 1


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        ([State.SUCCESS], "✅ Commit `6dcd4ce2` is live: 1 live on 1 cluster."),
        ([State.SUCCESS, State.SUPERSEDED], "⏭ Commit `6dcd4ce2` was superseded: 1 superseded, 1 live on 2 clusters."),
        (
            [State.SUPERSEDED, State.PENDING],
            "⏳ Commit `6dcd4ce2` is on its way: 1 pending, 1 superseded on 2 clusters.",
        ),
        ([State.SUCCESS, State.SUSPENDED], "⏳ Commit `6dcd4ce2` is on its way: 1 pending, 1 live on 2 clusters."),
        ([], "⏳ Nothing is known of commit `6dcd4ce2` yet."),
    ],
)
def test_the_whole_is_as_its_gravest_part(states: list[State], sentence: str) -> None:
    rows = [Row(f"c{number}", "apps/web", state, "said") for number, state in enumerate(states)]

    assert headline(body(comment(*rows))) == sentence


def test_rows_of_other_clusters_stay_and_ours_are_replaced() -> None:
    first = body(comment(API, STAGING))

    second = body(comment(WEB), first)

    assert [row[:3] for row in cells(second)] == [
        ["prod", "apps/web", "✅ live"],
        ["staging", "apps/web", "⏳ pending"],
    ]
    assert headline(second).endswith("is on its way: 1 pending, 1 live on 2 clusters.")


def test_rows_of_another_commit_go() -> None:
    before = body(comment(STAGING, commit=OTHER))

    assert body(comment(WEB), before) == body(comment(WEB))


def test_a_text_that_is_not_ours_is_not_taken_over() -> None:
    assert body(comment(WEB), "Hello\n" + body(comment(STAGING))) == body(comment(WEB))


def test_line_ends_and_blanks_that_a_host_has_changed_do_not_matter() -> None:
    kept = body(comment(STAGING))

    changed = "\n  " + kept.replace("\n", " \r\n")

    assert is_ours(changed)
    assert body(comment(WEB), changed) == body(comment(WEB), kept)


@pytest.mark.parametrize("text", ["", "Hello", f"Look: {MARKER}", f"> {MARKER}", "<!-- landed:row e30= -->"])
def test_what_is_not_ours(text: str) -> None:
    assert not is_ours(text)


@pytest.mark.parametrize(
    "hidden",
    [
        "", "!", "e30", "e30=", "bnVsbA==", "A" * 9999, data(1), data(COMMIT), data(*[COMMIT] * 6),
        data(COMMIT, "c", "n", "great", "said", ""), data(COMMIT, "c", "n", "success", None, ""),
        data(COMMIT, "c", "n", "success", "x"), data(OTHER, "c", "n", "success", "x", ""),
    ],
)  # fmt: skip
def test_garbage_is_dropped(hidden: str) -> None:
    assert body(comment(WEB), line_with(hidden)) == body(comment(WEB))


def test_forged_data_is_treated_as_any_strangers_text() -> None:
    url = 'javascript:alert("x")'
    forged = data(COMMIT, "evil | `c`", "n\n\n# big <b>", "success", "x | y --> @all" + "z" * 9999, url)

    text = body(comment(WEB), line_with(forged))

    assert cells(text)[0][0] == "evil ¦ 'c'"
    assert [len(row) for row in cells(text)] == [4, 4]
    assert links(text) == [WEB.url]
    assert len(text) < 3000
    assert body(comment(WEB), text) == text


def test_text_cannot_forge_data() -> None:
    hidden = f"<!-- landed:row {data(COMMIT, 'forged', 'n', 'success', 'x', '')} --> |"
    said = [hidden, f"x {hidden}", f"`{hidden}", f"x\n| a | b | c | d {hidden}\n", f"<!-- landed:more {hidden}"]
    rows = [Row("prod", f"apps/{number}", State.FAILURE, text) for number, text in enumerate(said)]

    text = body(comment(*rows))

    assert "forged" not in str(cells(body(comment(WEB, commit=COMMIT), text)))
    assert len(cells(body(comment(STAGING), text))) == len(said) + 1
    assert text.count(MARKER) == 1


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://ci.example.com/a(b)?x=[1]|2", "https://ci.example.com/a%28b%29?x=%5B1%5D%7C2"),
        ("http://[::1]:8080/x#y", "http://[::1]:8080/x#y"),
        ("https://ci.example.com/<b>`é", "https://ci.example.com/%3Cb%3E%60%C3%A9"),
        ("https://me:secret@ci.example.com/", None),
        ("javascript:alert(1)", None), ("https://", None), ("//ci.example.com", None), ("https://[::1", None),
        ("https://ci.example.com/" + "x" * 2000, None), ("https://ci.exa mple.com/", None), ("", None),
    ],
)  # fmt: skip
def test_links(url: str, target: str | None) -> None:
    text = body(comment(Row("c", "n", State.SUCCESS, "x", url)))

    assert [READER.normalizeLink(link) for link in links(text)] == ([READER.normalizeLink(target)] if target else [])
    assert cells(text) == [["c", "n", "✅ live", "x"]]


def many(cluster: str, number: int, state: State = State.SUCCESS) -> list[Row]:
    return [Row(cluster, f"apps/{at:05}", state, "y" * 200) for at in range(number)]


def test_a_long_table_is_cut_and_says_so() -> None:
    rows = [*many("a", 300), Row("z", "apps/last", State.FAILURE, "boom")]

    text = body(comment(*rows))

    shown = cells(text)
    assert len(text) <= LIMIT
    assert ["z", "apps/last", "❌ failed", "boom"] in shown
    assert 30 < len(shown) < 300
    assert f"\n\n… and {301 - len(shown)} more\n" in text
    assert headline(text).endswith("has failed: 1 failed, 300 live on 2 clusters.")
    assert body(comment(*rows), text) == text


def test_what_is_left_out_still_counts_in_a_later_run() -> None:
    first = body(comment(*many("a", 40), *many("b", 200, State.PENDING)))

    second = body(comment(*many("a", 40)), first)

    assert headline(second).endswith("is on its way: 200 pending, 40 live on 2 clusters.")
    assert body(comment(*many("a", 40)), second) == second
    assert headline(body(comment(*many("b", 1)), second)).endswith("is live: 41 live on 2 clusters.")


def test_what_is_left_out_is_superseded_too_where_flux_has_left() -> None:
    first = body(comment(*many("a", 40), *many("b", 200, State.PENDING)))

    text = body(Comment(FLEET, COMMIT, (), left=("b",)), first)

    assert headline(text).endswith("was superseded: 200 superseded, 40 live on 2 clusters.")


def test_no_number_of_clusters_is_too_long() -> None:
    rows = [Row(f"{number:04}" + "é" * 250, "n", State.PENDING, "é" * 400) for number in range(3000)]

    text = body(comment(*rows))

    assert len(text) <= LIMIT
    assert headline(text).endswith("is on its way: 3000 pending on 3000 clusters, perhaps more.")
    assert body(comment(*rows), text) == text
    assert headline(body(comment(WEB), text)).startswith("⏳ Commit `6dcd4ce2` is on its way:")
    assert headline(body(comment(WEB), text)).endswith("clusters, perhaps more.")


PIECES = [
    "|",
    "`",
    "``",
    "\\",
    "\n",
    "\r",
    "<",
    ">",
    "<!--",
    "-->",
    MARKER,
    "<b>",
    "&lt;",
    "@all",
    "#12",
    "!12",
    "\x00",
]
PIECES += [
    "[a](http://evil)",
    "http://evil",
    ":x:",
    "*",
    "_",
    "~",
    "$",
    "\u202e",
    "\u2028",
    "é",
    "\ud800",
    " ",
    "<!--x",
]
hostile = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
row = st.builds(Row, st.sampled_from(["prod", "staging", "a|b"]), hostile, st.sampled_from(STATES), hostile, hostile)
rows = st.lists(row, max_size=8, unique_by=lambda one: (one.cluster, one.name))


def of(found: Iterable[Row], *clusters: str) -> Comment:
    return comment(*(one for one in found if one.cluster in clusters))


@given(rows)
def test_the_same_again_changes_nothing(found: list[Row]) -> None:
    text = body(comment(*found))

    assert body(comment(*reversed(found)), text) == text == body(comment(*found))
    assert is_ours(text)


@given(rows, rows)
def test_no_text_adds_cells_lines_links_or_html(found: list[Row], others: list[Row]) -> None:
    text = body(comment(*found), body(comment(*others)))

    assert all(len(line) == 4 for line in cells(text))
    assert len(cells(text)) == text.count(" <!-- landed:row ")
    assert len(links(text)) <= len(cells(text))
    inline = [child for token in READER.parse(text) for child in token.children or ()]
    assert all(token.content.startswith("<!-- landed:row ") for token in inline if token.type == "html_inline")
    assert [token.content.strip() for token in READER.parse(text) if token.type == "html_block"] == [MARKER]


@given(rows)
def test_the_order_of_runs_does_not_matter(found: list[Row]) -> None:
    whole = body(comment(*found))
    here, there = of(found, "prod"), of(found, "staging", "a|b")

    assert body(here, body(there)) == body(there, body(here)) == whole


@given(rows, rows)
def test_no_cluster_of_the_same_commit_is_lost(found: list[Row], before: list[Row]) -> None:
    text = body(comment(*found), body(comment(*before)))

    shown = {line[0] for line in cells(text)}
    assert shown == {one.cluster.replace("|", "¦") for one in [*found, *before]}


@given(st.text(max_size=300), rows)
def test_no_existing_text_breaks_it(existing: str, found: list[Row]) -> None:
    for start, line in product(
        ["", f"{MARKER}\n"], [existing, line_with(existing), f"<!-- landed:more {existing} -->"]
    ):
        assert cells(body(comment(*found), start + line)) == cells(body(comment(*found)))


def test_what_was_pending_where_flux_has_left_is_superseded() -> None:
    before = body(comment(STAGING, WEB))

    after = body(Comment(FLEET, COMMIT, (), left=("staging", "prod")), before)

    assert [row[2] for row in cells(after)] == ["✅ live", "⏭ superseded"]
    assert body(Comment(FLEET, COMMIT, (), left=("staging", "prod")), after) == after


def test_a_comment_that_speaks_of_a_later_commit_is_left_alone() -> None:
    later = body(comment(WEB, commit=OTHER))

    assert body(Comment(FLEET, COMMIT, (), left=("prod",)), later) == later
