"""One set of certificates and API servers for all tests of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kube.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def standing() -> Iterator[World]:
    """The servers, started once."""
    with World() as world:
        yield world


@pytest.fixture
def world(standing: World, tmp_path: Path) -> World:
    """The servers as if they had just been started, and an empty folder."""
    standing.renew(tmp_path)
    return standing
