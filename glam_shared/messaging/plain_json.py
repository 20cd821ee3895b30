"""A shortcut through the gate: proof that a message is strict JSON, from what validation saw.

Validation has parsed the bytes already; what it lets pass are duplicate keys, NUL in text, NaN and
the like, and digits that a float loses. Fields of text, integers, ids and moments have no place
for any but the first. If the text holds exactly as many keys as the models took, no key stands
twice and none was passed over. Keys are counted by quotes, of which each key and each text has
two; or, where values do not tell which of them were text, by what ends a key. What cannot be
proved this way goes through the gate itself.
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

from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo

from glam_shared.messaging.timestamps import is_utc_moment, was_converted

__all__ = ["proves_strict"]

_TEXTS = (str, uuid.UUID)
"""Read from text and from nothing else."""
_NUMBERS = (int, bool)
"""Text may be read as one, too; it then has quotes too many and proves nothing."""
_PLAIN = (*_TEXTS, *_NUMBERS, datetime.datetime, datetime.date, enum.Enum, type(None))

_ESCAPE, _LINE_FEED, _RETURN, _TAB = b"\\\n\r\t"
_WHITE_SPACE = b" \n\r\t"
_KEY_END, _QUOTE = b'":', b'"'
_LARGE = 4096
"""Bytes from which looking for each quote takes less than looking at each byte."""


def proves_strict(data: bytes, value: BaseModel) -> bool:
    """Whether *value*, read from *data* by validation alone, is what the gate would let pass."""
    if _ESCAPE in data:  # it may be NUL, or hide a quote
        return False
    proves = _proofs.get(type(value)) or _proofs.setdefault(type(value), _proof(type(value)))
    return proves(data, value)


Proof: TypeAlias = Callable[[bytes, Any], bool]
"""Whether a text without escapes holds the keys that the value was read from, and no other."""

_proofs: dict[type[BaseModel], Proof] = {}


def _proof(model: type[BaseModel]) -> Proof:
    """How the texts of this model's values are looked at."""
    fields = _Fields()
    if not fields.walk(model, ""):
        return lambda data, value: False
    return _by_quotes(fields) if fields.texts_are_known else _by_key_ends(fields)


def _by_quotes(fields: _Fields) -> Proof:
    """Loops in place: this is done for every event, and a call costs as much as a field."""
    moments, free, given, texts = fields.moments, fields.free, fields.given, fields.texts_or_none
    always = fields.always + fields.texts

    def proves(data: bytes, value: Any) -> bool:
        pairs = always
        for moment in moments:
            if was_converted(moment(value)):
                return False
        for anything in free:
            if anything(value):
                return False
        for names in given:
            pairs += len(names(value))
        for text in texts:
            if text(value) is not None:
                pairs += 1
        return _has_quotes(data, 2 * pairs)

    return proves


def _by_key_ends(fields: _Fields) -> Proof:
    def proves(data: bytes, value: Any) -> bool:
        if any(one(value) for one in fields.free):
            return False
        return fields.always + sum(len(one(value)) for one in fields.given) == _key_ends(data)

    return proves


def _has_quotes(data: bytes, expected: int) -> bool:
    """Whether there are just so many."""
    if len(data) < _LARGE:
        return data.count(_QUOTE) == expected
    at = -1
    for _ in range(expected):
        at = data.find(_QUOTE, at + 1)
        if at < 0:
            return False
    return data.find(_QUOTE, at + 1) < 0


def _key_ends(data: bytes) -> int:
    # White space between a key and its colon would hide the key.
    if _LINE_FEED in data or _RETURN in data or _TAB in data or data.find(b" :") >= 0:
        data = data.translate(None, _WHITE_SPACE)
    return data.count(_KEY_END)


class _Fields:
    """The fields of a model and of the models inside of it, by what they tell about the text."""

    def __init__(self) -> None:
        self.always = 0
        """Keys that every value was read from: those of models without an optional field."""
        self.given: list[Callable[[Any], set[str]]] = []
        """The given fields of the other models."""
        self.free: list[Callable[[Any], Any]] = []
        """Fields that may hold anything, keys, too."""
        self.texts_are_known = True
        """Whether a value tells of each field if it was text."""
        self.texts = 0
        """Fields that always were, moments included."""
        self.texts_or_none: list[Callable[[Any], Any]] = []
        self.moments: list[Callable[[Any], datetime.datetime]] = []
        """Those that were converted unless they were text."""

    def walk(self, model: type[BaseModel], path: str) -> bool:
        """Take in *model*; False where its fields do not tell what the text holds."""
        told = _takes_what_it_reads(model)
        if all(field.is_required() for field in model.model_fields.values()):
            self.always += len(model.model_fields)
        else:
            self.given.append(attrgetter(f"{path}__pydantic_fields_set__"))
        if model.__pydantic_decorators__.field_validators:
            self.texts_are_known = False
        for name, field in model.model_fields.items():
            kinds = _alternatives(field.annotation)
            if len(kinds) == 1 and _is(kinds[0], BaseModel) and field.is_required():
                told = self.walk(kinds[0], f"{path}{name}.") and told
            elif all(map(_is_plain, kinds)):
                self._plain(field, kinds, attrgetter(f"{path}{name}"))
            else:
                self.free.append(attrgetter(f"{path}{name}"))
        return told

    def _plain(self, field: FieldInfo, kinds: tuple[Any, ...], get: Callable[[Any], Any]) -> None:
        if is_utc_moment(field) and field.is_required():
            self.texts += 1
            self.moments.append(get)
        elif _is_changed(field):
            self.texts_are_known = False
        elif all(map(_is_text, kinds)) and field.is_required():
            self.texts += 1
        elif all(_is_text(kind) or kind is type(None) for kind in kinds) and field.default is None:
            self.texts_or_none.append(get)
        elif not all(kind in _NUMBERS or kind is type(None) for kind in kinds):
            self.texts_are_known = False


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _is_plain(kind: Any) -> bool:
    return _is(kind, _PLAIN) or typing.get_origin(kind) is typing.Literal


def _is_text(kind: Any) -> bool:
    if typing.get_origin(kind) is typing.Literal:
        return all(isinstance(one, str) for one in typing.get_args(kind))
    return kind in _TEXTS


def _is(kind: Any, wanted: type | tuple[type, ...]) -> bool:
    return isinstance(kind, type) and issubclass(kind, wanted)


def _is_changed(field: FieldInfo) -> bool:
    """Whether something else than validation by its type has made the value."""
    return any(
        hasattr(one, "__get_pydantic_core_schema__") or hasattr(one, "coerce_numbers_to_str")
        for one in field.metadata
    )


def _takes_what_it_reads(model: type[BaseModel]) -> bool:
    """Whether each field is read from one key, and nothing adds or takes keys on the way."""
    decorators = model.__pydantic_decorators__
    touched = any(
        decorator.info.mode != "after" for decorator in decorators.model_validators.values()
    )
    elsewhere = any(
        not isinstance(field.validation_alias, str | None) for field in model.model_fields.values()
    )
    return (
        not touched
        and not elsewhere
        and not decorators.root_validators
        and not issubclass(model, RootModel)
        and model.model_config.get("extra") != "allow"
        and not model.model_config.get("coerce_numbers_to_str")
    )
