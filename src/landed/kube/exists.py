"""Whether objects are still there that no list has shown.

A list by name rather than the object itself: 404 would not tell an object that is gone from a version that is.
https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from time import monotonic
from typing import Any

from msgspec import DecodeError, Struct
from msgspec.json import decode

from landed.errors import ClusterError
from landed.flux import KINDS
from landed.kube.client import Client
from landed.kube.read import in_version, path
from landed.model import ObjectRef

#: Seconds for which an object that was there is not asked about again.
LASTS = 60.0
#: Objects that are asked about in one look; the others' turn comes.
MOST = 20


#: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ ; anything else could select more.
_NAME = re.compile(r"[a-z0-9.-]{1,253}")


class _List(Struct):
    items: Sequence[Any] | None


class Exists:
    """Asks one cluster, now and then."""

    def __init__(self, client: Client, clock: Callable[[], float] = monotonic) -> None:
        self._client = client
        self._clock = clock
        self._until: dict[ObjectRef, float] = {}

    def gone(self, about: Collection[ObjectRef]) -> Collection[ObjectRef]:
        """Those that are deleted. What cannot be asked for is taken to be there."""
        now = self._clock()
        self._until = {ref: until for ref, until in self._until.items() if until > now}
        asked = [ref for ref in sorted(about) if ref not in self._until and _is_known(ref)][:MOST]
        found = [ref for ref in asked if self._is_gone(ref)]
        self._until.update({ref: now + LASTS for ref in asked if ref not in found})
        return found

    def _is_gone(self, ref: ObjectRef) -> bool:
        kind = KINDS[ref.kind]
        found = _List(None)

        def get(version: str) -> None:
            nonlocal found
            named = {"fieldSelector": f"metadata.name={ref.name}"}
            found = decode(self._client.get(path(kind, version, ref.namespace), named), type=_List)

        try:
            in_version(self._client, kind, kind.versions[0], get)
        except (ClusterError, DecodeError, UnicodeError):
            return False
        return found.items == []


def _is_known(ref: ObjectRef) -> bool:
    return ref.kind in KINDS and _NAME.fullmatch(ref.name) is not None and _NAME.fullmatch(ref.namespace) is not None
