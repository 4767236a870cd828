"""The image under test: ``LANDED_TEST_IMAGE``, run by ``LANDED_TEST_ENGINE`` (podman or docker)."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from image.action import load
from image.runner import Engine, Job, github_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """How to run the image; without one, the test is skipped and says so."""
    image = os.environ.get("LANDED_TEST_IMAGE", "")
    if not image:
        pytest.skip("LANDED_TEST_IMAGE names no image")
    return Engine(os.environ.get("LANDED_TEST_ENGINE", "podman"), image)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that users other than its owner can enter, which ``tmp_path`` is not."""
    path = Path(tempfile.mkdtemp(prefix="landed-image-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def job(engine: Engine, folder: Path) -> Callable[..., Job]:
    """Make a job that runs this repository's action; without arguments it has no network at all."""

    def make(*options: str, **github: str) -> Job:
        context = {**github_context(), **github}
        return Job(engine, load(ROOT / "action.yml"), folder, context, options or ("--network", "none"))

    return make
