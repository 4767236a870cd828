"""``landed ledger``: what was told to whom."""

from __future__ import annotations

from typing import Any

import click

from landed.cli import options as opt
from landed.cli.options import Options


@click.group("ledger", short_help="Look into the ledger: what was told to whom.")
def command() -> None:
    """Look into the ledger: what was told to whom."""


@command.command("show")
@opt.options(
    (opt.LEDGER[0], opt.several("--repository", metavar="URL", help="Only what is about this Git repository.")),
    (opt.output("table", "json", default="table"),),
    opt.TALKING,
)
def show(**values: Any) -> int:
    """List what each destination was told last, newest first. Changes nothing."""
    import time

    from landed.cli.compose import repositories
    from landed.cli.present import console_for
    from landed.ledger import ledger
    from landed.reports import told

    o = Options(**values)
    console = console_for(o, ())
    content = ledger(o.ledger, warn=console.warn, progress=console.progress).peek()
    wanted = [repository.path for repository in repositories(o)]
    render = told.as_json if o.output == "json" else told.as_table
    click.echo(render(content, int(time.time()), wanted), nl=False)
    return 0
