"""A shortcut through the gate: proof that a message is strict JSON, from what validation saw.

Validation has parsed the bytes already; what it lets pass are duplicate keys, NUL in text, NaN and
the like, and digits that a float loses. Where nothing of the user's stands between the text and
the fields, text, ids and moments have no place for any but the first. If the text holds exactly as
many keys as the models took, no key stands twice and none was passed over. Keys are counted by
quotes, of which each key and each text has two; or, where values do not tell which of them were
text, by what ends a key. What cannot be proved this way goes through the gate itself.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import types
import typing
import uuid
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo

from glam_shared.messaging.not_empty import NotEmpty
from glam_shared.messaging.strict_json import may_lose_digits
from glam_shared.messaging.timestamps import is_utc_moment, was_converted

__all__ = ["proves_strict"]

_TEXTS = (str, uuid.UUID)
"""Read from text and from nothing else."""
_NUMBERS = (int, bool)
"""Text may be read as one, too; it then has quotes too many and proves nothing."""
_MOMENTS = (datetime.datetime, datetime.date)
"""Read from text or from a number."""
_OTHERS = (float, decimal.Decimal)
_NONE = type(None)
_CONTAINERS = (dict, list, set, frozenset, tuple)
_ANYTHING = (dict, list, dict[str, Any], list[Any])
"""Nothing is in one of these that was not in the text, and nothing is left out."""

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
    moments, given, texts = fields.moments, fields.given, fields.texts_or_none
    empty, unset, numbers = fields.empty, fields.unset, fields.numbers
    always = fields.always + fields.texts

    def proves(data: bytes, value: Any) -> bool:
        pairs = always
        for moment in moments:
            if was_converted(moment(value)):
                return False
        for anything in empty:
            if anything(value):
                return False
        for names in given:
            pairs += len(names(value))
        for text in texts:
            if text(value) is not None:
                pairs += 1
        if not _has_quotes(data, 2 * pairs):
            return False
        return not (numbers and may_lose_digits(data)) and (not unset or _are_unset(unset, value))

    return proves


def _by_key_ends(fields: _Fields) -> Proof:
    def proves(data: bytes, value: Any) -> bool:
        if any(anything(value) for anything in fields.empty):
            return False
        keys = fields.always + sum(len(names(value)) for names in fields.given)
        return (
            keys == _key_ends(data)
            and not (fields.numbers and may_lose_digits(data))
            and _are_unset(fields.unset, value)
        )

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


class _Optional(NamedTuple):
    """A field that may hold anything if it is given."""

    given: Callable[[Any], set[str]]
    name: str
    value: Callable[[Any], Any]


def _are_unset(fields: list[_Optional], value: Any) -> bool:
    """Whether none of them was given anything but null."""
    return not any(one.name in one.given(value) and one.value(value) is not None for one in fields)


class _Fields:
    """The fields of a model and of the models inside of it, by what they tell about the text."""

    def __init__(self) -> None:
        self.always = 0
        """Keys that every value was read from: those of models without an optional field."""
        self.given: list[Callable[[Any], set[str]]] = []
        """The given fields of the other models."""
        self.empty: list[Callable[[Any], Any]] = []
        """Containers of anything, which tell nothing unless they are empty."""
        self.unset: list[_Optional] = []
        """Fields that tell nothing unless they are None or were not given."""
        self.numbers = False
        """Whether there is a field that a number is read for, without the digits a float loses."""
        self.texts_are_known = True
        """Whether a value tells of each field if it was text."""
        self.texts = 0
        """Fields that always were, moments included."""
        self.texts_or_none: list[Callable[[Any], Any]] = []
        self.moments: list[Callable[[Any], datetime.datetime]] = []
        """Those that were converted unless they were text."""

    def walk(self, model: type[BaseModel], path: str) -> bool:
        """Take in *model*; False where its fields do not tell what the text holds."""
        if not _takes_what_it_reads(model):
            return False
        if all(field.is_required() for field in model.model_fields.values()):
            self.always += len(model.model_fields)
        else:
            self.given.append(attrgetter(f"{path}__pydantic_fields_set__"))
        return all(self._field(name, field, path) for name, field in model.model_fields.items())

    def _field(self, name: str, field: FieldInfo, path: str) -> bool:
        get = attrgetter(f"{path}{name}")
        kinds = _alternatives(field.annotation)
        if is_utc_moment(field) and field.is_required():
            self.texts += 1
            self.moments.append(get)
        elif _is_changed(field):
            return False
        elif len(kinds) == 1 and _is_model(kinds[0]) and field.is_required():
            return self.walk(kinds[0], f"{path}{name}.")
        elif all(map(_is_plain, kinds)):
            self._plain(field, kinds, get)
        elif all(kind in _ANYTHING or kind is _NONE for kind in kinds):
            self.empty.append(get)
        elif all(map(_is_none_if_unset, kinds)):
            self.unset.append(_Optional(attrgetter(f"{path}__pydantic_fields_set__"), name, get))
        else:
            return False
        return True

    def _plain(self, field: FieldInfo, kinds: tuple[Any, ...], get: Callable[[Any], Any]) -> None:
        only_text = all(_is_text(kind) or kind is _NONE for kind in kinds)
        self.numbers = self.numbers or not only_text
        if all(map(_is_text, kinds)) and field.is_required():
            self.texts += 1
        elif only_text and field.default is None:
            self.texts_or_none.append(get)
        elif not all(kind in _NUMBERS or kind is _NONE for kind in kinds):
            self.texts_are_known = False


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _is_plain(kind: Any) -> bool:
    """Whether a value of it has no place for keys, nor for anything else that the gate refuses."""
    return kind in (*_TEXTS, *_NUMBERS, *_MOMENTS, _NONE) or _is_literal(kind) or _is_enum(kind)


def _is_literal(kind: Any) -> bool:
    return typing.get_origin(kind) is typing.Literal and all(
        isinstance(one, str | int | None) for one in typing.get_args(kind)
    )


def _is_enum(kind: Any) -> bool:
    """An enumeration of texts and integers that takes nothing else for one of its own."""
    if not (isinstance(kind, type) and issubclass(kind, enum.Enum)):
        return False
    of_users = [vars(base) for base in kind.__mro__ if base.__module__ != enum.__name__]
    return all(isinstance(member.value, str | int) for member in kind) and not any(
        name in of_base
        for name in ("_missing_", "__get_pydantic_core_schema__")
        for of_base in of_users
    )


def _is_text(kind: Any) -> bool:
    if typing.get_origin(kind) is typing.Literal:
        return all(isinstance(one, str) for one in typing.get_args(kind))
    return kind in _TEXTS


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_none_if_unset(kind: Any) -> bool:
    """Whether None is read from null only."""
    container = kind in _CONTAINERS or typing.get_origin(kind) in _CONTAINERS
    model = _is_model(kind) and _takes_what_it_reads(kind)
    return _is_plain(kind) or kind in _OTHERS or container or model


def _is_changed(field: FieldInfo) -> bool:
    """Whether something else than validation by its type has made the value."""
    return any(
        hasattr(one, "coerce_numbers_to_str")
        or (hasattr(one, "__get_pydantic_core_schema__") and one is not NotEmpty)
        for one in field.metadata
    )


def _takes_what_it_reads(model: type[BaseModel]) -> bool:
    """Whether each field is read from one key of its own, and by its type alone."""
    decorators = model.__pydantic_decorators__
    validators = (
        *(decorators.validators, decorators.field_validators),
        *(decorators.root_validators, decorators.model_validators),
    )
    keys = [field.validation_alias or name for name, field in model.model_fields.items()]
    schema, of_pydantic = model.__get_pydantic_core_schema__, BaseModel.__get_pydantic_core_schema__
    return (
        not any(validators)
        and all(isinstance(key, str) for key in keys)
        and len(set(keys)) == len(keys)
        and not model.__pydantic_custom_init__
        and not model.__pydantic_post_init__
        and getattr(schema, "__func__", schema) is getattr(of_pydantic, "__func__", None)
        and not issubclass(model, RootModel)
        and model.model_config.get("extra") != "allow"
        and not model.model_config.get("coerce_numbers_to_str")
    )
