"""Do the parts of a request speak of the same shop, and may the caller ask?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from glam_shared.api.auth import ClientAuthContext, InternalAuthContext
from glam_shared.api.platform import PlatformContext
from glam_shared.errors import DomainError, ForbiddenError, GlamBaseError, UnauthorizedError
from glam_shared.logging import ServiceLogger


def validate_shop_context(
    client_auth: ClientAuthContext,
    platform_ctx: PlatformContext,
    logger: ServiceLogger,
    body_platform: str | None = None,
    body_domain: str | None = None,
    expected_platform: str | None = None,
    expected_scope: str | None = None,
    webhook_payload: Mapping[str, Any] | None = None,
) -> None:
    """Raise unless token, headers and body agree on the shop; case is ignored throughout.

    In this order: 400 ``INVALID_PLATFORM``, 401 ``DOMAIN_MISMATCH``, 403 ``INVALID_SCOPE``,
    400 ``BODY_DOMAIN_MISMATCH``, 400 ``PLATFORM_MISMATCH``, 400 ``WEBHOOK_DOMAIN_MISMATCH``.
    What is None is not compared; a webhook without any domain neither.
    """
    shop = _Shop(platform_ctx, client_auth, logger)
    shop.require_platform(expected_platform)
    shop.require_token_domain()
    shop.require_scope(expected_scope)
    shop.require_body(body_domain, body_platform)
    shop.require_webhook(webhook_payload)


def validate_service_context(
    internal_auth: InternalAuthContext,
    logger: ServiceLogger,
    allowed_services: Collection[str] | None = None,
    operation: str | None = None,
) -> None:
    """Raise 403 ``SERVICE_NOT_ALLOWED`` unless the service is an allowed one (None: every one).

    The allowed services are logged, not answered.
    """
    if allowed_services is None or internal_auth.service in allowed_services:
        return
    logger.warning(
        "Service not allowed",
        extra={
            "caller": internal_auth.service,
            "operation": operation,
            "allowed_services": sorted(allowed_services),
        },
    )
    raise ForbiddenError(
        "This service may not do that", code="SERVICE_NOT_ALLOWED", required_permission=operation
    )


class _Shop:
    """One request's claims about a shop."""

    def __init__(
        self, platform_ctx: PlatformContext, client_auth: ClientAuthContext, logger: ServiceLogger
    ) -> None:
        self._header = platform_ctx
        self._token = client_auth
        self._logger = logger

    def require_platform(self, expected: str | None) -> None:
        if expected is not None and not _same(self._header.platform, expected):
            error = DomainError("The platform is not served here", code="INVALID_PLATFORM")
            self._refuse(error, expected, self._header.platform)

    def require_token_domain(self) -> None:
        if not _same(self._token.shop, self._header.domain):
            error = UnauthorizedError("The token is another shop's", code="DOMAIN_MISMATCH")
            self._refuse(error, self._token.shop, self._header.domain)

    def require_scope(self, expected: str | None) -> None:
        if expected is None:
            return
        if expected.lower() not in self._token.scope.lower().split():
            error = ForbiddenError("The token lacks the scope", code="INVALID_SCOPE")
            self._refuse(error, expected, self._token.scope)

    def require_body(self, domain: str | None, platform: str | None) -> None:
        if domain is not None and not _same(domain, self._header.domain):
            error = DomainError("The body is of another shop", code="BODY_DOMAIN_MISMATCH")
            self._refuse(error, self._header.domain, domain)
        if platform is not None and not _same(platform, self._header.platform):
            error = DomainError("The body is of another platform", code="PLATFORM_MISMATCH")
            self._refuse(error, self._header.platform, platform)

    def require_webhook(self, payload: Mapping[str, Any] | None) -> None:
        if payload is None:
            return
        domain = payload.get("myshopify_domain")
        if domain is None:
            domain = payload.get("domain")
        if domain is not None and not _same(domain, self._header.domain):
            error = DomainError("The webhook is of another shop", code="WEBHOOK_DOMAIN_MISMATCH")
            self._refuse(error, self._header.domain, domain)

    def _refuse(self, error: GlamBaseError, expected: object, found: object) -> NoReturn:
        self._logger.warning(
            "Shop context refused",
            extra={"code": error.code, "expected": str(expected), "found": str(found)[:256]},
        )
        raise error


def _same(one: object, other: object) -> bool:
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    return one.strip().lower() == other.strip().lower()
