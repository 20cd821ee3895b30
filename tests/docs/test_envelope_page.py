"""The page about the envelope tells what is read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from glam_shared.messaging import EventEnvelope

PAGE = (Path(__file__).parents[2] / "docs" / "envelope.md").read_text()


class Order(BaseModel):
    order_id: str
    total: float


def example() -> dict[str, object]:
    """The object that the page shows."""
    shown = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    found: dict[str, object] = json.loads(shown.group(1))
    return found


def test_the_example_is_an_event() -> None:
    """The JSON shown is read by a handler of its subject."""
    event = EventEnvelope[Order].from_bytes(json.dumps(example()).encode())

    assert event.data == Order(order_id="o1", total=12.5)


@pytest.mark.parametrize("field", list(example()))
def test_the_page_says_which_fields_are_required(field: str) -> None:
    """What the table calls required cannot be left out, and the rest can."""
    row = re.search(rf"^\| `{field}` \| (\w+) \|", PAGE, re.MULTILINE)
    without = json.dumps({name: value for name, value in example().items() if name != field})

    assert row is not None
    if row.group(1) == "required":
        with pytest.raises(ValidationError):
            EventEnvelope[Order].from_bytes(without.encode())
    else:
        EventEnvelope[Order].from_bytes(without.encode())
