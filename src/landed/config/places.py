"""Where the API of a Git host is, whichever of its addresses is known. No I/O.

Each kind has its own: people know the address that they see in the browser, tools that of the API. Either will do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import SplitResult

from msgspec import Struct

from landed.config.addresses import authority, server_address

GITHUB = "github.com"
GITHUB_API = "https://api.github.com"
#: GitHub Enterprise Cloud with data residency: one of these for each tenant.
GHE_COM = ".ghe.com"
BITBUCKET = "bitbucket.org"
BITBUCKET_API = "https://api.bitbucket.org/2.0"
AZURE = "dev.azure.com"
AZURE_ONCE = ".visualstudio.com"

#: The one public server of a kind, which gets the token of that kind unless another host is named for it. Gitea has
#: none: its public servers have nothing to do with one another, and the token of one is no business of the others.
PUBLIC = {"azuredevops": AZURE, "bitbucket": BITBUCKET, "gitlab": "gitlab.com"}


class Place(Struct, frozen=True):
    """A Git host, before it is known who we are there. The fields are as in ``GitHost``."""

    type: str
    host: str
    api_url: str
    web_url: str = ""
    aliases: tuple[str, ...] = ()


def place(type_: str, host: str, url: str = "", *, where: str = "--git-host") -> Place:
    """The Git host of this type that answers for repositories on ``host``.

    ``url`` is the address of its API or the one that people see, with its relative root; without it, it is
    ``https://HOST``. An address on another host is that of a proxy, or the host's name inside a network.
    Raises ConfigurationError.
    """
    if type_ == "azuredevops" and host.endswith(AZURE_ONCE):  # the name that such URLs have here
        host = AZURE
    return _PLACES[type_](host, server_address(url or f"https://{host}", where))


def _github(host: str, parts: SplitResult) -> Place:
    """``api.github.com``, ``api.TENANT.ghe.com``, ``HOST/api/v3``; any other address is a proxy's, and stays as it is.

    https://docs.github.com/en/enterprise-server/rest/using-the-rest-api/getting-started-with-the-rest-api ,
    https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency
    """
    here, path = authority(parts), parts.path.rstrip("/")
    if here in (GITHUB, f"www.{GITHUB}"):
        api_url = GITHUB_API
    elif here.endswith(GHE_COM) and not here.startswith("api."):
        api_url = f"https://api.{here}"
    elif here == host and not path:
        api_url = f"{_root(parts, '')}/api/v3"
    else:
        api_url = _root(parts, path)
    return Place("github", host, api_url, _web(host, parts, "") if here == host else "")


def _under(type_: str, api: str) -> Callable[[str, SplitResult], Place]:
    """For a kind whose API lies under ``api``, below the relative root."""
    first = api.split("/")[1]

    def found(host: str, parts: SplitResult) -> Place:
        path = parts.path.rstrip("/")
        root = path.removesuffix(api).removesuffix(f"/{first}") if path.endswith((api, f"/{first}")) else path
        return Place(type_, host, _root(parts, root) + api, _web(host, parts, root))

    return found


def _bitbucket(host: str, parts: SplitResult) -> Place:
    """The one address that there is, or what stands in for it.

    https://developer.atlassian.com/cloud/bitbucket/rest/intro/
    """
    own = authority(parts) in (BITBUCKET, f"www.{BITBUCKET}", f"api.{BITBUCKET}")
    return Place("bitbucket", host, BITBUCKET_API if own else _root(parts, parts.path))


def _bitbucket_server(host: str, parts: SplitResult) -> Place:
    """Everything before ``/rest``, which ``/rest/api/latest`` and ``/rest/build-status/1.0`` share.

    https://developer.atlassian.com/server/bitbucket/rest/
    """
    before, _, _ = f"{parts.path.rstrip('/')}/".partition("/rest/")
    root = before.rstrip("/")
    return Place("bitbucketserver", host, f"{_root(parts, root)}/rest", _web(host, parts, root))


def _azure(host: str, parts: SplitResult) -> Place:
    """The server, with its virtual directory, without a collection.

    https://learn.microsoft.com/rest/api/azure/devops/
    """
    here = authority(parts)
    if here == AZURE or here.endswith(AZURE_ONCE):
        return Place("azuredevops", host, f"https://{AZURE}")
    segments = [segment for segment in parts.path.split("/") if segment]
    if segments and segments[-1].lower() == "defaultcollection":
        segments.pop()
    root = "".join(f"/{segment}" for segment in segments)
    return Place("azuredevops", host, _root(parts, root), "" if host == AZURE else _web(host, parts, root))


def azure_collection(url: str, where: str) -> Place:
    """The Azure DevOps that has this collection or organization: its last segment. Raises ConfigurationError."""
    parts = server_address(url, where)
    path, _, _ = parts.path.rstrip("/").rpartition("/")
    return place("azuredevops", authority(parts), _root(parts, path), where=where)


_PLACES: Mapping[str, Callable[[str, SplitResult], Place]] = {
    "azuredevops": _azure,
    "bitbucket": _bitbucket,
    "bitbucketserver": _bitbucket_server,
    "gitea": _under("gitea", "/api/v1"),
    "github": _github,
    "gitlab": _under("gitlab", "/api/v4"),
}

#: Every kind of Git host there is.
TYPES = tuple(_PLACES)


def _root(parts: SplitResult, path: str) -> str:
    return f"{parts.scheme}://{parts.netloc}{path.rstrip('/')}"


def _web(host: str, parts: SplitResult, root: str) -> str:
    """Where people look at ``host``, if that is not simply ``https://HOST``."""
    if authority(parts) != host:
        return f"https://{host}{root}" if root else ""
    url = _root(parts, root)
    return "" if url == f"https://{host}" else url
