"""``kubectl get … -o json`` instead of a cluster."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import objects
import pytest

from landed.errors import ConfigurationError
from landed.kube import fromfile
from landed.selection import Selection

if TYPE_CHECKING:
    from pathlib import Path

LIST = objects.encoded(objects.listing("List", [objects.kustomization(), objects.git_repository()]))


class Stdin:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    path.write_bytes(LIST)
    cluster = fromfile.read(str(path), "prod")
    assert (cluster.name, len(cluster.kustomizations), len(cluster.sources)) == ("prod", 1, 1)


def test_the_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(LIST))
    assert len(fromfile.read("-", "prod").kustomizations) == 1


def test_a_selection(tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    path.write_bytes(LIST)
    assert fromfile.read(str(path), "prod", selection=Selection(namespaces=("other",))).kustomizations == ()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"No resources found", "cannot be used: "),
        (b"apiVersion: v1\nkind: List\n", "cannot be used: "),
        (b"[]", "cannot be used: "),
        (b"7", "cannot be used: "),
        (b"{}", "cannot be used: "),
        (b'{"kind": "Status", "message": "Forbidden"}', "cannot be used: "),
        (LIST[:-20], "cannot be used: "),
        (LIST + LIST, "cannot be used: "),
        (b"\xff\xfe" + LIST, "cannot be used: "),
        (b"[" * 100_000, "cannot be used: "),
        (b'{"kind": "List", "items": ' + b"[" * 100_000, "cannot be used: "),
    ],
)
def test_a_file_that_is_no_good(content: bytes, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "all.json"
    path.write_bytes(content)
    assert says in told(str(path))
    monkeypatch.setattr(sys, "stdin", Stdin(content))
    assert told("-").startswith("The standard input ")


def test_what_is_no_file(tmp_path: Path) -> None:
    assert f"The file {tmp_path}/none does not exist." in told(f"{tmp_path}/none")
    assert f"The file {tmp_path} is a directory." in told(str(tmp_path))
    assert "not a usable path" in told("a\0b")
    assert "cannot be read: Not a directory" in told(f"{sys.executable}/x")


def test_more_than_can_be_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fromfile, "LIMIT", 100)
    path = tmp_path / "all.json"
    path.write_bytes(b" " * 101)
    assert "is longer than" in told(str(path))


def told(path: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        fromfile.read(path, "prod")
    assert caught.value.exit_code == 2
    return f"{caught.value.message} {caught.value.hint}"
