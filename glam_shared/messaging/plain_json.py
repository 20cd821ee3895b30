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
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from pydantic import BaseModel

__all__ = ["proves_strict"]

_PLAIN = (str, int, bool, uuid.UUID, datetime.datetime, datetime.date, enum.Enum, type(None))


_ESCAPE = b"\\"
_WHITE_SPACE = b" \n\r\t"
_KEY_END = b'":'


def proves_strict(data: bytes, value: BaseModel) -> bool:
    """Whether *value*, read from *data* by validation alone, is what the gate would let pass."""
    if data.find(_ESCAPE) >= 0:  # it may be NUL, or hide a quote
        return False
    counts = _key_counts.get(type(value)) or _new_key_counts(type(value))
    # Without white space, each key's last quote stands before its colon.
    return counts.of(value) == data.translate(None, _WHITE_SPACE).count(_KEY_END)


class KeyCounts:
    """Counts the keys that a model's value, and the models inside of it, were read from."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._provable = True
        self._given: list[str] = []
        self._free: list[str] = []
        self._walk(model, "")
        self._all_given = _getter(self._given)
        self._all_free = _getter(self._free)

    def of(self, value: BaseModel) -> int:
        """The number of keys; below zero where it cannot be told."""
        if not self._provable or any(self._all_free(value)):
            return -1
        return sum(map(len, self._all_given(value)))

    def _walk(self, model: type[BaseModel], path: str) -> None:
        """Note where the sets of given fields are, and the fields that may hold anything."""
        self._provable = self._provable and _takes_what_it_reads(model)
        self._given.append(f"{path}__pydantic_fields_set__")
        for name, field in model.model_fields.items():
            kinds = _alternatives(field.annotation)
            if len(kinds) == 1 and _is(kinds[0], BaseModel) and field.is_required():
                self._walk(kinds[0], f"{path}{name}.")
            elif not all(map(_is_plain, kinds)):
                self._free.append(f"{path}{name}")


_key_counts: dict[type[BaseModel], KeyCounts] = {}


def _new_key_counts(model: type[BaseModel]) -> KeyCounts:
    return _key_counts.setdefault(model, KeyCounts(model))


def _getter(paths: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Gets all the attributes at once; ``attrgetter`` alone makes no tuple of fewer than two."""
    if len(paths) > 1:
        return attrgetter(*paths)
    if paths:
        one = attrgetter(paths[0])
        return lambda value: (one(value),)
    return lambda value: ()


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
