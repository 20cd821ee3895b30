"""Payloads of trials and purchases."""

from __future__ import annotations

from glam_shared.messaging.events.platform import BaseEventPayload, Money
from glam_shared.messaging.timestamps import UtcDatetime

__all__ = ["CreditsPurchasedPayload", "TrialExpiredPayload", "TrialStartedPayload"]


class TrialStartedPayload(BaseEventPayload):
    """A trial of `trial_days` days began."""

    trial_ends_at: UtcDatetime
    trial_days: int


class TrialExpiredPayload(BaseEventPayload):
    """A trial ended."""

    expired_at: UtcDatetime


class CreditsPurchasedPayload(BaseEventPayload):
    """Credits were bought for `amount` of `currency`."""

    credits: Money
    amount: Money
    currency: str
    order_id: str
