"""``landed doctor``: would it work? Sends nothing, unless asked to."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import click

from landed.cli import options as opt
from landed.cli.options import Options
from landed.errors import CLUSTER_UNREADABLE, CONFIGURATION, DONE, UNDELIVERED, DeliveryError, LandedError
from landed.model import Finding, Repository


@click.command("doctor", short_help="Check kubeconfig, permissions, tokens and channels. Sends nothing.")
@opt.options(
    opt.CLUSTER,
    opt.SELECTION,
    opt.GIT,
    opt.CHANNELS,
    opt.LEDGER[:1],
    (opt.flag("--send-test", help="Send a test message to each channel."),),
    (opt.output("table", "json", default="table"),),
    opt.TALKING,
)
def command(send_test: bool, **values: Any) -> int:
    """Check the kubeconfig, what it may read, the Git hosts' tokens and what they may write, and the channels."""
    from landed.cli.compose import secrets
    from landed.cli.present import console_for, show_findings

    o = Options(**values)
    console = console_for(o, secrets(o))
    seen: set[Repository] = set()
    cluster = list(_clusters(o, console, seen))
    delivery = [*_hosts(o, seen), *_channels(o, send_test=send_test)]
    place = list(_ledger(o, console))
    show_findings((*cluster, *delivery, *place), o.output, console)
    for findings, code in ((place, CONFIGURATION), (cluster, CLUSTER_UNREADABLE), (delivery, UNDELIVERED)):
        if any(finding.level == "problem" for finding in findings):
            return code
    return DONE


def _clusters(o: Options, console: Any, seen: set[Repository]) -> Iterator[Finding]:
    """What can be read; gathers the repositories that are found on the way."""
    from landed.cli import compose
    from landed.kube import access
    from landed.run import look

    try:
        if not o.from_file:
            with compose.clients(o, console) as connected:
                for name, client in connected:
                    yield Finding("kubeconfig", "ok", f"{name}: {client.endpoint}")
                    yield from access.examine(client, compose.selection(o))
        with compose.readers(o, console) as ready:
            looks = look(ready, {}, now=int(time.time()))
    except LandedError as error:
        yield Finding("cluster", "problem", error.message, error.hint)
        return
    for one in looks:
        if one.error:
            yield Finding("cluster", "problem", one.error, one.hint)
            continue
        seen |= {outcome.repository for outcome in one.outcomes}
        yield Finding("cluster", "ok", f"{one.cluster}: {_seen(one.outcomes)}")
        yield from (Finding("cluster", "warning", f"{one.cluster}: {warning}") for warning in one.warnings)


def _seen(outcomes: Iterable[Any]) -> str:
    outcomes = list(outcomes)
    objects = {observation.about for outcome in outcomes for observation in outcome.observations}
    places = {outcome.repository for outcome in outcomes}
    return f"{len(objects)} objects speak of {len(outcomes)} commits in {len(places)} repositories"


def _hosts(o: Options, seen: set[Repository]) -> Iterator[Finding]:
    from landed.cli import compose
    from landed.providers.outlet import GitOutlet, Turns

    try:
        hosts = compose.hosts(o)
    except LandedError as error:
        yield Finding("Git host", "problem", error.message, error.hint)
        return
    served = {host.host for host in hosts}
    for api_url in dict.fromkeys(host.api_url for host in hosts):  # one API may answer for several hosts
        behind = [host for host in hosts if host.api_url == api_url]
        mine = {host.host: sorted(r for r in seen if r.host == host.host) for host in behind}
        chosen = max(behind, key=lambda host: len(mine[host.host]))
        try:
            yield from GitOutlet(chosen, chosen.type, Turns()).provider().examine(mine[chosen.host])
        except DeliveryError as error:
            yield Finding(chosen.host, "problem", error.message, error.hint)
    for unserved in sorted({repository.host for repository in seen} - served):
        yield Finding(
            unserved,
            "warning",
            f"There is no token for {unserved}: its commits get no statuses.",
            f"Set --github-token, or declare it with --git-host {unserved}=github=https://{unserved}/api/v3.",
        )


def _channels(o: Options, *, send_test: bool) -> Iterator[Finding]:
    from landed.cli import compose
    from landed.cli.sample import test_payload
    from landed.model import Update
    from landed.providers.outlet import ChannelOutlet

    try:
        found = compose.webhooks(o)
    except LandedError as error:
        yield Finding("channel", "problem", error.message, error.hint)
        return
    for channel in found:
        outlet = compose.outlets(o)[channel.name]
        assert isinstance(outlet, ChannelOutlet)  # noqa: S101 — channels are what we asked for
        if not send_test:
            yield Finding(channel.name, "ok", "The address is well-formed.", "Add --send-test to send a message to it.")
            continue
        try:
            outlet.deliver(Update(channel.name, (), test_payload(outlet.destination.takes)))
        except DeliveryError as error:
            yield Finding(channel.name, "problem", error.message, error.hint)
        else:
            yield Finding(channel.name, "ok", "A test message was taken.")


def _ledger(o: Options, console: Any) -> Iterator[Finding]:
    from landed.ledger import ledger

    try:
        told = ledger(o.ledger, warn=console.warn, progress=console.progress).peek()
    except LandedError as error:
        yield Finding("ledger", "problem", error.message, error.hint)
        return
    lines = sum(len(lines) for lines in told.destinations.values())
    there = f"{lines} entries for {len(told.destinations)} destinations" if told.destinations else "nothing yet"
    yield Finding("ledger", "ok", f"{o.ledger}: {there}")
