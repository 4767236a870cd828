"""When a credential ends, read from the credential itself. Used only to explain a refusal: the server decides."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from datetime import UTC, datetime
from typing import Any

BEGIN, END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
UTC_TIME, GENERALIZED_TIME, CONTEXT_0 = 0x17, 0x18, 0xA0


def of_certificate(pem: bytes) -> datetime | None:
    """``notAfter`` of the first certificate; None if there is none or it makes no sense.

    https://www.rfc-editor.org/rfc/rfc5280#section-4.1
    """
    body = pem.partition(BEGIN)[2].partition(END)[0]
    try:
        return _not_after(a2b_base64(body))
    except (Base64Error, ValueError, IndexError):
        return None


def of_token(token: str) -> datetime | None:
    """``exp`` of a JSON web token; None if it is none or never expires.

    https://www.rfc-editor.org/rfc/rfc7519#section-4.1.4
    """
    claims = _claims(token)
    expires = claims.get("exp") if isinstance(claims, dict) else None
    try:
        return datetime.fromtimestamp(float(expires), UTC) if expires else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def of_timestamp(text: str) -> datetime:
    """A Kubernetes timestamp, which may have nanoseconds. ValueError if it is none."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _claims(token: str) -> Any:
    from json import loads

    parts = token.split(".")
    if len(parts) != 3:
        return None
    payload = parts[1].replace("-", "+").replace("_", "/")
    try:
        return loads(a2b_base64(payload + "=" * (-len(payload) % 4)))
    except (Base64Error, ValueError, RecursionError):
        return None


def _not_after(der: bytes) -> datetime:
    """Certificate → TBSCertificate → validity, the fourth field after the optional version."""
    certificate = _content(der, 0)
    place = _content(der, certificate[0])[0]
    if der[place] == CONTEXT_0:
        place = _content(der, place)[1]
    for _ in range(3):  # serial number, signature, issuer
        place = _content(der, place)[1]
    validity = _content(der, place)[0]
    return _time(der, _content(der, validity)[1])


def _content(der: bytes, place: int) -> tuple[int, int]:
    """Where the content of the element at ``place`` begins and ends."""
    length = der[place + 1]
    begin = place + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(der[begin : begin + count], "big")
        begin += count
    return begin, begin + length


def _time(der: bytes, place: int) -> datetime:
    begin, end = _content(der, place)
    text = der[begin:end].decode("ascii")
    if der[place] == UTC_TIME:
        text = ("20" if text < "50" else "19") + text
    elif der[place] != GENERALIZED_TIME:
        raise ValueError("not a time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
