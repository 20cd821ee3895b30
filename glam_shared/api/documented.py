"""What a dependency takes from the request by itself, for the OpenAPI document.

FastAPI documents the parameters that it reads. A dependency that has its own errors to tell, or
that must see each of several headers of one name, reads them itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

C = TypeVar("C", bound=Callable[..., Any])

_ATTRIBUTE = "__glam_reads__"


@dataclass(frozen=True, slots=True)
class Header:
    """A header of the request."""

    name: str
    description: str
    required: bool = True
    schema: Mapping[str, Any] = field(default_factory=dict)
    """JSON schema beside the type, which is text."""

    def parameter(self) -> dict[str, Any]:
        """As a parameter of OpenAPI."""
        return {
            "name": self.name,
            "in": "header",
            "required": self.required,
            "description": self.description,
            "schema": {"type": "string", **self.schema},
        }


@dataclass(frozen=True, slots=True)
class Reads:
    """What one dependency reads."""

    headers: tuple[Header, ...] = ()
    json_body: bool = False
    """A JSON object of any content."""


def reads(*headers: Header, json_body: bool = False) -> Callable[[C], C]:
    """Decorates a dependency with what it reads."""

    def mark(call: C) -> C:
        setattr(call, _ATTRIBUTE, Reads(headers, json_body))
        return call

    return mark


def read_by(call: Any) -> Reads:
    """What this dependency was decorated with; nothing, if it was not."""
    found = getattr(call, _ATTRIBUTE, None)
    return found if isinstance(found, Reads) else Reads()
