"""Whom a TLS connection trusts, and what urllib3 may say of it: nothing."""

from __future__ import annotations

from landed.errors import ConfigurationError


def silence() -> None:
    """Keep urllib3 from logging: its lines hold whole URLs, and warnings reach stderr without anybody's doing."""
    import logging

    logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)


def trusted(ca_file: str = "") -> bool | str:
    """What to pass as ``verify``: the usual roots, or a file that holds them and those of ``ca_file``.

    Without ``ca_file`` the environment is heard as it is by other tools (``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE``);
    with it, it is added to them. Raises ConfigurationError.
    """
    import os
    import ssl
    from pathlib import Path

    from certifi import where

    given = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""
    if not ca_file:
        return given or True
    roots = dict.fromkeys((where(), ssl.get_default_verify_paths().cafile or "", given, ca_file))
    try:
        ssl.create_default_context(cafile=ca_file)
        texts = [Path(root).read_text() for root in roots if root and (root == ca_file or Path(root).is_file())]
        return _kept("\n".join(texts))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The CA file {ca_file} cannot be used: {getattr(error, 'strerror', '') or 'not in PEM format'}.",
            "Give a file with certificates in PEM format.",
        ) from None


def _kept(text: str) -> str:
    """Write ``text`` to a file that is gone when the process ends."""
    import atexit
    import os
    import tempfile
    from pathlib import Path

    handle, name = tempfile.mkstemp(prefix="landed-ca-", suffix=".pem")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    atexit.register(Path(name).unlink, missing_ok=True)
    return name
