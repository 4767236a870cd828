"""Web addresses that somebody typed."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from landed.errors import ConfigurationError


def web_address(text: str) -> SplitResult | None:
    """The parts of an http or https address with a host, or None if ``text`` is none."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a bad port, an unclosed bracket
        return None
    return parts if usable else None


def server_address(text: str, where: str) -> SplitResult:
    """The parts of a server's address. Raises ConfigurationError, which says ``where`` it stands and not what it is."""
    parts = web_address(text)
    clean = text.isprintable() and not any(c.isspace() for c in text)
    if parts is None or not clean or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(
            f"{where}: that is not the address of an API.",
            "Give one like https://git.example.com/api/v3, without user or query.",
        )
    return parts


def authority(parts: SplitResult) -> str:
    """Host and, unless it is the scheme's own, port: as ``Repository.host`` has it."""
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return host if parts.port in (None, usual) else f"{host}:{parts.port}"


def host_name(text: str, url: str = "") -> str:
    """A host that somebody typed, with a port where it needs one, as ``Repository.host`` has it; "" if it is none.

    ``url`` is the address of its API, where one is known: its scheme says which port is the usual one.
    """
    scheme = "http" if url.startswith("http://") else "https"
    if not text.isprintable() or any(c in text for c in " /@?#\\"):
        return ""
    parts = web_address(f"{scheme}://{text}")
    return authority(parts) if parts is not None else ""
