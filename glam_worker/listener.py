"""The class form of a handler, for services that move over from hand-written consumers."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from glam_shared.logging import ServiceLogger
from glam_worker.declare.context import EventContext
from glam_worker.declare.handler import Handler, declare_listener
from glam_worker.declare.mistakes import Checks
from glam_worker.declare.options import HandlerOptions
from glam_worker.declare.outcomes import Reject, Retry, Snooze
from glam_worker.declare.registry import Registry
from glam_worker.declare.retry import RetryPolicy

if TYPE_CHECKING:
    from glam_shared.messaging import JetStreamClient
    from glam_worker.worker import Worker

P = TypeVar("P", bound=BaseModel)

_OF_CLASS = {
    "concurrency": "batch_size",
    "attempts": "max_deliver",
    "ack_wait": "ack_wait_sec",
    "stream": "stream_name",
}
"""What the class calls the options."""
_OPTION = re.compile(rf"(?:RetryPolicy )?\b({'|'.join(_OF_CLASS)})\b(?==| is )")


class Listener(ABC, Generic[P]):
    """One handler as a class: the same machinery as ``@on``, dead letters and metrics included.

    The durable is ``<service_name>-<queue_group>``. One that older code made is taken over by
    ``glam-worker apply`` only; until then it is not pulled.
    """

    stream_name: ClassVar[str] = "GLAM_EVENTS"
    """The stream to consume from."""
    batch_size: ClassVar[int] = 10
    """Runs at the same time."""
    ack_wait_sec: ClassVar[float] = 30
    """Seconds the server waits for a sign of life of an event before it delivers it again."""
    max_deliver: ClassVar[int] = 3
    """Attempts in all; then the event is dead-lettered."""
    idle_sleep_sec: ClassVar[float] = 0
    """Accepted, without effect: nothing sleeps between events."""
    poll_window_sec: ClassVar[float] = 0
    """Accepted, without effect: nothing polls."""

    def __init__(self, client: JetStreamClient, logger: ServiceLogger | None = None) -> None:
        self.client = client
        self.logger = logger or ServiceLogger(logging.getLogger(type(self).__name__))
        self._worker: Worker | None = None

    @property
    @abstractmethod
    def service_name(self) -> str:
        """First part of the durable's name."""

    @property
    @abstractmethod
    def subject(self) -> str:
        """The filter of the consumer."""

    @property
    @abstractmethod
    def queue_group(self) -> str:
        """Second part of the durable's name; instances with the same two share the events."""

    @property
    @abstractmethod
    def payload_class(self) -> type[P]:
        """The model that the event's data must fit."""

    @abstractmethod
    async def on_message(
        self,
        payload: P,
        event_id: str,
        correlation_id: str,
        source_service: str,
        timestamp: datetime,
    ) -> None:
        """Handle one event."""

    async def on_error(
        self, error: Exception, event_id: str, correlation_id: str, delivery_count: int
    ) -> bool:
        """Whether to give the event up after ``error``: True dead-letters it, False retries it.

        ``delivery_count`` is the number of the run that failed, from 1 on.
        """
        return False

    async def start(self) -> None:
        """Work events in the running loop until ``stop``.

        Over the client given, if that is connected, else over a connection of its own by the
        settings. Raises what ``Worker.start`` raises.
        """
        from glam_worker.worker import Worker  # noqa: PLC0415 - loads the NATS client

        registry = Registry()
        registry.add(self.handler())
        self._worker = Worker(registry, service=self.service_name, client=self.client)
        await self._worker.start()

    async def stop(self) -> None:
        """Finish what runs, give back the rest; harmless before ``start``."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.stop()

    def handler(self) -> Handler:
        """What this listener declares. Raises DeclarationError where it does not fit."""
        return declare_listener(
            type(self).on_message,
            self._handle,
            service=self.service_name,
            name=self.queue_group,
            subject=self.subject,
            payload=self.payload_class,
            options=self._options,
        )

    def _options(self) -> HandlerOptions:
        checks = Checks()
        retry = RetryPolicy()
        with checks.one():
            retry = RetryPolicy(attempts=self.max_deliver)
        with checks.one():
            options = HandlerOptions(
                concurrency=self.batch_size,
                retry=retry,
                ack_wait=self.ack_wait_sec,
                stream=self.stream_name,
            )
        with Checks() as told:
            for mistake in checks.mistakes:
                told.wrong(_OPTION.sub(lambda found: _OF_CLASS[found[1]], mistake.problem))
        return options

    async def _handle(self, payload: Any, event: EventContext) -> None:
        try:
            await self.on_message(
                payload,
                event.event_id,
                event.correlation_id,
                event.source_service,
                event.timestamp,
            )
        except (Retry, Snooze, Reject):
            raise
        except Exception as error:
            if await self.on_error(error, event.event_id, event.correlation_id, event.attempt):
                raise Reject(str(error) or type(error).__name__) from error
            raise
