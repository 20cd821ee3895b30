"""Payloads: the wire's field names, exact money, moments in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from glam_shared.messaging import EventEnvelope
from glam_shared.messaging import events as payloads
from glam_shared.messaging.events import (
    CATALOGUE,
    CreditBalanceLowPayload,
    CreditsResetPayload,
    ErrorPayload,
)
from glam_shared.messaging.strict_json import InvalidJsonError
from glam_shared.messaging.timestamps import UtcDatetime

PLATFORM = {
    "merchant_id": "6f1c2a34-9f3e-4e5b-8d0e-3f7a1b2c4d5e",
    "platform_name": "shopify",
    "platform_shop_id": "gid://shopify/Shop/1",
    "domain": "shop-1.myshopify.com",
}

# Field names of the wire, `?` where a field may be absent.
FIELDS = {
    "CatalogSyncStartedPayload": "sync_id total_items status",
    "CatalogSyncCompletedPayload": "sync_id total_items status first_sync? has_changes? email?",
    "CatalogSyncFailedPayload": "sync_id error_code error_message items_processed",
    "CreditBalanceLowPayload": "balance threshold email?",
    "CreditBalanceDepletedPayload": "depleted_at email?",
    "CreditsConsumedPayload": "amount balance_after operation reference_id?",
    "CreditsResetPayload": "balance reset_at period",
    "MerchantCreatedPayload": (
        "shop_name email country currency timezone platform_version scopes status"
    ),
    "EmailRequestedPayload": "notification_id template_type recipient_email template_variables",
    "EmailSentPayload": (
        "notification_id template_type recipient_email provider provider_message_id"
    ),
    "EmailFailedPayload": (
        "notification_id template_type recipient_email error_code error_message retry_count?"
    ),
    "TrialStartedPayload": "trial_ends_at trial_days",
    "TrialExpiredPayload": "expired_at",
    "CreditsPurchasedPayload": "credits amount currency order_id",
    "AnalyticsTrackedPayload": "name occurred_at session_id? properties",
    "AnalyticsAggregatedPayload": "period_start period_end metrics",
    "WebhookReceivedPayload": "webhook_id topic received_at body",
    "WebhookProcessedPayload": "webhook_id topic duration_ms",
    "WebhookFailedPayload": "webhook_id topic error_code error_message retry_count",
    "ErrorPayload": (
        "error_code error_message failed_operation retry_count? max_retries? original_data?"
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_field_names_are_those_of_the_wire(name: str) -> None:
    """Each payload has exactly its agreed fields, and only the agreed ones may be absent."""
    fields = dict(getattr(payloads, name).model_fields)
    platform = fields.pop("platform")

    found = {key if field.is_required() else f"{key}?" for key, field in fields.items()}
    assert set(FIELDS[name].split()) == found
    assert platform.is_required() is (name != "ErrorPayload")


def test_every_catalogued_payload_is_checked() -> None:
    """The table above leaves no catalogued payload out."""
    assert {model.__name__ for model in CATALOGUE.values()} < set(FIELDS)


def balance(number: str) -> bytes:
    platform = EventEnvelope.create("evt.x.y", PLATFORM, source_service="s").to_bytes()
    data = platform[platform.index(b'"data":') + 7 : platform.index(b',"metadata"')]
    body = b'{"platform":%s,"balance":%s,"threshold":"1"}' % (data, number.encode())
    return platform.replace(b'"data":' + data, b'"data":' + body)


@pytest.mark.parametrize(
    ("written", "exact"),
    [
        ("0.1", "0.1"),
        ("10", "10"),
        ('"0.10"', "0.10"),
        ("-5.25", "-5.25"),
        ("12345678901234567.89", "12345678901234567.89"),
        ("0.12345678901234567890123", "0.12345678901234567890123"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1234567890123456789e2", "123456789012345678900"),
        ('"12345678901234567.89"', "12345678901234567.89"),
    ],
)
def test_money_is_read_exactly_from_number_or_text(written: str, exact: str) -> None:
    """No digit is lost between the wire and the Decimal, nor on the way back."""
    event = EventEnvelope[CreditBalanceLowPayload].from_bytes(balance(written))

    assert Decimal(exact) == event.data.balance
    again = EventEnvelope[CreditBalanceLowPayload].from_bytes(event.to_bytes())
    assert Decimal(exact) == again.data.balance


@pytest.mark.parametrize("written", ["NaN", "Infinity", "1e400", '"NaN"', '"Infinity"', '"-inf"'])
def test_money_is_a_finite_number(written: str) -> None:
    """NaN and the infinities are no amount, neither as number nor as text."""
    with pytest.raises((InvalidJsonError, ValidationError)):
        EventEnvelope[CreditBalanceLowPayload].from_bytes(balance(written))


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")]
)
def test_money_in_python_is_finite_too(value: Any) -> None:
    """A payload cannot be made with an amount that is no number."""
    with pytest.raises(ValidationError):
        CreditBalanceLowPayload(platform=PLATFORM, balance=value, threshold=1)


def test_a_duration_is_finite() -> None:
    """A float field takes neither NaN nor infinity."""
    with pytest.raises(ValidationError):
        payloads.WebhookProcessedPayload(
            platform=PLATFORM, webhook_id="w", topic="t", duration_ms=float("nan")
        )


class Moment(BaseModel):
    at: UtcDatetime


NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-01T12:00:00Z",
        "2026-11-01T12:00:00",
        "2026-11-01T12:00:00+00:00",
        "2026-11-01T14:00:00+02:00",
        "2026-11-01T12:00:00.000000Z",
    ],
)
def test_moments_are_read_as_utc(written: str) -> None:
    """A missing zone means UTC, another is converted, and what is written ends in Z."""
    found = Moment.model_validate_json(f'{{"at":"{written}"}}')

    assert (NOON, timedelta(0)) == (found.at, found.at.utcoffset())
    assert '{"at":"2026-11-01T12:00:00Z"}' == found.model_dump_json()


@pytest.mark.parametrize("given", [NOON, NOON.replace(tzinfo=None), NOON.astimezone(None)])
def test_moments_given_in_python_are_utc(given: datetime) -> None:
    """A datetime object is treated like its text."""
    local = given.astimezone(timezone(timedelta(hours=2))) if given.tzinfo else given

    assert NOON == Moment(at=local).at
    assert timedelta(0) == Moment(at=local).at.utcoffset()


@pytest.mark.parametrize("written", ['""', '"noon"', "null", '"0001-01-01T00:00:00+05:00"'])
def test_what_is_no_moment_is_refused(written: str) -> None:
    """Text that names no moment in UTC is a validation error, nothing else."""
    with pytest.raises(ValidationError, match="2026-11-01T12:00:00Z"):
        Moment.model_validate_json(f'{{"at":{written}}}')


def test_unknown_fields_are_ignored() -> None:
    """A producer may add fields, in the payload and in its platform."""
    reset = CreditsResetPayload.model_validate(
        {
            "platform": {**PLATFORM, "plan": "new"},
            "balance": 1,
            "reset_at": "2026-11-01T12:00:00",
            "period": "month",
            "added": True,
        }
    )

    assert NOON == reset.reset_at


def test_an_error_payload_needs_no_platform() -> None:
    """A corrupt event has no platform to name."""
    payload = ErrorPayload(error_code="X", error_message="m", failed_operation="op")

    assert (None, 0, 3) == (payload.platform, payload.retry_count, payload.max_retries)


def test_an_error_payload_takes_whatever_a_corrupt_event_held() -> None:
    """Text and data that JSON cannot carry are made fit, so that the letter can be written."""
    payload = ErrorPayload(
        error_code="X",
        error_message="bad \ud800 \x00",
        failed_operation=ValueError("op"),
        original_data={"nan": float("nan"), 1: b"\xff", "deep": {"nul": "\x00"}, "n": 10**5000},
    )

    written = EventEnvelope.create("dlq.x.y", payload, source_service="s").to_bytes()

    data = EventEnvelope[ErrorPayload].from_bytes(written).data
    assert ("bad \\ud800 \\x00", "op") == (data.error_message, data.failed_operation)
    assert data.original_data is not None
    assert {"nan": "nan", "1": "\\xff", "deep": {"nul": "\\x00"}} == {
        key: value for key, value in data.original_data.items() if key != "n"
    }
