"""Making what a corrupt event left behind fit for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["json_safe", "json_text"]

_DEEPEST = 32
_LONGEST_INTEGER = 10**300


def json_text(value: object) -> str:
    """*value* as text that UTF-8 can carry, without NUL."""
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception as error:  # noqa: BLE001 - whatever a foreign __str__ raises
        text = f"<{type(value).__name__} without text: {type(error).__name__}>"
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def json_safe(value: Any, *, depth: int = 0) -> Any:
    """A copy of *value* that strict JSON can carry: the odd parts of it as text, the deep ones cut."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < _LONGEST_INTEGER:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if depth >= _DEEPEST:
        return "<too deep>"
    if isinstance(value, Mapping):
        return {json_text(key): json_safe(part, depth=depth + 1) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_safe(part, depth=depth + 1) for part in value]
    return _scalar_text(value)


def _scalar_text(value: object) -> str:
    if isinstance(value, int):
        return hex(value)  # str() refuses integers of more than 4300 digits
    if isinstance(value, bytes | bytearray):
        return json_text(bytes(value).decode("utf-8", "backslashreplace"))
    return json_text(value)
