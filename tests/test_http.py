"""The door out, against real sockets that do everything a network does."""

from __future__ import annotations

import base64
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from standins.server import Answer, Asked, Fault, StandIn, answer, hang, hang_after, lost, reset, rubbish

from landed.errors import DeliveryError
from landed.http import (
    Http,
    Patience,
    Request,
    Response,
    TokenBucket,
    host_of,
    json_request,
    retry_after,
    secrets_of,
    spoken,
)
from landed.model import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "tok-5f3b9c2d7e1a4806"
PATH = "/services/T024BE7LH/B01TESTHOOK/SxK9vQ3mR7tYwZ2pLd84NfGh"


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn(lambda asked: Answer(200, b"ok")) as standin:
        yield standin


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def http(waits: list[float]) -> Iterator[Http]:
    with Http(sleep=waits.append, timeout=(0.3, 0.3)) as door:
        yield door


def ask(server: StandIn, method: str = "POST", path: str = PATH) -> Request:
    headers = {"Authorization": Secret(f"Bearer {TOKEN}")}
    return Request(method, Secret(server.url + path), headers, b'{"text":"hi"}', "Slack")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [({"authorization": Secret(f"Bearer {TOKEN}")}, f"Bearer {TOKEN}"), ({}, "Basic am86cHc=")],
)
def test_a_login_of_its_own_comes_before_the_one_in_the_address(
    http: Http, server: StandIn, headers: dict[str, str | Secret], expected: str
) -> None:
    http.send(Request("POST", Secret(server.url.replace("://", "://jo:pw@")), headers, b"{}", "Slack"))
    assert server.asked[-1].headers["authorization"] == expected


@pytest.mark.parametrize(
    ("status", "body", "gone"),
    [(500, b"Could not find it", True), (500, b"later", False), (504, b"Could not find it", False)],
)
def test_what_is_gone_is_gone_also_where_the_server_takes_it_for_its_own_fault(
    http: Http, server: StandIn, status: int, body: bytes, gone: bool
) -> None:
    server.faults += [answer(status, body=body)] * 9
    error = refusal(http, structs.replace(ask(server, "PATCH"), gone=("Could not find",)))
    assert (error.gone, error.passing) == (gone, not gone)


def refusal(http: Http, request: Request) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        http.send(request)
    assert_hides_secrets(caught.value)
    return caught.value


def assert_hides_secrets(error: DeliveryError) -> None:
    shown = f"{error!r} {error} {error.message} {error.hint} {error.__cause__!r} {error.__context__!r}"
    for secret in (TOKEN, PATH, "SxK9vQ3mR7tYwZ2pLd84NfGh", "B01TESTHOOK"):
        assert secret not in shown


def test_sends_what_it_is_given_and_returns_the_answer(http: Http, server: StandIn) -> None:
    response = http.send(ask(server))

    assert (response.status, response.body) == (200, b"ok")
    assert response.headers["content-length"] == "2"
    asked = server.asked[0]
    assert (asked.method, asked.path, asked.body) == ("POST", PATH, b'{"text":"hi"}')
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["content-length"] == "13"
    assert asked.headers["user-agent"].startswith("landed/")


def test_json_requests_keep_the_order_of_members() -> None:
    request = json_request(Secret("https://example.com/"), {"b": 1, "a": "é"}, headers={"X-One": "1"})

    assert request.body == '{"b":1,"a":"é"}'.encode()
    assert dict(request.headers) == {"Content-Type": "application/json", "X-One": "1"}


def test_neither_requests_nor_responses_print_their_secrets(http: Http, server: StandIn) -> None:
    request = ask(server)
    response = http.send(request)

    shown = f"{request!r} {request} {request.__rich_repr__()} {response!r} {[request]}"
    assert "SxK9" not in shown
    assert TOKEN not in shown
    assert f"127.0.0.1:{server.port}" in shown


@pytest.mark.parametrize("status", [502, 504])
def test_what_a_gateway_may_have_passed_on_is_not_sent_again(http: Http, server: StandIn, status: int) -> None:
    server.faults += [answer(status)] * 9

    error = refusal(http, ask(server))

    assert len(server.asked) == 1
    assert error.passing
    assert error.uncertain


@pytest.mark.parametrize("status", [429, 503])
def test_later_is_tried_again(http: Http, server: StandIn, waits: list[float], status: int) -> None:
    server.faults += [answer(status), answer(status), answer(status)]

    assert http.send(ask(server)).status == 200
    assert len(server.asked) == 4
    assert len(waits) == 3
    assert all(0.25 * 2**n <= wait <= 0.75 * 2**n for n, wait in enumerate(waits))


def test_four_tries_are_enough(http: Http, server: StandIn, waits: list[float]) -> None:
    server.faults += [answer(503, body="upkeep")] * 9

    error = refusal(http, ask(server))

    assert len(server.asked) == 4
    assert len(waits) == 3
    assert error.passing
    assert not error.uncertain
    assert error.message == f"Slack (127.0.0.1:{server.port}) answered 503 Service Unavailable: upkeep"


@pytest.mark.parametrize(
    ("status", "passing"), [(400, False), (401, False), (403, False), (404, False), (410, False), (500, True)]
)
def test_other_refusals_are_final(http: Http, server: StandIn, status: int, passing: bool) -> None:
    server.faults += [answer(status)] * 4

    error = refusal(http, ask(server))

    assert len(server.asked) == 1
    assert error.passing is passing
    assert str(status) in error.message


def test_an_unknown_status_is_told_by_its_number(http: Http, server: StandIn) -> None:
    server.faults.append(answer(599))

    assert "answered 599." in refusal(http, ask(server)).message


def test_retry_after_is_honoured(http: Http, server: StandIn, waits: list[float]) -> None:
    server.faults += [answer(429, {"Retry-After": "7"}), answer(503, {"Retry-After": "11"})]

    http.send(ask(server))

    assert waits == [7, 11]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ('{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2000}', 2),
        ('{"ok":false,"error_code":429,"parameters":{"retry_after":7}}', 7),
        ('{"code":"RATE_LIMIT_HIT","retry-after":1.5,"result":"error"}', 1.5),
    ],
)
def test_services_that_say_it_in_the_body_are_heard(
    http: Http, server: StandIn, waits: list[float], said: str, seconds: float
) -> None:
    server.faults.append(answer(429, body=said))
    http.send(Request("POST", Secret(server.url), body=b"x"))
    assert waits == [seconds]


def test_retry_after_may_be_a_date(http: Http, server: StandIn, waits: list[float]) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    server.faults += [answer(429, {"Retry-After": at})]

    http.send(ask(server))

    assert 0 < waits[0] <= 30


def test_a_wait_that_is_too_long_is_not_begun(http: Http, server: StandIn, waits: list[float]) -> None:
    server.faults += [answer(429, {"Retry-After": "3600"})]

    error = refusal(http, ask(server))

    assert waits == []
    assert error.passing
    assert "60 min" in error.message


def test_all_waits_together_have_a_limit(http: Http, server: StandIn, waits: list[float]) -> None:
    server.faults += [answer(429, {"Retry-After": "40"})] * 3

    assert "40 s" in refusal(http, ask(server)).message
    assert waits == [40]


@pytest.mark.parametrize("value", ["soon", "-1", "1e400", "9" * 400, "Thu, 99 Nov 2026 10:00:00 GMT", "²"])
def test_a_retry_after_without_sense_harms_nobody(server: StandIn, value: str) -> None:
    waits: list[float] = []
    header = value.encode("utf-8").decode("latin-1")
    server.faults += [answer(429, {"Retry-After": header})]

    with Http(sleep=waits.append, max_wait=1e15) as http:
        http.send(ask(server))

    assert len(waits) == 1
    assert waits[0] >= 0


@given(st.text(), st.floats(0, 4e9))
def test_retry_after_is_nothing_or_not_negative(value: str, now: float) -> None:
    seconds = retry_after(value, now)
    assert seconds is None or seconds >= 0


FAULTS = [
    pytest.param(lost(), id="lost answer"),
    pytest.param(reset(), id="reset"),
    pytest.param(hang(), id="hang"),
    pytest.param(hang_after(), id="hang after acting"),
    pytest.param(rubbish(), id="no HTTP"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_may_have_been_carried_out_is_not_repeated(http: Http, server: StandIn, fault: Fault) -> None:
    server.faults.append(fault)

    error = refusal(http, ask(server))

    assert len(server.asked) == 1
    assert error.uncertain
    assert error.passing
    assert "may or may not have arrived" in error.message


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_may_be_repeated_is(http: Http, server: StandIn, method: str, fault: Fault) -> None:
    server.faults.append(fault)

    assert http.send(ask(server, method)).status == 200
    assert len(server.asked) == 2


def test_an_answer_that_breaks_off_is_no_answer(http: Http, server: StandIn) -> None:
    server.faults.append(answer(200, {"Content-Length": "999", "Connection": "close"}, "ok"))

    assert refusal(http, ask(server)).uncertain


def test_a_connection_that_was_refused_is_tried_again(http: Http, waits: list[float]) -> None:
    with StandIn(lambda asked: Answer(200)) as gone:
        request = ask(gone)

    error = refusal(http, request)

    assert len(waits) == 3
    assert error.passing
    assert not error.uncertain
    assert "the connection was refused" in error.message


def test_a_reset_while_connecting_leaves_no_doubt(waits: list[float]) -> None:
    """Firewalls reset TLS handshakes: nothing of the request was sent by then."""
    with StandIn(lambda asked: Answer(200), context=_server_side(trustme.CA())) as server:
        server._server.context = _Resets()  # type: ignore[assignment]
        with Http(sleep=waits.append, timeout=(0.3, 0.3)) as http:
            error = refusal(http, ask(server))

    assert len(waits) == 3
    assert not error.uncertain


class _Resets:
    def wrap_socket(self, connection: object, **_: object) -> object:
        raise OSError


def test_an_unknown_host_is_named(http: Http) -> None:
    error = refusal(http, Request("POST", Secret("http://no-such-host.invalid" + PATH), service="Slack"))

    assert error.message.startswith("Slack (no-such-host.invalid): the host's name cannot be resolved")
    assert not error.uncertain


@pytest.mark.parametrize(
    "address",
    [
        "",
        "hooks.slack.com/services/T/B/x",
        "ftp://example.com/x",
        "https://",
        "https://[::1",
        "https://h:99999/x",
        "\n",
    ],
)
def test_an_address_that_is_none_is_said_so_without_repeating_it(http: Http, address: str) -> None:
    error = refusal(http, Request("POST", Secret(address), service="Slack"))

    assert error.message == "The address of Slack is not a URL that starts with https:// or http://."
    assert not error.passing


@pytest.mark.parametrize("token", [f"{TOKEN}\nX-Evil: 1", f"{TOKEN}\r\n", f"{TOKEN}☃"], ids=["LF", "CRLF", "snowman"])
def test_a_token_that_no_header_can_hold_is_not_sent(
    http: Http, server: StandIn, waits: list[float], token: str
) -> None:
    error = refusal(http, Request("POST", Secret(server.url), {"Authorization": Secret(token)}))

    assert server.asked == []
    assert waits == []
    assert not error.passing


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(http: Http, server: StandIn, status: int) -> None:
    with StandIn(lambda asked: Answer(200)) as other:
        server.faults.append(answer(status, {"Location": f"{other.url}/elsewhere?token=abc"}))

        error = refusal(http, ask(server))

        assert f"a redirect to 127.0.0.1:{other.port};" in error.message
        assert "elsewhere" not in error.message
        assert other.asked == []
    assert not error.passing


@pytest.mark.parametrize("location", ["/elsewhere", "", "http://[", "\x1b[31mhttp://x\x07", "//"])
def test_a_redirect_to_nowhere_is_an_error_too(http: Http, server: StandIn, location: str) -> None:
    server.faults.append(answer(302, {"Location": location}))

    error = refusal(http, ask(server))

    assert "redirects are not followed" in error.message
    assert "\x1b" not in error.message


def test_a_redirect_on_the_same_host_is_told_apart(http: Http, server: StandIn) -> None:
    server.faults.append(answer(302, {"Location": f"{server.url}/elsewhere"}))

    assert "another address of the same host" in refusal(http, ask(server)).message


def test_netrc_does_not_replace_our_authorization(
    http: Http, server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    http.send(ask(server))
    http.send(Request("POST", Secret(server.url)))

    assert [asked.headers.get("authorization") for asked in server.asked] == [f"Bearer {TOKEN}", None]


def test_cookies_are_not_carried_on(http: Http, server: StandIn) -> None:
    server.faults.append(answer(200, {"Set-Cookie": "session=1"}))

    http.send(ask(server))
    http.send(ask(server))

    assert "cookie" not in server.asked[1].headers


def test_proxies_of_the_environment_are_used(http: Http, server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")

    http.send(Request("POST", Secret("http://hooks.example.com/x"), body=b"{}"))

    assert server.asked[0].target == "http://hooks.example.com/x"


def test_a_proxy_that_is_gone_is_named_as_the_cause(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(lambda asked: Answer(200)) as gone:
        monkeypatch.setenv("https_proxy", gone.url.replace("http://", "http://user:pa55word@"))

    error = refusal(http, Request("POST", Secret("https://hooks.example.com" + PATH)))

    assert "proxy" in error.message
    assert "pa55word" not in f"{error!r}{error.hint}"
    assert not error.uncertain


def _server_side(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[StandIn]:
    with StandIn(lambda asked: Answer(200, b"ok"), context=_server_side(authority)) as standin:
        yield standin


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def test_an_unknown_authority_is_refused_at_once(http: Http, secure: StandIn, waits: list[float]) -> None:
    error = refusal(http, ask(secure))

    assert "its certificate is not trusted" in error.message
    assert secure.asked == []
    assert waits == []
    assert not error.passing


def test_the_environment_is_heard_where_no_authority_is_given(
    secure: StandIn, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)

    with Http() as http:
        assert http.send(ask(secure)).status == 200


def test_nothing_is_logged_that_holds_an_address(http: Http, server: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    server.faults += [None, lost()]

    http.send(ask(server))
    refusal(http, ask(server))

    assert "services" not in caplog.text


def test_requests_is_imported_only_to_send() -> None:
    late = ("requests", "urllib3", "logging", "ssl", "email")
    code = f"import sys, landed.http as h; h.Http(); print([name for name in {late} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_one_door_serves_many_threads(http: Http, server: StandIn) -> None:
    threads = [threading.Thread(target=lambda: [http.send(ask(server)) for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(server.asked) == 80
    assert server.connections <= 8


def test_an_endless_answer_is_not_read_to_its_end(http: Http, server: StandIn) -> None:
    server.faults.append(answer(200, body=b"x" * (3 << 20)))

    assert len(http.send(ask(server)).body) == 1 << 20


def echo(asked: Asked) -> Answer:
    """A server that says back everything it was told, in every spelling."""
    token = asked.headers["authorization"].split()[1]
    spellings = [
        token,
        quote(token, safe=""),
        quote_plus(token + "/+"),
        base64.b64encode(f"user:{token}".encode()).decode(),
        base64.b64encode(token.encode()).decode(),
        f"https://user:{token}@hooks.slack.com{asked.target}",
        asked.target,
        asked.target.replace("/", "\\/"),
    ]
    return Answer(403, ("\x1b[31m \u202e" + " | ".join(spellings)).encode())


def test_answers_are_quoted_without_secrets_and_control_characters() -> None:
    with StandIn(echo) as server, Http() as http:
        error = refusal(http, ask(server))

    assert "\x1b" not in error.message
    assert "\u202e" not in error.message
    assert base64.b64encode(f"user:{TOKEN}".encode()).decode()[8:20] not in error.message
    assert "***" in error.message


def test_answers_are_quoted_briefly(http: Http, server: StandIn) -> None:
    server.faults.append(answer(400, body="long " * 10_000))

    message = refusal(http, ask(server)).message

    assert len(message) < 300
    assert message.endswith("…")


def test_a_secret_is_not_cut_in_half_by_being_quoted_briefly(http: Http, server: StandIn) -> None:
    server.faults.append(answer(400, body="x" * 190 + " " + TOKEN))

    assert TOKEN[:6] not in refusal(http, ask(server)).message


def test_what_settings_in_an_address_are_called_is_no_secret() -> None:
    found = secrets_of(
        Request("POST", Secret("https://h.example.com/x?message=s3cr3t/v4lue&t0kenalone&format=full"), {})
    )
    assert {"s3cr3t", "t0kenalone"} <= set(found)
    assert not {"message", "format"} & set(found)


def test_the_secrets_of_a_request_are_its_address_and_its_secret_headers() -> None:
    url = "https://u5er:pa55@hooks.example.com/services/abcdefgh?sig=0123456789"
    found = secrets_of(Request("POST", Secret(url), {"Authorization": Secret("Bearer abc.def.ghi"), "X": "open"}))

    assert {url, "u5er", "pa55", "abcdefgh", "0123456789", "Bearer abc.def.ghi", "abc.def.ghi"} <= set(found)
    assert "open" not in found


def test_hints_are_chosen_by_status_or_by_a_word_of_the_answer(http: Http, server: StandIn) -> None:
    hints = {"no_service": "It was removed.", "404": "Nothing there."}
    request = Request("POST", Secret(server.url), service="Slack", hints=hints)
    server.faults += [answer(404, body="no_service"), answer(404, body="<html>"), answer(403, body="404")]

    got = [refusal(http, request).hint for _ in range(3)]

    assert got == ["It was removed.", "Nothing there.", "Check the address and what its token may do."]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://user:pw@Example.com:8443/a/b?c=d", "example.com:8443"),
        ("http://[::1]:80/", "[::1]:80"),
        ("https://[::1", ""),
        ("nonsense", ""),
        ("https://h:99999/", ""),
    ],
)
def test_hosts(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (119, "119 s"), (600, "10 min"), (7200, "2 h")])
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


class Clock:
    """Time that passes only by being waited for."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def turns(bucket: TokenBucket, clock: Clock, count: int) -> list[float]:
    start = clock.now
    taken = []
    for _ in range(count):
        assert bucket.take() == 0
        taken.append(clock.now - start)
    return taken


def test_a_bucket_gives_a_burst_and_then_its_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(3, 2.0, clock=clock.read, sleep=clock.sleep)

    assert turns(bucket, clock, 6) == [0, 0, 0, 0.5, 1.0, 1.5]
    clock.now += 100
    assert turns(bucket, clock, 4) == [0, 0, 0, 0.5]


def test_no_window_is_ever_exceeded() -> None:
    clock = Clock()
    bucket = TokenBucket(8, 80 / 60, ((80, 60.0), (500, 3600.0)), clock=clock.read, sleep=clock.sleep)

    taken = turns(bucket, clock, 700)

    assert taken[:8] == [0] * 8
    for count, seconds in ((80, 60), (500, 3600)):
        assert all(taken[n + count] - taken[n] >= seconds - 1e-6 for n in range(len(taken) - count))
    assert taken[499] < 500


def test_a_turn_that_is_too_far_off_is_not_taken() -> None:
    clock = Clock()
    bucket = TokenBucket(1, 1 / 100, clock=clock.read, sleep=clock.sleep)
    bucket.take()

    assert bucket.take(max_wait=60) == 100
    assert bucket.take(max_wait=60) == 100
    assert clock.slept == []
    clock.now += 100
    assert bucket.take(max_wait=60) == 0


def test_turns_of_many_threads_are_in_line() -> None:
    clock = Clock()
    slept: list[float] = []
    bucket = TokenBucket(2, 1.0, clock=clock.read, sleep=slept.append)
    threads = [threading.Thread(target=bucket.take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(slept) == [1, 2, 3, 4, 5, 6]


def test_patience_says_nothing_where_nobody_asked() -> None:
    patience = Patience(0.0, sleep=lambda _: None)
    failure = DeliveryError("no")

    assert not patience.wait()
    assert patience.worded(failure) is failure


def test_responses_print_without_their_body() -> None:
    assert repr(Response(200, {}, b"secret", "Slack (h)")) == "Response(200 from Slack (h), 6 bytes)"
