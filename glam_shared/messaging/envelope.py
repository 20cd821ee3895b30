"""The envelope: the JSON object that carries an event's identity and its data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Generic, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import TypeVar

from glam_shared.correlation import get_correlation_context, new_correlation_id
from glam_shared.messaging.not_empty import NotEmpty
from glam_shared.messaging.plain_json import proves_strict
from glam_shared.messaging.strict_json import check_json, read_exactly
from glam_shared.messaging.timestamps import UtcDatetime

__all__ = ["EventEnvelope", "envelope_of"]

T = TypeVar("T", default=dict[str, Any])
P = TypeVar("P")

Text = Annotated[str, Field(min_length=1)]


class EventEnvelope(BaseModel, Generic[T]):
    """An event on the wire. `EventEnvelope[P]` reads data as P; bare, data stays a dict."""

    model_config = ConfigDict(
        extra="ignore",
        allow_inf_nan=False,
        ser_json_inf_nan="constants",  # so that to_bytes refuses them; the default writes null
        hide_input_in_errors=True,
        # Ids and moments come once: a cache of them is two megabytes of misses.
        cache_strings="keys",
    )

    event_id: Text
    """Written as uuid4 text; any text that is not empty is read."""
    event_type: Text
    """The subject it was first published to."""
    correlation_id: Text
    source_service: Text
    timestamp: UtcDatetime
    """When it happened; without a zone it is taken to be UTC."""
    data: Annotated[T, NotEmpty]
    metadata: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def create(
        cls,
        event_type: str,
        data: P,
        *,
        source_service: str,
        correlation_id: str | None = None,
        event_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: datetime | None = None,
    ) -> EventEnvelope[P]:
        """A new envelope around *data*, a payload or a dict.

        The correlation id is the given one, else that of the task, else new; the event id a new
        uuid4, the timestamp now. pydantic.ValidationError for what no reader would take.
        """
        kind: Any = type(data)  # mypy takes no type[Any] for Hashable
        return envelope_of(kind)(
            event_id=event_id or str(uuid4()),
            event_type=str(event_type),
            correlation_id=correlation_id or get_correlation_context() or new_correlation_id(),
            source_service=source_service,
            timestamp=timestamp or datetime.now(UTC),
            data=data,
            metadata=dict(metadata or {}),
        )

    def to_bytes(self) -> bytes:
        """JSON in UTF-8; ValueError for what our own readers would refuse, such as NUL in text."""
        data = self.__pydantic_serializer__.to_json(self, by_alias=True)
        check_json(data)
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read one message.

        InvalidJsonError (a ValueError) if it is not strict JSON, pydantic.ValidationError (a
        ValueError) if it is not this envelope.
        """
        try:
            read: Self = cls.__pydantic_validator__.validate_json(data)
        except ValidationError:
            check_json(data)  # what is not JSON is said to be that
            raise
        if proves_strict(data, read):
            return read
        exact = read_exactly(data)
        return read if exact is None else cls.model_validate(exact)


@lru_cache(maxsize=1024)
def envelope_of(payload: type) -> type[EventEnvelope[Any]]:
    """The envelope of a payload model, built once; of `dict` the bare one."""
    return EventEnvelope if issubclass(payload, dict) else EventEnvelope[payload]  # type: ignore[valid-type]
