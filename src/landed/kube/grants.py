"""Which right a path takes, and the commands that give it. Imported only once a right is asked about or missing."""

from __future__ import annotations

import re

#: The manifests with all the rules; what only Alerts take is in one of its own.
RULES_FILE, RULES_FILE_OF_ALERTS = "deploy/rbac.yaml", "deploy/rbac-alerts.yaml"
_OF_ALERTS = frozenset({"providers", "alerts", "helmrepositories", "helmcharts", "events", "secrets"})


def grant(verbs: str, resource: str, user: str = "", namespace: str = "", name: str = "") -> str:
    """Commands, ready to paste, that give ``user`` the right to a resource, or to the one object of this ``name``; and
    which manifest has all the rules.
    """
    role = "role" if namespace else "clusterrole"
    what = f"{resource} --resource-name={name}" if name else resource
    where = f" --namespace={namespace}" if namespace else ""
    rules = RULES_FILE_OF_ALERTS if resource.partition(".")[0] in _OF_ALERTS else RULES_FILE
    less = "" if namespace else " With rights in some namespaces only, name these with --namespace."
    return (
        f"To grant it: kubectl create {role} landed --verb={verbs} --resource={what}{where} && "
        f"kubectl create {role}binding landed --{role}=landed {_subject(user)}{where}. "
        f"{rules} has all the rules.{less}"
    )


def _subject(user: str) -> str:
    """How ``kubectl create clusterrolebinding`` names a user; a name that a shell would not take as one is left out."""
    if not re.fullmatch(r"[\w.:@/+=#,-]+", user):
        return "--user=USER"
    parts = user.split(":")
    if user.startswith("system:serviceaccount:") and len(parts) == 4:
        return f"--serviceaccount={parts[2]}:{parts[3]}"
    return f"--user='{user}'"


def resource(plural: str, group: str) -> str:
    """A kind as rules and kubectl name it: ``PLURAL.GROUP``, or ``PLURAL`` where it is Kubernetes' own."""
    return f"{plural}.{group}" if group else plural


def asked(path: str) -> tuple[str, str, str]:
    """What a path is about: resource, namespace and name, each empty where there is none.

    Paths are ``/apis/GROUP/VERSION`` or ``/api/VERSION``, then ``[/namespaces/NAMESPACE]/PLURAL[/NAME]``
    (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris). Any other one stands for itself.
    """
    parts = path.split("?")[0].strip("/").split("/")
    head = {"apis": 3, "api": 2}.get(parts[0], len(parts))
    if len(parts) <= head:
        return f"/{'/'.join(parts)}", "", ""
    group, rest = "" if head == 2 else parts[1], parts[head:]
    namespace = rest[1] if rest[0] == "namespaces" and len(rest) > 2 else ""
    plural, *name = rest[2:] if namespace else rest
    return resource(plural, group), namespace, name[0] if name else ""
