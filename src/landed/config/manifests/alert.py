"""An Alert object, https://fluxcd.io/flux/components/notification/alerts/ ."""

from __future__ import annotations

from typing import Any

from landed.config.manifests.reading import Reading
from landed.config.manifests.rules import ALERT, KINDS, NOT_OBSERVED, whole
from landed.config.manifests.values import Listener
from landed.model import Alert, EventSource

RULE = whole(ALERT)
DEFAULT_SEVERITY = "info"


def alert(reading: Reading) -> Listener | None:
    """The Alert, None where something is wrong with it or it is suspended."""
    checked = reading.check(RULE) or {}
    spec = checked.get("spec", {})
    for field in ("inclusionList", "exclusionList"):
        _patterns(reading, field)
    if reading.problems:
        return None
    if spec.get("suspend"):
        reading.note("it is suspended, and left out")
        return None
    reading.variables()
    _remarks(reading, spec)
    value = Alert(
        namespace=reading.namespace,
        name=reading.name,
        provider=spec["providerRef"]["name"],
        uid=checked["metadata"].get("uid", ""),
        severity=spec.get("eventSeverity", DEFAULT_SEVERITY),
        sources=tuple(_source(source, reading.namespace) for source in spec["eventSources"]),
        inclusion=tuple(spec.get("inclusionList", ())),
        exclusion=tuple(spec.get("exclusionList", ())),
        metadata=_pairs(spec.get("eventMetadata", {})),
        summary=spec.get("summary", ""),
    )
    return Listener(value, reading.place, reading.lines(), _with_defaults(reading.plain(), value.severity))


def asks(reading: Reading) -> Listener | None:
    """An Alert that has problems, as far as it says who it is and which Provider it wants; None where it does not."""
    spec = reading.node.entry("spec")
    ref = spec.entry("providerRef") if spec else None
    provider = ref.text("name") if ref else ""
    if not provider or not reading.name:
        return None
    return Listener(Alert(reading.namespace, reading.name, provider), reading.place, reading.lines())


def _source(source: dict[str, Any], namespace: str) -> EventSource:
    labels = _pairs(source.get("matchLabels", {}))
    return EventSource(source["kind"], source["name"], source.get("namespace", namespace), labels)


def _pairs(values: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))


def _with_defaults(whole: dict[str, Any], severity: str) -> dict[str, Any]:
    """As the API server would store it."""
    return whole | {"spec": {**whole["spec"], "eventSeverity": severity}}


def _patterns(reading: Reading, field: str) -> None:
    from landed.alerts import unusable

    spec = reading.node.entry("spec")
    listed = spec.entry(field) if spec else None
    for place, item in enumerate(listed.value if listed and listed.type == "list" else ()):
        why = unusable(item.value) if item.type == "text" else ""
        if why:
            what = f"it is no regular expression that RE2 takes: {why}"
            reading.problem(f"spec.{field}[{place}]", what, "See https://github.com/google/re2/wiki/Syntax .")


def _remarks(reading: Reading, spec: dict[str, Any]) -> None:
    if not spec["eventSources"]:
        reading.note("spec.eventSources is empty, so it wants to hear of nothing")
    if "summary" in spec:
        reading.note("spec.summary is deprecated; write it into spec.eventMetadata under summary")
    for place, source in enumerate(spec["eventSources"]):
        field, kind = f"spec.eventSources[{place}]", source["kind"]
        if KINDS[kind] > reading.version:
            reading.note(f"{field}.kind: {reading.version} does not know {kind}; it is read all the same")
        if kind in NOT_OBSERVED:
            reading.note(f"{field}.kind: {kind} objects are not observed, so nothing will be heard of them")
        if source.get("matchLabels") and source["name"] != "*":
            reading.note(f"{field}.matchLabels is meant for the name *; here both name and labels must be right")
