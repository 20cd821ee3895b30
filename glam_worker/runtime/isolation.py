"""What keeps suspects apart from the others, in the whole process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from glam_worker.declare.retry import Settlement
from glam_worker.runtime.gate import Gate, Stoppable
from glam_worker.runtime.protocols import Delivery
from glam_worker.runtime.strikes import Strikes


class Struck(Protocol):
    """Knows of runs whose starts are written."""

    def strike(self) -> None:
        """Strike out what did not end."""


class Isolation:
    """What the suspects of all handlers of a worker share.

    ``now`` is the server's time.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.gate = Gate()
        self.strikes = Strikes()
        self._suspects: list[Struck] = []

    def join(self, suspects: Struck) -> None:
        """Strike these out at the end, too."""
        self._suspects.append(suspects)

    async def end(self, within: float) -> None:
        """The worker ends, with runs that do not: their process did not die in them.

        Takes ``within`` seconds at most.
        """
        for suspects in self._suspects:
            suspects.strike()
        await self.strikes.flush(within)
        self.strikes.close()


class Host(Stoppable, Protocol):
    """The pipeline that holds the suspects."""

    ack_wait: float
    held: dict[Delivery, None]
    wants_more: Callable[[], None]

    @property
    def closed(self) -> bool:
        """Whether nothing starts any more."""

    def admit(self, delivery: Delivery) -> None:
        """Let it run as soon as a slot is free."""

    async def work(self, delivery: Delivery, task: asyncio.Task[None]) -> bool:
        """Run and settle it."""

    async def settle_unrun(self, delivery: Delivery, settlement: Settlement) -> Settlement:
        """Settle it without a run; what was really done."""

    def give_back(self, delivery: Delivery) -> None:
        """Let another worker have it, now."""

    def lapse(self, delivery: Delivery) -> None:
        """Drop it: it may be another worker's."""

    def lapsed(self, delivery: Delivery) -> bool:
        """Whether it may be another worker's."""
