"""What may stand in Provider and Alert objects, as the newest Flux has it.

https://fluxcd.io/flux/components/notification/api/v1beta3/ . What an older version did not know yet is marked with the
version that it is known since: it is read all the same, because one schema is enough for us.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from landed.config.manifests.types import TYPES

GROUP = "notification.toolkit.fluxcd.io"
VERSIONS = ("v1beta1", "v1beta2", "v1beta3")
NEWEST = VERSIONS[-1]


class Rule(Struct, frozen=True):
    """What a field takes."""

    type: str = "text"
    """``text``, ``bool``, ``list`` (of ``items``), ``map`` (of text), ``object`` (of ``fields``), ``any``."""
    needed: bool = False
    empty: bool = True
    """Whether "" is a value."""
    limit: int = 0
    """Characters of a text; 0 where there is no limit."""
    pattern: str = ""
    """What all of a text must match; ``form`` says that in words."""
    form: str = ""
    choices: tuple[str, ...] = ()
    fields: Mapping[str, Rule] = {}
    items: Rule | None = None
    since: str = ""
    """The version that knows it first; empty for all."""


ANY, TEXT, BOOL, MAP = Rule("any"), Rule(), Rule("bool"), Rule("map")
LONGEST_TEXT = 2048
LONGEST_NAME = 253
LONGEST_NAMESPACE = 63
LONGEST_SUMMARY = 255
#: Flux has no limit for these.
LONGEST_EXPRESSION = 10_000
LONGEST_DURATION = 100

_NAME = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
_NAMESPACE = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_METADATA_FIELDS = (
    "creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation managedFields "
    "ownerReferences resourceVersion selfLink"
)
METADATA = Rule(
    "object",
    needed=True,
    fields={
        "name": Rule(
            needed=True,
            empty=False,
            limit=LONGEST_NAME,
            pattern=_NAME,
            form="lower-case letters, digits, - and ., with a letter or digit at both ends",
        ),
        "namespace": Rule(
            limit=LONGEST_NAMESPACE,
            pattern=_NAMESPACE,
            form="lower-case letters, digits and -, with a letter or digit at both ends",
        ),
        "labels": MAP,
        "annotations": MAP,
        "uid": TEXT,
        **dict.fromkeys(_METADATA_FIELDS.split(), ANY),
    },
)

#: The types that take ``commitStatusExpr``.
COMMIT_STATUSES = tuple(sorted(name for name, kind in TYPES.items() if "expression" in kind.uses))

_REFERENCE = {"name": Rule(needed=True, empty=False)}
REFERENCE = Rule("object", fields=_REFERENCE)
PROVIDER = Rule(
    "object",
    needed=True,
    fields={
        "type": Rule(needed=True, choices=tuple(sorted(TYPES))),
        "interval": Rule(
            pattern=r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+",
            form="numbers with ms, s, m or h, such as 10m",
            limit=LONGEST_DURATION,
            since="v1beta2",
        ),
        "channel": Rule(limit=LONGEST_TEXT),
        "username": Rule(limit=LONGEST_TEXT),
        "address": Rule(limit=LONGEST_TEXT),
        "timeout": Rule(
            pattern=r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m))+",
            form="numbers with ms, s or m, such as 15s or 1m30s; there are no hours",
            limit=LONGEST_DURATION,
        ),
        "proxy": Rule(limit=LONGEST_TEXT, pattern="https?://.*", form="a URL that begins with http:// or https://"),
        "proxySecretRef": Rule("object", fields=_REFERENCE, since="v1beta3"),
        "secretRef": REFERENCE,
        "certSecretRef": REFERENCE,
        "serviceAccountName": Rule(since="v1beta3"),
        "suspend": BOOL,
        "commitStatusExpr": Rule(limit=LONGEST_EXPRESSION, since="v1beta3"),
    },
)

_KINDS = (
    "Bucket GitRepository HelmChart HelmRelease HelmRepository ImagePolicy ImageRepository ImageUpdateAutomation "
    "Kustomization OCIRepository"
)
#: Kind → the version that knows it first.
KINDS: Mapping[str, str] = {
    **dict.fromkeys(_KINDS.split(), "v1beta1"),
    **dict.fromkeys(("ArtifactGenerator", "ExternalArtifact"), "v1beta2"),
}
#: Kinds that Flux takes as sources of events, and at which we do not look.
NOT_OBSERVED = frozenset({"ArtifactGenerator", "ImagePolicy", "ImageRepository", "ImageUpdateAutomation"})

_SOURCE = {
    "apiVersion": TEXT,
    "kind": Rule(needed=True, choices=tuple(KINDS)),
    "name": Rule(needed=True, empty=False, limit=LONGEST_NAME),
    "namespace": Rule(empty=False, limit=LONGEST_NAME),
    "matchLabels": MAP,
}
_TEXTS = Rule("list", items=TEXT)
ALERT = Rule(
    "object",
    needed=True,
    fields={
        "providerRef": Rule("object", needed=True, fields=_REFERENCE),
        "eventSeverity": Rule(choices=("info", "error")),
        "eventSources": Rule("list", needed=True, items=Rule("object", fields=_SOURCE)),
        "inclusionList": Rule("list", items=TEXT, since="v1beta2"),
        "exclusionList": _TEXTS,
        "eventMetadata": Rule("map", since="v1beta2"),
        "summary": Rule(limit=LONGEST_SUMMARY),
        "suspend": BOOL,
    },
)


def whole(spec: Rule) -> Rule:
    """The rule for an object with this spec."""
    fields = {"apiVersion": TEXT, "kind": TEXT, "metadata": METADATA, "spec": spec, "status": ANY}
    return Rule("object", needed=True, fields=fields)
