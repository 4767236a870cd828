"""How a Provider's service is reached: its proxy, certificates and patience. Every type honours all of it.

https://fluxcd.io/flux/components/notification/providers/#https-proxy ,
https://fluxcd.io/flux/components/notification/providers/#tls-certificates
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from landed.config.manifests.case import TLS_KEYS, Case
from landed.model import Network, Secret

#: Seconds, where a Provider says nothing.
TIMEOUT = 15.0
SCHEMES = ("http", "https", "socks5")
PROXY_LIMIT = 2048


def network(case: Case) -> Network:
    """The whole of it. Certificates that are given are trusted beside the usual ones, not instead of them."""
    ca, certificate, key = _tls(case)
    return Network(_proxy(case), ca, certificate, key, case.provider.timeout or TIMEOUT)


def _proxy(case: Case) -> Secret:
    """That of ``proxySecretRef``, else of ``proxy`` in the Secret, else ``spec.proxy``."""
    name = case.provider.proxy_secret
    if name:
        wanted = ("address", "username", "password")
        field = "spec.proxySecretRef"
        return _with_user(case, field, case.other(field, name, wanted, _has_address, "`address`"))
    field = "spec.secretRef" if case.key("proxy") else "spec.proxy"
    given = case.key("proxy") or Secret(case.provider.proxy.reveal().strip())
    return given if given and _usable(case, field, given) else Secret("")


def _has_address(values: Mapping[str, Secret]) -> bool:
    return bool(values.get("address"))


def _with_user(case: Case, field: str, values: Mapping[str, Secret]) -> Secret:
    """The proxy's address with the user and password that stand beside it."""
    address = values.get("address", Secret(""))
    if not address or not _usable(case, field, address):
        return Secret("")
    user, password = (values[key].reveal() if key in values else "" for key in ("username", "password"))
    if not user:
        if password:
            case.problem(field, "there is a `password` without a `username`", "Add the `username`.")
        return address
    parts = urlsplit(address.reveal())
    who = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    return Secret(parts._replace(netloc=f"{who}@{parts.netloc.rpartition('@')[2]}").geturl())


def _usable(case: Case, field: str, proxy: Secret) -> bool:
    text = proxy.reveal()
    try:
        parts = urlsplit(text)
        good = parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if good and len(text) <= PROXY_LIMIT and text.isprintable() and " " not in text:
        return True
    case.problem(field, "the proxy's address is none", f"Begin it with {'://, '.join(SCHEMES)}:// and a host.")
    return False


def _tls(case: Case) -> tuple[str, str, Secret]:
    """Authorities, our certificate and its key: of ``certSecretRef``, else of ``secretRef``."""
    name = case.provider.cert_secret
    if name:
        field = "spec.certSecretRef"
        values = case.other(field, name, TLS_KEYS, _whole, "`ca.crt`, or `tls.crt` and `tls.key`")
        return _checked(case, field, values) if _whole(values) else ("", "", Secret(""))
    values = {key: case.key(key) for key in TLS_KEYS if case.key(key)}
    return _checked(case, "spec.secretRef", values)


def _of(values: Mapping[str, Secret], key: str, once: str) -> str:
    return (values.get(key) or values.get(once) or Secret("")).reveal()


def _whole(values: Mapping[str, Secret]) -> bool:
    """Whether there is something, and no half of anything."""
    certificate, key = (_of(values, *names) for names in (("tls.crt", "certFile"), ("tls.key", "keyFile")))
    return bool(certificate) == bool(key) and bool(certificate or _of(values, "ca.crt", "caFile"))


def _checked(case: Case, field: str, values: Mapping[str, Secret]) -> tuple[str, str, Secret]:
    # What stands between the blocks is often the issuer's name, in any alphabet, which OpenSSL does not take.
    ca = _of(values, "ca.crt", "caFile").encode("ascii", "ignore").decode()
    certificate, key = _of(values, "tls.crt", "certFile"), _of(values, "tls.key", "keyFile")
    if bool(certificate) != bool(key):
        missing, there = ("tls.key", "tls.crt") if certificate else ("tls.crt", "tls.key")
        case.problem(field, f"there is `{there}` without `{missing}`", f"Add `{missing}`, or take out `{there}`.")
    for name, text, good, holds in (
        ("ca.crt", ca, _certificates, "certificates"),
        ("tls.crt", certificate, _certificates, "a certificate"),
        ("tls.key", key, _key, "a private key without a passphrase"),
    ):
        if text and not good(text):
            case.problem(field, f"`{name}` cannot be used", f"It must hold {holds} in PEM format.")
    return ca, certificate, Secret(key)


def _certificates(text: str) -> bool:
    import ssl  # imported late: few Providers have certificates

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError, TypeError):
        return False
    return "-----BEGIN CERTIFICATE-----" in text


def _key(text: str) -> bool:
    return "PRIVATE KEY-----" in text and "ENCRYPTED" not in text
