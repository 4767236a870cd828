"""An API server as far as lists, watches and what goes wrong with them go, over plain HTTP, event by event."""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from landed.kube.client import Client
from landed.kube.credentials import anonymous
from landed.kube.endpoint import Endpoint
from landed.kube.watch import Times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

K = "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations"
GIT = "/apis/source.toolkit.fluxcd.io/v1/gitrepositories"
OCI = "/apis/source.toolkit.fluxcd.io/v1/ocirepositories"
HELM = "/apis/helm.toolkit.fluxcd.io/v2/helmreleases"
PATHS = {"Kustomization": K, "GitRepository": GIT, "OCIRepository": OCI, "HelmRelease": HELM}

#: Everything happens soon, so that nobody has to wait for it.
SOON = Times(
    lasts=30,
    slack=1,
    initial=0.3,
    shortest=0.02,
    sound=5,
    backoff=0.01,
    longest=0.05,
    poll=0.03,
    seldom=0.05,
    patience=0.25,
)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(type_: str, obj: Any) -> bytes:
    return json.dumps({"type": type_, "object": obj}).encode() + b"\n"


def refused(code: int, message: str = "", **headers: str) -> bytes:
    body = json.dumps({"kind": "Status", "status": "Failure", "code": code, "message": message}).encode()
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {code} No\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


def eventually(true: Callable[[], Any], seconds: float = 10) -> Any:
    """Wait until it is, and give it."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.002)
    return found


@dataclass
class Asked:
    """One request."""

    path: str
    query: dict[str, str]
    at: float = field(default_factory=time.monotonic)

    @property
    def watches(self) -> bool:
        return "watch" in self.query


#: Gives the raw bytes to send, piece by piece, and is closed after them; None: as usual.
Fault = "Callable[[Asked], Iterator[bytes] | None]"


class Api:
    """Keeps objects by path and name. ``faults`` answer watches, ``refusals`` everything else, each once, in order."""

    def __init__(self) -> None:
        self.version = 100
        self.objects: dict[str, dict[str, dict[str, Any]]] = {K: {}, GIT: {}}
        self.log: list[tuple[int, str, str, dict[str, Any]]] = []
        self.faults: dict[str, list[Any]] = {}
        self.refusals: dict[str, list[bytes]] = {}
        self.always: dict[str, Any] = {}
        """Answers each watch of a path."""
        self.late: dict[str, threading.Event] = {}
        """What is sent of a path waits for this."""
        self.seen: list[Asked] = []
        self.streaming_lists = False
        self.changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._closing = False
        self._port = 0
        self.start()

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._closing = False
        self._socket = socket.create_server(("127.0.0.1", self._port))
        self._port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, args=(self._socket,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Be gone, in the middle of whatever is being sent."""
        self._closing = True
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        self.hang_up()

    def hang_up(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        with self.changed:
            self.changed.notify_all()
        eventually(lambda: not self._open or not self._closing)

    def client(self) -> Client:
        endpoint = Endpoint(context="prod", host="127.0.0.1", port=self._port, scheme="http")
        return Client(endpoint, anonymous(), timeout=5, pause=lambda _: None)

    # ── objects ──

    def put(self, obj: dict[str, Any], type_: str = "") -> int:
        """Make or change an object, and tell those who watch."""
        path, name = PATHS[obj["kind"]], f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"
        with self.changed:
            self.version += 1
            obj["metadata"]["resourceVersion"] = str(self.version)
            known = self.objects.setdefault(path, {})
            self.log.append((self.version, path, type_ or ("MODIFIED" if name in known else "ADDED"), obj))
            known[name] = obj
            self.changed.notify_all()
            return self.version

    def delete(self, obj: dict[str, Any]) -> None:
        path, name = PATHS[obj["kind"]], f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"
        with self.changed:
            self.version += 1
            gone = self.objects[path].pop(name)
            gone = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.version)}}
            self.log.append((self.version, path, "DELETED", gone))
            self.changed.notify_all()

    def watches(self, path: str) -> list[Asked]:
        return [asked for asked in self.seen if asked.path == path and asked.watches]

    def lists(self, path: str) -> list[Asked]:
        return [asked for asked in self.seen if asked.path == path and not asked.watches]

    # ── HTTP ──

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as file:
                while line := file.readline():
                    url = urlsplit(line.split()[1].decode())
                    while file.readline() not in (b"\r\n", b""):
                        pass
                    asked = Asked(url.path, dict(parse_qsl(url.query)))
                    self.seen.append(asked)
                    if not self._answer(connection, asked):
                        return
        except OSError:
            pass
        finally:
            self._open.discard(connection)

    def _answer(self, connection: socket.socket, asked: Asked) -> bool:
        """Whether the connection may be used again."""
        if not asked.watches:
            refusals = self.refusals.get(asked.path, [])
            connection.sendall(refusals.pop(0) if refusals else self._document(asked))
            return True
        faults = self.faults.get(asked.path, [])
        fault = faults.pop(0) if faults else self.always.get(asked.path)
        made = fault(asked) if fault else None
        for piece in made if made is not None else self._watch(asked):
            connection.sendall(piece)
        return made is None

    def _document(self, asked: Asked) -> bytes:
        with self.changed:
            if asked.path in self.objects:
                items = list(self.objects[asked.path].values())
                document: Any = {"metadata": {"resourceVersion": str(self.version)}, "items": items}
            else:
                base, _, name = asked.path.rpartition("/")
                front, _, rest = base.partition("/namespaces/")
                namespace, _, plural = rest.partition("/")
                document = self.objects.get(f"{front}/{plural}", {}).get(f"{namespace}/{name}")
        if document is None:
            return refused(404, "not found")
        body = json.dumps(document).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def _watch(self, asked: Asked) -> Iterator[bytes]:
        if "sendInitialEvents" in asked.query:
            if not self.streaming_lists:
                yield refused(422, "sendInitialEvents is forbidden")
                return
            with self.changed:
                objects, since = list(self.objects[asked.path].values()), self.version
            yield HEAD + b"\r\n"
            for obj in objects:
                yield chunk(event("ADDED", obj))
            annotations = {"k8s.io/initial-events-end": "true"}
            metadata = {"resourceVersion": str(since), "annotations": annotations}
            yield chunk(event("BOOKMARK", {"metadata": metadata}))
        else:
            since = int(asked.query["resourceVersion"])
            yield HEAD + b"\r\n"
        deadline = time.monotonic() + float(asked.query["timeoutSeconds"])
        while time.monotonic() < deadline and not self._closing:
            late = self.late.get(asked.path)
            if late is not None:
                late.wait()
            with self.changed:
                fresh = [each for each in self.log if each[0] > since and each[1] == asked.path]
                if not fresh:
                    self.changed.wait(0.02)
            for version, _, type_, obj in fresh:
                yield chunk(event(type_, obj))
                since = version
        yield END
