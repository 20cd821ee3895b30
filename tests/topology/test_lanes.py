"""What is due lies in the stream until a lane takes it, whatever was done to lanes meanwhile."""

from __future__ import annotations

import asyncio

from glam_worker import Retry
from glam_worker.declare.registry import Registry
from glam_worker.testing import Bench, WorkerFactory
from glam_worker.topology.planning import Choices
from tests.topology.applied import apply, plan
from tests.topology.running import SUBJECT, Order, change, look

OTHER = "evt.order.paid.v1"


async def due(bench: Bench, handler: str) -> int:
    """Retries of a handler that are due and nobody took."""
    request = {"subjects_filter": f"retry.due.shop.{handler}"}
    info = await bench.client.api("STREAM.INFO.GLAM_RETRY", request)
    return sum((info["state"].get("subjects") or {}).values())


async def becomes_due(bench: Bench, handler: str) -> None:
    """Return when a retry of a handler is due."""
    async with asyncio.timeout(10):
        while not await due(bench, handler):
            await asyncio.sleep(0.02)


class Sender:
    """The handler ``send``, whose every order is retried once."""

    def __init__(self) -> None:
        self.runs: list[int] = []
        self.declared = Registry()
        self.declared.on(SUBJECT, Order, name="send")(self._send)

    async def _send(self, order: Order) -> None:
        self.runs.append(order.number)
        if self.runs.count(order.number) == 1:
            raise Retry(0.0)


async def left_due(worker: WorkerFactory) -> None:
    """Handler ``ship`` ends with a retry that comes back while no worker runs."""
    ship = Registry()

    @ship.on(OTHER, Order, name="ship")
    async def _ship(order: Order) -> None:
        raise Retry(0.5)

    async with worker(ship, service="shop", retry_delays=1.0) as bench:
        event = await bench.publish(OTHER, Order(number=7))
        await bench.until(lambda: [one.outcome for one in bench.settlements(event)] == ["parked"])


async def test_retries_that_were_due_before_another_handler_took_over_are_worked(
    worker: WorkerFactory,
) -> None:
    """Its lane was past them: the server goes back for none, so the lane is made anew."""
    await left_due(worker)
    sender = Sender()
    async with worker(sender.declared, service="shop") as bench:
        await becomes_due(bench, "ship")
        await bench.publish(SUBJECT, Order(number=1))
        await bench.until(lambda: sender.runs == [1, 1])
        await apply(bench.client, sender.declared, Choices(moves={"ship": "send"}))
        await look(bench)
        await bench.until(lambda: sender.runs == [1, 1, 7, 7])
        assert await due(bench, "ship") == 0
        assert bench.worker.not_ready() == []


async def test_retries_that_a_lane_with_foreign_subjects_passed_by_are_worked_after_apply(
    worker: WorkerFactory,
) -> None:
    """Others gave it another subject and took that back; ``apply`` makes it anew."""
    sender = Sender()
    async with worker(sender.declared, service="shop", retry_delays=1.0) as bench:
        await change(
            bench, "shop-send-lane", filter_subject="retry.due.shop.x", filter_subjects=None
        )
        await look(bench)
        event = await bench.publish(SUBJECT, Order(number=1))
        await bench.until(lambda: bench.settlements(event))
        await becomes_due(bench, "send")
        await change(bench, "shop-send-lane", filter_subject="retry.due.shop.send")
        await look(bench)
        (reason,) = bench.worker.not_ready()
        (made,) = (await apply(bench.client, sender.declared)).changes
        await look(bench)
        await bench.until(lambda: sender.runs == [1, 1])
        assert bench.worker.not_ready() == []
        assert not (await plan(bench.client, sender.declared)).pending

    assert "position past events" in reason
    assert (made.action, made.thing) == ("recreate", "consumer shop-send-lane")


async def test_a_lane_that_is_gone_says_that_the_next_start_makes_it(
    worker: WorkerFactory,
) -> None:
    """Nothing depends on where a lane was, so nobody is asked to decide."""
    sender = Sender()
    async with worker(sender.declared, service="shop") as bench:
        await bench.client.api("CONSUMER.DELETE.GLAM_RETRY.shop-send-lane")
        said = "the next start of a worker creates it, or `glam-worker apply MODULE...` now"
        await bench.until(lambda: said in "".join(bench.worker.not_ready()))
        await apply(bench.client, sender.declared)
        await look(bench)
        await bench.publish(SUBJECT, Order(number=1))
        await bench.until(lambda: sender.runs == [1, 1])
        assert bench.worker.not_ready() == []
