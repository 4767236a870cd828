"""From Providers, Alerts and Secrets to destinations: each type, each rule, and nothing secret in what is said."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from landed import providers
from landed.config.hosts import Settings, git_hosts
from landed.config.manifests.hiding import hidden
from landed.config.manifests.secrets import SecretSource
from landed.config.manifests.settings import Target, targets
from landed.config.manifests.types import SETTINGS, TYPES
from landed.config.manifests.values import Listener, Manifests, Place, Problem, Provider
from landed.errors import ClusterError
from landed.model import Alert, Channel, GitHost, GitHubApp, Network, Repository, Secret
from landed.redact import hider

GIT = (
    "azuredevops",
    "bitbucket",
    "bitbucketserver",
    "gitea",
    "giteapullrequestcomment",
    "github",
    "githubdispatch",
    "githubpullrequestcomment",
    "gitlab",
    "gitlabmergerequestcomment",
)
SERVED = tuple(sorted(TYPES))
FILE = Place("alerts.yaml", 3, 2)
CLUSTER = Place("cluster prod")

HOOK = "https://hooks.slack.com/services/T000/B000/s3cr3tPath"
API = "https://slack.com/api/chat.postMessage"
TOKEN = "xoxb-s3cr3tToken"
USUAL = Network(timeout=15.0)
_AUTHORITY = trustme.CA()
_LEAF = _AUTHORITY.issue_cert("localhost")
CA = _AUTHORITY.cert_pem.bytes().decode()
CERT, KEY = _LEAF.cert_chain_pems[0].bytes().decode(), _LEAF.private_key_pem.bytes().decode()
PEM = "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0IGtleSBtYXRlcmlhbA==\n-----END RSA PRIVATE KEY-----"
APP = {"githubAppID": "12", "githubAppPrivateKey": PEM, "githubAppInstallationID": "34"}


class Worked:
    """What became of one or more Providers."""

    def __init__(self, worked: tuple[tuple[Target, ...], tuple[Problem, ...], tuple[str, ...]]) -> None:
        self.targets, self.problems, self.notes = worked

    @property
    def channel(self) -> Channel:
        assert self.problems == ()
        (target,) = self.targets
        assert target.channel is not None
        return target.channel

    @property
    def host(self) -> GitHost:
        assert self.problems == ()
        (target,) = self.targets
        assert target.host is not None
        return target.host

    @property
    def said(self) -> list[str]:
        """The problems, each with its field."""
        return [f"{problem.field}: {problem.what}" for problem in self.problems]

    @property
    def text(self) -> str:
        every = [f"{p.about} {p.place} {p.field} {p.what} {p.instead}" for p in self.problems]
        return "\n".join((*every, *self.notes, repr(self.targets)))


def listener(name: str = "on-call", provider: str = "it", namespace: str = "apps") -> Listener:
    return Listener(Alert(namespace, name, provider), FILE)


def provider(type_: str, address: str = "", **fields: Any) -> Provider:
    filled: dict[str, Any] = {"namespace": "apps", "name": "it", "place": FILE, "secret": "its", **fields}
    return Provider(type=type_, address=Secret(address), proxy=Secret(filled.pop("proxy", "")), **filled)


def work(
    one: Provider,
    secret: Mapping[str, str] | None = None,
    *,
    others: Mapping[str, Mapping[str, str]] | None = None,
    environ: Mapping[str, str] | None = None,
    fallback: Mapping[str, str] | None = None,
    known: Sequence[GitHost] = (),
    listeners: Sequence[Listener] = (listener(),),
) -> Worked:
    """Its Secret is ``its``; without one, it names none."""
    if secret is None and others is None and one.secret == "its" and not environ:
        one = structs.replace(one, secret="")
    written = {"its": secret or {}, **(others or {})}
    secrets = {("apps", name): {k: Secret(v) for k, v in values.items()} for name, values in written.items() if values}
    manifests = Manifests((one,), tuple(listeners), secrets)
    tokens = {type_: Secret(token) for type_, token in (fallback or {}).items()}
    source = SecretSource(environ, manifests=secrets)
    return Worked(targets(manifests, source, fallback=tokens, known=known))


# ── the types ───────────────────────────────────────────────────────────────────────────────────────────────────────

ALL_TYPES = [
    "alertmanager",
    "azuredevops",
    "azureeventhub",
    "bitbucket",
    "bitbucketserver",
    "datadog",
    "discord",
    "generic",
    "generic-hmac",
    "gitea",
    "giteapullrequestcomment",
    "github",
    "githubdispatch",
    "githubpullrequestcomment",
    "gitlab",
    "gitlabmergerequestcomment",
    "googlechat",
    "googlepubsub",
    "grafana",
    "incident.io",
    "lark",
    "matrix",
    "msteams",
    "nats",
    "opsgenie",
    "otel",
    "pagerduty",
    "rocket",
    "sentry",
    "slack",
    "telegram",
    "webex",
    "zoom",
    "zulip",
]


def test_all_types_of_the_api_are_known_and_no_others() -> None:
    assert sorted(type_ for type_, kind in TYPES.items() if kind.since) == ALL_TYPES
    assert len(ALL_TYPES) == 34


def test_a_type_needs_only_what_it_uses() -> None:
    for kind in TYPES.values():
        assert kind.needs <= kind.uses <= frozenset(SETTINGS)


def test_what_is_told_to_a_git_host_is_told_by_a_provider_of_that_kind() -> None:
    for type_, kind in TYPES.items():
        assert kind.host == (providers.GIT[type_].host if type_ in providers.GIT else "")
        statuses = type_ in providers.GIT and providers.GIT[type_].takes == "statuses"
        assert ("expression" in kind.uses) is statuses
        assert ("commitStatusExpr" in kind.refuses) is not statuses


def test_a_type_that_there_is_not() -> None:
    assert work(provider("pigeon")).said == ["spec.type: there is no such type"]


# ── channels ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("type_", "fields", "secret", "expected"),
    [
        pytest.param("slack", {"address": HOOK, "channel": "general"}, None, (HOOK, "general"), id="slack-webhook"),
        pytest.param("slack", {}, {"address": f" {HOOK}\n"}, (HOOK,), id="slack-webhook-in-the-secret"),
        pytest.param("slack", {"address": f" {HOOK}\n"}, None, (HOOK,), id="blanks-around-the-address"),
        pytest.param(
            "slack", {"address": "https://old.example.com"}, {"address": HOOK}, (HOOK,), id="the-secrets-wins"
        ),
        pytest.param(
            "slack", {"address": API, "channel": "#a"}, {"token": f"{TOKEN}\n"}, (API, "#a", "", TOKEN), id="slack-bot"
        ),
        pytest.param(
            "slack",
            {"channel": "#a", "username": "flux"},
            {"token": TOKEN},
            (API, "#a", "flux", TOKEN),
            id="slack-token",
        ),
        pytest.param(
            "slack",
            {"address": f"{API}/?x=1", "channel": "#a"},
            {"token": TOKEN},
            (API, "#a", "", TOKEN),
            id="slack-bot/",
        ),
        pytest.param("slack", {"address": HOOK}, {"token": TOKEN}, (HOOK,), id="slack-webhook-with-a-token"),
        pytest.param(
            "slack",
            {"address": "https://chat.example.com/hooks/x"},
            {"token": TOKEN},
            ("https://chat.example.com/hooks/x",),
            id="slack-alike",
        ),
        pytest.param(
            "msteams",
            {"address": "https://a.logic.azure.com/x?sig=y"},
            None,
            ("https://a.logic.azure.com/x?sig=y",),
            id="teams",
        ),
        pytest.param(
            "discord",
            {"address": "https://discord.com/api/webhooks/1/x/slack"},
            None,
            ("https://discord.com/api/webhooks/1/x",),
            id="discord",
        ),
        pytest.param(
            "discord",
            {"address": "https://discord.com/api/webhooks/1/x/slack/?thread_id=5", "username": "flux"},
            None,
            ("https://discord.com/api/webhooks/1/x?thread_id=5", "", "flux"),
            id="discord-thread",
        ),
        pytest.param(
            "rocket",
            {"address": "https://rc.example.com/hooks/1/x", "channel": "a"},
            None,
            ("https://rc.example.com/hooks/1/x", "a"),
            id="rocket-webhook",
        ),
        pytest.param(
            "rocket",
            {"address": "https://rc.example.com/hooks/1/x"},
            {"token": "t0ken"},
            ("https://rc.example.com/hooks/1/x",),
            id="rocket-webhook-with-a-token",
        ),
        *(
            pytest.param(
                "rocket",
                {"address": f"https://rc.example.com{path}", "channel": "#a", "username": "uid"},
                {"token": "t0ken"},
                ("https://rc.example.com/api/v1/chat.postMessage", "#a", "uid", "t0ken"),
                id=f"rocket-api-{path}",
            )
            for path in ("", "/", "/api/v1", "/api/v1/chat.postMessage")
        ),
        pytest.param(
            "rocket",
            {"address": "https://rc.example.com", "channel": "#a", "username": "other"},
            {"token": "t0ken", "username": "uid\n"},
            ("https://rc.example.com/api/v1/chat.postMessage", "#a", "uid", "t0ken"),
            id="rocket-user-in-the-secret",
        ),
        pytest.param(
            "generic", {"address": "https://example.com/in?k=v"}, None, ("https://example.com/in?k=v",), id="generic"
        ),
        pytest.param(
            "generic",
            {"address": "https://example.com"},
            {"token": "t0ken"},
            ("https://example.com",),
            id="generic-has-no-token",
        ),
        pytest.param(
            "generic-hmac",
            {"address": "https://example.com"},
            {"token": "k3y"},
            ("https://example.com", "", "", "k3y"),
            id="hmac",
        ),
    ],
)
def test_a_channel(type_: str, fields: dict[str, str], secret: Any, expected: tuple[str, ...]) -> None:
    address, channel, username, token = (*expected, "", "", "")[:4]
    made = work(provider(type_, **fields), secret).channel
    assert made == Channel(
        type_, "Alert apps/on-call", Secret(address), channel, username, Secret(token), network=USUAL
    )


@pytest.mark.parametrize(
    ("type_", "fields", "secret", "said"),
    [
        pytest.param("slack", {}, None, "spec.address: there is no address", id="no-address"),
        pytest.param(
            "slack",
            {},
            {"username": "x"},
            "spec.secretRef: its Secret does not hold `address` or a bot's `token`",
            id="slack-nothing",
        ),
        pytest.param(
            "slack",
            {"address": API, "channel": "#a"},
            None,
            "spec.secretRef: there is no Secret with `token`",
            id="bot-without-a-secret",
        ),
        pytest.param(
            "slack",
            {"address": API, "channel": "#a"},
            {"address": API},
            "spec.secretRef: its Secret does not hold `token`",
            id="bot-without-a-token",
        ),
        pytest.param(
            "slack",
            {"address": API},
            {"token": TOKEN},
            "spec.channel: a bot must be told where to post",
            id="bot-without-a-channel",
        ),
        pytest.param(
            "slack", {"channel": "#a"}, {"token": "s3cr3tö"}, "spec.secretRef: `token` holds blanks", id="no-ascii"
        ),
        pytest.param(
            "slack", {"channel": "#a"}, {"token": "s3cr3t token"}, "spec.secretRef: `token` holds blanks", id="no-token"
        ),
        pytest.param(
            "slack",
            {"channel": "#a"},
            {"token": "s3cr3t\r\nX: y"},
            "spec.secretRef: `token` holds blanks",
            id="a-token-of-two-lines",
        ),
        pytest.param(
            "rocket",
            {"address": "https://rc.example.com", "channel": "#a", "username": "u"},
            None,
            "spec.secretRef: there is no Secret with `token`",
            id="rocket-server",
        ),
        pytest.param(
            "rocket",
            {"address": "https://rc.example.com", "channel": "#a"},
            {"token": "t"},
            "spec.username: the API takes the id",
            id="rocket-nobody",
        ),
        pytest.param(
            "rocket",
            {"address": "https://rc.example.com", "username": "u"},
            {"token": "t"},
            "spec.channel: a bot must be told",
            id="rocket-nowhere",
        ),
        pytest.param(
            "generic-hmac",
            {"address": "https://example.com"},
            {"token": "\n", "username": "x"},
            "spec.secretRef: its Secret does not hold `token`",
            id="no-key",
        ),
        pytest.param(
            "generic",
            {"address": "https://example.com", "secret": "gone"},
            {"token": "x"},
            "spec.secretRef: its Secret does not hold anything",
            id="no-secret",
        ),
        pytest.param(
            "generic",
            {"address": "https://example.com/" + "s3cr3t" * 400},
            None,
            "spec.address: the address is longer than 2048 bytes",
            id="long",
        ),
        pytest.param(
            "generic",
            {},
            {"address": "https://example.com/" + "s3cr3t" * 400},
            "spec.secretRef: the address is longer than 2048 bytes",
            id="long-secret",
        ),
        pytest.param(
            "generic",
            {"address": "https://example.com/s3cr3t x"},
            None,
            "spec.address: the address holds blanks",
            id="blank",
        ),
        pytest.param(
            "generic",
            {"address": "https://example.com/s3cr3t\x1bx"},
            None,
            "spec.address: the address holds blanks",
            id="control",
        ),
        *(
            pytest.param(
                "generic", {"address": address}, None, "spec.address: the address is not a web address", id=address
            )
            for address in (
                "s3cr3t",
                "ftp://s3cr3t.example.com",
                "https://",
                "https://[s3cr3t",
                "https://x:s3cr3t/",
                "javascript:s3cr3t",
            )
        ),
        pytest.param(
            "generic",
            {"address": "https://example.com", "expression": "'x'"},
            None,
            "spec.commitStatusExpr: only types that set commit statuses take it",
            id="expression",
        ),
        pytest.param(
            "slack",
            {"address": HOOK, "service_account": "x"},
            None,
            "spec.serviceAccountName: this type has no workload identity",
            id="account",
        ),
        *(
            pytest.param(
                "generic",
                {"address": "https://example.com"},
                {"headers": text},
                "spec.secretRef: `headers` is not a map",
                id=f"headers-{number}",
            )
            for number, text in enumerate(
                (
                    "s3cr3t",
                    "- s3cr3t",
                    "a: [s3cr3t]",
                    "a: {b: s3cr3t}",
                    "{s3cr3t",
                    "a b: s3cr3t",
                    "a: 's3\x07cr3t'",
                    'a: "s3\\ncr3t"',
                    "*x: s3cr3t",
                    "[" * 100_000,
                    "a: {" * 100_000,
                    "- " * 100_000,
                    "a: s3cr3t\n--- b",
                    "a: s3cr3t\n--- {b: c}",
                    "&a {b: *a}",
                    "'': s3cr3t",
                )
            )
        ),
    ],
)
def test_what_is_no_channel(type_: str, fields: dict[str, str], secret: Any, said: str) -> None:
    done = work(provider(type_, **fields), secret)
    assert len(done.said) == 1
    assert done.said[0].startswith(said)
    assert done.problems[0].instead
    assert done.targets == ()
    assert "s3cr3t" not in done.text
    assert "hooks.slack.com" not in done.text


@pytest.mark.parametrize(
    ("type_", "fields", "secret", "note"),
    [
        ("slack", {"address": HOOK}, {"token": TOKEN}, "`token` is ignored: the address is that of a webhook."),
        (
            "rocket",
            {"address": "https://rc.example.com/hooks/1/x"},
            {"token": TOKEN},
            "`token` is ignored: the address",
        ),
        (
            "msteams",
            {"address": "https://acme.webhook.office.com/x"},
            None,
            "its address is that of an Office 365 connector",
        ),
        ("generic", {"address": "http://hooks.example.com/x"}, None, "its address begins with http://"),
        (
            "slack",
            {"address": HOOK},
            {"headers": "X-A: s3cr3t"},
            "`headers` of its Secret has no effect with the type slack.",
        ),
        (
            "msteams",
            {"address": "https://example.com", "channel": "a"},
            None,
            "spec.channel has no effect with the type msteams.",
        ),
        ("generic", {"address": "https://example.com", "username": "a"}, None, "spec.username has no effect"),
        ("generic", {"address": "https://example.com"}, {"token": "s3cr3t"}, "`token` of its Secret has no effect"),
        ("generic", {"address": "https://example.com"}, APP, "the GitHub App of its Secret has no effect"),
        (
            "generic",
            {"address": "https://example.com"},
            {"headers": "Host: s3cr3t"},
            "in `headers`, Host has no effect",
        ),
        (
            "generic-hmac",
            {"address": "https://example.com"},
            {"token": "s3cr3t\n"},
            "blanks or line breaks at the ends",
        ),
    ],
)
def test_what_is_worth_knowing_of_a_channel(type_: str, fields: dict[str, str], secret: Any, note: str) -> None:
    done = work(provider(type_, **fields), secret)
    assert done.problems == ()
    assert len(done.targets) == 1
    (said,) = done.notes
    assert said.startswith(f"Provider apps/it: {note}")
    assert "s3cr3t" not in done.text


@pytest.mark.parametrize("address", ["http://127.0.0.1:80/x", "http://localhost/x", "http://[::1]:9/x"])
def test_nobody_overhears_what_stays_on_this_machine(address: str) -> None:
    assert work(provider("generic", address)).notes == ()


@pytest.mark.parametrize("type_", ["generic", "generic-hmac"])
def test_headers(type_: str) -> None:
    """Numbers and the like are text here, as they are to Flux."""
    text = "X-Team: platform\nAuthorization: 'Bearer x'\nX-Number: 010\nX-Yes: yes\nX-Nothing:\ncontent-length: 5\n"
    text += "X-City: 日本\n"
    done = work(provider(type_, "https://example.com"), {"headers": text, "token": "k3y"})
    assert {name: value.reveal() for name, value in done.channel.headers} == {
        "Authorization": "Bearer x",
        "X-Team": "platform",
        "X-Number": "010",
        "X-Yes": "yes",
        "X-Nothing": "",
        "X-City": "日本",
    }
    assert [name for name, _ in done.channel.headers] == sorted(name for name, _ in done.channel.headers)


def test_attributes_may_be_any_text() -> None:
    """What is called a header there becomes an attribute of the message."""
    text = "host: eu\nin words: プラット\n"
    done = work(provider("googlepubsub", "project-1", channel="topic"), {"headers": text})
    assert {name: value.reveal() for name, value in done.channel.headers} == {"host": "eu", "in words": "プラット"}
    assert done.notes == ()


def test_blanks_between_addresses_are_none_of_them() -> None:
    done = work(provider("nats", "nats://a.example.com:4222 , b.example.com", channel="flux"), None)
    assert done.channel.address.reveal() == "nats://a.example.com:4222,b.example.com"


# ── proxies, certificates, timeouts ─────────────────────────────────────────────────────────────────────────────────

#: What the types have to have in the Provider itself, address apart.
FIELDS: dict[str, dict[str, str]] = {
    "email": {"channel": "team@example.com"},
    "googlepubsub": {"channel": "landed"},
    "matrix": {"channel": "!room:example.com"},
    "nats": {"channel": "flux.events"},
    "pagerduty": {"channel": "R0UT1NGK3Y"},
    "telegram": {"channel": "-1001234567890"},
    "webex": {"channel": "Y2lzY29zcGFyazovL3VzL1JPT00"},
    "zulip": {"channel": "deploys/fleet"},
}

#: One Provider of each type that is served.
ONE_OF_EACH: dict[str, tuple[str, dict[str, str]]] = {
    "alertmanager": ("https://alertmanager.example.com/api/v2/alerts/", {"token": "t0ken"}),
    "apprise": ("json://hooks.example.com/x", {}),
    "azureeventhub": (
        "Endpoint=sb://n.servicebus.windows.net/;SharedAccessKeyName=a;SharedAccessKey=b=;EntityPath=h",
        {},
    ),
    "datadog": ("https://api.datadoghq.eu", {"token": "t0ken"}),
    "email": ("smtp://mail.example.com:587", {"username": "landed@example.com", "password": "p4ssword"}),
    "googlechat": ("https://chat.example.com/v1/spaces/A/messages?key=k&token=t", {}),
    "googlepubsub": ("my-project", {"token": '{"type": "service_account"}'}),
    "grafana": ("https://grafana.example.com/api/annotations", {"token": "t0ken"}),
    "incident.io": ("https://api.incident.example.com/v2/alert_events/http/01ABC", {"token": "t0ken"}),
    "lark": ("https://open.example.com/open-apis/bot/v2/hook/x", {}),
    "matrix": ("https://matrix.example.com", {"token": "t0ken"}),
    "mattermost": ("https://mm.example.com/hooks/x", {}),
    "nats": ("nats://nats.example.com:4222", {"username": "u", "password": "p4ssword"}),
    "ntfy": ("https://ntfy.example.com/deploys", {}),
    "opsgenie": ("https://api.opsgenie.example.com/v2/alerts", {"token": "t0ken"}),
    "otel": ("https://otel.example.com/v1/traces", {}),
    "pagerduty": ("https://events.pagerduty.example.com", {}),
    "sentry": ("https://key@sentry.example.com/1", {}),
    "telegram": ("", {"token": "1:t0ken"}),
    "webex": ("https://webexapis.example.com/v1/messages", {"token": "t0ken"}),
    "zoom": ("https://integrations.zoom.example.com/chat/webhooks/incomingwebhook/x", {"token": "t0ken"}),
    "zulip": ("https://zulip.example.com", {"username": "bot@example.com", "password": "k3y"}),
    "slack": (HOOK, {}),
    "msteams": ("https://a.logic.azure.com/x", {}),
    "discord": ("https://discord.com/api/webhooks/1/x", {}),
    "rocket": ("https://rc.example.com/hooks/1/x", {}),
    "generic": ("https://example.com", {}),
    "generic-hmac": ("https://example.com", {"token": "k3y"}),
    "azuredevops": ("https://dev.azure.com/acme/web/_git/app", {"token": "t0ken"}),
    "bitbucket": ("https://bitbucket.org/acme/app", {"token": "user:t0ken"}),
    "bitbucketserver": ("https://bb.example.com/scm/APP/web.git", {"token": "t0ken"}),
    "gitea": ("https://git.example.com/acme/app", {"token": "t0ken"}),
    "giteapullrequestcomment": ("https://git.example.com/acme/app", {"token": "t0ken"}),
    "github": ("https://github.com/acme/app", {"token": "t0ken"}),
    "githubdispatch": ("https://github.com/acme/app", {"token": "t0ken"}),
    "githubpullrequestcomment": ("https://github.com/acme/app", {"token": "t0ken"}),
    "gitlab": ("https://gitlab.com/acme/app", {"token": "t0ken"}),
    "gitlabmergerequestcomment": ("https://gitlab.com/acme/app", {"token": "t0ken"}),
}


def way(done: Worked) -> Network:
    (target,) = done.targets
    assert done.problems == ()
    network = target.channel.network if target.channel else target.host.network if target.host else None
    assert network is not None
    return network


def test_there_is_one_of_each() -> None:
    assert set(ONE_OF_EACH) == set(SERVED)


@pytest.mark.parametrize("type_", SERVED)
def test_every_type_honours_its_proxy_certificates_and_timeout(type_: str) -> None:
    address, keys = ONE_OF_EACH[type_]
    more = FIELDS.get(type_, {})
    assert way(work(provider(type_, address, **more), keys or None)) == USUAL
    others = {
        "proxy": {"address": "https://proxy.example.com:8080", "username": "us er", "password": "p@ss"},
        "tls": {"ca.crt": CA, "tls.crt": CERT, "tls.key": KEY},
    }
    full = provider(type_, address, proxy_secret="proxy", cert_secret="tls", timeout=3.0, proxy="http://other", **more)
    expected = Network(
        Secret("https://us%20er:p%40ss@proxy.example.com:8080"), CA.strip(), CERT.strip(), Secret(KEY.strip()), 3.0
    )
    assert way(work(full, {"proxy": "http://third", "username": "x", **keys}, others=others)) == expected
    inside = {**keys, "proxy": "http://third\n", "caFile": CA, "certFile": CERT, "keyFile": KEY}
    done = way(work(provider(type_, address, proxy="http://other", **more), inside))
    assert done == Network(Secret("http://third"), CA.strip(), CERT.strip(), Secret(KEY.strip()), 15.0)
    assert way(work(provider(type_, address, proxy="socks5://other:1", **more), keys or None)).proxy == Secret(
        "socks5://other:1"
    )


def test_certificates_of_their_own_secret_go_before() -> None:
    done = work(
        provider("generic", "https://example.com", cert_secret="tls"),
        {"ca.crt": "unusable", "tls.crt": CERT},
        others={"tls": {"ca.crt": f"# Société\n{CA}", "caFile": "unusable"}},
    )
    assert way(done) == Network(ca=f"# Socit\n{CA}".strip(), timeout=15.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"token": "x"}, "its Secret does not hold `ca.crt`, or `tls.crt` and `tls.key`"),
        ({"tls.crt": CERT}, "its Secret does not hold `ca.crt`, or `tls.crt` and `tls.key`"),
        ({"ca.crt": CA, "tls.key": KEY}, "its Secret does not hold `ca.crt`, or `tls.crt` and `tls.key`"),
        ({"ca.crt": "s3cr3t"}, "`ca.crt` cannot be used"),
        ({"ca.crt": CA.replace("\n", "\nx")}, "`ca.crt` cannot be used"),
        ({"ca.crt": KEY}, "`ca.crt` cannot be used"),
        ({"tls.crt": "s3cr3t", "tls.key": KEY}, "`tls.crt` cannot be used"),
        ({"tls.crt": CERT, "tls.key": "s3cr3t"}, "`tls.key` cannot be used"),
        ({"tls.crt": CERT, "tls.key": PEM.replace("RSA", "ENCRYPTED")}, "`tls.key` cannot be used"),
    ],
)
def test_certificates_that_cannot_be_used(values: dict[str, str], said: str) -> None:
    one = provider("generic", "https://example.com", cert_secret="tls")
    done = work(one, others={"tls": values, "its": {"token": "x"}})
    assert done.said == [f"spec.certSecretRef: {said}"]
    assert "s3cr3t" not in done.text


@pytest.mark.parametrize(("there", "missing"), [("tls.crt", "tls.key"), ("tls.key", "tls.crt")])
def test_a_certificate_and_its_key_come_together(there: str, missing: str) -> None:
    both = {"tls.crt": CERT, "tls.key": KEY}
    done = work(provider("generic", "https://example.com"), {there: both[there]})
    assert done.said == [f"spec.secretRef: there is `{there}` without `{missing}`"]


@pytest.mark.parametrize(
    "address", ["s3cr3t", "ftp://s3cr3t", "http://", "http://s3cr3t:x", "http://s3cr3t x", "http://" + "s3cr3t" * 400]
)
def test_a_proxy_that_is_none(address: str) -> None:
    example = provider("generic", "https://example.com", proxy_secret="proxy")
    mine = provider("generic", "https://example.com", proxy=address)
    for field, done in (
        ("spec.proxySecretRef", work(example, others={"proxy": {"address": address}, "its": {"token": "x"}})),
        ("spec.secretRef", work(provider("generic", "https://example.com"), {"proxy": address})),
        ("spec.proxy", work(mine)),
    ):
        assert done.said == [f"{field}: the proxy's address is none"]
        assert "s3cr3t" not in done.text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"address": "http://proxy:1"}, "http://proxy:1"),
        ({"address": "http://proxy:1", "username": " u ", "password": " p \r\n"}, "http://u:%20p%20@proxy:1"),
        ({"address": "http://proxy:1\n", "username": "u\n"}, "http://u@proxy:1"),
        ({"address": "http://a:b@proxy:1", "username": "u", "password": "p\n"}, "http://u:p@proxy:1"),
    ],
)
def test_the_user_of_a_proxy(values: dict[str, str], expected: str) -> None:
    one = provider("generic", "https://example.com", proxy_secret="proxy")
    assert way(work(one, others={"proxy": values, "its": {"token": "x"}})).proxy.reveal() == expected


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"username": "u"}, "its Secret does not hold `address`"),
        ({"address": "http://proxy", "password": "p"}, "there is a `password` without a `username`"),
    ],
)
def test_a_proxys_secret_that_is_not_whole(values: dict[str, str], said: str) -> None:
    one = provider("generic", "https://example.com", proxy_secret="proxy")
    assert work(one, others={"proxy": values, "its": {"token": "x"}}).said == [f"spec.proxySecretRef: {said}"]


# ── Git hosts ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("type_", "address", "api_url", "within"),
    [
        ("github", "https://github.com/acme/app", "https://api.github.com", "github.com/acme/app"),
        ("github", "https://github.com/acme/app.git/", "https://api.github.com", "github.com/acme/app"),
        ("github", "https://github.com/<username>/podinfo", "https://api.github.com", "github.com/<username>/podinfo"),
        ("github", "github.com/acme/app", "https://api.github.com", "github.com/acme/app"),
        ("github", "http://github.com/acme/app", "https://api.github.com", "github.com/acme/app"),
        ("github", "https://www.github.com/acme/app", "https://api.github.com", "github.com/acme/app"),
        ("github", "git@github.com:acme/app.git", "https://api.github.com", "github.com/acme/app"),
        ("github", "ssh://git@ssh.github.com:443/acme/app", "https://api.github.com", "github.com/acme/app"),
        ("github", "git+ssh://git@github.com/acme/app", "https://api.github.com", "github.com/acme/app"),
        ("github", "git://github.com/acme/app", "https://api.github.com", "github.com/acme/app"),
        ("github", "https://github.com/acme", "https://api.github.com", "github.com/acme"),
        ("github", "https://github.com", "https://api.github.com", ""),
        ("github", "https://ghes.example.com/acme/app", "https://ghes.example.com/api/v3", "ghes.example.com/acme/app"),
        (
            "github",
            "https://ghes.example.com:8443/a/b",
            "https://ghes.example.com:8443/api/v3",
            "ghes.example.com:8443/a/b",
        ),
        (
            "github",
            "ssh://git@ghes.example.com:2222/a/b.git",
            "https://ghes.example.com/api/v3",
            "ghes.example.com/a/b",
        ),
        ("github", "https://acme.ghe.com/acme/app", "https://api.acme.ghe.com", "acme.ghe.com/acme/app"),
        ("gitlab", "git@gitlab.com:foo/bar.git", "https://gitlab.com/api/v4", "gitlab.com/foo/bar"),
        ("gitlab", "https://gitlab.com/foo/bar/baz.git", "https://gitlab.com/api/v4", "gitlab.com/foo/bar/baz"),
        ("gitlab", "https://gitlab.com/1234", "https://gitlab.com/api/v4", "gitlab.com/1234"),
        ("gitlab", "gitlab.com/1234", "https://gitlab.com/api/v4", "gitlab.com/1234"),
        ("gitlab", "http://gl.example.com/a/b", "http://gl.example.com/api/v4", "gl.example.com/a/b"),
        ("gitlab", "http://gitlab.com/a/b", "https://gitlab.com/api/v4", "gitlab.com/a/b"),
        ("gitlab", "ssh://git@gl.example.com:2222/a/b", "https://gl.example.com/api/v4", "gl.example.com/a/b"),
        ("gitlab", "https://gitlab.com/acme", "https://gitlab.com/api/v4", "gitlab.com/acme"),
        ("gitea", "https://git.example.com/acme/app", "https://git.example.com/api/v1", "git.example.com/acme/app"),
        (
            "gitea",
            "https://git.example.com/tea/acme/app",
            "https://git.example.com/tea/api/v1",
            "git.example.com/tea/acme/app",
        ),
        ("gitea", "http://127.0.0.1:3000/acme/app", "http://127.0.0.1:3000/api/v1", "127.0.0.1:3000/acme/app"),
        ("bitbucket", "https://bitbucket.org/acme/app", "https://api.bitbucket.org/2.0", "bitbucket.org/acme/app"),
        ("bitbucket", "git@bitbucket.org:acme/app.git", "https://api.bitbucket.org/2.0", "bitbucket.org/acme/app"),
        (
            "bitbucketserver",
            "https://bb.example.com/scm/app/web.git",
            "https://bb.example.com/rest",
            "bb.example.com/projects/APP/repos/web",
        ),
        (
            "bitbucketserver",
            "https://bb.example.com:7990/ctx/scm/app/web.git",
            "https://bb.example.com:7990/ctx/rest",
            "bb.example.com:7990/ctx/projects/APP/repos/web",
        ),
        (
            "bitbucketserver",
            "https://bb.example.com/scm/scm/app/web",
            "https://bb.example.com/scm/rest",
            "bb.example.com/scm/projects/APP/repos/web",
        ),
        (
            "bitbucketserver",
            "https://bb.example.com/scm/scm/web",
            "https://bb.example.com/rest",
            "bb.example.com/projects/SCM/repos/web",
        ),
        (
            "bitbucketserver",
            "https://bb.example.com/scm/~me/web",
            "https://bb.example.com/rest",
            "bb.example.com/users/me/repos/web",
        ),
        (
            "bitbucketserver",
            "https://bb.example.com/projects/APP/repos/web",
            "https://bb.example.com/rest",
            "bb.example.com/projects/APP/repos/web",
        ),
        (
            "bitbucketserver",
            "https://bb.example.com/ctx/users/me/repos/web/browse",
            "https://bb.example.com/ctx/rest",
            "bb.example.com/ctx/users/me/repos/web",
        ),
        (
            "bitbucketserver",
            "ssh://git@bb.example.com:7999/app/web.git",
            "https://bb.example.com/rest",
            "bb.example.com/projects/APP/repos/web",
        ),
        (
            "bitbucketserver",
            "https://bb.example.com/scm/app",
            "https://bb.example.com/rest",
            "bb.example.com/projects/app",
        ),
        (
            "azuredevops",
            "https://dev.azure.com/acme/web/_git/app",
            "https://dev.azure.com",
            "dev.azure.com/acme/web/_git/app",
        ),
        (
            "azuredevops",
            "https://me@dev.azure.com/acme/web/_git/app",
            "https://dev.azure.com",
            "dev.azure.com/acme/web/_git/app",
        ),
        (
            "azuredevops",
            "git@ssh.dev.azure.com:v3/acme/web/app",
            "https://dev.azure.com",
            "dev.azure.com/acme/web/_git/app",
        ),
        (
            "azuredevops",
            "https://acme.visualstudio.com/web/_git/app",
            "https://dev.azure.com",
            "dev.azure.com/acme/web/_git/app",
        ),
        ("azuredevops", "https://dev.azure.com/acme", "https://dev.azure.com", "dev.azure.com/acme"),
        (
            "azuredevops",
            "https://az.example.com/tfs/Coll/web/_git/app",
            "https://az.example.com/tfs",
            "az.example.com/tfs/Coll/web/_git/app",
        ),
        (
            "azuredevops",
            "https://az.example.com/Coll/web/_git/app",
            "https://az.example.com",
            "az.example.com/Coll/web/_git/app",
        ),
    ],
)
def test_the_host_and_repository_of_an_address(type_: str, address: str, api_url: str, within: str) -> None:
    done = work(provider(type_, address), {"token": "t0ken"})
    host, path, _ = (*within.partition("/")[::2], "")
    assert done.host.api_url == api_url
    assert (done.host.type, done.host.token) == (type_, Secret("t0ken"))
    (target,) = done.targets
    assert target.within == (Repository(host, path) if within else None)
    assert done.host.host == (host or "github.com")
    assert any("for all of github.com" in note for note in done.notes) is not bool(within)


@pytest.mark.parametrize(
    ("type_", "declared", "address"),
    [
        ("github", "github.com=github", "https://github.com/acme/app"),
        ("github", "ghes.example.com=github", "https://ghes.example.com/acme/app"),
        ("github", "acme.ghe.com=github", "https://acme.ghe.com/acme/app"),
        ("gitlab", "gitlab.com=gitlab", "https://gitlab.com/acme/app"),
        ("gitlab", "gl.example.com:8443=gitlab=https://gl.example.com:8443", "https://gl.example.com:8443/acme/app"),
        ("gitlab", "gl.example.com=gitlab=http://gl.example.com", "http://gl.example.com/acme/app"),
        ("gitea", "git.example.com=gitea=https://git.example.com/tea", "https://git.example.com/tea/acme/app"),
        ("bitbucket", "bitbucket.org=bitbucket", "https://bitbucket.org/acme/app"),
        (
            "bitbucketserver",
            "bb.example.com=bitbucketserver=https://bb.example.com/c",
            "https://bb.example.com/c/scm/A/b",
        ),
        ("azuredevops", "dev.azure.com=azuredevops", "https://acme.visualstudio.com/web/_git/app"),
        (
            "azuredevops",
            "az.example.com=azuredevops=https://az.example.com/tfs",
            "https://az.example.com/tfs/C/w/_git/a",
        ),
    ],
)
def test_a_host_is_the_same_as_by_its_option(type_: str, declared: str, address: str) -> None:
    (expected,) = git_hosts(
        Settings(tokens={type_: Secret("t0ken")}, declared=[declared], github_api_url="https://api.github.com"), {}
    )[:1]
    host = work(provider(type_, address), {"token": "t0ken"}).host
    assert host.network == USUAL
    for field in ("type", "host", "api_url", "web_url", "aliases", "token", "app", "writes", "job_token", "max_wait"):
        assert getattr(host, field) == getattr(expected, field)


def test_a_relative_root_that_only_the_options_know() -> None:
    known = GitHost(
        "gitlab",
        "gl.example.com",
        "https://gl.example.com/gitlab/api/v4",
        Secret("0ther"),
        web_url="https://gl.example.com/gitlab",
        max_wait=7.0,
        writes=((5, 60.0),),
        network=Network(ca="authority", timeout=9.0),
    )
    done = work(provider("gitlab", "git@gl.example.com:acme/app"), {"token": "t0ken"}, known=[known])
    assert done.targets[0].within == Repository("gl.example.com", "gitlab/acme/app")
    assert (done.host.api_url, done.host.token, done.host.max_wait) == (known.api_url, Secret("t0ken"), 7.0)
    assert done.host.writes == known.writes
    assert done.host.network == Network(ca="authority", timeout=15.0)


@pytest.mark.parametrize(
    ("type_", "address"),
    [
        ("github", "https://github.com/acme/app/tree/main"),
        ("github", "https://github.com/acme/../app"),
        ("github", "s3cr3t"),
        ("github", "file:///s3cr3t"),
        ("github", "https://user:s3cr3t@/acme/app"),
        ("gitea", "C:/s3cr3t"),
        ("bitbucket", "https://bitbucket.org/a/b/c"),
        ("bitbucketserver", "https://bb.example.com/app/web"),
        ("azuredevops", "https://dev.azure.com/a/b/c/d"),
    ],
)
def test_an_address_that_is_no_repository(type_: str, address: str) -> None:
    done = work(provider(type_, address), {"token": "t0ken"})
    assert done.said == ["spec.address: the address is not that of a repository"]
    assert done.problems[0].instead.startswith("Write it as https://")
    assert "s3cr3t" not in done.text


@pytest.mark.parametrize(
    ("type_", "username", "secret", "token"),
    [
        *((type_, "", {"token": "t0ken\n"}, "t0ken") for type_ in GIT),
        *((type_, "", {"password": "t0ken\n"}, "t0ken") for type_ in GIT if not type_.startswith("bitbucket")),
        ("github", "", {"username": "git", "password": "t0ken"}, "t0ken"),
        ("github", "", {"token": "t0ken", "password": "other"}, "t0ken"),
        ("github", "", {"token": "t0ken", "username": "half"}, "t0ken"),
        ("bitbucket", "", {"token": "user:app-password"}, "user:app-password"),
        ("bitbucket", "", {"username": "user", "password": "t0 ken"}, "user:t0 ken"),
        ("bitbucketserver", "user", {"password": "t0ken"}, "user:t0ken"),
        ("bitbucketserver", "other", {"username": "user", "password": "t0ken"}, "user:t0ken"),
        ("bitbucketserver", "user", {"token": "t0ken", "password": "other"}, "t0ken"),
    ],
)
def test_who_we_are(type_: str, username: str, secret: dict[str, str], token: str) -> None:
    done = work(provider(type_, ONE_OF_EACH[type_][0], username=username), secret)
    assert done.host.token == Secret(token)
    assert done.host.app is None


@pytest.mark.parametrize("type_", ["github", "githubdispatch", "githubpullrequestcomment"])
@pytest.mark.parametrize("base", ["", "https://ghes.example.com", "https://ghes.example.com/api/v3/"])
def test_a_github_app(type_: str, base: str) -> None:
    done = work(provider(type_, "https://ghes.example.com/acme/app"), {**APP, "githubAppBaseURL": base})
    assert done.host.app == GitHubApp("12", Secret(PEM), "34")
    assert (done.host.token, done.host.api_url) == (Secret(""), "https://ghes.example.com/api/v3")
    assert done.notes == ()


def test_a_github_app_at_an_address_of_its_own() -> None:
    done = work(
        provider("github", "https://github.com/a/b"), {**APP, "githubAppBaseURL": "https://proxy.example.com/gh"}
    )
    assert (done.host.host, done.host.api_url, done.host.writes) == ("github.com", "https://proxy.example.com/gh", ())


def test_a_token_counts_before_an_app() -> None:
    for key in ("token", "password"):
        done = work(provider("github", "https://github.com/acme/app"), {**APP, key: "t0ken"})
        assert (done.host.app, done.host.token) == (None, Secret("t0ken"))
        assert done.notes == ("Provider apps/it: its Secret holds a token and a GitHub App; the token is used.",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"githubAppID": ""}, "its Secret does not hold `githubAppID` of its GitHub App"),
        ({"githubAppPrivateKey": ""}, "its Secret does not hold `githubAppPrivateKey` of its GitHub App"),
        ({"githubAppInstallationID": ""}, "a GitHub App takes exactly one of"),
        ({"githubAppInstallationOwner": "acme"}, "a GitHub App takes exactly one of"),
        ({"githubAppPrivateKey": "/etc/s3cr3t"}, "`githubAppPrivateKey` is no private key in PEM format"),
        ({"githubAppBaseURL": "s3cr3t"}, "the address is not that of a Git host"),
    ],
)
def test_half_a_github_app(change: dict[str, str], said: str) -> None:
    done = work(provider("github", "https://github.com/acme/app"), APP | change)
    assert len(done.said) == 1
    assert done.said[0].startswith(f"spec.secretRef: {said}")
    assert "s3cr3t" not in done.text


def test_without_a_token_the_four_places_are_named() -> None:
    done = work(provider("github", "https://github.com/acme/app"), {"username": "x"})
    (problem,) = done.problems
    assert (problem.field, problem.what) == ("spec.secretRef", "its Secret does not hold `token`")
    assert problem.instead == (
        "Give it as LANDED_SECRET_ITS_TOKEN in the environment, as the file apps/its/token in --secret-dir, "
        "or as `token` of the Secret apps/its, among the manifests or in the cluster. Or give --github-token."
    )
    (problem,) = work(provider("github", "https://github.com/acme/app")).problems
    assert problem.what == "there is no Secret with `token`"
    assert problem.instead == "Name a Secret in spec.secretRef that holds `token`. Or give --github-token."


def test_a_password_without_a_user() -> None:
    done = work(provider("bitbucketserver", "https://bb.example.com/scm/a/b"), {"password": "s3cr3t"})
    assert done.said == ["spec.username: there is a `password` without a user"]


@pytest.mark.parametrize("token", ["glcbt-64_j0b", "the-jobs"])
def test_a_jobs_token_is_none(token: str) -> None:
    environ = {"GITLAB_CI": "true", "CI_JOB_TOKEN": "the-jobs", "LANDED_SECRET_ITS_TOKEN": token}
    done = work(provider("gitlab", "https://gitlab.com/a/b"), environ=environ)
    assert done.said == ["spec.secretRef: CI_JOB_TOKEN may not do this"]
    done = work(
        provider("gitlab", "https://gitlab.com/a/b"),
        environ=environ | {"LANDED_SECRET_ITS_TOKEN": ""},
        fallback={"gitlab": token},
    )
    assert done.said == ["spec.secretRef: its Secret does not hold `token`"]


def test_azure_takes_no_service_account() -> None:
    done = work(provider("azuredevops", "https://dev.azure.com/a/b/_git/c", service_account="flux"), {"token": "t"})
    assert done.said == ["spec.serviceAccountName: workload identities are not served"]
    assert "personal access token" in done.problems[0].instead


# ── tokens of the options ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("place", [FILE, CLUSTER], ids=["file", "cluster"])
def test_the_options_token_where_the_secret_has_none(place: Place) -> None:
    for secret in (None, {"username": "git"}):
        done = work(provider("github", "https://github.com/a/b", place=place), secret, fallback={"github": "0ption\n"})
        assert done.host.token == Secret("0ption")
        (note,) = done.notes
        assert note.endswith("that of --github-token is used for github.com.")


@pytest.mark.parametrize(
    "fields",
    [
        {"address": "https://evil.example.com/a/b"},
        {"address": "http://evil.example.com/a/b"},
        {"address": "https://github.com/a/b", "proxy": "http://evil.example.com"},
        {"address": "https://github.com/a/b", "proxy_secret": "proxy"},
        {"address": "https://github.com/a/b", "cert_secret": "tls"},
    ],
)
def test_whoever_writes_into_the_cluster_cannot_collect_the_options_token(fields: dict[str, str]) -> None:
    others = {"proxy": {"address": "http://evil.example.com"}, "tls": {"ca.crt": CA}, "its": {"username": "x"}}
    given = {
        "fallback": {"github": "0ption"},
        "known": [GitHost("github", "github.com", "https://api.github.com", Secret("0ption"))],
    }
    done = work(provider("github", place=CLUSTER, **fields), others=others, **given)  # type: ignore[arg-type]
    assert done.said == ["spec.secretRef: its Secret does not hold `token`"]
    assert done.targets == ()
    if "evil" in fields["address"]:  # from a file it is the user's own word
        assert work(provider("github", **fields), others=others, **given).host.token == Secret("0ption")  # type: ignore[arg-type]


def test_the_options_know_who_we_are_on_a_host_of_theirs() -> None:
    app = GitHubApp("1", Secret("key"), "2")
    for place in (FILE, CLUSTER):
        for known in (
            GitHost("github", "ghes.example.com", "https://proxy.example.com", Secret("0wn")),
            GitHost("github", "ghes.example.com", "https://proxy.example.com", app=app),
        ):
            one = provider("github", "git@ghes.example.com:a/b", place=place)
            done = work(one, known=[known], fallback={"github": "0ption"})
            assert (done.host.token, done.host.app, done.host.api_url) == (known.token, known.app, known.api_url)
            assert done.notes == (
                "Provider apps/it: it has no Secret with a token; that of the options for ghes.example.com is used.",
            )


def test_a_host_of_another_type_is_not_asked() -> None:
    known = [GitHost("gitea", "git.example.com", "https://git.example.com/api/v1", Secret("0wn"))]
    done = work(provider("gitlab", "https://git.example.com/a/b"), {"token": "t0ken"}, known=known)
    assert (done.host.type, done.host.token) == ("gitlab", Secret("t0ken"))


# ── all together ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_alert_of_a_channel_is_a_target_and_a_git_host_is_one() -> None:
    slack, github = (
        provider("slack", HOOK, name="chat"),
        provider("github", "https://github.com/a/b", name="git", expression="'x'"),
    )
    heard = [listener(name, who) for who in ("chat", "git") for name in ("b", "a")]
    heard += [listener("elsewhere", "chat", "other"), listener("c", "nobody")]
    secrets = {("apps", "its"): {"token": Secret("t0ken")}}
    manifests = Manifests((github, slack), tuple(heard), secrets)
    made, problems, _ = targets(manifests, SecretSource(manifests=secrets))
    assert problems == ()
    assert [(one.type, one.name, [alert.name for alert in one.alerts]) for one in made] == [
        ("slack", "Alert apps/a", ["a"]),
        ("slack", "Alert apps/b", ["b"]),
        ("github", "Provider apps/git", ["a", "b"]),
    ]
    assert [one.provider for one in made] == [slack, slack, github]
    assert [tuple(entry.alert for entry in one.listeners) for one in made] == [one.alerts for one in made]
    assert [one.channel.name if one.channel else "" for one in made] == ["Alert apps/a", "Alert apps/b", ""]
    assert [one.expression for one in made] == ["", "", "'x'"]


class Untouched(dict[tuple[str, str], Mapping[str, Secret]]):
    def get(self, *_: Any) -> Any:
        raise AssertionError("nobody needs this Secret")


@pytest.mark.parametrize(
    ("one", "listeners", "note"),
    [
        (provider("slack", suspend=True), [listener()], "Provider apps/it is suspended."),
        (provider("pigeon", suspend=True), [listener()], "Provider apps/it is suspended."),
        (provider("slack"), [], "Provider apps/it is not used: no Alert in its namespace names it."),
        (
            provider("slack"),
            [listener(namespace="other")],
            "Provider apps/it is not used: no Alert in its namespace names it.",
        ),
    ],
)
def test_a_provider_that_is_not_in_use_is_not_looked_into(one: Provider, listeners: list[Listener], note: str) -> None:
    def fetch(namespace: str, name: str) -> None:
        raise AssertionError("nobody needs this Secret")

    source = SecretSource({}, manifests=Untouched(), fetch=fetch)
    assert targets(Manifests((one,), tuple(listeners)), source) == ((), (), (note,))


def test_all_problems_are_said_at_once_and_where_they_are() -> None:
    lines = {"spec.address": 7, "spec.secretRef": 8, "spec.certSecretRef.name": 10, "spec.certSecretRef": 9}
    one = provider("slack", "s3cr3t", lines=lines, proxy="s3cr3t", cert_secret="tls", service_account="x")
    other = provider("generic", "s3cr3t", name="other", place=CLUSTER)
    secrets = {("apps", "its"): {"token": Secret("x")}}
    manifests = Manifests((one, other), (listener(), listener(provider="other")), secrets)
    _, problems, _ = targets(manifests, SecretSource(manifests=manifests.secrets))
    assert [(str(problem.place), problem.about, problem.field) for problem in problems] == [
        ("alerts.yaml:3 (document 2)", "Provider apps/it", "spec.serviceAccountName"),
        ("alerts.yaml:9 (document 2)", "Provider apps/it", "spec.certSecretRef"),
        ("alerts.yaml:3 (document 2)", "Provider apps/it", "spec.proxy"),
        ("alerts.yaml:7 (document 2)", "Provider apps/it", "spec.address"),
        ("cluster prod", "Provider apps/other", "spec.address"),
    ]


@pytest.mark.parametrize(
    ("one", "environ", "asked"),
    [
        pytest.param(provider("slack"), {"ADDRESS": HOOK}, [], id="webhook"),
        pytest.param(provider("slack", API, channel="a"), {"ADDRESS": API}, ["its"], id="bot"),
        pytest.param(provider("slack", channel="a"), {"TOKEN": TOKEN}, [], id="token"),
        pytest.param(
            provider("rocket", "https://rc.example.com", channel="a"), {"USERNAME": "u"}, ["its"], id="rocket"
        ),
        pytest.param(provider("generic", "https://example.com"), {}, ["its"], id="nothing-near"),
        pytest.param(provider("generic", "https://example.com"), {"HEADERS": "a: b"}, [], id="headers"),
        pytest.param(provider("generic-hmac"), {"ADDRESS": "https://example.com"}, ["its"], id="hmac"),
        pytest.param(provider("github", "https://github.com/a/b"), {"TOKEN": "t"}, [], id="github"),
        pytest.param(provider("github", "https://github.com/a/b"), {"USERNAME": "t"}, ["its"], id="github-user"),
        pytest.param(
            provider("bitbucketserver", "https://bb.example.com/scm/a/b"), {"PASSWORD": "p"}, ["its"], id="user"
        ),
        pytest.param(
            provider("bitbucketserver", "https://bb.example.com/scm/a/b", username="u"),
            {"PASSWORD": "p"},
            [],
            id="spec.username",
        ),
    ],
)
def test_the_cluster_is_asked_only_where_something_is_missing(
    one: Provider, environ: dict[str, str], asked: list[str]
) -> None:
    seen: list[str] = []

    def fetch(namespace: str, name: str) -> Mapping[str, Secret]:
        seen.append(name)
        return {"token": Secret("t0ken"), "username": Secret("me")}

    source = SecretSource({f"LANDED_SECRET_ITS_{key}": value for key, value in environ.items()}, fetch=fetch)
    made, _, _ = targets(Manifests((one,), (listener(),)), source)
    assert seen == asked
    assert len(made) == 1


def test_a_cluster_that_shows_no_secrets() -> None:
    def fetch(namespace: str, name: str) -> None:
        raise ClusterError("Secrets are forbidden.")

    one = provider("github", "https://github.com/a/b")
    manifests = Manifests((one,), (listener(),))
    _, (problem,), _ = targets(manifests, SecretSource(fetch=fetch))
    assert problem.what == "its Secret does not hold `token` (the cluster's cannot be read: Secrets are forbidden)"
    made, problems, (note,) = targets(manifests, SecretSource(fetch=fetch), fallback={"github": Secret("t")})
    assert (len(made), problems) == (1, ())
    assert "Secrets are forbidden" in note
    _, (problem,), _ = targets(Manifests((provider("slack"),), (listener(),)), SecretSource(fetch=fetch))
    assert "Secrets are forbidden" in problem.what


# ── secrets stay secret ─────────────────────────────────────────────────────────────────────────────────────────────

WORD = st.text(string.ascii_letters + string.digits, min_size=8, max_size=16).map(lambda text: f"Zq{text}")
WRAPPED = st.sampled_from(
    (
        *("{}", "{}\n", " {} ", "{} {}", "{}\n{}", "{}:x", "{}\x00", "ü{}", "x: {}", "x: [{}]", "-----BEGIN {}-----"),
        *("https://{}", "https://h/{}", "https://u:{}@h/a/b", "http://h:{}/", "ssh://{}@github.com/a/b"),
    )
)
KEYS = [
    "address",
    "token",
    "username",
    "password",
    "headers",
    "proxy",
    "githubAppID",
    "githubAppPrivateKey",
    "githubAppInstallationID",
    "githubAppInstallationOwner",
    "githubAppBaseURL",
    "ca.crt",
    "tls.crt",
    "tls.key",
    "caFile",
    "certFile",
    "keyFile",
]


@st.composite
def hostile(draw: st.DrawFn) -> tuple[Provider, dict[tuple[str, str], dict[str, Secret]], set[str]]:
    """A Provider of any type whose Secrets hold anything anywhere, and the words that may not be said."""
    words: set[str] = set()

    def something() -> str:
        word = draw(WORD)
        words.add(word)
        return draw(WRAPPED).replace("{}", word)

    type_ = draw(st.sampled_from(SERVED))
    secrets = {
        ("apps", name): {key: Secret(something()) for key in draw(st.sets(st.sampled_from(KEYS)))}
        for name in ("its", "proxy", "tls")
    }
    good = ONE_OF_EACH[type_][0]
    if draw(st.booleans()):
        secrets["apps", "its"].pop("address", None)
    one = provider(
        type_,
        draw(st.sampled_from((good, "", something()))),
        channel=draw(st.sampled_from(("", "general"))),
        proxy=draw(st.sampled_from(("", something()))),
        proxy_secret=draw(st.sampled_from(("", "proxy"))),
        cert_secret=draw(st.sampled_from(("", "tls"))),
        place=draw(st.sampled_from((FILE, CLUSTER))),
    )
    return one, secrets, words


@given(hostile())
def test_nothing_that_is_said_holds_a_secret(
    case: tuple[Provider, dict[tuple[str, str], dict[str, Secret]], set[str]],
) -> None:
    one, secrets, words = case
    manifests = Manifests((one,), (listener(),), secrets)
    worked = Worked(targets(manifests, SecretSource(manifests=secrets), fallback={"github": Secret("0pti0n0pti0n")}))
    if worked.targets and worked.targets[0].host:
        words -= {
            word
            for word in words
            if any(word.lower() in str(part).lower() for part in (worked.host.host, worked.targets[0].within))
        }
    said = "\n".join((*(f"{problem}" for problem in worked.problems), *worked.notes))
    assert not [word for word in words if word in said]


def test_everything_secret_is_hidden() -> None:
    chat = provider(
        "rocket", "https://rc.example.com/api/v1", name="chat", channel="#a", secret="chat", proxy_secret="proxy"
    )
    form = provider("generic", "https://example.com/in/Path1234?sig=Signature1", name="form", secret="form")
    git = provider("bitbucket", "https://x-token:User%69nfo1@bitbucket.org/acme/app", name="git", secret="git")
    app = provider("github", "https://github.com/acme/app", name="app", secret="app", cert_secret="tls")
    written = {
        "chat": {"token": "Token1234\n", "username": "flux", "proxy": "http://p:Proxy1234@proxy"},
        "form": {"headers": "X-A: Header1234\nX-B: 'Header5678'"},
        "git": {"token": "account-name:Password1"},
        "app": {**APP, "githubAppInstallationID": "", "githubAppInstallationOwner": "acme"},
        "proxy": {"address": "http://proxy", "username": "u", "password": "Pro xy"},
        "tls": {"tls.crt": CERT, "tls.key": KEY},
        "loose": {"whatever": "Unreferenced1"},
    }
    secrets = {
        ("apps", name): {key: Secret(value) for key, value in values.items()} for name, values in written.items()
    }
    listeners = tuple(listener(name, name) for name in ("chat", "form", "git", "app"))
    manifests = Manifests((chat, form, git, app), listeners, secrets)
    source = SecretSource({"LANDED_SECRET_CHAT_TOKEN": "Environ1234"}, manifests=secrets)
    made, problems, _ = targets(manifests, source)
    assert problems == ()
    hide = hider(hidden(made, manifests, source))
    for text in (
        *(
            "Token1234",
            "Environ1234",
            "Proxy1234",
            "Header1234",
            "Header5678",
            "Password1",
            "account-name",
            "Userinfo1",
            "User%69nfo1",
        ),
        *("https://example.com/in/Path1234?sig=Signature1", "in/Path1234", "Pro%20xy", "Unreferenced1"),
        *(PEM, KEY.splitlines()[3], "account-name:Password1"),
    ):
        assert hide(f"<{text}>") == "<***>"
    for text in (
        "flux",
        "acme",
        "https://bitbucket.org/acme/app",
        "github.com/acme/app",
        "12",
        "X-A",
        CERT.splitlines()[3],
    ):
        assert hide(text) == text


@pytest.mark.parametrize(
    ("type_", "address", "fields", "secret"),
    [
        ("googlepubsub", "landed", {"channel": "flux"}, ""),
        ("azureeventhub", "landed", {"channel": "ns"}, ""),
        ("azureeventhub", "Endpoint=sb://n/;SharedAccessKeyName=a;SharedAccessKey=s3cr3t=;EntityPath=h", {}, "s3cr3t="),
        ("apprise", "slack://T/B/s3cr3t", {}, "slack://T/B/s3cr3t"),
        ("nats", "nats://u:s3cr3t@nats.example.com", {"channel": "flux"}, "s3cr3t"),
        ("pagerduty", "https://events.example.com", {"channel": "s3cr3tr0ut1ngk3y"}, "s3cr3tr0ut1ngk3y"),
    ],
)
@pytest.mark.parametrize("inside", [False, True], ids=["in the Provider", "in its Secret"])
def test_a_name_as_address_is_shown_and_a_key_is_not(
    type_: str, address: str, fields: dict[str, str], secret: str, *, inside: bool
) -> None:
    one = provider(type_, "" if inside else address, **fields)
    secrets = {("apps", "its"): {"address": Secret(address if inside else ""), "token": Secret("t0ken-of-mine")}}
    manifests = Manifests((one,), (listener(),), secrets)
    made, _, _ = targets(manifests, SecretSource(manifests=secrets))

    hide = hider(hidden(made, manifests))

    assert hide("landed says") == "landed says"
    assert not secret or secret not in hide(f"before {secret} after")
