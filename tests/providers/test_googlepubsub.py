"""Google Pub/Sub: what is published, where, and as whom.

Judges: Google's own description of its API (``data/chat/googlepubsub``), and ``google-auth``, which signs.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from integration.guide import Internet, tls
from manifest_runs import Rollout
from msgspec import structs
from standins.googlepubsub import PubSub, Tokens
from standins.server import StandIn, answer, hang

from landed import events
from landed.errors import ConfigurationError, DeliveryError
from landed.http import Http, Response
from landed.model import Channel, Event, InvolvedObject, Network, Secret
from landed.providers.chat import googlepubsub as pubsub
from landed.providers.doors.google import door

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No identity of a developer's machine, nor of a machine of Google's."""
    for name in [*os.environ]:
        if name.startswith(("GOOGLE_", "PUBSUB_", "GCE_", "CLOUDSDK_", "GCLOUD_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setattr("google.auth.compute_engine._metadata._NO_GCE_CHECK", True)


@pytest.fixture
def topic() -> Iterator[PubSub]:
    with PubSub() as one:
        yield one
        assert one.violations == []


def event() -> Event:
    about = InvolvedObject("Kustomization", "apps", "web", "uid", "kustomize.toolkit.fluxcd.io/v1")
    return Event(about, "error", "2026-09-21T14:13:20Z", "<timeout>", "HealthCheckFailed", {"cluster": "prod"}, "c")


def channel(address: str = "acme-prod", **settings: Any) -> Channel:
    return Channel("googlepubsub", "googlepubsub", Secret(address), **{"channel": PubSub.channel, **settings})


def send(at: Channel, network: Network = Network(), times: int = 1) -> None:  # noqa: B008
    (request,) = pubsub.requests(at, event())
    with Http(network=network, sleep=lambda _: None, timeout=(3.0, 3.0)) as http:
        out = door(at, lambda: http)
        for _ in range(times):
            assert pubsub.acknowledged(out.send(request)) == ""


def failure(at: Channel, network: Network = Network()) -> DeliveryError:  # noqa: B008
    with pytest.raises(DeliveryError) as caught:
        send(at, network)
    shown = f"{caught.value.message} {caught.value.hint} {caught.value.__context__}"
    assert not [one for one in ("PRIVATE KEY", "MII", Tokens.subject, "ya29") if one in shown]
    assert not caught.value.uncertain
    return caught.value


class TestMessages:
    def test_the_event_as_flux_writes_it(self, topic: PubSub) -> None:
        send(channel(topic.address))
        assert topic.bodies == [events.body(event())]
        assert topic.attributes == [{}]
        assert topic.asked[0].target == "/v1/projects/acme-prod/topics/flux-events:publish"

    def test_people_are_shown_the_event(self) -> None:
        (request,) = pubsub.requests(channel(headers=(("env", Secret("prod")),)), event())
        message = {"data": json.loads(events.body(event())), "attributes": {"env": "prod"}}
        assert pubsub.shown(request.body) == {"messages": [message]}

    def test_headers_are_attributes(self, topic: PubSub) -> None:
        send(channel(topic.address, headers=(("env", Secret("prod")), ("größe", Secret("<&>")))))
        assert topic.attributes == [{"env": "prod", "größe": "<&>"}]

    def test_as_many_and_as_long_as_the_service_takes(self, topic: PubSub) -> None:
        longest = (("ü" * 128, Secret("ü" * 512)),)
        send(channel(topic.address, headers=longest + tuple((f"n{number}", Secret("")) for number in range(99))))
        assert len(topic.attributes[0]) == 100

    @pytest.mark.parametrize(
        ("headers", "what"),
        [
            (tuple((f"n{number}", Secret("")) for number in range(101)), "`headers` are 101"),
            ((("ü" * 129, Secret("")),), "is too long"),
            ((("x", Secret("s3cr3t" + "ü" * 510)),), "is too long"),
            ((("googclient", Secret("")),), "begins with goog"),
        ],
    )
    def test_what_it_does_not_take(self, headers: Any, what: str) -> None:
        (complaint,) = pubsub.complaints(channel(headers=headers))
        assert complaint.field == "spec.secretRef"
        assert what in complaint.what
        assert "s3cr3t" not in complaint.what
        with pytest.raises(DeliveryError):
            pubsub.requests(channel(headers=headers), event())

    @pytest.mark.parametrize("name", ["flux-events", "Flux_1.~+x", "a%2Fb"])
    def test_names_of_topics(self, name: str) -> None:
        with PubSub() as topic:
            topic.channel = name.replace("%2F", "/")
            if "%" not in name:
                send(channel(topic.address, channel=name))
        assert pubsub.complaints(channel(channel=name)) == ()

    @pytest.mark.parametrize(
        "name", ["", "ab", "1ab", "goog-x", "a/b", "projects/p/topics/t", "a b c", "x" * 256, "abc:x"]
    )
    def test_what_is_no_topic(self, name: str) -> None:
        (complaint,) = pubsub.complaints(channel(channel=name))
        assert complaint.field == "spec.channel"

    @pytest.mark.parametrize(
        ("address", "url"),
        [
            ("acme-prod", "https://pubsub.googleapis.com/v1/projects/acme-prod"),
            ("projects/acme-prod", "https://pubsub.googleapis.com/v1/projects/acme-prod"),
            ("example.com:acme", "https://pubsub.googleapis.com/v1/projects/example.com:acme"),
            ("http://localhost:8085/v1/projects/p/", "http://localhost:8085/v1/projects/p"),
            (
                "https://europe-west1-pubsub.googleapis.com/v1/projects/p",
                "https://europe-west1-pubsub.googleapis.com/v1/projects/p",
            ),
        ],
    )
    def test_projects(self, address: str, url: str) -> None:
        (request,) = pubsub.requests(channel(address), event())
        assert request.url.reveal() == f"{url}/topics/flux-events:publish"

    @pytest.mark.parametrize(
        "address",
        ["", "Acme", "a b", "a/b", "http://localhost:8085", "http://localhost:8085/projects/p", "ftp://x/v1/projects/p",
         "https://u:p@x/v1/projects/p", "https:///v1/projects/p", "http://[::1/v1/projects/p", "projects/-"],
    )  # fmt: skip
    def test_what_is_no_project(self, address: str) -> None:
        (complaint,) = pubsub.complaints(channel(address))
        assert complaint.field == "spec.address"

    def test_the_emulator_that_the_environment_names(self, topic: PubSub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{topic.server.port}")
        send(channel("acme-prod"))
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", topic.server.url)
        with Tokens() as tokens:
            send(channel("acme-prod", token=Secret(tokens.account())))
            assert tokens.asked == []
        assert len(topic.taken) == 2

    @pytest.mark.parametrize(
        ("status", "word", "hint"),
        [
            (403, "PERMISSION_DENIED", "roles/pubsub.publisher"),
            (403, "SERVICE_DISABLED", "Enable the Pub/Sub API"),
            (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "the scope"),
            (404, "NOT_FOUND", "names of project and topic"),
            (401, "UNAUTHENTICATED", "Check the credentials"),
        ],
    )
    def test_words_of_the_service(self, topic: PubSub, status: int, word: str, hint: str) -> None:
        topic.faults.append(
            answer(status, body=json.dumps({"error": {"code": status, "message": "m", "status": word}}))
        )
        error = failure(channel(topic.address))
        assert hint in error.hint
        assert not error.passing

    def test_a_topic_that_is_not_there(self, topic: PubSub) -> None:
        error = failure(channel(topic.address, channel="other"))
        assert "answered 404 Not Found" in error.message
        assert "Resource not found (resource=other)" in error.message

    def test_from_a_manifest(self, topic: PubSub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        secret = {"headers": "env: prod\n"}
        settings = {"type": "googlepubsub", "address": topic.address, "channel": topic.channel}
        told = Rollout(tmp_path, monkeypatch, secret, **settings).all_situations()
        assert [one for e in topic.taken if (one := (e["severity"], e["reason"]))[1] != "Progressing"] == told
        assert {json.dumps(one) for one in topic.attributes} == {'{"env": "prod"}'}


#: Credentials that would start a program.
STARTS = json.dumps(
    {
        "type": "external_account",
        "audience": "a",
        "subject_token_type": "b",
        "token_url": "c",
        "credential_source": {"executable": {"command": "rm"}},
    }
)


class Google:
    """Google's public names, led to stand-ins."""

    def __init__(self, stack: ExitStack, api: str = "pubsub.googleapis.com", **tokens: Any) -> None:
        authority = trustme.CA()
        context = tls(authority, api, "oauth2.googleapis.com", "sts.googleapis.com")
        self.topic = stack.enter_context(PubSub(context=context))
        self.tokens = stack.enter_context(Tokens(context=context, **tokens))
        self.tokens.url = "https://oauth2.googleapis.com/token"
        self.topic.tokens = {"ya29.token-0"}
        internet = stack.enter_context(Internet())
        internet.ports = {api: self.topic.server.port}
        internet.ports |= dict.fromkeys(("oauth2.googleapis.com", "sts.googleapis.com"), self.tokens.server.port)
        self.network = Network(Secret(internet.url), authority.cert_pem.bytes().decode())


@pytest.fixture
def google() -> Iterator[Google]:
    with ExitStack() as stack:
        one = Google(stack)
        yield one
        assert one.topic.violations == []


def ours() -> set[str]:
    """The threads that run, but for those of stand-ins, which have one for each connection."""
    return {thread.name for thread in threading.enumerate() if "process_request_thread" not in thread.name}


class TestCredentials:
    def test_a_service_account_whose_token_is_kept(self, google: Google) -> None:
        before = ours()
        send(channel(token=Secret(google.tokens.account())), google.network, 3)
        assert (len(google.topic.taken), len(google.tokens.given)) == (3, 1)
        assert ours() <= before

    def test_a_token_that_has_expired_is_renewed(self) -> None:
        with ExitStack() as stack:
            google = Google(stack, expires_in=1)
            google.topic.tokens = {"ya29.token-0", "ya29.token-1"}
            send(channel(token=Secret(google.tokens.account())), google.network, 2)
            assert len(google.tokens.given) == 2

    def test_a_workload_identity(self, google: Google, tmp_path: Path) -> None:
        (tmp_path / "token").write_text(Tokens.subject)
        google.tokens.url = "https://sts.googleapis.com/v1/token"
        send(channel(token=Secret(google.tokens.federated(str(tmp_path / "token")))), google.network)
        assert len(google.topic.taken) == 1

    def test_credentials_of_the_environment(
        self, google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "key.json").write_text(google.tokens.account())
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
        send(channel(), google.network)
        assert len(google.topic.taken) == 1

    def test_a_machine_of_googles_is_asked_without_the_proxy(
        self, google: Google, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def act(asked: Any) -> Any:
            from standins.server import Answer

            said = {"Metadata-Flavor": "Google", "Content-Type": "application/json"}
            if asked.path.endswith("/token"):
                token = {"access_token": "ya29.token-0", "expires_in": 3600, "token_type": "Bearer"}
                return Answer(200, json.dumps(token).encode(), said)
            if asked.path.endswith("universe-domain"):
                return Answer(200, b"googleapis.com", {**said, "Content-Type": "text/plain"})
            account = {"email": "x@developer.gserviceaccount.com", "scopes": ["a"], "aliases": ["default"]}
            return Answer(200, json.dumps(account).encode(), said)

        # The library reads the environment when it is imported.
        monkeypatch.setattr("google.auth.compute_engine._metadata._NO_GCE_CHECK", False)
        with StandIn(act) as machine:
            host = f"127.0.0.1:{machine.port}"
            monkeypatch.setattr("google.auth.compute_engine._metadata._GCE_METADATA_HOST", host)
            for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP"):
                monkeypatch.setenv(name, host)
            send(channel(), google.network)
        assert len(google.topic.taken) == 1

    def test_nobody(self, google: Google) -> None:
        error = failure(channel(), google.network)
        assert error.message == "Google Pub/Sub: nothing says who we are."
        assert "GOOGLE_APPLICATION_CREDENTIALS" in error.hint
        assert google.topic.asked == []

    def test_a_file_of_the_environment_that_is_not_there(self, google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
        error = failure(channel(), google.network)
        assert error.message == "Google Pub/Sub: the credentials give no token: File /nowhere/key.json was not found."

    def test_a_kind_of_credentials_that_the_library_does_not_know(self, google: Google) -> None:
        given = {"type": "impersonated_service_account", "source_credentials": {"type": "external_account"}}
        url = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a:generateAccessToken"
        token = Secret(json.dumps({**given, "service_account_impersonation_url": url}))
        error = failure(channel(token=token), google.network)
        assert "the credentials give no token" in error.message
        assert error.hint == "Check the credentials."

    def test_a_machine_that_does_not_say_its_universe(self, google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
        from google.auth.exceptions import TransportError

        class Machine:
            valid, token = True, "ya29.token-0"

            @property
            def universe_domain(self) -> str:
                raise TransportError("no answer")  # type: ignore[no-untyped-call]

        monkeypatch.setattr("landed.providers.doors.google.loaded", lambda *_: Machine())
        error = failure(channel(), google.network)
        assert "the credentials give no token: no answer" in error.message

    def test_a_library_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "google.auth.exceptions", None)
        with pytest.raises(ConfigurationError, match="google-auth") as caught:
            send(channel())
        assert "landed[googlepubsub]" in caught.value.hint

    def test_a_key_that_was_deleted(self, google: Google) -> None:
        google.tokens.faults.append(
            answer(400, body='{"error":"invalid_grant","error_description":"Invalid JWT Signature."}')
        )
        error = failure(channel(token=Secret(google.tokens.account())), google.network)
        assert error.message.startswith("Google Pub/Sub: the credentials give no token: ")
        assert "Invalid JWT Signature" in error.message
        assert "make a new one" in error.hint
        assert not error.passing

    def test_a_key_that_is_none(self, google: Google) -> None:
        made = google.tokens.account(private_key="-----BEGIN PRIVATE KEY-----\nMIIx\n-----END PRIVATE KEY-----")
        error = failure(channel(token=Secret(made)), google.network)
        assert error.message == "Google Pub/Sub: the credentials give no token."
        assert google.tokens.asked == []

    @pytest.mark.parametrize("body", ["", "[]", '{"expires_in":3600}', "<html>"])
    def test_a_token_that_makes_no_sense(self, google: Google, body: str) -> None:
        google.tokens.faults.append(answer(400, body=body))
        assert "give no token" in failure(channel(token=Secret(google.tokens.account())), google.network).message

    def test_a_place_for_tokens_that_is_out_of_reach(self, google: Google) -> None:
        made = google.tokens.account(token_uri="https://elsewhere.googleapis.com/token")
        error = failure(channel(token=Secret(made)), google.network)
        assert "signing in (elsewhere.googleapis.com): the proxy" in error.message
        assert "refused to connect there: 403 Forbidden" in error.message

    def test_another_authority(self, google: Google) -> None:
        network = structs.replace(google.network, ca="")
        error = failure(channel(token=Secret(google.tokens.account())), network)
        assert "signing in (oauth2.googleapis.com): its certificate is not trusted" in error.message

    def test_a_place_for_tokens_that_says_nothing(self, google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("time.sleep", lambda _: None)
        google.tokens.faults.extend([hang()] * 9)
        (request,) = pubsub.requests(at := channel(token=Secret(google.tokens.account())), event())
        with Http(network=google.network, timeout=(3.0, 0.2)) as http, pytest.raises(DeliveryError) as caught:
            door(at, lambda: http).send(request)
        assert "signing in (oauth2.googleapis.com): no answer in time" in caught.value.message
        assert caught.value.passing

    def test_a_universe_of_its_own(self) -> None:
        with ExitStack() as stack:
            google = Google(stack, "pubsub.example.goog")
            made = google.tokens.account(universe_domain="example.goog")
            # There, accounts sign their tokens themselves.
            google.topic.tokens = Anything()
            send(channel(token=Secret(made)), google.network)
            assert len(google.topic.taken) == 1

    def test_credentials_go_to_google_alone(self, topic: PubSub) -> None:
        with Tokens() as tokens:
            send(channel(topic.address, token=Secret(tokens.account())))
            assert tokens.asked == []
        assert "authorization" not in topic.asked[0].headers

    @pytest.mark.parametrize(
        ("token", "what"),
        [
            ("s3cr3t", "no JSON object"),
            ("[]", "no JSON object"),
            ("[" * 99999, "no JSON object"),
            ("{}", "a type that is none of"),
            ('{"type":"gdch_service_account"}', "a type that is none of"),
            ('{"type":"service_account"}', "no client_email"),
            ('{"type":"service_account","client_email":"s3cr3t"}', "no private_key"),
            ('{"type":"external_account","audience":"a"}', "no subject_token_type"),
            ('{"type":"service_account","client_email":7,"private_key":"b","token_uri":"c"}', "no client_email"),
            (
                '{"type":"impersonated_service_account","service_account_impersonation_url":"u","source_credentials":"s3"}',
                "no source_credentials",
            ),
            (STARTS, "names a program to start"),
        ],
    )
    def test_complaints(self, token: str, what: str) -> None:
        (complaint,) = pubsub.complaints(channel(token=Secret(token)))
        assert complaint.field == "spec.secretRef"
        assert what in complaint.what
        assert "s3cr3t" not in complaint.what


class Anything(set[str]):
    """Any token will do."""

    def __contains__(self, token: object) -> bool:
        return bool(token)


def test_the_id_of_one_message_is_the_acknowledgement() -> None:
    assert pubsub.acknowledged(Response(200, {}, b'{"messageIds":["1"],"more":1}')) == ""
    for said in (b"", b"{}", b'{"messageIds":[]}', b'{"messageIds":["1","2"]}', b'{"messageIds":[1]}'):
        with pytest.raises(DeliveryError, match="without taking the message"):
            pubsub.acknowledged(Response(200, {}, said, "Google Pub/Sub (x)"))
