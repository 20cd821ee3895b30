"""What a broker does, as far as the decisions of the runtime depend on it: in memory.

Each rule stands in docs: redelivery after ``ack_wait`` from the last sign of life, a nak with a
delay, message ids that are known, schedules, and a bucket that is changed by compare-and-set.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from glam_shared.errors import InfrastructureError
from glam_shared.messaging import EventEnvelope
from glam_worker.declare.context import EventContext
from glam_worker.declare.retry import DeadLetter, Park
from glam_worker.runtime.ledger import NOTHING, Record
from glam_worker.runtime.protocols import Delivery, Refused, Way

SUBJECT = "evt.job.wanted.v1"
ACK_WAIT = 6.0
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True, eq=False)
class Carrier:
    """A message of a stream."""

    id: str
    job: int
    way: Way
    counted: int
    available_at: float
    deliveries: int = 0
    owner: Held | None = None
    deadline: float = 0.0
    done: bool = False


class Connection:
    """One worker process's way to the broker; nothing passes once it is down or dead."""

    def __init__(self) -> None:
        self.dead = False
        self.up = asyncio.Event()
        self.up.set()
        self.epoch = 0

    @property
    def live(self) -> bool:
        """Whether what is told now arrives."""
        return self.up.is_set() and not self.dead

    async def pass_through(self) -> None:
        """A round trip: it takes a moment, and ends where the connection does."""
        await asyncio.sleep(0.01)
        if self.dead:
            await asyncio.Event().wait()
        if not self.up.is_set():
            raise InfrastructureError("no connection", service="broker")


class Held:
    """A delivery (see ``protocols.Delivery``)."""

    def __init__(self, broker: Broker, carrier: Carrier, connection: Connection) -> None:
        envelope = EventEnvelope.create(
            SUBJECT, {"id": carrier.job}, source_service="tests", event_id=str(carrier.job)
        )
        self.of, self.connection, self._broker = carrier, connection, broker
        self.way: Way = carrier.way
        self.data = envelope.to_bytes()
        self.subject, self.stream, self.stored_at = SUBJECT, "EVENTS", _EPOCH.timestamp()
        self.counted = carrier.counted
        self.first = carrier.deliveries == 1
        self.received = self.renewed = broker.now()
        self.size = len(self.data)
        self.sequence = carrier.job
        self.headers: dict[str, str] = {}
        self.carrier = self.origin = carrier.id
        self.replay_id: str | None = None
        self.bodiless = False
        self._settled = False

    def ack(self) -> bool:
        """An ack; a late one completes the message as well."""
        if not self._settled and self.connection.live:
            self._settled = True
            self._broker.acked(self.of)
        return self._settled

    async def acked(self) -> bool:
        """An ack as soon as there is a connection."""
        while not self.ack():
            await self.connection.up.wait()
            await asyncio.sleep(0)
            if self.connection.dead:
                await asyncio.Event().wait()
        return True

    def acked_before(self) -> bool:
        """An ack is never lost here."""
        return False

    def hand_back(self, delay: float = 0.0) -> bool:
        """A nak; never past the lease."""
        held = self._broker.now() - self.renewed < ACK_WAIT
        if self._settled or not held or not self.connection.live:
            return False
        self._settled = True
        self._broker.handed_back(self, delay)
        return True

    def renew(self, now: float) -> None:
        """An in-progress ack."""
        if not self._settled and self.connection.live:
            self.renewed = now
            self.of.deadline = now + ACK_WAIT


@dataclass(slots=True)
class Broker:
    """Streams, durables, schedules and a ledger."""

    now: Callable[[], float]
    carriers: list[Carrier] = field(default_factory=list)
    letters: dict[int, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    """By job: reason and attempts."""
    handled: set[str] = field(default_factory=set)
    """Carriers whose handler returned."""
    ledger: dict[str, Record] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)
    """What is not taken at the moment: ``park``, ``letter``, ``ledger``."""
    stored: set[tuple[str, str]] = field(default_factory=set)
    """Message ids that were seen: (kind, carrier)."""
    waiting: dict[str, Carrier] = field(default_factory=dict)
    """Parked copies that did not fire yet, by the carrier they came from."""

    def server_time(self) -> datetime:
        """The time by the broker's clock."""
        return _EPOCH + timedelta(seconds=self.now())

    def publish(self, job: int) -> None:
        """A new event."""
        self.carriers.append(Carrier(f"EVENTS.1.{job}", job, "main", 0, self.now()))

    def next(self, way: Way, connection: Connection) -> Held | None:
        """Hand out a message, if there is one; those of lapsed leases are available again."""
        now = self.now()
        self._fire(now)
        for carrier in self.carriers:
            if carrier.owner is not None and carrier.deadline <= now:
                carrier.owner, carrier.available_at = None, now
            free = carrier.owner is None and carrier.available_at <= now
            if carrier.way == way and free and not carrier.done:
                carrier.deliveries += 1
                carrier.owner = Held(self, carrier, connection)
                carrier.deadline = now + ACK_WAIT
                return carrier.owner
        return None

    def _fire(self, now: float) -> None:
        for source, copy in list(self.waiting.items()):
            if copy.available_at <= now:
                del self.waiting[source]
                self.carriers.append(copy)

    def acked(self, carrier: Carrier) -> None:
        """An ack arrived: it must have had a reason."""
        reasons = (("park", carrier.id), ("letter", carrier.id))
        because = carrier.id in self.handled or any(one in self.stored for one in reasons)
        assert because, f"{carrier} is acked although nothing became of it"
        carrier.done = True

    def handed_back(self, held: Held, delay: float) -> None:
        """A nak arrived; it is for whoever was handed the message last."""
        carrier = held.of
        assert carrier.done or carrier.owner is held, "a nak of another worker's delivery"
        carrier.owner, carrier.available_at = None, self.now() + delay

    @property
    def left(self) -> list[Carrier]:
        """What is not done."""
        return [one for one in (*self.carriers, *self.waiting.values()) if not one.done]


class Stores:
    """Parking, dead letters and ledger, as one worker process reaches them."""

    def __init__(self, broker: Broker, connection: Connection) -> None:
        self._broker = broker
        self._connection = connection

    async def park(self, delivery: Delivery, park: Park) -> None:
        """Parking."""
        if await self._taken("park", delivery):
            copy = Carrier(
                f"RETRY.1.{len(self._broker.stored)}",
                delivery.sequence,
                "lane",
                park.attempts,
                self._broker.now() + park.delay,
            )
            self._broker.waiting[delivery.carrier] = copy

    async def write_letter(self, delivery: Delivery, letter: DeadLetter) -> None:
        """A dead letter."""
        if await self._taken("letter", delivery):
            found = self._broker.letters[delivery.sequence]
            found.append((letter.reason, letter.attempts))

    async def _taken(self, kind: str, delivery: Delivery) -> bool:
        """Whether it is stored now; an id that was seen is not stored again."""
        try:
            await self._connection.pass_through()
        except InfrastructureError as error:
            raise Refused(str(error)) from error
        if kind in self._broker.refuses:
            raise Refused("the stream is full")
        new = (kind, delivery.carrier) not in self._broker.stored
        self._broker.stored.add((kind, delivery.carrier))
        return new

    async def look(self, carrier: str) -> tuple[Record, bool]:
        """The ledger's record, and whether its parked copy waits."""
        return await self.read(carrier), carrier in self._broker.waiting

    async def read(self, carrier: str) -> Record:
        """The ledger's record."""
        await self._connection.pass_through()
        if "ledger" in self._broker.refuses:
            raise InfrastructureError("the bucket is gone", service="broker")
        return self._broker.ledger.get(carrier, NOTHING)

    async def write(self, carrier: str, record: Record) -> Record | None:
        """Write over the record's revision."""
        known = await self.read(carrier)
        if known.revision != record.revision:
            return None
        self._broker.ledger[carrier] = written = replace(record, revision=record.revision + 1)
        return written


class Letters:
    """Dead letters, by the name that the settler calls."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def write(self, delivery: Delivery, letter: DeadLetter, run: EventContext | None) -> None:
        """Store a letter."""
        await self._stores.write_letter(delivery, letter)
