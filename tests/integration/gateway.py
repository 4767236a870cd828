"""A gateway before an API server: it lets everything through, or is busy, or says nothing, or is gone."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import yaml

if TYPE_CHECKING:
    from integration.cluster import Cluster

_BUSY = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Gateway:
    """Plain HTTP on this side, whatever the server speaks on the other. ``requests`` are those that came through."""

    def __init__(self, cluster: Cluster) -> None:
        address = urlsplit(cluster.url)
        self._cluster = cluster
        self._upstream = (address.hostname or "", address.port or 0)
        self._context = ssl.create_default_context(cadata=cluster.ca) if address.scheme == "https" else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.busy = 0
        """How many connections more get a 429."""
        self.silent = False
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def kubeconfig(self, user: str = "reader") -> str:
        """The cluster's, through here."""
        document = yaml.safe_load(self._cluster.kubeconfig(user))
        document["clusters"][0]["cluster"] = {"server": self.url}
        return yaml.safe_dump(document)

    def __enter__(self) -> Gateway:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End every connection."""
        for sock in tuple(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        self._open.add(sock)
        with suppress(OSError), sock:
            if self.silent:
                while sock.recv(65536):
                    pass
            elif self.busy > 0:
                self.busy -= 1
                sock.recv(65536)
                sock.sendall(_BUSY)
            else:
                self._through(sock)
        self._open.discard(sock)

    def _through(self, sock: socket.socket) -> None:
        with socket.create_connection(self._upstream) as plain:
            there = self._context.wrap_socket(plain, server_hostname=self._upstream[0]) if self._context else plain
            with there:
                self._open.add(there)
                back = threading.Thread(target=_pump, args=(there, sock), daemon=True)
                back.start()
                with suppress(OSError):
                    while data := sock.recv(65536):
                        self.requests += [f"{m[1].decode()} {m[2].decode()}" for m in _REQUEST.finditer(data)]
                        there.sendall(data)
                with suppress(OSError):
                    there.shutdown(socket.SHUT_RDWR)
                back.join(5)
                self._open.discard(there)


_REQUEST = re.compile(rb"^([A-Z]+) (/\S*) HTTP/1\.1\r$", re.MULTILINE)


def _pump(here: socket.socket, there: socket.socket) -> None:
    with suppress(OSError):
        while data := here.recv(65536):
            there.sendall(data)
    with suppress(OSError):
        there.shutdown(socket.SHUT_RDWR)
