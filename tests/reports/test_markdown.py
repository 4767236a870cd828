from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt
from msgspec.structs import replace
from reports.answered import FAILED, LIVE, REPORTS, UNREAD, answered, answered_of, stands
from reports.hostile import DB, FLEET, HOSTILE, NOW, REPORT, WEB, A, B, commands_in, report_of
from reports.test_commands import ANY_TEXT

from landed.model import Look, ObjectRef, Outcome, Report
from landed.reports import markdown, render
from landed.reports.interface import View

LOG = View(NOW)
OURS = {"table", "thead", "tbody", "tr", "th", "td", "h3", "p", "strong", "ul", "li", "code", "pre"}


class Page(HTMLParser):
    """What a browser would make of the page: its tags, and the text in its table cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.bare = ""
        self._code = 0
        self._in_cell = False
        self.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._code += tag == "code"
        if tag in {"td", "th"}:
            self.cells.append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"
        if tag in {"td", "th"}:
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.cells[-1] += data
        if not self._code:
            self.bare += data


def test_failures_come_first() -> None:
    headings = [line for line in render("markdown", REPORT, LOG).splitlines() if line.startswith("###")]
    assert headings == [
        "### ✗ <code>test</code> could not be read",
        "### ✗ Not delivered",
        "### ✗ Failing",
        "### ✗ <code>acme/fleet main&#64;6dcd4ce2</code> failed on <code>prod</code>",
        "### Live",
        "### Says nothing of any commit",
        "### Warnings",
    ]


def test_the_page_shows_what_there_is() -> None:
    page = Page(render("markdown", REPORT, LOG))
    assert set(page.tags) <= OURS
    at = page.cells.index("apps/web")
    assert page.cells[at - 1 : at + 3] == [
        "✗ failure", "apps/web", "HealthCheckFailed",
        "health check failed after 30s: timeout waiting for: [Deployment/apps/web]",
    ]  # fmt: skip
    assert "slack answered 404 no_service" in page.cells


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_text(text: str) -> None:
    plain, page = Page(render("markdown", report_of("plain"), LOG)), Page(render("markdown", report_of(text), LOG))
    assert set(page.tags) <= OURS
    assert len(page.cells) == len(plain.cells), "no cell more, none less"


@settings(max_examples=200)  # each one takes milliseconds
@given(ANY_TEXT)
def test_no_text_is_markup(text: str) -> None:
    printed = render("markdown", report_of(text), LOG)
    page = Page(printed)
    assert set(page.tags) <= OURS
    assert "@" not in printed, "whom a mention would call"
    assert "://" not in printed
    assert "www." not in printed
    assert commands_in(printed) == []


def test_what_a_stranger_wrote_stands_in_code_only() -> None:
    """Hosts look for mentions, issues and commits to link everywhere else."""
    page = Page(render("markdown", report_of("Fremdes"), LOG))
    assert "Fremdes" not in page.bare
    assert "Fremdes" in "".join(page.cells)


def test_what_is_live_or_gone_takes_one_line_a_commit() -> None:
    live = tuple(replace(DB, about=ObjectRef("Kustomization", "apps", f"db{n}")) for n in range(8))
    gone = replace(WEB, past=True)
    page = Page(
        render(
            "markdown",
            Report(
                (
                    Look(
                        "prod",
                        (Outcome("prod", FLEET, B, live), Outcome("prod", FLEET, A, (gone,))),
                    ),
                )
            ),
            LOG,
        )
    )
    assert page.cells == [
        "Cluster", "Commit", "Objects",
        "prod", "✓ acme/fleet main@ae4f281d", "apps/db0, apps/db1, apps/db2, apps/db3, apps/db4 and 3 more",
        "Cluster", "Commit", "Objects",
        "prod", "✗ acme/fleet main@6dcd4ce2", "apps/web",
    ]  # fmt: skip


def test_what_is_live_of_a_failed_commit_takes_one_line() -> None:
    page = Page(
        render(
            "markdown",
            Report(
                (
                    Look(
                        "prod",
                        (Outcome("prod", FLEET, A, (WEB, DB)),),
                    ),
                )
            ),
            LOG,
        )
    )
    assert page.cells[-4:] == ["✓ success", "apps/db", "", ""]


def test_a_long_message_is_cut() -> None:
    long = replace(WEB, message="word " * 1000)
    (cell,) = [
        cell
        for cell in Page(render("markdown", Report((Look("prod", (Outcome("prod", FLEET, A, (long,)),)),)), LOG)).cells
        if cell.startswith("word")
    ]
    assert len(cell) <= markdown.MOST_OF_A_MESSAGE
    assert cell.endswith("…")


def _large(objects: int) -> Report:
    observations = tuple(
        replace(WEB, about=ObjectRef("Kustomization", "apps", f"web{n}"), message="<>" * 400) for n in range(objects)
    )
    return Report((Look("prod", (Outcome("prod", FLEET, A, observations),)),))


@pytest.mark.parametrize("most", [2_000, 50_000])
def test_a_large_report_is_cut_between_lines_and_says_so(most: int) -> None:
    printed = markdown.within(_large(200), most)
    assert most - 5_000 < len(printed.encode()) <= most
    assert printed.splitlines()[-1].startswith("**Cut here: ")
    assert set(Page(printed).tags) <= OURS


def test_the_whole_is_never_more_than_the_runner_takes() -> None:
    assert 990_000 < len(render("markdown", _large(2000), LOG).encode()) <= 1_000_000


# ── the answer ──────────────────────────────────────────────────────────────────────────────────────────────────────


def headings(report: Report) -> list[str]:
    return [line for line in render("markdown", report, LOG).splitlines() if line.startswith("###")]


def test_the_answer_comes_first_then_what_is_missing_and_why() -> None:
    assert headings(FAILED) == [
        "### ✗ <code>6dcd4ce2 failed on prod&#58; apps/web</code>",
        "### ✗ Not live",
        "### ✗ Why: <code>apps/web</code> on <code>prod</code>",
        "### Objects",
        "### Dependencies on <code>prod</code>",
    ]
    assert headings(LIVE)[0].startswith("### ✓ <code>6dcd4ce2 is live")
    assert headings(UNREAD)[1] == "### ✗ <code>test</code> could not be read"


def test_clusters_and_objects_make_one_table() -> None:
    page = Page(render("markdown", LIVE, LOG))
    assert page.cells == [
        "Object", "prod", "test",
        "HelmRelease apps/chart", "✓ live", "",
        "apps/db", "✓ live 13.1s", "",
        "apps/web", "✓ live 13.1s", "✓ live 13.1s",
    ]  # fmt: skip


def test_many_clusters_are_summed_up() -> None:
    many = answered(*(stands("web", "live" if n else "failed", f"c{n}") for n in range(9)))
    assert "\n| Cluster | <code>failed</code> | <code>live</code> |\n" in render("markdown", many, LOG)
    cells = Page(render("markdown", many, LOG)).cells
    assert cells[-27:][:6] == ["c0", "1", "", "c1", "", "1"]


def test_a_log_stands_in_a_block_of_its_own() -> None:
    printed = render("markdown", FAILED, LOG)
    assert "\n<pre>starting\n&#58; &#58;error&#58;&#58;x\n</pre>\n" in printed
    assert set(Page(printed).tags) <= OURS


def test_the_dependencies_are_drawn() -> None:
    assert "\n```mermaid\nflowchart LR\n" in render("markdown", FAILED, LOG)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_text_in_an_answer_too(text: str) -> None:
    text = f"x{text}"
    plain, page = Page(render("markdown", answered_of("x"), LOG)), Page(render("markdown", answered_of(text), LOG))
    assert set(page.tags) <= OURS
    assert len(page.cells) == len(plain.cells)


@settings(max_examples=100)
@given(ANY_TEXT)
def test_no_text_is_markup_in_an_answer(text: str) -> None:
    printed = render("markdown", answered_of(text), LOG)
    assert set(Page(printed).tags) <= OURS
    assert "@" not in printed
    assert "://" not in printed
    assert "www." not in printed
    assert commands_in(printed) == []


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_an_answer_is_cut_to_the_room_there_is(report: Report) -> None:
    for most in (500, 1500):
        assert len(markdown.within(report, most).encode()) <= most
