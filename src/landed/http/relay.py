"""TLS within TLS: Python's ``ssl`` wraps plain sockets only, so what runs inside a TLS connection is given one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    import ssl

#: Bytes that are taken at once.
_PIECE = 1 << 16


def plain(outer: ssl.SSLSocket, timeout: float) -> socket.socket:
    """A plain socket: what is written to it goes out through ``outer``, and what comes in there can be read from it.

    ``timeout`` in seconds, between bytes. A thread carries both ways; it ends, and closes ``outer``, as soon as either
    side is closed.
    """
    import socket
    from threading import Thread

    ours, inner = socket.socketpair()
    ours.settimeout(timeout)
    for one in (outer, inner):
        one.settimeout(timeout)
    Thread(target=_carry, args=(outer, inner), name="landed-relay", daemon=True).start()
    return ours


def _carry(outer: ssl.SSLSocket, inner: socket.socket) -> None:
    """Both ways in one thread: an SSLSocket is not for two at once."""
    from select import select

    with outer, inner, suppress(OSError, ValueError):
        while True:
            ready = {outer} if outer.pending() else set(select([outer, inner], [], [])[0])
            for one, other in ((outer, inner), (inner, outer)):
                if one in ready:
                    piece = one.recv(_PIECE)
                    if not piece:
                        return
                    other.sendall(piece)
