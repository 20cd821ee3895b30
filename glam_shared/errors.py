"""The errors every service raises, answers and logs in one way.

::

    GlamBaseError                   INTERNAL_ERROR        500
    ├── InfrastructureError         INFRASTRUCTURE_ERROR  503   worth another try
    │   ├── ServiceUnavailableError SERVICE_UNAVAILABLE   503
    │   └── RequestTimeoutError     TIMEOUT               504
    ├── DomainError                 DOMAIN_ERROR          400   another try changes nothing
    │   ├── ValidationError         VALIDATION_ERROR      422
    │   ├── NotFoundError           NOT_FOUND             404
    │   ├── ConflictError           CONFLICT              409
    │   ├── UnauthorizedError       UNAUTHORIZED          401
    │   ├── ForbiddenError          FORBIDDEN             403
    │   └── RateLimitExceededError  RATE_LIMITED          429   may be tried after `retry_after`
    ├── InternalError               INTERNAL_ERROR        500
    └── ConfigurationError          CONFIGURATION_ERROR   500
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypedDict, Unpack

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
    "ServiceUnavailableError",
    "UnauthorizedError",
    "ValidationError",
]


class ErrorOptions(TypedDict, total=False):
    """What every error takes beside its message and its own keywords."""

    code: str | None
    status: int | None
    details: Mapping[str, Any] | None
    cause: BaseException | None


def _with_details(options: ErrorOptions, **extra: Any) -> ErrorOptions:
    """*options* with *extra* among the details; only None is left out, 0, "" and False are kept."""
    details = dict(options.get("details") or {})
    details.update((key, value) for key, value in extra.items() if value is not None)
    return {**options, "details": details}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _unpickle(
    kind: type[GlamBaseError], args: tuple[Any, ...], state: dict[str, Any]
) -> GlamBaseError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class GlamBaseError(Exception):
    """Root of the tree.

    `code` and `status` (HTTP) default to those of the class; `details` is copied, never changed;
    `cause` becomes `__cause__`.
    """

    default_code: ClassVar[str] = "INTERNAL_ERROR"
    default_status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        details: Mapping[str, Any] | None = None,
        cause: BaseException | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = self.default_code if code is None else code
        self.status = self.default_status if status is None else status
        self.details: dict[str, Any] = dict(details or {})
        if cause is not None:
            self.__cause__ = cause

    def to_dict(self) -> dict[str, Any]:
        """`code` and `message`, and `details` when there are any."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        return {**body, "details": dict(self.details)} if self.details else body

    def __reduce__(self) -> tuple[Any, ...]:
        # BaseException would call the class with `args`, which keyword-only signatures refuse.
        return _unpickle, (type(self), self.args, self.__dict__)


class InfrastructureError(GlamBaseError):
    """Something the service stands on failed; the worker tries again while `retryable` is true."""

    default_code = "INFRASTRUCTURE_ERROR"
    default_status = 503

    def __init__(
        self,
        message: str,
        *,
        service: str | None = None,
        retryable: bool = True,
        **options: Unpack[ErrorOptions],
    ) -> None:
        super().__init__(message, **_with_details(options, service=service, retryable=retryable))
        self.retryable = retryable


class ServiceUnavailableError(InfrastructureError):
    """Another service does not answer."""

    default_code = "SERVICE_UNAVAILABLE"


class RequestTimeoutError(InfrastructureError):
    """A call took longer than `timeout_seconds`."""

    default_code = "TIMEOUT"
    default_status = 504

    def __init__(
        self,
        message: str,
        *,
        timeout_seconds: float | None = None,
        operation: str | None = None,
        service: str | None = None,
        retryable: bool = True,
        **options: Unpack[ErrorOptions],
    ) -> None:
        merged = _with_details(options, timeout_seconds=timeout_seconds, operation=operation)
        super().__init__(message, service=service, retryable=retryable, **merged)


class DomainError(GlamBaseError):
    """The request or event itself is wrong; the worker does not try it again."""

    default_code = "DOMAIN_ERROR"
    default_status = 400


class ValidationError(DomainError):
    """A value is not acceptable; `value` is kept as text."""

    default_code = "VALIDATION_ERROR"
    default_status = 422

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        value: object = None,
        **options: Unpack[ErrorOptions],
    ) -> None:
        super().__init__(message, **_with_details(options, field=field, value=_text(value)))


class NotFoundError(DomainError):
    """The thing asked for does not exist; `resource_id` is kept as text."""

    default_code = "NOT_FOUND"
    default_status = 404

    def __init__(
        self,
        message: str,
        *,
        resource: str | None = None,
        resource_id: object = None,
        **options: Unpack[ErrorOptions],
    ) -> None:
        merged = _with_details(options, resource=resource, resource_id=_text(resource_id))
        super().__init__(message, **merged)


class ConflictError(DomainError):
    """The request does not fit the present state."""

    default_code = "CONFLICT"
    default_status = 409

    def __init__(
        self,
        message: str,
        *,
        conflicting_resource: Any = None,
        current_state: Any = None,
        **options: Unpack[ErrorOptions],
    ) -> None:
        merged = _with_details(
            options, conflicting_resource=conflicting_resource, current_state=current_state
        )
        super().__init__(message, **merged)


class UnauthorizedError(DomainError):
    """Nobody knows who is asking."""

    default_code = "UNAUTHORIZED"
    default_status = 401

    def __init__(
        self,
        message: str = "Authentication required",
        *,
        auth_type: str | None = None,
        **options: Unpack[ErrorOptions],
    ) -> None:
        super().__init__(message, **_with_details(options, auth_type=auth_type))


class ForbiddenError(DomainError):
    """Who is asking may not do this."""

    default_code = "FORBIDDEN"
    default_status = 403

    def __init__(
        self,
        message: str = "Insufficient permissions",
        *,
        required_permission: str | None = None,
        resource: str | None = None,
        **options: Unpack[ErrorOptions],
    ) -> None:
        merged = _with_details(options, required_permission=required_permission, resource=resource)
        super().__init__(message, **merged)


class RateLimitExceededError(DomainError):
    """Too many calls; `retry_after` in seconds, the worker tries again no earlier."""

    default_code = "RATE_LIMITED"
    default_status = 429

    def __init__(
        self,
        message: str = "Rate limit exceeded",
        *,
        limit: int | None = None,
        window: Any = None,
        retry_after: float | None = None,
        **options: Unpack[ErrorOptions],
    ) -> None:
        merged = _with_details(options, limit=limit, window=window, retry_after=retry_after)
        super().__init__(message, **merged)
        self.retry_after = retry_after


class InternalError(GlamBaseError):
    """A fault of the service's own; `error_id` finds it in the log."""

    def __init__(
        self,
        message: str = "An unexpected error occurred",
        *,
        error_id: str | None = None,
        **options: Unpack[ErrorOptions],
    ) -> None:
        super().__init__(message, **_with_details(options, error_id=error_id))


class ConfigurationError(GlamBaseError):
    """A setting is missing or wrong."""

    default_code = "CONFIGURATION_ERROR"

    def __init__(
        self,
        message: str,
        *,
        config_key: str | None = None,
        expected_value: Any = None,
        **options: Unpack[ErrorOptions],
    ) -> None:
        merged = _with_details(options, config_key=config_key, expected_value=expected_value)
        super().__init__(message, **merged)
