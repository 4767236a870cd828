"""Which Git hosts the options mean, and what each of them is told."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from landed import providers
from landed.cli.options import Options
from landed.config.credentials import github_app
from landed.config.hosts import Settings, git_hosts
from landed.config.places import GITHUB, PUBLIC
from landed.errors import ConfigurationError
from landed.model import GitHost, Secret
from landed.repositories import suggest


def tokens(o: Options) -> Mapping[str, Secret]:
    """By the type of Git host."""
    return {
        "azuredevops": o.azuredevops_token,
        "bitbucket": o.bitbucket_token,
        "bitbucketserver": o.bitbucketserver_token,
        "gitea": o.gitea_token,
        "github": o.github_token,
        "gitlab": o.gitlab_token,
    }


def hosts(o: Options) -> tuple[GitHost, ...]:
    """The Git hosts there is a token for, or an App. Raises ConfigurationError."""
    found = git_hosts(
        Settings(
            tokens=tokens(o),
            host_tokens=o.git_token,
            declared=o.git_host,
            github_api_url=o.github_api_url,
            app=github_app(
                o.github_app_id,
                o.github_app_private_key,
                o.github_app_installation_id,
                o.github_app_installation_owner,
            ),
            deployments=bool(o.deployments),
            max_wait=o.max_wait,
            rate_limits=o.rate_limit,
        ),
        os.environ,
    )
    for wanted, option in (
        (o.github_as == "check-run", "--github-as check-run"),
        (o.github_dispatch, "--github-dispatch"),
    ):
        if wanted and all(host.type != "github" for host in found):
            raise ConfigurationError(f"{option}: there is no GitHub to tell.", "Give --github-token, or an App.")
    return found


def told(o: Options, host: GitHost) -> tuple[str, ...]:
    """What this host is told, each as in ``providers.GIT``."""
    statuses = "github-check-run" if host.type == "github" and o.github_as == "check-run" else host.type
    wanted = {
        "statuses": not host.job_token,
        "deployments": bool(o.deployments) or host.job_token,
        "comments": o.change_request_comments and not host.job_token,
        "dispatches": o.github_dispatch,
    }
    here = (type_ for type_, kind in providers.GIT.items() if kind.host == host.type and wanted[kind.takes])
    return tuple(type_ for type_ in here if providers.GIT[type_].takes != "statuses" or type_ == statuses)


def remarks(o: Options, served: Iterable[GitHost]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is not as somebody may expect: warnings, and what is only worth knowing."""
    warnings: list[str] = []
    notes: list[str] = []
    for host in served:
        takes = {providers.GIT[type_].takes for type_ in told(o, host)}
        if host.job_token:
            asked = bool(o.gitlab_token) or bool(o.git_token)
            text = f"{host.host}: CI_JOB_TOKEN cannot set commit statuses: deployments are reported with it instead."
            (warnings if asked else notes).append(text)
        for wanted, kind in ((o.deployments, "deployments"), (o.change_request_comments, "comments")):
            if wanted and kind not in takes:
                why = "CI_JOB_TOKEN cannot write them" if host.job_token else "there they are not kept"
                notes.append(f"{host.host} gets no {kind}: {why}.")
    return tuple(warnings), tuple(notes)


def how_to_serve(host: str) -> str:
    """What to do for a host that has no token, as far as its name says what it is."""
    type_ = suggest(host)
    if not type_:
        return f"If commits there shall get statuses: --git-host {host}=TYPE and --git-token {host}=TOKEN."
    if host in (GITHUB, *PUBLIC.values()):
        return f"Set --{type_}-token."
    return f"Set --{type_}-token, and declare it with --git-host {host}={type_}."
