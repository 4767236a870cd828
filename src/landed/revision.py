"""What Flux and Git call things: revisions, progress messages, repository URLs. Nothing here raises.

Revisions: https://fluxcd.io/flux/components/source/gitrepositories/#artifact and
https://fluxcd.io/flux/components/source/ocirepositories/#artifact .
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from landed.model import Repository

#: The kind to give ``commit`` for an origin revision: what ``flux push artifact --revision`` was given.
ORIGIN = "origin"

_REVISION = re.compile(
    r"(?s)(?P<pointer>.*?)"
    r"(?:(?:\A|@)(?P<algorithm>sha1|sha256|sha384|sha512|blake3):|\A|[@/:])"
    r"(?P<hash>[0-9a-fA-F]{32,128})\Z"
)
#: Characters at a revision's end beyond which nothing but its pointer stands.
_END = 160
# The patterns that a run on a healthy cluster does not need are compiled when they are first used.
_ATTEMPT = (
    r"(Fetching manifests|Building manifests|Detecting drift|Running health checks)"
    r" for revision (\S+) with a timeout of "
)
_PHASES = {
    "Fetching manifests": "fetching",
    "Building manifests": "building",
    "Detecting drift": "applying",
    "Running health checks": "health checks",
}
_DEPENDENCY = r"(?:dependency '([^'/\s]+)/([^'/\s]+)'|unable to get '([^'/\s]+)/([^'/\s]+)' dependency)"


def commit(revision: str, kind: str) -> str:
    """Give the commit hash (lower case) in a revision of a source of this ``kind``, or "" if it names none.

    Only the revision of a GitRepository is a commit, and an origin revision (``kind`` is ``ORIGIN``) that looks
    like one. The others are digests even where they have a commit's length: Buckets once had SHA-1 checksums.
    An origin revision is free text, in which a SHA-256 is more often an image's digest than a commit of a SHA-256
    repository, so there only the 40 digits of SHA-1 count.
    """
    if kind not in {"GitRepository", ORIGIN}:
        return ""
    _, algorithm, digits = _parts(revision)
    if algorithm in {"", "sha1"}:
        return digits if len(digits) == 40 else ""
    return digits if (algorithm, len(digits), kind) == ("sha256", 64, "GitRepository") else ""


def pointer(revision: str) -> str:
    """Give the branch, tag or full ref in a revision, "" where it has none (``sha1:…``, ``HEAD/…``)."""
    named, _, _ = _parts(revision)
    return "" if named == "HEAD" else named


def short(revision: str) -> str:
    """Shorten a revision or a bare commit for people: ``main@6dcd4ce2``, ``latest@sha256:7e887edb``."""
    named, algorithm, digits = _parts(revision)
    if not digits:
        return revision
    at = "" if named == "HEAD" else f"{named}@" if named else ""
    return at + ("" if algorithm in {"", "sha1"} else f"{algorithm}:") + digits[:8]


def _parts(revision: str) -> tuple[str, str, str]:
    """Pointer, algorithm and hash in lower case; all empty where there is no hash."""
    text = revision.strip()
    begin = max(0, len(text) - _END)
    match = _REVISION.match(text[begin:])
    if match is None:
        return "", "", ""
    return text[:begin] + match["pointer"], match["algorithm"] or "", match["hash"].lower()


def attempt(message: str) -> tuple[str, str]:
    """Give the phase and the revision that a Reconciling message speaks of, or two empty strings.

    The phases are ``fetching``, ``building``, ``applying`` and ``health checks``.
    """
    match = re.match(_ATTEMPT, message)
    return (_PHASES[match[1]], match[2]) if match else ("", "")


def dependency(message: str) -> tuple[str, str] | None:
    """Give namespace and name of the dependency that a DependencyNotReady message waits for."""
    match = re.match(_DEPENDENCY, message)
    return (match[1] or match[3], match[2] or match[4]) if match else None


_WEB = frozenset({"http", "https", "git+http", "git+https"})
_SCHEMES = _WEB | {"ssh", "git+ssh", "ssh+git", "git"}
_WITH_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\\]*)(?=[/?#]|\Z)([^?#]*)")
#: Without a user the host must have a dot: ``C:/fleet`` and ``oci:fleet`` are something else.
_LIKE_SCP = r"(?:[^/@:]+@(\[[^\]/]+\]|[^/:@]+)|([^/:@]+\.[^/:@]+)):(?!//)([^?#]*)"
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|\w(?:[\w.-]*\w)?)\.?(?::([0-9]{0,5}))?")
#: What must stay encoded in a path, so that it reads the same when it is decoded again.
_RESERVED = frozenset("/?#%")
_ALIASES = {
    "ssh.github.com": "github.com",
    "www.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
    "ssh.dev.azure.com": "dev.azure.com",
}
AZURE = "dev.azure.com"
_AZURE_ONCE = ".visualstudio.com"
_AZURE_SSH_ONCE = "vs-ssh.visualstudio.com"
_AZURE_MARKS = frozenset({"_git", "_ssh"})
_BITBUCKET_SSH_PORT = "7999"


class Address(Struct, frozen=True):
    """What the URL of a repository says by itself, before the settings of its Git host are known."""

    host: str
    """Lower case; the public hosts under their one name."""
    port: str
    """Empty where it is the scheme's own on the web, or not given."""
    web: bool
    """By ``http`` or ``https``. Else the port is that of ssh or git and says nothing of the web address."""
    segments: tuple[str, ...]
    """Of the path, percent-encoding undone except where the character would mean something else in a URL."""

    @property
    def authority(self) -> str:
        """``git.example.com:8443``."""
        return f"{self.host}:{self.port}" if self.port else self.host


@lru_cache(maxsize=4096)
def repository(url: str) -> Repository | None:
    """Give the repository behind a Git URL in any of its spellings, or None if it is not the URL of one.

    Understood are ``https``, ``http``, ``ssh``, ``git``, ``git+ssh``, ``git+https`` and ``git@host:path``
    (https://git-scm.com/docs/git-clone#_git_urls). Dropped are user and password, query and fragment, ``.git``,
    empty segments, the ports of ssh and git (they say nothing about the web address) and the web's default ports.
    The path's case is kept: Git hosts disagree on whether it matters.

    This is all that can be said without a host's settings; ``repositories.Repositories`` knows them.

    - The *whole* path is kept, a relative root (``https://example.com/gitlab/group/project``) included: only the
      settings of that Git host know which part of it is the root. A number is a GitLab project id.
    - Azure DevOps: all forms become ``dev.azure.com`` and ``organisation/project/_git/name``. On premises the path
      is whatever follows the server.
    - Bitbucket Server: ``https`` URLs keep their ``[context/]scm/KEY/name``, because a GitLab group may be called
      ``scm`` too. An ``ssh`` URL with Bitbucket's own port 7999 gains ``scm/``, so that both are equal wherever
      the server has no context path and its web address no port.
    - Percent-encoding is undone, except where the character would mean something else in a URL.
    """
    found = address(url)
    if found is None or not found.segments:
        return None
    if found.web:
        return Repository(found.authority, "/".join(found.segments))
    scm = ("scm",) if found.port == _BITBUCKET_SSH_PORT and found.host != AZURE else ()
    return Repository(found.host, "/".join((*scm, *found.segments)))


def address(url: str) -> Address | None:
    """Take a Git URL apart; None if it is none. Without a path there are no segments."""
    text = url.strip()
    if not text.isprintable():
        return None
    if match := _WITH_SCHEME.match(text):
        scheme, authority, path = match[1].lower(), match[2].rpartition("@")[2], match[3]
    elif match := re.match(_LIKE_SCP, text):
        scheme, authority, path = "ssh", match[1] or match[2], match[3]
    else:
        return None
    place = _AUTHORITY.fullmatch(authority.lower())
    parts = segments(path)
    if scheme not in _SCHEMES or place is None or {".", ".."} & set(parts):
        return None
    port = str(int(place[2])) if place[2] else ""
    web = scheme in _WEB
    if web and port in {"443", "80" if scheme.endswith("http") else ""}:
        port = ""
    host = _ALIASES.get(place[1], place[1])
    if host == AZURE or host.endswith(_AZURE_ONCE):
        return Address(AZURE, "", web, _azure_cloud(host, web, parts))
    return Address(host, port, web, parts)


def loopback(host: str) -> bool:
    """Whether ``host``, with or without a port, is this machine: there every port is a server of its own."""
    name = re.sub(r":[0-9]*\Z", "", host)
    return name in {"localhost", "[::1]"} or re.fullmatch(r"127(\.[0-9]{1,3}){3}", name) is not None


def _azure_cloud(host: str, web: bool, segments: tuple[str, ...]) -> tuple[str, ...]:
    if host == _AZURE_SSH_ONCE and segments[:1] != ("v3",):
        return ()  # the oldest form names the organisation as its user only
    if segments and host.endswith(_AZURE_ONCE) and host != _AZURE_SSH_ONCE:
        segments = (host.removesuffix(_AZURE_ONCE), *segments)
    while len(segments) > 1 and segments[1].lower() == "defaultcollection":  # no project may be called so
        segments = (segments[0], *segments[2:])
    match segments:
        case ("v3", organisation, project, *name) if name and not web:
            return azure((organisation, project, "_git", *name))
    return azure(segments)


def azure(segments: tuple[str, ...]) -> tuple[str, ...]:
    """Give the long form of what follows an Azure DevOps server: ``organisation/project/_git/name``.

    ``organisation/_git/name`` is a project and its repository of the same name; ``_ssh`` is the older word for
    ``_git``; ``_full`` and ``_optimized`` say how many refs are fetched
    (https://docs.microsoft.com/en-us/azure/devops/learn/git/limited-refs). What is no repository stays as it is.
    """
    words = [segment.lower() for segment in segments[:3]]
    at = next((at for at, word in enumerate(words) if at and word in _AZURE_MARKS), 0)
    name = segments[at + 1 :]
    if len(name) > 1 and name[0].lower() in {"_full", "_optimized"}:
        name = name[1:]
    if not at or not name or name[0].lower() in _AZURE_MARKS:
        return segments
    return (segments[0], segments[1] if at == 2 else name[0], "_git", name[0])


def segments(path: str) -> tuple[str, ...]:
    """Split a path, without slashes and ``.git`` at its ends."""
    if "%" in path:
        path = re.sub("(?:%[0-9A-Fa-f]{2})+|%", _decoded, path)
    path = path.strip("/ ")
    while path.endswith(".git"):
        path = path[:-4].rstrip("/ ")
    return tuple(segment for segment in path.split("/") if segment)


def _decoded(match: re.Match[str]) -> str:
    if match[0] == "%":
        return "%25"
    return "".join(_kept(c) for c in bytes.fromhex(match[0].replace("%", "")).decode(errors="surrogateescape"))


def _kept(character: str) -> str:
    if character.isprintable() and character not in _RESERVED:
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogateescape"))
