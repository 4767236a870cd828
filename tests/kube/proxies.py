"""Proxies on 127.0.0.1 that lead every name to 127.0.0.1: HTTP CONNECT (also over TLS), and SOCKS 5."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl


class Proxy:
    """Listens until it is closed; ``asked`` holds where to, as host:port."""

    def __init__(self, kind: str = "http", context: ssl.SSLContext | None = None, answer: str = "200 OK") -> None:
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self.answer = answer
        self._closing = threading.Event()
        handle = {"http": self._http, "socks5": self._socks}[kind]
        scheme = "https" if context else kind

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = False

            def finish_request(self, request: Any, client_address: Any) -> None:
                with contextlib.suppress(OSError):
                    made = context.wrap_socket(request, server_side=True) if context else request
                    with made:
                        handle(made)

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Listener(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{scheme}://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _http(self, client: Any) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = client.recv(1)
            if not byte:
                return
            head += byte
        self.heads.append(head)
        method, target = head.decode().split()[:2]
        rest = b""
        if method != "CONNECT":  # plain HTTP: the whole URL
            url = urlsplit(target)
            rest = head.replace(target.encode(), (url.path + ("?" + url.query if url.query else "")).encode(), 1)
            target = url.netloc
        self.asked.append(target)
        if not self.answer.startswith("200"):
            client.sendall(f"HTTP/1.1 {self.answer}\r\nContent-Length: 0\r\n\r\n".encode())
            return
        with socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2])), 5) as server:
            if rest:
                server.sendall(rest)
            else:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._pass_on(client, server)

    def _socks(self, client: Any) -> None:
        """https://www.rfc-editor.org/rfc/rfc1928 , without a login."""
        client.recv(client.recv(2)[1])
        client.sendall(b"\x05\x00")
        kind = client.recv(4)[3]
        host = client.recv(client.recv(1)[0]).decode() if kind == 3 else socket.inet_ntoa(client.recv(4))
        port = int.from_bytes(client.recv(2), "big")
        self.asked.append(f"{host}:{port}")
        with socket.create_connection(("127.0.0.1", port), 5) as server:
            client.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
            self._pass_on(client, server)

    def _pass_on(self, client: Any, server: socket.socket) -> None:
        client.settimeout(5)
        while not self._closing.is_set():
            ready, _, _ = select.select([client, server], [], [], 0.1)
            if getattr(client, "pending", int)() and client not in ready:
                ready.append(client)
            for one in ready:
                data = one.recv(1 << 16)
                if not data:
                    return
                (server if one is client else client).sendall(data)
