"""Payloads of the platform's events, one module per domain, and the catalogue that binds them."""

from __future__ import annotations

from glam_shared.messaging.events.analytics import (
    AnalyticsAggregatedPayload,
    AnalyticsTrackedPayload,
)
from glam_shared.messaging.events.billing import (
    CreditsPurchasedPayload,
    TrialExpiredPayload,
    TrialStartedPayload,
)
from glam_shared.messaging.events.catalog_sync import (
    CatalogSyncCompletedPayload,
    CatalogSyncFailedPayload,
    CatalogSyncStartedPayload,
)
from glam_shared.messaging.events.catalogue import (
    CATALOGUE,
    payload_for,
    subject_matches,
    subjects_matching,
)
from glam_shared.messaging.events.credits import (
    CreditBalanceDepletedPayload,
    CreditBalanceLowPayload,
    CreditsConsumedPayload,
    CreditsResetPayload,
)
from glam_shared.messaging.events.failure import ErrorPayload
from glam_shared.messaging.events.merchant import MerchantCreatedPayload
from glam_shared.messaging.events.notification import (
    EmailFailedPayload,
    EmailRequestedPayload,
    EmailSentPayload,
)
from glam_shared.messaging.events.platform import (
    BaseEventPayload,
    EventPlatform,
    Money,
    PlatformContext,
)
from glam_shared.messaging.events.webhook import (
    WebhookFailedPayload,
    WebhookProcessedPayload,
    WebhookReceivedPayload,
)

__all__ = [
    "CATALOGUE",
    "AnalyticsAggregatedPayload",
    "AnalyticsTrackedPayload",
    "BaseEventPayload",
    "CatalogSyncCompletedPayload",
    "CatalogSyncFailedPayload",
    "CatalogSyncStartedPayload",
    "CreditBalanceDepletedPayload",
    "CreditBalanceLowPayload",
    "CreditsConsumedPayload",
    "CreditsPurchasedPayload",
    "CreditsResetPayload",
    "EmailFailedPayload",
    "EmailRequestedPayload",
    "EmailSentPayload",
    "ErrorPayload",
    "EventPlatform",
    "MerchantCreatedPayload",
    "Money",
    "PlatformContext",
    "TrialExpiredPayload",
    "TrialStartedPayload",
    "WebhookFailedPayload",
    "WebhookProcessedPayload",
    "WebhookReceivedPayload",
    "payload_for",
    "subject_matches",
    "subjects_matching",
]
