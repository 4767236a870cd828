"""Runs ``landed report`` itself, as a pipeline would: a process that knows the sandbox by its addresses only.

Its clock is the story's, see ``storytime``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from landed.errors import LandedError
from landed.sandbox import manifests
from landed.sandbox.world import GIT_TOKEN, Sandbox

#: Seconds after which something is wrong.
PATIENCE = 60
#: What a process needs of our surroundings. All else, tokens and proxies included, stays out.
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "LC_ALL", "LC_CTYPE", "SYSTEMROOT", "COVERAGE_PROCESS_START")


class Look(Struct, frozen=True):
    """How one ``landed report`` went."""

    printed: str
    exit_code: int
    statuses: int
    """How many commit statuses the Git host took."""
    messages: int
    """How many messages were posted in chat, replies included."""
    edits: int = 0
    """How many messages were edited."""

    @property
    def sent(self) -> str:
        """``4 statuses, 1 message, 2 edits``, or ``nothing``."""
        counts = (
            (self.statuses, "status", "statuses"),
            (self.messages, "message", "messages"),
            (self.edits, "edit", "edits"),
        )
        said = [f"{number} {one if number == 1 else many}" for number, one, many in counts if number]
        return ", ".join(said) or "nothing"


def look(sandbox: Sandbox, folder: Path, behind: float = 0) -> Look:
    """Run ``landed report`` once against ``sandbox``, with a clock that is ``behind`` by so many seconds.

    Its ledger, its manifests and its kubeconfig are in ``folder``.

    Raises LandedError if it hangs.
    """
    before = _counts(sandbox)
    try:
        done = _report(sandbox, folder, behind)
    except subprocess.TimeoutExpired:
        raise LandedError(f"landed report did not end within {PATIENCE} seconds.") from None
    statuses, messages, edits = (now - then for now, then in zip(_counts(sandbox), before, strict=True))
    return Look(done.stdout.rstrip(), done.returncode, statuses, messages, edits)


def _report(sandbox: Sandbox, folder: Path, behind: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "landed.sandbox.storytime", str(behind), "report", "--config", manifests.FOLDER],
        env={**_surroundings(), **_options(sandbox, folder)},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def _options(sandbox: Sandbox, folder: Path) -> Mapping[str, str]:
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(sandbox.kubeconfig)
    manifests.write(sandbox, folder)
    return {
        "LANDED_KUBECONFIG": str(kubeconfig),
        "LANDED_CLUSTER_NAME": "production",
        "LANDED_GITHUB_TOKEN": GIT_TOKEN,
        "LANDED_GITHUB_API_URL": sandbox.git_api_url,
        **manifests.secrets(sandbox),
        "LANDED_LEDGER": str(folder / "ledger.json"),
    }


def _surroundings() -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}


def _counts(sandbox: Sandbox) -> tuple[int, int, int]:
    return (sandbox.git.written, sandbox.chat.posted, sandbox.chat.edits)
