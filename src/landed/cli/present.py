"""How a command speaks: its console, and what it shows at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click
from msgspec import structs

from landed.cli.options import Options
from landed.errors import ClusterError, ConfigurationError, DeliveryError
from landed.model import Finding, Report, Secret
from landed.reports import render
from landed.reports.console import Console

if TYPE_CHECKING:
    from landed.model import Explanation, Look
    from landed.run import Reader

#: Seconds that explanations may take of a run that is told to stop: CI systems give about ten in all.
HURRY = 2.0


def console_for(o: Options, secrets: Sequence[Secret]) -> Console:
    """The console of this command. ``cli.enter`` finds it again for an error that ends the run."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed before we began
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 (for as long as we run)
    console = Console(
        sys.stdout,
        sys.stderr,
        environ=os.environ,
        quiet=o.quiet,
        verbose=o.verbose,
        log_format=o.log_format,
        secrets=secrets,
    )
    click.get_current_context().find_root().obj.append(console)
    return console


def show(report: Report, format_: str, console: Console) -> None:
    """Print a report, and say what went wrong."""
    console.close()
    problems(report, console)
    for text, hint in _failures(report).items():
        console.error(DeliveryError(text, hint))
    # Plain text is searched for secrets as it is printed; what escapes its text must be clean before.
    clean = report if format_ in ("lines", "table") else console.hidden(report)
    _print(render(format_, clean, console.view()), console)


def _print(text: str, console: Console) -> None:
    """Raises ConfigurationError where standard output takes nothing; that its reader has gone is no error."""
    try:
        console.show(text)
    except BrokenPipeError:
        pass
    except OSError as error:
        raise ConfigurationError(
            f"The report could not be printed: {error.strerror}.", "Look at where standard output goes."
        ) from None


def problems(report: Report, console: Console) -> None:
    """Say which clusters could not be read, and what else there is to warn of."""
    for look in report.looks:
        if look.error:
            console.error(ClusterError(look.error, look.hint))
    for warning in report.warnings:
        console.warn(warning)


def writable(o: Options) -> None:
    """Refuse what ``--write`` cannot mean, before anything is done. Raises ConfigurationError."""
    if o.write:
        from landed.reports.writing import parse

        for target in parse(o.write):
            _may_be_made(target.format, target.path)


def _may_be_made(format_: str, path: str) -> None:
    """Refuse a file whose folder can be neither used nor made: better now than after a long wait."""
    from pathlib import Path

    folder = next(folder for folder in Path(path).absolute().parents if folder.exists())
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return
    why = "may not be written to" if folder.is_dir() else "is no folder"
    raise ConfigurationError(
        f"The {format_} report could not be written to {path}: {folder} {why}.",
        "Point --write at a file in a folder that can be written.",
    )


def present(report: Report, o: Options, console: Console, environ: Mapping[str, str]) -> None:
    """Print a report, write it where it was asked for, and hand it to the CI system at hand.

    Raises ConfigurationError where one of these cannot be done; the others are done then.
    """
    with ExitStack() as others:
        others.callback(publish, report, console, environ)
        others.callback(write, report, o, console)
        if not o.quiet or o.output != "lines":
            show(report, o.output, console)


def write(report: Report, o: Options, console: Console) -> None:
    """Write the report to the files of ``--write``. Raises ConfigurationError."""
    if o.write:
        from landed.reports import writing

        view = structs.replace(console.view(), environment_url=o.environment_url)
        writing.write(console.hidden(report), o.write, view)


def shows_rollouts(o: Options) -> bool:
    """Whether it will be shown how commits fare, which takes more of each object than what became of them."""
    formats = {o.output, *(target.partition("=")[0] for target in o.write)}
    summary = bool(os.environ.get("GITHUB_STEP_SUMMARY"))
    return summary or o.explain != "none" or bool(formats & {"html", "json", "junit", "markdown"})


def explained(
    o: Options, looks: Sequence[Look], readers: Sequence[Reader], *, hurry: bool = False
) -> tuple[Explanation, ...]:
    """Why what has failed did, as far as it is to be looked into; ``hurry`` where the job has been cancelled."""
    from landed.explaining import WITHIN, explanations

    return explanations(looks, readers, o.explain, within=HURRY if hurry else WITHIN)


def publish(report: Report, console: Console, environ: Mapping[str, str]) -> None:
    """Hand the report to the CI system at hand."""
    if environ.get("GITHUB_ACTIONS") == "true":
        from landed.reports import github

        github.publish(console.hidden(report), environ, console)


def _failures(report: Report) -> dict[str, str]:
    """Why something could not be delivered, with what to do: of many alike at one destination, the first."""
    alike: dict[tuple[str, str], dict[str, None]] = {}
    for delivery in report.deliveries:
        if delivery.error and not delivery.read_only:
            alike.setdefault((delivery.update.destination, delivery.hint), {})[delivery.error] = None
    found = {}
    for (_, hint), errors in alike.items():
        first, *others = errors
        found[f"{first} (and {len(others)} more like it)" if others else first] = hint
    return found


def show_findings(findings: Sequence[Finding], format_: str, console: Console) -> None:
    """Print what ``landed doctor`` found."""
    from landed.reports import findings as report

    console.close()
    _print(report.render(console.hidden(tuple(findings)), format_), console)
