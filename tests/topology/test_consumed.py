"""Which stream a handler consumes from, which subjects, and from where on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import nats
import pytest
from pydantic import BaseModel

from glam_shared.logging import create_logger
from glam_shared.messaging import EventEnvelope, JetStreamClient
from glam_worker import EventContext, Retry
from glam_worker.errors import TopologyError
from glam_worker.testing import Registry, WorkerFactory
from tests.topology.made_by_others import prepare, stream

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


async def test_a_subject_that_no_stream_holds_stops_the_start(worker: WorkerFactory) -> None:
    """The error names the handler with its place, and the subject."""

    @worker.on("orders.placed", Order)
    async def place(order: Order) -> None: ...

    with pytest.raises(
        TopologyError, match=r"handler place \(.*test_consumed\.py:\d+\).*orders\.placed"
    ):
        await worker(service="shop")


async def test_a_stream_made_by_others_is_used_as_it_is(worker: WorkerFactory) -> None:
    """A subject outside of the events stream is consumed from the stream that holds it."""
    seen: list[str] = []

    @worker.on("orders.placed", Order)
    async def place(order: Order, event: EventContext) -> None:
        seen.append(event.stream)
        if event.attempt == 1:
            raise Retry

    await prepare(worker.url, stream("ORDERS", "orders.>", storage="memory"))
    async with worker(service="shop") as bench:
        await bench.finished(await bench.publish("orders.placed", Order()))

    assert seen == ["ORDERS", "ORDERS"]


async def test_where_two_streams_hold_a_subject_one_must_be_named(worker: WorkerFactory) -> None:
    """A wildcard over two streams is refused with both names; ``stream=`` chooses."""

    @worker.on("orders.*", Order)
    async def place(order: Order) -> None: ...

    await prepare(worker.url, stream("OLD", "orders.placed"), stream("NEW", "orders.moved"))
    with pytest.raises(TopologyError, match=r"NEW, OLD; choose one with stream="):
        await worker(service="shop")

    chosen = Registry()
    chosen.on("orders.*", Order, stream="NEW")(place)
    async with worker(chosen, service="shop") as bench:
        assert (await bench.finished(await bench.publish("orders.moved", Order()))).outcome == "ack"


async def test_events_of_a_plain_nats_client_are_handled(worker: WorkerFactory) -> None:
    """An envelope written by any client, without headers, is an event like any other."""
    seen: list[tuple[int, str]] = []

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        seen.append((order.number, event.source_service))
        if event.attempt == 1:
            raise Retry

    envelope = {
        "event_id": "e-1",
        "event_type": SUBJECT,
        "correlation_id": "c-1",
        "source_service": "older-service",
        "timestamp": "2026-11-01T12:00:00Z",
        "data": {"number": 3},
    }
    async with worker(service="shop") as bench:
        client = await nats.connect(worker.url)
        await client.jetstream().publish(SUBJECT, json.dumps(envelope).encode())
        await client.close()
        last = await bench.finished("e-1")

    assert last.outcome == "ack"
    assert seen == [(3, "older-service")] * 2


async def test_a_wildcard_gets_every_subject_it_matches(worker: WorkerFactory) -> None:
    """Each event tells its own subject; what the filter does not match does not come."""
    seen: list[str] = []

    @worker.on("evt.order.*.v1", Order)
    async def some(order: Order, event: EventContext) -> None:
        seen.append(event.subject)

    @worker.on("evt.order.>", Order)
    async def all_of_them(order: Order, event: EventContext) -> None:
        seen.append(event.subject)

    subjects = ["evt.order.placed.v1", "evt.order.item.added.v1", "evt.order.moved.v1"]
    async with worker() as bench:
        for subject in [*subjects, "evt.orders.placed.v1"]:
            await bench.publish(subject, Order())
        await bench.idle()

    assert sorted(seen) == sorted([*subjects, subjects[0], subjects[2]])


async def test_a_new_handler_begins_where_it_says(worker: WorkerFactory) -> None:
    """``start`` decides what a durable gets when it is made: all, new, or from a time on."""
    await prepare(worker.url, stream("GLAM_EVENTS", "evt.>", "cmd.>"))
    client = JetStreamClient(create_logger("test"))
    await client.connect(worker.url)

    async def publish(number: int) -> None:
        envelope = EventEnvelope.create(SUBJECT, Order(number=number), source_service="test")
        await client.publish_acked(SUBJECT, envelope.to_bytes(), {}, msg_id=envelope.event_id)

    await publish(1)
    info = await client.api("STREAM.MSG.GET.GLAM_EVENTS", {"seq": 1})
    between = datetime.fromisoformat(info["message"]["time"][:26] + "+00:00").astimezone(UTC)
    await publish(2)
    seen: dict[str, list[int]] = {"all": [], "new": [], "time": []}
    starts: dict[str, Any] = {"all": "all", "new": "new", "time": between}
    for name, start in starts.items():
        worker.on(SUBJECT, Order, name=name, start=start)(noting(seen[name]))
    async with worker() as bench:
        event = await bench.publish(SUBJECT, Order(number=3))
        for name in starts:
            await bench.finished(event, handler=name)
        await bench.until(lambda: len(seen["all"]) == 3)
    await client.close()

    assert seen["all"] == [1, 2, 3]
    assert seen["new"] == [3]
    assert seen["time"][-2:] == [2, 3]


def noting(into: list[int]) -> Any:
    """A handler that appends the order's number."""

    async def handle(order: Order) -> None:
        into.append(order.number)

    return handle
