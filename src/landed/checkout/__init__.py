"""A checkout on this machine, asked which commit contains which. It may be shallow: then it does not know everything.

Nothing of it is run: no hooks, no Git, nothing that its configuration names; and nothing is fetched.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from landed.checkout.objects import Objects, broken, place
from landed.checkout.walk import Walk
from landed.errors import ConfigurationError
from landed.model import Relation
from landed.render import clean, cut

if TYPE_CHECKING:
    from dulwich.config import ConfigFile
    from dulwich.refs import RefsContainer

#: Digits of an abbreviation, at least: https://git-scm.com/docs/gitrevisions
ABBREVIATION = 4
#: How often a ref may lead to another one.
LINKS = 10

_HEX = re.compile(r"[0-9a-f]+", re.IGNORECASE)
_USER = re.compile(r"^(https?://)[^/@]*@", re.IGNORECASE)
_DEEPEN = "deepen it with `fetch-depth: 0` (GitHub) or `GIT_DEPTH: 0` (GitLab)"


class Checkout:
    """A working tree, or a folder in it, a worktree or a bare repository. Safe to use from several threads."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the repository that ``path`` is in. Raises ConfigurationError."""
        self._path = str(path)
        self._place = place(path)
        self._lock = Lock()
        config = self._config()
        kind = _value(config, "extensions", "objectformat") or "sha1"
        try:
            self._objects = Objects(self._place.common, kind)
            self._refs = self._open_refs(_value(config, "extensions", "refstorage"))
        except broken() as error:
            why = type(error).__name__
            raise ConfigurationError(f"The checkout {path} cannot be read ({why}).", "Clone it anew.") from None
        self._urls = tuple(_urls(config))

    def resolve(self, text: str) -> str:
        """The full hash that ``text`` means: HEAD, a branch, a tag, a hash or the beginning of one.

        A full hash need not be there. Raises ConfigurationError.
        """
        with self._lock:
            whole = text.lower() if _HEX.fullmatch(text) and len(text) == self._objects.length else ""
            found = (self._objects.peeled(whole) or whole) if whole else self._named(text) or self._abbreviated(text)
        if found:
            return found
        shallow = f" The checkout is shallow: {_DEEPEN}." if self._shallow() else ""
        raise ConfigurationError(
            f"{_shown(text)} is no branch, tag or commit of the checkout {self._path}.{shallow}",
            "Give the full hash, or the name of a branch or a tag that was fetched.",
        )

    def relation(self, commit: str, other: str) -> tuple[Relation, str]:
        """How ``other`` relates to ``commit``, both full hashes; with UNKNOWN comes the reason, as a sentence."""
        commit, other = commit.lower(), other.lower()
        for name in (commit, other):
            if not (_HEX.fullmatch(name) and len(name) == self._objects.length):
                return Relation.UNKNOWN, f"{_shown(name)} is not a full hash of the checkout {self._path}."
        if commit == other:
            return Relation.SAME, ""
        with self._lock:
            commit, other = (self._objects.peeled(name) or name for name in (commit, other))
            if commit == other:
                return Relation.SAME, ""
            walk = Walk(self._objects.look, commit, other)
            relation = walk.relation()
        return relation, self._why(commit, other, walk.gaps) if relation is Relation.UNKNOWN else ""

    def tip(self, ref: str) -> str:
        """The commit that ``refs/heads/NAME`` has on the remote ``origin``, as last fetched, or a tag; "" if unknown.

        A bare repository that follows no remote's branches has those of its own.
        """
        name = ref.removeprefix("refs/heads/")
        with self._lock:
            if name == ref:
                return self._ref(ref) if ref.startswith("refs/tags/") else ""
            return self._ref(f"refs/remotes/origin/{name}") or (self._ref(ref) if self._mirrors() else "")

    def urls(self) -> tuple[str, ...]:
        """The addresses of its remotes, that of ``origin`` first, without users and passwords of web addresses."""
        return self._urls

    def _why(self, commit: str, other: str, gaps: set[str]) -> str:
        absent = [name for name in (commit, other) if self._objects.look(name) is None]
        what = f"The commit {absent[0]} is not in the checkout {self._path}" if absent else ""
        if self._shallow():
            ends = f"The checkout {self._path} is shallow and ends before it shows how {commit} and {other} are related"
            return f"{what}, which is shallow: {_DEEPEN}." if what else f"{ends}: {_DEEPEN}."
        gap = min(gaps, default="")
        return f"{what}: fetch it." if what else f"The checkout {self._path} lacks the commit {gap}: clone it anew."

    def _shallow(self) -> bool:
        with suppress(OSError):
            return (self._place.common / "shallow").stat().st_size > 0
        return False

    def _mirrors(self) -> bool:
        if not self._place.bare:
            return False
        with suppress(*broken()):
            return not any(True for _ in self._refs.subkeys(b"refs/remotes/origin/"))  # type: ignore[arg-type]
        return False

    def _named(self, text: str) -> str:
        """The commit of a ref, looked for where Git looks: see https://git-scm.com/docs/gitrevisions ."""
        short = text if text == "HEAD" or text.startswith("refs/") else ""
        places = (short, f"refs/{text}", f"refs/tags/{text}", f"refs/heads/{text}", f"refs/remotes/{text}")
        names = (*places, f"refs/remotes/{text}/HEAD", f"refs/remotes/origin/{text}")
        return next(filter(None, (self._ref(name) for name in names if name)), "")

    def _abbreviated(self, text: str) -> str:
        text = text.lower()
        if not (_HEX.fullmatch(text) and ABBREVIATION <= len(text) < self._objects.length):
            return ""
        found = self._objects.starting(text)
        if len(found) > 1:
            raise ConfigurationError(
                f"{text} is the beginning of several commits of the checkout {self._path}: {', '.join(found[:3])}.",
                "Give the full hash.",
            )
        return found[0] if found else ""

    def _ref(self, name: str) -> str:
        """The commit that a ref leads to; "" where there is none."""
        with suppress(*broken()):
            for _ in range(LINKS):
                if "//" in name or name.endswith("/"):
                    return ""
                content = self._refs.read_ref(name.encode("utf-8", "surrogateescape"))  # type: ignore[arg-type]
                if not content:
                    return ""
                if not content.startswith(b"ref:"):
                    target = content.strip().decode("ascii").lower()
                    return self._objects.peeled(target) or (target if self._gone(target) else "")
                name = content[4:].strip().decode("utf-8", "surrogateescape")
        return ""

    def _gone(self, target: str) -> bool:
        """Whether it is a hash of nothing that is there: then it may well be a commit."""
        return bool(_HEX.fullmatch(target)) and len(target) == self._objects.length and not self._objects.raw(target)[0]

    def _open_refs(self, storage: str) -> RefsContainer:
        if storage == "reftable":
            from dulwich.reftable import ReftableRefsContainer

            return ReftableRefsContainer(str(self._place.common))
        from dulwich.refs import DiskRefsContainer

        return DiskRefsContainer(self._place.common, self._place.git)

    def _config(self) -> ConfigFile | None:
        from dulwich.config import ConfigFile

        with suppress(*broken()):
            return ConfigFile.from_path(self._place.common / "config", expand_includes=False)
        return None


def _value(config: ConfigFile | None, section: str, name: str) -> str:
    with suppress(KeyError):
        return config.get((section.encode(),), name.encode()).decode().lower() if config else ""
    return ""


def _urls(config: ConfigFile | None) -> list[str]:
    """The addresses, once each."""
    if config is None:
        return []
    remotes = [section for section in config.sections() if len(section) == 2 and section[0].lower() == b"remote"]
    found: list[str] = []
    for section in sorted(remotes, key=lambda section: section[1] != b"origin"):
        with suppress(KeyError):
            found += [value.decode(errors="replace") for value in config.get_multivar(section, b"url")]
    return list(dict.fromkeys(_USER.sub(r"\1", url) for url in found))


def _shown(text: str) -> str:
    return cut(clean(text), 80) or "An empty name"
