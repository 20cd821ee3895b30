"""What the HTTP services of the platform share, on FastAPI: answers, errors, authentication,
webhooks, health, metrics, and a publisher that answers only when the broker has the event.

Needs the extra `http`: ``pip install 'glam-worker[http]'``.
"""

from __future__ import annotations

from glam_shared.api import extra as _extra  # noqa: F401 - first: its line is to be read
from glam_shared.api.auth import (
    ClientAuthContext,
    ClientAuthDep,
    InternalAuthContext,
    InternalAuthDep,
    setup_auth,
)
from glam_shared.api.broker_settings import BrokerSettings
from glam_shared.api.debug import setup_debug_handlers, setup_debug_middleware
from glam_shared.api.health import Check, create_health_router
from glam_shared.api.metrics import setup_metrics
from glam_shared.api.middleware import setup_middleware
from glam_shared.api.openapi import ErrorResponse
from glam_shared.api.pagination import Links, Pagination, PaginationDep, PaginationParams
from glam_shared.api.platform import PlatformContext, PlatformContextDep, ShopPlatform
from glam_shared.api.publishing import PublisherDep, PublisherLifespan
from glam_shared.api.request_publisher import RequestPublisher
from glam_shared.api.responses import (
    ApiResponse,
    ErrorDetail,
    Meta,
    create_response,
    error_response,
    paginated_response,
    success_response,
)
from glam_shared.api.service_context import LoggerDep, RequestContext, RequestContextDep
from glam_shared.api.settings import HttpSettings
from glam_shared.api.validation import validate_service_context, validate_shop_context
from glam_shared.api.webhooks import (
    WebhookHeaders,
    WebhookHeadersDep,
    parse_webhook_body,
    verify_webhook_signature,
    webhook_headers,
)

__all__ = [
    "ApiResponse",
    "BrokerSettings",
    "Check",
    "ClientAuthContext",
    "ClientAuthDep",
    "ErrorDetail",
    "ErrorResponse",
    "HttpSettings",
    "InternalAuthContext",
    "InternalAuthDep",
    "Links",
    "LoggerDep",
    "Meta",
    "Pagination",
    "PaginationDep",
    "PaginationParams",
    "PlatformContext",
    "PlatformContextDep",
    "PublisherDep",
    "PublisherLifespan",
    "RequestContext",
    "RequestContextDep",
    "RequestPublisher",
    "ShopPlatform",
    "WebhookHeaders",
    "WebhookHeadersDep",
    "create_health_router",
    "create_response",
    "error_response",
    "paginated_response",
    "parse_webhook_body",
    "setup_auth",
    "setup_debug_handlers",
    "setup_debug_middleware",
    "setup_metrics",
    "setup_middleware",
    "success_response",
    "validate_service_context",
    "validate_shop_context",
    "verify_webhook_signature",
    "webhook_headers",
]
