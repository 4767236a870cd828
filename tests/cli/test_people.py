"""Words, mentions and quiet hours from the command line to what is sent; and what is wrong with channels that are given
by options.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import objects as o
import pytest
import yaml
from integration.guide import App
from msgspec import structs
from objects import MAIN_A, MAIN_B
from standins.slack import SlackWebhook

from landed import providers
from landed.cli import enter, report
from landed.cli.compose import EXAMINED
from landed.cli.options import Options
from landed.cli.people import wishes
from landed.cli.sample import situation
from landed.config.channels import option_of
from landed.http import Http
from landed.model import Channel, Digest, Secret, Update
from landed.providers.outlet import ChannelOutlet
from landed.registry import CHAT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APP = App()


def _hours(begin: int, end: int) -> str:
    """So many seconds from now, until so many."""
    clock = (time.strftime("%H:%M", time.gmtime(time.time() + seconds)) for seconds in (begin, end))
    return f"slack={'-'.join(clock)} UTC"


NOW, LATER = _hours(-3600, 3600), _hours(7200, 9000)


@pytest.fixture
def slack() -> Iterator[SlackWebhook]:
    with SlackWebhook() as one:
        yield one


class Place:
    """A folder with a cluster in a file."""

    def __init__(self, folder: Path, slack: SlackWebhook) -> None:
        self.folder = folder
        self.slack = slack

    def report(self, *objects: Any, arguments: tuple[str, ...] = ()) -> list[str]:
        """What Slack was told."""
        items = [APP.fetched(MAIN_B), *objects]
        (self.folder / "cluster.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": items}))
        before = len(self.slack.taken)
        code = enter(["report", "--from-file", "cluster.json", "--slack-webhook", self.slack.address, *arguments])
        assert code == 0
        return [json.dumps(each, ensure_ascii=False) for each in self.slack.taken[before:]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slack: SlackWebhook) -> Place:
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path, slack)


def test_a_template_says_it_and_a_wrong_one_loses_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (place.folder / "good.j2").write_text("{{ cluster }} broke {{ short_commit }}\n")
    (place.folder / "bad.j2").write_text("{{ cluster }}\n{{ comit }}\n")

    (told,) = place.report(APP.unhealthy(MAIN_B), arguments=("--message-template", "slack=good.j2"))
    assert "cluster broke" in told
    (again,) = place.report(APP.live(MAIN_B), arguments=("--message-template", "bad.j2"))

    assert "is live on" in again
    said = capsys.readouterr().err
    assert "bad.j2 line 2: 'comit' is undefined" in said


def test_in_quiet_hours_failures_are_told_and_the_rest_after(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    quiet = ("--quiet-hours", NOW)
    assert len(place.report(APP.unhealthy(MAIN_B), arguments=quiet)) == 1

    assert place.report(APP.live(MAIN_B), arguments=quiet) == []
    capsys.readouterr()
    assert enter(["preview", "--from-file", "cluster.json", "--slack-webhook", place.slack.address, *quiet]) == 0
    shown = capsys.readouterr()
    assert shown.out == "Nothing would be sent now.\n"
    assert "quiet hours" in shown.err
    (told,) = place.report(APP.live(MAIN_B), arguments=("--quiet-hours", LATER))

    assert "Recovered" in told
    assert place.report(APP.live(MAIN_B)) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--message-template", "nowhere.j2"), "--message-template: nowhere.j2 cannot be read"),
        (("--message-template", "teams=x.j2"), 'no channel for people is of the type or the Provider "teams"'),
        (("--quiet-hours", "25:00-07:00"), "--quiet-hours: there is no such time"),
        (("--quiet-hours", "apps/none=22:00-07:00"), "no channel for people"),
        (("--mentions", "nowhere.yaml"), "--mentions: nowhere.yaml: "),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_sent(
    place: Place, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    (place.folder / "x.j2").write_text("x")
    (place.folder / "cluster.json").write_text(json.dumps({"kind": "List", "items": [o.git_repository()]}))

    assert enter(["report", "--from-file", "cluster.json", "--slack-webhook", place.slack.address, *arguments]) == 2

    assert said in capsys.readouterr().err
    assert place.slack.asked == []


def test_an_example_needs_no_cluster(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(place.folder))

    assert enter(["preview", "--slack-webhook", place.slack.address, "--situation", "failure"]) == 0

    assert "failed on example" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "address", "what"),
    [
        ("--mattermost-webhook", "https://chat.example.com", "it is no webhook's"),
        ("--ntfy-webhook", "https://ntfy.example.com", "topic"),
        ("--apprise-url", "foo://x", "Apprise does not understand the address"),
    ],
)
def test_an_address_that_an_option_cannot_mean(
    place: Place, capsys: pytest.CaptureFixture[str], option: str, address: str, what: str
) -> None:
    (place.folder / "cluster.json").write_text(
        json.dumps({"kind": "List", "items": [APP.fetched(MAIN_A), APP.unhealthy()]})
    )

    assert enter(["doctor", "--from-file", "cluster.json", option, address]) == 6
    assert what in capsys.readouterr().out
    for command in ("report", "preview"):
        assert enter([command, "--from-file", "cluster.json", option, address]) == 2
        assert f"{option}: " in (said := capsys.readouterr().err)
        assert what in said
    assert not (place.folder / "ledger.json").exists()


def test_what_options_may_say_wrong_is_looked_at() -> None:
    flags = {flag for parameter in report.command.params for flag in parameter.opts}
    given = {type_ for type_ in CHAT if option_of(type_) in flags}
    looks = {type_ for type_ in given if hasattr(providers.chat_module(type_), "complaints")}
    assert looks == EXAMINED
    assert {"slack", "generic"} <= given


def test_an_extra_that_is_not_here_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(providers.EXTRAS, "otel", ("no.such.module", "traces"))
    meta = {"name": "traces", "namespace": "apps"}
    api = "notification.toolkit.fluxcd.io/v1beta3"
    spec = {"providerRef": {"name": "traces"}, "eventSources": [{"kind": "Kustomization", "name": "*"}]}
    documents = [
        {
            "apiVersion": api,
            "kind": "Provider",
            "metadata": meta,
            "spec": {"type": "otel", "address": "http://127.0.0.1:4318"},
        },
        {"apiVersion": api, "kind": "Alert", "metadata": meta, "spec": spec},
    ]
    (place.folder / "flux.yaml").write_text(yaml.safe_dump_all(documents))
    (place.folder / "cluster.json").write_text(json.dumps({"kind": "List", "items": [APP.fetched(MAIN_A)]}))

    assert enter(["report", "--from-file", "cluster.json", "--config", "flux.yaml"]) == 2

    said = capsys.readouterr().err
    assert "flux.yaml:" in said
    assert "pip install 'landed[otel]'" in said
    assert enter(["doctor", "--from-file", "cluster.json"]) == 0
    assert "Not installed: otel, for traces." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [("slack", "U024BE7LH", "@ada"), ("discord", "80351110224678912", "ada#1234"), ("email", "ada@example.com", "ada")],
)
def test_an_id_that_a_service_cannot_call_is_said_once(tmp_path: Path, type_: str, good: str, bad: str) -> None:
    address = "smtp://127.0.0.1:1" if type_ == "email" else "https://chat.example.com/api/webhooks/1/x"
    name = f"Alert apps/{type_}"
    outlets = {name: ChannelOutlet(Channel(type_, name, Secret(address), "ops@example.com", "flux@example.com"), Http)}
    people = tmp_path / "people.yaml"
    people.write_text(f"{type_}:\n  Ada: {good!r}\n  Bo: {bad!r}\nCy: '????'\n")
    rewrite = wishes(Options(mentions=str(people)), outlets)

    def wrong(author: str) -> tuple[str, ...]:
        example = situation("failure", "digests")[0]
        assert isinstance(example, Digest)
        story = structs.replace(example.stories[0], author=author)
        return rewrite([Update(name, (), Digest((story,)))])[1]

    assert wrong("Ada") == wrong("Nobody") == ()
    (said,) = wrong("Bo")
    assert f'people.yaml: "{bad}" for "Bo" calls nobody on {name}.' in said
    assert wrong("Bo") == ()
    assert len(wrong("Cy")) == 1
