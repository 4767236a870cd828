"""What is Sentry's own: DSNs, envelopes, what becomes an issue and what does not, releases and environments."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs
from sentry_sdk.utils import BadDsn, Dsn
from standins.sentry import KEY, PROJECT, Sentry, envelope_of, envelope_problems
from standins.server import answer, lost

from landed import __version__
from landed.errors import DeliveryError
from landed.http import Http, Request, Response
from landed.model import Channel, Event, InvolvedObject, Occurrence, Repository, Secret, State
from landed.providers.chat import sentry

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
AT = 1_790_000_000
DSN = f"https://{KEY}@o1.ingest.example.com/{PROJECT}"


def happened(state: State = State.FAILURE, text: str = "timed out", **changes: Any) -> Occurrence:
    metadata = {"cluster": "prod", "revision": f"main@sha1:{COMMIT}"} | changes.pop("metadata", {})
    about = InvolvedObject("Kustomization", "apps", "web", "uid-1")
    event = Event(about, "error", "2026-09-21T14:13:20Z", text, "HealthCheckFailed", metadata, "kustomize-controller")
    settings: dict[str, Any] = {"repository": FLEET, "commit": COMMIT, "url": "https://git.example/c", "seconds": 13.25}
    settings |= {"cluster": "prod", "key": "prod Kustomization/apps/web", "at": AT}
    return Occurrence(event, state, **(settings | changes))


def sent(told: Occurrence, address: str = DSN, environment: str = "") -> Request:
    (request,) = sentry.requests(Channel("sentry", "sentry", Secret(address), environment), told)
    return request


def item(told: Occurrence, **settings: str) -> dict[str, Any]:
    body = sent(told, **settings).body
    assert envelope_problems(body)[0] == []
    read: dict[str, Any] = json.loads(body.split(b"\n")[2])
    return read


# ── what is sent ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failure_is_an_event() -> None:
    told = item(happened())

    assert envelope_of(sent(happened()).body).items[0].type == "event"
    assert told["level"] == "error"
    assert told["logentry"] == {"formatted": "timed out"}
    assert told["release"] == COMMIT
    assert told["environment"] == "prod"
    assert told["transaction"] == "Kustomization: apps/web"
    assert told["server_name"] == "kustomize-controller"
    assert told["fingerprint"] == ["prod Kustomization/apps/web", "HealthCheckFailed"]
    assert told["timestamp"] == AT
    assert told["tags"]["flux_involved_object_name"] == "web"
    assert told["contexts"]["flux"]["url"] == "https://git.example/c"


def test_silence_is_a_warning() -> None:
    assert item(happened(State.STALE))["level"] == "warning"


def test_a_success_is_a_transaction_of_the_commits_trace() -> None:
    told = item(happened(State.SUCCESS))

    assert envelope_of(sent(happened(State.SUCCESS)).body).items[0].type == "transaction"
    assert (told["start_timestamp"], told["timestamp"]) == (AT - 13.25, AT)
    assert (told["release"], told["environment"]) == (COMMIT, "prod")
    assert told["contexts"]["trace"]["status"] == "ok"
    assert told["contexts"]["trace"]["trace_id"] == item(happened())["contexts"]["trace"]["trace_id"]
    assert told["contexts"]["trace"]["span_id"] != item(happened())["contexts"]["trace"]["span_id"]


def test_a_wait_is_a_moment_and_no_issue() -> None:
    told = item(happened(State.PENDING))

    assert told["type"] == "transaction"
    assert told["start_timestamp"] == told["timestamp"]
    assert told["contexts"]["trace"]["op"] == "flux.wait"
    assert told["contexts"]["trace"]["status"] == "unknown"
    assert "level" not in told


def test_the_channel_is_the_environment() -> None:
    assert item(happened(), environment="staging")["environment"] == "staging"


DAY = 86400


@pytest.mark.parametrize("state", [State.FAILURE, State.SUCCESS, State.PENDING])
@pytest.mark.parametrize("later", [-3600, -61, -1, 0, 60, 4 * DAY, 5 * DAY + 1, 29 * DAY, 40 * DAY])
def test_what_sentry_would_drop_or_date_itself_has_the_time_when_it_is_told(state: State, later: int) -> None:
    sent_ = sent(happened(state, told=AT + later)).body
    problems, _ = envelope_problems(sent_, AT + later)
    assert problems == []
    told = json.loads(sent_.split(b"\n")[2])
    kept = 0 <= later < (29.9 if state is State.FAILURE else 4.9) * DAY
    assert told["timestamp"] == (AT if kept else AT + later)
    assert told["contexts"]["flux"]["since"] == "2026-09-21T14:13:20Z"
    if state is State.SUCCESS:
        assert told["timestamp"] - told["start_timestamp"] == 13.25


@pytest.mark.parametrize(
    ("cluster", "environment"),
    [
        ("a/b", "a-b"),
        ("a b\tc", "a-b-c"),
        ("a b", "a b"),
        ("..", None),
        ("x" * 100, "x" * 64),
        ("None", None),
        ("/", None),
        ("ü" * 40, "ü" * 32),
    ],
)
def test_a_clusters_name_is_made_to_fit(cluster: str, environment: str | None) -> None:
    assert item(happened(cluster=cluster)).get("environment") == environment


def test_without_a_commit_there_is_no_release_and_a_trace_of_its_own() -> None:
    told = item(happened(repository=Repository("", ""), commit=""))

    assert "release" not in told
    assert told["contexts"]["trace"]["trace_id"] != item(happened())["contexts"]["trace"]["trace_id"]


def test_the_same_has_the_same_id_and_all_else_another() -> None:
    assert sent(happened()) == sent(happened())
    ids = {item(happened(state))["event_id"] for state in (State.FAILURE, State.SUCCESS, State.PENDING)}
    ids |= {item(happened(at=AT + 1))["event_id"], item(happened(commit="f" * 40))["event_id"]}
    ids |= {item(happened(key="stage Kustomization/apps/web"))["event_id"]}
    assert len(ids) == 6


def test_the_same_failure_of_another_commit_is_the_same_issue() -> None:
    assert item(happened(commit="f" * 40))["fingerprint"] == item(happened())["fingerprint"]


def test_what_is_long_is_cut_and_metadata_cannot_pretend() -> None:
    forged = {"flux_reason": "forged", "environment": "x", "release": "x", "type": "x", "k": "v" * 999, "m" * 60: "x"}
    told = item(happened(text="x" * 20_000, metadata=forged | {f"n{number}": "x" for number in range(200)}))

    assert len(told["logentry"]["formatted"]) == 8192
    assert told["tags"]["flux_reason"] == "HealthCheckFailed"
    assert not {"environment", "release"} & set(told["tags"])
    assert len(told["tags"]) <= 50
    assert told["contexts"]["flux"]["k"] == "v" * 999


def test_a_failure_without_words_has_its_reason() -> None:
    assert item(happened(text=""))["logentry"] == {"formatted": "HealthCheckFailed"}


# ── the way there ───────────────────────────────────────────────────────────────────────────────────────────────────

GOOD = [DSN, f"http://{KEY}@127.0.0.1:9000/1", f"https://{KEY}:{'d' * 32}@sentry.example/prefix/sub/42"]
GOOD += [f"https://{KEY}@[::1]:9000/7", f"https://{KEY}@sentry.example/42?verify_ssl=0"]
BAD = ["", "https://o1.ingest.example.com/42", f"https://{KEY}@host/", f"https://{KEY}@host", f"https://{KEY}@host/x"]
BAD += [f"ftp://{KEY}@host/1", f"https://{KEY}@/1", f"https://{KEY}@host/1/", f"https://{KEY}@host:99999/1"]
BAD += [f"https://{KEY}@host/a b/1", f"https://{KEY}@host/../1", f"https://{KEY}@host/1/?x=1", "https://a,b@host/1"]
BAD += [f"https://{KEY}@host/1\n", "https://[::1", f"https://{KEY}@host/\u0661"]


@pytest.mark.parametrize("address", GOOD)
def test_a_dsn_means_what_sentrys_sdk_takes_it_for(address: str) -> None:
    theirs = Dsn(address).to_auth(f"landed/{__version__}")
    request = sent(happened(), address)

    if "[" not in address:  # their host has no brackets
        assert request.url.reveal() == theirs.get_api_url()
    auth = request.headers["X-Sentry-Auth"]
    assert isinstance(auth, Secret)
    assert set(auth.reveal().removeprefix("Sentry ").split(", ")) == set(
        theirs.to_header().removeprefix("Sentry ").split(", ")
    )
    assert sentry.complaints(Channel("sentry", "sentry", Secret(address))) == ()


@pytest.mark.parametrize("address", BAD)
def test_what_is_no_dsn_is_complained_of_and_gets_nothing(address: str) -> None:
    (complaint,) = sentry.complaints(Channel("sentry", "sentry", Secret(address)))

    assert "DSN" in complaint.what
    assert KEY not in str(complaint)
    with pytest.raises(DeliveryError, match="no DSN") as caught:
        sent(happened(), address)
    assert KEY not in f"{caught.value.message} {caught.value.hint}"


def test_what_sentrys_sdk_refuses_is_refused_here() -> None:
    for address in BAD:
        try:
            Dsn(address)
        except (BadDsn, ValueError):
            assert sentry.parsed(address) is None


@pytest.mark.parametrize("environment", ["a/b", "None", "x" * 65, "a\\b", "a\nb", ".", ".."])
def test_an_environment_that_sentry_does_not_take_is_complained_of(environment: str) -> None:
    (complaint,) = sentry.complaints(Channel("sentry", "sentry", Secret(DSN), environment))
    assert complaint.field == "spec.channel"


@pytest.mark.parametrize("environment", ["prod env", "-prod-", "Ünï", "x" * 64])
def test_an_environment_that_sentry_takes_stays_as_it_is(environment: str) -> None:
    assert sentry.complaints(Channel("sentry", "sentry", Secret(DSN), environment)) == ()
    assert item(happened(), environment=environment)["environment"] == environment


def test_what_may_not_have_arrived_is_sent_again_and_taken_once() -> None:
    with Sentry() as service, Http() as http:
        service.faults += [lost(), answer(429, {"Retry-After": "0", "X-Sentry-Rate-Limits": "60:error:project"})]
        sentry.acknowledged(http.send(sent(happened(), service.address)))

    assert len(service.asked) == 3
    assert len(service.taken) == 1


def test_a_wrong_key_is_not_quoted() -> None:
    with Sentry() as service, Http() as http:
        service.faults.append(answer(401, body=f"no project for {'e' * 32}"))
        with pytest.raises(DeliveryError) as caught:
            http.send(sent(happened(), service.address.replace(KEY, "e" * 32)))

    assert "401" in caught.value.message
    assert "e" * 32 not in caught.value.message
    assert "DSN" in caught.value.hint


@pytest.mark.parametrize(
    "said", [b'{"id":"fc6d8c0c43fc4630ad850ee518f1b9d0"}', b'{"id":"fc6d8c0c-43fc-4630-ad85-0ee518f1b9d0"}']
)
def test_an_id_is_an_acknowledgement(said: bytes) -> None:
    assert sentry.acknowledged(Response(200, {}, said)) == ""


def test_the_same_bytes_whatever_the_order_of_the_metadata() -> None:
    one = happened(metadata={"a": "1", "b": "2"})
    other = structs.replace(
        one, event=structs.replace(one.event, metadata=dict(sorted(one.event.metadata.items(), reverse=True)))
    )
    assert sent(one).body == sent(other).body
