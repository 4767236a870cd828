"""Servers, certificates and kubeconfigs to test with."""

from __future__ import annotations

import datetime
import os
import stat
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import objects
import trustme
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kube.proxies import Proxy
from kube.server import FLUX, Server, discovery

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping


def b64(data: bytes) -> str:
    """As in the ``-data`` fields."""
    return b64encode(data).decode()


def documents() -> dict[str, Any]:
    """What there is beside lists: the version, and discovery of Kustomizations as kubectl wants it."""
    group = "kustomize.toolkit.fluxcd.io"
    found = discovery(group, ["v1"], ["kustomizations"])
    return {
        "/version": {"gitVersion": "v1.32.4", "major": "1", "minor": "32"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [found[f"/apis/{group}"]]},
        **found,
    }


class OldCertificates:
    """A CA as old EKS and microk8s clusters have it: no key usage, and a leaf without an authority key identifier."""

    def __init__(self) -> None:
        now = datetime.datetime.now(datetime.UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
        base = (
            x509.CertificateBuilder()
            .issuer_name(name)
            .not_valid_before(now - datetime.timedelta(days=900))
            .not_valid_after(now + datetime.timedelta(days=900))
        )
        ca = (
            base.subject_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        own = ec.generate_private_key(ec.SECP256R1())
        import ipaddress

        leaf = (
            base.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")]))
            .public_key(own.public_key())
            .serial_number(2)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        self.authority = ca.public_bytes(serialization.Encoding.PEM)
        self._pair = leaf.public_bytes(serialization.Encoding.PEM) + own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def configure_cert(self, context: ssl.SSLContext) -> None:
        """As trustme's certificates have it."""
        with trustme.Blob(self._pair).tempfile() as path:
            context.load_cert_chain(path)


@dataclass
class Config:
    """A kubeconfig in the making, with one cluster, one user and one context, named ``c``, ``u`` and ``x``."""

    cluster: dict[str, Any]
    user: dict[str, Any]
    current: str = "x"
    names: tuple[str, str, str] = ("c", "u", "x")
    more: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        cluster, user, context = self.names
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": cluster, "cluster": self.cluster}],
            "users": [{"name": user, "user": self.user}],
            "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
            "current-context": self.current,
            **self.more,
        }

    def text(self) -> str:
        return yaml.safe_dump(self.document())


class World:
    """``api`` takes tokens, passwords and client certificates; ``elsewhere`` has a certificate for another name;
    ``old`` is signed by an old CA; ``plain`` speaks HTTP."""

    def __init__(self) -> None:
        self.ca = trustme.CA()
        self.other_ca = trustme.CA()
        self.client_ca = trustme.CA()
        self.old_certificates = OldCertificates()
        self.certificate = self.client_ca.issue_cert("carol@example.com", common_name="carol")
        self.next_certificate = self.client_ca.issue_cert("dave@example.com", common_name="dave")
        self.expired_certificate = self.client_ca.issue_cert(
            "erin@example.com",
            common_name="erin",
            not_before=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
            not_after=datetime.datetime(2021, 2, 3, tzinfo=datetime.UTC),
        )
        self.api = Server(self.ca.issue_cert("127.0.0.1", "::1", "api.cluster.test"), self.client_ca)
        self.elsewhere = Server(self.ca.issue_cert("elsewhere.test"), self.client_ca)
        self.old = Server(self.old_certificates)
        self.plain = Server()
        self.http_proxy = Proxy("http")
        self.other_proxy = Proxy("http")
        self.socks_proxy = Proxy("socks5")
        self.folder = Path()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        for part in (
            self.api,
            self.elsewhere,
            self.old,
            self.plain,
            self.http_proxy,
            self.other_proxy,
            self.socks_proxy,
        ):
            part.close()

    def renew(self, folder: Path) -> None:
        self.folder = folder
        for server in (self.api, self.elsewhere, self.old, self.plain):
            server.tokens = {"g00d": "alice"}
            server.passwords = {("bob", "pass:word"): "bob"}
            server.anonymous = False
            server.seen.clear()
            server.faults.clear()
            server.forbidden.clear()
            server.posts.clear()
            server.lists = {FLUX: [objects.kustomization()]}
            server.documents = documents()
        for proxy in (self.http_proxy, self.other_proxy, self.socks_proxy):
            proxy.asked.clear()
            proxy.heads.clear()

    @property
    def authority(self) -> bytes:
        return self.ca.cert_pem.bytes()

    def pair(self, certificate: Any = None) -> tuple[bytes, bytes]:
        """A client certificate and its key, as PEM."""
        shown = certificate or self.certificate
        return b"".join(blob.bytes() for blob in shown.cert_chain_pems), shown.private_key_pem.bytes()

    def config(self, user: Mapping[str, Any] | None = None, **cluster: Any) -> Config:
        """For ``api`` with its CA and a good token, but for what is said otherwise; ``None`` leaves a field out."""
        fields = {
            "server": self.api.url,
            "certificate-authority-data": b64(self.authority),
            **{name.replace("_", "-"): value for name, value in cluster.items()},
        }
        return Config(
            {name: value for name, value in fields.items() if value is not None},
            dict({"token": "g00d"} if user is None else user),
        )

    def write(self, name: str, content: str | bytes, mode: int = 0o600) -> Path:
        """A file in the test's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    def script(self, name: str, body: str) -> Path:
        """A shell script that can be run."""
        return self.write(name, f"#!/bin/sh\n{body}\n", stat.S_IRWXU)

    def environ(self, kubeconfig: str | Path = "", **more: str) -> dict[str, str]:
        """The least there is: a PATH, an empty HOME, and KUBECONFIG."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            **({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}),
            **more,
        }
