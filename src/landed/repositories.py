"""Which repository a URL means, as the Git hosts that are served know it. No I/O.

``revision.repository`` knows what any Git URL says by itself. What only the settings of a host can tell is here: under
which names and ports it is found, below which path its web pages are, and how its kind writes the same place by ``ssh``
and in the browser. So every spelling of one repository gives one ``Repository``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import unquote

from msgspec import Struct

from landed.model import GitHost, Repository
from landed.revision import AZURE, Address, address, azure, loopback, repository, segments

_Path = tuple[str, ...]


def below(repository: Repository, place: Repository) -> bool:
    """Whether it is that repository, or begins with that path. Hosts take names in any case."""
    path, prefix = repository.path.lower(), place.path.lower()
    return repository.host == place.host and (not prefix or path == prefix or path.startswith(f"{prefix}/"))


class _Site(Struct, frozen=True):
    """A Git host, as URLs are compared with it."""

    host: GitHost
    names: tuple[Address, ...]
    """Whatever its repositories' URLs may have as host: its own name first, then its web address."""
    api: Address | None
    root: _Path
    """The path below which its web pages are."""


class Repositories:
    """Finds repositories by URL. Remembers what it has found; safe to use from several threads."""

    def __init__(self, hosts: Sequence[GitHost] = ()) -> None:
        """Take the Git hosts that are served; of two with the same name the first one counts."""
        from threading import Lock

        unique = {host.host: host for host in reversed(hosts)}
        self._sites = _Sites([_site(host) for host in hosts if unique[host.host] is host])
        self._lock = Lock()
        self._known: dict[str, Repository | None] = {}
        self._spellings: dict[tuple[str, str], Repository] = {}

    def __call__(self, url: str) -> Repository | None:
        """The repository behind ``url``, or None if it is not the URL of one. Raises nothing.

        On a host that is served:

        - ``host`` is ``GitHost.host``, whatever name and port the URL has. By ``http`` or ``https``, another port than
          the declared one is another server if several of the hosts share the name (and always on this machine). By
          ``ssh`` the port says nothing, unless it is declared in ``aliases``.
        - ``path`` is what people see in the browser below ``https://HOST/``, the relative root of ``web_url`` included,
          which ``ssh`` URLs lack. A path that begins with the root already is left: a group that is called like the
          root must be written with it by ``ssh`` where two segments or more follow it.
        - Bitbucket Server: ``[context/]projects/KEY/repos/slug`` or ``[context/]users/name/repos/slug``. Azure DevOps:
          ``[root/]collection/project/_git/name``. GitLab: without what follows ``/-/``. A number stays one.
        - No kind of host minds the path's case, so of two spellings the first one that is seen is given.

        Hosts that are not served: as ``revision.repository`` says.
        """
        with self._lock:
            if url not in self._known:
                self._known[url] = self._find(url)
            return self._known[url]

    def _find(self, url: str) -> Repository | None:
        found = address(url)
        site = self._sites.of(found) if found is not None and found.segments else None
        if found is None or site is None:
            return repository(url)
        path = segments("/".join(_path(site, found)))
        if not path:
            return None
        here = Repository(site.host.host, "/".join(path))
        return self._spellings.setdefault((here.host, here.path.lower()), here)


class _Sites:
    """Git hosts by name, with and without a port."""

    def __init__(self, sites: Sequence[_Site]) -> None:
        self._exact: dict[str, _Site] = {}
        self._sharing: dict[str, list[_Site]] = {}
        for rank in range(max((len(site.names) for site in sites), default=0)):
            for site in sites:
                for name in site.names[rank : rank + 1]:
                    self._exact.setdefault(name.authority, site)
        for site in sites:
            for host in {name.host for name in site.names}:
                self._sharing.setdefault(host, []).append(site)
        self._add_apis(sites)

    def _add_apis(self, sites: Iterable[_Site]) -> None:
        """An API's address is a name too, unless it is that of several hosts: a gateway."""
        claims: dict[str, list[_Site]] = {}
        for site in sites:
            for name in {site.api.authority, site.api.host} if site.api else ():
                claims.setdefault(name, []).append(site)
        for name, its in claims.items():
            if len(its) == 1 and name not in self._sharing:
                self._exact.setdefault(name, its[0])

    def of(self, found: Address) -> _Site | None:
        """The one that serves this address."""
        exact = self._exact.get(found.authority)
        if exact is not None:
            return exact
        if not found.web and found.host in self._exact:
            return self._exact[found.host]
        sharing = self._sharing.get(found.host, [])
        distinct = found.web and loopback(found.host)
        return sharing[0] if len(sharing) == 1 and not distinct else None


def _site(host: GitHost) -> _Site:
    web = address(host.web_url) if host.web_url else None
    named = [address(f"https://{name}") for name in (host.host, *host.aliases)]
    names = [*named[:1], web, *named[1:]]
    known = tuple(name for name in names if name is not None)
    return _Site(host, known, address(host.api_url), _root(host))


def _root(host: GitHost) -> _Path:
    web = address(host.web_url) if host.web_url else None
    return web.segments if web and web.host != AZURE else ()


def _path(site: _Site, found: Address) -> _Path:
    """The path in the browser of what is at this address of the site."""
    kind, root = site.host.type, site.root
    inner = _below(root, found.segments)
    if inner is None:
        if found.web and found.authority in {name.authority for name in site.names[:2]}:
            return found.segments  # beside the root: something else is there
        inner = found.segments
    elif root and not found.web and not _parts(kind, _canonical(kind, False, inner)):
        inner = found.segments  # a group that is called like the root
    return (*root, *_canonical(kind, found.web, inner))


def _below(root: _Path, path: _Path) -> _Path | None:
    """What of ``path`` is below ``root``, None if it is not."""
    head = [segment.lower() for segment in path[: len(root)]]
    return path[len(root) :] if head == [segment.lower() for segment in root] else None


def _canonical(kind: str, web: bool, path: _Path) -> _Path:
    """The one way to write ``path``, which is below the root, on this kind of host."""
    if kind == "azuredevops":
        return azure(path)
    if kind == "bitbucketserver":
        return _bitbucket_server(web, path)
    if kind == "gitlab" and "-" in path[1:]:  # https://docs.gitlab.com/development/routing/
        return path[: path.index("-", 1)]
    return path


def _bitbucket_server(web: bool, path: _Path) -> _Path:
    """``projects/KEY/repos/slug`` or ``users/name/repos/slug``, after a context path if the root is not declared.

    By ``https`` a repository is at ``scm/KEY/slug``, by ``ssh`` at ``KEY/slug``, and a user's own are in the project
    ``~name`` (https://confluence.atlassian.com/bitbucketserver/permanently-authenticating-with-git-repositories-776639846.html).
    """
    context = path[:1] if path[:1] and path[0] not in {"projects", "users", "scm"} else ()
    match path[len(context) :]:
        case ("projects", key, "repos", slug, *_):
            return (*context, *_project(key, slug))
        case ("users", name, "repos", slug, *_):
            return (*context, "users", name, "repos", slug)
        case ("scm", key, slug):
            return (*context, *_project(key, slug))
    return _project(*path) if len(path) == 2 and not web else path


def _project(key: str, slug: str) -> _Path:
    if key.startswith("~") and key != "~":
        return ("users", key[1:], "repos", slug)
    return ("projects", key.upper() if key.isascii() else key, "repos", slug)


def parts(host: GitHost, repository: Repository) -> tuple[str, ...]:
    """What the API of ``host`` calls the repository, nothing of it percent-encoded; () if it is none there.

    GitHub, Gitea, Bitbucket: owner, name. GitLab: group, …, project, or the project's number alone. Bitbucket Server:
    KEY, slug, or ``~user``, slug. Azure DevOps: organisation or collection, project, name.
    """
    inner = _below(_root(host), tuple(repository.path.split("/")))
    named = tuple(unquote(part, errors="replace") for part in _parts(host.type, inner or ()))
    return named if all(_speakable(part) for part in named) else ()


def _parts(kind: str, path: _Path) -> _Path:
    match kind, path:
        case (("github" | "gitea" | "bitbucket"), (owner, name)):
            return (owner, name)
        case "gitlab", (number,) if number.isascii() and number.isdigit():
            return (number,)
        case "gitlab", (_, _, *_):
            return path
        case "bitbucketserver", ("projects", key, "repos", slug) | (_, "projects", key, "repos", slug):
            return (key, slug)
        case "bitbucketserver", ("users", name, "repos", slug) | (_, "users", name, "repos", slug):
            return (f"~{name}", slug)
        case "azuredevops", (collection, project, "_git", name):
            return (collection, project, name)
    return ()


def _speakable(part: str) -> bool:
    """Whether a name may be a part of an API's address: no host allows any other."""
    return bool(part.strip(". ")) and part.isprintable() and "/" not in part and "\ufffd" not in part


def suggest(host: str) -> str:
    """The type that a host's name gives away (``gitlab.example.com``: gitlab), "" if it does not.

    A guess, to be offered to people: anybody may call a host so, and a token must not be sent there for it.
    """
    name = host.lower().partition(":")[0]
    for suffix, type_ in _PUBLIC.items():
        if name == suffix or (suffix in _TENANTS and name.endswith(f".{suffix}")):
            return type_
    return next(_hints(name), "")


def _hints(name: str) -> Iterator[str]:
    for word in name.replace("-", ".").split("."):
        if word in _WORDS:
            yield _WORDS[word]
    if name.startswith("azure"):
        yield "azuredevops"


_PUBLIC = {
    "github.com": "github",
    "ghe.com": "github",
    "gitlab.com": "gitlab",
    "codeberg.org": "gitea",
    "bitbucket.org": "bitbucket",
    "dev.azure.com": "azuredevops",
    "visualstudio.com": "azuredevops",
}
#: Where every tenant has a name of its own, or ssh has.
_TENANTS = frozenset({"github.com", "ghe.com", "gitlab.com", "bitbucket.org", "dev.azure.com", "visualstudio.com"})
_WORDS = {
    "github": "github",
    "gitlab": "gitlab",
    "gitea": "gitea",
    "forgejo": "gitea",
    "bitbucket": "bitbucketserver",
    "stash": "bitbucketserver",
    "tfs": "azuredevops",
}
