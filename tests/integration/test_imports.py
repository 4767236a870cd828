"""A run that finds nothing new is start-up bound: it may import nothing that only a delivery needs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import objects as o
import pytest
from integration.command import Workplace, workplace
from integration.conftest import sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNWANTED = {
    "github",
    "gitlab",
    "requests",
    "urllib3",
    "rich",
    "jinja2",
    "kubernetes",
    "asyncio",
    "logging",
    "dataclasses",
    "concurrent.futures",
}
#: Of these, a bare interpreter loads some 35 and click 60.
MOST = 220


@pytest.fixture
def settled(tmp_path: Path) -> Iterator[Workplace]:
    """After a first run on a cluster of one Kustomization."""
    with sandbox() as cluster, workplace(tmp_path) as place:
        cluster.put(o.git_repository())
        cluster.put(o.kustomization())
        place.configure(cluster.kubeconfig())
        assert place.report().code == 0
        place.forget()
        yield place


def test_a_run_without_news_imports_only_what_it_needs(settled: Workplace) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *settled.command("report")[1:]],
        env=settled.environment,
        cwd=settled.folder,
        capture_output=True,
        text=True,
        check=True,
    )

    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines[1:]}
    assert settled.silent()
    assert {"msgspec", "landed.run"} <= imported, "the list is not what it seems"
    assert imported & UNWANTED == set()
    assert len(imported) <= MOST
