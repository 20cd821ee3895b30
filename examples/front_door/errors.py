"""What the routes say of their errors in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from glam_shared.api import ErrorResponse

_WHEN = {
    400: "A header is missing or wrong, or the parts of the request speak of different shops",
    401: "Not signed, or not with a secret that is known here",
    403: "Not allowed to this caller",
    404: "The shop is not registered",
    413: "The body, or the event made of it, is too large",
    422: "The request does not validate",
    503: "The broker has not confirmed the event: try again after the seconds of Retry-After",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that answers these."""
    return {status: {"model": ErrorResponse, "description": _WHEN[status]} for status in statuses}
