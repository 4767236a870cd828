"""Where a ``secretRef`` is answered from: the environment, a mounted directory, the manifests, the cluster.

The first one that has a key gives it. No other Secret is looked at than those that are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct

from landed.errors import ConfigurationError, LandedError
from landed.model import Secret

#: Bytes that a Secret may have, and so a file of one. https://kubernetes.io/docs/concepts/configuration/secret/
LIMIT = 1 << 20
PREFIX = "LANDED_SECRET_"

#: The cluster's Secret of this namespace and name: key → value; None where there is none. May raise LandedError.
Fetch: TypeAlias = Callable[[str, str], Mapping[str, Secret] | None]
#: Whether these values will do.
Enough: TypeAlias = Callable[[Mapping[str, Secret]], bool]

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
_NAME = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"


class Found(Struct, frozen=True):
    """What is known of one Secret."""

    values: Mapping[str, Secret] = {}
    """Key → value, of the keys that were asked for; no empty ones."""
    troubles: tuple[str, ...] = ()
    """Files that could not be read, and why. Quotes no value."""
    unread: str = ""
    """Why the cluster's Secret could not be read."""


def variable(name: str, key: str) -> str:
    """The environment variable that answers for a key: ``LANDED_SECRET_SLACK_URL_ADDRESS``."""
    return PREFIX + re.sub("[^A-Z0-9]", "_", f"{name}_{key}".upper(), flags=re.ASCII)


def places(namespace: str, name: str, key: str) -> str:
    """The four places where a key may be, as a sentence that says what to do."""
    return (
        f"Give it as {variable(name, key)} in the environment, as the file {namespace}/{name}/{key} in --secret-dir, "
        f"or as `{key}` of the Secret {namespace}/{name}, among the manifests or in the cluster."
    )


class SecretSource:
    """Reads the Secrets that manifests refer to. Asks the cluster at most once for each."""

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        directory: str = "",
        manifests: Mapping[tuple[str, str], Mapping[str, Secret]] | None = None,
        fetch: Fetch | None = None,
    ) -> None:
        """Take the places to look in, each of which may be missing.

        ``directory`` holds ``NAMESPACE/NAME/KEY`` or ``NAME/KEY``, as Kubernetes mounts Secrets. Raises
        ConfigurationError where there is no such directory.
        """
        self.environ = environ or {}
        self._directory = directory
        self._manifests = manifests or {}
        self._fetch = fetch
        self._fetched: dict[tuple[str, str], Found] = {}
        self._read: dict[tuple[str, str], dict[str, Secret]] = {}
        self._elsewhere: dict[tuple[str, str], tuple[str, str]] = {}
        self._answered: dict[str, set[tuple[str, str]]] = {}
        if directory:
            from pathlib import Path  # imported late: few runs have one

            if not Path(directory).is_dir():
                raise ConfigurationError(f"--secret-dir {directory}: there is no such directory.")

    def find(self, namespace: str, name: str, keys: Iterable[str], enough: Enough) -> Found:
        """What is known of the Secret's ``keys``. The cluster is asked only for what is not ``enough`` without it."""
        wanted = tuple(keys)
        if not (re.fullmatch(_NAME, namespace) and re.fullmatch(_NAME, name)):
            return Found(troubles=("that is not the name of a Secret",))  # and must not become a path
        values, troubles = self._near(namespace, name, wanted)
        there = Found() if values and enough(values) else self._far(namespace, name)
        values = {
            key: value for key, value in there.values.items() if key in wanted and value.reveal().strip()
        } | values
        self._read.setdefault((namespace, name), {}).update(values)
        return Found(values, troubles, there.unread)

    def read(self) -> Mapping[tuple[str, str], Mapping[str, Secret]]:
        """Everything that was given away: (namespace, name) → key → value."""
        return self._read

    def shared(self) -> Iterator[str]:
        """The variables and files that answered for several Secrets, because their namespace is no part of the name."""
        for where, who in self._answered.items():
            if len(who) > 1:
                yield f"{where} answers for the Secrets {', '.join(sorted('/'.join(one) for one in who))}."

    def _near(self, namespace: str, name: str, keys: tuple[str, ...]) -> tuple[dict[str, Secret], tuple[str, ...]]:
        values: dict[str, Secret] = {}
        troubles: list[str] = []
        written = self._written(namespace, name)
        for key in keys:
            value = self.environ.get(variable(f"{namespace}_{name}", key), "")
            shared = "" if value.strip() else self.environ.get(variable(name, key), "")
            if value.strip():
                pass
            elif shared.strip():
                value = shared
                self._answered.setdefault(variable(name, key), set()).add((namespace, name))
            else:
                value, trouble = self._file(namespace, name, key) if self._directory else ("", "")
                troubles += [trouble] if trouble else []
            found = Secret(value) if value.strip() else written.get(key, Secret(""))
            if found.reveal().strip():
                values[key] = found
        return values, tuple(troubles)

    def _written(self, namespace: str, name: str) -> Mapping[str, Secret]:
        """The Secret among the manifests. The only one of that name will do, whatever its namespace: they are all the
        user's own, and Flux's own guide has one in another namespace than its Provider.
        """
        alike = [where for where in self._manifests if where[1] == name]
        if (namespace, name) in self._manifests or len(alike) != 1:
            return self._manifests.get((namespace, name), {})
        self._elsewhere[namespace, name] = alike[0]
        return self._manifests[alike[0]]

    def elsewhere(self) -> Iterator[str]:
        """The Secrets that were taken from another namespace than Flux would look in."""
        for (namespace, name), (other, _) in self._elsewhere.items():
            yield f"The Secret {name} is taken from the namespace {other}; Flux looks for it in {namespace}."

    def _file(self, namespace: str, name: str, key: str) -> tuple[str, str]:
        """The content of the key's file, and what was wrong with it."""
        from pathlib import Path

        own = Path(self._directory, namespace, name, key)
        for path in (own, Path(self._directory, name, key)):
            try:
                if not path.is_file():
                    continue
                with path.open("rb") as file:
                    content = file.read(LIMIT + 1)
                text = content.decode()
            except UnicodeDecodeError:
                return "", f"{path} is not UTF-8 text"
            except OSError as error:
                return "", f"{path} cannot be read: {error.strerror}"
            if len(content) > LIMIT:
                return "", f"{path} is larger than 1 MiB"
            if path is not own and text.strip():
                self._answered.setdefault(str(path), set()).add((namespace, name))
            return text, ""
        return "", ""

    def _far(self, namespace: str, name: str) -> Found:
        """The cluster's Secret."""
        if self._fetch is None:
            return Found()
        if (namespace, name) not in self._fetched:
            try:
                found = Found(self._fetch(namespace, name) or {})
            except LandedError as error:
                found = Found(unread=f"the cluster's cannot be read: {error.message.rstrip('.')}")
            self._fetched[namespace, name] = found
        return self._fetched[namespace, name]
