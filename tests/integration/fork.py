"""Runs of the command without the price of starting an interpreter: three quarters of what a small run costs.

One process has the libraries of others loaded, and nothing of ours. Each run is a fork of it that becomes what
``python -I -m landed`` is: it has its own arguments, environment, folder and streams, imports all of ``landed`` anew,
and ends by itself. It stays at one thread, so that a fork is safe.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: How many characters a process's number is sent in.
_DIGITS = 10

#: What a run imports of others.
_LIBRARIES = """
click msgspec requests yaml rich.console rich.table rich.text rich.progress jinja2 nacl.public github gitlab
prometheus_client concurrent.futures http.server importlib.metadata logging.handlers tempfile uuid zoneinfo difflib
email.message email.utils fractions decimal hashlib hmac html ipaddress json shlex ssl statistics subprocess
xml.etree.ElementTree asyncio queue selectors socketserver urllib.request smtplib textwrap
"""
#: What an interpreter reads as it starts: a run that is given one of these is started as a whole.
_EARLY = ("PYTHON", "LC_", "LANG", "MALLOC", "LD_", "TZ", "OPENSSL")

_SOURCE = """
import gc, importlib, json, os, runpy, select, signal, socket, sys

def become(request, streams):
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv[:] = ["landed", *request["arguments"]]
    runpy.run_module("landed", run_name="__main__", alter_sys=True)

def serve(peer):
    text, streams, _, _ = socket.recv_fds(peer, 1, 3)
    while not text.endswith(b"\\n"):
        text += peer.recv(1 << 20)
    run = os.fork()
    if not run:
        peer.close()
        become(json.loads(text), streams)
        sys.exit()
    for stream in streams:
        os.close(stream)
    peer.sendall(b"%10d" % run)
    peer.sendall(b"%d\\n" % os.waitstatus_to_exitcode(os.waitpid(run, 0)[1]))

for name in sys.argv[2].split():
    importlib.import_module(name)
assert "landed" not in sys.modules
listener = socket.socket(fileno=int(sys.argv[1]))
gc.freeze()
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while listener in select.select([listener, 0], [], [])[0]:  # else whoever asks is gone
    peer, _ = listener.accept()
    if os.fork():
        peer.close()
        continue
    listener.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        serve(peer)
    finally:
        peer.close()
    break
"""


def landed(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    stdin: str | None = None,
    patience: float,
) -> subprocess.CompletedProcess[str]:
    """One run, from its arguments to its end; without ``stdin`` there is nothing to read.

    Raises subprocess.TimeoutExpired when it takes longer than so many seconds; it is killed then.
    """
    command = [sys.executable, "-I", "-m", "landed", *arguments]
    if any(name.startswith(_EARLY) for name in environment):
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        return subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=patience, check=False, **given
        )
    with ExitStack() as stack:
        peer = stack.enter_context(socket.socket(socket.AF_UNIX))
        peer.connect(_server())
        ends = _begin(peer, {"arguments": list(arguments), "environment": dict(environment), "folder": str(folder)})
        into, out, err = (stack.enter_context(end) for end in ends)
        answer = stack.enter_context(peer.makefile("rb"))
        pid = int(answer.read(_DIGITS))
        late = threading.Timer(patience, os.kill, (pid, signal.SIGKILL))
        late.start()
        stack.callback(late.cancel)
        with ThreadPoolExecutor(3) as threads:
            threads.submit(_write, into, (stdin or "").encode())
            said = [each.result().decode() for each in (threads.submit(out.read), threads.submit(err.read))]
        code = int(answer.read())
        if late.finished.is_set():
            raise subprocess.TimeoutExpired(command, patience, *said)
    return subprocess.CompletedProcess(command, code, *said)


def _begin(peer: socket.socket, request: dict[str, object]) -> tuple[BinaryIO, BinaryIO, BinaryIO]:
    """Ask for a run; our ends of its three streams."""
    (theirs_in, ours_in), (ours_out, theirs_out), (ours_err, theirs_err) = (os.pipe() for _ in range(3))
    theirs = [theirs_in, theirs_out, theirs_err]
    try:
        socket.send_fds(peer, [b" "], theirs)
        peer.sendall(json.dumps(request).encode() + b"\n")
    finally:
        for each in theirs:
            os.close(each)
    return os.fdopen(ours_in, "wb"), os.fdopen(ours_out, "rb"), os.fdopen(ours_err, "rb")


def _write(into: BinaryIO, content: bytes) -> None:
    with suppress(BrokenPipeError):
        into.write(content)
        into.flush()
    with suppress(BrokenPipeError):
        into.close()


@cache
def _server() -> str:
    """Where to ask for a run: the process that is forked begins with the first one, and ends with ours."""
    folder = tempfile.mkdtemp(prefix="landed-")
    path = f"{folder}/socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        command = [sys.executable, "-I", "-c", _SOURCE, str(listener.fileno()), _LIBRARIES]
        environment = {"PATH": os.environ["PATH"], "HOME": folder}
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.PIPE, pass_fds=[listener.fileno()]
        )

    def end() -> None:
        process.communicate()
        shutil.rmtree(folder)

    atexit.register(end)
    return path
