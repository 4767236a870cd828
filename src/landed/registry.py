"""The registry: every type of destination, and what the rest of the house must know of it. Data, and nothing else.

The types are those of ``Provider.spec.type``, https://fluxcd.io/flux/components/notification/providers/ , and a few of
ours. They take the settings ``address``, ``channel``, ``username`` and ``expression`` (``commitStatusExpr``) of a
Provider, and the keys ``token``, ``creds``, ``nkey``, ``password``, ``headers`` and ``app`` (the five of a GitHub App)
of its Secret; ``creds`` and ``nkey`` take the token's place. ``timeout``, proxies and certificates are for all alike.
"""

from __future__ import annotations

from msgspec import Struct

WEB = ("https", "http")


class GitType(Struct, frozen=True):
    """One thing that one kind of Git host can be told."""

    module: str
    """Below ``providers.git``."""
    host: str
    """The kind of Git host: ``GitHost.type``."""
    takes: str
    """``statuses``, ``deployments``, ``comments`` or ``dispatches``."""
    description_limit: int
    """Characters that a description may have."""
    context_limit: int = 255
    uses: str = ""
    """The settings of a Provider that have an effect, with blanks between; empty where no Provider can ask for it."""
    since: str = "v1beta1"
    """The version of Flux's API that knows it first."""
    superseded: bool = False
    """Whether it has a word for a commit that was never tried because Flux went on to another."""
    retires: bool = False
    """Whether an earlier commit's success must be ended when another one takes its place."""
    progress: bool = False
    """Whether it tells queued from in progress."""
    details: bool = False
    """Whether it has room for an explanation."""
    lanes: bool = False
    """Whether what concerns one commit must be written one after the other."""


class ChatType(Struct, frozen=True):
    """A channel's type."""

    module: str
    """Below ``providers.chat``."""
    called: str
    """What people call the service."""
    takes: str
    """``digests`` (messages for people), ``events`` (Flux's event object, one per event) or ``occurrences`` (the same
    with what it takes to end it later)."""
    uses: str = "address"
    """The settings of a Provider that have an effect, with blanks between."""
    needs: str = "address"
    """Those of them without which nothing can be sent. Where several ways are open, none of them is here."""
    since: str = ""
    """The version of Flux's API that knows it first; empty where it is ours."""
    schemes: tuple[str, ...] = WEB
    """What its address may begin with; none where it is no URL."""
    door: str = ""
    """Below ``providers.doors``, where it is not told by HTTP alone."""
    extra: str = ""
    """The extra of this package that it takes, and ``imports`` what that brings."""
    imports: str = ""
    edits: str = ""
    """When a message is kept for each commit and edited as that goes on: ``always``, with a ``token``, or never."""
    threads: bool = False
    """Whether a message that is kept can be answered in a thread of its own."""
    resolves: bool = False
    """Whether what a failure opened is closed when that is over."""
    mentions: bool = False
    """Whether somebody can be called by name."""
    whole: bool = False
    """Of occurrences: whether it is told of a commit on a whole cluster, too."""
    attributes: bool = False
    """Whether what a Secret calls ``headers`` are a message's attributes, which may be any text."""
    account: str = ""
    """Why it takes no ``serviceAccountName``, where notification-controller does."""


#: Check runs and deployments are ours.
GIT = {
    "azuredevops": GitType(
        "azuredevops.statuses", "azuredevops", "statuses", 1000,
        uses="address token password expression", superseded=True,
    ),
    "bitbucket": GitType(
        "bitbucket.statuses", "bitbucket", "statuses", 255, 40,
        uses="address username token password expression", superseded=True,
    ),
    "bitbucketserver": GitType(
        "bitbucketserver.statuses", "bitbucketserver", "statuses", 255,
        uses="address username token password expression", since="v1beta2", superseded=True,
    ),
    # Newer Gitea counts a warning, its only word for it, as success of the whole commit: so it is not told.
    "gitea": GitType(
        "gitea.statuses", "gitea", "statuses", 255, uses="address token password expression", since="v1beta2"
    ),
    "giteapullrequestcomment": GitType(
        "gitea.comments", "gitea", "comments", 255, uses="address token password", since="v1beta3"
    ),
    "github": GitType("github.statuses", "github", "statuses", 140, uses="address token password app expression"),
    "github-check-run": GitType(
        "github.checks", "github", "statuses", 255, superseded=True, progress=True, details=True
    ),
    "github-deployments": GitType(
        "github.deployments", "github", "deployments", 140, superseded=True, retires=True, progress=True
    ),
    "githubdispatch": GitType("github.dispatch", "github", "dispatches", 140, uses="address token password app"),
    "githubpullrequestcomment": GitType(
        "github.comments", "github", "comments", 255, uses="address token password app", since="v1beta3"
    ),
    "gitlab": GitType(
        "gitlab.statuses", "gitlab", "statuses", 255,
        uses="address token password expression", superseded=True, lanes=True,
    ),
    "gitlab-deployments": GitType("gitlab.deployments", "gitlab", "deployments", 255, superseded=True),
    "gitlabmergerequestcomment": GitType(
        "gitlab.comments", "gitlab", "comments", 255, uses="address token password", since="v1beta3"
    ),
}  # fmt: skip

_NO_ACCOUNT = "workload identities of Kubernetes are not served"

CHAT = {
    # People.
    "discord": ChatType(
        "discord", "Discord", "digests", "address username", since="v1beta1", edits="always", mentions=True
    ),
    "email": ChatType(
        "email", "e-mail", "digests", "address channel username password", "address channel",
        schemes=("smtp", "smtps"), door="smtp", threads=True, mentions=True,
    ),
    "googlechat": ChatType("googlechat", "Google Chat", "digests", since="v1beta1", threads=True, mentions=True),
    "lark": ChatType(
        "lark", "Lark", "digests", "address token", "address", since="v1beta1", door="lark", mentions=True
    ),
    "matrix": ChatType(
        "matrix", "Matrix", "digests", "address channel token", "address channel token", since="v1beta1",
        edits="always", threads=True, mentions=True,
    ),
    "mattermost": ChatType(
        "mattermost", "Mattermost", "digests", "address channel username token",
        edits="token", threads=True, mentions=True,
    ),
    "msteams": ChatType("msteams", "Microsoft Teams", "digests", since="v1beta1", mentions=True),
    "ntfy": ChatType("ntfy", "ntfy", "digests", "address channel username token password"),
    "rocket": ChatType(
        "rocket", "Rocket.Chat", "digests", "address channel username token", since="v1beta1",
        edits="token", threads=True, mentions=True,
    ),
    "slack": ChatType(
        "slack", "Slack", "digests", "address channel username token", "", since="v1beta1",
        edits="token", threads=True, mentions=True,
    ),
    "telegram": ChatType(
        "telegram", "Telegram", "digests", "address channel token", "channel token", since="v1beta1",
        door="telegram", edits="always", threads=True, mentions=True,
    ),
    "webex": ChatType(
        "webex", "Webex", "digests", "address channel token", "address channel token", since="v1beta1",
        edits="always", threads=True, mentions=True,
    ),
    "zoom": ChatType("zoom", "Zoom", "digests", "address token", "address token", since="v1beta3"),
    "zulip": ChatType(
        "zulip", "Zulip", "digests", "address channel username password", "address channel username password",
        since="v1beta3", edits="always", mentions=True,
    ),
    "apprise": ChatType(
        "apprise", "Apprise", "digests", schemes=(), door="apprise", extra="apprise", imports="apprise"
    ),
    # Services that keep something.
    "alertmanager": ChatType(
        "alertmanager", "Alertmanager", "occurrences", "address username token password", since="v1beta1", resolves=True
    ),
    "datadog": ChatType("datadog", "Datadog", "occurrences", "address token", "address token", since="v1beta2"),
    "grafana": ChatType(
        "grafana", "Grafana", "digests", "address username token password", since="v1beta1", edits="always"
    ),
    "incident.io": ChatType(
        "incident_io", "incident.io", "occurrences", "address token", "address token", since="v1beta3", resolves=True
    ),
    "opsgenie": ChatType(
        "opsgenie", "Opsgenie", "occurrences", "address token", "address token", since="v1beta1", resolves=True
    ),
    "otel": ChatType(
        "otel", "OpenTelemetry", "occurrences", "address username token password headers", "address", since="v1beta3",
        extra="otel", imports="opentelemetry.proto", whole=True,
    ),
    "pagerduty": ChatType(
        "pagerduty", "PagerDuty", "occurrences", "address channel", "address channel", since="v1beta2", resolves=True
    ),
    "sentry": ChatType("sentry", "Sentry", "occurrences", "address channel", "address", since="v1beta1"),
    # Programs that take Flux's event object.
    "azureeventhub": ChatType(
        "azureeventhub", "Azure Event Hubs", "events", "address channel token", "address", since="v1beta1",
        schemes=(), door="azure", account=_NO_ACCOUNT,
    ),
    "generic": ChatType("generic", "a webhook", "events", "address headers", since="v1beta1"),
    "generic-hmac": ChatType(
        "generic_hmac", "a signed webhook", "events", "address token headers", "address token", since="v1beta1"
    ),
    "googlepubsub": ChatType(
        "googlepubsub", "Google Pub/Sub", "events", "address channel token headers", "address channel",
        since="v1beta2", schemes=(), door="google", extra="googlepubsub", imports="google.auth", attributes=True,
        account=_NO_ACCOUNT,
    ),
    "nats": ChatType(
        "nats", "NATS", "events", "address channel username password creds nkey", "address channel", since="v1beta3",
        schemes=(), door="nats",
    ),
}  # fmt: skip

#: What can be installed besides: the extra → the module that it brings, and what it is for.
EXTRAS = {
    "cel": ("cel_expr_python", "names of commit statuses by expression"),
    "re2": ("re2", "inclusionList and exclusionList of Alerts"),
    "socks": ("socks", "SOCKS proxies"),
    **{kind.extra: (kind.imports, f"Providers of the type {name}") for name, kind in CHAT.items() if kind.extra},
}
