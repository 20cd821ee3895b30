"""The gate every message passes before it is read: JSON by RFC 8259, and nothing like it.

jiter refuses invalid UTF-8, lone surrogates, byte order marks, NaN and the infinities, more than
200 levels, integers of more than 4300 digits, duplicate keys and trailing text. What is left to
find here: NUL in text, and numbers that a float cannot hold.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

import jiter

__all__ = ["InvalidJsonError", "check_json", "may_lose_digits", "read_exactly"]

# A float may lose digits of a number of 16 characters, and may not reach one with an exponent of
# three digits. Looking for either in the message's shape (every digit a 0, every end of a number a
# comma) costs a third of a regular expression over the text; `_exact` sorts out false alarms.
_SHAPE = bytes.maketrans(b"0123456789.E+-}] \n\r\t", b"00000000000eee,,,,,,")
_LONG = b"0" * 16
_EXPONENT = b"e000"
"""What `_LARGE` begins with; found faster."""
_LARGE = re.compile(rb"e000+,")
_ESCAPE = ord("\\")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class InvalidJsonError(ValueError):
    """The bytes are not JSON; the text says why and where, and never what they contain."""


def check_json(data: bytes) -> None:
    """Raise InvalidJsonError unless *data* is one strict JSON text."""
    read_exactly(data)


def read_exactly(data: bytes) -> Any | None:
    """Check *data* as `check_json` does; its value if a float would lose digits of it, else None.

    In that value the numbers that a float cannot hold are Decimal.
    """
    try:
        value = jiter.from_json(
            data, catch_duplicate_keys=True, allow_inf_nan=False, cache_mode="keys"
        )
    except ValueError as error:
        raise InvalidJsonError(_reason(data, str(error))) from None
    if _ESCAPE in data and _NUL.search(data):
        raise InvalidJsonError("NUL in text")
    if may_lose_digits(data) or isinstance(value, float):
        return _exact(data)
    return None


def may_lose_digits(data: bytes) -> bool:
    """Whether there may be a number in *data* that a float does not hold exactly, or cannot."""
    shape = data.translate(_SHAPE)
    return _LONG in shape or (_EXPONENT in shape and _LARGE.search(shape) is not None)


def _exact(data: bytes) -> Any | None:
    found = False

    def number(text: str) -> float | Decimal:
        nonlocal found
        near = float(text)
        if math.isinf(near):
            raise InvalidJsonError("a number beyond the range of a float")
        exact = Decimal(text)
        if exact == Decimal(repr(near)):
            return near
        found = True
        return exact

    try:
        value = json.loads(data, parse_float=number)
    except RecursionError:  # jiter's 200 levels are more than what is left of the caller's stack
        raise InvalidJsonError("nested too deeply") from None
    return value if found else None


def _reason(data: bytes, found: str) -> str:
    if not data.strip():
        return "the body is empty"
    if data.startswith(_BYTE_ORDER_MARKS):
        return "the body starts with a byte order mark"
    if "recursion limit" in found:
        return f"nested too deeply ({found})"
    if "number out of range" in found:
        return f"an integer with too many digits ({found})"
    if "Detected duplicate key" in found:
        return f"a duplicate key{found[found.rindex(' at line') :]}"
    return found
