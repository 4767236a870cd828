"""What is given may be wrong in every way there is: the command says so in a few words, and loses nothing.

Every row goes through the command as a process: what a user sees is what is tested. Only what happens before and after
the run that a test is about happens in this process, and what would take long.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import ssl
import stat
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import trustme
import yaml
from faults import inside
from integration.command import Run, Workplace, variables
from standins.server import Answer, StandIn, answer, hang, reset, rubbish

from landed.http import Http
from landed.kube import execplugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from integration.cluster import Cluster
    from standins.server import Asked, Fault

Config = dict[str, Any]

#: Everything is said in so many lines at most.
LINES = 6


def _judge(done: Run, code: int, *said: str) -> None:
    """One clear message, the documented exit code, no traceback, no escape into many words."""
    told = f"exit {done.code}\nstdout: {done.out}\nstderr: {done.err}"
    assert done.code == code, told
    assert "Traceback" not in done.err + done.out, told
    assert len(done.err.splitlines()) <= LINES, told
    for words in said:
        assert re.search(words, done.err, re.IGNORECASE), told


@pytest.fixture
def settled(place: Workplace) -> Workplace:
    """After a run in which all was well."""
    done = inside.report(place)
    assert (done.code, done.err) == (0, "")
    place.forget()
    return place


# ── the kubeconfig ──────────────────────────────────────────────────────────────────────────────────────────────────


class Row(NamedTuple):
    """A kubeconfig, what it must end with and what must be said."""

    edit: Callable[[Config, Path], object]
    """Changes the good kubeconfig, or gives the text to put in its place."""
    code: int
    said: str


def _no_context(config: Config, _: Path) -> None:
    del config["current-context"]


def _unknown_context(config: Config, _: Path) -> None:
    config["current-context"] = "staging"


def _expired_certificate(config: Config, folder: Path) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert(common_name="admin", not_after=datetime(2021, 3, 4, tzinfo=UTC))
    leaf.private_key_pem.write_to_path(folder / "key.pem")
    leaf.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    config["users"][0]["user"] = {
        "client-certificate": str(folder / "cert.pem"),
        "client-key": str(folder / "key.pem"),
    }


def _plugin(script: str) -> Callable[[Config, Path], None]:
    def edit(config: Config, folder: Path) -> None:
        path = folder / "get-token"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        command = str(path) if script else "aws-iam-authenticator-that-is-not-there"
        config["users"][0]["user"] = {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": command,
                "interactiveMode": "Never",
                "installHint": "Install it from https://example.com/install",
            }
        }

    return edit


KUBECONFIGS = {
    "empty": Row(lambda *_: "\n", 2, "is empty"),
    "not YAML": Row(lambda *_: "clusters: [\n: }", 2, "not valid YAML"),
    "a list": Row(lambda *_: "- a\n- b\n", 2, "not a kubeconfig"),
    "binary": Row(lambda *_: b"\x00\xff\xfe\x01", 2, "not a text file|not valid YAML"),
    "no current context": Row(_no_context, 2, "context"),
    "unknown context": Row(_unknown_context, 2, "staging"),
    "plugin missing": Row(_plugin(""), 5, "aws-iam-authenticator-that-is-not-there"),
    "plugin failing": Row(_plugin("echo 'token has expired: run sso login' >&2; exit 7"), 5, "7.*sso login"),
    "plugin printing rubbish": Row(_plugin("echo Welcome"), 5, "ExecCredential"),
}


@pytest.mark.parametrize("name", KUBECONFIGS)
def test_a_kubeconfig_that_cannot_be_used_is_explained(settled: Workplace, cluster: Cluster, name: str) -> None:
    row, before = KUBECONFIGS[name], settled.stored()
    config = yaml.safe_load(cluster.kubeconfig())
    text = row.edit(config, settled.folder)
    if isinstance(text, bytes):
        (settled.folder / "kubeconfig").write_bytes(text)
    else:
        settled.configure(text if isinstance(text, str) else yaml.safe_dump(config))

    done = settled.report()

    _judge(done, row.code, row.said)
    assert settled.silent()
    assert settled.stored() == before


@pytest.mark.slow
def test_a_plugin_that_hangs_is_given_up(place: Workplace, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, for a minute is long."""
    config = yaml.safe_load(cluster.kubeconfig())
    _plugin("exec sleep 600")(config, place.folder)
    place.configure(yaml.safe_dump(config))
    monkeypatch.setattr(execplugin, "TIMEOUT", 0.5)

    _judge(inside.report(place), 5, "did not end within")


def test_a_kubeconfig_that_is_not_there_is_explained(settled: Workplace) -> None:
    before = settled.stored()

    done = settled.report(LANDED_KUBECONFIG=str(settled.folder / "nowhere"))

    _judge(done, 2, "nowhere")
    assert settled.stored() == before


def test_no_kubeconfig_at_all_is_explained(settled: Workplace) -> None:
    _judge(settled.report(LANDED_KUBECONFIG=""), 2, "kubeconfig")


# ── the cluster ─────────────────────────────────────────────────────────────────────────────────────────────────────

FORBIDDEN = json.dumps(
    {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": "Forbidden",
        "code": 403,
        "message": "kustomizations.kustomize.toolkit.fluxcd.io is forbidden: User "
        '"system:serviceaccount:ci:robot" cannot list resource "kustomizations" in API group '
        '"kustomize.toolkit.fluxcd.io" at the cluster scope',
    }
)
ANSWERS: dict[str, tuple[Fault, str]] = {
    "401": (answer(401, body="Unauthorized"), "401"),
    "403": (answer(403, body=FORBIDDEN), "kubectl create clusterrole.*system|list kustomizations"),
    "404": (answer(404, body="404 page not found\n"), "Flux is not installed"),
    "429": (answer(429, {"Retry-After": "0"}, "Too many requests, please try again later."), "429"),
    "500": (answer(500, body="{}"), "500"),
    "503": (answer(503, {"Retry-After": "0"}, "<html>no upstream</html>"), "503"),
    "login page": (answer(200, {"Content-Type": "text/html"}, "<html>Please log in</html>"), "web page"),
    "redirect": (answer(302, {"Location": "https://login.example.com/?token=s3cr3t"}), "login.example.com"),
    "cut JSON": (answer(200, {"Content-Type": "application/json"}, '{"items":[{"meta'), "JSON|answer"),
    "not HTTP": (rubbish(), "not HTTP"),
    "reset": (reset(), "connection"),
}


@contextmanager
def _api(faults: list[Fault], *, context: ssl.SSLContext | None = None) -> Iterator[StandIn]:
    """An API server that answers every request with the first of ``faults``; the last one lasts."""

    def act(_: Asked) -> Answer:
        return Answer(200, b"{}")

    with StandIn(act, context=context) as server:
        server.faults.extend(faults)
        yield server


def _point(place: Workplace, cluster: Cluster, **settings: str) -> None:
    config = yaml.safe_load(cluster.kubeconfig())
    config["clusters"][0]["cluster"] = settings
    place.configure(yaml.safe_dump(config))


@pytest.mark.parametrize("name", ANSWERS)
def test_a_cluster_that_gives_no_answer_is_named_and_nothing_is_touched(
    settled: Workplace, cluster: Cluster, name: str
) -> None:
    fault, said = ANSWERS[name]
    before = settled.stored()
    with _api([fault] * 50) as api:
        _point(settled, cluster, server=api.url)
        done = settled.report()

    _judge(done, 5, said)
    assert "s3cr3t" not in done.out + done.err
    assert settled.silent()
    assert settled.stored() == before


def test_a_list_that_expires_again_and_again_is_given_up(settled: Workplace, cluster: Cluster) -> None:
    gone = json.dumps({"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old"})
    first = answer(
        200,
        {"Content-Type": "application/json"},
        json.dumps({"kind": "KustomizationList", "metadata": {"continue": "abc"}, "items": []}),
    )
    before = settled.stored()
    with _api([first, answer(410, body=gone)] * 20) as api:
        _point(settled, cluster, server=api.url)
        done = settled.report()

    _judge(done, 5, "list")
    assert settled.stored() == before


def test_a_cluster_that_hangs_is_given_up(settled: Workplace, cluster: Cluster) -> None:
    before = settled.stored()
    with _api([hang()] * 10) as api:
        _point(settled, cluster, server=api.url)
        done = settled.report("--request-timeout=0.3")

    _judge(done, 5, "did not answer within")
    assert settled.stored() == before


@pytest.mark.parametrize(
    ("server", "said"),
    [
        pytest.param("https://127.0.0.1:1", "refuses the connection", id="nobody there"),
        pytest.param("https://cluster.invalid:6443", "cannot be found", id="no such name"),
    ],
)
def test_a_cluster_that_cannot_be_reached_is_named(
    settled: Workplace, cluster: Cluster, server: str, said: str
) -> None:
    before = settled.stored()
    _point(settled, cluster, server=server)

    _judge(settled.report(), 5, said)
    assert settled.stored() == before


def test_a_certificate_that_nobody_vouches_for_is_refused(settled: Workplace, cluster: Cluster) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    before = settled.stored()
    with _api([], context=context) as api:
        _point(settled, cluster, server=api.url)
        done = settled.report()
        assert not api.asked

    _judge(done, 5, "certificate")
    assert settled.stored() == before


def test_a_client_certificate_that_has_expired_is_named_as_such(settled: Workplace, cluster: Cluster) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    authority.cert_pem.write_to_path(settled.folder / "ca.pem")
    with _api([], context=context) as api:
        config = yaml.safe_load(cluster.kubeconfig())
        config["clusters"][0]["cluster"] = {
            "server": api.url,
            "certificate-authority": str(settled.folder / "ca.pem"),
        }
        _expired_certificate(config, settled.folder)
        settled.configure(yaml.safe_dump(config))
        done = settled.report()

    _judge(done, 5, "expired on 2021-03-04")


# ── the ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────

DAMAGED = {
    "empty": b"",
    "cut short": b'{"version":1,"destinations":{"github.com":{"exa',
    "not JSON": b"\x89PNG\r\n\x1a\n",
    "another JSON": b'["this", "is", "not", "ours"]',
    "of a newer version": b'{"version":99,"destinations":{}}',
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_ledger_that_cannot_be_read_is_kept_and_the_git_host_is_asked_instead(settled: Workplace, name: str) -> None:
    held = settled.statuses()
    settled.ledger.write_bytes(DAMAGED[name])

    done = settled.report()

    _judge(done, 0)
    assert settled.written() == []
    assert settled.statuses() == held
    if DAMAGED[name]:
        assert "ledger" in (done.out + done.err).lower()
        aside = [path for path in settled.folder.iterdir() if path.name.startswith("ledger.json.")]
        assert DAMAGED[name] in [path.read_bytes() for path in aside]


def test_a_ledger_of_100_megabytes_does_not_take_the_run_down(settled: Workplace) -> None:
    with settled.ledger.open("wb") as file:
        file.write(b'{"version":1,"destinations":{"github.com":{"')
        file.write(b"x" * 100_000_000)
        file.write(b'":[]}}}')

    done = settled.report()

    _judge(done, 0, "ledger")
    assert settled.written() == []


def test_a_ledger_that_is_a_directory_is_refused(place: Workplace) -> None:
    place.ledger.mkdir()

    _judge(place.report(), 2, "ledger.*directory")
    assert place.silent()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_ledger_that_may_not_be_written_is_refused(settled: Workplace) -> None:
    settled.ledger.chmod(stat.S_IRUSR)
    settled.folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        done = settled.report()
    finally:
        settled.folder.chmod(0o700)

    _judge(done, 2, "ledger")


def test_a_ledger_in_a_place_that_takes_no_files_is_refused(place: Workplace) -> None:
    done = place.report(LANDED_LEDGER="/proc/landed/ledger.json")

    _judge(done, 2, "ledger")
    assert place.silent()


def test_a_ledger_that_another_run_holds_is_waited_for_and_then_refused(settled: Workplace) -> None:
    before = settled.stored()
    with (settled.folder / "ledger.json.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = settled.report("--lock-timeout=0.2")

    _judge(done, 2, "another run|held")
    assert settled.stored() == before
    assert settled.silent()


# ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_token_means_that_nobody_is_told_by_commit_status(place: Workplace) -> None:
    done = place.report(LANDED_GITHUB_TOKEN="", LANDED_GITHUB_API_URL="")

    _judge(done, 0)
    assert not place.github.asked


@pytest.mark.parametrize(
    ("token", "said"),
    [
        pytest.param("ghs_wrongE42F292c6912E7710c838347Ae178B4a", "401|token", id="wrong"),
        pytest.param("ghs_two\nlines", "token|line", id="with a line break"),
    ],
)
def test_a_token_that_is_not_good_enough_is_named_and_people_are_told(place: Workplace, token: str, said: str) -> None:
    done = place.report(LANDED_GITHUB_TOKEN=token)

    _judge(done, 6, said)
    assert token.split("\n")[0] not in done.out + done.err
    assert len(place.slack.taken) == 1
    assert place.statuses() == {}
    again = inside.report(place)
    assert again.code == 0
    assert place.statuses()
    assert len(place.slack.taken) == 1


# ── webhooks ────────────────────────────────────────────────────────────────────────────────────────────────────────

REFUSALS: dict[str, tuple[Fault, str]] = {
    "404": (answer(404, body="no_team"), "404"),
    "410": (answer(410, body="channel_is_archived"), "410"),
    "500": (answer(500, body="<html>Sorry</html>"), "500"),
    "redirect to another host": (answer(302, {"Location": "http://evil.example.com/?s3cr3t"}), "redirect|302"),
    "200 with rubbish": (answer(200, body="<html>Welcome to the captive portal</html>"), "slack"),
    "not HTTP": (rubbish(), "slack"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_webhook_that_does_not_take_the_message_is_named_and_told_next_time(place: Workplace, name: str) -> None:
    fault, said = REFUSALS[name]
    place.slack.faults.append(fault)

    done = place.report()

    _judge(done, 6, "slack", said)
    for secret in ("s3cr3t", "SxK9vQ3mR7tYwZ2pLd84NfGh"):
        assert secret not in done.out + done.err
    assert place.statuses(), "the Git host is told all the same"
    place.forget()
    again = inside.report(place)
    assert again.code == 0
    assert len(place.slack.taken) == 1
    assert not place.github.writes


def test_a_webhook_that_hangs_is_given_up(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, for a quarter of a minute is long."""
    patience = Http.__init__.__kwdefaults__ or {}
    assert patience["timeout"] == (3.05, 15.0)
    monkeypatch.setattr(Http.__init__, "__kwdefaults__", patience | {"timeout": (3.05, 1.0)})
    place.slack.faults.append(hang())

    done = inside.report(place)

    _judge(done, 6, "slack", "no answer in time")
    assert place.statuses()


# ── options ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--slack-webhok=x"], "--slack-webhook", id="misspelt"),
        pytest.param(["surplus"], "surplus", id="an argument"),
        pytest.param(["--fail-on=always"], "never.*failure", id="no such choice"),
        pytest.param(["--lock-timeout=soon"], "soon", id="not a number"),
        pytest.param(["--from-file=-", "--context=production"], "contradict", id="two clusters at once"),
        pytest.param(["--slack-webhook=hooks.slack.com/services/T0/B0/s3cr3t"], "web address", id="no scheme"),
        pytest.param(["--git-host=git.example.com"], "git.example.com=TYPE", id="half a Git host"),
        pytest.param(["--git-host=git.example.com=svn"], "svn", id="unknown Git host"),
        pytest.param(["--status-context=flux"], "--status-context", id="one name for all"),
        pytest.param(["--repository=not a url"], "--repository", id="no repository"),
        pytest.param(["--label-selector=a=b=c"], "selector", id="no selector"),
        pytest.param(["--context=production", "--context=production"], "once", id="a context twice"),
    ],
)
def test_an_option_that_makes_no_sense_is_explained_before_anything_is_done(
    place: Workplace, arguments: list[str], said: str
) -> None:
    done = place.report(
        *arguments, LANDED_KUBECONFIG="" if "--from-file=-" in arguments else str(place.folder / "kubeconfig")
    )

    _judge(done, 2, said)
    assert "s3cr3t" not in done.out + done.err
    assert place.silent()
    assert not place.ledger.exists()


def test_what_a_runner_passes_as_empty_strings_counts_as_not_given(place: Workplace) -> None:
    names = (
        "context", "cluster_name", "from_file", "kube_via", "request_timeout", "repository", "namespace",
        "kustomization", "label_selector", "git_host", "status_context", "status_context_commit", "target_url",
        "lock_timeout", "dry_run", "fail_on", "strict", "output", "log_format", "quiet", "verbose",
    )  # fmt: skip

    done = place.report(**variables(dict.fromkeys(names, "")))

    _judge(done, 0)
    assert place.statuses()
