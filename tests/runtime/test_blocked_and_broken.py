"""What happens to server and stream while a handler blocks the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.messaging import EventPublisher, JetStreamClient
from glam_worker.dev.server import EmbeddedServer
from glam_worker.testing import WorkerFactory

SUBJECT = "evt.order.placed.v1"
ACK_WAIT = 1.0
DURABLE = "CONSUMER.CREATE.GLAM_EVENTS.shop-place"

StartsServer = Callable[..., EmbeddedServer]


class Order(BaseModel):
    number: int = 1


def meanwhile(what: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Stand still until it is done, in another thread and event loop."""
    thread = threading.Thread(target=lambda: asyncio.run(what()))
    thread.start()
    thread.join(30)


@pytest.mark.faults
async def test_a_server_that_restarts_meanwhile_costs_no_run(
    worker: WorkerFactory, own_server: StartsServer
) -> None:
    """The lease keeper comes back by itself, sees that the consumer is the same, and goes on."""
    server = own_server()
    runs: Counter[int] = Counter()

    async def restarts() -> None:
        await asyncio.sleep(ACK_WAIT)
        server.stop()
        server.start()
        await asyncio.sleep(3 * ACK_WAIT)

    @worker.on(SUBJECT, Order, ack_wait=ACK_WAIT)
    async def place(order: Order) -> None:
        runs[order.number] += 1
        if order.number == 1:
            meanwhile(restarts)

    async with worker(servers=server.url, service="shop") as bench:
        await bench.finished(await bench.publish(SUBJECT, Order(number=1)))
        await bench.until(lambda: not bench.worker.not_ready())
        assert await bench.client.wait_connected(10)
        await bench.finished(await bench.publish(SUBJECT, Order(number=2)))
        info = await bench.client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place")

    assert runs == {1: 1, 2: 1}
    assert info["num_redelivered"] == 0


async def test_a_stream_that_is_made_anew_meanwhile_is_not_settled(worker: WorkerFactory) -> None:
    """What ran belongs to the old stream: neither sign of life nor ack touches the new event that
    has its sequence."""

    async def made_anew() -> None:
        async with JetStreamClient() as client:
            await client.connect(worker.url)
            stream = (await client.api("STREAM.INFO.GLAM_EVENTS"))["config"]
            durable = (await client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place"))["config"]
            await client.api("STREAM.DELETE.GLAM_EVENTS")
            await client.api("STREAM.CREATE.GLAM_EVENTS", stream)
            await EventPublisher(client, "tests").publish_event(SUBJECT, Order(number=2))
            create = {"stream_name": "GLAM_EVENTS", "config": durable, "action": "create"}
            await client.api(DURABLE, create)
            subscription = await client.client.subscribe("$JS.ACK.>")
            await asyncio.sleep(1.5 * ACK_WAIT)
            heard.append(subscription.pending_msgs)

    heard: list[int] = []
    ran = asyncio.Event()

    @worker.on(SUBJECT, Order, ack_wait=ACK_WAIT)
    async def place(order: Order) -> None:
        await bench.until(lambda: bench.facts.renewals > 1, "the keeper to know the consumer")
        meanwhile(made_anew)
        ran.set()

    async with worker(service="shop") as bench:
        await bench.publish(SUBJECT, Order(number=1))
        await bench.until(ran.is_set)
        await bench.until(lambda: not bench.worker.works[0].pipeline.held)
        info = await bench.client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place")

    assert heard == [0]
    assert info["ack_floor"]["stream_seq"] == 0
