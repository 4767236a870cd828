"""Flux's Providers, Alerts and their Secrets, as the cluster has them. Nothing of a Secret is ever logged."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from msgspec import Struct

from landed.decoding import decode
from landed.errors import ClusterError
from landed.flux import Kind
from landed.kube.client import Client
from landed.kube.errors import Forbidden, NotInstalled, NotServed
from landed.kube.read import EVERYWHERE, in_version, path
from landed.model import Secret

GROUP = "notification.toolkit.fluxcd.io"
_VERSIONS = ("v1beta3", "v1beta2", "v1beta1")

#: https://fluxcd.io/flux/components/notification/
PROVIDER = Kind("Provider", GROUP, "providers", _VERSIONS)
ALERT = Kind("Alert", GROUP, "alerts", _VERSIONS)

_ELSEWHERE = "Or give --config the path of the manifests."
#: Where the values of a Secret may come from that may not be read.
VALUES_ELSEWHERE = "Or give its values by a variable LANDED_SECRET_…, or as files with --secret-dir."

#: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
_NAME = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"


class _ListMetadata(Struct, rename={"continue_": "continue"}):
    continue_: str | None = None


class _List(Struct):
    items: list[object] | None
    metadata: _ListMetadata | None = None


class _Secret(Struct):
    data: dict[str, str | None] | None = None


def manifests(
    client: Client, namespaces: tuple[str, ...] = EVERYWHERE
) -> tuple[tuple[Mapping[str, object], ...], tuple[str, ...]]:
    """All Providers and Alerts, whole, each with its ``kind`` and ``apiVersion``; and notes on what was left out.

    They are read in the newest version of v1beta3, v1beta2 and v1beta1 that is served. Raises ClusterError;
    NotInstalled where there is no notification-controller, Forbidden with what grants the right.
    """
    found: list[Mapping[str, object]] = []
    notes: list[str] = []
    for kind in (PROVIDER, ALERT):
        known = kind.versions[0]
        for namespace in namespaces:
            try:
                objects, known, odd = _listed(client, kind, known, namespace)
            except NotInstalled as error:
                raise NotInstalled(
                    f"{error.message} Flux's notification-controller is not installed there.", _ELSEWHERE
                ) from None
            except Forbidden as error:
                raise Forbidden(error.message, f"{error.hint} {_ELSEWHERE}") from None
            found += objects
            notes += [f"{odd} of the {kind.plural} of {client.endpoint} are no objects; left out."] if odd else []
    return tuple(found), tuple(notes)


def _listed(client: Client, kind: Kind, version: str, namespace: str) -> tuple[list[Mapping[str, object]], str, int]:
    """The objects of one list, the version that it came in, and how many of its items are no objects."""
    found: list[Mapping[str, object]] = []
    odd = 0

    def restart() -> None:
        nonlocal odd
        found.clear()
        odd = 0

    def attempt(version: str) -> None:
        def take(page: bytes | bytearray) -> str:
            nonlocal odd
            read = _decoded(page)
            for item in read.items or ():
                if isinstance(item, dict):
                    found.append({"apiVersion": f"{kind.group}/{version}", "kind": kind.kind, **item})
                else:
                    odd += 1
            return (read.metadata and read.metadata.continue_) or ""

        client.pages(path(kind, version, namespace), {}, take, restart)

    served = in_version(client, kind, version, attempt)
    return found, served, odd


def _decoded(page: bytes | bytearray) -> _List:
    """A page of a list of anything. Raises ValueError if it is none; what it says may hold a webhook's address."""
    try:
        return decode(page, _List)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ValueError("It is not a list of Kubernetes objects.") from None


def secret(client: Client, namespace: str, name: str) -> Mapping[str, Secret] | None:
    """The values of a Secret by key, None where there is no such Secret. Values that are no text are left out.

    Raises ClusterError; where the right is missing, its hint names it, and where else the values may come from.
    """
    if not (re.fullmatch(_NAME, namespace) and re.fullmatch(_NAME, name)):
        return None  # Kubernetes allows no such name
    try:
        body = client.get(f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets/{quote(name, safe='')}")
    except NotServed:
        return None
    except Forbidden as error:
        raise Forbidden(error.message, f"{error.hint} {VALUES_ELSEWHERE}") from None
    try:
        data = decode(body, _Secret).data or {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ClusterError(f"{client.endpoint.subject} answers with something that is no Secret.") from None
    texts = {key: _text(value or "") for key, value in data.items()}
    return {key: Secret(text) for key, text in texts.items() if text is not None}


def _text(value: str) -> str | None:
    try:
        return b64decode(value, validate=True).decode()
    except ValueError:
        return None
