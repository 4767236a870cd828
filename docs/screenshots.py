"""Takes the pictures of the README: plays the demo's story and looks at its page with a headless Chromium, and at the
HTML report of a fleet on a bad morning.

    python docs/screenshots.py            needs chromium or chromium-headless-shell in PATH

Looks best with the fonts Inter, JetBrains Mono and Noto Color Emoji (Debian: fonts-inter, fonts-jetbrains-mono,
fonts-noto-color-emoji); ``pngquant``, if there, makes the pictures smaller. Nothing leaves this machine: the browser
gets a profile of its own and is told to stay at home.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import fleet
from msgspec import Struct

from landed.reports import render
from landed.reports.interface import View
from landed.sandbox.clock import Clock
from landed.sandbox.flux import Flux
from landed.sandbox.look import Look
from landed.sandbox.page import Page
from landed.sandbox.progress import Progress, Scene
from landed.sandbox.story import MINUTES, Stage, set_up
from landed.sandbox.telling import scenes, tell
from landed.sandbox.world import Sandbox

DOCS = Path(__file__).parent
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
DARK = "--blink-settings=preferredColorScheme=0"


class Picture(Struct, frozen=True):
    """What is looked at when, and how large."""

    name: str
    scene: str
    path: str = "/"
    size: str = "1280,1640"
    flags: tuple[str, ...] = ()


#: The scenes that show most: a commit that is live, one that failed, and the one that repaired it; and threads.
PICTURES = (
    Picture("demo.png", "Repaired"),
    Picture("demo-dark.png", "Repaired", flags=(DARK,)),
    Picture("inbox.png", "It stands", "/inbox", "1480,940"),
)
REPORTS = (
    Picture("report.png", "", "report.html", "1280,2180"),
    Picture("report-dark.png", "", "report.html", "1280,2180", flags=(DARK,)),
)


def main() -> None:
    """Take all pictures and say how big they are."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"There is no browser: none of {', '.join(BROWSERS)} is in PATH.")
    _report(browser)
    clock, progress = Clock(MINUTES), Progress(scenes())
    with Sandbox(clock=clock) as sandbox, tempfile.TemporaryDirectory() as folder:
        sandbox.page = Page(sandbox, progress).answer
        stage = Stage(sandbox, Flux(sandbox.store, clock), clock)
        set_up(stage)

        def say(_moment: str, scene: Scene, seen: Look | None) -> None:
            for picture in PICTURES if seen is not None else ():
                if picture.scene == scene.title:
                    _shoot(browser, sandbox.url, picture)

        tell(stage, progress, Path(folder), say, lambda _: None)


def _report(browser: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        page.write_text(render("html", fleet.report(), View(fleet.NOW)), encoding="utf-8")
        for picture in REPORTS:
            _shoot(browser, f"file://{folder}/", picture)


def _shoot(browser: str, url: str, picture: Picture) -> None:
    file = DOCS / picture.name
    file.unlink(missing_ok=True)  # an old one must not be taken for a new one
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-background-networking",
            f"--user-data-dir={profile}",
            f"--window-size={picture.size}",
            "--timeout=2500",
            f"--screenshot={file}",
            *picture.flags,
            url + picture.path,
        ]
        # A session of its own, so that the browser's many processes can be ended together if they hang.
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        ) as running:
            try:
                running.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
                sys.exit("The browser did not finish.")
    if pngquant := shutil.which("pngquant"):
        subprocess.run([pngquant, "--force", "--output", file, "--quality=80-98", file], check=False)
    sys.stdout.write(f"{picture.name}: {file.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
