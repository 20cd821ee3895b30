"""Moments on the wire: always aware, always UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

__all__ = ["UtcDatetime", "as_utc", "is_utc_moment", "was_converted"]


def as_utc(moment: datetime) -> datetime:
    """The same moment in UTC; one without a zone is taken to be UTC already.

    ValueError for a moment of the years 1 or 9999 that UTC cannot express.
    """
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the moment cannot be expressed in UTC") from error


class _Utc:
    """Only a moment that is not written as text in UTC costs a call into Python."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        already = core_schema.datetime_schema(tz_constraint=0, strict=True)
        other = core_schema.no_info_after_validator_function(as_utc, core_schema.datetime_schema())
        return core_schema.union_schema(
            [already, other],
            mode="left_to_right",
            custom_error_type="datetime",
            custom_error_message="Input should be a date and time such as 2026-11-01T12:00:00Z",
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "format": "date-time"}


UtcDatetime = Annotated[datetime, _Utc]
"""A field type: RFC 3339 text is read, a missing zone means UTC, other zones are converted."""


def is_utc_moment(field: FieldInfo) -> bool:
    """Whether *field* is a `UtcDatetime`, and nothing else touches its value."""
    return field.annotation is datetime and field.metadata == [_Utc]


def was_converted(moment: datetime) -> bool:
    """Whether a `UtcDatetime` was read from anything but text in UTC: a number, another zone."""
    return moment.tzinfo is UTC
