"""Apprise: what the library is told, and how its requests leave by our own door."""

from __future__ import annotations

import json
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any, cast

import apprise
import pytest
import requests as plain_requests
import trustme
from contract.test_chat_providers import COMMIT, FLEET, hostile, observation, story
from kube.proxies import Proxy
from msgspec import structs
from standins.apprise import Json
from standins.server import Answer, Asked, StandIn, answer, lost

from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.model import Channel, Digest, Network, Outcome, Secret, State, Story
from landed.providers.chat.apprise import BODY_LIMIT, acknowledged, complaints, notification, requests
from landed.providers.doors.apprise import Apprise, _service, door

if TYPE_CHECKING:
    from landed.http import Request

FAILED = Digest((story(State.FAILURE, "timeout"),), facts=(("env", "prod"),))
SECRET = "SxK9vQ3mR7tYwZ2pLd84NfGh"


def channel(address: str, **network: Any) -> Channel:
    return Channel("apprise", "apprise", Secret(address), network=Network(**network))


def asked(to: Channel, digest: Digest = FAILED) -> Request:
    (request,) = requests(to, digest)
    return request


def sent(to: Channel, digest: Digest = FAILED) -> None:
    with Http(network=to.network, sleep=lambda _: None, timeout=(3.0, 0.8)) as http:
        acknowledged(door(to, lambda: http).send(asked(to, digest)))


def failure(to: Channel, digest: Digest = FAILED) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        sent(to, digest)
    shown = f"{caught.value.message} {caught.value.hint}"
    assert SECRET not in shown
    assert "\n" not in shown
    return caught.value


class TestWords:
    def test_a_failure(self) -> None:
        said = structs.replace(FAILED.stories[0], subject="Upgrade nginx", author="Ada")

        assert json.loads(asked(channel("json://h/x"), structs.replace(FAILED, stories=(said,))).body) == {
            "title": "acme/fleet main@6dcd4ce2 failed on prod",
            "body": "apps/web-0: Health check failed: timeout\n"
            "Look further: flux events -n apps --for Kustomization/web-0\n"
            "prod · acme/fleet@6dcd4ce2: Upgrade nginx (Ada)\nenv: prod",
            "type": "failure",
        }

    @pytest.mark.parametrize(
        ("state", "kind"), [(State.FAILURE, "failure"), (State.SUCCESS, "success"), (State.PENDING, "info")]
    )
    def test_its_kind(self, state: State, kind: str) -> None:
        assert notification(Digest((story(state),))).type == kind

    def test_a_recovery_and_a_wait_for_a_dependency(self) -> None:
        waits = structs.replace(observation(State.PENDING), waits_for=observation(State.PENDING, number=1).about)

        assert "Recovered" in notification(Digest((structs.replace(story(State.SUCCESS), broken_for=720),))).body
        assert "1 waits for" in notification(Digest((Story(Outcome("prod", FLEET, COMMIT, (waits,))),))).body

    @pytest.mark.parametrize("text", ["x" * 9000, "<@here " * 2000, "@x" * 5000])
    def test_its_length(self, text: str) -> None:
        stories = tuple(story(State.FAILURE, text, f"cluster-{number}", 30) for number in range(20))
        told = notification(Digest(stories, facts=((text, text),) * 20))

        assert len(told.body) <= BODY_LIMIT
        assert len(told.title) <= 150
        assert "more lines" in told.body

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("@bob and <@U1>", "@\u200bbob and <\u200b@\u200bU1>"),
            ("[click](http://evil.example)", "[click]\u200b(http://evil.example)"),
            ("<http://evil.example|click>", "<\u200bhttp://evil.example|click>"),
            ("#general", "#\u200bgeneral"),
            ("/join x", "/\u200bjoin x"),
            ("acme/fleet@6dcd4ce2 a < b & c", "acme/fleet@6dcd4ce2 a < b & c"),
        ],
    )
    def test_nobody_is_called(self, text: str, shown: str) -> None:
        told = structs.replace(story(State.SUCCESS), words=("title", text))

        assert notification(Digest((told,))).body.splitlines()[0] == shown


class TestComplaints:
    @pytest.mark.parametrize(
        "address",
        [
            f"nothing://{SECRET}",
            f"tgram://{SECRET}",
            SECRET,
            "",
            f"https://example.com/{SECRET}",
            "json://",
            "slack://a",
        ],
    )
    def test_what_the_library_does_not_understand(self, address: str, capfd: pytest.CaptureFixture[str]) -> None:
        (complaint,) = complaints(channel(address))

        assert complaint.field == "spec.address"
        assert SECRET not in str(complaint)
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("between", [",", " ", "; ", "\n"])
    def test_more_than_one(self, between: str) -> None:
        (complaint,) = complaints(channel(f"json://a/x{between}json://b/y"))

        assert "more than one" in complaint.what

    @pytest.mark.parametrize(
        ("query", "instead"),
        [
            ("verify=no", "certSecretRef"),
            ("redirect=yes", "Take them out"),
            ("rto=9", "spec.timeout"),
            ("CTO=9", "spec.timeout"),
        ],
    )
    def test_what_our_door_decides(self, query: str, instead: str) -> None:
        (complaint,) = complaints(channel(f"jsons://example.com/x?{query}"))

        assert "no effect" in complaint.what
        assert instead in complaint.instead

    def test_what_the_library_decides_where_our_door_is_not_taken(self) -> None:
        assert complaints(channel("mailto://user:pass@example.com?rto=9&redirect=yes")) == ()
        (complaint,) = complaints(channel("mailtos://user:pass@example.com?verify=no"))
        assert "certificates are checked" in complaint.what

    @pytest.mark.parametrize("scheme", ["syslog", "SYSLOG", "dbus", "gnome", "macosx", "windows", "blink1"])
    def test_what_stays_on_this_machine_would_be_counted_as_told(self, scheme: str) -> None:
        (complaint,) = complaints(channel(f"{scheme}://"))

        assert "beyond this machine" in complaint.what

    @pytest.mark.parametrize(
        "service",
        [
            f"discord://4174216298/{SECRET}{SECRET}",
            f"slack://T1JJ3T3L2/A1BRTD4JD/{SECRET}",
            f"tgram://123456789:AAH{SECRET}abcdefgh/-100123",
            f"workflows://example.com/{SECRET}/{SECRET}",
        ],
    )
    def test_no_file_takes_the_place_of_the_message(self, service: str) -> None:
        (complaint,) = complaints(channel(f"{service}/?template=/etc/passwd"))

        assert "template=" in complaint.what
        assert "--message-template" in complaint.instead

    @pytest.mark.parametrize("network", [{"proxy": Secret("http://proxy:3128")}, {"ca": "x"}, {"certificate": "x"}])
    def test_what_does_not_go_by_our_door(self, network: dict[str, Any]) -> None:
        (complaint,) = complaints(channel("mailto://user:pass@example.com", **network))

        assert complaint.field == "spec.type"
        assert complaints(channel("jsons://example.com", **network)) == ()
        assert complaints(channel(f"guilded://{SECRET}/{SECRET}", **network)) == ()  # made of another plugin
        assert complaints(channel("mailto://user:pass@example.com")) == ()

    @pytest.mark.parametrize(
        "address",
        [
            f"tgram://123456789:AAH{SECRET}abcdefgh/-100123",
            f"slack://T1JJ3T3L2/A1BRTD4JD/{SECRET}/#general",
            f"https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/{SECRET}",
            "json://localhost:8080/path/?to=a,b",
            "json://localhost/?redirect=no&verify=yes&rto=4.0&cto=4",
            "sendgrid://abcd:user@example.com/ops@example.com?template=5",
            "rsyslog://localhost",
        ],
    )
    def test_what_it_understands(self, address: str) -> None:
        assert complaints(channel(address)) == ()


class TestDoor:
    def test_json(self) -> None:
        with Json() as service:
            sent(channel(service.address))

            (taken,), (request,) = service.taken, service.asked

        assert taken["title"] == "acme/fleet main@6dcd4ce2 failed on prod"
        assert taken["type"] == "failure"
        assert request.headers["user-agent"] == "landed"

    def test_twice_without_a_pause(self) -> None:
        with Json() as service, Http() as http:
            way = Apprise(channel(service.address), lambda: http)
            for _ in range(2):
                acknowledged(way.send(asked(channel(service.address))))

            assert len(service.taken) == 2

    def test_none_is_made_to_wait(self) -> None:
        service = _service("gchat://workspace/key/token")

        assert service is not None
        assert type(service).request_rate_per_sec > 0
        assert service.request_rate_per_sec == 0

    @pytest.mark.parametrize(
        ("form", "shown"), [("text", "a <b> & *c*"), ("html", "a&nbsp;&lt;b&gt;"), ("markdown", "\\*c\\*")]
    )
    def test_the_library_escapes(self, form: str, shown: str) -> None:
        told = structs.replace(
            story(State.SUCCESS), words=("title", "a < b & *c*" if form != "text" else "a <b> & *c*")
        )
        with Json() as service:
            sent(channel(f"{service.address}?format={form}"), Digest((told,)))

            assert shown.replace("<b", "<\u200bb").replace("&lt;b&gt;", "&lt;") in service.taken[0]["message"]

    def test_another_plugin(self) -> None:
        said: list[Asked] = []

        def act(one: Asked) -> Answer:
            said.append(one)
            return Answer(200, b'{"id":"FM0MXDz8hNu2","event":"message"}', {"Content-Type": "application/json"})

        with StandIn(act) as service, Http() as http:
            to = channel(f"ntfy://127.0.0.1:{service.port}/{SECRET}")
            acknowledged(Apprise(to, lambda: http).send(asked(to)))

        (one,) = said
        assert b"failed on prod" in one.body

    @pytest.mark.parametrize("form", ["text", "markdown", "html"])
    @pytest.mark.parametrize("text", ["<script>x</script>", "**b** [click](http://evil.example)", "<!channel> @here"])
    def test_hostile_text_in_every_format(self, form: str, text: str) -> None:
        with Json() as service:
            sent(channel(f"{service.address}?format={form}"), hostile(text, State.FAILURE))

            (taken,) = service.taken
        shown = taken["message"].replace("\u200b", "|")
        assert "<script" not in shown
        assert "](http" not in shown
        assert "@here" not in shown
        assert "<!" not in shown

    @pytest.mark.parametrize(
        ("code", "passing", "uncertain"),
        [(400, False, False), (404, False, False), (429, True, False), (502, True, True)],
    )
    def test_a_refusal_is_known_by_its_status(self, code: int, passing: bool, uncertain: bool) -> None:
        with Json() as service:
            service.faults += [answer(code, body=f"no {SECRET}")] * 9
            error = failure(channel(service.address))

        assert str(code) in error.message
        assert (error.passing, error.uncertain) == (passing, uncertain)

    def test_what_may_have_arrived_is_not_repeated_even_where_the_address_asks_for_it(self) -> None:
        with Json() as service:
            service.faults.append(lost())
            error = failure(channel(f"{service.address}?retry=3&wait=0"))

            assert len(service.asked) == 1
        assert error.uncertain

    def test_an_optional_service_that_fails_has_failed(self) -> None:
        with Json() as service:
            service.faults.append(answer(404))
            assert "404" in failure(channel(f"{service.address}?optional=yes")).message

    def test_a_service_that_says_no_in_its_own_words(self) -> None:
        with StandIn(lambda _: Answer(200, b'{"status":"error"}')) as rocket:
            error = failure(channel(f"rocket://u:{SECRET}@127.0.0.1:{rocket.port}/#room"))

        assert "the message was not taken" in error.message
        assert (error.passing, error.uncertain) == (False, False)

    def test_one_of_two_targets_has_taken_it(self) -> None:
        answers = iter([Answer(200, b"{}"), Answer(404, b"no")])
        with StandIn(lambda _: next(answers)) as ntfy:
            error = failure(channel(f"ntfy://127.0.0.1:{ntfy.port}/one/two"))

        assert error.uncertain
        assert "others have taken it" in error.message

    def test_our_door_may_take_its_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Else the library would give it up, and it would arrive after it was said that it could not be delivered."""
        monkeypatch.setattr("landed.providers.doors.apprise.SERVICE_TIMEOUT", 0.01)
        monkeypatch.setattr("apprise.apprise._ABANDON_GRACE_SECONDS", 0.01)

        def slow(_: Asked) -> Answer:
            threading.Event().wait(0.3)
            return Answer(200)

        with StandIn(slow) as service:
            sent(channel(f"json://127.0.0.1:{service.port}/x"))

            assert len(service.asked) == 1

    def test_what_our_door_does_not_carry_has_a_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("landed.providers.doors.apprise.SERVICE_TIMEOUT", 0.2)
        monkeypatch.setattr("apprise.apprise._ABANDON_GRACE_SECONDS", 0.1)
        with socket.create_server(("127.0.0.1", 0)) as mute:
            port = mute.getsockname()[1]
            address = f"mailto://u:{SECRET}@127.0.0.1:{port}?from=a@example.com&to=b@example.com&mode=insecure"
            error = failure(channel(address, timeout=1.5))

        assert (error.passing, error.uncertain) == (True, True)

    @pytest.mark.parametrize("form", ["slack://{}/A1BRTD4JD/x", "gotify://example.com/{}", "json://{}:{}@example.com"])
    def test_a_token_in_the_hosts_place_is_no_host(self, form: str) -> None:
        request = asked(channel(form.replace("{}", SECRET)))

        assert request.origin == "Apprise"
        assert SECRET.lower() not in repr(request).lower()

    def test_an_answer_does_not_tell_what_is_in_the_hosts_place(self) -> None:
        with Json() as service:
            service.faults.append(answer(404, body="nobody is called Some User77, ops-4711-room"))
            error = failure(channel(service.address.replace("://", "://Some%20User77:pw@") + "?to=ops-4711-room"))

        assert "404" in error.message
        assert "User77" not in error.message
        assert "4711" not in error.message

    def test_nobody_is_there(self) -> None:
        with Json() as service:
            address = service.address
        error = failure(channel(address))

        assert "refused" in error.message
        assert error.passing
        assert not error.uncertain

    def test_what_speaks_no_http_says_only_that_it_failed(self) -> None:
        error = failure(
            channel(f"mailto://u:{SECRET}@127.0.0.1:9?from=a@example.com&to=b@example.com&mode=insecure", timeout=1.0)
        )

        assert (error.passing, error.uncertain) == (True, True)

    def test_its_log_reaches_nobody(self, capfd: pytest.CaptureFixture[str]) -> None:
        with Json() as service:
            service.faults.append(answer(404))
            failure(channel(service.address))

        assert capfd.readouterr() == ("", "")
        assert not logging.getLogger("apprise").propagate

    def test_certificates_and_proxy(self) -> None:
        authority = trustme.CA()
        with Json(context=_context(authority)) as service, Proxy() as proxy:
            distrusted = failure(channel(service.address))
            ca = authority.cert_pem.bytes().decode()
            sent(channel(service.address, ca=ca, proxy=Secret(proxy.url)))

            assert len(service.taken) == 1
        assert "not trusted" in distrusted.message

    def test_nobody_else_s_requests_are_carried(self) -> None:
        """The hook concerns a notification alone, even while one is under way in another thread."""
        codes: list[int] = []

        def beside(port: int) -> None:
            codes.append(plain_requests.get(f"http://127.0.0.1:{port}/plain", timeout=5).status_code)

        class Beside:
            """A door that lets somebody else speak before it sends."""

            def send(self, request: Request) -> Response:
                thread = threading.Thread(target=beside, args=(port,))
                thread.start()
                thread.join()
                return Response(200, {}, b"{}")

        with StandIn(lambda _: Answer(404, b"{}")) as service:
            port = service.port
            to = channel(f"json://127.0.0.1:{port}/x")
            acknowledged(Apprise(to, cast("Any", Beside)).send(asked(to)))

            assert [one.path for one in service.asked] == ["/plain"]
        assert codes == [404]

    def test_an_address_that_was_not_looked_at(self) -> None:
        assert "does not understand" in failure(channel(f"nothing://{SECRET}")).message


def _context(authority: trustme.CA) -> Any:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


def test_only_yes_is_an_acknowledgement() -> None:
    assert acknowledged(Response(200, {}, b"true")) == ""
    for body in (b"false", b"", b"1", b'"true"', b"{}", b"\xff"):
        with pytest.raises(DeliveryError):
            acknowledged(Response(200, {}, body))


def test_the_library_is_the_judge_of_kinds() -> None:
    assert {"info", "success", "warning", "failure"} == {kind.value for kind in apprise.NotifyType}
