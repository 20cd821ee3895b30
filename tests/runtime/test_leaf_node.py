"""A worker at a leaf node, whose streams are in the hub's JetStream domain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from glam_shared.messaging import EventEnvelope, JetStreamClient
from glam_worker import EventContext, Retry
from glam_worker.runtime import settlement
from glam_worker.testing import WorkerFactory
from tests.messaging.leaf_nodes import Servers, hub_and_leaf, linked

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


BODY = EventEnvelope.create(SUBJECT, Order(), source_service="till", event_id="e1").to_bytes()
"""One event, as its service might publish it more than once."""


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with hub_and_leaf(tmp_path) as servers:
        yield servers


async def ready_for(servers: Servers) -> None:
    """Return once the leaf reaches the hub."""
    async with JetStreamClient() as client:
        await client.connect(servers.leaf.url, domain="hub")
        await linked(client)


async def test_an_idempotent_handler_works_at_a_leaf(
    worker: WorkerFactory, servers: Servers
) -> None:
    """An event published twice is handled once, after a retry: claims are written at the hub."""
    ran: list[int] = []

    @worker.on(SUBJECT, Order, idempotent=True)
    async def place(order: Order, event: EventContext) -> None:
        ran.append(event.attempt)
        if event.attempt == 1:
            raise Retry

    await ready_for(servers)
    async with worker(servers=servers.leaf.url, js_domain="hub") as bench:
        await bench.finished(await bench.publish_raw(SUBJECT, BODY))
        settled = await bench.settled(await bench.publish_raw(SUBJECT, BODY))

    assert ran == [1, 2]
    assert settled.outcome == "duplicate"


async def test_what_only_the_leaf_stored_is_not_parked(
    worker: WorkerFactory, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leaf has streams of the same names, and stores a retry while the hub is away: the event
    is kept, and its retry is run when the hub is back."""
    monkeypatch.setattr(settlement, "REFUSED_DELAY", 0.2)
    running, away = asyncio.Event(), asyncio.Event()
    ran: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        ran.append(event.attempt)
        if event.attempt == 1:
            running.set()
            await away.wait()
            raise Retry

    async with JetStreamClient() as own:
        await own.connect(servers.leaf.url)
        await own.ensure_stream("GLAM_RETRY", ["retry.>"], allow_msg_schedules=True)
        await ready_for(servers)
        async with worker(servers=servers.leaf.url, js_domain="hub", deadline=60.0) as bench:
            event = await bench.publish(SUBJECT, Order())
            await running.wait()
            await asyncio.to_thread(servers.hub.kill)
            away.set()
            async with asyncio.timeout(20):
                while not (await own.get_stream_info("GLAM_RETRY")).messages:
                    await asyncio.sleep(0.02)
            await bench.until(lambda: bench.refused, "the refusal is told")
            await asyncio.to_thread(servers.hub.start)
            await bench.finished(event)
            async with asyncio.timeout(20):
                while (await bench.worker.client.get_stream_info("GLAM_RETRY")).messages:
                    await asyncio.sleep(0.02)

    assert ran == [1, 2]
    assert "domain leaf, not by domain hub" in str(bench.refused[0].error)
