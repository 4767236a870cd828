"""Who we are to a NATS server: a key whose signature it can check, with or without a JWT that vouches for it.

https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import NamedTuple

from landed.errors import ConfigurationError
from landed.model import Secret

#: The first bits of a seed, and of a user's key: the letters S and U in base32.
_SEED, _USER = 18 << 3, 20 << 3
_KEY_LENGTH, _CHECK_LENGTH = 32, 2
#: What stands between two lines of dashes, as in a ``.creds`` file.
_HELD = r"-{3,}[^-\n]+-{3,}\s*([\w.=-]+?)\s*-{3,}[^-\n]+-{3,}"


class Login(NamedTuple):
    """What a token of the Provider holds."""

    seed: bytes
    """Of the key: 32 bytes, secret."""
    jwt: Secret | None = None
    """What vouches for the key; without it the server itself knows the key."""


def login(token: Secret) -> Login | None:
    """The credentials or the seed in ``token``; None where there is none.

    Raises ValueError, which says what is wrong and quotes nothing.
    """
    text = token.reveal().strip()
    if not text:
        return None
    held = re.findall(_HELD, text)
    if "USER JWT" in text or text.startswith("eyJ"):
        if len(held) != 2:
            raise ValueError("the credentials hold no JWT with a seed")
        return Login(seed(held[1]), Secret(held[0]))
    return Login(seed(held[0] if held else text))


def seed(text: str) -> bytes:
    """The key's 32 bytes in a user's seed: base32, its kind before them and a checksum behind. Raises ValueError."""
    wrong = "what says who we are is not the seed of a user's key, which begins with SU"
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        raise ValueError(wrong) from None
    if len(raw) != 2 + _KEY_LENGTH + _CHECK_LENGTH or _check(raw[:-_CHECK_LENGTH]) != raw[-_CHECK_LENGTH:]:
        raise ValueError(wrong)
    if raw[0] & 0xF8 != _SEED or ((raw[0] & 7) << 5 | raw[1] >> 3) != _USER:
        raise ValueError(wrong)
    return raw[2:-_CHECK_LENGTH]


def proof(who: Login, nonce: str) -> Mapping[str, str]:
    """What a CONNECT says to show who we are: the server's ``nonce``, signed. Raises ConfigurationError."""
    try:
        from nacl.signing import SigningKey
    except ModuleNotFoundError:
        raise ConfigurationError(
            "NATS: keys need the package PyNaCl, which is not installed.", "Install it with: pip install PyNaCl"
        ) from None
    key = SigningKey(who.seed)
    signed = base64.urlsafe_b64encode(key.sign(nonce.encode()).signature).rstrip(b"=").decode()
    if who.jwt is not None:
        return {"jwt": who.jwt.reveal(), "sig": signed}
    public = bytes([_USER]) + bytes(key.verify_key)
    return {"nkey": base64.b32encode(public + _check(public)).rstrip(b"=").decode(), "sig": signed}


def _check(data: bytes) -> bytes:
    """CRC-16/XMODEM, the low byte first."""
    return binascii.crc_hqx(data, 0).to_bytes(2, "little")
