"""What a handler is told about the event it works."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel

from glam_shared.logging import ServiceLogger


class EventContext(Protocol):
    """One event in one run. On the lane, everything is the origin's, but for ``attempt``."""

    @property
    def event_id(self) -> str:
        """The envelope's id: the same in every run and for every handler."""

    @property
    def event_type(self) -> str:
        """The envelope's type: the subject it was published to."""

    @property
    def correlation_id(self) -> str:
        """Shared by all that happens because of one request."""

    @property
    def source_service(self) -> str:
        """Who published the event."""

    @property
    def timestamp(self) -> datetime:
        """When it happened, by the publisher's clock; aware, UTC."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The envelope's free part."""

    @property
    def subject(self) -> str:
        """The subject the event was first published to."""

    @property
    def stream(self) -> str:
        """The stream it was first stored in."""

    @property
    def sequence(self) -> int:
        """Its sequence there."""

    @property
    def attempt(self) -> int:
        """The number of this run, from 1 on."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The publisher's headers."""

    @property
    def deadline(self) -> datetime:
        """When the handler's ``timeout`` ends this run; aware, UTC."""

    @property
    def shutting_down(self) -> bool:
        """Whether the worker has been told to stop: a long run may finish early with Snooze."""

    @property
    def log(self) -> ServiceLogger:
        """A logger whose lines carry this event's names and ids."""

    @property
    def state(self) -> Any:
        """What the lifespan of the handler's module yielded; None without one."""

    async def publish(self, subject: str, payload: BaseModel, key: str | None = None) -> str:
        """Publish an event caused by this one; returns its id.

        The correlation id is carried on and this event recorded as the cause. The id is derived
        from this event, the handler, the subject and ``key`` (default: the data), so that another
        run of this event does not publish twice within the stream's duplicate window.
        """

    def publish_sync(self, subject: str, payload: BaseModel, key: str | None = None) -> str:
        """``publish`` for ``def`` handlers, which run in a thread; blocks until stored."""
