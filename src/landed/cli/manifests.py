"""``--config``: Flux's own Provider and Alert manifests as destinations of a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from landed import providers
from landed.cli.contexts import may_be_several
from landed.cli.githosts import tokens
from landed.cli.options import CLUSTER_MANIFESTS as CLUSTER
from landed.cli.options import Options
from landed.config.manifests.hiding import hidden
from landed.config.manifests.problems import render_problems
from landed.config.manifests.read import read_files, read_objects, unanswered
from landed.config.manifests.secrets import SecretSource
from landed.config.manifests.settings import Target, targets
from landed.config.manifests.values import Manifests, Place, Problem
from landed.errors import ConfigurationError, LandedError
from landed.model import Alert, GitHost, Repository, Secret
from landed.providers.outlet import ChannelOutlet, GitOutlet, Outlet, Turns

if TYPE_CHECKING:
    from landed.kube.client import Client
    from landed.plan import Expression
    from landed.providers.outlet import Doors

_KUSTOMIZATION = "Kustomization"

Connected = Sequence[tuple[str, "Client"]]


class Described(Struct, frozen=True):
    """What manifests say of a run."""

    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()
    unread: Mapping[str, LandedError] = {}
    """Of several clusters, those whose manifests could not be read, and why. Nobody knows whom to tell of them."""

    @property
    def hosts(self) -> tuple[GitHost, ...]:
        """The Git hosts among the destinations."""
        return tuple(target.host for target in self.targets if target.host is not None)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that somebody asks about, Kustomizations apart."""
        asked = {source.kind for target in self.targets for alert in target.alerts for source in alert.sources}
        return frozenset(asked - {_KUSTOMIZATION})

    def beside(self, host: GitHost, takes: str) -> tuple[Repository, ...]:
        """The repositories on ``host`` that are told by manifests, so that the options' own token need not."""
        return tuple(
            target.within
            for target in self.targets
            if target.within is not None
            and target.within.host == host.host
            and providers.GIT[target.type].takes == takes
        )


def described(o: Options, connected: Connected, served: Sequence[GitHost]) -> Described:
    """What ``--config`` names, as destinations. Nothing is sent where anything is wrong.

    Raises ConfigurationError with every problem at once, or ClusterError where a cluster's manifests cannot be read; of
    several clusters, such a one is left out.
    """
    if not o.config:
        return Described()
    if CLUSTER in o.config and o.from_file:
        raise ConfigurationError(
            "--config cluster: there is no cluster to read manifests from.", "Give files, or leave out --from-file."
        )
    found, problems = read_files([path for path in o.config if path != CLUSTER])
    gathered = _Gathered(o, served, list(problems), list(found.notes))
    if CLUSTER in o.config:
        for name, client in connected:
            try:
                manifests = _with_clusters_own(found, name, client, gathered)
            except LandedError as error:
                if not may_be_several(o):
                    raise
                gathered.unread[name] = error
                continue
            gathered.add(manifests, (name,), ((name, client),))
    else:
        gathered.add(found, (), connected)
    if gathered.problems:
        raise ConfigurationError(render_problems(dict.fromkeys(gathered.problems)))
    notes = tuple(dict.fromkeys(gathered.notes))
    return Described(tuple(_merged(gathered.targets)), notes, tuple(gathered.secrets), gathered.unread)


class _Gathered:
    """What has come together so far."""

    def __init__(self, o: Options, served: Sequence[GitHost], problems: list[Problem], notes: list[str]) -> None:
        self._o = o
        self._served = served
        self.problems = problems
        self.notes = notes
        self.targets: list[Target] = []
        self.secrets: list[Secret] = []
        self.unread: dict[str, LandedError] = {}

    def add(self, manifests: Manifests, clusters: tuple[str, ...], connected: Connected) -> None:
        """The destinations of ``manifests``, for the events of these clusters (none for all)."""
        source = SecretSource(os.environ, self._o.secret_dir, manifests.secrets, _fetch(connected))
        made, problems, notes = targets(
            manifests,
            source,
            fallback=tokens(self._o),
            known=self._served,
        )
        complaints = [complaint for target in made for complaint in _complaints(target)]
        self.problems += [*unanswered(manifests), *problems, *complaints, *_ambiguous(source, clusters)]
        self.notes += notes
        self.targets += [_of_clusters(target, clusters) for target in made]
        self.secrets += hidden(made, manifests, source)


def _complaints(target: Target) -> Iterator[Problem]:
    """What a channel's own file has against its settings, and what is to be installed for it."""
    channel, provider = target.channel, target.provider
    if channel is None or provider is None:
        return
    about = f"Provider {provider.namespace}/{provider.name}"

    def problem(field: str, what: str, instead: str) -> Problem:
        place = structs.replace(provider.place, line=provider.lines.get(field) or provider.place.line)
        return Problem(place, about, field, what, instead)

    extra = providers.lacking(channel.type)
    if extra:
        yield problem("spec.type", f"{channel.type} takes a package that is not here", providers.how_to_install(extra))
    yield from (problem(*complaint) for complaint in (providers.complaints(channel) if not extra else ()))


def _ambiguous(source: SecretSource, clusters: Sequence[str]) -> Iterator[Problem]:
    """On a cluster anybody who may write Providers in some namespace could collect another one's Secret by its name."""
    for text in source.shared() if clusters else ():
        instead = "Say whose it is: LANDED_SECRET_NAMESPACE_NAME_KEY, or NAMESPACE/NAME/KEY in --secret-dir."
        yield Problem(Place(f"cluster {clusters[0]}"), "", "", text.rstrip("."), instead)


def _with_clusters_own(files: Manifests, name: str, client: Client, gathered: _Gathered) -> Manifests:
    """What files say, and what of the cluster's own manifests they do not say otherwise."""
    from landed.kube import objects

    there, notes = objects.manifests(client)
    own, problems = read_objects(there, f"cluster {name}")
    gathered.problems += problems
    gathered.notes += [*(f"{name}: {note}" for note in notes), *own.notes]
    providers_ = {(p.namespace, p.name) for p in files.providers}
    listeners = {(x.alert.namespace, x.alert.name) for x in files.listeners}
    return structs.replace(
        files,
        providers=(*files.providers, *(p for p in own.providers if (p.namespace, p.name) not in providers_)),
        listeners=(
            *files.listeners,
            *(x for x in own.listeners if (x.alert.namespace, x.alert.name) not in listeners),
        ),
        broken=files.broken | own.broken,
        asking=(*files.asking, *own.asking),
    )


def _fetch(connected: Connected) -> Callable[[str, str], Mapping[str, Secret] | None] | None:
    """The first cluster that has a Secret gives it."""
    if not connected:
        return None

    def fetch(namespace: str, name: str) -> Mapping[str, Secret] | None:
        from landed.kube import objects

        errors: list[LandedError] = []
        for _, client in connected:
            try:
                found = objects.secret(client, namespace, name)
            except LandedError as error:
                errors.append(error)
                continue
            if found is not None:
                return found
        if errors:
            raise errors[0]
        return None

    return fetch


def _of_clusters(target: Target, clusters: tuple[str, ...]) -> Target:
    alerts = tuple(structs.replace(alert, clusters=clusters) for alert in target.alerts)
    return structs.replace(target, alerts=alerts)


def _merged(made: Iterable[Target]) -> Iterator[Target]:
    """The same destination on several clusters is one, which is told of all of them; different ones that happen to bear
    one name are told apart by the cluster.
    """
    in_order = sorted(made, key=lambda target: target.name)
    for _, group in groupby(in_order, key=lambda target: target.name):
        alike: dict[Target, list[Target]] = {}
        for target in group:
            alike.setdefault(_essence(target), []).append(target)
        for number, same in enumerate(alike.values()):
            first = structs.replace(same[0], alerts=_united(same))
            clusters = next((alert.clusters for alert in first.alerts), ())
            yield _renamed(first, f"{first.name} ({', '.join(clusters)})") if number else first


def _essence(target: Target) -> Target:
    alerts = tuple(structs.replace(alert, clusters=(), uid="") for alert in target.alerts)
    return structs.replace(target, alerts=alerts, provider=None, listeners=())


def _united(same: Sequence[Target]) -> tuple[Alert, ...]:
    """The Alerts of one destination, for all the clusters that have it."""
    clusters = tuple(dict.fromkeys(name for target in same for alert in target.alerts for name in alert.clusters))
    return tuple(structs.replace(alert, clusters=clusters) for alert in same[0].alerts)


def _renamed(target: Target, name: str) -> Target:
    channel = target.channel and structs.replace(target.channel, name=name)
    return structs.replace(target, name=name, channel=channel)


# ── outlets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def outlets(what: Described, doors: Doors, turns: Turns, *, several: bool) -> Iterator[Outlet]:
    """The destinations, ready to be told. Raises ConfigurationError where an expression cannot be used."""
    for target in what.targets:
        if target.channel is not None:
            yield ChannelOutlet(target.channel, doors.to(target.channel.network), target.alerts[0])
        elif target.host is not None:
            outlet = GitOutlet(target.host, target.type, turns)
            outlet.destination = structs.replace(
                outlet.destination,
                name=target.name,
                alerts=target.alerts,
                within=target.within,
                whole=False,
                expression=_expression(target, several=several),
            )
            yield outlet


def _expression(target: Target, *, several: bool) -> Expression | None:
    if not target.expression or target.provider is None:
        return None
    from landed.cel import compiled

    alerts = {f"{x.alert.namespace}/{x.alert.name}": x.object for x in target.listeners}
    place = f"{target.name}: spec.commitStatusExpr"
    return compiled(target.expression, place, several=several, provider=target.provider.object, alerts=alerts)
