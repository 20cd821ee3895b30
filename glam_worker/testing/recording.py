"""Hears the facts of a worker and keeps them for the test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glam_worker.declare.context import EventContext
from glam_worker.declare.handler import Handler
from glam_worker.declare.retry import ACK, Ack, DeadLetter, HandBack, Park, Settlement
from glam_worker.runtime.protocols import Delivery, Took, Way, WayFacts
from glam_worker.testing.settled import Refusal, Settled, Stored


class Recording:
    """All facts of one worker, in the order they happened. ``changed`` is called after each."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.received: list[Stored] = []
        """One entry for each delivery, settled or not."""
        self.settled: list[Settled] = []
        self.refused: list[Refusal] = []
        self.lapsed: list[Stored] = []
        """Dropped unstarted, because another worker may have them."""
        self.outlasted: list[Stored] = []
        """Their leases ended while they ran."""
        self.renewals = 0
        """In-progress acks sent."""
        self.in_hand: dict[Delivery, str] = {}
        """Deliveries that are not settled, with the handler's name."""
        self.changed = changed

    def listen(self, handler: Handler, way: Way) -> WayFacts:
        """The listener of one handler's way."""
        return _WayListener(self, handler.name, way)


class _WayListener(WayFacts):
    __slots__ = ("_handler", "_recording", "_way")

    def __init__(self, recording: Recording, handler: str, way: Way) -> None:
        self._recording = recording
        self._handler = handler
        self._way: Way = way

    def received(self, delivery: Delivery) -> None:
        self._recording.received.append(_stored(delivery))
        self._recording.in_hand[delivery] = self._handler
        self._recording.changed()

    def acked(self, delivery: Delivery, run: EventContext, started: float, ended: float) -> None:
        self.settled(delivery, run, ACK, Took(started, ended))

    def settled(
        self,
        delivery: Delivery,
        run: EventContext | None,
        settlement: Settlement,
        took: Took | None,
    ) -> None:
        self._recording.in_hand.pop(delivery, None)
        self._recording.settled.append(
            Settled(
                handler=self._handler,
                way=self._way,
                event_id=None if run is None else run.event_id,
                subject=delivery.subject,
                stream=delivery.stream,
                sequence=delivery.sequence,
                attempt=delivery.counted + 1,
                ran=run is not None and took is not None,
                seconds=0.0 if took is None else took.ended - took.started,
                **_meaning(settlement),
            )
        )
        self._recording.changed()

    def refused(self, delivery: Delivery, settlement: Settlement, error: Exception) -> None:
        refusal = Refusal(
            handler=self._handler, way=self._way, stored=_stored(delivery), error=error
        )
        self._recording.refused.append(refusal)
        self._recording.changed()

    def renewed(self, count: int) -> None:
        self._recording.renewals += count

    def lapsed(self, delivery: Delivery) -> None:
        self._recording.in_hand.pop(delivery, None)
        self._recording.lapsed.append(_stored(delivery))
        self._recording.changed()

    def outlasted(self, delivery: Delivery) -> None:
        self._recording.outlasted.append(_stored(delivery))
        self._recording.changed()


def _stored(delivery: Delivery) -> Stored:
    return Stored(delivery.stream, delivery.sequence)


def _meaning(settlement: Settlement) -> dict[str, Any]:
    match settlement:
        case Ack(duplicate=True):
            return {"outcome": "duplicate"}
        case Ack():
            return {"outcome": "ack"}
        case Park(delay, cause=cause):
            return {"outcome": "parked", "delay": delay, "error": cause}
        case DeadLetter(reason, cause=cause):
            return {"outcome": "dead_letter", "reason": reason, "error": cause}
        case HandBack():
            return {"outcome": "handed_back"}
