"""Requests and answers in full, for development only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glam_shared.api.error_observers import observe_errors
from glam_shared.api.masking import (
    MASK,
    is_secret_name,
    mask_body,
    mask_headers,
    mask_query,
    mask_value,
)
from glam_shared.api.middleware import install_error_handlers
from glam_shared.api.service_context import service_logger
from glam_shared.api.settings import HttpSettings, load_settings
from glam_shared.errors import ConfigurationError

DEFAULT_MAX_BODY = 4096


def setup_debug_middleware(
    app: FastAPI,
    *,
    debug: bool | None = None,
    max_body: int = DEFAULT_MAX_BODY,
    settings: HttpSettings | None = None,
) -> None:
    """Log each request and answer of *app* with headers and body, at most *max_body* bytes of each.

    ``Authorization``, cookies, signatures and fields named like secrets are masked. Call it before
    `setup_middleware`, so that its lines carry the request's ids. Raises ConfigurationError unless
    debugging is asked for: ``debug=True``, ``FastAPI(debug=True)`` or ``GLAM_HTTP_DEBUG=1``.
    """
    _require_debug(app, debug, settings, "setup_debug_middleware")
    app.add_middleware(_DebugMiddleware, max_body=max_body)


def setup_debug_handlers(
    app: FastAPI, *, debug: bool | None = None, settings: HttpSettings | None = None
) -> None:
    """Log each validation error of *app* with the input that caused it, secrets masked.

    The answers stay those of `setup_middleware`. Raises ConfigurationError as
    `setup_debug_middleware` does.
    """
    _require_debug(app, debug, settings, "setup_debug_handlers")
    install_error_handlers(app)
    observe_errors(app, _log_validation_error)


def _require_debug(
    app: FastAPI, debug: bool | None, settings: HttpSettings | None, caller: str
) -> None:
    asked = debug if debug is not None else app.debug or load_settings(settings).debug
    if asked is not True:
        raise ConfigurationError(
            f"{caller} logs requests in full and debugging is not set. "
            "Take the call out, or set GLAM_HTTP_DEBUG=1 (or debug=True) in development.",
            config_key="GLAM_HTTP_DEBUG",
        )


def _log_validation_error(request: Request, error: Exception) -> None:
    if not isinstance(error, RequestValidationError):
        return
    errors = [_masked_error(item) for item in error.errors()]
    service_logger(request.scope).info("Validation failed", extra={"errors": errors})


def _masked_error(item: Mapping[str, Any]) -> dict[str, Any]:
    # The name of the field in question stands in the location, not in the input.
    is_secret = any(is_secret_name(str(part)) for part in item.get("loc", ()))
    value = MASK if is_secret else mask_value(item.get("input"))
    return {**item, "input": value}


class _DebugMiddleware:
    """Watches what goes in and out."""

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self._app = app
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watched = _WatchedExchange(scope, receive, send, self._max_body)
        try:
            await self._app(scope, watched.receive, watched.send)
        finally:
            watched.log()


class _Seen:
    """The first bytes of a body, and how many there were."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = bytearray()
        self.total = 0

    def add(self, chunk: bytes) -> None:
        self.total += len(chunk)
        self._head += chunk[: max(0, self._limit - len(self._head))]

    def shown(self, content_type: str) -> object:
        return mask_body(bytes(self._head), content_type, total=self.total)


class _WatchedExchange:
    """One request and its answer, seen from outside."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body: int) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._request = _Seen(max_body)
        self._response = _Seen(max_body)
        self._status: int | None = None
        self._headers: list[tuple[bytes, bytes]] = []

    async def receive(self) -> Message:
        message = await self._receive()
        self._request.add(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = list(message.get("headers", ()))
        self._response.add(message.get("body", b""))
        await self._send(message)

    def log(self) -> None:
        logger = service_logger(self._scope)
        logger.info("Request in full", extra=self._request_fields())
        logger.info(
            "Answer in full",
            extra={
                "status": self._status,
                "headers": mask_headers(self._headers),
                "body": self._response.shown(_content_type(self._headers)),
            },
        )

    def _request_fields(self) -> dict[str, object]:
        headers = self._scope["headers"]
        return {
            "method": self._scope["method"],
            "path": self._scope["path"],
            "query": mask_query(self._scope["query_string"].decode("latin-1")),
            "headers": mask_headers(headers),
            "body": self._request.shown(_content_type(headers)),
        }


def _content_type(headers: list[tuple[bytes, bytes]]) -> str:
    found = (value for name, value in headers if name.lower() == b"content-type")
    return next(found, b"").decode("latin-1")
