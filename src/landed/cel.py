"""``commitStatusExpr``: the name of a commit status as a CEL expression over ``event``, ``provider`` and ``alert``.

https://fluxcd.io/flux/components/notification/providers/#custom-commit-status-id . The language is evaluated by a
library, which is loaded only where there is an expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from landed.alerts import mentions
from landed.errors import ConfigurationError
from landed.model import Destination, Event, InvolvedObject, ObjectRef
from landed.render import clean

#: Characters that an expression may have: evaluation cannot be interrupted, so it must not be able to grow.
LONGEST = 2000
HINT = (
    "It must give text, for example: "
    "(event.involvedObject.kind + '/' + event.involvedObject.namespace + '/' + event.involvedObject.name).lowerAscii()"
)

_PLACE = Destination("git.example.com", "statuses", "git.example.com")


def compiled(
    text: str,
    option: str = "--commit-status-expr",
    *,
    several: bool = False,
    provider: Mapping[str, object] | None = None,
    alerts: Mapping[str, Mapping[str, object]] | None = None,
) -> Callable[[Event, Destination], str]:
    """Compile an expression: event and Git host → the commit status's name. ``option`` is what errors call the place it
    stands in; ``several`` says that there are several clusters, whose names must differ.

    ``provider`` is the Provider's manifest, ``alerts`` are those of its Alerts by ``NAMESPACE/NAME``: ``alert`` is the
    first of the destination's Alerts that means the event's object, its labels apart, which no event tells.

    What is made raises ValueError, with a sentence, where the expression gives no name for an event: a key that is not
    there, or empty text. Raises ConfigurationError for an expression that does not compile, gives no text, or gives one
    name to several clusters, and for a manifest that CEL has no values for.
    """
    if len(text) > LONGEST:
        raise ConfigurationError(f"{option} is longer than {LONGEST} characters.", HINT)
    evaluate = _evaluator(text, option)
    known = None if provider is None else _manifest(provider, option)
    wanting = {name: _manifest(alert, option) for name, alert in (alerts or {}).items()}

    def name(event: Event, to: Destination) -> str:
        alert = _alert_of(event, to, wanting) if known else None
        kind, value = evaluate(_scope(event, to, known, alert))
        if kind == "ERROR":
            raise ValueError(f"{option}: {_line(value)}")
        if kind != "STRING":
            raise ValueError(f"{option} gives {kind.lower()}, not text")
        found = " ".join(clean(str(value)).split())
        if not found:
            raise ValueError(f"{option} gives empty text")
        return found

    some = next(iter(wanting.values()), {})
    trials = (evaluate(_scope(_sample(cluster), _PLACE, known, some)) for cluster in ("one", "other"))
    (kind, one), (_, other) = trials
    if several and kind == "STRING" and one == other:
        raise ConfigurationError(
            f"{option} gives several clusters one name.", "Add the cluster's to it: event.metadata.cluster"
        )
    return name


def _evaluator(text: str, option: str) -> Callable[[Mapping[str, Any]], tuple[str, Any]]:
    """Make what gives, for a scope, the type (``STRING``, ``ERROR`` …) and the value of the expression."""
    try:
        from cel_expr_python import cel
        from cel_expr_python.ext import ext_optional, ext_strings
    except ImportError:
        raise ConfigurationError(
            f"{option} needs a library that is not installed.", "Install landed[cel], or use the image."
        ) from None
    try:
        environment = cel.NewEnv(
            variables=dict.fromkeys(("event", "provider", "alert"), cel.Type.DYN),
            extensions=[ext_strings.ExtStrings(), ext_optional.ExtOptional()],
        )
        expression = environment.compile(text)
    except (RuntimeError, ValueError) as error:
        raise ConfigurationError(f"{option} does not compile: {_line(error)}.", HINT) from None
    promised = str(expression.return_type())
    if promised not in ("STRING", "DYN"):
        raise ConfigurationError(f"{option} gives {promised.lower()}, not text.", HINT)

    def evaluate(scope: Mapping[str, Any]) -> tuple[str, Any]:
        try:
            result = expression.eval(data=dict(scope))
            return str(result.type()), result.value()
        except (RuntimeError, ValueError, TypeError) as error:
            return "ERROR", error

    return evaluate


def _sample(cluster: str) -> Event:
    return Event(
        InvolvedObject("Kustomization", "apps", "web", "7d0cdc51-ddcf-4743-b223-83ca5c699632", "v1", "1"),
        "info",
        "2026-01-01T00:00:00Z",
        "Reconciliation finished",
        "ReconciliationSucceeded",
        {"cluster": cluster, "revision": "main@sha1:0000000000000000000000000000000000000000"},
        "kustomize-controller",
    )


def _scope(
    event: Event, to: Destination, provider: Mapping[str, Any] | None, alert: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The three variables as the objects that Flux has in them. Without manifests, a Provider and an Alert stand for
    the Git host, named after it.
    """
    from msgspec import to_builtins

    meta = {"name": to.name, "namespace": "", "uid": ""}
    stand_in = {"kind": "Provider", "metadata": meta, "spec": {"address": f"https://{to.host}"}}
    nobody = {"kind": "Alert", "metadata": meta, "spec": {"eventMetadata": {}}}
    return {
        "event": to_builtins(event),
        "provider": stand_in if provider is None else provider,
        "alert": nobody if provider is None else alert or {},
    }


def _manifest(manifest: Mapping[str, object], option: str) -> dict[str, Any]:
    """What CEL sees of a manifest: it has a uid, which is empty where it has never been in a cluster."""
    from msgspec import to_builtins

    kept = {key: manifest[key] for key in ("apiVersion", "kind", "metadata", "spec") if key in manifest}
    meta = kept.get("metadata")
    try:
        plain = to_builtins(
            kept | {"metadata": {"uid": "", **(meta if isinstance(meta, Mapping) else {})}}, str_keys=True
        )
    except (TypeError, ValueError, RecursionError):
        raise ConfigurationError(f"{option}: the manifest holds what is no text, number, list or map.", HINT) from None
    return dict(plain)


def _alert_of(event: Event, to: Destination, wanting: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The manifest of the first Alert of ``to`` that means the object of ``event``."""
    about = ObjectRef(event.involvedObject.kind, event.involvedObject.namespace, event.involvedObject.name)
    return next((wanting.get(f"{alert.namespace}/{alert.name}") for alert in to.alerts if mentions(alert, about)), None)


def _line(error: object) -> str:
    """The first thing that the library says is wrong, on one line, without its drawing of the place."""
    first = str(error).split("\n", 1)[0]
    said = re.sub(r"^[A-Z_]+: (?:ERROR: )?(?:<input>:)?", "", first)
    said = re.sub(r"^(\d+):(\d+): ", r"at line \1, column \2: ", said)
    return re.sub(r" \(in container ''\)|[. ]+$", "", said)[:300]
