"""Web addresses that somebody typed."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def web_address(text: str) -> SplitResult | None:
    """The parts of an http or https address with a host, or None if ``text`` is none."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a bad port, an unclosed bracket
        return None
    return parts if usable else None
