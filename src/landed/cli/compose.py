"""From options to the parts of a run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING

from landed.cli.githosts import hosts, remarks, tokens, told
from landed.cli.options import STATUS_CONTEXT, Options
from landed.config.channels import channels
from landed.config.credentials import hidden, hidden_key, hidden_of_hosts
from landed.config.surroundings import run_url
from landed.delivery import Parts
from landed.errors import ConfigurationError
from landed.kube import connect, contexts
from landed.ledger import ledger
from landed.model import Channel, Cluster, GitHost, Repository, Secret
from landed.plan import Wording
from landed.providers.outlet import ChannelOutlet, GitOutlet, Outlet, Turns
from landed.reports.console import Console
from landed.repositories import Repositories
from landed.run import Line, Reader
from landed.selection import Selection, parse_label_selector

if TYPE_CHECKING:
    from landed.http import Http
    from landed.kube.client import Client
    from landed.plan.wording import Expression

#: What a cluster is called that comes from a file.
UNNAMED = "cluster"


def secrets(o: Options) -> tuple[Secret, ...]:
    """Everything that must never be printed."""
    own = Secret(os.environ.get("CI_JOB_TOKEN", ""))
    webhooks = (secret for secret in (o.slack_webhook, o.generic_webhook) if secret)
    known = hidden(*tokens(o).values(), own)
    return (*known, *hidden_of_hosts(o.git_token), *hidden_key(o.github_app_private_key), *webhooks)


def webhooks(o: Options) -> tuple[Channel, ...]:
    """The channels that are given by an option."""
    return channels({"slack": o.slack_webhook, "generic": o.generic_webhook})


def outlets(o: Options, served: Sequence[GitHost] | None = None) -> Mapping[str, Outlet]:
    """Every destination by its name; ``served`` are the Git hosts, where they are known already."""
    served = hosts(o) if served is None else served
    door = cache(_door)  # opened at the first use, and shared from then on
    turns = Turns()
    found: list[Outlet] = [GitOutlet(host, type_, turns) for host in served for type_ in told(o, host)]
    found += [ChannelOutlet(channel, door) for channel in webhooks(o)]
    return {outlet.destination.name: outlet for outlet in found}


def _door() -> Http:
    from landed.http import Http

    return Http()


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
        if missing or ("{cluster}" not in template and len(o.context) > 1):
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
        expression=_expression(o.commit_status_expr, several=len(o.context) > 1),
        max_contexts=o.max_contexts,
        environments=deployments,
        environment_url=o.environment_url,
    )


def _expression(text: str, *, several: bool) -> Expression | None:
    if not text:
        return None
    from landed.cel import compiled

    return compiled(text, several=several)


def selection(o: Options) -> Selection:
    """Which Kustomizations are meant. Raises ConfigurationError for a selector that does not parse."""
    if o.label_selector:
        parse_label_selector(o.label_selector)
    return Selection(o.namespace, o.kustomization, o.label_selector)


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


def _metadata(o: Options) -> bool:
    """Whether anything is told that needs what objects add to their events."""
    return bool(o.change_request_comments or o.commit_status_expr or o.github_dispatch)


@contextmanager
def readers(o: Options, console: Console) -> Iterator[tuple[Reader, ...]]:
    """The clusters, ready to be read. Raises ConfigurationError, or ClusterError if kubectl cannot be started."""
    chosen = selection(o)
    if o.from_file:
        yield (_from_file(o, chosen),)
        return
    with clients(o, console) as connected:
        yield tuple(_from_cluster(name, client, chosen, console, metadata=_metadata(o)) for name, client in connected)


def _from_file(o: Options, chosen: Selection) -> Reader:
    from landed.kube import fromfile

    if o.context or o.kubeconfig:
        raise ConfigurationError(
            "--from-file and --kubeconfig or --context contradict each other.", "Give one or the other."
        )
    name = o.cluster_name[0] if o.cluster_name else UNNAMED
    metadata = _metadata(o)
    return Reader(
        name, lambda since: fromfile.read(o.from_file, name, selection=chosen, since=since, metadata=metadata)
    )


def _from_cluster(name: str, client: Client, chosen: Selection, console: Console, *, metadata: bool) -> Reader:
    from landed.kube.read import read

    def look(since: int) -> Cluster:
        return read(client, name, selection=chosen, since=since, metadata=metadata, progress=console.progress)

    return Reader(name, look)


@contextmanager
def clients(o: Options, console: Console) -> Iterator[tuple[tuple[str, Client], ...]]:
    """(cluster name, client) for each context. Raises ConfigurationError."""
    names = cluster_names(o)
    with ExitStack() as stack:
        yield tuple((name, stack.enter_context(_client(o, context, console))) for context, name in names.items())


def _client(o: Options, context: str, console: Console) -> AbstractContextManager[Client]:
    kubeconfig = o.kubeconfig.reveal()
    if o.kube_via == "kubectl":
        from landed.kube.kubectl import connect as connect_via_kubectl

        return connect_via_kubectl(kubeconfig, context, os.environ, timeout=o.request_timeout)
    return connect(kubeconfig, context, os.environ, timeout=o.request_timeout, warn=console.warn)


def cluster_names(o: Options) -> Mapping[str, str]:
    """Context → what its cluster is called; unique, since contexts and ledger lines carry it."""
    current, _ = contexts(o.kubeconfig.reveal(), os.environ)
    wanted = o.context or (current,)
    if len(o.cluster_name) > len(wanted):
        raise ConfigurationError(
            f"There are {len(o.cluster_name)} --cluster-name for {len(wanted)} --context.", "Give one for each context."
        )
    names = dict(zip(wanted, o.cluster_name, strict=False))
    named = {context: names.get(context, context) for context in wanted}
    if len(set(named.values())) < len(wanted):
        raise ConfigurationError("Two clusters have the same name.", "Give each --context once, and unique names.")
    return named


@contextmanager
def line(o: Options, console: Console) -> Iterator[Line]:
    """Everything a run is made of."""
    served = hosts(o)
    warnings, notes = remarks(o, served)
    for text in notes:
        console.note(text)
    find = Repositories(served)
    with readers(o, console) as ready:
        yield Line(
            readers=ready,
            warnings=warnings,
            parts=Parts(
                ledger(o.ledger, lock_timeout=o.lock_timeout, warn=console.warn, progress=console.progress),
                outlets(o, served),
                console,
                time.time,
            ),
            wording=wording(o, served),
            pause=time.sleep,
            repositories=repositories(o, find),
            locate=find,
            dry_run=o.dry_run,
            fail_on_failure=o.fail_on == "failure",
            strict=o.strict,
        )
