"""Manifests as people write them, right and wrong, for the tests of their reader."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import strategies as st
from objects import DATA

from landed.config.manifests.read import read_files

if TYPE_CHECKING:
    from landed.config.manifests.values import Manifests, Problem

Document = dict[str, Any]
GROUP = "notification.toolkit.fluxcd.io"
VERSIONS = ("v1beta1", "v1beta2", "v1beta3")
SCHEMAS: Document = json.loads((DATA / "manifests" / "flux-notification-v1beta3.json").read_text())
TYPES = SCHEMAS["Provider"]["properties"]["spec"]["properties"]["type"]["enum"]
_SOURCES = SCHEMAS["Alert"]["properties"]["spec"]["properties"]["eventSources"]["items"]["properties"]
KINDS = _SOURCES["kind"]["enum"]


def read(text: str | bytes, name: str = "m.yaml") -> tuple[Manifests, tuple[Problem, ...]]:
    """What a file with this text gives; the file is called ``name`` wherever it is."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_files([str(file)])


def provider(spec: Document, version: str = "v1beta3", name: str = "slack", namespace: str = "apps") -> Document:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": f"{GROUP}/{version}", "kind": "Provider", "metadata": metadata, "spec": spec}


def alert(spec: Document, version: str = "v1beta3", name: str = "on-call", namespace: str = "apps") -> Document:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": f"{GROUP}/{version}", "kind": "Alert", "metadata": metadata, "spec": spec}


def secret(name: str = "slack-url", namespace: str = "apps", **members: Any) -> Document:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, **members}


def written(*documents: Any) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False)


#: What a Provider and an Alert need at least.
PROVIDER: Document = {"type": "slack"}
ALERT: Document = {"providerRef": {"name": "slack"}, "eventSources": [{"kind": "Kustomization", "name": "*"}]}

texts = st.text(st.characters(codec="utf-8"), max_size=12)
filled = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
maps = st.dictionaries(filled, texts, max_size=3)
references = st.fixed_dictionaries({"name": filled})
patterns = st.sampled_from(["a", "^b.*", r"\d+", "(?i)x", "c|d", "", "[[:alpha:]]", r"\Qa.b\E"])

providers = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)},
    optional={
        "interval": st.sampled_from(["10m", "1h30m", "0.5h", "100ms"]),
        "channel": texts,
        "username": texts,
        "address": texts,
        "timeout": st.sampled_from(["15s", "1m30s", "500ms", "1.5m", "0s"]),
        "proxy": st.sampled_from(["http://proxy:3128", "https://user:password@proxy", "http://"]),
        "proxySecretRef": references,
        "secretRef": references,
        "certSecretRef": references,
        "serviceAccountName": texts,
        "suspend": st.booleans(),
    },
)
sources = st.fixed_dictionaries(
    {"kind": st.sampled_from(KINDS), "name": st.one_of(st.just("*"), filled)},
    optional={"namespace": filled, "matchLabels": maps, "apiVersion": texts},
)
alerts = st.fixed_dictionaries(
    {"providerRef": references, "eventSources": st.lists(sources, max_size=3)},
    optional={
        "eventSeverity": st.sampled_from(["info", "error"]),
        "inclusionList": st.lists(patterns, max_size=2),
        "exclusionList": st.lists(patterns, max_size=2),
        "eventMetadata": maps,
        "summary": texts,
        "suspend": st.booleans(),
    },
)

#: What is of another type, or of no use, wherever it stands.
_odd: st.SearchStrategy[Any] = st.sampled_from(
    ["", "x", "10m", "1h", "15s", "ftp://x", "http://x", "*", "info", None, 1, 0.5, True, [], {}, ["x"]]
)
_long = st.sampled_from(["x" * 253, "x" * 254, "x" * 255, "x" * 256, "x" * 2048, "é" * 2048, "x" * 2049])


@st.composite
def disturbed(draw: st.DrawFn, specs: st.SearchStrategy[Document]) -> Document:
    """A spec in which something may be missing, of another type, too long, or unknown."""
    spec: Document = draw(specs)
    for _ in range(draw(st.integers(0, 2))):
        inner: Any = spec
        while isinstance(inner, dict) and inner:
            key = draw(st.sampled_from(sorted(inner)))
            deeper = inner[key][0] if isinstance(inner[key], list) and inner[key] else inner[key]
            if not isinstance(deeper, dict) or not deeper or draw(st.booleans()):
                break
            inner = deeper
        else:
            continue
        change = draw(st.sampled_from(["leave out", "odd", "long", "unknown"]))
        if change == "leave out":
            del inner[key]
        elif change == "unknown":
            inner[draw(st.sampled_from(["chanel", "Type", "x"]))] = draw(_odd)
        else:
            inner[key] = draw(_odd if change == "odd" else _long)
    return spec
