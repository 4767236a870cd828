"""Google Chat, Lark, Webex and Zoom, each from a Provider manifest: what people read of a rollout."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from manifest_runs import Rollout
from objects import MAIN_B, MAIN_C, MAIN_D
from standins.googlechat import GoogleChat
from standins.lark import KEY, Lark
from standins.webex import Webex
from standins.zoom import Zoom

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ["is live on", "failed on", "is live on", "is waiting on"]


def texts(taken: list[Any]) -> list[str]:
    return [json.dumps(message, ensure_ascii=False) for message in taken]


def tells_all(messages: list[str]) -> None:
    """A success, a failure, its recovery and a wait, in that order, each of its own commit."""
    assert len(messages) == 4
    for message, words, commit in zip(messages, WORDS, (MAIN_B, MAIN_B, MAIN_C, MAIN_D), strict=True):
        assert words in message
        assert commit.rpartition(":")[2][:8] in message
    assert "broken for" in messages[2]
    assert "infra" in messages[3]


@pytest.mark.parametrize("standin", [GoogleChat(), Lark(), Lark(key=KEY), Zoom()], ids=["chat", "lark", "key", "zoom"])
def test_a_webhook_is_told_of_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, standin: Any) -> None:
    token = getattr(standin, "token", "")
    secret = {"address": standin.address, **({"token": token} if token else {})}
    with standin:
        Rollout(tmp_path, monkeypatch, secret, type=type(standin).__name__.lower()).all_situations()

    assert standin.violations == []
    tells_all(texts(standin.taken))


@pytest.mark.parametrize("root", ["/v1/messages", "/v1", ""])
def test_a_webex_space_is_told_of_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str) -> None:
    with Webex(root=root) as webex:
        Rollout(
            tmp_path, monkeypatch, {"token": webex.token}, type="webex", address=webex.address, channel=webex.channel
        ).all_situations()

    assert webex.violations == []
    everything = "\n".join(body["markdown"] for body in webex.taken).replace("\\", "")
    assert all(words in everything for words in (*WORDS, "infra", "broken for"))
    # One message for each commit, which its failure is an answer to.
    own = [message for message in webex.messages.values() if not message["thread"]]
    assert len(own) == 3
    assert any(message["thread"] for message in webex.messages.values())


def test_a_room_by_its_title_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Webex() as webex:
        rollout = Rollout(
            tmp_path, monkeypatch, {"token": webex.token}, type="webex", address=webex.address, channel="Ops room"
        )
        assert rollout.report() == 2

    said = capsys.readouterr()
    assert "spec.channel" in said.err + said.out
    assert "rooms" in said.err + said.out
    assert webex.asked == []
