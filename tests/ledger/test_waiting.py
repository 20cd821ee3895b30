"""Suspects that cannot run yet: without a ledger, without a connection, or not alone."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest
from pydantic import BaseModel

from glam_worker.runtime import suspects as suspects_module
from glam_worker.runtime.ledger import NOTHING, Record, Start
from glam_worker.testing import Bench, Settled, WorkerFactory
from tests.ledger.seeding import hand_out, record, records, write
from tests.runtime.conftest import StartsServer

SUBJECT = "evt.order.placed.v1"
OTHER = "evt.mail.sent.v1"
SIGN = 1000
NEVER_ENDED = Start("b1", alone=False)


class Order(BaseModel):
    number: int = 1


def never_ended(known: Record) -> Record:
    """With a run that never ended."""
    return known.begun(NEVER_ENDED)


async def handed_out(bench: Bench, count: int, *, crashed: bool = False) -> list[str]:
    """Stop, and publish events whose next delivery is the second."""
    await bench.stop()
    events = [await bench.publish(SUBJECT, Order(number=number)) for number in range(count)]
    await hand_out(bench, count)
    if crashed:
        for sequence in range(1, count + 1):
            await write(bench, sequence, never_ended)
    return events


async def pause(bench: Bench) -> None:
    """Let the server hand nothing out to the handler, as an operator would."""
    name = f"CONSUMER.PAUSE.GLAM_EVENTS.{bench.service}-place"
    await bench.client.api(name, {"pause_until": "2099-01-01T00:00:00Z"})


async def resume(bench: Bench) -> None:
    """End the pause, and publish: without a sign the server looks after seconds only."""
    await bench.client.api(f"CONSUMER.PAUSE.GLAM_EVENTS.{bench.service}-place", {})
    await bench.publish(SUBJECT, Order(number=SIGN))


def reason(bench: Bench, words: str) -> str:
    """The reason for not being ready with these words."""
    return next((one for one in bench.worker.not_ready() if words in one), "")


def unrun(bench: Bench) -> list[Settled]:
    """Settlements of the handler for which it was not called."""
    return [one for one in bench.settlements(handler="place") if not one.ran]


async def test_without_a_ledger_suspects_wait_and_first_deliveries_run(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait under half of the credits, which is said; with the ledger back all are handled."""
    monkeypatch.setattr(suspects_module, "_LONGEST_PAUSE", 0.2)
    seen: Counter[int] = Counter()

    @worker.on(SUBJECT, Order, concurrency=4, ack_wait=1)
    async def place(order: Order) -> None:
        seen[order.number] += 1

    async with worker(service="shop") as old:
        events = await handed_out(old, 10)
        await pause(old)
        async with worker(service="shop") as new:
            config = (await new.client.api("STREAM.INFO.KV_GLAM_LEDGER"))["config"]
            await new.client.api("STREAM.DELETE.KV_GLAM_LEDGER")
            await resume(new)
            said = await new.until(lambda: reason(new, "ledger"), "the worker to say it")
            for number in range(100, 110):
                first = await new.publish(SUBJECT, Order(number=number))
                assert (await new.finished(first)).outcome == "ack"
            pipeline = new.worker.works[0].pipeline
            waiting = len(pipeline.suspects.unstarted)
            await new.client.api("STREAM.CREATE.KV_GLAM_LEDGER", config)
            for event in events:
                await new.finished(event)
            await new.until(lambda: not new.worker.not_ready(), "the worker to be ready again")

    assert "handed out before" in said
    assert 0 < waiting <= pipeline.credits.capacity // 2
    assert set(seen.values()) == {1}
    assert len(seen) == 21


async def test_a_strike_that_could_not_be_sent_goes_out_after_the_reconnect(
    worker: WorkerFactory, own_server: StartsServer
) -> None:
    """A suspect's run that ends while the server is away is struck out, and acked, afterwards."""
    server = own_server()
    goes_on, running = asyncio.Event(), asyncio.Event()
    ran: list[int] = []

    @worker.on(SUBJECT, Order, ack_wait=60)
    async def place(order: Order) -> None:
        ran.append(order.number)
        running.set()
        await goes_on.wait()

    async with worker(service="shop", servers=server.url) as old:
        (event,) = await handed_out(old, 1, crashed=True)
        async with worker(service="shop", servers=server.url) as new:
            await running.wait()
            begun = await record(new, 1)
            await asyncio.to_thread(server.stop)
            await new.until(new.worker.not_ready)
            goes_on.set()
            await asyncio.to_thread(server.start)
            last = await new.finished(event)
            left = await record(new, 1)

    assert [start.alone for start in begun.starts] == [False, True]
    assert last.outcome == "ack"
    assert ran == [0]
    assert left == NOTHING


async def test_a_run_that_never_ends_does_not_let_a_suspect_stop_the_process(
    worker: WorkerFactory,
) -> None:
    """With a thread that outlives its timeout nothing can be alone: the suspect is handed back."""
    ends = threading.Event()
    seen: Counter[int] = Counter()

    @worker.on(SUBJECT, Order, ack_wait=1)
    async def place(order: Order) -> None:
        seen[order.number] += 1

    @worker.on(OTHER, Order, timeout=0.1)
    def mail(order: Order) -> None:
        if order.number == 0:
            ends.wait(30)

    async with worker(service="shop") as old:
        (event,) = await handed_out(old, 1, crashed=True)
        await pause(old)
        try:
            async with worker(service="shop") as new:
                await new.publish(OTHER, Order(number=0))
                mails = new.worker.works[1].pipeline
                await new.until(lambda: mails.overstays, "the thread to outlive its timeout")
                await resume(new)
                back = await new.until(lambda: unrun(new), "it to be handed back")
                reasons = "".join(new.worker.not_ready())
                other = await new.publish(OTHER, Order(number=1))
                assert (await new.finished(other, handler="mail")).outcome == "ack"
                ends.set()
                await new.until(lambda: not mails.overstays, "the thread to end")
                assert new.worker.not_ready() == []
                last = await new.finished(event, handler="place")
        finally:
            ends.set()

    assert {one.outcome for one in back} == {"handed_back"}
    assert "may have killed a worker is to run alone, and another run goes on past" in reasons
    assert last.outcome == "ack"
    assert seen[0] == 1


async def test_a_run_alone_that_outlives_its_timeout_lets_the_others_go_on(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that hangs alone does not stop the whole process."""
    monkeypatch.setattr(suspects_module, "_AFTER_TIMEOUT", 0.1)
    ends = threading.Event()
    began = threading.Event()

    @worker.on(SUBJECT, Order, timeout=0.2)
    def place(order: Order) -> None:
        began.set()
        ends.wait(30)

    @worker.on(OTHER, Order)
    async def mail(order: Order) -> None: ...

    async with worker(service="shop") as old:
        (event,) = await handed_out(old, 1, crashed=True)
        try:
            async with worker(service="shop") as new:
                await new.until(began.is_set)
                other = await new.publish(OTHER, Order())
                assert (await new.finished(other, handler="mail")).outcome == "ack"
                assert not ends.is_set()
                ends.set()
                await new.finished(event, handler="place")
                left = await record(new, 1)
        finally:
            ends.set()

    assert left == NOTHING


async def test_a_suspect_that_runs_alone_waits_for_what_runs(worker: WorkerFactory) -> None:
    """What has begun ends in peace; what came later waits until the run alone has ended."""
    goes_on = asyncio.Event()
    order_of_ends: list[str] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        if order.number != SIGN:
            order_of_ends.append("alone")

    @worker.on(OTHER, Order)
    async def mail(order: Order) -> None:
        if order.number == 0:
            await goes_on.wait()
        order_of_ends.append(f"mail {order.number}")

    async with worker(service="shop") as old:
        (event,) = await handed_out(old, 1, crashed=True)
        await pause(old)
        async with worker(service="shop") as new:
            mails, places = new.worker.works[1].pipeline, new.worker.works[0].pipeline
            await new.publish(OTHER, Order(number=0))
            await new.until(lambda: mails.busy)
            await resume(new)
            await new.until(lambda: mails.shut and places.suspects.unstarted)
            later = await new.publish(OTHER, Order(number=1))
            await new.until(lambda: mails.waiting)
            goes_on.set()
            await new.finished(event, handler="place")
            await new.finished(later, handler="mail")

    assert order_of_ends == ["mail 0", "alone", "mail 1"]


async def test_stopping_hands_back_suspects_that_wait_to_be_alone(worker: WorkerFactory) -> None:
    """They do not hold the process up, and have used nothing."""
    goes_on = asyncio.Event()

    @worker.on(SUBJECT, Order, concurrency=4)
    async def place(order: Order) -> None:
        await goes_on.wait()

    async with worker(service="shop") as old:
        events = await handed_out(old, 3, crashed=True)
        async with worker(service="shop") as new:
            await new.until(lambda: new.worker.works[0].pipeline.busy)
            await new.until(lambda: len(new.worker.works[0].pipeline.suspects.unstarted) == 2)
            await new.stop(grace=0)
            left = await records(new, range(1, 4))
        goes_on.set()
        async with worker(service="shop") as last:
            for event in events:
                assert (await last.finished(event)).outcome == "ack"

    assert left == [Record(starts=(NEVER_ENDED,))] * 3
