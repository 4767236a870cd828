"""``landed demo``: the whole tool on an embedded cluster, Git host and chat inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import tempfile
    from collections.abc import Callable

    from landed.sandbox.clock import Clock
    from landed.sandbox.look import Look
    from landed.sandbox.progress import Progress, Scene
    from landed.sandbox.story import Stage
    from landed.sandbox.world import Sandbox

_WIDTH = 100


@click.command("demo", short_help="The whole tool on an embedded cluster, Git host and chat inbox.")
@click.option("--once", is_flag=True, help="Play the story to its end and exit, instead of leaving the page up.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="PORT",
    help="Port of the page on 127.0.0.1. Default: any free one.",
)
@click.option(
    "--pace",
    type=click.FloatRange(0, 20),
    metavar="FACTOR",
    help="How long to stay with each scene; 0 does not wait at all. Default: 3, or 1 with --once.",
)
def command(once: bool, port: int, pace: float | None) -> int:
    """Play a story on a cluster, a Git host and a chat inbox that live in this process, and let `landed report`
    tell what it sees, step by step. A page shows it as people would see it.

    It reaches nothing but 127.0.0.1, and writes into a temporary folder that is gone afterwards.
    """
    import gc
    import time

    from landed.sandbox.clock import Clock
    from landed.sandbox.flux import Flux
    from landed.sandbox.page import Page
    from landed.sandbox.progress import Progress
    from landed.sandbox.story import MINUTES, Stage, set_up
    from landed.sandbox.telling import scenes

    gc.enable()  # unlike other commands, this one stays
    factor = pace if pace is not None else 1 if once else 3

    def pause(seconds: float) -> None:
        time.sleep(seconds * factor)

    clock, progress = Clock(MINUTES), Progress(scenes())
    sandbox = _sandbox(port, clock)
    sandbox.page = Page(sandbox, progress).answer
    with sandbox:
        set_up(Stage(sandbox, Flux(sandbox.store, clock), clock))
        _introduce(sandbox)
        _play(Stage(sandbox, Flux(sandbox.store, clock, pause), clock), progress, pause)
        if not once:
            _stay(sandbox)
    return 0


def _sandbox(port: int, clock: Clock) -> Sandbox:
    import os

    from landed.errors import ConfigurationError
    from landed.sandbox.world import Sandbox

    try:
        return Sandbox(port, clock)
    except OSError as error:
        raise ConfigurationError(
            f"Port {port} on 127.0.0.1 cannot be used: {os.strerror(error.errno or 0)}.",
            "Give another one with --port, or leave it out for any free one.",
        ) from None


def _introduce(sandbox: Sandbox) -> None:
    click.secho("A cluster with Flux, a Git host and a chat inbox, on this machine only.\n", bold=True)
    click.echo(f"  page     {sandbox.url}/")
    click.echo(f"  chat     {sandbox.url}/inbox")
    click.echo(f"  cluster  kubectl -s {sandbox.api_url} get ks,hr -A\n")


def _play(stage: Stage, progress: Progress, pause: Callable[[float], None]) -> None:
    from pathlib import Path

    from landed.sandbox.telling import tell

    with _folder() as folder:
        tell(stage, progress, Path(folder), _Narrator(len(progress.scenes)).say, pause)
    quiet = sum(scene.sent == "nothing" for scene in progress.scenes)
    click.secho("Everything has landed.", bold=True, nl=False)
    click.echo(f" {len(progress.scenes)} looks, {quiet} of them without news: those sent nothing.")


def _folder() -> tempfile.TemporaryDirectory[str]:
    import tempfile

    from landed.errors import ConfigurationError

    try:
        return tempfile.TemporaryDirectory(prefix="landed-demo-")
    except OSError:
        raise ConfigurationError(
            "There is no folder for temporary files that can be written to.", "Name one with TMPDIR."
        ) from None


def _stay(sandbox: Sandbox) -> None:
    click.echo(f"\nThe page stays up: {sandbox.url}/ (end with Ctrl-C)")
    try:
        sandbox.stopping.wait()
    except KeyboardInterrupt:
        click.echo()


class _Narrator:
    """Prints what happens and what landed made of it."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._number = 0

    def say(self, moment: str, scene: Scene, seen: Look | None) -> None:
        """A scene begins, or landed has looked at it."""
        if seen is None:
            self._number += 1
            click.secho(f"{self._number:>2}/{self._count}  {scene.title}", bold=True, fg="blue")
            click.echo(_wrapped(scene.happens))
            return
        for line in seen.printed.splitlines():
            click.secho(f"       │ {line}", dim=True)
        click.secho(f"       → sent {seen.sent}. ", fg="green" if seen.sent != "nothing" else None, nl=False)
        click.echo(_wrapped(scene.because, len(f"       → sent {seen.sent}. ")) + "\n")


def _wrapped(text: str, used: int = 0) -> str:
    import textwrap

    lines = textwrap.wrap("x" * max(0, used - 7) + text, _WIDTH - 7)
    first, *rest = lines or [""]
    first = first[max(0, used - 7) :] if used else "       " + first
    return "\n".join([first, *("       " + line for line in rest)])
