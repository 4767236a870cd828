"""The way out to NATS: one connection for each event, through proxy and trust of the channel.

An event is published as a request: a stream of JetStream answers that it has stored it, and the server where nobody
listens at all. Whoever else listens need not answer.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from landed import __version__
from landed.errors import DeliveryError
from landed.http import Http, Patience, Request, Response, connected, context, excerpt, secrets_of_proxy, unreached
from landed.http.pacing import MAX_WAIT
from landed.model import Channel, Secret
from landed.providers.chat.nats import Server, servers
from landed.providers.doors.nats_login import login, proof
from landed.providers.doors.nats_session import Astray, Heard, Info, Refused, Session, head
from landed.providers.interface import Door

#: The status with which a server says that nobody listens.
NOBODY = 503
#: Seconds to make a connection, for all that is said on it, and for a stream's answer after the server has taken it.
CONNECT_TIMEOUT, TIMEOUT, ANSWER_PATIENCE = 3.05, 15.0, 1.0

#: Characters of a seed or a JWT; what is shorter in credentials is none.
SHORTEST_KEY = 20
_PORT = "Check the address and its port; clients are usually served at 4222."
_LOGIN = "Check `creds`, `nkey`, or `username` and `password`, and whether they have expired."
#: What a server's refusal means (https://docs.nats.io/reference/reference-protocols/nats-protocol , "+OK/ERR"): what to
#: do, and whether waiting can help.
_REFUSALS = {
    r"authorization violation|authentication (expired|revoked)|nkey|invalid.*(jwt|signature)": (_LOGIN, False),
    r"permissions violation": ("Allow this user to publish on the subject.", False),
    r"maximum payload": ("The event is larger than the server allows: raise its max_payload.", False),
    r"authentication timeout|throttling|maximum.*connections|server shutdown|stale connection|slow consumer": (
        "There is nothing to be done but to wait.",
        True,
    ),
    r"tls required": ("Write the address with tls:// .", False),
    r"invalid.*subject": ("Check spec.channel.", False),
    r"attempted to connect to": (_PORT, False),
}


class Limits(NamedTuple):
    """Seconds."""

    connect: float = CONNECT_TIMEOUT
    whole: float = TIMEOUT
    answer: float = ANSWER_PATIENCE


def door(channel: Channel, http: Callable[[], Http]) -> Door:
    """The way out to the servers of ``channel``; ``http`` is not used."""
    given = channel.network.timeout
    return Publishing(channel, Limits(min(CONNECT_TIMEOUT, given), given) if given else Limits())


class Publishing:
    """Publishes on the channel's subject, at the first of its servers that can be reached."""

    def __init__(self, channel: Channel, limits: Limits, sleep: Callable[[float], object] = time.sleep) -> None:
        self._channel = channel
        self._limits = limits
        self._sleep = sleep
        self._answered = True
        """Whether somebody answers what is published; false as soon as somebody was waited for in vain."""
        self._silent: set[Server] = set()
        """Those that said nothing first, although they should speak TLS: they may wait for us to begin with it."""

    def send(self, request: Request) -> Response:
        """Publish the body of ``request``. The answer's body is that of a stream, or empty.

        What may have arrived is not sent again. Raises DeliveryError, which is ``passing`` where nobody listens:
        then the next run tries again. Raises ConfigurationError for settings that cannot be used.
        """
        patience = Patience(MAX_WAIT, self._sleep)
        while True:
            try:
                answer = self._somewhere(request)
            except DeliveryError as error:
                if error.uncertain or not error.passing or not patience.wait():
                    raise
            else:
                if answer.status == NOBODY:
                    raise _unheard(answer.origin, self._channel.channel)
                return answer

    def _somewhere(self, request: Request) -> Response:
        """At the first server that takes it; where none does, the first one's error."""
        failures: list[DeliveryError] = []
        for server in servers(self._channel.address):
            try:
                return self._at(server, request)
            except DeliveryError as error:
                if error.uncertain:
                    raise
                failures.append(error)
        raise next((error for error in failures if error.passing), failures[0])

    def _at(self, server: Server, request: Request) -> Response:
        origin = f"{request.service} ({server.host}:{server.port})"
        began = time.monotonic()
        network = self._channel.network
        plain = connected(server.host, server.port, network, origin, self._limits.connect)
        session = Session(plain, began + self._limits.whole)
        try:
            heard = self._published(session, server, request, origin)
        except Refused as refused:
            raise self._refusal(str(refused), request, origin, session.sent) from None
        except Astray:
            raise _astray(origin, session.sent) from None
        except OSError as error:
            raise self._lost(error, origin, session.sent) from None
        finally:
            session.close()
        if heard.nobody:
            return Response(NOBODY, origin=origin)
        self._answered = heard.answer is not None
        said = heard.answer or b""
        return Response(200, {}, said, origin, excerpt(said, self._secrets(request)))

    def _published(self, session: Session, server: Server, request: Request, origin: str) -> Heard:
        info = self._greeted(session, server, origin)
        session.connect(self._options(server, info))
        headers = {name: str(value) for name, value in request.headers.items()} if info.headers else {}
        size = len(request.body) + len(head(headers))
        if size > info.max_payload:
            raise DeliveryError(
                f"{origin}: the event has {size} bytes, and the server takes {info.max_payload}.",
                "Raise the server's max_payload.",
            )
        subject = self._channel.channel
        if not info.headers:
            return session.publish_plainly(subject, request.body)
        return session.publish(subject, headers, request.body, self._limits.answer if self._answered else 0.0)

    def _greeted(self, session: Session, server: Server, origin: str) -> Info:
        """What the server says of itself; from then on TLS is spoken where either side wants it.

        Usually the server speaks first, in the clear. One that keeps silent, or ends the connection, is met by TLS at
        once the next time (https://docs.nats.io/reference/config/tls/handshake_first ), and in turn.
        """
        network = self._channel.network
        wanted = server.tls or bool(network.ca or network.certificate)

        def secure() -> None:
            trust = context(network, origin)
            session.secure(lambda plain: trust.wrap_socket(plain, server_hostname=server.host))

        try:
            begun = server in self._silent
            if begun:
                secure()
            info = session.info()
        except OSError:
            self._silent ^= {server} if wanted else set()
            raise
        if wanted and not (begun or info.tls_required or info.tls_available):
            instead = (
                "Write its address with nats:// ." if server.tls else "Have it speak TLS, or take out certSecretRef."
            )
            raise DeliveryError(f"{origin}: the server speaks no TLS.", instead)
        if not begun and (wanted or info.tls_required):
            secure()
        return info

    def _options(self, server: Server, info: Info) -> Mapping[str, object]:
        """What is said to the server; who we are by a key, else by the address, else by user and password."""
        channel, who = self._channel, login(self._channel.token)
        options: dict[str, object] = {
            "verbose": False,
            "pedantic": False,
            "tls_required": server.tls,
            "name": "landed",
            "lang": "python",
            "version": __version__,
            "protocol": 1,
            "headers": info.headers,
            "no_responders": info.headers,
        }
        if who is not None:
            return {**options, **proof(who, info.nonce)}
        if server.user and server.password is None:
            return options | {"auth_token": server.user}
        if server.user and server.password is not None:
            return options | {"user": server.user, "pass": server.password.reveal()}
        if channel.username and channel.password:
            return options | {"user": channel.username, "pass": channel.password.reveal()}
        return options

    def _refusal(self, words: str, request: Request, origin: str, sent: bool) -> DeliveryError:
        hint, passing = next(
            (meaning for sign, meaning in _REFUSALS.items() if re.search(sign, words, re.IGNORECASE)), ("", False)
        )
        said = excerpt(words.encode(errors="replace"), self._secrets(request))
        # What is against the connection, not the message, says nothing of whether that was passed on before.
        uncertain = sent and passing
        doubt = "; the message may or may not have arrived" if uncertain else ""
        return DeliveryError(
            f"{origin} refused: {said or 'it does not say why'}{doubt}.", hint, passing=passing, uncertain=uncertain
        )

    def _lost(self, error: OSError, origin: str, sent: bool) -> DeliveryError:
        failure = unreached(error, origin)
        if not sent:
            return DeliveryError(failure.message, failure.hint or _PORT, passing=failure.passing)
        return DeliveryError(
            f"{failure.message.rstrip('.')}, so the message may or may not have arrived.",
            failure.hint,
            passing=True,
            uncertain=True,
        )

    def _secrets(self, request: Request) -> tuple[str, ...]:
        """Whatever no message may hold."""
        channel = self._channel
        held = [channel.address, channel.token, channel.password, *request.hidden]
        for server in servers(channel.address):
            held += [Secret(server.user), server.password or Secret("")]
        # Credentials may be on one line, where they hold plain words, too: only what is long is secret.
        keys = [word for word in channel.token.reveal().split() if len(word) >= SHORTEST_KEY]
        words = [secret.reveal() for secret in held if secret]
        return (*words, *keys, *secrets_of_proxy(channel.network.proxy.reveal()))


def _astray(origin: str, sent: bool) -> DeliveryError:
    doubt = ", so the message may or may not have arrived" if sent else ""
    return DeliveryError(
        f"{origin}: what it says makes no sense for a NATS server{doubt}.",
        _PORT,
        passing=sent,
        uncertain=sent,
    )


def _unheard(origin: str, subject: str) -> DeliveryError:
    return DeliveryError(
        f"{origin}: nobody listens on {subject}, so the event is lost.",
        "Start what listens there, or let a stream of JetStream keep that subject; the next run sends it again.",
        passing=True,
    )
