"""A NATS server with one stream, as strict as the protocol's description, for what a real one does not do on demand.

https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from contract.way import Way

if TYPE_CHECKING:
    import ssl

#: What a client says of itself; the first three are required.
_REQUIRED = {"verbose", "pedantic", "tls_required", "lang", "version"}
_KNOWN = _REQUIRED | {
    *("auth_token", "user", "pass", "name", "protocol", "echo", "sig", "jwt", "nkey", "headers", "no_responders")
}


class NatsServer:
    """Takes connections until it is left. A fault is what is said instead of an answer to the message: bytes, or
    ``None`` for nothing; ``lost`` ends the connection.
    """

    channel = "flux.events"
    username = "flux"
    password = "p4ssword-of-flux-9Qx"

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        """With ``tls`` it waits for a handshake, and says nothing before."""
        self._tls = tls
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.address = f"nats://127.0.0.1:{self.port}"
        self.said: dict[str, Any] = {
            "server_id": "T",
            "version": "2.12.0",
            "proto": 1,
            "headers": True,
            "max_payload": 1 << 20,
        }
        self.greeting = b""
        """What is said instead of INFO."""
        self.faults: deque[bytes | str] = deque()
        self.asked: list[dict[str, Any]] = []
        """What clients said of themselves."""
        self.taken: list[Any] = []
        self.ids: list[str] = []
        self.violations: list[str] = []
        self._seen: dict[str, int] = {}
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> NatsServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), client:
                self._meet(client)

    def _meet(self, client: socket.socket) -> None:
        client.settimeout(1 if self._tls else 10)
        made = self._tls.wrap_socket(client, server_side=True) if self._tls else client
        with made, made.makefile("rwb") as file:
            made.settimeout(10)
            self._speak(file)

    def _speak(self, file: Any) -> None:
        def say(data: bytes) -> None:
            file.write(data)
            file.flush()

        say(self.greeting or b"INFO " + json.dumps(self.said).encode() + b"\r\n")
        inbox, accepted = "", False
        while line := file.readline():
            if not line.endswith(b"\r\n"):
                return self._violated(f"a line without an end: {line[:80]!r}")
            name, _, rest = line.decode().strip().partition(" ")
            if name == "CONNECT":
                accepted = self._connects(json.loads(rest))
                if not accepted:
                    return say(b"-ERR 'Authorization Violation'\r\n")
            elif name == "PING":
                say(b"PONG\r\n")
            elif not accepted:
                return self._violated(f"{name} before CONNECT")
            elif name == "SUB":
                inbox = rest.split()[0]
            elif name in ("HPUB", "PUB"):
                reply, data = self._published(name, rest.split(), file)
                fault = self.faults.popleft() if self.faults else None
                if fault == "lost":
                    return None
                if isinstance(fault, bytes):
                    say(fault.replace(b"INBOX", inbox.encode()))
                elif reply:
                    say(f"MSG {inbox} 1 {len(data)}\r\n".encode() + data + b"\r\n")
            elif name != "PONG":
                return self._violated(f"unknown: {name}")
        return None

    def _connects(self, options: dict[str, Any]) -> bool:
        self.asked.append(options)
        if set(options) - _KNOWN or _REQUIRED - set(options):
            self._violated(f"members of CONNECT: {sorted(options)}")
        return (options.get("user"), options.get("pass")) == (self.username, self.password)

    def _published(self, name: str, words: list[str], file: Any) -> tuple[str, bytes]:
        """Where to answer, and what."""
        head, size = (int(words[-2]) if name == "HPUB" else 0), int(words[-1])
        message = file.read(size + 2)
        reply = words[1] if len(words) == (4 if name == "HPUB" else 3) else ""
        if words[0] != self.channel or not message.endswith(b"\r\n") or size > self.said["max_payload"]:
            self._violated(f"a message that is none: {words}")
        known = self._id(message[:head]) if head else ""
        self.ids.append(known)
        self.taken.append(json.loads(message[head:-2]))
        duplicate, number = known in self._seen, self._seen.setdefault(known, len(self._seen) + 1)
        return reply, json.dumps({"stream": "S", "seq": number, **({"duplicate": True} if duplicate else {})}).encode()

    def _id(self, head: bytes) -> str:
        found = re.fullmatch(r"NATS/1\.0\r\nNats-Msg-Id: ([0-9a-f]{32})\r\n\r\n", head.decode())
        if not found:
            self._violated(f"headers: {head!r}")
        return found[1] if found else ""

    def _violated(self, what: str) -> None:
        self.violations.append(what)


WAYS = {
    "nats": Way(
        "nats", "standins.nats", "NatsServer", content=(200, b'{"stream":"S","seq":1}'), http=False, strict=False,
        example="nats://nats.example.com:4222",
    ),
}  # fmt: skip
