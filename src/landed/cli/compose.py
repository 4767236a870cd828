"""From options to the parts of a run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import structs

from landed.cli.clusters import connected, readers, wants
from landed.cli.contexts import may_be_several
from landed.cli.githosts import hosts, remarks, tokens, told
from landed.cli.options import STATUS_CONTEXT, Options
from landed.cli.present import shows_rollouts
from landed.config.channels import channels, option_of
from landed.config.credentials import hidden, hidden_key, hidden_of_hosts
from landed.config.surroundings import run_url
from landed.delivery import Parts
from landed.errors import ClusterError, ConfigurationError, LandedError
from landed.ledger import Share, ledger
from landed.model import Channel, Cluster, GitHost, Repository, Secret
from landed.plan import Wording
from landed.providers.outlet import ChannelOutlet, Doors, GitOutlet, Outlet, Turns
from landed.registry import CHAT
from landed.reports.console import Console
from landed.repositories import Repositories
from landed.run import Line, Reader

if TYPE_CHECKING:
    from landed.cli.manifests import Described
    from landed.cli.people import Rewrite
    from landed.kube.client import Client
    from landed.ledger.interface import Ledger
    from landed.plan.wording import Expression
    from landed.waker import Waker


#: Types of channels of which an option may say more that is wrong than what is no address.
EXAMINED = frozenset({"apprise", "mattermost", "ntfy"})


def secrets(o: Options) -> tuple[Secret, ...]:
    """Everything that must never be printed."""
    own = Secret(os.environ.get("CI_JOB_TOKEN", ""))
    known = hidden(*tokens(o).values(), own)
    addresses = filter(None, _webhooks(o).values())
    return (*known, *hidden_of_hosts(o.git_token), *hidden_key(o.github_app_private_key), *addresses)


def _webhooks(o: Options) -> Mapping[str, Secret]:
    """By the type of channel."""
    given = {type_: getattr(o, f"{type_.replace('-', '_')}_webhook", Secret("")) for type_ in CHAT}
    return {**given, "apprise": o.apprise_url}


def webhooks(o: Options) -> tuple[Channel, ...]:
    """The channels that are given by an option. Raises ConfigurationError."""
    return channels(_webhooks(o))


def examine(o: Options) -> None:
    """Look at what options say of channels, before anybody is told anything. Raises ConfigurationError."""
    for channel in webhooks(o):
        if channel.type in EXAMINED:
            from landed import providers  # imported late: most addresses are looked at without their channel's file

            extra = providers.lacking(channel.type)
            if extra:
                what = f"{option_of(channel.type)} takes a package that is not here."
                raise ConfigurationError(what, providers.how_to_install(extra))
            for complaint in providers.complaints(channel):
                raise ConfigurationError(f"{option_of(channel.type)}: {complaint.what}.", complaint.instead)


def outlets(o: Options, served: Sequence[GitHost] | None = None, what: Described | None = None) -> Mapping[str, Outlet]:
    """Every destination by its name; ``served`` are the Git hosts of the options, where they are known already, and
    ``what`` is what manifests describe.
    """
    served = hosts(o) if served is None else served
    turns, doors = Turns(), Doors()
    found: list[Outlet] = [
        _beside(GitOutlet(host, type_, turns), host, what) for host in served for type_ in told(o, host)
    ]
    found += [ChannelOutlet(channel, doors.to(channel.network)) for channel in webhooks(o)]
    if what is not None and what.targets:
        from landed.cli.manifests import outlets as of_manifests

        found += of_manifests(what, doors, turns, several=may_be_several(o))
    return {outlet.destination.name: outlet for outlet in found}


def _beside(outlet: GitOutlet, host: GitHost, what: Described | None) -> GitOutlet:
    """The outlet, without the repositories that manifests have told."""
    beside = what.beside(host, outlet.destination.takes) if what is not None else ()
    if beside:
        outlet.destination = structs.replace(outlet.destination, beside=beside)
    return outlet


def wording(o: Options, served: Sequence[GitHost] | None = None) -> Wording:
    """How statuses are named; ``served`` as for ``outlets``.

    Raises ConfigurationError where two statuses would get one name.
    """
    context, whole = o.status_context, o.status_context_commit
    if o.commit_status_expr and context != STATUS_CONTEXT:
        raise ConfigurationError(
            "--commit-status-expr and --status-context contradict each other.", "Give one of them."
        )
    for option, template, needed in (
        ("--status-context", context, ("{namespace}", "{name}")),
        ("--status-context-commit", whole, ()),
    ):
        missing = [part for part in needed if part not in template]
        if missing or ("{cluster}" not in template and may_be_several(o)):
            raise ConfigurationError(
                f"{option} {template!r} would give several statuses one name.",
                f"It must hold {' and '.join(missing or ['{cluster}'])}.",
            )
    if context == whole:
        raise ConfigurationError("--status-context and --status-context-commit must differ.")
    served = hosts(o) if served is None else served
    deployments = o.deployments or (("*",) if any(host.job_token for host in served) else ())
    return Wording(
        context,
        whole,
        o.target_url or run_url(os.environ),
        expression=_expression(o.commit_status_expr, several=may_be_several(o)),
        max_contexts=o.max_contexts,
        environments=deployments,
        environment_url=o.environment_url,
    )


def _expression(text: str, *, several: bool) -> Expression | None:
    if not text:
        return None
    from landed.cel import compiled

    return compiled(text, several=several)


def repositories(o: Options, find: Repositories | None = None) -> frozenset[Repository]:
    """Which repositories are meant, as ``find`` spells them; none for all. Raises ConfigurationError."""
    find = find or locate(o)
    found = {text: find(text) or find(f"https://{text}") for text in o.repository}
    for text, parsed in found.items():
        if parsed is None:
            raise ConfigurationError(f"--repository {text!r} is not the URL of a Git repository.")
    return frozenset(parsed for parsed in found.values() if parsed is not None)


def locate(o: Options) -> Repositories:
    """What finds the repository behind a URL. Raises ConfigurationError."""
    return Repositories(hosts(o))


@contextmanager
def line(o: Options, console: Console, *, waker: Waker | None = None) -> Iterator[Line]:
    """Everything a run is made of; one that goes on is woken by ``waker``, and shows what it reads."""
    rollout = waker is not None or shows_rollouts(o)
    served = hosts(o)
    warnings, notes = remarks(o, served)
    with connected(o, console) as clients:
        what = described(o, clients, served, console)
        for text in notes:
            console.note(text)
        for text in what.notes if what else ():
            console.detail(text)
        examine(o)
        find = Repositories((*served, *(what.hosts if what else ())))
        told = outlets(o, served, what)
        yield Line(
            readers=readers(o, clients, console, wants(o, what.kinds if what else (), rollout=rollout)),
            warnings=warnings,
            parts=Parts(
                _ledger(o, clients, console),
                told,
                console,
                time.time,
            ),
            wording=wording(o, served),
            pause=waker.pause if waker is not None else time.sleep,
            wake=waker.wake if waker is not None else lambda: None,
            keep=rollout,
            repositories=repositories(o, find),
            locate=find,
            dry_run=o.dry_run,
            fail_on_failure=o.fail_on == "failure",
            strict=o.strict,
            details=what is not None,
            rewrite=rewrite(o, told, what),
        )


def rewrite(o: Options, told: Mapping[str, Outlet], what: Described | None) -> Rewrite | None:
    """What the user's own words make of messages; ``told`` get their quiet hours. Raises ConfigurationError."""
    if not (o.message_template or o.mentions or o.quiet_hours):
        return None
    from landed.cli import people  # imported late: most runs say it in our words, at any hour

    return people.wishes(o, told, all_known=what is None or not what.unread)


def _heard(ready: Sequence[Reader], what: Described | None) -> Sequence[Reader]:
    """The clusters, where the ones whose manifests could not be read are unreadable: what were read of them would be
    told to nobody, and counted as told.
    """
    if what is None or not what.unread:
        return ready

    def refusing(error: LandedError) -> Callable[[int], Cluster]:
        def look(_: int) -> Cluster:
            raise ClusterError(error.message, error.hint)

        return look

    return tuple(
        Reader(reader.cluster, refusing(what.unread[reader.cluster])) if reader.cluster in what.unread else reader
        for reader in ready
    )


def _ledger(o: Options, clients: Sequence[tuple[str, Client]], console: Console) -> Ledger:
    """The ledger, shared with the runs of the other shards where there are any."""
    share = None
    if o.shard:
        from landed.config.sharding import shard  # imported late: most runs are whole

        part = shard(o.shard, os.environ)
        share = Share(f"{part.number}-of-{part.of}", tuple(name for name, _ in clients))
    return ledger(o.ledger, lock_timeout=o.lock_timeout, warn=console.warn, progress=console.progress, shared=share)


def described(
    o: Options, clients: Sequence[tuple[str, Client]], served: Sequence[GitHost], console: Console
) -> Described | None:
    """What manifests describe, if there are to be any; from then on ``console`` keeps their secrets back."""
    if not o.config:
        return None
    from landed.cli import manifests  # imported late: reading YAML costs more than a run without news

    what = manifests.described(o, clients, served)
    console.hide_also(what.secrets)
    return what
