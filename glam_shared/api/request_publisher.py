"""Publishing on behalf of a request: in time, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from glam_shared.errors import (
    DomainError,
    InfrastructureError,
    InternalError,
    ServiceUnavailableError,
    ValidationError,
)
from glam_shared.logging import ServiceLogger
from glam_shared.messaging import JetStreamClient, Publisher
from glam_shared.messaging.broker_errors import MessageTooLarge
from glam_shared.messaging.publisher import check_event

MAX_BUDGET = 3.0
"""Seconds. A sender of webhooks gives up after five, the connection and the answer included."""
RETRY_AFTER = 5
"""Seconds after which a client may try again when the broker is away."""


class RequestPublisher:
    """A publisher that answers within a request's time.

    * Returning means that the broker has stored the event (PubAck).
    * Otherwise it raises: 503 with ``Retry-After`` when the broker is away, refuses or is slow.
      The event may then have been stored all the same; with an *event_id* of the caller's, trying
      again within the duplicate window stores it once.
    """

    def __init__(
        self, client: JetStreamClient, publisher: Publisher, budget: float, logger: ServiceLogger
    ) -> None:
        self._client = client
        self._publisher = publisher
        self._budget = budget
        self._logger = logger

    @property
    def service_name(self) -> str:
        """The source service of every event."""
        return self._publisher.service_name

    async def publish_event(
        self,
        subject: str,
        payload: BaseModel | Mapping[str, Any],
        correlation_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        event_id: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Publish, await the PubAck, and give the event's id.

        The correlation id is the request's unless given. Raises ServiceUnavailableError (503);
        DomainError 413 ``EVENT_TOO_LARGE`` or 422 ``EVENT_INVALID`` for data that no event
        carries; InternalError (500) for a subject or a payload model that is the service's mistake.
        """
        self._check_own_part(subject, payload)
        try:
            async with asyncio.timeout(self._budget):
                await self._client.wait_connected(None)
                return await self._publisher.publish_event(
                    subject, payload, correlation_id, metadata, event_id, headers=headers
                )
        except MessageTooLarge as error:
            message = f"The event is larger than {error.limit} bytes"
            raise DomainError(message, code="EVENT_TOO_LARGE", status=413) from error
        except ValidationError as error:
            self._log(subject, error.message)
            raise DomainError(
                "The data cannot be carried by an event", code="EVENT_INVALID", status=422
            ) from error
        except TimeoutError as error:
            # Cancelled from outside, the publisher could not count it.
            self._publisher.stats.failed += 1
            raise self._unavailable(subject, f"no PubAck within {self._budget:g} s") from error
        except InfrastructureError as error:
            raise self._unavailable(subject, error.message) from error

    def _check_own_part(self, subject: str, payload: BaseModel | Mapping[str, Any]) -> None:
        try:
            check_event(str(subject), payload)
        except ValidationError as error:
            raise InternalError(cause=error) from error

    def _unavailable(self, subject: str, reason: str) -> ServiceUnavailableError:
        self._log(subject, reason)
        return ServiceUnavailableError(
            "The event could not be accepted, try again", details={"retry_after": RETRY_AFTER}
        )

    def _log(self, subject: str, reason: str) -> None:
        self._logger.warning(
            "Event not accepted", extra={"subject": str(subject), "reason": reason}
        )
