"""How GitLab lets a status and a deployment go from one state to another: what no schema says."""

from __future__ import annotations

from typing import Any

#: State asked for → the event's name, the states it may come from, and where it leads.
_STATUS = {
    "pending": ("enqueue", {"created", "skipped"}),
    "running": ("run", {"created", "pending"}),
    "success": ("success", {"created", "pending", "running"}),
    "failed": ("drop", {"created", "pending", "running"}),
    "canceled": ("cancel", {"created", "pending", "running"}),
    "skipped": ("skip", {"created", "pending"}),
}
_DEPLOYMENT = {"running": "run", "success": "succeed", "failed": "drop", "canceled": "cancel"}


def move_status(entry: dict[str, Any], to: str) -> str:
    """Move a commit status, or say why not in GitLab's words."""
    event, allowed = _STATUS[to]
    if entry["status"] not in allowed:
        reason = f'Status cannot transition via "{event}"'
        return f"Cannot transition status via :{event} from :{entry['status']} (Reason(s): {reason})"
    entry["status"] = to
    return ""


def move_deployment(entry: dict[str, Any], to: str) -> str:
    """Move a deployment, or say why not: only what was not begun can run, and no state follows itself."""
    event = _DEPLOYMENT[to]
    if entry["status"] == to or (to == "running" and entry["status"] not in ("created", "blocked")):
        return f'cannot transition via "{event}"'
    entry["status"] = to
    return ""
