"""E-mail: what is written, whom a server takes it for, and what goes wrong on the way to one."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from contract.test_chat_providers import COMMIT, FLEET, hostile, observation, story
from kube.proxies import Proxy
from msgspec import structs
from servers.smtp import Smtp as Server
from standins.email import content, html_problems, mail_problems

from landed.errors import DeliveryError
from landed.http import Response
from landed.model import Channel, Digest, Network, Outcome, Secret, State, Story
from landed.providers.chat.email import SUBJECT_LIMIT, acknowledged, complaints, requests
from landed.providers.doors.smtp import Smtp, door

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

    from landed.http import Request

FAILED = Digest((story(State.FAILURE, "timeout"),), facts=(("env", "prod"),))
CHANNEL = Channel(
    "email", "email", Secret("smtp://mail.example.com?from=flux@example.com"), "ops@example.com, dev@example.com"
)
PASSWORD = "pass-of-the-tests-9Qx"
LOGIN: dict[str, Any] = {"username": "landed@example.com", "password": Secret(PASSWORD)}


def written(digest: Digest, channel: Channel = CHANNEL) -> EmailMessage:
    (request,) = requests(channel, digest)
    return message_from_bytes(request.body, policy=policy.default)


def to(
    server: Server, query: str = "?starttls=off&from=flux@example.com", scheme: str = "smtp", **given: Any
) -> Channel:
    address = Secret(f"{scheme}://127.0.0.1:{server.port}{query}")
    return structs.replace(CHANNEL, address=address, **given)


def sent(channel: Channel, digest: Digest = FAILED, waits: list[float] | None = None) -> str:
    (request,) = requests(channel, digest)
    return acknowledged(Smtp(channel, sleep=(waits if waits is not None else []).append).send(request))


def failure(channel: Channel, digest: Digest = FAILED, waits: list[float] | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        sent(channel, digest, waits)
    shown = f"{caught.value.message} {caught.value.hint}"
    assert PASSWORD not in shown
    assert "\n" not in shown
    return caught.value


class TestWords:
    def test_a_failure(self) -> None:
        made = written(
            structs.replace(FAILED, stories=(structs.replace(FAILED.stories[0], mention="ada@example.com"),))
        )

        assert made["Subject"] == "❌ acme/fleet main@6dcd4ce2 failed on prod"
        assert (made["From"], made["To"]) == ("landed <flux@example.com>", "ops@example.com, dev@example.com")
        assert made["Cc"] == "ada@example.com"
        assert made["Auto-Submitted"] == "auto-generated"
        assert made["Importance"] == "high"
        assert "Date" not in made
        assert content(made, "plain").splitlines() == [
            "❌ acme/fleet main@6dcd4ce2 failed on prod",
            "apps/web-0: Health check failed: timeout",
            "Look further: flux events -n apps --for Kustomization/web-0",
            "prod · acme/fleet@6dcd4ce2",
            f"https://github.com/acme/fleet/commit/{COMMIT}",
            "",
            "env: prod",
        ]
        assert f'<a href="https://github.com/acme/fleet/commit/{COMMIT}">acme/fleet@6dcd4ce2</a>' in content(
            made, "html"
        )
        assert "#cf222e" in content(made, "html")

    def test_a_success_and_a_recovery(self) -> None:
        made = written(Digest((structs.replace(story(State.SUCCESS), broken_for=720),)))

        assert made["Subject"] == "✅ acme/fleet main@6dcd4ce2 is live on prod"
        assert "Importance" not in made
        assert "Recovered: it was broken for 12m." in content(made, "plain")
        assert "Recovered: it was broken for 12m." in content(made, "html")
        assert "#2da44e" in content(made, "html")

    def test_a_wait_for_a_dependency(self) -> None:
        waits = structs.replace(observation(State.PENDING), waits_for=observation(State.PENDING, number=1).about)
        made = written(Digest((Story(Outcome("prod", FLEET, COMMIT, (waits,))),)))

        assert made["Subject"].startswith("⏳ ")
        assert "1 waits for apps/web-1" in content(made, "plain")

    def test_all_about_a_commit_is_one_conversation(self) -> None:
        failed, live = (written(Digest((story(state),))) for state in (State.FAILURE, State.SUCCESS))
        other = story(State.FAILURE)
        apart = written(Digest((structs.replace(other, outcome=structs.replace(other.outcome, commit="a" * 40)),)))

        assert failed["References"] == live["References"] == live["In-Reply-To"] != apart["References"]
        assert failed["Message-ID"] != live["Message-ID"] != live["References"]

    def test_of_two_commits_it_belongs_to_both_conversations(self) -> None:
        one = story(State.FAILURE)
        other = structs.replace(one, outcome=structs.replace(one.outcome, commit="a" * 40))
        both, alone = written(Digest((one, other))), written(Digest((other,)))

        assert len(both["References"].split()) == 2
        assert alone["References"] in both["References"]
        assert len(both["In-Reply-To"].split()) == 1

    def test_the_conversation_is_known_however_long_the_senders_domain_is(self) -> None:
        """A header's line has 78 characters, and an id that is broken or encoded is none."""
        domain = f"notifications.{'platform-engineering.' * 6}example.com"
        channel = structs.replace(CHANNEL, address=Secret(f"smtp://mail.example.com?from=flux@{domain}"))
        told = story(State.FAILURE)
        stories = [
            structs.replace(told, outcome=structs.replace(told.outcome, commit=f"{number:x}" * 40))
            for number in range(12)
        ]
        (request,) = requests(channel, Digest(tuple(stories)))
        raw = message_from_bytes(request.body)

        assert len(raw["References"].split()) == 10
        assert raw["In-Reply-To"] == raw["References"].split()[0]
        assert all(one.startswith("<") and one.endswith(f"@{domain}>") for one in raw["References"].split())
        assert raw["Message-ID"].endswith(f"@{domain}>")
        assert max(map(len, request.body.splitlines())) < 998

    def test_the_same_message_has_the_same_id_and_another_alert_has_another(self) -> None:
        first, again = written(FAILED), written(FAILED)
        other = written(FAILED, structs.replace(CHANNEL, name="Alert apps/other"))

        assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]

    @pytest.mark.parametrize(
        "mention", ["ada", "ada@", "Ada <ada@example.com>", "a@b.c\nBcc: x@y.z", "ops@example.com"]
    )
    def test_who_cannot_be_called_or_gets_it_anyway(self, mention: str) -> None:
        made = written(Digest((structs.replace(story(State.FAILURE), mention=mention),)))

        assert "Cc" not in made
        assert "Bcc" not in made

    @pytest.mark.parametrize(
        "text",
        ["x\r\nBcc: eve@example.com", "x\n\nbody", "=?utf-8?q?x=0D=0ABcc=3A_eve=40example=2Ecom?=", "\u2028Bcc: e@x.y"],
    )
    @pytest.mark.filterwarnings("error")
    def test_no_text_is_a_header(self, text: str) -> None:
        made = written(hostile(text, State.FAILURE))

        assert "Bcc" not in made
        assert len(made["Subject"]) <= SUBJECT_LIMIT
        assert "\n" not in made["Subject"]
        assert not made.defects
        assert not [value.defects for value in made.values() if value.defects]

    def test_what_looks_encoded_is_not_decoded(self) -> None:
        told = structs.replace(story(State.SUCCESS), words=("see =?utf-8?q?hidden=20words?= now",))

        assert written(Digest((told,)))["Subject"] == "✅ see = ?utf-8?q?hidden=20words?= now"

    def test_the_page_holds_nothing_of_others(self) -> None:
        made = content(written(hostile('"><script>x</script><img src=x onerror=y>', State.FAILURE)), "html")

        assert html_problems(made) == []
        assert "<script" not in made

    def test_a_judge_that_sees_what_is_wrong(self) -> None:
        assert html_problems("<p><script>x</script><a href='javascript:x'>y</a>")


@pytest.mark.parametrize(
    ("address", "username", "sender"),
    [
        ("smtp://mail.example.com?from=a+b@example.com", "landed@example.org", "a+b@example.com"),
        ("smtp://mail.example.com?from=a%2Bb%40example.com", "", "a+b@example.com"),
        ("smtps://mail.example.com", "landed@example.org", "landed@example.org"),
        ("smtps://mail.example.com", "apikey", "landed@example.com"),
        ("smtp://example.com", "", "landed@example.com"),
        ("smtp://localhost:25", "", "landed@localhost"),
    ],
)
def test_the_sender(address: str, username: str, sender: str) -> None:
    (request,) = requests(structs.replace(CHANNEL, address=Secret(address), username=username), FAILED)

    assert request.headers["Mail-From"] == sender


class TestComplaints:
    @pytest.mark.parametrize(
        ("changed", "field", "what"),
        [
            ({"channel": "ops"}, "spec.channel", "'ops' is not"),
            ({"channel": "a@example.com, b@example.com c@example.com"}, "spec.channel", "is not"),
            ({"channel": "Ops <ops@example.com>"}, "spec.channel", "is not"),
            ({"channel": "ö@example.com"}, "spec.channel", "is not"),
            ({"channel": "=?utf-8?q?eve=40example=2Ecom=2C?=@example.com"}, "spec.channel", "is not"),
            ({"channel": "a@example.com\r\nBcc: x@example.com"}, "spec.channel", "is not"),
            ({"channel": " , "}, "spec.channel", "no recipients"),
            ({"address": Secret("smtp://10.0.0.1")}, "spec.address", "sender"),
            ({"address": Secret("smtp://m.example.com?from=x")}, "spec.address", "?from= is not an e-mail address"),
            ({"address": Secret("smtp://u:hidden@m.example.com")}, "spec.address", "more than"),
            ({"address": Secret("smtp://m.example.com/x")}, "spec.address", "more than"),
            ({"address": Secret("smtp://m.example.com?tls=off")}, "spec.address", "more than"),
            ({"address": Secret("smtp://m.example.com?starttls=no")}, "spec.address", "more than"),
            ({"password": Secret(PASSWORD)}, "spec.secretRef", "without a `username`"),
            ({"address": Secret("smtp://m.example.com?starttls=off"), **LOGIN}, "spec.address", "overheard"),
        ],
    )
    def test_what_cannot_work(self, changed: dict[str, Any], field: str, what: str) -> None:
        (complaint,) = complaints(structs.replace(CHANNEL, **changed))

        assert complaint.field == field
        assert what in complaint.what
        assert "hidden" not in str(complaint)

    @pytest.mark.parametrize(
        "changed",
        [
            {},
            LOGIN,
            {"address": Secret("smtps://mail.example.com:465")},
            {"address": Secret("smtp://relay.example.com:25?starttls=off")},
            {"address": Secret("smtp://127.0.0.1:25?starttls=off&from=a@example.com"), **LOGIN},
            {"address": Secret("smtp://[::1]:25?from=a@example.com")},
            {"channel": "o'neil+flux@sub.example.co.uk"},
        ],
    )
    def test_what_can(self, changed: dict[str, Any]) -> None:
        assert complaints(structs.replace(CHANNEL, **changed)) == ()

    @pytest.mark.parametrize(("channel", "said"), [("ops@bücher.example", True), ("ops", False), ("", False)])
    def test_how_a_domain_of_other_letters_is_written(self, channel: str, said: bool) -> None:
        (complaint,) = complaints(structs.replace(CHANNEL, channel=channel))

        assert ("xn--" in complaint.instead) is said
        assert complaints(structs.replace(CHANNEL, channel="ops@xn--bcher-kva.example")) == ()

    def test_what_was_not_complained_of_is_refused_before_anything_is_sent(self) -> None:
        with pytest.raises(DeliveryError, match="addresses"):
            requests(structs.replace(CHANNEL, channel="ops"), FAILED)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class TestTls:
    @pytest.mark.parametrize(("security", "scheme"), [("starttls", "smtp"), ("tls", "smtps")])
    @pytest.mark.parametrize("mechanisms", [("PLAIN",), ("LOGIN",), ("PLAIN", "LOGIN")])
    def test_with_a_login(self, authority: trustme.CA, security: Any, scheme: str, mechanisms: tuple[str, ...]) -> None:
        with Server(security=security, authority=authority, mechanisms=mechanisms) as server:
            sent(to(server, "", scheme, network=trusting(authority), **LOGIN))

            (mail,) = server.mails

        assert mail.encrypted
        assert (mail.sender, mail.user) == ("landed@example.com", "landed@example.com")
        assert mail.recipients == ("ops@example.com", "dev@example.com")
        assert mail_problems(mail) == []

    @pytest.mark.parametrize(("security", "scheme"), [("starttls", "smtp"), ("tls", "smtps")])
    def test_a_server_that_is_not_trusted_gets_nothing(self, authority: trustme.CA, security: Any, scheme: str) -> None:
        with Server(security=security, authority=authority, mechanisms=("PLAIN",)) as server:
            error = failure(to(server, "", scheme, **LOGIN))

            assert (server.mails, server.attempts, server.connections) == ([], [], 1)

        assert "not trusted" in error.message
        assert not error.passing
        assert not error.uncertain

    def test_another_name_in_the_certificate(self, authority: trustme.CA) -> None:
        with Server(security="tls", authority=authority) as server, Proxy() as proxy:
            network = structs.replace(trusting(authority), proxy=Secret(proxy.url))
            channel = structs.replace(to(server), address=Secret(f"smtps://mail.example.com:{server.port}"))
            error = failure(structs.replace(channel, network=network))

        assert "not trusted" in error.message

    def test_no_starttls_and_nothing_is_sent_without(self) -> None:
        with Server(mechanisms=("PLAIN",)) as server:
            error = failure(to(server, "?from=flux@example.com", **LOGIN))

            assert (server.mails, server.attempts) == ([], [])

            unarmed = failure(to(server, "?from=flux@example.com"))

        assert "STARTTLS" in error.message
        assert "smtps://" in error.hint
        assert "starttls=off" not in error.hint  # with a password that is refused
        assert "starttls=off" in unarmed.hint
        assert not error.passing

    def test_a_wrong_password(self, authority: trustme.CA) -> None:
        with Server(security="starttls", authority=authority, mechanisms=("PLAIN",)) as server:
            given = {**LOGIN, "password": Secret("another-password-x1")}
            error = failure(to(server, "", network=trusting(authority), **given))

            assert server.attempts == ["landed@example.com"]

        assert "AUTH" in error.message
        assert "535" in error.message
        assert "`password`" in error.hint
        assert not error.passing

    def test_a_password_with_other_letters(self, authority: trustme.CA) -> None:
        with Server(security="starttls", authority=authority, mechanisms=("PLAIN",)) as server:
            server.password = "pässwörd"
            sent(to(server, "", network=trusting(authority), **{**LOGIN, "password": Secret("pässwörd")}))

            assert len(server.mails) == 1

    def test_a_password_does_not_go_without_tls(self) -> None:
        with Server(mechanisms=("PLAIN",)) as server, Proxy() as proxy:
            address = Secret(f"smtp://mail.example.com:{server.port}?starttls=off")
            error = failure(structs.replace(CHANNEL, address=address, network=Network(Secret(proxy.url)), **LOGIN))

            assert (server.attempts, server.mails, server.connections) == ([], [], 1)

        assert "without TLS" in error.message
        assert not error.passing

    def test_a_server_that_wants_a_login(self, authority: trustme.CA) -> None:
        with Server(security="starttls", authority=authority, mechanisms=("PLAIN",)) as server:
            error = failure(to(server, "", network=trusting(authority), username="landed@example.com"))

        assert "530" in error.message
        assert "`password`" in error.hint

    def test_a_server_that_takes_no_login(self, authority: trustme.CA) -> None:
        with Server(security="starttls", authority=authority) as server:
            error = failure(to(server, "", network=trusting(authority), **LOGIN))

        assert "no login" in error.message

    def test_through_a_proxy(self, authority: trustme.CA) -> None:
        with Server(security="starttls", authority=authority) as server, Proxy() as proxy:
            network = structs.replace(trusting(authority), proxy=Secret(proxy.url))
            sent(to(server, "?from=flux@example.com", network=network))

            assert len(server.mails) == 1


def trusting(authority: trustme.CA) -> Network:
    return Network(ca=authority.cert_pem.bytes().decode(), timeout=5.0)


class TestRefusals:
    @pytest.mark.parametrize(
        ("said", "passing", "hint"),
        [
            ("451 4.3.0 Try later", True, "next run"),
            ("421 4.3.2 Going down", True, "next run"),
            ("452 4.2.2 Full", True, "room"),
            ("552 5.3.4 Too big", False, "too large"),
            ("554 5.7.1 Spam", False, "runs it"),
        ],
    )
    def test_the_message(self, said: str, passing: bool, hint: str) -> None:
        waits: list[float] = []
        with Server() as server:
            server.faults += [said] * 9
            error = failure(to(server), waits=waits)

            assert server.mails == []
            assert server.connections == (4 if passing else 1)

        assert said in error.message
        assert hint in error.hint
        assert error.passing is passing
        assert not error.uncertain
        assert len(waits) == (3 if passing else 0)

    def test_later_is_soon_enough(self) -> None:
        with Server() as server:
            server.faults.append("451 4.3.0 Try later")
            sent(to(server))

            assert (len(server.mails), server.connections) == (1, 2)

    def test_taken_without_an_answer(self) -> None:
        with Server() as server:
            server.faults.append("lost")
            error = failure(to(server))

            assert (len(server.mails), server.connections) == (1, 1)

        assert error.uncertain
        assert error.passing
        assert "may or may not" in error.message

    def test_the_only_recipient_is_unknown(self) -> None:
        with Server(refused={"ops@example.com": "550 5.1.1 No such user"}) as server:
            error = failure(to(server, channel="ops@example.com"))

            assert server.mails == []

        assert "<ops@example.com>" in error.message
        assert "550 5.1.1 No such user" in error.message
        assert not error.passing

    def test_one_recipient_is_unknown_and_the_others_read_it(self) -> None:
        with Server(refused={"ops@example.com": "550 5.1.1 No <such> user"}) as server:
            sent(to(server))

            (mail,) = server.mails

        assert mail.recipients == ("dev@example.com",)
        assert "Not sent to ops@example.com: 550 5.1.1 No <such> user" in content(mail.message, "plain")
        assert "Not sent to ops@example.com: 550 5.1.1 No &lt;such&gt; user" in content(mail.message, "html")
        assert mail_problems(mail) == []

    def test_one_recipient_is_busy_and_nobody_gets_it_twice(self) -> None:
        with Server(refused={"ops@example.com": "450 4.2.0 Greylisted"}) as server:
            error = failure(to(server))

            assert server.mails == []

        assert "<ops@example.com>" in error.message
        assert error.passing
        assert not error.uncertain

    @pytest.mark.parametrize("said", ["452 4.2.2 Mailbox full", "450 4.2.1 Mailbox disabled"])
    def test_one_mailbox_that_is_full_keeps_nobody_else_from_being_told(self, said: str) -> None:
        with Server(refused={"ops@example.com": said}) as server:
            sent(to(server))
            alone = failure(to(server, channel="ops@example.com"))

            (mail,) = server.mails

        assert mail.recipients == ("dev@example.com",)
        assert f"Not sent to ops@example.com: {said}" in content(mail.message, "plain")
        assert said in alone.message
        assert alone.passing

    def test_of_all_who_are_refused_one_may_take_it_some_day(self) -> None:
        refused = {"ops@example.com": "550 5.1.1 No such user", "dev@example.com": "452 4.2.2 Mailbox full"}
        with Server(refused=refused) as server:
            error = failure(to(server))

        assert "452" in error.message
        assert error.passing

    def test_who_was_refused_does_not_break_the_conversation(self) -> None:
        domain = f"notifications.{'platform-engineering.' * 4}example.com"
        with Server(refused={"ops@example.com": "550 5.1.1 No such user"}) as server:
            sent(to(server, f"?starttls=off&from=flux@{domain}"))
            sent(to(server, f"?starttls=off&from=flux@{domain}", channel="dev@example.com"))

            one, other = (message_from_bytes(mail.data) for mail in server.mails)

        assert one["References"] == other["References"]
        assert one["References"].endswith(f"@{domain}>")

    def test_who_is_called_may_be_unknown(self) -> None:
        called = Digest((structs.replace(story(State.FAILURE), mention="ada@example.com"),))
        with Server(refused={"ada@example.com": "450 4.2.0 Greylisted"}) as server:
            sent(to(server), called)

            (mail,) = server.mails

        assert mail.recipients == ("ops@example.com", "dev@example.com")
        assert "Not sent to ada@example.com" in content(mail.message, "plain")

    def test_the_sender(self) -> None:
        with Server(refused={"flux@example.com": "553 5.7.1 Not yours"}) as server:
            error = failure(to(server))

        assert "MAIL FROM" in error.message
        assert "?from=" in error.hint

    def test_a_server_that_takes_only_small_ones(self) -> None:
        with Server(size=2000) as server:
            error = failure(to(server))

            assert server.mails == []

        assert "2000 bytes" in error.message
        assert not error.passing


@contextmanager
def scripted(*script: bytes | float | None) -> Iterator[tuple[int, list[bytes]]]:
    """A server that says these, one after each thing it hears but for the first; a number waits, None hangs up."""
    heard: list[bytes] = []
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line, line.makefile("rb") as reader:
                _converse(line, reader, script, heard, over)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _converse(line: socket.socket, reader: Any, script: Any, heard: list[bytes], over: threading.Event) -> None:
    for step in script:
        if step is None:
            return
        if isinstance(step, float):
            over.wait(step)
            continue
        line.sendall(step)
        heard.append(reader.readline())
        while step.startswith(b"354") and heard[-1] not in (b".\r\n", b""):
            heard.append(reader.readline())


@contextmanager
def _strict(authority: trustme.CA) -> Iterator[int]:
    """A server over TLS that wants a certificate of whoever comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            line, _ = listener.accept()
            with line, context.wrap_socket(line, server_side=True):
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(5)
        listener.close()


OPEN = (b"220 mail.test\r\n", b"250 mail.test\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n")


def at(port: int, timeout: float = 0.5) -> Channel:
    address = Secret(f"smtp://127.0.0.1:{port}?starttls=off&from=flux@example.com")
    return structs.replace(CHANNEL, address=address, network=Network(timeout=timeout))


class TestBrokenConnections:
    @pytest.mark.parametrize(
        ("script", "uncertain"),
        [
            ((None,), False),
            ((b"220 mail.test\r\n", None), False),
            ((*OPEN, None), False),
            ((*OPEN, b"354 go on\r\n", None), True),
            ((*OPEN, b"354 go on\r\n", 9.0), True),
            ((*OPEN, b"354 go on\r\n", b"nonsense\r\n"), True),
            ((9.0,), False),
            ((b"220 mail.test\r\n", 9.0), False),
        ],
        ids=["at once", "greeted", "before DATA", "after DATA", "silent after DATA", "nonsense", "no greeting", "mute"],
    )
    def test_what_may_have_arrived_is_not_sent_again(self, script: Any, uncertain: bool) -> None:
        with scripted(*script) as (port, heard):
            error = failure(at(port))

        assert error.uncertain is uncertain
        assert error.passing
        assert sum(one.startswith(b"Subject:") for one in heard) == uncertain

    @pytest.mark.parametrize(
        ("script", "code", "passing"),
        [
            ((b"421 4.3.2 Too many\r\n",), "421", True),
            ((b"554 5.7.1 Blocked\r\n",), "554", False),
            ((*OPEN[:2], b"450 4.1.8 Later\r\n"), "450", True),
            ((*OPEN[:3], b"421 4.3.2 Going\r\n"), "421", True),
            ((*OPEN, b"554 5.5.1 No\r\n"), "554", False),
            ((*OPEN, b"354 go on\r\n", b"552 5.2.2 Full\r\n"), "552", False),
        ],
    )
    def test_answers(self, script: Any, code: str, passing: bool) -> None:
        with scripted(*script) as (port, _):
            error = failure(at(port))

        assert code in error.message
        assert error.passing is passing
        assert not error.uncertain

    def test_an_answer_about_one_of_two_recipients_that_makes_no_sense(self) -> None:
        with scripted(*OPEN[:4], b"nonsense\r\n") as (port, heard):
            error = failure(at(port))

        assert "mail server" in error.message
        assert b"DATA\r\n" not in heard

    def test_a_server_that_looks_at_the_message_for_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("landed.providers.doors.smtp.READ_TIMEOUT", 0.3)
        with scripted(*OPEN, b"354 go on\r\n", 0.6, b"250 taken\r\n") as (port, _):
            sent(structs.replace(at(port), network=Network()))

    @pytest.mark.parametrize(
        ("script", "said"), [((9.0,), True), ((b"220 mail.test\r\n", 9.0), True), ((*OPEN, None), False)]
    )
    def test_whoever_is_mute_at_the_beginning_may_speak_tls(self, script: Any, said: bool) -> None:
        with scripted(*script) as (port, _):
            error = failure(at(port))

        assert ("smtps://" in error.hint) is said

    def test_a_server_that_wants_a_certificate_of_ours(self, authority: trustme.CA) -> None:
        """With TLS 1.3 it says so only after the handshake."""
        with _strict(authority) as port:
            channel = structs.replace(CHANNEL, address=Secret(f"smtps://127.0.0.1:{port}?from=flux@example.com"))
            error = failure(structs.replace(channel, network=trusting(authority)))

        assert "certificate" in error.message
        assert not error.passing
        assert not error.uncertain

    @pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-OpenSSH\r\n", b"\xff\xfe\r\n"])
    def test_somebody_else_is_there(self, said: bytes) -> None:
        with scripted(said) as (port, _):
            error = failure(at(port))

        assert "mail server" in error.message
        assert not error.passing

    def test_a_slow_greeting_is_waited_for(self) -> None:
        with scripted(0.2, *OPEN, b"354 go on\r\n", b"250 taken\r\n") as (port, heard):
            sent(at(port, 5.0))

        assert heard[-1] == b"QUIT\r\n"

    def test_a_mute_goodbye_is_none_of_our_business(self) -> None:
        with scripted(*OPEN, b"354 go on\r\n", b"250 taken\r\n", None) as (port, _):
            sent(at(port))

    def test_nobody_is_there(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        waits: list[float] = []
        error = failure(at(port), waits=waits)

        assert "refused" in error.message
        assert error.passing
        assert not error.uncertain
        assert len(waits) == 3

    def test_an_answer_does_not_tell_the_password(self) -> None:
        script = (
            b"220 x\r\n",
            b"250-x\r\n250 AUTH PLAIN\r\n",
            b"535 AGxhbmRlZEBleGFtcGxlLmNvbQBwYXNzLW9mLXRoZS10ZXN0cy05UXg= no\r\n",
        )
        with scripted(*script) as (port, heard):
            error = failure(structs.replace(at(port), **LOGIN))

        assert b"AGxhbmRlZEBleGFtcGxlLmNvbQBwYXNzLW9mLXRoZS10ZXN0cy05UXg=" in heard[1]
        assert "cGFzcy1vZi10" not in error.message
        assert "YXNzLW9mLXRoZS10ZXN0" not in error.message

    def test_dots_at_the_beginning_of_lines(self) -> None:
        digest = Digest((story(State.FAILURE),), facts=((".", "."), ("..x", "y")))
        with Server() as server:
            sent(to(server), digest)

            assert "\n.: .\n..x: y\n" in content(server.mails[0].message, "plain")


def test_the_date_is_todays_and_the_rest_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_790_000_000.0)
    with Server() as server:
        sent(to(server))
        (mail,) = server.mails

    assert mail.message["Date"] == "Mon, 21 Sep 2026 14:13:20 -0000"
    assert mail.data.startswith(b"Date: ")
    assert len(mail.message.get_all("Message-ID", [])) == 1


def test_only_250_is_an_acknowledgement() -> None:
    with pytest.raises(DeliveryError):
        acknowledged(Response(200, {}, b"ok"))


def test_the_door_is_opened_without_a_connection() -> None:
    request: Request
    (request,) = requests(CHANNEL, FAILED)
    door(CHANNEL, lambda: pytest.fail("nobody asked"))

    assert request.origin == "E-mail (mail.example.com)"
