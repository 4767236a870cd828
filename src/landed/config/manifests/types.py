"""What each ``Provider.spec.type`` takes, as the registry has it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from landed.registry import CHAT, GIT, ChatType, GitType

#: The settings in which types differ.
SETTINGS = ("address", "channel", "username", "expression", "token", "creds", "nkey", "password", "headers", "app")


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
    schemes: tuple[str, ...] = ()
    """What its address may begin with; none where it is no URL."""
    since: str = ""
    """The version of Flux's API that knows it first; empty where it is ours."""
    attributes: bool = False
    """Whether its ``headers`` are attributes of a message, which may be any text."""


_NO_EXPRESSION = "only types that set commit statuses take it"
_NO_ACCOUNT = "workload identities are not served"


def _git(kind: GitType) -> ProviderType:
    account = _NO_ACCOUNT if kind.host == "azuredevops" else ""
    return ProviderType(
        frozenset(kind.uses.split()), refuses=_refused(kind.uses, account), host=kind.host, since=kind.since
    )


def _chat(kind: ChatType) -> ProviderType:
    return ProviderType(
        frozenset(kind.uses.split()),
        frozenset(kind.needs.split()),
        _refused(kind.uses, kind.account),
        schemes=kind.schemes,
        since=kind.since,
        attributes=kind.attributes,
    )


def _refused(uses: str, account: str) -> Mapping[str, str]:
    refused = {"serviceAccountName": account or "this type has no workload identity"}
    return refused if "expression" in uses.split() else {**refused, "commitStatusExpr": _NO_EXPRESSION}


#: By ``Provider.spec.type``.
TYPES: Mapping[str, ProviderType] = {
    **{type_: _chat(kind) for type_, kind in CHAT.items()},
    **{type_: _git(kind) for type_, kind in GIT.items() if kind.uses},
}


def names() -> str:
    """The types to choose from, for a message."""
    return f"There are {', '.join(sorted(TYPES))}."
