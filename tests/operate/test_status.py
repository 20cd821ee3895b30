"""Looking at streams and handlers, with real workers."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import BaseModel

from glam_shared.messaging import JetStreamClient
from glam_worker import EventContext, Reject, Retry
from glam_worker.errors import NotThereError
from glam_worker.operate.handlers import named_handlers
from glam_worker.operate.pausing import pause
from glam_worker.operate.status import HandlerStatus, Statuses
from glam_worker.testing import Bench, Registry, WorkerFactory
from tests.operate.letter_writing import Letters, letter

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    id: int


class Shop:
    """A handler that rejects the first order, parks the second, and holds the third."""

    def __init__(self) -> None:
        self.held = asyncio.Event()
        self.enough = asyncio.Event()
        self.registry = Registry()
        self.registry.on(SUBJECT, Order, concurrency=1)(self.ship)

    async def ship(self, order: Order, event: EventContext) -> None:
        if order.id == 1:
            raise Reject("never")
        if order.id == 2:
            raise Retry(after=3600)
        self.held.set()
        await self.enough.wait()


async def bench_of(worker: WorkerFactory, shop: Shop) -> Bench:
    return await worker(shop.registry, service="shop", retry_delays=1.0)


async def look(client: JetStreamClient, service: str | None = None) -> HandlerStatus:
    (handler,) = (await Statuses(client, "GLAM_RETRY", service).look()).handlers
    return handler


async def test_a_handler_is_seen_with_all_it_has(
    client: JetStreamClient, worker: WorkerFactory
) -> None:
    """
    Letters, parked, in flight and pending events are told apart, of a worker that is at work.
    """
    shop = Shop()
    bench = await bench_of(worker, shop)
    for number in (1, 2, 3):
        await bench.publish(SUBJECT, Order(id=number))
    await bench.until(shop.held.is_set)
    seen = await look(client)
    shop.enough.set()

    assert ("shop", "ship", "GLAM_EVENTS", SUBJECT) == (
        seen.service,
        seen.handler,
        seen.stream,
        seen.subject,
    )
    assert (1, 1, 1, 0) == (seen.letters, seen.parked, seen.in_flight, seen.pending)
    assert seen.workers in ("pulling", "busy")
    assert seen.last_activity is not None
    assert (0.0, ()) == (seen.paused_for, seen.drift)


async def test_a_paused_handler_is_paused_and_not_stuck(
    client: JetStreamClient, worker: WorkerFactory
) -> None:
    """
    How long it stays so is told, or that it has no end.
    """
    await bench_of(worker, Shop())
    (handler,) = await named_handlers(client, "ship")

    await pause(client, handler, 60.0)
    for_a_while = await look(client)
    await pause(client, handler)
    for_ever = await look(client)

    assert for_a_while.paused
    assert 50 < for_a_while.paused_for <= 60
    assert not for_a_while.paused_for_ever
    assert for_ever.paused_for_ever


async def test_a_service_nobody_works_is_noted(
    client: JetStreamClient, worker: WorkerFactory
) -> None:
    """
    Where events wait and no worker pulls, the status says so.
    """
    bench = await bench_of(worker, Shop())
    await bench.stop()
    await bench.publish(SUBJECT, Order(id=9))

    seen = await Statuses(client, "GLAM_RETRY").look()

    assert ["none seen"] == [one.workers for one in seen.handlers]
    assert any("nobody works ship of shop, and 1 event waits" in note for note in seen.notes)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"filter_subject": "evt.refund.asked.v1"}, None),
        ({"filter_subject": "nothing.holds.this"}, "never holds"),
        ({"max_deliver": 5}, "max_deliver=5"),
        ({"headers_only": True}, "headers_only=True"),
        ({"max_ack_pending": 10}, "max_ack_pending=10"),
    ],
    ids=str,
)
async def test_a_durable_that_was_changed_has_drift(
    client: JetStreamClient, worker: WorkerFactory, change: dict[str, object], told: str | None
) -> None:
    """
    What every durable must be is checked without its module; what only the declaration says is not.
    """
    bench = await bench_of(worker, Shop())
    await bench.stop()
    (handler,) = await named_handlers(client, "ship")
    config = handler.of("main")[0].info["config"] | change
    body = {"stream_name": "GLAM_EVENTS", "config": config, "action": "update"}
    await client.api("CONSUMER.CREATE.GLAM_EVENTS.shop-ship", body)

    drift = (await look(client)).drift

    assert (told is not None) == bool(drift)
    assert told is None or told in drift[0]


async def test_a_lost_lane_is_drift(client: JetStreamClient, worker: WorkerFactory) -> None:
    """
    A handler whose lane was deleted does not look well.
    """
    bench = await bench_of(worker, Shop())
    await bench.stop()
    await client.api("CONSUMER.DELETE.GLAM_RETRY.shop-ship-lane")

    assert any("no lane" in problem for problem in (await look(client)).drift)


async def test_a_new_server_is_told_from_a_wrong_one(client: JetStreamClient) -> None:
    """
    Without streams and handlers the notes say what is missing; an unknown service is an error.
    """
    seen = await Statuses(client, "GLAM_RETRY").look()

    assert () == seen.handlers
    assert any("no stream GLAM_RETRY" in note for note in seen.notes)
    with pytest.raises(NotThereError, match="no service shop"):
        await Statuses(client, "GLAM_RETRY", "shop").look()


async def test_letters_in_an_old_stream_are_noted(client: JetStreamClient) -> None:
    """
    Letters that an events stream will forget are pointed out.
    """
    old = Letters(client, "GLAM_EVENTS", ["evt.>", "dlq.>"])
    await old.created(max_age=86_400 * 10**9)
    await old.write(letter(1))

    seen = await Statuses(client, "GLAM_RETRY").look()

    assert 1 == seen.letters
    assert any("GLAM_EVENTS, which forgets them after 24 h" in note for note in seen.notes)


async def test_a_second_look_counts_new_letters(
    client: JetStreamClient, worker: WorkerFactory
) -> None:
    """
    Letters are counted again when some came or went.
    """
    await bench_of(worker, Shop())
    letters = Letters(client)
    statuses = Statuses(client, "GLAM_RETRY")
    counts = []
    for number in range(3):
        counts.append((await statuses.look()).handlers[0].letters)
        await letters.write(letter(number))
    await client.api("STREAM.MSG.DELETE.GLAM_DLQ", {"seq": 2})

    assert [0, 1, 2] == counts
    assert 2 == (await statuses.look()).handlers[0].letters
