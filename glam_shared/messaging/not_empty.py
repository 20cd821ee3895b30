"""Data that is there: the one rule that every reader of the platform has for it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = ["NotEmpty"]


class NotEmpty:
    """Existing readers refuse an envelope whose data is `{}`, so it is neither written nor read.

    A model with a required field refuses `{}` by itself; only others cost a call into Python.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        if schema["type"] == "dict":
            return {**schema, "min_length": 1}
        fields = getattr(source, "model_fields", {})
        if any(field.is_required() for field in fields.values()):
            return schema
        return core_schema.no_info_before_validator_function(_refuse_empty, schema)


def _refuse_empty(data: Any) -> Any:
    if data == {} or (isinstance(data, BaseModel) and not data.model_dump()):
        raise ValueError("data is empty; every reader of the platform refuses such an envelope")
    return data
