"""Waiting on facts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

WITHIN = 15.0


async def until(fact: Callable[[], object], within: float = WITHIN) -> None:
    """Poll until *fact* is true; fails after *within* seconds."""
    deadline = time.monotonic() + within
    while not fact():
        assert time.monotonic() < deadline, f"not true within {within:g} s"
        await asyncio.sleep(0.01)
