"""Stores what is published because of a carrier: parked events and dead letters."""

from __future__ import annotations

import time
from collections.abc import Mapping

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import BrokerError, MessageTooLarge, PublishRefused
from glam_worker.runtime.protocols import DoesNotFit, Refused

_BUDGET = 5.0
"""Seconds that a first publish is tried for, over reconnects and elections."""
_FIRST_TRY = 2.0
"""Seconds for the first PubAck: one that got lost leaves time for a second try."""
_IN_TROUBLE = 0.5
"""Seconds for the next ones, once one was not taken: each holds a credit of its handler."""
_TROUBLE = 30.0
"""Seconds for which a stream that took nothing is not given more time, but by one in that time."""
_LARGER_THAN_STREAM = 10054
"""The stream has a limit of its own to the size of a message."""


class Storing:
    """Publishes with a PubAck, and does not wait long for a stream that has just failed."""

    def __init__(self, client: JetStreamClient, what: str) -> None:
        self._client = client
        self._what = what
        self._trouble_until = 0.0

    async def store(
        self, subject: str, body: bytes, headers: Mapping[str, str], msg_id: str
    ) -> None:
        """Return once it is stored. Raises Refused, and DoesNotFit for what is too large."""
        troubled = self._in_trouble()
        budget = _IN_TROUBLE if troubled else _BUDGET
        try:
            await self._client.publish_acked(
                subject,
                body,
                headers,
                msg_id=msg_id,
                timeout=min(budget, _FIRST_TRY),
                budget=budget,
            )
        except BrokerError as error:
            if _too_large(error):
                raise DoesNotFit(f"{self._what} was not stored: {error}") from error
            if not troubled:
                self._trouble_until = time.monotonic() + _TROUBLE
            raise Refused(f"{self._what} was not stored: {error}") from error
        self._trouble_until = 0.0

    def _in_trouble(self) -> bool:
        """Whether it failed a moment ago. After that moment one finds out how it is now: a stream
        that is slow and well takes longer than the others wait."""
        now = time.monotonic()
        if now < self._trouble_until:
            return True
        if self._trouble_until:
            self._trouble_until = now + _TROUBLE
        return False


def _too_large(error: BrokerError) -> bool:
    if isinstance(error, PublishRefused):
        return error.err_code == _LARGER_THAN_STREAM
    return isinstance(error, MessageTooLarge)
