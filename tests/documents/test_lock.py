"""The image's lock file holds what the package asks for, in versions that it allows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: What the image has of what may be left out.
EXTRAS = ("socks", "cel", "re2", "apprise", "googlepubsub", "otel")
ASKED = [
    Requirement(line)
    for group in (PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in EXTRAS))
    for line in group
]
LOCK = (ROOT / "requirements.txt").read_text()
LOCKED = dict(re.findall(r"(?m)^([A-Za-z0-9_.-]+)==(\S+)", LOCK))


@pytest.mark.parametrize("asked", ASKED, ids=lambda requirement: requirement.name)
def test_what_the_package_asks_for_is_locked(asked: Requirement) -> None:
    assert asked.specifier.contains(LOCKED[asked.name.lower()])


def test_the_lock_says_how_it_is_made_and_names_no_place_to_load_from() -> None:
    assert all(f"--extra {extra} " in LOCK for extra in EXTRAS)
    assert not re.search(r"(?m)^\s*--(?!hash)|file:|https?://", LOCK)


def test_everything_that_is_locked_has_a_checksum() -> None:
    assert LOCKED.keys() == {name for name, _ in re.findall(r"(?m)^(\S+)==(\S+) \\\n    --hash=sha256:", LOCK)}
