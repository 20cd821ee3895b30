"""What Prometheus sees of an HTTP service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from prometheus_client import REGISTRY, CollectorRegistry, Counter

from glam_shared.api import setup_metrics, setup_middleware


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry of the test's own."""
    return CollectorRegistry()


@pytest.fixture
def app(registry: CollectorRegistry) -> FastAPI:
    """An application that is measured."""
    application = FastAPI()
    setup_middleware(application, service_name="shop-service")
    setup_metrics(application, registry=registry)

    @application.get("/items/{item}")
    async def item(item: str) -> str:
        return item

    @application.get("/fail")
    async def fail() -> None:
        raise RuntimeError("x")

    return application


async def test_requests_are_counted_by_route_template(
    app: FastAPI, client: httpx.AsyncClient, registry: CollectorRegistry
) -> None:
    """Method, template and status; no path, and no word that a client made up."""
    for path in ("/items/1", "/items/2", "/fail", "/nowhere/1", "/nowhere/2"):
        await client.get(path)
    await client.request("BREW", "/items/1")

    def count(**labels: str) -> float | None:
        return registry.get_sample_value("glam_http_requests_total", labels)

    assert 2 == count(method="GET", route="/items/{item}", status="200")
    assert 1 == count(method="GET", route="/fail", status="500")
    assert 2 == count(method="GET", route="unmatched", status="404")
    assert 1 == count(method="OTHER", route="/items/{item}", status="405")
    text = (await client.get("/metrics")).text
    assert "nowhere" not in text
    assert "BREW" not in text
    assert (
        'glam_http_request_duration_seconds_count{method="GET",route="/items/{item}"} 2.0' in text
    )


async def test_requests_in_hand_are_counted_by_route(
    app: FastAPI, client: httpx.AsyncClient, registry: CollectorRegistry
) -> None:
    """A request in hand counts under its route until its last byte is out, then as 0."""
    started, go_on = asyncio.Event(), asyncio.Event()

    @app.get("/slow/{name}")
    async def slow(name: str) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            started.set()
            await go_on.wait()
            yield b"x"

        return StreamingResponse(pieces())

    def in_hand() -> float | None:
        labels = {"method": "GET", "route": "/slow/{name}"}
        return registry.get_sample_value("glam_http_requests_in_flight", labels)

    asking = asyncio.create_task(client.get("/slow/1"))
    await started.wait()
    during = in_hand()
    go_on.set()
    await asking

    assert (1, 0) == (during, in_hand())


async def test_metrics_show_the_process_s_own_families(connect: Any) -> None:
    """By default all families of the process are shown; two applications share ours."""
    first, second = FastAPI(), FastAPI()
    setup_metrics(first)
    setup_metrics(second)
    name = "glam_test_of_http_metrics"
    mine = Counter(name, "A family of somebody else's.")
    try:
        answer = await connect(second).get("/metrics")
        assert f"{name}_total 0.0" in answer.text
        assert "text/plain" in answer.headers["content-type"]
        assert "# TYPE glam_http_requests_in_flight gauge" in answer.text
    finally:
        REGISTRY.unregister(mine)


async def test_an_error_that_nobody_answers_counts_as_500(connect: Any) -> None:
    """Without setup_middleware, or outside it, a failed request is a 500 all the same."""
    registry = CollectorRegistry()
    app = FastAPI()
    setup_metrics(app, registry=registry)

    @app.get("/fail")
    async def fail() -> None:
        raise RuntimeError("x")

    with pytest.raises(RuntimeError):
        await connect(app).get("/fail")

    labels = {"method": "GET", "route": "/fail", "status": "500"}
    assert 1 == registry.get_sample_value("glam_http_requests_total", labels)
