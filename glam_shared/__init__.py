"""What the services of the platform share: errors, correlation, logging, environment, keys.

`glam_shared.messaging` publishes and reads events; `glam_shared.api` (extra `http`) answers HTTP.
"""

from __future__ import annotations

from glam_shared.correlation import (
    correlation_scope,
    get_correlation_context,
    new_correlation_id,
    set_correlation_context,
)
from glam_shared.environment import load_root_env
from glam_shared.errors import (
    ConfigurationError,
    ConflictError,
    DomainError,
    ForbiddenError,
    GlamBaseError,
    InfrastructureError,
    InternalError,
    NotFoundError,
    RateLimitExceededError,
    RequestTimeoutError,
    ServiceUnavailableError,
    UnauthorizedError,
    ValidationError,
)
from glam_shared.idempotency import generate_idempotency_key
from glam_shared.logging import ServiceLogger, create_logger

__all__ = [
    "ConfigurationError",
    "ConflictError",
    "DomainError",
    "ForbiddenError",
    "GlamBaseError",
    "InfrastructureError",
    "InternalError",
    "NotFoundError",
    "RateLimitExceededError",
    "RequestTimeoutError",
    "ServiceLogger",
    "ServiceUnavailableError",
    "UnauthorizedError",
    "ValidationError",
    "correlation_scope",
    "create_logger",
    "generate_idempotency_key",
    "get_correlation_context",
    "load_root_env",
    "new_correlation_id",
    "set_correlation_context",
]
