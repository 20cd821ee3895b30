"""Who wants to see every error that is answered; nobody, unless debugging is set up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from fastapi import FastAPI
from starlette.requests import Request

from glam_shared.api.service_context import service_logger

ErrorObserver: TypeAlias = Callable[[Request, Exception], None]


def observe_errors(app: FastAPI, observer: ErrorObserver) -> None:
    """Show *observer* every error that *app* answers from now on."""
    app.state.glam_error_observers = (*_observers(app), observer)


def tell_observers(request: Request, error: Exception) -> None:
    """Show *error* to every observer of the request's application."""
    for observe in _observers(request.app):
        try:
            observe(request, error)
        except Exception:  # noqa: BLE001 - whoever looks on must not spoil the answer
            service_logger(request.scope).exception("An observer of errors failed")


def _observers(app: FastAPI) -> tuple[ErrorObserver, ...]:
    found: tuple[ErrorObserver, ...] = getattr(app.state, "glam_error_observers", ())
    return found
