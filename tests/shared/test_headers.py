"""Headers: whose they are, what they may hold, how large they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from nats.aio.client import Client

from glam_shared.messaging import headers
from glam_shared.messaging.headers import (
    encoded_size,
    many_lines,
    moment_text,
    one_line,
    read_count,
    read_moment,
    user_headers,
)


def test_users_headers_are_kept_and_control_headers_are_not() -> None:
    """`Nats-*`, `Glam-*` and `Authorization` go, whatever their case; all others stay."""
    given = {
        "Nats-Msg-Id": "1",
        "nats-schedule-next": "purge",
        "NATS-TTL": "1s",
        "Glam-Attempts": "4",
        "glam-replay-id": "x",
        "authorization": "Bearer secret",
        "Authorization": "Bearer secret",
        "Status": "404",
        "Description": "No Messages",
        "traceparent": "00-abc",
        "X-Natsy": "n",
        "Glamour": "g",
        "Umlaut": "ü",
    }

    kept = {"Status", "Description", "traceparent", "X-Natsy", "Glamour", "Umlaut"}
    assert {name: given[name] for name in kept} == user_headers(given)


@pytest.mark.parametrize("nothing", [None, {}])
def test_no_headers_are_no_headers(nothing: dict[str, str] | None) -> None:
    """A message without headers has no user headers."""
    assert {} == user_headers(nothing)


OURS = {name: value for name, value in vars(headers).items() if name.startswith("GLAM_")}


@pytest.mark.parametrize("value", [*OURS.values(), headers.NATS_SCHEDULE, headers.NATS_MSG_ID])
def test_no_header_of_ours_passes_for_a_users(value: str) -> None:
    """A message cannot smuggle in a header that the worker or the server believes."""
    assert {} == user_headers({value: "x", value.upper(): "x", f" {value}": "x"})


async def hpub(values: dict[str, str]) -> bytes:
    """What the client puts on the wire for a message with these headers."""
    client = Client()
    sent: list[bytes] = []

    async def take(cmd: bytes, priority: bool = False) -> None:
        sent.append(cmd)

    client._send_command = take  # type: ignore[method-assign]
    client._flush_queue = None
    await client._send_publish("evt.a", "", b"body", 4, values)
    return sent[0]


NASTY: list[dict[str, str]] = [
    {},
    {"A": "b"},
    {"A": " padded "},
    {"A": "ü😀"},
    {"A": "one\r\ntwo"},
    {"A": ""},
    {"Foo(bar)": "x", "a b": "y", "é": "z", "": "nameless", " ": "blank"},
    {"Smuggle": "x\r\nNats-Rollup: all\r\n\r\nPUB evt.b 0\r\n"},
    {"Lone": "\ud800", "Nul": "\x00"},
]


@pytest.mark.parametrize("given", NASTY)
async def test_user_headers_can_always_be_published_again(given: dict[str, str]) -> None:
    """Whatever names and values came, the client takes what is kept, as single header lines."""
    kept = user_headers(given)

    command = await hpub(kept)

    block = command.split(b"\r\n", 1)[1]
    assert block.count(b"\r\n") == 1 + len(kept) + 1 + 1
    assert block.endswith(b"\r\n\r\nbody\r\n")


@pytest.mark.parametrize("given", NASTY)
async def test_the_encoded_size_is_the_clients(given: dict[str, str]) -> None:
    """The size counted is that of the header block the client writes."""
    kept = user_headers(given)

    command = await hpub(kept)

    assert int(command.split(b" ", 4)[-2]) == encoded_size(kept)


def test_no_header_block_has_no_size() -> None:
    """None is a message without a header block; an empty mapping still writes one of 12 bytes."""
    assert (0, 12) == (encoded_size(None), encoded_size({}))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb", "a\\nb"),
        ("a\r\nb", "a\\r\\nb"),
        ("tab\there", "tab\\there"),
        ("\x00\x1b[31m\x7f", "\\x00\\x1b[31m\\x7f"),
        ("a\x85\u2028\u2029b", "a\\x85\\u2028\\u2029b"),
        ("ü 😀", "ü 😀"),
        ("\ud800", "\\ud800"),
        ("  padded\n", "padded"),
        ("", ""),
    ],
)
def test_one_line_shows_what_it_may_not_hold(text: str, line: str) -> None:
    """Line ends, control characters and lone surrogates become visible escapes."""
    assert line == one_line(text, 100)


@pytest.mark.parametrize("limit", range(12))
@pytest.mark.parametrize("keep", ["start", "end"])
@pytest.mark.parametrize("text", ["üüüü😀😀", "a\nb\nc\nd\n", "\ud800" * 9, "plain text"])
def test_one_line_keeps_within_its_limit(text: str, limit: int, keep: Any) -> None:
    """No more bytes than allowed, cut between characters."""
    line = one_line(text, limit, keep=keep)

    assert len(line.encode("utf-8")) <= limit
    assert "\ufffd" not in line


def test_one_line_keeps_the_end_that_is_wanted() -> None:
    """Of a long traceback the end is kept, of a long message the start."""
    text = "start " + "x" * 5000 + " end"

    assert one_line(text, 64).startswith("start")
    assert one_line(text, 64, keep="end").endswith("end")


def test_many_lines_are_read_back() -> None:
    """A traceback on one line is shown as lines again."""
    traceback = "Traceback:\n  File x\n\tcode\nError: no"

    assert traceback == many_lines(one_line(traceback, 1000))


def test_moments_in_headers_are_rfc_3339_in_utc() -> None:
    """A moment is written in UTC with milliseconds and read back."""
    moment = datetime(2026, 11, 1, 12, 0, 0, 123000, tzinfo=UTC)

    assert "2026-11-01T12:00:00.123Z" == moment_text(moment)
    assert moment == read_moment("2026-11-01T12:00:00.123Z")
    assert moment == read_moment("2026-11-01T12:00:00.123")


@pytest.mark.parametrize("value", [None, "", "soon", "\x00", "99999999", "2026-13-01T00:00:00Z"])
def test_what_is_no_moment_is_none(value: str | None) -> None:
    """A header that names no moment is no error."""
    assert read_moment(value) is None


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("0", 0),
        ("17", 17),
        *((bad, None) for bad in (None, "", "-1", "x", "²", "9" * 5000, "1.5", " 1")),
    ],
)
def test_what_is_no_count_is_none(value: str | None, count: int | None) -> None:
    """A header that names no count is no error."""
    assert count == read_count(value)
