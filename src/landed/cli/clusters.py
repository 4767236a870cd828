"""The clusters of a run: which there are, what they are called, and how each is read."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

from msgspec import structs

from landed.cli.options import Options
from landed.errors import ConfigurationError
from landed.kube import connect, contexts
from landed.model import Cluster, Happened, ObjectRef
from landed.reports.console import Console
from landed.run import Reader
from landed.selection import Selection, Wants, parse_label_selector

if TYPE_CHECKING:
    from landed.background import Asked
    from landed.kube.client import Client

#: What a cluster is called that comes from a file.
UNNAMED = "cluster"


def selection(o: Options) -> Selection:
    """Which Kustomizations are meant. Raises ConfigurationError for a selector that does not parse."""
    if o.label_selector:
        parse_label_selector(o.label_selector)
    return Selection(o.namespace, o.kustomization, o.path, o.label_selector)


def wants(o: Options, kinds: Collection[str] = (), *, rollout: bool = False) -> Wants:
    """What is to be known of objects beyond commits; ``kinds`` are those that Alerts ask about, ``rollout`` is whether
    it is shown how a commit fares.
    """
    metadata = bool(o.change_request_comments or o.commit_status_expr or o.github_dispatch)
    return Wants(metadata, bool(o.config), rollout, frozenset(kinds))


@contextmanager
def connected(o: Options, console: Console) -> Iterator[tuple[tuple[str, Client], ...]]:
    """(cluster name, client) for each context; none where a file is read instead. Raises ConfigurationError, or
    ClusterError if kubectl cannot be started.
    """
    if o.from_file:
        if o.context or o.kubeconfig:
            raise ConfigurationError(
                "--from-file and --kubeconfig or --context contradict each other.", "Give one or the other."
            )
        yield ()
        return
    names = cluster_names(o)
    with ExitStack() as stack:
        yield tuple((name, stack.enter_context(_client(o, context, console))) for context, name in names.items())


def readers(o: Options, clients: Sequence[tuple[str, Client]], console: Console, wanted: Wants) -> tuple[Reader, ...]:
    """The clusters, ready to be read. Raises ConfigurationError."""
    chosen = selection(o)
    if o.from_file:
        return (_from_file(o, chosen, wanted),)
    return tuple(_from_cluster(name, client, chosen, console, wanted) for name, client in clients)


def _from_file(o: Options, chosen: Selection, wanted: Wants) -> Reader:
    from landed.kube import fromfile

    name = o.cluster_name[0] if o.cluster_name else UNNAMED

    def look(since: int) -> Cluster:
        cluster = fromfile.read(o.from_file, name, selection=chosen, since=since, wants=wanted)
        # Nobody knows when the file was made, so no controller has been silent for too long.
        return structs.replace(
            cluster, kustomizations=tuple(structs.replace(k, patience=0) for k in cluster.kustomizations)
        )

    return Reader(name, look)


def _from_cluster(name: str, client: Client, chosen: Selection, console: Console, wanted: Wants) -> Reader:
    from landed.kube.read import read

    def look(since: int) -> Cluster:
        return read(client, name, selection=chosen, since=since, wants=wanted, progress=console.progress)

    return Reader(name, look, _events(client) if wanted.details else None)


def _events(client: Client) -> Asked:
    def ask(about: Collection[ObjectRef]) -> tuple[Mapping[ObjectRef, Sequence[Happened]], str]:
        from landed.kube.events import happened  # imported late: only news is looked up

        return happened(client, about)

    return ask


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
