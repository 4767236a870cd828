"""``landed demo`` tells its story with the real command, leaves nothing behind, and ends when it is told to."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from landed.sandbox.story import STORY

if TYPE_CHECKING:
    from pathlib import Path


def _demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The demo in a folder of its own, with variables around that must not get in."""
    astray = {"LANDED_STRICT": "true", "LANDED_DRY_RUN": "true", "GITHUB_ACTIONS": "true", "GITHUB_TOKEN": "x"}
    environment = {**os.environ, **astray, "TMPDIR": str(folder), "HOME": str(folder), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "landed", "demo", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_the_whole_story_is_told(tmp_path: Path) -> None:
    with _demo(tmp_path, "--once", "--pace", "0") as demo:
        out, err = demo.communicate(timeout=120)
    assert (demo.returncode, err) == (0, "")
    for number, beat in enumerate(STORY, 1):
        assert f"{number:>2}/{len(STORY)}  {beat.title}" in out
    sent = re.findall(r"→ sent (.*?)\. ", out)
    assert [said == "nothing" for said in sent] == [beat.quiet for beat in STORY]
    assert ["message" not in said and "edit" not in said for said in sent] == [
        beat.quiet or beat.hushed or beat is STORY[0] for beat in STORY
    ]
    assert "Everything has landed." in out
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["interrupted", "terminated"]
)
def test_it_can_be_stopped_in_the_middle(tmp_path: Path, how: signal.Signals, code: int) -> None:
    with _demo(tmp_path, "--pace", "20") as demo:
        assert demo.stdout is not None
        url = _line_with(demo, "page").split()[-1]
        with urllib.request.urlopen(url, timeout=10) as page:
            assert b"landed" in page.read()
        demo.send_signal(how)
        demo.communicate(timeout=30)
    assert demo.returncode == code
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_page_stays_up_until_it_is_told_to_end(tmp_path: Path) -> None:
    with _demo(tmp_path, "--pace", "0") as demo:
        url = _line_with(demo, "The page stays up").split()[4]
        with urllib.request.urlopen(url, timeout=10) as page:
            assert b"Everything has landed." in page.read()
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=30)
    assert demo.returncode == 0


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with _demo(tmp_path, "--once", "--port", port) as demo:
            out, err = demo.communicate(timeout=60)
    assert demo.returncode == 2
    assert f"Port {port} on 127.0.0.1 cannot be used: Address already in use." in out + err
    assert "--port" in out + err


def _line_with(demo: subprocess.Popen[str], text: str) -> str:
    assert demo.stdout is not None
    for line in demo.stdout:
        if text in line:
            return line
    pytest.fail(f"the demo never said {text!r}")
