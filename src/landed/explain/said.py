"""What Flux's own messages say of a failure: at which step, and because of which objects. No I/O.

https://fluxcd.io/flux/components/kustomize/kustomizations/#kustomization-status
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from landed.model import ObjectRef
from landed.render import clean

#: Objects that are taken from one message.
MOST = 200

#: Before the list of objects that a health check waited for in vain. helm-controller says the same.
_LISTS = ("timeout waiting for: [", "failed early due to stalled resources: [")

_REF = r"([A-Za-z][A-Za-z0-9]{0,62})/(?:([a-z0-9.-]{1,253})/)?([A-Za-z0-9.:@+_-]{1,253})"
_LISTED = _REF + r"(?:,? status: '?([A-Za-z]{1,30})'?)?"
_UNKNOWN = r"can't determine status for '?" + _REF
_REFUSED = (
    _REF
    + r" (?P<how>dry-run failed|apply failed|not found|namespace not specified|immutable field detected[^:\n]{0,80}"
    r"|is SOPS encrypted|delete failed)(?:,? \((?P<why>\w{1,60})\)|,? reason: (?P<reason>\w{1,60}))?(?P<rest>.*)"
)
_WEBHOOK = r'admission webhook "([^"]{1,253})" denied the request:? ?(.*)'
_NO_WEBHOOK = r'failed calling webhook "([^"]{1,253})":? ?(.*)'
_SCRATCH = r"/tmp/[\w.-]{1,80}/"  # noqa: S108 — a path in Flux's messages, not ours


class Named(Struct, frozen=True):
    """An object that a message names."""

    ref: ObjectRef
    status: str = ""


class Said(Struct, frozen=True):
    """A message, taken apart."""

    step: str = ""
    """``health``, ``apply``, ``prune``, ``build``, ``path``; empty where it is none of these."""
    named: tuple[Named, ...] = ()
    text: str = ""
    """What is said beside that, on one line, not cut."""


def said(message: str, reason: str = "") -> Said:
    """Take apart the message of a condition with this reason."""
    plain = clean(message)[:32768]
    named = tuple(_listed(plain))
    if named or reason == "HealthCheckFailed":
        return Said("health", named, _one_line(plain))
    first = re.sub(_SCRATCH, "", plain.split("\n")[0])
    if "kustomization path not found" in first:
        return Said("path", (), first)
    match = re.search(_REFUSED, first) if reason in ("", "ReconciliationFailed", "PruneFailed") else None
    if match:
        step = "prune" if match["how"] == "delete failed" else "apply"
        return Said(step, (Named(_ref(match)),), _refusal(match))
    if reason == "BuildFailed" or first.startswith("kustomize build failed"):
        return Said("build", (), re.sub(_SCRATCH, "", _one_line(plain)))
    return Said("prune" if reason == "PruneFailed" else "", (), first)


def _listed(plain: str) -> Iterator[Named]:
    for start in _LISTS:
        _, found, rest = plain.partition(start)
        if found:
            inside = rest[: rest.rfind("]")] if "]" in rest else rest
            for part in inside.split(", ")[:MOST]:
                match = re.fullmatch(_LISTED, part.strip())
                if match:
                    yield Named(_ref(match), match[4] or "")
            return
    match = re.search(_UNKNOWN, plain) if "can't determine status" in plain else None
    if match:
        yield Named(_ref(match), "Unknown")


def _ref(match: re.Match[str]) -> ObjectRef:
    return ObjectRef(match[1], match[2] or "", match[3])


def _refusal(match: re.Match[str]) -> str:
    """Why an object was not taken, as what follows its name in a sentence."""
    rest = match["rest"].strip(" :,").removeprefix("error: ").strip()
    why = match["why"] or match["reason"] or ""
    hook = re.search(_WEBHOOK, rest)
    if hook:
        return f"the admission webhook {hook[1]} refuses it: {hook[2]}".rstrip(": ")
    hook = re.search(_NO_WEBHOOK, rest)
    if hook:
        return f"the admission webhook {hook[1]} cannot be asked: {hook[2].removeprefix('failed to call webhook: ')}"
    short = f" ({why})" if why else ""
    if match["how"] in ("dry-run failed", "apply failed"):
        return f"the API server refuses it{short}: {rest}".rstrip(": ")
    return f"{match['how']}{short}: {rest}".rstrip(": ")


def _one_line(text: str) -> str:
    return " ".join(text.split())
