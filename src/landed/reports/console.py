"""Everything a run says: to a person at a terminal, to the log of a CI job, or as JSON to a log collector.

What was asked for (a table, JSON) goes to standard output with ``show``, all the rest to standard error. Whatever
passes through here is free of secrets and harmless to whoever reads the log.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TextIO, TypeVar

import msgspec

from landed import render
from landed.errors import LandedError
from landed.model import Secret
from landed.redact import forms, hider
from landed.reports import commands
from landed.reports.interface import View
from landed.reports.progress import Progress

T = TypeVar("T")

#: The runner drops what is more than this per level and step, and cuts what is longer.
MOST_ANNOTATIONS = 10
LONGEST_ANNOTATION = 4096
#: Warnings that are remembered as said. A run may last for weeks, and texts differ without end.
MOST_REMEMBERED = 1000
_COLOURS = {"error": "31", "warning": "33", "detail": "2"}
_PLAINER = str.maketrans({"✓": "+", "✗": "x", "→": ">", "…": "~", "·": "-", "–": "-", "◌": "o", "─": "-"})


class Display(Protocol):
    """Lines at the bottom of a terminal that are drawn again and again, below all that is said meanwhile."""

    def erase(self) -> None:
        """Make room: the cursor is then where the lines began."""

    def draw(self) -> None:
        """Put the lines where the cursor is."""

    def doing(self, text: str) -> None:
        """What is being done at the moment, harmless and on one line; "" when it is over."""


class Console:
    """Where a run speaks. Safe to use from several threads.

    ``environ`` tells GitHub (``GITHUB_ACTIONS``) and GitLab (``GITLAB_CI``) from a terminal, and ``NO_COLOR``;
    ``log_format`` is ``text`` or ``json``; ``clock`` gives seconds since the Unix epoch.
    """

    def __init__(
        self,
        out: TextIO,
        err: TextIO,
        *,
        environ: Mapping[str, str],
        quiet: bool = False,
        verbose: bool = False,
        log_format: str = "text",
        secrets: Sequence[Secret] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._out = out
        self._err = err
        self._environ = environ
        self._quiet = quiet
        self._verbose = verbose
        self._json = log_format == "json"
        self._clock = clock
        self._secrets = tuple(secrets)
        self._hide = hider(secrets)
        self._warned: dict[int, None] = {}
        self._warned_before: dict[int, None] | None = None
        self._annotated: defaultdict[str, set[str]] = defaultdict(set)
        self._transient = False
        self._display: Display | None = None
        self._patient = False
        self.said = 0
        """How many times something was said that stays: what is shown in passing is not counted."""
        self.lock = threading.RLock()
        """Held while something is written; whoever draws holds it, too."""
        self.kind = _kind(err, environ)
        """``terminal``, ``github``, ``gitlab`` or ``plain``."""
        self._progress = Progress(self._show_progress, every=0.1 if self.live else 5.0, clock=clock)
        if self.kind == "github":
            self._mask(secrets)

    def hide_also(self, secrets: Sequence[Secret]) -> None:
        """Keep back these secrets as well, which were found after the start."""
        new = tuple(secret for secret in secrets if secret not in self._secrets)
        self._secrets += new
        self._hide = hider(self._secrets)
        if self.kind == "github":
            self._mask(new)

    @property
    def live(self) -> bool:
        """Whether something may be shown in passing: it is a terminal, and somebody looks at it."""
        return self.kind == "terminal" and not self._json

    @property
    def quiet(self) -> bool:
        """Whether only warnings and errors are wanted."""
        return self._quiet

    @property
    def json(self) -> bool:
        """Whether a log collector reads this, and no people."""
        return self._json

    # ── what there is to say ────────────────────────────────────────────────────────────────────────────────────────

    def note(self, text: str) -> None:
        """Something worth knowing. Not with ``--quiet``."""
        if not self._quiet:
            self._say("note", text)

    def tell(
        self,
        text: str,
        fields: Mapping[str, object] | None = None,
        *,
        level: str = "info",
        message: str = "",
        hint: str = "",
    ) -> None:
        """Something that happened now, in a run that lasts: with the time of day (UTC).

        A log collector gets ``message`` (or else ``text``) and the ``fields``. The level ``info`` is not for
        ``--quiet``.
        """
        if self._quiet and level == "info":
            return
        if self._json:
            self._put(self._err, self._as_json(level, self.safe(message or text), self.safe(hint), fields or {}))
            return
        self._say(level, text, hint, at=f"{render.rfc3339(int(self._clock()))[11:19]} ")

    def detail(self, text: str) -> None:
        """Something for who looks closely: only with ``--verbose``."""
        if self._verbose:
            self._say("detail", text)

    def warn(self, text: str) -> None:
        """Something that should be seen to. The same text is said once."""
        with self.lock:
            known = hash(text) in self._warned
            self._warned.pop(hash(text), None)
            self._warned[hash(text)] = None  # the last one said is the last one to be forgotten
            if len(self._warned) > MOST_REMEMBERED:
                del self._warned[next(iter(self._warned))]
        if not known:
            self._say("warning", text)

    def error(self, error: LandedError) -> None:
        """What went wrong, and what to do about it; on GitHub it marks the run, too."""
        self._say("error", error.message, error.hint)
        self.annotate("error", f"{error.message}\n{error.hint}" if error.hint else error.message)

    def progress(self, text: str) -> None:
        """What is being done right now, "" when it is over. Shown only if it takes longer than a second."""
        if self._quiet:
            return
        self._progress.say(text)
        if not text:
            with self.lock:
                self._erase()
                if self._display is not None:
                    self._display.doing("")

    def annotate(self, level: str, message: str, title: str = "", file: str = "") -> None:
        """On GitHub, mark the run with an ``error``, ``warning`` or ``notice``: the same text once, ten of a level.

        ``file`` is a path in the workspace that the mark points at.
        """
        if self.kind != "github" or self._json:
            return
        text = render.cut(self.safe(message), LONGEST_ANNOTATION)
        with self.lock:
            made = self._annotated[level]
            if text in made or len(made) >= MOST_ANNOTATIONS:
                return
            made.add(text)
        self._put(self._err, commands.annotation(level, text, title=self.safe(title), file=self.safe(file)))

    def group(self, title: str) -> None:
        """What is said from here on can be folded away, on GitHub and GitLab. One group at a time."""
        from landed.reports import groups

        if groups.known(self.kind) and not (self._json or self._quiet):
            with self.lock:
                # What is said in a group may be overlooked: it is said again when it comes up again after its end.
                self._warned_before = dict(self._warned)
                self._put(self._err, groups.opening(self.kind, self.safe(title), int(self._clock())))

    def endgroup(self) -> None:
        """The end of the group, if there is one."""
        with self.lock:
            if self._warned_before is not None:
                from landed.reports import groups

                self._warned, self._warned_before = self._warned_before, None
                self._put(self._err, groups.closing(self.kind, int(self._clock())))

    def patient(self, patient: bool) -> None:
        """Whether somebody else says often enough what goes on: then progress is not put into a log."""
        self._patient = patient

    def lend(self, display: Display | None) -> Callable[[str], None]:
        """Leave the bottom of the terminal to ``display``, which writes with what this gives back; None: no more."""
        with self.lock:
            self._erase()
            self._display = display
        return lambda text: self._write(self._err, text)

    def show(self, text: str) -> None:
        """What was asked for, ready made: to standard output."""
        self.progress("")
        self._put(self._out, self._hide(text))

    def close(self) -> None:
        """Nothing more is going to be said."""
        self.progress("")

    # ── for the formats ─────────────────────────────────────────────────────────────────────────────────────────────

    def hidden(self, value: T) -> T:
        """A report, or any value, without the secrets."""
        from landed.reports.redact import hidden

        return hidden(value, self._hide)

    def view(self) -> View:
        """Whom a format is rendered for."""
        terminal = self._out.isatty() and self.kind in {"terminal", "plain"}
        return View(
            now=int(self._clock()),
            terminal=terminal,
            colour=terminal and not self._environ.get("NO_COLOR"),
            width=_width(self._out, self._environ) if terminal else 0,
        )

    @property
    def colour(self) -> bool:
        """Whether what is said may have colours."""
        return self.kind == "terminal" and not self._environ.get("NO_COLOR")

    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal at this moment."""
        with suppress(OSError, ValueError):
            columns, lines = os.get_terminal_size(self._err.fileno())
            if columns and lines:
                return columns, lines
        given = self._environ.get("LINES", "")
        return _width(self._err, self._environ), int(given) if given.isdecimal() and int(given) else 24

    def reflows(self) -> bool:
        """Whether the terminal breaks lines anew when it gets narrower, as nearly all do."""
        if any(self._environ.get(name) for name in ("XTERM_VERSION", "STY")):
            return False
        return not self._environ.get("TERM", "").startswith(("linux", "rxvt", "vt"))

    def fits(self, text: str) -> bool:
        """Whether the log can take these characters as they are."""
        return _fitting(text, getattr(self._err, "encoding", None) or "utf-8") == text

    def safe(self, text: str) -> str:
        """``text`` without secrets, and harmless; newlines stay."""
        # Twice: a control character may have split a secret that is whole without it.
        return self._hide(commands.harmless(self._hide(text)))

    # ── the ways out ────────────────────────────────────────────────────────────────────────────────────────────────

    def _say(self, level: str, text: str, hint: str = "", at: str = "") -> None:
        text, hint = self.safe(text), self.safe(hint)
        if self._json:
            self._put(self._err, self._as_json(level, text, hint))
            return
        label = level if level in {"error", "warning"} else ""
        if self.colour and level in _COLOURS:
            painted = label or text
            painted = f"\x1b[{_COLOURS[level]}m{painted}\x1b[0m"
            line = f"{painted}: {text}" if label else painted
        else:
            line = f"{label}: {text}" if label else text
        self._put(self._err, f"{at}{line}\n  {hint}" if hint else f"{at}{line}")

    def _as_json(self, level: str, text: str, hint: str, fields: Mapping[str, object] | None = None) -> str:
        entry: dict[str, object] = {"time": render.rfc3339(int(self._clock())), "level": level, "message": text}
        for name, value in (fields or {}).items():
            entry[name] = self.safe(value) if isinstance(value, str) else value
        if hint:
            entry["hint"] = hint
        return msgspec.json.encode(entry).decode()

    def _mask(self, secrets: Sequence[Secret]) -> None:
        lines = {line for secret in secrets for form in forms(secret.reveal()) for line in commands.mask(form)}
        if lines:
            self._put(self._err, "\n".join(sorted(lines)))

    def _show_progress(self, text: str) -> None:
        if not self.live:
            if not self._patient:
                self._say("progress", f"{text} …")
            return
        if self._display is not None:
            self._display.doing(" ".join(self.safe(text).split()))
            return
        line = render.cut(self.safe(text).replace("\n", " "), max(10, _width(self._err, self._environ) - 3))
        with self.lock:
            self._write(self._err, f"\r\x1b[K{line} …")
            self._transient = True

    def _erase(self) -> None:
        if self._transient:
            self._write(self._err, "\r\x1b[K")
            self._transient = False

    def _put(self, stream: TextIO, text: str) -> None:
        with self.lock:
            self._erase()
            if self._display is not None:
                self._display.erase()
            self._write(stream, text if text.endswith("\n") else f"{text}\n")
            self.said += 1
            if self._display is not None:
                self._display.draw()

    def _write(self, stream: TextIO, text: str) -> None:
        fitting = _fitting(text, getattr(stream, "encoding", None) or "utf-8")
        if stream is self._out:
            stream.write(fitting)
            stream.flush()
            return
        with suppress(OSError, ValueError):  # a log that is gone must not end a run that delivers
            stream.write(fitting)
            stream.flush()


def fatal(err: TextIO, environ: Mapping[str, str], message: str, hint: str) -> None:
    """Tell an error that ended the run before, or outside of, any Console of its own."""
    log_format = environ.get("LANDED_LOG_FORMAT") or environ.get("INPUT_LOG_FORMAT") or "text"
    Console(err, err, environ=environ, log_format=log_format).error(LandedError(message, hint))


def _kind(stream: TextIO, environ: Mapping[str, str]) -> str:
    if environ.get("GITHUB_ACTIONS") == "true":
        return "github"
    if environ.get("GITLAB_CI"):
        return "gitlab"
    return "terminal" if stream.isatty() and environ.get("TERM") != "dumb" else "plain"


def _width(stream: TextIO, environ: Mapping[str, str]) -> int:
    columns = environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    with suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns or 80
    return 80


def _fitting(text: str, encoding: str) -> str:
    """``text`` as a stream of this encoding can take it."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAINER).encode(encoding, "replace").decode(encoding)
    return text
