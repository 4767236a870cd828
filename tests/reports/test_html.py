from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from msgspec import structs
from reports.hostile import GONE, HOSTILE, NOTHING, NOW, OBEYED, REPORT, A, B, commands_in, report_of
from reports.pages import (
    Page,
    answer,
    everything,
    ks,
    look,
    page,
    ref,
    rows,
    snapshot,
    stands,
    text,
)
from reports.test_commands import ANY_TEXT

from landed.model import (
    Answer,
    CommitStatus,
    Condition,
    Culprit,
    Delivery,
    Explanation,
    HelmRelease,
    Look,
    ObjectRef,
    Outcome,
    PodTrouble,
    Report,
    Repository,
    State,
    Update,
    Verdict,
)
from landed.reports import html, render
from landed.reports.html import matrix
from landed.reports.interface import View

LOG = View(NOW)
CULPRIT = Culprit(
    ObjectRef("Deployment", "apps", "web"),
    "InProgress",
    ("Progressing: ProgressDeadlineExceeded",),
    (PodTrouble("web-1", "main", "CrashLoopBackOff", "back-off", 5, ("INFO  one", "FATAL two")),),
    ("BackOff: restarting",),
)
EXPLAINED = Explanation(
    "prod", ref("web"), "HealthCheckFailed", "main of web-1 crashes", (CULPRIT,), (ref("api"),), "apps/web",
    "kubectl -n apps logs web-1", ("get pods/log in apps",),
)  # fmt: skip
FLEET = (
    look(
        "prod",
        ks("db", history=(snapshot(A, "ReconciliationSucceeded", 3600, 60, 6),)),
        ks("web", "db", state="False", message="timeout waiting for: [Deployment/apps/web]",
           history=(snapshot(A, "HealthCheckFailed", 90, 90), snapshot(B, "ReconciliationSucceeded", 9000, 4000, 3))),
        ks("api", "web", "gone", state="False", reason="DependencyNotReady",
           message="dependency 'apps/web' is not ready"),
        ks("old", suspended=True),
    ),
    look("test", ks("db"), ks("web")),
    Look("edge", error="The cluster edge could not be read: it timed out.", hint="Is it up?"),
)  # fmt: skip
REPORTS = {
    "report": REPORT,
    "nothing": NOTHING,
    "fleet": Report(FLEET),
    "explained": Report(FLEET, explanations=(EXPLAINED,)),
    "live": Report(
        (FLEET[1],), answer=answer(Verdict.LIVE, stands("db", "live", "test"), stands("web", "live", "test"))
    ),
    "failed": Report(FLEET, answer=answer(Verdict.FAILED, stands("web", "failed"), stands("api", "waiting"))),
    "everything": everything("x"),
    "hostile": everything('<script>alert("1")</script>'),
}


# ── the page as a page ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_a_parser_has_nothing_to_forgive(report: Report) -> None:
    found = page(report)
    assert found.errors == []
    assert found.root.get("lang") == "en"
    ids = [one.get("id") for one in found.elements if one.get("id")]
    assert len(ids) == len(set(ids))
    assert len(found.all("main")) == len(found.all("h1")) == len(found.all("title", found.all("head")[0])) == 1


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_headings_tables_and_pictures_can_be_read_aloud(report: Report) -> None:
    found = page(report)
    levels = [int(one.tag[-1]) for one in found.elements if re.fullmatch(r".*}h[1-6]", str(one.tag))]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = {one.get("id") for one in found.elements}
    for table in found.all("table"):
        assert found.all("caption", table)
        assert all(one.get("scope") for one in found.all("th", table))
    for element in found.elements:
        for name in ("aria-labelledby", "popovertarget", "href"):
            for target in (element.get(name) or "").split():
                outside = name == "href" and not target.startswith("#")
                assert outside or target.lstrip("#") in ids, (name, target)
        if "scroll" in (element.get("class") or "").split():
            assert element.get("tabindex") == "0", "what scrolls can be scrolled with the keyboard"
            assert element.get("aria-label") or element.get("aria-labelledby")
    for drawing in found.all("svg"):
        assert drawing.get("aria-hidden") == "true" or (drawing.get("role") == "img" and drawing.get("aria-label"))


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_nothing_is_fetched_and_nothing_runs(report: Report) -> None:
    found = page(report)
    (policy,) = [one for one in found.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in (policy.get("content") or "")
    assert not found.tags() & {"script", "img", "iframe", "object", "embed", "form", "base", "foreignObject", "use"}
    for element in found.elements:
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert name not in ("src", "srcset", "action", "formaction", "style", "srcdoc", "ping"), name
            if name.endswith("href"):
                assert re.match("#|https?://|data:image/svg", value), value
    (style,) = found.all("style")
    assert not re.search(r"@import|url\(|expression", "".join(style.itertext()))


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_the_same_report_gives_the_same_bytes(report: Report) -> None:
    first = render("html", report, LOG)
    html._environment.cache_clear()
    assert render("html", report, View(NOW, terminal=True, colour=True, width=80)) == first


def test_the_order_of_a_hash_makes_no_difference() -> None:
    program = (
        "import sys, hashlib; sys.path[:0] = ['tests']\n"
        "from reports.pages import everything, ks, look; from landed.model import Report\n"
        "from landed.reports import render; from landed.reports.interface import View\n"
        "fleet = Report((look('prod', *(ks(f'n{n}', f'n{n // 2}', f'n{n // 3}') for n in range(20))),))\n"
        "printed = ''.join(render('html', one, View(9)) for one in (fleet, everything('x')))\n"
        "print(hashlib.sha256(printed.encode()).hexdigest())"
    )
    root = Path(__file__).parents[2]
    printed = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(printed) == 1


def test_jinja2_is_not_loaded_before_a_page_is_made() -> None:
    program = "import sys; import landed.reports.html; print('jinja2' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
    )


# ── a stranger's text ───────────────────────────────────────────────────────────────────────────────────────────────

PLAIN = {name: page(one) for name, one in (("report", report_of("plain")), ("everything", everything("plain")))}


@pytest.mark.parametrize("make", [report_of, everything])
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_text(make: Callable[[str], Report], hostile: str) -> None:
    printed = render("html", make(hostile), LOG)
    _is_harmless(printed)


@pytest.mark.parametrize("make", [report_of, everything])
@settings(max_examples=25, deadline=None)  # each is parsed as a browser does: tens of milliseconds
@given(hostile=ANY_TEXT)
def test_no_text_is_markup(make: Callable[[str], Report], hostile: str) -> None:
    _is_harmless(render("html", make(hostile), LOG))


OURS = set().union(*(found.tags() for found in PLAIN.values())) | {"br"}


def _is_harmless(printed: str) -> None:
    assert commands_in(printed) == []
    assert not OBEYED.search(printed)
    printed.encode()
    found = Page(printed)
    assert found.errors == []
    assert found.tags() <= OURS
    assert len(found.all("style")) == 1
    assert all(name in _ATTRIBUTES for element in found.elements for name in element.attrib), (
        "an attribute that is not ours"
    )


_ATTRIBUTES = {
    name
    for found in (*PLAIN.values(), page(Report(FLEET, explanations=(EXPLAINED,))))
    for one in found.elements
    for name in one.attrib
} | {"datetime", "title", "href", "rel", "id", "aria-labelledby", "popover", "popovertarget", "popovertargetaction"}


def test_what_nobody_sees_is_gone_and_marks_do_not_pile_up() -> None:
    hidden = "a\u202eb\u2066c\ufdd0d\U000e0041e\u3164f" + "\u0301" * 40 + "g"
    printed = render("html", Report(warnings=(hidden,)), LOG)
    assert "abc\ufffddef" + "\u0301" * 3 + "g" in printed


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://user:secret@git.example.com/x",
        "https://a b/",
        'https://x/"onclick=y',
        "//evil",
        "data:text/html,x",
    ],
)
def test_only_plain_web_addresses_are_links(url: str) -> None:
    status = CommitStatus(Repository("git.example.com", "acme/fleet"), A, "flux", State.SUCCESS, "live", url)
    found = page(Report(deliveries=(Delivery(Update("git.example.com", (), status)),)))
    assert [one.get("href") for one in found.all("a")] == ["#main", "#delivered"]
    good = structs.replace(status, target_url="https://git.example.com:8443/acme/fleet/1?a=b")
    found = page(Report(deliveries=(Delivery(Update("git.example.com", (), good)),)))
    assert "https://git.example.com:8443/acme/fleet/1?a=b" in [one.get("href") for one in found.all("a")]


# ── what it says ────────────────────────────────────────────────────────────────────────────────────────────────────

NOT_KNOWN = "Not known: a cluster could not be read"
VERDICTS = [
    (answer(Verdict.LIVE, stands("db", "live")), "Live", "live"),
    (answer(Verdict.FAILED, stands("db", "failed")), "Failed", "failed"),
    (answer(Verdict.WAITING, stands("db", "waiting")), "Waiting", "waiting"),
    (answer(Verdict.WAITING, stands("db", "waiting"), timed_out=True), "Timed out", "waiting"),
    (answer(Verdict.DIVERGED, stands("db", "diverged")), "Diverged", "diverged"),
    (answer(Verdict.LIVE, stands("db", "live"), unread=("edge",)), NOT_KNOWN, "unreadable"),
    (answer(Verdict.WAITING, stands("db", "waiting"), unread=("edge",)), NOT_KNOWN, "unreadable"),
    (answer(Verdict.FAILED, stands("db", "failed"), unread=("edge",)), "Failed", "failed"),
]  # fmt: skip


@pytest.mark.parametrize(("given_", "title", "kind"), VERDICTS)
def test_the_verdict_stands_on_top(given_: Answer, title: str, kind: str) -> None:
    found = page(Report(answer=given_))
    assert text(found.all("h1")[0])[1:] == title
    assert text(found.all("title")[0]).startswith(title)
    (card,) = [one for one in found.elements if "verdict" in (one.get("class") or "").split()]
    assert (card.get("class") or "").split()[-1] == kind
    assert "7m" in text(card)
    assert f"https://github.com/acme/fleet/commit/{A}" in [one.get("href") for one in found.all("a")]


def test_a_look_that_failed_is_never_live() -> None:
    edge = Look("edge", error="It timed out.")
    found = page(Report((FLEET[1], edge), answer=answer(Verdict.LIVE, stands("db", "live", "test"))))
    assert "Not known" in text(found.all("h1")[0])
    assert dict(rows(found))["apps/db"] == ["✓live 6dcd4ce2", "?not read"]


def test_what_is_missing_is_named_with_why_and_since_when() -> None:
    given_ = answer(
        Verdict.FAILED,
        stands("db", "live"),
        stands("web", "failed", message="timeout waiting", since=NOW - 180),
        stands("web", "failed", "test", message="timeout waiting", since=NOW - 120),
        stands("api", "waiting", message="Not yet", waits_for=ref("web")),
        stands("job", "waiting", doomed="Deployment/apps/job: ImagePullBackOff"),
        notes=("Nobody could say whether B contains A",),
    )
    found = page(Report(answer=given_))
    (missing, notes) = [one for one in found.elements if one.get("class") == "missing"]
    assert [text(one) for one in found.all("li", missing)] == [
        "✗failedapps/web on prod, test, 3m agotimeout waiting",
        "!will failapps/job on prod, 1m agoIt will fail: Deployment/apps/job: ImagePullBackOff.",
        "◌waitingapps/api on prod, 1m agoNot yet It waits for apps/web.",
    ]
    assert "Nobody could say" in text(notes)


def test_a_later_commit_is_told() -> None:
    found = page(Report(answer=answer(Verdict.LIVE, stands("db", "live", commit=B))))
    assert f"Live through the later{B}" in text(found.all("main")[0])


def test_what_fails_comes_first_and_every_cell_has_sign_word_and_commit() -> None:
    assert list(rows(page(Report(FLEET)))) == [
        ("apps/web", ["✗failed 6dcd4ce2", "✓live 6dcd4ce2", "?not read"]),
        ("apps/api", ["◌waiting 6dcd4ce2", "–not there", "?not read"]),
        ("apps/old", ["–suspended 6dcd4ce2", "–not there", "?not read"]),
        ("apps/db", ["✓live 6dcd4ce2", "✓live 6dcd4ce2", "?not read"]),
    ]


def test_a_cell_tells_what_stands_behind_it() -> None:
    found = page(Report(FLEET))
    button = next(one for one in found.all("button") if text(one).startswith("✗"))
    behind = text(found.by_id(button.get("popovertarget") or ""))
    for said in ("Attempted", "HealthCheckFailed", "timeout waiting for: [Deployment/apps/web]",
                 f"main@sha1:{B}", f"main@sha1:{A}",
                 "./apps/web", "10m ago"):  # fmt: skip
        assert said in behind


def test_nothing_that_fails_now_is_shown_as_live_whatever_is_true_of_the_commit() -> None:
    given_ = answer(Verdict.LIVE, stands("web", "live", commit=B))
    assert dict(rows(page(Report(FLEET[:1], answer=given_))))["apps/web"] == ["✗failed 6dcd4ce2"]


def test_what_has_come_and_gone_is_not_how_it_stands_now() -> None:
    seen = look("prod", ks("db"))
    (outcome,) = seen.outcomes
    failed = structs.replace(outcome.observations[0], state=State.FAILURE, commit=B, past=True)
    report = Report((structs.replace(seen, outcomes=(outcome, Outcome("prod", outcome.repository, B, (failed,)))),))
    found = page(report)
    assert list(rows(found)) == [("apps/db", ["✓live 6dcd4ce2"])]
    assert text(found.all("h1")[0]) == "✓All live"
    assert "ae4f281d" in text(found.by_id("gone"))


def test_a_state_that_is_not_known_is_not_live() -> None:
    given_ = answer(Verdict.LIVE, stands("db", "success!"))
    assert dict(rows(page(Report(answer=given_))))["apps/db"] == ["·unknown 6dcd4ce2"]


def test_what_is_not_waited_for_stands_apart() -> None:
    found = page(Report(FLEET[:1], answer=answer(Verdict.LIVE, stands("db", "live"))))
    assert [name for name, _ in rows(found)] == ["apps/db", "apps/web", "apps/api", "apps/old"]
    groups = [text(one) for one in found.all("th") if one.get("scope") == "rowgroup"]
    assert groups == ["Waited for", "Not waited for"]


def test_an_explanation_tells_cause_culprits_logs_and_the_command() -> None:
    found = page(Report(FLEET, explanations=(EXPLAINED,)))
    section = found.by_id("causes")
    articles = found.all("article", section)
    assert len(articles) == 1, "what is explained is not told twice"
    said = text(articles[0])
    parts = (
        "on prod",
        "main of web-1 crashes",
        "Deployment/apps/web",
        "CrashLoopBackOff",
        "5 restarts",
        "apps/api",
        "BackOff: restarting",
        "1 other waits for it",
        "In the repositoryapps/web",
        "get pods/log in apps",
    )
    for part in parts:
        assert part in said
    assert ["".join(one.itertext()) for one in found.all("pre", section)] == [
        "INFO  one\nFATAL two", "kubectl -n apps logs web-1",
    ]  # fmt: skip


def test_a_failure_without_an_explanation_is_told_in_fluxs_words() -> None:
    found = page(Report(FLEET))
    said = text(found.by_id("causes"))
    assert "timeout waiting for: [Deployment/apps/web]" in said
    assert "flux events -n apps --for Kustomization/web" in said


def test_everything_else_has_its_section() -> None:
    release = HelmRelease(
        ObjectRef("HelmRelease", "apps", "chart"), ref("db"), 1, 1, attempted="1.2.3",
        ready=Condition("False", "UpgradeFailed", "it broke", 1, NOW - 5),
    )  # fmt: skip
    seen = look("prod", ks("db"), ks("old", suspended=True), releases=(release,))
    report = Report(
        (structs.replace(seen, silent=(*seen.silent, GONE)),), REPORT.deliveries, warnings=("odd",), notes=("left",)
    )
    found = page(report)
    said = {
        name: text(found.by_id(name)) for name in ("releases", "sources", "silent", "undelivered", "warnings", "notes")
    }
    assert all(part in said["releases"] for part in ("failed", "apps/chart", "apps/db", "1.2.3", "it broke"))
    assert "auth: 401" in said["sources"]
    assert "apps/old" in said["silent"]
    assert "slack answered 404 no_service" in said["undelivered"]
    assert "odd" in said["warnings"]
    assert "left" in said["notes"]


# ── pictures ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_what_was_read_there_is_no_picture() -> None:
    found = page(Report((look("prod", ks("db"), ks("web", "db"), read=False),)))
    assert not {"graph", "timeline"} & {one.get("id") for one in found.elements}


def test_the_graph_shows_states_and_what_is_missing_and_says_the_same_as_a_list() -> None:
    found = page(Report(FLEET))
    section = found.by_id("graph")
    boxes = {text(found.all("title", one)[0]): one.get("class") for one in found.all("g", section)}
    assert boxes == {
        "apps/api: waiting": "box waiting", "apps/db: live": "box live", "apps/gone: missing": "box missing",
        "apps/web: failed": "box failed",
    }  # fmt: skip
    assert "apps/api (waiting) depends on apps/gone (missing), apps/web (failed)" in [
        text(one) for one in found.all("li", section)
    ]
    held = [one for one in found.all("path", section) if "held" in (one.get("class") or "")]
    assert len(held) == 2


def test_everything_stands_to_the_right_of_what_it_needs() -> None:
    found = page(Report((look("prod", ks("a"), ks("b", "a"), ks("c", "a", "b"), ks("d", "c", "a")),)))
    boxes = found.all("g", found.by_id("graph"))
    places = {text(found.all("title", one)[0])[5]: found.all("rect", one)[0] for one in boxes}
    across = [float(places[name].get("x") or 0) for name in "abcd"]
    assert all(after - before > 190 for before, after in pairwise(across))


def test_what_stands_in_one_layer_does_not_overlap() -> None:
    wide = [ks(f"n{n}", f"n{n // 3}", f"n{n // 5}") for n in range(1, 40)]
    boxes = page(Report((look("prod", ks("n0"), *wide),)))
    rects = [one for box in boxes.all("g", boxes.by_id("graph")) for one in boxes.all("rect", box)]
    places = sorted((float(one.get("x") or 0), float(one.get("y") or 0)) for one in rects)
    assert len(places) == 40
    assert all(x != across or down - y >= 55.8 for (x, y), (across, down) in pairwise(places))
    assert all(x >= 0 and y >= 0 for x, y in places)


def test_what_depends_on_itself_is_drawn_too() -> None:
    found = page(Report((look("prod", ks("a", "b"), ks("b", "a"), ks("c", "c")),)))
    section = found.by_id("graph")
    assert "apps/c depends on itself" in text(section)
    assert len(found.all("g", section)) == 3
    assert sum("closing" in (one.get("class") or "") for one in found.all("path", section)) == 1


def test_of_many_only_what_is_not_live_and_its_neighbours_are_drawn() -> None:
    chain = [ks("n0"), *(ks(f"n{n}", f"n{n - 1}") for n in range(1, 90))]
    chain[60] = ks("n60", "n59", state="False")
    found = page(Report((look("prod", *chain),)))
    section = found.by_id("graph")
    titles = sorted(text(one) for one in found.all("title", section))
    assert titles == ["apps/n59: live", "apps/n60: failed", "apps/n61: live"]
    assert "87 more are not drawn" in text(section)


def test_the_timeline_marks_results_with_short_commits() -> None:
    found = page(Report(FLEET))
    section = found.by_id("timeline")
    marks = [(one.get("class"), [text(t) for t in found.all("text", one)]) for one in found.all("g", section)]
    assert sorted(marks) == sorted([
        ("mark failed", ["6dcd4ce2", "✗"]), ("mark live", ["ae4f281d", "✓"]), ("mark live", ["6dcd4ce2", "✓"]),
    ])  # fmt: skip
    cells = [text(one) for one in found.all("td", section)]
    assert "✗failed Health check failed" in cells
    assert "8.1s" in cells


def test_at_most_five_outcomes_with_labels_that_do_not_touch() -> None:
    history = tuple(snapshot(f"{n:040x}", "ReconciliationSucceeded", 100 + n, 100 + n) for n in range(4))
    older = tuple(snapshot(f"{n:040x}", "ReconciliationSucceeded", 90000 + n, 90000 + n) for n in range(4, 9))
    history += older
    found = page(Report((look("prod", ks("db", history=history)),)))
    marks = found.all("g", found.by_id("timeline"))
    labels = sorted(float(one.get("x") or 0) for mark in marks for one in found.all("text", mark)[:1])
    assert len(labels) == 5
    assert all(after - before >= 61 for before, after in pairwise(labels))
    assert labels[0] >= 230
    assert labels[-1] <= 1085


def test_an_outcome_that_nobody_knows_is_no_success() -> None:
    found = page(Report((look("prod", ks("db", history=(snapshot(A, "Sideways", 9, 9),))),)))
    assert [one.get("class") for one in found.all("g", found.by_id("timeline"))] == ["mark other"]


# ── size and colour ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_big_fleet_stays_within_a_few_megabytes() -> None:
    names = [f"service-{n}" for n in range(300)]
    looks = tuple(
        look(
            f"cluster-{c}",
            *(
                ks(
                    name,
                    *names[max(0, n - 2) : n],
                    state="False" if (n * 7 + c) % 50 == 0 else "True",
                    message="timeout waiting for something" * 4,
                    history=tuple(snapshot(A, "ReconciliationSucceeded", 100 * h, 90 * h) for h in range(1, 6)),
                )
                for n, name in enumerate(names)
            ),
        )
        for c in range(12)
    )
    printed = render("html", Report(looks), LOG)
    assert len(printed.encode()) < 5_000_000
    assert printed.count("popovertargetaction") == 3600


def test_a_huge_fleet_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "MOST_CELLS", 40)
    monkeypatch.setattr(matrix, "MOST_OPEN", 20)
    names = [f"n{n}" for n in range(25)]
    looks = [look(c, *(ks(n, state="False" if n == "n24" else "True") for n in names)) for c in ("a", "b")]
    found = page(Report(tuple(looks)))
    shown = list(rows(found))
    assert len(shown) == 20
    assert shown[0][0] == "apps/n24", "what is left out is what is calm"
    said = text(found.by_id("now"))
    assert "5 more Kustomizations left out" in said
    assert "live ones cannot be opened" in said
    assert sum(one.get("popovertargetaction") is None for one in found.all("button")) == 2


def test_colours_can_be_told_from_what_they_stand_on() -> None:
    """https://www.w3.org/TR/WCAG22/#contrast-minimum"""
    (style,) = page(NOTHING).all("style")
    css = "".join(style.itertext())
    light, dark = css.split("@media screen and (prefers-color-scheme: dark)")
    for scheme in (light, dark.split("} }")[0]):
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})\b", scheme))
        grounds = ("ground", "surface", "raised")
        pairs = [(ink, ground) for ink in ("ink", "soft", "accent", "good", "bad", "wait", "off") for ground in grounds]
        pairs += [(ink, f"{tone}-soft") for tone in ("good", "bad", "wait", "off") for ink in (tone, "ink")]
        pairs += [("term-ink", "term")]
        for ink, ground in pairs:
            assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
