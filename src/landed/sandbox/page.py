"""The page: commits with their statuses, the chat, and the cluster, as people would see them, while it happens.

``/inbox`` shows the chat alone, all services side by side.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from landed.sandbox import discordview, manifests, slackview, teamsview
from landed.sandbox.githost import Commit, Status
from landed.sandbox.kept import Message
from landed.sandbox.kinds import KINDS, Object, condition
from landed.sandbox.progress import Progress
from landed.sandbox.slackview import Card
from landed.sandbox.web import Request, Response
from landed.sandbox.world import Sandbox

if TYPE_CHECKING:
    import jinja2

#: Seconds between looks at whether there is anything new to show.
_TICK = 0.15
_SHOWN_KINDS = ("Kustomization", "HelmRelease", "GitRepository", "OCIRepository")
_HTML = "text/html; charset=utf-8"
#: Path → what changes on it, and where that is by itself.
_PAGES = {"/": ("main.html.j2", "/main"), "/inbox": ("inbox.html.j2", "/inbox/main")}
_MAINS = {path: template for template, path in _PAGES.values()}


class Entry(Struct, frozen=True):
    """A commit in a list, with what became of it."""

    repository: str
    commit: Commit
    url: str
    statuses: tuple[Status, ...]
    state: str
    """``success``, ``failure``, ``pending`` or, without any status, ``none``."""


class Post(Struct, frozen=True):
    """A message in a channel, as it stands."""

    key: str
    at: str
    cards: tuple[Card, ...]
    edits: int
    replies: tuple[Post, ...] = ()
    """What answers it, oldest first."""


class Service(Struct, frozen=True):
    """A chat service, and how it shows a message."""

    key: str
    name: str
    where: str
    how: str
    cards: Callable[[dict[str, Any]], tuple[Card, ...]]


_SERVICES = (
    Service("slack", "Slack", "#deployments", "a bot: edits, and answers in threads", slackview.cards),
    Service("discord", "Discord", "#deployments", "a webhook: edits", discordview.cards),
    Service("msteams", "Teams", "On call", "a Workflow: failures and what ends them", teamsview.cards),
)


class Talk(Struct, frozen=True):
    """What was said on one service."""

    service: Service
    posts: tuple[Post, ...]
    count: int


class Row(Struct, frozen=True):
    """An object on the cluster."""

    kind: str
    namespace: str
    name: str
    ready: str
    message: str
    phase: str
    revision: str


class Page:
    """Serves the page of one sandbox and one story; anything else is left to others."""

    def __init__(self, sandbox: Sandbox, progress: Progress) -> None:
        self._sandbox = sandbox
        self._progress = progress
        self._templates: jinja2.Environment | None = None

    def answer(self, request: Request) -> Response | None:
        """The page, its changing part, or the stream that says when it changes."""
        if request.method not in ("GET", "HEAD"):
            return None
        if request.path in _PAGES:
            nonce = secrets.token_urlsafe(16)
            changing, source = _PAGES[request.path]
            page = self._render("page.html.j2", nonce=nonce, changing=changing, source=source)
            return Response(200, page, _HTML, _headers(nonce))
        if request.path in _MAINS:
            return Response(200, self._render(_MAINS[request.path]), _HTML, {"Cache-Control": "no-store"})
        if request.path == "/changes":
            headers = {"Cache-Control": "no-store"}
            return Response(content_type="text/event-stream", headers=headers, stream=self._changes())
        if _is_repository_page(request.path):
            fragment = request.path.rpartition("/commit/")[2][:40] if "/commit/" in request.path else ""
            return Response(302, headers={"Location": f"/#c-{fragment}" if fragment.isalnum() else "/"})
        return None

    def _render(self, template: str, **more: object) -> bytes:
        if self._templates is None:
            self._templates = _environment()
        return self._templates.get_template(template).render(**self._view(), **more).encode()

    def _version(self) -> tuple[int, ...]:
        sandbox = self._sandbox
        chat = sandbox.chat
        return (sandbox.store.version, sandbox.git.written, chat.posted, chat.edits, self._progress.version)

    def _changes(self) -> Iterator[bytes]:
        """An event whenever there is something new, and a comment now and then so that nobody hangs up."""
        seen: tuple[int, ...] = ()
        quiet = 0
        while not self._sandbox.stopping.is_set():
            version = self._version()
            quiet += 1
            if version != seen:
                seen, quiet = version, 0
                yield f"data: {'.'.join(map(str, version))}\n\n".encode()
            elif quiet * _TICK > 10:
                quiet = 0
                yield b": still here\n\n"
            self._sandbox.stopping.wait(_TICK)

    def _view(self) -> Mapping[str, Any]:
        scenes, current = self._progress.scenes, self._progress.current
        messages = self._sandbox.chat.messages
        return {
            "scenes": scenes,
            "current": current,
            "scene": scenes[current] if 0 <= current < len(scenes) else None,
            "finished": current >= len(scenes),
            "commits": self._commits(),
            "talks": [_talk(service, messages) for service in _SERVICES],
            "events": [_event(message) for message in messages if message.via == "generic"][::-1],
            "rows": self._rows(),
            "folder": manifests.FOLDER,
            "manifests": manifests.written(self._sandbox),
            "api_url": self._sandbox.api_url,
        }

    def _commits(self) -> list[Entry]:
        git = self._sandbox.git
        return [
            Entry(repository, commit, f"{git.url}/{repository}/commit/{commit.sha}", statuses, _combined(statuses))
            for repository, commit in git.commits()
            for statuses in [tuple(git.statuses(repository, commit.sha))]
        ]

    def _rows(self) -> list[Row]:
        kinds = {kind.kind: kind for kind in KINDS}
        return [_row(obj) for name in _SHOWN_KINDS for obj in self._sandbox.store.snapshot(kinds[name])[0].values()]


def _is_repository_page(path: str) -> bool:
    parts = path.strip("/").split("/")
    return len(parts) == 2 or (len(parts) == 4 and parts[2] == "commit")


def _talk(service: Service, messages: Sequence[Message]) -> Talk:
    """Messages in the order in which they were posted, each with what answers it."""
    said = [(f"{service.key}-{n}", m) for n, m in enumerate(messages) if m.via == service.key]

    def post(key: str, message: Message) -> Post:
        replies = tuple(post(k, m) for k, m in said if message.id and m.thread == message.id)
        return Post(key, message.at, service.cards(message.payload), message.edits, replies)

    return Talk(service, tuple(post(key, message) for key, message in said if not message.thread), len(said))


def _row(obj: Object) -> Row:
    status, metadata = obj.get("status", {}), obj["metadata"]
    ready, reconciling = condition(obj, "Ready"), condition(obj, "Reconciling")
    phase = str(reconciling.get("message", "")).partition(" for revision ")[0] if reconciling else ""
    revision = status.get("lastAppliedRevision") or status.get("artifact", {}).get("revision") or ""
    return Row(
        obj["kind"],
        metadata.get("namespace", ""),
        metadata["name"],
        str(ready.get("status", "")),
        str(ready.get("message", "")),
        phase,
        str(revision or status.get("lastAttemptedRevision", "")),
    )


def _combined(statuses: Sequence[Status]) -> str:
    states = {status.state for status in statuses}
    if states & {"failure", "error"}:
        return "failure"
    return "pending" if "pending" in states else "success" if states else "none"


def _event(message: Message) -> Mapping[str, str]:
    event = message.payload if isinstance(message.payload, dict) else {}
    about = event.get("involvedObject")
    about = about if isinstance(about, dict) else {}
    name = "/".join(str(about.get(field, "")) for field in ("kind", "namespace", "name"))
    return {
        "at": message.at,
        "about": name,
        "severity": str(event.get("severity", "")),
        "reason": str(event.get("reason", "")),
        "message": str(event.get("message", "")),
    }


def _headers(nonce: str) -> Mapping[str, str]:
    policy = (
        f"default-src 'none'; style-src-elem 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; "
        f"script-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {"Content-Security-Policy": policy, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("landed.sandbox", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["clock"] = _clock
    environment.filters["short"] = _short
    return environment


def _clock(time: str) -> str:
    """``09:15`` in the reader's eyes; the story's time is UTC."""
    try:
        return datetime.fromisoformat(time).strftime("%H:%M")
    except ValueError:
        return time


def _short(revision: str) -> str:
    """``main@81abb5bc`` of ``main@sha1:81abb5bc05…``."""
    name, at, digest = revision.rpartition("@")
    return f"{name}{at}{digest.rpartition(':')[2][:8]}" if at else revision
