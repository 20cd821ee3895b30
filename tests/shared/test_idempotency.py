"""Idempotency keys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from glam_shared import generate_idempotency_key

EXAMPLES: list[tuple[tuple[Any, ...], str]] = [
    (("SHOPIFY", "ORDER", "123456"), "SHOPIFY_ORDER_123456"),
    (("STRIPE", "PAYMENT", "pi_abc123"), "STRIPE_PAYMENT_pi_abc123"),
    (("SHOPIFY", "ORDER", "123", "TESTSTORE"), "SHOPIFY_ORDER_123_TESTSTORE"),
    (("shopify", "order.created", 7, "my-store.com"), "SHOPIFY_ORDER_CREATED_7_MY_STORE_COM"),
    (("s", "o", "a-b.c"), "S_O_a-b.c"),
    (("s", "o", 0), "S_O_0"),
    (("s", "o", UUID(int=1)), "S_O_00000000-0000-0000-0000-000000000001"),
]


@pytest.mark.parametrize(("parts", "key"), EXAMPLES)
def test_examples(parts: tuple[Any, ...], key: str) -> None:
    """System, operation and extra are upper-cased with `-` and `.` as `_`; the identifier stays."""
    assert key == generate_idempotency_key(*parts)


@pytest.mark.parametrize(
    "parts", [("", "o", "1"), ("s", "", "1"), ("s", "o", ""), ("s", "o", "1", ""), (" ", "o", "1")]
)
def test_an_empty_part_is_an_error(parts: tuple[Any, ...]) -> None:
    """A key never has a hole in it."""
    with pytest.raises(ValueError, match="is empty"):
        generate_idempotency_key(*parts)
