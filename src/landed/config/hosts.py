"""Which Git hosts are there, and which repositories each one answers for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from landed.config.addresses import web_address
from landed.errors import ConfigurationError
from landed.model import GitHost, Secret

GITHUB = "github.com"
GITHUB_API = "https://api.github.com"


def git_hosts(
    github_token: Secret,
    github_api_url: str,
    declared: Sequence[str],
    environ: Mapping[str, str],
    types: Sequence[str],
) -> tuple[GitHost, ...]:
    """Every Git host that there is a token for; the first declaration of a host wins.

    ``declared`` holds ``--git-host`` values, ``HOST=TYPE[=API_URL]``. Without ``github_api_url``, GitHub is the
    runner's own server (``GITHUB_API_URL``, ``GITHUB_SERVER_URL``), or github.com.
    Raises ConfigurationError.
    """
    tokens = {"github": github_token}
    hosts = [_declared(text, tokens, types) for text in declared]
    if github_token:
        api_url = github_api_url or environ.get("GITHUB_API_URL", "") or GITHUB_API
        hosts += [GitHost("github", host, api_url.rstrip("/"), github_token) for host in _github(api_url, environ)]
    unique: dict[str, GitHost] = {}
    for host in hosts:
        unique.setdefault(host.host, host)
    return tuple(host for host in unique.values() if host.token)


def _declared(text: str, tokens: Mapping[str, Secret], types: Sequence[str]) -> GitHost:
    host, _, rest = text.partition("=")
    type_, _, api_url = rest.partition("=")
    if not host or not type_ or "/" in host:
        raise ConfigurationError(
            f"--git-host {text!r} is not of the form HOST=TYPE[=API_URL].",
            "For example: --git-host git.example.com=github=https://git.example.com/api/v3",
        )
    if type_ not in types:
        raise ConfigurationError(
            f"--git-host {host}: there is no Git host of type {type_!r}.", f"Known types: {', '.join(types)}."
        )
    if api_url:
        _checked(api_url, f"--git-host {host}")
    else:
        api_url = GITHUB_API if host == GITHUB else f"https://{host}/api/v3"
    if not tokens[type_]:
        raise ConfigurationError(f"--git-host {host}: there is no token for it.", f"Set --{type_}-token.")
    return GitHost(type_, host.lower(), api_url.rstrip("/"), tokens[type_])


def _github(api_url: str, environ: Mapping[str, str]) -> list[str]:
    """The hosts whose repositories are behind this API.

    ``api.github.com`` answers for github.com, ``api.TENANT.ghe.com`` for TENANT.ghe.com, and ``HOST/api/v3`` for HOST
    (https://docs.github.com/en/enterprise-server/rest). Any other address is a proxy: it answers for itself and for
    github.com, or for the runner's own server where it is that server's API.
    """
    parts = _checked(api_url, "--github-api-url")
    here = _authority(parts)
    if here == "api.github.com":
        return [GITHUB]
    if here.startswith("api.") and here.endswith(".ghe.com"):
        return [here.removeprefix("api.")]
    server = environ.get("GITHUB_SERVER_URL", "")
    own = _authority(urlsplit(server)) if server and api_url == environ.get("GITHUB_API_URL") else ""
    if parts.path.rstrip("/").endswith("/api/v3"):
        return [here, own] if own and own != here else [here]
    return [here, own or GITHUB]


def _checked(url: str, option: str) -> SplitResult:
    parts = web_address(url)
    if parts is None or parts.username or parts.query:
        raise ConfigurationError(
            f"{option}: that is not the address of an API.",
            "Give one like https://api.github.com, without user or query.",
        )
    return parts


def _authority(parts: SplitResult) -> str:
    """Host and, unless it is the scheme's own, port: as ``Repository.host`` has it."""
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return host if parts.port in (None, usual) else f"{host}:{parts.port}"
