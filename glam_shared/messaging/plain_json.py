"""A shortcut through the gate: proof that a message is strict JSON, from what validation saw.

Validation has parsed the bytes already; what it lets pass are duplicate keys, NUL in text, NaN and
the like, and digits that a float loses. If the text holds exactly as many keys as the models took,
no key stands twice and none was passed over; and fields of text, integers, ids and moments have no
place for the rest. What cannot be proved this way goes through the gate itself.
"""

from __future__ import annotations

import datetime
import enum
import types
import typing
import uuid
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = ["proves_strict"]

_PLAIN = (str, int, bool, uuid.UUID, datetime.datetime, datetime.date, enum.Enum, type(None))


def proves_strict(data: bytes, value: BaseModel) -> bool:
    """Whether *value*, read from *data* by validation alone, is what the gate would let pass."""
    # An escape may be NUL or hide a quote; white space may part a key from its colon.
    if b"\\" in data or b"\n" in data or b"\t" in data or b"\r" in data or b" :" in data:
        return False
    return _key_count_of(type(value)).of(value) == data.count(b'":')


class KeyCount:
    """Counts the keys that a model's value was read from."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._provable = _takes_what_it_reads(model)
        self._inner: list[tuple[str, KeyCount]] = []
        self._empty: list[str] = []
        """Fields that may hold anything: provable only while they are empty."""
        for name, field in model.model_fields.items():
            self._sort(name, field)

    def _sort(self, name: str, field: FieldInfo) -> None:
        types_ = _alternatives(field.annotation)
        models = [kind for kind in types_ if _is(kind, BaseModel)]
        if models and len(types_) == 1:
            self._inner.append((name, KeyCount(models[0])))
        elif not all(map(_is_plain, types_)):
            self._empty.append(name)

    def of(self, value: BaseModel) -> int:
        """The number of keys; below zero where it cannot be told."""
        if not self._provable:
            return -1
        given = value.__pydantic_fields_set__
        count = len(given)
        for name in self._empty:
            if getattr(value, name):
                return -1
        for name, inner in self._inner:
            if name not in given:
                return -1
            keys = inner.of(getattr(value, name))
            if keys < 0:
                return -1
            count += keys
        return count


@lru_cache(maxsize=1024)
def _key_count_of(model: type[BaseModel]) -> KeyCount:
    return KeyCount(model)


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _is_plain(kind: Any) -> bool:
    return _is(kind, _PLAIN) or typing.get_origin(kind) is typing.Literal


def _is(kind: Any, wanted: type | tuple[type, ...]) -> bool:
    return isinstance(kind, type) and issubclass(kind, wanted)


def _takes_what_it_reads(model: type[BaseModel]) -> bool:
    """Whether nothing adds or takes keys between the text and the fields."""
    decorators = model.__pydantic_decorators__
    touched = any(
        decorator.info.mode != "after" for decorator in decorators.model_validators.values()
    )
    return (
        not touched
        and not decorators.root_validators
        and model.model_config.get("extra") != "allow"
    )
