"""The README tells the truth: its options, exit codes and commands."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from documents import channels
from documents.options import PLACE, README, table, written
from landed import __version__, errors
from landed.cli import COMMANDS

ROOT = README.parent
TEXT = README.read_text()


def test_the_table_of_options_is_the_command_lines_own() -> None:
    assert PLACE.search(TEXT)
    assert written(TEXT) == TEXT, "run: python tests/documents/options.py"
    assert "`--slack-webhook`" in table()


def test_the_table_of_channels_is_the_registrys_own() -> None:
    assert channels.PLACE.search(TEXT)
    assert channels.written(TEXT) == TEXT, "run: python tests/documents/channels.py"
    assert "| `pagerduty` |" in channels.table()


@pytest.mark.parametrize(
    "code", [errors.DONE, errors.COMMIT_FAILED, errors.CONFIGURATION, errors.CLUSTER_UNREADABLE, errors.UNDELIVERED]
)
def test_every_exit_code_is_documented(code: int) -> None:
    section = TEXT.partition("## Exit codes")[2].partition("##")[0]
    assert re.search(rf"^\| {code} \|", section, re.MULTILINE)


def test_every_command_that_the_readme_calls_exists() -> None:
    called = set(re.findall(r"\blanded (\w+)", " ".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL))))
    assert called <= set(COMMANDS) | {"landed"}
    assert {"status", "report", "doctor", "demo"} <= called


@pytest.mark.parametrize("marker", ["demo", "tests"])
def test_the_two_commands_are_where_the_build_looks_for_them(marker: str) -> None:
    assert re.search(rf"<!-- {marker} -->\n```sh\npython3 -m venv [^\n]+\n```", TEXT)


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", TEXT)
    assert targets
    missing = [target for target in targets if not (ROOT / target).exists()]
    assert missing == []


def test_the_changelog_and_the_action_speak_of_this_version() -> None:
    assert tomllib.loads(Path(ROOT, "pyproject.toml").read_text())["project"]["name"] == "landed"
    assert f"landed@v{__version__}" in TEXT
