"""Performs what was decided about a delivery: the only caller of ack, park and dead letter."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

from glam_worker.declare.context import EventContext
from glam_worker.declare.outcomes import DONE, Outcome
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
from glam_worker.runtime.protocols import DeadLetters, Delivery, Parking, Way, WayFacts

REFUSED_DELAY = 30.0
"""Seconds until an event is tried again whose park or letter was not taken."""


class Settler:
    """Decides and settles for one handler.

    The order is what loses nothing: publish, await the PubAck, then ack the carrier.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        parking: Parking,
        dead_letters: DeadLetters,
        facts: dict[Way, WayFacts],
        server_time: Callable[[], datetime],
    ) -> None:
        self._policy = policy
        self._parking = parking
        self._dead_letters = dead_letters
        self._facts = facts
        self._server_time = server_time

    def decide(self, outcome: Outcome, delivery: Delivery) -> Settlement:
        """What is to be done about this outcome."""
        if outcome is DONE:
            return ACK
        attempt = delivery.counted + 1
        now = self._server_time()
        return decide(outcome, attempt, self._policy, now=now, draw=random.random())  # noqa: S311

    async def settle(
        self, delivery: Delivery, settlement: Settlement, run: EventContext | None
    ) -> Settlement:
        """Perform it; what was really done, which is a hand-back where the broker refused."""
        try:
            return await self._perform(delivery, settlement, run)
        except Exception as error:  # noqa: BLE001 - whatever it is, the event must not be lost
            self._facts[delivery.way].refused(delivery, settlement, error)
            delivery.hand_back(REFUSED_DELAY)
            return HandBack(REFUSED_DELAY)

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
