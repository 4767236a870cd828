"""A chat inbox: Slack, Discord, Microsoft Teams and a plain webhook, each as far as messages go."""

from __future__ import annotations

from collections.abc import Callable

from landed.sandbox import discordinbox, slackinbox, teamsinbox
from landed.sandbox.kept import Kept, Message, decoded
from landed.sandbox.objects import now
from landed.sandbox.web import Request, Response, json_response

GENERIC = "/hooks/landed"


class Inbox:
    """What was said, oldest first. Safe to use from many threads."""

    def __init__(self, now: Callable[[], str] = now) -> None:
        self._kept = Kept(now)

    @property
    def messages(self) -> list[Message]:
        """Every message as it stands now, in the order in which they were posted."""
        return self._kept.messages

    @property
    def posted(self) -> int:
        """How many messages were posted."""
        return self._kept.posted

    @property
    def edits(self) -> int:
        """How often messages were edited."""
        return self._kept.edits

    def answer(self, request: Request) -> Response | None:
        """The answer to a request; None if the address is none of the inbox's."""
        for service in (slackinbox.answer, discordinbox.answer, teamsinbox.answer, _generic):
            response = service(self._kept, request)
            if response is not None:
                return response
        return None


def _generic(kept: Kept, request: Request) -> Response | None:
    if request.path != GENERIC:
        return None
    payload = decoded(request)
    if request.method != "POST" or payload is None:
        return json_response({"error": "send JSON"}, 400)
    kept.post("generic", payload, request.body)
    return json_response({})
