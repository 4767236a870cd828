"""Manifests from files and from a cluster, and everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import structs

from landed.config.manifests.gathering import Gathering
from landed.config.manifests.values import Listener, Manifests, Place, Problem
from landed.model import Alert

#: Providers that a message lists.
MOST_LISTED = 10


def read_files(paths: Sequence[str]) -> tuple[Manifests, tuple[Problem, ...]]:
    """Everything in ``paths``, each of them a file or a folder with YAML and JSON below it.

    Whatever is wrong is a problem, and the rest is read all the same.
    """
    from landed.config.manifests.composing import documents
    from landed.config.manifests.files import Unusable, content, found, problem, shown

    files, troubles = found(paths)
    gathering = Gathering()
    for file in files:
        try:
            roots, error = documents(content(file))
        except Unusable as unusable:
            troubles.append(problem(file, str(unusable)))
            continue
        for number, root in enumerate(roots, 1):
            gathering.document(root, shown(file), number)
        if error:
            number = 0 if error.anywhere else len(roots) + 1
            troubles.append(problem(file, error.what, error.instead, error.line, number))
    return gathering.manifests(), (*troubles, *gathering.problems)


def read_objects(objects: Iterable[Mapping[str, object]], file: str) -> tuple[Manifests, tuple[Problem, ...]]:
    """What a cluster's API gave, each with its apiVersion and kind; ``file`` is ``cluster NAME``.

    A list (``ProviderList``) counts for its items.
    """
    from landed.config.manifests.nodes import Unreadable, of

    troubles: list[Problem] = []
    gathering = Gathering()
    for value in objects:
        try:
            gathering.document(of(value), file, 0)
        except Unreadable as error:
            troubles.append(Problem(Place(file), "", "", error.what, error.instead))
    return gathering.manifests(), (*troubles, *gathering.problems)


def unanswered(manifests: Manifests) -> tuple[Problem, ...]:
    """The Alerts whose Provider is not there. One that is there and has problems of its own is enough."""
    known = {(provider.namespace, provider.name) for provider in manifests.providers} | manifests.broken
    return tuple(
        _unanswered(listener, known)
        for listener in (*manifests.listeners, *manifests.asking)
        if (listener.alert.namespace, listener.alert.provider) not in known
    )


def _unanswered(listener: Listener, known: Iterable[tuple[str, str]]) -> Problem:
    from landed.config.manifests.problems import quoted

    alert, field = listener.alert, "spec.providerRef.name"
    place = structs.replace(listener.place, line=listener.lines.get(field, listener.place.line))
    what = f"there is no Provider {quoted(alert.provider)} in the namespace {alert.namespace}"
    return Problem(place, f"Alert {alert.namespace}/{alert.name}", field, what, _there(alert, known))


def _there(alert: Alert, known: Iterable[tuple[str, str]]) -> str:
    """What there is instead. An Alert's Provider must be in its own namespace."""
    here = sorted(name for namespace, name in known if namespace == alert.namespace)
    elsewhere = sorted(namespace for namespace, name in known if name == alert.provider)
    if elsewhere:
        return f"There is one in {elsewhere[0]}, but an Alert and its Provider must be in the same namespace."
    if not here:
        return "There is none at all in that namespace."
    more = f" and {len(here) - MOST_LISTED} more" if len(here) > MOST_LISTED else ""
    return f"There {'is' if len(here) == 1 else 'are'} {', '.join(here[:MOST_LISTED])}{more}."
