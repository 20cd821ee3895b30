"""Parked events come back, each once, whatever else happens."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from glam_shared.messaging import EventEnvelope
from glam_shared.messaging.acked_publisher import Message
from glam_worker import EventContext, Reject, Retry, Snooze
from glam_worker.jetstream.replay import Replays
from glam_worker.jetstream.stored_letters import StoredLetters
from glam_worker.testing import Bench, WorkerFactory
from glam_worker.topology.specs import due_subject, wait_subject
from tests.ledger.seeding import carrier, hand_out

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


async def gone(bench: Bench) -> None:
    """Return when the retry stream is empty."""
    async with asyncio.timeout(10):
        while await bench.parked():
            await asyncio.sleep(0.02)


@pytest.mark.faults
async def test_an_event_snoozed_ten_times_within_a_minute_runs_eleven_times(
    worker: WorkerFactory,
) -> None:
    """No snooze is taken for another one, and none costs an attempt."""
    attempts: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        if len(attempts) <= 10:
            raise Snooze(after=0.01)

    async with worker(deadline=60) as bench:
        last = await bench.finished(await bench.publish(SUBJECT, Order()))
        await gone(bench)

    assert attempts == [1] * 11
    assert last.outcome == "ack"


async def test_a_letter_replayed_five_times_runs_each_time(worker: WorkerFactory) -> None:
    """Each replay is an event of its own, although the event's id repeats; none is swallowed."""
    attempts: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        raise Reject("as always")

    async with worker() as bench:
        await bench.publish(SUBJECT, Order())
        letters = StoredLetters(bench.client, "GLAM_DLQ")
        replays = Replays(bench.client)
        for sequence in range(1, 6):
            await bench.until(lambda: len(bench.settlements()) == sequence)  # noqa: B023
            letter = await letters.get(sequence)
            assert letter is not None
            assert await replays.replay(letter)
        await bench.until(lambda: len(bench.settlements()) == 6)
        (last,) = await bench.dead_letters()

    assert attempts == [1] * 6
    assert len(last.about.replays) == 5


async def test_parked_events_outlive_their_stream(worker: WorkerFactory) -> None:
    """Made again, the stream counts from 1; what is parked of both comes back, each once."""
    seen: Counter[tuple[int, int]] = Counter()

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        seen[order.number, event.attempt] += 1
        if event.attempt == 1:
            raise Retry(after=1.0)

    async with worker(service="shop", retry_delays=1.0) as old:
        for number in range(5):
            await old.settled(await old.publish(SUBJECT, Order(number=number)))
        stream = (await old.client.api("STREAM.INFO.GLAM_EVENTS"))["config"]
        name = "GLAM_EVENTS.shop-place"
        durable = (await old.client.api(f"CONSUMER.INFO.{name}"))["config"]
        await old.stop()
        await old.client.api("STREAM.DELETE.GLAM_EVENTS")
        await old.client.api("STREAM.DELETE.KV_GLAM_STATE")
        await old.client.api("STREAM.CREATE.GLAM_EVENTS", stream)
        body = {"stream_name": "GLAM_EVENTS", "config": durable, "action": "create"}
        await old.client.api(f"CONSUMER.CREATE.{name}", body)
        async with worker(service="shop", retry_delays=1.0) as new:
            for number in range(5, 10):
                await new.publish(SUBJECT, Order(number=number))
            await new.until(lambda: len(seen) == 20)
            await gone(new)

    assert set(seen.values()) == {1}


async def park(bench: Bench, carrier_of_it: str, event: str, delay: timedelta) -> None:
    """Park an event as a worker does that dies before it acks the carrier."""
    due = (datetime.now(UTC) + delay).isoformat().replace("+00:00", "Z")
    headers = {
        "Nats-Schedule": f"@at {due}",
        "Nats-Schedule-Target": due_subject(bench.service, "place"),
        "Glam-Subject": SUBJECT,
        "Glam-Attempts": "1",
    }
    body = EventEnvelope.create(SUBJECT, Order(), source_service="test", event_id=event).to_bytes()
    subject = wait_subject(bench.service, "place", carrier_of_it)
    await bench.client.publish_acked(subject, body, headers, msg_id=carrier_of_it)


async def test_a_carrier_whose_parked_copy_waits_is_acked_without_a_run(
    worker: WorkerFactory,
) -> None:
    """The worker died between the PubAck and the ack: the copy runs, as attempt 2, and only it."""
    attempts: list[int] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)

    async with worker(service="shop") as old:
        await old.stop()
        event = await old.publish(SUBJECT, Order())
        await hand_out(old, 1)
        await park(old, await carrier(old, 1), event, timedelta(seconds=1.5))
        async with worker(service="shop") as new:
            (first,) = await new.until(new.settlements, "the carrier to be acked")
            last = await new.settled(event)

    assert (first.outcome, first.ran) == ("ack", False)
    assert (last.outcome, last.way) == ("ack", "lane")
    assert attempts == [2]


@pytest.mark.faults
async def test_fifty_thousand_parked_events_do_not_slow_the_new_ones(
    worker: WorkerFactory,
) -> None:
    """They take no place in the consumer, and nobody reads them for a new event."""

    @worker.on(SUBJECT, Order, concurrency=32)
    async def place(order: Order, event: EventContext) -> None:
        if order.number == 7 and event.attempt == 1:
            raise Retry

    async with worker(deadline=60) as bench:
        alone = await seconds_for(bench, 500)
        due = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
        headers = {
            "Nats-Schedule": f"@at {due}",
            "Nats-Schedule-Target": due_subject(bench.service, "place"),
        }
        parked = (
            Message(
                wait_subject(bench.service, "place", f"GLAM_EVENTS.1.{number}"),
                b"x" * 400,
                headers | {"Nats-Msg-Id": str(number)},
            )
            for number in range(50_000)
        )
        await bench.client.publish_all(parked, lambda ack: None)
        beside = await seconds_for(bench, 500)
        info = await bench.client.api("STREAM.INFO.GLAM_RETRY")

    assert info["state"]["messages"] == 50_000
    assert beside < 3 * alone + 1.0


async def seconds_for(bench: Bench, count: int) -> float:
    """What so many events take, a retry among them."""
    began = time.monotonic()
    events = [await bench.publish(SUBJECT, Order(number=number)) for number in range(count)]
    for event in events:
        await bench.finished(event)
    return time.monotonic() - began
