"""The catalogue: which payload each subject carries."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

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
from glam_shared.messaging.events.credits import (
    CreditBalanceDepletedPayload,
    CreditBalanceLowPayload,
    CreditsConsumedPayload,
    CreditsResetPayload,
)
from glam_shared.messaging.events.merchant import MerchantCreatedPayload
from glam_shared.messaging.events.notification import (
    EmailFailedPayload,
    EmailRequestedPayload,
    EmailSentPayload,
)
from glam_shared.messaging.events.platform import BaseEventPayload
from glam_shared.messaging.events.webhook import (
    WebhookFailedPayload,
    WebhookProcessedPayload,
    WebhookReceivedPayload,
)
from glam_shared.messaging.subjects import Subjects

__all__ = ["CATALOGUE", "payload_for", "subject_matches", "subjects_matching"]

CATALOGUE: Mapping[Subjects, type[BaseEventPayload]] = MappingProxyType(
    {
        Subjects.NOTIFICATION_EMAIL_REQUESTED: EmailRequestedPayload,
        Subjects.NOTIFICATION_EMAIL_SENT: EmailSentPayload,
        Subjects.NOTIFICATION_EMAIL_FAILED: EmailFailedPayload,
        Subjects.BILLING_TRIAL_STARTED: TrialStartedPayload,
        Subjects.BILLING_TRIAL_EXPIRED: TrialExpiredPayload,
        Subjects.BILLING_CREDITS_PURCHASED: CreditsPurchasedPayload,
        Subjects.MERCHANT_CREATED: MerchantCreatedPayload,
        Subjects.CATALOG_SYNC_STARTED: CatalogSyncStartedPayload,
        Subjects.CATALOG_SYNC_COMPLETED: CatalogSyncCompletedPayload,
        Subjects.CATALOG_SYNC_FAILED: CatalogSyncFailedPayload,
        Subjects.CREDIT_BALANCE_LOW: CreditBalanceLowPayload,
        Subjects.CREDIT_BALANCE_DEPLETED: CreditBalanceDepletedPayload,
        Subjects.CREDITS_CONSUMED: CreditsConsumedPayload,
        Subjects.CREDITS_RESET: CreditsResetPayload,
        Subjects.ANALYTICS_EVENT_TRACKED: AnalyticsTrackedPayload,
        Subjects.ANALYTICS_AGGREGATED: AnalyticsAggregatedPayload,
        Subjects.WEBHOOK_RECEIVED: WebhookReceivedPayload,
        Subjects.WEBHOOK_PROCESSED: WebhookProcessedPayload,
        Subjects.WEBHOOK_FAILED: WebhookFailedPayload,
    }
)
_BY_TEXT: dict[str, type[BaseEventPayload]] = {str(key): value for key, value in CATALOGUE.items()}


def payload_for(subject: str) -> type[BaseEventPayload] | None:
    """The model that *subject* carries; None outside the catalogue, where any model may go."""
    return _BY_TEXT.get(subject)


def subjects_matching(subject_filter: str) -> tuple[Subjects, ...]:
    """The catalogued subjects that *subject_filter* selects, in the catalogue's order."""
    return tuple(subject for subject in CATALOGUE if subject_matches(subject_filter, subject))


def subject_matches(subject_filter: str, subject: str) -> bool:
    """Whether *subject* is selected by a filter: `*` is one token, a last `>` one or more.

    https://docs.nats.io/nats-concepts/subjects#wildcards
    """
    wanted, found = subject_filter.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(found) <= len(wanted):
            return False
    elif len(found) != len(wanted):
        return False
    return all(token in {"*", part} for token, part in zip(wanted, found, strict=False))
