"""Tokens for one host, and the key of a GitHub App: what is taken, and what is hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from landed.config.credentials import github_app, hidden, hidden_key, hidden_of_hosts
from landed.errors import ConfigurationError
from landed.model import GitHubApp, Secret

PEM = "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0IGtleSBtYXRlcmlhbA==\n-----END RSA PRIVATE KEY-----"
NONE = Secret("")


def app(key: str = PEM, id_: str = "12", installation: str = "34", owner: str = "") -> GitHubApp | None:
    return github_app(id_, Secret(key), installation, owner)


def test_without_any_option_there_is_no_app() -> None:
    assert app("", "", "", "") is None


def test_the_key_is_given_as_it_is_or_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "app.pem"
    path.write_text(f"\n{PEM}\n")
    assert app() == app(str(path)) == GitHubApp("12", Secret(PEM), "34")
    assert app(installation="", owner="acme") == GitHubApp("12", Secret(PEM), "", "acme")


def test_line_breaks_may_be_written_as_two_characters() -> None:
    one_line = PEM.replace("\n", "\\n")
    assert app(one_line) == GitHubApp("12", Secret(one_line), "34")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"id_": ""}, "without --github-app-id", id="no-id"),
        pytest.param({"key": ""}, "without --github-app-private-key", id="no-key"),
        pytest.param({"key": "", "id_": ""}, "without --github-app-id", id="an-installation-alone"),
        pytest.param({"installation": ""}, "not known where the GitHub App 12 is installed", id="no-installation"),
    ],
)
def test_half_an_app_is_an_error(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        app(**given)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("s3cr3t", id="no-such-file"),
        pytest.param("/tmp/s3cr3t/" + "x" * 5000, id="no-path"),
        pytest.param("s3cr3t\0", id="not-even-a-name"),
        pytest.param("/", id="a-folder"),
        pytest.param("-----BEGIN PUBLIC KEY-----\ns3cr3t\n-----END PUBLIC KEY-----", id="a-public-key"),
        pytest.param("-----BEGIN RSA PRIVATE KEY-----\ns3cr3t", id="half-a-key"),
    ],
)
def test_what_is_no_key_is_explained_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--github-app-private-key: ") as caught:
        app(key)
    assert "s3cr3t" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("content", [b"no key", b"\xff\xfe", b"x" * 70000], ids=["text", "bytes", "long"])
def test_a_file_that_holds_no_key(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ConfigurationError, match="PEM format"):
        app(str(tmp_path / "x"))


def test_what_is_hidden_of_tokens() -> None:
    assert [s.reveal() for s in hidden(Secret("plain"), NONE, Secret("user:pass:word"))] == [
        "plain",
        "user:pass:word",
        "pass:word",
    ]


def test_what_is_hidden_of_the_tokens_of_hosts() -> None:
    given = (Secret("bitbucket.org=user:password"), Secret("glpat-x"))
    assert [s.reveal() for s in hidden_of_hosts(given)] == [
        "bitbucket.org=user:password",
        "password",
        "user:password",
        "password",
        "glpat-x",
    ]


def test_what_is_hidden_of_a_key(tmp_path: Path) -> None:
    path = tmp_path / "app.pem"
    path.write_text(PEM)
    for given in (PEM, str(path), PEM.replace("\n", "\\n")):
        assert Secret(PEM) in set(hidden_key(Secret(given)))
    assert set(hidden_key(Secret("no key at all"))) == {Secret("no key at all")}
    assert list(hidden_key(NONE)) == []
