"""Is the service alive, and can it do its work?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal, TypeAlias

from fastapi import APIRouter
from pydantic import BaseModel, Field

from glam_shared.api.responses import ApiResponse, success_response
from glam_shared.errors import GlamBaseError, ServiceUnavailableError

DEFAULT_TIMEOUT = 2.0

Check: TypeAlias = Callable[[], Awaitable[bool | str | None]]
"""Passes by returning None or True; fails by returning False or the reason, or by raising."""


class Health(BaseModel):
    """The service runs."""

    status: Literal["healthy"] = "healthy"
    service: str
    timestamp: datetime = Field(default_factory=lambda: datetime.now(UTC))


class CheckResult(BaseModel):
    """What one check found; *reason* of a failure only."""

    status: Literal["ok", "failed"]
    reason: str | None = None


class Readiness(BaseModel):
    """The service can take requests."""

    status: Literal["ready"] = "ready"
    service: str
    timestamp: datetime = Field(default_factory=lambda: datetime.now(UTC))
    checks: dict[str, CheckResult]


def create_health_router(
    service_name: str,
    checks: Mapping[str, Check] = MappingProxyType({}),
    *,
    timeout: float = DEFAULT_TIMEOUT,
) -> APIRouter:
    """``GET /health`` and ``GET /health/ready``.

    Readiness runs all *checks* at once, each for at most *timeout* seconds (default 2), and is 503
    ``NOT_READY`` with a reason for each that fails. Of an exception only the message of a
    GlamBaseError is told; of any other its type. Liveness runs no check, so that a broker that is
    away does not get the service killed.
    """
    router = APIRouter(tags=["health"])

    @router.get("/health")
    async def health() -> ApiResponse[Health]:
        return success_response(Health(service=service_name))

    @router.get("/health/ready")
    async def ready() -> ApiResponse[Readiness]:
        results = await _run_all(checks, timeout)
        if any(result.status == "failed" for result in results.values()):
            raise _not_ready(service_name, results)
        return success_response(Readiness(service=service_name, checks=results))

    return router


def _not_ready(service_name: str, results: Mapping[str, CheckResult]) -> ServiceUnavailableError:
    failed = ", ".join(name for name, result in results.items() if result.status == "failed")
    plain = {name: result.model_dump(exclude_none=True) for name, result in results.items()}
    details = {"status": "not_ready", "service": service_name, "checks": plain}
    error = ServiceUnavailableError(f"Not ready: {failed}", code="NOT_READY")
    error.details = details
    return error


async def _run_all(checks: Mapping[str, Check], limit: float) -> dict[str, CheckResult]:
    """Every check's result. One that ignores its cancellation is left behind, not waited for."""
    tasks = {name: asyncio.ensure_future(_call(check)) for name, check in checks.items()}
    if tasks:
        try:
            await asyncio.wait(tasks.values(), timeout=limit)
        finally:
            for task in tasks.values():
                task.cancel()
    return {name: _result(task, limit) for name, task in tasks.items()}


async def _call(check: Check) -> bool | str | None:
    return await check()


def _result(task: asyncio.Future[bool | str | None], limit: float) -> CheckResult:
    if not task.done():
        return CheckResult(status="failed", reason=f"no answer within {limit:g} s")
    if task.cancelled():
        return CheckResult(status="failed", reason="cancelled")
    error = task.exception()
    if error is not None:
        return CheckResult(status="failed", reason=_reason(error))
    found = task.result()
    if found is None or found is True:
        return CheckResult(status="ok")
    return CheckResult(status="failed", reason=found or "failed")


def _reason(error: BaseException) -> str:
    return error.message if isinstance(error, GlamBaseError) else type(error).__name__
