"""API failures as exceptions that know their HTTP code and Kubernetes reason.

Controllers catch them by class; the HTTP layer turns any of them into a ``Status`` object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class ApiError(Exception):
    """A refused request. ``details`` is what ``Status.details`` gets (causes, retryAfterSeconds, ...)."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = ""

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})

    def status(self) -> dict[str, Any]:
        """Without what is empty: errors that have no kind of their own have no reason on real servers either."""
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": {key: value for key, value in self.details.items() if value != ""},
            "code": self.code,
        }
        return {key: value for key, value in status.items() if value or key == "metadata"}


class BadRequest(ApiError):
    code = 400
    reason = "BadRequest"


class Unauthorized(ApiError):
    code = 401
    reason = "Unauthorized"


class Forbidden(ApiError):
    code = 403
    reason = "Forbidden"


class NotFound(ApiError):
    code = 404
    reason = "NotFound"


class MethodNotAllowed(ApiError):
    code = 405
    reason = "MethodNotAllowed"


class NotAcceptable(ApiError):
    code = 406
    reason = "NotAcceptable"


class AlreadyExists(ApiError):
    code = 409
    reason = "AlreadyExists"


class Conflict(ApiError):
    code = 409
    reason = "Conflict"


class Gone(ApiError):
    """The event history no longer reaches back to the asked resourceVersion: list again."""

    code = 410
    reason = "Expired"


class UnsupportedMediaType(ApiError):
    code = 415
    reason = "UnsupportedMediaType"


class Invalid(ApiError):
    code = 422
    reason = "Invalid"


class TooManyRequests(ApiError):
    code = 429
    reason = "TooManyRequests"


class WebhookFailed(ApiError):
    """An admission webhook with failurePolicy Fail had nobody to answer it."""

    code = 500
    reason = "InternalError"


def not_found(group: str, plural: str, name: str) -> NotFound:
    full = f"{plural}.{group}" if group else plural
    return NotFound(f'{full} "{name}" not found', {"name": name, "group": group, "kind": plural})


def conflict(group: str, plural: str, name: str) -> Conflict:
    full = f"{plural}.{group}" if group else plural
    return Conflict(
        f'Operation cannot be fulfilled on {full} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again",
        {"name": name, "group": group, "kind": plural},
    )


def invalid(kind: str, name: str, causes: Sequence[tuple[str, str]]) -> Invalid:
    """``causes``: (field, message) pairs, as kubectl prints them."""
    told = ", ".join(f"{field}: {message}" for field, message in causes)
    rows = [{"reason": "FieldValueInvalid", "message": m, "field": f} for f, m in causes]
    return Invalid(f'{kind} "{name}" is invalid: {told}', {"name": name, "kind": kind, "causes": rows})
