"""Waiting on facts."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

WITHIN = 30.0
"""Seconds; what is waited for comes much sooner, unless something is wrong or the machine busy."""


async def until(fact: Callable[[], Any], what: str, within: float = WITHIN) -> Any:
    """Poll until ``fact``, which may be a coroutine function, gives something true; that."""
    deadline = time.monotonic() + within
    while True:
        found = fact()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        await asyncio.sleep(0.02)
