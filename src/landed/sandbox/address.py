"""What a path of the Kubernetes API names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from landed.sandbox.kinds import Kind

_RESOURCE = re.compile(
    r"^(?P<root>/api/v1|/apis/[^/]+/[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/[^/]+))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>[^/]+))?/?$"
)
_NAMESPACE = re.compile(r"^/api/v1/namespaces/(?P<name>[^/]+)(?:/(?P<subresource>status|finalize))?/?$")


class Address(Struct, frozen=True):
    """A collection (no name), an object, or a part of one."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """As the store knows the object."""
        return (self.namespace, self.name)


def locate(kinds: Sequence[Kind], path: str) -> Address | None:
    """The address of a path; None if nothing of the kind is served."""
    if found := _NAMESPACE.match(path):
        kind = _served(kinds, "/api/v1", "namespaces")
        return Address(kind, "", found["name"], found["subresource"] or "") if kind else None
    found = _RESOURCE.match(path)
    kind = _served(kinds, found["root"], found["plural"]) if found else None
    if not found or not kind or (found["namespace"] and not kind.namespaced):
        return None
    if found["name"] and kind.namespaced and not found["namespace"]:
        return None
    return Address(kind, found["namespace"] or "", found["name"] or "", found["subresource"] or "")


def _served(kinds: Sequence[Kind], root: str, plural: str) -> Kind | None:
    return next((kind for kind in kinds if (kind.root, kind.plural) == (root, plural)), None)
