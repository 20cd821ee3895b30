"""Changes of the ledger that must not be lost while this process lives."""

from __future__ import annotations

import asyncio
import contextlib
from typing import NamedTuple

from glam_shared.errors import InfrastructureError
from glam_worker.runtime.ledger import Change, Ledger, Record, amend

_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_BEFORE_PULL = 5.0
"""Seconds that the first pull after a reconnect waits for them, if the ledger does not answer."""


class _Strike(NamedTuple):
    ledger: Ledger
    carrier: str
    change: Change


class Strikes:
    """Makes changes at once, or as soon as the ledger takes them.

    One for all handlers of a worker. ``flush`` is awaited after each reconnect, before the first
    pull: a start that is still in the ledger when its carrier comes again is taken for a crash.
    """

    def __init__(self) -> None:
        self._owed: dict[_Strike, None] = {}
        self._flushing = asyncio.Lock()
        self._trying: asyncio.Task[None] | None = None

    async def make(
        self, ledger: Ledger, carrier: str, known: Record | None, change: Change
    ) -> None:
        """Make the change; if the ledger does not take it now, it is owed."""
        strike = _Strike(ledger, carrier, change)
        self._owed[strike] = None
        try:
            await amend(ledger, carrier, known, change)
        except InfrastructureError:
            self._try_later()
        else:
            self._owed.pop(strike, None)

    def owe(self, ledger: Ledger, carrier: str, change: Change) -> None:
        """Make the change soon."""
        self._owed[_Strike(ledger, carrier, change)] = None
        self._try_later()

    async def flush(self, within: float = _BEFORE_PULL) -> None:
        """Make what is owed; what the ledger does not take ``within`` seconds stays owed."""
        if not self._owed:
            return
        with contextlib.suppress(TimeoutError, InfrastructureError):
            async with asyncio.timeout(within), self._flushing:
                for strike in list(self._owed):
                    await amend(strike.ledger, strike.carrier, None, strike.change)
                    self._owed.pop(strike, None)

    def close(self) -> None:
        """Try no more."""
        if self._trying is not None:
            self._trying.cancel()

    def _try_later(self) -> None:
        if self._trying is None or self._trying.done():
            self._trying = asyncio.create_task(self._try(), name="strikes")

    async def _try(self) -> None:
        pause = _PAUSE
        while self._owed:
            await asyncio.sleep(pause)
            await self.flush()
            pause = min(2 * pause, _LONGEST_PAUSE)
