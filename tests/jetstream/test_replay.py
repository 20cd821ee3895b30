"""Replays of dead letters, against a real server and a real worker."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.messaging import EventEnvelope, JetStreamClient
from glam_shared.messaging import headers as names
from glam_shared.messaging.dead_letter import BodyReference, DeadLetter
from glam_worker import EventContext, Reject, RetryPolicy, Settings, Worker
from glam_worker.declare.registry import Registry
from glam_worker.dev.server import EmbeddedServer
from glam_worker.jetstream.replay import ReplayRefused, Replays, replay_headers, replay_id
from glam_worker.jetstream.stored_letters import StoredLetter, StoredLetters

SUBJECT = "evt.order.placed.v1"
WITHIN = 15.0


class Order(BaseModel):
    id: int


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def client(server: EmbeddedServer) -> AsyncIterator[JetStreamClient]:
    client = JetStreamClient()
    await client.connect(server.url)
    yield client
    await client.close()


@contextlib.asynccontextmanager
async def working(server: EmbeddedServer, registry: Registry) -> AsyncIterator[Worker]:
    worker = Worker(registry, Settings.load(nats_servers=server.url), service="shop")
    await worker.start()
    try:
        yield worker
    finally:
        await worker.stop(grace=2.0)


async def until(fact: Callable[[], Awaitable[Any]]) -> Any:
    """What the fact is once it is true."""
    deadline = time.monotonic() + WITHIN
    while not (found := await fact()):
        assert time.monotonic() < deadline, "this did not become true in time"
        await asyncio.sleep(0.02)
    return found


class Shop:
    """Two handlers of one subject: one rejects while it is broken, one takes everything."""

    def __init__(self, client: JetStreamClient) -> None:
        self.broken = True
        self.runs: list[EventContext] = []
        self.beside: list[int] = []
        self.registry = Registry()
        self.letters = StoredLetters(client, "GLAM_DLQ")
        self._client = client
        self.registry.on(SUBJECT, Order, name="ship")(self.ship)
        self.registry.on(SUBJECT, Order, name="count")(self.count)

    async def ship(self, order: Order, event: EventContext) -> None:
        self.runs.append(event)
        if self.broken:
            raise Reject(f"order {order.id} has no address")

    async def count(self, order: Order) -> None:
        self.beside.append(order.id)

    async def publish(self, number: int = 1, headers: dict[str, str] | None = None) -> None:
        envelope = EventEnvelope.create(SUBJECT, Order(id=number), source_service="test")
        await self._client.publish_acked(
            SUBJECT, envelope.to_bytes(), headers or {}, msg_id=envelope.event_id
        )

    async def letter(self, after: int = 0) -> StoredLetter:
        """The next letter behind the sequence ``after``, as soon as it is there."""

        async def found() -> StoredLetter | None:
            return await anext(self.letters.all(first=after + 1), None)

        letter: StoredLetter = await until(found)
        return letter

    async def ran(self, times: int) -> None:
        async def enough() -> bool:
            return len(self.runs) >= times

        await until(enough)

    async def idle(self) -> None:
        """Until the retry stream is empty: nothing is parked, replayed or in hand."""

        async def empty() -> bool:
            return not (await self._client.api("STREAM.INFO.GLAM_RETRY"))["state"]["messages"]

        await until(empty)


@pytest.fixture
def shop(client: JetStreamClient) -> Shop:
    return Shop(client)


async def test_a_replay_reaches_the_failing_handler_alone(
    server: EmbeddedServer, client: JetStreamClient, shop: Shop
) -> None:
    """The handler that failed runs again, others of the subject do not; the letter is gone."""
    async with working(server, shop.registry):
        await shop.publish()
        letter = await shop.letter()
        shop.broken = False

        assert await Replays(client).replay(letter)

        await shop.ran(2)
        await shop.idle()
    assert [1] == shop.beside
    assert await shop.letters.get(letter.sequence) is None


async def test_a_replayed_event_is_its_origin_at_attempt_one(
    server: EmbeddedServer, client: JetStreamClient, shop: Shop
) -> None:
    """What the handler is told is the origin's: subject, stream, sequence, ids and headers."""
    async with working(server, shop.registry):
        await shop.publish(headers={"X-Tenant": "north"})
        letter = await shop.letter()
        await Replays(client).replay(letter)
        await shop.ran(2)
    first, second = shop.runs

    assert (SUBJECT, "GLAM_EVENTS", 1, 1) == (
        second.subject,
        second.stream,
        second.sequence,
        second.attempt,
    )
    assert first.event_id == second.event_id
    assert first.correlation_id == second.correlation_id
    assert {"X-Tenant": "north"} == second.headers


async def test_a_letter_that_fails_again_is_a_new_one_with_its_past(
    server: EmbeddedServer, client: JetStreamClient, shop: Shop
) -> None:
    """Each failed replay leaves one new letter, and adds one entry to its past."""
    async with working(server, shop.registry):
        await shop.publish()
        letter = await shop.letter()
        for round_ in (1, 2):
            await Replays(client).replay(letter)
            letter = await shop.letter(after=letter.sequence)
            assert round_ == len(letter.record.replays)
    record = letter.record

    assert 3 == len(shop.runs)
    assert ["rejected", "rejected"] == [past.reason for past in record.replays]
    assert [1, 1] == [past.attempts for past in record.replays]
    assert (SUBJECT, "GLAM_EVENTS", 1) == (record.subject, record.stream, record.sequence)


async def test_an_interrupted_replay_runs_the_event_once(
    server: EmbeddedServer, client: JetStreamClient, shop: Shop
) -> None:
    """A replay that published and did not delete is repeated: the handler runs once for both."""
    replays = Replays(client)
    async with working(server, shop.registry):
        await shop.publish()
        letter = await shop.letter()
        shop.broken = False
        headers = replay_headers(letter, letter.record)
        await replays._publish(letter, letter.body, headers)
        await shop.ran(2)

        assert await replays.replay(letter)

        await shop.publish(2)
        await shop.ran(3)
        await shop.idle()
    assert [1, 1, 2] == [run.sequence for run in shop.runs]
    assert await shop.letters.get(letter.sequence) is None


async def test_a_letter_that_is_gone_is_not_replayed(
    server: EmbeddedServer, client: JetStreamClient, shop: Shop
) -> None:
    """The second replay of one letter does nothing and says so."""
    async with working(server, shop.registry):
        await shop.publish()
        letter = await shop.letter()
        assert await Replays(client).replay(letter)

        assert not await Replays(client).replay(letter)


async def test_a_letter_of_a_stream_made_anew_is_left_alone(
    server: EmbeddedServer, client: JetStreamClient, shop: Shop
) -> None:
    """A letter read before its stream was deleted names nothing in the stream made after it."""
    async with working(server, shop.registry):
        await shop.publish()
        old = await shop.letter()
        config = (await client.api("STREAM.INFO.GLAM_DLQ"))["config"]
        await client.api("STREAM.DELETE.GLAM_DLQ")
        await client.api("STREAM.CREATE.GLAM_DLQ", config)
        await shop.publish(2)
        new = await shop.letter()

        assert not await Replays(client).replay(old)
        assert not await shop.letters.delete(old)
    assert old.sequence == new.sequence
    assert replay_id(old) != replay_id(new)
    assert await shop.letters.get(new.sequence) == new


async def test_the_past_outlives_retries_of_the_replay(
    server: EmbeddedServer, client: JetStreamClient, shop: Shop
) -> None:
    """A replay that is parked between its runs still knows what it is and where it was."""
    registry, attempts = Registry(), []

    async def flaky(order: Order, event: EventContext) -> None:
        attempts.append(event.attempt)
        raise TimeoutError("the courier does not answer")

    registry.on(SUBJECT, Order, retry=RetryPolicy(attempts=2, first=0.05, jitter=0))(flaky)
    async with working(server, registry):
        await shop.publish()
        letter = await shop.letter()
        await Replays(client).replay(letter)
        again = await shop.letter(after=letter.sequence)

    assert [1, 2, 1, 2] == attempts
    assert 2 == again.record.attempts
    assert [("exhausted", 2)] == [(past.reason, past.attempts) for past in again.record.replays]


async def test_a_letter_of_a_service_without_handler_is_refused(
    server: EmbeddedServer, client: JetStreamClient, shop: Shop
) -> None:
    """A letter that names no handler stays, and the message says what to do instead."""
    async with working(server, shop.registry):
        await client.publish_acked("dlq.order.placed.v1", b"{}", {}, msg_id="by-hand")
        letter = await shop.letter()

        with pytest.raises(ReplayRefused, match="publish its event to"):
            await Replays(client).replay(letter)

    assert await shop.letters.get(letter.sequence) == letter


async def test_a_letter_of_a_handler_without_lane_is_refused(
    server: EmbeddedServer, client: JetStreamClient, shop: Shop
) -> None:
    """Nothing is published to a lane that nobody works; the letter stays."""
    async with working(server, shop.registry):
        await shop.publish()
        letter = await shop.letter()
    await client.api("CONSUMER.DELETE.GLAM_RETRY.shop-ship-lane")

    with pytest.raises(ReplayRefused, match="has no lane"):
        await Replays(client).replay(letter)

    assert await shop.letters.get(letter.sequence) == letter
    await shop.idle()


async def _letter_by_reference(client: JetStreamClient, shop: Shop, body: bytes) -> StoredLetter:
    """A letter whose body stayed in the events' stream."""
    stream = await client.api("STREAM.INFO.GLAM_EVENTS")
    first = await shop.letter()
    record = first.record
    assert record.stream_created is not None
    assert stream["config"]["name"] == record.stream
    outside = DeadLetter(
        subject=record.subject,
        reason="rejected",
        service=record.service,
        handler=record.handler,
        stream=record.stream,
        stream_created=record.stream_created,
        sequence=record.sequence,
        attempts=1,
        reference=BodyReference(_digest(body)),
    )
    await client.publish_acked(first.subject, b"", outside.to_headers(), msg_id="by-reference")
    return await shop.letter(after=first.sequence)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


async def test_a_body_kept_in_the_events_stream_is_replayed_from_there(
    server: EmbeddedServer, client: JetStreamClient, shop: Shop
) -> None:
    """A letter without body runs with the origin's bytes."""
    async with working(server, shop.registry):
        await shop.publish(7)
        body = (await shop.letter()).body
        letter = await _letter_by_reference(client, shop, body)
        shop.broken = False

        assert await Replays(client).replay(letter)

        await shop.ran(2)
    assert b"" == letter.body
    assert shop.runs[0].event_id == shop.runs[1].event_id


@pytest.mark.parametrize("loss", ["purged", "another body"])
async def test_a_body_that_is_gone_is_refused(
    server: EmbeddedServer, client: JetStreamClient, shop: Shop, loss: str
) -> None:
    """Without the origin's bytes, or with others in their place, the letter stays."""
    async with working(server, shop.registry):
        await shop.publish()
        body = b"another" if loss == "another body" else (await shop.letter()).body
        letter = await _letter_by_reference(client, shop, body)
        if loss == "purged":
            await client.api("STREAM.PURGE.GLAM_EVENTS")

        with pytest.raises(ReplayRefused, match="not there any more"):
            await Replays(client).replay(letter)

    assert await shop.letters.get(letter.sequence) == letter
    assert 1 == len(shop.runs)


async def test_letters_are_walked_through_oldest_first(
    server: EmbeddedServer, client: JetStreamClient, shop: Shop
) -> None:
    """Every letter comes once, those deleted between are passed over, headers as they were."""
    async with working(server, shop.registry):
        for number in (1, 2, 3):
            await shop.publish(number, headers={"X-City": "Zürich"})
            await shop.letter(after=number - 1)
        second = await shop.letters.get(2)
        assert second is not None
        assert await shop.letters.delete(second)
        assert not await shop.letters.delete(second)

        found = [letter async for letter in shop.letters.all()]

    assert [1, 3] == [letter.sequence for letter in found]
    assert {"rejected"} == {letter.headers[names.GLAM_REASON] for letter in found}
    assert {"Zürich"} == {letter.headers["X-City"] for letter in found}
