"""Subjects that our publisher refuses and a server takes: what becomes of events on them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from glam_shared.messaging import EventEnvelope
from glam_shared.messaging.foreign_subjects import publishable, read_subject, subject_text
from glam_shared.messaging.wire import subject_bytes
from glam_worker import EventContext, Reject, Retry
from glam_worker.jetstream.replay import Replays
from glam_worker.jetstream.stored_letters import StoredLetters
from glam_worker.testing import Bench, WorkerFactory
from glam_worker.testing.settled import Settled

PLAIN = "evt.foreign.plain"
ODD = (
    "evt.foreign.a\x01b",
    "evt.foreign.\x7f",
    "evt.foreign.\u00a0no-break.ü",
    "evt.foreign.line\u2028end\u2028",
    "evt.foreign.a\x1cb\x0b",
    "evt.foreign.a%01b",
    "evt.foreign.100%.off",
    "evt.foreign." + "long" * 970,
    "evt.foreign" + ".many" * 750 + "." + "ü" * 30,
)

SUBJECTS = st.text(min_size=1).map(lambda text: text.encode("utf-8", "replace").decode())


class Order(BaseModel):
    number: int = 1


async def publish_bytes(url: str, subject: bytes, body: bytes) -> None:
    """PUB by hand, as a client without rules would."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    who = {"user": parts.username, "pass": parts.password, "pedantic": False, "verbose": False}
    user = json.dumps(who)
    writer.write(b"CONNECT %b\r\nPUB %b %d\r\n" % (user.encode(), subject, len(body)))
    writer.write(body + b"\r\nPING\r\n")
    async with asyncio.timeout(10):
        while (line := await reader.readline()) != b"PONG\r\n":
            assert line.startswith((b"INFO", b"+OK")), line
    writer.close()
    await writer.wait_closed()


def told(bench: Bench, outcome: str) -> list[Settled]:
    """The settlements of one kind so far."""
    return [one for one in bench.settlements() if one.outcome == outcome]


def event(subject: str) -> bytes:
    """An event as a service of another language might write it."""
    return EventEnvelope.create(subject, Order(), source_service="foreign").to_bytes()


@pytest.mark.parametrize(
    "subject",
    [
        b"evt.foreign.\xff\xfe",
        b"evt.foreign.\xc3",
        b"evt.foreign.a\x00b",
        b"evt.foreign.*",
        b"evt.foreign.>",
    ],
    ids=repr,
)
async def test_an_event_whose_subject_cannot_be_told_becomes_a_letter(
    worker: WorkerFactory, subject: bytes
) -> None:
    """It is acked for this durable alone: nothing is deleted, the connection lives, others go on.

    Bytes that are not UTF-8 are U+FFFD in ``Glam-Subject``; a subject that nobody could publish
    to is percent-encoded in the letter's own.
    """

    @worker.on("evt.foreign.>", Order)
    async def place(order: Order) -> None: ...

    body = event(PLAIN)
    async with worker() as bench:
        await publish_bytes(worker.url, subject, body)
        assert (await bench.finished(await bench.publish(PLAIN, Order()))).outcome == "ack"
        letter = await bench.until(lambda: told(bench, "dead_letter"))
        assert [one.reason for one in letter] == ["invalid"]
        (stored,) = await bench.dead_letters()
        events = await bench.client.api("STREAM.INFO.GLAM_EVENTS")
        durable = f"CONSUMER.INFO.GLAM_EVENTS.{bench.service}-place"
        async with asyncio.timeout(10):
            while (left := await bench.client.api(durable))["num_ack_pending"]:
                continue  # the ack is written a millisecond after it is told
        assert bench.worker.client.epoch == 1

    assert stored.body == body
    assert stored.about.subject == subject.decode("utf-8", "replace")
    assert events["state"]["messages"] == 2
    assert left["num_pending"] == 0


async def test_an_event_on_an_odd_subject_is_handled_retried_and_replayed_like_any_other(
    worker: WorkerFactory,
) -> None:
    """Its subject is the same in every run, through the lane, the letter and the replay."""
    runs: Counter[tuple[str, int]] = Counter()

    @worker.on("evt.foreign.>", Order)
    async def place(order: Order, event: EventContext) -> None:
        runs[event.subject, event.attempt] += 1
        if runs[event.subject, 1] == 1:
            raise Reject("not yet") if event.attempt == 2 else Retry

    async with worker() as bench:
        for subject in ODD:
            await publish_bytes(worker.url, subject.encode(), event(subject))
        await bench.until(lambda: len(runs) == 2 * len(ODD))
        await bench.until(lambda: len(told(bench, "dead_letter")) == len(ODD))
        letters = [one async for one in StoredLetters(bench.client, "GLAM_DLQ").all()]
        replays = Replays(bench.client)
        assert [await replays.replay(letter) for letter in letters] == [True] * len(ODD)
        await bench.until(lambda: sum(runs.values()) == 3 * len(ODD))

    assert {letter.record.subject for letter in letters} == set(ODD)
    assert runs == Counter({(subject, 1): 2 for subject in ODD} | {(s, 2): 1 for s in ODD})


@given(SUBJECTS)
def test_a_header_keeps_every_subject(subject: str) -> None:
    """What a header names is what it was made of, and it is one printable line."""
    text = subject_text(subject)

    assert read_subject(text) == subject
    assert text.isprintable()
    assert " " not in text


@given(
    st.text(min_size=1, max_size=5000).map(lambda text: text.encode("utf-8", "replace").decode())
)
def test_every_subject_has_one_that_can_be_published_to(subject: str) -> None:
    """Ours are left as they are; the others become subjects that a publish does not refuse."""
    written = publishable(subject)

    assert subject_bytes(written)
    assert publishable(written) == written


def test_long_subjects_keep_apart() -> None:
    """What is cut off still counts."""
    long = "dlq." + "x" * 5000

    assert publishable(long + "1") != publishable(long + "2")
    assert publishable("dlq.order.placed.v1") == "dlq.order.placed.v1"
