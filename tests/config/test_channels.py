"""Channels that are given by an option."""

from __future__ import annotations

import pytest

from landed.config.channels import channels
from landed.errors import ConfigurationError
from landed.model import Secret


def test_channels_are_named_by_their_type() -> None:
    found = channels({"slack": Secret("https://hooks.slack.com/services/T/B/x"), "generic": Secret("")})
    assert [(channel.type, channel.name) for channel in found] == [("slack", "slack")]


@pytest.mark.parametrize(
    "url", ["hooks.slack.com/x", "ftp://h/x", "https://", "https://h/a b", "https://h:x/", "https://[::1/"]
)
def test_a_bad_webhook_is_explained_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="--slack-webhook") as caught:
        channels({"slack": Secret(url)})
    assert url not in str(caught.value)
