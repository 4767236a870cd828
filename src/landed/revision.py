"""What Flux and Git call things: revisions, progress messages, repository URLs. Nothing here raises.

Revisions: https://fluxcd.io/flux/components/source/gitrepositories/#artifact and
https://fluxcd.io/flux/components/source/ocirepositories/#artifact .
"""

from __future__ import annotations

import re
from functools import lru_cache

from landed.model import Repository

#: The kind to give ``commit`` for an origin revision: what ``flux push artifact --revision`` was given.
ORIGIN = "origin"

_REVISION = re.compile(
    r"(?s)(?P<pointer>.*?)"
    r"(?:(?:\A|@)(?P<algorithm>sha1|sha256|sha384|sha512|blake3):|\A|[@/:])"
    r"(?P<hash>[0-9a-fA-F]{32,128})\Z"
)
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
    match = _REVISION.match(revision.strip())
    if match is None:
        return ""
    algorithm, digits = match["algorithm"] or "", match["hash"].lower()
    if algorithm in {"", "sha1"}:
        return digits if len(digits) == 40 else ""
    return digits if (algorithm, len(digits), kind) == ("sha256", 64, "GitRepository") else ""


def pointer(revision: str) -> str:
    """Give the branch, tag or full ref in a revision, "" where it has none (``sha1:…``, ``HEAD/…``)."""
    match = _REVISION.match(revision.strip())
    if match is None or match["pointer"] == "HEAD":
        return ""
    return match["pointer"]


def short(revision: str) -> str:
    """Shorten a revision or a bare commit for people: ``main@6dcd4ce2``, ``latest@sha256:7e887edb``."""
    match = _REVISION.match(revision.strip())
    if match is None:
        return revision
    algorithm = match["algorithm"] or "sha1"
    digits = match["hash"][:8].lower()
    at = pointer(revision)
    return (at and f"{at}@") + ("" if algorithm == "sha1" else f"{algorithm}:") + digits


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
_SSH = frozenset({"ssh", "git+ssh", "ssh+git"})
_SCHEMES = _WEB | _SSH | {"git"}
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
_BITBUCKET_SSH_PORT = "7999"


@lru_cache(maxsize=4096)
def repository(url: str) -> Repository | None:
    """Give the repository behind a Git URL in any of its spellings, or None if it is not the URL of one.

    Understood are ``https``, ``http``, ``ssh``, ``git``, ``git+ssh``, ``git+https`` and ``git@host:path``
    (https://git-scm.com/docs/git-clone#_git_urls). Dropped are user and password, query and fragment, ``.git``,
    empty segments, the ports of ssh and git (they say nothing about the web address) and the web's default ports.
    The path's case is kept: Git hosts disagree on whether it matters.

    - The *whole* path is kept, a relative root (``https://example.com/gitlab/group/project``) included: only the
      settings of that Git host know which part of it is the root. A number is a GitLab project id.
    - Azure DevOps: all forms become ``dev.azure.com`` and ``organisation/project/_git/name``. On premises the path
      is whatever follows the server.
    - Bitbucket Server: ``https`` URLs keep their ``[context/]scm/KEY/name``, because a GitLab group may be called
      ``scm`` too. An ``ssh`` URL with Bitbucket's own port 7999 gains ``scm/``, so that both are equal wherever
      the server has no context path and its web address no port.
    - Percent-encoding is undone, except where the character would mean something else in a URL.
    """
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
    segments = _segments(path)
    if scheme not in _SCHEMES or place is None or not segments:
        return None
    return _canonical(scheme, place[1], place[2] or "", segments)


def _canonical(scheme: str, host: str, port: str, segments: tuple[str, ...]) -> Repository:
    host = _ALIASES.get(host, host)
    if host.endswith(".visualstudio.com"):
        organisation = host.removesuffix(".visualstudio.com")
        host = "dev.azure.com"
        if organisation != "vs-ssh":
            segments = (organisation, *segments)
    if host == "dev.azure.com":
        segments = _azure(segments)
    elif scheme in _SSH and port == _BITBUCKET_SSH_PORT:
        segments = ("scm", *segments)
    elif scheme in _WEB and port not in {"", "443", "80" if scheme.endswith("http") else ""}:
        host = f"{host}:{port}"
    return Repository(host, "/".join(segments))


def _azure(segments: tuple[str, ...]) -> tuple[str, ...]:
    """Give the long form: ``organisation/project/_git/name``."""
    if len(segments) > 1 and segments[1].lower() == "defaultcollection":
        segments = (segments[0], *segments[2:])
    match segments:
        case ("v3", organisation, project, name):  # by ssh
            return (organisation, project, "_git", name)
        case (organisation, "_git", name):  # a project and its repository of the same name
            return (organisation, name, "_git", name)
    return segments


def _segments(path: str) -> tuple[str, ...]:
    """Split a path; () if there is nothing in it or it climbs."""
    if "%" in path:
        path = re.sub("(?:%[0-9A-Fa-f]{2})+", _decoded, path)
    path = path.strip("/ ")
    while path.endswith(".git"):
        path = path[:-4].rstrip("/ ")
    segments = tuple(segment for segment in path.split("/") if segment)
    return () if {".", ".."} & set(segments) else segments


def _decoded(match: re.Match[str]) -> str:
    try:
        text = bytes.fromhex(match[0].replace("%", "")).decode()
    except UnicodeDecodeError:
        return match[0].upper()
    return "".join(_kept(character) for character in text)


def _kept(character: str) -> str:
    if character.isprintable() and character not in _RESERVED:
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode())
