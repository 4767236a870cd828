"""Which Git hosts are served: which repositories each one answers for, where its API is, and who we are there.

A token is only ever sent to a host that the user names, that the runner's environment names, or that is the one public
server of its kind. A host that merely appears in the URL of a source gets none, for whoever writes sources could
collect tokens that way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, structs

from landed.config.addresses import host_name
from landed.config.credentials import host_tokens, looks_like_github
from landed.config.places import PUBLIC, TYPES, Place, place
from landed.config.rates import rate_limits, usual
from landed.config.surroundings import githubs, on_gitea, own_server
from landed.errors import ConfigurationError
from landed.model import GitHost, GitHubApp, Secret
from landed.repositories import suggest

NOTHING = Secret("")
#: What GitLab's job tokens begin with. https://docs.gitlab.com/security/tokens/#token-prefixes
JOB_TOKEN = "glcbt-"  # noqa: S105 — no secret: it only begins like one


class Settings(Struct, frozen=True, kw_only=True):
    """What the options say of Git hosts."""

    tokens: Mapping[str, Secret] = {}
    """By type; an empty one is none."""
    host_tokens: Sequence[Secret] = ()
    """``HOST=TOKEN``"""
    declared: Sequence[str] = ()
    """``HOST[=TYPE[=URL]]``"""
    github_api_url: str = ""
    app: GitHubApp | None = None
    deployments: bool = False
    """Whether deployments are to be told, which GitLab's job token is enough for."""
    max_wait: float = 60.0
    rate_limits: Sequence[str] = ()
    """``HOST=PER_MINUTE[/PER_HOUR]`` or ``HOST=off``"""


def git_hosts(settings: Settings, environ: Mapping[str, str]) -> tuple[GitHost, ...]:
    """Every Git host that there is a token for, or an App: declared ones first. Raises ConfigurationError.

    Without being declared, there are

    - GitHub: ``github_api_url``, or the runner's own server, or github.com;
    - GitLab: in a pipeline its own server, else gitlab.com;
    - Bitbucket Cloud: bitbucket.org;
    - Azure DevOps: in a pipeline its own server, else dev.azure.com;
    - Gitea and Forgejo: in a workflow its own server;
    - every host with a token of its own, if its name gives its type away.

    The token of a type is for its declared hosts, if there are any, and on GitHub for the others as well.
    """
    declared = _declared(settings.declared)
    keys = _Keys(settings, environ, declared)
    places = dict(declared)
    for known in _undeclared(settings, environ, keys.here):
        places.setdefault(known.host, known)
    for number, host in enumerate(keys.own, 1):
        if host not in places:
            places[host] = _named(host, number)
    hosts = {name: _host(found, keys, settings.max_wait) for name, found in places.items()}
    served = {name: host for name, host in hosts.items() if host.token or host.app}
    _complain(settings.tokens, declared, served)
    limits = rate_limits(settings.rate_limits, served)
    return tuple(structs.replace(host, writes=limits.get(name, usual(host.api_url))) for name, host in served.items())


class _Keys:
    """Who we are where."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], declared: Mapping[str, Place]) -> None:
        self.here = own_server(environ)
        self.own = host_tokens(settings.host_tokens)
        self.app = settings.app
        self.of_gitlabs_job = environ.get("CI_JOB_TOKEN", "") if environ.get("GITLAB_CI") == "true" else ""
        self._declared = declared
        self._by_type = dict(settings.tokens)
        self._taken = {one.type for one in declared.values() if one.host not in self.own} - {"github"}
        self._job = Secret(self.of_gitlabs_job if settings.deployments else "")
        github = settings.tokens.get("github", NOTHING)
        if on_gitea(environ) and not settings.github_api_url and not looks_like_github(github):
            # What a workflow calls `github.token` is there the job's token for Gitea, and none of GitHub's business.
            self._job, self._by_type["github"] = github, NOTHING
        if self.app and _is_default(github, environ):
            self._by_type["github"] = NOTHING

    def of(self, found: Place) -> Secret:
        """The token for a host: its own, its type's, or, for the runner's own server, the job's."""
        if found.host in self.own:
            return self.own[found.host]
        meant = found.host in self._declared or found.type not in self._taken
        token = self._by_type.get(found.type, NOTHING) if meant else NOTHING
        at_home = self.here is not None and (self.here.type, self.here.host) == (found.type, found.host)
        return token or (self._job if at_home else NOTHING)


def _is_default(token: Secret, environ: Mapping[str, str]) -> bool:
    """Whether it is the workflow's own token, which the Action hands on where nobody chose one."""
    own = environ.get("GITHUB_ACTIONS") == "true" and token.reveal().startswith("ghs_")
    return own and environ.get("INPUT_GITHUB_TOKEN", "").strip() == token.reveal()


def _declared(given: Sequence[str]) -> dict[str, Place]:
    found: dict[str, Place] = {}
    for text in given:
        typed, _, rest = text.partition("=")
        type_, _, url = (part.strip() for part in rest.partition("="))
        host = host_name(typed.strip(), url)
        if not host or ("=" in text and not type_):
            shown = "" if "@" in text else f" {text!r}"
            raise ConfigurationError(
                f"--git-host{shown} is not of the form HOST=TYPE[=URL].",
                "For example: --git-host git.example.com=gitlab=https://git.example.com/gitlab",
            )
        type_ = type_ or suggest(host)
        if type_ not in TYPES:
            what = f"there is no Git host of type {type_!r}" if type_ else "its name does not give away its type"
            raise ConfigurationError(
                f"--git-host {host}: {what}.", f"Give it as --git-host {host}=TYPE. Known types: {', '.join(TYPES)}."
            )
        one = place(type_, host, url, where=f"--git-host {host}")
        if one.host in found:
            raise ConfigurationError(f"--git-host is given twice for {one.host}.", "Give each host once.")
        found[one.host] = one
    return found


def _undeclared(settings: Settings, environ: Mapping[str, str], here: Place | None) -> Iterator[Place]:
    for host, api_url in githubs(settings.github_api_url, environ):
        yield Place("github", host, api_url)
    for type_, host in PUBLIC.items():
        if here is None or here.type != type_:
            yield place(type_, host)
    if here is not None:
        yield here


def _named(host: str, number: int) -> Place:
    """The host that a token is given for, by its name alone."""
    type_ = suggest(host)
    if not type_:
        raise ConfigurationError(
            f"--git-token: value {number} is for a host whose name does not give away its type.",
            f"Declare the host with --git-host HOST=TYPE. Known types: {', '.join(TYPES)}.",
        )
    return place(type_, host)


def _host(found: Place, keys: _Keys, max_wait: float) -> GitHost:
    token = keys.of(found)
    of_a_job = token.reveal() == keys.of_gitlabs_job or token.reveal().startswith(JOB_TOKEN)
    return GitHost(
        found.type,
        found.host,
        found.api_url,
        token,
        max_wait=max_wait,
        web_url=found.web_url,
        aliases=found.aliases,
        app=keys.app if found.type == "github" and not token else None,
        job_token=found.type == "gitlab" and bool(token) and of_a_job,
    )


def _complain(tokens: Mapping[str, Secret], declared: Mapping[str, Place], served: Mapping[str, GitHost]) -> None:
    """Raise ConfigurationError for a host without a token, and for a token without a host."""
    for host, one in declared.items():
        if host not in served:
            raise ConfigurationError(
                f"--git-host {host}: there is no token for it.",
                f"Set --{one.type}-token, or --git-token {host}=TOKEN for this host alone.",
            )
    for type_, token in tokens.items():
        if token and type_ not in ("github", *PUBLIC) and all(host.type != type_ for host in served.values()):
            raise ConfigurationError(
                f"--{type_}-token: it is not said which host it is for.", f"Add --git-host HOST={type_}."
            )
