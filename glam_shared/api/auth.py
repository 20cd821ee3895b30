"""Who may ask: `setup_auth`, and the dependencies that answer 401 to everybody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, NoReturn

from fastapi import Depends, FastAPI
from fastapi.openapi.models import HTTPBearer as BearerScheme
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from glam_shared.api.bearer import NoBearerTokenError, bearer_token
from glam_shared.api.client_tokens import ClientTokens, TokenRejectedError
from glam_shared.api.route_table import dependencies_of
from glam_shared.api.service_context import service_logger
from glam_shared.api.service_keys import ServiceKeys
from glam_shared.api.settings import HttpSettings, load_settings
from glam_shared.errors import ConfigurationError, InternalError, UnauthorizedError


@dataclass(frozen=True, slots=True)
class ClientAuthContext:
    """A shop's own client: *shop* is the token's `sub`, *scope* its space-separated scopes."""

    shop: str
    scope: str
    token: str = field(repr=False)
    audience: Literal["client"] = "client"

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes one by one."""
        return frozenset(self.scope.split())


@dataclass(frozen=True, slots=True)
class InternalAuthContext:
    """Another service of the platform."""

    service: str
    token: str = field(repr=False)
    audience: Literal["internal"] = "internal"


@dataclass(frozen=True, slots=True)
class Authenticators:
    """What `setup_auth` leaves on the application; None where no secret is set."""

    client: ClientTokens | None
    internal: ServiceKeys | None


class _BearerDependency(SecurityBase):
    """A dependency that OpenAPI lists as a security scheme."""

    scheme_name: str
    variable: ClassVar[str]

    def __init__(self) -> None:
        self.model = BearerScheme()

    def is_set_up(self, authenticators: Authenticators) -> bool:
        raise NotImplementedError


class _ClientBearer(_BearerDependency):
    scheme_name = "ClientToken"
    variable = "CLIENT_JWT_SECRET"

    def is_set_up(self, authenticators: Authenticators) -> bool:
        return authenticators.client is not None

    async def __call__(self, request: Request) -> ClientAuthContext:
        tokens = _authenticators(request).client
        if tokens is None:
            raise _not_set_up(request, self.variable)
        try:
            token = bearer_token(request)
            claims = tokens.read(token)
        except (NoBearerTokenError, TokenRejectedError) as reason:
            _refuse(request, "client", reason)
        return ClientAuthContext(shop=claims["sub"], scope=claims.get("scope", ""), token=token)


class _InternalBearer(_BearerDependency):
    scheme_name = "ServiceKey"
    variable = "INTERNAL_JWT_SECRET"

    def is_set_up(self, authenticators: Authenticators) -> bool:
        return authenticators.internal is not None

    async def __call__(self, request: Request) -> InternalAuthContext:
        keys = _authenticators(request).internal
        if keys is None:
            raise _not_set_up(request, self.variable)
        try:
            token = bearer_token(request)
        except NoBearerTokenError as reason:
            _refuse(request, "internal", reason)
        service = keys.service_of(token)
        if service is None:
            _refuse(request, "internal", "key of no service")
        return InternalAuthContext(service=service, token=token)


_client_bearer = _ClientBearer()
_internal_bearer = _InternalBearer()

ClientAuthDep = Annotated[ClientAuthContext, Depends(_client_bearer)]
"""The client that a bearer JWT names; 401 for any other request."""

InternalAuthDep = Annotated[InternalAuthContext, Depends(_internal_bearer)]
"""The service that a bearer key belongs to; 401 for any other request."""


def setup_auth(app: FastAPI, settings: HttpSettings | None = None) -> None:
    """Give *app* the secrets of `ClientAuthDep` and `InternalAuthDep`.

    Raises ConfigurationError at this call when both secrets are missing or one is weak, and when
    the application starts with a route whose dependency has no secret.
    """
    settings = load_settings(settings)
    found = Authenticators(
        ClientTokens.from_settings(settings), ServiceKeys.from_settings(settings)
    )
    if found.client is None and found.internal is None:
        raise ConfigurationError(
            "CLIENT_JWT_SECRET and INTERNAL_JWT_SECRET are both missing. Set CLIENT_JWT_SECRET "
            "for routes with ClientAuthDep, INTERNAL_JWT_SECRET for those with InternalAuthDep.",
            config_key="CLIENT_JWT_SECRET",
        )
    app.state.glam_auth = found
    _check_at_start(app, found)


def _check_at_start(app: FastAPI, found: Authenticators) -> None:
    lifespan = app.router.lifespan_context

    @asynccontextmanager
    async def checked(running: Any) -> AsyncIterator[Any]:
        _check_routes(app, found)
        async with lifespan(running) as state:
            yield state

    app.router.lifespan_context = checked


def _check_routes(app: FastAPI, found: Authenticators) -> None:
    for path, call in dependencies_of(app):
        if isinstance(call, _BearerDependency) and not call.is_set_up(found):
            raise ConfigurationError(
                f"{call.variable} is missing, but the route {path} needs it. Set it.",
                config_key=call.variable,
            )


def _authenticators(request: Request) -> Authenticators:
    found = getattr(request.app.state, "glam_auth", None)
    return found if isinstance(found, Authenticators) else Authenticators(None, None)


def _not_set_up(request: Request, variable: str) -> InternalError:
    service_logger(request.scope).error(
        "A route asks for authentication that is not set up: set %s and call setup_auth(app)",
        variable,
    )
    return InternalError()


def _refuse(request: Request, audience: str, reason: object) -> NoReturn:
    service_logger(request.scope).warning(
        "Request not authenticated", extra={"audience": audience, "reason": str(reason)}
    )
    raise UnauthorizedError()
