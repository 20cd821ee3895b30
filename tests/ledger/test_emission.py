"""What a handler publishes, when the run is cut off and another one repeats it, or does not."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from glam_worker import EventContext, Retry
from glam_worker.testing import Bench, WorkerFactory

PLACED = "evt.order.placed.v1"
BILLED = "evt.order.billed.v1"


class Order(BaseModel):
    number: int = 1


async def billed(bench: Bench) -> list[int]:
    """The numbers of what was published, in order."""
    return [int(event.data["number"]) for event in await bench.published(BILLED)]


async def test_a_run_cut_off_after_publishing_emits_once(worker: WorkerFactory) -> None:
    """The next worker repeats the run, and the stream drops what it has already."""
    published = asyncio.Event()
    runs = 0

    @worker.on(PLACED, Order)
    async def bill(order: Order, event: EventContext) -> None:
        nonlocal runs
        runs += 1
        await event.publish(BILLED, Order(number=7))
        if runs == 1:
            published.set()
            await asyncio.Event().wait()

    async with worker(service="shop") as old:
        cause = await old.publish(PLACED, Order())
        await published.wait()
        await old.stop(grace=0)
        async with worker(service="shop") as new:
            await new.finished(cause)
            numbers = await billed(new)

    assert runs == 2
    assert numbers == [7]


async def test_another_order_and_other_data_lose_nothing(worker: WorkerFactory) -> None:
    """What repeats is dropped wherever it comes in the run; what is new is stored."""
    told = ([1, 2, 2, 3], [3, 2, 4, 2, 1, 2])

    @worker.on(PLACED, Order)
    async def bill(order: Order, event: EventContext) -> None:
        for number in told[event.attempt - 1]:
            await event.publish(BILLED, Order(number=number))
        if event.attempt == 1:
            raise Retry

    async with worker() as bench:
        await bench.finished(await bench.publish(PLACED, Order()))
        numbers = await billed(bench)

    assert numbers == [1, 2, 2, 3, 4, 2]


async def test_publishing_side_by_side_emits_each_once(worker: WorkerFactory) -> None:
    """Tasks of one run that publish at once, in an order of chance, repeat themselves too."""

    @worker.on(PLACED, Order)
    async def bill(order: Order, event: EventContext) -> None:
        numbers = range(20) if event.attempt == 1 else reversed(range(20))
        await asyncio.gather(*(event.publish(BILLED, Order(number=one)) for one in numbers))
        if event.attempt == 1:
            raise Retry

    async with worker() as bench:
        await bench.finished(await bench.publish(PLACED, Order()))
        numbers = await billed(bench)

    assert sorted(numbers) == list(range(20))
