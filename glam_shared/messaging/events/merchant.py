"""Payloads of merchants."""

from __future__ import annotations

from glam_shared.messaging.events.platform import BaseEventPayload

__all__ = ["MerchantCreatedPayload"]


class MerchantCreatedPayload(BaseEventPayload):
    """A shop installed the platform's app."""

    shop_name: str
    email: str
    country: str
    currency: str
    timezone: str
    platform_version: str
    scopes: str
    status: str
