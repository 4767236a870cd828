"""Any text gives manifests and problems; what is written comes back as it was written; what is broken is named."""

from __future__ import annotations

import json
from typing import Any

import yaml
from config.manifestsource import (
    VERSIONS,
    alert,
    alerts,
    disturbed,
    filled,
    maps,
    names,
    provider,
    providers,
    read,
    secret,
    texts,
    written,
)
from hypothesis import example, given
from hypothesis import strategies as st

from landed.config.manifests.problems import render_problems
from landed.config.manifests.read import read_objects, unanswered
from landed.config.manifests.values import Manifests, Problem
from landed.model import Secret

Document = dict[str, Any]
#: Documents as JSON, with pairs of escapes where a character takes two; and as YAML in three styles.
STYLES = (
    json.dumps,
    lambda document: yaml.safe_dump(document, default_style='"'),
    lambda document: yaml.safe_dump(document, default_style="'"),
    lambda document: "\n".join(["---", json.dumps(document, ensure_ascii=False, indent=1).replace("\x7f", "\\u007f")]),
)
versions, styles = st.sampled_from(VERSIONS), st.sampled_from(STYLES[:3])

_PIECES = (
    "apiVersion: kind: Provider Alert Secret List items: notification.toolkit.fluxcd.io/v1beta3 v1 metadata: name: a "
    "namespace: spec: type: slack eventSources: data: stringData: <<: &a *a !!str !x ? : - [ ] { } , | > ' \" # % "
    "--- ... sops: ${a} <a> 1 1e3 null true ~ \\"
)
pieces = st.sampled_from(_PIECES.split(" "))
rubbish = st.lists(st.one_of(pieces, texts), max_size=30).flatmap(
    lambda words: st.sampled_from([" ", "\n", "\n  ", ""]).map(lambda glue: glue.join(words))
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=10,
)


def sound(manifests: Manifests, problems: tuple[Problem, ...]) -> None:
    """What holds whatever was read."""
    message = render_problems(problems)
    assert message.count("\n") <= len(problems)
    message.encode()
    assert all("\n" not in note for note in manifests.notes)
    unanswered(manifests)


@given(rubbish)
@example("a: &a [*a]")
@example("? &a [a]\n: *a")
@example("<<: &a {<<: *a}")
@example("!!map a")
@example("!!str [a]")
@example("- !!null x")
def test_any_text_is_read(text: str) -> None:
    sound(*read(text))


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    sound(*read(data))


@given(
    st.fixed_dictionaries(
        {
            "apiVersion": st.one_of(st.sampled_from(["v1", "notification.toolkit.fluxcd.io/v1beta3"]), json_values),
            "kind": st.one_of(st.sampled_from(["Provider", "Alert", "Secret", "List", "AlertList"]), json_values),
        },
        optional={
            "metadata": st.one_of(st.fixed_dictionaries({"name": st.one_of(names, json_values)}), json_values),
            "spec": st.one_of(disturbed(providers), disturbed(alerts), json_values),
            "data": json_values,
            "stringData": json_values,
            "items": json_values,
            "sops": json_values,
        },
    )
)
def test_any_object_of_a_cluster_is_read(value: Document) -> None:
    sound(*read_objects([value], "cluster prod"))


@given(providers, versions, names, names, styles)
def test_a_provider_comes_back_as_it_was_written(
    spec: Document, version: str, name: str, namespace: str, style: Any
) -> None:
    document = provider(spec, version, name, namespace)
    manifests, problems = read(style(document))
    assert problems == ()
    (found,) = manifests.providers
    assert found.object == document
    assert (found.namespace, found.name, found.type) == (namespace, name, spec["type"])
    assert (found.channel, found.username) == (spec.get("channel", ""), spec.get("username", ""))
    assert (found.address.reveal(), found.proxy.reveal()) == (spec.get("address", ""), spec.get("proxy", ""))
    references = [spec.get(key, {}).get("name", "") for key in ("secretRef", "certSecretRef", "proxySecretRef")]
    assert [found.secret, found.cert_secret, found.proxy_secret] == references
    assert found.suspend == spec.get("suspend", False)
    assert (found.timeout > 0) == (spec.get("timeout", "0s") != "0s")


@given(alerts, versions, names, names, styles)
def test_an_alert_comes_back_as_it_was_written(
    spec: Document, version: str, name: str, namespace: str, style: Any
) -> None:
    manifests, problems = read(style(alert(spec, version, name, namespace)))
    assert problems == ()
    if spec.get("suspend"):
        assert manifests.listeners == ()
        return
    (found,) = manifests.listeners
    value = found.alert
    assert (value.namespace, value.name, value.provider) == (namespace, name, spec["providerRef"]["name"])
    assert (value.severity, value.summary) == (spec.get("eventSeverity", "info"), spec.get("summary", ""))
    assert [*value.inclusion, *value.exclusion] == spec.get("inclusionList", []) + spec.get("exclusionList", [])
    assert dict(value.metadata) == spec.get("eventMetadata", {})
    assert [
        {"kind": source.kind, "name": source.name, "namespace": source.namespace, "matchLabels": dict(source.labels)}
        for source in value.sources
    ] == [
        {
            "matchLabels": {},
            "namespace": namespace,
            **{key: item for key, item in source.items() if key != "apiVersion"},
        }
        for source in spec["eventSources"]
    ]


@given(st.dictionaries(filled, texts.filter(lambda text: not text.strip().startswith("<")), max_size=3), maps, styles)
def test_a_secret_comes_back_as_it_was_written(encoded: dict[str, str], plain: dict[str, str], style: Any) -> None:
    from base64 import b64encode

    plain = {key: value for key, value in plain.items() if not value.strip().startswith("<")}
    data = {key: b64encode(value.encode()).decode() for key, value in encoded.items()}
    manifests, problems = read(style(secret(data=data, stringData=plain)))
    assert problems == ()
    assert manifests.secrets == {
        ("apps", "slack-url"): {key: Secret(value) for key, value in (encoded | plain).items()}
    }


def _fields(value: Any, field: str = "spec") -> list[str]:
    inner = value.items() if isinstance(value, dict) else []
    return [field, *(path for key, item in inner for path in _fields(item, f"{field}.{key}"))]


@given(st.data(), st.booleans())
def test_what_is_broken_is_named(data: st.DataObject, of_provider: bool) -> None:
    spec = data.draw(providers if of_provider else alerts)
    free = ("spec.eventMetadata", "spec.eventSources")  # what is below may be of many names
    fields = [field for field in _fields(spec) if not field.startswith(free) and field != "spec"]
    field = data.draw(st.sampled_from(fields))
    where, _, key = field.rpartition(".")
    inner: Any = spec
    for step in where.split(".")[1:]:
        inner = inner[step]
    inner[key] = data.draw(st.sampled_from([1, 0.5, [[]] if isinstance(inner[key], dict) else {"x": 1}]))
    manifests, problems = read(written((provider if of_provider else alert)(spec)))
    assert field in [problem.field for problem in problems]
    assert all(problem.place.line > 1 for problem in problems)
    assert (manifests.providers, manifests.listeners) == ((), ())
