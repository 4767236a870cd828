"""What a channel remembers within one run of what it has told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs

from landed import providers
from landed.http import Request, Response
from landed.model import Channel, Event, InvolvedObject, Mark, Occurrence, Secret, State, Update
from landed.providers.outlet import ChannelOutlet

WEB = InvolvedObject("Kustomization", "apps", "web", "", "kustomize.toolkit.fluxcd.io/v1")
COMMIT = InvolvedObject(name="c0ffee")


@pytest.fixture
def handles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The handles that the channel's file is given; each answer is the number of the request."""
    given: list[str] = []

    def requests(_: Channel, payload: Any) -> tuple[Request, ...]:
        given.append(payload.handle)
        return (Request("POST", Secret("https://hook.example.com"), {}, b"{}", "Service"),)

    module = SimpleNamespace(requests=requests, acknowledged=lambda _: f"n{len(given)}" if len(given) < 4 else "")
    monkeypatch.setattr(providers, "chat_module", lambda _: module)
    return given


def outlet() -> ChannelOutlet:
    http: Any = SimpleNamespace(send=lambda _: Response(200, {}, b"ok", "Service", ""))
    return ChannelOutlet(Channel("pagerduty", "pagerduty", Secret("https://hook.example.com")), lambda: http)


def tell(it: ChannelOutlet, about: InvolvedObject, *states: State, handle: str = "") -> None:
    event = Event(about, "info", "2026-08-20T09:15:42Z", "m", "R", {}, "kustomize-controller")
    payload = Occurrence(event, State.SUCCESS, "prod it", "prod", 1, handle=handle)
    for state in states:
        it.deliver(Update("pagerduty", (Mark("l", "c", "f"),), structs.replace(payload, state=state)))


def test_what_is_open_of_an_object_has_the_last_name_until_it_is_over(handles: list[str]) -> None:
    tell(outlet(), WEB, State.FAILURE, State.FAILURE, State.SUCCESS, State.SUCCESS)
    assert handles == ["", "n1", "n2", ""]


def test_a_commit_stays_what_it_is_called(handles: list[str]) -> None:
    tell(outlet(), COMMIT, State.FAILURE, State.SUCCESS, State.SUCCESS)
    assert handles == ["", "n1", "n2"]


def test_a_service_that_gives_no_name_does_not_take_away_the_one_that_is_known(handles: list[str]) -> None:
    handles += ["", "", ""]
    tell(outlet(), WEB, State.FAILURE, State.SUCCESS, handle="known")
    assert handles[3:] == ["known", "known"]
