"""Every error as an `ApiResponse`: what it says, and what it does not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from glam_shared.api.error_observers import tell_observers
from glam_shared.api.responses import error_response
from glam_shared.api.service_context import service_logger
from glam_shared.errors import GlamBaseError, InfrastructureError, UnauthorizedError

MAX_REPORTED_ERRORS = 50
_WITHOUT_BODY = frozenset({204, 205, 304})


class ErrorAnswer(NamedTuple):
    """What a client is told about an error."""

    status: int
    code: str
    message: str
    details: Any = None
    headers: Mapping[str, str] | None = None

    def response(self) -> Response:
        """The answer itself, with the ids of the current request."""
        if self.status in _WITHOUT_BODY:
            return Response(status_code=self.status, headers=self.headers)
        body = error_response(self.code, self.message, self.details)
        return Response(
            body.model_dump_json(),
            status_code=self.status,
            headers=self.headers,
            media_type="application/json",
        )


def answer_error(request: Request, error: Exception) -> Response:
    """The answer to *request*, which failed with *error*; what the service did wrong is logged."""
    tell_observers(request, error)
    log_failure(request, error)
    response = describe(error).response()
    if _leaves_body_unread(request, response):
        # Otherwise the server reads, and drops, all that the client still has to send.
        response.headers["Connection"] = "close"
    return response


def _leaves_body_unread(request: Request, response: Response) -> bool:
    is_http_1 = str(request.scope.get("http_version", "")).startswith("1")
    return is_http_1 and response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def log_failure(request: Request, error: Exception) -> None:
    """One line for an error of the service's own making, with its traceback.

    Without it for a dependency that is away: there the message says it all. A client's error is
    in the access line.
    """
    answer = describe(error)
    if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return
    logger = service_logger(request.scope)
    fields = {"error_type": type(error).__name__, "code": answer.code}
    if isinstance(error, InfrastructureError):
        logger.warning("Request failed: %s", error.message, extra=fields)
    else:
        logger.error("Request failed", extra=fields, exc_info=error)


def describe(error: Exception) -> ErrorAnswer:
    """What the client is told about *error*: of an unexpected one nothing but that it happened."""
    match error:
        case GlamBaseError():
            return _of_glam_error(error)
        case RequestValidationError():
            return _of_invalid_request(error.errors())
        case HTTPException():
            return _of_http_exception(error)
        case _:
            return ErrorAnswer(500, "INTERNAL_ERROR", "An unexpected error occurred")


def _of_glam_error(error: GlamBaseError) -> ErrorAnswer:
    status = error.status if 400 <= error.status <= 599 else 500
    headers = _headers_of(error, status)
    return ErrorAnswer(status, error.code, error.message, error.details or None, headers)


def _headers_of(error: GlamBaseError, status: int) -> dict[str, str]:
    headers = {}
    if isinstance(error, UnauthorizedError) or status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    retry_after = error.details.get("retry_after")
    if isinstance(retry_after, (int, float)) and math.isfinite(retry_after) and retry_after >= 0:
        headers["Retry-After"] = str(math.ceil(retry_after))
    return headers


def _of_http_exception(error: HTTPException) -> ErrorAnswer:
    status = error.status_code
    detail: Any = error.detail
    code, message, details = f"HTTP_{status}", _phrase(status), None
    if isinstance(detail, Mapping):
        code = str(detail.get("code") or code)
        message = str(detail.get("message") or message)
        details = detail.get("details", _without(detail, {"code", "message"}) or None)
    elif isinstance(detail, str):
        message = detail or message
    else:
        details = detail
    return ErrorAnswer(status, code, message, details, error.headers)


def _without(detail: Mapping[Any, Any], names: set[str]) -> dict[Any, Any]:
    return {key: value for key, value in detail.items() if key not in names}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _of_invalid_request(errors: Sequence[Any]) -> ErrorAnswer:
    # Neither `input` nor `ctx`: they would echo what was sent, secrets included.
    reported = [
        {
            "field": ".".join(str(part) for part in error.get("loc", ())),
            "message": error.get("msg", ""),
            "type": error.get("type", ""),
        }
        for error in errors[:MAX_REPORTED_ERRORS]
    ]
    details: dict[str, Any] = {"errors": reported}
    if len(errors) > MAX_REPORTED_ERRORS:
        details["more"] = len(errors) - MAX_REPORTED_ERRORS
    return ErrorAnswer(422, "VALIDATION_ERROR", "Request validation failed", details)
