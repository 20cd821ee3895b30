"""Finds the ways in which a connection dies without saying so, and picks the remedy.

nats-py reconnects by itself in the plain cases. The others: its read loop may end while it
still says it is connected; its reconnect may hang in closing a socket, or end in an unexpected
exception; and it closes for good after most errors the server sends.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from glam_shared.messaging.connect_options import Timings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Symptoms:
    """What can be seen of a client."""

    closed: bool = False
    connected: bool = True
    loops_ended: bool = False
    """Nobody reads, writes or pings."""
    reconnect_ended: bool = False
    """Not connected, and nobody is trying to be."""
    teardown: float = 0.0
    """Seconds since the connection died without its socket being closed."""


class Remedy(enum.Enum):
    """What to do about a client, mildest first."""

    NONE = "none"
    RECONNECT = "reconnect"
    ABORT = "abort the socket"
    REPLACE = "replace the client"


def diagnose(symptoms: Symptoms, hung_teardown: float) -> Remedy:
    """The remedy for *symptoms*. Pure."""
    if symptoms.closed or symptoms.reconnect_ended or symptoms.teardown > 2 * hung_teardown:
        return Remedy.REPLACE
    if symptoms.teardown > hung_teardown:
        return Remedy.ABORT
    if symptoms.connected and symptoms.loops_ended:
        return Remedy.RECONNECT
    return Remedy.NONE


class Watchdog:
    """Looks at a client every period, and at once when it is told to; never twice in a period
    after it had to act, so that a connection that dies again and again costs little.
    """

    def __init__(
        self,
        examine: Callable[[], Symptoms],
        treat: Callable[[Remedy], Awaitable[None]],
        timings: Timings,
    ) -> None:
        self._examine = examine
        self._treat = treat
        self._timings = timings
        self._wake = asyncio.Event()

    def look_now(self) -> None:
        """Something ended: look before the period is over."""
        self._wake.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self._pause()
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - the watch must go on
                _log.exception("The watch over the NATS connection failed; it goes on.")
                await asyncio.sleep(self._timings.watch_period)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._timings.watch_period):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _look(self) -> None:
        remedy = diagnose(self._examine(), self._timings.hung_teardown)
        if remedy is not Remedy.NONE:
            await self._treat(remedy)
            await asyncio.sleep(self._timings.watch_period)
