"""``landed doctor``: would it work? Sends nothing, unless asked to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from landed.cli import options as opt
from landed.cli.options import Options
from landed.errors import CLUSTER_UNREADABLE, CONFIGURATION, DONE, UNDELIVERED, DeliveryError, LandedError
from landed.model import Finding, GitHost, Repository

if TYPE_CHECKING:
    from landed.cli.manifests import Described
    from landed.cli.people import Rewrite
    from landed.kube.client import Client
    from landed.providers.outlet import Outlet
    from landed.selection import Selection


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
    found = _Found()
    cluster = list(_clusters(o, console, found))
    delivery = [*_hosts(o, found), *_channels(o, found, send_test=send_test)]
    place = [*found.manifests, *_wording(o), *_ledger(o, console), *_extras()]
    show_findings((*cluster, *delivery, *place), o.output, console)
    for findings, code in ((place, CONFIGURATION), (cluster, CLUSTER_UNREADABLE), (delivery, UNDELIVERED)):
        if any(finding.level == "problem" for finding in findings):
            return code
    return DONE


class _Found:
    """What was found on the way that others look at."""

    def __init__(self) -> None:
        self.seen: set[Repository] = set()
        self.what: Described | None = None
        self.manifests: list[Finding] = []

    def secrets(self) -> tuple[tuple[str, str], ...]:
        """Namespace and name of the Secrets that manifests refer to."""
        asked = (target.provider for target in self.what.targets) if self.what else ()
        return tuple(sorted({(p.namespace, p.secret) for p in asked if p is not None and p.secret}))


def _clusters(o: Options, console: Any, found: _Found) -> Iterator[Finding]:
    """What can be read; gathers the repositories and the manifests that are found on the way."""
    from landed.cli import clusters
    from landed.cli.options import CLUSTER_MANIFESTS as CLUSTER
    from landed.run import look

    down: set[str] = set()
    try:
        with clusters.connected(o, console) as connected:
            chosen = clusters.selection(o)
            for name, client in connected:
                yield from _apart(name, _examined(name, client, chosen), down)
            if connected and len(down) == len(connected):
                return
            found.manifests += _manifests(o, connected, console, found)
            if CLUSTER in o.config:
                for name, client in connected:
                    if name not in down:
                        yield from _apart(name, _alerts(client, chosen, found), down)
            wanted = clusters.wants(o, found.what.kinds if found.what else ())
            ready = [r for r in clusters.readers(o, connected, console, wanted) if r.cluster not in down]
            looks = look(ready, {}, now=int(time.time()), locate=_locate(o))
    except LandedError as error:
        yield Finding("cluster", "problem", error.message, error.hint)
        return
    for one in looks:
        if one.error:
            yield Finding("cluster", "problem", one.error, one.hint)
            continue
        found.seen |= {outcome.repository for outcome in one.outcomes}
        yield Finding("cluster", "ok", f"{one.cluster}: {_seen(one.outcomes)}")
        yield from (Finding("cluster", "warning", f"{one.cluster}: {warning}") for warning in one.warnings)


def _examined(name: str, client: Client, chosen: Selection) -> Iterator[Finding]:
    from landed.kube import access

    if client.endpoint.host:  # else its kubeconfig cannot be used, which it says when it is asked
        yield Finding("kubeconfig", "ok", f"{name}: {client.endpoint}")
    yield from access.examine(client, chosen)


def _alerts(client: Client, chosen: Selection, found: _Found) -> Iterator[Finding]:
    from landed.kube import access

    yield from access.examine_alerts(client, chosen, secrets=found.secrets())


def _apart(name: str, findings: Iterable[Finding], down: set[str]) -> Iterator[Finding]:
    """What is found of one cluster. One that gives no answer goes ``down``, and does not stop the others."""
    try:
        yield from findings
    except LandedError as error:
        down.add(name)
        yield Finding("cluster", "problem", error.message, error.hint)


def _manifests(o: Options, connected: Any, console: Any, found: _Found) -> Iterator[Finding]:
    """What ``--config`` names, and everything that is wrong with it."""
    if not o.config:
        return
    from landed.cli import compose, githosts
    from landed.cli.manifests import Described

    try:
        found.what = compose.described(o, connected, githosts.hosts(o), console)
    except LandedError as error:
        yield Finding("manifests", "problem", error.message, error.hint)
        return
    what = found.what or Described()
    yield from (Finding("manifests", "warning", note) for note in what.notes)
    for target in what.targets:
        asked = ", ".join(f"{alert.namespace}/{alert.name}" for alert in target.alerts)
        yield Finding("manifests", "ok", f"{target.name}: {target.type}, asked by {asked}")


def _locate(o: Options) -> Callable[[str], Repository | None]:
    """What finds repositories, also where the settings of the Git hosts cannot be used, which is said elsewhere."""
    from landed.cli import compose
    from landed.repositories import Repositories

    try:
        return compose.locate(o)
    except LandedError:
        return Repositories()


def _seen(outcomes: Iterable[Any]) -> str:
    outcomes = list(outcomes)
    objects = {observation.about for outcome in outcomes for observation in outcome.observations}
    places = {outcome.repository for outcome in outcomes}
    return f"{len(objects)} objects speak of {len(outcomes)} commits in {len(places)} repositories"


def _hosts(o: Options, found: _Found) -> Iterator[Finding]:
    from landed.cli import githosts

    try:
        hosts = githosts.hosts(o)
    except LandedError as error:
        yield Finding("Git host", "problem", error.message, error.hint)
        return
    seen = found.seen
    yield from _told(o, hosts, seen)
    yield from _told_by_manifests(found)
    warnings, notes = githosts.remarks(o, hosts)
    yield from (Finding("Git host", "warning", text) for text in warnings)
    yield from (Finding("Git host", "ok", text) for text in notes)
    served = {host.host for host in (*hosts, *(found.what.hosts if found.what else ()))}
    for unserved in sorted({repository.host for repository in seen} - served):
        yield Finding(
            unserved,
            "warning",
            f"There is no token for {unserved}: its commits get no statuses.",
            githosts.how_to_serve(unserved),
        )


def _told(o: Options, hosts: Iterable[GitHost], seen: set[Repository]) -> Iterator[Finding]:
    """Whether the hosts can be told what they are to be told. An API that answers for several of them is asked once."""
    from landed.cli.githosts import told
    from landed.providers.outlet import GitOutlet, Turns

    mine = {host.host: sorted(r for r in seen if r.host == host.host) for host in hosts}
    behind: dict[tuple[str, str], list[GitHost]] = {}
    for host in hosts:
        for type_ in told(o, host):
            behind.setdefault((host.api_url, type_), []).append(host)
    turns = Turns()
    for (_, type_), alike in behind.items():
        chosen = max(alike, key=lambda host: len(mine[host.host]))
        try:
            yield from GitOutlet(chosen, type_, turns).provider().examine(mine[chosen.host])
        except LandedError as error:
            yield Finding(chosen.host, "problem", error.message, error.hint)


def _told_by_manifests(found: _Found) -> Iterator[Finding]:
    """Whether the Providers' tokens do, each for its own repositories."""
    from landed.providers.outlet import GitOutlet, Turns
    from landed.repositories import below

    turns = Turns()
    for target in found.what.targets if found.what else ():
        if target.host is None or target.within is None:
            continue
        mine = [repository for repository in found.seen if below(repository, target.within)]
        try:
            yield from GitOutlet(target.host, target.type, turns).provider().examine(sorted(mine))
        except LandedError as error:
            yield Finding(target.name, "problem", error.message, error.hint)


def _channels(o: Options, found: _Found, *, send_test: bool) -> Iterator[Finding]:
    from landed.cli import compose
    from landed.cli.sample import test_payload
    from landed.model import Update
    from landed.providers.outlet import ChannelOutlet

    try:
        outlets = compose.outlets(o, (), found.what)
        rewrite = compose.rewrite(o, outlets, found.what)
    except LandedError as error:
        yield Finding("channel", "problem", error.message, error.hint)
        return
    yield from _words(outlets, rewrite)
    for outlet in outlets.values():
        if not isinstance(outlet, ChannelOutlet):
            continue
        name = outlet.destination.name
        wrong = outlet.complaints()
        if wrong:
            yield from (Finding(name, "problem", f"{one.field}: {one.what}", one.instead) for one in wrong)
            continue
        if not send_test:
            yield Finding(name, "ok", "The address is well-formed.", "Add --send-test to send a message to it.")
            continue
        try:
            outlet.deliver(Update(name, (), test_payload(outlet.destination.takes)))
        except DeliveryError as error:
            yield Finding(name, "problem", error.message, error.hint)
        else:
            yield Finding(name, "ok", "A test message was taken.")


def _words(outlets: Mapping[str, Outlet], rewrite: Rewrite | None) -> Iterator[Finding]:
    """Whether templates can be filled in, with made-up failures and successes."""
    from landed.cli.sample import SITUATIONS, situation
    from landed.model import Update

    if rewrite is None:
        return
    examples = [
        Update(name, (), payload)
        for name, outlet in outlets.items()
        if outlet.destination.takes in ("digests", "messages")
        for each in SITUATIONS
        for payload in situation(each, outlet.destination.takes)
    ]
    _, wrong = rewrite(examples)
    yield from (Finding("message template", "warning", text) for text in wrong)
    if not wrong:
        yield Finding("words and hours", "ok", "Templates, mentions and quiet hours can be used.")


def _extras() -> Iterator[Finding]:
    """Which of the packages are here that only some need."""
    from landed import providers

    present = sorted(extra for extra in providers.EXTRAS if providers.installed(extra))
    if present:
        yield Finding("extras", "ok", f"Installed: {', '.join(present)}.")
    for extra in sorted(set(providers.EXTRAS) - set(present)):
        _, purpose = providers.EXTRAS[extra]
        yield Finding("extras", "ok", f"Not installed: {extra}, for {purpose}.", f"pip install 'landed[{extra}]'")


def _wording(o: Options) -> Iterator[Finding]:
    """Whether statuses can be named."""
    from landed.cli import compose, githosts

    try:
        githosts.hosts(o)
    except LandedError:
        return  # said elsewhere
    try:
        compose.wording(o)
    except LandedError as error:
        yield Finding("names", "problem", error.message, error.hint)


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
