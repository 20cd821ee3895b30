"""Performs what was decided about a delivery: the only caller of ack, park and dead letter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from glam_shared.errors import InfrastructureError
from glam_worker.declare.context import EventContext
from glam_worker.declare.outcomes import DONE, Outcome, Snooze
from glam_worker.declare.retry import (
    ACK,
    Ack,
    DeadLetter,
    HandBack,
    Park,
    RetryPolicy,
    Settlement,
    decide,
)
from glam_worker.runtime.failures import Failure
from glam_worker.runtime.ledger import Ledger, Owed, Record, amend
from glam_worker.runtime.protocols import (
    DeadLetters,
    Delivery,
    DoesNotFit,
    Parking,
    Way,
    WayFacts,
)

REFUSED_DELAY = 30.0
"""Seconds until an event comes again whose park or letter was not taken."""
_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_LONGEST_DELAY = 7 * 86_400.0
"""Seconds; the ledger forgets what was not written for longer."""


class Settler:
    """Decides and settles for one handler.

    The order is what loses nothing: publish, await the PubAck, then ack the carrier. What the
    broker refuses is kept in the ledger, and settled, not run, when the carrier comes again.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        parking: Parking,
        dead_letters: DeadLetters,
        ledger: Ledger,
        facts: dict[Way, WayFacts],
        server_time: Callable[[], datetime],
    ) -> None:
        self._policy = policy
        self._parking = parking
        self._dead_letters = dead_letters
        self._ledger = ledger
        self._facts = facts
        self._server_time = server_time

    def decide(self, outcome: Outcome, delivery: Delivery) -> Settlement:
        """What is to be done about this outcome."""
        if outcome is DONE:
            return ACK
        attempt = delivery.counted + 1
        now = self._server_time()
        made = decide(outcome, attempt, self._policy, now=now, draw=random.random())  # noqa: S311
        if isinstance(outcome, Snooze) and isinstance(made, Park) and not made.delay:
            return replace(made, delay=_by_own_clock(outcome))
        return made

    async def settle(
        self, delivery: Delivery, settlement: Settlement, run: EventContext | None
    ) -> Settlement:
        """Perform it; what was really done, which is a hand-back where the broker refused.

        Where the ledger does not take it either, it is held under its lease and tried again.
        """
        pause = _PAUSE
        while True:
            try:
                return await self._perform(delivery, settlement, run)
            except Exception as error:  # noqa: BLE001 - whatever it is, the event must not be lost
                done = await self._kept(delivery, settlement, error)
            if done is not None:
                return done
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _perform(
        self, delivery: Delivery, settlement: Settlement, run: EventContext | None
    ) -> Settlement:
        match settlement:
            case HandBack(delay):
                delivery.hand_back(delay)
            case Park():
                await self._parking.park(delivery, settlement)
                await delivery.acked()
            case DeadLetter():
                await self._dead_letters.write(delivery, settlement, run)
                await delivery.acked()
            case Ack():
                await delivery.acked()
        return settlement

    async def _kept(
        self, delivery: Delivery, settlement: Settlement, error: Exception
    ) -> Settlement | None:
        """What was done with the help of the ledger; None if it does not answer."""
        try:
            if isinstance(settlement, Park) and isinstance(error, DoesNotFit):
                return await self._nak(delivery, settlement)
            self._facts[delivery.way].refused(delivery, settlement, error)
            if isinstance(settlement, Park | DeadLetter):
                await self._owe(delivery, settlement)
        except InfrastructureError:
            return None
        delivery.hand_back(REFUSED_DELAY)
        return HandBack(REFUSED_DELAY)

    async def _owe(self, delivery: Delivery, settlement: Park | DeadLetter) -> None:
        """Remember what the broker refused."""
        reason, due = None, None
        if isinstance(settlement, DeadLetter):
            reason = settlement.reason
        else:
            due = self._in(settlement.delay)
        failure = None if settlement.cause is None else Failure.of(settlement.cause)
        owed = Owed(reason, settlement.attempts, failure)

        def change(record: Record) -> Record:
            return replace(record, owed=owed, due=due)

        await amend(self._ledger, delivery.carrier, None, change)

    async def _nak(self, delivery: Delivery, park: Park) -> Settlement:
        """Let an event that cannot be parked come again after its delay, its runs counted."""
        delay = min(park.delay, _LONGEST_DELAY)
        due = self._in(delay)

        def change(record: Record) -> Record:
            return replace(record, attempts=park.attempts, due=due)

        await amend(self._ledger, delivery.carrier, None, change)
        delivery.hand_back(delay)
        return park

    def _in(self, seconds: float) -> datetime:
        return self._server_time() + timedelta(seconds=min(seconds, _LONGEST_DELAY))


def _by_own_clock(snooze: Snooze) -> float:
    """Seconds from now by this machine's clock, by which its handler may have snoozed.

    The time has come by the server's; behind it, the handler would snooze again and again.
    """
    if snooze.until is None:
        return 0.0
    return max(0.0, (snooze.until - datetime.now(UTC)).total_seconds())
