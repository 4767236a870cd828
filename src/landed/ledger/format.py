"""The ledger's content as bytes, for every place that stores it whole. No I/O.

Version 1 is UTF-8 JSON, one value to a line so that it can be read and compared::

    {
     "version": 1,
     "destinations": {
      "github.com": {
       "acme/fleet flux/prod/apps/web": [
        {"commit": "6dcd4ce2…", "is": "success ReconciliationSucceeded", "at": 1766400000},
        …                                            (``handle`` and ``past`` only where they say something)
       ]
      }
     },
     "seen": {"prod": 1766400000},
     "begun": [["slack", "acme/fleet flux/prod/apps/web", "6dcd4ce2…"]],
     "observed": {"prod Kustomization/apps/web": "6dcd4ce2… success"},
     "turns": {"prod Kustomization/apps/web": [1766400000]},
     "inventories": {"prod Kustomization/apps/web": "eJx…"},
     "served": {"slack": ["prod"]}             (only where shards began to serve a destination)
    }

``version`` and ``destinations`` must be there, or the file is not ours. Unknown members are ignored; a change that
an older reader must not overlook raises ``version``.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Struct, UnsetType

from landed.told import TURNS, Entry, Intent, Told, prune

VERSION = 1
#: What is never exceeded in writing …
MOST_ENTRIES = 100_000
MOST_BYTES = 32 * 1024 * 1024
#: … and what is not even parsed in reading.
MOST_BYTES_READ = 64 * 1024 * 1024


class UnreadableError(Exception):
    """These bytes are no ledger that can be used. ``kind`` is ``damaged`` or ``newer``; the text says why."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class _Head(Struct):
    version: int


class _Stored(Struct):
    version: int
    destinations: dict[str, dict[str, list[Entry]]]
    seen: dict[str, int] = {}
    begun: list[Intent] = []
    observed: dict[str, str] = {}
    turns: dict[str, list[int]] = {}
    inventories: dict[str, str] = {}
    served: dict[str, list[str]] | UnsetType = UNSET


_BLANKS = b"\0 \t\r\n"


def decode(raw: bytes) -> Told:
    """``raw`` as a value. Raises UnreadableError, and nothing else, whatever the bytes are."""
    if len(raw) > MOST_BYTES_READ:
        raise UnreadableError("damaged", f"it is larger than {MOST_BYTES_READ // 1024 // 1024} MiB")
    if not raw[:1024].strip(_BLANKS) and not raw.strip(_BLANKS):
        raise UnreadableError("damaged", "it is empty")
    try:
        stored = msgspec.json.decode(raw, type=_Stored)
    except msgspec.ValidationError as error:
        raise _judged(raw, error) from None
    except (ValueError, RecursionError) as error:
        raise UnreadableError("damaged", f"it is cut short or not JSON: {error}") from None
    if stored.version != VERSION:
        raise _other_version(stored.version)
    for lines in stored.destinations.values():
        for line in [line for line, entries in lines.items() if not entries]:
            del lines[line]
        _share(lines)
    texts: dict[str, str] = {}
    observed = {line: texts.setdefault(result, result) for line, result in stored.observed.items()}
    turns = {line: turns[-TURNS:] for line, turns in stored.turns.items() if turns}
    served = stored.served or {}
    return Told(stored.destinations, stored.seen, stored.begun, observed, turns, stored.inventories, served)


def _share(lines: dict[str, list[Entry]]) -> None:
    """Keep equal texts once: thousands of lines speak of a few commits, and nearly all say success."""
    texts: dict[str, str] = {}
    for entries in lines.values():
        for entry in entries:
            entry.commit = texts.setdefault(entry.commit, entry.commit)
            entry.fingerprint = texts.setdefault(entry.fingerprint, entry.fingerprint)


def encode(told: Told) -> bytes:
    """``told`` as bytes, without its oldest entries where it holds too many."""
    kept = prune(told, MOST_ENTRIES)
    raw = _written(kept)
    while len(raw) > MOST_BYTES and (most := max(kept.count(), len(kept.observed), len(kept.inventories))):
        kept = prune(kept, int(most * 0.9 * MOST_BYTES / len(raw)))
        raw = _written(kept)
    return raw


def _written(told: Told) -> bytes:
    stored = _Stored(
        VERSION,
        told.destinations,
        told.seen,
        told.begun,
        told.observed,
        told.turns,
        told.inventories,
        told.served or UNSET,
    )
    compact = msgspec.json.encode(stored)
    return msgspec.json.format(compact, indent=1) + b"\n"


def _judged(raw: bytes, error: msgspec.ValidationError) -> UnreadableError:
    """Whether what does not fit is a later version, which may look like anything, or simply wrong."""
    try:
        version = msgspec.json.decode(raw, type=_Head).version
    except (ValueError, RecursionError):
        return UnreadableError("damaged", f"it is not a ledger: {error}")
    if version == VERSION:
        return UnreadableError("damaged", f"it is not a ledger: {error}")
    return _other_version(version)


def _other_version(version: int) -> UnreadableError:
    if version > VERSION:
        return UnreadableError("newer", f"it has version {version}, this landed knows version {VERSION}")
    return UnreadableError("damaged", f"it is not a ledger: there is no version {version}")
