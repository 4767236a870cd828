"""Every option, declared once. The Action's inputs, the GitLab component's and the README follow from here.

An option has one name in four places: ``--slack-webhook``, ``LANDED_SLACK_WEBHOOK``, the Action's input
``slack_webhook`` (which GitHub passes as ``INPUT_SLACK_WEBHOOK``) and the component's input. An empty string counts
as unset everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from msgspec import Struct

from landed.model import Secret

F = TypeVar("F", bound=Callable[..., Any])


class Options(Struct, frozen=True, kw_only=True):
    """The values of all shared options; a command that lacks one gets its default."""

    kubeconfig: tuple[Secret, ...] = ()
    context: tuple[str, ...] = ()
    cluster_name: tuple[str, ...] = ()
    shard: str = ""
    from_file: str = ""
    kube_via: str = "direct"
    request_timeout: float = 30.0
    repository: tuple[str, ...] = ()
    namespace: tuple[str, ...] = ()
    kustomization: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    label_selector: str = ""
    github_token: Secret = Secret("")
    github_app_id: str = ""
    github_app_private_key: Secret = Secret("")
    github_app_installation_id: str = ""
    github_app_installation_owner: str = ""
    gitlab_token: Secret = Secret("")
    bitbucket_token: Secret = Secret("")
    bitbucketserver_token: Secret = Secret("")
    azuredevops_token: Secret = Secret("")
    gitea_token: Secret = Secret("")
    git_token: tuple[Secret, ...] = ()
    github_api_url: str = ""
    git_host: tuple[str, ...] = ()
    github_as: str = "status"
    github_dispatch: bool = False
    deployments: tuple[str, ...] = ()
    environment_url: str = ""
    change_request_comments: bool = False
    config: tuple[str, ...] = ()
    secret_dir: str = ""
    slack_webhook: Secret = Secret("")
    msteams_webhook: Secret = Secret("")
    discord_webhook: Secret = Secret("")
    rocket_webhook: Secret = Secret("")
    googlechat_webhook: Secret = Secret("")
    lark_webhook: Secret = Secret("")
    mattermost_webhook: Secret = Secret("")
    ntfy_webhook: Secret = Secret("")
    apprise_url: Secret = Secret("")
    generic_webhook: Secret = Secret("")
    message_template: tuple[str, ...] = ()
    mentions: str = ""
    quiet_hours: tuple[str, ...] = ()
    status_context: str = ""
    status_context_commit: str = ""
    commit_status_expr: str = ""
    target_url: str = ""
    max_contexts: int = 50
    max_wait: float = 60.0
    rate_limit: tuple[str, ...] = ()
    ledger: str = ""
    lock_timeout: float = 30.0
    commit: str = ""
    repository_path: str = ""
    timeout: float = 900.0
    failure_grace: float = 30.0
    fail_early: bool = False
    reconcile: bool = False
    allow_empty: bool = False
    explain: str = "none"
    write: tuple[str, ...] = ()
    listen: str = ""
    leader_elect: str = ""
    dry_run: bool = False
    fail_on: str = "never"
    strict: bool = False
    output: str = ""
    log_format: str = "text"
    quiet: bool = False
    verbose: bool = False


class Lines(click.ParamType[str]):
    """Text that an environment variable may hold several of, one per line."""

    name = "text"
    envvar_list_splitter = "\n"


class Duration(click.ParamType[float]):
    """A length of time: ``15m``, ``1h30m``, ``90`` (seconds)."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it, in seconds."""
        from landed.flux.times import length

        if isinstance(value, int | float):
            return float(value)
        text = value.strip()
        seconds = float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", text) else length(text)
        if not seconds and not re.fullmatch(r"0+(ms|s|m|h)?", text):
            self.fail(f"{value!r} is not a length of time. Write 90, 90s, 15m or 1h30m.", param, ctx)
        return seconds


class SecretText(click.ParamType[Secret]):
    """Text that does not print itself, not even in an error about it."""

    name = "secret"
    envvar_list_splitter = "\n"

    def __init__(self, *, whole: bool = False) -> None:
        """``whole``: a variable holds one, with as many lines as it may have."""
        self._whole = whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Secret:
        """Wrap the text; blanks around it, such as a file's last newline, are nobody's intention."""
        return value if isinstance(value, Secret) else Secret(str(value).strip())

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """The values in a variable."""
        return (rv,) if self._whole else super().split_envvar_value(rv)


def _unset_if_empty(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """An empty string is what a CI system passes for something that was left out."""
    texts = value if param.multiple else [value]
    if any(isinstance(text, str) and not _is_text(text) for text in texts or ()):
        raise click.BadParameter("It is not UTF-8.", ctx, param)
    if param.multiple:
        stripped = (v.strip() if isinstance(v, str) else v for v in value or ())
        return tuple(v for v in stripped if v)
    if value is None or value == "":
        return param.get_default(ctx)
    return value


def _is_text(text: str) -> bool:
    """Whether it is text: an argument that is not UTF-8 arrives with half characters in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def option(name: str, *, help: str, **settings: Any) -> Callable[[F], F]:
    """An option with its environment variables."""
    plain = name.lstrip("-").replace("-", "_")
    variable = plain.upper()
    flags = (name, *settings.pop("short", ()))
    settings.setdefault("show_default", settings.get("default") not in (None, "", False))
    return click.option(
        *flags,
        plain,
        help=help,
        envvar=[f"LANDED_{variable}", f"INPUT_{variable}"],
        callback=_unset_if_empty,
        **settings,
    )


def flag(name: str, *, help: str, short: tuple[str, ...] = ()) -> Callable[[F], F]:
    """A switch; ``true``, ``1``, ``yes`` in the environment."""
    return option(name, help=help, short=short, is_flag=True, default=False)


def secret(name: str, *, help: str, metavar: str = "SECRET") -> Callable[[F], F]:
    """A secret: never shown, not even as a default."""
    return option(name, help=help, metavar=metavar, type=SecretText(), default="", show_default=False)


def several(name: str, *, help: str, metavar: str, kind: click.ParamType[Any] | None = None) -> Callable[[F], F]:
    """An option that may be given more than once; in the environment one per line."""
    return option(
        name,
        help=f"{help} Repeatable; one per line in a variable.",
        type=kind or Lines(),
        multiple=True,
        metavar=metavar,
    )


CLUSTER = (
    option(
        "--kubeconfig",
        type=SecretText(whole=True),
        multiple=True,
        show_default=False,
        metavar="PATH|YAML",
        help="Path of a kubeconfig (or several to merge, as in KUBECONFIG), or its content as YAML or base64. "
        "Default: KUBECONFIG, ~/.kube/config, or the service account of the pod. Given more than once, each stands for "
        "itself; a variable holds one.",
    ),
    several(
        "--context",
        metavar="NAME",
        help="Context of the kubeconfig to use, one per cluster; * and ? match. Default: the current one of each "
        "kubeconfig.",
    ),
    several(
        "--cluster-name",
        metavar="[CONTEXT=]NAME",
        help="What messages and statuses call the cluster: of one context, or in the order of the contexts. "
        "Default: the context's name.",
    ),
    option(
        "--shard",
        metavar="I/N",
        default="",
        help="Only the clusters of part I of N, counted from 1, where several runs share a fleet. `auto` takes I and N "
        "from GitLab's `parallel:`, `auto/N` takes I from an Indexed Job of Kubernetes.",
    ),
    option(
        "--from-file",
        metavar="PATH",
        default="",
        help="Read `kubectl get kustomizations,gitrepositories -A -o json` from a file, or - for standard input, "
        "instead of a cluster.",
    ),
    option(
        "--kube-via",
        type=click.Choice(["direct", "kubectl"]),
        default="direct",
        help="How to reach the cluster: by ourselves, or through `kubectl proxy` for what we refuse.",
    ),
    option(
        "--request-timeout",
        type=click.FloatRange(0.1, 3600),
        default=30.0,
        metavar="SECONDS",
        help="How long the API server may take for one answer.",
    ),
)

SELECTION = (
    several("--repository", metavar="URL", help="Only what comes from this Git repository."),
    several("--namespace", metavar="NAME", help="Only Kustomizations in this namespace."),
    several("--kustomization", metavar="[NAMESPACE/]NAME", help="Only these Kustomizations; * and ? match."),
    several(
        "--path",
        metavar="PATH",
        help="Only Kustomizations of this folder of their source, and of those below it; * and ? match.",
    ),
    option(
        "--label-selector",
        metavar="SELECTOR",
        default="",
        help="Only Kustomizations with these labels, as in `kubectl get -l`.",
    ),
)

#: What stands in ``--config`` for the manifests on the clusters themselves.
CLUSTER_MANIFESTS = "cluster"

#: What a status is called where nothing else is said.
STATUS_CONTEXT = "flux/{cluster}/{namespace}/{name}"

GIT = (
    secret(
        "--github-token",
        help="Token that may write commit statuses on GitHub (permission `statuses: write`).",
    ),
    option(
        "--github-app-id",
        metavar="ID",
        default="",
        help="App to act as on GitHub, where there is no token (permission `Commit statuses: write`).",
    ),
    secret(
        "--github-app-private-key",
        metavar="PATH|PEM",
        help="Private key of the App: path of its .pem file, or its content.",
    ),
    option("--github-app-installation-id", metavar="ID", default="", help="Installation of the App."),
    option(
        "--github-app-installation-owner",
        metavar="NAME",
        default="",
        help="User or organization that has installed the App, instead of the installation's id.",
    ),
    secret(
        "--gitlab-token",
        help="Token that may set commit statuses on GitLab (scope `api`, role Developer). "
        "CI_JOB_TOKEN is enough for deployments, and for nothing else.",
    ),
    secret(
        "--bitbucket-token",
        help="Access token for Bitbucket Cloud, or USER:TOKEN (scope `repository` or `read:repository:bitbucket`).",
    ),
    secret(
        "--bitbucketserver-token",
        help="HTTP access token for Bitbucket Data Center, or USER:PASSWORD (permission `Repository read`). "
        "Takes a --git-host.",
    ),
    secret("--azuredevops-token", help="Personal access token for Azure DevOps (scope `Code (status)`)."),
    secret(
        "--gitea-token",
        help="Token for Gitea or Forgejo (permission `repository: read and write`). "
        "Takes a --git-host, except in its own workflows.",
    ),
    several(
        "--git-token",
        metavar="HOST=TOKEN",
        kind=SecretText(),
        help="Token for one Git host alone, instead of its type's.",
    ),
    option(
        "--github-api-url",
        metavar="URL",
        default="",
        help="GitHub's API, for GitHub Enterprise Server https://HOST/api/v3. "
        "Default: the runner's own server, else https://api.github.com.",
    ),
    several(
        "--git-host",
        metavar="HOST=TYPE[=URL]",
        help="A Git host to serve, such as git.example.com=gitlab=https://git.example.com/gitlab. TYPE is azuredevops, "
        "bitbucket, bitbucketserver, gitea (also Forgejo), github or gitlab, and may be left out where the name "
        "gives it away. URL: where people or programs find it; default https://HOST.",
    ),
    option(
        "--github-as",
        type=click.Choice(["status", "check-run"]),
        default="status",
        help="What a commit gets on GitHub. Check runs hold more text, and take an App or a workflow's token "
        "(permission `checks: write`).",
    ),
    flag(
        "--github-dispatch",
        help="Send a repository_dispatch event with Flux's own event object for every result to GitHub "
        "(permission `contents: write`).",
    ),
    several(
        "--deployments",
        metavar="CLUSTER",
        help="Report deployments of this cluster, too, on GitHub (permission `deployments: write`) and GitLab; "
        "* for every cluster.",
    ),
    option(
        "--environment-url",
        metavar="TEMPLATE",
        default="",
        help="Where to see what is deployed; {cluster}, {repository} and {commit} are filled in.",
    ),
    flag(
        "--change-request-comments",
        help="Keep one comment on the pull or merge request of a commit, on GitHub (permission "
        "`pull-requests: write`), GitLab and Gitea.",
    ),
    option(
        "--status-context",
        metavar="TEMPLATE",
        default=STATUS_CONTEXT,
        help="Context of the status of one Kustomization.",
    ),
    option(
        "--status-context-commit",
        metavar="TEMPLATE",
        default="flux/{cluster}",
        help="Context of the status of the whole commit on one cluster.",
    ),
    option(
        "--commit-status-expr",
        metavar="CEL",
        default="",
        help="Context of the status of one object as a CEL expression, as in Flux's Provider, "
        "instead of --status-context.",
    ),
    option(
        "--target-url",
        metavar="TEMPLATE",
        default="",
        help="Where a status links to; {cluster}, {repository} and {commit} are filled in. Default: this CI run.",
    ),
    option(
        "--max-contexts",
        type=click.IntRange(1),
        default=50,
        metavar="N",
        help="If a commit had more contexts than this, only objects that fail get one of their own.",
    ),
    option(
        "--max-wait",
        type=click.FloatRange(0, 3600),
        default=60.0,
        metavar="SECONDS",
        help="How long one delivery may wait for a Git host's rate limit before it is left for the next run.",
    ),
    several(
        "--rate-limit",
        metavar="HOST=PER_MINUTE[/PER_HOUR]",
        help="How much to write to a Git host at most, or HOST=off. Default: 80/500 on github.com and ghe.com.",
    ),
)

CHANNELS = (
    several(
        "--config",
        metavar="PATH|DIR|cluster",
        help="Flux's Provider and Alert manifests to follow: a file, a folder of them, or `cluster` for those on the "
        "clusters themselves.",
    ),
    option(
        "--secret-dir",
        metavar="DIR",
        default="",
        help="Folder with the Secrets that manifests refer to, as Kubernetes mounts them: [NAMESPACE/]NAME/KEY.",
    ),
    secret("--slack-webhook", help="Incoming webhook of a Slack channel to tell about results."),
    secret("--msteams-webhook", help="Address of a Microsoft Teams Workflow to tell about results."),
    secret(
        "--discord-webhook", help="Webhook of a Discord channel; one message for each commit, edited as it goes on."
    ),
    secret("--rocket-webhook", help="Incoming webhook of Rocket.Chat to tell about results."),
    secret("--googlechat-webhook", help="Incoming webhook of a Google Chat space to tell about results."),
    secret("--lark-webhook", help="Address of a Lark or Feishu bot to tell about results."),
    secret("--mattermost-webhook", help="Incoming webhook of Mattermost to tell about results."),
    secret("--ntfy-webhook", help="Address of an ntfy topic to tell about results, such as https://ntfy.sh/TOPIC."),
    secret("--apprise-url", help="Apprise URL of any other service to tell about results. Takes the extra `apprise`."),
    secret("--generic-webhook", help="Address that gets Flux's own event object for every result, as JSON."),
    several(
        "--message-template",
        metavar="[PROVIDER=]FILE",
        help="Jinja2 template with the words of messages, for all channels for people, for a type (slack=FILE) or for "
        "one Provider (NAMESPACE/NAME=FILE).",
    ),
    option(
        "--mentions",
        metavar="FILE",
        default="",
        help="YAML file that says how services call the authors of commits: they are called by name when one fails.",
    ),
    several(
        "--quiet-hours",
        metavar="[PROVIDER=]HOURS",
        help="When channels for people are told of failures only, such as 22:00-07:00 or Mon-Fri 18:00-08:00 "
        "Europe/Berlin. The rest follows in one message. For one type or Provider as with --message-template.",
    ),
)

LEDGER = (
    option(
        "--ledger",
        metavar="PATH",
        default=".landed/ledger.json",
        help="Where to remember what was told to whom.",
    ),
    option(
        "--lock-timeout",
        type=click.FloatRange(0, 86400),
        default=30.0,
        metavar="SECONDS",
        help="How long to wait for another run that holds the ledger.",
    ),
)

GATE = (
    option(
        "--commit",
        metavar="HASH",
        default="",
        help="The commit to wait for. Default: the commit of the CI job, else what is checked out in "
        "--repository-path.",
    ),
    option(
        "--repository-path",
        metavar="DIR",
        default="",
        help="A checkout to ask which commit contains which, where no Git host can be asked. Default: none.",
    ),
    option(
        "--timeout",
        type=Duration(),
        default="15m",
        metavar="DURATION",
        help="How long to wait: 90, 15m, 1h30m.",
    ),
    option(
        "--failure-grace",
        type=Duration(),
        default="30s",
        metavar="DURATION",
        help="How long a failure that may pass by itself must last, and one more try by Flux, before it counts. "
        "As long may a cluster be unreadable.",
    ),
    flag(
        "--fail-early",
        help="Fail as soon as a pod cannot start (image, crash loop, configuration, no room, quota), before Flux's own "
        "timeout. Without it this is told and waited out. Takes the rights of --explain.",
    ),
    flag(
        "--reconcile",
        help="Ask Flux to fetch and apply now, once (takes the right to patch sources and Kustomizations).",
    ),
    flag("--allow-empty", help="Count it as live where no Kustomization is meant, instead of an error."),
)

STAYING = (
    option(
        "--listen",
        metavar="HOST:PORT",
        default="",
        help="Serve /healthz, /readyz and /metrics (Prometheus) there, such as :8080.",
    ),
    option(
        "--leader-elect",
        metavar="NAMESPACE/NAME",
        default="",
        help="Of several replicas let only the holder of this Lease tell anything.",
    ),
)

EXPLAIN = (
    option(
        "--explain",
        type=click.Choice(["none", "objects", "events", "logs"]),
        default="none",
        help="How far to look into what has failed: not at all, at its objects and pods, also at their events, also at "
        "the last lines of their logs. Takes more rights, and says which.",
    ),
)

WRITING = (
    several(
        "--write",
        metavar="FORMAT=PATH",
        help="Also write the report to a file: json, markdown, junit, html, or dotenv (for GitLab).",
    ),
)

TELLING = (
    flag("--dry-run", help="Say what would be sent, send nothing, remember nothing."),
    option(
        "--fail-on",
        type=click.Choice(["never", "failure"]),
        default="never",
        help="With `failure`, exit with 1 if a commit failed on a cluster.",
    ),
    flag(
        "--strict",
        help="Exit with 2 if there was a warning, such as an object that makes no sense, "
        "and with 6 if a token may only read.",
    ),
)

TALKING = (
    option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        help="How to print what happens: for people, or one JSON object per line.",
    ),
    flag("--quiet", short=("-q",), help="Print errors and warnings only."),
    flag("--verbose", short=("-v",), help="Print what is done on the way, too."),
)


def output(*formats: str, default: str) -> Callable[[F], F]:
    """The ``-o`` option of a command."""
    return option(
        "--output", short=("-o",), type=click.Choice(formats), default=default, help="Format of what is printed."
    )


def options(*groups: tuple[Callable[[Any], Any], ...]) -> Callable[[F], F]:
    """Give a command these groups of options, in this order."""

    def decorate(function: F) -> F:
        for declare in reversed([declare for group in groups for declare in group]):
            function = declare(function)
        return function

    return decorate
