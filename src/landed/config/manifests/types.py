"""What each ``Provider.spec.type`` takes, https://fluxcd.io/flux/components/notification/providers/ .

The settings are ``address``, ``channel``, ``username`` and ``expression`` (``commitStatusExpr``) of a Provider, and the
keys ``token``, ``password``, ``headers`` and ``app`` (the five of a GitHub App) of its Secret. ``timeout``, proxies and
certificates are for every type alike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct

#: The settings in which types differ.
SETTINGS = ("address", "channel", "username", "expression", "token", "password", "headers", "app")


class ProviderType(Struct, frozen=True):
    """What one type takes."""

    uses: frozenset[str]
    """The settings that have an effect."""
    needs: frozenset[str] = frozenset({"address"})
    """Those of them without which nothing can be sent. Where several ways are open, none of them is here."""
    refuses: Mapping[str, str] = {}
    """Setting → why it must not be there."""
    host: str = ""
    """Of what is told to a Git host: its kind, as in ``GitHost.type``."""


_NO_EXPRESSION = "only types that set commit statuses take it"
_NO_ACCOUNT = "workload identities are not served"


def _type(uses: str, needs: str = "address", *, host: str = "", account: str = "") -> ProviderType:
    used = frozenset(uses.split())
    refused = {"serviceAccountName": account or "this type has no workload identity"}
    if "expression" not in used:
        refused["commitStatusExpr"] = _NO_EXPRESSION
    return ProviderType(used, frozenset(needs.split()), refused, host)


#: By ``Provider.spec.type``.
TYPES: Mapping[str, ProviderType] = {
    # People.
    "discord": _type("address username"),
    "googlechat": _type("address"),
    "lark": _type("address"),
    "matrix": _type("address channel token", "address channel token"),
    "msteams": _type("address"),
    "rocket": _type("address channel username token"),
    "slack": _type("address channel username token", ""),
    "telegram": _type("channel token", "channel token"),
    "webex": _type("address channel token", "address channel token"),
    "zoom": _type("address token", "address token"),
    "zulip": _type("address channel username password", "address channel username password"),
    # Programs.
    "alertmanager": _type("address username token password"),
    "azureeventhub": _type("address channel token", account=_NO_ACCOUNT),
    "datadog": _type("address token", "address token"),
    "generic": _type("address headers"),
    "generic-hmac": _type("address token headers", "address token"),
    "googlepubsub": _type("address channel token headers", "address channel", account=_NO_ACCOUNT),
    "grafana": _type("address username token password"),
    "incident.io": _type("address token", "address token"),
    "nats": _type("address channel username password", "address channel"),
    "opsgenie": _type("address token", "address token"),
    "otel": _type("address username token password headers"),
    "pagerduty": _type("address channel", "address channel"),
    "sentry": _type("address channel"),
    # Git hosts. Who we are there may be said in several ways.
    "azuredevops": _type("address token password expression", host="azuredevops", account=_NO_ACCOUNT),
    "bitbucket": _type("address username token password expression", host="bitbucket"),
    "bitbucketserver": _type("address username token password expression", host="bitbucketserver"),
    "gitea": _type("address token password expression", host="gitea"),
    "giteapullrequestcomment": _type("address token password", host="gitea"),
    "github": _type("address token password app expression", host="github"),
    "githubdispatch": _type("address token password app", host="github"),
    "githubpullrequestcomment": _type("address token password app", host="github"),
    "gitlab": _type("address token password expression", host="gitlab"),
    "gitlabmergerequestcomment": _type("address token password", host="gitlab"),
}


def refusal(type_: str, served: Collection[str]) -> str:
    """Why a Provider of this type cannot be told anything, "" if it can. ``served`` are the types that can."""
    if type_ not in TYPES:
        return "there is no such type"
    return "" if type_ in served else f"{type_} is not served yet"


def names(served: Collection[str]) -> str:
    """The types to choose from, for a message."""
    return f"Served are {', '.join(sorted(set(served) & TYPES.keys()))}."
