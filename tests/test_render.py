"""Sentences, and strangers' text in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import FLEET, MAIN_B, NOW, B

from landed import render
from landed.model import ObjectRef, Observation, Outcome, Repository, State

WEB = ObjectRef("Kustomization", "apps", "web")


def seen(state: State = State.FAILURE, name: str = "web", **rest: Any) -> Observation:
    settings: dict[str, Any] = {"reason": "HealthCheckFailed", "revision": MAIN_B} | rest
    return Observation(ObjectRef("Kustomization", "apps", name), state, FLEET, B, **settings)


def outcome(*observations: Observation, commit: str = B, whole: bool = True) -> Outcome:
    missing = () if whole else (ObjectRef("Kustomization", "apps", "other"),)
    return Outcome("prod", FLEET if commit else Repository("", ""), commit, observations, missing)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\tb  c", "a b c", id="blanks"),
        pytest.param("a\r\nb\u2028c", "a\nb\nc", id="breaks"),
        pytest.param("\x1b[31mred\x07", "[31mred", id="control"),
        pytest.param("user\u202etxt.exe", "usertxt.exe", id="direction"),
        pytest.param("a\u200bb\ufeff", "ab", id="unseen"),
    ],
)
def test_clean(text: str, expected: str) -> None:
    assert render.clean(text) == expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        pytest.param("short", 10, "short", id="fits"),
        pytest.param("exactly ten", 11, "exactly ten", id="just-fits"),
        pytest.param("one two three", 9, "one two…", id="on-a-word"),
        pytest.param("abcdefghijklmnop", 6, "abcde…", id="one-long-word"),
        pytest.param("first, second", 8, "first…", id="without-the-comma"),
    ],
)
def test_cut(text: str, limit: int, expected: str) -> None:
    assert render.cut(text, limit) == expected


@given(st.text(), st.integers(min_value=1, max_value=200))
def test_cut_never_exceeds_the_limit(text: str, limit: int) -> None:
    assert len(render.cut(text, limit)) <= limit


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("health check failed after 30.0162s: x", "health check failed after 2m0.1s: x", id="durations"),
        pytest.param(
            "stat /tmp/kustomization-1464362706/deploy: no", "stat /tmp/kustomization-99887766/deploy: no", id="scratch"
        ),
        pytest.param("Applied main@6dcd4ce2 in 13.1s", "Applied main@6dcd4ce2 in 9s", id="description"),
    ],
)
def test_the_essence_leaves_out_what_differs_from_run_to_run(one: str, other: str) -> None:
    assert render.essence(one) == render.essence(other)


def test_the_essence_keeps_the_rest() -> None:
    assert render.essence("timeout waiting for: Deployment/web") != render.essence(
        "timeout waiting for: Deployment/api"
    )


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("HealthCheckFailed", "Health check failed"), ("InvalidCELExpression", "Invalid CEL expression"), ("", "")],
)
def test_reasons_in_words(reason: str, expected: str) -> None:
    assert render.words(reason) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-3, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (3900, "1h 5m"),
        (86400, "1d"),
        (190000, "2d 4h"),
    ],
)
def test_age(seconds: int, expected: str) -> None:
    assert render.age(seconds) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13.118402s", "13.1s"),
        ("2m1.331s", "2m1s"),
        ("1h2m0.5s", "1h2m0s"),
        ("300.5ms", "300.5ms"),
        ("5s", "5s"),
        ("", ""),
    ],
)
def test_duration(text: str, expected: str) -> None:
    assert render.duration(text) == expected


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        pytest.param(seen(State.SUCCESS, duration="13.118402s"), "Applied main@ae4f281d in 13.1s", id="success"),
        pytest.param(seen(State.SUCCESS), "Applied main@ae4f281d", id="success-without-duration"),
        pytest.param(
            seen(message="health check failed after 2m0.004s: timeout: [Deployment/apps/web status: 'InProgress']"),
            "Health check failed after 2m0.004s: timeout: [Deployment/apps/web status: 'InProgress']",
            id="flux-says-it-already",
        ),
        pytest.param(
            seen(
                reason="ArtifactFailed",
                message="kustomization path not found: stat /tmp/kustomization-1464362706/deploy/web: no such",
            ),
            "Artifact failed: kustomization path not found: deploy/web: no such",
            id="no-scratch-folder",
        ),
        pytest.param(
            seen(reason="ReconciliationFailed", message="Service/apps/web dry-run failed\nNamespace/apps configured\n"),
            "Reconciliation failed: Service/apps/web dry-run failed",
            id="first-line",
        ),
        pytest.param(seen(reason="BuildFailed"), "Build failed", id="no-message"),
        pytest.param(
            seen(State.PENDING, waits_for=ObjectRef("Kustomization", "infra", "crds")),
            "Waiting for infra/crds",
            id="dependency",
        ),
        pytest.param(seen(State.PENDING, message="Reconciling: building"), "Reconciling: building", id="pending"),
    ],
)
def test_say(observation: Observation, expected: str) -> None:
    assert render.say(observation) == expected


@given(st.text(), st.sampled_from(list(State)))
def test_whatever_flux_says_it_stays_one_line_within_the_limit(message: str, state: State) -> None:
    said = render.say(seen(state, message=message), 140)
    assert len(said) <= 140
    assert "\n" not in said


LIVE, BAD, WAIT = seen(State.SUCCESS), seen(message="no"), seen(State.PENDING, message="Reconciling")


@pytest.mark.parametrize(
    ("observations", "expected"),
    [
        pytest.param([LIVE], "1 object live", id="live"),
        pytest.param([LIVE, seen(State.SUCCESS, "api")], "2 objects live", id="two-live"),
        pytest.param([BAD], "Health check failed: no", id="failed"),
        pytest.param([LIVE, seen(State.FAILURE, "api")], "1 of 2 failed: apps/api", id="one-failed"),
        pytest.param([WAIT], "Reconciling", id="pending"),
        pytest.param([LIVE, seen(State.PENDING, "api")], "1 of 2 live, waiting for apps/api", id="one-waits"),
        pytest.param(
            [seen(name=f"k{n}") for n in range(5)], "5 of 5 failed: apps/k0, apps/k1, apps/k2 and 2 more", id="many"
        ),
    ],
)
def test_summary(observations: list[Observation], expected: str) -> None:
    assert render.summary(outcome(*observations)) == expected


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        (Repository("github.com", "a/b"), "https://github.com/a/b/commit/c0"),
        (Repository("bitbucket.org", "a/b"), "https://bitbucket.org/a/b/commits/c0"),
        (Repository("127.0.0.1:80", "a/b"), "http://127.0.0.1:80/a/b/commit/c0"),
        (Repository("127.0.0.2", "a/b"), "http://127.0.0.2/a/b/commit/c0"),
        (Repository("localhost:3000", "a/b"), "http://localhost:3000/a/b/commit/c0"),
        (Repository("[::1]:3000", "a/b"), "http://[::1]:3000/a/b/commit/c0"),
        (Repository("127.0.0.1.example.com", "a/b"), "https://127.0.0.1.example.com/a/b/commit/c0"),
        (Repository("localhost.example.com", "a/b"), "https://localhost.example.com/a/b/commit/c0"),
        (Repository("git.example.com:8443", "a/b"), "https://git.example.com:8443/a/b/commit/c0"),
        (Repository("gitlab.com", "a/b/c"), "https://gitlab.com/a/b/c/commit/c0"),
        (Repository("example.com", "gitlab/a/b/c"), "https://example.com/gitlab/a/b/c/commit/c0"),
        (Repository("gitlab.com", "1234"), ""),
        (
            Repository("stash.example.com", "projects/KEY/repos/b"),
            "https://stash.example.com/projects/KEY/repos/b/commits/c0",
        ),
        (
            Repository("example.com", "git/users/jane/repos/b"),
            "https://example.com/git/users/jane/repos/b/commits/c0",
        ),
        (
            Repository("dev.azure.com", "org/My Project/_git/C%23"),
            "https://dev.azure.com/org/My%20Project/_git/C%23/commit/c0",
        ),
        (Repository("github.com", 'a/<b>|"*'), "https://github.com/a/%3Cb%3E%7C%22%2A/commit/c0"),
        (Repository("github.com", "f\u00f6/100%/%2F"), "https://github.com/f%C3%B6/100%25/%2F/commit/c0"),
        (Repository("", ""), ""),
    ],
)
def test_commit_url(repository: Repository, expected: str) -> None:
    assert render.commit_url(repository, "c0") == expected


@given(st.integers(min_value=0, max_value=4_000_000_000))
def test_times_are_what_the_calendar_says(seconds: int) -> None:
    assert render.rfc3339(seconds) == datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (WEB, "flux events -n apps --for Kustomization/web"),
        (ObjectRef("HelmRelease", "apps", "web"), "flux events -n apps --for HelmRelease/web"),
        (ObjectRef("GitRepository", "apps", "web"), "flux get sources git -n apps web"),
        (ObjectRef("ExternalArtifact", "apps", "web"), "kubectl describe -n apps externalartifact/web"),
    ],
)
def test_next_command(about: ObjectRef, expected: str) -> None:
    assert render.next_command(Observation(about, State.FAILURE)) == expected


def test_an_event_is_flux_own() -> None:
    event = render.event(
        "prod", seen(State.SUCCESS, reason="ReconciliationSucceeded", since=NOW, duration="3s", uid="u1")
    )
    assert event.message == "Reconciliation finished in 3s"
    assert (event.severity, event.reason, event.reportingController) == (
        "info",
        "ReconciliationSucceeded",
        "kustomize-controller",
    )
    assert dict(event.metadata) == {"cluster": "prod", "commit_status": "update", "revision": MAIN_B}
    assert (event.involvedObject.uid, event.involvedObject.apiVersion) == ("u1", "kustomize.toolkit.fluxcd.io/v1")


def test_an_event_on_an_artifact_names_the_commit_too() -> None:
    event = render.event("prod", seen(revision="latest@sha256:" + "7" * 64))
    assert event.metadata["originRevision"] == f"sha1:{B}"
    assert event.severity == "error"
