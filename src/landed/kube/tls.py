"""TLS as kubectl does it: the cluster's own CA, the user's own certificate, nothing from the environment."""

from __future__ import annotations

import os
import ssl
import sys

from landed.errors import ConfigurationError
from landed.kube.endpoint import Endpoint


def context(endpoint: Endpoint, certificate: bytes = b"", key: bytes = b"") -> ssl.SSLContext:
    """A context that trusts ``endpoint.authority`` alone and shows ``certificate``. Raises ConfigurationError."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # As Go judges certificates: an intermediate or the server's own may be the anchor, and what
    # Python 3.13 became strict about (no key usage in the CA, no authority key identifier) is let pass.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    made.set_alpn_protocols(["http/1.1"])
    if endpoint.insecure:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif endpoint.authority:
        _trust(made, endpoint)
    else:
        made.load_default_certs()
    if certificate:
        _show(made, certificate, key, endpoint)
    return made


def _trust(made: ssl.SSLContext, endpoint: Endpoint) -> None:
    try:
        made.load_verify_locations(cadata=endpoint.authority.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        raise ConfigurationError(
            f"The certificate-authority of {endpoint} holds no certificate.",
            "It should be PEM: -----BEGIN CERTIFICATE-----.",
        ) from None


def _show(made: ssl.SSLContext, certificate: bytes, key: bytes, endpoint: Endpoint) -> None:
    try:
        _load(made, certificate + b"\n" + key)
    except _Encrypted:
        raise ConfigurationError(
            f'The client key of user "{endpoint.user}" (context "{endpoint.context}") is encrypted.',
            "kubectl cannot use such a key either: give it one without a passphrase, or a token.",
        ) from None
    except (ssl.SSLError, ValueError) as error:
        reason = "do not belong together" if "MISMATCH" in str(error) else "are not a usable pair in PEM"
        raise ConfigurationError(
            f'The client certificate and key of user "{endpoint.user}" (context "{endpoint.context}") {reason}.'
        ) from None


class _Encrypted(Exception):
    """OpenSSL asks for a passphrase; without an answer of ours it would ask the terminal."""


def _passphrase() -> str:
    raise _Encrypted


def _load(made: ssl.SSLContext, pair: bytes) -> None:
    """Give the pair to OpenSSL, which takes only paths: of memory where it can be, so that no key reaches a disk."""
    if sys.platform == "linux" and os.path.isdir("/proc/self/fd"):  # noqa: PTH112
        handle = os.memfd_create("pair", os.MFD_CLOEXEC)
        try:
            os.write(handle, pair)
            made.load_cert_chain(f"/proc/self/fd/{handle}", password=_passphrase)
        finally:
            os.close(handle)
    else:
        _load_from_file(made, pair)


def _load_from_file(made: ssl.SSLContext, pair: bytes) -> None:
    from pathlib import Path
    from tempfile import mkstemp

    handle, path = mkstemp()  # mode 0600
    try:
        os.write(handle, pair)
        made.load_cert_chain(path, password=_passphrase)
    finally:
        os.close(handle)
        Path(path).unlink()
