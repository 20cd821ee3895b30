"""Replaying and dropping many letters on a real server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.past_failures import read_past
from glam_worker.errors import TopologyError
from glam_worker.jetstream.replay import replay_headers, replay_id
from glam_worker.jetstream.stored_letters import StoredLetter
from glam_worker.operate.lanes import create_lane, without_lane
from glam_worker.operate.letter_filter import LetterFilter
from glam_worker.operate.letter_head import LetterHead
from glam_worker.operate.letters import find_letter, heads, letter_stores, whole_letters
from glam_worker.operate.paced import for_each
from glam_worker.operate.working_off import (
    Progress,
    drop_letters,
    replay_edited,
    replay_letters,
)
from glam_worker.testing import Registry, WorkerFactory
from tests.operate.letter_writing import Letters, event, letter
from tests.operate.retry_stream import replayed, with_lane


class Order(BaseModel):
    id: int


async def chosen(client: JetStreamClient, **filters: Any) -> AsyncIterator[StoredLetter]:
    stores = await letter_stores(client)
    return whole_letters(client, LetterFilter(**filters), stores)


async def replay(client: JetStreamClient, rate: float | None = None, **filters: Any) -> Progress:
    progress = Progress()
    letters = await chosen(client, **filters)
    await replay_letters(client, "GLAM_RETRY", letters, progress, rate)
    return progress


async def test_a_filter_is_replayed_and_the_rest_stays(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    Each letter that is meant lies on its handler's lane once, byte for byte, and is gone.
    """
    await with_lane(client, "ship", "count")
    await letters.write_many(letter(number) for number in range(1, 101))
    await letters.write_many(letter(number, handler="count") for number in range(1, 4))

    progress = await replay(client, handler="ship")

    assert (100, 0, 0) == (progress.done, progress.gone, progress.refused)
    assert 3 == await letters.count()
    bodies = sorted(json.loads(message.body)["data"]["id"] for message in await replayed(client))
    assert list(range(1, 101)) == bodies
    assert [] == await replayed(client, "count")


async def test_an_interrupted_replay_is_completed_by_another_one(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    Cancelled in the middle and run again, each event lies on the lane once.
    """
    await with_lane(client, "ship")
    await letters.write_many(letter(number) for number in range(1, 201))
    progress = Progress()
    found = await chosen(client)
    task = asyncio.create_task(replay_letters(client, "GLAM_RETRY", found, progress, None))

    def interrupt() -> None:
        if progress.done == 50:
            task.cancel()

    progress.changed = interrupt

    with pytest.raises(asyncio.CancelledError):
        await task
    again = await replay(client)

    assert 50 <= progress.done < 200
    assert 200 == progress.done + again.done
    ids = sorted(json.loads(message.body)["data"]["id"] for message in await replayed(client))
    assert list(range(1, 201)) == ids
    assert 0 == await letters.count()


async def test_two_replays_at_once_deliver_each_event_once(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    Two operators who replay the same letters do not double them.
    """
    await with_lane(client, "ship")
    await letters.write_many(letter(number) for number in range(1, 101))

    await asyncio.gather(replay(client), replay(client))

    assert 100 == len(await replayed(client))
    assert 0 == await letters.count()


async def test_letters_without_a_lane_are_refused_and_stay(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    What cannot be replayed is counted, is told of, and does not hold up the others.
    """
    await with_lane(client, "ship")
    await letters.write(letter(1, handler="gone"))
    await letters.write(letter(2))
    await letters.write_raw("dlq.order.placed.v1", event(3))

    progress = await replay(client)

    assert (1, 2) == (progress.done, progress.refused)
    assert {"GLAM_DLQ:1", "GLAM_DLQ:3"} == {one.letter.id for one in progress.refusals}
    assert 2 == await letters.count()
    assert [("shop", "gone")] == await without_lane(
        client, "GLAM_RETRY", [("shop", "gone"), ("shop", "ship"), ("", "")]
    )


async def test_a_replay_keeps_to_its_rate(client: JetStreamClient, letters: Letters) -> None:
    """
    At 100 a second, the twenty-first letter is not begun before 0.2 s have passed.
    """
    await with_lane(client, "ship")
    await letters.write_many(letter(number) for number in range(1, 22))
    begun = time.monotonic()

    await replay(client, rate=100)

    assert 0.2 <= time.monotonic() - begun


async def test_the_first_failure_ends_the_work() -> None:
    """
    When one thing fails no more is begun, what was begun is ended, and the failure is raised.
    """
    begun, ended = [], []

    async def things() -> AsyncIterator[int]:
        for number in range(1000):
            yield number

    async def act(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(0)
        if number == 40:
            raise RuntimeError("forty")
        ended.append(number)

    with pytest.raises(RuntimeError, match="forty"):
        await for_each(things(), act)

    assert len(begun) < 1000
    assert set(begun) - {40} == set(ended)


async def test_an_edited_letter_is_sent_with_its_new_body_and_says_so(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    The past of the event tells when it was edited, and of which body and letter.
    """
    await with_lane(client, "ship")
    written = await letters.write(letter(1))
    progress = Progress()

    await replay_edited(
        client, "GLAM_RETRY", await find_letter(client, written), b"edited", progress
    )

    (message,) = await replayed(client)
    (past,) = read_past(message.headers["Glam-Replays"])
    assert b"edited" == message.body
    assert past.edited_at is not None
    assert abs((past.edited_at - datetime.now(UTC)).total_seconds()) < 60
    assert (written, 64) == (past.letter, len(past.edited_from))
    assert (1, 0) == (progress.done, await letters.count())


async def test_an_edit_after_an_interrupted_replay_is_refused(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    Where the lane has the letter's event unedited already, the edit is not taken for sent.
    """
    await with_lane(client, "ship")
    written = await find_letter(client, await letters.write(letter(1)))
    headers = replay_headers(written, written.record)
    await client.publish_acked(
        "retry.due.shop.ship", written.body, headers, msg_id=replay_id(written)
    )
    progress = Progress()

    await replay_edited(client, "GLAM_RETRY", written, b"edited", progress)

    assert (0, 1) == (progress.done, progress.refused)
    assert "the edited payload was not sent" in str(progress.refusals[0])
    assert (1, 1) == (await letters.count(), len(await replayed(client)))


async def test_a_lane_that_was_created_by_hand_is_the_one_a_worker_makes(
    nats_url: str, client: JetStreamClient, letters: Letters, worker: WorkerFactory
) -> None:
    """
    A worker takes over a lane that ``--create-lane`` made, finds no drift, and works what is on it.
    """
    await with_lane(client, "ship")
    await letters.write(letter(7))
    await replay(client)

    ran: list[int] = []
    registry = Registry()

    @registry.on("evt.order.placed.v1", Order)
    async def ship(order: Order) -> None:
        ran.append(order.id)

    bench = await worker(registry, service="shop")

    assert [7] == await bench.until(lambda: ran)
    assert [] == [drift for drift in bench.worker.ensured.drift if "lane" in drift.thing]


async def test_without_a_retry_stream_no_lane_can_be_made(client: JetStreamClient) -> None:
    """
    The error names the stream and what creates it.
    """
    with pytest.raises(TopologyError, match=r"no stream GLAM_RETRY; start a worker"):
        await create_lane(client, "GLAM_RETRY", "shop", "ship")


async def test_dropped_letters_are_gone_and_others_stay(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    Only what is meant is deleted; what somebody else deleted meanwhile is counted as gone.
    """
    await letters.write_many(letter(number) for number in range(1, 51))
    await letters.write(letter(51, handler="count"))
    stores = await letter_stores(client)
    ship = LetterFilter(handler="ship")
    seen = [head async for head in heads(client, ship, stores)]
    await client.api("STREAM.MSG.DELETE.GLAM_DLQ", {"seq": 7})
    progress = Progress()

    await drop_letters(client, given(seen), stores, progress)

    assert (49, 1) == (progress.done, progress.gone)
    assert 1 == await letters.count()


async def given(heads: list[LetterHead]) -> AsyncIterator[LetterHead]:
    for head in heads:
        yield head
