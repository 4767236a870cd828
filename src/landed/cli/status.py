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

    from landed.cli.clusters import connected, readers, wants
    from landed.cli.compose import locate, repositories
    from landed.cli.present import console_for, show
    from landed.closing import summed_up
    from landed.run import look

    o = Options(**values)
    console = console_for(o, ())
    find = locate(o)
    with connected(o, console) as clients:
        ready = readers(o, clients, console, wants(o))
        looks = look(ready, {}, now=int(time.time()), repositories=repositories(o, find), locate=find)
    report = summed_up(looks, fail_on_failure=o.fail_on == "failure", strict=o.strict)
    show(report, o.output, console)
    return report.exit_code
