"""The class form of a handler, on a real server."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from pydantic import BaseModel

from glam_shared.messaging import EventPublisher, JetStreamClient
from glam_worker import Listener
from glam_worker.declare.registry import Registry
from glam_worker.testing import WorkerFactory

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


class Ship(Listener[Order]):
    """Ships what can be shipped."""

    service_name = "shipping"
    subject = SUBJECT
    queue_group = "ship"
    payload_class = Order
    max_deliver = 2

    def __init__(self, client: JetStreamClient) -> None:
        super().__init__(client)
        self.seen: list[tuple[int, str]] = []
        self.asked: list[tuple[str, int]] = []

    async def on_message(
        self,
        payload: Order,
        event_id: str,
        correlation_id: str,
        source_service: str,
        timestamp: datetime,
    ) -> None:
        self.seen.append((payload.number, correlation_id))
        if payload.number > 1:
            raise LookupError(f"order {payload.number}")

    async def on_error(
        self, error: Exception, event_id: str, correlation_id: str, delivery_count: int
    ) -> bool:
        self.asked.append((str(error), delivery_count))
        return str(error) == "order 2"


def listening(client: JetStreamClient) -> tuple[Ship, Registry]:
    """A listener and the registry that works it."""
    ship, registry = Ship(client), Registry()
    registry.add(ship.handler())
    return ship, registry


async def test_a_listener_works_events_on_a_durable_of_its_two_names(
    worker: WorkerFactory,
) -> None:
    """The durable is ``<service_name>-<queue_group>``; ``on_message`` gets the parts."""
    ship, registry = listening(JetStreamClient())
    async with worker(registry) as bench:
        event_id = await bench.publish(SUBJECT, Order(), correlation_id="corr_1")
        last = await bench.finished(event_id)
        durables = [consumer.spec.durable for consumer in bench.worker.ensured.consumers]

    assert last.outcome == "ack"
    assert ship.seen == [(1, "corr_1")]
    assert durables == ["shipping-ship", "shipping-ship-lane"]


async def test_on_error_that_says_true_dead_letters_the_event(worker: WorkerFactory) -> None:
    """An error that ``on_error`` gives up is not retried: reason ``rejected``."""
    ship, registry = listening(JetStreamClient())
    async with worker(registry) as bench:
        last = await bench.finished(await bench.publish(SUBJECT, Order(number=2)))
        (letter,) = await bench.dead_letters()

    assert ship.asked == [("order 2", 1)]
    assert (last.outcome, last.reason, last.attempt) == ("dead_letter", "rejected", 1)
    assert letter.about.error == "LookupError"


async def test_max_deliver_counts_the_attempts_of_a_listener(worker: WorkerFactory) -> None:
    """An error not given up by ``on_error`` is retried until ``max_deliver`` runs are spent."""
    ship, registry = listening(JetStreamClient())
    async with worker(registry) as bench:
        last = await bench.finished(await bench.publish(SUBJECT, Order(number=3)))

    assert ship.asked == [("order 3", 1), ("order 3", 2)]
    assert (last.reason, last.attempt) == ("exhausted", 2)


async def test_a_listener_starts_and_stops_by_itself(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any asyncio program ``start()`` works events over the client given, until ``stop()``."""
    monkeypatch.setenv("GLAM_DLQ_MAX_BYTES", str(1 << 20))
    async with JetStreamClient() as client:
        await client.connect(worker.url)
        ship = Ship(client)
        await ship.start()
        await EventPublisher(client, "till").publish_event(SUBJECT, Order())
        async with asyncio.timeout(10):
            while not ship.seen:
                await asyncio.sleep(0.01)
        await ship.stop()
        await ship.stop()

        assert client.is_connected()
