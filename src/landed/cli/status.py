"""``landed status``: what is seen, for people and programs. Sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from landed.cli import options as opt
from landed.cli.options import Options

if TYPE_CHECKING:
    from landed.model import Report
    from landed.reports.console import Console


@click.command("status", short_help="Show what is seen. Sends nothing.")
@opt.options(
    opt.CLUSTER,
    opt.SELECTION,
    opt.EXPLAIN,
    opt.TELLING[1:],
    (opt.output("table", "json", "markdown", "junit", "html", default="table"),),
    opt.WRITING,
    opt.TALKING,
)
def command(**values: Any) -> int:
    """Show what every object says about which commit, and what waits, is suspended or cannot be fetched."""
    from landed.cli.present import console_for, show, writable, write

    o = Options(**values)
    console = console_for(o, ())
    writable(o)
    report = _seen(o, console)
    show(report, o.output, console)
    write(report, o, console)
    return report.exit_code


def _seen(o: Options, console: Console) -> Report:
    import time

    from msgspec import structs

    from landed.cli.clusters import connected, readers, wants
    from landed.cli.compose import locate, repositories
    from landed.cli.present import explained, shows_rollouts
    from landed.closing import summed_up
    from landed.run import look

    find = locate(o)
    rollout = shows_rollouts(o)
    with connected(o, console) as clients:
        ready = readers(o, clients, console, wants(o, rollout=rollout))
        meant = repositories(o, find)
        looks = look(ready, {}, now=int(time.time()), repositories=meant, locate=find, keep=rollout)
        explanations = explained(o, looks, ready) if rollout else ()
    report = summed_up(looks, fail_on_failure=o.fail_on == "failure", strict=o.strict)
    return structs.replace(report, explanations=explanations)
