"""Finding dead letters on a real server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from glam_shared.messaging import JetStreamClient
from glam_worker.errors import NotThereError, UsageError
from glam_worker.operate.letter_filter import LetterFilter
from glam_worker.operate.letter_groups import Grouped, grouped
from glam_worker.operate.letter_head import LetterHead
from glam_worker.operate.letters import find_letter, heads, letter_stores, whole_letters
from tests.operate.letter_writing import NOW, Letters, event, failure_of_a_service, letter


async def found(client: JetStreamClient, **chosen: Any) -> list[LetterHead]:
    stores = await letter_stores(client)
    return [head async for head in heads(client, LetterFilter(**chosen), stores)]


async def in_groups(client: JetStreamClient, **chosen: Any) -> Grouped:
    return await grouped(heads(client, LetterFilter(**chosen), await letter_stores(client)))


async def test_letters_of_one_kind_are_one_group(client: JetStreamClient, letters: Letters) -> None:
    """
    Letters are counted by handler, reason and kind of error; numbers in the message do not count.
    """
    await letters.write_many(letter(n, message=f"order {n} has no address") for n in range(1, 8))
    await letters.write_many(letter(n, reason="exhausted", attempts=5) for n in range(8, 10))
    await letters.write(letter(10, handler="count"))

    whole = await in_groups(client)

    assert 10 == whole.letters
    assert [
        ("ship", "rejected", 7),
        ("ship", "exhausted", 2),
        ("count", "rejected", 1),
    ] == [(group.handler, group.reason, group.count) for group in whole.groups]


async def test_a_group_tells_when_it_was_seen_and_shows_its_latest_letter(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    First and last seen are when the handler gave up, whatever the order in the stream.
    """
    hour = timedelta(hours=1)
    await letters.write(letter(1, failed_at=NOW - hour))
    latest = await letters.write(letter(2, failed_at=NOW))
    await letters.write(letter(3, failed_at=NOW - 3 * hour))

    (group,) = (await in_groups(client)).groups

    assert latest == group.example.id
    assert 3 * 3600 == pytest.approx(group.last_seen - group.first_seen, abs=0.01)


@pytest.mark.parametrize(
    ("chosen", "numbers"),
    [
        ({}, [1, 2, 3, 4]),
        ({"service": "billing"}, [4]),
        ({"handler": "count"}, [2]),
        ({"reason": "exhausted"}, [3]),
        ({"error": "timeout"}, [3]),
        ({"error": "NO ADDRESS"}, [1, 2, 4]),
        ({"subject": "evt.order.placed.v1"}, [1, 2, 3]),
        ({"subject": "evt.refund.>"}, [4]),
        ({"subject": "dlq.refund.*.v1"}, [4]),
        ({"subject": "cmd.refund.>"}, []),
        ({"older_than": 1800.0}, [2]),
        ({"handler": "ship", "reason": "rejected"}, [1, 4]),
    ],
    ids=str,
)
async def test_a_filter_takes_what_is_all_it_says(
    client: JetStreamClient, letters: Letters, chosen: dict[str, Any], numbers: list[int]
) -> None:
    """
    Each part of a filter must be so: service, handler, reason, subject, error and age.
    """
    await letters.write(letter(1))
    await letters.write(letter(2, handler="count", failed_at=NOW - timedelta(hours=1)))
    await letters.write(letter(3, reason="exhausted", error="TimeoutError", message="too slow"))
    await letters.write(letter(4, service="billing", subject="evt.refund.asked.v1"))

    assert numbers == [head.sequence for head in await found(client, **chosen)]


async def test_a_group_is_named_by_its_beginning(client: JetStreamClient, letters: Letters) -> None:
    """
    The first letters of a group's name choose it.
    """
    await letters.write(letter(1))
    await letters.write(letter(2, handler="count"))
    (one, other) = (await in_groups(client)).groups

    assert [one.handler] == [head.handler for head in await found(client, group=one.group[:6])]
    assert one.group[:6] != other.group[:6]


async def test_letters_of_older_services_tell_of_themselves_in_their_bodies(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    A letter without headers is listed with what its body says, beside those of workers.
    """
    await letters.write(letter(1))
    old = await letters.write_raw("dlq.order.placed.v1", failure_of_a_service(7))
    await letters.write_raw("dlq.order.placed.v1", b"\xff no JSON at all")
    await letters.write(letter(4))

    listed = await found(client)

    assert ["shop", "billing", "", "shop"] == [head.service for head in listed]
    assert (old, "UPSTREAM", "bank said 7", 2) == (
        listed[1].id,
        listed[1].error,
        listed[1].message,
        listed[1].attempts,
    )


async def test_letters_in_a_stream_of_events_are_found(client: JetStreamClient) -> None:
    """
    Where an older stream holds events and letters, its letters are listed, and its age is told.
    """
    subjects = ["evt.>", "cmd.>", "dlq.>"]
    old = await Letters(client, "GLAM_EVENTS", subjects).created(max_age=86_400 * 10**9)
    for number in range(1, 4):
        await client.publish_acked("evt.order.placed.v1", event(number), None, msg_id=f"m{number}")
    written = await old.write(letter(1))

    assert [written] == [head.id for head in await found(client)] == ["GLAM_EVENTS:4"]
    assert [86_400.0] == [store.max_age for store in await letter_stores(client)]


async def test_what_comes_after_the_look_does_not_count(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    A walk ends where the stream ended when it was looked at: a letter that fails again while it is
    replayed is not met a second time.
    """
    await letters.write(letter(1))
    stores = await letter_stores(client)
    await letters.write(letter(2))

    listed = [head.sequence async for head in heads(client, LetterFilter(), stores)]
    whole = [one.sequence async for one in whole_letters(client, LetterFilter(), stores)]

    assert [1] == listed == whole


async def test_size_is_that_of_headers_and_body(client: JetStreamClient, letters: Letters) -> None:
    """
    A list that reads headers only tells the size of the bodies too.
    """
    await letters.write(letter(1), body=bytes(5000))

    (head,) = await found(client)

    assert 5000 < head.size < 7000


async def test_without_any_stream_there_are_no_letters(client: JetStreamClient) -> None:
    """
    On a new server nothing is found, and asking for one letter says why.
    """
    assert [] == await found(client)
    with pytest.raises(NotThereError, match="no stream on this server holds"):
        await find_letter(client, "1")


async def test_a_letter_is_found_by_its_id(client: JetStreamClient, letters: Letters) -> None:
    """
    The id of a list names the letter, with its body byte for byte; a bare number will do.
    """
    written = await letters.write(letter(1), body=b"\x00\xff not text")

    assert b"\x00\xff not text" == (await find_letter(client, written)).body
    assert written == (await find_letter(client, "1")).id


async def test_a_letter_is_found_by_the_id_of_its_event(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    As a log line tells it; where several handlers gave the event up, the letters are named.
    """
    written = await letters.write(letter(1, event_id="e-1"))
    others = [
        await letters.write(letter(2, event_id="e-2", handler=name)) for name in ("ship", "mail")
    ]

    assert written == (await find_letter(client, "e-1")).id
    with pytest.raises(UsageError, match=f"2 letters are about event e-2.*{', '.join(others)}"):
        await find_letter(client, "e-2")


@pytest.mark.parametrize("wrong", ["", "x", "0", "-1", "GLAM_DLQ:", "a.b:1", "*:1", "1" * 30, "²"])
async def test_what_is_no_id_is_wrong_usage(
    client: JetStreamClient, letters: Letters, wrong: str
) -> None:
    """
    An id that no list prints is refused before the server is asked.
    """
    with pytest.raises(UsageError, match="no letter's id"):
        await find_letter(client, wrong)


@pytest.mark.parametrize("gone", ["2", "GLAM_DLQ:2", "NO_SUCH_STREAM:1"])
async def test_a_letter_that_is_not_there_is_said_so(
    client: JetStreamClient, letters: Letters, gone: str
) -> None:
    """
    A letter that is gone is not confused with another one.
    """
    await letters.write(letter(1))

    with pytest.raises(NotThereError, match=gone.partition(":")[2] or gone):
        await find_letter(client, gone)


async def test_an_event_is_no_letter(client: JetStreamClient) -> None:
    """
    In a stream of events and letters, the id of an event finds nothing.
    """
    await Letters(client, "GLAM_EVENTS", ["evt.>", "dlq.>"]).created()
    await client.publish_acked("evt.order.placed.v1", event(1), None, msg_id="m1")

    with pytest.raises(NotThereError):
        await find_letter(client, "GLAM_EVENTS:1")
