"""A mail server that keeps what it gets, on aiosmtpd: https://aiosmtpd.aio-libs.org/

The protocol is aiosmtpd's; who may send what is decided here.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from contextlib import ExitStack
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from servers.loop import Loop

if TYPE_CHECKING:
    from email.message import EmailMessage

    import trustme
    from aiosmtpd.smtp import Envelope, Session

_SECONDS = 20


class Mail(msgspec.Struct, frozen=True):
    """A message that was taken, with its envelope."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    encrypted: bool
    user: str
    """Who logged in; empty if nobody did."""
    options: tuple[str, ...] = ()
    """What followed the sender: BODY=8BITMIME, SMTPUTF8, SIZE=…"""

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.data, policy=policy.default)


class Smtp:
    """The server. ``security`` is what it offers: nothing, STARTTLS (and takes no mail without), or TLS at once.

    With ``mechanisms`` it takes mail from ``user`` with ``password`` alone, who logs in by one of them: ``PLAIN``,
    ``LOGIN``. ``refused`` are answers by recipient or sender: ``{"gone@example.com": "550 5.1.1 No such user"}``.
    Each mail takes the first of ``faults``: an answer to its end (``"451 4.3.0 Try later"``), ``"lost"``, which takes
    the mail and hangs up without an answer, or None, which goes well.
    """

    def __init__(
        self,
        *,
        security: Literal["none", "starttls", "tls"] = "none",
        authority: trustme.CA | None = None,
        mechanisms: tuple[str, ...] = (),
        refused: dict[str, str] | None = None,
        size: int = 1 << 20,
        utf8: bool = True,
    ) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.user = "landed@example.com"
        self.password = "pass-of-the-tests-9Qx"
        self.mails: list[Mail] = []
        self.faults: deque[str | None] = deque()
        self.refused = refused or {}
        self.attempts: list[str] = []
        """Who tried to log in, in order, whether or not it was let in."""
        self.connections = 0
        self._security = security
        self._mechanisms = mechanisms
        self._size = size
        self._utf8 = utf8
        self._context = _context(authority) if security != "none" else None
        self._loop = Loop()
        self._stack = ExitStack()

    def __enter__(self) -> Smtp:
        with ExitStack() as stack:
            stack.enter_context(self._loop)
            server = self._loop.run(self._listen())
            stack.callback(lambda: self._loop.run(_closed(server)))
            self.port = server.sockets[0].getsockname()[1]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    async def _listen(self) -> asyncio.Server:
        context = self._context if self._security == "tls" else None
        return await asyncio.get_running_loop().create_server(self._protocol, self.host, 0, ssl=context)

    def _protocol(self) -> SMTP:
        self.connections += 1
        starttls = self._security == "starttls"
        return SMTP(
            self,
            hostname="mail.test",
            data_size_limit=self._size,
            enable_SMTPUTF8=self._utf8,
            tls_context=self._context if starttls else None,
            require_starttls=starttls,
            timeout=_SECONDS,
            auth_require_tls=starttls or not self._mechanisms,
            auth_exclude_mechanism=[name for name in ("PLAIN", "LOGIN") if name not in self._mechanisms],
            authenticator=self._let_in,
        )

    def _let_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        user = data.login.decode()
        self.attempts.append(user)
        known = (user, data.password.decode()) == (self.user, self.password)
        return AuthResult(success=known, handled=False, auth_data=user)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [line for line in responses if self._mechanisms or not line.startswith("250-AUTH")]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._mechanisms and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if address in self.refused:
            return self.refused[address]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        fault = self.faults.popleft() if self.faults else None
        if fault not in (None, "lost"):
            return str(fault)
        self.mails.append(_mail(session, envelope, encrypted=self._security == "tls" or session.ssl is not None))
        if fault == "lost":
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return "250 2.0.0 Taken"


def _mail(session: Session, envelope: Envelope, *, encrypted: bool) -> Mail:
    content = envelope.content
    assert isinstance(content, bytes)
    return Mail(
        sender=envelope.mail_from or "",
        recipients=tuple(envelope.rcpt_tos),
        data=content,
        encrypted=encrypted,
        user=str(session.auth_data or "") if session.authenticated else "",
        options=tuple(envelope.mail_options),
    )


def _context(authority: trustme.CA | None) -> ssl.SSLContext:
    assert authority is not None, "TLS needs an authority"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


async def _closed(server: asyncio.Server) -> None:
    server.close()
    await server.wait_closed()
