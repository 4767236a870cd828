"""What a log gets while a commit is waited for."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from reports.hostile import HOSTILE, OBEYED, commands_in
from reports.test_console import GITHUB, Stream
from reports.waits import COMMIT, FLEET, NOW, OLD, Clock, answer, health_checks, standing

from landed.errors import ClusterError
from landed.model import Answer, ObjectRef, Secret, Verdict
from landed.reports.console import MOST_REMEMBERED, Console
from landed.reports.waiting import Waiting
from landed.reports.waiting.words import essence, lasting

if TYPE_CHECKING:
    from collections.abc import Mapping

GITLAB = {"GITLAB_CI": "true"}


class Wait:
    """A wait that is written to a log in memory."""

    def __init__(self, environ: Mapping[str, str] | None = None, *, encoding: str = "utf-8", **settings: Any) -> None:
        self.clock = Clock()
        self.err = Stream(encoding=encoding)
        self.out = Stream(encoding=encoding)
        self.console = Console(self.out, self.err, environ=environ or {}, clock=self.clock, **settings)
        self.waiting = Waiting(self.console, clock=self.clock)
        self._read = 0

    def tell(self, told: Answer, after: float = 0.0) -> list[str]:
        """What is printed if ``told`` is known some seconds later."""
        self.clock.now += after
        self.waiting.tell(told, NOW + 900 - self.clock.now)
        return self.read()

    def read(self) -> list[str]:
        new = self.err.getvalue()[self._read :]
        self._read += len(new)
        return new.splitlines()

    def entries(self, told: Answer, after: float = 0.0) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.tell(told, after)]


LIVE, WEB = standing("api", "live"), health_checks("web")


def test_the_first_look_is_a_short_block() -> None:
    held = standing("shop", cluster="eu", reason="SourceNotFetched", message="source not fetched yet, interval 10m")
    told = answer(LIVE, WEB, held, standing("old", "suspended"), unread=("dr",), notes=("A note.",))
    first, *rest = Wait().tell(told)
    assert first == (
        "10:50:00 waiting for 6dcd4ce2 of acme/fleet: 1 of 3 live, 2 waiting, 1 suspended on 3 clusters; 15m left "
        "(times are UTC)"
    )
    assert rest == [
        "10:50:00 eu  apps/shop  waiting  source not fetched yet, interval 10m",
        "10:50:00 prod  apps/web  waiting  health checks",
        "10:50:00 dr  cannot be read",
        "10:50:00 A note.",
    ]


def test_a_change_is_a_line_and_a_look_is_none() -> None:
    wait = Wait()
    wait.tell(answer(LIVE, WEB))
    assert wait.tell(answer(LIVE, WEB), 2) == []
    assert wait.tell(answer(LIVE, standing("web", "live")), 10) == [
        "10:50:12 prod  apps/web  waiting → live  6dcd4ce2 (12s)"
    ]
    assert wait.tell(answer(LIVE, standing("web", "live")), 2) == []


def test_a_failure_says_why() -> None:
    wait = Wait()
    wait.tell(answer(WEB))
    failed = standing("web", "failed", reason="HealthCheckFailed", message="timeout waiting for Deployment/apps/web\nx")
    (line,) = wait.tell(answer(failed), 90)
    assert line.startswith("10:51:30 prod  apps/web  waiting → failed  ")
    assert line.endswith("  Health check failed: timeout waiting for Deployment/apps/web (1m30s)")
    assert wait.tell(answer(structs.replace(failed, commit=OLD)), 1), "it has failed with another commit"


def test_another_reason_is_a_line() -> None:
    wait = Wait()
    wait.tell(answer(WEB))
    database = ObjectRef("Kustomization", "infra", "db")
    held = standing("web", reason="DependencyNotReady", waits_for=database)
    assert wait.tell(answer(held), 1) == ["10:50:01 prod  apps/web  waiting  waits for infra/db"]
    doomed = structs.replace(held, waits_for=None, doomed="Deployment/apps/web: ImagePullBackOff")
    assert wait.tell(answer(doomed), 1) == [
        "10:50:02 prod  apps/web  waiting  will fail: Deployment/apps/web: ImagePullBackOff"
    ]


def test_how_long_something_takes_is_no_news() -> None:
    wait = Wait()
    for second in range(1, 20):
        held = standing(message=f"last fetch {second} s ago, {second}m{second}s left, {second}/20 done", reason="X")
        printed = wait.tell(answer(held), 1)
        assert len(printed) == (2 if second == 1 else 0)


def test_what_a_message_says_is_told_now_and_then() -> None:
    wait = Wait()
    printed = [line for n in range(300) for line in wait.tell(answer(standing(message=f"at step {'ab'[n % 2]}")), 0.7)]
    assert 10 <= len(printed) <= 16


def test_what_comes_and_goes() -> None:
    wait = Wait()
    wait.tell(answer(LIVE, WEB))
    assert wait.tell(answer(LIVE, standing("new", message="not there yet")), 1) == [
        "10:50:01 prod  apps/new  waiting  not there yet",
        "10:50:01 prod  apps/web  waiting → gone",
    ]


def test_a_cluster_that_is_lost_takes_nothing_with_it() -> None:
    wait = Wait()
    wait.tell(answer(LIVE, WEB))
    assert wait.tell(answer(unread=("prod",)), 1) == ["10:50:01 prod  cannot be read"]
    assert wait.tell(answer(unread=("prod",)), 1) == []
    assert wait.tell(answer(LIVE, WEB), 1) == ["10:50:03 prod  can be read again"]


def test_a_fleet_that_changes_at_once_is_counted() -> None:
    wait = Wait()
    fleet = [standing(f"app-{number:04}", message="Fetched") for number in range(1000)]
    first = wait.tell(answer(*fleet))
    assert len(first) == 12
    assert first[-1] == "10:50:00 … and 990 more: 990 waiting"
    live = [standing(f"app-{number:04}", "live") for number in range(999)]
    failed = standing("app-0999", "failed", reason="BuildFailed", message="no such file")
    printed = wait.tell(answer(*live, failed), 5)
    assert printed[0] == "10:50:05 prod  apps/app-0999  waiting → failed  Build failed: no such file (5s)"
    assert printed[-1] == "10:50:05 … and 990 more: 990 waiting → live"
    assert len(printed) == 11
    assert wait.tell(answer(*live, failed), 5) == [], "what was counted is told"


def test_many_lost_clusters_and_notes_are_bounded() -> None:
    wait = Wait()
    names = tuple(f"c{number}" for number in range(100))
    printed = wait.tell(answer(unread=names, notes=tuple(f"note {name}" for name in names)))
    assert "10:50:00 … and 90 more clusters cannot be read" in printed
    for second in range(50):
        printed += wait.tell(answer(unread=names, notes=(f"note {'x' * second}",)), 1)
    assert len(printed) < 40


# ── heartbeats ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_heartbeat_when_nothing_was_said_for_long() -> None:
    wait = Wait()
    held = standing("shop", cluster="eu", reason="SourceNotFetched", message="source not fetched yet, interval 10m")
    other = structs.replace(held, about=ObjectRef("Kustomization", "apps", "till"))
    told = answer(LIVE, WEB, held, other, unread=("dr",))
    wait.tell(told)
    assert wait.waiting.next_in() == 30
    assert wait.tell(told, 29) == []
    assert wait.waiting.next_in() == 1
    (line,) = wait.tell(told, 1)
    assert line == (
        "10:50:30 still waiting after 30s: 3 of 4 not live: apps/shop on eu, apps/till on eu "
        "(source not fetched yet, interval 10m), apps/web on prod (health checks, 1m40s); cannot be read: dr; "
        "14m30s left"
    )
    assert wait.waiting.next_in() == 30
    assert wait.tell(told, 1) == []
    assert len(wait.tell(told, 29)) == 1


def test_whatever_is_said_puts_the_heartbeat_off() -> None:
    wait = Wait()
    wait.tell(answer(WEB))
    wait.clock.now += 20
    wait.console.warn("something else")
    assert wait.waiting.next_in() == 30
    wait.read()
    assert wait.tell(answer(WEB), 29) == []
    assert len(wait.tell(answer(WEB), 1)) == 1


def test_a_heartbeat_of_a_fleet_is_one_line() -> None:
    wait = Wait()
    fleet = [standing(f"app-{number:04}", message=f"{'x' * (number % 30)} {number}") for number in range(1000)]
    wait.tell(answer(*fleet))
    (line,) = wait.tell(answer(*fleet), 30)
    assert "apps/app-0000 on prod, apps/app-0030 on prod, apps/app-0060 on prod and 31 more (" in line
    assert "and 898 others; 14m30s left" in line
    assert len(line) < 700


@pytest.mark.parametrize("verdict", [Verdict.LIVE, Verdict.FAILED, Verdict.DIVERGED])
def test_the_heart_stops_when_it_is_decided(verdict: Verdict) -> None:
    wait = Wait()
    wait.tell(answer(WEB, verdict=verdict))
    assert wait.tell(answer(WEB, verdict=verdict), 60) == []
    assert wait.tell(answer(WEB, timed_out=True), 60) == []


# ── groups ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, SystemExit, ValueError])
@pytest.mark.parametrize("environ", [GITHUB, GITLAB])
def test_the_group_is_closed_whatever_ends_the_wait(environ: dict[str, str], error: type[BaseException] | None) -> None:
    wait = Wait(environ)
    with nullcontext() if error is None else pytest.raises(error), wait.waiting:
        wait.console.note("before")
        wait.tell(answer(WEB))
        if error is not None:
            raise error
    wait.console.error(ClusterError("after"))
    text = wait.err.getvalue()
    if environ is GITHUB:
        start, end = "::group::Waiting for 6dcd4ce2 of acme/fleet\n", "::endgroup::\n"
        assert [name for name, _, _ in commands_in(text)] == ["group", "endgroup", "error"]
    else:
        start = "\x1b[0Ksection_start:1766400600:landed[collapsed=true]\r\x1b[0KWaiting for 6dcd4ce2 of acme/fleet\n"
        end = "\x1b[0Ksection_end:1766400600:landed\r\x1b[0K\n"
    before, _, rest = text.partition(start)
    inside, _, after = rest.partition(end)
    assert before == "before\n"
    assert "apps/web  waiting" in inside
    assert after.startswith("error: after")


@pytest.mark.parametrize("settings", [{"log_format": "json"}, {"quiet": True}])
@pytest.mark.parametrize("environ", [GITHUB, GITLAB])
def test_no_group_where_nobody_reads_lines(environ: dict[str, str], settings: dict[str, Any]) -> None:
    wait = Wait(environ, **settings)
    with wait.waiting:
        wait.tell(answer(WEB))
    assert "group" not in wait.err.getvalue()
    assert "section" not in wait.err.getvalue()


def test_a_wait_that_never_began_has_no_group() -> None:
    wait = Wait(GITHUB)
    with wait.waiting:
        pass
    assert wait.err.getvalue() == ""


def test_a_warning_inside_the_fold_is_said_again_outside() -> None:
    wait = Wait(GITHUB)
    wait.console.warn("early")
    with wait.waiting:
        wait.tell(answer(WEB))
        wait.console.warn("early")
        wait.console.warn("hidden")
        wait.console.warn("hidden")
    wait.console.warn("early")
    wait.console.warn("hidden")
    lines = wait.err.getvalue().splitlines()
    assert [lines.count(f"warning: {text}") for text in ("early", "hidden")] == [1, 2]
    assert lines[-1] == "warning: hidden"


def test_progress_is_left_to_the_heartbeats() -> None:
    wait = Wait()
    with wait.waiting:
        for _ in range(20):
            wait.console.progress("reading prod")
            wait.clock.now += 3
            wait.console.progress("reading more")
    assert wait.err.getvalue() == ""
    wait.console.progress("a")
    wait.clock.now += 3
    wait.console.progress("b")
    assert wait.err.getvalue() == "b …\n"
    wait.console.close()


# ── for a log collector ─────────────────────────────────────────────────────────────────────────────────────────────


def test_every_change_is_an_entry_of_its_own() -> None:
    wait = Wait(GITHUB, log_format="json")
    first = wait.entries(answer(LIVE, WEB))
    assert first[0] == {
        "time": "2025-12-22T10:50:00Z", "level": "info", "message": "waiting for 6dcd4ce2 of acme/fleet",
        "commit": COMMIT, "repository": str(FLEET), "verdict": "waiting", "live": 1, "not_live": 1, "clusters": 1,
        "left_s": 900,
    }  # fmt: skip
    assert wait.entries(answer(LIVE, standing("web", "live", reason="ReconciliationSucceeded")), 12) == [
        {
            "time": "2025-12-22T10:50:12Z", "level": "info", "message": "waiting → live", "cluster": "prod",
            "kind": "Kustomization", "namespace": "apps", "name": "web", "from": "waiting", "to": "live",
            "commit": COMMIT, "reason": "ReconciliationSucceeded",
        }
    ]  # fmt: skip
    (beat,) = wait.entries(answer(LIVE, WEB), 0.0)[-1:]
    assert (beat["from"], beat["to"], beat["message"]) == ("live", "waiting", "live → waiting: health checks")
    (beat,) = wait.entries(answer(LIVE, WEB), 30)
    assert beat["message"].startswith("still waiting after 42s: 1 of 2 not live: apps/web on prod (health checks, ")
    assert {"commit": COMMIT, "passed_s": 42, "left_s": 858, "live": 1, "not_live": 1}.items() <= beat.items()


def test_a_log_collector_gets_all_of_a_fleet() -> None:
    wait = Wait(log_format="json")
    wait.entries(answer(*(standing(f"app-{number}") for number in range(1000))))
    changed = wait.entries(answer(*(standing(f"app-{number}", "live") for number in range(1000))), 1)
    assert {entry["name"] for entry in changed} == {f"app-{number}" for number in range(1000)}


def test_quiet_keeps_warnings() -> None:
    for environ in ({}, GITHUB, GITLAB):
        wait = Wait(environ, quiet=True)
        with wait.waiting:
            wait.tell(answer(WEB))
            wait.console.warn("a warning")
            wait.tell(answer(WEB), 60)
            wait.tell(answer(WEB), 60)
            assert wait.waiting.next_in() == 30, "who is quiet need not be asked at once again"
            wait.tell(answer(standing("web", "live")), 1)
        assert wait.err.getvalue() == "warning: a warning\n"


# ── hostile text ────────────────────────────────────────────────────────────────────────────────────────────────────


def hostile(text: str) -> Answer:
    """An answer with ``text`` wherever a stranger may have put it."""
    ref = ObjectRef("Kustomization", text, text)
    said = {"reason": text, "message": text, "revision": text, "commit": text}
    standings = (
        structs.replace(standing(cluster=text, **said), about=ref),
        standing("doomed", doomed=text, **said),
        standing("waits", waits_for=ref, **said),
        standing("failed", "failed", **said),
        standing("live", "live", commit=text),
        structs.replace(standing("release", "diverged", cluster=text, **said), about=ObjectRef(text, text, text)),
    )
    repository = structs.replace(FLEET, path=text)
    return Answer(repository, text, Verdict.WAITING, standings, (text,), began=NOW, notes=(text,))


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("environ", [GITHUB, GITLAB, {}], ids=["github", "gitlab", "plain"])
def test_no_text_is_obeyed(environ: dict[str, str], name: str, log_format: str) -> None:
    wait = Wait(environ, log_format=log_format)
    with wait.waiting:
        wait.tell(hostile(HOSTILE[name]))
        wait.tell(hostile(f"{HOSTILE[name]} x"), 20)
        wait.tell(hostile(f"{HOSTILE[name]} x"), 31)
    text = wait.err.getvalue()
    text = text.replace("\x1b[0Ksection_start:1766400600:landed[collapsed=true]\r\x1b[0K", "", 1)
    text = text.replace("\x1b[0Ksection_end:1766400651:landed\r\x1b[0K", "", 1)
    assert not OBEYED.search(text)
    grouped = environ == GITHUB and log_format == "text"
    assert [found for found, _, _ in commands_in(text)] == (["group", "endgroup"] if grouped else [])
    lines = text.split("\n")
    if log_format == "text":
        assert all(line[:9] in ("10:50:00 ", "10:50:20 ", "10:50:51 ") for line in lines if line and line[0].isdigit())
        assert len(lines) <= 24


def test_secrets_are_hidden_before_they_are_cut() -> None:
    for at in range(150, 210):
        wait = Wait(secrets=[Secret("s3cr3t-and-long-enough")])
        text = f"{'x' * at}s3cr3t-and-long\x00-enough s3cr3t-and-long-enough"
        wait.tell(hostile(text))
        wait.tell(hostile(text), 30)
        assert "s3cr3t" not in wait.err.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_log_that_knows_fewer_characters(encoding: str) -> None:
    wait = Wait(encoding=encoding)
    wait.tell(answer(standing("日本", message="…")))
    assert wait.tell(answer(standing("日本", "live")), 1) == ["10:50:01 prod  apps/??  waiting > live  6dcd4ce2 (1s)"]


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0s"), (0, "0s"), (59.4, "59s"), (59.6, "1m"), (60, "1m"), (150, "2m30s"), (3600, "1h"), (3900, "1h5m"),
     (90000, "25h")],
)  # fmt: skip
def test_lengths_of_time(seconds: float, text: str) -> None:
    assert lasting(seconds) == text


def test_what_remains_without_numbers() -> None:
    assert essence("last fetch 40 s ago, interval 10 m") == essence("last fetch 5 m ago, interval 10 m")
    assert essence("waiting for web-a") != essence("waiting for web-b")


def test_what_is_remembered_of_warnings_is_bounded() -> None:
    wait = Wait()
    for number in range(MOST_REMEMBERED):
        wait.console.warn(f"warning {number}")
        wait.console.warn("every time")
    wait.console.warn("warning 0")
    lines = wait.err.getvalue().splitlines()
    assert lines.count("warning: every time") == 1, "what comes again and again is not forgotten"
    assert lines.count("warning: warning 0") == 2
    assert len(wait.console._warned) == MOST_REMEMBERED
