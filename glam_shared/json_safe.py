"""Making what a corrupt event or a foreign object left behind fit for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

__all__ = ["json_safe", "json_text"]

_DEEPEST = 32
_LARGEST_INTEGER = 10**300


def json_text(value: object) -> str:
    """*value* as text that UTF-8 can carry, without NUL."""
    try:
        text = value if isinstance(value, str) else str(value)
    except BaseException as error:  # noqa: BLE001 - whatever a foreign __str__ raises
        text = f"<{type(value).__name__} without text: {type(error).__name__}>"
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def json_safe(value: Any) -> Any:
    """A copy of *value* that strict JSON can carry: odd parts as text, cycles and depths cut."""
    return _safe(value, ())


def _safe(value: Any, above: tuple[int, ...]) -> Any:
    if _is_plain(value):
        return value
    if not isinstance(value, Mapping | list | tuple | set | frozenset):
        return _scalar_text(value)
    if id(value) in above or len(above) >= _DEEPEST:
        return "<cut>"
    path = (*above, id(value))
    if isinstance(value, Mapping):
        return {json_text(key): _safe(part, path) for key, part in value.items()}
    return [_safe(part, path) for part in value]


def _is_plain(value: object) -> bool:
    kind = type(value)
    if kind is int:
        return abs(value) < _LARGEST_INTEGER  # type: ignore[arg-type]
    if kind is float:
        return math.isfinite(value)  # type: ignore[arg-type]
    return value is None or kind is bool


def _scalar_text(value: object) -> str:
    match value:
        case int() if type(value) is int:
            return hex(value)  # str() refuses integers of more than 4300 digits
        case bytes() | bytearray():
            return json_text(bytes(value).decode("utf-8", "backslashreplace"))
        case date():
            return value.isoformat()
        case _:
            return json_text(value)
