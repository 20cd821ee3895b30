"""How a function's parameters get their values: by annotation."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any, TypeAlias

from pydantic import BaseModel

from glam_worker.declare.context import EventContext
from glam_worker.declare.mistakes import Checks
from glam_worker.errors import DeclarationError

Call: TypeAlias = Callable[[Any, EventContext], Any]
"""The handler with its parameters in one order: payload, event."""


def bind(function: Callable[..., Any], payload: type[BaseModel]) -> Call:
    """The call of ``function`` with a payload and an event.

    Raises DeclarationError for a parameter that is unknown, missing, doubled or not annotated.
    """
    roles = _roles(function, payload)
    name = function.__name__
    for role, wanted in (("payload", payload.__name__), ("event", "EventContext")):
        if roles.count(role) > 1:
            raise DeclarationError(f"{name}() has two parameters annotated {wanted}; keep one")
    if "payload" not in roles:
        raise DeclarationError(
            f"{name}() has no parameter for the payload; add one annotated {payload.__name__}"
        )
    return _calls(function)[tuple(roles)]


def _roles(function: Callable[..., Any], payload: type[BaseModel]) -> list[str]:
    roles = []
    with Checks() as checks:
        for parameter in _parameters(function):
            with checks.one():
                roles.append(_role(function, parameter, payload))
    return roles


def _calls(function: Callable[..., Any]) -> dict[tuple[str, ...], Call]:
    return {
        ("payload",): lambda payload, event: function(payload),
        ("payload", "event"): function,
        ("event", "payload"): lambda payload, event: function(event, payload),
    }


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    wanted = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    hints = _hints(function)
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in wanted:
            raise DeclarationError(
                f"{function.__name__}() has the parameter {parameter}; a handler takes the "
                "payload and the EventContext as plain parameters, and nothing else"
            )
        annotation = hints.get(parameter.name, inspect.Parameter.empty)
        found.append(parameter.replace(annotation=annotation))
    return found


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except NameError as error:
        raise DeclarationError(
            f"{function.__name__}() is annotated with a name that is not known when the module is "
            f"imported: {error}; import it outside of `if TYPE_CHECKING`"
        ) from error


def _role(
    function: Callable[..., Any], parameter: inspect.Parameter, payload: type[BaseModel]
) -> str:
    annotation = parameter.annotation
    if annotation is payload:
        return "payload"
    if annotation is EventContext:
        return "event"
    raise DeclarationError(_misfit(function.__name__, parameter, payload))


def _misfit(name: str, parameter: inspect.Parameter, payload: type[BaseModel]) -> str:
    wanted = f"{payload.__name__} or EventContext"
    if parameter.annotation is inspect.Parameter.empty:
        return f"{name}() has the parameter {parameter.name!r} without annotation; use {wanted}"
    found = getattr(parameter.annotation, "__name__", str(parameter.annotation))
    if isinstance(parameter.annotation, type) and issubclass(parameter.annotation, BaseModel):
        return (
            f"{name}() takes {parameter.name!r} as {found}, but its declaration names the payload "
            f"{payload.__name__}; make the two agree"
        )
    return f"{name}() has the unknown parameter {parameter.name!r} ({found}); annotate it {wanted}"
