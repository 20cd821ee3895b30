"""Alive, and ready."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from glam_shared.api import create_health_router
from glam_shared.errors import ServiceUnavailableError


async def passes() -> None:
    """Good."""


async def says_yes() -> bool:
    """Good, too."""
    return True


async def says_no() -> bool:
    """Bad."""
    return False


async def says_why() -> str:
    """Bad, and says why."""
    return "disk is full"


async def raises() -> None:
    """Bad, with something nobody outside should read."""
    raise RuntimeError("postgres://user:hunter2@db/")


async def raises_ours() -> None:
    """Bad, with a message meant to be read."""
    raise ServiceUnavailableError("broker is away")


async def hangs() -> None:
    """Never answers."""
    await asyncio.Event().wait()


async def hangs_and_ignores() -> None:
    """Never answers, and ignores its first cancellation."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()


async def test_alive_runs_no_check(app: FastAPI, client: httpx.AsyncClient) -> None:
    """`/health` is 200 whatever the checks say."""
    app.include_router(create_health_router("shop-service", {"db": raises}))

    answer = await client.get("/health")

    assert 200 == answer.status_code
    assert {"status", "service", "timestamp"} == set(answer.json()["data"])
    assert ("healthy", "shop-service") == (
        answer.json()["data"]["status"],
        answer.json()["data"]["service"],
    )


@pytest.mark.parametrize("checks", [{}, {"a": passes, "b": says_yes}])
async def test_ready_when_every_check_passes(
    app: FastAPI, client: httpx.AsyncClient, checks: dict[str, Any]
) -> None:
    """None and True pass."""
    app.include_router(create_health_router("shop-service", checks))

    answer = await client.get("/health/ready")

    assert 200 == answer.status_code
    assert "ready" == answer.json()["data"]["status"]
    assert {name: {"status": "ok", "reason": None} for name in checks} == (
        answer.json()["data"]["checks"]
    )


async def test_every_failing_check_says_why(app: FastAPI, client: httpx.AsyncClient) -> None:
    """503 with a reason each, within the time limit, and without an exception's own text."""
    checks: dict[str, Any] = {
        "ok": passes,
        "no": says_no,
        "why": says_why,
        "raises": raises,
        "ours": raises_ours,
        "hangs": hangs,
        "ignores": hangs_and_ignores,
        "sync": lambda: None,
    }
    app.include_router(create_health_router("shop-service", checks, timeout=0.5))

    async with asyncio.timeout(5):
        answer = await client.get("/health/ready")

    error = answer.json()["error"]
    assert (503, "NOT_READY") == (answer.status_code, error["code"])
    assert {
        "ok": {"status": "ok"},
        "no": {"status": "failed", "reason": "failed"},
        "why": {"status": "failed", "reason": "disk is full"},
        "raises": {"status": "failed", "reason": "RuntimeError"},
        "ours": {"status": "failed", "reason": "broker is away"},
        "hangs": {"status": "failed", "reason": "no answer within 0.5 s"},
        "ignores": {"status": "failed", "reason": "no answer within 0.5 s"},
        "sync": {"status": "failed", "reason": "TypeError"},
    } == error["details"]["checks"]
    assert "hunter2" not in answer.text


async def test_checks_run_at_once(app: FastAPI, client: httpx.AsyncClient) -> None:
    """Checks that wait for each other pass: none waits for its turn."""
    meeting = asyncio.Barrier(3)

    async def meet() -> None:
        await meeting.wait()

    app.include_router(create_health_router("shop-service", {str(n): meet for n in range(3)}))

    assert 200 == (await client.get("/health/ready")).status_code
