"""Payloads of a merchant's credits."""

from __future__ import annotations

from glam_shared.messaging.events.platform import BaseEventPayload, Money
from glam_shared.messaging.timestamps import UtcDatetime

__all__ = [
    "CreditBalanceDepletedPayload",
    "CreditBalanceLowPayload",
    "CreditsConsumedPayload",
    "CreditsResetPayload",
]


class CreditBalanceLowPayload(BaseEventPayload):
    """The balance fell to or under the threshold."""

    balance: Money
    threshold: Money
    email: str | None = None


class CreditBalanceDepletedPayload(BaseEventPayload):
    """The balance reached nothing."""

    depleted_at: UtcDatetime
    email: str | None = None


class CreditsConsumedPayload(BaseEventPayload):
    """An operation was paid for."""

    amount: Money
    balance_after: Money
    operation: str
    reference_id: str | None = None


class CreditsResetPayload(BaseEventPayload):
    """The balance was set anew for a period."""

    balance: Money
    reset_at: UtcDatetime
    period: str
