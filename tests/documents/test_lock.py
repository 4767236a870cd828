"""The image's lock file holds what the package asks for, in versions that it allows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
ASKED = [Requirement(line) for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]]
LOCKED = dict(re.findall(r"(?m)^([A-Za-z0-9_.-]+)==(\S+)", (ROOT / "requirements.txt").read_text()))


@pytest.mark.parametrize("asked", ASKED, ids=lambda requirement: requirement.name)
def test_what_the_package_asks_for_is_locked(asked: Requirement) -> None:
    assert asked.specifier.contains(LOCKED[asked.name.lower()])
