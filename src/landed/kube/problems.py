"""What kept a cluster from being read, in words. Imported only once something has gone wrong."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import DecodeError
from msgspec.json import decode

from landed.errors import ClusterError
from landed.kube import expiry
from landed.kube.credentials import Identity
from landed.kube.dial import ProxyError
from landed.kube.endpoint import Endpoint
from landed.kube.errors import Forbidden, Gone, NotServed
from landed.kube.grants import asked, grant
from landed.kube.wire import CutOff, NotHTTP
from landed.redact import clean

CHECK_SERVER = "Check the server in the kubeconfig, and that this machine may reach it (VPN, firewall, proxy)."

#: What is asked for by its name, as a sentence calls it.
_ONE = {"secrets": "the Secret"}

#: OpenSSL's verification codes, https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/
EXPIRED, NOT_YET_VALID, OTHER_NAME, OTHER_ADDRESS = 10, 9, 62, 64


def answered(
    endpoint: Endpoint, method: str, path: str, status: int, headers: Mapping[str, str], body: bytes, who: Identity
) -> ClusterError:
    """The error for an answer that is not what was asked for."""
    said = _message(body)
    subject = endpoint.subject
    if status == 401:
        return ClusterError(f"{subject} does not accept {_credentials(endpoint, who)} (401).", _renew(who))
    if status == 403:
        return _forbidden(endpoint, method, path, said, who)
    if status == 404:
        return NotServed(f"{subject} does not serve {path}.", "Is the server's URL right, and its path?")
    if status == 410:
        return Gone(f"{subject} no longer has the list it began.")
    if 300 <= status < 400:
        return ClusterError(
            f"{subject} answered with a redirect to {_host(headers.get('location', ''))}, which is not followed.",
            "The server in the kubeconfig seems to be a login page or a load balancer, not a Kubernetes API.",
        )
    if b"HTTP request to an HTTPS server" in body[:200]:
        return ClusterError(f"{subject} speaks TLS.", "Write https:// in the kubeconfig's server.")
    text = f": {said}" if said else ""
    hint = "It was asked several times. Try again later." if status in (429, 500, 502, 503, 504) else ""
    return ClusterError(f"{subject} answered {status}{text}.".replace("..", "."), hint)


def failed(endpoint: Endpoint, error: Exception, timeout: float, who: Identity | None) -> ClusterError:
    """The error for a request that got no answer. The exception's own text may hold a URL, so it is not passed on."""
    subject = endpoint.subject
    if isinstance(error, ProxyError):
        return ClusterError(f"{subject} cannot be reached: {error}.", "Check proxy-url, or HTTPS_PROXY and NO_PROXY.")
    if isinstance(error, ssl.SSLError):
        return _tls(endpoint, error, who)
    if isinstance(error, TimeoutError):
        return ClusterError(f"{subject} did not answer within {timeout:g} s.", CHECK_SERVER)
    if isinstance(error, ConnectionError) and who and _expired(who):
        return ClusterError(f"{subject} does not accept {_credentials(endpoint, who)}.", _renew(who))
    if isinstance(error, OSError):
        return _network(endpoint, error)
    if isinstance(error, CutOff):
        return ClusterError(f"{subject} broke off in the middle of an answer, several times.", CHECK_SERVER)
    if isinstance(error, NotHTTP):
        return ClusterError(f"{subject} answers with something that is not HTTP.", CHECK_SERVER)
    return ClusterError(f"{subject} cannot be asked: its name is not usable, or its answer is damaged.", CHECK_SERVER)


def not_kubernetes(endpoint: Endpoint, body: bytes) -> ClusterError:
    """The error for a 200 that is no answer of Kubernetes."""
    page = body.lstrip()[:1] == b"<"
    return ClusterError(
        f"{endpoint.subject} answers with {'a web page' if page else 'something'} that is not Kubernetes' JSON.",
        "There may be a login page or a captive portal in between. " + CHECK_SERVER if page else CHECK_SERVER,
    )


def _forbidden(endpoint: Endpoint, method: str, path: str, said: str, who: Identity) -> ClusterError:
    """One sentence out of the server's (https://kubernetes.io/docs/reference/access-authn-authz/rbac/) and our path."""
    match = re.search(r'User "([^"]*)"', said)
    user = match.group(1) if match else ""
    resource, namespace, name = asked(path)
    verb = "create" if method != "GET" else "get" if name else "list"
    if user == "system:anonymous":
        return Forbidden(
            f"{endpoint.subject} takes us for system:anonymous, who may not {verb} {resource} (403): "
            f"it did not recognise {_credentials(endpoint, who)}.",
            _renew(who),
        )
    whom = f'user "{user or endpoint.user}"' if user or endpoint.user else "us"
    where = f"in namespace {namespace}" if namespace else "in all namespaces"
    what = f"{_ONE.get(resource, resource)} {namespace}/{name}" if name else f"{resource} {where}"
    verbs = "get" if name else "get,list,watch"
    return Forbidden(
        f"{endpoint.subject} does not let {whom} {verb} {what} (403).", grant(verbs, resource, user, namespace, name)
    )


def _credentials(endpoint: Endpoint, who: Identity) -> str:
    """What was shown, and since when it has been no good where that can be told."""
    if endpoint.socket:
        return "kubectl's credentials"
    whose = f'of user "{endpoint.user}"' if endpoint.user else "that were given"
    ends, what = _ends(who)
    if ends and _expired(who):
        return f"the credentials {whose}: {what} expired on {ends:%Y-%m-%d %H:%M} UTC"
    if not who.authorization and not who.certificate:
        return f"the credentials {whose}: there are none"
    return f"the credentials {whose}"


def _ends(who: Identity) -> tuple[datetime | None, str]:
    scheme, _, token = who.authorization.partition(" ")
    if scheme == "Bearer":
        return expiry.of_token(token), "the token"
    return expiry.of_certificate(who.certificate), "the client certificate"


def _expired(who: Identity) -> bool:
    ends, _ = _ends(who)
    return ends is not None and ends < datetime.now(UTC)


def _renew(who: Identity) -> str:
    if _expired(who):
        what = _ends(who)[1]
        return f"Get a new kubeconfig: {what} has to be renewed."
    return (
        "Log in again or get a new kubeconfig; kubectl auth whoami with the same kubeconfig shows what it is good for."
    )


def _message(body: bytes) -> str:
    """The message of a Status, else the text itself unless it is a page. API servers answer 429 in plain text."""
    try:
        answer: Any = decode(body)
    except (DecodeError, UnicodeError, RecursionError):
        text = body[:2000].strip()
        return "" if text[:1] == b"<" else clean(text).rstrip(".")
    message = answer.get("message") if isinstance(answer, dict) else None
    return clean(message).rstrip(".") if isinstance(message, str) else ""


def _host(location: str) -> str:
    from urllib.parse import urlsplit

    try:
        return urlsplit(location).hostname or "another path"
    except ValueError:
        return "elsewhere"


def _network(endpoint: Endpoint, error: OSError) -> ClusterError:
    import errno
    import socket

    subject = endpoint.subject
    if isinstance(error, socket.gaierror):
        return ClusterError(
            f"{subject} cannot be found: {endpoint.host} has no address.",
            "Check the server's name in the kubeconfig, and the DNS of this machine (a private zone, a VPN?).",
        )
    if isinstance(error, ConnectionRefusedError):
        return ClusterError(f"{subject} refuses the connection.", CHECK_SERVER)
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
        return ClusterError(f"{subject} cannot be reached: there is no route to it.", CHECK_SERVER)
    if isinstance(error, ConnectionError):
        return ClusterError(f"{subject} closes the connection without an answer.", CHECK_SERVER)
    return ClusterError(f"{subject} cannot be reached: {error.strerror or type(error).__name__}.", CHECK_SERVER)


def _tls(endpoint: Endpoint, error: ssl.SSLError, who: Identity | None) -> ClusterError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(endpoint, error)
    subject, reason = endpoint.subject, (error.reason or "").upper()
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return ClusterError(
            f"{subject} does not speak TLS.", "Check the port, and https:// in the kubeconfig's server."
        )
    if "ALERT" in reason and any(
        word in reason for word in ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "REQUIRED", "REVOKED")
    ):
        identity = who or Identity()
        return ClusterError(f"{subject} does not accept {_credentials(endpoint, identity)} (TLS).", _renew(identity))
    name = f" ({reason.replace('_', ' ').lower()})" if reason else ""
    return ClusterError(f"No TLS connection comes about with {endpoint}{name}.", CHECK_SERVER)


def _untrusted(endpoint: Endpoint, error: ssl.SSLCertVerificationError) -> ClusterError:
    subject = endpoint.subject
    if error.verify_code == EXPIRED:
        return ClusterError(
            f"{subject} shows a certificate that has expired.",
            "It has to be renewed on the cluster. Is this machine's clock right?",
        )
    if error.verify_code == NOT_YET_VALID:
        return ClusterError(f"{subject} shows a certificate that is not yet valid.", "Is this machine's clock right?")
    if error.verify_code in (OTHER_NAME, OTHER_ADDRESS):
        name = endpoint.server_name or endpoint.host
        return ClusterError(
            f"{subject} shows a certificate that is not for {name}.",
            "Use the name the certificate bears as server, or give it as tls-server-name.",
        )
    trusted = "the certificate-authority of the kubeconfig" if endpoint.authority else "this system's authorities"
    return ClusterError(
        f"{subject} shows a certificate that {trusted} did not sign.",
        "Get the kubeconfig anew if the cluster was rebuilt, or give its CA as certificate-authority-data. "
        "A proxy that opens TLS has this effect, too.",
    )
