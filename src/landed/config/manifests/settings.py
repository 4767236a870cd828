"""From manifests and their Secrets to the destinations that they describe.

https://fluxcd.io/flux/components/notification/providers/ . Unlike notification-controller this minds no blanks around a
token, takes a password with the user in the Provider, and lets every type have its proxy and certificates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, structs

from landed.config.manifests import channel as channels
from landed.config.manifests import githost
from landed.config.manifests.case import APP_KEYS, Case
from landed.config.manifests.githost import Options
from landed.config.manifests.network import network
from landed.config.manifests.secrets import SecretSource
from landed.config.manifests.types import TYPES, names
from landed.config.manifests.values import Listener, Manifests, Problem, Provider
from landed.model import Alert, Channel, GitHost, Repository, Secret

#: Settings that some types do not mind.
_IDLE = {
    "channel": "spec.channel",
    "username": "spec.username",
    "headers": "`headers` of its Secret",
    "token": "`token` of its Secret",
}


class Target(Struct, frozen=True):
    """One destination that manifests describe."""

    type: str
    """``Provider.spec.type``"""
    name: str
    """The ledger's key: ``Alert NAMESPACE/NAME`` for a channel, ``Provider NAMESPACE/NAME`` for a Git host."""
    alerts: tuple[Alert, ...]
    """One for a channel; for a Git host all that name the Provider, sorted."""
    channel: Channel | None = None
    host: GitHost | None = None
    within: Repository | None = None
    """Of a Git host: the repository of the address, or what the paths of its repositories begin with."""
    expression: str = ""
    """``commitStatusExpr``"""
    provider: Provider | None = None
    listeners: tuple[Listener, ...] = ()
    """Those of ``alerts``, in their order."""


Worked = tuple[tuple[Target, ...], tuple[Problem, ...], tuple[str, ...]]


def targets(
    manifests: Manifests,
    secret: SecretSource,
    *,
    fallback: Mapping[str, Secret] | None = None,
    known: Sequence[GitHost] = (),
) -> Worked:
    """The destinations, everything that is wrong with them, and what is worth knowing.

    ``fallback`` are the options' tokens by type of Git host, for Providers whose Secret has none, and ``known`` the
    hosts that the options serve. Where there are problems the destinations are not all that were meant.
    """
    made: list[Target] = []
    problems: list[Problem] = []
    notes: list[str] = []
    options = Options(known, fallback or {})
    for provider in sorted(manifests.providers, key=lambda one: (one.namespace, one.name)):
        about = f"Provider {provider.namespace}/{provider.name}"
        listeners = _listeners(provider, manifests.listeners)
        if provider.suspend:
            notes.append(f"{about} is suspended.")
        elif not listeners:
            notes.append(f"{about} is not used: no Alert in its namespace names it.")
        elif provider.type not in TYPES:
            place = structs.replace(provider.place, line=provider.lines.get("spec.type") or provider.place.line)
            problems.append(Problem(place, about, "spec.type", "there is no such type", names()))
        else:
            case = Case(provider, secret)
            made += _made(case, listeners, options)
            problems += case.problems
            notes += case.notes
    return tuple(made), tuple(problems), (*notes, *secret.shared(), *secret.elsewhere())


def _listeners(provider: Provider, all_: Sequence[Listener]) -> tuple[Listener, ...]:
    """Whoever names the Provider, sorted."""
    here = (one for one in all_ if (one.alert.namespace, one.alert.provider) == (provider.namespace, provider.name))
    return tuple(sorted(here, key=lambda one: one.alert.name))


def _made(case: Case, listeners: tuple[Listener, ...], options: Options) -> Iterator[Target]:
    """The targets of one Provider; none where there are problems."""
    provider = case.provider
    ways = githost if case.kind.host else channels
    case.read(lambda values: ways.enough(case, values))
    _check(case)
    way = network(case)
    target = Target(
        provider.type, case.about, tuple(one.alert for one in listeners), provider=provider, listeners=listeners
    )
    if case.kind.host:
        found = githost.git_host(case, way, options)
        if found is not None and not case.problems:
            host, within = found
            yield structs.replace(target, host=host, within=within, expression=provider.expression)
        return
    channel = channels.channel(case, way)
    if channel is None or case.problems:
        return
    for one in listeners:
        name = f"Alert {one.alert.namespace}/{one.alert.name}"
        yield structs.replace(
            target,
            name=name,
            alerts=(one.alert,),
            channel=structs.replace(channel, name=name),
            listeners=(one,),
        )


def _check(case: Case) -> None:
    """What has no place in a Provider of this type."""
    provider, kind = case.provider, case.kind
    for field, there in (("serviceAccountName", provider.service_account), ("commitStatusExpr", provider.expression)):
        reason = kind.refuses.get(field, "") if there else ""
        if reason:
            token = kind.host == "azuredevops" and field == "serviceAccountName"
            instead = "Give a personal access token as `token` in spec.secretRef." if token else f"Take out {field}."
            case.problem(f"spec.{field}", reason, instead)
    for setting, called in _IDLE.items():
        of_its_secret = setting in ("headers", "token")
        given = case.key(setting) if of_its_secret else Secret(getattr(provider, setting))
        if given and setting not in kind.uses:
            case.note(f"{called} has no effect with the type {provider.type}.")
    if "app" not in kind.uses and any(case.key(key) for key in APP_KEYS):
        case.note(f"the GitHub App of its Secret has no effect with the type {provider.type}.")
