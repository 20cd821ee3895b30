"""The gate: what is not strict JSON is named and refused, and nothing else happens."""

from __future__ import annotations

import json

import pytest

from glam_shared.messaging import EventEnvelope, MerchantCreatedPayload
from glam_shared.messaging.strict_json import InvalidJsonError, check_json, read_exactly

DEEP = 100_000

BAD: dict[str, tuple[bytes, str]] = {
    "invalid UTF-8 in text": (b'{"a":"\xff\xfe"}', "unicode"),
    "invalid UTF-8 in a key": (b'{"\xff":1}', "unicode"),
    "overlong UTF-8": (b'{"a":"\xc0\x80"}', "unicode"),
    "surrogate as UTF-8": (b'{"a":"\xed\xa0\x80"}', "unicode"),
    "100k-deep list": (b"[" * DEEP + b"]" * DEEP, "nested too deeply"),
    "100k-deep object": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "nested too deeply"),
    "100k-deep, never closed": (b"[" * DEEP, "nested too deeply"),
    "5000-digit integer": (b'{"a":' + b"9" * 5000 + b"}", "too many digits"),
    "5000-digit integer, negative": (b'{"a":-' + b"9" * 5000 + b"}", "too many digits"),
    "NaN": (b'{"a":NaN}', "expected value"),
    "Infinity": (b'{"a":Infinity}', "expected value"),
    "-Infinity": (b'{"a":-Infinity}', "invalid number"),
    "1e400": (b'{"a":1e400}', "range of a float"),
    "-1E+400": (b'{"a": -1E+400 }', "range of a float"),
    "1.5e400 in a list": (b'{"a":[1.5e400]}', "range of a float"),
    "1e400 last in a line": (b'{"a":1e400\n}', "range of a float"),
    "1e0000000400": (b'{"a":1e0000000400}', "range of a float"),
    "1e99999999999": (b'{"a":1e99999999999}', "range of a float"),
    "a float of 400 digits": (b'{"a":' + b"9" * 400 + b".0}", "range of a float"),
    "a long mantissa and a short exponent": (b'{"a":' + b"9" * 250 + b"e99}", "range of a float"),
    "1e400 alone": (b"1e400", "range of a float"),
    "lone high surrogate": (b'{"a":"\\ud800"}', "hex escape"),
    "lone low surrogate": (b'{"a":"\\udc00"}', "hex escape"),
    "two high surrogates": (b'{"a":"\\ud800\\ud800"}', "hex escape"),
    "lone surrogate in a key": (b'{"\\ud800":1}', "hex escape"),
    "byte order mark": (b'\xef\xbb\xbf{"a":1}', "byte order mark"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), "byte order mark"),
    "NUL escaped": (b'{"a":"x\\u0000"}', "NUL"),
    "NUL escaped in a key": (b'{"\\u0000":1}', "NUL"),
    "NUL after a backslash": (b'{"a":"\\\\\\u0000"}', "NUL"),
    "NUL raw": (b'{"a":"\x00"}', "control character"),
    "NUL behind": (b'{"a":1}\x00', "trailing"),
    "duplicate keys": (b'{"a":1,"a":2}', "duplicate key"),
    "duplicate keys inside": (b'{"b":[{"a":1,"a":2}]}', "duplicate key"),
    "duplicate keys, one escaped": (b'{"a":1,"\\u0061":2}', "duplicate key"),
    "empty": (b"", "body is empty"),
    "blank": (b" \n\t", "body is empty"),
    "trailing junk": (b'{"a":1} x', "trailing"),
    "two documents": (b'{"a":1}{"a":1}', "trailing"),
    "cut short": (b'{"a":1', "EOF"),
    "trailing comma": (b'{"a":1,}', "trailing comma"),
    "single quotes": (b"{'a':1}", "key must be a string"),
    "comment": (b'{"a":1/*x*/}', "expected"),
    "leading zero": (b'{"a":01}', "invalid number"),
    "not JSON at all": (b"\x00\x01\x02\x03", "expected value"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_strict_json_is_refused_with_a_reason(name: str) -> None:
    """Each kind of bad body is an InvalidJsonError that says what is wrong, and no other error."""
    body, reason = BAD[name]

    with pytest.raises(InvalidJsonError, match=reason) as caught:
        check_json(body)

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", BAD)
def test_no_envelope_is_read_from_it(name: str) -> None:
    """Inside an otherwise good envelope the same bodies are refused as well."""
    body, _ = BAD[name]
    head = b'{"event_id":"1","event_type":"evt.x.y","correlation_id":"c","source_service":"s",'
    message = head + b'"timestamp":"2026-11-01T12:00:00Z","data":{"x":' + body + b"}}"

    with pytest.raises(InvalidJsonError):
        EventEnvelope.from_bytes(message)
    with pytest.raises(InvalidJsonError):
        EventEnvelope[MerchantCreatedPayload].from_bytes(body)


def test_depth_is_refused_at_the_bottom_of_a_deep_stack_too() -> None:
    """With little stack left a deep body is still an InvalidJsonError, never a RecursionError."""

    def at_depth(frames: int) -> None:
        if frames:
            at_depth(frames - 1)
        else:
            with pytest.raises(InvalidJsonError, match="nested too deeply"):
                check_json(b"[" * DEEP)

    at_depth(600)


GOOD = [
    b'{"a":1}',
    b' {"a":[1,2.5,-0.5e-3,true,false,null]}\r\n',
    '{"a":"ü 😀"}'.encode(),
    b'{"a":"\\ud83d\\ude00"}',
    b'{"a":"\\\\u0000 is text"}',
    b'{"a":"\\\\\\\\u0000"}',
    b'{"a":18446744073709551616}',
    b'{"a":"1e400,"}',
    b'{"a":"NaN","b":"Infinity"}',
    b'{"a":1e99,"b":1e-99}',
    b'{"phone":"555-1234, x"}',
    b"[" * 150 + b"]" * 150,
    b"3",
    b'"text"',
]


@pytest.mark.parametrize("body", GOOD)
def test_strict_json_passes(body: bytes) -> None:
    """What RFC 8259 allows, and only looks like trouble, passes."""
    check_json(body)

    assert read_exactly(body) is None


def test_a_number_that_reads_back_from_its_shortest_text_is_no_trouble() -> None:
    """Floats as Python and JavaScript write them need no second reading."""
    values = [0.1 + 0.2, 1 / 3, 1e308, 5e-324, 123456789.12345679, -2.5e-300]

    assert read_exactly(json.dumps(values).encode()) is None


def test_numbers_beyond_a_floats_digits_are_decimals() -> None:
    """Where a float would lose digits the exact value is given."""
    value = read_exactly(b'{"a":12345678901234567.89,"b":0.5,"c":1e-400}')

    assert value is not None
    assert ("12345678901234567.89", "1E-400") == (str(value["a"]), str(value["c"]))
    assert 0.5 == value["b"]
