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
from typing import Any, TypeAlias

from pydantic import BaseModel

__all__ = ["proves_strict"]

_PLAIN = (str, int, bool, uuid.UUID, datetime.datetime, datetime.date, enum.Enum, type(None))


_ESCAPE, _LINE_FEED, _RETURN, _TAB = b"\\\n\r\t"
_WHITE_SPACE = b" \n\r\t"
_KEY_END = b'":'


def proves_strict(data: bytes, value: BaseModel) -> bool:
    """Whether *value*, read from *data* by validation alone, is what the gate would let pass."""
    if _ESCAPE in data:  # it may be NUL, or hide a quote
        return False
    # White space between a key and its colon would hide the key.
    if _LINE_FEED in data or _RETURN in data or _TAB in data or data.find(b" :") >= 0:
        data = data.translate(None, _WHITE_SPACE)
    count = _key_counts.get(type(value)) or _new_key_count(type(value))
    return count(value) == data.count(_KEY_END)


KeyCount: TypeAlias = Callable[[Any], int]
"""The number of keys that a model's value, and the models inside of it, were read from.

Below zero where it cannot be told.
"""

_key_counts: dict[type[BaseModel], KeyCount] = {}


def _new_key_count(model: type[BaseModel]) -> KeyCount:
    return _key_counts.setdefault(model, key_count(model))


def key_count(model: type[BaseModel]) -> KeyCount:
    """What counts the keys of this model's values."""
    fields = _Fields()
    if not fields.walk(model, ""):
        return lambda value: -1
    always, holds = fields.always, _holds(fields.free)
    if len(fields.given) == 1:
        given = attrgetter(fields.given[0])
        return lambda value: -1 if holds(value) else always + len(given(value))
    sets = [attrgetter(path) for path in fields.given]
    return lambda value: -1 if holds(value) else always + sum(len(given(value)) for given in sets)


class _Fields:
    """The fields of a model and of the models inside of it, by what they tell about the text."""

    def __init__(self) -> None:
        self.always = 0
        """Keys that every value was read from: those of models without an optional field."""
        self.given: list[str] = []
        """Where the sets of given fields are, of the other models."""
        self.free: list[str] = []
        """Fields that may hold anything, keys, too."""

    def walk(self, model: type[BaseModel], path: str) -> bool:
        """Take in *model*; False where its fields do not tell what the text holds."""
        told = _takes_what_it_reads(model)
        if all(field.is_required() for field in model.model_fields.values()):
            self.always += len(model.model_fields)
        else:
            self.given.append(f"{path}__pydantic_fields_set__")
        for name, field in model.model_fields.items():
            kinds = _alternatives(field.annotation)
            if len(kinds) == 1 and _is(kinds[0], BaseModel) and field.is_required():
                told = self.walk(kinds[0], f"{path}{name}.") and told
            elif not all(map(_is_plain, kinds)):
                self.free.append(f"{path}{name}")
        return told


def _holds(paths: list[str]) -> Callable[[Any], Any]:
    """Whether any of these attributes holds anything."""
    if len(paths) == 1:
        return attrgetter(paths[0])
    fields = [attrgetter(path) for path in paths]
    return lambda value: any(field(value) for field in fields)


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
