"""Slots, credits and load: who runs when, and what nobody waits for."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from functools import partial

import pytest
from pydantic import BaseModel

from glam_shared.errors import ConfigurationError
from glam_worker import EventContext, Retry
from glam_worker.testing import WorkerFactory
from glam_worker.testing.streams import StoredMessage

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


async def test_a_slow_event_delays_no_other(worker: WorkerFactory) -> None:
    """While one run takes its time, the events behind it are handled in the other slots."""
    goes_on = asyncio.Event()

    @worker.on(SUBJECT, Order, concurrency=2)
    async def place(order: Order) -> None:
        if order.number == 0:
            await goes_on.wait()

    async with worker() as bench:
        slow = await bench.publish(SUBJECT, Order(number=0))
        others = [await bench.publish(SUBJECT, Order(number=number)) for number in range(1, 51)]
        for event in others:
            await bench.finished(event)
        assert bench.settlements(slow) == ()
        goes_on.set()
        assert (await bench.finished(slow)).outcome == "ack"


async def test_all_slots_are_used_and_no_more(worker: WorkerFactory) -> None:
    """As many runs go on at the same time as ``concurrency`` says, never one more."""
    running, most = 0, 0
    full = asyncio.Event()

    @worker.on(SUBJECT, Order, concurrency=7)
    async def place(order: Order) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 7:
            full.set()
        await full.wait()
        await asyncio.sleep(0.001)
        running -= 1

    async with worker() as bench:
        for number in range(100):
            await bench.publish(SUBJECT, Order(number=number))
        await bench.idle()

    assert most == 7


async def test_every_slot_fills_with_runs_that_take_long(worker: WorkerFactory) -> None:
    """Events that come one by one start at once as long as a slot is free."""
    goes_on = asyncio.Event()
    started: list[int] = []

    @worker.on(SUBJECT, Order, concurrency=8)
    async def place(order: Order) -> None:
        started.append(order.number)
        await goes_on.wait()

    async with worker() as bench:
        for number in range(8):
            await bench.publish(SUBJECT, Order(number=number))
            await bench.until(partial(started.__contains__, number))
        goes_on.set()
        await bench.idle()


async def test_the_setting_is_the_concurrency_where_the_handler_is_silent(
    worker: WorkerFactory,
) -> None:
    """``GLAM_CONCURRENCY`` bounds every handler that does not say its own."""
    goes_on = asyncio.Event()
    started: Counter[str] = Counter()

    async def wait(order: Order) -> None:
        started["silent"] += 1
        await goes_on.wait()

    async def wait_too(order: Order) -> None:
        started["own"] += 1
        await goes_on.wait()

    worker.on(SUBJECT, Order, name="silent")(wait)
    worker.on(SUBJECT, Order, name="own", concurrency=5)(wait_too)
    async with worker(concurrency=2) as bench:
        for number in range(12):
            await bench.publish(SUBJECT, Order(number=number))
        await bench.until(lambda: started["own"] == 5 and started["silent"] == 2)
        for number in range(5):
            await bench.publish(SUBJECT, Order(number=number))
        assert started == {"silent": 2, "own": 5}
        goes_on.set()
        await bench.idle()


async def test_the_whole_process_stays_within_its_limit(worker: WorkerFactory) -> None:
    """With ``GLAM_MAX_IN_FLIGHT`` all handlers together never hold more, and all get on."""
    held: list[int] = []

    async def place(order: Order) -> None:
        held.append(len(bench.facts.in_hand))
        await asyncio.sleep(0.002)

    for name in ("one", "two", "three"):
        worker.on(SUBJECT, Order, name=name, concurrency=16)(place)
    async with worker(max_in_flight=9) as bench:
        for number in range(60):
            await bench.publish(SUBJECT, Order(number=number))
        await bench.idle()
        settled = Counter(one.handler for one in bench.settlements())

    assert max(held) <= 9
    assert settled == {"one": 60, "two": 60, "three": 60}


async def test_main_and_lane_take_turns(worker: WorkerFactory) -> None:
    """With a backlog of new events and of retries, neither waits for the other to run dry."""
    ways: list[str] = []
    goes_on = asyncio.Event()

    @worker.on(SUBJECT, Order, concurrency=1)
    async def place(order: Order, event: EventContext) -> None:
        if order.number < 15 and event.attempt == 1:
            raise Retry(after=0)
        if order.number == 100:
            await goes_on.wait()
        else:
            ways.append("lane" if event.attempt > 1 else "main")
            await asyncio.sleep(0.005)

    async with worker() as bench:
        events = [await bench.publish(SUBJECT, Order(number=number)) for number in range(15)]
        await bench.publish(SUBJECT, Order(number=100))
        for event in events:
            await bench.settled(event)
        ways.clear()
        async with asyncio.timeout(10):
            while not all_due(await bench.parked()):
                await asyncio.sleep(0.02)
        for number in range(200, 215):
            await bench.publish(SUBJECT, Order(number=number))
        goes_on.set()
        await bench.idle()

    in_a_row = [len(list(same)) for _, same in itertools.groupby(ways[:20])]
    assert set(ways[:20]) == {"main", "lane"}
    assert max(in_a_row) <= 5


def all_due(parked: list[StoredMessage]) -> bool:
    """Whether everything on the retry stream has come due."""
    return all(message.subject.startswith("retry.due.") for message in parked)


async def test_two_workers_share_the_load_and_run_nothing_twice(worker: WorkerFactory) -> None:
    """Workers of one service divide the events between them; each event is handled once."""
    runs: Counter[int] = Counter()

    @worker.on(SUBJECT, Order, concurrency=4)
    async def place(order: Order, event: EventContext) -> None:
        runs[order.number] += 1
        await asyncio.sleep(0.001)
        if order.number % 10 == 0 and event.attempt == 1:
            raise Retry

    async with worker(service="shop") as one, worker(service="shop") as two:
        events = [await one.publish(SUBJECT, Order(number=number)) for number in range(300)]
        await one.until(lambda: len(one.runs()) + len(two.runs()) >= 330, "330 runs of both")
        shares = [len(bench.runs()) for bench in (one, two)]

    assert sum(runs.values()) == sum(shares) == 330
    assert len(runs) == len(events)
    assert min(shares) > 20


async def test_services_do_not_share(worker: WorkerFactory) -> None:
    """Two services that handle one subject each get every event."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None: ...

    async with worker(service="shop") as shop, worker(service="mail") as mail:
        event = await shop.publish(SUBJECT, Order())
        assert (await shop.finished(event)).outcome == "ack"
        assert (await mail.finished(event)).outcome == "ack"


async def test_a_limit_that_cannot_feed_every_handler_is_refused(worker: WorkerFactory) -> None:
    """``GLAM_MAX_IN_FLIGHT`` below one message for each way is an error that says so."""

    async def place(order: Order) -> None: ...

    for name in ("one", "two"):
        worker.on(SUBJECT, Order, name=name)(place)

    with pytest.raises(ConfigurationError, match=r"GLAM_MAX_IN_FLIGHT is 3; .* 4 or more"):
        await worker(max_in_flight=3)
