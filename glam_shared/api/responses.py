"""The one shape of every HTTP answer, and the functions that build it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import (
    BaseModel,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    field_serializer,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from glam_shared.api.pagination import Links, Pagination
from glam_shared.api.request_scope import get_request_id, new_request_id
from glam_shared.correlation import get_correlation_context
from glam_shared.json_safe import json_safe, json_text

T = TypeVar("T")


class Meta(BaseModel):
    """What identifies an answer: the request, the chain of events it belongs to, the time (UTC)."""

    request_id: str
    correlation_id: str | None = None
    timestamp: datetime = Field(default_factory=lambda: datetime.now(UTC))


class ErrorDetail(BaseModel):
    """What went wrong: a stable code for programs, a message for people, and the particulars."""

    code: str
    message: str
    details: Any = None

    @field_serializer("details")
    def _plain_details(self, details: Any) -> Any:
        return json_safe(details)

    @field_serializer("code", "message")
    def _plain_text(self, text: str) -> str:
        return json_text(text)


class ApiResponse(BaseModel, Generic[T]):
    """The body of every answer.

    A success carries all five parts, those without a value as ``null``. An error answer carries
    ``error`` and ``meta`` and leaves the parts without a value out.
    """

    data: T | None = None
    error: ErrorDetail | None = None
    meta: Meta
    pagination: Pagination | None = None
    links: Links | None = None

    @model_serializer(mode="wrap")
    def _leave_absent_parts_out_of_errors(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        parts: dict[str, Any] = handler(self)
        if self.error is None:
            return parts
        return {
            name: _present(part) if name in {"error", "meta"} else part
            for name, part in parts.items()
            if part is not None
        }

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # Without this the serializer above would turn the model into "any object" in OpenAPI.
        fields = {key: value for key, value in core_schema.items() if key != "serialization"}
        return handler(fields)


def _present(part: Any) -> Any:
    """*part* without its empty fields, when it is an object."""
    if not isinstance(part, Mapping):
        return part
    return {name: value for name, value in part.items() if value is not None}


def create_response(
    data: T | None = None,
    error: ErrorDetail | None = None,
    request_id: str | None = None,
    correlation_id: str | None = None,
    pagination: Pagination | None = None,
    links: Links | None = None,
) -> ApiResponse[T]:
    """An answer of any kind.

    An id that is not given is the current request's; outside a request the request id is new and
    the correlation id is that of the context, if there is one.
    """
    meta = Meta(
        request_id=request_id or get_request_id() or new_request_id(),
        correlation_id=correlation_id or get_correlation_context(),
    )
    return ApiResponse[T](data=data, error=error, meta=meta, pagination=pagination, links=links)


def success_response(
    data: T,
    request_id: str | None = None,
    correlation_id: str | None = None,
    links: Links | None = None,
) -> ApiResponse[T]:
    """An answer that carries *data*."""
    return create_response(data, None, request_id, correlation_id, links=links)


def error_response(
    code: str,
    message: str,
    details: Any = None,
    request_id: str | None = None,
    correlation_id: str | None = None,
) -> ApiResponse[None]:
    """An answer that carries an error.  Returned from a route it is still a 200: raise instead."""
    error = ErrorDetail(code=code, message=message, details=details)
    return create_response(None, error, request_id, correlation_id)


def paginated_response(
    data: Sequence[T],
    page: int,
    limit: int,
    total: int,
    base_url: str,
    request_id: str | None = None,
    correlation_id: str | None = None,
    **query: Any,
) -> ApiResponse[list[T]]:
    """One page of *data*, with where it stands among the others and links to them.

    *query* is repeated in every link. Raises pydantic's ``ValidationError`` (a ``ValueError``) for
    a page below 1, a limit outside 1 to 1000 or a negative total.
    """
    pagination = Pagination.create(page, limit, total)
    links = Links.create_paginated(base_url, page, limit, pagination.pages, **query)
    return create_response(list(data), None, request_id, correlation_id, pagination, links)
