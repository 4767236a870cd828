"""A Kubernetes API server as far as lists, logins and failures go: threads, real TLS, and a script of faults."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
from base64 import b64decode
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FLUX = "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations"

#: A Rancher server shows its clusters below such a path.
PREFIX = "/k8s/clusters/c-1"


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    user: str
    connection: int
    prefix: str = ""
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """One answer out of the ordinary."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Send only so many bytes of the body, then close."""
    drop: bool = False
    """Close without any answer."""
    hang: bool = False
    """Give no answer until the server is closed."""
    close: bool = False
    """Close the connection after the answer, without having announced it."""
    raw: bytes = b""
    """Send exactly this, then close."""


def status(code: int, message: str, **details: Any) -> Reply:
    """An error as API servers send it."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code, **details}
    return Reply(code, json.dumps(body).encode(), {"Content-Type": "application/json"})


class Server:
    """Listens on 127.0.0.1 until it is closed.

    ``lists`` holds the objects by path; ``tokens`` and ``passwords`` say who may come in; the common name of a client
    certificate is a user, too. Every request is kept in ``seen``. ``faults`` maps a path to the replies that
    come before the ordinary ones.
    """

    def __init__(self, certificate: Any = None, client_ca: Any = None) -> None:
        self.tokens: dict[str, str] = {"g00d": "alice"}
        self.passwords: dict[tuple[str, str], str] = {}
        self.anonymous = False
        self.lists: dict[str, list[dict[str, Any]]] = {FLUX: [objects.kustomization()]}
        self.documents: dict[str, Any] = {"/version": {"gitVersion": "v1.32.4", "major": "1", "minor": "32"}}
        self.posts: dict[str, Callable[[dict[str, Any]], Any]] = {}
        self.forbidden: set[str] = set()
        self.faults: dict[str, list[Reply | Callable[[Seen], Reply | None]]] = {}
        self.seen: list[Seen] = []
        self.gzip_from = 1024
        self.connections = 0
        self._context = _context(certificate, client_ca)
        self._closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server = self._listen()
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """As for a kubeconfig."""
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    @property
    def users(self) -> list[str]:
        """Whom the requests for objects came from."""
        return [seen.user for seen in self.seen if seen.path == FLUX]

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self.hang_up()
        self._server.server_close()
        self._thread.join()

    def hang_up(self) -> None:
        """Close all connections from this side."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self) -> ThreadingHTTPServer:
        api = self

        class Listener(ThreadingHTTPServer):
            daemon_threads = False
            block_on_close = True
            request_queue_size = 64

            def finish_request(self, request: Any, client_address: Any) -> None:
                with api._lock:
                    api._open.add(request)
                    api.connections += 1
                    number = api.connections
                connection = request
                try:
                    if api._context:
                        request.settimeout(5)
                        connection = api._context.wrap_socket(request, server_side=True)
                        connection.settimeout(None)
                        with api._lock:
                            api._open.discard(request)
                            api._open.add(connection)
                    Handler(connection, client_address, self, api, number)
                except OSError:
                    pass  # the client went away, or did not like our certificate
                finally:
                    with api._lock:
                        api._open.discard(connection)
                        api._open.discard(request)
                    connection.close()

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        return Listener(("127.0.0.1", 0), Handler)  # type: ignore[arg-type]

    def reply(self, seen: Seen) -> Reply:
        """What to answer."""
        script = self.faults.get(seen.path, [])
        if script:
            fault = script.pop(0)
            made = fault(seen) if callable(fault) else fault
            if made is not None:
                return made
        if not seen.user:
            return status(401, "Unauthorized", reason="Unauthorized")
        if seen.path in self.forbidden or (seen.user == "system:anonymous" and seen.path.startswith("/apis/")):
            return self._forbid(seen)
        if seen.method == "POST" and seen.path in self.posts:
            return _json(201, self.posts[seen.path](json.loads(seen.body)))
        if seen.path in self.lists:
            return self._page(seen)
        if seen.path in self.documents:
            return _json(200, self.documents[seen.path])
        return Reply(404, b"404 page not found\n", {"Content-Type": "text/plain"})

    def _forbid(self, seen: Seen) -> Reply:
        parts = seen.path.split("/")
        where = f'in the namespace "{parts[5]}"' if "namespaces" in parts else "at the cluster scope"
        return status(
            403,
            f'{parts[-1]}.{parts[2]} is forbidden: User "{seen.user}" cannot list resource "{parts[-1]}" in API group '
            f'"{parts[2]}" {where}',
            reason="Forbidden",
            details={"group": parts[2], "kind": parts[-1]},
        )

    def _page(self, seen: Seen) -> Reply:
        objects = self.lists[seen.path]
        start = int(seen.query.get("continue", "0"))
        limit = int(seen.query.get("limit", "0")) or len(objects)
        end = min(start + limit, len(objects))
        metadata: dict[str, Any] = {"resourceVersion": "1"}
        if end < len(objects):
            metadata |= {"continue": str(end), "remainingItemCount": len(objects) - end}
        kind = objects[0]["kind"] + "List" if objects else "List"
        version = objects[0]["apiVersion"] if objects else "v1"
        return _json(200, {"kind": kind, "apiVersion": version, "metadata": metadata, "items": objects[start:end]})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, request: Any, client_address: Any, server: Any, api: Server, number: int) -> None:
        self.api = api
        self.number = number
        super().__init__(request, client_address, server)

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path = url.path
        prefix = PREFIX if path.startswith(PREFIX) else ""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = Seen(
            self.command,
            path.removeprefix(prefix),
            dict(parse_qsl(url.query)),
            {name.lower(): ", ".join(self.headers.get_all(name) or ()) for name in self.headers},
            self._user(),
            self.number,
            prefix,
            body,
        )
        self.api.seen.append(seen)
        self._send(self.api.reply(seen))

    do_POST = do_GET

    def _user(self) -> str:
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        user = ""
        if scheme.lower() == "bearer":
            user = self.api.tokens.get(value, "")
        elif scheme == "Basic":
            name, _, password = b64decode(value).decode().partition(":")
            user = self.api.passwords.get((name, password), "")
        elif isinstance(self.connection, ssl.SSLSocket) and (shown := self.connection.getpeercert()):
            subject: Any = shown.get("subject", ())
            user = next((value for ((name, value),) in subject if name == "commonName"), "")
        elif self.api.anonymous:
            user = "system:anonymous"
        other = self.headers.get("Impersonate-User")
        if user and other:
            groups = self.headers.get_all("Impersonate-Group") or []
            user = f"{other}({','.join(groups)}) by {user}"
        return user

    def _send(self, reply: Reply) -> None:
        if reply.hang:
            self.api._closing.wait(30)
        if reply.drop or reply.hang:
            self.close_connection = True
            return
        if reply.raw:
            self.wfile.write(reply.raw)
            self.close_connection = True
            return
        body, headers = reply.body, dict(reply.headers)
        wanted = "gzip" in self.headers.get("Accept-Encoding", "")
        if wanted and len(body) > self.api.gzip_from and "Content-Encoding" not in headers:
            body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if reply.cut is None else body[: reply.cut])
        self.close_connection = self.close_connection or reply.cut is not None or reply.close


def _json(code: int, document: Any) -> Reply:
    return Reply(code, json.dumps(document).encode(), {"Content-Type": "application/json"})


def _context(certificate: Any, client_ca: Any) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if client_ca is not None:
        client_ca.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def discovery(group: str, versions: Iterable[str], resources: Iterable[str] = ()) -> dict[str, Any]:
    """The documents of one group, by path."""
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    documents: dict[str, Any] = {
        f"/apis/{group}": {"kind": "APIGroup", "name": group, "versions": listed, "preferredVersion": listed[0]}
    }
    for version in versions:
        documents[f"/apis/{group}/{version}"] = {
            "kind": "APIResourceList",
            "groupVersion": f"{group}/{version}",
            "resources": [
                {"name": name, "kind": name[:-1].capitalize(), "namespaced": True, "verbs": ["list", "get"]}
                for name in resources
            ],
        }
    return documents
