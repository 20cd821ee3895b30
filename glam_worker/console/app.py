"""The console as a web application: the page, what it asks, and what it does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from glam_shared.errors import InfrastructureError
from glam_worker.console import acting, reading
from glam_worker.console.session import Session
from glam_worker.errors import NotThereError, UsageError

_PAGE = Path(__file__).with_name("page")
_ALWAYS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_READS = ("GET", "HEAD")


def console_app(session: Session) -> FastAPI:
    """The application of one session; it looks at the server as long as it is served."""

    @contextlib.asynccontextmanager
    async def watching(_app: FastAPI) -> AsyncIterator[None]:
        looking = asyncio.create_task(session.watch.run())
        try:
            yield
        finally:
            looking.cancel()
            await session.jobs.stop()

    app = FastAPI(title="glam-worker console", lifespan=watching, docs_url=None, redoc_url=None)
    app.state.session = session
    app.middleware("http")(_guarded)
    for error, status in ((NotThereError, 404), (UsageError, 422), (InfrastructureError, 503)):
        app.add_exception_handler(error, _said(status))
    app.include_router(reading.router)
    app.include_router(acting.router)
    app.mount("/", StaticFiles(directory=_PAGE, html=True))
    return app


async def _guarded(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Nobody comes by without a right to; the page itself holds no secret."""
    access = reading.session_of(request).access
    authorization = request.headers.get("Authorization")
    acts = request.method not in _READS
    allowed = (
        access.may_act(authorization)
        if acts
        else not request.url.path.startswith("/api")
        or access.may_read(authorization, request.headers.get("Host"))
    )
    response = await call_next(request) if allowed else _refused(acting=access.acting, acts=acts)
    response.headers.update(_ALWAYS)
    return response


def _refused(*, acting: bool, acts: bool) -> Response:
    if not acting and acts:
        return JSONResponse(
            {"error": "acting is off: start the console with GLAM_CONSOLE_TOKEN set"}, 403
        )
    return JSONResponse(
        {"error": "this needs the console's token"}, 401, {"WWW-Authenticate": "Bearer"}
    )


def _said(status: int) -> Callable[[Request, Exception], Response]:
    def said(_request: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, status)

    return said
