"""Text of others (a plugin's stderr, a server's message), made fit to be shown: on one line, short, without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Characters that are shown at most.
LIMIT = 600

_SECRETS = re.compile(
    r"""
      eyJ[\w-]{8,}\.[\w-]*(?:\.[\w-]*)?                      # a JSON web token
    | k8s-aws-v1\.[\w-]+ | ya29\.[\w.-]+ | gh[pousr]_\w{16,}
    | (?<=://)[^/\s@:]*:[^/\s@]*(?=@)                        # a URL's user and password
    | -----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|$)
    | (?i:(?<=bearer\ )|(?<=basic\ ))[\w.~+/=-]{6,}
    | (?i:(?:token|secret|passw(?:or)?d|api_?key|access_?key|credential|authorization|client-?key-?data)s?["']?
        \s*[:=]\s*["']?(?:(?:bearer|basic)\s+)?)[^\s"',;&}]+
    """,
    re.VERBOSE | re.DOTALL,
)


def clean(text: str | bytes, secrets: Iterable[str] = (), limit: int = LIMIT) -> str:
    """``text`` on one line, with ``secrets`` and what looks like one replaced; its end, where it is too long."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    text = _SECRETS.sub(_hide, text)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= limit else "…" + text[-limit:]


def _hide(match: re.Match[str]) -> str:
    """Keep the name of what is hidden."""
    text = match.group()
    if text.startswith("eyJ"):
        return "***"
    name = re.match(r"""[\w-]{4,}["']?\s*[:=]\s*["']?""", text)
    return f"{name.group()}***" if name else "***"
