"""Reading holds for any input, not only for the examples."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from glam_shared.messaging import EventEnvelope, MerchantCreatedPayload
from glam_shared.messaging.dead_letter import DeadLetter
from glam_shared.messaging.headers import encoded_size, one_line, user_headers
from glam_shared.messaging.strict_json import InvalidJsonError, check_json

steady = settings(max_examples=150, derandomize=True, deadline=None, database=None)

HEAD = (
    b'{"event_id":"1","event_type":"evt.x.y","correlation_id":"c","source_service":"s",'
    b'"timestamp":"2026-11-01T12:00:00Z","data":'
)
plain_text = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | plain_text
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(plain_text, inner),
    max_leaves=8,
)


@steady
@given(plain_json)
def test_all_plain_json_passes(value: Any) -> None:
    """The gate lets through whatever a JSON library writes, in either escaping."""
    check_json(json.dumps(value).encode())
    check_json(json.dumps(value, ensure_ascii=False, indent=1).encode())


@steady
@given(st.dictionaries(plain_text, plain_json, min_size=1, max_size=4))
def test_data_is_read_as_it_was_written(data: dict[str, Any]) -> None:
    """A dict of plain JSON comes back from the wire the same."""
    written = EventEnvelope.create("evt.x.y", data, source_service="s").to_bytes()

    assert data == EventEnvelope.from_bytes(written).data


@steady
@given(st.binary(max_size=200), st.integers(0, len(HEAD)), st.integers(0, 60))
def test_no_bytes_do_more_than_be_refused(noise: bytes, at: int, instead_of: int) -> None:
    """Noise, alone or inside an envelope, is read or refused; nothing else comes out."""
    for body in (noise, HEAD[:at] + noise + HEAD[at + instead_of :], HEAD + noise + b"}"):
        with suppress(InvalidJsonError, ValidationError):
            EventEnvelope[MerchantCreatedPayload].from_bytes(body)
        with suppress(InvalidJsonError, ValidationError):
            EventEnvelope.from_bytes(body)
        assert DeadLetter.from_message("dlq.x.y", None, body).subject


class Price(BaseModel):
    amount: Decimal


@steady
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**25), max_value=10**25))
def test_every_amount_is_read_exactly(amount: Decimal) -> None:
    """A decimal number on the wire is that Decimal, as number and as text."""
    for written in (str(amount), f'"{amount}"', f"{amount:f}"):
        body = HEAD + b'{"amount":%s}}' % written.encode()
        assert amount == EventEnvelope[Price].from_bytes(body).data.amount


@steady
@given(st.text(), st.integers(0, 64), st.sampled_from(["start", "end"]))
def test_any_text_becomes_a_header_value(text: str, limit: int, keep: Any) -> None:
    """A header value is within its limit, of one line, and has nothing to trim."""
    line = one_line(text, limit, keep=keep)

    assert len(line.encode()) <= limit
    assert line.strip() == line
    assert len(line.splitlines()) <= 1


@steady
@given(
    st.dictionaries(st.text(max_size=20), st.text(max_size=200), max_size=8),
    st.binary(max_size=3000),
    st.integers(1500, 6000),
)
def test_any_letter_fits(given_headers: dict[str, str], body: bytes, limit: int) -> None:
    """Whatever headers and body came, the letter fits and can be read."""
    letter = DeadLetter(
        subject="evt.x.y",
        reason="invalid",
        stream="S",
        stream_created=1,
        sequence=1,
        message="m" * 500,
        traceback="t" * 3000,
        headers=given_headers,
    )

    headers, kept = letter.fit(body, limit)

    assert encoded_size(headers) + len(kept) <= limit
    assert kept in {body, b""}
    again = DeadLetter.from_message("dlq.x.y", headers, kept)
    assert ("evt.x.y", "invalid", 1) == (again.subject, again.reason, again.sequence)
    assert user_headers(headers) == again.headers
