"""What is Grafana's own: regions, tags, HTML, where annotations belong, and its words for what went wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from standins.grafana import NOW, PASSWORD, USER, Grafana, annotation_problems
from standins.server import answer

from landed.errors import DeliveryError
from landed.http import Http, Request, Response
from landed.model import (
    Channel,
    Digest,
    Mark,
    ObjectRef,
    Observation,
    Outcome,
    Repository,
    Secret,
    State,
    Story,
    Update,
)
from landed.providers.chat import grafana
from landed.providers.outlet import ChannelOutlet

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
ABOUT = f"{FLEET} {COMMIT}"
AT = 1_790_000_000


def observed(state: State = State.SUCCESS, name: str = "web", since: int = AT, **changes: Any) -> Observation:
    settings: dict[str, Any] = {"reason": "ReconciliationSucceeded", "message": "done", "duration": "13.25s"}
    settings |= {"revision": f"main@sha1:{COMMIT}"} | changes
    return Observation(ObjectRef("Kustomization", "apps", name), state, FLEET, COMMIT, since=since, **settings)


def story(*observations: Observation, cluster: str = "prod", **settings: Any) -> Story:
    return Story(Outcome(cluster, FLEET, COMMIT, observations or (observed(),)), **settings)


def digest(*stories: Story, **settings: Any) -> Digest:
    return Digest(stories or (story(),), **({"about": ABOUT} | settings))


def channel(address: str = "https://grafana.example.com/api/annotations", **settings: Any) -> Channel:
    return Channel("grafana", "grafana", Secret(address), **settings)


def sent(told: Digest, **settings: Any) -> Request:
    (request,) = grafana.requests(channel(**settings), told)
    return request


def body(told: Digest, **settings: Any) -> dict[str, Any]:
    request = sent(told, **settings)
    read: dict[str, Any] = json.loads(request.body)
    assert annotation_problems(read, request.method) == []
    return read


def times(told: Digest) -> tuple[int | None, int | None]:
    read = body(told)
    return read.get("time"), read.get("timeEnd")


# ── when ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_region_from_when_the_first_was_begun_to_when_the_last_was_live() -> None:
    told = digest(story(observed(), observed(name="api", since=AT + 60, duration="1m30s")))
    assert times(told) == ((AT - 30) * 1000, (AT + 60) * 1000)


def test_over_all_clusters() -> None:
    told = digest(story(), story(observed(since=AT + 300), cluster="stage"))
    assert times(told) == (AT * 1000 - 13_250, (AT + 300) * 1000)


def test_without_a_result_it_is_open() -> None:
    assert times(digest(story(observed(State.PENDING)))) == (AT * 1000, None)
    waiting = story(observed(State.PENDING, since=AT + 99), cluster="stage")
    assert times(digest(story(), waiting)) == (AT * 1000 - 13_250, None)


def test_a_failure_ends_it_whatever_else_is_on_its_way() -> None:
    failed = story(observed(State.FAILURE, since=AT + 20), observed(State.PENDING, "api", AT + 99))
    assert times(digest(failed, story(observed(State.PENDING), cluster="stage"))) == (
        AT * 1000,
        (AT + 20) * 1000,
    )


def test_what_is_not_known_is_left_to_grafana() -> None:
    assert times(digest(story(observed(since=0)))) == (None, None)
    assert times(digest(story(observed(State.PENDING, since=0)))) == (None, None)


def test_a_trouble_without_a_commit_is_a_moment() -> None:
    trouble = Observation(
        ObjectRef("GitRepository", "flux-system", "fleet"), State.FAILURE, since=AT, message="timeout"
    )
    told = Digest((Story(Outcome("prod", Repository("", ""), "", (trouble,))),))
    read = body(told)

    assert (read["time"], "timeEnd" in read) == (AT * 1000, False)
    assert "source-controller" in read["tags"]
    assert not [tag for tag in read["tags"] if tag.startswith("commit")]


def test_a_change_leaves_the_beginning_as_it_is() -> None:
    request = sent(digest(handle="42"))

    assert (request.method, request.url.reveal()) == ("PATCH", "https://grafana.example.com/api/annotations/42")
    assert set(json.loads(request.body)) == {"timeEnd", "tags", "text"}


def test_from_reconciling_to_live_by_way_of_a_failure() -> None:
    """One region, which a failure ends and a recovery extends; both are marked at their own time as well."""
    with Grafana() as service, Http() as http:
        outlet = ChannelOutlet(channel(service.address, token=Secret(service.token)), lambda: http)

        def tell(told: Digest) -> str:
            return outlet.deliver(Update("grafana", (Mark("x", COMMIT, "x"),), told))

        handle = tell(digest(story(observed(State.PENDING, since=AT))))
        (region,) = service.messages.values()
        assert (region["time"], region["timeEnd"]) == (AT * 1000, AT * 1000)
        failed, live = observed(State.FAILURE, since=AT + 60, message="broke"), observed(since=AT + 300)
        for one in (failed, live):
            tell(digest(story(one), handle=handle))
            tell(digest(story(one), handle=handle, reply=True))

    assert service.violations == []
    region, *moments = service.messages.values()
    assert (region["time"], region["timeEnd"]) == (AT * 1000, (AT + 300) * 1000)
    assert "is live on prod" in region["text"]
    assert "state: success" in region["tags"]
    assert [(one["time"], one["timeEnd"]) for one in moments] == [((AT + s) * 1000, (AT + s) * 1000) for s in (60, 300)]
    assert "broke" in moments[0]["text"]


def test_what_was_deleted_is_made_anew_from_its_beginning() -> None:
    with Grafana() as service, Http() as http:
        outlet = ChannelOutlet(channel(service.address, token=Secret(service.token)), lambda: http)
        anew = outlet.deliver(Update("grafana", (Mark("x", COMMIT, "x"),), digest(handle="7")))

    (region,) = service.messages.values()
    assert anew == "42"
    assert (region["time"], region["timeEnd"]) == (AT * 1000 - 13_250, AT * 1000)


def test_of_one_that_comes_late_the_time_is_not_grafanas() -> None:
    with Grafana() as service, Http() as http:
        http.send(sent(digest(), address=service.address, token=Secret(service.token)))
    assert next(iter(service.messages.values()))["time"] != NOW


# ── what ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_text_and_tags() -> None:
    told = digest(story(observed(State.FAILURE, message="<b>no</b>")), summary="Call Aurora", facts=(("env", "a:b"),))

    assert body(told)["text"].split("<br>\n") == [
        "❌ acme/fleet main@6dcd4ce2 failed on prod",
        "apps/web: Reconciliation succeeded: &lt;b&gt;no&lt;/b&gt;",
        "Look further: flux events -n apps --for Kustomization/web",
        f'prod · <a href="https://github.com/acme/fleet/commit/{COMMIT}">acme/fleet@6dcd4ce2</a>',
        "summary: Call Aurora",
        "env: a:b",
    ]
    assert body(told)["tags"] == [
        "flux",
        "kustomize-controller",
        "state: failure",
        "cluster: prod",
        f"commit: {COMMIT}",
        f"revision: main@sha1|{COMMIT}",
        "env: a|b",
        "kind: Kustomization",
        "namespace: apps",
        "name: web",
    ]


def test_the_most_sought_tags_have_room_first() -> None:
    objects = tuple(observed(name=f"app-{number}") for number in range(200))
    tags = body(digest(story(*objects), facts=(("team", "x" * 90),)))["tags"]

    assert {"flux", "state: success", f"commit: {COMMIT}", "team: " + "x" * 90, "kind: Kustomization"} <= set(tags)
    assert "name: app-0" in tags
    assert "name: app-199" not in tags


@pytest.mark.parametrize("name", ["<&>" * 40, "ü" * 100, "😀" * 60, ":" * 50, '"' * 80, "x" * 500])
def test_tags_have_room_however_they_are_written(name: str) -> None:
    facts = tuple((f"{name[:60]}{number}", name) for number in range(20))
    tags = body(digest(story(cluster=name), facts=facts))["tags"]

    assert len(json.dumps(tags, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c").encode()) <= 500


@settings(deadline=None)
@given(text=st.text(), name=st.text(), value=st.text())
def test_any_text_is_text(text: str, name: str, value: str) -> None:
    about = Observation(ObjectRef(text, name, value), State.FAILURE, FLEET, COMMIT, name, text, since=AT)
    body(Digest((Story(Outcome(value, FLEET, COMMIT, (about,)), subject=text),), summary=text, facts=((name, value),)))


def test_limits() -> None:
    stories = tuple(story(observed(message="<" * 9000), cluster=f"c{number}") for number in range(60))
    told = Digest(stories, summary="&" * 9000, facts=tuple((f"f{number}", "x" * 999) for number in range(90)))
    assert len(body(told)["text"]) <= 4000


# ── where ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("address", "goes"),
    [
        ("https://g.example", "https://g.example/api/annotations"),
        ("https://g.example/", "https://g.example/api/annotations"),
        ("https://g.example/grafana/", "https://g.example/grafana/api/annotations"),
        ("https://g.example/api/annotations/", "https://g.example/api/annotations"),
        ("https://g.example/api/annotations/graphite", "https://g.example/api/annotations"),
        ("https://g.example/api/annotations?orgId=2&panelId=3", "https://g.example/api/annotations?orgId=2"),
    ],
)
def test_where_it_goes(address: str, goes: str) -> None:
    assert sent(digest(), address=address).url.reveal() == goes
    path, mark, query = goes.partition("?")
    assert sent(digest(handle="9"), address=address).url.reveal() == f"{path}/9{mark}{query}"


def test_a_dashboard_and_a_panel() -> None:
    address = "https://g.example/api/annotations?dashboardUID=jcIIG-07z&panelId=2"
    read = body(digest(), address=address)

    assert (read["dashboardUID"], read["panelId"]) == ("jcIIG-07z", 2)
    assert not {"dashboardUID", "panelId"} & set(body(digest(handle="9"), address=address))


def test_a_token_goes_before_a_login() -> None:
    both = {"token": Secret("glsa_x"), "username": USER, "password": Secret(PASSWORD)}
    assert sent(digest(), **both).headers["Authorization"] == Secret("Bearer glsa_x")
    assert "Authorization" not in sent(digest()).headers


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"username": USER}, "spec.secretRef"),
        ({"password": Secret(PASSWORD)}, "spec.secretRef"),
        ({"token": Secret("a b")}, "spec.secretRef"),
        ({"address": "https://g.example/?panelId=two"}, "spec.address"),
    ],
)
def test_settings_that_cannot_work_are_complained_of(settings: dict[str, Any], field: str) -> None:
    (complaint,) = grafana.complaints(channel(**settings))
    assert complaint.field == field


def test_settings_that_can_are_not() -> None:
    both = {"username": USER, "password": Secret(PASSWORD)}
    for good in ({}, {"token": Secret("t")}, both, {"token": Secret("t"), "password": Secret(PASSWORD)}):
        assert grafana.complaints(channel(**good)) == ()


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "said", "gone"),
    [
        (404, '{"message":"Could not find annotation to update"}', True),
        (500, '{"message":"Could not find annotation to update"}', True),
        (404, '{"message":"Annotation not found"}', True),
        (404, '{"message":"Not found"}', False),
        (403, '{"message":"Access denied"}', False),
    ],
)
def test_what_says_that_it_is_gone(status: int, said: str, gone: bool) -> None:
    with Grafana() as service, Http() as http:
        service.faults.append(answer(status, body=said))
        with pytest.raises(DeliveryError) as caught:
            http.send(sent(digest(handle="9"), address=service.address, token=Secret(service.token)))
    assert caught.value.gone is gone


@pytest.mark.parametrize("handle", ["0", "-1", "1.5", "٣", "9" * 20, "1/2", "42\n"])
def test_a_number_that_is_none_is_gone(handle: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        sent(digest(handle=handle))
    assert caught.value.gone


@pytest.mark.parametrize(
    ("said", "handle"),
    [(b'{"message":"Annotation added","id":1}', "1"), (b'{"message":"Annotation patched"}', ""),
     (b'{"message":"Annotation added","id":1,"endId":2}', "1")],
)  # fmt: skip
def test_what_is_an_acknowledgement(said: bytes, handle: str) -> None:
    assert grafana.acknowledged(Response(200, {}, said)) == handle


def test_tags_that_are_too_long_for_this_grafana_say_what_to_do() -> None:
    with Grafana() as service, Http() as http:
        service.faults.append(answer(400, body='{"message":"tags length (480) exceeds the maximum allowed (400)"}'))
        with pytest.raises(DeliveryError) as caught:
            http.send(sent(digest(), address=service.address, token=Secret(service.token)))
    assert "tags_length" in caught.value.hint


def test_the_same_bytes() -> None:
    assert sent(digest()) == sent(structs.replace(digest()))
