"""Wrong settings in words: which variable or flag, what was found, what is allowed."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from glam_worker.settings.sources import Origin, variable_of

_FLAGS = {"nats_servers": "--servers"}
_MASK = "***"
_LONGEST = 120
_USER_IN_ADDRESS = re.compile(r"(^|://)(?:(?!://).)*@")


@dataclass(frozen=True, slots=True)
class Allowed:
    """Stands in a setting's annotation, and says in words what it may be."""

    text: str


def explained(error: ValidationError, model: type[BaseModel], origins: Mapping[str, Origin]) -> str:
    """One line for each setting that is wrong."""
    lines: dict[tuple[str, str], str] = {}
    for problem in error.errors():
        name = str(problem["loc"][0]) if problem["loc"] else ""
        lines.setdefault((name, problem["msg"] if not name else ""), _line(problem, model, origins))
    return "\n".join(lines.values())


def _line(problem: Mapping[str, Any], model: type[BaseModel], origins: Mapping[str, Origin]) -> str:
    said = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return said
    name = str(problem["loc"][0])
    info = model.model_fields.get(name)
    if info is None:
        return f"{name} is not a setting; {said}"
    where = described(name, origins.get(name) or Origin("argument", variable_of(name)))
    return f"{where} is {shown(info, problem.get('input'))}; allowed: {allowed(info) or said}"


def described(name: str, origin: Origin) -> str:
    """How the user knows the setting: the flag or variable that gave it."""
    if origin.kind == "argument":
        return f"{flag_of(name)} ({origin.variable})"
    return f"{origin.variable} in .env" if origin.kind == ".env" else origin.variable


def flag_of(name: str) -> str:
    """The flag that gives a setting."""
    return _FLAGS.get(name, "--" + name.replace("_", "-"))


def is_secret(info: FieldInfo) -> bool:
    """Whether its value must not be shown."""
    return "SecretStr" in str(info.annotation)


def masked(info: FieldInfo, value: Any) -> Any:
    """A value without its secrets, those inside of addresses too."""
    if value is None:
        return None
    if is_secret(info):
        return _MASK
    if isinstance(value, str):
        return _USER_IN_ADDRESS.sub(r"\1", value)
    return tuple(masked(info, part) for part in value) if isinstance(value, tuple) else value


def shown(info: FieldInfo, value: Any) -> str:
    """A value in a message: masked, and not too long."""
    text = repr(masked(info, value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def allowed(info: FieldInfo) -> str | None:
    """What a setting may be, in words; None where nothing can be wrong with it."""
    for item in (*info.metadata, *_parts(info.annotation)):
        if isinstance(item, Allowed):
            return item.text
    choices = [part for part in _parts(info.annotation) if isinstance(part, str)]
    if choices:
        return ", ".join(choices[:-1]) + f" or {choices[-1]}"
    return "true or false" if info.annotation is bool else None


def _parts(annotation: Any) -> Iterator[Any]:
    """Whatever stands in an annotation: types, choices of literals, marks."""
    if typing.get_origin(annotation) is Literal:
        yield from typing.get_args(annotation)
        return
    yield annotation
    for part in (*typing.get_args(annotation), *getattr(annotation, "__metadata__", ())):
        yield from _parts(part)
