"""``glam-worker status``, ``pause`` and ``resume``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glam_shared.messaging import JetStreamClient
from glam_worker.operate.lanes import create_lane
from tests.cli.command import Ended, glam
from tests.operate.letter_writing import Letters, letter
from tests.operate.retry_stream import with_lane


@pytest.fixture
async def client(nats_url: str) -> JetStreamClient:
    """A server with two services that have a handler ``ship`` each, or what is left of it."""
    client = JetStreamClient()
    await client.connect(nats_url)
    await with_lane(client, "ship")
    await create_lane(client, "GLAM_RETRY", "depot", "ship")
    return client


def command(tmp_path: Path, nats_url: str, *arguments: str) -> Ended:
    return glam(*arguments, "--servers", nats_url, cwd=tmp_path)


async def test_status_is_a_table_and_a_document(
    tmp_path: Path, nats_url: str, client: JetStreamClient
) -> None:
    """Both tell of handlers and streams; in a pipe without colour, uncut, remarks on stderr."""
    letters = await Letters(client).created()
    await letters.write(letter(1))

    table = command(tmp_path, nats_url, "status")
    told = json.loads(command(tmp_path, nats_url, "status", "--json").out)

    assert table.code == 0
    assert "2 handlers, 0 events wait, 1 dead letter" in table.out
    assert "GLAM_RETRY" in table.out
    assert "it has no durable for its events" in table.err
    assert "\x1b" not in table.out + table.err
    assert [("depot", 0), ("shop", 1)] == [
        (one["service"], one["letters"]) for one in told["handlers"]
    ]
    assert ["GLAM_DLQ", "GLAM_RETRY"] == sorted(one["stream"] for one in told["streams"])


async def test_pause_and_resume_say_what_they_did(
    tmp_path: Path, nats_url: str, client: JetStreamClient
) -> None:
    """A handler's name is paused in every service that has it, or in the one that is named."""
    both = command(tmp_path, nats_url, "pause", "ship", "--yes", "--json")
    one = command(tmp_path, nats_url, "resume", "ship", "--service", "depot", "--yes")
    seen = json.loads(command(tmp_path, nats_url, "status", "--json").out)
    until = command(tmp_path, nats_url, "pause", "ship", "--for", "10m", "--yes")

    durables = json.loads(both.out)["durables"]
    assert [("depot", True, None), ("shop", True, None)] == [
        (told["service"], told["paused"], told["until"]) for told in durables
    ]
    assert (0, "handler ship of service depot is not paused\n") == (one.code, one.out)
    assert [("depot", False), ("shop", True)] == [
        (told["service"], told["paused"]) for told in seen["handlers"]
    ]
    assert "handler ship of service shop is paused until 2" in until.out


async def test_who_pauses_must_say_so(
    tmp_path: Path, nats_url: str, client: JetStreamClient
) -> None:
    """Without a terminal it refuses; an unknown handler and an odd duration are told."""
    unasked = command(tmp_path, nats_url, "pause", "ship")
    unknown = command(tmp_path, nats_url, "pause", "shipp", "--yes")
    odd = command(tmp_path, nats_url, "pause", "ship", "--for", "long", "--yes")
    never = command(tmp_path, nats_url, "pause", "ship", "--for", "0s", "--yes")

    assert (2, 1, 2, 2) == (unasked.code, unknown.code, odd.code, never.code)
    assert "ship of service depot and ship of service shop" in unasked.err
    assert "there is no handler shipp; there are: ship (depot), ship (shop)" in unknown.err
    assert "--for" in odd.err


def test_status_of_nothing_says_where_to_look(tmp_path: Path, nats_url: str) -> None:
    """A new server is no failure; a service that is not there is one."""
    empty = command(tmp_path, nats_url, "status")
    unknown = command(tmp_path, nats_url, "status", "--service", "shop")

    assert (0, 1) == (empty.code, unknown.code)
    assert "no handler has a durable on this server" in empty.err
    assert "there is no service shop" in unknown.err
