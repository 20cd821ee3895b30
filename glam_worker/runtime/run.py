"""One call of the handler: the ``EventContext`` that it is given."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from glam_shared.logging import ServiceLogger
from glam_shared.messaging import EventEnvelope
from glam_worker.declare.context import EventContext
from glam_worker.declare.handler import Handler
from glam_worker.runtime.emission import Emission, on_loop
from glam_worker.runtime.protocols import Delivery, Publisher

CURRENT: ContextVar[Run | None] = ContextVar("glam_worker_run", default=None)
"""The run that the calling code belongs to; log lines take their fields from it."""

Cut: TypeAlias = Literal["timeout", "stopping"]
Phase: TypeAlias = Literal["claiming", "called", "returned"]
"""Of a run: its event is claimed, its handler is called, and what it did is written down."""


@dataclass(slots=True)
class Surroundings:
    """What all runs of one handler share."""

    handler: Handler
    log: ServiceLogger
    publisher: Publisher
    state: Any = None
    stopping: bool = False
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)


class Run(EventContext):
    """One event in one run; see ``EventContext`` for what each property means."""

    __slots__ = (
        "_envelope",
        "_surroundings",
        "cut",
        "delivery",
        "emission",
        "expires",
        "payload",
        "phase",
    )

    def __init__(
        self,
        delivery: Delivery,
        envelope: EventEnvelope[Any],
        surroundings: Surroundings,
        expires: float,
    ) -> None:
        self.delivery = delivery
        self.expires = expires
        """When the timeout ends the run, by the monotonic clock."""
        self._envelope = envelope
        self.payload: Any = envelope.data
        """The event's data, as the handler's model."""
        self._surroundings = surroundings
        self.emission: Emission | None = None
        """What it publishes with; None as long as it publishes nothing."""
        self.cut: Cut | None = None
        """Why it was told to end before its time."""
        self.phase: Phase = "called"

    @property
    def ignored_its_end(self) -> bool:
        """Of one that returned: whether it was told to end, and hid that."""
        return self.cut is not None and self.handler.is_async

    @property
    def handler(self) -> Handler:
        """Whose run it is."""
        return self._surroundings.handler

    @property
    def service(self) -> str:
        """The service that works the event."""
        return self._surroundings.handler.service

    @property
    def event_id(self) -> str:
        return self._envelope.event_id

    @property
    def event_type(self) -> str:
        return self._envelope.event_type

    @property
    def correlation_id(self) -> str:
        return self._envelope.correlation_id

    @property
    def source_service(self) -> str:
        return self._envelope.source_service

    @property
    def timestamp(self) -> datetime:
        return self._envelope.timestamp

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self._envelope.metadata

    @property
    def subject(self) -> str:
        return self.delivery.subject

    @property
    def stream(self) -> str:
        return self.delivery.stream

    @property
    def sequence(self) -> int:
        return self.delivery.sequence

    @property
    def attempt(self) -> int:
        return self.delivery.counted + 1

    @property
    def headers(self) -> Mapping[str, str]:
        return self.delivery.headers

    @property
    def deadline(self) -> datetime:
        left = self.expires - time.monotonic()
        return datetime.now(UTC) + timedelta(seconds=left)

    @property
    def shutting_down(self) -> bool:
        return self._surroundings.stopping

    @property
    def log(self) -> ServiceLogger:
        return self._surroundings.log

    @property
    def state(self) -> Any:
        return self._surroundings.state

    def publish(
        self, subject: str, payload: BaseModel, key: str | None = None
    ) -> Coroutine[Any, Any, str]:
        if not self._surroundings.handler.is_async and not on_loop():
            raise RuntimeError(
                f"{self.handler.name}() is a plain def, which cannot await: use "
                "event.publish_sync(...)"
            )
        return self._emitter().begun(subject, payload, key, sys._getframe(1))

    def publish_sync(self, subject: str, payload: BaseModel, key: str | None = None) -> str:
        return self._emitter().publish_sync(subject, payload, key)

    def _emitter(self) -> Emission:
        if self.emission is None:
            self.emission = Emission(self, self._surroundings.publisher, self._surroundings.loop)
        return self.emission
