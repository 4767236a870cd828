"""Which shard a cluster belongs to, by its name alone. No I/O.

Rendezvous hashing: each shard gives each name a number, and the highest wins. So a shard that is added takes clusters
from all others and moves none between them, and nobody needs to know what other clusters there are.
"""

from __future__ import annotations

from hashlib import sha256


def owner(name: str, of: int) -> int:
    """The shard, from 1 to ``of``, that the cluster ``name`` belongs to."""
    return max(range(1, of + 1), key=lambda shard: (_weight(name, shard), -shard))


def mine(name: str, shard: int, of: int) -> bool:
    """Whether the cluster ``name`` belongs to ``shard``, counted from 1 to ``of``."""
    return owner(name, of) == shard


def _weight(name: str, shard: int) -> bytes:
    return sha256(f"{shard} {name}".encode()).digest()
