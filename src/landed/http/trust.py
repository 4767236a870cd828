"""Whom a TLS connection trusts, who we say we are on it, and what urllib3 may say of it: nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from landed.errors import ConfigurationError
from landed.model import Network, Secret

if TYPE_CHECKING:
    import ssl


def silence() -> None:
    """Keep urllib3 from logging: its lines hold whole URLs, and warnings reach stderr without anybody's doing."""
    import logging

    logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)


def trusted() -> bool | str:
    """What to pass as ``verify``: the usual roots, or the environment's, where it has some as for other tools."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True


def context(network: Network, whom: str, *, shown: bool = True) -> ssl.SSLContext:
    """A TLS context that trusts the usual roots, the environment's and the network's, and shows its certificate.

    ``whom`` is who is reached, as an error calls it; with ``shown`` false our certificate is left out. Raises
    ConfigurationError where a certificate or key cannot be used.
    """
    from pathlib import Path
    from ssl import VERIFY_X509_STRICT, get_default_verify_paths

    from certifi import where
    from urllib3.util.ssl_ import create_urllib3_context

    made = create_urllib3_context()
    # As every version of Python judged before 3.13: private CAs often lack what that became strict about.
    made.verify_flags &= ~VERIFY_X509_STRICT
    given = trusted()
    for root in {where(), get_default_verify_paths().cafile or "", given if isinstance(given, str) else ""}:
        if Path(root).is_file():
            made.load_verify_locations(cafile=root)
        elif root and Path(root).is_dir():
            made.load_verify_locations(capath=root)
    if network.ca:
        _add_authorities(made, network.ca, whom)
    if shown and (network.certificate or network.key):
        _add_certificate(made, network.certificate, network.key, whom)
    return made


def _add_authorities(made: ssl.SSLContext, ca: str, whom: str) -> None:
    try:
        made.load_verify_locations(cadata=ca)
    except (OSError, ValueError, TypeError):
        raise ConfigurationError(
            f"The CA certificates for {whom} cannot be used: they are not in PEM format.",
            "Give certificates that begin with -----BEGIN CERTIFICATE-----.",
        ) from None


def _add_certificate(made: ssl.SSLContext, certificate: str, key: Secret, whom: str) -> None:
    """Python reads certificates from files only: so there is one, for the moment that this takes."""
    from tempfile import NamedTemporaryFile

    if not (certificate and key):
        missing = "certificate" if key else "key"
        raise ConfigurationError(
            f"The client certificate for {whom} has no {missing}.", "Give both a certificate and its key."
        )
    try:
        with NamedTemporaryFile("w", prefix="landed-", suffix=".pem") as file:  # readable by its owner only
            file.write(f"{key.reveal()}\n{certificate}\n")
            file.flush()
            made.load_cert_chain(file.name, password="")  # so that nobody is asked for one
    except (OSError, ValueError):
        raise ConfigurationError(
            f"The client certificate for {whom} cannot be used: it or its key is not in PEM format, the key is"
            " encrypted, or they do not belong together.",
            "Check it with: openssl x509 -noout -pubkey -in tls.crt; openssl pkey -pubout -in tls.key",
        ) from None
