"""Every request: its ids, one log line, and an answer whatever goes wrong."""

from __future__ import annotations

import time

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glam_shared.api.access_log import AccessLog
from glam_shared.api.client_address import parse_networks
from glam_shared.api.error_answers import answer_error, log_failure
from glam_shared.api.json_body import StrictJsonBody, is_json
from glam_shared.api.openapi import complete_document
from glam_shared.api.request_scope import (
    CORRELATION_HEADER,
    REQUEST_HEADER,
    RequestScope,
    ids_of,
)
from glam_shared.api.route_table import known_method, route_template
from glam_shared.api.service_context import STATE_KEY, Service
from glam_shared.api.settings import HttpSettings, load_settings
from glam_shared.errors import ConfigurationError, GlamBaseError
from glam_shared.logging import create_logger

SERVICE_HEADER = b"x-service-name"
_OURS = frozenset({CORRELATION_HEADER, REQUEST_HEADER, SERVICE_HEADER})
# Not a status of HTTP: what access logs write when the client went away (nginx).
_CLIENT_WENT_AWAY = 499


def setup_middleware(app: FastAPI, service_name: str, settings: HttpSettings | None = None) -> None:
    """Give every request of *app* its ids, one log line and an `ApiResponse` for every error.

    Ids come from ``X-Correlation-ID`` and ``X-Request-ID`` when they are at most 128 characters of
    ``A-Za-z0-9._:-``, else they are new. Both are in the context, on the request's state, on
    every log line and on the answer, beside ``X-Service-Name``. Call it once, after other
    middleware that should be inside. Raises ConfigurationError at a second call, for a service
    name that cannot stand in a header, and for an unreadable ``GLAM_TRUSTED_PROXIES``.
    """
    if hasattr(app.state, "glam_service"):
        raise ConfigurationError("setup_middleware was already called for this application.")
    if not service_name or not service_name.isascii() or not service_name.isprintable():
        raise ConfigurationError(
            f"service_name is {service_name!r}: it must be printable ASCII, and not empty."
        )
    trusted = parse_networks(load_settings(settings).trusted_proxies)
    app.state.glam_service = Service(service_name, create_logger(service_name), trusted)
    install_error_handlers(app)
    complete_document(app)
    app.add_middleware(_RequestMiddleware, service=app.state.glam_service)


def install_error_handlers(app: FastAPI) -> None:
    """Answer the errors that reach the application itself as `ApiResponse`."""
    for kind in (GlamBaseError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    return answer_error(request, error)


class _RequestMiddleware:
    """Carries a request through the application.

    * gives it ids and a context, and takes them away again;
    * answers what nothing inside answered;
    * logs one line when the answer is out.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._name = service.name.encode("ascii")
        self._access_log = AccessLog(service.logger)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = scope["headers"]
        found = dict(headers)
        correlation_id, request_id = ids_of(found, headers)
        state = scope.setdefault("state", {})
        state["correlation_id"] = correlation_id
        state["request_id"] = request_id
        state[STATE_KEY] = self._service
        with RequestScope(correlation_id, request_id) as ids:
            if kind == "websocket":
                await self._app(scope, receive, send)
                return
            if b"content-type" in found and is_json(found[b"content-type"]):
                receive = StrictJsonBody(scope, receive)
            await _Exchange(self, scope, send, ids).run(receive)


class _Exchange:
    """One request and its answer."""

    __slots__ = (
        "_complete",
        "_ids",
        "_owner",
        "_root_path",
        "_scope",
        "_send",
        "_started",
        "_status",
    )

    def __init__(
        self, owner: _RequestMiddleware, scope: Scope, send: Send, ids: RequestScope
    ) -> None:
        self._owner = owner
        self._scope = scope
        self._root_path = scope.get("root_path", "")
        self._send = send
        self._ids = ids
        self._started = time.perf_counter()
        self._status: int | None = None
        self._complete = False

    async def run(self, receive: Receive) -> None:
        """Let the application answer; answer in its place what it lets out."""
        try:
            await self._owner._app(self._scope, receive, self.send)
        except ClientDisconnect:
            self._status = self._status or _CLIENT_WENT_AWAY
        except Exception as error:  # noqa: BLE001 - every error is answered
            await self._answer_error(error, receive)
        finally:
            if not self._complete:
                self._log_access()

    async def send(self, message: Message) -> None:
        """Add our headers on the way out; log when the last byte is out."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            theirs = message.get("headers", ())
            if not _OURS.isdisjoint(dict(theirs)):
                theirs = [pair for pair in theirs if pair[0] not in _OURS]
            message["headers"] = [
                *theirs,
                (CORRELATION_HEADER, self._ids.correlation_id.encode("ascii")),
                (REQUEST_HEADER, self._ids.request_id.encode("ascii")),
                (SERVICE_HEADER, self._owner._name),
            ]
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._complete = True
            self._log_access()

    async def _answer_error(self, error: Exception, receive: Receive) -> None:
        request = Request(self._scope)
        if self._status is None:
            response = answer_error(request, error)
            await response(self._scope, receive, self.send)
            return
        log_failure(request, error)
        # A background task that fails after the answer is logged, and there is nobody left to
        # tell. When half an answer is out, only breaking the connection tells the client.
        if not self._complete:
            raise error

    def _log_access(self) -> None:
        self._owner._access_log.write(
            known_method(self._scope["method"]),
            route_template(self._scope, self._root_path),
            self._status,
            int((time.perf_counter() - self._started) * 1e6) / 1000,
            self._ids,
        )
