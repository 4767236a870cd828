"""What lets a part of a job's log be folded away, on GitHub and GitLab. No I/O.

GitLab takes marks of its own, which are no text: https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
"""

from __future__ import annotations

from landed.reports import commands

#: The one section that we open: GitLab knows sections by name, and ours do not nest.
_SECTION = "landed"


def known(kind: str) -> bool:
    """Whether the log of such a console has groups."""
    return kind in {"github", "gitlab"}


def opening(kind: str, title: str, now: int) -> str:
    """What opens a group that is folded at first. ``title`` is harmless; ``now`` is in epoch seconds."""
    line = " ".join(title.split())
    if kind == "github":
        return commands.group(line)
    return f"\x1b[0Ksection_start:{now}:{_SECTION}[collapsed=true]\r\x1b[0K{line}"


def closing(kind: str, now: int) -> str:
    """What ends it."""
    return commands.endgroup() if kind == "github" else f"\x1b[0Ksection_end:{now}:{_SECTION}\r\x1b[0K"
