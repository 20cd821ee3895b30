"""One worker under test: publish to it, wait for what becomes of it, look at what it left."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from pydantic import BaseModel

from glam_shared.logging import create_logger
from glam_shared.messaging import EventEnvelope, JetStreamClient
from glam_worker.declare.filters import matches
from glam_worker.readiness import beginnings
from glam_worker.testing.letters import Letter, letter_of
from glam_worker.testing.recording import Recording
from glam_worker.testing.settled import Refusal, Settled, Stored
from glam_worker.testing.streams import StoredMessage, StreamReader
from glam_worker.testing.waiting import Waiting
from glam_worker.topology.specs import DLQ_SUBJECTS
from glam_worker.worker import Worker

T = TypeVar("T")
Event: TypeAlias = str | Stored
"""What names an event: its id, or where it is stored."""

_LOOKS, _LOOK_EVERY = 500, 0.002


class Bench:
    """A running worker, and what a test can ask about it. Made by the fixture ``worker``.

    * ``publish`` and ``publish_raw`` put events into the stream;
    * ``settled``, ``finished``, ``idle`` and ``until`` wait, each up to the deadline, and raise
      NotSeenError that says what was seen instead;
    * ``runs``, ``settlements``, ``published``, ``dead_letters`` tell what happened so far.

    Where several handlers work an event, ``handler=`` says whose settlement is meant.
    """

    def __init__(self, worker: Worker, deadline: float) -> None:
        self.worker = worker
        self.client = JetStreamClient(create_logger("glam_worker.testing"))
        """A connection of the test's own, to the same account."""
        self.waiting = Waiting(deadline, self._seen)
        self.facts = Recording(self.waiting.changed)
        """Everything the worker told, in order."""
        self._stored: dict[str, tuple[Stored, str]] = {}
        worker.observers.listeners.append(self.facts.listen)

    # --- life ---

    async def start(self) -> Self:
        """Start the worker. Raises what ``Worker.start`` raises."""
        await self.client.connect(self.worker.settings.nats_servers, name="test")
        try:
            await self.worker.start()
        except BaseException:
            await self.client.close()
            raise
        await self._begun()
        return self

    async def _begun(self) -> None:
        """From then on a worker that is not ready has a reason: it pulls, or cannot."""
        for _ in range(_LOOKS):
            if not any(beginnings(work) for work in self.worker.works):
                return
            await asyncio.sleep(_LOOK_EVERY)

    async def stop(self, grace: float | None = None) -> None:
        """Stop the worker as SIGTERM would; without effect when it was stopped before."""
        if not self.worker.stopping:
            await self.worker.stop(grace)

    async def close(self) -> None:
        """Stop the worker and close the test's connection."""
        await self.stop()
        await self.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def service(self) -> str:
        """The service's name."""
        return self.worker.service

    # --- events in ---

    async def publish(
        self,
        subject: str,
        payload: BaseModel | Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        event_id: str | None = None,
        correlation_id: str | None = None,
        source_service: str = "test",
        metadata: Mapping[str, Any] | None = None,
        timestamp: datetime | None = None,
    ) -> str:
        """Publish an event as a service would and return its id once it is stored.

        A mapping is published unchecked, for data that a handler should refuse.
        """
        data = payload if isinstance(payload, BaseModel) else dict(payload)
        envelope = EventEnvelope.create(
            str(subject),
            data,
            source_service=source_service,
            correlation_id=correlation_id,
            event_id=event_id,
            metadata=metadata,
            timestamp=timestamp,
        )
        msg_id = f"{subject}:{envelope.event_id}"
        stored = await self._publish(str(subject), envelope.to_bytes(), headers, msg_id)
        self._stored[envelope.event_id] = (stored, str(subject))
        return envelope.event_id

    async def publish_raw(
        self, subject: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> Stored:
        """Publish any bytes; where they are stored."""
        return await self._publish(str(subject), body, headers, str(uuid.uuid4()))

    async def _publish(
        self, subject: str, body: bytes, headers: Mapping[str, str] | None, msg_id: str
    ) -> Stored:
        ack = await self.client.publish_acked(subject, body, dict(headers or {}), msg_id=msg_id)
        return Stored(ack.stream, ack.seq)

    # --- waiting ---

    async def settled(
        self, event: Event, number: int = 1, *, handler: str | None = None
    ) -> Settled:
        """The first settlement of an event, or the one with this ``number``."""
        self._check_handler(event, handler)

        def found() -> Settled | None:
            seen = self.settlements(event, handler=handler)
            return seen[number - 1] if len(seen) >= number else None

        what = f"settlement number {number} of {self._name(event, handler)}"
        return await self.waiting.until(found, what)

    async def finished(self, event: Event, *, handler: str | None = None) -> Settled:
        """The settlement that ended an event, through all its retries: an ack or a dead letter."""
        self._check_handler(event, handler)
        what = f"the last settlement of {self._name(event, handler)}"
        return await self.waiting.until(lambda: self._last(event, handler), what)

    async def idle(self) -> None:
        """Return when every stored event is finished by every handler whose subject it has.

        Events that the handlers published meanwhile are waited for too.
        """
        readers = await self._readers()
        while True:
            stored = [message for reader in readers for message in await reader.more()]
            owed = [
                (message.stored, handler.name)
                for message in stored
                for handler in self.worker.registry.handlers
                if matches(handler.subject, message.subject)
            ]
            if not owed:
                return
            for event, handler in owed:
                await self.finished(event, handler=handler)

    async def until(self, seen: Callable[[], T], what: str = "what the test waits for") -> T:
        """What the function ``seen`` returns as soon as that is true.

        It is called after each fact, and every 10 ms for what handlers do without one.
        """
        return await self.waiting.while_looking(lambda: seen() or None, what)

    # --- what happened ---

    def settlements(
        self, event: Event | None = None, *, handler: str | None = None
    ) -> tuple[Settled, ...]:
        """Every settlement so far, in order; those of one event, or of one handler."""
        return tuple(
            one
            for one in self.facts.settled
            if (event is None or self._is(one, event)) and handler in (None, one.handler)
        )

    def runs(
        self, event: Event | None = None, *, handler: str | None = None
    ) -> tuple[Settled, ...]:
        """The settlements for which the handler was called."""
        return tuple(one for one in self.settlements(event, handler=handler) if one.ran)

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """Parks and letters that the broker did not take."""
        return tuple(self.facts.refused)

    async def published(self, subject: str = ">") -> list[EventEnvelope]:
        """The events that the handlers published, as they are stored; ``subject`` is a filter.

        One that was published twice with one id is stored once.
        """
        stored = await self._all(await self._readers(), subject)
        events = [EventEnvelope.from_bytes(message.body) for message in stored if _ours(message)]
        return [event for event in events if event.source_service == self.service]

    async def dead_letters(self, subject: str = DLQ_SUBJECTS[0]) -> list[Letter]:
        """The dead letters, as they are stored; ``subject`` is a filter of theirs."""
        reader = StreamReader(self.client, self.worker.ensured.dlq_stream)
        return [letter_of(message) for message in await reader.more(subject)]

    async def parked(self) -> list[StoredMessage]:
        """What lies in the retry stream of this worker: parked, or due and not taken."""
        return await StreamReader(self.client, self.worker.settings.retry_stream).more()

    # --- inside ---

    async def _readers(self) -> list[StreamReader]:
        settings = self.worker.settings
        names = (await self.client.api("STREAM.NAMES")).get("streams") or []
        return [
            StreamReader(self.client, name)
            for name in names
            if name not in (settings.retry_stream, settings.dlq_stream) and name[:3] != "KV_"
        ]

    @staticmethod
    async def _all(readers: list[StreamReader], subject: str) -> list[StoredMessage]:
        return [message for reader in readers for message in await reader.more(subject)]

    def _is(self, settled: Settled, event: Event) -> bool:
        if isinstance(event, Stored):
            return settled.stored == event
        if settled.event_id is None and event in self._stored:
            return settled.stored == self._stored[event][0]
        return settled.event_id == event

    def _last(self, event: Event, handler: str | None) -> Settled | None:
        seen = self.settlements(event, handler=handler)
        return next((settled for settled in seen if settled.final), None)

    def _check_handler(self, event: Event, handler: str | None) -> None:
        names = [one.name for one in self.worker.registry.handlers]
        if handler is not None and handler not in names:
            raise ValueError(f"no handler {handler!r} is at work; there are {', '.join(names)}")
        subject = self._stored[event][1] if event in self._stored else None
        concerned = [
            one.name
            for one in self.worker.registry.handlers
            if subject is None or matches(one.subject, subject)
        ]
        if not concerned:
            raise ValueError(f"no handler at work has the subject {subject}")
        if handler is None and len(concerned) > 1:
            raise ValueError(
                f"the event is worked by {' and '.join(concerned)}; say which one with handler="
            )

    def _name(self, event: Event, handler: str | None) -> str:
        subject = f" ({self._stored[event][1]})" if event in self._stored else ""
        return f"event {event}{subject}" + (f" by {handler}" if handler else "")

    def _seen(self) -> str:
        told = [str(settled) for settled in self.facts.settled[-20:]]
        told += [f"{one.handler}: refused by the broker: {one.error}" for one in self.refused[-5:]]
        told += [
            f"{handler}: in hand, attempt {delivery.counted + 1} of {delivery.subject}"
            for delivery, handler in list(self.facts.in_hand.items())[:10]
        ]
        told += [f"not ready: {reason}" for reason in self.worker.not_ready()]
        published = [f"{event_id} to {subject}" for event_id, (_, subject) in self._stored.items()]
        return (
            "Seen:\n  "
            + "\n  ".join(told or ["no delivery at all"])
            + "\nPublished by the test:\n  "
            + "\n  ".join(published[-20:] or ["nothing"])
        )


def _ours(message: StoredMessage) -> bool:
    try:
        return "causation_id" in EventEnvelope.from_bytes(message.body).metadata
    except ValueError:
        return False
