"""Every rule for the fields of Providers, Alerts and Secrets."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from config.manifestsource import ALERT, GROUP, KINDS, PROVIDER, TYPES, VERSIONS, alert, provider, read, secret, written

from landed.config.manifests.problems import render_problems
from landed.config.manifests.values import Place
from landed.model import Alert, EventSource, Secret

SOURCE = {"kind": "Kustomization", "name": "*"}


def sources(**fields: Any) -> dict[str, Any]:
    return {**ALERT, "eventSources": [{**SOURCE, **fields}]}


TAKEN: dict[str, dict[str, Any]] = {
    "longest address": provider({**PROVIDER, "address": "é" * 2048}),
    "longest channel": provider({**PROVIDER, "channel": "x" * 2048}),
    "longest username": provider({**PROVIDER, "username": "x" * 2048}),
    "empty texts": provider({**PROVIDER, "address": "", "channel": "", "username": ""}),
    "timeout": provider({**PROVIDER, "timeout": "1m30.5s500ms"}),
    "interval": provider({**PROVIDER, "interval": "1h"}),
    "proxy": provider({**PROVIDER, "proxy": "https://p"}),
    "expression": provider({"type": "github", "commitStatusExpr": "'a'"}),
    "severity": alert({**ALERT, "eventSeverity": "error"}),
    "longest source": alert(sources(name="x" * 253, namespace="y" * 253)),
    "labels": alert(sources(matchLabels={"a": "b"})),
    "no sources": alert({**ALERT, "eventSources": []}),
    "longest summary": alert({**ALERT, "summary": "x" * 255}),
    "metadata": alert({**ALERT, "eventMetadata": {"a": "b"}}),
    "patterns": alert({**ALERT, "inclusionList": ["(?i)a"], "exclusionList": ["^b"]}),
    "annotations": provider(PROVIDER) | {"metadata": {"name": "a.b", "namespace": "c", "annotations": {"a": "b"}}},
    **{f"type {name}": provider({"type": name}) for name in TYPES},
    **{f"kind {name}": alert(sources(kind=name)) for name in KINDS},
    **{f"Provider {version}": provider(PROVIDER, version) for version in VERSIONS},
    **{f"Alert {version}": alert(ALERT, version) for version in VERSIONS},
}


@pytest.mark.parametrize("what", TAKEN)
def test_what_is_right_is_no_problem(what: str) -> None:
    manifests, problems = read(written(TAKEN[what]))
    assert not problems
    assert len(manifests.providers) + len(manifests.listeners) == 1


def named(**metadata: Any) -> dict[str, Any]:
    return provider(PROVIDER) | {"metadata": metadata}


#: What is wrong, the field that is named, and words of the message.
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no type": (provider({"channel": "a"}), "spec.type", "missing"),
    "unknown type": (provider({"type": "teams"}), "spec.type", 'there is no "teams". Did you mean msteams?'),
    "odd type": (provider({"type": "qqqqqqqq"}), "spec.type", "Take one of alertmanager, apprise, azuredevops,"),
    "type in capitals": (provider({"type": "Slack"}), "spec.type", "Did you mean slack?"),
    "misspelt field": (provider({**PROVIDER, "chanel": "a"}), "spec.chanel", "Did you mean channel?"),
    "field in lower case": (provider({**PROVIDER, "secretref": {}}), "spec.secretref", "Did you mean secretRef?"),
    "unknown field": (provider({**PROVIDER, "zzz": "a"}), "spec.zzz", "There are address,"),
    "field at the top": (provider(PROVIDER) | {"sepc": {}}, "sepc", "Did you mean spec?"),
    "address too long": (provider({**PROVIDER, "address": "x" * 2049}), "spec.address", "At most 2048"),
    "channel too long": (provider({**PROVIDER, "channel": "x" * 2049}), "spec.channel", "At most 2048"),
    "username too long": (provider({**PROVIDER, "username": "x" * 2049}), "spec.username", "At most 2048"),
    "proxy too long": (provider({**PROVIDER, "proxy": f"http://{'x' * 2048}"}), "spec.proxy", "At most 2048"),
    "hours": (provider({**PROVIDER, "timeout": "1h"}), "spec.timeout", "no hours"),
    "bare seconds": (provider({**PROVIDER, "timeout": "15"}), "spec.timeout", "15s"),
    "no end of time": (provider({**PROVIDER, "timeout": f"{'9' * 30}m"}), "spec.timeout", "longer than"),
    "time of many words": (provider({**PROVIDER, "timeout": "1s" * 51}), "spec.timeout", "At most 100"),
    "time with an end of line": (provider({**PROVIDER, "timeout": "15s\n"}), "spec.timeout", "15s"),
    "days": (provider({**PROVIDER, "interval": "1d"}), "spec.interval", "10m"),
    "socks": (provider({**PROVIDER, "proxy": "socks5://p"}), "spec.proxy", "http:// or https://"),
    "quoted truth": (provider({**PROVIDER, "suspend": "true"}), "spec.suspend", "without quotes"),
    "number as channel": (provider({**PROVIDER, "channel": 123}), "spec.channel", "Write it in quotes."),
    "truth as channel": (provider({**PROVIDER, "channel": True}), "spec.channel", "Write it in quotes."),
    "list as channel": (provider({**PROVIDER, "channel": ["a"]}), "spec.channel", "a list, not text"),
    "text as reference": (provider({**PROVIDER, "secretRef": "a"}), "spec.secretRef", "Write a mapping."),
    "nameless reference": (provider({**PROVIDER, "secretRef": {}}), "spec.secretRef.name", "missing"),
    "empty reference": (provider({**PROVIDER, "certSecretRef": {"name": ""}}), "spec.certSecretRef.name", "empty"),
    "key of a reference": (
        provider({**PROVIDER, "proxySecretRef": {"name": "a", "key": "b"}}),
        "spec.proxySecretRef.key",
        "no such field",
    ),
    "expression for slack": (provider({**PROVIDER, "commitStatusExpr": "a"}), "spec.commitStatusExpr", "type slack"),
    "long expression": (
        provider({"type": "github", "commitStatusExpr": "x" * 10_001}),
        "spec.commitStatusExpr",
        "At most 10000",
    ),
    "variable as type": (provider({"type": "${type}"}), "spec.type", "variable"),
    "variable as truth": (provider({**PROVIDER, "suspend": "${suspend:=false}"}), "spec.suspend", "variable"),
    "no spec": ({**provider({}), "spec": None}, "spec", "missing"),
    "no metadata": ({**provider(PROVIDER), "metadata": None}, "metadata", "missing"),
    "no name": (named(namespace="a"), "metadata.name", "missing"),
    "number as name": (named(name=123), "metadata.name", "in quotes"),
    "name in capitals": (named(name="Slack"), "metadata.name", "lower-case"),
    "long name": (named(name="a" * 254), "metadata.name", "At most 253"),
    "long namespace": (named(name="a", namespace="a" * 64), "metadata.namespace", "At most 63"),
    "namespace with a dot": (named(name="a", namespace="a.b"), "metadata.namespace", "lower-case"),
    "annotation": (named(name="a", annotations={"b": 1}), "metadata.annotations.b", "in quotes"),
    "field of metadata": (named(name="a", nmespace="b"), "metadata.nmespace", "Did you mean namespace?"),
    "unknown version": (provider(PROVIDER, "v1"), "apiVersion", f"Write {GROUP}/v1beta3."),
    "no version": ({**provider(PROVIDER), "apiVersion": None}, "apiVersion", "missing"),
    "bare group": ({**provider(PROVIDER), "apiVersion": GROUP}, "apiVersion", f"Write {GROUP}/v1beta3."),
    "misspelt group": (
        {**alert(ALERT), "apiVersion": "notifications.toolkit.fluxcd.io/v1beta3"},
        "apiVersion",
        f"Write {GROUP}/v1beta3.",
    ),
    "kind in lower case": ({**alert(ALERT), "kind": "alert"}, "kind", "Did you mean Alert?"),
    "no kind": ({**alert(ALERT), "kind": None}, "kind", "missing"),
    "encrypted": (provider(PROVIDER) | {"sops": {}}, "sops", "Decrypt it first"),
    "no provider": (alert({"eventSources": []}), "spec.providerRef", "missing"),
    "nameless provider": (alert({**ALERT, "providerRef": {"name": ""}}), "spec.providerRef.name", "empty"),
    "sources left out": (alert({"providerRef": {"name": "a"}}), "spec.eventSources", "missing"),
    "one source": (alert({**ALERT, "eventSources": SOURCE}), "spec.eventSources", "Write a list."),
    "kind of a source": (alert(sources(kind="Kustomisation")), "spec.eventSources[0].kind", "Did you mean Kustomi"),
    "source without a kind": (
        alert({**ALERT, "eventSources": [SOURCE, {"name": "a"}]}),
        "spec.eventSources[1].kind",
        "missing",
    ),
    "source without a name": (
        alert({**ALERT, "eventSources": [{"kind": "Bucket"}]}),
        "spec.eventSources[0].name",
        "mis",
    ),
    "empty name": (alert(sources(name="")), "spec.eventSources[0].name", "empty"),
    "empty namespace": (alert(sources(namespace="")), "spec.eventSources[0].namespace", "empty"),
    "long source": (alert(sources(name="x" * 254)), "spec.eventSources[0].name", "At most 253"),
    "long namespace of a source": (
        alert(sources(namespace="x" * 254)),
        "spec.eventSources[0].namespace",
        "At most 253",
    ),
    "number as label": (alert(sources(matchLabels={"a": 1})), "spec.eventSources[0].matchLabels.a", "in quotes"),
    "list as labels": (alert(sources(matchLabels=["a"])), "spec.eventSources[0].matchLabels", "Write a mapping."),
    "unknown severity": (alert({**ALERT, "eventSeverity": "warning"}), "spec.eventSeverity", 'no "warning"'),
    "empty severity": (alert({**ALERT, "eventSeverity": ""}), "spec.eventSeverity", "Take one of error, info."),
    "long summary": (alert({**ALERT, "summary": "x" * 256}), "spec.summary", "At most 255"),
    "number as metadata": (alert({**ALERT, "eventMetadata": {"a": 1}}), "spec.eventMetadata.a", "in quotes"),
    "one pattern": (alert({**ALERT, "exclusionList": "a"}), "spec.exclusionList", "Write a list."),
    "number as pattern": (alert({**ALERT, "exclusionList": ["a", 1]}), "spec.exclusionList[1]", "in quotes"),
    "open pattern": (alert({**ALERT, "inclusionList": ["a", "("]}), "spec.inclusionList[1]", "regular expression"),
    "backreference": (alert({**ALERT, "exclusionList": [r"(a)\1"]}), "spec.exclusionList[0]", "regular expression"),
    "data": (secret(data=["a"]), "data", "mapping"),
    "number in data": (secret(data={"token": 123}), "data.token", "in quotes"),
    "number in text": (secret(stringData={"token": 123}), "stringData.token", "in quotes"),
    "not base64": (secret(data={"token": "s3cr3t!"}), "data.token", "it is not base64"),
    "not base64, and not needed": (secret(data={"a": "!"}, stringData={"a": "b"}), "data.a", "it is not base64"),
    "base64 without its end": (secret(data={"token": "YQ"}), "data.token", "it is not base64"),
    "base64 with blanks": (secret(data={"token": "YW Fh"}), "data.token", "it is not base64"),
    "placeholder": (secret(data={"token": "<token>"}), "data.token", "under stringData.token as it is"),
    "placeholder in text": (secret(stringData={"token": "<token>"}), "stringData.token", "placeholder"),
    "variable in data": (secret(data={"token": "${token}"}), "data.token", "variable"),
    "field of a secret": (secret(dta={}), "dta", "Did you mean data?"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_named_with_its_field(what: str) -> None:
    document, field, words = WRONG[what]
    manifests, problems = read(written(document))
    assert [problem.field for problem in problems] == [field]
    assert words in render_problems(problems)
    assert (manifests.providers, manifests.listeners, manifests.secrets) == ((), (), {})
    broken = document["kind"] == "Provider"
    assert len(manifests.broken) == broken


#: What is worth knowing, and words of the note.
NOTED = {
    "suspended Alert": (alert({**ALERT, "suspend": True}), "Alert apps/on-call: it is suspended, and left out"),
    "interval": (provider({**PROVIDER, "interval": "10m"}), "spec.interval has no effect"),
    "interval of v1beta1": (
        provider({**PROVIDER, "interval": "1m"}, "v1beta1"),
        "v1beta1 does not know spec.interval;",
    ),
    "proxy": (provider({**PROVIDER, "proxy": "http://p"}), "spec.proxySecretRef"),
    "newer type": (provider({"type": "gitea"}, "v1beta1"), "v1beta1 does not know the type gitea"),
    "newest type": (provider({"type": "nats"}, "v1beta2"), "v1beta2 does not know the type nats"),
    "newer fields": (
        provider({"type": "github", "commitStatusExpr": "'a'", "proxySecretRef": {"name": "a"}}, "v1beta2"),
        "v1beta2 does not know spec.proxySecretRef, spec.commitStatusExpr; it is read as v1beta3",
    ),
    "newer list": (alert({**ALERT, "inclusionList": []}, "v1beta1"), "v1beta1 does not know spec.inclusionList"),
    "newer kind": (alert(sources(kind="ExternalArtifact"), "v1beta1"), "v1beta1 does not know ExternalArtifact"),
    "images": (alert(sources(kind="ImagePolicy")), "ImagePolicy objects are not observed"),
    "generators": (alert(sources(kind="ArtifactGenerator")), "ArtifactGenerator objects are not observed"),
    "labels of one": (alert(sources(name="a", matchLabels={"a": "b"})), "matchLabels is meant for the name *"),
    "no sources": (alert({**ALERT, "eventSources": []}), "it wants to hear of nothing"),
    "summary": (alert({**ALERT, "summary": "a"}), "spec.summary is deprecated"),
    "variables": (
        alert({**ALERT, "eventMetadata": {"a": "${b}"}}),
        "variables such as ${NAME} in spec.eventMetadata.a",
    ),
    "variable as name": (alert(ALERT, name="${a}-b"), "variables such as ${NAME} in metadata.name"),
    "no time": (provider({**PROVIDER, "timeout": "0s"}), "spec.timeout is nothing"),
    "placeholder": (provider({**PROVIDER, "address": "https://github.com/<username>/podinfo"}), "a placeholder"),
    "no namespace": (named(name="a"), "No namespace is written in Provider a, so it is taken to be in default"),
    "encrypted": (secret(data={"a": "ENC[x]"}, sops={"mac": "x"}), "Secret apps/slack-url: it is encrypted with SOPS"),
    "bytes": (secret(data={"a": b64encode(b"\xff").decode()}), "Secret apps/slack-url: data.a is not text"),
    "variable in a secret": (secret(stringData={"a": "x${b}"}), "stringData.a holds a variable"),
}


@pytest.mark.parametrize("what", NOTED)
def test_what_is_worth_knowing_is_noted(what: str) -> None:
    document, words = NOTED[what]
    manifests, problems = read(written(document))
    assert not problems
    assert [words in note for note in manifests.notes].count(True) == 1, manifests.notes


@pytest.mark.parametrize("text", ["$${a}", "$a", "{a}", "${}", "${a", "$(a)"])
def test_what_is_no_variable_is_not_noted(text: str) -> None:
    assert read(written(provider({**PROVIDER, "channel": text})))[0].notes == ()


def test_a_usual_manifest_has_no_notes() -> None:
    manifests, problems = read(written(provider(PROVIDER), alert(ALERT), secret(stringData={"a": "b"})))
    assert (manifests.notes, problems, manifests.broken) == ((), (), frozenset())


def test_a_provider_as_it_is_written() -> None:
    spec = {
        "type": "github",
        "channel": "c",
        "username": "u",
        "address": "https://github.com/a/b",
        "timeout": "1m30s",
        "proxy": "http://p",
        "secretRef": {"name": "s"},
        "certSecretRef": {"name": "t"},
        "proxySecretRef": {"name": "p"},
        "serviceAccountName": "sa",
        "suspend": True,
        "commitStatusExpr": "'x'",
    }
    document = provider(spec)
    document["metadata"]["uid"] = "1-2"
    (found,) = read(written(document))[0].providers
    assert (found.namespace, found.name, found.type, found.uid) == ("apps", "slack", "github", "1-2")
    assert (found.channel, found.username, found.address) == ("c", "u", Secret("https://github.com/a/b"))
    assert (found.timeout, found.proxy) == (90.0, Secret("http://p"))
    assert (found.secret, found.cert_secret, found.proxy_secret, found.service_account) == ("s", "t", "p", "sa")
    assert (found.suspend, found.expression) == (True, "'x'")
    assert found.object == document
    assert (found.place.line, found.place.document) == (1, 1)
    assert (found.lines["metadata.uid"], found.lines["spec.secretRef.name"]) == (6, 15)


def test_an_alert_as_it_is_written() -> None:
    spec = {
        "providerRef": {"name": "slack"},
        "eventSources": [
            {"kind": "Kustomization", "name": "*", "matchLabels": {"b": "1", "a": "2"}},
            {"kind": "Bucket", "name": "x", "namespace": "other", "apiVersion": "v1"},
        ],
        "inclusionList": ["a"],
        "exclusionList": ["b", "c"],
        "eventMetadata": {"z": "1", "y": "2"},
        "summary": "s",
    }
    document = alert(spec, namespace="mine")
    (found,) = read(written(document))[0].listeners
    assert found.alert == Alert(
        namespace="mine",
        name="on-call",
        provider="slack",
        severity="info",
        sources=(
            EventSource("Kustomization", "*", "mine", (("a", "2"), ("b", "1"))),
            EventSource("Bucket", "x", "other"),
        ),
        inclusion=("a",),
        exclusion=("b", "c"),
        metadata=(("y", "2"), ("z", "1")),
        summary="s",
    )
    assert found.object["spec"] == {**spec, "eventSeverity": "info"}
    assert found.place == Place(found.place.file, 1, 1)


@pytest.mark.parametrize("text", ["aGFsbG8=", "aGFs\nbG8=\n", "aGFs\r\nbG8="])
def test_secrets_are_decoded(text: str) -> None:
    manifests, problems = read(written(secret(data={"token": text, "empty": "", "null": None})))
    assert not problems
    assert manifests.secrets == {
        ("apps", "slack-url"): {"token": Secret("hallo"), "empty": Secret(""), "null": Secret("")}
    }


def test_plain_text_wins_over_base64() -> None:
    document = secret(data={"a": "eA==", "b": "eA=="}, stringData={"a": "y\n"})
    assert read(written(document))[0].secrets[("apps", "slack-url")] == {"a": Secret("y\n"), "b": Secret("x")}


SHOUT = "hunter2hunter2"


@pytest.mark.parametrize(
    "document",
    [
        provider({"type": "x", "address": SHOUT, "proxy": SHOUT, "addres": SHOUT}),
        provider({**PROVIDER, "address": [SHOUT], "proxy": {SHOUT: SHOUT}}),
        provider({**PROVIDER, "address": f"{SHOUT}${{{SHOUT}}}"}),
        provider({**PROVIDER, "address": SHOUT * 200, "proxy": f"http://{SHOUT * 200}"}),
        secret(data={"token": f"{SHOUT}!"}),
        secret(data={"token": f"<{SHOUT}>"}),
        secret(stringData={"token": [SHOUT]}, date=SHOUT),
        secret(stringData={"token": f"${{{SHOUT}}}"}),
        secret(stringData=SHOUT),
    ],
)
def test_no_secret_is_told(document: dict[str, Any]) -> None:
    manifests, problems = read(written(document))
    assert problems or manifests.notes
    assert SHOUT not in render_problems(problems) + "".join(manifests.notes)
