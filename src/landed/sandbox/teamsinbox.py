"""The webhook of a Microsoft Teams Workflow, which takes a message with an Adaptive Card.

https://support.microsoft.com/office/create-incoming-webhooks-with-workflows-for-microsoft-teams-8ae491c7-0394-4861-ba59-055e33f75498
"""

from __future__ import annotations

import hmac

from landed.sandbox.kept import Kept, decoded
from landed.sandbox.web import Request, Response, json_response

_PATH = "/workflows/landed/triggers/manual/paths/invoke"
_SIGNATURE = "landed-demo"
WEBHOOK = f"{_PATH}?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={_SIGNATURE}"
CARD = "application/vnd.microsoft.card.adaptive"
#: Bytes of a message: https://learn.microsoft.com/microsoftteams/limits-specifications-teams
LARGEST = 28 * 1024


def answer(kept: Kept, request: Request) -> Response | None:
    """The answer to a request; None if the address is not the flow's."""
    if request.path != _PATH:
        return None
    if not hmac.compare_digest(request.query.get("sig", "").encode(), _SIGNATURE.encode()):
        return _no(401, "DirectApiAuthorizationRequired")
    payload = decoded(request)
    if request.method != "POST" or not _has_card(payload):
        return _no(400, "TriggerInputSchemaMismatch")
    if len(request.body) > LARGEST:
        return _no(413, "RequestEntityTooLarge")
    kept.post("msteams", payload, request.body)
    return Response(202)


def _has_card(payload: object) -> bool:
    """Whether there is a card, and nothing that the flow could not post."""
    attachments = payload.get("attachments") if isinstance(payload, dict) else None
    return (
        isinstance(attachments, list)
        and bool(attachments)
        and all(
            isinstance(a, dict) and a.get("contentType") == CARD and isinstance(a.get("content"), dict)
            for a in attachments
        )
    )


def _no(status: int, code: str) -> Response:
    return json_response({"error": {"code": code, "message": "The flow was not run."}}, status)
