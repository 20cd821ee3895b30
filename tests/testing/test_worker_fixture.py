"""The fixture ``worker``: what users test their handlers with."""

from __future__ import annotations

from pydantic import BaseModel

from glam_worker import EventContext, Retry
from glam_worker.testing import WorkerFactory

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int


async def test_a_handled_event_is_acked(worker: WorkerFactory) -> None:
    """An event whose handler returns is settled with an ack on its first attempt."""
    seen: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        seen.append(order.number)

    async with worker() as bench:
        event_id = await bench.publish(SUBJECT, Order(number=7))
        settled = await bench.settled(event_id)

    assert (settled.outcome, settled.attempt, settled.way) == ("ack", 1, "main")
    assert seen == [7]


async def test_a_retry_runs_again_on_the_lane(worker: WorkerFactory) -> None:
    """A handler that asks for a retry runs again on its lane, with the next attempt."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        if event.attempt < 3:
            raise Retry

    async with worker() as bench:
        event_id = await bench.publish(SUBJECT, Order(number=7))
        last = await bench.finished(event_id)

        assert (last.outcome, last.attempt, last.way) == ("ack", 3, "lane")
        assert [run.outcome for run in bench.runs(event_id)] == ["parked", "parked", "ack"]
        await bench.idle()
        assert await bench.parked() == []
        assert await bench.dead_letters() == []
