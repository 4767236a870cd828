"""The whole sandbox: a cluster, a Git host and a chat inbox, up while the context lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from landed.sandbox import discordinbox, objects, slackinbox, teamsinbox
from landed.sandbox.api import KubernetesApi
from landed.sandbox.clock import Clock
from landed.sandbox.githost import API, GitHost
from landed.sandbox.inbox import GENERIC, Inbox
from landed.sandbox.kinds import KINDS, Kind
from landed.sandbox.store import Store
from landed.sandbox.web import Request, Response, Server, text_response

#: No secret: it opens nothing but a server on this machine that holds a story.
GIT_TOKEN = "sandbox-git-token"  # noqa: S105

_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: sandbox
clusters:
- name: sandbox
  cluster: {{server: "{url}"}}
users:
- name: sandbox
  user: {user}
contexts:
- name: sandbox
  context: {{cluster: sandbox, user: sandbox, namespace: flux-system}}
"""


class Sandbox:
    """Two servers on 127.0.0.1: a Kubernetes API, and everything people look at. Raises OSError if ``port`` is taken.

    The cluster asks for ``cluster_token`` if there is one. kubectl sends no credentials over plain HTTP, so by default
    there is none.
    """

    def __init__(
        self,
        port: int = 0,
        clock: Clock | None = None,
        cluster_token: str = "",
        kinds: Sequence[Kind] = KINDS,
    ) -> None:
        now = clock.now if clock else objects.now
        self.store = Store()
        self.git = GitHost(GIT_TOKEN, now)
        self.chat = Inbox(now)
        self.page: Callable[[Request], Response | None] = lambda _: None
        """What there is to look at; a story puts its page here."""
        self.stopping = threading.Event()
        self._site = Server(self._answer, port)
        self._cluster = Server(KubernetesApi(self.store, kinds, cluster_token).answer)
        self._cluster_token = cluster_token
        self.git.url = self._site.url

    @property
    def url(self) -> str:
        """Where repositories, and the page if there is one, are."""
        return self._site.url

    @property
    def api_url(self) -> str:
        """Where the Kubernetes API is."""
        return self._cluster.url

    @property
    def git_api_url(self) -> str:
        """Where the Git host's API is."""
        return self.url + API

    @property
    def slack_webhook(self) -> str:
        """Where Slack messages go."""
        return self.url + slackinbox.WEBHOOK

    @property
    def slack_api(self) -> str:
        """Where a Slack bot posts."""
        return self.url + slackinbox.POST

    @property
    def discord_webhook(self) -> str:
        """Where Discord messages go."""
        return self.url + discordinbox.WEBHOOK

    @property
    def teams_webhook(self) -> str:
        """Where the flow of Microsoft Teams is told."""
        return self.url + teamsinbox.WEBHOOK

    @property
    def generic_webhook(self) -> str:
        """Where Flux's event objects go."""
        return self.url + GENERIC

    @property
    def kubeconfig(self) -> str:
        """A kubeconfig for the cluster."""
        user = f'{{token: "{self._cluster_token}"}}' if self._cluster_token else "{}"
        return _KUBECONFIG.format(url=self.api_url, user=user)

    def __enter__(self) -> Self:
        self._site.start()
        self._cluster.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self.store.close()
        self._cluster.stop()
        self._site.stop()

    def _answer(self, request: Request) -> Response:
        if request.path.startswith(API + "/"):
            return self.git.answer(request)
        return self.chat.answer(request) or self.page(request) or text_response("Not Found", 404)
