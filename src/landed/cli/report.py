"""``landed report``: one look, and the delivery of what is new."""

from __future__ import annotations

import os
from typing import Any

import click
from msgspec import structs

from landed.cli import options as opt
from landed.cli.options import Options


@click.command("report", short_help="Look once: tell what is new, remember what was told.")
@opt.options(
    opt.CLUSTER,
    opt.SELECTION,
    opt.GIT,
    opt.CHANNELS,
    opt.LEDGER,
    opt.TELLING,
    opt.EXPLAIN,
    (opt.output("lines", "table", "json", "markdown", "junit", "html", default="lines"),),
    opt.WRITING,
    opt.TALKING,
)
def command(**values: Any) -> int:
    """Read the clusters, compare with what was told before, tell each destination what is new, and remember it.

    Without a Git host's token and without a channel it tells nobody, and prints what it sees.
    """
    from landed.cli.compose import line, secrets
    from landed.cli.present import console_for, explained, present, writable
    from landed.run import once_only, run

    o = Options(**values)
    console = console_for(o, secrets(o))
    writable(o)
    with line(o, console) as whole:
        report = run(whole, once_only)
        if o.explain != "none":
            report = structs.replace(report, explanations=explained(o, report.looks, whole.readers))
    if not whole.parts.outlets:
        console.warn("There is nobody to tell: no Git host's token and no channel is given.")
    present(report, o, console, os.environ)
    return report.exit_code
