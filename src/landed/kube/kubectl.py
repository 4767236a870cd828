"""The second way in, ``--kube-via kubectl``: kubectl logs in, and passes our requests on over a private Unix socket.

https://kubernetes.io/docs/reference/kubectl/generated/kubectl_proxy/
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

from landed.errors import ClusterError, ConfigurationError
from landed.flux import KINDS
from landed.kube import credentials, kubeconfig
from landed.kube.client import TIMEOUT, Client
from landed.kube.endpoint import Endpoint
from landed.kube.objects import GROUP
from landed.redact import clean

#: Seconds kubectl may take until it listens. It starts credential plugins only with the first request.
STARTS_WITHIN = 20.0

REVIEWS = (
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "/apis/authentication.k8s.io/v1/selfsubjectreviews",
)


@contextmanager
def connect(
    option: str, context: str, environ: Mapping[str, str], *, timeout: float = TIMEOUT, patches: bool = False
) -> Iterator[Client]:
    """A client that speaks through ``kubectl proxy``, which ends with the ``with`` block.

    With ``patches`` it passes these on, too, as asking Flux to look takes. ``option`` and ``context`` as in
    ``kube.connect``. Raises ConfigurationError if kubectl is missing, ClusterError if it does not begin to listen.
    """
    command = shutil.which("kubectl", path=environ.get("PATH", os.defpath))
    if command is None:
        raise ConfigurationError(
            "--kube-via kubectl needs kubectl, which is not in PATH.",
            "Install it (https://kubernetes.io/docs/tasks/tools/), or leave --kube-via away.",
        )
    with TemporaryDirectory(prefix="landed-", ignore_cleanup_errors=True) as folder:  # mode 0700
        socket = str(Path(folder) / "s")
        with _running(command, option, context, socket, environ, patches):
            # The host is what the proxy's own check of the Host header lets pass.
            endpoint = Endpoint(context=context or "kubectl's", host="localhost", port=80, scheme="http", socket=socket)
            with Client(endpoint, credentials.anonymous(), timeout=timeout) as client:
                yield client


def accepted() -> str:
    """The paths kubectl passes on, as its comma-separated regular expressions: what is read, and who may read it."""
    groups = sorted({*(re.escape(kind.group) for kind in KINDS.values()), re.escape(GROUP)})
    return ",".join(
        ["^/version$", *(f"^/apis/{group}(/.*)?$" for group in groups), *(f"^{path}$" for path in (*REVIEWS, *_CORE))]
    )


#: What Alerts and their Providers take beside Flux's own objects, and what explains a failure.
_CORE = (
    "/api/v1(/namespaces/[^/]+)?/events",
    "/api/v1/namespaces/[^/]+/secrets/[^/]+",
    "/api/v1/namespaces/[^/]+/(pods|persistentvolumeclaims)(/[^/]+)?",
    "/api/v1/namespaces/[^/]+/pods/[^/]+/log",
    "/apis/(apps|batch)/v1(/.*)?",
)


@contextmanager
def _running(
    command: str, option: str, context: str, socket: str, environ: Mapping[str, str], patches: bool
) -> Iterator[None]:
    arguments = [
        command,
        "proxy",
        f"--unix-socket={socket}",
        f"--accept-paths={accepted()}",
        f"--reject-methods=^(PUT|{'' if patches else 'PATCH|'}DELETE)$",
    ]
    if context:
        arguments.append(f"--context={context}")
    variables = dict(environ)
    with _content(option) as handle, TemporaryFile() as said:
        if handle is not None:
            arguments.append(f"--kubeconfig=/proc/self/fd/{handle}")
        elif option.strip():
            variables["KUBECONFIG"] = os.pathsep.join(kubeconfig.files(option.strip()))
        process = _start(arguments, variables, said, handle)
        try:
            _await(process, said)
            yield
        finally:
            _end(process)


def _start(
    arguments: list[str], variables: Mapping[str, str], said: IO[bytes], handle: int | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            env=variables,
            pass_fds=() if handle is None else (handle,),
        )
    except OSError as error:
        raise ConfigurationError(f"kubectl cannot be started: {error.strerror}.") from None


@contextmanager
def _content(option: str) -> Iterator[int | None]:
    """A kubeconfig that is in no file, in memory where kubectl can read it and nobody else."""
    text = kubeconfig.inline(option.strip()) if option.strip() else ""
    if not text:
        yield None
        return
    if sys.platform != "linux":
        raise ConfigurationError("--kube-via kubectl needs the kubeconfig in a file here.")
    handle = os.memfd_create("kubeconfig", os.MFD_CLOEXEC)
    try:
        os.write(handle, text.encode())
        yield handle
    finally:
        os.close(handle)


def _await(process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    """Wait until kubectl says that it listens."""
    line = b""
    deadline = time.monotonic() + STARTS_WITHIN
    stream = process.stdout
    if stream is None:
        raise AssertionError("its output is a pipe")
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while b"\n" not in line:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise ClusterError(
                    f"kubectl proxy did not begin to listen within {STARTS_WITHIN:g} s.{_stderr(said)}",
                    "Try the same context with: kubectl get --raw /version",
                )
            part = os.read(stream.fileno(), 4096)
            if not part:
                process.wait()
                raise ClusterError(
                    f"kubectl proxy failed with exit code {process.returncode}.{_stderr(said)}",
                    "Try the same context with: kubectl get --raw /version",
                )
            line += part


def _stderr(said: IO[bytes]) -> str:
    said.seek(0)
    text = clean(said.read(1 << 16))
    return f" It says: {text}" if text else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.stdout:
            process.stdout.close()
