"""``landed status``: what is seen, for people and programs. Sends nothing."""

from __future__ import annotations

from typing import Any

import click

from landed.cli import options as opt
from landed.cli.options import Options


@click.command("status", short_help="Show what is seen. Sends nothing.")
@opt.options(
    opt.CLUSTER,
    opt.SELECTION,
    opt.TELLING[1:],
    (opt.output("table", "json", "markdown", default="table"),),
    opt.TALKING,
)
def command(**values: Any) -> int:
    """Show what every object says about which commit, and what waits, is suspended or cannot be fetched."""
    import time

    from landed.cli.compose import locate, readers, repositories
    from landed.cli.present import console_for, show
    from landed.run import look, summed_up

    o = Options(**values)
    console = console_for(o, ())
    find = locate(o)
    with readers(o, console) as ready:
        looks = look(ready, {}, now=int(time.time()), repositories=repositories(o, find), locate=find)
    report = summed_up(looks, fail_on_failure=o.fail_on == "failure", strict=o.strict)
    show(report, o.output, console)
    return report.exit_code
