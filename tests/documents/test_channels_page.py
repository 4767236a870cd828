"""The page about channels tells the truth: its examples work, and each section says what its type can."""

from __future__ import annotations

import base64
import binascii
import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

import click
import pytest
import yaml
from config.manifestsource import read
from msgspec import structs

from landed import providers
from landed.cli.report import command as report
from landed.cli.sample import situation
from landed.config.manifests.read import unanswered
from landed.config.manifests.secrets import SecretSource, variable
from landed.config.manifests.settings import targets
from landed.config.mentions import mentions
from landed.model import Channel, Digest, Secret
from landed.registry import CHAT, EXTRAS

if TYPE_CHECKING:
    from landed.config.manifests.values import Manifests

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "channels.md").read_text()
HEAD = TEXT.partition("\n## People\n")[0]
SECTIONS = [(part.partition("\n")[0], part.partition("\n")[2]) for part in re.split(r"(?m)^### ", TEXT)[1:]]
BODIES = {type_: body.partition("\n## ")[0] for type_, body in SECTIONS}
#: The line with what a type can.
CAN = re.compile(r"(?m)^Edit: (.+?)\. Thread: (.+?)\. Resolve: (.+?)\. Mention: (.+)\.$")
#: Grafana takes messages, and keeps them.
KEEPS = {"digests": "People", "occurrences": "Services that keep something", "events": "Programs"}
OURS = "Ours: a cluster refuses it."


def _creds() -> str:
    raw = bytes([18 << 3 | 5, 0, *range(32)])
    seed = base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")
    parts = {"NATS USER JWT": "eyJ0.example.none", "USER NKEY SEED": seed}
    return "\n".join(f"-----BEGIN {name}-----\n{value}\n------END {name}------" for name, value in parts.items())


_HUB = "Endpoint=sb://example.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=bm9uZQ==;EntityPath=flux"
#: What a key may hold, by type and key; by key alone where any text will do.
VALUES = {
    "apprise address": "json://example.com/hook",
    "azureeventhub address": _HUB,
    "sentry address": "https://public@sentry.example.com/42",
    "address": "https://hooks.example.com/flux",
    "googlepubsub token": json.dumps(
        {"type": "service_account", "client_email": "a@b", "private_key": "none", "token_uri": "https://example.com"}
    ),
    "telegram token": f"123456789:{'A' * 35}",
    "datadog token": "0" * 32,
    "token": "example",
    "password": "example",
    "creds": _creds(),
    "headers": "X-Team: platform",
}


def prose(type_: str) -> str:
    """A section without its example, on one line."""
    return " ".join(re.sub(r"(?s)```.*?```", "", BODIES[type_]).split())


def settings(type_: str) -> dict[str, tuple[bool, str]]:
    """Each setting that has a bullet → whether it is bold, and the bullet."""
    found: dict[str, tuple[bool, str]] = {}
    for names, text in re.findall(r"(?ms)^- ((?:(?:\*\*)?`\w+`(?:\*\*)?(?:, )?)+): (.*?)(?=\n- |\n\n)", BODIES[type_]):
        for bold, name in re.findall(r"(\*\*)?`(\w+)`", names):
            assert name not in found, f"{name} is there twice"
            found[name] = (bool(bold), text)
    return found


def can(type_: str) -> tuple[str, ...]:
    (line,) = CAN.findall(BODIES[type_])
    return tuple(line)


def example(type_: str) -> str:
    (text,) = re.findall(r"(?s)```yaml\n(.*?)```", BODIES[type_])
    return str(text)


def secret(type_: str) -> dict[str, str]:
    """The environment that answers for the example's Secret, as the comment behind it says."""
    named = re.findall(r"secretRef: \{ name: (\S+) \} # keys: (.*)", example(type_))
    assert len(named) == example(type_).count("secretRef:") <= 1
    keys = [(name, key) for name, keys in named for key in keys.split(", ")]
    return {variable(name, key): VALUES.get(f"{type_} {key}") or VALUES[key] for name, key in keys}


def worked(manifests: Manifests, environ: dict[str, str]) -> tuple[list[Channel], list[str]]:
    """The channels, and everything that somebody would be told about them."""
    made, problems, notes = targets(manifests, SecretSource(environ))
    channels = [target.channel for target in made if target.channel is not None]
    said = [*map(str, (*unanswered(manifests), *problems)), *notes]
    for channel in channels:
        look = getattr(providers.chat_module(channel.type), "complaints", None)
        said += map(str, look(channel) if look else ())
    return channels, said


@cache
def channel_of(type_: str) -> Channel:
    manifests, problems = read(example(type_))
    assert not problems
    (channel,), said = worked(manifests, secret(type_))
    assert said == []
    return channel


def test_every_type_has_one_section() -> None:
    assert sorted(type_ for type_, _ in SECTIONS) == sorted(CHAT)


def test_sections_stand_below_their_group_by_name() -> None:
    groups = re.findall(r"(?ms)^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT)
    there = {name: re.findall(r"(?m)^### (.+)$", text) for name, text in groups}
    wanted: dict[str, list[str]] = {name: [] for name in ["For all of them", *KEEPS.values()]}
    for type_ in sorted(CHAT):
        wanted[KEEPS["occurrences" if type_ == "grafana" else CHAT[type_].takes]].append(type_)
    assert list(there.items()) == list(wanted.items())


@pytest.mark.parametrize("type_", CHAT)
def test_the_example_describes_one_channel_of_the_type_without_a_remark(type_: str) -> None:
    manifests, _ = read(example(type_))
    assert channel_of(type_).type == type_
    expected = [] if CHAT[type_].since else ["is one of ours: Flux does not know it, and a cluster refuses it"]
    assert len(manifests.notes) == len(expected)
    assert all(words in note for words, note in zip(expected, manifests.notes, strict=True))
    assert [document["kind"] for document in yaml.safe_load_all(example(type_))] == ["Provider", "Alert"]


@pytest.mark.parametrize("type_", CHAT)
def test_the_example_can_be_sent(type_: str) -> None:
    takes = CHAT[type_].takes
    channel = channel_of(type_)
    for name in ("failure", "success", "recovery", "dependency"):
        for payload in situation(name, takes):
            assert providers.chat_module(type_).requests(channel, payload)  # type: ignore[arg-type]


@pytest.mark.parametrize("type_", CHAT)
def test_every_setting_is_explained_and_what_is_needed_is_bold(type_: str) -> None:
    kind = CHAT[type_]
    assert {name: bold for name, (bold, _) in settings(type_).items()} == {
        name: name in kind.needs.split() for name in kind.uses.split()
    }


def forms() -> list[tuple[str, str]]:
    """Every whole address that a section gives as one that is taken."""
    found = []
    for type_ in BODIES:
        text = settings(type_)["address"][1]
        spans = (span for span in re.findall(r"`([^`]+)`", text) if re.match(r"\w+://[^\s…]+\Z", span))
        found += [(type_, span) for span in spans]
    return found


@pytest.mark.parametrize(("type_", "form"), forms())
def test_every_form_of_an_address_is_taken(type_: str, form: str) -> None:
    """With the example's Secret, or without it where there are two ways."""
    manifests, _ = read(example(type_))
    environ = {name: value for name, value in secret(type_).items() if not name.endswith("_ADDRESS")}
    (provider,) = manifests.providers
    tries = (
        structs.replace(provider, address=Secret(form), secret=provider.secret if environ else ""),
        structs.replace(provider, address=Secret(form), secret=""),
        structs.replace(provider, address=Secret(form), secret="", channel="", username=""),
    )
    said = [worked(structs.replace(manifests, providers=(each,)), environ)[1] for each in tries]
    assert [] in said, said


def test_there_are_forms_of_addresses() -> None:
    assert len(forms()) > 30


@pytest.mark.parametrize("type_", CHAT)
def test_what_a_type_can_is_what_the_registry_says(type_: str) -> None:
    kind = CHAT[type_]
    yes = "with `token`" if kind.edits == "token" else "yes"
    edit, thread, resolve, mention = can(type_)
    assert edit == (yes if kind.edits else "no")
    assert thread == (yes if kind.threads else "no")
    assert resolve == ("yes" if kind.resolves else "no")
    assert (mention != "no") == kind.mentions
    assert prose(type_).count("Mention: ") == (2 if kind.mentions else 1)  # and a sentence with the form of the id


@pytest.mark.parametrize("type_", [type_ for type_, kind in CHAT.items() if kind.mentions])
def test_the_example_of_a_mention_calls_somebody(type_: str, tmp_path: Path) -> None:
    (id_,) = re.fullmatch(r"`([^`]+)`", can(type_)[3]).groups()  # type: ignore[union-attr]
    file = tmp_path / "people.yaml"
    file.write_text(yaml.safe_dump({type_: {"Ada Lovelace": id_}}))
    called = mentions(str(file)).of(type_, "", "Ada Lovelace")
    (digest,) = situation("failure", "digests")
    assert isinstance(digest, Digest)
    with_, without = (_sent(type_, _calling(digest, mention)) for mention in (called, ""))
    assert id_ in with_
    assert id_ not in without


def _calling(digest: Digest, mention: str) -> Digest:
    stories = tuple(structs.replace(story, mention=mention) for story in digest.stories)
    return structs.replace(digest, stories=stories)


def _sent(type_: str, digest: Digest) -> str:
    """What goes out but for who we are, as text; a message of e-mail is told of in its headers."""
    (request,) = providers.chat_module(type_).requests(channel_of(type_), digest)
    shown = {name: str(value) for name, value in request.headers.items()}
    return f"{shown} {unquote_plus(request.body.decode())}"


@pytest.mark.parametrize("type_", CHAT)
def test_what_is_to_be_installed_is_named_and_nothing_else(type_: str) -> None:
    extra = CHAT[type_].extra
    assert re.findall(r"Takes an extra: `pip install '(.*?)'`", prose(type_)) == ([f"landed[{extra}]"] if extra else [])
    assert prose(type_).count("pip install") == (1 if extra else 0)
    assert not extra or extra in EXTRAS


@pytest.mark.parametrize("type_", CHAT)
def test_what_flux_does_not_know_is_said_to_be_ours(type_: str) -> None:
    assert (OURS in prose(type_)) == (not CHAT[type_].since)


@pytest.mark.parametrize("type_", CHAT)
def test_an_account_that_is_refused_is_named(type_: str) -> None:
    assert ("`serviceAccountName` is refused" in prose(type_)) == bool(CHAT[type_].account)


def test_options_without_manifests_are_all_named() -> None:
    taken = {flag for option in report.params if isinstance(option, click.Option) for flag in option.opts}
    short = {flag for flag in taken if re.fullmatch(r"--[a-z]+-(webhook|url)", flag) and flag[2:].split("-")[0] in CHAT}
    (sentence,) = re.findall(r"(?s)\*\*Without manifests\*\*: (.*?)\n\n", HEAD)
    assert set(re.findall(r"`(--[a-z-]+)`", sentence)) == short
    assert set(re.findall(r"--[a-z]+-webhook", TEXT)) <= short


def test_variables_and_options_of_the_introduction_are_there() -> None:
    assert re.findall(r"LANDED_SECRET_\w+", HEAD) == [variable("slack-bot", "token")]
    assert set(secret("slack")) == {variable("slack-bot", "token")}


def test_links_lead_somewhere() -> None:
    places = re.findall(r"\]\((?!https?://)([^)#]+)(?:#([^)]*))?\)", TEXT)
    assert places
    for path, anchor in places:
        text = (ROOT / "docs" / path).resolve().read_text()
        headings = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"(?m)^#+ (.+)$", text)}
        assert anchor in headings


def test_no_line_is_too_long_and_nothing_looks_like_a_token() -> None:
    assert [line for line in TEXT.split("\n") if len(line) > 140] == []
    assert not re.search(r"xox[bp]-[0-9]|ghp_|tk_[a-z0-9]{8}|hooks\.slack\.com/services/T[A-Z0-9]{3}", TEXT)
