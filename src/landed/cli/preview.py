"""``landed preview``: what each destination would be told, exactly. Sends nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click
from msgspec import structs

from landed.cli import options as opt
from landed.cli.options import CLUSTER_MANIFESTS, Options
from landed.errors import ConfigurationError

if TYPE_CHECKING:
    from landed.model import Payload, Update
    from landed.providers.outlet import Outlet
    from landed.reports.preview import Preview
    from landed.run import Line

#: As in ``sample``, which is imported late.
SITUATIONS = ("failure", "success", "recovery", "dependency")


@click.command("preview", short_help="Show what each destination would be told, exactly. Sends nothing.")
@opt.options(
    opt.CLUSTER,
    opt.SELECTION,
    opt.GIT,
    opt.CHANNELS,
    opt.LEDGER[:1],
    (
        opt.option(
            "--situation",
            type=click.Choice(SITUATIONS),
            help="Show what becomes of a built-in example instead of what the clusters say now.",
        ),
    ),
    (opt.output("text", "json", default="text"),),
    opt.TALKING,
)
def command(situation: str | None, **values: Any) -> int:
    """Show every request that `landed report` would send now, as the service would get it. Addresses and tokens are
    left out. With --situation, what each destination makes of a built-in example.
    """
    from landed.cli.compose import line, secrets
    from landed.cli.present import console_for, problems
    from landed.model import Report
    from landed.reports.preview import rendered
    from landed.run import once_only, run

    o = Options(**values, dry_run=True)
    if situation:
        o = _without_need_of_a_cluster(o)
    console = console_for(o, secrets(o))
    with line(o, console) as whole:
        if situation:
            report, previews = Report(), tuple(_of_example(whole, situation))
        else:
            report = run(whole, once_only)
            previews = tuple(_of_updates(whole, report.planned))
            problems(report, console)
    console.close()
    console.show(rendered(console.hidden(previews), o.output, news=bool(report.notes)))
    for note in report.notes:
        console.note(note)
    if not whole.parts.outlets:
        console.warn("There is nobody to tell: no Git host's token, no channel and no manifests are given.")
    return report.exit_code


def _of_updates(whole: Line, updates: Iterable[Update]) -> Iterator[Preview]:
    for update in updates:
        yield from _previews(whole.parts.outlets[update.destination], update.payload)


def _without_need_of_a_cluster(o: Options) -> Options:
    """An example needs none: where none is given, there are simply no Secrets to be read from it."""
    from landed.cli.contexts import places

    if o.from_file or CLUSTER_MANIFESTS in o.config:
        return o
    try:
        places(o, os.environ)
    except ConfigurationError:
        return o if o.kubeconfig or o.context else structs.replace(o, from_file=os.devnull)
    return o


def _of_example(whole: Line, situation: str) -> Iterator[Preview]:
    from landed.cli.sample import asked
    from landed.cli.sample import situation as example

    for name, outlet in whole.parts.outlets.items():
        to = outlet.destination
        for payload in _in_their_words(whole, name, asked(example(situation, to.takes), to)):
            yield from _previews(outlet, payload)


def _in_their_words(whole: Line, destination: str, payloads: Iterable[Payload]) -> Iterable[Payload]:
    """As the user's own files have them; what is wrong with those is said on the way."""
    from landed.model import Update

    if whole.rewrite is None:
        return payloads
    updates, wrong = whole.rewrite([Update(destination, (), payload) for payload in payloads])
    for text in wrong:
        whole.parts.tongue.warn(text)
    return [update.payload for update in updates]


def _previews(outlet: Outlet, payload: Payload) -> Iterator[Preview]:
    """What would go out: of a channel the requests themselves, of a Git host what it is to keep."""
    from msgspec import to_builtins

    from landed.model import Digest
    from landed.providers.outlet import ChannelOutlet
    from landed.reports.preview import Preview

    name = outlet.destination.name
    if not isinstance(outlet, ChannelOutlet):
        yield Preview(name, "set", outlet.destination.host, to_builtins(payload))
        return
    answers = ", in the thread of its message" if isinstance(payload, Digest) and payload.reply else ""
    for request in outlet.requests(payload):
        headers = {key: str(value) for key, value in request.headers.items() if str(value)}
        yield Preview(name, request.method, f"{request.origin}{answers}", outlet.shown(request), headers)
