"""What was deleted between two starts is told from what never was."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.messaging.broker_errors import NotFound
from glam_worker import EventContext, Retry
from glam_worker.testing import Bench, WorkerFactory
from tests.topology.made_by_others import consumer, prepare, stream

SUBJECT = "evt.order.placed.v1"
MAIL = "evt.mail.sent.v1"


class Order(BaseModel):
    number: int = 1


@pytest.fixture
def seen(worker: WorkerFactory) -> list[int]:
    """Two handlers, ``place`` and ``mail``; the numbers of the orders that they handled."""
    handled: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        handled.append(order.number)

    @worker.on(MAIL, Order)
    async def mail(order: Order) -> None:
        handled.append(-order.number)

    return handled


async def worked_before(worker: WorkerFactory, *calls: tuple[str, dict[str, Any]]) -> None:
    """A worker has handled order 1 and has stopped; then these calls were made by others."""
    async with worker(service="shop") as bench:
        await bench.finished(await bench.publish(SUBJECT, Order(number=1)))
    await prepare(worker.url, *calls)


async def exists(bench: Bench, what: str) -> bool:
    """Whether the server has a stream or durable, named as its INFO call names it."""
    try:
        await bench.client.api(what)
    except NotFound:
        return False
    return True


def refusal(bench: Bench) -> str:
    """Why the handler ``place`` is not worked, and not the other one."""
    (refused,) = bench.worker.ensured.refused
    assert refused.handler.name == "place"
    assert refused.reason in bench.worker.not_ready()
    return refused.reason


async def test_a_deleted_durable_is_not_created_at_the_next_start(
    worker: WorkerFactory, seen: list[int]
) -> None:
    """Its handler is refused, with the command that decides; nothing is replayed; others work."""
    await worked_before(worker, ("CONSUMER.DELETE.GLAM_EVENTS.shop-place", {}))

    async with worker(service="shop") as bench:
        reason = refusal(bench)
        await bench.finished(await bench.publish(MAIL, Order(number=2)))
        made = await exists(bench, "CONSUMER.INFO.GLAM_EVENTS.shop-place")

    assert "consumer shop-place on stream GLAM_EVENTS was deleted" in reason
    assert "up to sequence" in reason
    assert "glam-worker apply MODULE... --recreate place --from floor|new|all" in reason
    assert not made
    assert seen == [1, -2]


async def test_a_stream_that_was_deleted_is_not_created_at_the_next_start(
    worker: WorkerFactory, seen: list[int]
) -> None:
    """Its handlers are refused; the worker runs, and says which command creates the stream."""
    await worked_before(worker, ("STREAM.DELETE.GLAM_EVENTS", {}))

    async with worker(service="shop") as bench:
        refused = {one.handler.name: one.reason for one in bench.worker.ensured.refused}
        made = await exists(bench, "STREAM.INFO.GLAM_EVENTS")

    assert set(refused) == {"place", "mail"}
    assert "stream GLAM_EVENTS was deleted" in refused["place"]
    assert "--recreate place --from new|all" in refused["place"]
    assert not made


async def test_a_stream_made_anew_does_not_get_the_durables_of_the_old_one(
    worker: WorkerFactory, seen: list[int]
) -> None:
    """The floor belongs to the old stream, so it is not offered; nothing of the new one runs."""
    await worked_before(
        worker,
        ("STREAM.DELETE.GLAM_EVENTS", {}),
        stream("GLAM_EVENTS", "evt.>", "cmd.>"),
        consumer(
            "shop-mail",
            filter_subject=MAIL,
            max_deliver=-1,
            metadata={"glam.service": "shop", "glam.handler": "mail", "glam.way": "main"},
        ),
    )
    async with worker(service="shop") as bench:
        await bench.publish(SUBJECT, Order(number=3))
        await bench.finished(await bench.publish(MAIL, Order(number=2)))
        reason = refusal(bench)
        alarms = bench.worker.ensured.alarms

    assert "stream GLAM_EVENTS was deleted and created anew" in reason
    assert "--from new|all`" in reason
    assert any("stream GLAM_EVENTS was deleted since the last start" in one for one in alarms)
    assert seen == [1, -2]


async def test_a_durable_of_an_earlier_version_is_recorded(
    worker: WorkerFactory, seen: list[int]
) -> None:
    """A durable with our metadata and no record is taken up; from then on it is known."""
    await worked_before(worker, ("STREAM.DELETE.KV_GLAM_STATE", {}))
    async with worker(service="shop") as bench:
        await bench.finished(await bench.publish(SUBJECT, Order(number=2)))
        assert bench.worker.ensured.refused == []
    await prepare(worker.url, ("CONSUMER.DELETE.GLAM_EVENTS.shop-place", {}))
    async with worker(service="shop") as bench:
        assert "was deleted" in refusal(bench)

    assert seen == [1, 2]


@pytest.mark.parametrize("name", ["GLAM_RETRY", "GLAM_DLQ"])
async def test_a_missing_stream_of_ours_is_created_with_an_alarm(
    worker: WorkerFactory, seen: list[int], name: str
) -> None:
    """What is no event's own stream is needed to work: it is created, and the loss is said."""
    await worked_before(worker, (f"STREAM.DELETE.{name}", {}))

    async with worker(service="shop") as bench:
        await bench.finished(await bench.publish(SUBJECT, Order(number=2)))
        alarms = bench.worker.ensured.alarms
        assert await exists(bench, f"STREAM.INFO.{name}")

    assert any(f"stream {name} was deleted since the last start" in one for one in alarms)
    assert seen == [1, 2]


async def test_a_deleted_lane_is_created_and_loses_nothing(worker: WorkerFactory) -> None:
    """What came due while there was no lane waited in the stream, and runs after the start."""
    attempts: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        if event.attempt == 1:
            raise Retry(after=1)

    async with worker(service="shop", retry_delays=1.0) as bench:
        await bench.settled(await bench.publish(SUBJECT, Order(), event_id="e1"))
    await prepare(worker.url, ("CONSUMER.DELETE.GLAM_RETRY.shop-place-lane", {}))
    async with worker(service="shop") as bench:
        await bench.finished("e1")
        alarms = bench.worker.ensured.alarms

    assert attempts == [1, 2]
    assert any("consumer shop-place-lane was deleted" in one for one in alarms)


async def test_a_start_after_a_start_says_nothing(worker: WorkerFactory, seen: list[int]) -> None:
    """What is as it was recorded gives no alarm, no note and no refusal."""
    await worked_before(worker)
    async with worker(service="shop") as bench:
        ensured = bench.worker.ensured

    assert (ensured.alarms, ensured.notes, ensured.refused) == ([], [], [])
