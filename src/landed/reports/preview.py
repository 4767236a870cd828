"""What each destination would be told, exactly, for people and for programs. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from landed import render as sentences
from landed.reports.jsonreport import written

SCHEMA = "landed.preview/1"


class Preview(Struct, frozen=True):
    """One thing that would be sent."""

    destination: str
    verb: str
    """``POST``, ``PATCH`` …, or ``set`` for what a Git host keeps."""
    to: str
    """Whom it goes to, without its address: ``Slack (hooks.slack.com)``."""
    body: Any
    """What the service would get, as JSON has it; text where it is no JSON."""
    headers: Mapping[str, str] = {}
    """Secret ones as ``***``."""


def rendered(previews: Sequence[Preview], format_: str, *, news: bool = False) -> str:
    """All of them, in order. ``format_`` is ``text`` or ``json``; ``news`` is whether there is some beyond these."""
    if format_ == "json":
        return written({"schema": SCHEMA, "would_send": [_value(preview) for preview in previews]}, indent=2) + "\n"
    if not previews:
        return "Nothing would be sent now.\n" if news else "Nothing would be sent: there is no news for anybody.\n"
    return "\n".join(_blocks(previews))


def _value(preview: Preview) -> Mapping[str, Any]:
    return {
        "destination": preview.destination,
        "verb": preview.verb,
        "to": preview.to,
        "headers": dict(preview.headers),
        "body": preview.body,
    }


def _blocks(previews: Iterable[Preview]) -> Iterable[str]:
    for preview in previews:
        headers = "".join(f"{name}: {value}\n" for name, value in sorted(preview.headers.items()))
        body = preview.body if isinstance(preview.body, str) else written(preview.body, indent=2)
        head = sentences.clean(f"── {preview.destination}: {preview.verb} to {preview.to}").replace("\n", " ")
        yield f"{head}\n{sentences.clean(headers)}\n{body}\n".replace("\n\n", "\n")
