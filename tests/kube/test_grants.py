from pathlib import Path

import pytest
import yaml

from landed.kube.grants import asked, grant

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.mark.parametrize("file", ["rbac.yaml", "rbac-alerts.yaml"])
def test_the_manifest_that_is_named_grants_the_right(file: str) -> None:
    roles = [each for each in yaml.safe_load_all((DEPLOY / file).read_text()) if each["kind"] == "ClusterRole"]
    rights = [(r, g) for role in roles for rule in role["rules"] for g in rule["apiGroups"] for r in rule["resources"]]
    assert rights
    for plural, group in rights:
        assert f"deploy/{file} has all the rules" in grant("get", f"{plural}.{group}".rstrip("."))


@pytest.mark.parametrize(
    ("path", "about"),
    [
        ("/apis/g.io/v1/things", ("things.g.io", "", "")),
        ("/apis/g.io/v1/namespaces/a/things/b", ("things.g.io", "a", "b")),
        ("/api/v1/events?limit=5", ("events", "", "")),
        ("/api/v1/namespaces/a/events", ("events", "a", "")),
        ("/api/v1/namespaces/a/secrets/b", ("secrets", "a", "b")),
        ("/version", ("/version", "", "")),
    ],
)
def test_what_a_path_is_about(path: str, about: tuple[str, str, str]) -> None:
    assert asked(path) == about
