from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from reports.answered import FAILED
from reports.hostile import NOW

from landed.errors import ConfigurationError
from landed.reports import dotenv, render, writing
from landed.reports.interface import View

LOG = View(NOW)
NAMES = ("json", "markdown", "junit")


def test_every_report_is_what_would_be_printed(tmp_path: Path) -> None:
    writing.write(FAILED, [f"{name}={tmp_path}/{name}.txt" for name in (*NAMES, "dotenv")], LOG)
    for name in NAMES:
        assert (tmp_path / f"{name}.txt").read_text() == render(name, FAILED, LOG)
    assert (tmp_path / "dotenv.txt").read_text() == dotenv.render(FAILED, LOG)


def test_folders_are_made_and_what_was_there_is_replaced(tmp_path: Path) -> None:
    place = tmp_path / "a" / "b" / "report.json"
    writing.write(FAILED, [f"json={place}"], LOG)
    place.write_text("old" * 100_000)
    writing.write(FAILED, [f" JSON = {place} "], LOG)
    assert place.read_text() == render("json", FAILED, LOG)
    assert [one.name for one in place.parent.iterdir()] == ["report.json"]
    assert stat.S_IMODE(place.stat().st_mode) & 0o400


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "report").symlink_to(tmp_path / "there" / "real")
    writing.write(FAILED, [f"json={tmp_path}/report"], LOG)
    assert (tmp_path / "report").is_symlink()
    assert (tmp_path / "there" / "real").read_text() == render("json", FAILED, LOG)


def test_a_path_may_hold_equals_signs_and_blanks(tmp_path: Path) -> None:
    writing.write(FAILED, [f"json={tmp_path}/a = b.json"], LOG)
    assert (tmp_path / "a = b.json").exists()


def test_nothing_is_left_of_an_attempt_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "report.json"
    place.write_text("old")

    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(
        ConfigurationError, match=r"The json report could not be written to .*report\.json: No space left"
    ):
        writing.write(FAILED, [f"json={place}"], LOG)
    assert [one.name for one in tmp_path.iterdir()] == ["report.json"]
    assert place.read_text() == "old"


def test_one_that_cannot_be_written_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError) as caught:
        writing.write(FAILED, [f"json={tmp_path}/file/report", f"junit={tmp_path}/junit.xml"], LOG)
    assert f"{tmp_path}/file/report" in caught.value.message
    assert caught.value.hint
    assert (tmp_path / "junit.xml").exists()


def test_a_device_is_written_to_and_not_replaced() -> None:
    before = Path("/dev/null").stat().st_rdev
    writing.write(FAILED, ["json=/dev/null"], LOG)
    assert Path("/dev/null").stat().st_rdev == before


@pytest.mark.parametrize(
    "target",
    [
        "",
        "json",
        "json=",
        "=x",
        "yaml=x",
        "lines=x",
        "table=x",
        "json=-",
        "json=/",
        "json=a/",
        "json=.",
        "x=\0",
        "json=\0",
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(target: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        writing.parse([f"junit={tmp_path}/x", target])
    assert "--write" in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_place_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="twice"):
        writing.parse(["json=x", f"junit={tmp_path}/./x"])
    assert [(one.format, one.path) for one in writing.parse(["json=x", "junit=y"])] == [("json", "x"), ("junit", "y")]


def test_a_hostile_path_forges_nothing_in_the_error() -> None:
    with pytest.raises(ConfigurationError) as caught:
        writing.parse(["::error::forged\x1b[31m=x"])
    assert not caught.value.message.startswith("::")
    assert "\x1b" not in caught.value.message
