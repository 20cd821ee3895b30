"""Subjects, and the catalogue that binds each to its payload."""

from __future__ import annotations

import pytest

from glam_shared.messaging import Subjects
from glam_shared.messaging import events as payloads
from glam_shared.messaging.events import (
    CATALOGUE,
    BaseEventPayload,
    EventPlatform,
    PlatformContext,
    payload_for,
    subject_matches,
    subjects_matching,
)

CONTRACT = {
    "NOTIFICATION_EMAIL_REQUESTED": ("cmd.notification.email.send.v1", "EmailRequestedPayload"),
    "NOTIFICATION_EMAIL_SENT": ("evt.notification.email.sent.v1", "EmailSentPayload"),
    "NOTIFICATION_EMAIL_FAILED": ("evt.notification.email.failed.v1", "EmailFailedPayload"),
    "BILLING_TRIAL_STARTED": ("evt.billing.trial.started.v1", "TrialStartedPayload"),
    "BILLING_TRIAL_EXPIRED": ("evt.billing.trial.expired.v1", "TrialExpiredPayload"),
    "BILLING_CREDITS_PURCHASED": ("evt.billing.credits.purchased.v1", "CreditsPurchasedPayload"),
    "MERCHANT_CREATED": ("evt.merchant.created.v1", "MerchantCreatedPayload"),
    "CATALOG_SYNC_STARTED": ("evt.catalog.sync.started.v1", "CatalogSyncStartedPayload"),
    "CATALOG_SYNC_COMPLETED": ("evt.catalog.sync.completed.v1", "CatalogSyncCompletedPayload"),
    "CATALOG_SYNC_FAILED": ("evt.catalog.sync.failed.v1", "CatalogSyncFailedPayload"),
    "CREDIT_BALANCE_LOW": ("evt.credit.balance.low.v1", "CreditBalanceLowPayload"),
    "CREDIT_BALANCE_DEPLETED": ("evt.credit.balance.depleted.v1", "CreditBalanceDepletedPayload"),
    "CREDITS_CONSUMED": ("evt.credits.consumed.v1", "CreditsConsumedPayload"),
    "CREDITS_RESET": ("evt.credits.reset.v1", "CreditsResetPayload"),
    "ANALYTICS_EVENT_TRACKED": ("evt.analytics.tracked.v1", "AnalyticsTrackedPayload"),
    "ANALYTICS_AGGREGATED": ("evt.analytics.aggregated.v1", "AnalyticsAggregatedPayload"),
    "WEBHOOK_RECEIVED": ("evt.webhook.received.v1", "WebhookReceivedPayload"),
    "WEBHOOK_PROCESSED": ("evt.webhook.processed.v1", "WebhookProcessedPayload"),
    "WEBHOOK_FAILED": ("evt.webhook.failed.v1", "WebhookFailedPayload"),
}


def test_the_catalogue_is_the_contract() -> None:
    """Every subject has its agreed name, text and payload, and there is no other."""
    found = {
        subject.name: (str(subject), payload.__name__) for subject, payload in CATALOGUE.items()
    }

    assert CONTRACT == found
    assert set(CATALOGUE) == set(Subjects)


def test_a_subject_is_its_text() -> None:
    """`str()`, f-strings and comparison give the subject itself."""
    assert "evt.merchant.created.v1" == str(Subjects.MERCHANT_CREATED)
    assert "on evt.merchant.created.v1" == f"on {Subjects.MERCHANT_CREATED}"
    assert Subjects("evt.merchant.created.v1") is Subjects.MERCHANT_CREATED


def test_the_misspelt_name_is_the_same_subject() -> None:
    """The spelling in the wild is an alias, not a second subject."""
    assert Subjects.CATAlOG_SYNC_STARTED is Subjects.CATALOG_SYNC_STARTED


def test_payload_for_knows_text_and_members_and_nothing_else() -> None:
    """A catalogued subject has its model, given as member or text; any other has none."""
    model = payloads.MerchantCreatedPayload

    assert model is payload_for(Subjects.MERCHANT_CREATED)
    assert model is payload_for("evt.merchant.created.v1")
    assert payload_for("evt.merchant.created.v2") is None
    assert payload_for("dlq.merchant.created.v1") is None


@pytest.mark.parametrize("model", CATALOGUE.values())
def test_every_payload_extends_the_base_and_is_exported(model: type[BaseEventPayload]) -> None:
    """A catalogued payload carries a platform and is found where services import it."""
    assert issubclass(model, BaseEventPayload)
    assert EventPlatform is model.model_fields["platform"].annotation
    assert getattr(payloads, model.__name__) is model
    assert model.__name__ in payloads.__all__


def test_platform_context_is_the_platform() -> None:
    """The platform has a second name."""
    assert EventPlatform is PlatformContext


@pytest.mark.parametrize(
    ("subject_filter", "subject", "matches"),
    [
        ("evt.a.b", "evt.a.b", True),
        ("evt.a.b", "evt.a.c", False),
        ("evt.*.b", "evt.a.b", True),
        ("evt.*.b", "evt.a.a.b", False),
        ("evt.*", "evt.a.b", False),
        ("evt.>", "evt.a", True),
        ("evt.>", "evt.a.b", True),
        ("evt.>", "evt", False),
        ("evt.a.>", "evt.a", False),
        (">", "evt", True),
        ("*.*.>", "a.b.c", True),
        ("*.*.>", "a.b", False),
        ("evt.a", "evt.a.b", False),
    ],
)
def test_filters_select_like_the_server(subject_filter: str, subject: str, matches: bool) -> None:
    """`*` stands for one token, a last `>` for one or more."""
    assert matches is subject_matches(subject_filter, subject)


def test_a_filter_finds_the_catalogued_subjects_it_selects() -> None:
    """A wildcard is expanded over the catalogue; a subject outside matches nothing in it."""
    low, depleted = Subjects.CREDIT_BALANCE_LOW, Subjects.CREDIT_BALANCE_DEPLETED

    assert (low, depleted) == subjects_matching("evt.credit.>")
    assert (Subjects.WEBHOOK_FAILED,) == subjects_matching(Subjects.WEBHOOK_FAILED)
    assert set(Subjects) == set(subjects_matching("*.>"))
    assert () == subjects_matching("evt.unheard.of.v1")
