"""Every refusal as an RFC 9457 problem document with a stable `code`.

A document never repeats what the caller sent beyond a field's name, and never shows a stack or SQL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from notifier.domain import errors
from notifier.domain.errors import FieldError

CONTENT_TYPE = "application/problem+json"
#: At most this many wrong fields are listed; the rest are counted.
MAX_ERRORS = 100
_MAX_NAME = 64

#: Every code of a whole answer: its status and what it means. Field codes are the checks' own.
CODES: dict[str, tuple[int, str]] = {
    "bad_request": (400, "The request is not well-formed HTTP"),
    "invalid_json": (400, "The body is not JSON that can be stored"),
    "invalid_header": (400, "A header has a form that is not allowed"),
    "invalid_cursor": (400, "The cursor is not one that this query gave"),
    "unauthorized": (401, "A valid API key is needed"),
    "forbidden": (403, "The API key does not allow this"),
    "forged_receipt": (403, "The receipt is not signed by the provider, or was changed on its way"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "The method is not allowed here"),
    "request_timeout": (408, "The body did not arrive in time"),
    "conflict": (409, "The present state does not allow it"),
    "too_late": (409, "It is too late to cancel"),
    "not_held": (409, "Only a held notification can be resolved"),
    "idempotency_key_in_use": (409, "The first request with this Idempotency-Key is still running"),
    "body_too_large": (413, "The body is larger than is allowed"),
    "unsupported_media_type": (415, "The Content-Type is not one that is read here"),
    "unsupported_content_encoding": (415, "The Content-Encoding is not one that is read here"),
    "invalid_request": (422, "Some fields are wrong"),
    "idempotency_key_reused": (422, "The Idempotency-Key was used with another body"),
    "rate_limited": (429, "The tenant's quota is used up for now"),
    "headers_too_large": (431, "The request line or the headers are too large"),
    "internal_error": (500, "Something went wrong on our side"),
    "unavailable": (503, "The service can't do this right now"),
    "backlog_full": (503, "Too much is waiting for this priority"),
    "outcome_unknown": (503, "It may have been accepted: ask again with the same Idempotency-Key"),
}


@dataclass
class Problem(Exception):
    """One answer to a request that can't be served; raise it anywhere below the middlewares."""

    code: str
    detail: str = ""
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    close: bool = False

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return CODES[self.code][0]

    def document(self, request_id: str | None) -> dict[str, Any]:
        """The problem as JSON values."""
        status, title = CODES[self.code]
        made: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "code": self.code}
        if self.detail:
            made["detail"] = self.detail
        if self.errors:
            made["errors"] = field_errors(self.errors)
        if len(self.errors) > MAX_ERRORS:
            made["errors_left_out"] = len(self.errors) - MAX_ERRORS
        made.update(self.extra)
        if request_id is not None:
            made["request_id"] = request_id
        return made

    def response(self, request_id: str | None) -> web.Response:
        """The problem as an answer."""
        answer = web.Response(
            status=self.status,
            body=msgspec.json.encode(self.document(request_id)),
            content_type=CONTENT_TYPE,
            headers=dict(self.headers),
        )
        if self.close:
            answer.force_close()
        return answer


def field_errors(found: Sequence[FieldError]) -> list[dict[str, str]]:
    """Wrong fields as ``[{pointer, code, detail}]``, names of fields cut to 64 characters."""
    return [
        {"pointer": shorten_pointer(error.pointer), "code": error.code, "detail": error.detail}
        for error in found[:MAX_ERRORS]
    ]


def shorten_pointer(pointer: str) -> str:
    """A pointer whose steps are no longer than 64 characters each."""
    return "/".join(shorten(step) for step in pointer.split("/"))


def shorten(name: str) -> str:
    """A name that came from outside, cut to 64 characters."""
    return name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…"


#: The code of each error of the domain; the nearest class counts. The last three never come this far,
#: and are our own fault if they do.
CODE_OF: dict[type[errors.NotifierError], str] = {
    errors.InvalidInput: "invalid_request",
    errors.InvalidFields: "invalid_request",
    errors.NotFound: "not_found",
    errors.Conflict: "conflict",
    errors.TooLate: "too_late",
    errors.NotHeld: "not_held",
    errors.KeyReused: "idempotency_key_reused",
    errors.KeyInUse: "idempotency_key_in_use",
    errors.Unavailable: "unavailable",
    errors.BacklogFull: "backlog_full",
    errors.OutcomeUnknown: "outcome_unknown",
    errors.RenderError: "internal_error",
    errors.NotConfirmed: "internal_error",
    errors.NotifierError: "internal_error",
}


def problem_of(error: errors.NotifierError) -> Problem:
    """The one answer to each error of the domain."""
    code = next(CODE_OF[kind] for kind in type(error).__mro__ if kind in CODE_OF)
    match error:
        case errors.InvalidFields():
            return Problem(code, "some fields are wrong", error.errors)
        case errors.InvalidInput():
            return Problem(code, error.detail, [error.at("")])
        case errors.Conflict():
            return Problem(code, str(error), extra={"state": str(error.status)})
        case errors.Unavailable():
            return Problem(code, str(error), headers={"Retry-After": str(max(1, error.retry_after))})
        case errors.KeyInUse() | errors.OutcomeUnknown():
            return Problem(code, headers={"Retry-After": "1"})
        case _:
            return Problem(code)


def problem_of_http(error: web.HTTPException) -> Problem:
    """The answer to what aiohttp itself refuses: no such path, another method, a body too large."""
    match error:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return Problem("method_not_allowed", f"allowed: {allowed}", headers={"Allow": allowed})
        case web.HTTPNotFound():
            return Problem("not_found")
        case web.HTTPRequestEntityTooLarge():
            return Problem("body_too_large", close=True)
        case _ if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Problem("bad_request")
        case _:
            return Problem("internal_error")
