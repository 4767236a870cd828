"""What a run that stays says as it goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs
from reports.hostile import HOSTILE, OBEYED, commands_in, report_of
from reports.test_console import GITHUB, Stream
from reports.waits import COMMIT, FLEET, NOW, OLD, Clock

from landed.model import (
    Comment,
    CommitStatus,
    Delivery,
    Deployment,
    Digest,
    Dispatch,
    Event,
    InvolvedObject,
    Look,
    Mark,
    ObjectRef,
    Observation,
    Outcome,
    Payload,
    Report,
    Row,
    Secret,
    State,
    Story,
    Update,
)
from landed.reports.console import Console
from landed.reports.watching import MOST_REMEMBERED, Watching

WEB = ObjectRef("Kustomization", "apps", "web")
OUTCOME = Outcome("prod", FLEET, COMMIT, (Observation(WEB, State.SUCCESS, FLEET, COMMIT),))
STATUS = CommitStatus(FLEET, COMMIT, "flux/prod/apps/web", State.SUCCESS, "Applied")
EVENT = Event(
    InvolvedObject("Kustomization", "apps", "web"), "error", "", "no such file", "BuildFailed", {"cluster": "eu"}, ""
)


class Watch:
    """A run that stays, written to a log in memory."""

    def __init__(self, **settings: Any) -> None:
        self.clock, self.err = Clock(), Stream()
        environ = settings.pop("environ", {})
        self.console = Console(Stream(), self.err, environ=environ, clock=self.clock, **settings)
        self.watching = Watching(self.console)
        self._read = 0

    def tell(self, report: Report) -> list[str]:
        self.watching.tell(report)
        return self.read()

    def read(self) -> list[str]:
        new = self.err.getvalue()[self._read :]
        self._read += len(new)
        return new.splitlines()

    def entries(self, report: Report) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.tell(report)]


def update(payload: Payload = STATUS, destination: str = "github.com", commit: str = COMMIT) -> Update:
    return Update(destination, (Mark("acme/fleet flux/prod/apps/web", commit, "success"),), payload)


def delivered(*payloads: Payload, looks: tuple[Look, ...] = (Look("prod", (OUTCOME,)), Look("eu"))) -> Report:
    return Report(looks, tuple(Delivery(update(payload)) for payload in payloads))


def test_a_line_for_each_update() -> None:
    assert Watch().tell(delivered(STATUS)) == [
        "10:50:00 delivered  github.com  acme/fleet@6dcd4ce2  flux/prod/apps/web  success"
    ]


def test_an_entry_for_each_update() -> None:
    assert Watch(log_format="json").entries(delivered(STATUS)) == [
        {
            "time": "2025-12-22T10:50:00Z", "level": "info", "message": "delivered", "destination": "github.com",
            "type": "status", "repository": "github.com/acme/fleet", "commit": COMMIT, "state": "success",
            "context": "flux/prod/apps/web", "cluster": "prod",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "known"),
    [
        (STATUS, ("status", COMMIT, "success", "flux/prod/apps/web", "prod")),
        (Deployment(FLEET, COMMIT, "prod", State.PENDING, ""), ("deployment", COMMIT, "pending", "prod", "prod")),
        (Comment(FLEET, COMMIT, (Row("eu", "apps/web", State.FAILURE, ""),)), ("comment", COMMIT, "failure", "", "eu")),
        (Digest((Story(OUTCOME),)), ("message", COMMIT, "success", "", "prod")),
        (Digest(()), ("message", "", "", "", "")),
        (Dispatch(FLEET, EVENT), ("dispatch", COMMIT, "failure", "", "eu")),
        (EVENT, ("event", COMMIT, "failure", "", "eu")),
    ],
)
def test_everything_that_can_be_delivered(payload: Payload, known: tuple[str, ...]) -> None:
    (entry,) = Watch(log_format="json").entries(delivered(payload))
    assert tuple(entry[name] for name in ("type", "commit", "state", "context", "cluster")) == known


@pytest.mark.parametrize(
    ("context", "speak", "cluster"),
    [
        ("flux/prod/apps/web", ("prod", "eu"), "prod"),
        ("flux/prod/eu/web", ("prod", "eu"), ""),  # a cluster, or a namespace?
        ("flux/prod/eu/web", ("prod",), "prod"),
        ("flux/production", ("prod", "eu"), ""),
        ("anything", ("eu",), "eu"),
        ("flux/eu", (), "eu"),
    ],
)
def test_a_cluster_is_never_guessed(context: str, speak: tuple[str, ...], cluster: str) -> None:
    looks = tuple(
        Look(name, (structs.replace(OUTCOME, cluster=name),) if name in speak else ()) for name in ("prod", "eu")
    )
    report = delivered(structs.replace(STATUS, context=context), looks=looks)
    assert Watch(log_format="json").entries(report)[0]["cluster"] == cluster


def failed(**changes: Any) -> Report:
    return Report(deliveries=(Delivery(update(), "it answered 502", "Nothing to do.", **changes),))


def test_a_failed_delivery_is_an_error_each_time() -> None:
    watch = Watch()
    for _ in range(2):
        line, hint = watch.tell(failed(passing=True))
        assert line.startswith("10:50:00 error: not delivered  github.com  acme/fleet@6dcd4ce2  flux/prod/apps/web  ")
        assert line.endswith("  success: it answered 502")
        assert hint == "  Nothing to do."
    (entry,) = Watch(log_format="json").entries(failed(passing=True))
    expected = {"level": "error", "message": "not delivered", "error": "it answered 502", "hint": "Nothing to do."}
    assert (expected | {"passing": True, "uncertain": False}).items() <= entry.items()


def test_what_a_token_may_not_write_is_said_once() -> None:
    watch = Watch(log_format="json")
    (entry,) = watch.entries(failed(read_only=True))
    assert (entry["level"], entry["message"]) == ("warning", "not written")
    assert watch.entries(failed(read_only=True)) == []


class Timed(Delivery, frozen=True):
    """A delivery whose time was measured."""

    took: float = 0.0


def test_how_long_it_took_where_it_was_measured() -> None:
    (entry,) = Watch(log_format="json").entries(Report(deliveries=(Timed(update(), took=0.0384),)))
    assert entry["took_ms"] == 38
    (line,) = Watch().tell(Report(deliveries=(Timed(update(), took=0.0384),)))
    assert line.endswith("  success  (38 ms)")


def test_a_cluster_that_is_lost_and_comes_back() -> None:
    watch = Watch()
    lost = Report((Look("prod", error="it does not answer", hint="Look at its API server."), Look("eu")))
    assert watch.tell(lost) == ["10:50:00 error: prod cannot be read: it does not answer", "  Look at its API server."]
    assert watch.tell(lost) == []
    assert watch.tell(Report((Look("eu"),))) == [], "a look may be at some clusters only"
    assert watch.tell(Report((Look("prod"), Look("eu")))) == ["10:50:00 prod can be read again"]
    assert len(watch.tell(lost)) == 2
    named = Report((Look("prod", error="The cluster prod does not answer."),))
    assert Watch().tell(named) == ["10:50:00 error: The cluster prod does not answer."]
    entries = Watch(log_format="json").entries(lost)
    assert [(entry["message"], entry["cluster"]) for entry in entries] == [("cluster cannot be read", "prod")]


def test_what_a_dry_run_would_send_is_said_once() -> None:
    watch = Watch()
    for expected in (1, 0):
        assert len(watch.tell(Report(planned=(update(),)))) == expected
    assert watch.tell(Report(planned=(update(commit=OLD),)))[0].startswith("10:50:00 planned  github.com")


def test_warnings_and_notes_are_said_once() -> None:
    watch = Watch()
    report = Report(warnings=("a warning",), notes=("a note",))
    assert watch.tell(report) == ["warning: a warning", "10:50:00 a note"]
    assert watch.tell(report) == []


def test_reloads_and_leaders() -> None:
    watch = Watch()
    watch.watching.reloaded()
    watch.watching.reloaded("providers.yaml: no type", "Name one.")
    watch.watching.leads("landed-0", ours=True)
    watch.watching.leads("landed-1", ours=False)
    watch.watching.leads("", ours=False)
    assert watch.read() == [
        "10:50:00 the configuration was read again",
        "10:50:00 error: the configuration could not be read again, the one before stays: providers.yaml: no type",
        "  Name one.",
        "10:50:00 leading",
        "10:50:00 following landed-1",
        "10:50:00 nobody leads",
    ]


def test_quiet_keeps_what_went_wrong() -> None:
    watch = Watch(quiet=True)
    watch.watching.reloaded()
    assert watch.tell(delivered(STATUS)) == []
    assert watch.tell(failed())[0].startswith("10:50:00 error: not delivered")


def test_memory_is_bounded() -> None:
    watch = Watch()
    for number in range(3 * MOST_REMEMBERED):
        watch.watching.tell(
            Report(
                planned=(update(commit=f"{number:040}"),),
                warnings=(f"warning {number}",),
                notes=(f"note {number}",),
                looks=(Look("prod", error=f"error {number}"),),
            )
        )
    state = watch.watching
    assert len(state._once) == MOST_REMEMBERED
    assert (len(state._notes), len(state._unreadable)) == (1, 1)
    assert len(watch.console._warned) <= MOST_REMEMBERED


# ── hostile text ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_is_obeyed(name: str, log_format: str) -> None:
    watch = Watch(environ=GITHUB, log_format=log_format)
    report = report_of(HOSTILE[name])
    lines = watch.tell(report)
    watch.watching.reloaded(HOSTILE[name], HOSTILE[name])
    watch.watching.leads(HOSTILE[name], ours=False)
    text = watch.err.getvalue()
    assert commands_in(text) == []
    assert not OBEYED.search(text)
    assert len(lines) >= len(report.deliveries)
    if log_format == "json":
        assert all(json.loads(line)["time"] for line in text.split("\n") if line)


def test_secrets_are_hidden_before_they_are_cut() -> None:
    for at in range(560, 610):
        watch = Watch(secrets=[Secret("s3cr3t-and-long-enough")])
        watch.tell(Report(deliveries=(Delivery(update(), f"{'x' * at}s3cr3t-and-long\x00-enough"),)))
        assert "s3cr3t" not in watch.err.getvalue()


def test_time_is_the_one_of_the_look() -> None:
    watch = Watch()
    watch.clock.now = NOW + 3671
    assert watch.tell(delivered(STATUS))[0].startswith("11:51:11 ")
