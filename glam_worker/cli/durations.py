"""Durations and rates, as people write them."""

from __future__ import annotations

import re

from glam_worker.errors import UsageError

_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(s|min|m|h|d|w)")
_RATE = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(?:/(s|m|min|h))?")


def read_duration(option: str, text: str) -> float:
    """Seconds. Raises UsageError, which names the option."""
    parts = _PART.findall(text.replace(" ", ""))
    whole = "".join(number + unit for number, unit in parts)
    if not parts or whole != text.replace(" ", ""):
        raise UsageError(f"{option} is {text!r}; write a duration such as 90s, 10m, 2h or 1d12h")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def read_rate(option: str, text: str) -> float:
    """Times a second. Raises UsageError, which names the option."""
    found = _RATE.fullmatch(text.replace(" ", ""))
    rate = float(found[1]) / _UNITS[found[2] or "s"] if found else 0.0
    if not rate:
        raise UsageError(f"{option} is {text!r}; write a rate above 0 such as 50/s or 300/min")
    return rate
