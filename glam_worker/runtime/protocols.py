"""What the runtime needs from a broker and tells to its observers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol, TypeAlias

from pydantic import BaseModel

from glam_worker.declare.context import EventContext
from glam_worker.declare.handler import Handler
from glam_worker.declare.retry import DeadLetter, Park, Settlement

Way: TypeAlias = Literal["main", "lane"]
"""How a delivery came: from its event's stream, or through the handler's lane."""


class Delivery(Protocol):
    """One handing-out of a carrier to us, not yet settled.

    Subject, stream, sequence, headers and ``stored_at`` are the origin's, on the lane too.
    """

    way: Way
    data: bytes
    subject: str
    stream: str
    stored_at: float
    """When the origin was stored: seconds since the epoch, by the server's clock."""
    counted: int
    """Runs that count as attempts so far."""
    first: bool
    """Whether this is the carrier's first delivery, as far as the server remembers."""
    received: float
    """When it arrived, by the monotonic clock."""
    renewed: float
    """When the server last had a sign of life of it, by the monotonic clock."""
    size: int

    @property
    def sequence(self) -> int:
        """The origin's sequence in its stream."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The publisher's headers, without those of the protocol and of the runtime."""

    @property
    def bodiless(self) -> bool:
        """Whether the server held its body back, as a durable with ``headers_only`` makes it."""

    @property
    def carrier(self) -> str:
        """This message: its stream, the stream's ``created`` in ns, its sequence, with dots."""

    @property
    def origin(self) -> str:
        """The carrier in which the event was first published, as one subject token triple."""

    @property
    def replay_id(self) -> str | None:
        """Which replay on purpose this is; None for an event that was not replayed."""

    def ack(self) -> bool:
        """Tell the server it is done with; False while that cannot be told safely."""

    async def acked(self) -> bool:
        """``ack`` as soon as it is safe; False if the consumer it came from is gone."""

    def acked_before(self) -> bool:
        """Whether this process has acked its message, in another delivery of it."""

    def hand_back(self, delay: float = 0.0) -> bool:
        """Let another worker have it, after ``delay`` seconds; False while it cannot be told."""

    def renew(self, now: float) -> None:
        """Send an in-progress ack, if the connection is up."""


class Parking(Protocol):
    """Puts an event aside until it is due again."""

    async def park(self, delivery: Delivery, park: Park) -> None:
        """Publish to the retry stream and await the PubAck. Raises Refused."""


class DeadLetters(Protocol):
    """Keeps what will not be handled."""

    async def write(self, delivery: Delivery, letter: DeadLetter, run: EventContext | None) -> None:
        """Publish to the dead letters and await the PubAck. Raises Refused.

        ``run`` is None for an event that could not be read.
        """


class Refused(Exception):
    """The broker does not take a park or a letter; the event stays where it is."""


class DoesNotFit(Refused):
    """A body is too large for the retry stream, beside the headers it needs there."""


class Publisher(Protocol):
    """Publishes what handlers emit."""

    async def publish_event(
        self,
        subject: str,
        payload: BaseModel,
        correlation_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        event_id: str | None = None,
    ) -> str:
        """Publish and await the PubAck; the event id."""


class Took(NamedTuple):
    """When a run started and ended, by the monotonic clock."""

    started: float
    ended: float


class WayFacts(Protocol):
    """Is told what happens to the deliveries of one handler on one way."""

    def received(self, delivery: Delivery) -> None:
        """A delivery arrived."""

    def acked(self, delivery: Delivery, run: EventContext, started: float, ended: float) -> None:
        """The usual course: it ran, between two moments of the monotonic clock, and was acked."""

    def settled(
        self,
        delivery: Delivery,
        run: EventContext | None,
        settlement: Settlement,
        took: Took | None,
    ) -> None:
        """It went any other way; ``run`` is None if it could not be read, or never started."""

    def refused(self, delivery: Delivery, settlement: Settlement, error: Exception) -> None:
        """A park or letter was not taken."""

    def renewed(self, count: int) -> None:
        """In-progress acks were sent."""

    def expired(self, delivery: Delivery) -> None:
        """A run has reached its timeout; it is cancelled where it can be. Not all listen to it."""
        return

    def lapsed(self, delivery: Delivery) -> None:
        """A delivery was dropped because it may be another worker's by now."""

    def outlasted(self, delivery: Delivery) -> None:
        """A lease ended while its run went on: another worker may run it, too."""
        return

    def dropped(self, state: str, count: int) -> None:
        """The stream dropped events that were ``in_hand`` or ``waiting``. Not all listen to it."""
        return

    def alone(self, delivery: Delivery, unfinished: int) -> None:
        """A suspect runs alone: so many earlier runs of it never ended. Not all listen to it."""
        return

    def ledger_away(self, delivery: Delivery, error: Exception) -> None:
        """A suspect, and those after it, wait for the ledger. Not all listen to it."""
        return

    def claims_away(self, delivery: Delivery, error: Exception) -> None:
        """An event, and those after it, cannot be claimed. Not all listen to it."""
        return


class Facts(Protocol):
    """Is told what happens to a handler."""

    def way(self, handler: Handler, way: Way) -> WayFacts:
        """The observer of one handler's way."""
