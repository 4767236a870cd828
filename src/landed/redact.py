"""Takes secrets out of text: the known ones, however they are written there, and what looks like one. No I/O.

``hider`` is for what we say ourselves, ``redact`` for a stranger's answer to a request that held secrets, ``clean`` for
the words of a program or server that may print secrets of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, quote_plus

import msgspec

from landed.model import Secret

#: What is shorter is no secret, and taking it out of everything we say would make it unreadable.
SHORTEST = 4
#: Parts of a secret that are shorter give nothing away, and would be found all over; so would their base64.
SHORTEST_PART = 6
#: Characters that ``clean`` leaves at most.
LIMIT = 600

# Patterns are compiled when they are first needed: a run without news needs none of them.
_BASE64_END = r"(?a:[\w+/-]*=*)"
_BASE64_BREAK = r"(?a:[^\w+/-]+)"
_URL = r"(?i)\b(https?://)(?:[^\s/?#\"'<>@]*@)?([^\s/?#\"'<>\\]+)[/?#][^\s\"'<>]*"
_LOOKS_SECRET = r"""(?xs)
      eyJ[\w-]{8,}\.[\w-]*(?:\.[\w-]*)?                      # a JSON web token
    | k8s-aws-v1\.[\w-]+ | ya29\.[\w.-]+ | gh[pousr]_\w{16,}
    | (?<=://)[^/\s@:]*:[^/\s@]*(?=@)                        # a URL's user and password
    | -----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|$)
    | (?i:(?<=bearer\ )|(?<=basic\ ))[\w.~+/=-]{6,}
    | (?i:(?:token|secret|passw(?:or)?d|api_?key|access_?key|credential|authorization|client-?key-?data)s?["']?
        \s*[:=]\s*["']?(?:(?:bearer|basic)\s+)?)[^\s"',;&}]+
    """  # noqa: S105 — what secrets look like
_NAME = r"""[\w-]{4,}["']?\s*[:=]\s*["']?"""


def hider(secrets: Iterable[Secret], shortest: int = SHORTEST) -> Callable[[str], str]:
    """A function that replaces every one of ``secrets`` in a text by ``***``, and every word of base64 that holds one.

    Secrets of fewer than ``shortest`` characters, blanks at the ends apart, are left alone.
    """
    known = {piece for secret in secrets for piece in _pieces(secret.reveal(), shortest)}
    cores = sorted({core for piece in known if len(piece) >= SHORTEST_PART for core in _base64_cores(piece)})
    longest_first = sorted({form for piece in known for form in _written(piece)}, key=lambda form: (-len(form), form))

    def hide(text: str) -> str:
        for core in cores:
            text = _without_words(text, core)
        for form in longest_first:
            text = text.replace(form, "***")
        return text

    return hide


def forms(secret: str) -> frozenset[str]:
    """How a secret may turn up: whole, line by line, the path and the password of a URL, escaped for JSON or a URL."""
    return frozenset(form for piece in _pieces(secret, SHORTEST) for form in _written(piece))


def redact(text: str, secrets: Iterable[str]) -> str:
    """``text`` without any of ``secrets``, however short: a stranger's text may suffer. Of URLs the host is left."""
    return re.sub(_URL, r"\1\2/…", hider(map(Secret, secrets), shortest=0)(text))


#: Characters of others' text that are searched for what looks like a secret; only its end is shown anyway.
MOST_SEARCHED = 8192


def clean(text: str | bytes, secrets: Iterable[str] = (), limit: int = LIMIT) -> str:
    """``text`` on one line, with ``secrets`` and what looks like one replaced; its end, where it is too long."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    text = text[-MOST_SEARCHED:]  # what looks like a secret is not found in linear time
    text = re.sub(_LOOKS_SECRET, _but_its_name, hider(map(Secret, secrets), shortest=0)(text))
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= limit else "…" + text[-limit:]


def _but_its_name(match: re.Match[str]) -> str:
    text = match.group()
    name = None if text.startswith("eyJ") else re.match(_NAME, text)
    return f"{name.group()}***" if name else "***"


def _pieces(secret: str, shortest: int) -> set[str]:
    """The secret, and the parts that give it away by themselves."""
    if not secret or len(secret.strip()) < shortest:
        return set()
    return {secret, secret.strip() or secret, *(part for part in _parts(secret) if len(part) >= SHORTEST_PART)}


def _parts(secret: str) -> Iterator[str]:
    yield from (line.strip() for line in secret.splitlines())
    scheme, separator, rest = secret.strip().partition("://")
    if not (separator and scheme.isalnum()):
        return
    authority, slash, path = rest.partition("/")
    userinfo, _, _ = authority.rpartition("@")
    yield from (slash + path, path, path.partition("?")[0], path.partition("?")[2])
    yield from (userinfo, userinfo.partition(":")[2])


def _written(piece: str) -> set[str]:
    """As it is, in JSON, where some escape the slash, too, and in the URL encodings that are about."""
    plain = piece.encode("utf-8", "replace")
    in_json = msgspec.json.encode(plain.decode()).decode()[1:-1]
    return {
        piece,
        in_json,
        in_json.replace("/", "\\/"),
        piece.replace("/", "\\/"),
        quote(plain, safe=""),
        quote(plain),
        quote_plus(plain),
    }


def _base64_cores(piece: str) -> Iterator[str]:
    """The part of base64 that is the same whatever stands before and behind, at each of three positions."""
    from binascii import b2a_base64

    plain = piece.encode("utf-8", "replace")
    for before in range(3):
        whole = (before + len(plain)) // 3 * 4
        core = b2a_base64(bytes(before) + plain).decode()[(0, 2, 3)[before] : whole]
        yield core
        yield core.replace("+", "-").replace("/", "_")


def _without_words(text: str, core: str) -> str:
    """``text`` with ``***`` for every word that holds ``core``. In linear time: the text may be a stranger's."""
    found = text.find(core)
    if found < 0:
        return text
    breaks, rest = re.compile(_BASE64_BREAK), re.compile(_BASE64_END)
    kept = []
    start = 0
    while found >= 0:
        before = text[start:found]
        cut = max((match.end() for match in breaks.finditer(before)), default=0)
        kept += [before[:cut], "***"]
        end = rest.match(text, found + len(core))
        start = end.end() if end else found + len(core)
        found = text.find(core, start)
    return "".join([*kept, text[start:]])
