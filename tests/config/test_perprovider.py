"""``[PROVIDER=]VALUE``: what is said of all channels, of a type, or of one Provider."""

from __future__ import annotations

import pytest

from landed.config.perprovider import PerProvider, check_providers, per_provider
from landed.errors import ConfigurationError

OPTION = "--message-template"
THERE = {("slack", ""), ("slack", "apps/on-call"), ("discord", "apps/chat")}


def test_the_most_particular_wins() -> None:
    given = per_provider(OPTION, ["all.j2", "slack=slack.j2", "apps/on-call=call.j2"])

    assert given.of("slack", "apps/on-call") == "call.j2"
    assert given.of("slack", "apps/else") == "slack.j2"
    assert given.of("slack") == "slack.j2"
    assert given.of("discord", "apps/chat") == "all.j2"
    assert given.of("discord") == "all.j2"


def test_nothing_is_said_of_the_others() -> None:
    assert per_provider(OPTION, ["slack=slack.j2"]).of("discord", "apps/chat") == ""
    assert per_provider(OPTION, []).of("slack") == ""
    assert PerProvider().of("slack") == ""


@pytest.mark.parametrize(
    ("text", "provider", "value"),
    [
        ("slack=a=b.j2", "slack", "a=b.j2"),
        (" slack = a.j2 ", "slack", "a.j2"),
        ("./slack=a.j2", "", "./slack=a.j2"),
        ("/etc/landed/a=b.j2", "", "/etc/landed/a=b.j2"),
        ("generic-hmac=a", "generic-hmac", "a"),
        ("incident.io=a", "incident.io", "a"),
        ("Mon-Fri 18:00-08:00 Europe/Berlin", "", "Mon-Fri 18:00-08:00 Europe/Berlin"),
        ("apps/on-call=22:00-07:00", "apps/on-call", "22:00-07:00"),
        ("a/b/c=d", "", "a/b/c=d"),
    ],
)
def test_what_stands_before_the_sign(text: str, provider: str, value: str) -> None:
    assert per_provider(OPTION, [text]).values == {provider: value}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["slack="], '--message-template "slack=": there is no value'),
        (["slack= "], "there is no value"),
        ([" "], "there is no value"),
        (["slack=a", "slack=b"], 'there is one for "slack" already'),
        (["a", "b"], "there is one for all channels already"),
    ],
)
def test_what_is_wrong_names_the_option_and_the_value(texts: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        per_provider(OPTION, texts)
    assert caught.value.message.startswith(f'{OPTION} "{texts[-1].strip() if texts != [" "] else ""}')
    assert said in caught.value.message


def test_what_is_there_is_fine() -> None:
    check_providers(per_provider(OPTION, ["x", "slack=x", "discord=x", "apps/on-call=x"]), THERE)


@pytest.mark.parametrize("provider", ["zulip", "Slack", "apps/gone", "on-call", "apps/slack"])
def test_a_provider_that_is_not_there_is_an_error_that_names_those_that_are(provider: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_providers(per_provider(OPTION, [f"{provider}=x.j2"]), THERE)
    assert f'--message-template "{provider}=x.j2"' in caught.value.message
    assert "apps/chat (discord), apps/on-call (slack), slack" in caught.value.hint


def test_where_nothing_is_there_it_says_so() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_providers(per_provider(OPTION, ["slack=x"]), ())
    assert "none at all" in caught.value.hint
