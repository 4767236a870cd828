"""How a message speaks of addresses, answers and lengths of time."""

from __future__ import annotations

from urllib.parse import urlsplit

from landed import render


def clean(text: str) -> str:
    """``text`` on one line, without characters that control a terminal or hide something."""
    return " ".join(render.clean(text).split())


def host_of(url: str) -> str:
    """The host (and port) of ``url``, never its user, path or query; empty where there is none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    host = clean(f"[{host}]" if ":" in host else host)[:255]
    return f"{host}:{port}" if host and port else host


def status_text(status: int) -> str:
    """``404 Not Found``."""
    from http import HTTPStatus

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def spoken(seconds: float) -> str:
    """``45 s``, ``10 min``, ``2 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
