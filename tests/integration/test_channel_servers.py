"""The real servers of channels, asked for what our providers rely on: if one of these changes, a provider is wrong."""

from __future__ import annotations

import asyncio
import json
import secrets
import smtplib
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import pytest
import requests
import trustme
from nats.aio.client import Client
from nats.js.errors import NoStreamResponseError
from servers import alertmanager as alertmanager_module
from servers.alertmanager import Alertmanager
from servers.matrix import Matrix
from servers.nats import Nats
from servers.ntfy import Ntfy
from servers.process import folder, port_of, program, running, until
from servers.smtp import Smtp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nats.js.api import PubAck

_SECONDS = 20
PAST = "2024-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def http() -> Iterator[requests.Session]:
    """A session that takes nothing from the environment."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


# Matrix


class Room:
    """Says things in the room of a server, as a client does."""

    def __init__(self, server: Matrix, http: requests.Session) -> None:
        self.server = server
        self.http = http

    def say(self, content: dict[str, Any], *, key: str = "", token: str | None = None) -> requests.Response:
        key = key or secrets.token_hex(8)
        server = self.server
        url = f"{server.url}/_matrix/client/v3/rooms/{quote(server.room, safe='')}/send/m.room.message/{key}"
        headers = {"Authorization": f"Bearer {server.token if token is None else token}"}
        return self.http.put(url, json=content, headers=headers, timeout=_SECONDS)

    def said(self, content: dict[str, Any], *, key: str = "") -> str:
        response = self.say(content, key=key)
        assert response.status_code == 200, response.text
        return str(response.json()["event_id"])


def text(body: str, **more: object) -> dict[str, Any]:
    return {"msgtype": "m.text", "body": body, **more}


def edit(of: str, body: str) -> dict[str, Any]:
    replaces = {"rel_type": "m.replace", "event_id": of}
    return text(f"* {body}", **{"m.new_content": text(body), "m.relates_to": replaces})


@pytest.fixture
def room(matrix: Matrix, http: requests.Session) -> Room:
    return Room(matrix, http)


def test_matrix_says_once_what_has_the_same_transaction_id(room: Room) -> None:
    first, again = room.said(text("live"), key="one"), room.said(text("live"), key="one")
    other = room.said(text("live"), key="two")
    assert first == again
    assert [said.id for said in room.server.messages()] == [first, other]


def test_matrix_shows_the_last_edit(room: Room) -> None:
    event = room.said(text("reconciling"))
    room.said(edit(event, "failed"))
    room.said(edit(event, "live"))
    (said,) = room.server.messages()
    assert (said.id, said.body, said.edited, said.sender) == (event, "live", True, room.server.user)


def test_matrix_keeps_threads_and_html(room: Room) -> None:
    root = room.said(text("live"))
    html = {"format": "org.matrix.custom.html", "formatted_body": "<b>why</b>"}
    room.said(text("why", **html, **{"m.relates_to": {"rel_type": "m.thread", "event_id": root}}))
    above, below = room.server.messages()
    assert (above.thread, below.thread, below.html) == ("", root, "<b>why</b>")


def test_matrix_leaves_a_redacted_message_empty_whatever_is_edited_later(room: Room) -> None:
    event = room.said(text("reconciling"))
    room.server.redact(event)
    room.say(edit(event, "live"))
    (said,) = room.server.messages()
    assert (said.redacted, said.content) == (True, {})


def test_matrix_refuses_who_is_not_in_the_room(room: Room) -> None:
    refused = room.say(text("live"), token=room.server.outsider)
    assert (refused.status_code, refused.json()["errcode"]) == (403, "M_FORBIDDEN")
    room.server.remove()
    assert room.say(text("live")).status_code == 403
    assert room.server.messages() == []


def test_matrix_refuses_a_token_that_it_does_not_know(room: Room) -> None:
    refused = room.say(text("live"), token="nobody's")
    assert (refused.status_code, refused.json()["errcode"]) == (401, "M_UNKNOWN_TOKEN")


def test_matrix_refuses_an_event_over_64_kib(room: Room) -> None:
    refused = room.say(text("x" * 65_536))
    assert (refused.status_code, refused.json()["errcode"]) == (413, "M_TOO_LARGE")


def test_matrix_finds_a_room_by_its_alias(matrix: Matrix, http: requests.Session) -> None:
    url = f"{matrix.url}/_matrix/client/v3/directory/room/{quote(matrix.room_alias, safe='')}"
    answer = http.get(url, headers={"Authorization": f"Bearer {matrix.token}"}, timeout=_SECONDS)
    assert answer.json()["room_id"] == matrix.room


def test_matrix_says_how_long_to_wait(http: requests.Session) -> None:
    with Matrix(burst=2) as server:
        room = Room(server, http)
        answers = [room.say(text("live")) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[-1].json()["errcode"] == "M_LIMIT_EXCEEDED"
    assert answers[-1].json()["retry_after_ms"] > 0
    assert int(answers[-1].headers["Retry-After"]) > 0


# Alertmanager


def alert(name: str, **more: object) -> dict[str, object]:
    return {"labels": {"alertname": name, "commit": "abc"}, **more}


def posted(server: Alertmanager, http: requests.Session, *alerts: object, **more: Any) -> requests.Response:
    return http.post(f"{server.url}/api/v2/alerts", json=alerts, timeout=_SECONDS, **more)


def test_alertmanager_takes_equal_labels_for_the_same_alert(alertmanager: Alertmanager, http: requests.Session) -> None:
    for summary in ("first", "second"):
        assert posted(alertmanager, http, alert("Failed", annotations={"summary": summary})).status_code == 200
    (standing,) = alertmanager.alerts()
    assert standing["annotations"] == {"summary": "second"}


def test_alertmanager_resolves_what_has_ended(alertmanager: Alertmanager, http: requests.Session) -> None:
    posted(alertmanager, http, alert("Failed"), alert("AlsoFailed"))
    alertmanager.wait_for(2, "active")
    until("both to be told", lambda: len(alertmanager.told) == 2, patience=_SECONDS)
    posted(alertmanager, http, alert("Failed", endsAt=PAST))
    (resolved,) = alertmanager.wait_for(1, "resolved")
    assert resolved["labels"]["alertname"] == "Failed"
    assert [each["labels"]["alertname"] for each in alertmanager.alerts()] == ["AlsoFailed"]


def test_alertmanager_says_nothing_of_what_ended_before_it_fired(
    alertmanager: Alertmanager, http: requests.Session
) -> None:
    assert posted(alertmanager, http, alert("NeverFired", endsAt=PAST)).status_code == 200
    posted(alertmanager, http, alert("Failed"))
    until("the other to be told", lambda: alertmanager.told, patience=_SECONDS)
    assert {each["labels"]["alertname"] for each in alertmanager.told} == {"Failed"}


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"labels": {}}, 400), ({"labels": {"bad-name": "x"}}, 400), ({}, 422), (alert("Failed", startsAt="now"), 400)],
)
def test_alertmanager_refuses(
    alertmanager: Alertmanager, http: requests.Session, wrong: dict[str, object], status: int
) -> None:
    assert posted(alertmanager, http, wrong).status_code == status
    assert alertmanager.alerts() == []


def test_alertmanager_with_tls_and_login(authority: trustme.CA, http: requests.Session, tmp_path: Path) -> None:
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    http.verify = str(trusted)
    with Alertmanager(login=True, authority=authority) as server:
        assert server.url.startswith("https://")
        assert posted(server, http, alert("Failed")).status_code == 401
        login = (alertmanager_module.USER, alertmanager_module.PASSWORD)
        assert posted(server, http, alert("Failed"), auth=login).status_code == 200
        assert len(server.alerts()) == 1
        http.verify = True
        with pytest.raises(requests.exceptions.SSLError):
            posted(server, http, alert("Failed"), auth=login)


# NATS


#: The client tries sixty times for two minutes otherwise, whatever ``allow_reconnect`` says.
ONCE: dict[str, Any] = {"allow_reconnect": False, "max_reconnect_attempts": 1, "reconnect_time_wait": 0}


def published(server: Nats, subject: str, data: bytes, identity: str, *, patience: float = 5, **login: Any) -> PubAck:
    """What JetStream says to one message."""

    async def publish() -> PubAck:
        connection = Client()
        try:
            await connection.connect(server.url, **login, **ONCE, error_cb=_silent)
            return await connection.jetstream().publish(
                subject, data, headers={"Nats-Msg-Id": identity}, timeout=patience
            )
        finally:
            await connection.close()

    return asyncio.run(asyncio.wait_for(publish(), _SECONDS))


async def _silent(error: Exception) -> None:
    """What matters is raised by the call."""


def test_nats_stores_once_what_has_the_same_id(nats: Nats) -> None:
    acks = [published(nats, "landed.commits", data, "one") for data in (b"first", b"second")]
    assert [(ack.seq, bool(ack.duplicate)) for ack in acks] == [(1, False), (1, True)]
    assert not published(nats, "landed.others", b"third", "two").duplicate
    assert [(each.sequence, each.data) for each in nats.messages()] == [(1, b"first"), (2, b"third")]
    assert [each.data for each in nats.messages("landed.others")] == [b"third"]


def test_nats_forgets(nats: Nats) -> None:
    published(nats, "landed.commits", b"first", "one")
    nats.fresh()
    assert nats.messages() == []
    assert not published(nats, "landed.commits", b"first", "one").duplicate


def test_nats_acknowledges_nothing_that_no_stream_stores(nats: Nats) -> None:
    with pytest.raises(NoStreamResponseError):
        published(nats, "elsewhere", b"one", "one")
    with pytest.raises(TimeoutError):
        published(nats, "plain.commits", b"two", "two", patience=0.2)
    (heard,) = nats.wait_for(1, "plain.commits")
    assert (heard.data, heard.headers) == (b"two", {"Nats-Msg-Id": "two"})
    assert nats.messages() == []


def _login(server: Nats, login: str, folder: Path) -> dict[str, Any]:
    if login == "password":
        return {"user": server.user, "password": server.password}
    if login == "token":
        return {"token": server.token}
    if login == "nkey":
        return {"nkeys_seed_str": server.seed}
    path = folder / "user.creds"
    path.write_text(server.creds)
    return {"user_credentials": str(path)}


@pytest.mark.parametrize("login", ["password", "token", "nkey", "creds"])
def test_nats_lets_in_who_can_prove_it(login: Literal["password", "token", "nkey", "creds"], tmp_path: Path) -> None:
    with Nats(login=login) as server:
        assert published(server, "landed.commits", b"one", "one", **_login(server, login, tmp_path)).seq == 1
        with pytest.raises(Exception, match=r"(?i)authorization|nonce"):
            published(server, "landed.commits", b"two", "two")
        assert len(server.messages()) == 1


@pytest.mark.parametrize("login", ["password", "nkey", "creds"])
def test_nats_lets_a_user_publish_where_it_may(login: Literal["password", "nkey", "creds"], tmp_path: Path) -> None:
    with Nats(login=login, allowed=["landed.commits"]) as server:
        proof = _login(server, login, tmp_path)
        assert published(server, "landed.commits", b"one", "one", **proof).seq == 1
        with pytest.raises(TimeoutError):
            published(server, "landed.others", b"two", "two", patience=0.2, **proof)
        assert [each.subject for each in server.messages()] == ["landed.commits"]


def handshake(server: Nats, context: ssl.SSLContext) -> bytes:
    """What the server says first over TLS, which it asks for in the clear; empty if it hangs up."""
    host, _, port = server.url.removeprefix("tls://").partition(":")
    with socket.create_connection((host, int(port)), timeout=_SECONDS) as plain:
        with plain.makefile("rb", buffering=0) as lines:
            assert json.loads(lines.readline().removeprefix(b"INFO "))["tls_required"]
        with context.wrap_socket(plain, server_hostname=host) as encrypted:
            encrypted.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
            return encrypted.recv(64)


def test_nats_with_tls(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    with Nats(authority=authority) as server:
        assert server.url.startswith("tls://")
        assert handshake(server, trusting).startswith(b"PONG")
        assert published(server, "landed.commits", b"one", "one", tls=trusting).seq == 1
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(server, ssl.create_default_context())


def test_nats_that_wants_a_certificate(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    with Nats(authority=authority, wants_certificate=True) as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            handshake(server, trusting)
        authority.issue_cert("client.test").configure_cert(trusting)
        assert published(server, "landed.commits", b"two", "two", tls=trusting).seq == 1


# ntfy


def test_ntfy_keeps_what_is_published(ntfy: Ntfy, http: requests.Session) -> None:
    message = {"topic": ntfy.topic, "title": "Live", "message": "all of it", "priority": 4, "tags": ["tada"]}
    assert http.post(ntfy.url, json=message, timeout=_SECONDS).status_code == 200
    (kept,) = ntfy.messages()
    assert {name: kept[name] for name in message} == message


def test_ntfy_takes_a_later_message_of_a_sequence_for_the_same(ntfy: Ntfy, http: requests.Session) -> None:
    for body in ("reconciling", "live"):
        message = {"topic": ntfy.topic, "message": body, "sequence_id": "one"}
        assert http.post(ntfy.url, json=message, timeout=_SECONDS).json()["sequence_id"] == "one"
    assert [each["message"] for each in ntfy.messages()] == ["live"]
    assert [each["message"] for each in ntfy.events()] == ["reconciling", "live"]
    http.delete(f"{ntfy.url}/{ntfy.topic}/one", timeout=_SECONDS).raise_for_status()
    assert ntfy.messages() == []


def test_ntfy_refuses_4096_bytes(ntfy: Ntfy, http: requests.Session) -> None:
    codes = [
        http.post(ntfy.url, json={"topic": ntfy.topic, "message": "x" * size}, timeout=_SECONDS).status_code
        for size in (4_095, 4_096)
    ]
    lengths = [len(each["message"]) for each in ntfy.messages()]
    assert (codes, lengths) == ([200, 400], [4_095])


def test_ntfy_refuses_json_over_8192_bytes_whatever_it_says(ntfy: Ntfy, http: requests.Session) -> None:
    message = {"topic": ntfy.topic, "message": "é" * 2_000}
    escaped, plain = json.dumps(message), json.dumps(message, ensure_ascii=False)
    codes = [http.post(ntfy.url, data=body.encode(), timeout=_SECONDS).status_code for body in (escaped, plain)]
    assert codes == [413, 200]


def test_ntfy_with_tls_and_login(authority: trustme.CA, http: requests.Session, tmp_path: Path) -> None:
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    http.verify = str(trusted)
    with Ntfy(login=True, authority=authority) as server:

        def status(topic: str, **more: Any) -> int:
            return http.post(f"{server.url}/{topic}", data=b"live", timeout=_SECONDS, **more).status_code

        bearer = {"headers": {"Authorization": f"Bearer {server.token}"}}
        assert server.url.startswith("https://")
        assert status(server.topic) == 403
        assert status(server.topic, headers={"Authorization": "Bearer tk_wrong"}) == 401
        assert status("elsewhere", **bearer) == 403
        assert status(server.topic, **bearer) == 200
        assert status(server.topic, auth=(server.user, server.password)) == 200
        assert len(server.messages()) == 2


def test_ntfy_does_not_say_how_long_to_wait(http: requests.Session) -> None:
    with Ntfy(burst=2) as server:
        answers = [http.post(f"{server.url}/{server.topic}", data=b"live", timeout=_SECONDS) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert "Retry-After" not in answers[-1].headers


# SMTP

MAIL = b"Subject: Live\r\n\r\nall of it\r\n"


def test_smtp_keeps_what_it_takes(smtp: Smtp) -> None:
    smtp.refused["gone@example.com"] = "550 5.1.1 No such user"
    with smtplib.SMTP(smtp.host, smtp.port, timeout=_SECONDS) as client:
        refused = client.sendmail("landed@example.com", ["team@example.com", "gone@example.com"], MAIL)
    assert refused == {"gone@example.com": (550, b"5.1.1 No such user")}
    (mail,) = smtp.mails
    assert (mail.sender, mail.recipients, mail.data) == ("landed@example.com", ("team@example.com",), MAIL)
    assert (mail.message["Subject"], mail.encrypted, mail.user) == ("Live", False, "")


def test_smtp_goes_wrong_as_it_is_told(smtp: Smtp) -> None:
    smtp.faults += ["451 4.3.0 Try later", None, "lost"]
    with smtplib.SMTP(smtp.host, smtp.port, timeout=_SECONDS) as client:
        with pytest.raises(smtplib.SMTPDataError, match="Try later"):
            client.sendmail("a@example.com", ["b@example.com"], MAIL)
        assert client.sendmail("a@example.com", ["b@example.com"], MAIL) == {}
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.sendmail("a@example.com", ["b@example.com"], MAIL)
    assert len(smtp.mails) == 2


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_smtp_with_starttls_and_login(authority: trustme.CA, trusting: ssl.SSLContext, mechanism: str) -> None:
    with (
        Smtp(security="starttls", authority=authority, mechanisms=(mechanism,)) as server,
        smtplib.SMTP(server.host, server.port, timeout=_SECONDS) as client,
    ):
        with pytest.raises(smtplib.SMTPSenderRefused, match="STARTTLS"):
            client.sendmail("a@example.com", ["b@example.com"], MAIL)
        client.starttls(context=trusting)
        client.ehlo()
        assert client.esmtp_features["auth"].split() == [mechanism]
        with pytest.raises(smtplib.SMTPSenderRefused, match="Authentication required"):
            client.sendmail("a@example.com", ["b@example.com"], MAIL)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(server.user, "wrong")
        client.login(server.user, server.password)
        client.sendmail("a@example.com", ["b@example.com"], MAIL)
        (mail,) = server.mails
        assert (mail.encrypted, mail.user) == (True, server.user)


def test_smtp_with_tls_at_once(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    with Smtp(security="tls", authority=authority, mechanisms=("PLAIN",)) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            smtplib.SMTP_SSL(server.host, server.port, timeout=_SECONDS, context=ssl.create_default_context())
        with smtplib.SMTP_SSL(server.host, server.port, timeout=_SECONDS, context=trusting) as client:
            client.login(server.user, server.password)
            client.sendmail("a@example.com", ["b@example.com"], MAIL)
        (mail,) = server.mails
        assert (mail.encrypted, mail.user) == (True, server.user)


# The processes


def test_a_server_ends_with_the_block(tmp_path: Path) -> None:
    with running([program("bin/nats-server"), "-a", "127.0.0.1", "-p", "-1"], tmp_path / "log") as process:
        assert port_of(process, tmp_path / "log") > 0
        assert process.poll() is None
    assert process.poll() is not None


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with (
        running([program("bin/nats-server"), "-c", "nowhere.conf"], tmp_path / "log") as process,
        pytest.raises(AssertionError, match=r"(?s)before it listened.*nowhere\.conf"),
    ):
        port_of(process, tmp_path / "log")


_LEFT_ALONE = """
import pathlib, sys, time
from servers.process import port_of, program, running
log = pathlib.Path(sys.argv[1])
with running([program("bin/nats-server"), "-a", "127.0.0.1", "-p", "-1"], log) as process:
    port_of(process, log)
    print(process.pid, flush=True)
    time.sleep(60)
"""


def test_a_server_ends_with_a_test_process_that_is_killed(tmp_path: Path) -> None:
    folder()
    command = [sys.executable, "-c", _LEFT_ALONE, str(tmp_path / "log")]
    tests = str(Path(__file__).parents[1])
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tests) as parent:
        assert parent.stdout is not None
        server = Path("/proc") / parent.stdout.readline().decode().strip() / "cmdline"
        assert b"nats-server" in server.read_bytes()
        parent.kill()
    until("the server to be gone", lambda: not server.exists() or not server.read_bytes(), patience=_SECONDS)


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LANDED_TEST_SERVERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"needs LANDED_TEST_SERVERS, see \.ci/servers\.sh"):
        program("bin/ntfy")
    monkeypatch.setenv("LANDED_TEST_SERVERS", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match="has no bin/ntfy"):
        program("bin/ntfy")
