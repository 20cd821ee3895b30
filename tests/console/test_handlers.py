"""Handlers in the console, with a real worker."""

from __future__ import annotations

from typing import Any

import httpx
from pydantic import BaseModel

from glam_shared.messaging import JetStreamClient
from glam_worker.testing import Registry, WorkerFactory
from tests.console.conftest import BEARER, TOKEN, browsing, session_of

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    id: int


async def test_a_handler_at_work(client: JetStreamClient, worker: WorkerFactory) -> None:
    """
    A handler is shown with what it did, and its last hour as samples; it can be paused and
    resumed.
    """
    registry = Registry()

    @registry.on(SUBJECT, Order)
    async def ship(order: Order) -> None: ...

    bench = await worker(registry)
    session = session_of(client, TOKEN)
    async for web in browsing(session):
        await bench.finished(await bench.publish(SUBJECT, Order(id=1)))
        await session.watch.look()
        (one,) = (await web.get("/api/overview")).json()["handlers"]
        path = f"/api/handlers/{one['service']}/ship"
        told = (await web.get(path)).json()
        paused = await _post(web, f"{path}/pause", {"seconds": 600})
        assert paused["handler"]["paused"]
        assert 500 < paused["handler"]["paused_for"] <= 600
        resumed = await _post(web, f"{path}/resume", {})

    assert ("ship", 0, 0) == (one["handler"], one["pending"], one["in_flight"])
    first, second = told["samples"]
    assert first["rate"] is None
    assert second["rate"] > 0
    assert not resumed["handler"]["paused"]


async def _post(web: httpx.AsyncClient, path: str, body: dict[str, float]) -> dict[str, Any]:
    answer = await web.post(path, json=body, headers=BEARER)
    assert 200 == answer.status_code, answer.text
    told: dict[str, Any] = (await web.get(path.rpartition("/")[0])).json()
    return told


async def test_no_server(nats_url: str) -> None:
    """
    A look that fails is told as a problem beside the look before.
    """
    client = JetStreamClient()
    await client.connect(nats_url)
    async for web in browsing(session_of(client, None)):
        before = (await web.get("/api/overview")).json()
        await client.close()
        session = web._transport.app.state.session  # type: ignore[attr-defined]
        await session.watch.look()
        after = (await web.get("/api/overview")).json()

    assert before["problem"] is None
    assert after["problem"]
    assert before["at"] == after["at"]
