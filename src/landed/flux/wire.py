"""Flux objects as the API server writes them, cut down to the fields that are read, and what can be wrong.

What is not declared here is skipped by the decoder without being built, which is most of each object. ``gc=False``
keeps the garbage collector from visiting values that cannot form cycles. Go writes ``null`` for whatever is absent,
so only names may not be null. Annotations are evaluated at once on purpose: doing it later costs start-up time.

The fields are those of https://fluxcd.io/flux/components/kustomize/api/v1/ ,
https://fluxcd.io/flux/components/helm/api/v2/ and https://fluxcd.io/flux/components/source/api/v1/ .
"""

import re
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from landed.decoding import decoder

T = TypeVar("T")
L = TypeVar("L")
A = TypeVar("A")
D = TypeVar("D")
V = TypeVar("V")
P = TypeVar("P")
_Name = Annotated[str, Meta(min_length=1)]

#: Everything that decoding foreign bytes can raise.
ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


#: What stands for a part that nobody wants: the decoder steps over it.
Unread = Raw
#: What else may stand for labels: all of them, or those of an owner.
Labels = dict[str, str | None] | None
#: What else may stand for annotations, which are long.
Annotations = dict[str, str | None] | None
#: What else may stand for a detail that is text.
Text = str | None


class Metadata(Struct, Generic[L, A], gc=False):
    """``.metadata``, with labels and annotations in one of the shapes above."""

    name: _Name
    namespace: _Name
    uid: str | None = None
    generation: int | None = None
    deletionTimestamp: str | None = None
    resourceVersion: str | None = None
    labels: L = None  # type: ignore[assignment]  # absent is None in each of the shapes
    annotations: A = None  # type: ignore[assignment]


class Condition(Struct, gc=False):
    """An entry of ``.status.conditions``."""

    type: str | None = None
    status: str | None = None
    reason: str | None = None
    message: str | None = None
    observedGeneration: int | None = None
    lastTransitionTime: str | None = None


class Reference(Struct, gc=False):
    """``.spec.sourceRef``; its apiVersion says nothing that its kind does not."""

    kind: _Name
    name: _Name
    namespace: str | None = None


class Dependency(Struct, gc=False):
    """An entry of ``.spec.dependsOn``."""

    name: _Name
    namespace: str | None = None


class SnapshotMetadata(Struct, gc=False):
    """``metadata`` of an entry of ``.status.history``."""

    revision: str | None = None
    originRevision: str | None = None


class Snapshot(Struct, gc=False):
    """An entry of ``.status.history``."""

    firstReconciled: str | None = None
    lastReconciled: str | None = None
    totalReconciliations: int | None = None
    lastReconciledStatus: str | None = None
    lastReconciledDuration: str | None = None
    metadata: SnapshotMetadata | None = None


class Entry(Struct, gc=False):
    """An entry of ``.status.inventory.entries``."""

    id: str | None = None


class Inventory(Struct, gc=False):
    """``.status.inventory``, the longest part of most objects."""

    entries: list[Entry] | None = None


class KustomizationSpec(Struct, Generic[D, P], gc=False):
    """``.spec`` of a Kustomization, with its times and its path as text or unread."""

    sourceRef: Reference
    suspend: bool | None = None
    dependsOn: list[Dependency] | None = None
    interval: D = None  # type: ignore[assignment]  # as below: absent is None in each of the shapes
    timeout: D = None  # type: ignore[assignment]
    path: P = None  # type: ignore[assignment]


class KustomizationStatus(Struct, Generic[V, P], gc=False):
    """``.status`` of a Kustomization, with its inventory and what it has handled or without."""

    observedGeneration: int | None = None
    conditions: list[Condition] | None = None
    lastAppliedRevision: str | None = None
    lastAppliedOriginRevision: str | None = None
    lastAttemptedRevision: str | None = None
    history: list[Snapshot] | None = None
    inventory: V = None  # type: ignore[assignment]
    lastHandledReconcileAt: P = None  # type: ignore[assignment]


class Kustomization(Struct, Generic[L, A, D, V, P], gc=False):
    """A Kustomization."""

    metadata: Metadata[L, A]
    spec: KustomizationSpec[D, P]
    status: KustomizationStatus[V, P] | None = None


class Owner(
    Struct,
    gc=False,
    rename={
        "name": "kustomize.toolkit.fluxcd.io/name",
        "namespace": "kustomize.toolkit.fluxcd.io/namespace",
    },
):
    """The labels that kustomize-controller puts on what it applies."""

    name: str | None = None
    namespace: str | None = None


class HelmReleaseSpec(Struct, gc=False):
    """``.spec`` of a HelmRelease."""

    suspend: bool | None = None


class HelmReleaseStatus(Struct, Generic[D], gc=False):
    """``.status`` of a HelmRelease."""

    observedGeneration: int | None = None
    conditions: list[Condition] | None = None
    lastAttemptedRevision: D = None  # type: ignore[assignment]


class HelmRelease(Struct, Generic[L, A, D], gc=False):
    """A HelmRelease; its labels are all of them, or those of its owner."""

    metadata: Metadata[L, A]
    spec: HelmReleaseSpec | None = None
    status: HelmReleaseStatus[D] | None = None


class SourceSpec(Struct, Generic[P], gc=False):
    """``.spec`` of any source: no member means different things in two kinds."""

    url: str | None = None
    endpoint: str | None = None
    bucketName: str | None = None
    prefix: str | None = None
    ref: dict[str, str | None] | None = None
    suspend: bool | None = None
    interval: P = None  # type: ignore[assignment]


class ArtifactMetadata(
    Struct,
    gc=False,
    rename={
        "revision": "org.opencontainers.image.revision",
        "source": "org.opencontainers.image.source",
    },
):
    """``.status.artifact.metadata`` (https://fluxcd.io/flux/cheatsheets/oci-artifacts/)."""

    revision: str | None = None
    source: str | None = None


class Artifact(Struct, gc=False):
    """``.status.artifact``."""

    revision: str | None = None
    lastUpdateTime: str | None = None
    metadata: ArtifactMetadata | None = None


class SourceStatus(Struct, Generic[P], gc=False):
    """``.status`` of a source."""

    conditions: list[Condition] | None = None
    artifact: Artifact | None = None
    lastHandledReconcileAt: P = None  # type: ignore[assignment]


class Source(Struct, Generic[L, A, P], gc=False):
    """A source of any kind."""

    metadata: Metadata[L, A]
    spec: SourceSpec[P] | None = None
    status: SourceStatus[P] | None = None


class PageMetadata(Struct, gc=False, rename={"continue_": "continue"}):
    """``.metadata`` of a list."""

    continue_: str | None = None
    resourceVersion: str | None = None


class Page(Struct, Generic[T], gc=False):
    """One page of a list of one kind."""

    items: list[T] | None
    metadata: PageMetadata | None = None


class Event(Struct, Generic[T], gc=False):
    """One line of a watch (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes)."""

    type: str
    """``ADDED``, ``MODIFIED``, ``DELETED``, ``BOOKMARK`` or ``ERROR``."""
    object: T


class MarkedMetadata(Struct, gc=False):
    """``.metadata`` of a bookmark."""

    resourceVersion: str | None = None
    annotations: Annotations = None


class Marked(Struct, gc=False):
    """What an event of a watch carries that is not about a whole object: a bookmark, or a Status."""

    metadata: MarkedMetadata | None = None
    code: int | None = None
    reason: str | None = None
    message: str | None = None


class Head(Struct, gc=False):
    """What tells a list from an object, and the kinds of objects apart."""

    kind: str | None = None
    apiVersion: str | None = None
    items: Raw = Raw()
    metadata: Raw = Raw()


class Called(Struct, gc=False):
    """The name of an object of which nothing else is sure."""

    namespace: str
    name: str


def decoded(shape: Any, document: bytes | bytearray) -> Any:
    """Decode a whole document. Raises ValueError with a sentence that quotes nothing of it."""
    try:
        return decoder(shape).decode(document)
    except msgspec.ValidationError as error:
        raise ValueError(f"It is not a list of Kubernetes objects, nor one: {problem(error)}.") from None
    except ERRORS as error:
        place = re.search(r" \(byte \d+\)|\Z", str(error))
        raise ValueError(f"It is not JSON{place and place[0]}." if document else "It is empty.") from None


_NOUNS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "a map",
    "array": "a list",
}


def problem(error: Exception) -> str:
    """Say what is wrong with a document and where in it, without quoting from it."""
    text = str(error)
    place = re.search(r" - at `\$(.*)`\Z", text)
    path = place[1] if place and isinstance(error, msgspec.ValidationError) else ""
    if missing := re.match(r"Object missing required field `(\w+)`", text):
        return f"`{path}.{missing[1]}` is missing"
    where = f"`{path}`" if path else "it"
    if expected := re.match(r"Expected `(\w+)[^`]*`, got `(\w+)`", text):
        wanted, got = (_NOUNS.get(word, word) for word in expected.groups())
        return f"{where} is {got}, expected {wanted}"
    if text.startswith("Expected `str` of length"):
        return f"{where} is empty"
    return f"{where} cannot be read"
