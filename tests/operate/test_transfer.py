"""Letters out to lines and back in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

import pytest

from glam_shared.messaging import JetStreamClient
from glam_worker.errors import UsageError
from glam_worker.operate.letter_filter import LetterFilter
from glam_worker.operate.letters import letter_stores, whole_letters
from glam_worker.operate.transfer import ImportedLetter, export_line, import_letters, read_line
from glam_worker.operate.working_off import Progress
from tests.operate.letter_writing import Letters, letter

BODIES = [b"", b"{}", "süß\u2028".encode(), b"\x00\xff\xfe", b"line\r\nline\n", bytes(range(256))]


async def exported(client: JetStreamClient) -> list[str]:
    found = whole_letters(client, LetterFilter(), await letter_stores(client))
    return [export_line(one) async for one in found]


async def imported(client: JetStreamClient, lines: Sequence[str]) -> Progress:
    async def read() -> AsyncIterator[ImportedLetter]:
        for number, line in enumerate(lines, start=1):
            yield read_line(number, line.encode())

    progress = Progress()
    await import_letters(client, read(), progress)
    return progress


async def contents(client: JetStreamClient) -> list[tuple[str, bytes, dict[str, str]]]:
    found = whole_letters(client, LetterFilter(), await letter_stores(client))
    told = [
        (
            one.subject,
            one.body,
            {name: value for name, value in one.headers.items() if name[:5] != "Nats-"},
        )
        async for one in found
    ]
    return sorted(told, key=lambda one: one[1])


async def test_what_is_exported_comes_back_byte_for_byte(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    Subject, headers and body of every letter are the same after a way through lines of JSON.
    """
    for number, body in enumerate(BODIES):
        await letters.write(letter(number, headers={"Tenant": "acme"}), body=body)
    before = await contents(client)
    lines = await exported(client)
    await client.api("STREAM.PURGE.GLAM_DLQ")

    progress = await imported(client, lines)

    assert len(BODIES) == progress.done
    assert before == await contents(client)
    assert all(json.loads(line) and "\n" not in line for line in lines)


async def test_an_import_that_is_repeated_doubles_nothing(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    A second import finds the letters there; one that was dropped meanwhile is stored again.
    """
    await letters.write_many(letter(number) for number in range(1, 6))
    lines = await exported(client)
    await client.api("STREAM.PURGE.GLAM_DLQ")
    await imported(client, lines)
    await client.api("STREAM.MSG.DELETE.GLAM_DLQ", {"seq": 7})

    again = await imported(client, lines)

    assert (1, 4) == (again.done, again.gone)
    assert 5 == await letters.count()


async def test_an_import_does_not_double_what_was_never_removed(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    Of an export, only the letters that are gone come back.
    """
    await letters.write_many(letter(number) for number in range(1, 6))
    lines = await exported(client)
    await client.api("STREAM.MSG.DELETE.GLAM_DLQ", {"seq": 2})

    progress = await imported(client, lines)

    assert (1, 4) == (progress.done, progress.gone)
    assert 5 == await letters.count()


async def test_an_import_right_after_export_and_drop_loses_nothing(
    client: JetStreamClient, letters: Letters
) -> None:
    """
    The duplicate window of the stream does not take an imported letter for the one it is a copy of.
    """
    await letters.write_many(letter(number) for number in range(1, 4))
    lines = await exported(client)
    await client.api("STREAM.PURGE.GLAM_DLQ")

    assert 3 == (await imported(client, lines)).done
    assert 3 == await letters.count()


GOOD = {"letter": "S:1", "stream_created": 1, "subject": "dlq.a", "headers": {}, "body": "{}"}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"subject": "evt.order.placed.v1"}, "no dead letter"),
        ({"subject": "dlq.a b"}, "line 3"),
        ({"subject": "dlq.*"}, "line 3"),
        ({"headers": []}, "no letter"),
        ({"headers": {"Bad Name": "x"}}, "line 3"),
        ({"body": 1}, "no letter"),
        ({"body": "\ud800"}, "no letter"),
        ({"letter": ...}, "no letter"),
    ],
    ids=str,
)
def test_a_line_that_is_no_letter_is_named(changed: dict[str, object], told: str) -> None:
    """
    A mistake in a file is told with its line, and never reaches the server.
    """
    whole = {name: value for name, value in (GOOD | changed).items() if value is not ...}

    with pytest.raises(UsageError, match=told):
        read_line(3, json.dumps(whole).encode())


@pytest.mark.parametrize("line", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000])
def test_a_line_that_is_no_object_is_named(line: bytes) -> None:
    """
    Whatever stands in a file, it is a mistake of line so-and-so.
    """
    with pytest.raises(UsageError, match="line 9"):
        read_line(9, line)


def test_headers_that_act_on_the_server_are_not_imported() -> None:
    """
    A file cannot schedule, roll up, or time out what it is stored as.
    """
    acting = {"Nats-Rollup": "all", "nats-ttl": "1s", "Glam-Reason": "rejected", "Tenant": "acme"}

    read = read_line(1, json.dumps(GOOD | {"headers": acting}).encode())

    assert {"Glam-Reason": "rejected", "Tenant": "acme"} == read.headers
