"""Parks an event on the retry stream until it is due (ADR-51, message schedules).

It comes back on the handler's lane, holds no place in the events' consumer meanwhile, and
touches no other handler.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging import headers as names
from glam_shared.messaging.foreign_subjects import subject_text
from glam_worker.declare.retry import Park
from glam_worker.jetstream.delivery import JetStreamDelivery
from glam_worker.jetstream.storing import Storing
from glam_worker.runtime.failures import Failure
from glam_worker.runtime.protocols import Delivery
from glam_worker.topology.specs import due_subject, wait_subject

_MESSAGE_ID_BYTES = 96
"""What the header with the message id adds."""

_LONGEST = 100 * 365 * 86_400.0
"""Seconds; the server counts time in 64 bits of nanoseconds, which end in the year 2262."""


def carrier_id(service: str, handler: str, delivery: JetStreamDelivery) -> str:
    """The ``Nats-Msg-Id`` of whatever is published because of this carrier.

    Of the carrier, and not of the event or the attempt: those repeat, and a repeated id is
    dropped by the server.
    """
    text = "\0".join((service, handler, delivery.carrier))
    return hashlib.sha256(text.encode()).hexdigest()


class JetStreamParking:
    """Publishes a handler's retries to the retry stream."""

    def __init__(self, client: JetStreamClient, service: str, handler: str) -> None:
        self._client = client
        self._service = service
        self._handler = handler
        self._storing = Storing(client, "retry")

    async def park(self, delivery: Delivery, park: Park) -> None:
        """Publish, to come back in ``park.delay`` seconds; raises Refused, DoesNotFit."""
        assert isinstance(delivery, JetStreamDelivery)  # noqa: S101 - ours
        subject = wait_subject(self._service, self._handler, delivery.carrier)
        msg_id = carrier_id(self._service, self._handler, delivery)
        headers = _fitted(self._headers(delivery, park), self._client.max_payload - delivery.size)
        await self._storing.store(subject, delivery.data, headers, msg_id)

    def _headers(self, delivery: JetStreamDelivery, park: Park) -> dict[str, str]:
        delay = timedelta(seconds=min(park.delay, _LONGEST))
        due = self._client.server_time() + delay
        known = delivery.raw_headers if delivery.way == "lane" else {}
        headers = dict(delivery.headers) | origin_headers(delivery)
        headers |= {
            name: known[name]
            for name in (names.GLAM_REPLAY_ID, names.GLAM_REPLAYS, names.GLAM_FIRST_FAILED_AT)
            if name in known
        }
        headers |= {
            names.GLAM_SERVICE: self._service,
            names.GLAM_HANDLER: self._handler,
            names.GLAM_ATTEMPTS: str(park.attempts),
            "Nats-Schedule": f"@at {names.moment_text(due)}",
            "Nats-Schedule-Target": due_subject(self._service, self._handler),
        }
        if park.cause is not None:
            headers.setdefault(names.GLAM_FIRST_FAILED_AT, names.moment_text(datetime.now(UTC)))
            headers |= error_headers(park.cause)
        return headers


def _fitted(headers: dict[str, str], room: int) -> dict[str, str]:
    """Without diagnostics, where they do not fit beside the body."""
    for name in (names.GLAM_TRACEBACK, names.GLAM_ERROR_MESSAGE):
        if names.encoded_size(headers) + _MESSAGE_ID_BYTES > room:
            headers.pop(name, None)
    return headers


def origin_headers(delivery: JetStreamDelivery) -> dict[str, str]:
    """What tells the event's first message, for the next time it comes."""
    return {
        names.GLAM_SUBJECT: subject_text(delivery.subject),
        names.GLAM_STREAM: delivery.stream,
        names.GLAM_STREAM_CREATED: str(delivery.origin_created),
        names.GLAM_SEQUENCE: str(delivery.sequence),
        names.GLAM_STORED_AT: names.moment_text(datetime.fromtimestamp(delivery.stored_at, UTC)),
    }


def error_headers(cause: BaseException) -> dict[str, str]:
    """The last error, on one line each."""
    failure = Failure.of(cause)
    return {
        names.GLAM_ERROR: failure.error,
        names.GLAM_ERROR_MESSAGE: failure.message,
        names.GLAM_TRACEBACK: failure.trace,
    }
