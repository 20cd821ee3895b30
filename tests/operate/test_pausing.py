"""Pausing and resuming handlers, with a real worker."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from glam_shared.messaging import JetStreamClient, server_clock
from glam_worker.errors import NotThereError
from glam_worker.operate.handlers import KnownHandler, known_handlers, named_handlers
from glam_worker.operate.pausing import has_no_end, pause, remaining, resume
from glam_worker.testing import Bench, Registry, WorkerFactory

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    id: int


async def ship(client: JetStreamClient) -> KnownHandler:
    (found,) = await named_handlers(client, "ship")
    return found


def left(handler: KnownHandler) -> list[float]:
    return [remaining(durable.info) for durable in handler.durables]


async def test_a_paused_handler_gets_nothing_until_it_is_resumed(
    client: JetStreamClient, worker: WorkerFactory
) -> None:
    """
    Another handler of the worker goes on; what was published meanwhile is worked after the end.
    """
    ran: list[tuple[str, int]] = []

    @worker.on(SUBJECT, Order, name="ship")
    async def one(order: Order) -> None:
        ran.append(("ship", order.id))

    @worker.on(SUBJECT, Order, name="count")
    async def other(order: Order) -> None:
        ran.append(("count", order.id))

    bench = await worker(service="shop")
    paused = await pause(client, await ship(client))
    await bench.publish(SUBJECT, Order(id=1))
    await bench.until(lambda: ("count", 1) in ran)
    waiting = (await ship(client)).of("main")[0].info

    assert {"main", "lane"} == {one.durable.way for one in paused}
    assert [("count", 1)] == ran
    assert (1, 0) == (waiting["num_pending"], waiting["num_ack_pending"])
    assert all(map(has_no_end, left(await ship(client))))

    assert [None, None] == [one.until for one in await resume(client, await ship(client))]
    await bench.until(lambda: ("ship", 1) in ran)
    assert [0.0, 0.0] == left(await ship(client))


async def test_a_pause_ends_by_itself(client: JetStreamClient, worker: WorkerFactory) -> None:
    """
    After its time the server hands out again, without anybody's doing.
    """
    ran: list[int] = []

    @worker.on(SUBJECT, Order)
    async def ship(order: Order) -> None:
        ran.append(order.id)

    bench = await worker(service="shop")
    (handler,) = await named_handlers(client, "ship")
    begun = client.server_time()
    (main, _) = await pause(client, handler, 0.5)
    await bench.publish(SUBJECT, Order(id=1))

    await bench.until(lambda: ran)

    assert main.until is not None
    assert timedelta(seconds=0.4) < client.server_time() - begun


@pytest.mark.parametrize("wrong", [timedelta(hours=-3), timedelta(hours=3)])
async def test_a_wrong_clock_here_changes_no_pause(
    wrong: timedelta,
    client: JetStreamClient,
    nats_url: str,
    worker: WorkerFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    The time is the server's, also for whoever has asked it nothing before.
    """
    await _idle_worker(worker)
    handler = await ship(client)
    monkeypatch.setattr(server_clock, "own_time", lambda: datetime.now(UTC) + wrong)

    async with JetStreamClient() as another:
        await another.connect(nats_url)
        await pause(another, handler, 60.0)

    assert all(50 < seconds <= 60 for seconds in left(await ship(client)))


async def test_pausing_and_resuming_can_be_repeated(
    client: JetStreamClient, worker: WorkerFactory
) -> None:
    """
    A second pause replaces the first, a second resume is harmless.
    """
    await _idle_worker(worker)
    await pause(client, await ship(client))

    await pause(client, await ship(client), 60.0)

    assert all(50 < seconds <= 60 for seconds in left(await ship(client)))
    await resume(client, await ship(client))
    await resume(client, await ship(client))
    assert [0.0, 0.0] == left(await ship(client))


async def test_a_durable_that_is_gone_is_named(
    client: JetStreamClient, worker: WorkerFactory
) -> None:
    """
    Who pauses what was deleted meanwhile learns which one.
    """
    bench = await _idle_worker(worker)
    handler = await ship(client)
    await bench.stop()
    await client.api("CONSUMER.DELETE.GLAM_RETRY.shop-ship-lane")

    with pytest.raises(NotThereError, match="shop-ship-lane"):
        await pause(client, handler)


async def test_handlers_are_known_by_their_durables(
    client: JetStreamClient, worker: WorkerFactory
) -> None:
    """
    Two services with one handler's name are two handlers; consumers of others are none.
    """
    await asyncio.gather(_idle_worker(worker), _idle_worker(worker, "depot"))
    foreign = {"durable_name": "ship", "ack_policy": "explicit"}
    await client.api(
        "CONSUMER.CREATE.GLAM_EVENTS.ship", {"stream_name": "GLAM_EVENTS", "config": foreign}
    )

    assert [("depot", "ship"), ("shop", "ship")] == [
        (one.service, one.name) for one in await known_handlers(client)
    ]
    assert ["shop"] == [one.service for one in await named_handlers(client, "ship", "shop")]
    with pytest.raises(NotThereError, match=r"no handler shop; there are: ship \(depot\)"):
        await named_handlers(client, "shop")


async def test_without_any_handler_it_is_said_where_to_look(client: JetStreamClient) -> None:
    """
    On a new server nothing is known, and the error says what makes handlers known.
    """
    assert () == await known_handlers(client)
    with pytest.raises(NotThereError, match="look at --servers"):
        await named_handlers(client, "ship")


async def _idle_worker(worker: WorkerFactory, service: str = "shop") -> Bench:
    registry = Registry()
    registry.on(SUBJECT, Order, name="ship")(_nothing)
    return await worker(registry, service=service)


async def _nothing(order: Order) -> None:
    """Takes every order."""
