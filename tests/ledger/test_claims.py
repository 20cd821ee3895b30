"""Idempotent handlers under attack: two workers, dead workers, another stream, no bucket."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from datetime import timedelta

import pytest
from pydantic import BaseModel

from glam_shared.messaging import EventEnvelope
from glam_worker import EventContext, Reject, RetryPolicy
from glam_worker.jetstream import claims as claims_module
from glam_worker.jetstream.claims import JetStreamClaims
from glam_worker.jetstream.replay import Replays
from glam_worker.jetstream.stored_letters import StoredLetters
from glam_worker.runtime import claims
from glam_worker.runtime.claims import Claim
from glam_worker.testing import Bench, Stored, WorkerFactory
from glam_worker.topology.specs import CLAIMS
from tests.ledger.seeding import carrier, hand_out

SUBJECT = "evt.order.placed.v1"


class Order(BaseModel):
    number: int = 1


def body(event: str = "e1") -> bytes:
    """One event, as its service might publish it more than once."""
    return EventEnvelope.create(SUBJECT, Order(), source_service="till", event_id=event).to_bytes()


async def key(bench: Bench) -> str:
    """The only key of the bucket."""
    info = await bench.client.api(f"STREAM.INFO.KV_{CLAIMS}", {"subjects_filter": ">"})
    (subject,) = info["state"]["subjects"]
    return str(subject).removeprefix(f"$KV.{CLAIMS}.")


async def test_two_workers_run_an_event_once_that_was_published_many_times(
    worker: WorkerFactory,
) -> None:
    """Whichever process gets the messages, and however close together."""
    runs: Counter[str] = Counter()
    going = most = 0

    @worker.on(SUBJECT, Order, idempotent=True, concurrency=8)
    async def place(order: Order, event: EventContext) -> None:
        nonlocal going, most
        going += 1
        most = max(most, going)
        await asyncio.sleep(0.02)
        runs[event.event_id] += 1
        going -= 1

    async with worker(service="shop") as one, worker(service="shop") as two:
        messages = [await one.publish_raw(SUBJECT, body(f"e{number % 5}")) for number in range(40)]

        def finished() -> bool:
            seen = {
                settled.stored
                for bench in (one, two)
                for settled in bench.settlements()
                if settled.final
            }
            return seen >= set(messages)

        await one.until(finished, "all messages to be acked")
        workers = [len(bench.settlements()) for bench in (one, two)]

    assert runs == {f"e{number}": 1 for number in range(5)}
    assert min(workers) > 0


@pytest.mark.parametrize(
    ("whose", "left", "outcome"),
    [
        ("its own", 3600.0, "ack"),
        ("another's", 3600.0, "parked"),
        ("another's", -1.0, "ack"),
        ("done", 0.0, "duplicate"),
        ("garbage", 0.0, "ack"),
    ],
)
async def test_a_claim_of_a_worker_that_died(
    worker: WorkerFactory, whose: str, left: float, outcome: str
) -> None:
    """Its own carrier takes it over at once; another one waits until its deadline."""
    runs: list[str] = []

    @worker.on(SUBJECT, Order, idempotent=True)
    async def place(order: Order, event: EventContext) -> None:
        runs.append(event.event_id)

    async with worker(service="shop", retry_delays=1.0) as old:
        await old.settled(await old.publish_raw(SUBJECT, body()))
        name = await key(old)
        await old.stop()
        second = await old.publish_raw(SUBJECT, body())
        await hand_out(old, 1)
        store = JetStreamClaims(old.client, CLAIMS)
        found = await store.read(name)
        assert found is not None
        holder = await carrier(old, 2) if whose == "its own" else "GLAM_EVENTS.1.1"
        deadline = None if whose == "done" else store.now() + timedelta(seconds=left)
        if whose == "garbage":
            await store._bucket.replace(name, b"no claim", found[1])
        else:
            await store.replace(name, Claim(holder, deadline), found[1])
        async with worker(service="shop", retry_delays=1.0) as new:
            settled = await new.settled(second)

    assert settled.outcome == outcome
    assert len(runs) == (2 if outcome == "ack" else 1)


async def test_an_event_is_remembered_over_another_stream_of_the_same_name(
    worker: WorkerFactory,
) -> None:
    """The key is the event's, not the message's: sequences that repeat are not confused."""
    runs: list[str] = []

    @worker.on(SUBJECT, Order, idempotent=True)
    async def place(order: Order, event: EventContext) -> None:
        runs.append(event.event_id)

    async with worker(service="shop") as old:
        await old.settled(await old.publish_raw(SUBJECT, body("first")))
        config = (await old.client.api("STREAM.INFO.GLAM_EVENTS"))["config"]
        name = "GLAM_EVENTS.shop-place"
        durable = (await old.client.api(f"CONSUMER.INFO.{name}"))["config"]
        await old.stop()
        await old.client.api("STREAM.DELETE.GLAM_EVENTS")
        await old.client.api("STREAM.DELETE.KV_GLAM_STATE")
        await old.client.api("STREAM.CREATE.GLAM_EVENTS", config)
        create = {"stream_name": "GLAM_EVENTS", "config": durable, "action": "create"}
        await old.client.api(f"CONSUMER.CREATE.{name}", create)
        async with worker(service="shop") as new:
            other = await new.settled(await new.publish_raw(SUBJECT, body("second")))
            again = await new.settled(await new.publish_raw(SUBJECT, body("first")))

    assert (other.stored, other.outcome) == (Stored("GLAM_EVENTS", 1), "ack")
    assert again.outcome == "duplicate"
    assert runs == ["first", "second"]


async def test_a_replay_on_purpose_runs(worker: WorkerFactory) -> None:
    """Even of an event that was handled meanwhile: somebody wants it."""
    runs: list[str] = []

    @worker.on(SUBJECT, Order, idempotent=True)
    async def place(order: Order, event: EventContext) -> None:
        runs.append(event.event_id)
        if len(runs) == 1:
            raise Reject("broken")

    async with worker() as bench:
        await bench.settled(await bench.publish_raw(SUBJECT, body()))
        letter = await StoredLetters(bench.client, "GLAM_DLQ").get(1)
        await bench.settled(await bench.publish_raw(SUBJECT, body()))
        assert letter is not None
        assert await Replays(bench.client).replay(letter)
        await bench.until(lambda: len(bench.settlements()) == 3)
        outcomes = [one.outcome for one in bench.settlements()]

    assert outcomes == ["dead_letter", "ack", "ack"]
    assert len(runs) == 3


@pytest.mark.parametrize("timeout", [0.2, 30.0], ids=["short timeout", "long timeout"])
async def test_without_a_bucket_no_handler_runs_and_no_attempt_is_used(
    worker: WorkerFactory,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    timeout: float,
) -> None:
    """An event waits for the bucket, however short the handler's timeout is; readiness says so."""
    monkeypatch.setattr(claims_module, "_BUDGET", 2.0)
    monkeypatch.setattr(claims, "STORE_DELAY", 0.1)
    attempts: list[int] = []

    policy = RetryPolicy(attempts=2)

    @worker.on(SUBJECT, Order, idempotent=True, timeout=timeout, retry=policy)
    async def place(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)

    async with worker() as bench:
        config = (await bench.client.api(f"STREAM.INFO.KV_{CLAIMS}"))["config"]
        await bench.client.api(f"STREAM.DELETE.KV_{CLAIMS}")
        event = await bench.publish(SUBJECT, Order())
        await bench.until(lambda: len(bench.settlements(event)) >= 3, "it to be snoozed")
        (reason,) = bench.worker.not_ready()
        await bench.client.api(f"STREAM.CREATE.KV_{CLAIMS}", config)
        last = await bench.finished(event)

        assert bench.worker.not_ready() == []

    assert attempts == [1]
    assert last.outcome == "ack"
    assert reason.startswith("events of handler place cannot be claimed, and wait: ")
    said = [one.message for one in caplog.records if one.levelname == "ERROR"]
    assert said == ["cannot be claimed, and is not handled: it is tried again", *said[1:]]
    assert not [one for one in caplog.records if "runs longer" in one.message]


async def test_claims_that_are_not_read_where_they_are_written_end_in_no_loop(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look finds another claim than the last one: the event waits, and readiness says why."""
    looks = 0

    async def read(self: JetStreamClaims, key: str) -> tuple[Claim, int]:
        nonlocal looks
        looks += 1
        return Claim("other", self.now() - timedelta(hours=1)), 4711

    @worker.on(SUBJECT, Order, idempotent=True)
    async def place(order: Order) -> None: ...

    async with worker(retry_delays=1.0) as bench:
        await bench.finished(await bench.publish_raw(SUBJECT, body()))
        monkeypatch.setattr(JetStreamClaims, "read", read)
        second = await bench.publish_raw(SUBJECT, body())
        assert (await bench.settled(second)).outcome == "parked"
        (reason,) = bench.worker.not_ready()

    assert looks <= 20
    assert "is another each time" in reason


@pytest.mark.parametrize("attempts", [1, 2])
async def test_a_run_that_hides_its_timeout_is_not_remembered_as_handled(
    worker: WorkerFactory, attempts: int
) -> None:
    """It failed, and ends in the dead letters when its attempts are spent."""

    @worker.on(SUBJECT, Order, idempotent=True, timeout=0.1, retry=RetryPolicy(attempts=attempts))
    async def place(order: Order) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async with worker() as bench:
        event = await bench.publish(SUBJECT, Order())
        await bench.finished(event)
        (letter,) = await bench.dead_letters()

    assert (letter.reason, letter.attempts) == ("exhausted", attempts)
    assert len(bench.runs(event)) == attempts


async def test_a_handler_that_returned_in_time_did_not_fail_while_that_is_written(
    worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slow the bucket is: the timeout is the handler's."""
    replace = JetStreamClaims.replace

    async def slow(self: JetStreamClaims, key: str, claim: Claim, revision: int) -> int | None:
        await asyncio.sleep(0.3)
        return await replace(self, key, claim, revision)

    monkeypatch.setattr(JetStreamClaims, "replace", slow)

    @worker.on(SUBJECT, Order, idempotent=True, timeout=0.1, retry=RetryPolicy(attempts=1))
    async def place(order: Order) -> None: ...

    async with worker() as bench:
        settled = await bench.settled(await bench.publish(SUBJECT, Order()))

    assert (settled.outcome, settled.attempt) == ("ack", 1)
