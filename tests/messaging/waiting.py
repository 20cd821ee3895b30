"""Waiting on facts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from glam_shared.messaging import JetStreamClient

WITHIN = 15.0

Connect = Callable[..., Awaitable[JetStreamClient]]
"""The fixture `connect`."""


async def until(fact: Callable[[], object], within: float = WITHIN) -> None:
    """Poll until *fact* is true; fails after *within* seconds."""
    deadline = time.monotonic() + within
    while not fact():
        assert time.monotonic() < deadline, f"not true within {within:g} s"
        await asyncio.sleep(0.01)


async def until_epoch(client: JetStreamClient, epoch: int, within: float = WITHIN) -> None:
    """Wait until *client* is connected in *epoch* or a later one."""
    await until(lambda: client.epoch >= epoch and client.is_connected(), within)
