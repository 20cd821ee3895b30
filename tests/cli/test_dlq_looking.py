"""``glam-worker dlq list`` and ``dlq show``."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.past_failures import PastFailure
from tests.cli.command import Ended, glam, glam_on_terminal
from tests.operate.letter_writing import NOW, Letters, event, failure_of_a_service, letter


@pytest.fixture
async def letters(nats_url: str) -> Letters:
    """Letters on a server; the connection is open while they are written."""
    client = JetStreamClient()
    await client.connect(nats_url)
    return await Letters(client).created()


def dlq(tmp_path: Path, nats_url: str, *arguments: str) -> Ended:
    return glam("dlq", *arguments, "--servers", nats_url, cwd=tmp_path)


async def test_list_shows_a_line_for_each_group(
    tmp_path: Path, nats_url: str, letters: Letters
) -> None:
    """Groups stand with count, handler, reason, error and an example, uncut in a pipe."""
    long = "no address for " + "x" * 150
    await letters.write_many(letter(number, message=long) for number in range(1, 4))
    await letters.write(letter(4, handler="count", reason="exhausted"))
    await letters.client.close()

    ended = dlq(tmp_path, nats_url, "list")

    assert ended.code == 0
    headers, one, other = ended.out.splitlines()
    assert headers.split()[:3] == ["GROUP", "LETTERS", "SERVICE"]
    assert ["3", "shop", "ship", "rejected", "ValueError:"] == one.split()[1:6]
    assert f"ValueError: {long}" in one
    assert one.endswith("GLAM_DLQ:3")
    assert ["1", "shop", "count", "exhausted"] == other.split()[1:5]
    assert "4 letters in 2 groups" in ended.err
    assert "\x1b" not in ended.out + ended.err


async def test_list_all_shows_every_letter(tmp_path: Path, nats_url: str, letters: Letters) -> None:
    """``--all`` has a line for each letter, with the id that ``show`` takes."""
    await letters.write_many(letter(number) for number in range(1, 4))
    await letters.client.close()

    ended = dlq(tmp_path, nats_url, "list", "--all")

    ids = [line.split()[0] for line in ended.out.splitlines()[1:]]
    assert ["GLAM_DLQ:1", "GLAM_DLQ:2", "GLAM_DLQ:3"] == ids


async def test_list_prints_one_json_document(
    tmp_path: Path, nats_url: str, letters: Letters
) -> None:
    """Both lists are one document each, filtered as they are told to be."""
    await letters.write(letter(1))
    await letters.write(letter(2, handler="count"))
    await letters.write_raw("dlq.order.placed.v1", failure_of_a_service(1))
    await letters.client.close()

    groups = json.loads(dlq(tmp_path, nats_url, "list", "--json", "--handler", "ship").out)
    every = json.loads(dlq(tmp_path, nats_url, "list", "--json", "--all").out)

    assert 1 == groups["letters"] == groups["groups"][0]["count"]
    assert "ship" == groups["groups"][0]["handler"]
    assert [{"stream": "GLAM_DLQ", "max_age_seconds": None}] == groups["streams"]
    assert ["rejected", "rejected", None] == [one["reason"] for one in every["letters"]]


@pytest.mark.parametrize("form", [(), ("--all",), ("--json",), ("--all", "--json")])
def test_list_of_nothing_says_so(tmp_path: Path, nats_url: str, form: tuple[str, ...]) -> None:
    """A server without letters is no failure, and standard output has nothing but the result."""
    ended = dlq(tmp_path, nats_url, "list", *form)

    assert ended.code == 0
    assert "no stream on this server holds dlq.>" in ended.err
    if "--json" in form:
        assert [] == json.loads(ended.out)["letters" if "--all" in form else "groups"]
    else:
        assert ended.out == ""


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--reason", "bad", "invalid, rejected, exhausted, crashed"),
        ("--older-than", "soon", "90s, 10m, 2h"),
        ("--subject", "order", "one token"),
        ("--subject", "evt.>.x", "before its end"),
    ],
)
def test_a_filter_that_makes_no_sense_is_wrong_usage(
    tmp_path: Path, option: str, value: str, told: str
) -> None:
    """A mistake in an option is told before a server is looked for."""
    ended = glam("dlq", "list", option, value, cwd=tmp_path)

    assert ended.code == 2
    assert option in ended.err
    assert told in ended.err


def test_without_a_server_the_address_and_the_cause_are_told(tmp_path: Path) -> None:
    """Nobody has to guess where it looked."""
    soon = {"GLAM_CONNECT_TIMEOUT": "0.5"}
    ended = glam("dlq", "list", "--servers", "nats://127.0.0.1:1", cwd=tmp_path, env=soon)

    assert ended.code == 1
    assert "nats://127.0.0.1:1" in ended.err
    assert len(ended.err.splitlines()) < 5


async def test_show_tells_all_of_a_letter(tmp_path: Path, nats_url: str, letters: Letters) -> None:
    """Why, the traceback in lines, the publisher's headers, the payload, the past, the remedy."""
    past = (PastFailure(failed_at=NOW, reason="exhausted", attempts=5, error="OldError"),)
    written = await letters.write(letter(1, headers={"Tenant": "acme"}, replays=past))
    await letters.client.close()

    ended = dlq(tmp_path, nats_url, "show", written)

    assert ended.code == 0
    lines = [line.strip() for line in ended.out.splitlines()]
    assert "reason      rejected" in lines
    assert "error       ValueError: no address" in lines
    assert "in ship" in lines, "the traceback's line ends are gone"
    assert "Tenant: acme" in lines
    assert '"event_type": "evt.order.placed.v1",' in lines
    assert any("exhausted after 5 attempts: OldError" in line for line in lines)
    assert f"glam-worker dlq replay {written}" in lines


async def test_show_prints_a_letter_as_json(
    tmp_path: Path, nats_url: str, letters: Letters
) -> None:
    """The document has the body byte for byte, and its payload when it is JSON."""
    whole = await letters.write(letter(1))
    broken = await letters.write(letter(2, reason="invalid"), body=b"\x00\xff")
    await letters.client.close()

    one = json.loads(dlq(tmp_path, nats_url, "show", whole, "--json").out)
    other = json.loads(dlq(tmp_path, nats_url, "show", broken, "--json").out)

    assert event(1)[:20] == base64.b64decode(one["body_base64"])[:20]
    assert {"id": 1} == one["payload"]["data"]
    assert (b"\x00\xff", None) == (base64.b64decode(other["body_base64"]), other["payload"])


async def test_what_publishers_wrote_cannot_act_on_a_terminal(
    tmp_path: Path, nats_url: str, letters: Letters
) -> None:
    """Escape sequences of messages, headers and bodies are shown as text."""
    evil = "\x1b]0;owned\x07\x1b[2Jdone"
    record = letter(1, message=evil, headers={"Tenant": evil})
    written = await letters.write(record, body=evil.encode())
    await letters.write_raw("dlq.order.placed.v1", b"{}", {"Glam-Handler": "h", "Glam-Error": evil})
    await letters.client.close()

    shown = glam_on_terminal("dlq", "show", written, "--servers", nats_url, cwd=tmp_path)
    listed = dlq(tmp_path, nats_url, "list")

    assert shown.code == 0
    assert "\x1b]0" not in shown.out
    assert "\x1b[2J" not in shown.out
    assert "\x1b" not in listed.out
    assert r"\x1b]0;owned" in shown.out


@pytest.mark.parametrize(("letter_id", "code"), [("GLAM_DLQ:1", 1), ("nonsense", 2)])
def test_show_of_what_is_not_there_fails(
    tmp_path: Path, nats_url: str, letter_id: str, code: int
) -> None:
    """A letter that is gone is a failure, what is no id is wrong usage; both say where to look."""
    ended = dlq(tmp_path, nats_url, "show", letter_id)

    assert ended.code == code
    assert letter_id in ended.err
    assert "glam-worker dlq list" in ended.err
