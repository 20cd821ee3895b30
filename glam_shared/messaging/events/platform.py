"""What every payload says about the shop it concerns."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

__all__ = ["BaseEventPayload", "EventPlatform", "Money", "PlatformContext"]

Money = Decimal
"""Exact: written as JSON text, read from text or number; NaN and the infinities are refused."""


class _WireModel(BaseModel):
    # Unknown fields are ignored so that producers may add some; what a reader saw is never echoed.
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, hide_input_in_errors=True)


class EventPlatform(_WireModel):
    """The merchant, and the shop on its platform, that an event concerns."""

    merchant_id: UUID
    platform_name: str
    platform_shop_id: str
    domain: str


PlatformContext = EventPlatform


class BaseEventPayload(_WireModel):
    """Base of every catalogued payload."""

    platform: EventPlatform
