"""Deliveries that are not the first of their carrier, on a real server."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from pydantic import BaseModel

from glam_worker import EventContext, Retry, RetryPolicy
from glam_worker.runtime.ledger import NOTHING, Record, Start
from glam_worker.testing import Bench, Stored, WorkerFactory
from tests.ledger.seeding import hand_out, record, records, write

SUBJECT = "evt.order.placed.v1"
OTHER = "evt.mail.sent.v1"

BESIDE = Start("b1", alone=False)
ALONE = tuple(Start(f"a{number}", alone=True) for number in range(3))


class Order(BaseModel):
    number: int = 1


def having(starts: tuple[Start, ...], known: Record) -> Record:
    """A record with these unfinished runs."""
    for start in starts:
        known = known.begun(start)
    return known


async def suspects(bench: Bench, count: int, *starts: Start) -> list[str]:
    """Publish events that have been handed out before, with unfinished runs in the ledger."""
    await bench.stop()
    events = [await bench.publish(SUBJECT, Order(number=number)) for number in range(count)]
    await hand_out(bench, count)
    for sequence in range(1, count + 1):
        await write(bench, sequence, partial(having, starts))
    return events


class Side:
    """Counts how many handlers run, and the most at a time."""

    def __init__(self) -> None:
        self.going = self.most = 0
        self.with_others: list[int] = []

    async def run(self, number: int, seconds: float = 0.02) -> None:
        """Be a handler for a while."""
        self.going += 1
        self.most = max(self.most, self.going)
        await asyncio.sleep(seconds)
        if self.going > 1:
            self.with_others.append(number)
        self.going -= 1


async def test_a_suspect_without_an_unfinished_run_runs_beside_the_others(
    worker: WorkerFactory,
) -> None:
    """Events handed back by a worker that stopped are worked side by side, as attempt 1."""
    side = Side()
    attempts: list[int] = []

    @worker.on(SUBJECT, Order, concurrency=8)
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        await side.run(order.number, 0.2)

    async with worker(service="shop") as old:
        events = await suspects(old, 8)
        async with worker(service="shop") as new:
            for event in events:
                assert (await new.finished(event)).outcome == "ack"
            left = await records(new, range(1, 9))

    assert side.most > 1
    assert attempts == [1] * 8
    assert left == [NOTHING] * 8


async def test_a_suspect_with_an_unfinished_run_runs_alone(worker: WorkerFactory) -> None:
    """Beside it nothing of any handler runs in its process, and its runs alone count."""
    side = Side()
    attempts: list[int] = []

    @worker.on(SUBJECT, Order, concurrency=8)
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        await side.run(-1)

    @worker.on(OTHER, Order, concurrency=8)
    async def mail(order: Order) -> None:
        await side.run(order.number)

    async with worker(service="shop") as old:
        events = await suspects(old, 4, BESIDE, ALONE[0])
        async with worker(service="shop") as new:
            others = [await new.publish(OTHER, Order(number=number)) for number in range(40)]
            ends = [await new.finished(event, handler="place") for event in events]
            ends += [await new.finished(event, handler="mail") for event in others]
            left = await records(new, range(1, 5))

    assert {one.outcome for one in ends} == {"ack"}
    assert -1 not in side.with_others
    assert side.most > 1
    assert attempts == [2] * 4
    assert left == [NOTHING] * 4


async def test_runs_alone_that_never_ended_end_in_the_dead_letters(worker: WorkerFactory) -> None:
    """At the policy's attempts it is not run again; the letter tells of the ledger's starts."""
    ran: list[int] = []

    @worker.on(SUBJECT, Order, retry=RetryPolicy(attempts=3))
    async def place(order: Order) -> None:
        ran.append(order.number)

    async with worker(service="shop") as old:
        (event,) = await suspects(old, 1, BESIDE, *ALONE)
        async with worker(service="shop") as new:
            last = await new.finished(Stored("GLAM_EVENTS", 1))
            (letter,) = await new.dead_letters()
            left = await record(new, 1)

    assert ran == []
    assert (last.outcome, last.reason) == ("dead_letter", "crashed")
    assert (letter.reason, letter.attempts) == ("crashed", 4)
    assert letter.about.event_id == event
    assert "never ended" in letter.about.message
    assert left == NOTHING


async def test_a_failed_run_alone_counts_what_went_before(worker: WorkerFactory) -> None:
    """A run alone that ends with a retry is the attempt after those that never ended."""

    @worker.on(SUBJECT, Order, retry=RetryPolicy(attempts=3))
    async def place(order: Order, event: EventContext) -> None:
        raise Retry

    async with worker(service="shop") as old:
        (event,) = await suspects(old, 1, BESIDE, *ALONE[:1])
        async with worker(service="shop") as new:
            last = await new.finished(event)
            runs = [one.attempt for one in new.runs(event)]

    assert runs == [2, 3]
    assert (last.outcome, last.reason) == ("dead_letter", "exhausted")


async def test_a_first_delivery_leaves_no_trace_in_the_ledger(worker: WorkerFactory) -> None:
    """The usual course of an event, retries included, does not touch the ledger."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        if event.attempt == 1:
            raise Retry

    async with worker() as bench:
        await bench.finished(await bench.publish(SUBJECT, Order()))
        info = await bench.client.api("STREAM.INFO.KV_GLAM_LEDGER")

    assert info["state"]["last_seq"] == 0


@pytest.mark.parametrize("starts", [(), (BESIDE,)])
async def test_a_run_cut_short_by_stopping_leaves_no_unfinished_run(
    worker: WorkerFactory, starts: tuple[Start, ...]
) -> None:
    """However often workers stop in the middle of it, a suspect gets no nearer to `crashed`."""
    running = asyncio.Event()
    attempts: list[int] = []

    @worker.on(SUBJECT, Order, retry=RetryPolicy(attempts=2))
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        running.set()
        if len(attempts) < 4:
            await asyncio.Event().wait()

    async with worker(service="shop") as old:
        (event,) = await suspects(old, 1, *starts)
        for _ in range(3):
            running.clear()
            async with worker(service="shop") as cut:
                await running.wait()
                await cut.stop(grace=0)
                assert await record(cut, 1) == Record(starts=starts)
        async with worker(service="shop") as new:
            assert (await new.finished(event)).outcome == "ack"

    assert attempts == [1] * 4
