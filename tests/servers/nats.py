"""A NATS server with JetStream: https://docs.nats.io/"""

from __future__ import annotations

import json
import ssl
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import nats as client
from nats.js.errors import NotFoundError

from servers.loop import Loop
from servers.nats_jwt import Operator, credentials, operator, user_key
from servers.process import port_of, program, running, until

if TYPE_CHECKING:
    import trustme
    from nats.aio.client import Client
    from nats.aio.msg import Msg

_SECONDS = 20
_STREAM = "rollouts"
#: Who reads along for the tests.
_WATCHER = "watcher"
_WATCHER_PASSWORD = "pass-of-the-watcher"


class Published(msgspec.Struct, frozen=True):
    """A message, with its number in the stream, or 0 where it was only heard."""

    subject: str
    data: bytes
    headers: dict[str, str]
    sequence: int = 0


class Nats:
    """The server. What is published to the subjects in ``stored`` is kept by a stream, and acknowledged. Those in
    ``listening`` have a plain subscriber, whose news are in ``heard``. All others have nobody.

    ``login`` says how a client must prove who it is: with ``user`` and ``password``, with ``token``, with an ``nkey``
    whose seed is in ``seed``, or with the text in ``creds``. ``allowed`` are the only subjects that it may publish to;
    None is any. (A token is everybody's: there it limits nobody.) With ``authority`` the server speaks TLS; with
    ``wants_certificate`` it wants one of the same authority in return.
    """

    def __init__(
        self,
        *,
        login: Literal["", "password", "token", "nkey", "creds"] = "",
        allowed: list[str] | None = None,
        authority: trustme.CA | None = None,
        wants_certificate: bool = False,
        stored: tuple[str, ...] = ("landed.>",),
        listening: tuple[str, ...] = ("plain.>",),
    ) -> None:
        self.url = ""
        """Without userinfo; ``tls://`` where it speaks TLS."""
        self.user = "landed"
        self.password = "pass-of-the-tests-9Qx"
        self.token = "token-of-the-tests-7Yw"
        self.seed = ""
        self.creds = ""
        """The content of the file, not its path."""
        self.heard: list[Published] = []
        self._login = login
        self._allowed = allowed
        self._authority = authority
        self._wants_certificate = wants_certificate
        self._stored = list(stored)
        self._listening = listening
        self._watcher: dict[str, Any] = {}
        self._loop = Loop()
        self._client: Client
        self._stack = ExitStack()

    def __enter__(self) -> Nats:
        with ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nats-")))
            config = home / "nats.conf"
            config.write_text(json.dumps(self._config(home)))  # JSON is its configuration language, too
            log = home / "log"
            process = stack.enter_context(running([program("bin/nats-server"), "-c", str(config)], log))
            self.url = f"{'tls' if self._authority else 'nats'}://127.0.0.1:{port_of(process, log)}"
            stack.enter_context(self._loop)
            self._loop.run(self._connect())
            stack.callback(lambda: self._loop.run(self._client.close()))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def messages(self, subject: str = ">") -> list[Published]:
        """What the stream holds on a subject, or on all, oldest first."""
        return self._loop.run(self._read(subject))

    def wait_for(self, count: int, subject: str) -> list[Published]:
        """What was heard on a subject, as soon as there are as many."""

        def enough() -> list[Published] | None:
            there = [each for each in self.heard if each.subject == subject]
            return there if len(there) >= count else None

        return until(f"{count} messages on {subject}", enough, patience=_SECONDS)

    def fresh(self) -> None:
        """Forget what was published. The message ids in the server's window of duplicates go with it."""
        self._loop.run(self._renew())
        self.heard.clear()

    async def _connect(self) -> None:
        self._client = await client.connect(
            self.url, **self._watcher, max_reconnect_attempts=1, connect_timeout=_SECONDS
        )
        for subject in self._listening:
            await self._client.subscribe(subject, cb=self._hear)
        await self._client.flush(_SECONDS)
        await self._renew()

    async def _renew(self) -> None:
        streams = self._client.jetstream()
        with suppress(NotFoundError):
            await streams.delete_stream(_STREAM)
        await streams.add_stream(name=_STREAM, subjects=self._stored)

    async def _hear(self, message: Msg) -> None:
        self.heard.append(Published(message.subject, message.data, dict(message.headers or {})))

    async def _read(self, subject: str) -> list[Published]:
        streams = self._client.jetstream()
        info = await streams.stream_info(_STREAM)
        found = [
            await streams.get_msg(_STREAM, number)
            for number in range(max(info.state.first_seq, 1), info.state.last_seq + 1)
        ]
        return [
            Published(each.subject or "", each.data or b"", dict(each.headers or {}), each.seq or 0)
            for each in found
            if subject in (">", each.subject)
        ]

    def _config(self, home: Path) -> dict[str, object]:
        """https://docs.nats.io/running-a-nats-service/configuration"""
        config: dict[str, object] = {
            "server_name": "tests",
            "host": "127.0.0.1",
            "port": -1,
            "jetstream": {"store_dir": str(home / "jetstream"), "max_memory_store": 1 << 26, "max_file_store": 1 << 28},
        }
        if self._authority is not None:
            config["tls"] = self._tls(home, self._authority)
        if self._login == "token":
            self._watcher["token"] = self.token
            return config | {"authorization": {"token": self.token}}
        if self._login == "creds":
            return config | self._vouched_for(home)
        if self._login:
            self._watcher |= {"user": _WATCHER, "password": _WATCHER_PASSWORD}
            users = [{"user": _WATCHER, "password": _WATCHER_PASSWORD}, self._entry()]
            return config | {"authorization": {"users": users}}
        return config

    def _entry(self) -> dict[str, object]:
        may = {"permissions": {"publish": self._allowed}} if self._allowed is not None else {}
        if self._login == "password":
            return {"user": self.user, "password": self.password, **may}
        key = user_key()
        self.seed = key.seed
        return {"nkey": key.public, **may}

    def _vouched_for(self, home: Path) -> dict[str, object]:
        vouching: Operator = operator()
        self.creds = credentials(vouching, self.user, self._allowed)
        watcher = home / "watcher.creds"
        watcher.write_text(credentials(vouching, _WATCHER))
        self._watcher["user_credentials"] = str(watcher)
        return {
            "operator": vouching.jwt,
            "system_account": vouching.system,
            "resolver": "MEMORY",
            "resolver_preload": vouching.accounts,
        }

    def _tls(self, home: Path, authority: trustme.CA) -> dict[str, object]:
        both, trusted = home / "both.pem", home / "ca.pem"
        authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(str(both))
        authority.cert_pem.write_to_path(str(trusted))
        context = ssl.create_default_context(cafile=str(trusted))
        context.load_cert_chain(both)
        self._watcher["tls"] = context
        files = {"cert_file": str(both), "key_file": str(both)}
        return files | ({"ca_file": str(trusted), "verify": True} if self._wants_certificate else {})
