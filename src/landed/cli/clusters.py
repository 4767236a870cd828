"""The clusters of a run: which there are, what they are called, and how each is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

from msgspec import structs

from landed.cli.contexts import Place, places, wrong_with
from landed.cli.options import Options
from landed.errors import ClusterError, ConfigurationError, LandedError
from landed.kube import unusable
from landed.model import Cluster, Happened, ObjectRef
from landed.reports.console import Console
from landed.run import Reader
from landed.selection import Selection, Wants, parse_label_selector

if TYPE_CHECKING:
    from landed.background import Asked
    from landed.explain import Evidence, Question
    from landed.explaining import Search
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
    """(cluster name, client) for each cluster of this run; none where a file is read instead.

    Raises ConfigurationError, or ClusterError if kubectl cannot be started. Of several clusters, one that cannot be
    used is unreadable by itself: its client says why to whoever asks it.
    """
    if o.from_file:
        _check_file(o)
        yield ()
        return
    asked = places(o, os.environ)
    here = _share(o, asked, console) if o.shard else asked
    with ExitStack() as stack:
        yield tuple((place.name, client) for place, client in _clients(o, here, len(asked) == 1, stack, console))


def _check_file(o: Options) -> None:
    for option, given in (("--kubeconfig", o.kubeconfig), ("--context", o.context), ("--shard", o.shard)):
        if given:
            raise ConfigurationError(f"--from-file and {option} contradict each other.", "Give one or the other.")
    problem = wrong_with(o.cluster_name[0]) if o.cluster_name else ""
    if problem:
        raise ConfigurationError(f"--cluster-name {o.cluster_name[0]!r}: {problem}.", "Give another name.")


def _share(o: Options, asked: Sequence[Place], console: Console) -> tuple[Place, ...]:
    """The clusters of this shard. Says which are whose to who looks closely."""
    from landed.config.sharding import shard  # imported late: most runs are whole
    from landed.shards import owner

    part = shard(o.shard, os.environ)
    whose: dict[int, list[Place]] = {}
    for place in asked:
        whose.setdefault(owner(place.name, part.of), []).append(place)
    for number, its in sorted(whose.items()):
        this = " (this run)" if number == part.number else ""
        console.detail(f"Shard {number}/{part.of}{this}: {', '.join(place.name for place in its)}")
    if part.number not in whose:
        console.note(f"Shard {part} has none of the {len(asked)} clusters: there is nothing to do.")
    return tuple(whose.get(part.number, ()))


def _clients(
    o: Options, here: Sequence[Place], alone: bool, stack: ExitStack, console: Console
) -> Sequence[tuple[Place, Client]]:
    """A client for each place, which ends with ``stack``."""
    made: list[tuple[Place, Client]] = []
    errors: list[LandedError] = []
    for place in here:
        try:
            client = stack.enter_context(_client(o, place, console))
        except LandedError as error:
            errors.append(error)
            client = stack.enter_context(unusable(place.context, _of(place, error)))
        made.append((place, client))
    without_kubectl = o.kube_via == "kubectl" and len(errors) == len(here) and len({e.message for e in errors}) == 1
    if errors and (alone or without_kubectl):
        raise errors[0]
    return made


def _of(place: Place, error: LandedError) -> LandedError:
    """The error with the cluster that it is about."""
    return LandedError(f"{place.name}: {error.message}", error.hint)


def readers(o: Options, clients: Sequence[tuple[str, Client]], console: Console, wanted: Wants) -> tuple[Reader, ...]:
    """The clusters, ready to be read. Raises ConfigurationError."""
    chosen = selection(o)
    if o.from_file:
        return (_from_file(o, chosen, wanted),)
    ready = tuple(_from_cluster(name, client, chosen, console, wanted) for name, client in clients)
    return ready if len(ready) == 1 and not o.shard else tuple(map(_by_itself, ready))


def _by_itself(reader: Reader) -> Reader:
    """A cluster among several: whatever is wrong with it, only now or by our fault, says nothing about the others."""

    def look(since: int) -> Cluster:
        try:
            return reader.read(since)
        except ClusterError:
            raise
        except LandedError as error:
            raise ClusterError(f"{reader.cluster}: {error.message}", error.hint) from None
        except Exception as error:
            what = f"{reader.cluster}: an unexpected {type(error).__name__}; this is a fault of landed"
            raise ClusterError(what, "Please report it, with the steps that lead to it.") from error

    return structs.replace(reader, read=look)


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
    from landed.kube.read import Reading

    reading = Reading(client, name, chosen, wanted, console.progress)
    events = _events(client) if wanted.details else None
    gone = _gone(client) if wanted.details else None
    return Reader(name, reading.read, events, reading.follow, _requester(client), gone, _evidence(client, console))


def _events(client: Client) -> Asked:
    def ask(about: Collection[ObjectRef]) -> tuple[Mapping[ObjectRef, Sequence[Happened]], str]:
        from landed.kube.events import happened  # imported late: only news is looked up

        return happened(client, about)

    return ask


def _gone(client: Client) -> Callable[[Collection[ObjectRef]], Collection[ObjectRef]]:
    from landed.kube.exists import Exists  # imported late: only where there are Alerts

    return Exists(client).gone


def _requester(client: Client) -> Callable[[ObjectRef, str], None]:
    def request(about: ObjectRef, token: str) -> None:
        from landed.kube.request import ask  # imported late: only --reconcile asks for anything

        ask(client, about, token)

    return request


def _evidence(client: Client, console: Console) -> Search:
    def search(questions: Sequence[Question], level: str, within: float) -> Sequence[Evidence]:
        from landed.kube.evidence import gathered  # imported late: only what has failed is looked into

        return gathered(client, questions, level=level, within=within, hide=console.safe)

    return search


def _client(o: Options, place: Place, console: Console) -> AbstractContextManager[Client]:
    if o.kube_via == "kubectl":
        from landed.kube.kubectl import connect as connect_via_kubectl

        return connect_via_kubectl(
            place.kubeconfig.reveal(), place.context, os.environ, timeout=o.request_timeout, patches=o.reconcile
        )
    return place.known.client(place.context, os.environ, timeout=o.request_timeout, warn=console.warn)
