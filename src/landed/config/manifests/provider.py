"""A Provider object, https://fluxcd.io/flux/components/notification/providers/ ."""

from __future__ import annotations

import re
from typing import Any

from landed.config.manifests.reading import Reading
from landed.config.manifests.rules import COMMIT_STATUSES, PROVIDER, whole
from landed.config.manifests.types import TYPES
from landed.config.manifests.values import Provider
from landed.model import Secret

RULE = whole(PROVIDER)
#: Seconds that Go can count to in nanoseconds.
LONGEST_TIME = 9_223_372_036
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
#: ``https://github.com/<username>/podinfo``, as it is in guides.
PLACEHOLDER = r"<[A-Za-z][\w .-]*>"


def provider(reading: Reading) -> Provider | None:
    """The Provider, None where something is wrong with it."""
    checked = reading.check(RULE) or {}
    spec = checked.get("spec", {})
    _together(reading, spec)
    timeout = _seconds(reading, spec.get("timeout", ""))
    if reading.problems:
        return None
    reading.variables()
    _remarks(reading, spec)
    return Provider(
        namespace=reading.namespace,
        name=reading.name,
        type=spec["type"],
        place=reading.place,
        uid=checked["metadata"].get("uid", ""),
        address=Secret(spec.get("address", "")),
        channel=spec.get("channel", ""),
        username=spec.get("username", ""),
        timeout=timeout,
        proxy=Secret(spec.get("proxy", "")),
        secret=_name(spec, "secretRef"),
        cert_secret=_name(spec, "certSecretRef"),
        proxy_secret=_name(spec, "proxySecretRef"),
        service_account=spec.get("serviceAccountName", ""),
        suspend=spec.get("suspend", False),
        expression=spec.get("commitStatusExpr", ""),
        lines=reading.lines(),
        object=reading.plain(),
    )


def _together(reading: Reading, spec: dict[str, Any]) -> None:
    type_ = spec.get("type", "")
    if type_ and "commitStatusExpr" in spec and type_ not in COMMIT_STATUSES:
        what = f"Providers of the type {type_} do not take it"
        reading.problem("spec.commitStatusExpr", what, f"Only {', '.join(COMMIT_STATUSES)} do.")


def _seconds(reading: Reading, text: str) -> float:
    """``1m30s`` in seconds; 0 where there is nothing, and where Go could not count it."""
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m)", text)
    seconds = sum((float(number) * _SECONDS[unit] for number, unit in parts), 0.0)
    if seconds <= LONGEST_TIME:
        return seconds
    reading.problem("spec.timeout", "it is longer than Flux can count", "Write a time such as 15s.")
    return 0.0


def _remarks(reading: Reading, spec: dict[str, Any]) -> None:
    since = TYPES[spec["type"]].since
    if not since:
        reading.note(f"the type {spec['type']} is one of ours: Flux does not know it, and a cluster refuses it")
    elif since > reading.version:
        reading.note(f"{reading.version} does not know the type {spec['type']}; it is read as {since}")
    if "interval" in spec:
        reading.note("spec.interval has no effect")
    if "proxy" in spec:
        reading.note("spec.proxy is deprecated; put it into a Secret and name that in spec.proxySecretRef")
    if "timeout" in spec and not _seconds(reading, spec["timeout"]):
        reading.note("spec.timeout is nothing; the usual one is taken")
    if re.search(PLACEHOLDER, spec.get("address", "")):
        reading.note("spec.address has a placeholder in angle brackets in it; is its value missing?")


def _name(spec: dict[str, Any], field: str) -> str:
    return str(spec.get(field, {}).get("name", ""))
