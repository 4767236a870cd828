"""Where the Secrets that manifests refer to are looked for, and in which order."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from landed.config.manifests.secrets import LIMIT, SecretSource, places, variable
from landed.errors import ClusterError, ConfigurationError
from landed.model import Secret

KEYS = ("address", "token", "githubAppID", "ca.crt")
REF = ("apps", "slack-url.v2")


class Cluster:
    """Counts who asks for what."""

    def __init__(self, secrets: Mapping[tuple[str, str], Mapping[str, str]], error: str = "") -> None:
        self.secrets, self.error = secrets, error
        self.asked: list[tuple[str, str]] = []

    def __call__(self, namespace: str, name: str) -> Mapping[str, Secret] | None:
        self.asked.append((namespace, name))
        if self.error:
            raise ClusterError(self.error)
        found = self.secrets.get((namespace, name))
        return None if found is None else {key: Secret(value) for key, value in found.items()}


def put(folder: Path, path: str, content: bytes | str) -> None:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content if isinstance(content, bytes) else content.encode())


def find(source: SecretSource, *needed: str, ref: tuple[str, str] = REF) -> dict[str, str]:
    found = source.find(*ref, KEYS, lambda values: all(key in values for key in needed))
    assert found.troubles == ()
    assert found.unread == ""
    return {key: value.reveal() for key, value in found.values.items()}


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        ("slack-url", "address", "LANDED_SECRET_SLACK_URL_ADDRESS"),
        ("slack-url.v2", "githubAppID", "LANDED_SECRET_SLACK_URL_V2_GITHUBAPPID"),
        ("a", "ca.crt", "LANDED_SECRET_A_CA_CRT"),
        ("ſ", "token", "LANDED_SECRET_S_TOKEN"),
    ],
)
def test_the_variable_of_a_key(name: str, key: str, expected: str) -> None:
    assert variable(name, key) == expected


def test_each_key_is_taken_from_the_first_place_that_has_it(tmp_path: Path) -> None:
    """Every place has all that comes after it, too, so a wrong order would show."""
    put(tmp_path, "apps/slack-url.v2/token", "of the namespace")
    put(tmp_path, "slack-url.v2/token", "of the name")
    put(tmp_path, "slack-url.v2/address", "of the directory")
    cluster = Cluster({REF: dict.fromkeys(KEYS, "of the cluster")})
    written = {REF: dict.fromkeys(("address", "token", "githubAppID"), Secret("of the manifests"))}
    environ = {"LANDED_SECRET_SLACK_URL_V2_ADDRESS": "of the environment"}
    source = SecretSource(environ, str(tmp_path), written, cluster)
    near = {"address": "of the environment", "token": "of the namespace", "githubAppID": "of the manifests"}
    assert find(source, "address", "token") == near
    assert cluster.asked == []
    assert find(source, "ca.crt") == near | {"ca.crt": "of the cluster"}
    assert find(SecretSource({}, str(tmp_path), written, cluster), "token")["address"] == "of the directory"
    assert {key: value.reveal() for key, value in source.read()[REF].items()} == near | {"ca.crt": "of the cluster"}


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_what_is_empty_is_not_there(blank: str, tmp_path: Path) -> None:
    put(tmp_path, "slack-url.v2/token", blank)
    written = {REF: {"token": Secret(blank), "address": Secret(blank)}}
    cluster = Cluster({REF: {"token": "t0ken", "address": blank}})
    source = SecretSource({"LANDED_SECRET_SLACK_URL_V2_TOKEN": blank}, str(tmp_path), written, cluster)
    assert find(source, "token") == {"token": "t0ken"}


def test_the_cluster_is_asked_once_and_only_for_what_is_missing() -> None:
    cluster = Cluster({REF: {"token": "t0ken", "other": "s3cr3t"}})
    source = SecretSource(fetch=cluster)
    assert find(source, "token") == find(source, "address") == {"token": "t0ken"}
    assert find(source, ref=("apps", "absent")) == find(source, ref=("apps", "absent")) == {}
    assert cluster.asked == [REF, ("apps", "absent")]
    assert Secret("s3cr3t") not in source.read()[REF].values()


def test_what_the_cluster_refuses_is_said_once_for_each_who_needs_it() -> None:
    cluster = Cluster({}, "secrets is forbidden.")
    source = SecretSource({"LANDED_SECRET_SLACK_URL_V2_TOKEN": "t0ken"}, fetch=cluster)
    for _ in range(2):
        found = source.find(*REF, KEYS, lambda values: "address" in values)
        assert found.unread == "the cluster's cannot be read: secrets is forbidden"
        assert found.values == {"token": Secret("t0ken")}
    assert cluster.asked == [REF]


@pytest.mark.parametrize("content", [b"s3cr3t\xff", b"s3cr3t" * (LIMIT // 6 + 1)], ids=["not-utf-8", "too-large"])
def test_a_file_that_is_no_secret_is_named_and_not_quoted(content: bytes, tmp_path: Path) -> None:
    put(tmp_path, "slack-url.v2/token", content)
    found = SecretSource(directory=str(tmp_path)).find(*REF, KEYS, bool)
    (trouble,) = found.troubles
    assert str(tmp_path / "slack-url.v2/token") in trouble
    assert "s3cr3t" not in trouble
    assert found.values == {}


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    put(tmp_path, "slack-url.v2/token", b"x" * LIMIT)
    assert len(find(SecretSource(directory=str(tmp_path)))["token"]) == LIMIT


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    put(tmp_path, "slack-url.v2/token", "s3cr3t")
    (tmp_path / "slack-url.v2/token").chmod(0)
    (trouble,) = SecretSource(directory=str(tmp_path)).find(*REF, KEYS, bool).troubles
    assert trouble.endswith("cannot be read: Permission denied")


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    """A pipe would keep us waiting for ever; a mounted Secret's keys are links."""
    (tmp_path / "slack-url.v2" / "token").mkdir(parents=True)
    os.mkfifo(tmp_path / "slack-url.v2" / "githubAppID")
    put(tmp_path, "slack-url.v2/..data/address", "linked")
    (tmp_path / "slack-url.v2" / "address").symlink_to("..data/address")
    assert find(SecretSource(directory=str(tmp_path))) == {"address": "linked"}


@pytest.mark.parametrize(
    "ref", [("apps", "../outside"), ("..", "outside"), ("apps", "a/b"), ("apps", ""), ("apps", "x\n"), ("", "outside")]
)
def test_a_name_is_no_path(ref: tuple[str, str], tmp_path: Path) -> None:
    put(tmp_path, "outside/token", "s3cr3t")
    cluster = Cluster({ref: {"token": "s3cr3t"}})
    (tmp_path / "inside" / "apps").mkdir(parents=True)
    found = SecretSource(directory=str(tmp_path / "inside"), fetch=cluster).find(*ref, KEYS, bool)
    assert (found.values, found.troubles) == ({}, ("that is not the name of a Secret",))
    assert cluster.asked == []


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--secret-dir .*/absent: there is no such directory"):
        SecretSource(directory=str(tmp_path / "absent"))


def test_what_answers_for_several_secrets_is_known(tmp_path: Path) -> None:
    """Namespaces are no part of a variable's name, and neither are dots."""
    put(tmp_path, "b/token", "t")
    put(tmp_path, "x/c/token", "t")
    put(tmp_path, "y/c/token", "t")
    source = SecretSource({"LANDED_SECRET_A_B_TOKEN": "t"}, str(tmp_path))
    for ref in (("x", "a-b"), ("x", "a.b"), ("x", "b"), ("y", "b"), ("x", "c"), ("y", "c")):
        assert find(source, ref=ref) == {"token": "t"}
    assert list(source.shared()) == [
        "LANDED_SECRET_A_B_TOKEN answers for the Secrets x/a-b, x/a.b.",
        f"{tmp_path}/b/token answers for the Secrets x/b, y/b.",
    ]


def test_what_to_do_names_all_four_places() -> None:
    assert places("apps", "github", "token") == (
        "Give it as LANDED_SECRET_GITHUB_TOKEN in the environment, as the file apps/github/token in --secret-dir, "
        "or as `token` of the Secret apps/github, among the manifests or in the cluster."
    )


def test_a_variable_with_the_namespace_in_its_name_is_for_that_one_alone() -> None:
    source = SecretSource({"LANDED_SECRET_X_B_TOKEN": "own", "LANDED_SECRET_B_TOKEN": "shared"})
    assert find(source, ref=("x", "b")) == {"token": "own"}
    assert find(source, ref=("y", "b")) == {"token": "shared"}
    assert list(source.shared()) == []


def test_the_only_secret_of_a_name_will_do_whatever_its_namespace() -> None:
    source = SecretSource(manifests={("gitops", "github"): {"token": Secret("t")}})
    assert find(source, ref=("flux-system", "github")) == {"token": "t"}
    assert list(source.elsewhere()) == [
        "The Secret github is taken from the namespace gitops; Flux looks for it in flux-system."
    ]


def test_of_two_secrets_of_a_name_none_is_guessed() -> None:
    written = {("a", "github"): {"token": Secret("a")}, ("b", "github"): {"token": Secret("b")}}
    source = SecretSource(manifests=written)
    assert find(source, ref=("c", "github")) == {}
    assert find(source, ref=("b", "github")) == {"token": "b"}
    assert list(source.elsewhere()) == []
