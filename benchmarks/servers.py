"""The two ends of a run: an API server that holds a fleet, and a Git host that agrees with everything."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from gzip import compress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from benchmarks import fleet
from benchmarks.kinds import GROUPS
from benchmarks.wire import Answer, Flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.wire import Request

#: An API server compresses nothing shorter than this:
#: https://kubernetes.io/docs/reference/using-api/api-concepts/ and the APIResponseCompression feature.
_COMPRESSED_FROM = 128 * 1024
#: The version of everything that is listed.
VERSION = 99_000_000
#: Seconds after which a watch in which nothing happens looks whether it still has a reader.
_LOOKS = 1.0
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class ApiServer:
    """Lists a fleet of ``count`` Kustomizations, page by page or one by its name, and answers what kubectl asks first.

    A watch says nothing, and goes on.
    """

    def __init__(self, count: int, shape: fleet.Shape = fleet.MIXED) -> None:
        self._count = count
        self._shape = shape
        self._rounds = 0
        self._render()

    def order(self, command: str) -> None:
        """``reconcile``: let Flux look at everything once more, with the same result."""
        if command == "reconcile":
            self._rounds += 1
            self._render()

    def __call__(self, request: Request) -> Answer | Flow:
        address = urlsplit(request.target)
        if not address.path.startswith("/apis/"):
            return _discovery(address.path)
        group, _, plural = address.path.removeprefix("/apis/").rpartition("/")
        group, _, namespace = group.partition("/namespaces/")
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if query.get("watch") in ("true", "1"):
            return Flow(silence())
        if namespace:
            _, _, called = query.get("fieldSelector", "").partition("metadata.name=")
            found = [self._named[namespace, called]] if (namespace, called) in self._named else []
            return Answer(_listing(group, found, 0, 0))
        return self._page(group, plural, query, "gzip" in request.headers.get("accept-encoding", ""))

    def _render(self) -> None:
        self._pages: dict[tuple[str, int, int, bool], Answer] = {}
        self._items = {
            "kustomizations": fleet.kustomizations(self._count, rounds=self._rounds, shape=self._shape),
            "gitrepositories": fleet.git_repositories(self._count, shape=self._shape),
        }
        names = (tuple(fleet.name(number).split("/")) for number in range(self._count))
        self._named = dict(zip(names, self._items["kustomizations"], strict=True))

    def _page(self, group: str, plural: str, query: dict[str, str], compressed: bool) -> Answer:
        start = int(urlsafe_b64decode(query["continue"])) if query.get("continue") else 0
        key = (plural, start, int(query.get("limit", 0)), compressed)
        if key not in self._pages:
            self._pages[key] = _packed(_listing(group, self._items.get(plural, []), start, key[2]), compressed)
        return self._pages[key]


def silence() -> Iterator[bytes]:
    """A watch in which nothing happens, until its reader is gone."""
    while True:
        time.sleep(_LOOKS)
        yield b""


def _listing(group: str, items: list[bytes], start: int, limit: int) -> bytes:
    end = min(len(items), start + (limit or len(items)))
    metadata: dict[str, object] = {"resourceVersion": str(VERSION)}
    if end < len(items):
        metadata |= {"continue": urlsafe_b64encode(b"%d" % end).decode(), "remainingItemCount": len(items) - end}
    head = {"apiVersion": group, "kind": "List", "metadata": metadata}
    return json.dumps(head)[:-1].encode() + b',"items":[' + b",".join(items[start:end]) + b"]}\n"


def _packed(body: bytes, compressed: bool) -> Answer:
    if not compressed or len(body) < _COMPRESSED_FROM:
        return Answer(body)
    return Answer(compress(body, 1), headers=("Content-Type: application/json", "Content-Encoding: gzip"))


def _discovery(path: str) -> Answer:
    if path == "/version":
        return Answer(b'{"major":"1","minor":"34","gitVersion":"v1.34.1","platform":"linux/amd64"}')
    versions = [version for version in GROUPS if ("/" in version) is (path == "/apis")]
    document = {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_group(version, GROUPS[version].split()) for version in versions],
    }
    return Answer(json.dumps(document).encode(), headers=(f"Content-Type: {_AGGREGATED}",))


def _group(version: str, kinds: list[str]) -> dict[str, object]:
    group, _, name = version.rpartition("/")
    resources = [_resource(group, name, kind) for kind in kinds]
    return {"metadata": {"name": group}, "versions": [{"version": name, "resources": resources}]}


def _resource(group: str, version: str, kind: str) -> dict[str, object]:
    singular = kind.lower()
    response = {"group": group, "version": version, "kind": kind}
    return {
        "categories": ["all"],
        "resource": singular[:-1] + "ies" if singular.endswith("y") else singular + "s",
        "responseKind": response,
        "scope": "Namespaced",
        "shortNames": [singular[:3]],
        "singularResource": singular,
        "subresources": [{"responseKind": response, "subresource": "status", "verbs": ["get", "patch", "update"]}],
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    }


class GitHubServer:
    """Takes commit statuses, and messages as Slack does, and remembers none: a run needs no more than its ledger."""

    def order(self, command: str) -> None:
        """There is nothing to order."""

    def __call__(self, request: Request) -> Answer:
        if request.target == "/slack":
            return Answer(b"ok")
        if request.method == "POST":
            return Answer(request.body, "201 Created")
        body = b"[]" if request.target.partition("?")[0].endswith("statuses") else b'{"statuses":[]}'
        return Answer(body)
