"""From a Provider to the Git host that it describes, and the repository that it is for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from landed.config.addresses import web_address
from landed.config.manifests.case import APP_KEYS, NOTHING, Case
from landed.config.manifests.identity import app_of, with_token
from landed.config.places import AZURE, GITHUB, PUBLIC, Place, place
from landed.config.rates import usual
from landed.errors import ConfigurationError
from landed.model import GitHost, Network, Repository, Secret
from landed.repositories import Repositories, parts
from landed.revision import Address, address, azure

_BITBUCKET_SERVER_MARKS = frozenset({"scm", "projects", "users"})


class Options(Struct, frozen=True):
    """What the options say of Git hosts."""

    known: Sequence[GitHost] = ()
    """The hosts that are served without manifests: where their API is, and who we are there."""
    fallback: Mapping[str, Secret] = {}
    """The tokens of the options by type (``github``: that of ``--github-token``)."""


def git_host(case: Case, network: Network, options: Options) -> tuple[GitHost, Repository | None] | None:
    """The Git host, and the repository of the address or the path that its repositories begin with.

    None where there is a problem, which ``case`` has then.
    """
    given = case.address()
    if not given:
        case.problem("spec.address", "there is no address", "Give the URL of the repository.")
        return None
    url = _spelled(given.reveal())
    found = address(url) if case.check_address(given) else None
    if found is None:
        if not case.problems:
            case.problem(case.addressed, "the address is not that of a repository", _example(case))
        return None
    known = _known(case, url, options.known)
    host = known or _host(case, url, found)
    if host is None:
        return None
    app = app_of(case) if "app" in case.kind.uses else None
    host = _reached_by_app(case, host) if app else host
    host = structs.replace(host, network=_merged(network, host.network), app=app, token=NOTHING, job_token=False)
    within = _within(case, host, found, url)
    served = host if app else with_token(case, host, known, options.fallback)
    return None if served is None or case.problems else (served, within)


def _merged(network: Network, usual_one: Network) -> Network:
    """The Provider's network; what it says nothing of is as the options have it."""
    if network.certificate:
        usual_one = structs.replace(usual_one, certificate="", key=NOTHING)
    return Network(
        network.proxy or usual_one.proxy,
        "\n".join(filter(None, (network.ca, usual_one.ca))),
        network.certificate or usual_one.certificate,
        network.key or usual_one.key,
        network.timeout,
    )


def enough(case: Case, values: Mapping[str, Secret]) -> bool:
    """Whether these values of the Secret will do, so that nobody else need be asked for more."""
    if not (values.get("address") or case.provider.address):
        return False
    app = "app" in case.kind.uses and all(key in values for key in APP_KEYS[:2])
    if "password" in values and "username" in case.kind.uses:
        return "username" in values or bool(case.provider.username)
    return "token" in values or "password" in values or app


def _spelled(url: str) -> str:
    """Some leave ``https://`` out."""
    return f"https://{url}" if re.match(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]+)?/", url) else url


def _example(case: Case) -> str:
    return f"Write it as {_EXAMPLES[case.kind.host]}."


_EXAMPLES = {
    "azuredevops": "https://dev.azure.com/ORGANISATION/PROJECT/_git/REPOSITORY",
    "bitbucket": "https://bitbucket.org/WORKSPACE/REPOSITORY",
    "bitbucketserver": "https://HOST/scm/PROJECT/REPOSITORY.git",
    "gitea": "https://HOST/OWNER/REPOSITORY",
    "github": "https://github.com/OWNER/REPOSITORY",
    "gitlab": "https://gitlab.com/GROUP/PROJECT",
}


def _known(case: Case, url: str, known: Sequence[GitHost]) -> GitHost | None:
    """The host of the options that has the address, if there is one: it knows its relative root."""
    here = Repositories(known)(url)
    same = (host for host in known if here and host.host == here.host and host.type == case.kind.host)
    return next(same, None)


def _host(case: Case, url: str, found: Address) -> GitHost | None:
    """The host as its address describes it."""
    web = web_address(url) if found.web else None
    public = found.host in (GITHUB, *PUBLIC.values())
    scheme = "http" if web is not None and web.scheme == "http" and not public else "https"
    host = found.authority if found.web else found.host
    case.remark(scheme, found.host)
    root = "".join(f"/{segment}" for segment in _root(case.kind.host, found))
    return _made(case, case.addressed, host, f"{scheme}://{host}{root}")


def _made(case: Case, field: str, host: str, url: str) -> GitHost | None:
    try:
        one: Place = place(case.kind.host, host, url)
    except ConfigurationError:
        case.problem(field, "the address is not that of a Git host", _example(case))
        return None
    return GitHost(one.type, one.host, one.api_url, web_url=one.web_url, aliases=one.aliases, writes=usual(one.api_url))


def _root(type_: str, found: Address) -> tuple[str, ...]:
    """The segments below which the server is, as far as the address tells. GitLab's groups could be any of them."""
    path = found.segments
    if type_ == "bitbucketserver":
        marks = [at for at, segment in enumerate(path[:-1]) if segment in _BITBUCKET_SERVER_MARKS]
        marks = [at for at in marks if len(path) - at > 2] or marks
        if not found.web or not marks:
            return ()
        # The last one: a context path, too, may be called so. Of a project's page, the word before `repos`.
        at = marks[-1] if "repos" not in path else max((m for m in marks if m < path.index("repos")), default=0)
        return path[:at]
    if type_ == "azuredevops" and found.host != AZURE:
        whole = azure(path)
        at = next((at for at, segment in enumerate(whole) if segment.lower() in ("_git", "_ssh")), 0)
        return whole[: max(0, at - 2)]
    return path[:-2] if type_ == "gitea" and found.web else ()


def _within(case: Case, host: GitHost, found: Address, url: str) -> Repository | None:
    """The repository as everybody here spells it, or what its path begins with; None for all of the host."""
    if not found.segments:
        case.note(f"its address names no repository, so it is for all of {host.host}.")
        return None
    here = Repositories((host,))(url)
    if here is None:
        return None
    if host.type == "bitbucketserver" and re.fullmatch(r"(.*/)?scm/[^/]+", here.path):
        before, _, key = here.path.rpartition("scm/")
        here = Repository(here.host, f"{before}users/{key[1:]}" if key.startswith("~") else f"{before}projects/{key}")
    if not parts(host, here) and not _prefix(host, here):
        case.problem(case.addressed, "the address is not that of a repository", _example(case))
    return here


def _prefix(host: GitHost, here: Repository) -> bool:
    """Whether repositories may lie below it: an organization, a group, a project."""
    below = Repository(here.host, f"{here.path}/x")
    further = Repository(here.host, f"{here.path}/repos/x")
    return any(parts(host, one) for one in (below, further)) or (
        host.type == "azuredevops"
        and any(parts(host, Repository(here.host, f"{here.path}/{rest}")) for rest in ("_git/x", "x/_git/x"))
    )


def _reached_by_app(case: Case, host: GitHost) -> GitHost:
    """The host with the API that ``githubAppBaseURL`` names."""
    base = case.key("githubAppBaseURL").reveal()
    made = _made(case, "spec.secretRef", host.host, base) if base else None
    return structs.replace(host, api_url=made.api_url, writes=made.writes) if made else host
