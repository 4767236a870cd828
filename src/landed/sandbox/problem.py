"""What a Kubernetes API server answers when it refuses: Status objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landed.sandbox.web import Response, json_response

#: What the first words of a complaint about a field are called.
_REASONS = {"Required value": "FieldValueRequired", "Forbidden": "FieldValueForbidden"}


class Problem(Exception):
    """A refusal: ``code`` is the HTTP status, ``reason`` Kubernetes' own word for it."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, object] | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": dict(metadata or {}),
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": dict(details or {}),
            "code": code,
        }
        if not details:
            del self.status["details"]


def problem_response(problem: Problem) -> Response:
    """The answer a client gets for ``problem``."""
    wait = problem.status.get("details", {}).get("retryAfterSeconds")
    return json_response(problem.status, problem.code, {"Retry-After": str(wait)} if wait else None)


def not_found(resource: str, group: str, name: str) -> Problem:
    """There is no such object."""
    message = f'{qualified(resource, group)} "{name}" not found'
    return Problem(404, "NotFound", message, details={"name": name, "group": group, "kind": resource})


def already_exists(resource: str, group: str, name: str) -> Problem:
    """An object of that name is there already."""
    message = f'{qualified(resource, group)} "{name}" already exists'
    return Problem(409, "AlreadyExists", message, details={"name": name, "group": group, "kind": resource})


def conflict(resource: str, group: str, name: str, why: str = "") -> Problem:
    """Somebody else changed the object in the meantime."""
    why = why or ("the object has been modified; please apply your changes to the latest version and try again")
    message = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {why}'
    return Problem(409, "Conflict", message, details={"name": name, "group": group, "kind": resource})


def bad_request(message: str) -> Problem:
    """The request makes no sense."""
    return Problem(400, "BadRequest", message)


def invalid(kind: str, group: str, name: str, field: str, why: str) -> Problem:
    """The object makes no sense: ``why`` says what is wrong with ``field``."""
    reason = _REASONS.get(why.partition(":")[0], "FieldValueInvalid")
    cause = {"reason": reason, "message": why, "field": field}
    details = {"group": group, "kind": kind, "causes": [cause]} | ({"name": name} if name else {})
    message = f'{qualified(kind, group)} "{name}" is invalid: {field}: {why}'
    return Problem(422, "Invalid", message, details=details)


def expired(message: str, token: str = "") -> Problem:
    """What was asked for is too long ago; ``token`` goes on from now."""
    metadata = {"continue": token} if token else None
    return Problem(410, "Expired", message, metadata=metadata)


def too_new(asked: int, current: int) -> Problem:
    """A version from the future."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details = {"causes": [cause], "retryAfterSeconds": 1}
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return Problem(504, "Timeout", message, details=details)


def qualified(resource: str, group: str) -> str:
    """``kustomizations.kustomize.toolkit.fluxcd.io``, or ``pods`` in the core group."""
    return f"{resource}.{group}" if group else resource
