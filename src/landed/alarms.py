"""An occurrence in words and names, for services that keep alerts. No I/O.

Everything here is cleaned, but not escaped: a service escapes it where it reads markup.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from landed import render
from landed.messages import linkable, one_line
from landed.model import Occurrence, State

#: Characters of one fact's name and value.
_NAME, _VALUE = 100, 1000
#: What an event's metadata has for programs only.
_SILENT = frozenset({"commit_status", "token"})
_LINK = 2000


def named(occurrence: Occurrence) -> str:
    """The object as messages call it: ``apps/web``, other kinds than Kustomization spelt out; or the commit."""
    about = occurrence.event.involvedObject
    plain = "/".join(part for part in (about.namespace, about.name) if part)
    return one_line(plain if about.kind in ("Kustomization", "") else f"{about.kind} {plain}") or "an object"


def headline(occurrence: Occurrence, limit: int) -> str:
    """What happened, where, and why, in one line: ``apps/web failed on prod: Health check failed: timed out``."""
    return render.cut(f"{named(occurrence)} {_stands(occurrence)}", limit)


def _stands(occurrence: Occurrence) -> str:
    said, cluster = one_line(occurrence.event.message), one_line(occurrence.cluster) or "–"
    at = f" at {occurrence.commit[:8]}" if occurrence.commit else ""
    if occurrence.state is State.SUCCESS:
        return f"is live on {cluster}{at}" if occurrence.commit else f"works again on {cluster}"
    if occurrence.state is State.PENDING:
        return f"waits on {cluster}{at}" + (f": {said}" if said else "")
    verb = "is silent on" if occurrence.state is State.STALE else "failed on"
    reason = one_line(render.words(occurrence.event.reason))
    why = said if said.lower().startswith(reason.lower()) else ": ".join(filter(None, (reason, said)))
    return f"{verb} {cluster}{at}" + (f": {why}" if why else "")


def message(occurrence: Occurrence, limit: int) -> str:
    """What Flux says of it, on as many lines as it has. Half a surrogate pair becomes a ``?``."""
    return render.cut(render.clean(occurrence.event.message).encode(errors="replace").decode(), limit)


def facts(occurrence: Occurrence) -> dict[str, str]:
    """What is known of it, by name: ``summary`` first, then ours, then what the object and the Alert add, sorted."""
    found: dict[str, str] = {}
    for name, value in _known(occurrence):
        name, value = render.cut(one_line(name), _NAME), render.cut(one_line(value), _VALUE)
        if name and value:
            found.setdefault(name, value)
    return found


def _known(occurrence: Occurrence) -> Iterator[tuple[str, str]]:
    event, about = occurrence.event, occurrence.event.involvedObject
    yield "summary", event.metadata.get("summary", "")
    yield "cluster", event.metadata.get("cluster") or occurrence.cluster
    yield from (("kind", about.kind), ("namespace", about.namespace))
    yield from (("name", about.name), ("reason", event.reason), ("severity", event.severity))
    yield from (("repository", str(occurrence.repository).strip("/")), ("commit", occurrence.commit))
    if occurrence.seconds:
        yield "seconds", f"{occurrence.seconds:g}"
    yield from ((name, value) for name, value in sorted(event.metadata.items()) if name not in _SILENT)
    if occurrence.changes:
        yield "changes", ", ".join(occurrence.changes)


def link(occurrence: Occurrence) -> str:
    """Where people look at the commit; empty where nobody knows."""
    return linkable(occurrence.url, _LINK)


def key(occurrence: Occurrence, limit: int, kind: str = "") -> str:
    """The object's key in at most ``limit`` characters (100 or more): the same for whatever happens to it, and another
    one for whatever else there is. ``kind`` tells several of one object apart.
    """
    whole = f"{occurrence.key} {kind}".rstrip()
    if len(whole) <= limit and re.fullmatch(r"[\w ./:@-]+", whole, re.ASCII):
        return whole
    shown = re.sub(r"[^\w ./:@-]", "-", whole, flags=re.ASCII)[: limit - 33]
    return f"{shown} {hashed(whole)[:32]}"


def hashed(text: str) -> str:
    """``text`` as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
