"""What pydantic found wrong, in one line: fields and problems, without the data itself."""

from __future__ import annotations

from pydantic import ValidationError

from glam_shared.json_safe import json_text
from glam_shared.wording import counted

__all__ = ["error_text", "fields_text"]

_MOST_FIELDS = 8


def error_text(error: BaseException) -> str:
    """What an error says, as text that UTF-8 can carry; of pydantic's, the fields."""
    return json_text(fields_text(error) if isinstance(error, ValidationError) else error)


def fields_text(error: ValidationError) -> str:
    """``data.total: Field required; data.id: ...``, the first eight."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [_field(one["loc"], one["msg"]) for one in found[:_MOST_FIELDS]]
    if len(found) > _MOST_FIELDS:
        lines.append(f"and {counted(len(found) - _MOST_FIELDS, 'more problem')}")
    return "; ".join(lines)


def _field(location: tuple[int | str, ...], said: str) -> str:
    path = ".".join(map(str, location))
    said = said.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return f"{path}: {said}" if path else said
