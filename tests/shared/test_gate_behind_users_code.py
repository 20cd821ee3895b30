"""Where a model of the user's has code of its own, there is no shortcut, and reading works."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any, NamedTuple

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    Field,
    GetCoreSchemaHandler,
    OnErrorOmit,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from glam_shared.messaging.envelope import envelope_of
from glam_shared.messaging.strict_json import InvalidJsonError
from glam_shared.messaging.timestamps import UtcDatetime

HEAD = (
    '{"event_id":"1","event_type":"evt.x.y","correlation_id":"c","source_service":"s",'
    '"timestamp":"2026-11-01T12:00:00Z","data":'
)


def read(model: type[BaseModel], data: str) -> Any:
    return envelope_of(model).from_bytes(f"{HEAD}{data}}}".encode()).data


class Inner(BaseModel):
    x: int
    y: int | None = None


class SetsAfter(BaseModel):
    a: int
    total: int = 0

    @model_validator(mode="after")
    def double(self) -> SetsAfter:
        self.total = 2 * self.a
        return self


class SetsAtInit(BaseModel):
    a: int
    total: int | None = None

    def model_post_init(self, context: Any, /) -> None:
        self.total = 2 * self.a


class OwnInit(BaseModel):
    a: int
    currency: str

    def __init__(self, **data: Any) -> None:
        super().__init__(**{"currency": "EUR", **data})


class OwnSchema(BaseModel):
    a: int
    n: int

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: {"n": 1, **value}, handler(source)
        )


class StaticSchema(BaseModel):
    a: int

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(source)


class Shorthand(BaseModel):
    inner: Annotated[Inner, BeforeValidator(lambda v: {"x": v} if isinstance(v, int) else v)]


class ShorthandBelow(BaseModel):
    inner: Inner

    @field_validator("inner", mode="before")
    @classmethod
    def inner_of(cls, value: Any) -> Any:
        return {"x": value} if isinstance(value, int) else value


class MomentAfter(BaseModel):
    at: Annotated[UtcDatetime, AfterValidator(lambda at: at.replace(tzinfo=None))]


class OneKey(BaseModel):  # type: ignore[no-redef]
    a: int = Field(validation_alias="x")
    b: int = Field(validation_alias="x")


class NoneForNaN(BaseModel):
    price: Annotated[float | None, AfterValidator(lambda v: None if math.isnan(v) else v)]


class ZeroForInfinity(BaseModel):
    n: Annotated[int, BeforeValidator(lambda v: v if math.isfinite(v) else 0)]


class Limit(float, Enum):
    NONE = math.inf


class HasLimit(BaseModel):
    limit: Limit


class Kind(StrEnum):
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> Kind:
        return cls.UNKNOWN


class HasKind(BaseModel):
    kind: Kind


class Omits(BaseModel):
    items: list[OnErrorOmit[int]]


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (SetsAfter, '{"a":1,"a":2}'),
        (SetsAtInit, '{"a":1,"a":2}'),
        (OwnInit, '{"a":1,"a":2}'),
        (OwnInit, '{"a":1,"a":2,"a":3}'),
        (OwnSchema, '{"a":1,"a":2}'),
        (StaticSchema, '{"a":1,"a":2}'),
        (Shorthand, '{"inner":5,"inner":6}'),
        (ShorthandBelow, '{"inner":5,"inner":6}'),
        (MomentAfter, '{"at":1700000000,"at":1700000001}'),
        (OneKey, '{"x":1,"x":2}'),
        (NoneForNaN, '{"price":NaN}'),
        (ZeroForInfinity, '{"n":1e999}'),
        (HasLimit, '{"limit":1e999}'),
        (HasKind, '{"kind":NaN}'),
        (HasKind, '{"kind":[NaN,1e999]}'),
        (Omits, '{"items":[NaN]}'),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_no_code_of_the_users_gets_past_the_gate(model: type[BaseModel], data: str) -> None:
    """
    Validators, hooks and types of their own may take what is no strict JSON; it is refused first.
    """
    with pytest.raises(InvalidJsonError):
        read(model, data)


class Count(BaseModel):
    n: int


class Size(BaseModel):
    n: ByteSize


class Amount(BaseModel):
    n: Decimal | None = None


@pytest.mark.parametrize("model", [Count, Size])
def test_an_integer_keeps_the_digits_that_a_float_loses(model: type[BaseModel]) -> None:
    """
    2 to the power of 53, plus one, with a decimal point: no float holds it.
    """
    assert read(model, '{"n":9007199254740993.0}').n == 9007199254740993


def test_the_smallest_number_is_none_less_for_it() -> None:
    """
    What a float takes for zero is no integer, and a decimal keeps it.
    """
    with pytest.raises(ValidationError):
        read(Count, '{"n":1e-400}')
    assert read(Amount, '{"n":1e-400}').n == Decimal("1e-400")


class Money(NamedTuple):
    x: int


class Array:
    """Has no truth value, as arrays of numbers."""

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")


class Converted(BaseModel):
    inner: Annotated[Inner, AfterValidator(lambda inner: Money(inner.x))]


class ConvertedBelow(BaseModel):
    inner: Inner

    @field_validator("inner", mode="after")
    @classmethod
    def money(cls, inner: Inner) -> Any:
        return Money(inner.x)


class Replaced(BaseModel):
    x: int
    y: int | None = None

    @model_validator(mode="after")
    def money(self) -> Any:
        return Money(self.x)


class HasReplaced(BaseModel):
    inner: Replaced


class HasArray(BaseModel):
    inner: Annotated[list[float], AfterValidator(lambda _: Array())]


@pytest.mark.parametrize(
    ("model", "data", "is_read"),
    [
        (Converted, '{"inner":{"x":5}}', lambda read: read.inner == Money(5)),
        (ConvertedBelow, '{"inner":{"x":5}}', lambda read: read.inner == Money(5)),
        (HasReplaced, '{"inner":{"x":5}}', lambda read: read.inner == Money(5)),
        (HasArray, '{"inner":[1.5]}', lambda read: isinstance(read.inner, Array)),
    ],
)
def test_whatever_validators_make_of_a_value_it_is_read(
    model: type[BaseModel], data: str, is_read: Callable[[Any], bool]
) -> None:
    """
    Nothing is expected of an object of the user's making: neither fields nor a truth value.
    """
    assert is_read(read(model, data))
