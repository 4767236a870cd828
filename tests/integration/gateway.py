"""A gateway before an API server: it lets everything through, or is busy, or says nothing, or breaks off."""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import yaml

if TYPE_CHECKING:
    from integration.cluster import Cluster

_BUSY = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_REQUEST = re.compile(rb"^([A-Z]+) (/\S*) HTTP/1\.1\r$", re.MULTILINE)


class Gateway:
    """Plain HTTP on this side, whatever the server speaks on the other. It lives in a thread of its own."""

    def __init__(self, cluster: Cluster) -> None:
        address = urlsplit(cluster.url)
        self._cluster = cluster
        self._upstream = (address.hostname or "", address.port or 0)
        self._context = ssl.create_default_context(cadata=cluster.ca) if address.scheme == "https" else None
        self._open: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.busy = 0
        """How many connections more get a 429."""
        self.silent = False
        self.requests: list[str] = []
        """Method and path of what came through."""
        self.url = ""

    def kubeconfig(self, user: str = "reader") -> str:
        """The cluster's, through here."""
        document = yaml.safe_load(self._cluster.kubeconfig(user))
        document["clusters"][0]["cluster"] = {"server": self.url}
        return yaml.safe_dump(document)

    def __enter__(self) -> Gateway:
        self._thread.start()
        serving = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = serving.result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self) -> None:
        """Break off every connection."""

        async def end() -> None:
            ended = tuple(self._open)
            for task in ended:
                task.cancel()
            await asyncio.gather(*ended, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._answer(reader, writer)
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.silent:
            while await reader.read(65536):
                pass
        elif self.busy > 0:
            self.busy -= 1
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_BUSY)
            await writer.drain()
        else:
            await self._through(reader, writer)

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._upstream, ssl=self._context)
        try:
            ways = [asyncio.ensure_future(way) for way in (self._ask(reader, back), _pump(there, writer))]
            _, pending = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in pending:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            back.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.requests += [f"{m[1].decode()} {m[2].decode()}" for m in _REQUEST.finditer(data)]
            there.write(data)
            await there.drain()


async def _pump(here: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
    while data := await here.read(65536):
        there.write(data)
        await there.drain()
