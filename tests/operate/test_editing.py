"""Editing a letter's payload: what is offered, and what is taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glam_shared.messaging import EventEnvelope
from glam_shared.messaging.dead_letter import BodyReference
from glam_worker.errors import UsageError
from glam_worker.jetstream.stored_letters import StoredLetter
from glam_worker.operate.editing import editable_text, edited_body
from tests.operate.letter_writing import event, letter

MERCHANT = "evt.merchant.created.v1"


def stored(body: bytes, subject: str = "evt.order.placed.v1", **more: Any) -> StoredLetter:
    record = letter(1, subject=subject, **more)
    return StoredLetter("GLAM_DLQ", 1, 1, "dlq.x", record.to_headers(), body)


def test_the_payload_alone_is_edited() -> None:
    """
    What is offered is the event's data; the envelope around it stays as it was.
    """
    one = stored(event(7))
    before = json.loads(one.body)

    body = edited_body(one, editable_text(one).replace("7", "8"))

    after = json.loads(body)
    assert {"id": 7} == json.loads(editable_text(one))
    assert {"id": 8} == after["data"]
    assert before.keys() == after.keys()
    assert before["event_id"] == after["event_id"]


@pytest.mark.parametrize("body", [b"not JSON", b"[1]", b'{"event_id": "e"}', b""])
def test_a_body_that_is_no_event_is_edited_as_a_whole(body: bytes) -> None:
    """
    Where there is no envelope to keep, all of the body can be mended.
    """
    one = stored(body)

    assert body.decode() == editable_text(one)
    whole = event(3)
    assert whole == edited_body(one, whole.decode())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not JSON"),
        ('{"id": NaN}', "not JSON"),
        ("[1]", "data"),
        ("{}", "data"),
        ("\ud800", "not JSON"),
    ],
)
def test_what_no_handler_would_take_is_refused(text: str, told: str) -> None:
    """
    A mistake in the editor is told before anything is sent.
    """
    with pytest.raises(UsageError, match=told):
        edited_body(stored(event(1)), text)


def test_the_catalogued_model_is_the_measure() -> None:
    """
    A payload of a catalogued subject is checked field by field.
    """
    envelope = EventEnvelope.create(MERCHANT, {"merchant_id": "m"}, source_service="test")

    with pytest.raises(UsageError, match=f"no MerchantCreatedPayload of {MERCHANT}"):
        edited_body(stored(envelope.to_bytes(), MERCHANT), '{"merchant_id": 1}')


def test_an_event_of_another_subject_is_refused() -> None:
    """
    A whole event that is put into a letter must be one of the letter's subject.
    """
    other = event(1, "evt.order.cancelled.v1").decode()

    with pytest.raises(UsageError, match=r"evt\.order\.cancelled\.v1"):
        edited_body(stored(b"broken"), other)


def test_what_is_no_text_cannot_be_edited() -> None:
    """
    Bytes that no editor keeps are not offered to one.
    """
    with pytest.raises(UsageError, match="export"):
        editable_text(stored(b"\xff\xfe"))


def test_a_body_that_is_elsewhere_cannot_be_edited() -> None:
    """
    A letter without its body says so.
    """
    with pytest.raises(UsageError, match="stayed in its stream"):
        editable_text(stored(b"", reference=BodyReference("0" * 64)))
