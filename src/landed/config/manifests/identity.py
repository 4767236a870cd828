"""Who we are on the Git host of a Provider: as its Secret says, else as the options do."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from landed.config.hosts import JOB_TOKEN
from landed.config.manifests.case import APP_KEYS, NOTHING, Case
from landed.config.places import GITHUB, PUBLIC
from landed.model import GitHost, GitHubApp, Secret


def token_of(case: Case) -> Secret:
    """What the Secret says of who we are: a token, or a password where there is none, with its user on a Bitbucket."""
    token, password = case.key("token"), case.key("password")
    if token or not password:
        return token
    if "username" not in case.kind.uses:
        return password
    return Secret(f"{case.username()}:{password.reveal()}") if case.username() else NOTHING


def with_token(case: Case, host: GitHost, known: GitHost | None, fallback: Mapping[str, Secret]) -> GitHost | None:
    """The host with who we are there: as the Secret says, else as the options say of this host."""
    token = token_of(case)
    if token:
        case.check_token("token" if case.key("token") else "password", token)
        if host.type == "gitlab" and _of_a_job(case, token):
            case.problem(
                "spec.secretRef", "CI_JOB_TOKEN may not do this", "Give a project access token with the scope api."
            )
        return structs.replace(host, token=token)
    if case.key("password"):
        case.problem("spec.username", "there is a `password` without a user", "Give it here, or as `username`.")
        return None
    if known is not None and (known.token or known.app) and not known.job_token and _unaltered(case):
        case.note(f"{_none(case)}; that of the options for {known.host} is used.")
        return structs.replace(host, token=known.token, app=known.app)
    option = fallback.get(host.type, NOTHING)
    if option and _trusted(case, host) and not (host.type == "gitlab" and _of_a_job(case, option)):
        case.note(f"{_none(case)}; that of --{host.type}-token is used for {host.host}.")
        return structs.replace(host, token=Secret(option.reveal().strip()))
    case.lack("token", otherwise=f" Or give --{host.type}-token." if _trusted(case, host) else "")
    return None


def _none(case: Case) -> str:
    reason = f" ({case.unread})" if case.unread else ""
    return f"its Secret has no token{reason}" if case.provider.secret else "it has no Secret with a token"


def _trusted(case: Case, host: GitHost) -> bool:
    """Whether a token that was not given for this Provider may go there.

    Whoever runs us has named the file, but not what others write into the cluster: by an address, a proxy or an
    authority of their own they could collect the token. From there it goes to the one public server only.
    """
    if case.provider.place.line:
        return True
    public = host.host in (GITHUB, *PUBLIC.values()) and host.api_url.startswith("https://")
    return public and _unaltered(case)


def _unaltered(case: Case) -> bool:
    """Whether a Provider of the cluster leaves the way to its host as it is."""
    provider = case.provider
    altered = provider.proxy or provider.proxy_secret or provider.cert_secret or case.key("proxy")
    return bool(provider.place.line) or not (altered or case.key("ca.crt") or case.key("caFile"))


def _of_a_job(case: Case, token: Secret) -> bool:
    text = token.reveal()
    job = case.environ.get("CI_JOB_TOKEN", "") if case.environ.get("GITLAB_CI") == "true" else ""
    return text.startswith(JOB_TOKEN) or (bool(job) and text == job)


def app_of(case: Case) -> GitHubApp | None:
    """The GitHub App of the Secret, if it describes one. Where there is a token, too, that counts."""
    id_, key, installation, owner, _ = (case.key(name).reveal() for name in APP_KEYS)
    if not (id_ or key or installation or owner):
        return None
    if token_of(case):
        case.note("its Secret holds a token and a GitHub App; the token is used.")
        return None
    for name, value in zip(APP_KEYS[:2], (id_, key), strict=True):
        if not value:
            case.lack(name, f"`{name}` of its GitHub App")
    if bool(installation) == bool(owner):
        case.problem(
            "spec.secretRef",
            f"a GitHub App takes exactly one of `{APP_KEYS[2]}` and `{APP_KEYS[3]}`",
            "Keep the id of the installation, or the name of who has installed it.",
        )
    if key and not (key.startswith("-----BEGIN ") and "PRIVATE KEY-----" in key and key.endswith("-----")):
        case.problem("spec.secretRef", f"`{APP_KEYS[1]}` is no private key in PEM format", "Give the whole .pem file.")
    return GitHubApp(id_, Secret(key), installation, owner)
