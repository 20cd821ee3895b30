"""Events that an idempotent handler works once, on a real server."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from glam_shared.messaging import EventEnvelope
from glam_worker import EventContext, RetryPolicy
from glam_worker.declare.registry import Registry
from glam_worker.testing import WorkerFactory
from tests.topology.applied import apply

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


BODY = EventEnvelope.create(SUBJECT, Order(), source_service="till", event_id="e1").to_bytes()
"""One event, as its service might publish it more than once."""


async def test_an_event_published_twice_is_handled_once(worker: WorkerFactory) -> None:
    """The second message of one event is acked without a run and counted as a duplicate."""
    ran: list[int] = []

    @worker.on(SUBJECT, Order, idempotent=True)
    async def place(order: Order) -> None:
        ran.append(order.number)

    async with worker() as bench:
        await bench.finished(await bench.publish_raw(SUBJECT, BODY))
        settled = await bench.settled(await bench.publish_raw(SUBJECT, BODY))

    assert ran == [1]
    assert settled.outcome == "duplicate"


async def test_a_renamed_handler_knows_what_it_has_handled(worker: WorkerFactory) -> None:
    """Under its former name, a second message of the event is a duplicate; others are handled."""
    ran: list[str] = []
    before, after = Registry(), Registry()

    @before.on(SUBJECT, Order, idempotent=True)
    async def place(order: Order) -> None:
        ran.append("place")

    @after.on(SUBJECT, Order, idempotent=True, previously="place")
    async def reserve(order: Order) -> None:
        ran.append("reserve")

    async with worker(before, service="shop") as bench:
        await bench.finished(await bench.publish_raw(SUBJECT, BODY))
        await apply(bench.client, after)
    async with worker(after, service="shop") as bench:
        settled = await bench.settled(await bench.publish_raw(SUBJECT, BODY))
        await bench.finished(await bench.publish(SUBJECT, Order()))

    assert ran == ["place", "reserve"]
    assert settled.outcome == "duplicate"


async def test_two_messages_of_one_event_at_once_run_once(worker: WorkerFactory) -> None:
    """While one run of an event goes on, another message of it waits for the claim's deadline."""
    going, most = 0, 0

    @worker.on(SUBJECT, Order, idempotent=True)
    async def place(order: Order) -> None:
        nonlocal going, most
        going += 1
        most = max(most, going)
        await asyncio.sleep(0.05)
        going -= 1

    async with worker() as bench:
        messages = [await bench.publish_raw(SUBJECT, BODY) for _ in range(4)]
        outcomes = [(await bench.settled(message)).outcome for message in messages]

    assert most == 1
    assert outcomes.count("ack") == 1
    assert set(outcomes) <= {"ack", "parked", "duplicate"}


async def test_a_failed_run_gives_its_claim_up(worker: WorkerFactory) -> None:
    """A retry of an idempotent handler's event runs, although the first run had claimed it."""
    attempts: list[int] = []

    @worker.on(SUBJECT, Order, idempotent=True, retry=RetryPolicy(attempts=3))
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        if event.attempt == 1:
            raise ConnectionError("down")

    async with worker() as bench:
        last = await bench.finished(await bench.publish(SUBJECT, Order()))

    assert attempts == [1, 2]
    assert last.outcome == "ack"


async def test_a_sync_handler_can_be_idempotent(worker: WorkerFactory) -> None:
    """A ``def`` handler is claimed and remembered like an ``async`` one."""
    ran: list[int] = []

    @worker.on(SUBJECT, Order, idempotent=60.0)
    def place(order: Order) -> None:
        ran.append(order.number)

    async with worker() as bench:
        await bench.finished(await bench.publish_raw(SUBJECT, BODY))
        settled = await bench.settled(await bench.publish_raw(SUBJECT, BODY))

    assert ran == [1]
    assert settled.outcome == "duplicate"
