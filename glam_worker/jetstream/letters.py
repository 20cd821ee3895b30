"""Writes dead letters: the original bytes, with the reason in the headers."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging import headers as names
from glam_shared.messaging.dead_letter import DeadLetter as Letter
from glam_shared.messaging.dead_letter import fingerprint, letter_subject
from glam_shared.messaging.foreign_subjects import publishable
from glam_shared.messaging.model_errors import error_text
from glam_shared.messaging.past_failures import PastFailure, read_past
from glam_worker.declare.context import EventContext
from glam_worker.declare.retry import DeadLetter
from glam_worker.jetstream.delivery import JetStreamDelivery
from glam_worker.jetstream.parking import carrier_id
from glam_worker.jetstream.storing import Storing
from glam_worker.runtime.failures import trace_of
from glam_worker.runtime.protocols import Delivery

_SERVER_HEADROOM = 512
"""Bytes that are left for what the client adds to a publish: its message id."""


class JetStreamLetters:
    """Publishes a handler's dead letters."""

    def __init__(self, client: JetStreamClient, service: str, handler: str, max_age: float) -> None:
        self._client = client
        self._service = service
        self._handler = handler
        self._storing = Storing(client, "dead letter")
        self._max_age = max_age
        """Seconds the origin's stream keeps messages; 0: without limit."""

    async def write(self, delivery: Delivery, letter: DeadLetter, run: EventContext | None) -> None:
        """Publish and await the PubAck; raises Refused."""
        assert isinstance(delivery, JetStreamDelivery)  # noqa: S101 - ours
        record = self._record(delivery, letter, run)
        room = self._client.max_payload - _SERVER_HEADROOM
        headers, body = record.fit(delivery.data, room, kept_until=self._kept_until(delivery))
        msg_id = carrier_id(self._service, self._handler, delivery)
        await self._storing.store(
            publishable(letter_subject(delivery.subject)), body, headers, msg_id
        )

    def _record(
        self, delivery: JetStreamDelivery, letter: DeadLetter, run: EventContext | None
    ) -> Letter:
        cause = letter.cause
        error = type(cause).__name__ if cause is not None else ""
        message = error_text(cause) if cause is not None else ""
        event_id, correlation_id = _identity(delivery.data, run)
        return Letter(
            subject=delivery.subject,
            reason=letter.reason,
            service=self._service,
            handler=self._handler,
            stream=delivery.stream,
            stream_created=delivery.origin_created,
            sequence=delivery.sequence,
            stored_at=datetime.fromtimestamp(delivery.stored_at, UTC),
            attempts=letter.attempts,
            error=error,
            message=message,
            traceback=trace_of(cause) if cause is not None else "",
            fingerprint=fingerprint(self._service, self._handler, letter.reason, error, message),
            event_id=event_id,
            correlation_id=correlation_id,
            failed_at=self._client.server_time(),
            headers=delivery.headers,
            replays=_replays(delivery),
        )

    def _kept_until(self, delivery: JetStreamDelivery) -> datetime | None:
        if not self._max_age:
            return None
        return datetime.fromtimestamp(delivery.stored_at + self._max_age, UTC)


def _replays(delivery: JetStreamDelivery) -> tuple[PastFailure, ...]:
    return read_past(
        delivery.raw_headers.get(names.GLAM_REPLAYS) if delivery.way == "lane" else None
    )


def _identity(body: bytes, run: EventContext | None) -> tuple[str, str]:
    """Event id and correlation id, as far as a body that is no event tells them."""
    if run is not None:
        return run.event_id, run.correlation_id
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(found, dict):
        return "", ""
    return _text(found.get("event_id")), _text(found.get("correlation_id"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
