"""Objects that somebody else has read: the output of ``kubectl get … -o json``."""

from __future__ import annotations

import sys
from pathlib import Path

from landed.errors import ConfigurationError
from landed.flux import Reader
from landed.model import Cluster
from landed.selection import Selection, Wants

#: Bytes that are read at most.
LIMIT = 1 << 30

COMMAND = (
    "kubectl get kustomizations.kustomize.toolkit.fluxcd.io,gitrepositories.source.toolkit.fluxcd.io,"
    "ocirepositories.source.toolkit.fluxcd.io,buckets.source.toolkit.fluxcd.io -A -o json"
)
HINT = f"Give it the output of: {COMMAND}"


def read(
    path: str, name: str, *, selection: Selection | None = None, since: int = 0, wants: Wants | None = None
) -> Cluster:
    """The cluster ``name`` as the file at ``path`` shows it; ``-`` is the standard input.

    Every kind is taken that is in it, whatever ``wants`` says of kinds. Raises ConfigurationError.
    """
    what = "The standard input" if path == "-" else f"The file {path}"
    document = _content(path, what)
    if not document.strip():
        raise ConfigurationError(f"{what} is empty.", HINT)
    reader = Reader(selection or Selection(), since, wants=wants or Wants())
    try:
        reader.take_any(document)
    except ValueError as error:
        raise ConfigurationError(f"{what} cannot be used: {error}".rstrip(".") + ".", HINT) from None
    except RecursionError:
        raise ConfigurationError(f"{what} is nested too deeply.", HINT) from None
    return reader.cluster(name)


def _content(path: str, what: str) -> bytes:
    try:
        if path == "-":
            content = sys.stdin.buffer.read(LIMIT + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(LIMIT + 1)
    except IsADirectoryError:
        raise ConfigurationError(f"{what} is a directory.", HINT) from None
    except FileNotFoundError:
        raise ConfigurationError(f"{what} does not exist.", HINT) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise ConfigurationError(f"{what} cannot be read: {reason}.", HINT) from None
    if len(content) > LIMIT:
        raise ConfigurationError(
            f"{what} is longer than {LIMIT >> 30} GiB.", "Read fewer objects, or use --kubeconfig."
        )
    return content
