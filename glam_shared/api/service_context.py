"""What a request knows about the service it reached, and about itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection, Request
from starlette.types import Scope

from glam_shared.api.client_address import Network, client_address
from glam_shared.correlation import get_correlation_context, new_correlation_id
from glam_shared.logging import ServiceLogger, create_logger

STATE_KEY = "glam_service"


@dataclass(frozen=True, slots=True)
class Service:
    """The service as `setup_middleware` was told; every request's state leads to it."""

    name: str
    logger: ServiceLogger
    trusted_proxies: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestContext:
    """A request in short. *path* is as sent, decoded; *ip_client* None for a peer without one."""

    correlation_id: str
    method: str
    path: str
    content_type: str | None
    ip_client: str | None


def service_of(scope: Scope) -> Service:
    """The service that *scope* belongs to; a nameless one without `setup_middleware`."""
    service = scope.get("state", {}).get(STATE_KEY)
    return service if isinstance(service, Service) else _nameless()


def service_logger(scope: Scope) -> ServiceLogger:
    """The logger of the service that *scope* belongs to."""
    return service_of(scope).logger


@lru_cache(maxsize=1)
def _nameless() -> Service:
    return Service("http", create_logger("http"))


async def _read_logger(connection: HTTPConnection) -> ServiceLogger:
    return service_logger(connection.scope)


async def _read_context(request: Request) -> RequestContext:
    trusted = service_of(request.scope).trusted_proxies
    peer = request.client.host if request.client else None
    return RequestContext(
        correlation_id=get_correlation_context() or new_correlation_id(),
        method=request.method,
        path=request.scope["path"],
        content_type=request.headers.get("content-type"),
        ip_client=client_address(peer, request.headers.getlist("x-forwarded-for"), trusted),
    )


LoggerDep = Annotated[ServiceLogger, Depends(_read_logger)]
"""The logger of the service; its lines carry the request's ids by themselves."""

RequestContextDep = Annotated[RequestContext, Depends(_read_context)]
"""Ids, method, path, content type and address of the request."""
