"""The manifests of the story: Flux's own Providers and Alerts, as ``--config`` takes them.

https://fluxcd.io/flux/components/notification/
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from landed.sandbox import slackinbox
from landed.sandbox.world import Sandbox

#: Where they are, beside the ledger.
FOLDER = "notifications"
_PROVIDER = """\
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata: {{name: {name}, namespace: flux-system}}
spec:
  type: {type}
"""
_ALERT = """\
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata: {{name: {name}, namespace: flux-system}}
spec:
  providerRef: {{name: {name}}}
  eventSeverity: {severity}
  eventSources:
    - {{kind: Kustomization, name: "*"}}
    - {{kind: HelmRelease, name: "*", namespace: api}}
"""
_SLACK = """\
  address: {url}
  channel: {channel}
  secretRef: {{name: slack-bot}}
"""
_HOOK = """\
  secretRef: {{name: {name}-url}}
"""
_SAYS = """\
  eventMetadata:
    summary: Production in Frankfurt
"""
_CALL = """\
    on-call: team platform, extension 4711
"""


def written(sandbox: Sandbox) -> Mapping[str, str]:
    """File name → YAML. Where and what is secret stands in ``secrets``."""
    slack = _SLACK.format(url=sandbox.slack_api, channel=slackinbox.CHANNEL)
    return {
        "slack.yaml": _file("slack", "slack", "info", slack) + _SAYS,
        "discord.yaml": _file("discord", "discord", "info", _HOOK.format(name="discord")),
        "msteams.yaml": _file("on-call", "msteams", "error", _HOOK.format(name="on-call")) + _SAYS + _CALL,
    }


def write(sandbox: Sandbox, folder: Path) -> Path:
    """Write the manifests into a folder of their own in ``folder``, and give it."""
    there = folder / FOLDER
    there.mkdir(exist_ok=True)
    for name, text in written(sandbox).items():
        (there / name).write_text(text)
    return there


def secrets(sandbox: Sandbox) -> Mapping[str, str]:
    """What the Secrets that the manifests name hold, as environment variables."""
    return {
        "LANDED_SECRET_SLACK_BOT_TOKEN": slackinbox.TOKEN,
        "LANDED_SECRET_DISCORD_URL_ADDRESS": sandbox.discord_webhook,
        "LANDED_SECRET_ON_CALL_URL_ADDRESS": sandbox.teams_webhook,
    }


def _file(name: str, type_: str, severity: str, where: str) -> str:
    return _PROVIDER.format(name=name, type=type_) + where + _ALERT.format(name=name, severity=severity)
