"""What ``start`` makes, what it leaves alone, and when it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from glam_worker import EventContext, Reject, Retry
from glam_worker.errors import TopologyError
from glam_worker.jetstream.pull_state import PullState
from glam_worker.testing import WorkerFactory
from glam_worker.topology.specs import NS
from glam_worker.worker import Worker
from tests.topology.made_by_others import consumer, prepare, stream

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


def declare(worker: WorkerFactory, **options: Any) -> list[int]:
    """A handler that takes note of what it handles."""
    seen: list[int] = []

    @worker.on(SUBJECT, Order, **options)
    async def place(order: Order) -> None:
        seen.append(order.number)

    return seen


LEGACY = stream("GLAM_EVENTS", "evt.>", "cmd.>", "dlq.>", max_age=86_400 * NS, max_msgs=1_000_000)


async def test_a_worker_is_ready_when_it_pulls(worker: WorkerFactory) -> None:
    """Right after the start the durables that are not pulled yet are named; then it is ready."""
    declare(worker)
    async with worker(service="shop") as bench:
        await bench.worker.stop()
        again = Worker(bench.worker.registry, bench.worker.settings, service="shop")
        await again.start()
        first = again.not_ready()
        await bench.until(lambda: not again.not_ready())
        pulling = [source.state for source in again.works[0].sources]
        await again.stop()
    assert first == [
        "consumer shop-place is not pulled yet",
        "consumer shop-place-lane is not pulled yet",
    ]
    assert pulling == [PullState.PULLING] * 2


async def test_what_is_missing_is_created(worker: WorkerFactory) -> None:
    """On an empty server the three streams and the two durables of a handler are made."""
    declare(worker, ack_wait=20)
    async with worker(service="shop", dlq_max_bytes=1 << 30) as bench:
        found = {
            name: (await bench.client.api(f"STREAM.INFO.{name}"))["config"]
            for name in ("GLAM_EVENTS", "GLAM_RETRY", "GLAM_DLQ")
        }
        main = (await bench.client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place"))["config"]
        lane = (await bench.client.api("CONSUMER.INFO.GLAM_RETRY.shop-place-lane"))["config"]

    events, retry, letters = found.values()
    assert events["subjects"] == ["evt.>", "cmd.>"]
    assert (events["max_age"], events["duplicate_window"]) == (7 * 86_400 * NS, 120 * NS)
    assert (retry["subjects"], retry["retention"]) == (["retry.>"], "workqueue")
    assert retry["allow_msg_schedules"] is True
    assert retry["duplicate_window"] == 1800 * NS
    assert (letters["subjects"], letters["discard"]) == (["dlq.>"], "new")
    assert (letters["max_bytes"], letters["max_age"]) == (1 << 30, 0)
    assert (main["filter_subject"], lane["filter_subject"]) == (SUBJECT, "retry.due.shop.place")
    for durable in (main, lane):
        assert durable["max_deliver"] == durable["max_ack_pending"] == -1
        assert durable["ack_wait"] == 20 * NS
        assert "backoff" not in durable
        assert durable["metadata"]["glam.service"] == "shop"


async def test_what_exists_is_left_as_it_is(worker: WorkerFactory) -> None:
    """A stream and a durable that differ safely are used, told, and not changed."""
    seen = declare(worker, ack_wait=20)
    owner = {"glam.service": "shop", "glam.handler": "place", "glam.way": "main"}
    await prepare(
        worker.url,
        stream("GLAM_EVENTS", "evt.>", "cmd.>", max_age=3600 * NS, max_msgs=1000),
        consumer(
            "shop-place",
            filter_subject=SUBJECT,
            max_deliver=-1,
            ack_wait=7 * NS,
            max_ack_pending=50,
            metadata=owner,
        ),
    )
    async with worker(service="shop") as bench:
        await bench.finished(await bench.publish(SUBJECT, Order(number=5)))
        config = (await bench.client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place"))["config"]
        events = (await bench.client.api("STREAM.INFO.GLAM_EVENTS"))["config"]
        told = {str(drift) for drift in bench.worker.ensured.drift}
        ready = bench.worker.not_ready()

    assert seen == [5]
    assert (config["ack_wait"], config["max_ack_pending"]) == (7 * NS, 50)
    assert (events["max_age"], events["max_msgs"]) == (3600 * NS, 1000)
    durable = "consumer shop-place on stream GLAM_EVENTS"
    assert f"{durable} has ack_wait 7 s (declared: 20 s)" in told
    assert f"{durable} has max_ack_pending 50 (declared: -1)" in told
    assert "stream GLAM_EVENTS has max_age 1 h (declared: 7 d)" in told
    assert "stream GLAM_EVENTS has max_msgs 1000 (declared: no limit)" in told
    assert ready == []


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"filter_subject": "evt.mail.>"}, "filter"),
        ({"max_deliver": 3}, "max_deliver"),
        ({"max_deliver": 3, "backoff": [NS, 2 * NS]}, "backoff"),
        ({"headers_only": True}, "headers_only"),
        ({"metadata": {}}, "owner"),
        (
            {"metadata": {"glam.service": "mail", "glam.handler": "place", "glam.way": "main"}},
            "owner",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_a_durable_with_unsafe_drift_is_not_pulled(
    worker: WorkerFactory, config: dict[str, Any], field: str
) -> None:
    """The handler does not get events, readiness says why, and other handlers work."""
    seen = declare(worker)
    mails: list[int] = []

    @worker.on("evt.mail.sent.v1", Order)
    async def mail(order: Order) -> None:
        mails.append(order.number)

    declared = {
        "filter_subject": SUBJECT,
        "max_deliver": -1,
        "metadata": {"glam.service": "shop", "glam.handler": "place", "glam.way": "main"},
    }
    await prepare(
        worker.url,
        stream("GLAM_EVENTS", "evt.>", "cmd.>"),
        consumer("shop-place", **declared | config),
    )
    async with worker(service="shop") as bench:
        await bench.publish(SUBJECT, Order())
        await bench.finished(await bench.publish("evt.mail.sent.v1", Order(number=2)))
        reasons = bench.worker.not_ready()
        after = (await bench.client.api("CONSUMER.INFO.GLAM_EVENTS.shop-place"))["config"]

    assert (seen, mails) == ([], [2])
    (reason,) = reasons
    assert reason.startswith("consumer shop-place on stream GLAM_EVENTS has ")
    assert f" {field} " in reason
    assert after.get("filter_subject") == (declared | config)["filter_subject"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"max_msgs": 1000}, "max_msgs=1000"),
        ({"max_bytes": 1 << 20}, "max_bytes=1048576"),
        ({"max_age": 3600 * NS}, "max_age"),
        ({"allow_msg_schedules": False}, "does not allow message schedules"),
        ({"retention": "limits"}, "needed is workqueue"),
    ],
)
async def test_a_retry_stream_that_could_lose_events_stops_the_start(
    worker: WorkerFactory, config: dict[str, Any], words: str
) -> None:
    """A limit on the retry stream would drop parked events: start fails and names it."""
    declare(worker)
    good = {"retention": "workqueue", "allow_msg_schedules": True}
    await prepare(worker.url, stream("GLAM_RETRY", "retry.>", **good | config))

    with pytest.raises(TopologyError) as caught:
        await worker(service="shop")

    assert "stream GLAM_RETRY" in str(caught.value)
    assert words in str(caught.value)


async def test_beside_older_services_letters_lie_in_their_stream(worker: WorkerFactory) -> None:
    """An events stream that holds ``dlq.>`` is used for the letters too, and that is said."""

    @worker.on(SUBJECT, Order)
    async def place(order: Order, event: EventContext) -> None:
        raise Reject("no") if event.attempt == 2 else Retry()

    await prepare(worker.url, LEGACY)
    async with worker(service="shop") as bench:
        await bench.finished(await bench.publish(SUBJECT, Order()))
        (letter,) = await bench.dead_letters()
        streams = (await bench.client.api("STREAM.NAMES"))["streams"]
        events = (await bench.client.api("STREAM.INFO.GLAM_EVENTS"))["config"]
        (note,) = bench.worker.ensured.notes

    assert (letter.reason, letter.attempts) == ("rejected", 2)
    assert "GLAM_DLQ" not in streams
    assert events["subjects"] == ["evt.>", "cmd.>", "dlq.>"]
    assert "dead letters lie in stream GLAM_EVENTS" in note
    assert "24 h" in note


async def test_a_stream_that_does_not_exist_is_named(worker: WorkerFactory) -> None:
    """``stream=`` with a name that nobody has is an error, not a new stream."""
    declare(worker, stream="ORDERS")
    with pytest.raises(TopologyError, match="ORDERS"):
        await worker(service="shop")


async def test_a_second_start_changes_nothing(worker: WorkerFactory) -> None:
    """Starting against what an earlier start made creates nothing and finds no drift."""
    declare(worker)
    async with worker(service="shop") as bench:
        assert bench.worker.ensured.created
    async with worker(service="shop") as bench:
        assert bench.worker.ensured.created == []
        assert bench.worker.ensured.drift == []
