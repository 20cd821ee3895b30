"""What pydantic finds wrong, in the words of logs and letters."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field, ValidationError, create_model, field_validator

from glam_shared.messaging.model_errors import error_text
from glam_shared.wording import counted


class Line(BaseModel):
    item: str
    count: int = Field(gt=0)

    @field_validator("item")
    @classmethod
    def _known(cls, item: str) -> str:
        if item == "ghost":
            raise ValueError("nobody sells it")
        return item


class Order(BaseModel):
    lines: list[Line]


def wrong(model: type[BaseModel], data: object) -> ValidationError:
    """What pydantic says of the data."""
    with pytest.raises(ValidationError) as raised:
        model.model_validate(data)
    return raised.value


def test_each_field_is_named_with_its_problem_and_without_its_value() -> None:
    """One line: path, problem; neither addresses of manuals nor what was in the event."""
    error = wrong(Order, {"lines": [{"item": "ghost", "count": -4711}]})
    assert error_text(error) == (
        "lines.0.item: nobody sells it; lines.0.count: Input should be greater than 0"
    )


def test_many_wrong_fields_are_counted() -> None:
    """The first eight stand for all, however many there are."""
    fields: dict[str, Any] = {f"field_{number}": (int, ...) for number in range(10)}
    wide = create_model("Wide", **fields)
    text = error_text(wrong(wide, {}))
    assert text.count("Field required") == 8
    assert text.endswith("field_7: Field required; and 2 more problems")


def test_another_error_says_what_it_says() -> None:
    """Errors of other kinds are left as they are, in text that UTF-8 can carry."""
    assert error_text(KeyError("total")) == "'total'"
    assert error_text(ValueError("\ud800")) == "\\ud800"


def test_numbers_are_counted_in_plain_english() -> None:
    """One attempt, two attempts, two tries."""
    assert [counted(number, "attempt") for number in (0, 1, 2)] == [
        "0 attempts",
        "1 attempt",
        "2 attempts",
    ]
    assert counted(2, "try", "tries") == "2 tries"
