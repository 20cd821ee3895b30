"""A handler that blocks the event loop: leases are kept, and the log says who it is."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.messaging import EventPublisher, JetStreamClient
from glam_worker.runtime.loop_watch import SAID_AFTER
from glam_worker.testing import Bench, WorkerFactory
from tests.faults.waiting import until

SUBJECT = "evt.order.placed.v1"
ACK_WAIT = 0.6


class Order(BaseModel):
    number: int = 1


async def consumer(bench: Bench) -> dict[str, Any]:
    """What the server says of the handler's durable."""
    return await bench.client.api(f"CONSUMER.INFO.GLAM_EVENTS.{bench.service}-place")


def block(seconds: float) -> None:
    """Stand still, as a library without async does."""
    time.sleep(seconds)


async def test_what_is_held_is_not_handed_out_again_while_the_loop_stands(
    worker: WorkerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """The one that blocks and those buffered behind it are delivered once and run once; the log
    names the handler and the line."""
    runs: Counter[int] = Counter()

    @worker.on(SUBJECT, Order, ack_wait=ACK_WAIT, concurrency=1)
    async def place(order: Order) -> None:
        runs[order.number] += 1
        if order.number == 0:
            while not bench.worker.works[0].pipeline.waiting:
                await asyncio.sleep(0.01)
            block(3 * ACK_WAIT + SAID_AFTER)

    with caplog.at_level(logging.WARNING, "glam_worker.loop"):
        async with worker() as bench:
            events = [await bench.publish(SUBJECT, Order(number=number)) for number in range(2)]
            for event in events:
                assert (await bench.finished(event)).outcome == "ack"
            handed_out = (await consumer(bench))["delivered"]["consumer_seq"]
            await bench.until(lambda: said(caplog, "turns again"), "the loop to turn again")

    assert runs == {0: 1, 1: 1}
    assert handed_out == 2
    (blocked,) = said(caplog, "event loop blocked for ")
    assert "by place, at runtime/test_blocked_loop.py:" in blocked.message
    assert (blocked.__dict__["handler"], blocked.__dict__["subject"]) == ("place", SUBJECT)
    assert "in block" in blocked.__dict__["frames"][0]


def said(caplog: pytest.LogCaptureFixture, text: str) -> list[logging.LogRecord]:
    """The log's lines with this text."""
    return [record for record in caplog.records if text in record.message]


async def test_past_its_timeout_a_blocker_loses_its_lease_and_no_host_is_ended(
    worker: WorkerFactory,
) -> None:
    """An embedded worker lets the lease lapse, is told so, and goes on once the loop turns."""
    ended: list[str] = []
    runs: Counter[int] = Counter()

    @worker.on(SUBJECT, Order, ack_wait=ACK_WAIT, timeout=0.5)
    async def place(order: Order) -> None:
        runs[order.number] += 1
        if runs[0] == 1:
            block(SAID_AFTER + 0.5 + 3 * ACK_WAIT)

    async with worker() as bench:
        bench.worker.watch.hung = ended.append
        event = await bench.publish(SUBJECT, Order(number=0))
        await bench.finished(event)
        handed_out = (await consumer(bench))["delivered"]["consumer_seq"]
        await bench.until(lambda: not bench.worker.watch.standing)

    (said,) = ended
    assert "by place" in said
    assert "longer than its timeout of 0.5 s" in said
    assert handed_out > 1


async def test_what_is_read_after_a_stand_still_is_dropped_unsettled(
    worker: WorkerFactory,
) -> None:
    """It was sent while the loop stood, and another worker may have finished it since."""
    published = threading.Event()
    seen: list[int] = []

    @worker.on(SUBJECT, Order, ack_wait=ACK_WAIT, concurrency=4)
    async def place(order: Order) -> None:
        if order.number == 0:
            asyncio.create_task(asyncio.sleep(0)).add_done_callback(lambda _: stand(bench))
        seen.append(order.number)

    def stand(bench: Bench) -> None:
        thread = threading.Thread(
            target=lambda: asyncio.run(elsewhere(bench.worker.settings.nats_servers[0]))
        )
        thread.start()
        assert published.wait(10)
        block(ACK_WAIT)

    async def elsewhere(url: str) -> None:
        async with JetStreamClient() as client:
            await client.connect(url)
            await EventPublisher(client, "tests").publish_event(SUBJECT, Order(number=1))
            published.set()

    async with worker() as bench:
        await bench.finished(await bench.publish(SUBJECT, Order(number=0)))
        await bench.until(lambda: len(seen) == 2)
        await bench.idle()
        handed_out = (await consumer(bench))["delivered"]["consumer_seq"]

    assert seen == [0, 1]
    assert len(bench.facts.received) == 2
    assert handed_out > 2


async def test_keeping_takes_no_thread_or_connection_longer_than_the_worker_lives(
    worker: WorkerFactory,
) -> None:
    """Without long runs there is no second connection; after the stop there is no thread."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        """Ends at once."""

    before = keepers()
    async with worker() as bench:
        await bench.finished(await bench.publish(SUBJECT, Order()))
        assert keepers() == before + 1
        assert bench.worker.service in bench.worker._line._name
        assert bench.worker._line._client.epoch == 0

    await until(lambda: keepers() == before, "its thread to end")


def keepers() -> int:
    """Lease keepers at work in this process."""
    return sum(thread.name == "lease-keeper" for thread in threading.enumerate())
