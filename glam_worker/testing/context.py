"""An ``EventContext`` for calling a handler as the plain function it is."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from glam_shared.correlation import new_correlation_id
from glam_shared.logging import ServiceLogger, create_logger
from glam_shared.messaging import Subjects
from glam_shared.messaging.events import payload_for


@dataclass(frozen=True, slots=True)
class Emitted:
    """One call of ``event.publish``."""

    subject: str
    payload: BaseModel
    key: str | None
    event_id: str


@dataclass(kw_only=True)
class RecordedContext:
    """An ``EventContext`` that says what it was made with and keeps what the handler publishes."""

    event_id: str
    event_type: str
    correlation_id: str
    source_service: str
    timestamp: datetime
    metadata: Mapping[str, Any]
    subject: str
    stream: str
    sequence: int
    attempt: int
    headers: Mapping[str, str]
    deadline: datetime
    shutting_down: bool
    log: ServiceLogger
    state: Any
    published: list[Emitted] = field(default_factory=list)
    """What the handler published, in order."""

    async def publish(self, subject: str, payload: BaseModel, key: str | None = None) -> str:
        """Record the event; its id. Raises ValueError for a payload the catalogue forbids."""
        return self.publish_sync(subject, payload, key)

    def publish_sync(self, subject: str, payload: BaseModel, key: str | None = None) -> str:
        """The same for ``def`` handlers."""
        _check_payload(str(subject), payload)
        emitted = Emitted(str(subject), payload, key, self._id(str(subject), payload, key))
        self.published.append(emitted)
        return emitted.event_id

    def _id(self, subject: str, payload: BaseModel, key: str | None) -> str:
        """As in a worker: the same publish of the same event has the same id."""
        content = payload.model_dump_json() if key is None else f"key:{key}"
        same = (subject, payload, key)
        ordinal = sum((one.subject, one.payload, one.key) == same for one in self.published)
        text = "\0".join((self.event_id, subject, content, str(ordinal)))
        return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def event_context(  # noqa: PLR0913 - one for each property of the context
    payload: BaseModel | None = None,
    *,
    attempt: int = 1,
    subject: str | None = None,
    event_id: str | None = None,
    correlation_id: str | None = None,
    source_service: str = "test",
    timestamp: datetime | None = None,
    metadata: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    stream: str = "GLAM_EVENTS",
    sequence: int = 1,
    timeout: float = 30.0,
    shutting_down: bool = False,
    state: Any = None,
) -> RecordedContext:
    """A context for a unit test; whatever is not given has a plausible value.

    ``subject`` defaults to the one that carries the model of ``payload``, if the catalogue has
    one. ``timeout`` is in seconds from now and sets ``deadline``; ``state`` is what the lifespan
    would have yielded. What the handler publishes is in ``published``; nothing leaves the process.
    """
    now = datetime.now(UTC)
    subject = subject or _subject_of(payload)
    return RecordedContext(
        event_id=event_id or str(uuid.uuid4()),
        event_type=str(subject),
        correlation_id=correlation_id or new_correlation_id(),
        source_service=source_service,
        timestamp=timestamp or now,
        metadata=dict(metadata or {}),
        subject=str(subject),
        stream=stream,
        sequence=sequence,
        attempt=attempt,
        headers=dict(headers or {}),
        deadline=now + timedelta(seconds=timeout),
        shutting_down=shutting_down,
        log=create_logger("test"),
        state=state,
    )


def _subject_of(payload: BaseModel | None) -> str:
    carry = (str(subject) for subject in Subjects if payload_for(subject) is type(payload))
    return next(carry, "evt.test.happened.v1")


def _check_payload(subject: str, payload: BaseModel) -> None:
    wanted = payload_for(subject)
    if wanted is not None and type(payload) is not wanted:
        raise ValueError(
            f"subject {subject} carries {wanted.__name__} by the catalogue; the handler published "
            f"{type(payload).__name__}"
        )
