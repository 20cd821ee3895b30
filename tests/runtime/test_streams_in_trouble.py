"""A stream or a durable that goes away, or does not take what it should, under a running worker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from pydantic import BaseModel

from glam_worker import Reject
from glam_worker.dev.server import EmbeddedServer
from glam_worker.testing import Bench, WorkerFactory

SUBJECT = "evt.order.placed.v1"
OTHER = "evt.mail.sent.v1"

StartsServer = Callable[..., EmbeddedServer]


class Order(BaseModel):
    number: int = 1


def durable(bench: Bench, handler: str = "place") -> str:
    """The name of a handler's durable."""
    return f"{bench.service}-{handler}"


async def delete_consumer(bench: Bench, handler: str = "place") -> None:
    """Delete the durable of a handler under the running worker."""
    await bench.client.api(f"CONSUMER.DELETE.GLAM_EVENTS.{durable(bench, handler)}")


def reason_with(bench: Bench, words: str) -> str:
    """The reason for not being ready that has these words; empty if there is none."""
    return next((one for one in bench.worker.not_ready() if words in one), "")


async def ack_pending(bench: Bench, count: int) -> None:
    """Return when the server waits for so many acks of the handler."""
    async with asyncio.timeout(10):
        while True:
            info = await bench.client.api(f"CONSUMER.INFO.GLAM_EVENTS.{durable(bench)}")
            if (info["num_ack_pending"], info["num_pending"]) == (count, 0):
                return
            await asyncio.sleep(0.02)


async def test_a_deleted_durable_is_said_and_not_recreated(worker: WorkerFactory) -> None:
    """The handler is not ready, with the reason; it neither crashes nor replays; others go on."""
    seen: Counter[str] = Counter()

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        seen["place"] += 1

    @worker.on(OTHER, Order)
    async def mail(order: Order) -> None:
        seen["mail"] += 1

    async with worker() as bench:
        await bench.finished(await bench.publish(SUBJECT, Order()))
        await delete_consumer(bench)
        gone = f"consumer {durable(bench)} on stream GLAM_EVENTS is gone"
        reason = await bench.until(lambda: reason_with(bench, gone), "the worker to notice")
        await bench.publish(SUBJECT, Order())
        await bench.finished(await bench.publish(OTHER, Order()))
        names = (await bench.client.api("CONSUMER.NAMES.GLAM_EVENTS"))["consumers"]
        unhealthy = bench.worker.unhealthy()

    assert seen == {"place": 1, "mail": 1}
    assert "glam-worker apply" in reason
    assert names == [durable(bench, "mail")]
    assert unhealthy == []


async def test_a_durable_deleted_while_its_event_runs_hurts_nobody(worker: WorkerFactory) -> None:
    """The run ends, its ack has no addressee, and stopping is not held up."""
    goes_on = asyncio.Event()
    ended: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        await goes_on.wait()
        ended.append(order.number)

    async with worker() as bench:
        await bench.publish(SUBJECT, Order())
        await bench.until(lambda: bench.worker.works[0].pipeline.running)
        await delete_consumer(bench)
        await bench.until(bench.worker.not_ready)
        goes_on.set()
        await bench.until(lambda: ended)
        async with asyncio.timeout(5):
            await bench.stop(grace=2)


async def test_a_deleted_stream_is_said_and_not_recreated(worker: WorkerFactory) -> None:
    """Without its stream a handler is not ready; nothing is created while running."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None: ...

    async with worker() as bench:
        await bench.finished(await bench.publish(SUBJECT, Order()))
        await bench.client.api("STREAM.DELETE.GLAM_EVENTS")
        await bench.until(bench.worker.not_ready, "the worker to notice")
        streams = (await bench.client.api("STREAM.NAMES"))["streams"]

    assert "GLAM_EVENTS" not in streams


async def test_a_stream_made_anew_is_not_taken_for_the_old_one(worker: WorkerFactory) -> None:
    """Stream and durable of the same names, made by somebody else, are not pulled nor acked."""
    goes_on = asyncio.Event()
    seen: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        seen.append(order.number)
        await goes_on.wait()

    async with worker() as bench:
        await bench.publish(SUBJECT, Order(number=1))
        await bench.until(lambda: seen)
        stream = (await bench.client.api("STREAM.INFO.GLAM_EVENTS"))["config"]
        name = f"GLAM_EVENTS.{durable(bench)}"
        consumer = (await bench.client.api(f"CONSUMER.INFO.{name}"))["config"]
        await bench.client.api("STREAM.DELETE.GLAM_EVENTS")
        await bench.client.api("STREAM.CREATE.GLAM_EVENTS", stream)
        body = {"stream_name": "GLAM_EVENTS", "config": consumer, "action": "create"}
        await bench.client.api(f"CONSUMER.CREATE.{name}", body)
        await bench.publish(SUBJECT, Order(number=2))
        await bench.until(
            lambda: reason_with(bench, "deleted and created anew"),
            "the worker to see that the stream is another one",
        )
        goes_on.set()
        await bench.stop()
        floor = (await bench.client.api(f"CONSUMER.INFO.{name}"))["ack_floor"]["stream_seq"]

    assert seen == [1]
    assert floor == 0


def rejecting(worker: WorkerFactory) -> None:
    """Declare a handler that rejects odd numbers."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order) -> None:
        if order.number % 2:
            raise Reject("odd")


async def test_a_letter_that_is_refused_stays_an_event(worker: WorkerFactory) -> None:
    """With a full dead-letter stream the event is kept unacked and said; others are handled."""
    rejecting(worker)
    async with worker() as bench:
        config = (await bench.client.api("STREAM.INFO.GLAM_DLQ"))["config"]
        await bench.client.api("STREAM.UPDATE.GLAM_DLQ", config | {"max_msgs": 1})
        await bench.finished(await bench.publish(SUBJECT, Order(number=1)))
        bad = await bench.publish(SUBJECT, Order(number=3))
        refused = await bench.settled(bad)
        good = await bench.publish(SUBJECT, Order(number=4))
        assert (await bench.finished(good)).outcome == "ack"
        await ack_pending(bench, 1)
        letters = await bench.dead_letters()

    assert refused.outcome == "handed_back"
    assert [one.stored for one in bench.refused] == [refused.stored]
    assert "maximum messages exceeded" in str(bench.refused[0].error)
    assert len(letters) == 1


@pytest.mark.faults
async def test_a_dead_letter_stream_that_is_gone_loses_nothing(worker: WorkerFactory) -> None:
    """A letter that no stream takes is tried for 30 s, in case of an election; then as above."""
    rejecting(worker)
    async with worker(deadline=45) as bench:
        await bench.client.api("STREAM.DELETE.GLAM_DLQ")
        bad = await bench.publish(SUBJECT, Order(number=1))
        good = await bench.publish(SUBJECT, Order(number=2))
        assert (await bench.finished(good)).outcome == "ack"
        refused = await bench.settled(bad)
        await ack_pending(bench, 1)

    assert refused.outcome == "handed_back"
