"""Which proxy stands before a host, by the rules of Go's net/http, which are kubectl's.

https://pkg.go.dev/golang.org/x/net/http/httpproxy
"""

from __future__ import annotations

from collections.abc import Mapping


def choose(scheme: str, host: str, port: int, environ: Mapping[str, str]) -> str:
    """The URL of the proxy that the environment names for this host; empty if none. It may hold a password."""
    name = f"{scheme}_proxy"
    url = (environ.get(name.upper()) or environ.get(name) or "").strip()
    if not url or _loopback(host) or _excepted(host.lower(), port, environ):
        return ""
    return url if "://" in url else f"http://{url}"


def _loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _excepted(host: str, port: int, environ: Mapping[str, str]) -> bool:
    listed = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    return any(_matches(rule.strip().lower(), host, port) for rule in listed.split(","))


def _matches(rule: str, host: str, port: int) -> bool:
    if rule == "*":
        return True
    if "/" in rule:
        return _in_network(rule, host)
    name, wanted = _split_port(rule)
    if not name or (wanted and wanted != str(port)):
        return False
    if name.startswith("*."):
        name = name[1:]
    # ``.example.com`` means what is below it, ``example.com`` itself as well.
    return host == name or host.endswith(name if name.startswith(".") else f".{name}")


def _split_port(rule: str) -> tuple[str, str]:
    if rule.startswith("["):
        name, _, rest = rule[1:].partition("]")
        return name, rest.removeprefix(":")
    if rule.count(":") == 1:
        name, _, port = rule.partition(":")
        return name, port
    return rule, ""


def _in_network(rule: str, host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        return False
