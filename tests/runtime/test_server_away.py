"""What a running worker does when its server goes away, and what outlives a worker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from pydantic import BaseModel

from glam_shared.messaging import EventEnvelope
from glam_shared.messaging.broker_errors import ConnectionFailed
from glam_worker import EventContext, Retry, Settings, Worker
from glam_worker.dev.server import EmbeddedServer
from glam_worker.testing import Bench, WorkerFactory

SUBJECT = "evt.order.placed.v1"
OTHER = "evt.mail.sent.v1"

StartsServer = Callable[..., EmbeddedServer]


class Order(BaseModel):
    number: int = 1


async def in_thread(call: Callable[[], object]) -> None:
    """Stop or start a server without blocking the loop of the worker."""
    await asyncio.to_thread(call)


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_worker_goes_on_after_the_server_restarted(
    worker: WorkerFactory, own_server: StartsServer, how: str
) -> None:
    """While the server is away the worker is not ready; afterwards it works as before."""
    server = own_server()
    seen: Counter[int] = Counter()

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        seen[order.number] += 1
        if event.attempt == 1 and order.number == 2:
            raise Retry

    async with worker(servers=server.url) as bench:
        await bench.finished(await bench.publish(SUBJECT, Order(number=1)))
        await in_thread(getattr(server, how))
        await bench.until(bench.worker.not_ready, "the worker to notice")
        await in_thread(server.start)
        for number in (2, 3):
            await bench.finished(await bench.publish(SUBJECT, Order(number=number)))
        await bench.until(lambda: not bench.worker.not_ready(), "the worker to be ready again")

    # A server that is killed may have forgotten the last acks: it writes them every 100 ms or so.
    assert seen[1] == 1 or (how == "kill" and seen[1] == 2)
    assert (seen[2], seen[3]) == (2, 1)


async def test_a_run_that_ends_while_the_server_is_away_is_acked_afterwards(
    worker: WorkerFactory, own_server: StartsServer
) -> None:
    """What runs goes on without a connection, and is settled after it, not run again."""
    server = own_server()
    goes_on = asyncio.Event()
    runs: Counter[int] = Counter()

    @worker.on(SUBJECT, Order, ack_wait=60)
    async def place(order: Order) -> None:
        runs[order.number] += 1
        if order.number == 1:
            await goes_on.wait()

    async with worker(servers=server.url) as bench:
        running = await bench.publish(SUBJECT, Order(number=1))
        await bench.until(lambda: runs[1])
        await in_thread(server.stop)
        await bench.until(bench.worker.not_ready)
        goes_on.set()
        await in_thread(server.start)
        last = await bench.finished(running)
        await bench.idle()
        after = await bench.publish(SUBJECT, Order(number=2))
        await bench.finished(after)
        await ack_pending(bench, 0)

    assert last.outcome == "ack"
    assert runs == {1: 1, 2: 1}


def durable(bench: Bench, handler: str = "place") -> str:
    """The name of a handler's durable."""
    return f"{bench.service}-{handler}"


async def ack_pending(bench: Bench, count: int) -> None:
    """Return when the server waits for so many acks of the handler."""
    async with asyncio.timeout(10):
        while True:
            info = await bench.client.api(f"CONSUMER.INFO.GLAM_EVENTS.{durable(bench)}")
            if (info["num_ack_pending"], info["num_pending"]) == (count, 0):
                return
            await asyncio.sleep(0.02)


async def test_events_published_while_no_worker_ran_are_handled(worker: WorkerFactory) -> None:
    """The durable remembers where it stood: a later worker goes on from there."""
    seen: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        seen.append(order.number)

    async with worker(service="shop") as bench:
        await bench.finished(await bench.publish(SUBJECT, Order(number=1)))
    await bench.client.connect(worker.url)
    for number in (2, 3):
        envelope = EventEnvelope.create(SUBJECT, Order(number=number), source_service="test")
        await bench.client.publish_acked(SUBJECT, envelope.to_bytes(), {}, msg_id=envelope.event_id)
    await bench.client.close()
    async with worker(service="shop") as bench:
        await bench.until(lambda: len(seen) == 3)

    assert seen == [1, 2, 3]


async def test_parked_events_outlive_their_worker(worker: WorkerFactory) -> None:
    """A retry that falls due when its worker is gone is run by the next one, as that attempt."""
    attempts: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        if event.attempt < 3:
            raise Retry

    async with worker(service="shop", retry_delays=0.3) as old:
        event_id = await old.publish(SUBJECT, Order())
        await old.settled(event_id)
    async with worker(service="shop") as new:
        last = await new.finished(event_id)

    assert (last.outcome, last.way, last.attempt) == ("ack", "lane", 3)
    assert attempts == [1, 2, 3]


async def test_stopping_without_a_server_ends_with_the_grace_period(
    worker: WorkerFactory, own_server: StartsServer
) -> None:
    """What cannot be settled is left to its lease: a worker stops although its server is away."""
    server = own_server()
    ended: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        await asyncio.to_thread(server.stop)
        ended.append(order.number)

    async with worker(servers=server.url) as bench:
        await bench.publish(SUBJECT, Order())
        await bench.until(lambda: ended)
        async with asyncio.timeout(8):
            await bench.stop(grace=0.5)
        assert bench.settlements() == ()


async def test_a_server_that_is_not_there_ends_the_start(
    worker: WorkerFactory, own_server: StartsServer
) -> None:
    """``start`` gives up after ``GLAM_CONNECT_TIMEOUT`` and names the server and the cause."""
    server = own_server()
    url = server.url
    await in_thread(server.stop)
    worker.on(SUBJECT, Order)(noop)

    with pytest.raises(ConnectionFailed, match="connection refused") as caught:
        await Worker(worker.registry, Settings(nats_servers=(url,), connect_timeout=0.3)).start()
    assert url.removeprefix("nats://") in str(caught.value)


async def noop(order: Order) -> None:
    """A handler."""
