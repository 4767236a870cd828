"""Takes the pictures of the README: plays the demo's story and looks at its page with a headless Chromium.

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
SIZE = "1280,1470"
#: The scene that shows most: a commit that is live, one that failed, and the one that repaired it.
SCENE = "Repaired"
#: Which picture shows which colours, and what tells Chromium so.
PICTURES = {"demo.png": (), "demo-dark.png": ("--blink-settings=preferredColorScheme=0",)}


def main() -> None:
    """Take all pictures and say how big they are."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"There is no browser: none of {', '.join(BROWSERS)} is in PATH.")
    clock, progress = Clock(MINUTES), Progress(scenes())
    with Sandbox(clock=clock) as sandbox, tempfile.TemporaryDirectory() as folder:
        sandbox.page = Page(sandbox, progress).answer
        stage = Stage(sandbox, Flux(sandbox.store, clock), clock)
        set_up(stage)

        def say(_moment: str, scene: Scene, seen: Look | None) -> None:
            if seen is not None and scene.title == SCENE:
                for name, flags in PICTURES.items():
                    _shoot(browser, sandbox.url, DOCS / name, flags)

        tell(stage, progress, Path(folder), say, lambda _: None)


def _shoot(browser: str, url: str, picture: Path, flags: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-background-networking",
            f"--user-data-dir={profile}",
            f"--window-size={SIZE}",
            "--timeout=2500",
            f"--screenshot={picture}",
            *flags,
            url,
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
        subprocess.run([pngquant, "--force", "--output", picture, "--quality=80-98", picture], check=False)
    sys.stdout.write(f"{picture.name}: {picture.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
