"""Why an image could not be pulled, out of what the container runtime says of it. No I/O."""

from __future__ import annotations

import re

from landed.explain.quoting import quoted

#: What is searched for, in this order, and what it means.
_KNOWN = (
    (r"manifest(?: for [^ ]{1,300})?[ _]unknown|manifest_unknown", "manifest unknown"),
    (r"toomanyrequests|too many requests|pull rate limit", "too many pulls, the registry limits their number"),
    (r"pull access denied|insufficient_scope", "pull access denied: it is not there, or needs other credentials"),
    (r"\b401\b|unauthorized|authentication required|no basic auth", "the registry wants other credentials (401)"),
    (r"\b403\b|\bforbidden\b|\bdenied\b", "the registry denies it (403)"),
    (r"no such host", "the registry's name has no address (no such host)"),
    (r"x509: |certificate signed by|certificate has expired", "the registry's certificate is not trusted"),
    (r"no matching manifest|no match for platform", "it is not there for this kind of node (no matching manifest)"),
    (r"http: server gave HTTP response to HTTPS client", "the registry speaks HTTP, not HTTPS"),
    (r"i/o timeout|context deadline exceeded|Client\.Timeout", "the registry did not answer in time"),
    (r"connection refused", "the registry refuses the connection"),
    (r"no space left on device", "the node has no space left on its disk"),
    (r"not present with pull policy of Never", "it is not on the node, and may not be pulled (imagePullPolicy: Never)"),
    (r"\bnot ?found\b", "not found"),
)  # fmt: skip

_ONLY_BACKS_OFF = re.compile(r'Back-off pulling image "[^"]{0,500}"\s*')


def why_not_pulled(message: str) -> str:
    """The cause in a few words; empty where nothing is said but that it is tried again later."""
    rest = _ONLY_BACKS_OFF.sub("", message[:8192]).strip(" :")
    if not rest or rest in ("Error", "ErrImagePull", "Error: ErrImagePull", "Error: ImagePullBackOff"):
        return ""
    spoken = re.sub(r'"[^"]{0,500}"', '""', rest)  # an image may be called "denied"
    for pattern, meaning in _KNOWN:
        if re.search(pattern, spoken, re.IGNORECASE):
            return meaning
    return quoted(rest.rpartition(": ")[2], 160)
