"""Stopping: what runs may end, what did not start goes to others, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from functools import partial

import pytest
from pydantic import BaseModel

from glam_worker import EventContext, Snooze
from glam_worker.testing import Bench, WorkerFactory

SUBJECT = "evt.order.placed.v1"
SOON = 5.0
"""Seconds; far below the ack_wait of 30 after which the server would redeliver by itself."""


class Order(BaseModel):
    number: int = 1


async def test_what_did_not_start_goes_to_another_worker_at_once(worker: WorkerFactory) -> None:
    """A stopping worker hands back what it holds; others have it long before ``ack_wait``."""
    goes_on = asyncio.Event()
    runs: Counter[int] = Counter()

    @worker.on(SUBJECT, Order, concurrency=2, ack_wait=30)
    async def place(order: Order) -> None:
        runs[order.number] += 1
        if order.number < 2:
            await goes_on.wait()

    async with worker(service="shop") as old:
        for number in range(40):
            await old.publish(SUBJECT, Order(number=number))
        await old.until(lambda: old.worker.works[0].pipeline.waiting)
        async with worker(service="shop") as new:
            stopping = asyncio.ensure_future(old.stop(grace=10))
            async with asyncio.timeout(SOON):
                await new.until(lambda: len(runs) == 40)
            goes_on.set()
            await stopping
            handed_back = [one for one in old.settlements() if one.outcome == "handed_back"]

    assert set(runs.values()) == {1}
    assert handed_back
    assert not any(one.ran for one in handed_back)


async def test_what_runs_is_finished_within_the_grace_period(worker: WorkerFactory) -> None:
    """Running handlers end and are acked before the worker is stopped."""
    running = asyncio.Event()

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        running.set()
        while not event.shutting_down:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)

    async with worker() as bench:
        event_id = await bench.publish(SUBJECT, Order())
        await running.wait()
        await bench.stop(grace=10)
        settled = bench.settlements(event_id)

    assert [one.outcome for one in settled] == ["ack"]


async def test_a_run_cut_short_costs_no_attempt(worker: WorkerFactory) -> None:
    """What still runs after the grace period is cancelled, handed back, and run as attempt 1."""
    running = asyncio.Event()
    attempts: list[int] = []

    @worker.on(SUBJECT, Order, ack_wait=30)
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        if len(attempts) == 1:
            running.set()
            await asyncio.Event().wait()

    async with worker(service="shop") as old:
        event_id = await old.publish(SUBJECT, Order())
        await running.wait()
        await old.stop(grace=0)
        cut = old.settlements(event_id)
        async with worker(service="shop") as new, asyncio.timeout(SOON):
            last = await new.finished(event_id)

    assert [one.outcome for one in cut] == ["handed_back"]
    assert (last.outcome, last.attempt) == ("ack", 1)
    assert attempts == [1, 1]


@pytest.mark.parametrize("idempotent", [False, True])
async def test_a_run_that_hides_that_it_was_cut_short_is_run_again(
    worker: WorkerFactory, idempotent: bool
) -> None:
    """Nobody knows what it left undone: it is handed back as any other that is cut short."""
    running = asyncio.Event()
    attempts: list[int] = []

    @worker.on(SUBJECT, Order, idempotent=idempotent)
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        if len(attempts) == 1:
            running.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    async with worker(service="shop") as old:
        event_id = await old.publish(SUBJECT, Order())
        await running.wait()
        await old.stop(grace=0)
        async with worker(service="shop") as new, asyncio.timeout(SOON):
            last = await new.finished(event_id)

    assert (last.outcome, attempts) == ("ack", [1, 1])


async def test_a_handler_that_does_not_end_is_left_to_its_lease(worker: WorkerFactory) -> None:
    """A run that ignores cancellation does not keep the worker from stopping, nor is it naked."""
    ends = asyncio.Event()
    running = asyncio.Event()

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        running.set()
        while not ends.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await ends.wait()

    async with worker() as bench:
        await bench.publish(SUBJECT, Order())
        await running.wait()
        try:
            async with asyncio.timeout(SOON):
                await bench.stop(grace=0)
            assert bench.settlements() == ()
        finally:
            ends.set()


async def test_a_thread_that_does_not_end_is_left_to_its_lease(worker: WorkerFactory) -> None:
    """A ``def`` handler cannot be cut short: stopping does not wait for it for ever."""
    ends = threading.Event()

    @worker.on(SUBJECT, Order)
    def place(order: Order) -> None:
        ends.wait(30)

    async with worker() as bench:
        await bench.publish(SUBJECT, Order())
        try:
            await bench.until(lambda: bench.worker.works[0].pipeline.running)
            async with asyncio.timeout(SOON):
                await bench.stop(grace=0)
            assert bench.settlements() == ()
        finally:
            ends.set()


async def test_a_long_run_may_snooze_itself_when_the_worker_stops(worker: WorkerFactory) -> None:
    """``shutting_down`` lets a handler stop half-way; the event comes back without an attempt."""
    running = asyncio.Event()
    attempts: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        running.set()
        while len(attempts) == 1:
            if event.shutting_down:
                raise Snooze(after=0)
            await asyncio.sleep(0.01)

    async with worker(service="shop") as old:
        event_id = await old.publish(SUBJECT, Order())
        await running.wait()
        await old.stop(grace=10)
        async with worker(service="shop") as new:
            assert (await new.finished(event_id)).outcome == "ack"

    assert attempts == [1, 1]


async def test_a_worker_that_stops_is_not_ready(worker: WorkerFactory) -> None:
    """Readiness is off from the first moment of stopping, and says why."""
    goes_on = asyncio.Event()

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        await goes_on.wait()

    async with worker() as bench:
        await bench.publish(SUBJECT, Order())
        await bench.until(lambda: bench.worker.works[0].pipeline.running)
        assert bench.worker.not_ready() == []
        stopping = asyncio.ensure_future(bench.stop(grace=10))
        await asyncio.sleep(0)
        assert bench.worker.not_ready() == ["the worker stops"]
        goes_on.set()
        await stopping


def has_runs(bench: Bench, pouring: asyncio.Future[None]) -> bool:
    """Whether the worker has worked a while, or there is nothing left for it."""
    return len(bench.runs()) > 20 or pouring.done()


async def test_stopping_under_load_loses_nothing(worker: WorkerFactory) -> None:
    """Workers that come and go while events pour in handle each event once, and all of them."""
    runs: Counter[int] = Counter()

    @worker.on(SUBJECT, Order, concurrency=8, ack_wait=30)
    async def place(order: Order) -> None:
        runs[order.number] += 1
        await asyncio.sleep(0.002)

    async def pour(bench: Bench) -> None:
        for number in range(600):
            await bench.publish(SUBJECT, Order(number=number))

    stays = await worker(service="shop", concurrency=1)
    pouring = asyncio.ensure_future(pour(stays))
    for _ in range(4):
        async with worker(service="shop") as comes:
            await comes.until(partial(has_runs, comes, pouring))
    await pouring
    await stays.until(lambda: len(runs) == 600)
    await stays.close()

    assert sum(runs.values()) == 600
