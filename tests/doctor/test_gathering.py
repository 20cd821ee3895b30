"""The snapshot of a real server, and what is found in it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.messaging import JetStreamClient, server_clock
from glam_worker import Retry, RetryPolicy
from glam_worker.declare.registry import Registry
from glam_worker.dev.server import EmbeddedServer
from glam_worker.doctor import gathering
from glam_worker.doctor.checks import examine
from glam_worker.doctor.gathering import gather
from glam_worker.doctor.snapshot import Snapshot
from glam_worker.jetstream.state import JetStreamState
from glam_worker.testing import Bench, WorkerFactory
from glam_worker.testing.factory import BenchSettings
from glam_worker.topology.specs import NS, STATE
from tests.topology.applied import plan
from tests.topology.made_by_others import consumer, prepare, stream
from tests.topology.running import change

SUBJECT = "evt.order.placed.v1"
OWNER = {"glam.service": "shop", "glam.handler": "ship", "glam.way": "main"}


class Order(BaseModel):
    number: int = 1


def declare(worker: WorkerFactory) -> None:
    """A handler that puts off what has the number 0, and handles the rest."""

    @worker.on(SUBJECT, Order)
    async def ship(order: Order) -> None:
        if not order.number:
            raise Retry(after=3600)


async def look(bench: Bench, service: str | None = None) -> Snapshot:
    """What the doctor sees, as the same user as the worker."""
    return await gather(bench.client, bench.worker.settings, service)


def found(seen: Snapshot) -> dict[str, str]:
    """The findings by check, without the advice that every look without monitor gets."""
    return {
        one.check: f"{one.severity} {one.thing} {one.found}"
        for one in examine(seen)
        if one.check != "sync-interval"
    }


async def test_what_a_worker_creates_is_healthy(worker: WorkerFactory) -> None:
    """Beside a worker at work, with an event handled and one parked, nothing is found."""
    declare(worker)
    async with worker(service="shop", retry_delays=1.0) as bench:
        await bench.settled(await bench.publish(SUBJECT, Order(number=0)))
        await bench.finished(await bench.publish(SUBJECT, Order()))
        seen = await look(bench)
    assert found(seen) == {}
    assert seen.version.startswith("2.")
    assert seen.account["streams"] >= 3
    assert {one.name for one in seen.ours} == {"shop-ship", "shop-ship-lane"}
    assert (seen.parked.looked_at, seen.parked.all_seen, seen.parked.overdue) == (1, True, ())
    assert seen.tries.denied == ()
    assert f"dlq.{SUBJECT.partition('.')[2]}" in seen.tries.allowed


async def test_a_wrong_clock_here_is_found(
    worker: WorkerFactory, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look of a new connection knows already by how much the clocks differ."""
    declare(worker)
    async with worker(service="shop") as bench, JetStreamClient() as client:
        await client.connect(nats_url)
        monkeypatch.setattr(
            server_clock, "own_time", lambda: datetime.now(UTC) - timedelta(minutes=1)
        )
        seen = await gather(client, bench.worker.settings, None)

    assert "is +60.0 s from this machine's" in found(seen)["clock-skew"]


async def test_looking_changes_nothing(worker: WorkerFactory) -> None:
    """Trying a worker's requests stores, delivers, settles and creates nothing."""
    declare(worker)
    async with worker(service="shop", retry_delays=1.0) as bench:
        await bench.settled(await bench.publish(SUBJECT, Order(number=0)))
        await bench.stop()
        await bench.publish(SUBJECT, Order())

        async def state() -> list[Any]:
            streams = (await bench.client.api("STREAM.LIST"))["streams"]
            durables = [
                await bench.client.api(f"CONSUMER.INFO.{place}")
                for place in ("GLAM_EVENTS.shop-ship", "GLAM_RETRY.shop-ship-lane")
            ]
            return [
                [(one["config"], one["state"]) for one in streams],
                [{k: v for k, v in one.items() if k != "ts"} for one in durables],
            ]

        before = await state()
        seen = await look(bench)
        after = await state()
    assert before == after
    assert len(seen.tries.allowed) > 8
    assert found(seen).keys() == {"nobody-pulls"}


async def test_a_delivery_in_hand_is_not_settled_by_looking(worker: WorkerFactory) -> None:
    """A run that is under way when the doctor looks stays under way."""
    running, go_on = asyncio.Event(), asyncio.Event()

    @worker.on(SUBJECT, Order)
    async def ship(order: Order) -> None:
        running.set()
        await go_on.wait()

    async with worker(service="shop") as bench:
        event = await bench.publish(SUBJECT, Order())
        await running.wait()
        seen = await look(bench)
        info = await bench.client.api("CONSUMER.INFO.GLAM_EVENTS.shop-ship")
        go_on.set()
        await bench.finished(event)
    assert info["num_ack_pending"] == 1
    (main,) = [one for one in seen.ours if one.owner and one.owner[2] == "main"]
    assert main.oldest is not None
    assert 0.0 <= main.oldest < 30.0


async def test_a_parked_retry_that_is_late_is_found(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time is read from its schedule: due in an hour, it is late for one who comes after."""
    declare(worker)
    async with worker(service="shop", retry_delays=1.0) as bench:
        await bench.settled(await bench.publish(SUBJECT, Order(number=0)))
        monkeypatch.setattr(gathering, "_LATE", -3700.0)
        seen = await look(bench)
        (overdue,) = seen.parked.overdue
        elsewhere = await look(bench, service="other")
    assert overdue.subject.startswith("retry.wait.shop.ship.")
    assert -3600.0 <= overdue.late < -3000.0
    assert "overdue-retries" in found(seen)
    assert elsewhere.parked.looked_at == 0
    assert "nothing-here" in found(elsewhere)


async def test_retries_that_a_lane_passed_by_are_found(worker: WorkerFactory) -> None:
    """They were due before the lane was given their subject; those that come later are not."""
    declare(worker)
    ours, others = "retry.due.shop.ship", "retry.due.shop.old"
    async with worker(service="shop") as bench:
        for number, subject in enumerate((others, others, ours)):
            await bench.client.publish_acked(subject, b"", None, msg_id=str(number))
        await bench.until(lambda: len(bench.settlements()) == 1, "the lane to be past them")
        await change(bench, "shop-ship-lane", filter_subjects=[ours, others], filter_subject=None)
        seen = await look(bench)
        assert seen.parked.passed_by == {"shop-ship-lane": 2}
        assert "passed-retries" in found(seen)


async def test_a_retry_that_is_due_and_has_no_lane_is_found(worker: WorkerFactory) -> None:
    """What waits for a handler that is gone is counted, by service and handler."""
    declare(worker)
    async with worker(service="shop") as bench:
        for number in range(3):
            await bench.client.publish_acked(
                "retry.due.shop.old", b"", None, msg_id=f"due {number}"
            )
        seen = await look(bench)
    assert seen.parked.due == {("shop", "old"): 3}
    assert "has 3 retries or replays due" in found(seen)["lanes"]


async def ask(client: JetStreamClient, durable: str, batch: int) -> None:
    """One request for events."""
    request = json.dumps({"batch": batch, "expires": 20 * NS}).encode()
    subject = f"$JS.API.CONSUMER.MSG.NEXT.GLAM_EVENTS.{durable}"
    await client.client.publish(subject, request, reply=f"taken.{durable}")


async def give_up(client: JetStreamClient, durable: str, deliveries: int) -> None:
    """Take all that a durable gives, again and again, and settle nothing."""
    subscription = await client.client.subscribe(f"taken.{durable}")
    info = await client.api(f"CONSUMER.INFO.GLAM_EVENTS.{durable}")
    for _ in range(deliveries):
        await ask(client, durable, info["num_pending"])
        for _ in range(info["num_pending"]):
            await subscription.next_msg(timeout=20)


async def given_up(client: JetStreamClient, durable: str) -> int:
    """How many the server counts as redelivered although nobody has them."""
    info = await client.api(f"CONSUMER.INFO.GLAM_EVENTS.{durable}")
    return int(info["num_redelivered"]) - int(info["num_ack_pending"])


async def test_a_policy_that_outlasts_the_events_is_found(worker: WorkerFactory) -> None:
    """It is recorded when the durable is; a change of it, by the next worker that runs."""
    handlers = []
    for attempts in (3, 9):  # 25 and 85 minutes of delays
        registry = Registry()
        policy = RetryPolicy(attempts=attempts, first=600, factor=1, ceiling=600, jitter=0.25)

        @registry.on(SUBJECT, Order, retry=policy)
        async def ship(order: Order) -> None: ...

        handlers.append(registry)
    said = []
    for registry in handlers:
        async with worker(registry, service="shop", events_max_age=3600.0) as bench:
            assert bench.worker.upkeep is not None
            await bench.worker.upkeep.look()
            seen = await look(bench)
            said.append(found(seen).get("longest-retry"))
            (record,) = seen.records
            planned = await plan(bench.client, registry)
        assert record.longest_delay == 750.0
        assert [one.thing for one in planned.changes] == ["stream GLAM_EVENTS"]  # its age
    wanted = "warning handler of consumer shop-ship tries an event for up to 1.74 h, and stream"
    assert said == [None, f"{wanted} GLAM_EVENTS keeps events for 1 h"]


async def test_a_record_of_before_says_nothing_of_the_policy(worker: WorkerFactory) -> None:
    """A durable that was recorded without its policy is worked as ever, and recorded with it."""
    declare(worker)
    old = '{"stream": "%s", "stream_created": %d, "durable": "%s", "created": %d, "floor": 0}'
    async with worker(service="shop") as bench:
        (known,) = (await look(bench)).records
        place = (known.stream, known.stream_created, known.durable, known.created)
        state = JetStreamState(bench.client, STATE)
        await state.write("handler.shop.ship", (old % place).encode())
        seen = await look(bench)
        assert bench.worker.upkeep is not None
        await bench.worker.upkeep.look()
        after = await look(bench)
        assert bench.worker.not_ready() == []
    assert [one.worked_for for one in seen.records] == [None]
    assert "longest-retry" not in found(seen)
    assert after.records == (known,)
    assert known.worked_for == pytest.approx(5 * 30 + 85 * 1.2)


async def test_events_that_an_old_max_deliver_gave_up_are_found(worker: WorkerFactory) -> None:
    """Their number, also after max_deliver was raised; a stream of advisories has the sequences."""
    advisories = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>"
    config = {"filter_subject": SUBJECT, "max_deliver": 2, "ack_wait": NS // 10, "metadata": OWNER}
    await prepare(
        worker.url,
        stream("GLAM_EVENTS", "evt.>", "cmd.>"),
        stream("ADVISORIES", advisories),
        consumer("shop-ship", **config),
    )
    declare(worker)
    async with worker(service="shop") as bench:
        await bench.publish("evt.else.v1", Order())
        for _ in range(2):
            await bench.publish(SUBJECT, Order())
        await give_up(bench.client, "shop-ship", deliveries=2)
        async with asyncio.timeout(20):
            while await given_up(bench.client, "shop-ship") < 2:
                await ask(bench.client, "shop-ship", 1)
        before = found(await look(bench))
        raised = config | {"durable_name": "shop-ship", "ack_policy": "explicit", "max_deliver": -1}
        body = {"stream_name": "GLAM_EVENTS", "config": raised, "action": "update"}
        await bench.client.api("CONSUMER.CREATE.GLAM_EVENTS.shop-ship", body)
        after = found(await look(bench))
    thing = "error consumer shop-ship on stream GLAM_EVENTS"
    assert before["max-deliver"] == f"{thing} has max_deliver=2"
    assert before["given-up"].startswith(f"{thing} gives out 2 events no more (sequences 2, 3)")
    assert after["given-up"] == before["given-up"]
    assert "max-deliver" not in after


async def test_letters_in_an_old_events_stream_are_found_with_its_age(
    worker: WorkerFactory,
) -> None:
    """The stream of older services drops letters with its events; that is an error."""
    legacy = stream("GLAM_EVENTS", "evt.>", "cmd.>", "dlq.>", max_age=86_400 * NS, max_msgs=1000)
    await prepare(worker.url, legacy)
    declare(worker)
    async with worker(service="shop") as bench:
        await bench.client.publish_acked("dlq.order.placed.v1", b"{}", None, msg_id="letter")
        seen = await look(bench)
    said = found(seen)
    assert said["letters-stream"].startswith("error stream GLAM_EVENTS holds the dead letters")
    assert "(24 h)" in said["letters-stream"]
    assert "has 1 dead letters" in said["letters-waiting"]
    assert "max_msgs=1000" in said["events-limits"]


async def test_a_paused_durable_with_a_backlog_is_found(worker: WorkerFactory) -> None:
    """A pause that outlasts the events it holds back is an error."""
    declare(worker)
    async with worker(service="shop", events_max_age=3600.0) as bench:
        until = {"pause_until": "2099-01-01T00:00:00Z"}
        await bench.client.api("CONSUMER.PAUSE.GLAM_EVENTS.shop-ship", until)
        await bench.publish(SUBJECT, Order())
        seen = await look(bench)
    assert "error consumer shop-ship on stream GLAM_EVENTS is paused" in found(seen)["paused"]


async def test_a_mirror_of_the_retry_stream_is_found(worker: WorkerFactory) -> None:
    """Somebody's backup of parked retries takes them out: it is named."""
    declare(worker)
    async with worker(service="shop") as bench:
        config = {"name": "BACKUP", "sources": [{"name": "GLAM_RETRY"}]}
        await bench.client.api("STREAM.CREATE.BACKUP", config)
        seen = await look(bench)
    assert found(seen)["retry-copies"] == "error stream BACKUP mirrors or sources GLAM_RETRY"


async def test_a_durable_that_was_deleted_is_found(worker: WorkerFactory) -> None:
    """What a worker has recorded as created and is gone is told."""
    declare(worker)
    async with worker(service="shop") as bench:
        before = await look(bench)
        await bench.client.api("CONSUMER.DELETE.GLAM_EVENTS.shop-ship")
        after = await look(bench)
    assert [record.durable for record in before.records] == ["shop-ship"]
    assert "deleted" not in found(before)
    assert "warning consumer shop-ship on stream GLAM_EVENTS was created" in found(after)["deleted"]


async def test_an_account_without_jetstream_is_told(tmp_path: Path) -> None:
    """It is an error of the set-up, and not of the doctor."""
    users = {"users": [{"user": "a", "password": "a"}]}
    config = {"accounts": {"A": users, "B": {"jetstream": "enabled"}}}
    with EmbeddedServer(tmp_path, config=config) as server:
        async with JetStreamClient() as client:
            await client.connect(server.url, user="a", password="a", timeout=20)
            seen = await gather(client, BenchSettings(), None)
    said = [one for one in examine(seen) if one.check == "no-answer"]
    assert said
    assert "JetStream not enabled for account" in said[0].found
    assert "enable JetStream" in said[0].remedy
