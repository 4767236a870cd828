"""The way to a mail server: one connection for each message, over TLS unless that was switched off.

https://www.rfc-editor.org/rfc/rfc5321 , https://www.rfc-editor.org/rfc/rfc3207 (STARTTLS),
https://www.rfc-editor.org/rfc/rfc4954 (AUTH), https://www.rfc-editor.org/rfc/rfc1870 (SIZE)
"""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, NoReturn

from landed.errors import DeliveryError
from landed.http import Http, Patience, Request, Response, connected, context, excerpt, secrets_of, unreached
from landed.http.door import READ_TIMEOUT
from landed.http.pacing import MAX_WAIT
from landed.model import Channel
from landed.providers.chat.email import Server, server

if TYPE_CHECKING:
    import socket
    from smtplib import SMTP

#: Seconds to say goodbye in: the message is taken by then.
_GOODBYE = 2.0
#: Seconds to take the message in, where no others are asked for: filters look at it first, and what is given up too
#: early arrives twice. https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.6
_TAKING = 60.0

_LOGIN = "Check `username` and `password` in the Secret; many providers want a password made for one application."
#: What to do about a refusal, by its code. https://www.rfc-editor.org/rfc/rfc4954#section-6
_HINTS = {
    "421": "The mail server is busy or going down; the update is sent by the next run.",
    "450": "The mail server asks to try later; the update is sent by the next run.",
    "451": "The mail server asks to try later; the update is sent by the next run.",
    "452": "The mail server has no room; the update is sent by the next run.",
    "530": "The mail server wants a login: give `username` and `password` in the Secret.",
    "534": _LOGIN,
    "535": _LOGIN,
    "550": "Check the recipients, and whether the server lets this sender write to them.",
    "552": "The message or the mailbox is too large for the mail server.",
    "553": "Check the sender: ?from= in the address.",
    "554": "The mail server does not want this message: ask whoever runs it.",
}


_AT_ONCE = "If the server speaks TLS at once, begin the address with smtps://"


def door(channel: Channel, http: Callable[[], Http]) -> Smtp:
    """The way to the mail server of ``channel``."""
    return Smtp(channel)


class Smtp:
    """Brings messages to one mail server. Safe to use from several threads."""

    def __init__(self, channel: Channel, *, sleep: Callable[[float], object] = time.sleep) -> None:
        self._channel = channel
        self._sleep = sleep

    def send(self, request: Request) -> Response:
        """Bring it there. It is tried again where nothing was sent and the server may take it soon.

        Whom the server refuses for good is named in the message that the others get; where they all are, or one of them
        for the moment, nothing is sent. Raises DeliveryError for everything else.
        """
        patience = Patience(MAX_WAIT, self._sleep)
        while True:
            try:
                return _Dialogue(self._channel, request).run()
            except DeliveryError as error:
                if not error.passing or error.uncertain or not patience.wait():
                    raise


class _Dialogue:
    """One connection."""

    def __init__(self, channel: Channel, request: Request) -> None:
        self._channel = channel
        self._request = request
        self._origin = request.origin
        self._there = server(channel)
        self._secrets = (*secrets_of(request), channel.password.reveal())
        self._stack = ExitStack()
        self._client: SMTP
        self._encrypted = False
        self._greeted = False
        self._asked = False
        """Whether all of the message is on its way."""

    def run(self) -> Response:
        """All of it, from the greeting to the acknowledgement."""
        from smtplib import SMTPException

        with self._stack:
            try:
                self._greet()
                self._log_in()
                said = self._hand_over()
            except (OSError, SMTPException, ValueError) as error:
                raise self._broken(error) from None
            self._leave()
        return Response(250, {}, said, self._origin, excerpt(said, self._secrets))

    def _greet(self) -> None:
        from smtplib import SMTP

        there, network = self._there, self._channel.network
        patience = network.timeout or READ_TIMEOUT
        line = self._stack.enter_context(connected(there.host, there.port, network, self._origin, patience))
        self._client = SMTP(local_hostname=_literal(line), timeout=patience)
        self._client.sock = line
        self._stack.callback(self._client.close)
        if there.tls == "at once":
            self._wrap()
        self._expect("the greeting", self._client.getreply(), 220)
        self._say_hello()
        if there.tls == "starttls":
            self._start_tls()

    def _say_hello(self) -> None:
        code, said = self._client.ehlo()
        self._greeted = True
        if code == 250:
            return
        if code // 100 == 5 and not self._channel.password:
            code, said = self._client.helo()
        self._expect("EHLO", (code, said), 250)

    def _start_tls(self) -> None:
        if not self._client.has_extn("starttls"):
            without = "" if self._channel.password else ", or end it with ?starttls=off to go without"
            raise DeliveryError(
                f"{self._origin} offers no STARTTLS, and nothing is sent without encryption.",
                f"{_AT_ONCE}{without}. Check the port, too.",
            )
        self._expect("STARTTLS", self._client.docmd("STARTTLS"), 220)
        self._wrap()
        self._say_hello()  # what was said before could be anybody's

    def _wrap(self) -> None:
        line: socket.socket = self._client.sock  # type: ignore[assignment]
        if self._client.file is not None:
            self._client.file.close()
            self._client.file = None
        try:
            wrapped = context(self._channel.network, self._origin).wrap_socket(line, server_hostname=self._there.host)
        except (OSError, ValueError) as error:
            raise unreached(error, self._origin) from None
        self._client.sock = self._stack.enter_context(wrapped)
        self._encrypted = True

    def _log_in(self) -> None:
        """With what the server takes of the two ways that are safe inside TLS."""
        user, password = self._channel.username, self._channel.password.reveal()
        if not password:
            return
        if not (self._encrypted or _loopback(self._there)):
            raise DeliveryError(
                f"{self._origin}: a password is not sent without TLS.", "Take starttls=off out of the address."
            )
        known = self._client.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in known:
            answer = self._client.docmd("AUTH", "PLAIN " + _base64(f"\0{user}\0{password}"))
        elif "LOGIN" in known:
            answer = self._client.docmd("AUTH", "LOGIN")
            for text in (user, password):
                self._expect("AUTH", answer, 334)
                answer = self._client.docmd(_base64(text))
        else:
            raise DeliveryError(
                f"{self._origin} takes no login by PLAIN or LOGIN.",
                "Take out `password` if the server needs none, or check port and address.",
            )
        self._expect("AUTH", answer, 235)

    def _hand_over(self) -> bytes:
        headers = self._request.headers
        sender, to, too = (str(headers[name]) for name in ("Mail-From", "Rcpt-To", "Rcpt-Too"))
        size = self._size()
        self._expect("MAIL FROM", self._client.mail(sender, size), 250)
        refused = self._recipients(to.split(","), [one for one in too.split(",") if one])
        self._expect("DATA", self._client.docmd("DATA"), 354)
        self._client.send(_dotted(_dated(_noting(self._request.body, refused))))
        self._asked = True
        self._client.sock.settimeout(self._channel.network.timeout or _TAKING)  # type: ignore[union-attr]
        answer = self._client.getreply()
        self._expect("the message", answer, 250)
        return answer[1]

    def _size(self) -> list[str]:
        """The size to declare, where the server wants to know. Raises DeliveryError where it is too much."""
        if not self._client.has_extn("size"):
            return []
        size, most = len(self._request.body) + 1024, self._client.esmtp_features["size"]
        if most.isdigit() and 0 < int(most) < size:
            raise DeliveryError(
                f"{self._origin} takes messages of {most} bytes, and this one has about {size}.",
                "Raise the server's limit, or narrow what the Alert selects.",
            )
        return [f"SIZE={size}"]

    def _recipients(self, to: Sequence[str], too: Sequence[str]) -> list[str]:
        """Name everybody whom it is for; gives who was refused for good, and why, each as a line.

        Raises DeliveryError where nobody is left, or where somebody is refused for the moment: who gets a message now
        would get it again.
        """
        refused: dict[str, tuple[int, bytes]] = {}
        for one in (*to, *too):
            answer = self._client.rcpt(one)
            if answer[0] == 421 or not 200 <= answer[0] < 600:
                self._expect(f"RCPT TO <{one}>", answer, 250)
            if answer[0] not in (250, 251, 252):
                refused[one] = answer
        later = [one for one in to if one in refused and _soon(refused[one])]
        if later or all(one in refused for one in to):
            names = ", ".join(f"<{one}>" for one in later or to)
            # Where one may take it some day, all of it is tried again.
            answer = min((refused[one] for one in later or to), key=lambda answer: answer[0] // 100)
            self._expect(f"RCPT TO {names}", answer, 250)
        return [f"Not sent to {one}: {self._quoted(answer)}" for one, answer in refused.items()]

    def _expect(self, step: str, answer: tuple[int, bytes], wanted: int) -> None:
        """Raise DeliveryError unless the server answered ``step`` as it should. Codes of 400 and more say later."""
        code, _ = answer
        if code == wanted or (wanted == 250 and code in (251, 252)):
            return
        login = _LOGIN if step == "AUTH" and code // 100 == 5 else ""
        if not 200 <= code < 600:
            raise DeliveryError(
                f"{self._origin} does not answer as a mail server does.",
                "Check the address and its port.",
                passing=self._asked,
                uncertain=self._asked,
            )
        raise DeliveryError(
            f"{self._origin} answered {step} with {self._quoted(answer)}",
            login or _HINTS.get(str(code), ""),
            passing=code // 100 == 4,
        )

    def _quoted(self, answer: tuple[int, bytes]) -> str:
        code, said = answer
        return f"{code} {excerpt(said, self._secrets)}".strip()

    def _broken(self, error: Exception) -> NoReturn:
        """The connection broke, or what was said made no sense."""
        lost = type(error).__name__ == "SMTPServerDisconnected" and error.__context__ is None
        said = unreached(ConnectionError() if lost else error, self._origin)
        doubt = ", so the message may or may not have arrived." if self._asked else "."
        mute = self._there.tls != "at once" and not self._greeted
        raise DeliveryError(
            said.message.rstrip(".") + doubt,
            said.hint or (f"{_AT_ONCE}." if mute else ""),
            passing=said.passing or self._asked,
            uncertain=self._asked,
        ) from None

    def _leave(self) -> None:
        from smtplib import SMTPException

        with suppress(OSError, SMTPException, ValueError):
            self._client.sock.settimeout(_GOODBYE)  # type: ignore[union-attr]
            self._client.docmd("QUIT")


def _soon(answer: tuple[int, bytes]) -> bool:
    """Whether a recipient is refused for the moment.

    A mailbox that is full or switched off stays so for longer, and must not keep the others from being told
    (https://www.rfc-editor.org/rfc/rfc3463#section-3.3).
    """
    code, said = answer
    return code // 100 == 4 and re.match(rb"\s*4\.2\.[12]\b", said) is None


def _loopback(there: Server) -> bool:
    from landed.revision import loopback

    return loopback(f"[{there.host}]" if ":" in there.host else there.host)


def _literal(line: socket.socket) -> str:
    """How we call ourselves: by our address, since a name would have to be looked up."""
    with suppress(OSError):
        name = line.getsockname()
        if isinstance(name, tuple) and name:
            return f"[IPv6:{name[0]}]" if ":" in str(name[0]) else f"[{name[0]}]"
    return "[127.0.0.1]"


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _dated(body: bytes) -> bytes:
    from email.utils import formatdate

    return f"Date: {formatdate()}\r\n".encode() + body


def _noting(body: bytes, notes: Iterable[str]) -> bytes:
    """``body`` with ``notes`` at the end of each of its parts."""
    lines = list(notes)
    if not lines:
        return body
    from email import message_from_bytes
    from email.policy import SMTP
    from html import escape

    made = message_from_bytes(body, policy=SMTP.clone(refold_source="none"))
    for part in made.iter_parts():
        text = part.get_content().replace("\r\n", "\n")
        if part.get_content_subtype() == "html":
            added = "".join(f"<p>{escape(line)}</p>\n" for line in lines)
            text = text.replace("</div>\n</body>", f"{added}</div>\n</body>")
        else:
            text += "\n" + "".join(f"{line}\n" for line in lines)
        part.set_content(text, subtype=part.get_content_subtype(), cte="quoted-printable")
    return made.as_bytes()


def _dotted(body: bytes) -> bytes:
    """``body`` as DATA has it (https://www.rfc-editor.org/rfc/rfc5321#section-4.5.2)."""
    ended = body if body.endswith(b"\r\n") else body + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", ended) + b".\r\n"
