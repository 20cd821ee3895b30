"""Letters: what they say, how they fit, how they are read."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from glam_shared.messaging import ErrorPayload, EventEnvelope
from glam_shared.messaging.dead_letter import (
    REASONS,
    BodyReference,
    DeadLetter,
    fingerprint,
    letter_subject,
)
from glam_shared.messaging.headers import encoded_size
from glam_shared.messaging.past_failures import PastFailure

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
LETTER = DeadLetter(
    reason="exhausted",
    service="shop",
    handler="provision",
    subject="evt.order.created.v1",
    stream="GLAM_EVENTS",
    stream_created=1793534400000000001,
    sequence=42,
    stored_at=NOON,
    attempts=5,
    error="TimeoutError",
    message="no answer\nafter 30 s",
    traceback="Traceback:\n  File x\nTimeoutError",
    fingerprint="0123456789abcdef",
    event_id="e1",
    correlation_id="corr_1",
    failed_at=NOON,
    headers={"traceparent": "00-abc", "Status": "404"},
    replays=(PastFailure(failed_at=NOON, reason="rejected", attempts=1, error="DomainError"),),
)
OUR_HEADERS = {
    "Glam-Format": "1",
    "Glam-Reason": "exhausted",
    "Glam-Service": "shop",
    "Glam-Handler": "provision",
    "Glam-Subject": "evt.order.created.v1",
    "Glam-Stream": "GLAM_EVENTS",
    "Glam-Stream-Created": "1793534400000000001",
    "Glam-Sequence": "42",
    "Glam-Stored-At": "2026-11-01T12:00:00.000Z",
    "Glam-Attempts": "5",
    "Glam-Error": "TimeoutError",
    "Glam-Error-Message": "no answer\\nafter 30 s",
    "Glam-Traceback": "Traceback:\\n  File x\\nTimeoutError",
    "Glam-Fingerprint": "0123456789abcdef",
    "Glam-Event-Id": "e1",
    "Glam-Correlation-Id": "corr_1",
    "Glam-Failed-At": "2026-11-01T12:00:00.000Z",
    "Glam-Replays": (
        '[{"failed_at":"2026-11-01T12:00:00Z","reason":"rejected","attempts":1,'
        '"error":"DomainError"}]'
    ),
}


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("evt.order.created.v1", "dlq.order.created.v1"),
        ("cmd.evt.evt", "dlq.evt.evt"),
        ("dlq.order.v1", "dlq.order.v1"),
        ("orders", "dlq.orders"),
    ],
)
def test_only_the_first_token_becomes_dlq(subject: str, expected: str) -> None:
    """The letter's subject is the origin's but for its first token, and always under `dlq.>`."""
    assert expected == letter_subject(subject)


def test_a_letter_has_the_agreed_headers() -> None:
    """Every field is in its header, on one line, beside the user's own."""
    assert {"traceparent": "00-abc", "Status": "404", **OUR_HEADERS} == LETTER.to_headers()


def test_what_is_unknown_has_no_header() -> None:
    """A letter that knows little says little."""
    little = DeadLetter(subject="evt.a.b", reason="invalid", attempts=1)

    expected = {"Glam-Format": "1", "Glam-Reason": "invalid", "Glam-Attempts": "1"}
    assert {**expected, "Glam-Subject": "evt.a.b"} == little.to_headers()


@pytest.mark.parametrize("reason", REASONS)
def test_a_letter_is_read_as_it_was_written(reason: Any) -> None:
    """Through headers and back every field says the same; line ends show as escapes."""
    letter = replace(LETTER, reason=reason, reference=BodyReference("ab" * 32, NOON))

    again = DeadLetter.from_message("dlq.order.created.v1", letter.to_headers(), b"\xff not JSON")

    as_written = replace(
        letter,
        message="no answer\\nafter 30 s",
        traceback="Traceback:\\n  File x\\nTimeoutError",
    )
    assert as_written == again
    assert again == pickle.loads(pickle.dumps(again))


def test_a_users_header_cannot_pose_as_ours() -> None:
    """Headers named like the letter's are not taken from the user's."""
    letter = replace(LETTER, headers={"Glam-Reason": "x", "glam-service": "y", "nats-ttl": "1s"})

    assert OUR_HEADERS == letter.to_headers()


def test_what_a_corrupt_event_says_of_itself_stays_small_and_on_its_line() -> None:
    """Ids of a corrupt event, however long or odd, neither break a header nor fill it."""
    letter = replace(LETTER, event_id="e\r\n" * 9999, correlation_id="\ud800", error="E" * 9999)

    headers = letter.to_headers()

    assert len(headers["Glam-Event-Id"]) <= 256
    assert len(headers["Glam-Error"]) <= 256
    assert "\\ud800" == headers["Glam-Correlation-Id"]
    assert not any("\r" in value or "\n" in value for value in headers.values())


def test_diagnostics_are_bounded() -> None:
    """The message has at most 1 KiB, the traceback at most 8 KiB and keeps its end."""
    letter = replace(LETTER, message="é" * 5000, traceback="x" * 20000 + "\nTimeoutError")

    headers = letter.to_headers()

    assert 1024 == len(headers["Glam-Error-Message"].encode())
    assert 8192 == len(headers["Glam-Traceback"].encode())
    assert headers["Glam-Traceback"].endswith("\\nTimeoutError")


BIG = replace(
    LETTER,
    message="m" * 1000,
    traceback="t" * 8000,
    headers={"Small": "s" * 10, "Large": "l" * 3000},
)


def sizes(headers: dict[str, str]) -> tuple[int, int, int, int]:
    named = ("Glam-Traceback", "Glam-Error-Message", "Large", "Small")
    traceback, message, large, small = (len(headers.get(name, "")) for name in named)
    return traceback, message, large, small


def test_what_fits_is_left_alone() -> None:
    """At exactly the limit nothing shrinks."""
    body = b"x" * 1000
    limit = encoded_size(BIG.to_headers()) + len(body)

    assert (BIG.to_headers(), body) == BIG.fit(body, limit)


@pytest.mark.parametrize(
    ("too_many", "expected"),
    [
        (1, (7999, 1000, 3000, 10)),
        (5000, (3000, 1000, 3000, 10)),
        (8000, (0, 1000, 3000, 10)),
        (8500, (0, 518, 3000, 10)),
        (9100, (0, 0, 0, 10)),
    ],
)
def test_diagnostics_shrink_first(too_many: int, expected: tuple[int, ...]) -> None:
    """The traceback gives way first, then the message, then the user's headers, largest first."""
    body = b"x" * 1000
    limit = encoded_size(BIG.to_headers()) + len(body) - too_many

    headers, kept = BIG.fit(body, limit)

    assert body == kept
    assert encoded_size(headers) + len(kept) <= limit
    assert expected == sizes(headers)
    assert OUR_HEADERS.keys() - {"Glam-Traceback", "Glam-Error-Message"} <= headers.keys()


def test_every_size_fits_and_loses_no_more_than_it_must() -> None:
    """At any limit above the least headers the letter fits, with its whole body or by reference."""
    body = b"x" * 1000
    whole = encoded_size(BIG.to_headers()) + len(body)

    for limit in range(2000, whole + 1, 37):
        headers, kept = BIG.fit(body, limit)
        assert encoded_size(headers) + len(kept) <= limit
        assert kept == body or "Glam-Body-Sha256" in headers


def test_a_body_that_does_not_fit_is_kept_by_reference() -> None:
    """Its letter names stream, `created`, sequence and hash, and until when the stream keeps it."""
    body = b"x" * 100_000

    headers, kept = LETTER.fit(body, len(body), kept_until=NOON)

    assert b"" == kept
    assert {
        **LETTER.to_headers(),
        "Glam-Body-Sha256": hashlib.sha256(body).hexdigest(),
        "Glam-Body-Kept-Until": "2026-11-01T12:00:00.000Z",
    } == headers
    letter = DeadLetter.from_message("dlq.order.created.v1", headers, kept)
    assert BodyReference(hashlib.sha256(body).hexdigest(), NOON) == letter.reference


def test_a_letter_without_a_header_is_read() -> None:
    """An older service's letter, the event as it was: the envelope tells what it can."""
    body = EventEnvelope.create(
        "evt.order.created.v1",
        {"a": 1},
        source_service="old",
        event_id="e9",
        correlation_id="corr_9",
    ).to_bytes()

    letter = DeadLetter.from_message("dlq.order.created.v1", None, body)

    assert (
        DeadLetter(subject="evt.order.created.v1", event_id="e9", correlation_id="corr_9") == letter
    )


@pytest.mark.parametrize(
    ("subject", "event_type", "origin"),
    [
        ("dlq.merchant.created.v1", "dlq.merchant.created.v1", "evt.merchant.created.v1"),
        ("dlq.notification.email.send.v1", "ERROR", "cmd.notification.email.send.v1"),
        ("dlq.order.made.v1", "cmd.order.made.v1", "cmd.order.made.v1"),
        ("dlq.order.made.v1", "evt.order.other.v1", "evt.order.made.v1"),
    ],
)
def test_the_origins_subject_is_found_again(subject: str, event_type: str, origin: str) -> None:
    """Without a header the event type tells the origin if it fits, else the catalogue, else evt."""
    body = EventEnvelope.create(event_type, {"a": 1}, source_service="old").to_bytes()

    assert origin == DeadLetter.from_message(subject, {}, body).subject


@pytest.mark.parametrize("headers", [{}, {"Glam-Reason": "rejected", "Glam-Service": "front"}])
def test_a_letter_of_an_error_is_read(headers: dict[str, str]) -> None:
    """A service's own letter, an envelope of ErrorPayload, with and without headers."""
    payload = ErrorPayload(
        error_code="BAD", error_message="why", failed_operation="sync", retry_count=3
    )
    body = EventEnvelope.create(
        "evt.order.created.v1", payload, source_service="front", timestamp=NOON
    ).to_bytes()

    letter = DeadLetter.from_message("dlq.order.created.v1", headers, body)

    assert ("error", "front", "BAD", "why", 3) == (
        letter.holds,
        letter.service,
        letter.error,
        letter.message,
        letter.attempts,
    )
    assert NOON == letter.failed_at
    assert headers.get("Glam-Reason") == letter.reason


def test_a_workers_letter_of_an_event_that_looks_like_an_error_holds_the_event() -> None:
    """A handler's own letter always holds the event, whatever its fields are called."""
    payload = ErrorPayload(error_code="BAD", error_message="why", failed_operation="sync")
    body = EventEnvelope.create("evt.x.failed.v1", payload, source_service="s").to_bytes()

    letter = DeadLetter.from_message("dlq.x.failed.v1", LETTER.to_headers(), body)

    assert ("event", "TimeoutError") == (letter.holds, letter.error)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[" * 100_000, b"null", b"[]", b'{"event_id":1}'])
def test_reading_never_fails(body: bytes) -> None:
    """Whatever lies in the dead-letter stream, its letter can be listed."""
    nonsense = dict.fromkeys(OUR_HEADERS, "\x00 nonsense ü")

    assert "evt.a.b" == DeadLetter.from_message("dlq.a.b", None, body).subject
    letter = DeadLetter.from_message("dlq.a.b", nonsense, body)
    assert (None, None, 0, None, ()) == (
        letter.reason,
        letter.sequence,
        letter.attempts,
        letter.failed_at,
        letter.replays,
    )


def test_a_replay_carries_the_past() -> None:
    """What a letter failed of is appended to what came before it; the oldest are forgotten."""
    letter = LETTER
    for attempts in range(1, 13):
        letter = replace(letter, attempts=attempts, replays=letter.past())
        letter = DeadLetter.from_message("dlq.order.created.v1", letter.to_headers(), b"")

    assert [*range(2, 12)] == [failure.attempts for failure in letter.replays]
    assert {"exhausted"} == {failure.reason for failure in letter.replays}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order 17 is gone", "order 4711 is gone"),
        (
            "6f1c2a34-9f3e-4e5b-8d0e-3f7a1b2c4d5e gone",
            "00000000-0000-4000-8000-aaaaaaaaaaaa gone",
        ),
        ("<Shop at 0x7f32f62c4d50>", "<Shop at 0x7f32f62c4d51>"),
        ("commit deadbeef01 lost", "commit cafebabe99 lost"),
        ("line 3, column 12", "line 40, column 1"),
    ],
)
def test_like_failures_have_one_fingerprint(one: str, other: str) -> None:
    """What differs from event to event does not tell failures apart."""

    def found(text: str) -> str:
        return fingerprint("s", "h", "rejected", "E", text)

    assert found(one) == found(other)


def test_unlike_failures_have_different_fingerprints() -> None:
    """Service, handler, reason, error and words each tell failures apart."""
    parts = ["s", "h", "rejected", "E", "order gone"]
    changed = [[*parts[:i], f"{part}x", *parts[i + 1 :]] for i, part in enumerate(parts)]

    assert 6 == len({fingerprint(*each) for each in [parts, *changed]})


def test_a_fingerprint_is_the_same_on_every_machine() -> None:
    """It is a plain hash: dashboards and scripts may keep it."""
    assert "b1b54926587f0075" == fingerprint("s", "h", "rejected", "E", "order 17")
