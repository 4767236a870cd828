"""An API server under test, spoken to with nothing but the standard library: what the tests write is not
written by the code that is to read it."""

from __future__ import annotations

import base64
import copy
import http.client
import json
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]

#: User → group. The token of each is its name and ``token``.
USERS = {"admin": "system:masters", "reader": "readers", "nobody": "none"}
#: The group and version of each kind that the tests write.
VERSIONS = {
    "Kustomization": "kustomize.toolkit.fluxcd.io/v1",
    "GitRepository": "source.toolkit.fluxcd.io/v1",
    "OCIRepository": "source.toolkit.fluxcd.io/v1",
    "Bucket": "source.toolkit.fluxcd.io/v1",
    "ExternalArtifact": "source.toolkit.fluxcd.io/v1",
    "HelmRelease": "helm.toolkit.fluxcd.io/v2",
}
PLURALS = {
    "Kustomization": "kustomizations",
    "GitRepository": "gitrepositories",
    "OCIRepository": "ocirepositories",
    "Bucket": "buckets",
    "ExternalArtifact": "externalartifacts",
    "HelmRelease": "helmreleases",
}


class Refused(Exception):
    """The API server said no."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body[:500]}")
        self.status = status


class Cluster:
    """One API server."""

    def __init__(self, url: str, ca: str = "", token: str = "") -> None:
        self.url = url
        self.ca = ca
        self.open = not token
        """Whether everybody may do everything."""
        self._token = token
        self._connection: http.client.HTTPConnection | None = None

    def kubeconfig(self, user: str = "reader") -> str:
        """A kubeconfig for one of the users, as text."""
        trust = {"certificate-authority-data": _base64(self.ca)} if self.ca else {}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "production",
            "contexts": [{"name": "production", "context": {"cluster": "production", "user": user}}],
            "clusters": [{"name": "production", "cluster": {"server": self.url, **trust}}],
            "users": [{"name": user, "user": {"token": f"{user}token"}}],
        }
        return yaml.safe_dump(document)

    def is_ready(self) -> bool:
        """Whether the server says that it can serve."""
        try:
            return bool(self.call("GET", "/readyz") == "ok")
        except (OSError, http.client.HTTPException, Refused):
            return False

    def call(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:
        """One request; the decoded answer, or ``Refused``."""
        try:
            return self._call(method, path, body, content_type)
        except (ConnectionError, http.client.RemoteDisconnected):  # an idle connection was closed
            self.close()
            return self._call(method, path, body, content_type)

    def close(self) -> None:
        """Give the connection back."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def install(self, *definitions: Path) -> None:
        """Install CustomResourceDefinitions from YAML files or folders of them, and wait until they are served.

        Where two define the same kind, the first one counts.
        """
        documents: dict[str, Object] = {}
        for path in definitions:
            for document in _documents(path):
                documents.setdefault(document["metadata"]["name"], document)
        for document in documents.values():
            self.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", document)
        for document in documents.values():
            spec = document["spec"]
            for version in spec["versions"]:
                self._served(f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}")

    def namespace(self, name: str) -> None:
        """Make a namespace, where the server has such a thing."""
        document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        try:
            self.call("POST", "/api/v1/namespaces", document)
        except Refused as refusal:
            if refusal.status not in (404, 405, 409):
                raise

    def put(self, wanted: Mapping[str, Any]) -> None:
        """Bring an object to a state as its controller would: spec, then status, then deletion.

        The generation is the server's business, so a higher one is reached by editing the spec.
        """
        document = copy.deepcopy(dict(wanted))
        metadata = {
            key: value
            for key, value in document["metadata"].items()
            if key in ("name", "namespace", "labels", "annotations", "finalizers")
        }
        document["metadata"] = metadata
        live = self._create_or_replace(document)
        while live["metadata"]["generation"] < wanted["metadata"].get("generation", 1):
            live["spec"]["retryInterval"] = f"{live['metadata']['generation']}m0s"
            live = self.call("PUT", _path(document), live)
        if "status" in document:
            self.put_status(wanted)
        if "deletionTimestamp" in wanted["metadata"]:
            self.call("DELETE", _path(document))

    def put_status(self, wanted: Mapping[str, Any]) -> None:
        """Write the status alone, as a controller does."""
        live = self.call("GET", _path(wanted))
        live["status"] = wanted["status"]
        self.call("PUT", f"{_path(wanted)}/status", live)

    def delete(self, wanted: Mapping[str, Any]) -> None:
        """Remove an object for good, finalizers or not."""
        patch = {"metadata": {"finalizers": None}}
        try:
            self.call("PATCH", _path(wanted), patch, "application/merge-patch+json")
            self.call("DELETE", _path(wanted))
        except Refused as refusal:
            if refusal.status != 404:
                raise

    def clear(self, versions: Mapping[str, str] = VERSIONS) -> None:
        """Remove all objects of the kinds given with their group and version."""
        for kind, version in versions.items():
            for item in self.call("GET", f"/apis/{version}/{PLURALS[kind]}")["items"]:
                self.delete({**item, "kind": kind, "apiVersion": version})

    def _create_or_replace(self, document: Object) -> Object:
        collection, _, name = _path(document).rpartition("/")
        try:
            live: Object = self.call("GET", f"{collection}/{name}")
        except Refused as refusal:
            if refusal.status != 404:
                raise
            made: Object = self.call("POST", collection, document)
            return made
        document["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        replaced: Object = self.call("PUT", f"{collection}/{name}", document)
        return replaced

    def _served(self, path: str) -> None:
        for _ in range(300):
            try:
                self.call("GET", f"{path}?limit=1")
            except Refused as refusal:
                if refusal.status not in (404, 503):
                    raise
            else:
                return
            time.sleep(0.05)
        message = f"{path} is not served"
        raise AssertionError(message)

    def _call(self, method: str, path: str, body: object, content_type: str) -> Any:
        if self._connection is None:
            self._connection = _connection(self.url, self.ca)
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        payload = None if body is None else json.dumps(body).encode()
        headers |= {"Content-Type": content_type} if payload else {}
        self._connection.request(method, path, payload, headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if answer.status >= 400:
            raise Refused(answer.status, text)
        return json.loads(text) if text.startswith("{") else text


def _connection(url: str, ca: str) -> http.client.HTTPConnection:
    address = urlsplit(url)
    host, port = address.hostname or "", address.port
    if address.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=30)
    return http.client.HTTPSConnection(host, port, timeout=30, context=ssl.create_default_context(cadata=ca))


def _path(document: Mapping[str, Any]) -> str:
    metadata = document["metadata"]
    plural = PLURALS[document["kind"]]
    return f"/apis/{document['apiVersion']}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}"


def _documents(definitions: Path) -> list[Object]:
    files = sorted(definitions.glob("*.yaml")) if definitions.is_dir() else [definitions]
    return [document for file in files for document in yaml.safe_load_all(file.read_text()) if document]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
