"""Credential plugins (``aws eks get-token``, ``gke-gcloud-auth-plugin``, ``kubelogin`` …).

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins

A plugin that fails ends the reading of its cluster: going on without credentials would only turn its error message
into a puzzling one about ``system:anonymous``.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import time
from binascii import b2a_base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import DecodeError
from msgspec.json import decode, encode

from landed.errors import ClusterError, ConfigurationError
from landed.kube import expiry
from landed.kube.context import EXEC_CONFIG, Chosen
from landed.kube.fields import Exec
from landed.redact import clean

#: Seconds a plugin may take.
TIMEOUT = 60.0

#: Bytes a plugin may print: a credential has some thousand.
LIMIT = 1 << 20

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")

WAY_OUT = (
    "Or use a kubeconfig with a service account's token, or --kube-via kubectl where kubectl works, "
    "or read with kubectl and give the output to --from-file -."
)

_SECRET_NAMES = ("TOKEN", "SECRET", "PASSWORD", "KEY", "CREDENTIAL")


def run(chosen: Chosen, environ: Mapping[str, str]) -> tuple[str, bytes, bytes, float]:
    """Run the user's plugin: the Authorization header, a client certificate, its key, and when they end (0: unknown).

    Raises ConfigurationError if the kubeconfig describes no usable plugin, ClusterError if the plugin does not give
    credentials.
    """
    plugin = chosen.user.exec or Exec()
    name = f'{Path(plugin.command).name}, the credential plugin of user "{chosen.endpoint.user}"'
    _check(plugin, name, chosen)
    output = _run(plugin, name, chosen, environ)
    return _credential(output, plugin, name)


def _check(plugin: Exec, name: str, chosen: Chosen) -> None:
    if not plugin.command:
        raise ConfigurationError(f'The exec of user "{chosen.endpoint.user}" has no command.')
    if plugin.api_version not in VERSIONS:
        raise ConfigurationError(
            f"{name}, has the apiVersion {clean(plugin.api_version) or '(none)'}, which is not supported.",
            f"Supported: {', '.join(VERSIONS)}. A newer version of the tool that wrote the kubeconfig may help.",
        )
    if plugin.interactive_mode == "Always":
        raise ClusterError(
            f"{name}, wants to ask questions (interactiveMode: Always), and there is nobody to answer.", WAY_OUT
        )


def _run(plugin: Exec, name: str, chosen: Chosen, environ: Mapping[str, str]) -> bytes:
    path = _find(plugin, name, chosen, environ)
    own = {variable.name: variable.value for variable in plugin.env}
    try:
        process = subprocess.Popen(
            [path, *plugin.args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environ, **own, "KUBERNETES_EXEC_INFO": _info(plugin, chosen)},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its arguments are not usable"
        raise ClusterError(f"{name}, cannot be started: {reason}.", _hint(plugin)) from None
    output, said = _listen(process, name, plugin)
    if process.returncode:
        secrets = [value for key, value in own.items() if any(word in key.upper() for word in _SECRET_NAMES)]
        told = clean(said, secrets) or "it printed no reason"
        raise ClusterError(f"{name}, failed with exit code {process.returncode}: {told}", _hint(plugin))
    return output


def _find(plugin: Exec, name: str, chosen: Chosen, environ: Mapping[str, str]) -> str:
    """A bare name is looked up in PATH; anything else is relative to the kubeconfig."""
    command = plugin.command
    if "/" in command:
        command = str(Path(chosen.folder) / command)
    found = shutil.which(command, path=environ.get("PATH", os.defpath))
    if found is None:
        raise ClusterError(f"{name}, is not installed: there is no {command}.", _hint(plugin))
    return found


def _hint(plugin: Exec) -> str:
    return f"{clean(plugin.install_hint)} {WAY_OUT}".strip()


def _info(plugin: Exec, chosen: Chosen) -> str:
    spec: dict[str, Any] = {"interactive": False}
    if plugin.provide_cluster_info:
        spec["cluster"] = _cluster(chosen)
    return encode({"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec}).decode()


def _cluster(chosen: Chosen) -> dict[str, Any]:
    cluster, endpoint = chosen.cluster, chosen.endpoint
    told: dict[str, Any] = {
        "server": cluster.server,
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
        "certificate-authority-data": b2a_base64(endpoint.authority, newline=False).decode(),
        "proxy-url": cluster.proxy_url,
        "disable-compression": cluster.disable_compression,
    }
    for extension in cluster.extensions:
        if extension.get("name") == EXEC_CONFIG:
            told["config"] = extension.get("extension")
    return {key: value for key, value in told.items() if value}


def _listen(process: subprocess.Popen[bytes], name: str, plugin: Exec) -> tuple[bytes, bytes]:
    """Everything the plugin prints, until it ends. Whatever happens, it and its children do not outlive this."""
    with process:
        try:
            output, said = _read(process)
            process.wait(1)
        except subprocess.TimeoutExpired:
            _end(process)
            raise ClusterError(f"{name}, did not end within {TIMEOUT:g} s.", _hint(plugin)) from None
        except OverflowError:
            _end(process)
            raise ClusterError(f"{name}, printed more than {LIMIT >> 20} MiB.", _hint(plugin)) from None
        except BaseException:
            _end(process)
            raise
    return output, said


def _read(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    deadline = time.monotonic() + TIMEOUT
    taken = {stream.fileno(): bytearray() for stream in (process.stdout, process.stderr) if stream}
    first, second = taken
    with selectors.DefaultSelector() as selector:
        for handle in taken:
            selector.register(handle, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(min(0.5, deadline - time.monotonic()))
            if not ready and process.poll() is not None:
                break  # a child of its own holds the pipes, and is not waited for
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(process.args, TIMEOUT)
            for key, _ in ready:
                _take(selector, key.fd, taken[key.fd])
    return bytes(taken[first]), bytes(taken[second])


def _take(selector: selectors.BaseSelector, handle: int, taken: bytearray) -> None:
    part = os.read(handle, 1 << 16)
    if not part:
        selector.unregister(handle)
    taken += part
    if len(taken) > LIMIT:
        raise OverflowError


def _end(process: subprocess.Popen[bytes]) -> None:
    """The plugin runs in a session of its own, so its children can be ended with it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


def _credential(output: bytes, plugin: Exec, name: str) -> tuple[str, bytes, bytes, float]:
    try:
        answer = decode(output)
    except (DecodeError, UnicodeError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential":
        raise ClusterError(f"{name}, printed something that is not an ExecCredential.", _hint(plugin))
    if answer.get("apiVersion") != plugin.api_version:
        raise ClusterError(
            f"{name}, answered in {clean(str(answer.get('apiVersion')))}, not in {plugin.api_version} as the "
            "kubeconfig says.",
            "Write the kubeconfig again with the current version of the tool.",
        )
    status = answer.get("status")
    return _status(status if isinstance(status, dict) else {}, name, plugin)


def _status(status: Mapping[str, Any], name: str, plugin: Exec) -> tuple[str, bytes, bytes, float]:
    token, certificate, key = (status.get(field) or "" for field in ("token", "clientCertificateData", "clientKeyData"))
    if not all(isinstance(text, str) for text in (token, certificate, key)) or not (token or certificate):
        raise ClusterError(f"{name}, gave neither a token nor a client certificate.", _hint(plugin))
    if bool(certificate) != bool(key):
        raise ClusterError(f"{name}, gave only one half of a client certificate and its key.", _hint(plugin))
    header = f"Bearer {token}" if token else ""
    return header, certificate.encode(), key.encode(), _expires(status.get("expirationTimestamp"), name)


def _expires(text: Any, name: str) -> float:
    if not text:
        return 0.0
    try:
        return expiry.of_timestamp(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        raise ClusterError(f"{name}, gave an expirationTimestamp that is no time.") from None
