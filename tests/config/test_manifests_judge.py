"""Flux's own schemas say whether a manifest is right: as JSON Schema, and to a Kubernetes API server."""

from __future__ import annotations

import copy
import http.client
import json
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml
from config.manifestsource import ALERT, GROUP, PROVIDER, SCHEMAS, alert, alerts, disturbed, provider, providers, read
from hypothesis import given, settings
from hypothesis import strategies as st
from integration.apiserver import crdserver
from integration.cluster import Cluster
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Document = dict[str, Any]
#: OURS: the rule beside the schema (``x-kubernetes-validations``), which JSON Schema has no word for.
COMMIT_STATUSES = ("github", "gitlab", "gitea", "bitbucketserver", "bitbucket", "azuredevops")


def _strict(schema: Any) -> Any:
    """OURS: what is not named is refused, as by an API server that is asked to be strict about fields."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _strict(value) for key, value in schema.items()}
    return inner | {"additionalProperties": False} if "properties" in schema else inner


def _of(kind: str) -> Draft202012Validator:
    schema = copy.deepcopy(SCHEMAS[kind])
    expression = schema["properties"]["spec"]["properties"]
    return Draft202012Validator({**_strict(schema), "required": []} if expression else {})


JUDGES = {kind: _of(kind) for kind in SCHEMAS}


def _without_nulls(value: Any, schema: Any) -> Any:
    """OURS: null under a name that the schema knows is as nothing, as to an API server."""
    if isinstance(value, dict):
        known = schema.get("properties", {})
        maps = "additionalProperties" in schema
        kept = {key: item for key, item in value.items() if item is not None or not (key in known or maps)}
        return {key: _without_nulls(item, known.get(key, {})) for key, item in kept.items()}
    if isinstance(value, list):
        return [_without_nulls(item, schema.get("items", {})) for item in value]
    return value


def schema_refuses(document: Document) -> bool:
    kind = document["kind"]
    document = _without_nulls(document, SCHEMAS[kind])
    spec = document.get("spec")
    ruled = isinstance(spec, dict) and "commitStatusExpr" in spec and spec.get("type") not in COMMIT_STATUSES
    return ruled or not JUDGES[kind].is_valid(document)


def beyond(document: Document) -> bool:
    """What we refuse and Flux takes, because it cannot mean anything."""
    spec = document.get("spec")
    if not isinstance(spec, dict):
        return spec is None
    references = [spec.get(key) for key in ("providerRef", "secretRef", "certSecretRef", "proxySecretRef")]
    return any(isinstance(reference, dict) and reference.get("name") == "" for reference in references)


def ours_refuses(text: str) -> bool:
    return bool(read(text)[1])


documents = st.one_of(
    st.builds(provider, disturbed(providers)),
    st.builds(alert, disturbed(alerts)),
    st.builds(lambda spec, text: provider({**spec, "commitStatusExpr": text}), providers, st.sampled_from(["'x'", ""])),
)


@given(documents)
def test_what_the_schema_refuses_is_refused_and_nothing_else(document: Document) -> None:
    assert ours_refuses(json.dumps(document)) == (schema_refuses(document) or beyond(document))


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_every_field_of_the_schema_is_known_and_no_other(kind: str) -> None:
    from landed.config.manifests.rules import ALERT, PROVIDER, Rule

    def paths(schema: Any, field: str = "") -> set[str]:
        inner = schema.get("properties") or schema.get("items", {}).get("properties") or {}
        return {field} | {path for key, item in inner.items() for path in paths(item, f"{field}.{key}")}

    def ours(rule: Rule, field: str = "") -> set[str]:
        inner = rule.fields or (rule.items.fields if rule.items else {})
        return {field} | {path for key, item in inner.items() for path in ours(item, f"{field}.{key}")}

    assert ours({"Provider": PROVIDER, "Alert": ALERT}[kind]) == paths(SCHEMAS[kind]["properties"]["spec"])


def _definition(kind: str) -> Document:
    names = {"kind": kind, "listKind": f"{kind}List", "plural": f"{kind.lower()}s", "singular": kind.lower()}
    version = {"name": "v1beta3", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMAS[kind]}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


class ApiServer:
    """Asks an API server whether it would take a text, without having it kept."""

    def __init__(self, cluster: Cluster) -> None:
        trust = ssl.create_default_context(cadata=cluster.ca)
        self._connection = http.client.HTTPSConnection(urlsplit(cluster.url).netloc, context=trust)

    def refuses(self, kind: str, text: str) -> bool:
        path = f"/apis/{GROUP}/v1beta3/namespaces/apps/{kind.lower()}s?dryRun=All&fieldValidation=Strict"
        language = "json" if text.startswith("{") else "yaml"
        headers = {"Authorization": "Bearer admintoken", "Content-Type": f"application/{language}"}
        self._connection.request("POST", path, text.encode(), headers)
        answer = self._connection.getresponse()
        said = answer.read().decode()
        assert answer.status in (201, 400, 422), said
        return answer.status != 201

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with crdserver() as cluster:
        file: Path = tmp_path_factory.mktemp("crds") / "crds.yaml"
        file.write_text(yaml.safe_dump_all(map(_definition, SCHEMAS)))
        cluster.install(file)
        server = ApiServer(cluster)
        yield server
        server.close()


@pytest.mark.envtest
@settings(max_examples=300)
@given(document=documents)
def test_what_an_api_server_refuses_is_refused_and_nothing_else(api: ApiServer, document: Document) -> None:
    text = json.dumps(document)
    assert ours_refuses(text) == (api.refuses(document["kind"], text) or beyond(document))


def _provider(**fields: str) -> str:
    """A Provider whose fields are written as given."""
    lines = "".join(f"  {key}: {value}\n" for key, value in fields.items())
    head = f"apiVersion: {GROUP}/v1beta3\nkind: Provider\nmetadata:\n  name: slack\n  namespace: apps\n"
    return f"{head}spec:\n  type: slack\n{lines}"


def _alert(sources: str) -> str:
    head = f"apiVersion: {GROUP}/v1beta3\nkind: Alert\nmetadata: {{name: a, namespace: apps}}\n"
    return f"{head}spec:\n  providerRef: {{name: slack}}\n  eventSources: {sources}\n"


_SCALARS = """
general 123 -1 +1 0 00 08 012 0o17 0o9 0x1F 0xZZ 0b101 0b2 1_000 _1 1. .5 . 1.5 1e3 1E-3 1.e3 1e .inf -.Inf .iNf .nan
.NaN -.nan true True TRUE tRUE false yes Yes YES no off Off on ON null Null NULL ~ nUll 2001-01-01
2001-12-14t21:59:43.10-05:00 12:30 1:30:00 -1001234:56 190:20:30 = 1.2.3 1,000 '123'
"true" '' "" !!str - 1234e56 0e1 +.5 -0 0.0 1__0 - +
"""
#: Ways to write a text. What is text to kubectl must be text to us.
SCALARS = _SCALARS.split()


@pytest.mark.envtest
@pytest.mark.parametrize(
    "scalar", [*dict.fromkeys(SCALARS), "!!str 123", "! 12", "!!str true", "|\n    1", ">-\n    on"]
)
@pytest.mark.parametrize("field", ["channel", "suspend"])
def test_scalars_are_told_apart_as_by_an_api_server(api: ApiServer, scalar: str, field: str) -> None:
    text = _provider(**{field: scalar})
    assert ours_refuses(text) == api.refuses("Provider", text)


TEXTS = {
    "duplicate keys": _provider(channel="a") + "  channel: b\n",
    "an alias": _provider(channel="&a b", username="*a"),
    "an alias of nothing": _provider(channel="*a"),
    "a tab": "\t" + _provider(),
    "not closed": _provider(channel="'a"),
    "a tag for bytes": _provider(channel="!!binary aGFsbG8="),
    "a tag of somebody's own": _provider(channel="!mine a"),
    "a merge": _provider() + "  <<: {channel: a, type: slack}\n",
    "a merge of a list": _provider() + "  <<: [{channel: a}, {username: b}]\n",
    "a merge of text": _provider() + "  <<: a\n",
    "a number as label": _alert('[{kind: Bucket, name: "*", matchLabels: {a: 1}}]'),
    "a number as key": _alert('[{kind: Bucket, name: "*", matchLabels: {1: a}}]'),
    "a word as key": _alert('[{kind: Bucket, name: "*", matchLabels: {true: a}}]'),
    "no sources": _alert("[]"),
    "null as sources": _alert("~"),
    "null as a source": _alert("[~]"),
    "null as label": _alert('[{kind: Bucket, name: "*", matchLabels: {a: ~}}]'),
    "null as severity": _alert("[]") + "  eventSeverity:\n",
    "a byte order mark": "\ufeff" + _provider(),
    "a control character": _provider(channel="a\x07"),
    "an escaped control character": _provider(channel='"\\x07"'),
    "a kind in lower case": _alert("[{kind: kustomization, name: a}]"),
    "a line break after a time": _provider(timeout='"15s\\n"'),
    "a line break in a proxy": _provider(proxy='"http://a\\nb"'),
    "arabic digits": _provider(timeout='"١s"'),
    "an end of documents": _provider() + "...\n",
    "labels of a mapping": _provider().replace("name: slack", "name: slack\n  labels: {a: {b: c}}"),
    "a label that is a number": _provider().replace("name: slack", "name: slack\n  labels: {a: 1}"),
    "a name that is a number": _provider().replace("name: slack", "name: 1"),
    "a name in capitals": _provider().replace("name: slack", "name: Slack"),
    "a name with a dot": _provider().replace("name: slack", "name: a.b"),
    "a name that ends with a dash": _provider().replace("name: slack", "name: a-"),
    "a long name": _provider().replace("name: slack", f"name: {'a' * 254}"),
    "no name": _provider().replace("name: slack", "labels: {}"),
    "an unknown field of metadata": _provider().replace("name: slack", "name: slack\n  nmae: b"),
    "an unknown field at the top": _provider() + "extra: 1\n",
    "a status": _provider() + "status: {observedGeneration: -1}\n",
    "no spec": _provider().partition("spec:")[0] + "spec: {}\n",
}
#: The API server takes these, we do not, or the reverse; for a reason each.
DIFFERENT = {
    "a status",  # v1beta1 had one: what was exported then is still read
    "a merge",  # what is written beside a merge wins; Kubernetes' parser takes it for a second one
    "a tag for bytes",  # no field holds bytes
    "a tag of somebody's own",  # whoever wrote it meant something by it
}


@pytest.mark.envtest
@pytest.mark.parametrize("what", TEXTS)
def test_texts_are_read_as_by_an_api_server(api: ApiServer, what: str) -> None:
    text = TEXTS[what]
    kind = "Alert" if "kind: Alert" in text else "Provider"
    verdict = api.refuses(kind, text)
    assert ours_refuses(text) == (not verdict if what in DIFFERENT else verdict)


def test_the_judges_can_refuse() -> None:
    assert not schema_refuses(provider(PROVIDER))
    assert not schema_refuses(alert(ALERT))
    assert schema_refuses(provider({"type": "nothing"}))
    assert schema_refuses(alert({**ALERT, "extra": 1}))
